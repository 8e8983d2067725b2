"""POST wal/backup, POST btree/backup, GET snapshot: answers, fields, errors, names, disks."""

import http.client
import json
import os
import pathlib
import socket
import subprocess
import threading
import time

import pytest

from backup_help import API, backups_of, put, take_segments, take_snapshot
from strata_server import Server, b64

ROUTES = ["wal/backup", "btree/backup"]
FIELD = {"wal/backup": "backupDir", "btree/backup": "path"}


def files_below(directory):
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if not path.is_dir())


def until(condition, limit_s=30):
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_segments_are_copied_once_sealed(server, client, namespace, base):
    root = backups_of(server, namespace)
    put(client, namespace, "a", b"1")
    first = client.post(f"{base}/wal/backup", {"backupDir": "wal/customer-a"})
    assert first.status == 200
    assert first.json == {"backups": [{"segmentId": 1, "path": str(root / "wal/customer-a/000000001.wal")}]}
    # Nothing newer.
    assert take_segments(client, namespace, "wal/customer-a", after=1) == []
    put(client, namespace, "a", b"2")
    assert [b["segmentId"] for b in take_segments(client, namespace, "wal/customer-a", after=1)] == [2]
    assert [b["segmentId"] for b in take_segments(client, namespace, "again")] == [1, 2]
    assert [b["segmentId"] for b in take_segments(client, namespace, "again", after=2**64 - 1)] == []
    assert files_below(root) == ["again/000000001.wal", "again/000000002.wal", "wal/customer-a/000000001.wal",
                                 "wal/customer-a/000000002.wal"]
    same = [(root / directory / "000000002.wal").read_bytes()[31:] for directory in ("again", "wal/customer-a")]
    assert len(same[0]) == len(same[1])


def test_a_namespace_without_a_write_has_no_segments(client, namespace):
    assert take_segments(client, namespace) == []
    assert take_segments(client, namespace, after=7) == []


def test_a_snapshot_is_written_and_replaced(server, client, namespace, base):
    root = backups_of(server, namespace)
    answer = client.post(f"{base}/btree/backup", {"path": "snapshots/users-20250108.snapshot"})
    assert answer.status == 200
    path = root / "snapshots/users-20250108.snapshot"
    assert answer.json == {"path": str(path), "bytes": path.stat().st_size}
    assert path.read_bytes().startswith(b"STRATABK")
    put(client, namespace, "a", os.urandom(5000))
    again = client.post(f"{base}/btree/backup", {"path": "snapshots/users-20250108.snapshot"})
    assert again.json["bytes"] > answer.json["bytes"] + 5000
    assert path.stat().st_size == again.json["bytes"]
    assert files_below(root) == ["snapshots/users-20250108.snapshot"]


def test_the_stream_is_the_file(client, namespace, base):
    put(client, namespace, "a", os.urandom(3000))
    answer = client.get(f"{base}/snapshot")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/octet-stream"
    file = take_snapshot(client, namespace).read_bytes()
    # All but the time in the header, its checksum, and that of the whole.
    assert len(answer.body) == len(file)
    assert answer.body[120:-120] == file[120:-120]
    assert client.request("HEAD", f"{base}/snapshot").status == 200
    assert client.get(f"{API}absent/snapshot").status == 404
    assert client.request("HEAD", f"{API}absent/snapshot").status == 404


BAD_PATHS = ["", "/etc/x", "/", "..", "../x", "a/../b", "a/..", "a\u0000b", "a\nb", "a\x7fb", "x" * 252, "x" * 300, "a/" * 40 + "b",
             "a" * 200 + "/" + "b" * 200 + "/" + "c" * 200 + "/" + "d" * 200 + "/" + "e" * 200 + "/" + "f" * 200]


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("path", BAD_PATHS, ids=lambda path: repr(path[:12]))
def test_bad_paths(server, client, namespace, base, route, path):
    put(client, namespace, "a", b"1")
    answer = client.post(f"{base}/{route}", {FIELD[route]: path})
    assert answer.status == 400, answer
    assert answer.json["error"].startswith(FIELD[route])
    assert not backups_of(server, namespace).exists()


@pytest.mark.parametrize("path", ["a/", "a/.", ".", "./", "a.tmp", "a/b.tmp"])
def test_paths_that_name_no_file(client, base, path):
    answer = client.post(f"{base}/btree/backup", {"path": path})
    assert answer.status == 400, answer


@pytest.mark.parametrize("path,found", [("a/", "a"), ("./a//b/.", "a/b"), (".", ""), ("...", "..."), ("a b\u00e9", "a b\u00e9"), ("x" * 251, "x" * 251)])
def test_directories_that_are_allowed(server, client, namespace, path, found):
    put(client, namespace, "a", b"1")
    made = pathlib.Path(take_segments(client, namespace, path)[0]["path"])
    assert made == backups_of(server, namespace) / found / "000000001.wal"
    assert made.is_file()


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("body,message", [
    (b"", "JSON"), (b"{", "JSON"), (b"[]", "must be a JSON object"), (b"{}", "is required"), (b'{"FIELD":7}', "must be a string"),
    (b'{"FIELD":null}', "must be a string"), (b'{"FIELD":"a","FIELD":"a"}', "is given twice"), (b'{"FIELD":"\xff"}', "JSON"),
    (b'{"FIELD":"\\ud800"}', "JSON")])
def test_bad_bodies(client, base, route, body, message):
    answer = client.post(f"{base}/{route}", body.replace(b"FIELD", FIELD[route].encode()))
    assert answer.status == 400
    assert message in answer.json["error"]


@pytest.mark.parametrize("number", [-1, 1.5, "1", None, True, [], {}, 1e3])
def test_bad_segment_numbers(client, base, number):
    answer = client.post(f"{base}/wal/backup", {"backupDir": "a", "afterSegmentId": number})
    assert answer.status == 400
    assert answer.json["error"].startswith("afterSegmentId")


@pytest.mark.parametrize("route", ROUTES)
def test_unknown_namespace_comes_first(server, client, route):
    for body in ({FIELD[route]: "a"}, {FIELD[route]: ".."}, b"{"):
        answer = client.post(f"{API}absent/{route}", body)
        assert answer.status == 404
        assert answer.json == {"error": "namespace not found: absent"}
    assert not backups_of(server, "absent").exists()


def test_what_stands_in_the_way(server, client, namespace, base, tmp_path):
    root = backups_of(server, namespace)
    put(client, namespace, "a", b"1")
    (root / "directory.db").mkdir(parents=True)
    (root / "file").write_text("mine")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "victim").write_text("untouched")
    (root / "link").symlink_to(outside)
    (root / "victim").symlink_to(outside / "victim")
    (root / "new").symlink_to(outside / "new")
    (root / "tricky.db.tmp").symlink_to(outside / "victim")
    os.mkfifo(root / "pipe")
    for path in ["directory.db", "file/x", "link/x", "link/deeper/x", "victim", "new", "tricky.db", "pipe"]:
        answer = client.post(f"{base}/btree/backup", {"path": path})
        assert answer.status == 400, (path, answer)
    for directory in ["file", "link", "link/x", "victim"]:
        answer = client.post(f"{base}/wal/backup", {"backupDir": directory})
        assert answer.status == 400, (directory, answer)
    assert files_below(outside) == ["victim"]
    assert (outside / "victim").read_text() == "untouched"
    assert (root / "file").read_text() == "mine"


def test_a_link_in_the_place_of_the_namespaces_directory(server, client, namespace, base, tmp_path):
    root = backups_of(server, namespace)
    root.parent.mkdir(parents=True, exist_ok=True)
    root.symlink_to(tmp_path)
    assert client.post(f"{base}/btree/backup", {"path": "x"}).status == 400
    assert list(tmp_path.iterdir()) == []
    root.unlink()


def test_existing_files_are_replaced_but_segments_of_another_log_are_not(server, client, namespace, base):
    root = backups_of(server, namespace)
    put(client, namespace, "a", b"1")
    path = take_snapshot(client, namespace)
    path.write_text("something else")
    assert take_snapshot(client, namespace).read_bytes().startswith(b"STRATABK")
    (root / "all.db.tmp").write_text("what a crash left")
    assert take_snapshot(client, namespace).read_bytes().startswith(b"STRATABK")
    segment = pathlib.Path(take_segments(client, namespace)[0]["path"])
    segment.write_bytes(b"broken")
    assert take_segments(client, namespace)[0]["path"] == str(segment)
    assert segment.read_bytes().startswith(b"STRATABK")
    # The namespace is made anew: its first segment is another one.
    assert client.delete(base).status == 200
    assert client.put(base).status == 201
    put(client, namespace, "a", b"2")
    answer = client.post(f"{base}/wal/backup", {"backupDir": "wal"})
    assert answer.status == 409, answer
    assert "another log" in answer.json["error"]
    assert files_below(root) == ["all.db", "wal/000000001.wal"]
    assert len(take_segments(client, namespace, "wal2")) == 1


@pytest.fixture
def closed_directory(server, namespace):
    """One that nobody can write to, and why not."""
    closed = backups_of(server, namespace) / "closed"
    closed.mkdir(parents=True)
    if os.geteuid() != 0:
        closed.chmod(0o500)
        yield "Permission denied"
        closed.chmod(0o700)
        return
    # Root may write everywhere but where nobody can.
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "strata-test", str(closed)], capture_output=True).returncode != 0:
        pytest.skip("needs the right to mount")
    yield "Read-only file system"
    subprocess.run(["umount", str(closed)], check=True)


def test_file_system_errors(client, base, namespace, closed_directory):
    put(client, namespace, "a", b"1")
    for route in ROUTES:
        answer = client.post(f"{base}/{route}", {FIELD[route]: "closed/x"})
        assert answer.status == 500, answer
        assert closed_directory in answer.json["error"]


@pytest.fixture
def small_disk(tmp_path):
    """A server whose backups lie on a disk of one megabyte."""
    with Server(directory=tmp_path) as server:
        disk = tmp_path / "data" / "backups"
        disk.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "strata-test", str(disk)], capture_output=True)
        if mounted.returncode != 0:
            pytest.skip("needs the right to mount")
        try:
            yield server
        finally:
            subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk(small_disk):
    client = small_disk.client()
    for i in range(4):
        put(client, "default", f"k{i}", os.urandom(600_000))
    for route in ROUTES:
        answer = client.post(f"{API}default/{route}", {FIELD[route]: FIELD[route]})
        assert answer.status == 500, answer
        assert answer.json == {"error": "failed to write: disk full"}
        assert files_below(backups_of(small_disk, "default")) == []
    # The store itself is well, and so is the next backup once there is room.
    put(client, "default", "k", b"1")
    for i in range(4):
        assert client.delete(f"{API}default/kv/k{i}").status == 200
    assert take_snapshot(client, "default").is_file()


def large(client, namespace, megabytes):
    for i in range(megabytes):
        put(client, namespace, f"large{i}", os.urandom(700_000))


def test_a_client_that_leaves_takes_its_file_along():
    with Server() as server:
        client = server.client()
        large(client, "default", 60)
        root = backups_of(server, "default")
        connection = socket.create_connection(("127.0.0.1", server.port), timeout=30)
        body = json.dumps({"path": "left.db"}).encode()
        connection.sendall(b"POST /api/v1/default/btree/backup HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        until(lambda: (root / "left.db.tmp").exists() or (root / "left.db").exists())
        connection.close()
        until(lambda: not (root / "left.db.tmp").exists())
        # Also a stream that nobody reads ends.
        connection = socket.create_connection(("127.0.0.1", server.port), timeout=30)
        connection.sendall(b"GET /api/v1/default/snapshot HTTP/1.1\r\nHost: h\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
        connection.close()
        assert take_snapshot(client, "default").is_file()
        assert server.stop() == 0


def test_two_that_write_the_same_file():
    with Server() as server:
        large(server.client(), "default", 40)
        answers = []

        def one():
            answers.append(server.client().post(f"{API}default/btree/backup", {"path": "same.db"}))

        threads = [threading.Thread(target=one) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {answer.status for answer in answers} <= {200, 409}
        assert any(answer.status == 200 for answer in answers)
        for answer in answers:
            if answer.status == 409:
                assert "another backup writes" in answer.json["error"]
        assert files_below(backups_of(server, "default")) == ["same.db"]


def test_too_many_at_a_time():
    with Server() as server:
        client = server.client()
        large(client, "default", 30)
        streams = []
        for _ in range(8):
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
            connection.request("GET", f"{API}default/snapshot")
            streams.append((connection, connection.getresponse()))
        answer = client.get(f"{API}default/snapshot")
        assert answer.status == 429
        assert "Retry-After" in answer.headers
        for connection, stream in streams:
            assert stream.status == 200
            connection.close()
        until(lambda: client.get(f"{API}default/snapshot").status == 200)


def test_reading_and_writing_go_on_during_a_backup():
    with Server() as server:
        client = server.client()
        large(client, "default", 40)
        done = threading.Event()

        def back_up():
            take_snapshot(server.client(), "default")
            done.set()

        thread = threading.Thread(target=back_up)
        thread.start()
        slowest = 0.0
        while not done.is_set():
            began = time.monotonic()
            put(client, "default", "small", b"1")
            assert client.get(f"{API}default/kv/small").status == 200
            slowest = max(slowest, time.monotonic() - began)
        thread.join()
        assert slowest < 5


def test_durability_is_told():
    with Server("--durability", "async") as server:
        client = server.client()
        answer = client.post(f"{API}default/btree/backup", {"path": "x"})
        assert (answer.status, answer.headers["X-Durability"]) == (200, "async")
        answer = client.post(f"{API}default/btree/backup", {"path": ".."})
        assert (answer.status, answer.headers["X-Durability"]) == (400, "async")


def test_keys_are_asked_for():
    with Server(environment={"STRATA_API_KEYS": "secret"}) as server:
        client = server.client()
        for method, path in [("POST", "wal/backup"), ("POST", "btree/backup"), ("GET", "snapshot")]:
            assert client.request(method, f"{API}default/{path}").status == 401
        answer = client.post(f"{API}default/btree/backup", {"path": "x"}, headers={"X-API-Key": "secret"})
        assert answer.status == 200
