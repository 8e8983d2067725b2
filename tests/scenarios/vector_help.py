"""What the scenarios of vectors share: a collection for each test, and the formulas of the API written out plainly."""

import itertools
import math
import os
import random
import struct

_names = itertools.count()


def f32(value):
    """The nearest 32-bit float, as the server keeps it."""
    return struct.unpack("<f", struct.pack("<f", value))[0]


def vector(generator, dimension):
    return [f32(generator.uniform(-1, 1)) for _ in range(dimension)]


def dot(a, b):
    return math.fsum(x * y for x, y in zip(a, b))


def length(a):
    return math.sqrt(dot(a, a))


def cosine(a, b):
    lengths = length(a) * length(b)
    return 0.0 if lengths == 0 else dot(a, b) / lengths


DISTANCES = {
    "cosine": lambda a, b: 1 - cosine(a, b),
    "euclidean": lambda a, b: math.dist(a, b),
    "dot_product": lambda a, b: -dot(a, b),
    "manhattan": lambda a, b: math.fsum(abs(x - y) for x, y in zip(a, b)),
}


def similarity(metric, a, b):
    distance = DISTANCES[metric](a, b)
    return {"cosine": 1 - distance, "dot_product": -distance}.get(metric, 1 / (1 + distance))


def mean(vectors):
    return [math.fsum(column) / len(vectors) for column in zip(*vectors)]


def near(a, b, tolerance=1e-5):
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(near(x, y, tolerance) for x, y in zip(a, b))
    return abs(a - b) <= tolerance * max(1.0, abs(a), abs(b))


class Collection:
    def __init__(self, client, name, dimension, metric):
        self.client = client
        self.name = name
        self.dimension = dimension
        self.metric = metric
        self.path = f"/api/v1/collections/{name}"
        self.vectors = {}
        self.metadata = {}

    def get(self, path=""):
        return self.client.get(self.path + path)

    def post(self, path, body=None):
        return self.client.post(self.path + path, {} if body is None else body)

    def insert(self, values, metadata=None, id=None):
        body = {"values": values}
        if metadata is not None:
            body["metadata"] = metadata
        if id is not None:
            body["id"] = id
        answer = self.post("/vectors", body)
        assert answer.status == 200, answer
        assert answer.json["success"] is True
        self.vectors[answer.json["id"]] = values
        self.metadata[answer.json["id"]] = metadata or {}
        return answer.json["id"]

    def fill(self, rows, **options):
        """Rows of (id, values, metadata)."""
        body = {"vectors": [{"id": id, "values": values, "metadata": metadata} for id, values, metadata in rows]}
        answer = self.post("/vectors/bulk", {"batch_lock_size": 1000, **body, **options})
        assert answer.status == 200, answer
        assert answer.json["errors"] == [] and answer.json["inserted_count"] == len(rows), answer
        for id, values, metadata in rows:
            self.vectors[id] = values
            self.metadata[id] = metadata or {}
        return answer.json

    def fill_randomly(self, count, seed=1, metadata=lambda id: None):
        generator = random.Random(seed)
        self.fill([(id, vector(generator, self.dimension), metadata(id)) for id in range(1, count + 1)])
        return self

    def search(self, query, k, **options):
        answer = self.post("/search", {"query": query, "k": k, **options})
        assert answer.status == 200, answer
        return answer.json["results"]

    def expected(self, query, k, accept=lambda metadata: True):
        """By brute force: (score, id), nearest first."""
        scored = [
            (DISTANCES[self.metric](query, values), id)
            for id, values in self.vectors.items()
            if accept(self.metadata[id])
        ]
        return sorted(scored)[:k]

    def math(self, operation, **body):
        answer = self.post(f"/math/{operation}", body)
        assert answer.status == 200, answer
        assert answer.json["compute_time_us"] >= 0
        return answer.json


class new_collection:
    """with new_collection(client, 3) as made: ..."""

    def __init__(self, client, dimension, metric="cosine", **options):
        self.client = client
        self.made = Collection(client, f"scenario-{os.getpid()}-{next(_names)}", dimension, metric)
        self.options = options

    def __enter__(self):
        body = {"name": self.made.name, "dimension": self.made.dimension, "distance_metric": self.made.metric}
        answer = self.client.post("/api/v1/collections", {**body, **self.options})
        assert answer.status == 200, answer
        assert answer.json == {"name": self.made.name, "success": True}
        return self.made

    def __exit__(self, *unused):
        answer = self.client.delete(self.made.path)
        assert answer.status in (200, 404), answer


def assert_error(answer, status, *words):
    assert answer.status == status, answer
    assert answer.json["code"] == status, answer
    for word in words:
        assert word in answer.json["error"], answer
