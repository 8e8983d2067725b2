"""Searches that take long: others are answered meanwhile, by the only thread there is, and a client that leaves ends its own."""

import json
import socket
import time

import pytest

from grpc_help import Door, failure
from strata_server import Server

COLLECTION = "long"
ROWS = 3_000
# Nothing tells of metadata that is not indexed: each query reads all of it, together for seconds.
QUERY = {"query": [1.0, 0.5001], "k": 5, "filter": {"field": "even", "op": "eq", "value": True}}
BATCH = {"queries": [{"collection": COLLECTION, **QUERY}] * 1_000}


@pytest.fixture(scope="module")
def running():
    with Server("--io-threads", "1", engine="memory") as server:
        client = server.client()
        made = client.post("/api/v1/collections", {"name": COLLECTION, "dimension": 2, "distance_metric": "euclidean"})
        assert made.status == 200, made
        rows = [{"id": id, "values": [1.0, id / ROWS], "metadata": {"even": id % 2 == 0}} for id in range(1, ROWS + 1)]
        loaded = client.post(f"/api/v1/collections/{COLLECTION}/vectors/bulk",
                             {"vectors": rows, "batch_lock_size": 1_000, "skip_metadata_index": True})
        assert loaded.status == 200 and loaded.json["inserted_count"] == ROWS, loaded
        client.close()
        yield server
        assert server.stop() == 0, server.log()


@pytest.fixture
def client(running):
    opened = running.client()
    yield opened
    opened.close()


def metric(client, name):
    for line in client.get("/metrics").body.decode().splitlines():
        if line.startswith(name + " "):
            return float(line.split()[1])
    raise AssertionError("no such metric")


def wait_for(client, wanted):
    deadline = time.monotonic() + 60
    while metric(client, "strata_vector_long_searches") != wanted:
        assert time.monotonic() < deadline, f"never {wanted} long searches"


def test_one_search_is_right(client):
    answer = client.post(f"/api/v1/collections/{COLLECTION}/search", QUERY)
    assert answer.status == 200, answer
    assert [result["id"] for result in answer.json["results"]] == [1500, 1502, 1498, 1504, 1496]


def test_others_are_answered_meanwhile_and_a_client_that_leaves_ends_its_own(running, client):
    before = metric(client, "strata_vector_reads_total")
    body = json.dumps(BATCH).encode()
    head = f"POST /api/v1/search/batch HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", running.port)) as leaver:
        leaver.sendall(head.encode() + body)
        # Asked and answered by the thread that the batch came in on.
        wait_for(client, 1)
        assert client.get(f"/api/v1/collections/{COLLECTION}/vectors/7").json["values"] == pytest.approx([1.0, 7 / ROWS])
    wait_for(client, 0)
    assert metric(client, "strata_vector_reads_total") - before < len(BATCH["queries"])


def test_a_call_that_is_cancelled_or_late_ends(running, client):
    with Door(running.grpc_port) as door:
        name = "SearchService.BatchSearch"
        batch = door.request(name, queries=[
            {"collection": COLLECTION, "query": {"values": [1.0, 0.5]}, "k": 5,
             "filter": {"field": {"field": "even", "op": "eq", "value": {"bool_value": True}}}}] * 1_000)
        call = door.stub(name).future(batch, timeout=60)
        wait_for(client, 1)
        call.cancel()
        wait_for(client, 0)
        assert failure(lambda: door(name, message=batch, timeout_s=0.2))[0] == "DEADLINE_EXCEEDED"
        wait_for(client, 0)
