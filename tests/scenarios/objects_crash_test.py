"""What a killed server leaves of large objects and open transactions: nothing that the next start does not clear, by the raw keys."""

import json
import os
import pathlib
import socket
import subprocess
import time

import pytest

from strata_server import Server, b64, binary

BASE = "/api/v1/default"


@pytest.fixture
def verifier():
    path = pathlib.Path(os.environ.get("STRATA_VERIFIER") or pathlib.Path(binary()).parent / "crash_verify")
    if not path.exists():
        pytest.skip("crash_verify is not built")
    return path


def raw_keys(verifier, server):
    done = subprocess.run([verifier, server.directory / "data"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


def begin(client, entry_type):
    answer = client.post(f"{BASE}/tx/begin", {"operation": "put", "entryType": entry_type})
    return f"{BASE}/tx/{answer.json['txnId']}"


def leave_everything_open(server, client):
    """Two transactions of each kind and an upload whose end never comes."""
    for _ in range(2):
        pieces = begin(client, "lob")
        for _ in range(3):
            assert client.post(f"{pieces}/lob?key=object", os.urandom(700_000)).status == 200
        assert client.post(f"{begin(client, 'kv')}/kv", {"key": "k", "value": b64(b"v" * 200_000)}).status == 200
        assert client.post(f"{begin(client, 'row')}/row", {"rowKey": "r", "columns": {"c": b64(b"v")}}).status == 200
    upload = socket.create_connection(("127.0.0.1", server.port))
    upload.sendall(f"PUT {BASE}/lob/broken HTTP/1.1\r\nHost: h\r\nContent-Length: {1 << 30}\r\n\r\n".encode())
    upload.sendall(os.urandom(3 << 20))
    return upload


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_nothing_that_was_staged_is_left(verifier, end):
    with Server("--drain-timeout-ms", "100") as server:
        with leave_everything_open(server, server.client()):
            getattr(server, end)()
        server.start()
        assert server.stop() == 0, server.log()
        assert raw_keys(verifier, server) == "0 log records, 0 values, 0 rows, 0 objects, 0 keys agree"


def test_what_was_put_survives_a_kill_beside_what_was_staged(verifier):
    body = os.urandom(1_000_000)
    with Server() as server:
        client = server.client()
        assert client.put(f"{BASE}/lob/kept", body).status == 200
        with leave_everything_open(server, client):
            server.kill()
        server.start()
        assert server.client().get(f"{BASE}/lob/kept").body == body
        assert server.stop() == 0, server.log()
        # Head, descriptor, 11 chunks, record; perhaps the log's checkpoint and a row of its segments.
        assert raw_keys(verifier, server) in [f"1 log records, 0 values, 0 rows, 1 objects, {keys} keys agree"
                                              for keys in (14, 15, 16)]


def test_replaced_objects_are_cleared_after_a_kill():
    """The log names the old object until its segment goes; the server is killed between the two."""
    with Server("--log-segment-bytes", "1024", "--log-retention-bytes", "4096") as server:
        client = server.client()
        assert client.put(f"{BASE}/lob/object", b"a" * 300_000).status == 200
        records = [json.loads(line) for line in client.get(f"{BASE}/log?after_segment=0&after_offset=0").body.splitlines()]
        (old,) = [op["object"] for record in records for op in record["ops"] if op["op"] == "put_lob"]
        assert client.get(f"{BASE}/lob/object?object={old}").body == b"a" * 300_000
        assert client.put(f"{BASE}/lob/object", b"b" * 300_000).status == 200
        server.kill()
        server.start()
        client = server.client()
        deadline = time.monotonic() + 60
        status = 200
        while status == 200 and time.monotonic() < deadline:
            for i in range(20):
                assert client.put(f"{BASE}/kv/k{i}", {"value": b64(b"v" * 300)}).status == 200
            status = client.get(f"{BASE}/lob/object?object={old}").status
        assert status == 410
        assert client.get(f"{BASE}/lob/object").body == b"b" * 300_000
        assert server.stop() == 0, server.log()
