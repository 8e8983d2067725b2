"""Health, metrics, the API's description, keys, limits and the end of the server."""

import concurrent.futures
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import threading

import pytest

from strata_server import REPOSITORY, Server, b64

OPEN = ["/health", "/ready", "/healthz", "/readyz", "/startupz", "/metrics", "/recovery_status", "/openapi.json", "/docs",
        "/admin/health", "/upload/config"]


def test_health_has_the_documented_shapes(client):
    assert client.get("/health").json == {"status": "ok", "version": "0.1.0"}
    assert client.get("/admin/health").json == {"status": "ok"}
    assert client.get("/ready").json == {"ready": True, "collections": 0, "total_vectors": 0}
    assert client.get("/healthz").json == {"status": "alive"}
    ready = client.get("/readyz").json
    assert ready["status"] == "ready"
    assert ready["checks"]["collections_accessible"] == ready["checks"]["collections_loaded"] == "ok"
    assert client.get("/startupz").json == {"status": "started"}
    recovery = client.get("/recovery_status").json
    assert recovery["path"] in ("none", "snapshot_only", "snapshot_plus_wal", "full_wal_replay")
    assert isinstance(recovery["elapsed_secs"], int) and recovery["collections"] == {}


def test_unknown_routes_are_json(client):
    for path in ("/", "/nothing", "/api", "/api/v1/default/nothing", "/health/"):
        answer = client.get(path)
        assert (answer.status, answer.json) == (404, {"error": "no such route"}), path
        assert answer.headers["Content-Type"] == "application/json"


def test_openapi_is_the_golden_file_and_docs_need_nothing_else(client):
    golden = pathlib.Path(REPOSITORY) / "tests/golden/openapi.json"
    served = client.get("/openapi.json")
    if os.environ.get("STRATA_UPDATE_GOLDEN"):
        # A line for each path: changes can be read.
        golden.write_bytes(served.body.replace(b'"paths":{', b'"paths":{\n').replace(b'},"/', b'},\n"/') + b"\n")
    assert served.json == json.loads(golden.read_text())
    docs = client.get("/docs")
    assert docs.headers["Content-Type"].startswith("text/html")
    assert "default-src 'none'" in docs.headers["Content-Security-Policy"]
    assert not re.search(rb"(src|href)\s*=\s*[\"']?\s*(https?:)?//", docs.body)


def test_every_documented_operation_exists(client):
    for path, verbs in client.get("/openapi.json").json["paths"].items():
        target = re.sub(r"\{[^}]*\}", "x", path)
        allowed = client.request("OPTIONS", target).headers["Allow"].split(", ")
        assert {verb.upper() for verb in verbs} <= set(allowed), path


SAMPLE = re.compile(r'[a-z_][a-z0-9_]*(\{[a-z_]+="(\\.|[^"\\])*"(,[a-z_]+="(\\.|[^"\\])*")*\})? (-?[0-9.e+-]+|[+-]Inf|NaN)')


def samples(text):
    out = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            assert SAMPLE.fullmatch(line), line
            name, value = line.rsplit(" ", 1)
            out[name] = float(value)
    return out


def test_metrics(client, base):
    def ask():
        answer = client.get("/metrics")
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        return samples(answer.body.decode())

    client.put(f"{base}/kv/k", {"value": ""})
    before = ask()
    client.put(f"{base}/kv/k", {"value": b64(b"x" * 1000)})
    client.put(f"{base}/kv/k", {"value": "!"})
    client.get("/nowhere")
    after = ask()

    def grown(name):
        return after.get(name, 0) - before.get(name, 0)

    assert grown('strata_http_requests_total{operation="putKv",status="200"}') == 1
    assert grown('strata_http_requests_total{operation="putKv",status="400"}') == 1
    assert grown('strata_http_requests_total{operation="unmatched",status="404"}') == 1
    assert grown('strata_http_request_duration_seconds_count{operation="putKv"}') == 2
    assert grown('strata_http_request_duration_seconds_bucket{operation="putKv",le="+Inf"}') == 2
    assert grown("strata_http_received_bytes_total") > 1300
    assert grown("strata_http_sent_bytes_total") > 300
    assert after["strata_http_connections"] >= 1 and after["strata_http_requests_in_flight"] >= 1
    assert after["process_resident_memory_bytes"] > 1e6
    # Each family is described once, before its samples.
    answer = client.get("/admin/metrics")
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    text = answer.body.decode()
    families = re.findall(r"^# TYPE (\S+) (?:counter|gauge|histogram)$", text, re.M)
    assert len(families) == len(set(families))
    for name in samples(text):
        family = re.sub(r"\{.*|_(bucket|sum|count)(?=[{]|$)", "", name)
        assert family in families or name.split("{")[0] in families, name


def test_keys_guard_all_but_the_open_routes():
    with Server(engine="memory", environment={"STRATA_API_KEYS": "one,two,id:secret"}) as server:
        client = server.client()
        for path in OPEN:
            assert client.get(path).status == 200, path
        target = "/api/v1/default/kv/k"
        guarded = client.get("/openapi.json").json["paths"]
        for path, verbs in guarded.items():
            for verb in verbs:
                if path in OPEN:
                    continue
                answer = client.request(verb.upper(), re.sub(r"\{[^}]*\}", "x", path))
                assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer"), path
        for headers in ({"X-API-Key": "one"}, {"X-API-Key": "two"}, {"Authorization": "Bearer one"}, {"authorization": "bearer two"},
                        {"X-API-Key": "id:secret"}, *({"Authorization": f"{scheme} {b64(pair.encode())}"}
                                                      for scheme in ("Bearer", "ApiKey", "Basic") for pair in ("id:secret", "any:one"))):
            assert client.get(target, headers=headers).status == 404
        for headers in ({"X-API-Key": "On"}, {"X-API-Key": "one,two"}, {"Authorization": "one"}, {"Authorization": "Basic one"},
                        {"X-API-Key": "wrong", "Authorization": "Bearer one"}, {"X-API-Key": ""}, {"X-API-Key": "secret"},
                        *({"Authorization": f"{scheme} {b64(pair.encode())}"}
                          for scheme in ("Bearer", "ApiKey", "Basic") for pair in ("other:secret", "id:one2", "one", "id:"))):
            assert client.get(target, headers=headers).status == 401, headers
        client.close()


def test_slow_clients_are_cut():
    with Server("--header-timeout-ms", "100", "--body-timeout-ms", "100", "--keep-alive-timeout-ms", "100",
                engine="memory") as server:
        def answer_to(data):
            with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
                connection.sendall(data)
                out = b""
                while piece := connection.recv(65536):
                    out += piece
                return out

        assert answer_to(b"GET /health HTTP/1.1\r\nHost").startswith(b"HTTP/1.1 408 ")
        assert answer_to(b"PUT /api/v1/default/kv/k HTTP/1.1\r\nHost: h\r\nContent-Length: 50\r\n\r\nx").startswith(b"HTTP/1.1 408 ")
        assert answer_to(b"") == b""
        assert answer_to(b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n").startswith(b"HTTP/1.1 200 ")


def resident_mb(server):
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024


def test_a_thousand_idle_connections_cost_little(record_property):
    with Server(engine="rocksdb") as server:
        empty = resident_mb(server)
        connections = []
        try:
            for _ in range(1000):
                connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
                connection.request("GET", "/api/v1/default/kv/k")
                assert connection.getresponse().read()
                connections.append(connection)
            grown = resident_mb(server) - empty
        finally:
            for connection in connections:
                connection.close()
        record_property("empty_mb", empty)
        record_property("grown_mb", grown)
        assert empty < 60
        assert grown < 50


def test_connections_beyond_the_limit_get_503():
    with Server("--max-connections", "5", engine="memory") as server:
        clients = [server.client() for _ in range(5)]
        assert [client.get("/health").status for client in clients] == [200] * 5
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as refused:
            assert refused.recv(1000).startswith(b"HTTP/1.1 503 ")
        for client in clients:
            client.close()


@pytest.mark.parametrize("engine", ["memory", "rocksdb"])
def test_stopping_under_load_loses_nothing_that_was_acknowledged(engine):
    with Server(engine=engine) as server:
        acknowledged = {}
        problems = []
        busy = threading.Barrier(17)

        def write(worker):
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
            for i in range(100_000):
                try:
                    connection.request("PUT", f"/api/v1/default/kv/{worker}-{i}", json.dumps({"value": b64(b"%d" % i)}))
                    response = connection.getresponse()
                    response.read()
                except (ConnectionError, http.client.RemoteDisconnected):
                    return  # closed between requests, or refused: nothing was promised
                except http.client.HTTPException as problem:
                    problems.append(repr(problem))  # half an answer
                    return
                if response.status != 200:
                    problems.append(response.status)
                    return
                acknowledged[worker] = i
                if i == 20:
                    busy.wait(60)

        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            workers = [pool.submit(write, worker) for worker in range(16)]
            busy.wait(60)
            server.process.send_signal(signal.SIGTERM)
            for worker in workers:
                worker.result()
        assert problems == []
        # Not by stop(): a second signal would end it at once.
        assert server.process.wait(60) == 0, server.log()
        server.stop()
        assert len(acknowledged) == 16
        if engine == "memory":
            return
        server.start()
        client = server.client()
        for worker, last in acknowledged.items():
            for i in range(last + 1):
                assert client.get(f"/api/v1/default/kv/{worker}-{i}").status == 200, (worker, i)
        client.close()
