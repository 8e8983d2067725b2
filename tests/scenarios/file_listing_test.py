"""Listings of directories: their fields, depth, glob, pages, and large ones."""

import http.client
import json
import threading

import pytest

from file_help import Files, commit_files, send_chunk
from strata_server import Server

FIELDS = ["path", "name", "entry_type", "hash", "total_size", "created_at", "updated_at", "content_type"]


def test_fields(files):
    stored = files.store("/data/report.pdf", b"%PDF", "application/pdf")
    files.store("/data/images/a.png", b"png", "image/png")
    link = files.link("/data/latest", "/data/report.pdf").json
    images, latest, report = files.list("/data/")
    assert list(report) == list(images) == FIELDS
    assert set(latest) == set(FIELDS) | {"target"}
    root = files.root
    assert report == {**stored, "name": "report.pdf", "entry_type": 2}
    assert (images["path"], images["name"], images["entry_type"]) == (root + "/data/images", "images", 3)
    assert (images["total_size"], images["content_type"]) == (0, None)
    assert images["created_at"] <= images["updated_at"]
    assert (latest["path"], latest["entry_type"], latest["target"]) == (root + "/data/latest", 8, "/data/report.pdf")
    assert (latest["total_size"], latest["content_type"]) == (0, None)
    assert (latest["created_at"], latest["updated_at"]) == (link["created_at"], link["updated_at"])
    assert files.list("/data") == [images, latest, report]
    answer = files.get("/data")
    assert answer.headers["X-Path"] == root + "/data" and answer.headers["X-Entry-Type"] == "directory"


def test_sorted_by_the_bytes_of_the_names(files):
    names = ["b", "a", "B", "a.b", "a-b", "aa", "é", "文", "10", "9", "_"]
    for name in names:
        files.store("/" + name, b"")
    assert files.names("/") == sorted(names, key=str.encode)


def test_a_change_below_is_a_change_of_every_directory_above(files):
    files.store("/a/b/one", b"1")
    (before,) = files.list("/")
    stored = files.store("/a/b/two", b"2")
    (after,) = files.list("/")
    assert after["hash"] != before["hash"]
    assert after["created_at"] == before["created_at"]
    assert after["updated_at"] == stored["updated_at"] >= before["updated_at"]


@pytest.fixture
def tree(files):
    for path in ("/a.psd", "/b.txt", "/docs/c.psd", "/docs/deep/d.psd", "/docs/deep/er/e.txt", "/docs/[x].psd"):
        files.store(path, path.encode())
    assert files.link("/docs/link.psd", files.root + "/a.psd").status == 201
    assert files.link("/docs/deep/up", files.root + "/docs").status == 201
    return files


def test_depth(tree):
    assert tree.names("/") == ["a.psd", "b.txt", "docs"]
    assert tree.names("/", depth=0) == ["a.psd", "b.txt", "docs"]
    assert tree.paths("/", depth=1) == ["/a.psd", "/b.txt", "/docs/[x].psd", "/docs/c.psd", "/docs/link.psd"]
    two = ["/a.psd", "/b.txt", "/docs/[x].psd", "/docs/c.psd", "/docs/deep/d.psd", "/docs/deep/up", "/docs/link.psd"]
    assert tree.paths("/", depth=2) == two
    everything = sorted([*two, "/docs/deep/er/e.txt"])
    # Links are listed, not followed.
    assert tree.paths("/", depth=-1) == everything
    assert tree.paths("/", depth=100) == everything
    assert {entry["entry_type"] for entry in tree.list("/", depth=-1)} == {2, 8}
    for text in ("x", "-2", "1.5", "", "99999999999999999999"):
        answer = tree.get("/", depth=text)
        assert answer.status == 400 and "depth" in answer.json["error"], text


def test_glob(tree):
    def found(glob, depth=-1):
        return tree.paths("/", depth=depth, glob=glob)

    assert found("*.psd") == ["/a.psd", "/docs/[x].psd", "/docs/c.psd", "/docs/deep/d.psd", "/docs/link.psd"]
    assert found("*.psd", depth=0) == ["/a.psd"]
    assert found("?.psd") == ["/a.psd", "/docs/c.psd", "/docs/deep/d.psd"]
    assert found("[a-c].psd") == ["/a.psd", "/docs/c.psd"]
    assert found("[!a-c].*") == ["/docs/deep/d.psd", "/docs/deep/er/e.txt"]
    assert found("[[]x].psd") == ["/docs/[x].psd"]
    assert found("nothing") == []
    assert found("*") == tree.paths("/", depth=-1)
    assert found("docs", depth=0) == ["/docs"]
    # One with a slash is for the whole path from here.
    assert found("docs/*.psd") == ["/docs/[x].psd", "/docs/c.psd", "/docs/link.psd"]
    assert found("docs/*/*") == ["/docs/deep/d.psd", "/docs/deep/up"]
    assert found("docs/**") == [path for path in tree.paths("/", depth=-1) if path.startswith("/docs/")]
    assert tree.paths("/docs", depth=-1, glob="deep/?.psd") == ["/docs/deep/d.psd"]
    assert tree.get("/", glob="*" * 5_000).status == 400


def test_limit_and_after(files):
    names = [f"n{i:03}" for i in range(300)]
    assert send_chunk(files.client, b"x").status in (200, 201)
    assert commit_files(files.client, *((f"{files.root}/{name}", [b"x"]) for name in names)).status == 200
    assert files.names("/", limit=10) == names[:10]
    assert files.names("/", after="n009", limit=3) == names[10:13]
    assert files.names("/", after="n0095", limit=1) == ["n010"]
    assert files.names("/", after="n299") == []
    assert files.names("/", limit=0) == names
    found = []
    while page := files.names("/", limit=37, **({"after": found[-1]} if found else {})):
        found += page
    assert found == names
    assert files.names("/", glob="*7", limit=5) == ["n007", "n017", "n027", "n037", "n047"]
    for text in ("x", "-1", ""):
        answer = files.get("/", limit=text)
        assert answer.status == 400 and "limit" in answer.json["error"], text


def test_pages_of_a_flat_list(tree):
    everything = tree.paths("/", depth=-1)
    found = []
    while page := tree.paths("/", depth=-1, limit=2, **({"after": found[-1].removeprefix("/")} if found else {})):
        assert len(page) <= 2
        found += page
    assert found == everything


def test_lists_of_files_that_are_none(files):
    files.store("/file", b"[]")
    assert files.get("/file", depth=1, glob="*").body == b"[]"
    assert files.get("/absent/").status == 404


@pytest.mark.parametrize("count", [255, 256, 257, 1_000])
def test_directories_that_become_trees(files, count):
    """From 256 entries on a directory is a tree; below it is flat again."""
    names = sorted(f"{(i * 7919) % 100_003:x}" for i in range(count))
    assert send_chunk(files.client, b"y").status in (200, 201)
    for begin in range(0, count, 250):
        batch = [(f"{files.root}/d/{name}", [b"y"]) for name in names[begin:begin + 250]]
        assert commit_files(files.client, *batch).json["committed"] == len(batch)
    assert files.names("/d") == names
    for name in names[::5]:
        assert files.delete("/d/" + name).status == 200
    rest = [name for at, name in enumerate(names) if at % 5]
    assert files.names("/d") == rest
    assert files.body("/d/" + rest[-1]) == b"y"
    # The same entries are the same bytes whatever the way to them was: hashes tell.
    assert len({entry["hash"] for entry in files.list("/d")}) == len(rest)


def test_many_clients_fill_one_directory():
    """All are listed, all are whole."""
    with Server() as server:
        fill_one_directory(server, Files(server.client()))
        assert server.stop() == 0, server.log()


def fill_one_directory(server, files):
    clients, each = 16, 313
    failures = []

    def work(number):
        try:
            client = server.client()
            for at in range(each):
                name = f"{number:02}-{at:04}"
                answer = client.put(files.url(f"/d/{name}"), name.encode() * (at % 50))
                assert answer.status == 201, answer
            client.close()
        except Exception as error:  # whatever it is, the test says it
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    expected = sorted(f"{number:02}-{at:04}" for number in range(clients) for at in range(each))
    entries = files.list("/d")
    assert [entry["name"] for entry in entries] == expected
    for entry in entries:
        assert entry["total_size"] == 7 * (int(entry["name"][3:]) % 50)
    for name in expected[::9]:
        assert files.body(f"/d/{name}") == name.encode() * (int(name[3:]) % 50)


def test_a_listing_streams():
    """Tens of thousands of entries come piece by piece; a client that leaves does no harm."""
    with Server(engine="memory") as server:
        client = server.client()
        assert send_chunk(client, b"z").status == 201
        count, batch = 20_000, 5_000
        for begin in range(0, count, batch):
            answer = commit_files(client, *((f"/many/{i:06}", [b"z"]) for i in range(begin, begin + batch)))
            assert answer.json["committed"] == batch, answer
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        connection.request("GET", "/engine/many")
        response = connection.getresponse()
        assert response.getheader("Content-Length") is None
        response.read(1_000)
        connection.close()
        answer = client.get("/engine/many")
        assert [entry["name"] for entry in json.loads(answer.body)] == [f"{i:06}" for i in range(count)]
        assert [entry["name"] for entry in client.get("/engine/many?after=019990&limit=5").json] == [
            f"{i:06}" for i in range(19_991, 19_996)]
        assert len(client.get("/engine/?depth=-1").json) == count
        assert server.stop() == 0, server.log()
