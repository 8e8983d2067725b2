"""What the scenarios of versioned files share: a directory for each test, and the words of the API."""

import functools
import itertools
import os
import urllib.parse

from blake3_hash import blake3

CHUNK = 262_144
NO_HASH = "0" * 64
_names = itertools.count()


def unique(what):
    return f"{what}-{os.getpid()}-{next(_names)}"


def quoted(path):
    return urllib.parse.quote(path)


def with_query(path, query):
    query = {name: value for name, value in query.items() if value is not None}
    return path + ("?" + urllib.parse.urlencode(query) if query else "")


def noise(size, seed=1):
    block = bytes((i * seed + (i >> 8) * 31 + (i >> 16)) & 0xFF for i in range(65_537))
    return (block * (size // len(block) + 1))[:size]


@functools.lru_cache(maxsize=4_096)
def chunk_hash(data):
    return blake3(b"chunk:" + data).hex()


def text_field(text):
    return len(text.encode()).to_bytes(2, "little") + text.encode()


def file_record(path, content_type, created_at, updated_at, chunks):
    """The record of a file, byte for byte."""
    return b"".join([
        text_field(path), text_field(content_type), sum(map(len, chunks)).to_bytes(8, "little"),
        created_at.to_bytes(8, "little"), updated_at.to_bytes(8, "little"), (0).to_bytes(4, "little"),
        len(chunks).to_bytes(4, "little"), *(bytes.fromhex(chunk_hash(chunk)) for chunk in chunks)])


def file_hash(*arguments):
    return blake3(b"filec:" + file_record(*arguments)).hex()


class Files:
    """The files below one directory; `fork` goes with every request."""

    def __init__(self, client, root="", fork=None):
        self.client = client
        self.root = root
        self.fork = fork

    def url(self, path, door="/engine", **query):
        return with_query(door + quoted(self.root + path), {"fork": self.fork, **query})

    def put(self, path, body=b"", content_type="application/octet-stream", **query):
        headers = {"Content-Type": content_type} if content_type else {}
        return self.client.put(self.url(path, **query), bytes(body), headers=headers)

    def store(self, path, body=b"", content_type="application/octet-stream"):
        answer = self.put(path, body, content_type)
        assert answer.status == 201, answer
        return answer.json

    def get(self, path, headers=None, **query):
        return self.client.get(self.url(path, **query), headers=headers)

    def body(self, path, **query):
        """What the file holds, None where there is none."""
        answer = self.get(path, **query)
        if answer.status == 404:
            return None
        assert answer.status == 200, answer
        return answer.body

    def head(self, path, headers=None, **query):
        return self.client.request("HEAD", self.url(path, **query), headers=headers)

    def delete(self, path):
        return self.client.delete(self.url(path))

    def list(self, path="/", **query):
        answer = self.get(path, **query)
        assert answer.status == 200, answer
        assert answer.headers["Content-Type"] == "application/json"
        return answer.json

    def names(self, path="/", **query):
        return [entry["name"] for entry in self.list(path, **query)]

    def paths(self, path="/", **query):
        """Relative to the root of these files."""
        return [entry["path"].removeprefix(self.root) for entry in self.list(path, **query)]

    def link(self, path, target):
        return self.client.post(self.url(path, "/engine-symlink"), {"target": target})

    def version(self, path, door, body=None):
        return self.client.post(with_query(door + quoted(path), {"fork": self.fork}), body)

    def snapshot(self, name=None, **fields):
        name = name or unique("snapshot")
        answer = self.version("", "/version/snapshot", {"name": name, **fields})
        assert answer.status == 201, answer
        return answer.json

    def make_fork(self, name=None, **fields):
        """The same files on a new fork."""
        name = name or unique("fork")
        answer = self.client.post("/version/fork", {"name": name, **fields})
        assert answer.status == 201, answer
        return Files(self.client, self.root, name)

    def restore(self, name):
        return self.version("", "/version/restore", {"name": name})

    def history(self, path):
        return self.client.get(self.url(path, "/version/file-history"))

    def restore_file(self, path, **body):
        return self.client.post(self.url(path, "/version/file-restore"), body)


def send_chunk(client, data):
    return client.put(f"/upload/chunks/{chunk_hash(data)}", bytes(data))


def commit_files(client, *files):
    """Each a path and its chunks, which are there."""
    return client.post("/upload/commit", {"files": [
        {"path": path, "chunk_hashes": [chunk_hash(chunk) for chunk in chunks]} for path, chunks in files]})
