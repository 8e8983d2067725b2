"""Every RPC of the vector services: what it answers, which status and words it refuses with."""

import itertools
import math
import struct

import grpc
import pytest

from grpc_collection import bulk_root, door, ids, name, new_name, points, running  # noqa: F401
from grpc_help import Door, failure, message_class
from strata_server import Server


def test_collections(door):
    name = new_name()
    made = door("CollectionService.CreateCollection", name=name, dimension=8, distance_metric="euclidean",
                default_threshold=0.25, max_vectors=2, quantization={"scalar": {"quantile": 0.99, "always_ram": True}},
                m=8, ef_construction=64, mode="MODE_HYBRID")
    assert (made.name, made.success) == (name, True)
    info = door("CollectionService.GetCollection", name=name)
    assert (info.name, info.dimension, info.distance_metric, info.vector_count) == (name, 8, "euclidean", 0)
    assert (info.default_threshold, info.status, info.quantization_type, info.indexed_count) == (0.25, "ready", "scalar", 0)
    assert name in [one.name for one in door("CollectionService.ListCollections").collections]
    code, details = failure(lambda: door("CollectionService.CreateCollection", name=name, dimension=8))
    assert code == "ALREADY_EXISTS" and "collection" in details and f"'{name}'" in details
    for expected in (1, 2):
        assert door("VectorService.Insert", collection=name, vector={"values": [1.0] * 8}).id == expected
    assert failure(lambda: door("VectorService.Insert", collection=name, vector={"values": [1.0] * 8}))[0] not in (
        "OK", "INTERNAL", "UNAVAILABLE")
    assert door("CollectionService.DeleteCollection", name=name).success
    for call in ("CollectionService.GetCollection", "CollectionService.DeleteCollection",
                 "CollectionService.SnapshotCollection", "CollectionService.GetPersistenceStatus",
                 "CollectionService.GetCollectionMetrics"):
        code, details = failure(lambda: door(call, name=name))
        assert code == "NOT_FOUND" and "collection" in details and f"'{name}'" in details, call


@pytest.mark.parametrize("fields, word", [
    ({"name": "a b", "dimension": 3}, ""), ({"name": "", "dimension": 3}, ""), ({"name": "x" * 257, "dimension": 3}, ""),
    ({"name": "a", "dimension": 0}, "dimension"), ({"name": "a", "dimension": 65_537}, "dimension"),
    ({"name": "a", "dimension": 3, "distance_metric": "hamming"}, ""), ({"name": "a", "dimension": 3, "mode": 7}, "mode"),
    ({"name": "a", "dimension": 3, "m": 1}, ""), ({"name": "a", "dimension": 3, "default_threshold": "NaN"}, "")])
def test_collections_that_cannot_be(door, fields, word):
    code, details = failure(lambda: door("CollectionService.CreateCollection", **fields))
    assert code == "INVALID_ARGUMENT" and word in details


def test_a_vector(door, name):
    metadata = {"fields": {"s": {"string_value": "ä"}, "i": {"int_value": -(2**63)}, "f": {"float_value": 0.1},
                           "b": {"bool_value": True}, "l": {"string_list_value": {"values": ["x", ""]}}}}
    assigned = door("VectorService.Insert", collection=name, vector={"values": [0.1, 0.2, 0.3]}, metadata=metadata).id
    assert assigned == 1
    stored = door("VectorService.Get", collection=name, id=assigned)
    assert stored.id == assigned and list(stored.vector.values) == [struct.unpack("f", struct.pack("f", x))[0]
                                                                   for x in (0.1, 0.2, 0.3)]
    fields = stored.metadata.fields
    assert set(fields) == set("sifbl")
    assert (fields["s"].string_value, fields["i"].int_value, fields["f"].float_value, fields["b"].bool_value) == (
        "ä", -(2**63), 0.1, True)
    assert list(fields["l"].string_list_value.values) == ["x", ""]

    # Values alone keep the metadata, metadata alone keep the values, empty ones clear them.
    assert door("VectorService.Update", collection=name, id=assigned, vector={"values": [1, 2, 3]}).success
    assert set(door("VectorService.Get", collection=name, id=assigned).metadata.fields) == set("sifbl")
    door("VectorService.Update", collection=name, id=assigned, metadata={"fields": {"n": {"int_value": 1}}})
    stored = door("VectorService.Get", collection=name, id=assigned)
    assert list(stored.vector.values) == [1, 2, 3] and set(stored.metadata.fields) == {"n"}
    door("VectorService.Update", collection=name, id=assigned, metadata={})
    assert not door("VectorService.Get", collection=name, id=assigned).metadata.fields
    assert failure(lambda: door("VectorService.Update", collection=name, id=assigned))[0] == "INVALID_ARGUMENT"

    assert door("VectorService.Insert", collection=name, id=10, vector={"values": [1, 1, 1]}).id == 10
    assert door("VectorService.Insert", collection=name, vector={"values": [1, 1, 1]}).id == 11
    assert door("VectorService.Delete", collection=name, id=10).success
    assert door("VectorService.Insert", collection=name, vector={"values": [1, 1, 1]}).id == 12
    assert door("CollectionService.GetCollection", name=name).vector_count == 3


def test_refusals_of_vectors(door, points):
    for call in (lambda: door("VectorService.Get", collection=points, id=99),
                 lambda: door("VectorService.Delete", collection=points, id=99),
                 lambda: door("VectorService.Update", collection=points, id=99, vector={"values": [1, 2, 3]})):
        code, details = failure(call)
        assert code == "NOT_FOUND" and "vector" in details and "collection" not in details
    code, details = failure(lambda: door("VectorService.Insert", collection=points, id=3, vector={"values": [1, 2, 3]}))
    assert code == "INVALID_ARGUMENT" and "3" in details
    for wrong in ([], [1.0], [1.0] * 4):
        for call in (lambda: door("VectorService.Insert", collection=points, vector={"values": wrong}),
                     lambda: door("VectorService.Update", collection=points, id=1, vector={"values": wrong}),
                     lambda: door("SearchService.Search", collection=points, k=1, query={"values": wrong})):
            code, details = failure(call)
            assert code == "INVALID_ARGUMENT" and "dimension" in details
    for wrong in ("NaN", "Infinity", "-Infinity"):
        refused = failure(lambda: door("VectorService.Insert", collection=points, vector={"values": [1, wrong, 1]}))
        assert refused[0] == "INVALID_ARGUMENT"
    nothing = failure(lambda: door("VectorService.Insert", collection=points, vector={"values": [1, 1, 1]},
                                   metadata={"fields": {"empty": {}}}))
    assert nothing[0] == "INVALID_ARGUMENT" and "empty" in nothing[1]
    for call in ("Insert", "Get", "Update", "Delete", "Optimize", "PruneWAL", "Compact", "BulkInsertFromPath"):
        code, details = failure(lambda: door(f"VectorService.{call}", collection="nowhere"))
        assert code in ("NOT_FOUND", "PERMISSION_DENIED", "INVALID_ARGUMENT"), call
        if code == "NOT_FOUND":
            assert "collection" in details and "'nowhere'" in details


def test_search(door, points):
    found = door("SearchService.Search", collection=points, query={"values": [1, 0, 0]}, k=10)
    assert ids(found.results) == [1, 3, 2, 4]
    assert [result.score for result in found.results] == pytest.approx([0, 0.4, 1, 1], abs=1e-6)
    assert not found.results[0].HasField("metadata") and not found.results[0].graph_edges and found.warning == ""
    with_all = door("SearchService.Search", collection=points, query={"values": [1, 0, 0]}, k=1, include_metadata=True,
                    include_graph=True, strategy="auto", ef_search=100, quantization={"rescore": True})
    (first,) = with_all.results
    assert first.metadata.fields["number"].int_value == 1
    assert [(edge.target_id, round(edge.similarity, 5)) for edge in first.graph_edges] == [(3, 0.6)]
    narrow = door("SearchService.Search", collection=points, query={"values": [0.6, 0.8, 0]}, k=1, include_graph=True,
                  max_graph_edges=1)
    assert [edge.target_id for edge in narrow.results[0].graph_edges] == [2]
    strict = door("SearchService.Search", collection=points, query={"values": [1, 0, 0]}, k=1, include_graph=True,
                  graph_threshold=0.9)
    assert not strict.results[0].graph_edges
    assert not door("SearchService.Search", collection=points, query={"values": [1, 0, 0]}, k=0).results


def int_field(op, *numbers):
    if len(numbers) == 1 and op not in ("in", "between"):
        return {"field": {"field": "number", "op": op, "value": {"int_value": numbers[0]}}}
    return {"field": {"field": "number", "op": op, "values": [{"int_value": number} for number in numbers]}}


@pytest.mark.parametrize("condition, expected", [
    (int_field("eq", 2), {2}), (int_field("ne", 2), {1, 3, 4}), (int_field("gt", 2), {3, 4}),
    (int_field("gte", 2), {2, 3, 4}), (int_field("lt", 2), {1}), (int_field("lte", 2), {1, 2}),
    (int_field("in", 1, 4, 9), {1, 4}), (int_field("between", 2, 3), {2, 3}), (int_field("in"), set()),
    ({"field": {"field": "number", "op": "exists", "value": {"bool_value": True}}}, {1, 2, 3, 4}),
    ({"field": {"field": "no", "op": "exists"}}, set()),
    ({"field": {"field": "no", "op": "ne", "value": {"int_value": 1}}}, set()),
    ({"not": {"filter": {"field": {"field": "no", "op": "ne", "value": {"int_value": 1}}}}}, {1, 2, 3, 4}),
    ({"and": {"filters": [int_field("gt", 1), {"field": {"field": "even", "op": "eq", "value": {"bool_value": True}}}]}},
     {2, 4}),
    ({"or": {"filters": [int_field("eq", 1), {"field": {"field": "number", "op": "eq", "value": {"float_value": 4.0}}}]}},
     {1, 4}),
    ({"and": {}}, {1, 2, 3, 4}), ({"or": {}}, set())])
def test_filters(door, points, condition, expected):
    for strategy in ("", "pre_filter", "post_filter"):
        found = door("SearchService.Search", collection=points, query={"values": [1, 0, 0]}, k=10, filter=condition,
                     strategy=strategy)
        assert set(ids(found.results)) == expected, strategy


def test_filters_on_text(door, name):
    for number, tags in enumerate((["a", "b"], ["b"]), 1):
        door("VectorService.Insert", collection=name, vector={"values": [1, number, 0]}, metadata={"fields": {
            "tags": {"string_list_value": {"values": tags}}, "title": {"string_value": f"vector {number}"}}})
    for field, text, expected in (("tags", "a", {1}), ("tags", "b", {1, 2}), ("title", "tor 2", {2}), ("title", "x", set())):
        found = door("SearchService.Search", collection=name, query={"values": [1, 0, 0]}, k=10, filter={
            "field": {"field": field, "op": "contains", "value": {"string_value": text}}})
        assert set(ids(found.results)) == expected


def deep(levels):
    condition = int_field("eq", 1)
    for _ in range(levels):
        condition = {"not": {"filter": condition}}
    return condition


@pytest.mark.parametrize("wrong", [
    {"strategy": "best"}, {"ef_search": 10_001}, {"filter": {}}, {"filter": {"not": {}}}, {"filter": deep(40)},
    {"filter": {"field": {"field": "a", "op": "like", "value": {"int_value": 1}}}},
    {"filter": {"field": {"field": "a", "op": "eq"}}}, {"filter": {"field": {"field": "a", "op": "eq", "value": {}}}},
    {"filter": int_field("between", 1)}, {"filter": {"or": {"filters": [int_field("eq", 1)] * 1_001}}},
    {"query": {"values": [1, "NaN", 0]}}])
def test_searches_that_are_refused(door, points, wrong):
    request = {"collection": points, "query": {"values": [1, 0, 0]}, "k": 1} | wrong
    assert failure(lambda: door("SearchService.Search", **request))[0] == "INVALID_ARGUMENT"
    fine = {"collection": points, "query": {"values": [1, 0, 0]}, "k": 1}
    code, details = failure(lambda: door("SearchService.BatchSearch", queries=[fine, request]))
    assert code == "INVALID_ARGUMENT" and "1" in details


def test_batch_search(door, points):
    answer = door("SearchService.BatchSearch", queries=[
        {"collection": points, "query": {"values": [1, 0, 0]}, "k": 1},
        {"collection": points, "query": {"values": [0, 0, 1]}, "k": 2, "include_metadata": True}])
    assert [ids(one.results) for one in answer.results] == [[1], [4, 1]]
    assert answer.results[1].results[0].metadata.fields["number"].int_value == 4
    assert not door("SearchService.BatchSearch").results
    code, details = failure(lambda: door("SearchService.BatchSearch", queries=[
        {"collection": "nowhere", "query": {"values": [1]}, "k": 1}]))
    assert code in ("NOT_FOUND", "INVALID_ARGUMENT") and "nowhere" in details


def rows(name, count, first=1):
    return [{"collection": name, "id": number, "vector": {"values": [math.cos(number), math.sin(number), 0.5]},
             "metadata": {"fields": {"number": {"int_value": number}}}} for number in range(first, first + count)]


def test_bulk_insert(door, name):
    answer = door.stream("VectorService.BulkInsert", rows(name, 1_000))
    assert answer.inserted_count == 1_000 and not answer.errors
    assert list(answer.assigned_ids) == list(range(1, 1_001))
    status = door("CollectionService.GetPersistenceStatus", name=name)
    assert answer.last_committed_lsn == status.current_lsn == status.next_lsn - 1
    again = door.stream("VectorService.BulkInsert", [
        {"collection": name, "id": 7, "vector": {"values": [1, 2, 3]}},
        {"collection": name, "vector": {"values": [1, 2]}},
        {"collection": "another", "vector": {"values": [1, 2, 3]}},
        {"collection": name, "vector": {"values": [1, 2, 3]}, "metadata": {"fields": {"empty": {}}}},
        {"vector": {"values": [1, 2, 3]}}])
    assert again.inserted_count == 1 and list(again.assigned_ids) == [1_001]
    assert len(again.errors) == 4
    assert "7" in again.errors[0] and "dimension" in again.errors[1] and name in again.errors[2] and "empty" in again.errors[3]
    assert ids(door("SearchService.Search", collection=name, query={"values": [1, 2, 3]}, k=1).results) == [1_001]
    nothing = door.stream("VectorService.BulkInsert", [])
    assert nothing.inserted_count == 0
    code, details = failure(lambda: door.stream("VectorService.BulkInsert", rows("nowhere", 3)))
    assert code == "NOT_FOUND" and "'nowhere'" in details


def test_bulk_insert_with_options(door, name):
    options = {"batch_lock_size": 100, "defer_graph": True, "wal_flush_every": 10, "ef_construction": 50,
               "index_mode": "deferred", "skip_metadata_index": True, "parallel_build": True, "checkpoint_every": 1}
    answer = door.stream("VectorService.BulkInsertWithOptions",
                         [{"options": options}] + [{"vector": row} for row in rows(name, 300)])
    assert answer.inserted_count == 300 and not answer.errors
    assert door("VectorService.Get", collection=name, id=300).id == 300
    assert door("CollectionService.GetCollection", name=name).status == "pending_optimization"
    found = door("SearchService.Search", collection=name, query={"values": [1, 0, 0.5]}, k=3)
    assert not found.results and found.warning
    optimized = door("VectorService.Optimize", collection=name)
    assert (optimized.status, optimized.vectors_processed) == ("completed", 300) and optimized.message
    assert door("CollectionService.GetCollection", name=name).status == "ready"
    assert len(door("SearchService.Search", collection=name, query={"values": [1, 0, 0.5]}, k=3).results) == 3
    assert door("VectorService.Optimize", collection=name).status == "already_optimized"

    without = door.stream("VectorService.BulkInsertWithOptions", [{"vector": row} for row in rows(name, 5, 301)])
    assert without.inserted_count == 5
    assert door.stream("VectorService.BulkInsertWithOptions", [{"options": {}}]).inserted_count == 0
    assert door.stream("VectorService.BulkInsertWithOptions", []).inserted_count == 0


@pytest.mark.parametrize("messages", [
    lambda name: [{"options": {"batch_lock_size": 10_001}}, {"vector": rows(name, 1)[0]}],
    lambda name: [{"options": {"index_mode": "later"}}, {"vector": rows(name, 1)[0]}],
    lambda name: [{"options": {"resume_token": "no such"}}, {"vector": rows(name, 1)[0]}],
    lambda name: [{"vector": rows(name, 1)[0]}, {"options": {}}], lambda name: [{"options": {}}, {}], lambda name: [{}]])
def test_options_that_are_refused(door, name, messages):
    refused = failure(lambda: door.stream("VectorService.BulkInsertWithOptions", messages(name)))
    assert refused[0] == "INVALID_ARGUMENT"


def test_a_stream_of_long_vectors(door):
    name = new_name()
    door("CollectionService.CreateCollection", name=name, dimension=4_096)
    one = message_class("swarndb.v1.InsertRequest")(collection=name, vector={"values": [1.0] * 4_096})

    def messages():
        for number in range(1_000):
            one.vector.values[0] = float(number)
            yield one

    answer = door.stream("VectorService.BulkInsert", messages())
    assert answer.inserted_count == 1_000 and list(answer.assigned_ids) == list(range(1, 1_001))
    assert door("VectorService.Get", collection=name, id=1_000).vector.values[0] == 999
    door("CollectionService.DeleteCollection", name=name)


def test_a_client_that_leaves_in_the_middle(door, name):
    def forever():
        for number in itertools.count(1):
            yield rows(name, 1, number)[0]

    call = door.stub("VectorService.BulkInsert").future(
        (door.request("VectorService.Insert", **row) for row in forever()), timeout=1)
    with pytest.raises(grpc.RpcError) as caught:
        call.result()
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    # What it left behind is whole, and the collection goes on.
    count = door("CollectionService.GetCollection", name=name).vector_count
    assert door("VectorService.Insert", collection=name, vector={"values": [1, 1, 1]}).id >= count


def npy(path, vectors):
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({len(vectors)}, {len(vectors[0])}), }}"
    header += " " * (63 - (10 + len(header)) % 64) + "\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() +
                     b"".join(struct.pack(f"<{len(vector)}f", *vector) for vector in vectors))


def test_bulk_insert_from_path(door, name, bulk_root):
    npy(bulk_root / "some.npy", [[1, 0, 0], [0, 1, 0]])
    answer = door("VectorService.BulkInsertFromPath", collection=name, path=str(bulk_root / "some.npy"), dim=3,
                  expected_count=2, index_mode="immediate")
    assert answer.inserted_count == 2 and list(answer.assigned_ids) == [1, 2]
    (bulk_root / "more.f32").write_bytes(struct.pack("<6f", 0, 0, 1, 0, 1, 1))
    (bulk_root / "ids").write_bytes(struct.pack("<2q", 70, 80))
    answer = door("VectorService.BulkInsertFromPath", collection=name, path=str(bulk_root / "more.f32"), expected_count=2,
                  ids_path=str(bulk_root / "ids"), chunk_size=1)
    assert list(answer.assigned_ids) == [70, 80]
    assert ids(door("SearchService.Search", collection=name, query={"values": [0, 0, 1]}, k=1).results) == [70]
    outside = failure(lambda: door("VectorService.BulkInsertFromPath", collection=name, path="/etc/hostname"))
    assert outside[0] == "PERMISSION_DENIED"
    missing = failure(lambda: door("VectorService.BulkInsertFromPath", collection=name, path=str(bulk_root / "no.npy")))
    assert missing[0] == "NOT_FOUND"


def test_storage(door, points):
    assert door("CollectionService.SnapshotCollection", name=points).last_snapshot_lsn == 4
    status = door("CollectionService.GetPersistenceStatus", name=points)
    assert (status.last_snapshot_lsn, status.current_lsn, status.next_lsn) == (4, 4, 5)
    assert door("VectorService.PruneWAL", collection=points).status
    assert door("VectorService.Compact", collection=points, min_segments=1_000_000).status == "skipped"
    assert door("VectorService.Compact", collection=points, min_segments=1, remove_deleted=True).status
    door("CollectionService.GetCollectionMetrics", name=points)
    recovery = door("CollectionService.GetRecoveryStatus")
    assert recovery.path in (0, 1, 2, 3)


def test_recovery_after_a_restart(tmp_path):
    with Server(directory=tmp_path) as server:
        with Door(server.grpc_port) as door:
            door("CollectionService.CreateCollection", name="kept", dimension=3)
            assert door.stream("VectorService.BulkInsert", rows("kept", 50)).inserted_count == 50
        server.restart()
        with Door(server.grpc_port) as door:
            found = door("SearchService.Search", collection="kept", query={"values": [math.cos(7), math.sin(7), 0.5]}, k=1)
            assert ids(found.results) == [7]
            status = door("CollectionService.GetRecoveryStatus")
            assert [(entry.name, entry.path) for entry in status.collections] == [("kept", status.path)]
            assert status.path != 0


def test_ids_and_dimensions_at_their_ends(door):
    name = new_name()
    door("CollectionService.CreateCollection", name=name, dimension=65_536, distance_metric="euclidean")
    assert door("VectorService.Insert", collection=name, vector={"values": [0.5] * 65_536}).id == 1
    assert len(door("VectorService.Get", collection=name, id=1).vector.values) == 65_536
    (found,) = door("SearchService.Search", collection=name, query={"values": [0.25] * 65_536}, k=1).results
    assert found.score == pytest.approx(64.0)
    zeros = {"values": [0.0] * 65_536}
    assert door("VectorService.Insert", collection=name, id=2**64 - 1, vector=zeros).id == 2**64 - 1
    assert failure(lambda: door("VectorService.Insert", collection=name, vector=zeros))[0] == "INVALID_ARGUMENT"
    assert door("VectorService.Delete", collection=name, id=2**64 - 1).success
    door("CollectionService.DeleteCollection", name=name)


def test_keys():
    with Server(engine="memory", environment={"STRATA_API_KEYS": "one,id:secret"}) as server:
        with Door(server.grpc_port) as stranger, Door(server.grpc_port, key="one") as door:
            assert failure(lambda: stranger("CollectionService.ListCollections"))[0] == "UNAUTHENTICATED"
            assert failure(lambda: stranger.stream("VectorService.BulkInsert", rows("a", 1)))[0] == "UNAUTHENTICATED"
            wrong = [("x-api-key", "two")]
            assert failure(lambda: stranger("CollectionService.ListCollections", sent=wrong))[0] == "UNAUTHENTICATED"
            for right in ([("x-api-key", "one")], [("authorization", "Bearer one")],
                          [("authorization", "Basic aWQ6c2VjcmV0")]):
                stranger("CollectionService.ListCollections", sent=right)
            assert door("CollectionService.CreateCollection", name="a", dimension=1).success
            assert stranger("grpc.health.v1.Health.Check").status == 1


def test_a_replica_refuses_writes():
    with Server() as leader, Server("--follow", f"http://127.0.0.1:{leader.port}") as replica:
        with Door(replica.grpc_port) as door:
            code, details = failure(lambda: door("CollectionService.CreateCollection", name="a", dimension=1))
            assert code == "PERMISSION_DENIED" and "replica" in details
            assert failure(lambda: door.stream("VectorService.BulkInsert", rows("a", 1)))[0] == "PERMISSION_DENIED"
