"""Fixtures of the gRPC scenarios: a server, a connection, a collection, four points in it."""

import itertools
import os

import pytest

from grpc_help import Door
from strata_server import Server

_names = itertools.count()
# So that a k of everything shows the order of all of them.
POINTS = {1: [1.0, 0.0, 0.0], 2: [0.0, 1.0, 0.0], 3: [0.6, 0.8, 0.0], 4: [0.0, 0.0, 1.0]}


@pytest.fixture(scope="module")
def bulk_root(tmp_path_factory):
    return tmp_path_factory.mktemp("bulk")


@pytest.fixture(scope="module")
def running(bulk_root):
    # Within the limits of a FoundationDB cluster; the same of HTTP runs with both (conftest.py).
    with Server("--limits", "foundationdb", "--bulk-root", str(bulk_root)) as server:
        yield server
        assert server.stop() == 0, server.log()


@pytest.fixture(scope="module")
def door(running):
    with Door(running.grpc_port) as opened:
        yield opened


def new_name():
    return f"grpc-{os.getpid()}-{next(_names)}"


@pytest.fixture
def name(door):
    made = new_name()
    door("CollectionService.CreateCollection", name=made, dimension=3, distance_metric="cosine", default_threshold=0.5)
    yield made
    door("CollectionService.DeleteCollection", name=made)


@pytest.fixture
def points(door, name):
    for number, values in POINTS.items():
        inserted = door("VectorService.Insert", collection=name, id=number, vector={"values": values},
                        metadata={"fields": {"number": {"int_value": number}, "even": {"bool_value": number % 2 == 0}}})
        assert inserted.id == number and inserted.success
    return name


def ids(results):
    return [result.id for result in results]
