"""Leader and replica are killed at random moments, again and again, while clients write: in the end both are the same."""

import http.client
import os
import random
import threading
import time

import pytest

from replica_support import caught_up, everything, follower_of, leader_server, log_operations, namespaces, position, until
from strata_server import b64

LONG = bool(os.environ.get("STRATA_TEST_LONG"))
SECONDS = 1_800 if LONG else 5
BASE = "/api/v1/default"
OBJECTS = [f"object{i}" for i in range(8)]


class Writer(threading.Thread):
    """Writes of every kind, until it is told to end. What a kill left open stays open: who is right shows the log."""

    def __init__(self, leader, seed):
        super().__init__(daemon=True)
        self.leader = leader
        self.random = random.Random(seed)
        self.stopping = threading.Event()
        self.acknowledged = 0
        self.refused = []

    def run(self):
        client = self.leader.client(timeout_s=30)
        while not self.stopping.is_set():
            try:
                answer = self.write(client)
                if answer.status in (200, 201):
                    self.acknowledged += 1
                elif answer.status != 503:
                    self.refused.append(answer)
            except (OSError, http.client.HTTPException):
                self.stopping.wait(0.02)
        client.close()

    def write(self, client):
        draw = self.random
        key = f"key{draw.randrange(60)}"
        value = draw.randbytes(draw.choice((0, 10, 100, 1_000, 120_000)))
        kind = draw.randrange(12)
        if kind < 4:
            return client.put(f"{BASE}/kv/{key}", {"value": b64(value)})
        if kind == 4:
            return client.delete(f"{BASE}/kv/{key}")
        if kind == 5:
            items = [{"key": f"batch{draw.randrange(100)}", "value": b64(draw.randbytes(20))} for _ in range(40)]
            return client.post(f"{BASE}/kv/batch", {"operation": "put", "items": items})
        if kind == 6:
            return client.put(f"{BASE}/row/{key}", {"columns": {f"c{draw.randrange(5)}": b64(value), "d": ""}})
        if kind == 7:
            return client.delete(f"{BASE}/row/{key}/columns?columns=d,c{draw.randrange(5)}")
        if kind == 8:
            return client.delete(f"{BASE}/row/{key}")
        if kind == 9:
            return client.delete(f"{BASE}/lob/{draw.choice(OBJECTS)}")
        return client.put(f"{BASE}/lob/{draw.choice(OBJECTS)}", draw.randbytes(draw.choice((0, 1_000, 300_000))))


def assert_same(ours, theirs):
    caught_up(ours, theirs)
    assert everything(theirs) == everything(ours)
    for key in OBJECTS:
        here, there = (client.get(f"{BASE}/lob/{key}") for client in (theirs, ours))
        assert here.status == there.status and here.body == there.body, key


def kill_in_turn(draw, leader, replica, seconds):
    """How often each was killed, and how many copies the replica made besides the first."""
    kills = {leader: 0, replica: 0}
    copies = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        # Not a wait for something: moments to kill at are what is being drawn.
        time.sleep(draw.random() * 0.5)
        for server in draw.choice(((leader,), (replica,), (leader, replica), (replica, leader))):
            if server is replica:
                copies += namespaces(replica.client()).get("default", {}).get("copies", 0)
            server.kill()
            kills[server] += 1
            if draw.random() < 0.3:
                time.sleep(draw.random() * 0.3)
        for server in (leader, replica):
            if server.process is None:
                server.start()
    return kills, copies


@pytest.mark.parametrize("durability", ["sync", "async"])
def test_killed_again_and_again(durability):
    seed = random.SystemRandom().randrange(1 << 32) if LONG else 7
    draw = random.Random(seed)
    limits = ("--log-segment-bytes", str(4 << 20), "--log-retention-bytes", str(1 << 40))
    with leader_server("--durability", durability, *limits) as leader:
        ours = leader.client()
        with follower_of(leader, "--durability", durability, *limits) as replica:
            caught_up(ours, replica.client())
            writers = [Writer(leader, draw.random()) for _ in range(4)]
            for writer in writers:
                writer.start()
            kills, copies = kill_in_turn(draw, leader, replica, SECONDS)
            for writer in writers:
                writer.stopping.set()
            for writer in writers:
                writer.join()
            assert not [answer for writer in writers for answer in writer.refused], seed
            assert min(kills.values()) >= 2 and all(writer.acknowledged > 10 for writer in writers), (seed, kills)
            ours, theirs = leader.client(), replica.client()
            assert_same(ours, theirs)
            copies += namespaces(theirs)["default"]["copies"]
            if durability == "sync":
                # Nothing was lost anywhere: the first copy, of nothing, was the only one; each record came once.
                assert copies == 1, seed
                assert log_operations(theirs) == log_operations(ours), seed
            # And it goes on.
            assert ours.put(f"{BASE}/kv/last", {"value": b64(b"1")}).status == 200
            assert_same(ours, theirs)
            assert replica.stop() == 0 and leader.stop() == 0


def test_namespaces_while_the_replica_is_killed():
    """Deleted, made, made anew under the same name, with a copy half done or its namespace half gone."""
    draw = random.Random(3)
    with leader_server() as leader, follower_of(leader) as replica:
        ours = leader.client()
        for _ in range(400 if LONG else 12):
            for name in ("one", "two", "three"):
                if draw.random() < 0.5:
                    ours.delete(f"/api/v1/{name}")
                if draw.random() < 0.7:
                    assert ours.put(f"/api/v1/{name}").status in (200, 201)
                    for i in range(draw.randrange(4)):
                        answer = ours.put(f"/api/v1/{name}/kv/{draw.randrange(20)}", {"value": b64(draw.randbytes(50_000))})
                        assert answer.status == 200
            time.sleep(draw.random() * 0.2)
            replica.kill()
            replica.start()
        theirs = replica.client()
        names = {entry["name"] for entry in ours.get("/api/v1").json["namespaces"]}
        until(lambda: set(namespaces(theirs)) == names, f"the namespaces {names}")
        for name in names:
            caught_up(ours, theirs, name)
            assert everything(theirs, name) == everything(ours, name), name
            _, log_id = position(ours, name)
            assert namespaces(theirs)[name]["logId"] == log_id
        assert {entry["name"] for entry in theirs.get("/api/v1").json["namespaces"]} == names
