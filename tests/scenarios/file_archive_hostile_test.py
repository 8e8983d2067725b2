"""Archives that are damaged, incomplete, hostile or only unusual: refused with 400 and nothing changed, or read all the same."""

import struct

import pytest

import aeor_help as aeor
from blake3_hash import blake3
from file_archive_test import check_tree, head, imported, put_tree
from strata_server import Server


@pytest.fixture(scope="module")
def server():
    with Server(engine="memory") as running:
        put_tree(running.client(), {"kept": b"kept"})
        yield running


def refused(server, archive, words, version=None):
    client = server.client()
    before = head(client)
    answer = client.post("/admin/import?promote=true", archive)
    assert answer.status == 400, answer
    assert words in answer.json["error"], answer
    assert head(client) == before
    if version:
        assert client.get(f"/engine/?version={version.hex()}").status == 404
        assert client.post(f"/admin/promote?hash={version.hex()}").status == 404


def small():
    """A builder with one of everything, and its head."""
    builder = aeor.Builder()
    version = builder.tree({"a": b"alpha", "d": {"b": b"beta", "link": "/a"}})
    return builder, version


def test_every_entry_is_needed(server):
    builder, version = small()
    for number, entry in enumerate(builder.entries):
        kind, key, value = entry[5], entry[63:95], entry[95:]
        by_path = blake3(b"file:" + value[2:2 + value[0]]) == key or blake3(b"symlink:" + value[2:2 + value[0]]) == key or \
            key in (blake3(b"dir:/"), blake3(b"dir:/d"))
        rest = builder.entries[:number] + builder.entries[number + 1:]
        archive = aeor.header(version, len(rest)) + b"".join(rest)
        # A record is there under its other key, but a directory's path cannot be told from its bytes.
        if by_path or kind in (aeor.FILE, aeor.SYMLINK):
            with Server(engine="memory") as other:
                assert imported(other.client(), archive)["version_hash"] == version.hex(), number
        else:
            with Server(engine="memory") as other:
                refused(other, archive, "missing", version)


def test_truncated_anywhere(server):
    builder, version = small()
    archive = builder.archive(version)
    for size in [1, 255, 256, 300, *range(400, len(archive), 97), len(archive) - 1]:
        refused(server, archive[:size], "archive")


def test_a_flipped_bit(server):
    builder, version = small()
    archive = builder.archive(version)
    begins = [256]
    for entry in builder.entries:
        begins.append(begins[-1] + len(entry))
    for at in range(256, len(archive), 61):
        changed = bytearray(archive)
        changed[at] ^= 1
        within = at - max(begin for begin in begins if begin <= at)
        # Flags and times are no part of the hash.
        if within == 6 or 19 <= within < 27:
            assert imported(server.client(), bytes(changed))["version_hash"] == version.hex()
        else:
            refused(server, bytes(changed), "archive")


def tree_of(children, builder=None):
    builder = builder or aeor.Builder()
    return builder, builder.directory("/", b"".join(children))


def file_child(builder, path, data=b"data", name=None, size=None, record_size=None, chunks=None, content_type="text/plain"):
    keys = [builder.chunk(data)] if chunks is None else chunks
    record = aeor.file_record(path, keys, len(data) if record_size is None else record_size, content_type=content_type)
    key = blake3(b"filec:" + record)
    builder.add(aeor.FILE, key, record)
    return aeor.child(aeor.FILE, key, name or path.rsplit("/", 1)[1], size=len(data) if size is None else size)


def hostile(name):
    builder = aeor.Builder()
    if name == "a record of another path":
        children = [file_child(builder, "/b", name="a")]
    elif name == "a path with ..":
        children = [file_child(builder, "/../etc/passwd", name="..")]
    elif name == "a name with a slash":
        children = [file_child(builder, "/d/a", name="d/a")]
    elif name == "a name that is not UTF-8":
        key = builder.file("/a", b"data")
        children = [aeor.child(aeor.FILE, key, b"\xff\xfe", size=4)]
    elif name == "an empty name":
        children = [aeor.child(aeor.DIRECTORY, builder.directory("/a", b""), "")]
    elif name == "a name twice":
        children = [file_child(builder, "/a"), file_child(builder, "/a")]
    elif name == "sizes of the directory":
        children = [file_child(builder, "/a", size=5)]
    elif name == "sizes of the record":
        children = [file_child(builder, "/a", size=5, record_size=5)]
    elif name == "a chunk too many":
        chunk = builder.chunk(b"data")
        children = [file_child(builder, "/a", chunks=[chunk, chunk])]
    elif name == "a chunk of nothing":
        children = [file_child(builder, "/a", data=b"")]
    elif name == "a chunk that is a record":
        record = aeor.file_record("/a", [], 0)
        key = blake3(b"filec:" + record)
        builder.add(aeor.FILE, key, record)
        children = [file_child(builder, "/a", chunks=[key])]
    elif name == "a file that is a directory":
        children = [aeor.child(aeor.FILE, builder.directory("/a", b""), "a")]
    elif name == "a directory that is a file":
        children = [aeor.child(aeor.DIRECTORY, builder.file("/a", b"data"), "a")]
    elif name == "a content type of two lines":
        children = [file_child(builder, "/a", content_type="text/plain\r\nX-Evil: 1")]
    elif name == "a symlink to nowhere":
        children = [aeor.child(aeor.SYMLINK, builder.symlink("/a", ""), "a")]
    elif name == "a symlink to what is not UTF-8":
        children = [aeor.child(aeor.SYMLINK, builder.symlink("/a", b"/\xff"), "a")]
    elif name == "a directory where hashes are read":
        below = builder.directory("/_hash", file_child(builder, "/_hash/a"))
        children = [aeor.child(aeor.DIRECTORY, below, "_hash")]
    elif name == "a child of no kind":
        children = [aeor.child(7, bytes(32), "a")]
    elif name == "a leaf within a flat directory":
        return builder, builder.directory("/", b"\0" + struct.pack("<H", 3) + file_child(builder, "/a"))
    elif name == "nodes that are not in order":
        leaves = [builder.node(aeor.leaf([("", file_child(builder, path))])) for path in ("/b", "/a")]
        return builder, builder.directory("/", aeor.internal([("", leaves[0]), ("c", leaves[1])]))
    elif name == "keys that are not in order":
        leaves = [builder.node(aeor.leaf([("", file_child(builder, path))])) for path in ("/a", "/c", "/b")]
        return builder, builder.directory("/", aeor.internal([("", leaves[0]), ("c", leaves[1]), ("b", leaves[2])]))
    elif name == "a node that is a directory":
        flat = builder.node(file_child(builder, "/a"))
        return builder, builder.directory("/", aeor.internal([("", flat)]))
    elif name == "one node of two is missing":
        here = builder.node(aeor.leaf([("", file_child(builder, "/a"))]))
        return builder, builder.directory("/", aeor.internal([("", here), ("b", bytes(32))]))
    elif name == "a root that is not there":
        return builder, blake3(b"no such directory")
    elif name == "deeper than can be":
        key = builder.directory("/", b"")
        for _ in range(258):
            key = builder.directory("/", aeor.child(aeor.DIRECTORY, key, "d"))
        return builder, key
    elif name == "paths longer than can be":
        key = builder.directory("/", b"")
        for _ in range(6):
            key = builder.directory("/", aeor.child(aeor.DIRECTORY, key, "d" * 1_000))
        return builder, key
    elif name == "directories that name each other twice":
        key = builder.directory("/", b"")
        for _ in range(200):
            key = builder.directory("/", aeor.child(aeor.DIRECTORY, key, "a") + aeor.child(aeor.DIRECTORY, key, "b"))
        return builder, key
    else:
        raise AssertionError(name)
    return tree_of(children, builder)


@pytest.mark.parametrize("name, words", [
    ("a record of another path", "the record of /b stands there"),
    ("a path with ..", "archive's tree"),
    ("a name with a slash", "archive's tree"),
    ("a name that is not UTF-8", "archive's tree"),
    ("an empty name", "archive's tree"),
    ("a name twice", "twice"),
    ("sizes of the directory", "sizes do not agree: 5 in the directory, 4 in the record, 4 of its chunks"),
    ("sizes of the record", "5 in the record, 4 of"),
    ("a chunk too many", "8 of its chunks"),
    ("a chunk of nothing", "a chunk of 0 bytes"),
    ("a chunk that is a record", "is missing"),
    ("a file that is a directory", "record is missing"),
    ("a directory that is a file", "the directory is missing"),
    ("a content type of two lines", "content type"),
    ("a symlink to nowhere", "leads nowhere"),
    ("a symlink to what is not UTF-8", "leads nowhere"),
    ("a directory where hashes are read", "/_hash is where entries are read"),
    ("a child of no kind", "missing"),
    ("a leaf within a flat directory", "missing"),
    ("nodes that are not in order", "does not belong"),
    ("keys that are not in order", "not sorted"),
    ("a node that is a directory", "none"),
    ("one node of two is missing", "a node of the directory is missing"),
    ("a root that is not there", "missing"),
    ("deeper than can be", "too"),
    ("paths longer than can be", "too"),
    ("directories that name each other twice", "too often"),
])
def test_hostile_trees(server, name, words):
    builder, version = hostile(name)
    refused(server, builder.archive(version), words, version)


def raw_frame(data):
    """zstd that stores its bytes as they are."""
    assert len(data) < 256
    return b"\x28\xb5\x2f\xfd\x20" + bytes([len(data)]) + (len(data) << 3 | 1).to_bytes(3, "little") + data


def run_frame(size):
    """zstd of so many zeros: a few bytes for each 128 KiB."""
    blocks = []
    while size > 0:
        step = min(size, 128 * 1024)
        size -= step
        blocks.append((step << 3 | 1 << 1 | (size == 0)).to_bytes(3, "little") + b"\0")
    # No size is claimed; a window of 128 KiB.
    return b"\x28\xb5\x2f\xfd\x00\x38" + b"".join(blocks)


def one_file(data, stored, compression, marked=True):
    builder = aeor.Builder()
    key = blake3(b"chunk:" + data)
    builder.add(aeor.CHUNK, key, stored, compression=compression if marked else 0)
    version = builder.directory("/", file_child(builder, "/a", data=data, chunks=[key]))
    return builder, version


@pytest.mark.parametrize("marked", [True, False])
def test_compressed_chunks_are_read_marked_or_not(client, marked):
    data = b"compressed " * 20
    builder, version = one_file(data, raw_frame(data), 1, marked)
    assert imported(client, builder.archive(version), "?promote=true")["version_hash"] == version.hex()
    assert client.get("/engine/a").body == data


@pytest.fixture
def client():
    with Server(engine="memory") as running:
        yield running.client()


def test_a_bomb_does_not_go_off(server):
    whole = bytes(aeor.CHUNK_BYTES)
    builder, version = one_file(whole, run_frame(len(whole)), 1)
    with Server(engine="memory") as other:
        assert imported(other.client(), builder.archive(version))["version_hash"] == version.hex()
    for bomb in (run_frame(len(whole) + 1), run_frame(64 << 20), b"\x28\xb5\x2f\xfd\xe0" + bytes(7) + b"\x10\x01\0\0"):
        builder, version = one_file(b"x", bomb, 1)
        refused(server, builder.archive(version), "decompressed", version)
        builder, version = one_file(b"x", bomb, 1, marked=False)
        refused(server, builder.archive(version), "not those of its key", version)


def test_a_chunk_under_another_ones_key(server):
    builder = aeor.Builder()
    builder.add(aeor.CHUNK, blake3(b"chunk:other"), b"data")
    refused(server, builder.archive(blake3(b"dirc:")), "not those of its key")


def test_a_chunk_that_is_too_large(server):
    builder = aeor.Builder()
    builder.chunk(bytes(aeor.CHUNK_BYTES + 1))
    refused(server, builder.archive(blake3(b"dirc:")), "impossible length")


def test_rows_of_other_tables_and_voids_are_passed_over(client):
    builder, _ = small()
    builder.add(aeor.FILE, blake3(b"::aeordb:config:jwt"), b'{"secret": 1}')
    builder.add(aeor.FILE, b"::aeordb:config", b"\0\1")
    builder.add(aeor.VOID, blake3(b"::aeordb:void:100"), bytes(100))
    builder.add(9, bytes(32), b"of another time")
    builder.add(aeor.SNAPSHOT, blake3(b"snap:s"), b"\0")
    version = builder.tree({"a": b"alpha"})
    assert imported(client, builder.archive(version), "?promote=true")["files_imported"] == 3
    check_tree(client, {"a": b"alpha"})


def test_a_directory_without_its_nodes_is_made_anew(client):
    builder = aeor.Builder()
    files = {f"{i:03}": b"%d" % i for i in range(300)}
    children = builder.children({**files, "below": {"x": b"x"}}, "/many")
    cut = [children[i:i + 40] for i in range(0, len(children), 40)]
    leaves = [(part[0][0], blake3(b"btree:" + aeor.leaf(part))) for part in cut]
    many = builder.directory("/many", aeor.internal(leaves))
    version = builder.directory("/", aeor.child(aeor.DIRECTORY, many, "many"))
    answer = imported(client, builder.archive(version), "?promote=true")
    # Made our way, it has another hash.
    assert answer["version_hash"] != version.hex() and answer["head_promoted"]
    assert head(client) == answer["version_hash"]
    check_tree(client, {"many": {**files, "below": {"x": b"x"}}})


def test_an_unsorted_directory_is_sorted(client):
    builder = aeor.Builder()
    inner = builder.directory("/d", file_child(builder, "/d/z", b"z") + file_child(builder, "/d/y", b"y"))
    version = builder.directory("/", aeor.child(aeor.DIRECTORY, inner, "d") + file_child(builder, "/c", b"c"))
    answer = imported(client, builder.archive(version), "?promote=true")
    assert answer["version_hash"] != version.hex()
    check_tree(client, {"c": b"c", "d": {"y": b"y", "z": b"z"}})


def test_a_root_that_has_a_nodes_key(client):
    builder = aeor.Builder()
    version = builder.node(aeor.leaf([("", file_child(builder, "/a"))]))
    assert imported(client, builder.archive(version), "?promote=true")["version_hash"] == version.hex()
    check_tree(client, {"a": b"data"})
    assert aeor.Reader(client.post("/admin/export").body).head == version


def test_keys_that_are_the_last_name_before_them(client):
    builder = aeor.Builder()
    leaves = [builder.node(aeor.leaf([("", file_child(builder, path)) for path in paths])) for paths in (["/a", "/b"], ["/c", "/d"])]
    version = builder.directory("/", aeor.internal([("", leaves[0]), ("b", leaves[1])]))
    assert imported(client, builder.archive(version), "?promote=true")["version_hash"] == version.hex()
    check_tree(client, {name: b"data" for name in "abcd"})
    assert client.put("/engine/bb", b"new").status == 201
    assert [entry["name"] for entry in client.get("/engine/").json] == ["a", "b", "bb", "c", "d"]


def test_a_header_that_promises_more(server):
    builder, version = small()
    refused(server, aeor.header(version, len(builder.entries) + 1) + b"".join(builder.entries), "the rest is missing", None)
