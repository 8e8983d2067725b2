"""Archives made and taken apart by hand, from the documented format alone: an independent writer and reader."""

import struct

from blake3_hash import blake3

CHUNK, FILE, DIRECTORY, DELETION, SNAPSHOT, VOID, FORK, SYMLINK = range(1, 9)
CHUNK_BYTES = 262_144


def sized16(data):
    data = data.encode() if isinstance(data, str) else data
    return struct.pack("<H", len(data)) + data


def file_record(path, chunks, size, content_type="text/plain", created=1_000, updated=2_000, metadata=b""):
    return (sized16(path) + sized16(content_type) + struct.pack("<Qqq", size, created, updated) +
            struct.pack("<I", len(metadata)) + metadata + struct.pack("<I", len(chunks)) + b"".join(chunks))


def symlink_record(path, target, created=1_000, updated=2_000):
    return sized16(path) + sized16(target) + struct.pack("<qq", created, updated)


def child(kind, digest, name, size=0, content_type="", created=1_000, updated=2_000):
    return struct.pack("<B", kind) + digest + struct.pack("<Qqq", size, created, updated) + sized16(name) + sized16(content_type)


def entry(kind, key, value, compression=0, timestamp=3_000, integrity=None, flags=0):
    integrity = integrity or blake3(bytes([kind]) + key + value)
    total = 63 + len(key) + len(value)
    return (struct.pack("<IBBBHBBIIqI", 0x0AE012DB, 1, kind, flags, 1, compression, 0, len(key), len(value), timestamp, total) +
            integrity + key + value)


def header(head, entries, backup_type=1, base=bytes(32), target=bytes(32)):
    out = b"AEOR" + struct.pack("<BHqq", 1, 1, 1_000, 2_000) + bytes(34) + head + struct.pack("<Q", entries)
    out += bytes(17) + struct.pack("<B", backup_type) + base + target
    return out.ljust(256, b"\0")


class Builder:
    """A tree of {name: bytes | str (a symlink's target) | dict}, as entries in the order in which they are added."""

    def __init__(self):
        self.entries = []

    def add(self, kind, key, value, **options):
        self.entries.append(entry(kind, key, value, **options))

    def chunk(self, data, **options):
        key = blake3(b"chunk:" + data)
        self.add(CHUNK, key, data, **options)
        return key

    def file(self, path, data, **options):
        chunks = [self.chunk(data[i:i + CHUNK_BYTES]) for i in range(0, len(data), CHUNK_BYTES)]
        record = file_record(path, chunks, len(data), **options)
        key = blake3(b"filec:" + record)
        self.add(FILE, key, record)
        self.add(FILE, blake3(b"file:" + path.encode()), record)
        return key

    def symlink(self, path, target):
        record = symlink_record(path, target)
        key = blake3(b"symlinkc:" + record)
        self.add(SYMLINK, key, record)
        self.add(SYMLINK, blake3(b"symlink:" + path.encode()), record)
        return key

    def directory(self, path, value):
        key = blake3(b"dirc:" + value)
        self.add(DIRECTORY, key, value)
        self.add(DIRECTORY, blake3(b"dir:" + path.encode()), value)
        return key

    def node(self, value):
        key = blake3(b"btree:" + value)
        self.add(DIRECTORY, key, value)
        return key

    def children(self, tree, path):
        below = "" if path == "/" else path
        found = []
        for name in sorted(tree, key=str.encode):
            what = tree[name]
            place = f"{below}/{name}"
            if isinstance(what, dict):
                found.append((name, child(DIRECTORY, self.tree(what, place), name)))
            elif isinstance(what, str):
                found.append((name, child(SYMLINK, self.symlink(place, what), name)))
            else:
                found.append((name, child(FILE, self.file(place, what), name, size=len(what), content_type="text/plain")))
        return found

    def tree(self, tree, path="/"):
        return self.directory(path, b"".join(value for _, value in self.children(tree, path)))

    def archive(self, head, **options):
        return header(head, len(self.entries), **options) + b"".join(self.entries)


def leaf(children):
    return b"\0" + struct.pack("<H", len(children)) + b"".join(value for _, value in children)


def internal(nodes):
    """[(first name, hash)]: the keys are the first names of all but the first."""
    return (b"\1" + struct.pack("<H", len(nodes) - 1) + b"".join(sized16(name) for name, _ in nodes[1:]) +
            b"".join(digest for _, digest in nodes))


def archive_of(tree, **options):
    """The bytes of an export, and its version in hex."""
    builder = Builder()
    head = builder.tree(tree)
    return builder.archive(head, **options), head.hex()


class Reader:
    """Takes an archive apart, asserting that every byte is as documented."""

    def __init__(self, data):
        assert data[:4] == b"AEOR" and data[4] == 1 and struct.unpack_from("<H", data, 5) == (1,)
        assert data[23:57] == bytes(34) and data[97:114] == bytes(17) and data[179:256] == bytes(77)
        self.created, self.updated = struct.unpack_from("<qq", data, 7)
        self.head = data[57:89]
        self.entry_count, = struct.unpack_from("<Q", data, 89)
        self.backup_type = data[114]
        self.base = data[115:147]
        self.target = data[147:179]
        self.entries = []  # (kind, key, value as stored, compression)
        at = 256
        while at < len(data):
            magic, version, kind, flags, algorithm, compression, encryption, key_size, value_size, _, total = struct.unpack_from(
                "<IBBBHBBIIqI", data, at)
            assert (magic, version, flags, algorithm, encryption, key_size) == (0x0AE012DB, 1, 0, 1, 0, 32)
            assert total == 63 + key_size + value_size
            integrity, key = data[at + 31:at + 63], data[at + 63:at + 95]
            value = data[at + 95:at + total]
            assert len(value) == value_size
            assert integrity == blake3(bytes([kind]) + key + value)
            self.entries.append((kind, key, value, compression))
            at += total
        assert self.entry_count == len(self.entries)

    def of_kind(self, kind):
        return {key: value for found, key, value, _ in self.entries if found == kind}


def example():
    """What tests/golden/aeor.txt holds: one of everything, in a tree whose directory "many" has nodes of its own."""
    builder = Builder()
    many = builder.children({name: name.encode() for name in "abcd"}, "/many")
    leaves = [builder.node(leaf(many[:2])), builder.node(leaf(many[2:]))]
    root = builder.children({"empty": {}, "file.txt": b"hello" * 20, "link": "/file.txt"}, "/")
    root.append(("many", child(DIRECTORY, builder.directory("/many", internal([("", leaves[0]), ("c", leaves[1])])), "many")))
    head = builder.directory("/", b"".join(value for _, value in root))
    gone = sized16("/gone.txt") + struct.pack("<q", 1_500) + sized16("deleted")
    builder.add(DELETION, blake3(b"file:/gone.txt"), gone)
    builder.add(SNAPSHOT, blake3(b"snap:v1"), sized16("v1") + head + struct.pack("<q", 1_600) + struct.pack("<I", 2) + b"{}")
    builder.add(FORK, blake3(b"::aeordb:fork:f"), sized16("f") + head + struct.pack("<q", 1_700))
    return builder.archive(head)
