"""The process: its directory, its signals, `strata check`, memory and time to start."""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest

from strata_server import Server, b64, binary

PATH = "/api/v1/default/kv/"


def check(directory):
    return subprocess.run([binary(), "check", "--database", str(directory)], capture_output=True, text=True, timeout=60)


def until(condition, limit_s=30):
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_data_survives_restart_and_kill():
    with Server() as server:
        client = server.client()
        assert client.put(PATH + "a", {"value": b64(b"1")}).status == 200
        assert server.stop() == 0
        server.start()
        assert server.client().get(PATH + "a").json["value"] == b64(b"1")
        assert server.client().put(PATH + "a", {"value": b64(b"2")}).status == 200
        server.kill()
        server.start()
        assert server.client().get(PATH + "a").json["value"] == b64(b"2")


def test_memory_engine_leaves_nothing():
    with Server(engine="memory") as server:
        assert server.client().put(PATH + "a", {"value": ""}).status == 200
        assert not (server.directory / "data").exists()


def test_a_second_server_is_refused_and_the_first_goes_on():
    with Server() as first:
        second = subprocess.run(first.command(), capture_output=True, text=True, timeout=60)
        assert second.returncode == 3
        assert "in use" in second.stderr
        assert check(first.directory / "data").returncode == 3
        assert first.client().put(PATH + "a", {"value": ""}).status == 200


def test_a_directory_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "letter.txt").write_text("dear")
    with Server(directory=tmp_path, start=False) as server:
        ended = subprocess.run(server.command(), capture_output=True, text=True, timeout=60)
        assert ended.returncode == 3
        assert [path.name for path in (tmp_path / "data").iterdir()] == ["letter.txt"]


def test_a_directory_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    ended = subprocess.run([binary(), "start", "--port", "0", "-D", str(tmp_path / "file" / "data")],
                           capture_output=True, text=True, timeout=60)
    assert ended.returncode == 3
    assert "file" in ended.stderr


def test_check_of_a_sound_store():
    with Server() as server:
        client = server.client()
        for i in range(100):
            assert client.put(PATH + f"k{i}", {"value": b64(os.urandom(1000))}).status == 200
        assert server.stop() == 0
        checked = check(server.directory / "data")
        assert checked.returncode == 0, checked.stderr
        assert "sound" in checked.stdout
        by_variable = subprocess.run([binary(), "check"], capture_output=True, text=True, timeout=60,
                                     env={**os.environ, "STRATA_DATABASE": str(server.directory / "data")})
        assert by_variable.stdout == checked.stdout
        server.start()
        assert server.client().get(PATH + "k0").status == 200


def test_check_of_nothing(tmp_path):
    assert check(tmp_path / "none").returncode == 3
    assert not (tmp_path / "none").exists()
    assert check(tmp_path).returncode == 3


def test_check_finds_a_flipped_byte():
    # Small buffers make table files out of little data.
    with Server("--write-buffer-bytes", str(1 << 20)) as server:
        client = server.client()
        value = b64(os.urandom(200_000))
        data = server.directory / "data"
        for i in range(40):
            assert client.put(PATH + f"k{i}", {"value": value}).status == 200
        until(lambda: list(data.rglob("*.sst")))
        assert server.stop() == 0
        assert check(data).returncode == 0
        table = max(data.rglob("*.sst"), key=lambda path: path.stat().st_size)
        content = bytearray(table.read_bytes())
        content[len(content) // 2] ^= 1
        table.write_bytes(content)
        checked = check(data)
        assert checked.returncode == 4, (checked.stdout, checked.stderr)
        assert "damaged" in checked.stderr


def test_a_newer_format_is_refused(tmp_path):
    with Server(directory=tmp_path) as server:
        assert server.stop() == 0
        formats = [path for path in (tmp_path / "data").rglob("*FORMAT*") if path.is_file()]
        assert formats, "the store has no FORMAT file"
        number = re.search(r"\d+", formats[0].read_text())
        formats[0].write_text(formats[0].read_text().replace(number.group(), "999", 1))
        ended = subprocess.run(server.command(), capture_output=True, text=True, timeout=60)
        assert ended.returncode == 3
        assert "999" in ended.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_gracefully(number):
    with Server() as server:
        server.client().put(PATH + "a", {"value": ""})
        server.process.send_signal(number)
        assert server.process.wait(30) == 0
        server.stop()
        assert "stopped" in server.log()


def begin_slow_request(server):
    """A request whose body is still to come."""
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=30)
    connection.sendall(b"PUT /api/v1/default/kv/slow HTTP/1.1\r\nHost: h\r\nContent-Length: 12\r\n\r\n{")
    client = server.client()

    def in_flight():
        metrics = client.get("/metrics").body.decode()
        return re.search(r"^strata_http_requests_in_flight [2-9]", metrics, re.MULTILINE)

    until(in_flight)
    client.close()
    return connection


def test_a_request_in_flight_is_finished():
    with Server() as server:
        connection = begin_slow_request(server)
        server.process.send_signal(signal.SIGTERM)
        until(lambda: "stopping" in server.log())
        connection.sendall(b'"value":""}')
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
        assert server.process.wait(30) == 0
        server.stop()
        server.start()
        assert server.client().get(PATH + "slow").status == 200


def test_draining_is_bounded():
    with Server("--drain-timeout-ms", "200") as server:
        connection = begin_slow_request(server)
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(30) == 0
        assert time.monotonic() - began < 10
        connection.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_second_signal_ends_at_once(number):
    with Server() as server:
        connection = begin_slow_request(server)
        server.process.send_signal(signal.SIGTERM)
        until(lambda: "stopping" in server.log())
        server.process.send_signal(number)
        assert server.process.wait(10) == 128 + number
        connection.close()


def test_sigpipe_and_a_closed_log_do_no_harm():
    with Server(engine="memory") as server:
        server.process.send_signal(signal.SIGPIPE)
        assert server.client().get("/health").status == 200


def test_systemd_is_told(tmp_path):
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(address))
        manager.settimeout(30)
        with Server(engine="memory", environment={"NOTIFY_SOCKET": str(address)}) as server:
            assert manager.recv(100) == b"READY=1"
            assert server.stop() == 0
            assert manager.recv(100) == b"STOPPING=1"


def test_small_and_quick():
    with Server() as server:
        status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
        assert int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1)) < 60_000
        assert server.stop() == 0
        best = 10.0
        for _ in range(3):  # the machine runs other tests beside this one
            began = time.monotonic()
            server.start()
            best = min(best, time.monotonic() - began)
            server.stop()
        assert best < 1.0


def test_descriptors_are_raised_to_the_hard_limit():
    with Server(engine="memory") as server:
        limits = pathlib.Path(f"/proc/{server.process.pid}/limits").read_text()
        soft, hard = re.search(r"Max open files\s+(\d+)\s+(\d+)", limits).groups()
        assert soft == hard


def test_engine_metrics():
    with Server() as server:
        client = server.client()

        def metric(name):
            return float(re.search(rf"^{name} (\S+)$", client.get("/metrics").body.decode(), re.MULTILINE).group(1))

        commits, syncs = metric("strata_engine_commits_total"), metric("strata_engine_syncs_total")
        for i in range(5):
            client.put(PATH + "a", {"value": b64(b"x")})
        assert metric("strata_engine_commits_total") == commits + 5
        assert metric("strata_engine_syncs_total") >= syncs + 5  # one client: nobody to share a sync with
        assert metric("strata_engine_writes_stopped") == 0
        assert client.get("/readyz").json["checks"]["writes"] == "ok"
