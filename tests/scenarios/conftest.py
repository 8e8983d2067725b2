"""Fixtures of the scenarios: a running server for each engine, shared by the tests of a process, and a namespace for each test."""

import itertools
import os

import pytest

from document_help import new_table
from file_help import Files, unique
from strata_server import Server

_names = itertools.count()


# Everything also within the limits of a FoundationDB cluster: layers must not lean on what the embedded engine allows.
@pytest.fixture(scope="session", params=["memory", "rocksdb", "rocksdb-foundationdb-limits"])
def server(request):
    options = ("--limits", "foundationdb") if request.param.endswith("limits") else ()
    with Server(*options, engine=request.param.partition("-")[0]) as running:
        yield running
        assert running.stop() == 0, running.log()


# Bytes that one commit may write on this server.
@pytest.fixture
def commit_limit(request, server):
    return 10_000_000 if request.node.callspec.params["server"].endswith("limits") else 64 << 20


@pytest.fixture
def client(server):
    connection = server.client()
    yield connection
    connection.close()


@pytest.fixture
def namespace(client):
    name = f"scenario-{os.getpid()}-{next(_names)}"
    assert client.put(f"/api/v1/{name}").status == 201
    yield name
    assert client.delete(f"/api/v1/{name}").status == 200


@pytest.fixture
def base(namespace):
    return f"/api/v1/{namespace}"


@pytest.fixture
def table(client):
    with new_table(client) as made:
        yield made


@pytest.fixture
def other_table(client):
    with new_table(client) as made:
        yield made


# A directory of its own.
@pytest.fixture
def files(client):
    yield Files(client, f"/{unique('files')}")
