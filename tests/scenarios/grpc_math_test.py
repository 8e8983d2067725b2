"""The graph and the mathematics of vectors over gRPC: what each answers, and what it refuses."""

import math

import pytest

from grpc_collection import bulk_root, door, ids, name, points, running  # noqa: F401
from grpc_help import failure


def values(message):
    return pytest.approx(list(message.values), abs=1e-5)


def test_graph(door, points):
    def related(**fields):
        edges = door("GraphService.GetRelated", collection=points, **fields).edges
        return [(edge.target_id, round(edge.similarity, 5)) for edge in edges]

    assert related(vector_id=3) == [(2, 0.8), (1, 0.6)]
    assert related(vector_id=3, max_results=1) == [(2, 0.8)]
    assert related(vector_id=3, threshold=0.7) == [(2, 0.8)]
    nodes = door("GraphService.Traverse", collection=points, start_id=1).nodes
    assert [(node.id, node.depth, list(node.path)) for node in nodes] == [(3, 1, [1, 3]), (2, 2, [1, 3, 2])]
    assert [node.path_similarity for node in nodes] == pytest.approx([0.6, 0.48])
    assert ids(door("GraphService.Traverse", collection=points, start_id=1, depth=1).nodes) == [3]
    assert ids(door("GraphService.Traverse", collection=points, start_id=1, max_results=1).nodes) == [3]
    assert door("GraphService.SetThreshold", collection=points, vector_id=3, threshold=0.75).success
    assert related(vector_id=3) == [(2, 0.8)]
    assert door("GraphService.SetThreshold", collection=points, threshold=0.9).success
    assert related(vector_id=1) == []
    assert door("CollectionService.GetCollection", name=points).default_threshold == pytest.approx(0.9)
    for call in (lambda: related(vector_id=99), lambda: door("GraphService.Traverse", collection=points, start_id=99),
                 lambda: door("GraphService.SetThreshold", collection=points, vector_id=99, threshold=0.5)):
        code, details = failure(call)
        assert code == "NOT_FOUND" and "vector" in details and "collection" not in details
    assert failure(lambda: door("GraphService.SetThreshold", collection=points, threshold="NaN"))[0] == "INVALID_ARGUMENT"
    for call in ("GetRelated", "Traverse", "SetThreshold"):
        code, details = failure(lambda: door(f"GraphService.{call}", collection="nowhere"))
        assert code == "NOT_FOUND" and "'nowhere'" in details


def test_math_of_a_collection(door, points):
    ghosts = door("VectorMathService.DetectGhosts", collection=points, centroids=[{"values": [0, 0, 0]}]).ghosts
    assert [round(ghost.isolation_score, 5) for ghost in ghosts] == [1, 1, 1, 1]
    assert len(door("VectorMathService.DetectGhosts", collection=points, auto_k=2, metric="cosine").ghosts) == 4
    cone = door("VectorMathService.ConeSearch", collection=points, direction={"values": [1, 0, 0]}, aperture_radians=1.0)
    assert ids(cone.results) == [1, 3]
    assert cone.results[1].cosine_similarity == pytest.approx(0.6)
    assert cone.results[1].angle_radians == pytest.approx(math.acos(0.6), abs=1e-5)
    centroid = door("VectorMathService.ComputeCentroid", collection=points, vector_ids=[1, 2], weights=[1, 3]).centroid
    assert values(centroid) == [0.25, 0.75, 0]
    assert values(door("VectorMathService.ComputeCentroid", collection=points).centroid) == [0.4, 0.45, 0.25]
    drift = door("VectorMathService.DetectDrift", collection=points, window1_ids=[1], window2_ids=[2], threshold=1.0)
    assert drift.centroid_shift == pytest.approx(math.sqrt(2)) and drift.has_drifted
    assert (drift.mean_distance_window1, drift.mean_distance_window2, drift.spread_change) == (0, 0, 0)
    assert not door("VectorMathService.DetectDrift", collection=points, window1_ids=[1], window2_ids=[2]).has_drifted
    cluster = door("VectorMathService.Cluster", collection=points, k=4)
    assert {one.cluster for one in cluster.assignments} == {0, 1, 2, 3} and cluster.converged and cluster.iterations
    assert len(cluster.centroids) == 4 and all(one.distance_to_centroid < 1e-5 for one in cluster.assignments)
    reduced = door("VectorMathService.ReduceDimensions", collection=points, n_components=1, vector_ids=[1, 2])
    assert abs(reduced.components[0].values[0]) == pytest.approx(math.sqrt(0.5), abs=1e-5)
    assert list(reduced.explained_variance) == pytest.approx([1.0]) and values(reduced.mean) == [0.5, 0.5, 0]
    assert len(reduced.projected) == 2
    assert len(door("VectorMathService.ReduceDimensions", collection=points).components) == 2
    chosen = door("VectorMathService.DiversitySample", collection=points, query={"values": [1, 0, 0]}, k=2,
                  **{"lambda": 1.0})
    assert [(one.id, round(one.mmr_score, 5)) for one in chosen.results] == [(1, 1.0), (3, 0.6)]
    one = door("VectorMathService.DiversitySample", collection=points, query={"values": [1, 0, 0]}, k=1,
               candidate_ids=[2, 3], **{"lambda": 0.5}).results[0]
    assert (one.id, round(one.relevance_score, 5)) == (3, 0.6)


def test_math_of_vectors(door):
    middle = door("VectorMathService.Interpolate", a={"values": [1, 0]}, b={"values": [0, 1]}, t=0.5)
    assert [list(one.values) for one in middle.results] == [[0.5, 0.5]]
    arc = door("VectorMathService.Interpolate", a={"values": [1, 0]}, b={"values": [0, 1]}, method="slerp",
               sequence_count=3)
    assert [list(one.values) for one in arc.results] == [pytest.approx(one, abs=1e-5) for one in (
        [1, 0], [math.sqrt(0.5)] * 2, [0, 1])]
    analogy = door("VectorMathService.ComputeAnalogy", a={"values": [1, 0]}, b={"values": [3, 0]}, c={"values": [0, 1]})
    assert values(analogy.result) == [2, 1]
    total = door("VectorMathService.ComputeAnalogy", normalize=True, terms=[
        {"vector": {"values": [1, 0]}, "weight": 3}, {"vector": {"values": [0, 1]}, "weight": 4}])
    assert values(total.result) == [0.6, 0.8]


@pytest.mark.parametrize("call, fields, code", [
    ("DetectGhosts", {"metric": "hamming"}, "INVALID_ARGUMENT"),
    ("DetectGhosts", {"centroids": [{"values": [1]}]}, "INVALID_ARGUMENT"),
    ("ConeSearch", {"direction": {"values": [1]}, "aperture_radians": 1}, "INVALID_ARGUMENT"),
    ("ComputeCentroid", {"vector_ids": [99]}, "NOT_FOUND"),
    ("ComputeCentroid", {"vector_ids": [1, 2], "weights": [1]}, "INVALID_ARGUMENT"),
    ("DetectDrift", {"window1_ids": [1]}, "INVALID_ARGUMENT"), ("Cluster", {"k": 5}, "INVALID_ARGUMENT"),
    ("Cluster", {"k": 0}, "INVALID_ARGUMENT"), ("ReduceDimensions", {"n_components": 4}, "INVALID_ARGUMENT"),
    ("DiversitySample", {"query": {"values": [1, 0, 0]}, "k": 1, "lambda": 1.5}, "INVALID_ARGUMENT"),
    ("DiversitySample", {"query": {"values": [1, 0, 0]}, "k": 1, "candidate_ids": [99]}, "NOT_FOUND")])
def test_math_that_is_refused(door, points, call, fields, code):
    assert failure(lambda: door(f"VectorMathService.{call}", collection=points, **fields))[0] == code
    if call != "DetectDrift":
        elsewhere = failure(lambda: door(f"VectorMathService.{call}", collection="nowhere", **fields))
        assert elsewhere[0] in ("NOT_FOUND", "INVALID_ARGUMENT")


@pytest.mark.parametrize("fields", [
    {"t": 1.5, "a": {"values": [1]}, "b": {"values": [1]}}, {"a": {"values": [1]}, "b": {"values": [1, 2]}},
    {"method": "cubic", "a": {"values": [1]}, "b": {"values": [1]}},
    {"method": "slerp", "a": {"values": [0]}, "b": {"values": [1]}}])
def test_interpolations_that_are_refused(door, fields):
    assert failure(lambda: door("VectorMathService.Interpolate", **fields))[0] == "INVALID_ARGUMENT"
