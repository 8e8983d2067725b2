"""The nine operations of mathematics beside their formulas, and what they refuse."""

import math
import random

import pytest

from vector_help import DISTANCES, assert_error, cosine, dot, length, mean, near, new_collection, vector


@pytest.fixture(scope="module")
def many(server):
    client = server.client()
    with new_collection(client, 5, "cosine") as made:
        yield made.fill_randomly(60, seed=31)
    client.close()


@pytest.fixture(scope="module")
def groups(server):
    """Three groups far from each other, and two vectors far from all of them."""
    client = server.client()
    with new_collection(client, 2, "euclidean") as made:
        generator = random.Random(8)
        centres = [[0, 0], [50, 0], [0, 50]]
        made.fill([(id, [c + x for c, x in zip(centres[id % 3], vector(generator, 2))], None) for id in range(1, 31)])
        made.fill([(100, [25, 25], None), (200, [40, 40], None)])
        yield made
    client.close()


def compute(client, operation, **body):
    answer = client.post(f"/api/v1/math/{operation}", body)
    assert answer.status == 200, answer
    assert answer.json["compute_time_us"] >= 0
    return answer.json


@pytest.mark.parametrize("metric", sorted(DISTANCES))
def test_ghosts_are_far_from_the_nearest_centroid(many, metric):
    generator = random.Random(2)
    centroids = [vector(generator, 5) for _ in range(3)]
    scores = {id: min(DISTANCES[metric](values, centroid) for centroid in centroids)
              for id, values in many.vectors.items()}
    everything = many.math("ghosts", centroids=centroids, metric=metric)["ghosts"]
    assert len(everything) == 60
    assert all(near(ghost["isolation_score"], scores[ghost["id"]]) for ghost in everything)
    order = [ghost["isolation_score"] for ghost in everything]
    assert order == sorted(order, reverse=True)
    threshold = (order[10] + order[11]) / 2
    some = many.math("ghosts", centroids=centroids, metric=metric, threshold=threshold)["ghosts"]
    assert some == [ghost for ghost in everything if ghost["isolation_score"] > threshold]


def test_ghosts_of_clusters_that_are_found(groups):
    far = groups.math("ghosts", auto_k=4, threshold=10)["ghosts"]
    assert {ghost["id"] for ghost in far} <= {100, 200}
    assert groups.math("ghosts", auto_k=4) == {**groups.math("ghosts", auto_k=4), "compute_time_us": pytest.approx(0, abs=1e9)}
    # More clusters than vectors: one each, and nobody is far from his own.
    assert all(ghost["isolation_score"] == 0 for ghost in groups.math("ghosts", auto_k=1000)["ghosts"])
    assert len(groups.math("ghosts")["ghosts"]) == 32


def test_a_cone_holds_what_is_within_its_angle(many):
    direction = vector(random.Random(3), 5)
    for aperture in (0.0, 0.5, 1.0, 1.5, math.pi / 2, 3.0, math.pi):
        found = many.math("cone", direction=direction, aperture_radians=aperture)["results"]
        expected = {id: cosine(direction, values) for id, values in many.vectors.items()
                    if cosine(direction, values) >= math.cos(aperture)}
        assert {result["id"] for result in found} == set(expected)
        assert all(near(r["cosine_similarity"], expected[r["id"]]) for r in found)
        assert all(near(r["angle_radians"], math.acos(expected[r["id"]]), 1e-4) for r in found)
        order = [r["cosine_similarity"] for r in found]
        assert order == sorted(order, reverse=True)
    assert len(many.math("cone", direction=direction, aperture_radians=math.pi)["results"]) == 60
    along = [3 * value for value in many.vectors[7]]
    assert [r["id"] for r in many.math("cone", direction=along, aperture_radians=0)["results"]] == [7]


def test_centroids(many):
    assert near(many.math("centroid")["centroid"], mean(list(many.vectors.values())))
    ids = [5, 9, 30, 5]
    rows = [many.vectors[id] for id in ids]
    assert near(many.math("centroid", vector_ids=ids)["centroid"], mean(rows))
    weights = [1, 0.5, 2, -1]
    expected = [math.fsum(w * x for w, x in zip(weights, column)) / sum(weights) for column in zip(*rows)]
    assert near(many.math("centroid", vector_ids=ids, weights=weights)["centroid"], expected)


def slerp(a, b, t):
    angle = math.acos(cosine(a, b))
    return [(math.sin((1 - t) * angle) * x + math.sin(t * angle) * y) / math.sin(angle) for x, y in zip(a, b)]


def test_interpolation(client):
    a, b = [1, 2, -1], [0.5, -1, 4]
    for t in (0, 0.25, 0.5, 1):
        line = [x + t * (y - x) for x, y in zip(a, b)]
        assert near(compute(client, "interpolate", a=a, b=b, t=t)["results"], [line])
        assert near(compute(client, "interpolate", a=a, b=b, t=t, method="slerp")["results"], [slerp(a, b, t)])
    assert compute(client, "interpolate", a=a, b=b)["results"] == [a]
    five = compute(client, "interpolate", a=[1, 0, 0], b=[0, 1, 0], method="slerp", sequence_count=5, t=7)["results"]
    assert near(five, [[math.cos(i * math.pi / 8), math.sin(i * math.pi / 8), 0] for i in range(5)])
    assert compute(client, "interpolate", a=a, b=b, sequence_count=1)["results"] == [a]
    assert compute(client, "interpolate", a=a, b=b, sequence_count=2)["results"] == [a, b]


def test_slerp_of_opposite_and_parallel_vectors(client):
    middle = compute(client, "interpolate", a=[3, 0, 4], b=[-3, 0, -4], t=0.5, method="slerp")["results"][0]
    assert near(length(middle), 5) and near(dot(middle, [3, 0, 4]), 0)
    again = compute(client, "interpolate", a=[3, 0, 4], b=[-3, 0, -4], t=0.5, method="slerp")["results"][0]
    assert again == middle
    assert near(compute(client, "interpolate", a=[1, 0], b=[3, 0], t=0.5, method="slerp")["results"], [[2, 0]])


@pytest.mark.parametrize("metric", sorted(DISTANCES))
def test_drift_compares_two_windows(many, metric):
    one, two = list(range(1, 21)), list(range(41, 61))
    distance = DISTANCES[metric]
    centres = [mean([many.vectors[id] for id in window]) for window in (one, two)]
    spreads = [math.fsum(distance(many.vectors[id], centre) for id in window) / len(window)
               for window, centre in ((one, centres[0]), (two, centres[1]))]
    shift = distance(*centres)
    told = many.math("drift", window1_ids=one, window2_ids=two, metric=metric, threshold=shift - 0.001)
    assert near(told["centroid_shift"], shift)
    assert near([told["mean_distance_window1"], told["mean_distance_window2"]], spreads)
    assert near(told["spread_change"], spreads[1] - spreads[0], 1e-4)
    assert told["has_drifted"] is True
    above = many.math("drift", window1_ids=one, window2_ids=two, metric=metric, threshold=shift + 0.001)
    assert above["has_drifted"] is False
    assert many.math("drift", window1_ids=one, window2_ids=two, metric=metric)["has_drifted"] is False


@pytest.mark.parametrize("metric", sorted(DISTANCES))
def test_each_vector_is_in_the_cluster_of_the_nearest_centroid(many, metric):
    told = many.math("cluster", k=4, metric=metric, max_iterations=200, tolerance=0)
    assert len(told["centroids"]) == 4 and 1 <= told["iterations"] <= 200
    assert [assignment["id"] for assignment in told["assignments"]] == sorted(many.vectors)
    members = {cluster: [] for cluster in range(4)}
    for assignment in told["assignments"]:
        values = many.vectors[assignment["id"]]
        distances = [DISTANCES[metric](values, centroid) for centroid in told["centroids"]]
        assert near(assignment["distance_to_centroid"], distances[assignment["cluster"]], 1e-4)
        assert distances[assignment["cluster"]] <= min(distances) + 1e-4
        members[assignment["cluster"]].append(values)
    if told["converged"]:
        for cluster, rows in members.items():
            assert near(told["centroids"][cluster], mean(rows), 1e-4)
    del told["compute_time_us"]
    again = many.math("cluster", k=4, metric=metric, max_iterations=200, tolerance=0)
    del again["compute_time_us"]
    assert again == told


def test_clusters_of_groups_are_the_groups(groups):
    told = groups.math("cluster", k=5)
    assert told["converged"] is True
    of = {assignment["id"]: assignment["cluster"] for assignment in told["assignments"]}
    assert len({of[100], of[200]} | {of[1], of[2], of[3]}) == 5
    assert all(of[id] == of[id % 3 or 3] for id in range(1, 31))


def test_principal_components_satisfy_their_definition(many):
    for ids in ([], list(range(3, 40, 3)), [1, 2, 3]):
        rows = [many.vectors[id] for id in ids or sorted(many.vectors)]
        count = min(len(rows), 5)
        told = many.math("pca", n_components=count, vector_ids=ids)
        centre = mean(rows)
        assert near(told["mean"], centre)
        centred = [[x - m for x, m in zip(row, centre)] for row in rows]
        assert len(told["components"]) == len(told["explained_variance"]) == count
        for i, component in enumerate(told["components"]):
            assert max(component, key=abs) > 0
            for j, other in enumerate(told["components"]):
                assert near(dot(component, other), 1.0 if i == j else 0.0, 1e-4)
            along = [dot(row, component) for row in centred]
            assert near([projected[i] for projected in told["projected"]], along, 1e-4)
            assert near(told["explained_variance"][i], math.fsum(x * x for x in along) / (len(rows) - 1), 1e-4)
        total = math.fsum(x * x for row in centred for x in row) / (len(rows) - 1)
        assert near(math.fsum(told["explained_variance"]), total, 1e-4)
        assert told["explained_variance"] == sorted(told["explained_variance"], reverse=True)
    two = many.math("pca")
    assert len(two["components"]) == 2 and len(two["projected"]) == 60 and len(two["projected"][0]) == 2


def test_more_numbers_than_vectors(client):
    with new_collection(client, 500) as made:
        made.fill_randomly(4, seed=1)
        told = made.math("pca", n_components=3)
        rows = list(made.vectors.values())
        centre = mean(rows)
        total = math.fsum((x - m) ** 2 for row in rows for x, m in zip(row, centre)) / 3
        assert near(math.fsum(told["explained_variance"]), total, 1e-4)


def test_analogies_and_sums(client):
    a, b, c = [1, 0, 0], [0, 1, 0], [0.5, 0, 0.5]
    assert compute(client, "analogy", a=a, b=b, c=c)["result"] == [-0.5, 1, 0.5]
    unit = compute(client, "analogy", a=a, b=b, c=c, normalize=True)["result"]
    assert near(unit, [x / math.sqrt(1.5) for x in (-0.5, 1, 0.5)])
    terms = [{"vector": a, "weight": 0.5}, {"vector": b, "weight": -0.25}, {"vector": c, "weight": 2}]
    assert compute(client, "analogy", terms=terms, a=a)["result"] == [1.5, -0.25, 1]
    assert compute(client, "analogy", terms=[{"vector": [0, 0], "weight": 1}], normalize=True)["result"] == [0, 0]


@pytest.mark.parametrize("strength", [0.0, 0.3, 0.7, 1.0])
def test_diversity_is_the_greedy_selection(many, strength):
    query = vector(random.Random(17), 5)
    for candidates in ([], [3, 50, 7, 12, 44, 21, 7]):
        told = many.math("diversity", query=query, k=6, **{"lambda": strength}, candidate_ids=candidates)["results"]
        left = sorted(set(candidates)) or sorted(many.vectors)
        chosen = []
        for result in told:
            def score(id):
                relevance = strength * cosine(query, many.vectors[id])
                if not chosen:
                    return relevance
                return relevance - (1 - strength) * max(cosine(many.vectors[id], many.vectors[o]) for o in chosen)

            assert near(result["relevance_score"], cosine(query, many.vectors[result["id"]]))
            assert near(result["mmr_score"], score(result["id"]))
            best = max(left, key=lambda id: cosine(query, many.vectors[id])) if not chosen else max(left, key=score)
            assert near(score(result["id"]), score(best)) and (chosen or result["id"] == best)
            chosen.append(result["id"])
            left.remove(result["id"])
        assert len(chosen) == 6
    assert many.math("diversity", query=query, k=0, **{"lambda": strength})["results"] == []


def test_deferred_vectors_take_part(client):
    with new_collection(client, 2) as made:
        made.fill([(1, [1, 1], None), (2, [3, 5], None)], index_mode="deferred")
        assert made.math("centroid")["centroid"] == [2, 3]


def test_the_largest_numbers_break_nothing(client):
    most = 3.4e38
    for metric in sorted(DISTANCES):
        with new_collection(client, 2, metric, default_threshold=-3e38) as made:
            made.fill([(1, [most, most], None), (2, [-most, most], None), (3, [most, -most], None), (4, [0, 0], None)])
            assert len(made.search([most, most], 4)) == 4
            for first, second in (([1, 2], [3, 4]), ([1], [2]), ([1, 2, 3], [1, 2, 3])):
                made.math("drift", window1_ids=first, window2_ids=second, metric=metric, threshold=1)
            made.math("cluster", k=2, metric=metric)
            made.math("ghosts", metric=metric, auto_k=2)
            made.math("cone", direction=[most, 0], aperture_radians=1)
            assert made.post("/math/pca").status in (200, 400)
            assert made.post("/graph/traverse", {"start_id": 1, "depth": 9}).status == 200


def test_of_nothing_there_is_little_to_compute(client):
    with new_collection(client, 2) as made:
        assert made.math("ghosts")["ghosts"] == []
        assert made.math("cone", direction=[1, 0], aperture_radians=3)["results"] == []
        assert_error(made.post("/math/centroid"), 400, "no vectors")
        assert_error(made.post("/math/cluster", {"k": 1}), 400, "k is 1")
        assert_error(made.post("/math/pca"), 400, "2 vectors")


V = [1, 2, 3, 4, 5]


@pytest.mark.parametrize("operation, body, status, word", [
    ("ghosts", {"threshold": "x"}, 400, "threshold"), ("ghosts", {"centroids": [[1, 2]]}, 400, "dimension"),
    ("ghosts", {"centroids": [V, 1]}, 400, "centroids[1]"), ("ghosts", {"centroids": [[1, 2, 3, 4, "5"]]}, 400, "centroids[0][4]"),
    ("ghosts", {"auto_k": -1}, 400, "auto_k"), ("ghosts", {"metric": "x"}, 400, "metric"),
    ("cone", {"direction": V}, 400, "aperture_radians"), ("cone", {"aperture_radians": 1}, 400, "direction"),
    ("cone", {"direction": [1], "aperture_radians": 1}, 400, "dimension"),
    ("cone", {"direction": [0] * 5, "aperture_radians": 1}, 400, "direction"),
    ("cone", {"direction": V, "aperture_radians": -0.1}, 400, "aperture_radians"),
    ("cone", {"direction": V, "aperture_radians": 3.2}, 400, "aperture_radians"),
    ("centroid", {"vector_ids": [1, 999]}, 404, "vector 999"), ("centroid", {"vector_ids": ["1"]}, 400, "vector_ids[0]"),
    ("centroid", {"vector_ids": [1, 2], "weights": [1]}, 400, "weights"),
    ("centroid", {"vector_ids": [1, 2], "weights": [1, -1]}, 400, "weights"), ("centroid", {"weights": [1]}, 400, "weights"),
    ("centroid", {"vector_ids": [1], "weights": ["x"]}, 400, "weights[0]"),
    ("drift", {"window1_ids": [1]}, 400, "window2_ids"), ("drift", {"window1_ids": [], "window2_ids": [1]}, 400, "window"),
    ("drift", {"window1_ids": [1], "window2_ids": []}, 400, "window"),
    ("drift", {"window1_ids": [1], "window2_ids": [999]}, 404, "vector 999"),
    ("drift", {"window1_ids": [1], "window2_ids": [2], "metric": "x"}, 400, "metric"),
    ("cluster", {}, 400, "k"), ("cluster", {"k": 0}, 400, "k"), ("cluster", {"k": 61}, 400, "k is 61"),
    ("cluster", {"k": 2, "metric": 1}, 400, "metric"), ("cluster", {"k": 2, "tolerance": -1}, 400, "tolerance"),
    ("cluster", {"k": 2, "max_iterations": 10_001}, 400, "max_iterations"),
    ("pca", {"n_components": 6}, 400, "n_components"), ("pca", {"vector_ids": [1]}, 400, "2 vectors"),
    ("pca", {"vector_ids": [1, 2, 3], "n_components": 4}, 400, "n_components"),
    ("pca", {"vector_ids": [1, 999]}, 404, "vector 999"), ("pca", {"n_components": "x"}, 400, "n_components"),
    ("diversity", {"k": 1, "lambda": 1}, 400, "query"), ("diversity", {"query": V, "lambda": 1}, 400, "k"),
    ("diversity", {"query": V, "k": 1}, 400, "lambda"), ("diversity", {"query": [1], "k": 1, "lambda": 1}, 400, "dimension"),
    ("diversity", {"query": V, "k": 1, "lambda": 1.01}, 400, "lambda"),
    ("diversity", {"query": V, "k": 1, "lambda": -0.01}, 400, "lambda"),
    ("diversity", {"query": V, "k": 61, "lambda": 1}, 400, "k is 61"),
    ("diversity", {"query": V, "k": 1, "lambda": 1, "candidate_ids": [999]}, 404, "vector 999"),
])
def test_what_is_refused_of_a_collection(many, operation, body, status, word):
    assert_error(many.post(f"/math/{operation}", body), status, word)


@pytest.mark.parametrize("operation, body, word", [
    ("interpolate", {"a": V}, "b"), ("interpolate", {"b": V}, "a"), ("interpolate", {"a": [], "b": []}, "dimension"),
    ("interpolate", {"a": V, "b": [1]}, "dimension"), ("interpolate", {"a": V, "b": V, "t": 1.01}, "t must"),
    ("interpolate", {"a": V, "b": V, "t": -0.01}, "t must"), ("interpolate", {"a": V, "b": V, "method": "x"}, "method"),
    ("interpolate", {"a": V, "b": V, "sequence_count": 10_001}, "sequence_count"),
    ("interpolate", {"a": V, "b": [0] * 5, "method": "slerp"}, "zero"),
    ("interpolate", {"a": [1], "b": [-1], "method": "slerp"}, "dimension"),
    ("interpolate", {"a": [1e39], "b": [1]}, "a[0]"),
    ("analogy", {}, "terms"), ("analogy", {"a": V, "b": V}, "c"), ("analogy", {"a": V, "b": V, "c": [1]}, "dimension"),
    ("analogy", {"terms": [{"vector": V}]}, "weight"), ("analogy", {"terms": [{"vector": V, "weight": "x"}]}, "weight"),
    ("analogy", {"terms": [{"weight": 1}]}, "dimension"), ("analogy", {"terms": [1]}, "terms"),
    ("analogy", {"terms": [{"vector": V, "weight": 1}, {"vector": [1], "weight": 1}]}, "dimension"),
    ("analogy", {"terms": [{"vector": [3e38], "weight": 3e38}]}, "range"),
    ("analogy", {"a": V, "b": V, "c": V, "normalize": 1}, "normalize"),
])
def test_what_is_refused_of_numbers(client, operation, body, word):
    assert_error(client.post(f"/api/v1/math/{operation}", body), 400, word)
