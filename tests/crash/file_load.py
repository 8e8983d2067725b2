"""Versioned files among what the clients of load.py write: PUTs, DELETEs, uploads that commit several files at once, and collections
beside them.

Keys are ("file", path); what a file holds is known by its size and checksum.
"""

import pathlib
import sys
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "scenarios"))
from blake3_hash import blake3  # noqa: E402

FILES, COMMITTED = 4, 5  # of a client: put one by one, and together
COLLECTORS = 2  # of the clients
LARGEST = 600_000


def singles(client):
    return [("file", "/crash/c%d/f%d" % (client.number, i)) for i in range(FILES)]


def together(client):
    return [("file", "/crash/c%d/together/%d" % (client.number, i)) for i in range(COMMITTED)]


def keys(client):
    return singles(client) + together(client)


def content(client, largest):
    head = b"%d:%d:" % (client.number, client.sequence)
    return head + client.random.randbytes(client.random.randrange(int(largest ** client.random.random()) + 1))


def fingerprint(body):
    return "%d bytes, CRC-32 %d" % (len(body), zlib.crc32(body))


def path(key):
    return "/engine" + key[1]


def next_write(client):
    """(method, path, body, effects, before)"""
    known = {key: client.model.get(key) for key in keys(client)}
    for operation in client.operations:
        known.update((key, value) for key, value in operation.effects.items() if key in known)
    there = [key for key, value in known.items() if value is not None]
    draw = client.random.random()
    if draw < 0.1 and client.number < COLLECTORS:
        return "POST", "/admin/gc", None, {}, ()
    if draw < 0.3 and there:
        key = client.random.choice(there)
        return "DELETE", path(key), None, {key: None}, ()
    if draw < 0.55:
        return commit(client)
    key, body = client.random.choice(singles(client)), content(client, LARGEST)
    return "PUT", path(key), body, {key: fingerprint(body)}, ()


def commit(client):
    """Two chunks, of which every file is made; the one that is the same every time is let go and wanted again."""
    chunks = [b"%d" % client.number, content(client, 1_000)]
    hashes = [blake3(b"chunk:" + chunk).hex() for chunk in chunks]
    before = [("PUT", "/upload/chunks/" + name, chunk) for name, chunk in zip(hashes, chunks)]
    effects, files = {}, []
    for at, key in enumerate(together(client)):
        picked = [at % 2, (at + client.sequence) % 2]
        effects[key] = fingerprint(b"".join(chunks[i] for i in picked))
        files.append({"path": key[1], "chunk_hashes": [hashes[i] for i in picked]})
    return "POST", "/upload/commit", {"files": files}, effects, before
