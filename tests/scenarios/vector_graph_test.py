"""The virtual graph beside brute force: thresholds and their precedence, 50 edges a vector, walks."""

import random

import pytest

from vector_help import DISTANCES, assert_error, near, new_collection, similarity, vector


def edges_of(made, id, threshold, most=50):
    """By the definition: similar enough, and among the 50 nearest of both ends."""
    def nearest(one):
        others = [(-similarity(made.metric, made.vectors[one], values), other)
                  for other, values in made.vectors.items() if other != one]
        return sorted(others)[:50]

    found = []
    for negated, other in nearest(id):
        if -negated >= threshold and id in [back for _, back in nearest(other)]:
            found.append((other, -negated))
    return found[:most]


def related(made, id, **query):
    text = "&".join(f"{name}={value}" for name, value in query.items())
    answer = made.get(f"/graph/related/{id}" + ("?" + text if text else ""))
    assert answer.status == 200, answer
    return [(edge["target_id"], edge["similarity"]) for edge in answer.json["edges"]]


def same(found, expected):
    return [id for id, _ in found] == [id for id, _ in expected] and near(
        [value for _, value in found], [value for _, value in expected])


@pytest.mark.parametrize("metric, threshold", [
    ("cosine", 0.4), ("euclidean", 0.45), ("manhattan", 0.3), ("dot_product", 0.3)])
def test_edges_are_those_of_the_definition(client, metric, threshold):
    with new_collection(client, 4, metric, default_threshold=threshold) as made:
        made.fill_randomly(40, seed=5)
        some = 0
        for id in range(1, 41):
            found = related(made, id)
            assert same(found, edges_of(made, id, threshold)), id
            some += len(found)
            # The other end has it too.
            assert all(id in [other for other, _ in related(made, target)] for target, _ in found[:3])
        assert some > 0


def test_a_vector_keeps_at_most_50_edges_and_both_ends_must(client):
    with new_collection(client, 2, "euclidean", default_threshold=0.001) as made:
        generator = random.Random(3)
        made.fill([(id, vector(generator, 2), None) for id in range(1, 91)])
        counts = []
        for id in range(1, 91, 6):
            found = related(made, id)
            assert same(found, edges_of(made, id, 0.001)), id
            counts.append(len(found))
        assert max(counts) <= 50 and min(counts) < 50


def test_edges_follow_writes(client):
    with new_collection(client, 2, default_threshold=0.9) as made:
        made.fill([(1, [1, 0], None), (2, [1, 0.1], None), (3, [0, 1], None)])
        assert [id for id, _ in related(made, 1)] == [2]
        made.insert([1, 0.05], id=4)
        assert [id for id, _ in related(made, 1)] == [4, 2]
        assert client.put(made.path + "/vectors/2", {"values": [0.1, 1]}).status == 200
        assert [id for id, _ in related(made, 1)] == [4]
        assert [id for id, _ in related(made, 3)] == [2]
        assert client.delete(made.path + "/vectors/4").status == 200
        assert related(made, 1) == []
        assert_error(made.get("/graph/related/4"), 404, "vector 4")


def test_the_vectors_own_threshold_goes_before_the_querys_before_the_collections(client):
    with new_collection(client, 2, default_threshold=0.9) as made:
        made.fill([(1, [1, 0], None), (2, [1, 0.1], None), (3, [1, 0.8], None), (4, [1, 3], None)])

        def ids(id, **query):
            return [other for other, _ in related(made, id, **query)]

        assert ids(1) == [2]
        assert ids(1, threshold=0.7) == [2, 3]
        assert ids(1, threshold=0.999) == []
        assert ids(1, threshold=0) == [2]
        assert ids(1, threshold=0.3, max_results=1) == [2]
        assert ids(1, threshold=0.3, max_results=0) == [2, 3, 4]
        assert made.post("/graph/threshold", {"vector_id": 1, "threshold": 0.999}).json == {"success": True}
        assert ids(1) == ids(1, threshold=0.3) == []
        # The one that is asked about counts.
        assert 1 in ids(2)
        assert made.post("/graph/threshold", {"vector_id": 1, "threshold": 0}).status == 200
        assert ids(1) == [2]
        assert made.post("/graph/threshold", {"threshold": 0.7}).status == 200
        assert made.get().json["default_threshold"] == pytest.approx(0.7)
        assert ids(1) == [2, 3]
        assert made.post("/graph/threshold", {"vector_id": 0, "threshold": 0}).status == 200
        assert ids(1) == ids(1, threshold=0.5) == []


def test_without_a_threshold_there_are_no_edges(client):
    with new_collection(client, 2) as made:
        made.fill([(1, [1, 0], None), (2, [1, 0], None)])
        assert related(made, 1) == []
        assert made.post("/graph/traverse", {"start_id": 1}).json == {"nodes": []}
        assert made.search([1, 0], 1, include_graph=True) == [{"id": 1, "score": 0, "graph_edges": []}]


def test_deferred_edges_come_with_optimize(client):
    with new_collection(client, 2, default_threshold=0.5) as made:
        made.fill([(1, [1, 0], None), (2, [1, 0.1], None)])
        made.fill([(3, [1, 0.2], None)], defer_graph=True)
        assert [id for id, _ in related(made, 1)] == [2] and related(made, 3) == []
        assert [r["id"] for r in made.search([1, 0], 3)] == [1, 2, 3]
        assert made.get().json["status"] == "pending_optimization"
        assert made.post("/optimize").json["status"] == "completed"
        assert [id for id, _ in related(made, 1)] == [2, 3] and [id for id, _ in related(made, 3)] == [2, 1]


def test_search_with_edges(client):
    with new_collection(client, 3, default_threshold=0.6) as made:
        made.fill_randomly(30, seed=9)
        for options, threshold, most in (({}, 0.6, 10), ({"graph_threshold": 0.8}, 0.8, 10), ({"max_graph_edges": 2}, 0.6, 2)):
            for result in made.search([1, 0.5, 0.2], 4, include_graph=True, **options):
                found = [(edge["target_id"], edge["similarity"]) for edge in result["graph_edges"]]
                assert same(found, edges_of(made, result["id"], threshold, most)), options


def walk(made, start, depth, threshold):
    """Breadth first; edges by similarity."""
    places = [(start, 0, 1.0, [start])]
    seen = {start}
    for id, steps, product, path in places:
        if steps == depth:
            continue
        for other, value in edges_of(made, id, threshold):
            if other not in seen:
                seen.add(other)
                places.append((other, steps + 1, product * value, path + [other]))
    return sorted(places[1:], key=lambda place: -place[2])


def test_a_walk_goes_breadth_first(client):
    with new_collection(client, 3, default_threshold=0.85) as made:
        made.fill_randomly(60, seed=21)
        longest = 0
        for depth in (0, 1, 2, 4):
            for start in (1, 7, 30):
                nodes = made.post("/graph/traverse", {"start_id": start, "depth": depth}).json["nodes"]
                expected = walk(made, start, depth, 0.85)
                assert [(n["id"], n["depth"], n["path"]) for n in nodes] == [(i, d, p) for i, d, _, p in expected]
                assert near([n["path_similarity"] for n in nodes], [s for _, _, s, _ in expected])
                longest = max([longest] + [n["depth"] for n in nodes])
        assert longest >= 3
        two = made.post("/graph/traverse", {"start_id": 1, "max_results": 2}).json["nodes"]
        assert two == made.post("/graph/traverse", {"start_id": 1, "depth": 2}).json["nodes"][:2]
        wide = made.post("/graph/traverse", {"start_id": 1, "depth": 1, "threshold": 0.5}).json["nodes"]
        assert [n["id"] for n in wide] == [id for id, _ in edges_of(made, 1, 0.5)]


@pytest.mark.parametrize("path, body, status, word", [
    ("/graph/traverse", {}, 400, "start_id"),
    ("/graph/traverse", {"start_id": "1"}, 400, "start_id"),
    ("/graph/traverse", {"start_id": 1, "depth": -1}, 400, "depth"),
    ("/graph/traverse", {"start_id": 1, "depth": 101}, 400, "depth"),
    ("/graph/traverse", {"start_id": 1, "threshold": "x"}, 400, "threshold"),
    ("/graph/traverse", {"start_id": 1, "max_results": 1.5}, 400, "max_results"),
    ("/graph/traverse", {"start_id": 9}, 404, "vector 9"),
    ("/graph/threshold", {}, 400, "threshold"),
    ("/graph/threshold", {"threshold": "x"}, 400, "threshold"),
    ("/graph/threshold", {"threshold": 1e39}, 400, "threshold"),
    ("/graph/threshold", {"threshold": 0.5, "vector_id": -1}, 400, "vector_id"),
    ("/graph/threshold", {"threshold": 0.5, "vector_id": 9}, 404, "vector 9"),
    ("/graph/related/9", None, 404, "vector 9"),
    ("/graph/related/x", None, 400, "id"),
    ("/graph/related/1?threshold=x", None, 400, "threshold"),
    ("/graph/related/1?threshold=nan", None, 400, "threshold"),
    ("/graph/related/1?threshold=inf", None, 400, "threshold"),
    ("/graph/related/1?max_results=-1", None, 400, "max_results"),
])
def test_what_is_refused(client, path, body, status, word):
    with new_collection(client, 2, default_threshold=0.5) as made:
        made.insert([1, 0], id=1)
        assert_error(made.get(path) if body is None else made.post(path, body), status, word)


def test_similarities_are_what_they_are_said_to_be():
    assert similarity("euclidean", [0, 0], [3, 4]) == 1 / 6
    assert similarity("dot_product", [1, 2], [3, 4]) == 11
    assert set(DISTANCES) == {"cosine", "euclidean", "dot_product", "manhattan"}
