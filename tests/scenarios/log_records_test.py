"""GET /offset, /stats, /checkpoint, /log and /api/v1: every field, parameter and error."""

import datetime
import json
import time
import urllib.parse
import zlib

import pytest

from log_reading import Follower, position, put, read_log
from strata_server import Server, b64


def eventually(what, timeout_s=30):
    deadline = time.monotonic() + timeout_s
    while True:
        value = what()
        if value or time.monotonic() > deadline:
            return value
        time.sleep(0.02)


def test_a_fresh_namespace(client, namespace, base):
    assert client.get(f"{base}/offset").json == {"namespace": namespace, "segmentId": 0, "offset": 0}
    assert client.get(f"{base}/stats").json == {"namespace": namespace, "opsReceived": 0, "opsFlushed": 0, "currentSegment": 0,
                                                "currentOffset": 0, "lastFlushTime": None}
    assert client.get(f"{base}/checkpoint").json == {"namespace": namespace, "recordProcessed": 0, "segmentId": 0, "offset": 0}
    assert read_log(client, base) == []
    assert read_log(client, base, (0, 0)) == []
    assert read_log(client, base, follow="false") == []


def test_what_a_record_says(client, base):
    before = datetime.datetime.now(datetime.timezone.utc)
    put(client, base, "greeting", b"hello")
    version = client.get(f"{base}/kv/greeting").headers["X-Version"]
    (record,) = read_log(client, base)
    assert record["ops"] == [{"op": "put", "key": "greeting", "value": b64(b"hello")}]
    assert (record["segmentId"], record["lsn"], record["version"]) == (1, 1, version)
    assert record["timestamp"].endswith("Z")
    written = datetime.datetime.fromisoformat(record["timestamp"].replace("Z", "+00:00"))
    assert abs((written - before).total_seconds()) < 60
    offset = client.get(f"{base}/offset")
    assert (offset.json["segmentId"], offset.json["offset"]) == position(record)
    assert set(record) == {"segmentId", "offset", "lsn", "timestamp", "version", "ops"}


def test_every_operation(client, base):
    assert client.post(f"{base}/kv/batch", {"operation": "put", "items": [{"key": "a", "value": ""}, {"key": "a", "value": b64(b"2")}]}).status == 200
    assert client.post(f"{base}/kv/batch", {"operation": "delete", "keys": ["a", "none"]}).status == 200
    assert client.put(f"{base}/row/r", {"columns": {"x": b64(b"1"), "y": ""}}).status == 200
    assert client.put(f"{base}/row/bare", {"columns": {}}).status == 200
    assert client.delete(f"{base}/row/r/columns?columns=x,z").status == 200
    assert client.delete(f"{base}/row/r").status == 200
    assert client.delete(f"{base}/kv/absent").status == 200
    assert client.put(f"{base}/lob/o", b"object").status == 200
    assert client.delete(f"{base}/lob/o").status == 200
    records = read_log(client, base)
    ops = [record["ops"] for record in records]
    lob = ops[7][0]
    assert len(lob.pop("object")) == 32
    assert ops == [
        [{"op": "put", "key": "a", "value": ""}, {"op": "put", "key": "a", "value": b64(b"2")}],
        [{"op": "delete", "key": "a"}, {"op": "delete", "key": "none"}],
        [{"op": "put_row", "key": "r", "columns": {"x": b64(b"1"), "y": ""}}],
        [{"op": "put_row", "key": "bare", "columns": {}}],
        [{"op": "delete_columns", "key": "r", "columns": {"x": "", "z": ""}}],
        [{"op": "delete_row", "key": "r"}],
        [{"op": "delete", "key": "absent"}],
        [{"op": "put_lob", "key": "o", "size": 6, "checksum": zlib.crc32(b"object")}],
        [{"op": "delete_lob", "key": "o"}],
    ]
    assert [record["lsn"] for record in records] == list(range(1, 10))
    stats = client.get(f"{base}/stats").json
    assert (stats["opsReceived"], stats["opsFlushed"]) == (11, 11)
    assert (stats["currentSegment"], stats["currentOffset"]) == position(records[-1])
    assert stats["lastFlushTime"] == records[-1]["timestamp"][:19] + "Z"


def test_keys_and_names_that_are_no_text(client, base):
    key = b"k\xff\x00"
    quoted = urllib.parse.quote_from_bytes(key, safe="")
    assert client.put(f"{base}/kv/{quoted}", {"value": b64(b"v")}).status == 200
    assert client.put(f"{base}/row/{quoted}", {"columns": {"a": b64(b"1")}}).status == 200
    assert client.delete(f"{base}/row/{quoted}/columns?columns=a,%FE,%FD").status == 200
    shown = "k\ufffd\x00"
    assert [record["ops"][0] for record in read_log(client, base)] == [
        {"op": "put", "key": shown, "keyBase64": b64(key), "value": b64(b"v")},
        {"op": "put_row", "key": shown, "keyBase64": b64(key), "columns": {"a": b64(b"1")}},
        {"op": "delete_columns", "key": shown, "keyBase64": b64(key), "columns": {"a": ""},
         "columnsBase64": {b64(b"\xfe"): "", b64(b"\xfd"): ""}},
    ]


@pytest.mark.parametrize("size", [89_000, 90_000, 100_000, 700_000])
def test_large_records(client, base, size):
    value = bytes(i % 251 for i in range(size))
    put(client, base, "large", value)
    put(client, base, "small")
    records = read_log(client, base)
    assert [record["ops"][0]["key"] for record in records] == ["large", "small"]
    assert records[0]["ops"][0]["value"] == b64(value)


def test_reading_from_every_position(client, base):
    for i in range(20):
        put(client, base, f"k{i}", b"v" * i)
    records = read_log(client, base)
    assert read_log(client, base, (0, 0)) == read_log(client, base, (1, 0)) == records
    for i, record in enumerate(records):
        assert read_log(client, base, position(record)) == records[i + 1:]
        assert read_log(client, base, position(record), limit=3) == records[i + 1:i + 4]
    assert read_log(client, base, limit=5) == records[:5]
    assert [json.loads(line) for line in client.get(f"{base}/log?after_segment=1").body.splitlines()] == records
    assert [json.loads(line) for line in client.get(f"{base}/log?after_offset=0").body.splitlines()] == records


def test_what_is_refused(client, base):
    put(client, base, "k")
    put(client, base, "k")
    first, last = read_log(client, base)
    for query in ("after_segment=x", "after_segment=-1", "after_segment=", "after_segment=1&after_offset=01", "after_segment=1&after_offset=+1",
                  "after_segment=18446744073709551616", "after_offset=5", "limit=0", "limit=-1", "limit=x", "follow=maybe", "follow=",
                  f"after_segment=1&after_offset={last['offset'] + 1}", f"after_segment=1&after_offset={last['offset'] - 1}",
                  "after_segment=1&after_offset=1", "after_segment=2", "after_segment=18446744073709551615&after_offset=18446744073709551615"):
        answer = client.get(f"{base}/log?{query}")
        assert answer.status == 400, query
        assert answer.json["error"], query
    for event_id in ("1", "1:x", ":", "1:1"):
        answer = client.get(f"{base}/log", headers={"Accept": "text/event-stream", "Last-Event-ID": event_id})
        assert answer.status == 400, event_id
    # NDJSON knows no events.
    assert client.get(f"{base}/log", headers={"Last-Event-ID": "nonsense"}).status == 200
    for path in ("log", "offset", "stats", "checkpoint"):
        assert client.post(f"{base}/{path}").status == 405
    for path in ("log", "log?limit=x", "offset", "stats", "checkpoint"):
        answer = client.get(f"/api/v1/no-such/{path}")
        assert (answer.status, answer.json) == (404, {"error": "namespace not found: no-such"})
    assert first["lsn"] == 1


def test_the_log_id(client, base, server):
    answers = [client.get(f"{base}/{path}") for path in ("offset", "stats", "checkpoint", "log")]
    ids = {answer.headers["X-Log-Id"] for answer in answers}
    assert len(ids) == 1
    (log_id,) = ids
    store, number = log_id.rsplit("-", 1)
    assert len(store) == 32 and int(store, 16) and int(number) > 0
    assert client.get(f"{base}/log?log={log_id}").status == 200
    answer = client.get(f"{base}/log?log={log_id}0")
    assert answer.status == 410
    put(client, base, "k")
    assert client.delete(base).status == 200
    assert client.put(base).status == 201
    assert client.get(f"{base}/log?log={log_id}").status == 410
    assert client.get(f"{base}/offset").headers["X-Log-Id"] != log_id
    assert read_log(client, base) == []


def test_head(client, base):
    put(client, base, "k")
    for path in ("log", "offset", "stats", "checkpoint"):
        answer = client.request("HEAD", f"{base}/{path}")
        assert (answer.status, answer.body) == (200, b"")
        assert answer.headers["X-Log-Id"]


def test_the_list_of_namespaces(client, namespace, base):
    everything = client.get("/api/v1").json
    names = [entry["name"] for entry in everything["namespaces"]]
    assert everything["more"] is False
    assert names == sorted(names) and namespace in names and "default" in names
    mine = next(entry for entry in everything["namespaces"] if entry["name"] == namespace)
    assert mine == {"name": namespace, "logId": client.get(f"{base}/offset").headers["X-Log-Id"]}
    paged = []
    after = ""
    while True:
        page = client.get(f"/api/v1?limit=1&after={after}").json
        assert len(page["namespaces"]) <= 1
        paged += page["namespaces"]
        if not page["more"]:
            break
        after = page["namespaces"][-1]["name"]
    assert namespace in [entry["name"] for entry in paged]
    for query in ("limit=0", "limit=10001", "limit=x"):
        assert client.get(f"/api/v1?{query}").status == 400
    assert client.get("/api/v1?after=" + "z" * 20_000).json == {"namespaces": [], "more": False}


def test_the_checkpoint_follows(client, base):
    for i in range(3):
        put(client, base, f"k{i}")
    last = read_log(client, base)[-1]
    assert eventually(lambda: client.get(f"{base}/checkpoint").json["recordProcessed"] == 3)
    checkpoint = client.get(f"{base}/checkpoint").json
    assert (checkpoint["segmentId"], checkpoint["offset"]) == position(last)


def test_events(client, server, base):
    for i in range(3):
        put(client, base, f"k{i}")
    records = read_log(client, base)
    with Follower(server.port, base, events=True, follow="false") as follower:
        assert follower.response.headers["Content-Type"] == "text/event-stream"
        assert follower.take(4) == records + [None]
    with Follower(server.port, base, events=True, last_event_id="{}:{}".format(*position(records[0])), after=(1, 0)) as follower:
        assert follower.take(2) == records[1:]
        put(client, base, "k3")
        assert follower.next()["ops"][0]["key"] == "k3"
    with Follower(server.port, base, events=True, limit=2) as follower:
        assert follower.take(3) == records[:2] + [None]


def test_following(client, server, base):
    with Follower(server.port, base) as early, Follower(server.port, base, limit=3) as limited:
        for i in range(5):
            put(client, base, f"k{i}")
        records = read_log(client, base)
        assert early.take(5) == records
        assert limited.take(4) == records[:3] + [None]


def test_a_deleted_namespace_ends_its_streams(client, server):
    base = "/api/v1/scenario-log-deleted"
    assert client.put(base).status == 201
    put(client, base, "k")
    with Follower(server.port, base) as lines, Follower(server.port, base, events=True) as events:
        assert lines.next() == events.next()
        assert client.delete(base).status == 200
        assert lines.next() is None
        assert events.next() is None
    assert client.get(f"{base}/log").status == 404


def test_async_durability(tmp_path):
    with Server("--durability", "async") as server:
        client = server.client()
        base = "/api/v1/default"
        put(client, base, "k")
        assert client.get(f"{base}/log").headers["X-Durability"] == "async"
        assert client.get(f"{base}/stats").json["opsReceived"] == 1
        assert eventually(lambda: client.get(f"{base}/stats").json["opsFlushed"] == 1)
        stats = client.get(f"{base}/stats").json
        assert stats["lastFlushTime"]
        client.close()


def test_options_that_are_refused():
    for option in ("--log-segment-bytes=10", "--log-retention-bytes=x", "--log-retention-age-hours=0"):
        with pytest.raises(AssertionError, match="ended with"):
            Server(option)


def test_keys_are_asked_for():
    with Server(engine="memory", environment={"STRATA_API_KEYS": "secret"}) as server:
        client = server.client()
        for path in ("/api/v1", "/api/v1/default/log", "/api/v1/default/offset", "/api/v1/default/stats", "/api/v1/default/checkpoint"):
            assert client.get(path).status == 401
            assert client.get(path, headers={"X-API-Key": "secret"}).status == 200
        client.close()
