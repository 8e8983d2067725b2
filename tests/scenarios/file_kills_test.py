"""A server that is killed amid PUTs, uploads, commits, versions and collections: what was acknowledged reads back with its hash, and no
commit is there by half."""

import http.client
import itertools
import os
import random
import threading

import pytest

from file_help import CHUNK, Files, commit_files, noise, send_chunk
from strata_server import Server

LONG = bool(os.environ.get("STRATA_TEST_LONG"))
GONE = None


class Writer(threading.Thread):
    """Works below a directory of its own until the server is gone; remembers what it was told."""

    def __init__(self, server, number, known, seed, written):
        super().__init__()
        self.client = server.client()
        self.files = Files(self.client, f"/w{number}")
        self.known = known  # path -> (body, hash or None), or GONE: acknowledged
        self.doubt = {}  # what the request under way would have made of them, all of it or nothing
        self.rng = random.Random(seed)
        self.chunks = [noise(1_000 + i, 5 + i) for i in range(4)]
        self.acknowledged = 0
        self.started = threading.Event()
        self.written = written
        self.failure = None

    def run(self):
        try:
            for _ in itertools.count():
                self.step()
                self.acknowledged += 1
                self.written.set()
                if self.acknowledged == 6:
                    self.started.set()
        except (OSError, http.client.HTTPException):
            pass
        except Exception as error:  # whatever it is, the test says it
            self.failure = error
        finally:
            self.started.set()
            self.written.set()

    def ask(self, changes, ask, *statuses):
        self.doubt = changes
        answer = ask()
        assert answer.status in statuses, answer
        self.doubt = {}
        self.known.update(changes)
        return answer

    def step(self):
        live = [path for path, value in self.known.items() if value is not GONE]
        what = self.rng.random()
        if what < 0.4:
            path = f"/{self.rng.randrange(40)}"
            body = self.rng.randbytes(self.rng.choice((0, 10, 3_000, 3_000, CHUNK + 10_000)))
            answer = self.ask({path: (body, None)}, lambda: self.files.put(path, body), 201)
            self.known[path] = (body, answer.json["hash"])
        elif what < 0.55 and live:
            path = self.rng.choice(live)
            self.ask({path: GONE}, lambda: self.files.delete(path), 200)
        elif what < 0.85:
            for chunk in self.chunks:
                assert send_chunk(self.client, chunk).status in (200, 201)
            at = self.rng.randrange(1_000)
            pieces = {f"/c{at}/{i}": self.rng.choices(self.chunks, k=i % 3) for i in range(20)}
            made = {path: (b"".join(chunks), None) for path, chunks in pieces.items()}
            files = [(self.files.root + path, chunks) for path, chunks in pieces.items()]
            self.ask(made, lambda: commit_files(self.client, *files), 200)
        else:
            # Also one that is let go again at once, for the collections.
            path, name = "/large", f"s{self.files.root[1:]}-{self.rng.randrange(1 << 30)}"
            body = self.rng.randbytes(3 * CHUNK)
            self.ask({path: (body, None)}, lambda: self.files.put(path, body), 201)
            self.files.snapshot(name)
            self.ask({path: GONE}, lambda: self.files.delete(path), 200)
            assert self.files.body(path, snapshot=name) == body
            assert self.client.delete(f"/version/snapshot/{name}").status == 200


def collect_until_killed(server, written):
    """One after every write at most: more would leave writers no room."""
    client = server.client()
    try:
        while client.post("/admin/gc").status in (200, 409):
            written.wait()
            written.clear()
    except (OSError, http.client.HTTPException):
        pass


def check(server, writers):
    """What is there is what was acknowledged, and of the request under way all or nothing."""
    client = server.client()
    for writer in writers:
        files = Files(client, writer.files.root)
        entries = {entry["path"].removeprefix(files.root): entry
                   for entry in (files.list("/", depth=-1) if files.get("/").status == 200 else [])}

        def shows(expected):
            for path, value in expected.items():
                if value is GONE:
                    if path in entries:
                        return False
                    continue
                body, digest = value
                if path not in entries or files.body(path) != body or (digest and entries[path]["hash"] != digest):
                    return False
            return True

        settled = {path: value for path, value in writer.known.items() if path not in writer.doubt}
        assert shows(settled), [path for path in settled if not shows({path: settled[path]})]
        before = {path: writer.known.get(path, GONE) for path in writer.doubt}
        after = shows(writer.doubt)
        assert after or shows(before), writer.doubt.keys()
        writer.known.update(writer.doubt if after else before)
        assert set(entries) == {path for path, value in writer.known.items() if value is not GONE}


@pytest.mark.parametrize("seed", range(100) if LONG else (1, 2))
def test_kills(seed):
    shares = [{}, {}, {}]
    with Server() as server:
        for life in range(4):
            written = threading.Event()
            writers = [Writer(server, number, share, seed * 100 + life * 10 + number, written)
                       for number, share in enumerate(shares)]
            collector = threading.Thread(target=collect_until_killed, args=(server, written))
            for thread in [*writers, collector]:
                thread.start()
            for writer in writers:
                assert writer.started.wait(60)
            server.kill()
            for thread in [*writers, collector]:
                thread.join()
            for writer in writers:
                assert writer.failure is None, writer.failure
            server.start()
            check(server, writers)
        # What the kills left over goes with the next collection, and nothing else does.
        client = server.client()
        assert client.post("/admin/gc").status in (200, 409)
        check(server, writers)
        assert server.stop() == 0, server.log()
        server.start()
        check(server, writers)
