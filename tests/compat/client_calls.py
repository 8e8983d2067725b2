"""Run by compat_test.py with the Python of a virtual environment that has the client:
client_calls.py sync|async VERSION HTTP-PORT GRPC-PORT BULK-DIRECTORY"""

import asyncio
import math
import pathlib
import sys

import numpy
import swarndb
from swarndb import exceptions, types
from swarndb.search import Filter

KEY = "the-key"
POINTS = {1: [1.0, 0.0, 0.0], 2: [0.0, 1.0, 0.0], 3: [0.6, 0.8, 0.0], 4: [0.0, 0.0, 1.0]}


def near(a, b):
    return all(abs(x - y) < 1e-5 for x, y in zip(a, b, strict=True))


def refused(kind, call, *words):
    try:
        call()
    except exceptions.SwarnDBError as error:
        assert type(error) is kind, repr(error)
        assert all(word in str(error) for word in words), repr(error)
        return error
    raise AssertionError(f"not refused: {kind.__name__}")


class Calls:
    def __init__(self, client, do, version, bulk):
        self.client = client
        self.do = do  # the answer of a call: itself, or of the coroutine
        self.newer = version == "1.1.0"
        self.is_async = type(client).__name__.startswith("Async")
        self.bulk = bulk

    def run(self):
        for step in (self.probes, self.collections, self.vectors, self.search, self.filters, self.bulk_inserts,
                     self.from_path, self.storage, self.graph, self.math, self.later_calls):
            step()

    def probes(self):
        client, do = self.client, self.do
        assert do(client.healthz()).healthy
        assert do(client.readyz()).ready
        assert do(client.recovery_status()).path in ("Unknown", "CleanShutdown", "IncrementalReplay", "FullRebuild")

    def collections(self):
        collections, do = self.client.collections, self.do
        options = {"mode": "auto_similarity"} if self.newer else {}
        made = do(collections.create(
            "made", 3, distance_metric="euclidean", default_threshold=0.5, max_vectors=9, m=8, ef_construction=40,
            quantization=types.QuantizationConfig(scalar=types.ScalarQuantizationConfig()), **options))
        assert made.name == "made"
        info = do(collections.get("made"))
        assert (info.dimension, info.distance_metric, info.vector_count, info.default_threshold, info.quantization_type) == (
            3, "euclidean", 0, 0.5, "scalar")
        assert [one.name for one in do(collections.list())] == ["made"]
        assert do(collections.exists("made")) and not do(collections.exists("other"))
        assert do(collections.get_status("made")) == "ready"
        error = refused(exceptions.CollectionExistsError, lambda: do(collections.create("made", 3)))
        assert error.collection_name == "made"
        assert do(collections.delete("made"))
        error = refused(exceptions.CollectionNotFoundError, lambda: do(collections.get("made")))
        assert error.collection_name == "made"
        refused(exceptions.CollectionNotFoundError, lambda: do(collections.delete("made")))
        do(collections.create("points", 3, default_threshold=0.5))

    def vectors(self):
        vectors, do = self.client.vectors, self.do
        for number, values in POINTS.items():
            metadata = {"number": number, "half": number / 2, "even": number % 2 == 0, "name": f"point {number}",
                        "tags": ["a", "b"] if number < 3 else ["b"]}
            assert do(vectors.insert("points", values, metadata=metadata, id=number)) == number
        assert do(vectors.insert("points", [1.0, 1.0, 1.0])) == 5
        record = do(vectors.get("points", 3))
        assert record.id == 3 and near(record.vector, POINTS[3])
        assert record.metadata == {"number": 3, "half": 1.5, "even": False, "name": "point 3", "tags": ["b"]}
        assert do(vectors.update("points", 5, vector=[2.0, 0.0, 0.0]))
        assert do(vectors.update("points", 5, metadata={"new": True}))
        assert do(vectors.get("points", 5)) == types.VectorRecord(5, [2.0, 0.0, 0.0], {"new": True})
        assert do(vectors.update("points", 5, metadata={})) and do(vectors.get("points", 5)).metadata == {}
        assert do(vectors.delete("points", 5))
        assert do(vectors.get("points", 5)) is None
        refused(exceptions.VectorNotFoundError, lambda: do(vectors.delete("points", 5)))
        refused(exceptions.VectorNotFoundError, lambda: do(vectors.update("points", 5, vector=[1.0, 0.0, 0.0])))
        refused(exceptions.DimensionMismatchError, lambda: do(vectors.insert("points", [1.0])))
        refused(exceptions.SwarnDBError, lambda: do(vectors.insert("points", POINTS[1], id=1)), "1")
        refused(exceptions.CollectionNotFoundError, lambda: do(vectors.insert("other", POINTS[1])))

    def search(self):
        search, do = self.client.search, self.do
        found = do(search.query("points", POINTS[1], k=10))
        assert [one.id for one in found.results] == [1, 3, 2, 4]
        assert near([one.score for one in found.results], [0, 0.4, 1, 1]) and found.warning == ""
        assert found.results[0].metadata["number"] == 1
        found = do(search.query("points", POINTS[1], k=1, include_metadata=False, include_graph=True, graph_threshold=0.5,
                                max_graph_edges=5, ef_search=64, strategy="post_filter",
                                quantization=types.SearchQuantizationParams()))
        assert found.results[0].metadata == {} and [edge.target_id for edge in found.results[0].graph_edges] == [3]
        batch = do(search.batch("points", [POINTS[2], POINTS[4]], k=1, filter=Filter.gt("number", 0)))
        assert [[one.id for one in each.results] for each in batch.results] == [[2], [4]]
        refused(exceptions.DimensionMismatchError, lambda: do(search.query("points", [1.0])))
        refused(exceptions.CollectionNotFoundError, lambda: do(search.query("other", [1.0])))

    def filters(self):
        field = Filter.field
        for condition, expected in (
                (Filter.eq("number", 2), {2}), (Filter.ne("number", 2), {1, 3, 4}), (Filter.gt("half", 1), {3, 4}),
                (Filter.gte("half", 1.0), {2, 3, 4}), (Filter.lt("number", 2.5), {1, 2}), (Filter.lte("number", 2), {1, 2}),
                (Filter.in_("name", ["point 1", "point 4"]), {1, 4}), (Filter.between("number", 2, 3), {2, 3}),
                (Filter.exists("even"), {1, 2, 3, 4}), (Filter.exists("no"), set()), (Filter.contains("tags", "a"), {1, 2}),
                (Filter.contains("name", "nt 3"), {3}), (field("even").eq(True) & field("number").gt(2), {4}),
                (field("number").eq(1) | field("number").eq(3), {1, 3}), (~field("tags").contains("a"), {3, 4})):
            for strategy in ("auto", "pre_filter", "post_filter"):
                found = self.do(self.client.search.query("points", POINTS[1], k=10, filter=condition, strategy=strategy))
                assert {one.id for one in found.results} == expected, (condition, strategy)

    def bulk_inserts(self):
        client, do = self.client, self.do
        do(client.collections.create("bulk", 3))
        rows = [[math.cos(number), math.sin(number), 0.5] for number in range(300)]
        loaded = do(client.vectors.bulk_insert("bulk", rows, metadata_list=[{"row": row} for row in range(300)]))
        assert loaded.inserted_count == 300 and loaded.errors == [] and loaded.assigned_ids == list(range(1, 301))
        assert loaded.last_committed_lsn == 300
        loaded = do(client.vectors.bulk_insert(
            "bulk", rows[:100], ids=list(range(1_001, 1_101)), batch_lock_size=50, defer_graph=True, wal_flush_every=10,
            ef_construction=80, index_mode="deferred", skip_metadata_index=True, parallel_build=True, checkpoint_every=1))
        assert loaded.inserted_count == 100 and loaded.errors == []
        assert do(client.collections.get_status("bulk")) == "pending_optimization"
        assert do(client.collections.optimize("bulk")).status == "completed"
        assert do(client.collections.optimize("bulk")).status == "already_optimized"
        loaded = do(client.vectors.bulk_insert("bulk", [rows[0], [1.0], rows[1]], ids=[2_001, 2_002, 1]))
        assert loaded.inserted_count == 1 and len(loaded.errors) == 2 and loaded.assigned_ids == [2_001]
        assert do(client.vectors.bulk_insert("bulk", [])).inserted_count == 0

    def from_path(self):
        client, do = self.client, self.do
        do(client.collections.create("file", 3))
        numpy.save(self.bulk / "some.npy", numpy.eye(3, dtype=numpy.float32))
        loaded = do(client.vectors.bulk_insert_from_path("file", str(self.bulk / "some.npy"), expected_count=3))
        assert loaded.inserted_count == 3 and list(loaded.assigned_ids) == [1, 2, 3]
        numpy.array([[5, 5, 5]], dtype=numpy.float32).tofile(self.bulk / "more.f32")
        numpy.save(self.bulk / "ids.npy", numpy.array([77], dtype=numpy.int64))
        loaded = do(client.vectors.bulk_insert_from_path(
            "file", str(self.bulk / "more.f32"), dim=3, expected_count=1, ids_path=str(self.bulk / "ids.npy"),
            index_mode="deferred", skip_metadata_index=True, chunk_size=1))
        assert list(loaded.assigned_ids) == [77]
        # The client has one error for this and for a wrong key.
        refused(exceptions.AuthenticationError,
                lambda: do(client.vectors.bulk_insert_from_path("file", "/etc/hostname", expected_count=1)))

    def storage(self):
        collections, do = self.client.collections, self.do
        before = do(collections.persistence_status("points"))
        assert before.next_lsn == before.current_lsn + 1
        assert do(collections.snapshot("points")) == before.current_lsn
        assert do(collections.persistence_status("points")).last_snapshot_lsn == before.current_lsn
        assert do(collections.metrics("points")).total_blocked_microseconds >= 0
        if hasattr(collections, "prune_wal"):
            assert do(collections.prune_wal("points")).status
            assert do(collections.compact("points", min_segments=1_000_000)).status == "skipped"

    def graph(self):
        graph, do = self.client.graph, self.do
        assert [edge.target_id for edge in do(graph.get_related("points", 3))] == [2, 1]
        assert [edge.target_id for edge in do(graph.get_related("points", 3, threshold=0.7, max_results=5))] == [2]
        nodes = do(graph.traverse("points", 1, depth=3))
        assert [(node.id, node.depth, node.path) for node in nodes] == [(3, 1, [1, 3]), (2, 2, [1, 3, 2])]
        assert do(graph.set_threshold("points", 0.75, vector_id=3))
        assert [edge.target_id for edge in do(graph.get_related("points", 3))] == [2]
        assert do(graph.set_threshold("points", 0.9))
        assert abs(do(self.client.collections.get("points")).default_threshold - 0.9) < 1e-6
        refused(exceptions.VectorNotFoundError, lambda: do(graph.get_related("points", 99)))
        refused(exceptions.CollectionNotFoundError, lambda: do(graph.traverse("other", 1)))

    def math(self):
        client, do = self.client.math, self.do
        assert len(do(client.detect_ghosts("points", 0.0, auto_k=2))) == 4
        assert do(client.detect_ghosts("points", 2.0, centroids=[[0.0, 0.0, 0.0]], metric="euclidean")) == []
        assert [one.id for one in do(client.cone_search("points", [1.0, 0.0, 0.0], 1.0))] == [1, 3]
        assert near(do(client.centroid("points")), [0.4, 0.45, 0.25])
        assert near(do(client.centroid("points", vector_ids=[1, 2], weights=[1.0, 3.0])), [0.25, 0.75, 0])
        assert near(do(client.interpolate([1.0, 0.0], [0.0, 1.0])), [0.5, 0.5])
        arc = do(client.interpolate_sequence([1.0, 0.0], [0.0, 1.0], 3, method="slerp"))
        assert near(arc[1], [math.sqrt(0.5)] * 2) and len(arc) == 3
        report = do(client.detect_drift("points", [1], [2], threshold=1.0))
        assert report.has_drifted and abs(report.centroid_shift - math.sqrt(2)) < 1e-5
        clusters = do(client.cluster("points", 2, max_iterations=50, tolerance=1e-4, metric="euclidean"))
        assert len(clusters.centroids) == 2 and len(clusters.assignments) == 4
        reduced = do(client.reduce_dimensions("points", 2))
        assert len(reduced.components) == 2 and len(reduced.projected) == 4 and len(reduced.mean) == 3
        assert near(do(client.analogy([1.0, 0.0], [3.0, 0.0], [0.0, 1.0], normalize=False)), [2, 1])
        assert near(do(client.weighted_sum([[1.0, 0.0], [0.0, 1.0]], [3.0, 4.0])), [0.6, 0.8])
        chosen = do(client.diversity_sample("points", POINTS[1], 2, lambda_=1.0))
        assert [one.id for one in chosen] == [1, 3]
        refused(exceptions.CollectionNotFoundError, lambda: do(client.centroid("other")))

    def later_calls(self):
        if self.newer:
            refused(exceptions.SwarnDBError, lambda: self.do(self.client.graph.get_node("points", 1)), "UNIMPLEMENTED")
            refused(exceptions.SwarnDBError, lambda: self.do(self.client.extraction.get_llm_config("points")),
                    "UNIMPLEMENTED")


def numpy_calls(ports):
    with swarndb.create_numpy_client("127.0.0.1", ports["port"], api_key=KEY, rest_port=ports["rest_port"]) as client:
        client.collections.create("arrays", 3)
        assert client.np_bulk_insert("arrays", numpy.eye(3)).inserted_count == 3
        assert client.np_insert("arrays", numpy.array([1.0, 1.0, 0.0])) == 4
        assert client.np_search("arrays", numpy.array([1.0, 1.0, 0.0]), k=1).results[0].id == 4
        assert near(client.np_get("arrays", 2)[0], [0, 1, 0])
        assert client.np_centroid("arrays").shape == (3,)
        assert client.np_pca("arrays", 1).components.shape == (1, 3)
        assert client.np_cluster("arrays", 2).centroids.shape == (2, 3)


def main():
    kind, version, http_port, grpc_port, bulk = sys.argv[1:]
    assert swarndb.__version__ == version
    ports = {"port": int(grpc_port), "rest_port": int(http_port)}
    if kind == "sync":
        with swarndb.SwarnDBClient("127.0.0.1", api_key="wrong", **ports) as stranger:
            refused(exceptions.AuthenticationError, lambda: stranger.collections.list())
        with swarndb.SwarnDBClient("127.0.0.1", api_key=KEY, **ports) as client:
            Calls(client, lambda answer: answer, version, pathlib.Path(bulk)).run()
        numpy_calls(ports)
    else:
        loop = asyncio.new_event_loop()

        async def connect():
            return swarndb.AsyncSwarnDBClient("127.0.0.1", **ports)

        client = loop.run_until_complete(connect())
        Calls(client, loop.run_until_complete, version, pathlib.Path(bulk)).run()
        loop.run_until_complete(client.close())
        loop.close()
    print("every call answered")


main()
