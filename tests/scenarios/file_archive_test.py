"""Archives of versioned files: what is exported is as documented, and what others wrote is imported."""

import os
from urllib.parse import quote

import pytest

import aeor_help as aeor
from blake3_hash import blake3
from strata_server import Server

TREE = {"docs": {"a.txt": b"alpha", "b.txt": b"beta" * 100, "empty": {}}, "large.bin": bytes(range(256)) * 1_100,
        "link": "/docs/a.txt", "none": b""}


@pytest.fixture(scope="module")
def server():
    with Server(engine="memory") as running:
        yield running


@pytest.fixture
def client():
    """Of a server of its own: HEAD is everybody's."""
    with Server(engine="memory") as running:
        yield running.client()


def put_tree(client, tree, path=""):
    for name, what in tree.items():
        if isinstance(what, dict):
            put_tree(client, what, f"{path}/{quote(name)}")
        elif isinstance(what, str):
            assert client.post(f"/engine-symlink{path}/{quote(name)}", {"target": what}).status == 201
        else:
            answer = client.put(f"/engine{path}/{quote(name)}", what, headers={"Content-Type": "text/plain"})
            assert answer.status == 201, answer


def export(client, query=""):
    answer = client.post(f"/admin/export{query}")
    assert answer.status == 200, answer
    return answer.body


def imported(client, archive, query=""):
    answer = client.post(f"/admin/import{query}", archive)
    assert answer.status == 200, answer
    return answer.json


def check_tree(client, tree, query="", path=""):
    for name, what in tree.items():
        if isinstance(what, dict):
            listed = client.get(f"/engine{path}/{name}/{query}").json
            assert [entry["name"] for entry in listed] == sorted(what)
            check_tree(client, what, query, f"{path}/{name}")
        elif not isinstance(what, str):
            answer = client.get(f"/engine{path}/{name}{query}")
            assert (answer.status, answer.body) == (200, what), path + name


def head(client):
    return aeor.Reader(export(client)).head.hex()


def test_an_export_holds_each_record_under_both_its_keys(client):
    put_tree(client, {"d": {"a.txt": b"alpha", "same.txt": b"alpha"}, "random": os.urandom(300_000), "link": "d/a.txt"})
    answer = client.post("/admin/export")
    assert answer.status == 200 and answer.headers["Content-Type"] == "application/octet-stream"
    reader = aeor.Reader(answer.body)
    assert answer.headers["Content-Disposition"] == f'attachment; filename="export-{reader.head.hex()[:16]}.aeordb"'
    assert reader.backup_type == 1 and reader.base == reader.target == bytes(32) and reader.created == reader.updated > 0
    chunks = reader.of_kind(aeor.CHUNK)
    assert len(chunks) == 3
    for key, value in chunks.items():
        assert blake3(b"chunk:" + value) == key
    files = reader.of_kind(aeor.FILE)
    assert len(files) == 6
    for path in ("/d/a.txt", "/d/same.txt", "/random"):
        record = files[blake3(b"file:" + path.encode())]
        assert files[blake3(b"filec:" + record)] == record
        assert record.startswith(aeor.sized16(path))
    links = reader.of_kind(aeor.SYMLINK)
    assert links[blake3(b"symlink:/link")] == links[blake3(b"symlinkc:" + links[blake3(b"symlink:/link")])]
    directories = reader.of_kind(aeor.DIRECTORY)
    assert len(directories) == 4
    root = directories[blake3(b"dir:/")]
    assert blake3(b"dirc:" + root) == reader.head and directories[reader.head] == root
    assert directories[blake3(b"dir:/d")] in directories.values()
    assert len(reader.entries) == len({(kind, key) for kind, key, _, _ in reader.entries})


def test_a_large_directory_is_exported_with_its_nodes(client):
    files = [{"path": f"/many/{i:04}", "content_type": "text/plain", "chunk_hashes": []} for i in range(600)]
    assert client.post("/upload/commit", {"files": files}).status == 200
    archive = export(client)
    reader = aeor.Reader(archive)
    directories = reader.of_kind(aeor.DIRECTORY)
    many = directories[blake3(b"dir:/many")]
    assert many[0] == 1
    nodes = [value for key, value in directories.items() if blake3(b"btree:" + value) == key]
    assert len(nodes) >= 15
    with Server(engine="memory") as other:
        answer = imported(other.client(), archive, "?promote=true")
        assert answer["version_hash"] == reader.head.hex() and answer["files_imported"] == 600
        assert answer["directories_imported"] == 2
        assert len(other.client().get("/engine/many/").json) == 600
        # What is imported is whole: it can be written to, and exported again.
        assert other.client().put("/engine/many/0300x", b"new").status == 201
        assert len(other.client().get("/engine/many/").json) == 601


def test_versions_are_exported_by_name_and_by_hash(client):
    put_tree(client, {"a": b"one"})
    first = client.post("/version/snapshot", {"name": "first"}).json["root_hash"]
    put_tree(client, {"a": b"two"})
    second = head(client)
    assert second != first
    for query, body in [("?snapshot=first", None), (f"?hash={first}", None), ("", {"snapshot": "first"}), ("", {"hash": first}),
                        ("?snapshot=first", {"snapshot": "HEAD"})]:
        answer = client.post(f"/admin/export{query}", body)
        assert answer.status == 200 and aeor.Reader(answer.body).head.hex() == first, (query, body)
    assert aeor.Reader(export(client, "?snapshot=HEAD")).head.hex() == second


def test_an_empty_database_is_exported(client):
    reader = aeor.Reader(export(client))
    assert reader.of_kind(aeor.DIRECTORY) == {blake3(b"dirc:"): b"", blake3(b"dir:/"): b""}
    assert imported(client, export(client), "?promote=true")["version_hash"] == blake3(b"dirc:").hex()


@pytest.mark.parametrize("route, query, body, status, words", [
    ("export", "?snapshot=unknown", None, 404, "unknown"),
    ("export", "?hash=12", None, 400, "64"),
    ("export", f"?hash={'0' * 64}", None, 404, ""),
    ("export", f"?hash={'0' * 64}&snapshot=a", None, 400, "both"),
    ("export", "", {"output": "/tmp/backup.aeordb"}, 400, "output"),
    ("export", "", {"snapshot": 1}, 400, "snapshot"),
    ("diff", "", None, 400, "from is required"),
    ("diff", "?from=unknown", None, 404, "unknown"),
    ("diff", "?from=HEAD&to=unknown", None, 404, "unknown"),
    ("diff", "", {"from": "HEAD", "output": "patch.aeordb"}, 400, "output"),
    ("promote", "", None, 400, "hash is required"),
    ("promote", "?hash=xyz", None, 400, "64"),
    ("promote", f"?hash={'0' * 64}", None, 404, ""),
    ("promote", "", {"hash": "f" * 64}, 404, ""),
    ("import", "?promote=maybe", b"", 400, "promote"),
    ("import", "", b"", 400, "not an .aeordb archive"),
    ("import", "", b"x" * 1_000, 400, "not an .aeordb archive"),
])
def test_what_is_refused(server, route, query, body, status, words):
    answer = server.client().post(f"/admin/{route}{query}", body)
    assert answer.status == status, answer
    assert words in answer.json["error"]


def test_an_import_from_a_path_is_refused(server):
    answer = server.client().request("POST", "/admin/import", {"file": "/etc/passwd", "promote": True},
                                     headers={"Content-Type": "application/json"})
    assert answer.status == 400 and "path" in answer.json["error"]


def test_another_writers_archive_is_imported(client):
    put_tree(client, {"here": b"before"})
    before = head(client)
    archive, version = aeor.archive_of(TREE)
    answer = imported(client, archive)
    assert answer == {"status": "success", "backup_type": "export", "entries_imported": 4 + 4 + 3, "chunks_imported": 4,
                      "files_imported": 4, "directories_imported": 3, "deletions_applied": 0, "version_hash": version,
                      "head_promoted": False}
    # HEAD is what it was; the version can be read.
    assert head(client) == before
    check_tree(client, TREE, f"?version={version}")
    assert client.get(f"/engine/?version={version}").json[0]["name"] == "docs"
    assert client.post(f"/admin/promote?hash={version}").json == {"status": "success", "head": version}
    check_tree(client, TREE)
    assert client.get("/engine/here").status == 404
    assert client.get("/engine/link").body == b"alpha"
    # Again is nothing new.
    assert imported(client, archive, "?promote=1")["head_promoted"] is True
    assert export(client).count(b"alpha") == archive.count(b"alpha")


def test_hashes_agree_between_servers(client, server):
    put_tree(client, TREE)
    archive = export(client)
    answer = imported(server.client(), archive)
    assert answer["version_hash"] == aeor.Reader(archive).head.hex()
    again = server.client().post(f"/admin/export?hash={answer['version_hash']}").body
    entries = sorted(entry[:3] for entry in aeor.Reader(again).entries)
    assert entries == sorted(entry[:3] for entry in aeor.Reader(archive).entries)


def test_the_golden_archive_is_imported(client):
    answer = imported(client, aeor.example(), "?promote=true")
    assert answer["files_imported"] == 5 and answer["deletions_applied"] == 0
    check_tree(client, {"empty": {}, "file.txt": b"hello" * 20, "many": {name: name.encode() for name in "abcd"}})
    assert client.get("/version/snapshots").json == []


def test_a_patch_carries_what_is_new(client):
    copied, moved = os.urandom(1_000), os.urandom(2_000)
    put_tree(client, {"same": copied, "move": moved, "change": b"old", "gone": b"gone", "d": {"gone too": b"x"}, "link": "same"})
    base = client.post("/version/snapshot", {"name": "base"}).json["root_hash"]
    put_tree(client, {"copy": copied, "moved": moved, "change": b"new", "d": {"e": {"added": b"added"}}})
    for path in ("gone", "move", "d/gone too", "link"):
        assert client.delete(f"/engine/{quote(path)}").status == 200
    answer = client.post("/admin/diff?from=base")
    assert answer.status == 200
    reader = aeor.Reader(answer.body)
    assert answer.headers["Content-Disposition"] == f'attachment; filename="patch-{reader.head.hex()[:16]}.aeordb"'
    assert (reader.backup_type, reader.base.hex(), reader.head, reader.target) == (2, base, reader.target, reader.head)
    assert sorted(reader.of_kind(aeor.CHUNK).values()) == [b"added", b"new"]
    files = reader.of_kind(aeor.FILE)
    assert {record[2:2 + record[0]].decode() for record in files.values()} == {"/copy", "/moved", "/change", "/d/e/added"}
    deletions = reader.of_kind(aeor.DELETION)
    assert set(deletions) == {blake3(b"file:/gone"), blake3(b"file:/move"), blake3(b"file:/d/gone too"), blake3(b"symlink:/link")}
    assert deletions[blake3(b"file:/gone")].startswith(aeor.sized16("/gone"))
    assert {blake3(b"dir:/"), blake3(b"dir:/d"), blake3(b"dir:/d/e"), reader.head} <= set(reader.of_kind(aeor.DIRECTORY))


@pytest.fixture(scope="module")
def history():
    """An export of one version, patches to the next two and over both, and the versions."""
    with Server(engine="memory") as running:
        client = running.client()
        put_tree(client, {"a": b"1", "gone": b"x"})
        versions = [client.post("/version/snapshot", {"name": "v0"}).json["root_hash"]]
        put_tree(client, {"a": b"2", "b": b"new"})
        versions.append(client.post("/version/snapshot", {"name": "v1"}).json["root_hash"])
        assert client.delete("/engine/gone").status == 200
        versions.append(client.post("/version/snapshot", {"name": "v2"}).json["root_hash"])
        patch = lambda a, b: client.post("/admin/diff", {"from": a, "to": b}).body
        yield {"full": export(client, "?snapshot=v0"), "versions": versions,
               "patches": [patch("v0", "v1"), patch(versions[1], versions[2]), patch("v0", "v2")]}


def test_patches_are_applied_in_order(client, history):
    imported(client, history["full"], "?promote=true")
    for number, patch in enumerate(history["patches"][:2]):
        answer = imported(client, patch, "?promote=true")
        assert answer["backup_type"] == "patch" and answer["version_hash"] == history["versions"][number + 1]
    assert answer["deletions_applied"] == 1
    assert [entry["name"] for entry in client.get("/engine/").json] == ["a", "b"]
    assert client.get("/engine/a").body == b"2"


def test_a_patch_on_another_base_needs_force(client, history):
    imported(client, history["full"], "?promote=true")
    put_tree(client, {"other": b"other"})
    now = head(client)
    answer = client.post("/admin/import", history["patches"][0])
    assert answer.status == 409
    assert answer.json["error"] == (f"Target database HEAD ({now}) does not match patch base version "
                                    f"({history['versions'][0]}).\nUse --force to apply anyway.")
    assert client.get(f"/engine/a?version={history['versions'][1]}").status == 404
    assert imported(client, history["patches"][0], "?force=true")["version_hash"] == history["versions"][1]
    assert head(client) == now
    assert client.get(f"/engine/a?version={history['versions'][1]}").body == b"2"


def test_a_patch_whose_base_is_not_here_is_refused(client, history):
    answer = client.post("/admin/import?force=true", history["patches"][0])
    assert answer.status == 400 and "/gone" in answer.json["error"] and "missing" in answer.json["error"]


def test_a_patch_of_nothing(client):
    put_tree(client, {"a": b"1"})
    patch = client.post("/admin/diff?from=HEAD").body
    assert aeor.Reader(patch).entries == []
    assert imported(client, patch)["entries_imported"] == 0
