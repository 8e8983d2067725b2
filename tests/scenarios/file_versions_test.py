"""Versions: snapshots, forks, restore, promote, reads at a version, the history of a file, its restoration."""

import re
import threading
import time

import pytest

from file_help import CHUNK, NO_HASH, Files, commit_files, noise, quoted, send_chunk, unique

BAD_NAMES = ["", "n" * 256, "a\u0000b", "HEAD", "a/b"]


def names_of(answer):
    assert answer.status == 200, answer
    return [entry["name"] for entry in answer.json]


def test_a_snapshot(client, files):
    files.store("/a", b"1")
    name = unique("snapshot")
    before_ms = time.time_ns() // 1_000_000
    answer = client.post("/version/snapshot", {"name": name, "metadata": {"description": "First", "author": "alice"}})
    assert answer.status == 201
    made = answer.json
    assert list(made) == ["name", "root_hash", "created_at", "metadata"]
    assert (made["name"], made["metadata"]) == (name, {"description": "First", "author": "alice"})
    assert re.fullmatch("[0-9a-f]{64}", made["root_hash"])
    assert before_ms <= made["created_at"]
    assert client.request("HEAD", "/engine/").headers["ETag"] == f'"{made["root_hash"]}"'
    assert made in client.get("/version/snapshots").json
    again = client.post("/version/snapshot", {"name": name})
    assert again.status == 409 and name in again.json["error"]
    assert client.delete(f"/version/snapshot/{name}").json == {"deleted": True, "name": name}
    assert name not in names_of(client.get("/version/snapshots"))
    gone = client.delete(f"/version/snapshot/{name}")
    assert gone.status == 404 and name in gone.json["error"]
    assert files.get("/a", snapshot=name).status == 404


def test_snapshots_come_oldest_first(client, files):
    files.store("/a", b"1")
    # Against the order of their names.
    made = [files.snapshot(unique(prefix))["name"] for prefix in ("c", "b", "a")]
    assert [name for name in names_of(client.get("/version/snapshots")) if name in made] == made
    times = [entry["created_at"] for entry in client.get("/version/snapshots").json]
    assert times == sorted(times)


@pytest.mark.parametrize("metadata", [{}, {"deep": {"list": [1, 2.5, None, True, "ж\n\""]}, "n": 12345678901234567890}])
def test_metadata_is_any_object(client, files, metadata):
    made = files.snapshot(metadata=metadata)
    assert made["metadata"] == metadata
    (listed,) = [entry for entry in client.get("/version/snapshots").json if entry["name"] == made["name"]]
    assert listed == made


def test_names_of_snapshots_and_forks(client, files):
    for name in ("v1.0 äö%?#", "n" * 255, "ж" * 100):
        for door, path in (("/version/snapshot", "snapshot"), ("/version/fork", "fork")):
            assert client.post(door, {"name": name}).status == 201, name
            files.store("/a", name.encode())
            query = {path: name}
            assert files.get("/", **query).status in (200, 404)
            assert client.delete(f"/version/{path}/{quoted(name)}").status == 200, name
    for name in BAD_NAMES:
        for door in ("/version/snapshot", "/version/fork"):
            answer = client.post(door, {"name": name})
            assert answer.status == 400 and answer.json["error"], (door, name)


@pytest.mark.parametrize("path", ["/version/snapshot", "/version/restore", "/version/fork", "/admin/snapshots"])
@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"{", b'{"name":1}', b'{"name":null}', b'{"name":"a","name":"b"}',
                                  b'{"name":"\xff"}', b'{"name":"a"} x'])
def test_bodies_that_are_refused(client, path, body):
    answer = client.post(path, body)
    assert answer.status == 400 and answer.json["error"], answer


@pytest.mark.parametrize("metadata", [b"1", b'"x"', b"[]", b'{"a":}', b'{"a":"' + b"x" * 70_000 + b'"}'])
def test_metadata_that_is_refused(client, metadata):
    answer = client.post("/version/snapshot", b'{"name":"refused","metadata":' + metadata + b"}")
    assert answer.status == 400, answer
    assert "refused" not in names_of(client.get("/version/snapshots"))


def test_the_other_door_for_snapshots(client, files):
    name = unique("daily")
    answer = client.post("/admin/snapshots", {"name": name})
    assert answer.status == 201 and answer.json["metadata"] == {}
    assert answer.json in client.get("/version/snapshots").json


def test_restore(client, files):
    files.store("/a", b"first")
    files.store("/gone-later", b"x")
    name = files.snapshot()["name"]
    files.store("/a", b"second")
    files.store("/new", b"y")
    files.delete("/gone-later")
    answer = files.restore(name)
    assert (answer.status, answer.json) == (200, {"restored": True, "name": name})
    assert files.names("/") == ["a", "gone-later"]
    assert files.body("/a") == b"first"
    # The next write builds on it.
    files.store("/b", b"z")
    assert files.names("/") == ["a", "b", "gone-later"]
    assert files.names("/", snapshot=name) == ["a", "gone-later"]
    missing = files.restore(unique("absent"))
    assert missing.status == 404 and "error" in missing.json


def test_reads_at_a_version(client, files):
    first = files.store("/dir/a", noise(CHUNK + 5), "text/x-a")
    root = files.snapshot()
    files.store("/dir/a", b"second", "text/x-b")
    files.store("/dir/b", b"new")
    for query in ({"snapshot": root["name"]}, {"version": root["root_hash"]},
                  {"snapshot": root["name"], "version": NO_HASH}, {"snapshot": root["name"], "version": "zz"}):
        answer = files.get("/dir/a", **query)
        assert (answer.status, answer.body == noise(CHUNK + 5)) == (200, True), query
        expected = {"X-Path": first["path"], "X-Total-Size": str(first["total_size"]), "Content-Type": "text/x-a",
                    "X-Created-At": str(first["created_at"]), "X-Updated-At": str(first["updated_at"]),
                    "ETag": f'"{first["hash"]}"'}
        assert {name: answer.headers[name] for name in expected} == expected
        head = files.head("/dir/a", **query)
        assert {name: head.headers[name] for name in expected} == expected
        assert files.get("/dir/a", headers={"Range": "bytes=2-4"}, **query).body == noise(CHUNK + 5)[2:5]
        assert files.names("/dir", **query) == ["a"]
        assert files.get("/dir/b", **query).status == 404
        assert files.head("/dir/b", **query).status == 404
        assert files.head("/dir", **query).headers["X-Entry-Type"] == "directory"
    assert files.body("/dir/a", snapshot="HEAD") == b"second"
    for query, status in (({"snapshot": unique("absent")}, 404), ({"version": NO_HASH}, 404), ({"version": "zz"}, 400),
                          ({"version": root["root_hash"][:-1]}, 400), ({"version": root["root_hash"] + "0"}, 400),
                          ({"version": ""}, 400), ({"snapshot": ""}, 404), ({"fork": unique("absent")}, 404),
                          ({"version": first["hash"]}, 404)):
        for answer in (files.get("/dir/a", **query), files.head("/dir/a", **query), files.get("/", **query)):
            assert answer.status == status, (query, answer)


def test_a_version_that_no_snapshot_names(client, files):
    """Every commit is one, while it is there."""
    files.store("/a", b"first")
    version = client.request("HEAD", "/engine/").headers["ETag"].strip('"')
    files.store("/a", b"second")
    assert files.body("/a", version=version) == b"first"


def test_writes_take_no_version(files):
    files.store("/a", b"1")
    for query in ({"snapshot": "HEAD"}, {"version": NO_HASH}):
        assert files.put("/a", b"2", **query).status == 400
        assert files.client.delete(files.url("/a", **query)).status == 400
    assert files.body("/a") == b"1"


def test_a_fork(client, files):
    files.store("/a", b"base")
    snapshot = files.snapshot()
    files.store("/a", b"later")
    name = unique("experiment")
    answer = client.post("/version/fork", {"name": name, "base": snapshot["name"]})
    assert answer.status == 201
    assert list(answer.json) == ["name", "root_hash", "created_at"]
    assert (answer.json["name"], answer.json["root_hash"]) == (name, snapshot["root_hash"])
    assert answer.json in client.get("/version/forks").json
    again = client.post("/version/fork", {"name": name})
    assert again.status == 409 and name in again.json["error"]
    assert client.post("/version/fork", {"name": unique("x"), "base": unique("absent")}).status == 404
    fork = Files(client, files.root, name)
    assert fork.body("/a") == b"base"
    fork.store("/b", b"on the fork")
    fork.store("/large", noise(CHUNK * 2 + 1))
    assert fork.link("/link", files.root + "/b").status == 201
    assert fork.names("/") == ["a", "b", "large", "link"]
    assert fork.body("/link") == b"on the fork"
    assert files.names("/") == ["a"]
    assert files.body("/a") == b"later"
    # A fork's name is a version as well.
    assert files.body("/b", snapshot=name) == b"on the fork"
    listed = [entry for entry in client.get("/version/forks").json if entry["name"] == name]
    assert listed[0]["root_hash"] != answer.json["root_hash"]
    assert client.delete(f"/version/fork/{name}").json == {"abandoned": True, "name": name}
    assert fork.get("/a").status == 404
    assert fork.put("/a", b"x").status == 404
    assert files.get("/a", snapshot=name).status == 404
    assert client.delete(f"/version/fork/{name}").status == 404
    assert client.post(f"/version/fork/{name}/promote").status == 404


def test_forks_come_oldest_first(client, files):
    made = [files.make_fork(unique(prefix)).fork for prefix in ("c", "b", "a")]
    assert [name for name in names_of(client.get("/version/forks")) if name in made] == made


def test_a_fork_of_head_and_its_promotion(client, files):
    files.store("/a", b"base")
    fork = files.make_fork()
    fork.store("/a", b"changed")
    fork.delete("/b")
    files.store("/b", b"on head")
    answer = client.post(f"/version/fork/{fork.fork}/promote")
    assert (answer.status, answer.json) == (200, {"promoted": True, "name": fork.fork})
    assert files.names("/") == ["a"]
    assert files.body("/a") == b"changed"
    files.store("/c", b"next")
    assert files.names("/") == ["a", "c"]


def test_versions_of_a_fork(client, files):
    files.store("/a", b"head")
    fork = files.make_fork()
    fork.store("/a", b"fork one")
    snapshot = fork.snapshot()
    assert files.body("/a", snapshot=snapshot["name"]) == b"fork one"
    fork.store("/a", b"fork two")
    assert fork.restore(snapshot["name"]).status == 200
    assert (fork.body("/a"), files.body("/a")) == (b"fork one", b"head")
    fork.store("/a", b"fork three")
    restored = fork.restore_file("/a", snapshot=snapshot["name"])
    assert restored.status == 200, restored
    assert (fork.body("/a"), files.body("/a")) == (b"fork one", b"head")
    assert files.body("/a", snapshot=restored.json["auto_snapshot"]) == b"fork three"
    for answer in (client.post(f"/version/snapshot?fork={unique('absent')}", {"name": unique("x")}),
                   client.post(f"/version/restore?fork={unique('absent')}", {"name": snapshot["name"]})):
        assert answer.status == 404


def test_history(files):
    def shot():
        return files.snapshot()["name"]

    shot()
    one = files.store("/deep/a", b"one", "text/x-a")
    first = shot()
    files.store("/other", b"x")
    second = shot()
    two = files.store("/deep/a", noise(CHUNK + 1), "text/x-b")
    third = shot()
    # The same bytes: a new record, no change.
    again = files.store("/deep/a", noise(CHUNK + 1), "text/x-b")
    fourth = shot()
    files.delete("/deep/a")
    fifth = shot()
    sixth = shot()
    files.store("/deep/a", b"back", "text/x-a")
    seventh = shot()
    answer = files.history("/deep/a")
    assert answer.status == 200
    assert answer.json["path"] == files.root[1:] + "/deep/a"
    history = [entry for entry in answer.json["history"]]
    assert [(entry["snapshot"], entry["change_type"]) for entry in history] == [
        (seventh, "added"), (fifth, "deleted"), (fourth, "unchanged"), (third, "modified"), (second, "unchanged"),
        (first, "added")]
    assert sixth not in [entry["snapshot"] for entry in history]
    by_name = {entry["snapshot"]: entry for entry in history}
    snapshots = {entry["name"]: entry for entry in files.client.get("/version/snapshots").json}
    for name, stored in ((first, one), (third, two), (fourth, again)):
        entry = by_name[name]
        assert list(entry) == ["snapshot", "timestamp", "change_type", "size", "content_type", "content_hash"]
        assert (entry["size"], entry["content_type"], entry["content_hash"]) == (
            stored["total_size"], stored["content_type"], stored["hash"])
        assert entry["timestamp"] == snapshots[name]["created_at"]
    gone = by_name[fifth]
    assert gone["timestamp"] == snapshots[fifth]["created_at"]
    assert files.history("/never").json == {"path": files.root[1:] + "/never", "history": []}
    for spelling in ("/deep/a/", "//deep///a", "/deep//a//"):
        assert files.history(spelling).json == answer.json


@pytest.mark.parametrize("path", ["", "/", "//", "///"])
def test_the_root_has_neither_history_nor_restore(client, path):
    history = client.get("/version/file-history" + path)
    assert history.status == 400 and "path is empty" in history.json["error"], history
    restored = client.post("/version/file-restore" + path, {"snapshot": "any"})
    assert restored.status == 400 and restored.json == history.json, restored


def test_restoring_a_file(client, files):
    body = noise(CHUNK + 3)
    files.store("/deep/a", body, "text/x-a")
    files.store("/other", b"1")
    snapshot = files.snapshot()
    files.store("/deep/a", b"changed", "text/x-b")
    files.store("/other", b"2")
    answer = files.restore_file("/deep/a", snapshot=snapshot["name"])
    assert answer.status == 200
    assert list(answer.json) == ["restored", "path", "from_snapshot", "auto_snapshot", "size"]
    assert answer.json["restored"] is True
    assert (answer.json["path"], answer.json["from_snapshot"], answer.json["size"]) == (
        files.root[1:] + "/deep/a", snapshot["name"], len(body))
    assert re.fullmatch(r"pre-restore-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ(-\d+)?", answer.json["auto_snapshot"])
    assert files.body("/deep/a") == body
    assert files.get("/deep/a").headers["Content-Type"] == "text/x-a"
    assert files.body("/other") == b"2"
    assert files.body("/deep/a", snapshot=answer.json["auto_snapshot"]) == b"changed"
    # Twice in a second: each its own safety snapshot.
    names = {files.restore_file("/deep/a", snapshot=snapshot["name"]).json["auto_snapshot"] for _ in range(3)}
    assert len(names) == 3


def test_restoring_a_file_by_version(client, files):
    files.store("/dir/a", b"first")
    version = files.snapshot()["root_hash"]
    files.delete("/dir/a")
    files.delete("/dir")
    answer = files.restore_file("/dir/a", version=version)
    assert answer.status == 200, answer
    assert answer.json["from_version"] == version
    assert files.body("/dir/a") == b"first"
    # The snapshot wins.
    name = files.snapshot()["name"]
    assert files.restore_file("/dir/a", snapshot=name, version="zz").status == 200


def test_restoring_what_cannot_be(client, files):
    files.store("/a", b"1")
    snapshot = files.snapshot()
    files.store("/b", b"2")
    before = len(client.get("/version/snapshots").json)
    cases = [(files.restore_file("/b", snapshot=snapshot["name"]), 404), (files.restore_file("/a", snapshot=unique("absent")), 404),
             (files.restore_file("/a", version=NO_HASH), 404), (files.restore_file("/a", version="zz"), 400),
             (files.restore_file("/a"), 400), (files.restore_file("/a", snapshot=1), 400),
             (files.restore_file("", snapshot=snapshot["name"]), 404)]
    for at, (answer, status) in enumerate(cases):
        assert answer.status == status and answer.json["error"], (at, answer)
    # A restore that is refused leaves no safety snapshot behind.
    assert len(client.get("/version/snapshots").json) == before


def test_restoring_a_symlink(files):
    files.link("/link", "/first")
    snapshot = files.snapshot()
    files.link("/link", "/second")
    assert files.restore_file("/link", snapshot=snapshot["name"]).status == 200
    assert files.head("/link").headers["X-Symlink-Target"] == "/first"


def test_reads_and_listings_are_of_one_version(server, client, files):
    """Two files that change together, by commits and by restores, are never seen apart."""
    small, large = noise(100, 3), noise(900, 5)
    for chunk in (small, large):
        assert send_chunk(client, chunk).status in (200, 201)
    pair = (files.root + "/x", files.root + "/y")
    first = None
    for chunk in (small, large):
        assert commit_files(client, *((path, [chunk]) for path in pair)).status == 200
        first = first or files.snapshot()["name"]
    done = threading.Event()
    failures = []

    def read():
        own = Files(server.client(), files.root)
        while not done.is_set():
            sizes = [entry["total_size"] for entry in own.list("/")]
            version = own.client.request("HEAD", "/engine/").headers["ETag"].strip('"')
            bodies = {own.body(path, version=version) for path in ("/x", "/y")}
            if sizes not in ([100, 100], [900, 900]) or bodies not in ({small}, {large}):
                failures.append((sizes, bodies))
        own.client.close()

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for at in range(30):
        assert files.restore(first).status == 200 if at % 2 else commit_files(
            client, *((path, [large]) for path in pair)).status == 200
    done.set()
    for reader in readers:
        reader.join()
    assert not failures, failures[0]
