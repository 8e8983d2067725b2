"""`strata start`: options, environment and configuration file, and what is refused."""

import json
import os
import socket
import subprocess

import pytest

from strata_server import REPOSITORY, Server, binary


def run(*arguments, environment=None, directory=None):
    """A command that is expected to end by itself."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("STRATA_") and k != "SWARNDB_API_KEYS"}
    clean.update(environment or {})
    return subprocess.run([binary(), *arguments], capture_output=True, text=True, timeout=60, env=clean, cwd=directory)


def refused(*arguments, environment=None, directory=None):
    """Standard error of a start that ends with 2 and touches nothing."""
    ended = run("start", *arguments, environment=environment, directory=directory)
    assert ended.returncode == 2, ended
    assert ended.stdout == ""
    if directory:
        assert not (directory / "strata-data").exists()
    return ended.stderr


def test_version_and_help():
    assert run("version").stdout.startswith("strata 0.")
    assert run("--version").stdout == run("version").stdout
    top = run("--help")
    assert top.returncode == 0 and "start" in top.stdout and "Exit codes" in top.stdout
    start = run("start", "--help").stdout
    for word in ("--database", "--grpc-port", "--grpc-tls-cert", "STRATA_API_KEYS", "SIGTERM"):
        assert word in start


@pytest.mark.parametrize("arguments", [
    (), ("stop",), ("start", "--prot", "1"), ("start", "more"), ("check", "--port", "1"), ("start", "--port"),
])
def test_mistakes_on_the_command_line(arguments):
    ended = run(*arguments)
    assert ended.returncode == 2
    assert ended.stdout == "" and "--help" in ended.stderr


@pytest.mark.parametrize("option, value, words", [
    ("--port", "65536", "65535"), ("--port", "http", "number"), ("--grpc-port", "-1", "number"),
    ("--engine", "sqlite", "rocksdb or memory"), ("--durability", "maybe", "sync or async"),
    ("--bind", "localhost", "address"), ("--log-format", "xml", "pretty or json"), ("--log-level", "loud", "debug"),
    ("--io-threads", "257", "256"), ("--drain-timeout-ms", "0", "from 1"), ("--max-connections", "0", "from 1"),
    ("--database", "", "directory"), ("--namespace", "", "empty"),
])
def test_values_are_checked_before_anything_is_touched(tmp_path, option, value, words):
    message = refused(option, value, directory=tmp_path)
    assert option in message and words in message


@pytest.mark.parametrize("value", ["true", "self", "self-contained", "file:///etc/auth", "FALSE", ""])
def test_auth_that_is_not_there_is_refused(tmp_path, value):
    assert "STRATA_API_KEYS" in refused("--auth", value, directory=tmp_path)


@pytest.mark.parametrize("value", ["false", "null", "no", "0", "disabled"])
def test_auth_off(value):
    with Server("--auth", value, engine="memory") as server:
        assert server.client().get("/health").status == 200


@pytest.mark.parametrize("address", ["0.0.0.0", "::"])
def test_off_loopback_needs_keys_or_insecure(tmp_path, address):
    assert "--insecure" in refused("--bind", address, directory=tmp_path)
    with Server("--bind", address, "--insecure", engine="memory") as server:
        assert server.client().get("/health").status == 200
        assert "no keys are set" in server.log()
    with Server("--bind", address, engine="memory", environment={"STRATA_API_KEYS": "k"}) as server:
        assert server.client().get("/api/v1/default/kv/a").status == 401


def test_ipv6_loopback():
    with Server("--bind", "::1", engine="memory") as server:
        assert "strata ready http=[::1]:" in server.log()
        assert server.client(host="::1").get("/health").status == 200


def test_keys_from_both_variables():
    environment = {"STRATA_API_KEYS": "one, two", "SWARNDB_API_KEYS": "three"}
    with Server(engine="memory", environment=environment) as server:
        client = server.client()
        path = "/api/v1/default/kv/a"
        assert client.get(path).status == 401
        assert client.get(path, headers={"X-API-Key": "four"}).status == 401
        for key in ("one", "two", "three"):
            assert client.get(path, headers={"X-API-Key": key}).status == 404
            assert client.get(path, headers={"Authorization": "Bearer " + key}).status == 404
        assert client.get("/health").status == 200
        assert client.get("/metrics").status == 200
        assert "one" not in server.log() and "three" not in server.log()


def test_no_key_in_the_variable_is_refused(tmp_path):
    assert "STRATA_API_KEYS" not in refused("--port", "x", directory=tmp_path)
    message = refused(directory=tmp_path, environment={"STRATA_API_KEYS": ", ,"})
    assert "STRATA_API_KEYS" in message


def test_flag_before_environment_before_file(tmp_path):
    config = tmp_path / "strata.toml"
    config.write_text('namespace = ["from-file"]\nlog-format = "json"\nmax-connections = 7\n')
    environment = {"STRATA_NAMESPACE": "from-environment", "STRATA_CONFIG": str(config), "STRATA_LOG_LEVEL": "warning"}

    def namespaces(server):
        client = server.client()
        names = ("from-file", "from-environment", "from-flag")
        return [name for name in names if "namespace not found" not in client.get(f"/api/v1/{name}/kv/a").body.decode()]

    with Server(engine="memory", environment={"STRATA_CONFIG": str(config)}) as server:
        assert namespaces(server) == ["from-file"]
        assert json.loads(server.log().splitlines()[0])["message"] == "starting"
    with Server(engine="memory", environment=environment) as server:
        assert namespaces(server) == ["from-environment"]
        assert server.log().splitlines() == [server.log().strip()]  # nothing but the ready line at level warning
    with Server("--namespace", "from-flag", engine="memory", environment=environment) as server:
        assert namespaces(server) == ["from-flag"]


def test_config_flag_before_config_variable(tmp_path):
    (tmp_path / "a.toml").write_text("namespace = 'a'\n")
    (tmp_path / "b.toml").write_text("namespace = 'b'\n")
    variable = {"STRATA_CONFIG": str(tmp_path / "b.toml")}
    with Server("--config", str(tmp_path / "a.toml"), engine="memory", environment=variable) as server:
        assert server.client().get("/api/v1/a/kv/k").json == {"value": "", "found": False}
        assert "namespace not found" in server.client().get("/api/v1/b/kv/k").json["error"]


@pytest.mark.parametrize("text, words", [
    ("prot = 1\n", '"prot" is not an option'), ("[server]\nport = 1\n", '"server"'), ("port = \n", ":1:"),
    ("\nport = 1.5\n", ":2:"), ("port = 70000\n", "65535"), ("port = 'x'\n", "number"), ("config = 'x'\n", "config"),
])
def test_bad_files_are_refused_with_their_place(tmp_path, text, words):
    (tmp_path / "c.toml").write_text(text)
    message = refused("--config", "c.toml", directory=tmp_path)
    assert "c.toml" in message and words in message


def test_missing_file_is_refused(tmp_path):
    assert "none.toml" in refused("--config", "none.toml", directory=tmp_path)
    assert "none.toml" in refused(directory=tmp_path, environment={"STRATA_CONFIG": "none.toml"})


def test_keys_in_the_file(tmp_path):
    (tmp_path / "c.toml").write_text("api-keys = ['k']\nport = 0\n")
    with Server("--config", str(tmp_path / "c.toml"), engine="memory") as server:
        assert server.client().get("/api/v1/default/kv/a").status == 401
        assert server.client().get("/api/v1/default/kv/a", headers={"X-API-Key": "k"}).status == 404
    assert "--api-keys" in refused("--api-keys", "k", directory=tmp_path)


def test_the_packaged_file_is_accepted():
    with Server("--config", str(REPOSITORY / "cmake" / "package" / "strata.toml")) as server:
        assert json.loads(server.log().splitlines()[0])["durability"] == "sync"


def test_namespaces_repeat_and_are_checked(tmp_path):
    with Server("--namespace", "a", "--namespace", "b", engine="memory") as server:
        for name in ("default", "a", "b"):
            assert server.client().get(f"/api/v1/{name}/kv/k").json == {"value": "", "found": False}
    for name in ("a/b", "backup"):  # no name, and a reserved one
        ended = run("start", "--engine", "memory", "--port", "0", "--namespace", name, directory=tmp_path)
        assert ended.returncode == 2 and "namespace" in ended.stderr


def test_json_log_lines_are_json():
    with Server("--log-format", "json", "--namespace", "a", engine="memory") as server:
        assert server.stop() == 0
        lines = [json.loads(line) for line in server.log().splitlines() if not line.startswith("strata ready")]
        assert [line["message"] for line in lines if line["message"] in ("starting", "ready", "stopped")] == [
            "starting", "ready", "stopped"]
        assert all(line["level"] and line["time"].endswith("Z") for line in lines)


def test_a_port_that_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as other:
        ended = run("start", "--engine", "memory", "--port", str(other.getsockname()[1]))
        assert ended.returncode == 5
        assert "cannot listen" in ended.stderr
    ended = run("start", "--engine", "memory", "--port", "0", "--bind", "192.0.2.1", "--insecure")
    assert ended.returncode == 5


def test_the_grpc_port():
    with socket.create_server(("127.0.0.1", 0)) as other:
        ended = run("start", "--engine", "memory", "--port", "0", "--grpc-port", str(other.getsockname()[1]))
        assert ended.returncode == 5
        assert "cannot listen" in ended.stderr and "gRPC" in ended.stderr
    assert "differ" in refused("--port", "7000", "--grpc-port", "7000")
    assert "go together" in refused("--grpc-tls-cert", "cert.pem")
    assert "go together" in refused("--grpc-tls-key", "key.pem")


def test_limits_reach_the_server():
    with Server("--max-connections", "1", engine="memory") as server:
        first = server.client()
        assert first.get("/health").status == 200
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as second:
            assert b" 503 " in second.recv(1000)
    with Server("--header-timeout-ms", "100", engine="memory") as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as slow:
            slow.sendall(b"GET /health HTTP/1.1\r\n")
            assert b" 408 " in slow.recv(1000) or slow.recv(1000) == b""
    with Server("--keep-alive-timeout-ms", "1000", engine="memory") as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as idle:
            idle.sendall(b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n")
            assert idle.recv(1000).startswith(b"HTTP/1.1 200")
            while idle.recv(1000):
                pass


def test_async_durability_is_told():
    with Server("--durability", "async") as server:
        answer = server.client().put("/api/v1/default/kv/a", {"value": ""})
        assert answer.status == 200 and answer.headers["X-Durability"] == "async"
    with Server() as server:
        assert server.client().put("/api/v1/default/kv/a", {"value": ""}).headers["X-Durability"] is None
