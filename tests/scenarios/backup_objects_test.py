"""Large objects in backups, and what a restore means to those who follow the log."""

import os
import zlib

from backup_help import API, backups_of, put, restored, take_segments, take_snapshot
from log_reading import read_log
from strata_server import Server

BASE = f"{API}default"


def put_object(client, key, content):
    answer = client.put(f"{BASE}/lob/{key}", content)
    assert answer.status == 200, answer
    position = client.get(f"{BASE}/offset").json
    return f"{position['segmentId']}:{position['offset']}"


def commit_object(client, key, pieces):
    """By a transaction of several requests."""
    transaction = client.post(f"{BASE}/tx/begin", {"operation": "put", "entryType": "lob"}).json["txnId"]
    for piece in pieces:
        assert client.post(f"{BASE}/tx/{transaction}/lob?key={key}", piece).status == 200
    assert client.post(f"{BASE}/tx/{transaction}/commit").status == 200


def check_objects(client, namespace, expected):
    for key in ("large", "replaced", "empty", "pieces", "gone"):
        answer = client.get(f"{API}{namespace}/lob/{key}")
        if key not in expected:
            assert answer.status == 404, (namespace, key)
            continue
        assert (answer.status, answer.body == expected[key]) == (200, True), (namespace, key)
        assert int(answer.headers["X-Checksum"]) == zlib.crc32(expected[key])


def test_objects_come_back(tmp_path):
    large, first, second = os.urandom(3_000_000), os.urandom(200_000), os.urandom(98_304)
    pieces = [os.urandom(70_000) for _ in range(4)]
    with Server(directory=tmp_path) as server:
        client = server.client()
        put_object(client, "large", large)
        early = put_object(client, "replaced", first)
        put_object(client, "empty", b"")
        early_state = {"large": large, "replaced": first}
        put_object(client, "gone", b"soon")
        snapshot = take_snapshot(client, "default")
        put_object(client, "replaced", second)
        commit_object(client, "pieces", pieces)
        assert client.delete(f"{BASE}/lob/gone").status == 200
        state = {"large": large, "replaced": second, "empty": b"", "pieces": b"".join(pieces)}
        take_segments(client, "default")
        wal = backups_of(server, "default") / "wal"
        assert (wal / "000000001.wal").stat().st_size > len(large)
        server.stop()
        for name, arguments in {"snapshot": ["--snapshot", snapshot], "both": ["--snapshot", snapshot, "--wal", wal],
                                "segments": ["--wal", wal], "early": ["--wal", wal, "--to", early]}.items():
            output = restored(tmp_path, name, "--source", "default", *arguments)
            assert (", 4 objects of 3200004 bytes" in output) == (name == "snapshot"), output
        server.start()
        client = server.client()
        check_objects(client, "snapshot", {**early_state, "empty": b"", "gone": b"soon"})
        check_objects(client, "both", state)
        check_objects(client, "segments", state)
        check_objects(client, "early", early_state)
        # A backup of what was restored: no record of its log names its objects.
        again = take_snapshot(client, "both", "again.db")
        server.stop()
        restored(tmp_path, "again", "--source", "both", "--snapshot", again)
        server.start()
        check_objects(server.client(), "again", state)


def test_a_restore_is_another_log(tmp_path):
    with Server(directory=tmp_path) as server:
        client = server.client()
        for i in range(3):
            put(client, "default", f"k{i}", b"v")
        log_id = client.get(f"{BASE}/offset").headers["X-Log-Id"]
        records = read_log(client, BASE)
        snapshot = take_snapshot(client, "default")
        server.stop()
        restored(tmp_path, "default", "--snapshot", snapshot, "--force")
        server.start()
        client = server.client()
        answer = client.get(f"{BASE}/offset")
        assert answer.headers["X-Log-Id"] != log_id
        assert (answer.json["segmentId"], answer.json["offset"]) == (records[-1]["segmentId"], records[-1]["offset"])
        # Who says which log it follows is told; without that, records that are only in the backup are not kept.
        assert client.get(f"{BASE}/log?log={log_id}").status == 410
        assert client.get(f"{BASE}/log?after_segment=0").status == 410
        assert client.get(f"{BASE}/log?after_segment=1&after_offset={records[0]['offset']}").status == 410
        assert read_log(client, BASE) == []
        put(client, "default", "after", b"v")
        (record,) = read_log(client, BASE, (records[-1]["segmentId"], records[-1]["offset"]))
        assert (record["segmentId"], record["lsn"]) == (2, 4)
        assert read_log(client, BASE) == [record]
        stats = client.get(f"{BASE}/stats").json
        assert (stats["opsReceived"], stats["currentSegment"]) == (1, 2)
