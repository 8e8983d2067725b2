"""Files over HTTP: PUT, GET, HEAD, DELETE of /engine/{path}, conditions, ranges, hashes."""

import http.client
import re
import socket
import threading
import time
import urllib.parse

import pytest

from blake3_hash import blake3
from file_help import CHUNK, NO_HASH, chunk_hash, file_hash, noise, quoted
from strata_server import Client

HASH = re.compile(r"[0-9a-f]{64}")
FILE_FIELDS = ["path", "content_type", "total_size", "created_at", "updated_at", "hash"]


def test_the_hash_of_these_tests_is_blake3():
    vectors = {0: "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
               1_025: "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444",
               3_073: "7124b49501012f81cc7f11ca069ec9226cecb8a2c850cfe644e327d22d3e1cd3"}
    for size, digest in vectors.items():
        assert blake3(bytes(i % 251 for i in range(size))).hex() == digest


@pytest.mark.parametrize("size", [0, 1, 499, 500, 96_000, 96_001, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3_000_000])
def test_every_size_comes_back(files, size):
    body = noise(size)
    before_ms = time.time_ns() // 1_000_000
    stored = files.store("/data/report.bin", body, "application/x-report")
    after_ms = time.time_ns() // 1_000_000
    assert list(stored) == FILE_FIELDS
    assert stored["path"] == files.root + "/data/report.bin"
    assert stored["content_type"] == "application/x-report"
    assert stored["total_size"] == size
    assert before_ms <= stored["created_at"] == stored["updated_at"] <= after_ms
    assert HASH.fullmatch(stored["hash"])
    expected = {"X-Path": stored["path"], "X-Total-Size": str(size), "X-Created-At": str(stored["created_at"]),
                "X-Updated-At": str(stored["updated_at"]), "Content-Type": "application/x-report",
                "ETag": f'"{stored["hash"]}"', "Content-Length": str(size), "Accept-Ranges": "bytes",
                "X-Entry-Type": "file"}
    got = files.get("/data/report.bin")
    assert (got.status, got.body == body) == (200, True)
    head = files.head("/data/report.bin")
    assert (head.status, head.body) == (200, b"")
    for answer in (got, head):
        assert {name: answer.headers[name] for name in expected} == expected
        assert answer.headers["X-Request-Id"]


def test_hashes_are_those_of_the_archives(files):
    body = noise(CHUNK) + b"tail"
    stored = files.store("/a.bin", body, "text/x-a")
    chunks = [body[:CHUNK], body[CHUNK:]]
    assert stored["hash"] == file_hash(stored["path"], "text/x-a", stored["created_at"], stored["updated_at"], chunks)
    empty = files.store("/empty", b"", "text/x-a")
    assert empty["hash"] == file_hash(empty["path"], "text/x-a", empty["created_at"], empty["updated_at"], [])


def test_overwriting_keeps_the_time_of_making(files):
    first = files.store("/a", b"first", "text/plain")
    second = files.store("/a", b"second one", "text/html")
    assert second["created_at"] == first["created_at"] <= second["updated_at"]
    assert (second["total_size"], second["content_type"]) == (10, "text/html")
    assert second["hash"] != first["hash"]
    assert files.body("/a") == b"second one"
    assert files.get("/a").headers["X-Created-At"] == str(first["created_at"])
    # One that is gone begins anew.
    assert files.delete("/a").status == 200
    third = files.store("/a", b"first", "text/plain")
    assert third["created_at"] == third["updated_at"] >= second["updated_at"]


@pytest.mark.parametrize("body,expected", [
    (b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\2\0\0\0", "image/png"),
    (b'{"name": "Alice", "age": 30}', "application/json"),
    (b"plain words\n", "text/plain"),
])
def test_the_type_is_detected_where_none_is_sent(files, body, expected):
    assert files.store("/a", body, content_type=None)["content_type"] == expected
    assert files.get("/a").headers["Content-Type"] == expected
    assert files.store("/a", body, content_type="x/y")["content_type"] == "x/y"


def test_deleting(files):
    files.store("/data/a", b"1")
    assert files.delete("/data/a").json == {"deleted": True, "path": files.root + "/data/a"}
    for answer in (files.get("/data/a"), files.delete("/data/a"), files.head("/data/a")):
        assert answer.status == 404
    assert "error" in files.get("/data/a").json
    assert "/data/a" in files.delete("/data/a").json["error"]


def test_directories_are_deleted_when_empty(files):
    files.store("/data/deep/a", b"1")
    for path in ("/data", "/data/deep", "/absent"):
        answer = files.delete(path)
        assert answer.status == 404 and "error" in answer.json, path
    assert files.delete("/data/deep/a").status == 200
    # An empty directory stays until it is deleted.
    assert files.list("/data/deep") == []
    assert files.names("/data") == ["deep"]
    assert files.delete("/data/deep").json == {"deleted": True, "path": files.root + "/data/deep"}
    assert files.list("/data") == []
    assert files.delete("/data/").status == 200
    assert files.get("/data").status == 404


def test_what_stands_in_the_way_is_a_conflict(files):
    files.store("/data/file", b"1")
    for path in ("/data/file/below", "/data/file/far/below", "/data"):
        answer = files.put(path, b"2")
        assert answer.status == 409 and "error" in answer.json, path
    assert files.body("/data/file") == b"1"
    assert files.link("/data", "/x").status == 409
    assert files.link("/data/file/below", "/x").status == 409
    large = noise(CHUNK * 3)
    assert files.put("/data/file/below", large).status == 409
    assert files.put("/data", large).status == 409
    assert files.get("/data/file/below").status == 404


@pytest.mark.parametrize("name", ["a b+c&d=e;f", "100%", "%2F", "täst-ключ-文", "a'\"<>|", "#?", "~._-", "\x01\x1f\x7f",
                                  "ends with dot.", " ", "...", "n" * 255, "e\u0301"])
def test_names(files, name):
    stored = files.store("/" + name + "/" + name, name.encode())
    assert stored["path"] == f"{files.root}/{name}/{name}"
    answer = files.get(f"/{name}/{name}")
    assert answer.body == name.encode()
    # What a header cannot carry as it is comes percent-encoded.
    assert re.fullmatch(r"[!-~ ]+", answer.headers["X-Path"])
    assert urllib.parse.unquote(answer.headers["X-Path"]) == stored["path"]
    assert files.names("/") == [name]
    (entry,) = files.list("/" + name)
    assert (entry["name"], entry["path"]) == (name, stored["path"])
    assert files.delete(f"/{name}/{name}").status == 200


def test_paths_are_made_canonical(client, files):
    root = files.root
    assert client.put(f"/engine{root}//a///b", b"1").json["path"] == root + "/a/b"
    assert client.put(f"/engine/%2F{root[1:]}%2Fa%2Fc", b"2").json["path"] == root + "/a/c"
    for path in (f"/engine{root}/a/b", f"/engine//{root[1:]}/a//b/", f"/engine{root}%2Fa/b"):
        assert client.get(path).body == b"1", path
        assert client.get(path).headers["X-Path"] == root + "/a/b"
    # Decoded once.
    assert client.put(f"/engine{root}/a/%252F", b"3").json["path"] == root + "/a/%2F"
    assert files.names("/a") == ["%2F", "b", "c"]


def test_paths_that_are_refused(client, files):
    root = files.root
    bad = [".", "..", "a/../b", "a/./b", "../../etc/passwd", "%2e%2e/x", "a%00b", "%ff", "%c0%af", "%ed%a0%80",
           "n" * 1_025, "/".join("n" * 1_000 for _ in range(5)), "/".join("n" for _ in range(257))]
    for path in bad:
        answers = [client.put(f"/engine{root}/{path}", b"x"), client.get(f"/engine{root}/{path}"),
                   client.request("HEAD", f"/engine{root}/{path}"), client.delete(f"/engine{root}/{path}"),
                   client.post(f"/engine-symlink{root}/{path}", {"target": "/a"}),
                   client.get(f"/version/file-history{root}/{path}"),
                   client.post(f"/version/file-restore{root}/{path}", {"version": NO_HASH})]
        assert [answer.status for answer in answers] == [400] * len(answers), path
        assert all(answer.body == b"" or answer.json["error"] for answer in answers)
    for path in ("/engine/%zz", "/engine/a%", "/engine/a%4"):
        assert client.put(path, b"x").status == 400
    assert files.get("/").status == 404
    deepest = "/".join("n" for _ in range(255))
    assert client.put(f"/engine{root}/{deepest}", b"x").status == 201
    assert client.get(f"/engine{root}/{deepest}").body == b"x"
    longest = root + "/" + "/".join(["n" * 900] * 4 + ["m" * (4_096 - len(root) - 3_605)])
    assert len(longest) == 4_096
    assert client.put("/engine" + longest, b"x").status == 201
    assert client.put("/engine" + longest + "m", b"x").status == 400


def test_the_root_is_a_directory(client, files):
    files.store("/a", b"1")
    name = files.root[1:]
    for path in ("/engine/", "/engine", "/engine/%2F", "/engine//"):
        answer = client.get(path)
        assert answer.status == 200, path
        (entry,) = [entry for entry in answer.json if entry["name"] == name]
        assert (entry["path"], entry["entry_type"]) == (files.root, 3)
        head = client.request("HEAD", path)
        assert (head.status, head.headers["X-Entry-Type"], head.headers["X-Path"]) == (200, "directory", "/")
        assert client.put(path, b"x").status == 400
        assert client.delete(path).status == 400
    for path in ("/engine-symlink/", "/engine-symlink/%2F"):
        assert client.post(path, {"target": "/a"}).status == 400


def test_head_of_a_directory(files):
    files.store("/data/a", b"1")
    answer = files.head("/data")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["X-Entry-Type"] == "directory"
    assert answer.headers["X-Path"] == files.root + "/data"
    assert answer.headers["X-Total-Size"] is None
    (entry,) = files.list("/")
    assert answer.headers["ETag"] == f'"{entry["hash"]}"'
    assert files.head("/absent").status == 404


def test_ranges(files):
    body = noise(3 * CHUNK + 7)
    size = len(body)
    files.store("/a", body)
    cases = {"bytes=0-0": (0, 1), "bytes=5-": (5, size), "bytes=-5": (size - 5, size), f"bytes=-{size + 9}": (0, size),
             f"bytes={CHUNK - 1}-{CHUNK}": (CHUNK - 1, CHUNK + 1), f"bytes={CHUNK}-{2 * CHUNK - 1}": (CHUNK, 2 * CHUNK),
             f"bytes=100-{3 * CHUNK + 1}": (100, 3 * CHUNK + 2), f"bytes={size - 1}-": (size - 1, size),
             f"bytes=0-{size}": (0, size), "bytes=0-99999999999999999999": (0, size)}
    for text, (begin, end) in cases.items():
        answer = files.get("/a", headers={"Range": text})
        assert answer.status == 206, text
        assert answer.body == body[begin:end], text
        assert answer.headers["Content-Range"] == f"bytes {begin}-{end - 1}/{size}"
        assert answer.headers["Content-Length"] == str(end - begin)
        assert answer.headers["X-Total-Size"] == str(size)
    for text in (f"bytes={size}-", "bytes=-0"):
        answer = files.get("/a", headers={"Range": text})
        assert (answer.status, answer.headers["Content-Range"]) == (416, f"bytes */{size}")
        assert "error" in answer.json
    for text in ("bytes=5-2", "bytes=a-b", "items=0-1", "bytes=0-1,5-6"):
        answer = files.get("/a", headers={"Range": text})
        assert (answer.status, answer.body == body) == (200, True), text
    tag = files.get("/a").headers["ETag"]
    assert files.get("/a", headers={"Range": "bytes=1-2", "If-Range": tag}).status == 206
    assert files.get("/a", headers={"Range": "bytes=1-2", "If-Range": '"other"'}).status == 200
    head = files.head("/a", headers={"Range": "bytes=1-2"})
    assert (head.status, head.headers["Content-Length"]) == (206, "2")
    files.store("/empty", b"")
    assert files.get("/empty", headers={"Range": "bytes=0-"}).status == 416
    assert files.get("/empty", headers={"Range": "bytes=-5"}).status == 200


def test_if_none_match(files):
    tag = f'"{files.store("/a", b"first")["hash"]}"'
    for value in (tag, f'"x", W/{tag}', "*"):
        for answer in (files.get("/a", headers={"If-None-Match": value}), files.head("/a", headers={"If-None-Match": value})):
            assert (answer.status, answer.body) == (304, b"")
            assert (answer.headers["ETag"], answer.headers["X-Path"]) == (tag, files.root + "/a")
    files.store("/a", b"second")
    assert files.get("/a", headers={"If-None-Match": tag}).body == b"second"
    (entry,) = files.list("/")
    listing = files.get("/")
    assert files.get("/", headers={"If-None-Match": listing.headers["ETag"]}).status == 304
    files.store("/b", b"")
    assert files.get("/", headers={"If-None-Match": listing.headers["ETag"]}).status == 200


def test_if_match_of_a_read(client, files):
    old = files.store("/a", b"first")["hash"]
    version = client.get("/engine/").headers["ETag"].strip('"')
    assert files.get("/a", headers={"If-Match": f'"{old}"', "Range": "bytes=1-2"}).body == b"ir"
    files.store("/a", b"second")
    # Whoever reads part by part is told that it has become another file.
    for answer in (files.get("/a", headers={"If-Match": f'"{old}"', "Range": "bytes=1-2"}),
                   files.get("/a", headers={"If-Match": f'W/"{old}"'}),
                   files.head("/a", headers={"If-Match": f'"{old}"'}),
                   files.get("/", headers={"If-Match": f'"{old}"'})):
        assert answer.status == 412 and b"first" not in answer.body
    for answer in (files.get("/a", headers={"If-Match": "*"}), files.head("/a", headers={"If-Match": "*"}),
                   files.get("/a", headers={"If-Match": f'"x", "{old}"'}, version=version),
                   client.get(f"/engine/_hash/{old}", headers={"If-Match": f'"{old}"'})):
        assert answer.status == 200
    assert files.get("/none", headers={"If-Match": "*"}).status == 404


def test_changes_on_a_condition(files):
    def put(path, body, **headers):
        return files.client.put(files.url(path), body, headers=headers)

    def delete(path, **headers):
        return files.client.delete(files.url(path), headers=headers)

    assert put("/a", b"none", **{"If-Match": "*"}).status == 412
    assert put("/a", b"none", **{"If-Match": f'"{NO_HASH}"'}).status == 412
    assert files.body("/a") is None
    tags = [f'"{put("/a", b"first", **{"If-None-Match": "*"}).json["hash"]}"']
    answer = put("/a", b"again", **{"If-None-Match": "*"})
    assert answer.status == 412 and tags[0].strip('"') in answer.json["error"]
    assert put("/a", b"again", **{"If-None-Match": f"W/{tags[0]}"}).status == 412
    # Over each other's bytes: the second is told.
    tags.append(f'"{put("/a", b"second", **{"If-Match": tags[0]}).json["hash"]}"')
    assert put("/a", b"third", **{"If-Match": tags[0]}).status == 412
    assert put("/a", noise(3 * CHUNK), **{"If-Match": tags[0]}).status == 412
    assert delete("/a", **{"If-Match": tags[0]}).status == 412
    assert delete("/a", **{"If-None-Match": "*"}).status == 412
    assert files.body("/a") == b"second"
    assert put("/a", noise(3 * CHUNK), **{"If-Match": ", ".join(tags)}).status == 201
    assert put("/a", b"last", **{"If-Match": "*"}).status == 201
    assert delete("/a", **{"If-Match": files.get("/a").headers["ETag"]}).status == 200
    assert delete("/a", **{"If-Match": "*"}).status == 412


def test_one_of_many_wins_a_condition(server, files):
    tag = f'"{files.store("/a", b"before")["hash"]}"'
    answers = []

    def put(body):
        client = Client(server.port)
        answers.append((client.put(files.url("/a"), body, headers={"If-Match": tag}).status, body))
        client.close()

    threads = [threading.Thread(target=put, args=(f"writer {i}".encode(),)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(status for status, _ in answers) == [201] + [412] * 7
    assert [body for status, body in answers if status == 201] == [files.body("/a")]


def test_a_part_is_not_put_over_the_whole(files):
    files.store("/a", b"0123456789")
    answer = files.client.put(files.url("/a"), b"34", headers={"Content-Range": "bytes 3-4/10"})
    assert answer.status == 400 and "Content-Range" in answer.json["error"]
    assert files.body("/a") == b"0123456789"


def test_by_hash(client, files):
    body = noise(CHUNK + 9)
    stored = files.store("/deep/a", body, "text/x-a")
    link = files.link("/deep/link", "/somewhere")
    answer = client.get(f"/engine/_hash/{stored['hash']}")
    assert (answer.status, answer.body == body) == (200, True)
    assert answer.headers["X-Entry-Type"] == "file"
    assert answer.headers["X-Hash"] == stored["hash"]
    assert answer.headers["X-Total-Size"] == str(len(body))
    assert answer.headers["Content-Type"] == "text/x-a"
    assert answer.headers["ETag"] == f'"{stored["hash"]}"'
    for chunk in (body[:CHUNK], body[CHUNK:]):
        answer = client.get(f"/engine/_hash/{chunk_hash(chunk)}")
        assert (answer.status, answer.body == chunk) == (200, True)
        assert answer.headers["X-Entry-Type"] == "chunk"
        assert answer.headers["X-Hash"] == chunk_hash(chunk)
        assert answer.headers["X-Total-Size"] == str(len(chunk))
        assert answer.headers["Content-Type"] == "application/octet-stream"
    entries = {entry["name"]: entry for entry in files.list("/deep")}
    answer = client.get(f"/engine/_hash/{entries['link']['hash']}")
    assert (answer.status, answer.headers["X-Entry-Type"]) == (200, "symlink")
    assert answer.json["target"] == "/somewhere" and link.status == 201
    (deep,) = files.list("/")
    answer = client.get(f"/engine/_hash/{deep['hash']}")
    assert (answer.status, answer.headers["X-Entry-Type"], answer.headers["X-Hash"]) == (200, "directory", deep["hash"])
    assert [entry["name"] for entry in answer.json] == ["a", "link"]
    # One that was replaced is still there by its hash; HEAD and ranges work as on paths.
    files.store("/deep/a", b"new")
    path = f"/engine/_hash/{stored['hash']}"
    assert client.get(path).body == body
    head = client.request("HEAD", path)
    assert (head.status, head.body, head.headers["X-Total-Size"]) == (200, b"", str(len(body)))
    assert client.get(path, headers={"Range": "bytes=3-5"}).body == body[3:6]
    assert client.get(path, headers={"If-None-Match": f'"{stored["hash"]}"'}).status == 304


def test_bad_and_unknown_hashes(client):
    for text in ("zz", "a" * 63, "a" * 65, "g" * 64, "%00" * 64):
        answer = client.get(f"/engine/_hash/{text}")
        assert answer.status == 400 and "error" in answer.json, text
    assert client.get(f"/engine/_hash/{NO_HASH}").status == 404
    # What is read there is a hash, so no file can be put there.
    assert client.put("/engine/_hash/a", b"x").status == 400
    assert client.put("/engine/_hash", b"x").status == 400
    assert client.post("/engine-symlink/_hash/a", {"target": "/a"}).status == 400


def test_a_chunked_put(server, files):
    body = noise(1_300_000)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    pieces = (body[at:at + 70_001] for at in range(0, len(body), 70_001))
    connection.request("PUT", files.url("/a"), body=pieces, encode_chunked=True)
    assert connection.getresponse().status == 201
    connection.close()
    assert files.body("/a") == body


def test_a_put_that_breaks_off_stores_nothing(server, files):
    files.store("/a", b"before")
    for path in ("/a", "/b"):
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
            connection.sendall(f"PUT {files.url(path)} HTTP/1.1\r\nHost: h\r\nContent-Length: 3000000\r\n\r\n".encode())
            connection.sendall(noise(2_000_000))
    assert files.body("/a") == b"before"
    assert files.body("/b") is None
    assert files.names("/") == ["a"]


def test_a_put_that_cannot_be_is_refused_before_its_body(server, files):
    files.store("/a/file", b"x")
    limit = 10 * (1 << 30)
    for path, length, status, condition in [
            ("/a", 1_000_000, b"409", ""), ("/a/file/b", 1_000_000, b"409", ""), ("/%2e%2e", 1_000_000, b"400", ""),
            ("/large", limit + 1, b"413", ""), ("/a/file", 1_000_000, b"412", "If-None-Match: *\r\n")]:
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
            url = "/engine" + quoted(files.root) + path
            connection.sendall(f"PUT {url} HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n{condition}"
                               f"Content-Length: {length}\r\n\r\n".encode())
            assert connection.recv(100).startswith(b"HTTP/1.1 " + status), path


def test_a_reader_keeps_the_file_that_is_replaced(server, files):
    old = noise(6_000_000)
    files.store("/a", old)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("GET", files.url("/a"))
    response = connection.getresponse()
    begun = response.read(100_000)
    files.store("/a", b"new")
    assert files.delete("/a").status == 200
    assert begun + response.read() == old
    connection.close()


def test_methods_and_requests_without_a_route(client, files):
    answer = client.post(files.url("/a"), b"x")
    assert answer.status == 405 and set(answer.headers["Allow"].split(", ")) >= {"GET", "HEAD", "PUT", "DELETE"}
    assert client.get(files.url("/a", "/engine-symlink")).status == 405
    assert client.get("/engines/a").status == 404
