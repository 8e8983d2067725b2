"""Large objects: PUT, GET, HEAD, DELETE of /api/v1/{namespace}/lob, ranges, conditions, limits."""

import http.client
import os
import socket
import threading
import urllib.parse
import zlib

import pytest

from process_memory import Watch
from strata_server import Server

CHUNK = 98_304


def path_of(base, key):
    return f"{base}/lob/{urllib.parse.quote(key, safe='')}"


def put(client, base, key, body, **headers):
    answer = client.put(path_of(base, key), bytes(body), headers=headers)
    assert answer.status == 200, answer
    return answer


def noise(size, seed=1):
    block = bytes((i * seed + (i >> 8) * 31 + (i >> 16)) & 0xFF for i in range(65_537))
    return (block * (size // len(block) + 1))[:size]


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 5 * CHUNK, 5 * CHUNK + 1, 3_000_000])
def test_every_size_comes_back(client, base, size):
    body = noise(size)
    answer = put(client, base, "object", body)
    assert answer.json == {"success": True, "size": size, "checksum": zlib.crc32(body),
                           "version": answer.headers["X-Version"]}
    assert answer.headers["ETag"] == f'"{answer.headers["X-Version"]}"'
    for path in [path_of(base, "object"), f"{base}/lob?key=object"]:
        got = client.get(path)
        assert (got.status, got.body) == (200, body)
        assert got.headers["Content-Length"] == str(size)
        assert got.headers["Content-Type"] == "application/octet-stream"
        assert got.headers["Accept-Ranges"] == "bytes"
        assert got.headers["X-Checksum"] == str(zlib.crc32(body))
        assert got.headers["ETag"] == answer.headers["ETag"]
        head = client.request("HEAD", path)
        assert (head.status, head.body) == (200, b"")
        assert head.headers["Content-Length"] == str(size)
        assert head.headers["ETag"] == answer.headers["ETag"]


def test_absent_deleted_and_unknown(client, base):
    for path in [f"{base}/lob/none", f"{base}/lob?key=none"]:
        answer = client.get(path)
        assert (answer.status, answer.json) == (404, {"error": "object not found: none"})
        assert client.delete(path).json == {"success": True}
    put(client, base, "a", b"1")
    put(client, base, "b", b"2")
    assert client.delete(f"{base}/lob?key=a").status == 200
    assert client.delete(f"{base}/lob/b").status == 200
    assert client.get(f"{base}/lob/a").status == 404
    assert client.get(f"{base}/lob/b").status == 404
    missing = {"error": "namespace not found: missing-one"}
    for method, path in [("GET", "/lob/a"), ("GET", "/lob?key=a"), ("GET", "/lob"), ("PUT", "/lob/a"),
                         ("DELETE", "/lob/a"), ("DELETE", "/lob?key=a"), ("GET", "/lob/a?object=zz")]:
        answer = client.request(method, f"/api/v1/missing-one{path}", body=b"x" if method == "PUT" else None)
        assert (answer.status, answer.json) == (404, missing), (method, path)


def test_keys(client, base):
    for key in ["files:a b/c+d%.bin", "ключ", "k" * 8_192]:
        put(client, base, key, key.encode())
        assert client.get(path_of(base, key)).body == key.encode()
        if len(key) < 100:
            assert client.get(f"{base}/lob?key={urllib.parse.quote_plus(key)}").body == key.encode()
    assert client.put(f"{base}/lob/%00%FF%2F", b"raw").status == 200
    assert client.get(f"{base}/lob?key=%00%FF%2F").body == b"raw"
    for method in ["GET", "PUT", "DELETE"]:
        answer = client.request(method, f"{base}/lob/{'k' * 8_193}", body=b"x" if method == "PUT" else None)
        assert answer.status == 400, (method, answer)
    for method, path in [("GET", "/lob"), ("DELETE", "/lob"), ("GET", "/lob?name=a")]:
        answer = client.request(method, base + path)
        assert (answer.status, answer.json) == (400, {"error": "key is required: ?key="})
    assert client.get(f"{base}/lob?key=").status == 400
    assert client.post(f"{base}/lob/a", b"x").status == 405


def test_objects_values_and_rows_do_not_meet(client, base):
    put(client, base, "key", b"object")
    assert client.get(f"{base}/kv/key").status == 404
    assert client.put(f"{base}/kv/key", {"value": "eA=="}).status == 200
    assert client.delete(f"{base}/kv/key").status == 200
    assert client.get(f"{base}/lob/key").body == b"object"


def test_ranges(client, base):
    body = noise(3 * CHUNK + 7)
    size = len(body)
    put(client, base, "object", body)

    def ranged(text, **headers):
        return client.get(f"{base}/lob/object", headers={"Range": text, **headers})

    cases = {"bytes=0-0": (0, 1), "bytes=5-": (5, size), "bytes=-5": (size - 5, size), f"bytes=-{size + 9}": (0, size),
             f"bytes={CHUNK - 1}-{CHUNK}": (CHUNK - 1, CHUNK + 1), f"bytes={CHUNK}-{2 * CHUNK - 1}": (CHUNK, 2 * CHUNK),
             f"bytes={size - 1}-": (size - 1, size), f"bytes=0-{size}": (0, size),
             "bytes=0-99999999999999999999": (0, size)}
    for text, (begin, end) in cases.items():
        answer = ranged(text)
        assert answer.status == 206, text
        assert answer.body == body[begin:end], text
        assert answer.headers["Content-Range"] == f"bytes {begin}-{end - 1}/{size}"
        assert answer.headers["Content-Length"] == str(end - begin)
        assert answer.headers["X-Checksum"] == str(zlib.crc32(body))
    for text in [f"bytes={size}-", f"bytes={size}-{size + 5}", "bytes=-0"]:
        answer = ranged(text)
        assert answer.status == 416, text
        assert answer.headers["Content-Range"] == f"bytes */{size}"
        assert "error" in answer.json
    for text in ["bytes=5-2", "bytes=a-b", "items=0-1", "bytes=0-1,5-6", "bytes"]:
        answer = ranged(text)
        assert (answer.status, answer.body) == (200, body), text
    tag = ranged("bytes=0-0").headers["ETag"]
    assert ranged("bytes=1-2", **{"If-Range": tag}).status == 206
    assert ranged("bytes=1-2", **{"If-Range": '"other"'}).status == 200
    head = client.request("HEAD", f"{base}/lob/object", headers={"Range": "bytes=1-2"})
    assert (head.status, head.headers["Content-Length"]) == (206, "2")
    put(client, base, "empty", b"")
    assert client.get(f"{base}/lob/empty", headers={"Range": "bytes=0-"}).status == 416
    assert client.get(f"{base}/lob/empty", headers={"Range": "bytes=-5"}).status == 200


def test_conditions(client, base):
    path = f"{base}/lob/object"
    assert client.put(path, b"x", headers={"If-Match": "*"}).status == 412
    first = put(client, base, "object", b"first", **{"If-None-Match": "*"}).headers["ETag"]
    assert client.put(path, b"x", headers={"If-None-Match": "*"}).status == 412
    assert client.put(path, b"x", headers={"If-Match": '"00000000000000000000"'}).status == 412
    second = put(client, base, "object", b"second", **{"If-Match": first}).headers["ETag"]
    assert second != first
    assert client.put(path, b"x", headers={"If-Match": first}).status == 412
    assert client.delete(path, headers={"If-Match": first}).status == 412
    assert client.get(path, headers={"If-Match": first}).status == 412
    assert client.get(path, headers={"If-Match": second}).body == b"second"
    fresh = client.get(path, headers={"If-None-Match": second})
    assert (fresh.status, fresh.body, fresh.headers["ETag"]) == (304, b"", second)
    assert client.get(path, headers={"If-None-Match": f'"a", W/{second}'}).status == 304
    assert client.get(path, headers={"If-None-Match": first}).body == b"second"
    assert client.delete(path, headers={"If-Match": second}).status == 200
    assert client.get(path).status == 404


def test_a_refused_put_asks_for_no_body(server, base, client):
    put(client, base, "object", b"x")
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(f"PUT {base}/lob/object HTTP/1.1\r\nHost: h\r\nIf-None-Match: *\r\nExpect: 100-continue\r\n"
                           "Content-Length: 1000000\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 412")


def test_a_put_that_breaks_off_stores_nothing(server, base, client):
    put(client, base, "object", b"before")
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(f"PUT {base}/lob/object HTTP/1.1\r\nHost: h\r\nContent-Length: 3000000\r\n\r\n".encode())
        connection.sendall(noise(2_000_000))
    assert client.get(f"{base}/lob/object").body == b"before"


def test_a_chunked_put(server, base, client):
    body = noise(1_300_000)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    pieces = (body[at:at + 70_001] for at in range(0, len(body), 70_001))
    connection.request("PUT", f"{base}/lob/object", body=pieces, encode_chunked=True)
    assert connection.getresponse().status == 200
    connection.close()
    assert client.get(f"{base}/lob/object").body == body


def test_the_limit_of_one_object():
    with Server("--max-object-bytes", "1000000") as server:
        client = server.client()
        assert client.put("/api/v1/default/lob/a", noise(1_000_000)).status == 200
        answer = client.put("/api/v1/default/lob/a", noise(1_000_001))
        assert answer.status == 413 and "1000000" in answer.json["error"]
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        connection.request("PUT", "/api/v1/default/lob/b", body=iter([noise(600_000)] * 2), encode_chunked=True)
        assert connection.getresponse().status == 413
        connection.close()
        assert client.get("/api/v1/default/lob/a").headers["Content-Length"] == "1000000"
        assert client.get("/api/v1/default/lob/b").status == 404


def test_a_reader_keeps_the_object_that_is_replaced(server, base, client):
    old, new = noise(12_000_000), noise(5_000_000, 7)
    put(client, base, "object", old)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("GET", f"{base}/lob/object")
    response = connection.getresponse()
    begun = response.read(100_000)
    put(client, base, "object", new)
    assert client.get(f"{base}/lob/object").body == new
    assert client.delete(f"{base}/lob/object").status == 200
    assert begun + response.read() == old
    connection.close()


def test_concurrent_puts_of_one_key_leave_one_whole(server, base, client):
    bodies = [noise(700_000, seed) for seed in (3, 5, 7, 11)]

    def worker(body):
        own = server.client()
        for _ in range(5):
            assert own.put(f"{base}/lob/object", body).status == 200
        own.close()

    threads = [threading.Thread(target=worker, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        answer = client.get(f"{base}/lob/object")
        assert answer.status == 404 or answer.body in bodies
    for thread in threads:
        thread.join()
    answer = client.get(f"{base}/lob/object")
    assert answer.body in bodies
    assert answer.headers["X-Checksum"] == str(zlib.crc32(answer.body))


def test_by_id(client, base):
    put(client, base, "object", b"x")
    assert client.get(f"{base}/lob/object?object=zz").status == 400
    assert client.get(f"{base}/lob/object?object={'A' * 32}").status == 400
    assert client.get(f"{base}/lob/object?object={'0' * 32}").status == 410


def test_async_durability_says_so_and_objects_survive_a_restart():
    body = noise(2_500_000)
    for mode, header in [("async", "async"), ("sync", None)]:
        with Server("--durability", mode) as server:
            client = server.client()
            answer = client.put("/api/v1/default/lob/kept", body)
            assert answer.headers["X-Durability"] == header
            assert client.get("/api/v1/default/lob/kept").headers["X-Durability"] == header
            server.restart()
            client = server.client()
            assert client.get("/api/v1/default/lob/kept").body == body
            server.stop()


def test_memory_does_not_grow_with_the_object():
    """From a fresh start, with the default options."""
    megabytes = 3_000 if os.environ.get("STRATA_TEST_LONG") else 300
    piece = noise(1_048_576)
    checksum = 0
    for _ in range(megabytes):
        checksum = zlib.crc32(piece, checksum)
    with Server() as server:
        client = server.client()

        def download(key):
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
            connection.request("GET", f"/api/v1/default/lob/{key}")
            response = connection.getresponse()
            found = 0
            while data := response.read(1 << 20):
                found = zlib.crc32(data, found)
            connection.close()
            assert found == checksum

        with Watch(server.process.pid) as watch:
            begun = client.post("/api/v1/default/tx/begin", {"operation": "put", "entryType": "lob"})
            path = f"/api/v1/default/tx/{begun.json['txnId']}"
            for _ in range(megabytes):
                assert client.post(f"{path}/lob?key=pieces", piece).status == 200
            answer = client.post(f"{path}/commit")
            assert answer.json["checksum"] == checksum
            download("pieces")
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
            connection.request("PUT", "/api/v1/default/lob/whole", body=(piece for _ in range(megabytes)),
                               headers={"Content-Length": str(megabytes << 20)})
            assert connection.getresponse().status == 200
            connection.close()
            download("whole")
        print(f"{megabytes} MB up and down twice: grew by {watch.growth >> 20} MiB")
        assert watch.growth <= 64 << 20, f"{watch.growth >> 20} MiB"
