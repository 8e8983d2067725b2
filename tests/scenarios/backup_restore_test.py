"""`strata restore`: what comes back, to which point, and everything that is refused."""

import os
import pathlib
import re
import shutil
import subprocess
import threading
import time

import pytest

from backup_help import API, backups_of, columns, frames, put, restore, restored, take_segments, take_snapshot, value
from strata_server import Server, b64, binary


def until(condition, limit_s=60):
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def position(output):
    return re.search(r"state of (\d+:\d+), record (\d+)", output).groups()


def tree(directory):
    return {str(path.relative_to(directory)): path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    """A namespace with a snapshot in the middle of its history, segments of all of it, and what it was at each record."""
    directory = tmp_path_factory.mktemp("history")
    with Server(directory=directory) as server:
        client = server.client()
        assert client.put(f"{API}source").status == 201
        states = [{}]

        def step(key, new):
            put(client, "source", key, new)
            states.append({**states[-1], key: b64(new)})

        for i in range(5):
            step(f"k{i % 3}", b"%d" % i)
        first = take_segments(client, "source", "all")
        step("large", os.urandom(250_000))
        client.put(f"{API}source/row/r", {"columns": {"a": b64(b"1"), "b": b64(os.urandom(150_000))}})
        states.append(states[-1])
        client.put(f"{API}source/row/gone", {"columns": {"a": ""}})
        states.append(states[-1])
        client.delete(f"{API}source/row/gone")
        states.append(states[-1])
        snapshot = take_snapshot(client, "source", "middle.db")
        middle = len(states) - 1
        for i in range(5):
            step(f"k{i % 3}", b"later %d" % i)
        take_segments(client, "source", "all", after=first[-1]["segmentId"])
        client.delete(f"{API}source/kv/k0")
        states.append({key: kept for key, kept in states[-1].items() if key != "k0"})
        take_segments(client, "source", "all", after=2)
        row = columns(client, "source", "r")
        assert server.stop() == 0
        kept = directory / "kept"
        shutil.copytree(backups_of(server, "source"), kept)
        yield {"directory": kept, "snapshot": kept / "middle.db", "wal": kept / "all", "states": states, "middle": middle, "row": row}
        assert snapshot.name == "middle.db"


def check_state(server, namespace, state):
    client = server.client()
    for key in ["k0", "k1", "k2", "large"]:
        assert value(client, namespace, key) == state.get(key, ""), key


def test_a_snapshot_comes_back(history, tmp_path):
    output = restored(tmp_path, "copy", "--source", "source", "--snapshot", history["snapshot"])
    assert output.startswith("restored copy from 1 file: 4 values, 1 rows, 0 objects of 0 bytes, 0 log records; state of 2:")
    with Server(directory=tmp_path) as server:
        check_state(server, "copy", history["states"][history["middle"]])
        assert columns(server.client(), "copy", "r") == history["row"]
        assert server.client().get(f"{API}copy/row/gone").status == 404


def test_a_snapshot_and_segments_come_back(history, tmp_path):
    output = restored(tmp_path, "source", "--snapshot", history["snapshot"], "--wal", history["wal"])
    assert position(output)[1] == str(len(history["states"]) - 1)
    with Server(directory=tmp_path) as server:
        check_state(server, "source", history["states"][-1])


def test_segments_alone_come_back(history, tmp_path):
    files = sorted(history["wal"].iterdir(), reverse=True)
    output = restored(tmp_path, "source", *[argument for file in files for argument in ("--wal", file)])
    assert position(output)[1] == str(len(history["states"]) - 1)
    with Server(directory=tmp_path) as server:
        check_state(server, "source", history["states"][-1])
        assert columns(server.client(), "source", "r") == history["row"]


def positions(history):
    """Of every record, as the refusals tell them."""
    found = {}
    for segment in (1, 2, 3):
        offset = 0
        while True:
            ended = restore(history["directory"], "source", "--wal", history["wal"], "--dry-run", "--to", f"{segment}:{offset + 1}")
            around = re.search(r"end at (\d+):(\d+) \(record (\d+)\) and (\d+):(\d+) \(record (\d+)\)", ended.stderr)
            if not around or int(around[4]) != segment:
                break
            offset = int(around[5])
            found[int(around[6])] = f"{segment}:{offset}"
    return found


def test_every_point_in_time(history, tmp_path):
    found = positions(history)
    assert sorted(found) == list(range(1, len(history["states"])))
    for lsn in (1, 3, 5, 6, 10, len(history["states"]) - 1):
        output = restored(tmp_path, f"at{lsn}", "--source", "source", "--wal", history["wal"], "--to", found[lsn])
        assert position(output) == (found[lsn], str(lsn))
    for lsn in (history["middle"], history["middle"] + 2):
        restored(tmp_path, f"from{lsn}", "--source", "source", "--snapshot", history["snapshot"], "--wal", history["wal"],
                 "--to", found[lsn])
    # The start of a segment is the end of the one before.
    assert position(restored(tmp_path, "start2", "--source", "source", "--wal", history["wal"], "--to", "2:0"))[1] == "5"
    assert position(restored(tmp_path, "start4", "--source", "source", "--wal", history["wal"], "--to", "4:0"))[0] == found[len(history["states"]) - 1]
    # The snapshot is of a later time.
    early = restore(tmp_path, "early", "--source", "source", "--snapshot", history["snapshot"], "--to", found[4])
    assert early.returncode == 2 and "use an older one" in early.stderr
    late = restore(tmp_path, "late", "--source", "source", "--snapshot", history["snapshot"], "--to", "9:9")
    assert late.returncode == 2 and "before 9:9" in late.stderr
    with Server(directory=tmp_path) as server:
        for lsn in (1, 3, 5, 6, 10):
            check_state(server, f"at{lsn}", history["states"][lsn])
        for lsn in (history["middle"], history["middle"] + 2):
            check_state(server, f"from{lsn}", history["states"][lsn])
        for absent in ("early", "late"):
            assert server.client().get(f"{API}{absent}/kv/k0").status == 404


def test_the_log_goes_on_behind_what_was_restored(history, tmp_path):
    output = restored(tmp_path, "source", "--snapshot", history["snapshot"], "--wal", history["wal"])
    segment = int(position(output)[0].split(":")[0])
    with Server(directory=tmp_path) as server:
        client = server.client()
        # A script that remembers the last segment misses nothing.
        assert take_segments(client, "source", "new", after=segment) == []
        put(client, "source", "k1", b"after")
        assert [backup["segmentId"] for backup in take_segments(client, "source", "new", after=segment)] == [segment + 1]
        snapshot = take_snapshot(client, "source", "new.db")
        server.stop()
        again = tmp_path / "again"
        output = restored(again, "source", "--snapshot", snapshot)
        assert int(position(output)[1]) == len(history["states"])
    # Backups from before and after a restore are of different logs.
    mixed = restore(tmp_path / "mixed", "source", "--wal", history["wal"], "--wal", backups_of(server, "source") / "new")
    assert mixed.returncode == 2 and "another log" in mixed.stderr


def test_existing_data_needs_force(history, tmp_path):
    arguments = ["--snapshot", history["snapshot"], "--wal", history["wal"]]
    restored(tmp_path, "source", *arguments)
    twice = restore(tmp_path, "source", *arguments)
    assert twice.returncode == 2 and "--force" in twice.stderr
    with Server(directory=tmp_path) as server:
        put(server.client(), "source", "extra", b"1")
        put(server.client(), "default", "other", b"1")
        server.stop()
        assert restore(tmp_path, "source", *arguments).returncode == 2
        restored(tmp_path, "source", *arguments, "--force")
        restored(tmp_path, "source", *arguments, "--force")
        server.start()
        check_state(server, "source", history["states"][-1])
        assert server.client().get(f"{API}source/kv/extra").status == 404
        assert server.client().get(f"{API}default/kv/other").status == 200
        # An empty one needs none: `default` always stands.
        assert server.client().put(f"{API}empty").status == 201
        server.stop()
        restored(tmp_path, "empty", "--source", "source", *arguments)


def test_a_dry_run_changes_nothing(history, tmp_path):
    arguments = ["--snapshot", history["snapshot"], "--wal", history["wal"], "--dry-run"]
    output = restored(tmp_path, "source", *arguments)
    assert output.startswith("sound, nothing was changed: source from 4 files: 4 values, 1 rows")
    assert not (tmp_path / "data").exists()
    with Server(directory=tmp_path) as server:
        put(server.client(), "default", "a", b"1")
        # Beside a server too: the directory is not looked at.
        restored(tmp_path, "default", "--source", "source", *arguments)
        server.stop()
        before = tree(tmp_path / "data")
        restored(tmp_path, "default", "--source", "source", *arguments)
        assert tree(tmp_path / "data") == before


def test_damage_is_refused(history, tmp_path):
    whole = history["snapshot"].read_bytes()
    ends = frames(whole)
    cuts = {0, 1, 8, 9} | {place for place in ends[:-1]} | {place + 5 for place in ends[:-1]} | {place + 13 for place in ends[:-1]} | {len(whole) - 1}
    damaged = [whole[:cut] for cut in sorted(cuts)]
    for place in sorted({0, 8} | {begin + offset for begin in ends[:-1] for offset in (0, 8, 9, 12, 13, 20)} | {len(whole) - 1, len(whole) // 2}):
        flipped = bytearray(whole)
        flipped[place] ^= 0x10
        damaged.append(bytes(flipped))
    damaged.append(whole + b"x")
    damaged.append(whole[:ends[2]] + whole[ends[1]:])
    for content in damaged:
        (tmp_path / "x.db").write_bytes(content)
        ended = restore(tmp_path, "source", "--snapshot", tmp_path / "x.db", "--dry-run")
        assert ended.returncode == 4, ended
        assert "x.db: " in ended.stderr
    # Not only in a dry run, and then nothing is left.
    ended = restore(tmp_path, "source", "--snapshot", tmp_path / "x.db")
    assert ended.returncode == 4
    with Server(directory=tmp_path) as server:
        assert server.client().get(f"{API}source/kv/k1").status == 404
        assert "cleared" not in server.log()


def test_what_does_not_belong_together(history, tmp_path):
    def refused(message, *arguments, namespace="source", code=2):
        ended = restore(tmp_path, namespace, *arguments)
        assert (ended.returncode, ended.stdout) == (code, ""), ended
        assert message in ended.stderr, ended.stderr

    segment = {int(path.name[:9]): path for path in history["wal"].iterdir()}
    refused("name a snapshot")
    refused("a gap", "--wal", segment[1], "--wal", segment[3])
    refused("are missing", "--wal", segment[2])
    refused("is a backup of the namespace source, not of other", "--wal", segment[1], namespace="other")
    refused("is a snapshot, no segment", "--wal", history["snapshot"])
    refused("is a segment of a log, no snapshot", "--snapshot", segment[1])
    refused("No such file", "--snapshot", tmp_path / "absent", code=1)
    (tmp_path / "empty").mkdir()
    refused("holds no files", "--wal", tmp_path / "empty")
    refused("invalid namespace name", "--wal", segment[1], namespace="../x")
    refused("is reserved", "--wal", segment[1], namespace="backups")
    refused("not SEGMENT:OFFSET", "--wal", segment[1], "--to", "3")
    refused("not SEGMENT:OFFSET", "--wal", segment[1], "--to", "1:-1")
    refused("before 2:1", "--wal", segment[1], "--to", "2:1")
    # Overlapping files are passed over.
    restored(tmp_path, "source", "--wal", history["wal"], "--wal", segment[2], "--wal", segment[1])


def test_wrong_usage(tmp_path):
    for arguments in ([], ["--namespace"], ["--namespace", "a", "--wall", "x"], ["--namespace", "a", "--snapshot"]):
        ended = subprocess.run([binary(), "restore", *arguments], capture_output=True, text=True, timeout=60, cwd=tmp_path)
        assert ended.returncode == 2, arguments
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_is_in_use(history, tmp_path):
    with Server(directory=tmp_path):
        ended = restore(tmp_path, "source", "--snapshot", history["snapshot"])
        assert ended.returncode == 3 and "in use" in ended.stderr


def write_until(server, namespace, stop, number, counts):
    """Puts that overwrite each other, rows that come and go, batches."""
    client = server.client()
    i = 0
    while not stop.is_set():
        i += 1
        key = f"k{(i * 7 + number) % 50}"
        text = b64(b"%d-%d" % (number, i))
        if i % 5 == 0:
            answer = client.put(f"{API}{namespace}/row/r{i % 20}", {"columns": {f"c{number}": text, "all": text}})
        elif i % 11 == 0:
            answer = client.delete(f"{API}{namespace}/row/r{i % 20}")
        elif i % 13 == 0:
            answer = client.delete(f"{API}{namespace}/row/r{i % 20}/columns?columns=all")
        elif i % 7 == 0:
            answer = client.post(f"{API}{namespace}/kv/batch", {"operation": "put", "items": [
                {"key": f"k{j}", "value": text} for j in range(number, 50, 5)]})
        elif i % 17 == 0:
            answer = client.put(f"{API}{namespace}/kv/{key}", {"value": b64(b"x" * 100_000)})
        else:
            answer = client.put(f"{API}{namespace}/kv/{key}", {"value": text})
        assert answer.status == 200, answer
    counts[number] = i


def everything(client, namespace):
    state = {f"k{i}": value(client, namespace, f"k{i}") for i in range(50)}
    for i in range(20):
        row = client.get(f"{API}{namespace}/row/r{i}").json
        state[f"r{i}"] = (row["found"], row["columns"])
    return state


def test_backups_under_load_are_one_state_of_the_log(tmp_path):
    with Server(directory=tmp_path) as server:
        client = server.client()
        # Bulk that makes the copying take a while.
        for i in range(40):
            put(client, "default", f"bulk{i}", os.urandom(600_000))
        stop = threading.Event()
        counts = {}
        writers = [threading.Thread(target=write_until, args=(server, "default", stop, number, counts)) for number in range(4)]
        for writer in writers:
            writer.start()
        snapshots = [take_snapshot(client, "default", f"s{i}.db") for i in range(4)]
        take_segments(client, "default", "wal")
        stop.set()
        for writer in writers:
            writer.join()
        assert len(counts) == 4 and min(counts.values()) > 20
        take_segments(client, "default", "wal")
        final = everything(client, "default")
        server.stop()
        wal = backups_of(server, "default") / "wal"
        ends = []
        copied = []
        for i, snapshot in enumerate(snapshots):
            output = restored(tmp_path, f"s{i}", "--source", "default", "--snapshot", snapshot)
            ends.append(position(output)[0])
            copied.append(int(re.search(r"(\d+) log records", output)[1]))
            # The log alone, up to the same position.
            assert position(restored(tmp_path, f"l{i}", "--source", "default", "--wal", wal, "--to", ends[i]))[0] == ends[i]
        restored(tmp_path, "whole", "--source", "default", "--snapshot", snapshots[1], "--wal", wal)
        server.start()
        client = server.client()
        for i in range(4):
            assert everything(client, f"s{i}") == everything(client, f"l{i}")
        assert everything(client, "s0") != everything(client, "s3")
        assert max(copied) > 0, "nothing was written while the snapshots were made"
        assert everything(client, "whole") == final


def test_a_kill_in_the_middle_of_a_backup(tmp_path):
    with Server(directory=tmp_path) as server:
        client = server.client()
        for i in range(60):
            put(client, "default", f"bulk{i}", os.urandom(600_000))
        good = take_snapshot(client, "default", "x.db").read_bytes()
        root = backups_of(server, "default")

        def back_up(route, body):
            try:
                server.client().post(f"{API}default/{route}", body)
            except OSError:
                pass

        for route, body, name in [("btree/backup", {"path": "x.db"}, "x.db"), ("wal/backup", {"backupDir": "wal"}, "wal/000000001.wal")]:
            thread = threading.Thread(target=back_up, args=(route, body))
            thread.start()
            until(lambda: (root / (name + ".tmp")).exists() or (name != "x.db" and (root / name).exists()))
            server.kill()
            thread.join()
            server.start()
        # The one that was there is whole, and so are the next ones.
        assert len((root / "x.db").read_bytes()) == len(good)
        client = server.client()
        take_snapshot(client, "default", "x.db")
        take_segments(client, "default", "wal")
        assert [path.name for path in root.rglob("*.tmp")] == []
        server.stop()
        restored(tmp_path, "copy", "--source", "default", "--snapshot", root / "x.db", "--wal", root / "wal", "--dry-run")


def test_a_kill_in_the_middle_of_a_restore(tmp_path):
    with Server(directory=tmp_path) as server:
        client = server.client()
        for i in range(60):
            put(client, "default", f"bulk{i}", os.urandom(600_000))
        put(client, "default", "k0", b"old")
        snapshot = take_snapshot(client, "default")
        put(client, "default", "k0", b"new")
        server.stop()
        data = tmp_path / "data"

        def written(process):
            text = pathlib.Path(f"/proc/{process.pid}/io").read_text()
            return int(re.search(r"wchar: (\d+)", text)[1])

        for fraction in (0.2, 0.6):
            server.start()  # writes what recovery has to write, so that only the restore's bytes are counted
            server.stop()
            process = subprocess.Popen([binary(), "restore", "-D", str(data), "--namespace", "default", "--snapshot", str(snapshot),
                                        "--force"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            until(lambda: process.poll() is not None or written(process) > fraction * snapshot.stat().st_size)
            process.kill()
            assert process.wait() == -9
            process.stdout.close()
            process.stderr.close()
            server.start()
            found = value(server.client(), "default", "k0")
            assert found == b64(b"new")
            assert "cleared what was being restored" in server.log()
            server.stop()
        restored(tmp_path, "default", "--snapshot", snapshot, "--force")
        server.start()
        assert value(server.client(), "default", "k0") == b64(b"old")
