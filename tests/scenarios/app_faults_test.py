"""The real server on a disk that is full, without descriptors, and after both were there again."""

import os
import pathlib
import socket
import subprocess

import pytest

from strata_server import Server, b64, binary

FAULTS = pathlib.Path(binary()).parent / "libdisk_faults.so"
VALUE = b64(bytes(range(256)) * 100)


def fill(client, limit=3_000):
    """Puts until one is refused: (how many were not, the refusal)."""
    for number in range(limit):
        answer = client.put("/api/v1/default/kv/k%d" % number, {"value": VALUE})
        if answer.status != 200:
            return number, answer
    raise AssertionError("the disk never was full")


def check_stopped(server, client, stored, refusal):
    """What is promised of a server whose disk is full: docs/http.md."""
    assert refusal.status == 500, refusal
    assert "No space left on device" in refusal.json["error"]
    assert "until the store is opened again" in refusal.json["error"]
    for path, body in (("kv/later", {"value": ""}), ("row/later", {"columns": {"a": ""}})):
        again = client.put("/api/v1/default/" + path, body)
        assert again.status == 500 and "No space left" in again.json["error"], again
    # Reads go on, with all that was acknowledged and nothing that was refused.
    for number in range(stored):
        assert client.get("/api/v1/default/kv/k%d" % number).json["value"] == VALUE
    assert client.get("/api/v1/default/kv/k%d" % stored).status == 404
    assert client.get("/healthz").status == 200
    ready = client.get("/readyz")
    assert ready.status == 503 and "No space left" in ready.json["checks"]["writes"], ready
    assert b"strata_engine_writes_stopped 1" in client.get("/metrics").body
    assert server.process.poll() is None


def check_recovered(server, stored):
    client = server.client()
    assert client.get("/readyz").status == 200
    for number in range(stored):
        assert client.get("/api/v1/default/kv/k%d" % number).json["value"] == VALUE
    assert client.get("/api/v1/default/kv/k%d" % stored).status == 404
    assert client.put("/api/v1/default/kv/later", {"value": VALUE}).status == 200
    assert b"strata_engine_writes_stopped 0" in client.get("/metrics").body


@pytest.mark.skipif(not FAULTS.exists(), reason="libdisk_faults.so is not built beside the server")
@pytest.mark.parametrize("write_buffer", [1 << 20, 64 << 20])  # the log is full first, or a table
@pytest.mark.parametrize("space", [3 << 20, 9 << 20])
def test_a_full_disk(tmp_path, space, write_buffer):
    room = tmp_path / "space"
    room.write_text(str(space))
    environment = {"LD_PRELOAD": str(FAULTS), "STRATA_FAULT_DATA": str(tmp_path / "data"), "STRATA_DISK_SPACE": str(room)}
    with Server("--write-buffer-bytes", str(write_buffer), directory=tmp_path, environment=environment) as server:
        client = server.client()
        stored, refusal = fill(client)
        assert stored > 0
        check_stopped(server, client, stored, refusal)
        # Space alone changes nothing: what a failed write left behind is not known before a restart.
        room.write_text(str(1 << 30))
        assert client.put("/api/v1/default/kv/later", {"value": VALUE}).status == 500
        client.close()
        server.stop()
        server.start()
        check_recovered(server, stored)
        assert server.stop() == 0, server.log()


@pytest.mark.skipif(not FAULTS.exists(), reason="libdisk_faults.so is not built beside the server")
def test_a_start_on_a_full_disk_is_refused(tmp_path):
    room = tmp_path / "space"
    room.write_text("1000")
    environment = {"LD_PRELOAD": str(FAULTS), "STRATA_FAULT_DATA": str(tmp_path / "data"), "STRATA_DISK_SPACE": str(room)}
    server = Server(directory=tmp_path, environment=environment, start=False)
    with pytest.raises(AssertionError, match="the server ended with"):
        server.start()
    assert "No space left on device" in server.log()
    server.environment = {}
    with server:
        server.start()
        assert server.client().get("/readyz").status == 200


@pytest.fixture
def small_file_system(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    mount = tmp_path / "mount"
    mount.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", mount], capture_output=True, text=True)
    if made.returncode != 0:
        pytest.skip("cannot mount a small file system: " + made.stderr.strip())
    yield mount
    subprocess.run(["umount", "-l", mount], check=True)


def test_a_small_file_system(small_file_system):
    with Server(directory=small_file_system) as server:
        client = server.client()
        stored, refusal = fill(client)
        check_stopped(server, client, stored, refusal)
        client.close()
        server.stop()
        subprocess.run(["mount", "-o", "remount,size=64m", small_file_system], check=True)
        server.start()
        check_recovered(server, stored)


def answering_client(server):
    """A new connection, which is refused as long as the server has not seen others close."""
    for _ in range(1_000):
        client = server.client()
        try:
            if client.get("/healthz").status == 200:
                return client
        except OSError:
            pass
        client.close()
    raise AssertionError("no connection is served")


def test_no_descriptors():
    """Connections never take the store's: it goes on, and so do those that have a connection."""
    limit = 128
    class Limited(Server):
        def command(self):
            return ["/bin/sh", "-c", "ulimit -n %d; exec \"$@\"" % limit, "sh", *super().command()]

    with Limited("--write-buffer-bytes", str(1 << 20)) as server:
        assert "allows fewer connections" in server.log()
        client = server.client()
        assert client.put("/api/v1/default/kv/before", {"value": VALUE}).status == 200
        strangers = []
        for _ in range(2 * limit):
            stranger = socket.create_connection(("127.0.0.1", server.port), timeout=10)
            strangers.append(stranger)
        # New logs and tables need descriptors meanwhile.
        for number in range(200):
            answer = client.put("/api/v1/default/kv/k%d" % number, {"value": VALUE})
            assert answer.status == 200, answer
        assert client.get("/readyz").status == 200
        for stranger in strangers:
            stranger.close()
        other = answering_client(server)
        assert other.get("/api/v1/default/kv/before").json["value"] == VALUE
        assert server.stop() == 0, server.log()
