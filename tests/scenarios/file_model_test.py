"""Random operations on versioned files, in step with a model in memory, through collections and restarts."""

import os
import random

import pytest

from file_help import CHUNK, Files, chunk_hash, noise, send_chunk
from file_model import DIRECTORY, File, Link, Refused, Store
from strata_server import Server

LONG = bool(os.environ.get("STRATA_TEST_LONG"))
NAMES = "abcd"
TYPES = ["text/plain", "application/json", "x/y"]


class Run:
    def __init__(self, server, seed, restarts):
        self.rng = random.Random(seed)
        self.server = server
        self.client = server.client()
        self.restarts = restarts
        self.store = Store()
        self.step = 0
        # Paths that were ever links: their history is not the model's.
        self.links = set()
        self.chunks = [noise(40 + i, 3 + i) for i in range(8)]

    # What is drawn.
    def path(self):
        return "".join("/" + self.rng.choice(NAMES) for _ in range(self.rng.choice((1, 2, 2, 3, 3))))

    def branch(self):
        return self.rng.choice([None, None, *self.store.trees])

    def existing(self, fork):
        paths = list(self.store.trees[fork].entries)
        return self.rng.choice(paths) if paths and self.rng.random() < 0.8 else self.path()

    def a_snapshot(self):
        names = list(self.store.snapshots)
        return self.rng.choice(names) if names and self.rng.random() < 0.9 else "absent"

    def body(self):
        kind = self.rng.random()
        if kind < 0.1:
            return b""
        if kind < 0.2:
            return noise(CHUNK + self.rng.choice((0, 1, 70_000)), self.rng.randrange(1, 4))
        return noise(self.rng.randrange(1, 3_000), self.rng.randrange(1, 6))

    def files(self, fork=None):
        return Files(self.client, "", fork)

    def same(self, expected, ask, status=200):
        """Both do it, or both refuse it the same way; the answer and what the model returned."""
        try:
            result = expected()
        except Refused as refused:
            answer = ask()
            assert answer.status == refused.status, answer
            return None, None
        answer = ask()
        assert answer.status == status, answer
        return answer, result

    # Operations.
    def put(self):
        fork, path, body, kind = self.branch(), self.path(), self.body(), self.rng.choice(TYPES)
        before = self.store.trees[fork].entries.get(path)
        answer, _ = self.same(lambda: self.store.trees[fork].put(path, File(body, kind)),
                              lambda: self.files(fork).put(path, body, kind), 201)
        if not answer:
            return
        told = answer.json
        assert (told["path"], told["total_size"], told["content_type"]) == (path, len(body), kind)
        if isinstance(before, File) and before.created_at is not None:
            assert told["created_at"] == before.created_at
        self.store.trees[fork].entries[path] = File(body, kind, told["hash"], told["created_at"], told["updated_at"])

    def link(self):
        fork, path, target = self.branch(), self.path(), self.path()
        self.links.add(path)
        self.same(lambda: self.store.trees[fork].put(path, Link(target)), lambda: self.files(fork).link(path, target), 201)

    def delete(self):
        fork = self.branch()
        path = self.existing(fork)
        answer, entry = self.same(lambda: self.store.trees[fork].delete(path), lambda: self.files(fork).delete(path))
        if answer and isinstance(entry, Link):
            assert answer.json == {"deleted": True, "path": path[1:], "type": "symlink"}
        elif answer:
            assert answer.json == {"deleted": True, "path": path}

    def commit(self):
        fork = self.branch()
        paths = [self.path() for _ in range(self.rng.randrange(1, 6))]
        files = [(path, self.rng.choices(self.chunks, k=self.rng.randrange(0, 4))) for path in paths]
        for chunk in {chunk for _, chunks in files for chunk in chunks}:
            assert send_chunk(self.client, chunk).status in (200, 201)

        def apply():
            tree = self.store.trees[fork].copy()
            for path, chunks in files:
                tree.put(path, File(b"".join(chunks), "x/y"))
            self.store.trees[fork] = tree

        self.same(apply, lambda: self.files(fork).version("", "/upload/commit", {"files": [
            {"path": path, "content_type": "x/y", "chunk_hashes": [chunk_hash(chunk) for chunk in chunks]}
            for path, chunks in files]}))

    def snapshot(self):
        fork = self.branch()
        name = self.rng.choice([f"s{self.step}", f"s{self.step}", self.a_snapshot()])
        self.same(lambda: self.store.snapshot(name, fork),
                  lambda: self.files(fork).version("", "/version/snapshot", {"name": name}), 201)

    def delete_snapshot(self):
        name = self.a_snapshot()
        self.same(lambda: self.store.delete_snapshot(name), lambda: self.client.delete(f"/version/snapshot/{name}"))

    def restore(self):
        fork, name = self.branch(), self.a_snapshot()
        self.same(lambda: self.store.restore(name, fork), lambda: self.files(fork).restore(name))

    def fork(self):
        if len(self.store.trees) > 4:
            return
        name = self.rng.choice([f"f{self.step}", *filter(None, self.store.trees)])
        base = self.rng.choice([None, self.a_snapshot()]) if name not in self.store.trees else None
        self.same(lambda: self.store.make_fork(name, base),
                  lambda: self.client.post("/version/fork", {"name": name} | ({"base": base} if base else {})), 201)

    def promote(self):
        name = self.rng.choice(["absent", *filter(None, self.store.trees)])
        self.same(lambda: self.store.promote(name), lambda: self.client.post(f"/version/fork/{name}/promote"))
        # Whether the fork stays is the server's to say; it is not needed any more.
        if name in self.store.trees:
            self.client.delete(f"/version/fork/{name}")
            del self.store.trees[name]

    def abandon(self):
        name = self.rng.choice(["absent", *filter(None, self.store.trees)])
        self.same(lambda: self.store.abandon(name), lambda: self.client.delete(f"/version/fork/{name}"))

    def restore_file(self):
        fork, name = self.branch(), self.a_snapshot()
        path = self.rng.choice(list(self.store.snapshots[name].entries) or ["/a"]) if name in self.store.snapshots else self.path()
        before = self.store.trees[fork].copy()
        answer, _ = self.same(lambda: self.store.restore_file(path, name, fork),
                              lambda: self.files(fork).restore_file(path, snapshot=name))
        if answer:
            self.store.snapshots[answer.json["auto_snapshot"]] = before

    def collect(self):
        assert self.client.post("/admin/gc").status == 200

    def restart(self):
        if not self.restarts:
            return
        self.client.close()
        if self.rng.random() < 0.5:
            self.server.kill()
        else:
            assert self.server.stop() == 0, self.server.log()
        self.server.start()
        self.client = self.server.client()

    # Reads.
    def read(self):
        fork, name = self.branch(), None
        tree = self.store.trees[fork]
        query = {}
        if self.store.snapshots and self.rng.random() < 0.4:
            name = self.a_snapshot()
            query = {"snapshot": name}
        path = self.existing(fork)
        answer, found = self.same(lambda: (self.store.at(name) if name else tree).resolve(path),
                                  lambda: self.files(fork).get(path, **query))
        if not answer:
            return
        place, entry = found
        assert answer.headers["X-Path"] == place
        if isinstance(entry, File):
            self.check_file(answer, entry)
        else:
            tree = self.store.at(name) if name else tree
            self.check_entries(answer.json, tree, tree.children(place))

    def check_file(self, answer, entry):
        assert answer.body == entry.body
        assert answer.headers["Content-Type"] == entry.content_type
        if entry.hash:
            assert answer.headers["ETag"] == f'"{entry.hash}"'
            assert answer.headers["X-Created-At"] == str(entry.created_at)
            assert answer.headers["X-Updated-At"] == str(entry.updated_at)

    def check_entries(self, listed, tree, paths):
        assert [entry["path"] for entry in listed] == paths
        for entry in listed:
            known = tree.entries[entry["path"]]
            assert entry["name"] == entry["path"].rsplit("/", 1)[1]
            if known == DIRECTORY:
                assert entry["entry_type"] == 3
            elif isinstance(known, Link):
                assert (entry["entry_type"], entry["target"]) == (8, known.target)
            else:
                assert (entry["entry_type"], entry["total_size"], entry["content_type"]) == (
                    2, len(known.body), known.content_type)
                assert known.hash in (None, entry["hash"])

    def history(self):
        path = self.rng.choice([self.path(), self.existing(None)])
        if path in self.links:
            return
        answer = self.files().history(path)
        assert answer.status == 200
        told = answer.json["history"]
        assert [(entry["snapshot"], entry["change_type"]) for entry in told] == self.store.history(path)

    def check_all(self):
        assert [entry["name"] for entry in self.client.get("/version/snapshots").json] == list(self.store.snapshots)
        assert [entry["name"] for entry in self.client.get("/version/forks").json] == [
            name for name in self.store.trees if name]
        every = [(self.files(fork), {}, tree) for fork, tree in self.store.trees.items()]
        every += [(self.files(), {"snapshot": name}, tree) for name, tree in self.store.snapshots.items()]
        for files, query, tree in every:
            self.check_entries(files.list("/", **query), tree, tree.children("/"))
            self.check_entries(files.list("/", depth=-1, **query), tree, tree.below("/"))
            for path, entry in tree.entries.items():
                if isinstance(entry, File):
                    self.check_file(files.get(path, **query), entry)

    OPERATIONS = [(put, 30), (link, 4), (delete, 12), (commit, 6), (snapshot, 4), (delete_snapshot, 3), (restore, 2), (fork, 2),
                  (promote, 1), (abandon, 1), (restore_file, 3), (collect, 2), (restart, 0.6), (read, 30), (history, 4)]

    def run(self, steps):
        operations, weights = zip(*self.OPERATIONS)
        for self.step in range(steps):
            operation = self.rng.choices(operations, weights)[0]
            try:
                operation(self)
                if self.step % 150 == 149:
                    self.check_all()
            except AssertionError as error:
                raise AssertionError(f"step {self.step}, {operation.__name__}") from error
        self.check_all()


@pytest.mark.parametrize("seed", range(60) if LONG else (1, 2))
@pytest.mark.parametrize("engine", ["memory", "rocksdb"])
def test_in_step_with_the_model(engine, seed):
    with Server("--limits", "foundationdb", engine=engine) as server:
        run = Run(server, seed, restarts=engine == "rocksdb")
        run.run(3_000 if LONG else 450)
        run.client.close()
        assert server.stop() == 0, server.log()
