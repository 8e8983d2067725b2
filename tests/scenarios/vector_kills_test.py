"""A server that is killed while vectors are written: nothing acknowledged is lost or comes back from the dead, and a
search equals brute force over what GET answers."""

import itertools
import math
import pathlib
import random
import threading

import pytest

from strata_server import Server

DIMENSION = 4
BASE = "/api/v1/collections/kills"
GONE = None


def draw(rng):
    return [round(rng.uniform(-1, 1), 3) for _ in range(DIMENSION)]


class Writer(threading.Thread):
    """Inserts, updates, deletes and loads vectors of ids of its own until the server is gone; remembers what it was told."""

    def __init__(self, server, number, known, seed):
        super().__init__()
        self.client = server.client()
        self.number = number
        self.known = known  # id -> values, or GONE: acknowledged
        self.doubt = {}  # id -> what the request under way would have made of it
        self.rng = random.Random(seed)
        self.acknowledged = 0
        self.started = threading.Event()
        self.failure = None

    def run(self):
        try:
            for _ in itertools.count():
                self.step()
                self.acknowledged += 1
                if self.acknowledged == 5:
                    self.started.set()
        except (OSError, ConnectionError, EOFError):
            pass
        except Exception as error:  # http.client's, and what the assertions say
            if "IncompleteRead" not in repr(error) and "RemoteDisconnected" not in repr(error) and "BadStatus" not in repr(error):
                self.failure = error
        finally:
            self.started.set()

    def ask(self, changes, method, path, body=None):
        self.doubt = changes
        answer = self.client.request(method, path, body)
        assert answer.status == 200, answer
        self.known.update(changes)
        self.doubt = {}
        return answer

    def new_id(self):
        return max(self.known, default=self.number) + 3

    def step(self):
        live = [id for id, values in self.known.items() if values is not GONE]
        what = self.rng.random()
        if what < 0.3 or not live:
            id, values = self.new_id(), draw(self.rng)
            self.ask({id: values}, "POST", f"{BASE}/vectors", {"id": id, "values": values, "metadata": {"writer": self.number}})
        elif what < 0.5:
            id, values = self.rng.choice(live), draw(self.rng)
            self.ask({id: values}, "PUT", f"{BASE}/vectors/{id}", {"values": values})
        elif what < 0.65:
            id = self.rng.choice(live)
            self.ask({id: GONE}, "DELETE", f"{BASE}/vectors/{id}")
        elif what < 0.9:
            first = self.new_id()
            rows = {first + 3 * at: draw(self.rng) for at in range(20)}
            body = {"vectors": [{"id": id, "values": values} for id, values in rows.items()], "batch_lock_size": 7}
            assert self.ask(rows, "POST", f"{BASE}/vectors/bulk", body).json["errors"] == []
        else:
            self.ask({}, "POST", f"{BASE}/snapshot")


def check(server, writers, known, rng):
    """What GET answers is what was acknowledged, or the one request under way; and search agrees with it."""
    client = server.client()
    doubts = {id: values for writer in writers for id, values in writer.doubt.items()}
    held = {}
    for id in sorted(set(known) | set(doubts)):
        answer = client.get(f"{BASE}/vectors/{id}")
        assert answer.status in (200, 404), answer
        values = answer.json["values"] if answer.status == 200 else GONE
        allowed = [known.get(id, GONE)] + ([doubts[id]] if id in doubts else [])
        assert any(values == pytest.approx(one, abs=1e-6) if one is not GONE else values is GONE for one in allowed), (id, values)
        if values is not GONE:
            held[id] = values
    assert client.get(BASE).json["vector_count"] == len(held)
    for _ in range(5):
        query = draw(rng)
        nearest = sorted((math.dist(query, values), id) for id, values in held.items())[:10]
        answer = client.post(f"{BASE}/search", {"query": query, "k": 10, "ef_search": 2000})
        assert answer.status == 200, answer
        found = [(result["score"], result["id"]) for result in answer.json["results"]]
        assert len(found) == len(nearest)
        for (score, id), (distance, _) in zip(found, nearest):
            assert score == pytest.approx(distance, abs=1e-5)
            assert math.dist(query, held[id]) == pytest.approx(distance, abs=1e-5)
    return held


@pytest.mark.parametrize("seed", [1, 2])
def test_kills(seed):
    rng = random.Random(seed)
    shares = [{}, {}, {}]
    with Server() as server:
        made = server.client().post("/api/v1/collections", {"name": "kills", "dimension": DIMENSION, "distance_metric": "euclidean"})
        assert made.status == 200, made
        for life in range(4):
            writers = [Writer(server, number, share, seed * 100 + life * 10 + number) for number, share in enumerate(shares)]
            for writer in writers:
                writer.start()
            for writer in writers:
                assert writer.started.wait(60)
            server.kill()
            for writer in writers:
                writer.join()
                assert writer.failure is None, writer.failure
            server.start()
            held = check(server, writers, {id: values for share in shares for id, values in share.items()}, rng)
            # What was in doubt is known now.
            for writer, share in zip(writers, shares):
                share.update({id: held.get(id, GONE) for id in writer.doubt})
        assert server.stop() == 0, server.log()
        server.start()
        check(server, [], {id: values for share in shares for id, values in share.items()}, rng)
        assert server.client().get("/recovery_status").json["collections"] == {"kills": "snapshot_only"}


@pytest.mark.parametrize("damage", ["truncated", "flipped", "removed"])
@pytest.mark.parametrize("which", ["index", "view"])
def test_a_damaged_image_is_built_anew(damage, which):
    rng = random.Random(7)
    known = {id: draw(rng) for id in range(1, 200)}
    with Server() as server:
        client = server.client()
        assert client.post("/api/v1/collections", {"name": "kills", "dimension": DIMENSION, "distance_metric": "euclidean"}).status == 200
        rows = [{"id": id, "values": values} for id, values in known.items()]
        assert client.post(f"{BASE}/vectors/bulk", {"vectors": rows}).json["inserted_count"] == len(rows)
        assert server.stop() == 0, server.log()
        (image,) = pathlib.Path(server.directory / "data" / "vectors").rglob(f"*.{which}")
        content = image.read_bytes()
        if damage == "removed":
            image.unlink()
        elif damage == "truncated":
            image.write_bytes(content[: rng.randrange(len(content))])
        else:
            at = rng.randrange(8, 40)  # bytes between the sections of a graph mean nothing
            image.write_bytes(content[:at] + bytes([content[at] ^ 0x40]) + content[at + 1 :])
        server.start()
        check(server, [], known, rng)
        assert server.client().get("/recovery_status").json["path"] == "full_wal_replay"
