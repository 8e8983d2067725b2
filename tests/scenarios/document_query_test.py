"""Filters of scans, queries with order, cursors and aggregations, and indexes."""

import concurrent.futures
import random
import time

import pytest

from document_help import new_table

ARTICLES = {
    "a1": {"title": "The quick brown fox", "status": "published", "tags": ["x", "New York"], "year": 2021, "rank": 2.5,
           "at": "2021-06-01T12:00:00Z", "draft": False},
    "a2": {"title": "A lazy dog", "status": "draft", "tags": ["y"], "year": 2020, "rank": 1, "draft": True},
    "a3": {"title": "Foxes and dogs run", "status": "published", "tags": [], "year": 2023, "rank": None,
           "at": "2023-01-01T00:00:00+02:00", "draft": False},
    "b1": {"title": "Running foxes", "status": "archived", "author": {"name": "Ann Lee", "id": "user:7"}, "year": 2019},
}


@pytest.fixture
def articles(table):
    table.insert(ARTICLES)
    return table


def query(table, **body):
    answer = table.client.post(f"{table.path}/query", body)
    assert answer.status == 200, answer
    assert len(answer.json["responses"]) == 1
    return answer.json["responses"][0]


def ids(response):
    return [hit["_id"] for hit in response["hits"]["hits"]]


def make_index(table, name, field, kind, **more):
    answer = table.client.post(f"{table.path}/indexes", {"name": name, "field": field, "type": kind, **more})
    assert answer.status == 201, answer
    assert answer.json["name"] == name and answer.json["type"] == kind
    return answer.json


def wait_until_ready(table, *names):
    deadline = time.monotonic() + 60
    for name in names:
        while table.client.get(f"{table.path}/indexes/{name}").json["state"] != "ready":
            assert time.monotonic() < deadline, f"index {name} is not ready"


FILTERS = [
    ({"term": "published", "field": "status"}, ["a1", "a3"]),
    ({"term": "New York", "field": "tags"}, ["a1"]),
    ({"terms": ["draft", "archived"], "field": "status"}, ["a2", "b1"]),
    ({"match": "fox dog", "field": "title"}, ["a1", "a2"]),
    ({"match": "dogs run", "field": "title", "operator": "and"}, ["a3"]),
    ({"match_phrase": "brown fox", "field": "title"}, ["a1"]),
    ({"prefix": "pub", "field": "status"}, ["a1", "a3"]),
    ({"wildcard": "*sh?d", "field": "status"}, ["a1", "a3"]),
    ({"regexp": "d.*t", "field": "status"}, ["a2"]),
    ({"term": "drfat", "field": "status", "fuzziness": 1}, ["a2"]),
    ({"min": 2020, "max": 2023, "field": "year"}, ["a1", "a2"]),
    ({"min": 2020, "max": 2023, "inclusive_max": True, "inclusive_min": False, "field": "year"}, ["a1", "a3"]),
    ({"min": "archived", "max": "e", "field": "status"}, ["a2", "b1"]),
    ({"start": "2022-12-31T21:00:00Z", "end": "2023-01-01T00:00:00Z", "field": "at"}, ["a3"]),
    ({"bool": True, "field": "draft"}, ["a2"]),
    ({"conjuncts": [{"term": "published", "field": "status"}, {"min": 2022, "field": "year"}]}, ["a3"]),
    ({"disjuncts": [{"term": "draft", "field": "status"}, {"min": 2022, "field": "year"}]}, ["a2", "a3"]),
    ({"must": {"conjuncts": [{"term": "published", "field": "status"}]}, "must_not": {"disjuncts": [{"term": "x", "field": "tags"}]}}, ["a3"]),
    ({"ids": ["a2", "b1", "none"]}, ["a2", "b1"]),
    ({"match_all": {}}, ["a1", "a2", "a3", "b1"]),
    ({"match_none": {}}, []),
    ({"query": "status:published +tags:x -draft year:>2020"}, ["a1"]),
    ({"query": "author.id:user\\:7"}, ["b1"]),
    ({"query": "+year:>=2020 -status:draft"}, ["a1", "a3"]),
]


@pytest.mark.parametrize("filter_query, expected", FILTERS)
def test_filters_of_scans_and_queries(articles, filter_query, expected):
    assert articles.keys(filter_query=filter_query) == expected
    response = query(articles, filter_query=filter_query, order_by={"_id": False})
    assert ids(response) == expected
    assert response["hits"]["total"] == len(expected)


def test_indexes_change_nothing_but_the_way(articles):
    for name, field, kind in [("status", "status", "string"), ("year", "year", "number"), ("draft", "draft", "bool"),
                              ("at", "at", "date"), ("tags", "tags", "string")]:
        make_index(articles, name, field, kind)
    wait_until_ready(articles, "status", "year", "draft", "at", "tags")
    for filter_query, expected in FILTERS:
        assert ids(query(articles, filter_query=filter_query, order_by={"_id": False})) == expected, filter_query
    plan = query(articles, filter_query={"term": "draft", "field": "status"}, explain=True)["plan"]
    assert plan == {"indexes": ["status"], "documents_examined": 1}
    plan = query(articles, filter_query={"term": "fox", "field": "title"}, explain=True)["plan"]
    assert plan == {"indexes": [], "documents_examined": 4}


def test_the_limit_of_a_filtered_scan_counts_lines(articles):
    published = {"term": "published", "field": "status"}
    assert articles.keys(filter_query=published, limit=1) == ["a1"]
    assert articles.keys(filter_query=published, **{"from": "a1"}) == ["a3"]
    assert articles.scan(filter_query=published, fields=["year"], limit=1) == [{"key": "a1", "year": 2021}]


@pytest.mark.parametrize("filter_query, words", [
    ({}, "filter_query: is no known kind of query"), ([], "filter_query: must be an object"),
    ({"term": "a", "feild": "b"}, "filter_query.feild: is not known here"),
    ({"conjuncts": [{"match_all": {}}, {"min": True}]}, "filter_query.conjuncts[1].min: must be"),
    ({"regexp": "("}, "filter_query.regexp: is not a regular expression"),
    ({"query": "f:"}, "filter_query.query: a value is missing at byte 2"),
    ({"match": "a", "fuzziness": 3}, "filter_query.fuzziness"),
    ({"start": "tomorrow"}, "filter_query.start: must be a date"),
])
def test_a_filter_that_is_not_understood_is_refused(articles, filter_query, words):
    for operation in ("lookup", "query"):
        answer = articles.client.post(f"{articles.path}/{operation}", {"filter_query": filter_query})
        assert answer.status == 400, answer
        assert words in answer.json["error"]


def test_the_parts_of_a_query(articles):
    response = query(articles, full_text_search={"match": "foxes", "field": "title", "boost": 3},
                     filter_query={"min": 2020, "field": "year"}, exclusion_query={"term": "draft", "field": "status"})
    assert ids(response) == ["a3"]
    assert response["hits"]["hits"][0]["_score"] == response["hits"]["max_score"] == 3
    assert response["hits"]["hits"][0]["_source"] == ARTICLES["a3"]
    assert response["status"] == 200 and response["took"] >= 0
    assert ids(query(articles, filter_prefix="b")) == ["b1"]
    assert query(articles, fields=["year"], limit=1)["hits"]["hits"][0]["_source"] == {"year": 2021}
    counted = query(articles, count=True)
    assert counted["hits"] == {"hits": [], "total": 4, "max_score": 1}
    assert articles.client.post(f"{articles.path}/query").json["responses"][0]["hits"]["total"] == 4


def test_orders_and_cursors(articles):
    assert ids(query(articles, order_by={"year": False})) == ["b1", "a2", "a1", "a3"]
    assert ids(query(articles, order_by={"year": True})) == ["a3", "a1", "a2", "b1"]
    # What has no rank comes last either way.
    assert ids(query(articles, order_by={"rank": False})) == ["a2", "a1", "a3", "b1"]
    assert ids(query(articles, order_by=[{"field": "rank", "desc": True}])) == ["a1", "a2", "a3", "b1"]
    assert ids(query(articles, order_by={"status": False, "year": True})) == ["b1", "a2", "a3", "a1"]
    assert ids(query(articles, order_by={"_id": True}, offset=1, limit=2)) == ["a3", "a2"]
    for order in ({"status": False}, {"rank": True}, {"_score": True}, {"year": True, "_id": True}):
        whole = ids(query(articles, order_by=order))
        pages, cursor = [], None
        while True:
            response = query(articles, order_by=order, limit=1, **({"cursor": cursor} if cursor else {}))
            assert response["hits"]["total"] == 4
            pages += ids(response)
            cursor = response["next_cursor"]
            if cursor is None:
                break
        assert pages == whole, order
    first = query(articles, order_by={"year": True}, limit=1)["next_cursor"]
    for other in ({"year": False}, {"rank": True}, {"_score": True}):
        body = {"order_by": other, "cursor": first}
        refused = articles.client.post(f"{articles.path}/query", body)
        assert refused.status == 400 and "cursor: is not one of this query's" in refused.json["error"]


def test_aggregations(articles):
    response = query(articles, limit=0, aggregations={
        "by_status": {"type": "terms", "field": "status", "size": 1}, "by_tag": {"type": "terms", "field": "tags"},
        "years": {"type": "stats", "field": "year"}, "kinds": {"type": "cardinality", "field": "status"},
        "first": {"type": "min", "field": "year"}, "last": {"type": "max", "field": "year"},
        "sum": {"type": "sum", "field": "rank"}, "mean": {"type": "avg", "field": "rank"},
        "ranked": {"type": "count", "field": "rank"}, "nothing": {"type": "avg", "field": "none"},
    })
    found = response["aggregations"]
    assert found["by_status"] == {"buckets": [{"key": "published", "doc_count": 2}], "sum_other_doc_count": 2}
    assert [bucket["key"] for bucket in found["by_tag"]["buckets"]] == ["New York", "x", "y"]
    assert found["years"]["count"] == 4 and found["years"]["min"] == 2019 and found["years"]["max"] == 2023
    assert found["years"]["avg"] == 2020.75 and abs(found["years"]["std_dev"] - 1.479) < 0.001
    values = {name: found[name]["value"] for name in ("kinds", "first", "last", "sum", "mean", "ranked", "nothing")}
    assert values == {"kinds": 3, "first": 2019, "last": 2023, "sum": 3.5, "mean": 1.75, "ranked": 2, "nothing": None}


@pytest.mark.parametrize("body, words", [
    ({"limit": -1}, "limit: must be 0 to 10000"), ({"limit": 10_001}, "limit: must be"), ({"offset": 9_999}, "offset"),
    ({"cursor": "zz"}, "cursor: is not one"), ({"cursor": "00", "order_by": {"a": True}}, "cursor: is not one"),
    ({"order_by": {"a": 1}}, "order_by.a must be"), ({"order_by": {"a..b": True}}, "order_by: path"),
    ({"order_by": [{"field": "a", "order": "desc"}]}, "unknown field order"), ({"fields": "a"}, "fields must be an array"),
    ({"aggregations": {"x": {"type": "median", "field": "a"}}}, "aggregations.x.type: must be"),
    ({"aggregations": {"x": {"type": "terms", "field": ""}}}, "aggregations.x.field: path"),
    ({"aggregations": {"x": {"type": "terms", "field": "a", "size": 0}}}, "aggregations.x.size: must be"),
    ({"filter": {}}, "unknown field filter"), ({"count": 1}, "count must be"),
    ({"full_text_search": {"match": 1}}, "full_text_search.match: must be a string"),
    ({"exclusion_query": {"x": 1}}, "exclusion_query: is no known kind"),
])
def test_what_a_query_refuses(articles, body, words):
    answer = articles.client.post(f"{articles.path}/query", body)
    assert answer.status == 400, answer
    assert words in answer.json["error"]


def test_fulltext_stems_and_scores(articles):
    assert ids(query(articles, full_text_search={"match": "run fox", "field": "title"})) == ["a1", "a3"]
    made = make_index(articles, "words", "title", "fulltext")
    assert made["analyzer"] == "english"
    wait_until_ready(articles, "words")
    response = query(articles, full_text_search={"match": "run fox", "field": "title"}, explain=True)
    # Both words in the shortest title, then both in a longer one, then one of them.
    assert ids(response) == ["b1", "a3", "a1"]
    scores = [hit["_score"] for hit in response["hits"]["hits"]]
    assert scores == sorted(scores, reverse=True) and scores[2] > 0
    assert response["plan"] == {"indexes": ["words"], "documents_examined": 3}
    assert ids(query(articles, full_text_search={"match_phrase": "dog run", "field": "title"})) == ["a3"]
    articles.insert({"c1": {"title": "fox fox fox"}})
    assert ids(query(articles, full_text_search={"match": "foxes", "field": "title"}))[0] == "c1"


def test_indexes_are_made_listed_and_dropped(articles):
    assert articles.client.get(f"{articles.path}/indexes").json == []
    make_index(articles, "by_year", "$.year", "number")
    wait_until_ready(articles, "by_year")
    listed = articles.client.get(f"{articles.path}/indexes").json
    assert listed == [{"name": "by_year", "field": "year", "type": "number", "state": "ready", "documents_indexed": 4}]
    assert articles.client.delete(f"{articles.path}/indexes/by_year").status == 204
    assert articles.client.delete(f"{articles.path}/indexes/by_year").status == 404
    assert articles.client.get(f"{articles.path}/indexes/by_year").status == 404
    assert query(articles, filter_query={"min": 2020, "field": "year"}, explain=True)["plan"]["indexes"] == []
    assert articles.client.get("/api/v1/tables/nowhere/indexes").status == 404
    assert articles.client.post("/api/v1/tables/nowhere/query", {"limit": -1}).status == 404
    assert articles.client.post("/api/v1/tables/nowhere/lookup", {"filter_query": {}}).status == 404


@pytest.mark.parametrize("body, words", [
    ({"field": "a", "type": "string"}, "name"), ({"name": "", "field": "a", "type": "string"}, "name: must have"),
    ({"name": "n", "type": "string"}, "field"), ({"name": "n", "field": "a..b", "type": "string"}, "field: path"),
    ({"name": "n", "field": "$", "type": "string"}, "field: must name a field"),
    ({"name": "n", "field": "a", "type": "geo"}, "type: must be string, number, bool, date or fulltext"),
    ({"name": "n", "field": "a", "type": "number", "analyzer": "en"}, "analyzer: belongs to fulltext"),
    ({"name": "n", "field": "a", "type": "fulltext", "analyzer": "klingon"}, "no such analyzer: klingon"),
    ({"name": "taken", "field": "a", "type": "string"}, "index already exists: taken"), ({"unique": True}, "unknown field unique"),
])
def test_what_an_index_refuses(articles, body, words):
    make_index(articles, "taken", "x", "string")
    answer = articles.client.post(f"{articles.path}/indexes", body)
    assert answer.status == 400, answer
    assert words in answer.json["error"]


def test_an_index_built_under_writes_misses_nothing(server, table):
    """Writers replace, delete and insert while the index is built; what it finds is what a scan finds."""
    table.insert({f"k{number:04}": {"n": number % 7, "t": f"word{number % 5}"} for number in range(2_000)})

    def write(seed):
        draw, client = random.Random(seed), server.client()
        for _ in range(40):
            keys = [f"k{draw.randrange(2_200):04}" for _ in range(5)]
            body = {"inserts": {key: {"n": draw.randrange(7), "t": f"word{draw.randrange(5)}"} for key in keys[:4]},
                    "deletes": [key for key in keys[4:] if key not in keys[:4]]}
            assert client.post(f"{table.path}/batch", body).status == 201
        client.close()

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(write, seed) for seed in range(3)]
        make_index(table, "n", "n", "number")
        make_index(table, "t", "t", "fulltext")
        for writer in writers:
            writer.result()
    wait_until_ready(table, "n", "t")
    stored = {row["key"]: row for row in table.scan(fields=["n", "t"])}
    for number in range(7):
        response = query(table, filter_query={"min": number, "max": number, "inclusive_max": True, "field": "n"},
                         order_by={"_id": False}, limit=10_000, explain=True)
        assert response["plan"]["indexes"] == ["n"]
        assert ids(response) == sorted(key for key, row in stored.items() if row["n"] == number)
        assert response["plan"]["documents_examined"] == len(ids(response))
    for word in range(5):
        response = query(table, filter_query={"match": f"word{word}", "field": "t"}, limit=10_000, explain=True)
        assert response["plan"]["indexes"] == ["t"]
        assert sorted(ids(response)) == sorted(key for key, row in stored.items() if row["t"] == f"word{word}")


def test_a_table_made_with_its_indexes(client):
    indexes = {"year": {"type": "number", "field": "$.year"}, "words": {"type": "fulltext", "field": "title", "analyzer": "en"}}
    with new_table(client, indexes=indexes) as made:
        made.insert(ARTICLES)
        assert client.get(made.path).json["indexes"] == {"year": {"field": "year", "type": "number", "state": "ready"},
                                                         "words": {"field": "title", "type": "fulltext", "state": "ready"}}
        assert query(made, filter_query={"min": 2023, "field": "year"}, explain=True)["plan"] == {"indexes": ["year"], "documents_examined": 1}
        assert ids(query(made, full_text_search={"match": "run", "field": "title"}, order_by={"_id": False})) == ["a3", "b1"]


# Up to 256 documents are read with the index, in one transaction; more of them, and large ones, page by page.
def test_what_an_index_proposes_is_found_whole_whatever_its_size(table):
    sizes = {"a": 255, "b": 256, "c": 257, "d": 600, "e": 1}
    make_index(table, "by_group", "group", "string")
    make_index(table, "by_rank", "rank", "number")
    for group, size in sizes.items():
        table.insert({f"{group}{i:04d}": {"group": group} for i in range(size)})
    for i in range(7):
        table.insert({f"large{i}": {"rank": i, "text": "x" * 3_000_000}})
    wait_until_ready(table, "by_group")
    wait_until_ready(table, "by_rank")

    def found(chosen, **more):
        response = query(table, filter_query=chosen, limit=10000, explain=True, **more)
        assert response["plan"]["indexes"], response["plan"]
        assert response["plan"]["documents_examined"] == response["hits"]["total"]
        return ids(response)

    for group, size in sizes.items():
        assert found({"field": "group", "term": group}) == [f"{group}{i:04d}" for i in range(size)]
    assert found({"field": "group", "term": "f"}) == []
    assert len(found({"disjuncts": [{"field": "group", "term": group} for group in sizes]})) == sum(sizes.values())
    assert found({"disjuncts": [{"field": "group", "term": "e"}, {"ids": ["a0001", "nothing"]}]}) == ["a0001", "e0000"]
    assert found({"field": "rank", "min": 0, "max": 100}, fields=["rank"]) == [f"large{i}" for i in range(7)]
