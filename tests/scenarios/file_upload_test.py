"""The upload protocol in four phases, and commits of many files."""

import threading

import pytest

from file_help import CHUNK, NO_HASH, chunk_hash, commit_files, file_hash, noise, send_chunk, unique


def fresh(size, what=None):
    """Bytes that no other test has."""
    return (unique(what or "chunk").encode() + noise(size))[:size]


def test_config(client):
    answer = client.get("/upload/config")
    assert (answer.status, answer.json) == (
        200, {"hash_algorithm": "blake3", "chunk_size": CHUNK, "chunk_hash_prefix": "chunk:"})


def test_the_whole_way(client, files):
    body = fresh(CHUNK + 1_000)
    chunks = [body[:CHUNK], body[CHUNK:]]
    hashes = [chunk_hash(chunk) for chunk in chunks]
    assert client.post("/upload/check", {"hashes": hashes}).json == {"have": [], "needed": hashes}
    for chunk, digest in zip(chunks, hashes):
        answer = client.put(f"/upload/chunks/{digest}", chunk)
        assert (answer.status, answer.json) == (201, {"status": "created", "hash": digest})
        answer = client.put(f"/upload/chunks/{digest}", chunk)
        assert (answer.status, answer.json) == (200, {"status": "exists", "hash": digest})
    other = NO_HASH
    assert client.post("/upload/check", {"hashes": [other, *hashes]}).json == {"have": hashes, "needed": [other]}
    assert client.post("/upload/check", {"hashes": []}).json == {"have": [], "needed": []}
    path = files.root + "/report.pdf"
    answer = client.post("/upload/commit", {"files": [{"path": path, "content_type": "application/pdf", "chunk_hashes": hashes}]})
    assert (answer.status, answer.json) == (200, {"committed": 1, "files": [{"path": path, "size": len(body)}]})
    got = files.get("/report.pdf")
    assert (got.body == body, got.headers["Content-Type"]) == (True, "application/pdf")
    stamp = int(got.headers["X-Created-At"])
    assert got.headers["ETag"].strip('"') == file_hash(path, "application/pdf", stamp, stamp, chunks)
    # What a PUT has stored need not be sent again.
    body = fresh(3_000, "put")
    files.store("/put", body)
    assert client.post("/upload/check", {"hashes": [chunk_hash(body)]}).json["needed"] == []


def test_the_other_name_of_the_field(client, files):
    data = fresh(10)
    assert send_chunk(client, data).status == 201
    answer = client.post("/upload/commit", {"files": [{"path": files.root + "/a", "chunks": [chunk_hash(data)] * 3}]})
    assert answer.json == {"committed": 1, "files": [{"path": files.root + "/a", "size": 30}]}
    assert files.body("/a") == data * 3


def test_the_type_is_detected_where_none_is_sent(client, files):
    data = b"%PDF-1.4\n" + fresh(10)
    assert send_chunk(client, data).status == 201
    assert commit_files(client, (files.root + "/a", [data])).status == 200
    assert files.get("/a").headers["Content-Type"] == "application/pdf"


def test_files_without_bytes(client, files):
    answer = client.post("/upload/commit", {"files": [{"path": files.root + "/empty", "chunk_hashes": []}]})
    assert answer.json["files"] == [{"path": files.root + "/empty", "size": 0}]
    assert files.body("/empty") == b""
    empty = chunk_hash(b"")
    assert client.put(f"/upload/chunks/{empty}", b"").status in (200, 201)


def test_empty_chunks_are_no_part_of_a_file(client, files):
    data = fresh(700)
    for chunk in (b"", data):
        assert send_chunk(client, chunk).status in (200, 201)
    assert commit_files(client, (files.root + "/none", [b"", b""]), (files.root + "/one", [b"", data, b""])).status == 200
    for name, body in (("/none", b""), ("/one", data)):
        found = files.get(name)
        assert found.body == body
        # The record as any other way of writing the file makes it, which every import takes.
        times = int(found.headers["X-Created-At"]), int(found.headers["X-Updated-At"])
        assert found.headers["ETag"] == f'"{file_hash(files.root + name, found.headers["Content-Type"], *times, [body] if body else [])}"'


def test_sizes_of_chunks(client, files):
    for size in (1, 300, 499, 500, 96_000, CHUNK):
        data = noise(size, 11)
        assert send_chunk(client, data).status in (200, 201), size
        assert client.get(f"/engine/_hash/{chunk_hash(data)}").body == data
    answer = client.put(f"/upload/chunks/{NO_HASH}", bytes(CHUNK + 1))
    assert answer.status == 400 and str(CHUNK) in answer.json["error"]


def test_chunks_that_are_refused(client):
    data = fresh(100)
    right = chunk_hash(data)
    for name, status in ((NO_HASH, 400), ("zz", 400), (right[:-1], 400), (right + "0", 400), ("%00", 400)):
        answer = client.put(f"/upload/chunks/{name}", data)
        assert answer.status == status and answer.json["error"], name
    # Capitals are hex as well.
    assert client.put(f"/upload/chunks/{right.upper()}", data).json == {"status": "created", "hash": right}


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"{", b'{"hashes":"x"}', b'{"hashes":[1]}', b'{"hashes":["zz"]}',
                                  b'{"hashes":[""]}', b'{"hashes":null}'])
def test_checks_that_are_refused(client, body):
    answer = client.post("/upload/check", body)
    assert answer.status == 400 and answer.json["error"], answer


@pytest.mark.parametrize("file", [
    {}, {"chunk_hashes": []}, {"path": 1, "chunk_hashes": []}, {"path": "/a"}, {"path": "/a", "chunk_hashes": "x"},
    {"path": "/a", "chunk_hashes": [1]}, {"path": "/a", "chunk_hashes": ["zz"]}, {"path": "/a/../b", "chunk_hashes": []},
    {"path": "", "chunk_hashes": []}, {"path": "/", "chunk_hashes": []}, {"path": "/a", "chunk_hashes": [], "content_type": 1},
    {"path": "/a", "chunk_hashes": [], "chunks": []}, {"path": "/a\u0000", "chunk_hashes": []},
    {"path": "/a", "chunk_hashes": [], "content_type": "a\r\nb"}, {"path": "/_hash/a", "chunk_hashes": []}])
def test_commits_that_are_refused(client, files, file):
    good = {"path": files.root + "/good", "chunk_hashes": []}
    answer = client.post("/upload/commit", {"files": [good, file]})
    assert answer.status == 400 and answer.json["error"], answer
    assert files.get("/good").status == 404


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"{", b'{"files":{}}', b'{"files":null}', b'{"files":[1]}'])
def test_bodies_of_commits_that_are_refused(client, body):
    answer = client.post("/upload/commit", body)
    assert answer.status == 400 and answer.json["error"], answer


def test_a_missing_chunk_is_named_and_nothing_is_committed(client, files):
    data = fresh(100)
    assert send_chunk(client, data).status == 201
    missing = chunk_hash(fresh(100, "missing"))
    answer = client.post("/upload/commit", {"files": [
        {"path": files.root + "/a", "chunk_hashes": [chunk_hash(data)]},
        {"path": files.root + "/b", "chunk_hashes": [chunk_hash(data), missing]}]})
    assert answer.status == 400 and missing in answer.json["error"]
    assert files.get("/").status == 404


def test_a_conflict_within_a_commit(client, files):
    files.store("/file", b"x")
    data = fresh(100)
    assert send_chunk(client, data).status == 201
    answer = commit_files(client, (files.root + "/a", [data]), (files.root + "/file/below", [data]))
    assert answer.status == 409 and answer.json["error"]
    assert files.names("/") == ["file"]


def test_one_path_twice_is_refused_or_the_last_wins(client, files):
    first, second = fresh(100, "first"), fresh(100, "second")
    for data in (first, second):
        assert send_chunk(client, data).status == 201
    answer = commit_files(client, (files.root + "/a", [first]), (files.root + "/a", [second]))
    assert answer.json["committed"] == 2
    assert files.body("/a") == second


def test_a_commit_on_a_fork(client, files):
    files.store("/a", b"x")
    fork = files.make_fork()
    data = fresh(100)
    assert send_chunk(client, data).status == 201
    answer = client.post(f"/upload/commit?fork={fork.fork}", {"files": [{"path": files.root + "/b", "chunk_hashes": [chunk_hash(data)]}]})
    assert answer.status == 200
    assert (fork.names("/"), files.names("/")) == (["a", "b"], ["a"])
    assert client.post(f"/upload/commit?fork={unique('absent')}", {
        "files": [{"path": files.root + "/b", "chunk_hashes": []}]}).status == 404


def test_a_large_commit_is_one_version(client, files):
    data = fresh(100)
    assert send_chunk(client, data).status == 201
    names = [f"{i:04}" for i in range(1_500)]
    seen = set()
    done = threading.Event()

    def watch():
        while not done.is_set():
            answer = files.get("/many", limit=5_000)
            seen.add(len(answer.json) if answer.status == 200 else 0)

    watcher = threading.Thread(target=watch)
    # The fixture's connection is the watcher's meanwhile.
    other = type(client)(client._connection.port)
    watcher.start()
    answer = commit_files(other, *((f"{files.root}/many/{name}", [data]) for name in names))
    done.set()
    watcher.join()
    other.close()
    assert answer.json["committed"] == len(names)
    assert len(answer.json["files"]) == len(names)
    assert seen <= {0, len(names)}
    assert files.names("/many") == names


def test_limits_of_bodies(client):
    assert client.post("/upload/check", b'{"hashes":[],"x":"' + b"x" * (1 << 20) + b'"}').status == 413
    assert client.post("/upload/commit", b'{"files":[],"x":"' + b"x" * (1 << 20) + b'"}').status == 413
    hashes = [f"{i:064x}" for i in range(15_000)]
    assert client.post("/upload/check", {"hashes": hashes}).json == {"have": [], "needed": hashes}


def test_directories_of_a_commit_are_limited(client, files):
    chain = "/d" * 250

    def commit(count):
        return client.post("/upload/commit", {"files": [
            {"path": f"{files.root}/{i}{chain}/name", "chunk_hashes": []} for i in range(count)]})

    # A body of 1 MiB has room for half a million; they would hold up every other write for a long time.
    answer = commit(120)
    assert answer.status == 400 and "30000 directories" in answer.json["error"]
    assert files.get("/").status == 404
    # One that many share counts once.
    shared = [{"path": f"{files.root}{chain}/{name}", "chunk_hashes": []} for name in range(200)]
    assert client.post("/upload/commit", {"files": shared}).json["committed"] == 200
    assert commit(4).json["committed"] == 4
