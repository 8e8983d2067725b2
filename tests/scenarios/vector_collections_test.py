"""Collections: made, listed, told and deleted; their storage operations; what is refused."""

import pytest

from strata_server import Server
from vector_help import assert_error, new_collection


def test_a_collection_is_made_told_listed_and_deleted(client):
    with new_collection(client, 7, "euclidean", default_threshold=0.25, max_vectors=9) as made:
        told = made.get().json
        assert told == {
            "name": made.name, "dimension": 7, "distance_metric": "euclidean", "vector_count": 0,
            "default_threshold": 0.25, "status": "ready", "indexed_count": 0, "quantization_type": "none",
        }
        assert told in client.get("/api/v1/collections").json["collections"]
        assert_error(client.post("/api/v1/collections", {"name": made.name, "dimension": 3}), 409, "collection", f"'{made.name}'")
        deleted = client.delete(made.path)
        assert (deleted.status, deleted.json) == (200, {"success": True})
        assert_error(made.get(), 404, "collection", f"'{made.name}'")
        assert_error(client.delete(made.path), 404, "collection")


def test_defaults_of_a_collection(client):
    with new_collection(client, 1) as made:
        told = made.get().json
        assert (told["distance_metric"], told["default_threshold"]) == ("cosine", 0)


@pytest.mark.parametrize("body, word", [
    ({"dimension": 3}, "name"),
    ({"name": "x"}, "dimension"),
    ({"name": "x", "dimension": 0}, "dimension"),
    ({"name": "x", "dimension": 65_537}, "dimension"),
    ({"name": "x", "dimension": -1}, "dimension"),
    ({"name": "x", "dimension": 2.5}, "dimension"),
    ({"name": "x", "dimension": "3"}, "dimension"),
    ({"name": "", "dimension": 3}, "name"),
    ({"name": "a b", "dimension": 3}, "name"),
    ({"name": "a/b", "dimension": 3}, "name"),
    ({"name": "x" * 257, "dimension": 3}, "name"),
    ({"name": 7, "dimension": 3}, "name"),
    ({"name": "x", "dimension": 3, "distance_metric": "hamming"}, "distance_metric"),
    ({"name": "x", "dimension": 3, "distance_metric": 1}, "distance_metric"),
    ({"name": "x", "dimension": 3, "default_threshold": 1e39}, "default_threshold"),
    ({"name": "x", "dimension": 3, "max_vectors": -1}, "max_vectors"),
    ([], "object"),
    (b"{", "JSON"),
    (b"", "JSON"),
    (b'{"name":"x","dimension":3} x', "JSON"),
])
def test_what_makes_no_collection(client, body, word):
    assert_error(client.post("/api/v1/collections", body), 400, word)


def test_names_and_dimensions_at_their_limits(client):
    name = "A-z_0" * 51 + "9"
    assert client.post("/api/v1/collections", {"name": name, "dimension": 65_536}).status == 200
    try:
        assert client.get(f"/api/v1/collections/{name}").json["dimension"] == 65_536
    finally:
        assert client.delete(f"/api/v1/collections/{name}").status == 200


def test_nothing_of_a_deleted_collection_comes_back(client):
    with new_collection(client, 2) as made:
        made.insert([1, 0], id=5)
        assert client.delete(made.path).status == 200
        assert client.post("/api/v1/collections", {"name": made.name, "dimension": 2}).status == 200
        assert made.get().json["vector_count"] == 0
        assert made.get("/vectors/5").status == 404
        assert made.search([1, 0], 5) == []


def test_max_vectors_is_kept(client):
    with new_collection(client, 1, max_vectors=2) as made:
        made.insert([1])
        made.insert([2])
        assert_error(made.post("/vectors", {"values": [3]}), 400, "max_vectors")
        bulk = made.post("/vectors/bulk", {"vectors": [{"values": [4]}]}).json
        assert bulk["inserted_count"] == 0 and "max_vectors" in bulk["errors"][0]
        assert client.delete(made.path + "/vectors/1").status == 200
        made.insert([5])
        assert made.get().json["vector_count"] == 2


def test_lsns_count_what_is_written(client):
    with new_collection(client, 2) as made:
        def status():
            told = made.get("/persistence_status").json
            assert told["next_lsn"] == told["current_lsn"] + 1
            return told["current_lsn"]

        assert status() == 0
        made.insert([1, 0], id=1)
        assert status() == 1
        made.fill([(2, [0, 1], None), (3, [1, 1], None)])
        assert status() == 3
        assert client.put(made.path + "/vectors/2", {"values": [2, 2]}).status == 200
        assert client.delete(made.path + "/vectors/3").status == 200
        assert status() == 5
        assert made.post("/snapshot").json["last_snapshot_lsn"] == 5
        assert made.post("/graph/threshold", {"vector_id": 1, "threshold": 0.5}).status == 200
        assert status() == 6


def test_storage_operations_answer_as_documented(client):
    with new_collection(client, 2) as made:
        made.fill_randomly(10)
        compacted = made.post("/compact", {"min_segments": 1_000_000}).json
        assert compacted["status"] == "skipped"
        assert set(compacted) == {"status", "segments_merged", "vectors_written", "vectors_removed", "duration_ms"}
        assert made.post("/compact", {"min_segments": 1, "remove_deleted": False}).status == 200
        assert made.client.post(made.path + "/compact", b"").status == 200
        pruned = made.post("/prune-wal").json
        assert set(pruned) == {"status", "files_deleted", "bytes_freed", "duration_ms"}
        counters = client.get(f"/metrics/collection/{made.name}").json
        assert set(counters) == {"map_lock_acquisitions", "collection_read_acquisitions",
                                 "collection_write_acquisitions", "total_blocked_microseconds"}
        assert counters["collection_write_acquisitions"] >= 1
        made.search([1, 0], 1)
        after = client.get(f"/metrics/collection/{made.name}").json
        assert after["collection_read_acquisitions"] > counters["collection_read_acquisitions"]
        assert_error(made.post("/compact", {"min_segments": "x"}), 400, "min_segments")
        assert_error(made.post("/compact", {"remove_deleted": 1}), 400, "remove_deleted")


def test_optimize_does_what_was_deferred(client):
    with new_collection(client, 2, default_threshold=0.5) as made:
        assert made.post("/optimize").json["status"] == "already_optimized"
        rows = [(1, [1, 0], {"a": 1}), (2, [1, 0.25], {"a": 2}), (3, [0, 1], {"a": 1})]
        made.fill(rows, index_mode="deferred", skip_metadata_index=True, defer_graph=True, parallel_build=True)
        assert made.get().json["status"] == "pending_optimization"
        assert made.get().json["indexed_count"] == 0
        assert made.get("/vectors/2").json["values"] == [1, 0.25]
        waiting = made.post("/search", {"query": [1, 0], "k": 3}).json
        assert waiting["results"] == [] and waiting["warning"]
        assert made.get("/graph/related/1").json == {"edges": []}
        done = made.post("/optimize").json
        assert (done["status"], done["vectors_processed"]) == ("completed", 3)
        assert done["message"] and done["duration_ms"] >= 0
        assert made.get().json["status"] == "ready" and made.get().json["indexed_count"] == 3
        found = made.post("/search", {"query": [1, 0], "k": 3}).json
        assert [result["id"] for result in found["results"]] == [1, 2, 3] and "warning" not in found
        only = made.search([1, 0], 3, filter={"field": "a", "op": "eq", "value": 1})
        assert [result["id"] for result in only] == [1, 3]
        assert [edge["target_id"] for edge in made.get("/graph/related/1").json["edges"]] == [2]
        assert made.post("/optimize").json["status"] == "already_optimized"
        assert_error(made.post("/optimize", {"rebuild_graph": "yes"}), 400, "rebuild_graph")


def test_metadata_that_is_not_indexed_is_filtered_by_all_the_same(client):
    with new_collection(client, 2) as made:
        made.fill([(1, [1, 0], {"a": 1}), (2, [1, 1], {"a": 2})], skip_metadata_index=True)
        found = made.search([1, 0], 2, filter={"field": "a", "op": "eq", "value": 2})
        assert [result["id"] for result in found] == [2]
        none = {"field": "b", "op": "exists"}
        assert [r["id"] for r in made.search([1, 0], 2, filter={"not": none})] == [1, 2]


@pytest.mark.parametrize("method, path", [
    ("GET", ""), ("DELETE", ""), ("POST", "/optimize"), ("POST", "/snapshot"), ("GET", "/persistence_status"),
    ("POST", "/prune-wal"), ("POST", "/compact"), ("POST", "/vectors"), ("GET", "/vectors/1"), ("PUT", "/vectors/1"),
    ("DELETE", "/vectors/1"), ("POST", "/vectors/bulk"), ("POST", "/search"), ("GET", "/graph/related/1"),
    ("POST", "/graph/traverse"), ("POST", "/graph/threshold"), ("POST", "/math/ghosts"), ("POST", "/math/cone"),
    ("POST", "/math/centroid"), ("POST", "/math/drift"), ("POST", "/math/cluster"), ("POST", "/math/pca"),
    ("POST", "/math/diversity"),
])
def test_an_unknown_collection_is_said_first(client, method, path):
    answer = client.request(method, "/api/v1/collections/none" + path, body=None if method == "GET" else {})
    assert_error(answer, 404, "collection", "'none'")


def test_an_unknown_collection_has_no_metrics(client):
    assert_error(client.get("/metrics/collection/none"), 404, "collection")


def test_keys_guard_every_route():
    with Server(engine="memory", environment={"SWARNDB_API_KEYS": "one,two"}) as server:
        client = server.client()
        for headers in ({"X-API-Key": "one"}, {"Authorization": "Bearer two"}):
            assert client.get("/api/v1/collections", headers=headers).json == {"collections": []}
        for headers in ({}, {"X-API-Key": "three"}):
            assert_error(client.get("/api/v1/collections", headers=headers), 401)
            assert_error(client.post("/api/v1/math/analogy", {}, headers=headers), 401)
            assert_error(client.get("/metrics/collection/x", headers=headers), 401)
        assert client.get("/ready").json == {"ready": True, "collections": 0, "total_vectors": 0}
        assert client.get("/recovery_status").json["path"] == "none"
        client.close()


def test_ready_counts_collections_and_vectors():
    with Server(engine="memory") as server:
        client = server.client()
        with new_collection(client, 2) as made:
            made.fill_randomly(3)
            assert client.get("/ready").json == {"ready": True, "collections": 1, "total_vectors": 3}
        client.close()
