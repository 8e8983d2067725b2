"""A backup holds nothing that a power cut then takes back from the store, though the server acknowledges unsynced writes:
else the files would not join what the store goes on with."""

import json
import os
import pathlib
import random
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import crash_loop
import onlookers

BINARY = pathlib.Path(os.environ["STRATA_BINARY"]).resolve()


def lose_all():
    chance = random.Random()
    chance.random = lambda: 0.0
    return chance


def start(data):
    server = crash_loop.Server(BINARY, data, "async", str(BINARY.with_name("libpower_loss.so")))
    server.wait_ready()
    return server


def put_some(server, life):
    for i in range(20):
        onlookers.request(server.port, "PUT", "/kv/%d-%d" % (life, i), {"value": "bGlmZQ=="})


def cut_power(server):
    server.kill()
    server.reap(lose_all())


def restore(*arguments):
    done = subprocess.run([BINARY, "restore", "--namespace", "default", *map(str, arguments)], capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def keys_of(server):
    return {row["key"]: row["value"] for row in onlookers.request(server.port, "GET", "/kv?limit=1000")["items"]}


def test_segments_that_were_copied_stay_what_they_are(tmp_path):
    data, last = tmp_path / "data", 0
    for life in range(6):
        server = start(data)
        put_some(server, life)
        answer = onlookers.request(server.port, "POST", "/wal/backup", {"backupDir": "wal", "afterSegmentId": last})
        cut_power(server)
        last = max(segment["segmentId"] for segment in answer["backups"])
    restore("--wal", data / "backups/default/wal", "--dry-run")
    server = start(data)
    assert last == 6
    assert len(keys_of(server)) == 120
    server.stop()


def test_a_snapshot_and_the_segments_behind_it_are_what_the_store_is(tmp_path):
    data, copy = tmp_path / "data", tmp_path / "copy"
    server = start(data)
    put_some(server, 0)
    snapshot = onlookers.request(server.port, "POST", "/btree/backup", {"path": "snapshots/1.db"})["path"]
    cut_power(server)
    server = start(data)
    put_some(server, 1)
    onlookers.request(server.port, "POST", "/wal/backup", {"backupDir": "wal", "afterSegmentId": 0})
    wanted = keys_of(server)
    server.stop()
    backups = data / "backups/default"
    restore("--database", copy, "--snapshot", backups / snapshot, "--wal", backups / "wal")
    server = start(copy)
    assert keys_of(server) == wanted
    server.stop()
