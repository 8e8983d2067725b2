"""Search beside brute force: every metric, operator, strategy and option, and what is refused."""

import random

import pytest

from vector_help import DISTANCES, assert_error, near, new_collection, vector

WORDS = ["alpha", "beta", "gamma", "delta"]


def metadata(id):
    """Fields that are missing here and there, of all five types."""
    fields = {"number": id % 10, "word": WORDS[id % 4]}
    if id % 2:
        fields["real"] = id / 4
    if id % 3:
        fields["flag"] = id % 5 == 0
    if id % 4:
        fields["tags"] = [WORDS[id % 4], WORDS[(id // 4) % 4]]
    if id % 7 == 0:
        fields["mixed"] = id if id % 2 else str(id)
    return fields


@pytest.fixture(scope="module", params=sorted(DISTANCES))
def metric(request):
    return request.param


@pytest.fixture(scope="module")
def many(server):
    client = server.client()
    with new_collection(client, 6, "euclidean") as made:
        yield made.fill_randomly(300, seed=4, metadata=metadata)
    client.close()


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def field(name, accept):
    return lambda fields: name in fields and accept(fields[name])


# Filter, what it means written out, and that it must not be empty.
FILTERS = [
    ({"field": "word", "op": "eq", "value": "beta"}, field("word", lambda v: v == "beta")),
    ({"field": "number", "op": "eq", "value": 3.0}, field("number", lambda v: v == 3)),
    ({"field": "flag", "op": "eq", "value": True}, field("flag", lambda v: v is True)),
    ({"field": "tags", "op": "eq", "value": ["beta", "gamma"]}, field("tags", lambda v: v == ["beta", "gamma"])),
    ({"field": "flag", "op": "ne", "value": True}, field("flag", lambda v: v is not True)),
    ({"field": "mixed", "op": "ne", "value": 21}, field("mixed", lambda v: v != 21)),
    ({"field": "number", "op": "gt", "value": 7}, field("number", lambda v: v > 7)),
    ({"field": "real", "op": "gte", "value": 10.25}, field("real", lambda v: v >= 10.25)),
    ({"field": "real", "op": "lt", "value": 3}, field("real", lambda v: v < 3)),
    ({"field": "word", "op": "lte", "value": "beta"}, field("word", lambda v: v <= "beta")),
    ({"field": "mixed", "op": "gt", "value": 100}, field("mixed", lambda v: is_number(v) and v > 100)),
    ({"field": "mixed", "op": "gt", "value": "100"}, field("mixed", lambda v: isinstance(v, str) and v > "100")),
    ({"field": "word", "op": "in", "values": ["alpha", "delta", 7]}, field("word", lambda v: v in ("alpha", "delta"))),
    ({"field": "word", "op": "in", "value": ["alpha", "delta"]}, field("word", lambda v: v in ("alpha", "delta"))),
    ({"field": "number", "op": "in", "values": [1, 2.0]}, field("number", lambda v: v in (1, 2))),
    ({"field": "number", "op": "in", "values": []}, lambda fields: False),
    ({"field": "real", "op": "between", "values": [2, 10.5]}, field("real", lambda v: 2 <= v <= 10.5)),
    ({"field": "word", "op": "between", "values": ["b", "e"]}, field("word", lambda v: "b" <= v <= "e")),
    ({"field": "tags", "op": "exists", "value": True}, field("tags", lambda v: True)),
    ({"field": "tags", "op": "exists"}, field("tags", lambda v: True)),
    ({"field": "word", "op": "contains", "value": "lt"}, field("word", lambda v: "lt" in v)),
    ({"field": "tags", "op": "contains", "value": "gamma"}, field("tags", lambda v: "gamma" in v)),
    ({"field": "tags", "op": "contains", "value": "gam"}, field("tags", lambda v: "gam" in v)),
    ({"field": "none", "op": "ne", "value": 1}, lambda fields: False),
    ({"not": {"field": "none", "op": "ne", "value": 1}}, lambda fields: True),
    ({"not": {"field": "flag", "op": "eq", "value": True}}, lambda fields: fields.get("flag") is not True),
    ({"and": []}, lambda fields: True),
    ({"or": []}, lambda fields: False),
    ({"and": [{"field": "word", "op": "eq", "value": "beta"}, {"field": "number", "op": "lt", "value": 4}]},
     lambda fields: fields["word"] == "beta" and fields["number"] < 4),
    ({"or": [{"field": "flag", "op": "eq", "value": True}, {"field": "real", "op": "gt", "value": 70}]},
     lambda fields: fields.get("flag") is True or fields.get("real", 0) > 70),
    ({"and": [{"field": "number", "op": "gte", "value": 5},
              {"or": [{"field": "word", "op": "eq", "value": "alpha"}, {"not": {"field": "flag", "op": "exists"}}]}]},
     lambda fields: fields["number"] >= 5 and (fields["word"] == "alpha" or "flag" not in fields)),
]


@pytest.mark.parametrize("strategy", ["auto", "pre_filter", "post_filter"])
def test_a_filtered_search_is_complete_and_correct(many, strategy):
    generator = random.Random(7)
    asked = missed = 0
    for expression, accept in FILTERS:
        for k in (5, 400):
            query = vector(generator, 6)
            found = many.search(query, k, filter=expression, strategy=strategy)
            expected = many.expected(query, k, accept)
            ids, nearest = [r["id"] for r in found], [id for _, id in expected]
            if k == 400 or strategy != "post_filter":  # all that match, or a scan of them: they are few
                assert ids == nearest, (expression, k)
            else:  # a walk of the graph may miss one: threads build it in an order of their own
                asked, missed = asked + len(nearest), missed + len(set(nearest) - set(ids))
            assert len(set(ids)) == len(ids) == len(nearest), expression
            assert set(ids) <= {id for _, id in many.expected(query, 300, accept)}, expression
            scores = [DISTANCES["euclidean"](query, many.vectors[id]) for id in ids]
            assert scores == sorted(scores) and near([r["score"] for r in found], scores), expression
    assert missed <= asked * 0.05


def test_every_metric_ranks_as_its_formula_does(client, metric):
    with new_collection(client, 5, metric) as made:
        made.fill_randomly(150, seed=11)
        made.insert([0, 0, 0, 0, 0], id=151)
        # Twins: ties are ordered by id.
        made.fill([(id, [0.5, -0.5, 0.5, -0.5, 0.5], None) for id in (400, 300, 200)])
        generator = random.Random(12)
        for query in [vector(generator, 5) for _ in range(10)] + [[0.5, -0.5, 0.5, -0.5, 0.5], [0, 0, 0, 0, 0]]:
            found = made.search(query, 20, ef_search=200)
            expected = made.expected(query, 20)
            assert near([r["score"] for r in found], [score for score, _ in expected])
            scores = [r["score"] for r in found]
            assert scores == sorted(scores)
            assert all(a["id"] < b["id"] for a, b in zip(found, found[1:]) if a["score"] == b["score"])
            for result in found:
                assert near(result["score"], DISTANCES[metric](query, made.vectors[result["id"]]))


def test_what_a_result_carries(many):
    query = many.vectors[14]
    plain = many.search(query, 3)
    assert all(set(result) == {"id", "score"} for result in plain)
    assert plain[0]["id"] == 14 and plain[0]["score"] == 0
    told = many.search(query, 3, include_metadata=True)
    assert [r["metadata"] for r in told] == [many.metadata[r["id"]] for r in told]
    answer = many.post("/search", {"query": query, "k": 1})
    assert answer.json["search_time_us"] >= 0 and "warning" not in answer.json


def test_k_and_ef(many):
    query = [0] * 6
    assert many.search(query, 0) == []
    assert len(many.search(query, 1)) == 1
    assert len(many.search(query, 1000, ef_search=0)) == 300
    assert len(many.search(query, 200, ef_search=1)) == 200
    # So few are scanned, whatever ef: nothing is missed.
    nearest = [id for _, id in many.expected(query, 3)]
    for ef in (50, 10_000):
        assert [r["id"] for r in many.search(query, 3, ef_search=ef)] == nearest


def test_writes_are_seen_by_the_next_search(client):
    with new_collection(client, 2, "euclidean") as made:
        for step in range(20):
            id = made.insert([step, 0], {"step": step})
            assert made.search([step, 0], 1)[0]["id"] == id
            assert [r["id"] for r in made.search([0, 0], 9, filter={"field": "step", "op": "eq", "value": step})] == [id]
            assert client.put(f"{made.path}/vectors/{id}", {"values": [step, 5], "metadata": {"step": -1}}).status == 200
            assert made.search([step, 5], 1)[0]["id"] == id
            assert made.search([0, 0], 9, filter={"field": "step", "op": "eq", "value": step}) == []
            if step % 3 == 0:
                assert client.delete(f"{made.path}/vectors/{id}").status == 200
                assert id not in [r["id"] for r in made.search([step, 5], 20)]


LONG = "x" * 300


def test_long_texts_are_filtered_exactly(client):
    with new_collection(client, 2, "euclidean") as made:
        made.fill([(1, [1, 0], {"t": LONG + "a", "l": ["s", LONG]}), (2, [2, 0], {"t": LONG + "b", "l": ["s"]}),
                   (3, [3, 0], {"t": "short", "l": []})])

        def ids(**condition):
            return [r["id"] for r in made.search([0, 0], 9, filter=condition)]

        assert ids(field="t", op="eq", value=LONG + "b") == [2]
        assert ids(field="t", op="ne", value=LONG + "b") == [1, 3]
        assert ids(field="t", op="contains", value="xa") == [1]
        assert ids(field="t", op="gt", value=LONG + "a") == [2]
        assert ids(field="t", op="in", values=["short", LONG + "a"]) == [1, 3]
        assert ids(field="l", op="contains", value=LONG) == [1]
        assert ids(field="l", op="contains", value="s") == [1, 2]
        assert ids(field="l", op="eq", value=[]) == [3]
        assert ids(**{"not": {"field": "t", "op": "contains", "value": "xa"}}) == [2, 3]


def nested(levels):
    expression = {"field": "number", "op": "exists"}
    for _ in range(levels - 1):
        expression = {"and": [expression]}
    return expression


@pytest.mark.parametrize("body, words", [
    ({"k": 1}, ["query"]),
    ({"query": [0] * 6}, ["k"]),
    ({"query": [0] * 5, "k": 1}, ["dimension"]),
    ({"query": [0] * 7, "k": 1}, ["dimension"]),
    ({"query": [], "k": 1}, ["dimension"]),
    ({"query": [0, 0, 0, 0, 0, "x"], "k": 1}, ["query[5]"]),
    ({"query": [0, 0, 0, 0, 0, 1e39], "k": 1}, ["query[5]"]),
    ({"query": [0] * 6, "k": -1}, ["k"]),
    ({"query": [0] * 6, "k": 1 << 32}, ["k"]),
    ({"query": [0] * 6, "k": 100_001}, ["k"]),
    ({"query": [0] * 6, "k": 1.5}, ["k"]),
    ({"query": [0] * 6, "k": 1, "ef_search": 10_001}, ["ef_search"]),
    ({"query": [0] * 6, "k": 1, "strategy": "best"}, ["strategy"]),
    ({"query": [0] * 6, "k": 1, "strategy": 1}, ["strategy"]),
    ({"query": [0] * 6, "k": 1, "include_metadata": "yes"}, ["include_metadata"]),
    ({"query": [0] * 6, "k": 1, "include_graph": 1}, ["include_graph"]),
    ({"query": [0] * 6, "k": 1, "graph_threshold": "x"}, ["graph_threshold"]),
    ({"query": [0] * 6, "k": 1, "max_graph_edges": -1}, ["max_graph_edges"]),
    (b'{"query":[0,0,0,0,0,NaN],"k":1}', ["query[5]"]),
    (b'{"query":[0,0,0,0,0,0],"k":1', ["JSON"]),
])
def test_searches_that_are_wrong(many, body, words):
    assert_error(many.client.post(many.path + "/search", body), 400, *words)


@pytest.mark.parametrize("expression, words", [
    ([], ["filter"]),
    ({}, ["filter"]),
    ("x", ["filter"]),
    ({"and": {}}, ["and"]),
    ({"and": [1]}, ["filter"]),
    ({"or": [{}]}, ["filter"]),
    ({"not": []}, ["filter"]),
    ({"and": [], "or": []}, ["filter"]),
    ({"field": "x"}, ["op"]),
    ({"op": "eq", "value": 1}, ["filter"]),
    ({"field": 1, "op": "eq", "value": 1}, ["field"]),
    ({"field": "x", "op": "is", "value": 1}, ["is"]),
    ({"field": "x", "op": 1, "value": 1}, ["op"]),
    ({"field": "x", "op": "eq"}, ["x", "eq"]),
    ({"field": "x", "op": "eq", "value": None}, ["x", "eq"]),
    ({"field": "x", "op": "eq", "value": {"y": 1}}, ["value"]),
    ({"field": "x", "op": "eq", "values": [1, 2]}, ["one value"]),
    ({"field": "x", "op": "gt", "value": True}, ["x", "gt"]),
    ({"field": "x", "op": "lte", "value": ["a"]}, ["x", "lte"]),
    ({"field": "x", "op": "in", "values": 1}, ["values"]),
    ({"field": "x", "op": "in", "values": [None]}, ["values"]),
    ({"field": "x", "op": "between", "values": [1]}, ["two values"]),
    ({"field": "x", "op": "between", "values": [1, 2, 3]}, ["two values"]),
    ({"field": "x", "op": "between", "values": [1, "2"]}, ["two numbers"]),
    ({"field": "x", "op": "contains", "value": 1}, ["string"]),
    (nested(33), ["32 levels"]),
    ({"and": [{"field": "x", "op": "exists"}] * 1_000}, ["1000 nodes"]),
    ({"field": "x", "op": "in", "values": [1] * 10_001}, ["10000"]),
])
def test_filters_that_are_wrong(many, expression, words):
    assert_error(many.post("/search", {"query": [0] * 6, "k": 1, "filter": expression}), 400, *words)


def test_filters_at_their_limits(many):
    for expression in (nested(32), {"and": [{"field": "number", "op": "exists"}] * 999},
                       {"field": "number", "op": "in", "values": list(range(10_000))}):
        assert len(many.search([0] * 6, 1000, filter=expression)) == 300
    assert len(many.search([0] * 6, 1000, filter=None)) == 300


def test_batch_search(many, client):
    with new_collection(client, 2, "manhattan") as other:
        other.fill([(1, [1, 1], {"a": 1}), (2, [3, 3], {"a": 2})])
        queries = [
            {"collection": many.name, "query": [0] * 6, "k": 4, "include_metadata": True,
             "filter": {"field": "word", "op": "eq", "value": "beta"}},
            {"collection": other.name, "query": [3, 2], "k": 5, "strategy": "post_filter", "ef_search": 60},
        ]
        answer = client.post("/api/v1/search/batch", {"queries": queries})
        assert answer.status == 200 and answer.json["total_time_us"] >= 0
        first, second = answer.json["results"]
        expected = many.expected([0] * 6, 4, lambda fields: fields["word"] == "beta")
        assert [r["id"] for r in first["results"]] == [id for _, id in expected]
        assert first["results"][0]["metadata"] == many.metadata[expected[0][1]]
        assert second["results"] == [{"id": 2, "score": 1}, {"id": 1, "score": 3}] and second["search_time_us"] >= 0
        assert client.post("/api/v1/search/batch", {"queries": []}).json["results"] == []


@pytest.mark.parametrize("change, status, word", [
    ({"query": [0]}, 400, "dimension"), ({"k": "x"}, 400, "k"), ({"strategy": "x"}, 400, "strategy"),
    ({"filter": {}}, 400, "filter"), ({"query": None}, 400, "query"), ({"ef_search": 10_001}, 400, "ef_search"),
])
def test_one_bad_query_fails_the_batch_and_is_named(many, change, status, word):
    good = {"collection": many.name, "query": [0] * 6, "k": 1}
    answer = many.client.post("/api/v1/search/batch", {"queries": [good, good, {**good, **change}]})
    assert_error(answer, status, word, "2")


def test_batches_that_are_wrong(many, client):
    good = {"collection": many.name, "query": [0] * 6, "k": 1}
    assert_error(client.post("/api/v1/search/batch", {}), 400, "queries")
    assert_error(client.post("/api/v1/search/batch", {"queries": {}}), 400, "queries")
    assert_error(client.post("/api/v1/search/batch", {"queries": [1]}), 400, "query 0")
    assert_error(client.post("/api/v1/search/batch", {"queries": [good] * 1_001}), 400, "1000")
    missing = client.post("/api/v1/search/batch", {"queries": [good, {**good, "collection": "none"}]})
    assert missing.status in (400, 404) and "'none'" in missing.json["error"] and "1" in missing.json["error"]
