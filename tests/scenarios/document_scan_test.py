"""Scans of a table: ranges, projections, limits, NDJSON."""

import socket

import pytest

KEYS = ["a", "a:1", "ab", "b", "b\u0000", "c", "ü"]


@pytest.fixture
def filled(table):
    table.insert({key: {"n": number, "deep": {"x": [number, {"y": key}]}} for number, key in enumerate(KEYS)})
    return table


@pytest.mark.parametrize("body, expected", [
    ({}, KEYS), ({"from": "a"}, KEYS[1:]), ({"from": "a", "inclusive_from": True}, KEYS), ({"to": "b"}, KEYS[:4]),
    ({"to": "b", "exclusive_to": True}, KEYS[:3]), ({"from": "a", "to": "b"}, KEYS[1:4]),
    ({"from": "a", "to": "b", "inclusive_from": True, "exclusive_to": True}, KEYS[:3]),
    ({"from": "aa", "to": "bb"}, ["ab", "b", "b\u0000"]), ({"from": "b", "to": "b"}, []),
    ({"from": "b", "to": "b", "inclusive_from": True}, ["b"]), ({"from": "c", "to": "a"}, []), ({"from": "ü"}, []),
    ({"from": "", "to": ""}, KEYS), ({"from": None, "to": None, "limit": None, "fields": None}, KEYS), ({"limit": 2}, KEYS[:2]),
    ({"limit": 0}, KEYS), ({"from": "a:", "limit": 1}, ["a:1"]), ({"limit": 7}, KEYS), ({"limit": 100}, KEYS),
    ({"from": "b" * 3000}, ["c", "ü"]),
])
def test_ranges(filled, body, expected):
    assert filled.keys(**body) == expected


def test_fields(filled):
    assert filled.scan(limit=1) == [{"key": "a"}]
    assert filled.scan(limit=1, fields=[]) == [{"key": "a"}]
    assert filled.scan(limit=1, fields=["n"]) == [{"key": "a", "n": 0}]
    assert filled.scan(limit=1, fields=["n", "deep.x.y"]) == [{"key": "a", "n": 0, "deep": {"x": [{"y": "a"}]}}]
    assert filled.scan(limit=1, fields=["*"]) == [{"key": "a", "n": 0, "deep": {"x": [0, {"y": "a"}]}}]
    assert filled.scan(limit=1, fields=["-deep"]) == [{"key": "a", "n": 0}]
    assert filled.scan(limit=1, fields=["none"]) == [{"key": "a"}]


def test_the_documents_key_wins_its_name(table):
    table.insert({"k": {"key": "mine", "other": 1}})
    assert table.scan(fields=["*"]) == table.scan(fields=["key", "other"]) == [{"key": "k", "other": 1}]


@pytest.mark.parametrize("body, words", [
    (b"[]", "must be a JSON object"), (b"{", "malformed JSON"), ({"limit": -1}, "limit must be"), ({"limit": "1"}, "limit must be"),
    ({"from": 1}, "from must be a string"), ({"to": []}, "to must be a string"), ({"inclusive_from": 1}, "inclusive_from must be"),
    ({"exclusive_to": "x"}, "exclusive_to must be"), ({"fields": "a"}, "fields must be an array"), ({"fields": [1]}, "each of fields must be a string"),
    ({"fields": ["a..b"]}, "a..b"), ({"fields": [""]}, "field"), ({"form": "a"}, "unknown field form"),
    ({"filter_query": []}, "filter_query"), ({"filter_query": {"nonsense": 1}}, "filter_query"), ({"filter_query": {}}, "filter_query"),
    ({"filter_query": {"term": [], "field": "n"}}, "filter_query"), (b'{"filter_query":{"term":"a","term":"b"}}', "filter_query"),
])
def test_what_a_scan_refuses(filled, body, words):
    answer = filled.client.post(f"{filled.path}/lookup", body)
    assert answer.status == 400, answer
    assert words in answer.json["error"]


def test_an_empty_table_and_no_body(table):
    answer = table.client.post(f"{table.path}/lookup")
    assert answer.status == 200 and answer.body == b""
    assert answer.headers["Content-Type"] == "application/x-ndjson"


def test_many_and_large_documents_stream_in_order(table):
    expected = []
    for part in range(4):
        table.insert({f"k{part}{number:04}": {"n": number} for number in range(5_000)})
        expected += [f"k{part}{number:04}" for number in range(5_000)]
    table.insert({f"k1{number:04}": {"n": number, "large": "x" * 250_000} for number in range(100, 120)})
    assert table.keys() == expected
    lines = table.scan(fields=["n", "large"])
    assert [line["key"] for line in lines] == expected
    assert [line["key"] for line in lines if "large" in line] == [f"k1{number:04}" for number in range(100, 120)]
    assert all(len(line["large"]) == 250_000 for line in lines if "large" in line)
    assert table.keys(**{"from": "k14999", "limit": 7_000}) == expected[10_000:17_000]


def test_a_client_that_leaves_in_the_middle(server, table):
    table.insert({f"k{number}": {"a": "x" * 500_000} for number in range(15)})
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            body = b'{"fields":["*"]}'
            connection.sendall(b"POST %s/lookup HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s"
                               % (table.path.encode(), len(body), body))
            assert connection.recv(1_000).startswith(b"HTTP/1.1 200 OK\r\n")
    assert len(table.keys()) == 15


@pytest.mark.parametrize("filter_query, expected", [
    ({"match_all": {}}, KEYS), ({"match_none": {}}, []), ({"min": 2, "max": 4, "field": "n"}, KEYS[2:4]),
    ({"term": "ab", "field": "deep.x.y"}, ["ab"]), ({"prefix": "a", "field": "deep.x.y"}, KEYS[:3]), ({"ids": ["c", "a", "none"]}, ["a", "c"]),
    ({"query": "n:>=5"}, KEYS[5:]), ({"must_not": {"disjuncts": [{"min": 1, "field": "n"}]}}, KEYS[:1]), (None, KEYS),
])
def test_filters(filled, filter_query, expected):
    assert filled.keys(filter_query=filter_query) == expected
    assert filled.keys(filter_query=filter_query, limit=2) == expected[:2]
    assert filled.scan(filter_query=filter_query, fields=["n"]) == [{"key": key, "n": KEYS.index(key)} for key in expected]
    assert filled.keys(**{"filter_query": filter_query, "from": "a", "to": "b"}) == [key for key in expected if key in KEYS[1:4]]


def test_a_filter_over_many_pages(table):
    table.insert({f"k{number:05}": {"n": number, "filler": "x" * 300} for number in range(10_000)})
    wanted = [f"k{number:05}" for number in range(0, 10_000, 1_000)]
    assert table.keys(filter_query={"ids": wanted}) == wanted
    assert table.keys(filter_query={"ids": wanted}, limit=3) == wanted[:3]
    assert table.keys(filter_query={"min": 9_990, "field": "n"}) == [f"k{number:05}" for number in range(9_990, 10_000)]
