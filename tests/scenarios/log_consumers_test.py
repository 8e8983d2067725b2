"""Consumers of a log while others write: nothing is missed, nothing is seen twice."""

import concurrent.futures
import contextlib
import http.client
import random
import threading
import time

import pytest

from log_reading import Follower, position, put, read_log
from strata_server import Server, b64

SMALL_SEGMENTS = ("--log-segment-bytes", "4096")
WRITERS = 16


class Writers:
    """16 connections that write until they are told to stop; what was answered, in each one's order."""

    def __init__(self, server, base, writes=None):
        self.answered = [[] for _ in range(WRITERS)]
        self._stop = threading.Event()
        self._server, self._base, self._writes = server, base, writes
        self._pool = concurrent.futures.ThreadPoolExecutor(WRITERS)
        self._done = [self._pool.submit(self._run, index) for index in range(WRITERS)]

    def _run(self, index):
        client = self._server.client()
        number = 0
        while not self._stop.is_set() and (self._writes is None or number < self._writes):
            try:
                put(client, self._base, f"{index}-{number}", b"v" * (number * 37 % 300))
            except (OSError, http.client.HTTPException):
                break
            self.answered[index].append(number)
            number += 1
        client.close()

    def stop(self):
        self._stop.set()
        self.wait()

    def wait(self):
        for done in self._done:
            done.result()
        self._pool.shutdown()

    def count(self):
        return sum(len(numbers) for numbers in self.answered)


def check_order(records, answered=None):
    """lsn without a gap, positions that grow, each writer's keys in its order; all that was answered."""
    assert [record["lsn"] for record in records] == list(range(1, len(records) + 1))
    positions = [position(record) for record in records]
    assert positions == sorted(set(positions))
    seen = [[] for _ in range(WRITERS)]
    for record in records:
        index, number = record["ops"][0]["key"].split("-")
        seen[int(index)].append(int(number))
    for index, numbers in enumerate(seen):
        assert numbers == list(range(len(numbers)))
        if answered is not None:
            assert len(numbers) >= len(answered[index])


def consume(server, base, seed, total, kind):
    """Takes records until there are `total`, leaving after a few each time, and continues from the last position."""
    chance = random.Random(seed)
    records = []
    while len(records) < total:
        last = position(records[-1]) if records else None
        batch = chance.randint(1, 60)
        if kind == "poll":
            client = server.client()
            records += read_log(client, base, last, limit=batch)
            client.close()
        elif kind == "segments":
            # From the start of the last segment: what it has seen of that comes again, and nothing else.
            start = (last[0], 0) if last else (0, 0)
            known = [record for record in records if record["segmentId"] == start[0]]
            with Follower(server.port, base, after=start) as follower:
                assert follower.take(len(known)) == known
                records += follower.take(min(batch, total - len(records)))
        else:
            event_id = "{}:{}".format(*last) if last and kind == "events" else None
            after = last if kind == "lines" else None
            with Follower(server.port, base, after=after, events=kind == "events", last_event_id=event_id) as follower:
                assert follower.status == 200
                records += follower.take(min(batch, total - len(records)))
    return records


def test_many_consumers_see_each_record_once():
    writes = 60
    with Server(*SMALL_SEGMENTS) as server, concurrent.futures.ThreadPoolExecutor(7) as pool:
        base = "/api/v1/default"
        writers = Writers(server, base, writes)
        consumers = [pool.submit(consume, server, base, seed, WRITERS * writes, kind)
                     for seed, kind in enumerate(("poll", "lines", "events", "segments", "poll", "lines", "events"))]
        writers.wait()
        seen = [consumer.result() for consumer in consumers]
        client = server.client()
        everything = read_log(client, base)
        check_order(everything, writers.answered)
        assert len(everything) == WRITERS * writes
        assert everything[-1]["segmentId"] > 20
        for records in seen:
            assert records == everything
        # A restart forgets what was in memory; the positions stay.
        client.close()
        server.restart()
        client = server.client()
        assert read_log(client, base) == everything
        for record in random.Random(1).sample(everything, 20):
            assert read_log(client, base, position(record)) == everything[record["lsn"]:]
        client.close()


def test_a_hundred_readers_at_once():
    with Server(*SMALL_SEGMENTS, engine="memory") as server, contextlib.ExitStack() as stack:
        base = "/api/v1/default"
        client = server.client()
        put(client, base, "first")
        followers = [stack.enter_context(Follower(server.port, base, events=number % 2 == 0)) for number in range(100)]
        assert "strata_log_readers 100" in client.get("/metrics").body.decode()
        writers = Writers(server, base, 5)
        writers.wait()
        everything = read_log(client, base)
        assert len(everything) == 1 + 5 * WRITERS
        for follower in followers:
            assert follower.take(len(everything)) == everything
        client.close()


def test_a_kill_changes_no_position():
    with Server(*SMALL_SEGMENTS) as server:
        base = "/api/v1/default"
        chance = random.Random(7)
        known = []
        total = 0
        for run in range(4):
            with Follower(server.port, base, after=position(known[-1]) if known else None) as follower:
                writer = OneWriter(server, base, run)
                known += follower.take(chance.randint(20, 60))
                server.kill()
                writer.join()
                total += writer.answered
            server.start()
        client = server.client()
        everything = read_log(client, base)
        assert known == everything[:len(known)]
        assert [record["lsn"] for record in everything] == list(range(1, len(everything) + 1))
        assert len(everything) >= total
        client.close()


class OneWriter(threading.Thread):
    def __init__(self, server, base, number):
        super().__init__()
        self.server, self.base, self.number, self.answered = server, base, number, 0
        self.start()

    def run(self):
        client = self.server.client()
        try:
            while True:
                put(client, self.base, f"{self.number}-{self.answered}", b"v" * (self.answered % 200))
                self.answered += 1
        except (OSError, http.client.HTTPException):
            client.close()


def fill(client, base, count, size=400):
    items = [{"key": f"k{i}", "value": b64(b"v" * size)} for i in range(count)]
    for item in items:
        assert client.post(f"{base}/kv/batch", {"operation": "put", "items": [item]}).status == 200


@pytest.fixture
def forgetful():
    """A server that keeps 8 KiB of a log, in segments of 1 KiB."""
    with Server("--log-segment-bytes", "1024", "--log-retention-bytes", "8192", engine="memory") as server:
        yield server


def wait_until_dropped(client, base):
    deadline = time.monotonic() + 30
    while client.get(f"{base}/log?after_segment=0&limit=1").status != 410:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_what_is_no_longer_kept(forgetful):
    client = forgetful.client()
    base = "/api/v1/default"
    fill(client, base, 10)
    early = read_log(client, base)
    fill(client, base, 60)
    wait_until_dropped(client, base)
    kept = read_log(client, base)
    assert 0 < len(kept) < 40 and kept[-1]["lsn"] == 70
    assert kept[0]["lsn"] > 1
    for record in early:
        query = "after_segment={}&after_offset={}".format(*position(record))
        answer = client.get(f"{base}/log?{query}")
        assert answer.status == 410
        assert "no longer kept" in answer.json["error"]
    assert client.get(f"{base}/stats").json["opsReceived"] == 70
    assert read_log(client, base, position(kept[3])) == kept[4:]
    client.close()


def test_retention_overtakes_a_reader(forgetful):
    client = forgetful.client()
    base = "/api/v1/default"
    # More than what the sockets between the two hold.
    large = b"v" * 700_000
    for i in range(12):
        put(client, base, f"k{i}", large)
    with Follower(forgetful.port, base) as follower:
        first = follower.next()
        assert first["lsn"] >= 1
        for i in range(12, 24):
            put(client, base, f"k{i}", large)
        wait_until_dropped(client, base)
        deadline = time.monotonic() + 30
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            while time.monotonic() < deadline:
                if follower.next() is None:
                    break
    client.close()


def test_a_reader_that_stalls_holds_nothing_up():
    with Server(*SMALL_SEGMENTS, "--write-timeout-ms", "1000", engine="memory") as server:
        client = server.client()
        base = "/api/v1/default"
        for i in range(20):
            put(client, base, f"0-{i}", b"v" * 700_000)
        with Follower(server.port, base) as stalled:
            assert stalled.next()["lsn"] == 1
            for i in range(20, 40):
                put(client, base, f"0-{i}")
            assert len(read_log(client, base, limit=1)) == 1
            # It is cut, and may come back.
            deadline = time.monotonic() + 30
            while "strata_log_readers 0" not in client.get("/metrics").body.decode():
                assert time.monotonic() < deadline
                time.sleep(0.05)
        with Follower(server.port, base, after=(0, 0)) as again:
            assert [record["lsn"] for record in again.take(40)] == list(range(1, 41))
        client.close()


def test_a_stop_ends_streams():
    with Server(engine="memory") as server:
        client = server.client()
        base = "/api/v1/default"
        put(client, base, "k")
        client.close()
        with Follower(server.port, base) as lines, Follower(server.port, base, events=True) as events:
            assert lines.next() == events.next()
            assert server.stop() == 0
            assert lines.next() is None
            assert events.next() is None


def test_a_slow_start_reads_from_the_checkpoint():
    """After a restart the end is found without the segments that are gone, and counts go on."""
    with Server("--log-segment-bytes", "1024", "--log-retention-bytes", "8192") as server:
        client = server.client()
        base = "/api/v1/default"
        fill(client, base, 60)
        wait_until_dropped(client, base)
        before = client.get(f"{base}/offset").json
        kept = read_log(client, base)
        client.close()
        server.restart()
        client = server.client()
        assert client.get(f"{base}/offset").json == before
        assert client.get(f"{base}/stats").json["opsReceived"] == 60
        assert read_log(client, base) == kept
        put(client, base, "more")
        assert read_log(client, base, (before["segmentId"], before["offset"]))[0]["lsn"] == 61
        client.close()
