"""Scans: GET of /api/v1/{namespace}/kv and /row, page by page."""

import base64
import urllib.parse

import pytest

from strata_server import b64


def quoted(key):
    return urllib.parse.quote_from_bytes(key, safe="")


def scan(client, path, field, **query):
    """All entries, page after page; every page but the last has exactly the limit."""
    entries = []
    limit = query.get("limit", 1000)
    while True:
        answer = client.get(f"{path}?{urllib.parse.urlencode(query)}")
        assert answer.status == 200, answer.json
        assert set(answer.json) == {field, "nextCursor"}
        entries += answer.json[field]
        if answer.json["nextCursor"] is None:
            assert len(answer.json[field]) <= limit
            return entries
        assert len(answer.json[field]) == limit
        query["cursor"] = answer.json["nextCursor"]


def exact(entry, name):
    if name + "Base64" in entry:
        return base64.b64decode(entry[name + "Base64"])
    return entry[name].encode()


KEYS = [b"a", b"a\x00", b"a\x00b", b"ab", b"b", b"\x00", b"\xff", b"\xff\xff", "ü".encode(), b"x" * 8_192, b"/%2F?&"]


def test_an_empty_namespace(client, base):
    assert client.get(f"{base}/kv").json == {"items": [], "nextCursor": None}
    assert client.get(f"{base}/row").json == {"rows": [], "nextCursor": None}


@pytest.mark.parametrize("limit", [1, 2, 3, 10, 11, 1000, 10_000])
def test_values_come_in_the_order_of_their_keys(client, base, limit):
    for number, key in enumerate(KEYS):
        assert client.put(f"{base}/kv/{quoted(key)}", {"value": b64(b"v%d" % number)}).status == 200
    entries = scan(client, f"{base}/kv", "items", limit=limit)
    assert [exact(entry, "key") for entry in entries] == sorted(KEYS)
    for entry in entries:
        key = exact(entry, "key")
        assert base64.b64decode(entry["value"]) == b"v%d" % KEYS.index(key)
        assert entry["version"] == client.get(f"{base}/kv/{quoted(key)}").headers["X-Version"]
        assert ("keyBase64" in entry) == (key in (b"\xff", b"\xff\xff"))


def test_a_prefix(client, base):
    for key in KEYS:
        client.put(f"{base}/kv/{quoted(key)}", {"value": ""})
    for prefix in (b"a", b"a\x00", b"", b"\xff", b"nothing", b"x" * 8_192):
        answer = client.get(f"{base}/kv?prefix={quoted(prefix)}&keysOnly=true")
        assert [exact(entry, "key") for entry in answer.json["items"]] == sorted(
            key for key in KEYS if key.startswith(prefix))
        assert all("value" not in entry for entry in answer.json["items"])
    # A cursor goes on within the prefix, also one from before it or behind it.
    cursor = client.get(f"{base}/kv?limit=1").json["nextCursor"]
    assert [entry["key"] for entry in client.get(f"{base}/kv?prefix=a&cursor={cursor}").json["items"]] == [
        "a", "a\x00", "a\x00b", "ab"]
    assert client.get(f"{base}/kv?prefix=a&cursor={b'b'.hex()}").json["items"] == []


def test_large_values_end_a_page(client, base):
    value = bytes(700_000)
    for number in range(13):
        client.put(f"{base}/kv/{number:02}", {"value": b64(value)})
    first = client.get(f"{base}/kv").json
    assert len(first["items"]) == 6  # the one that passes 4 MiB is the last
    second = client.get(f"{base}/kv?cursor={first['nextCursor']}").json
    assert [entry["key"] for entry in second["items"]] == [f"{number:02}" for number in range(6, 12)]
    assert all(base64.b64decode(entry["value"]) == value for entry in second["items"])
    assert len(client.get(f"{base}/kv?keysOnly=true").json["items"]) == 13


@pytest.mark.parametrize("limit", [1, 2, 4, 1000])
def test_rows_come_by_length_and_key(client, base, limit):
    for key in KEYS:
        assert client.put(f"{base}/row/{quoted(key)}", {"columns": {"n": b64(key[:5]), "large": b64(b"l" * 100_000)}}
                          ).status == 200
    client.put(f"{base}/row/no-columns", {"columns": {}})
    entries = scan(client, f"{base}/row", "rows", limit=limit)
    keys = [exact(entry, "rowKey") for entry in entries]
    assert keys == sorted(KEYS + [b"no-columns"], key=lambda key: (len(key), key))
    for entry, key in zip(entries, keys):
        answer = client.get(f"{base}/row/{quoted(key)}")
        assert entry["columns"] == answer.json["columns"]
        assert entry["version"] == answer.headers["X-Version"]
    entries = client.get(f"{base}/row?keysOnly=true").json["rows"]
    assert len(entries) == len(keys) and all("columns" not in entry for entry in entries)


def test_values_and_rows_are_apart(client, base):
    client.put(f"{base}/kv/k", {"value": ""})
    client.put(f"{base}/row/r", {"columns": {}})
    assert [entry["key"] for entry in client.get(f"{base}/kv").json["items"]] == ["k"]
    assert [entry["rowKey"] for entry in client.get(f"{base}/row").json["rows"]] == ["r"]


@pytest.mark.parametrize("path", ["kv", "row"])
@pytest.mark.parametrize("query", ["limit=0", "limit=10001", "limit=x", "limit=", "limit=-1", "limit=1x",
                                   "limit=99999999999999999999", "cursor=0", "cursor=xy", "cursor=AB", "cursor=00x",
                                   "cursor=" + "61" * 8_193, "keysOnly=yes", "keysOnly="])
def test_what_is_refused(client, base, path, query):
    answer = client.get(f"{base}/{path}?{query}")
    assert answer.status == 400 and answer.json["error"], query


def test_a_prefix_that_no_key_can_have(client, base):
    assert client.get(f"{base}/kv?prefix={'p' * 8_193}").status == 400


@pytest.mark.parametrize("path", ["kv", "row", "kv?limit=0", "row?cursor=x"])
def test_unknown_namespace(client, path):
    answer = client.get(f"/api/v1/nowhere/{path}")
    assert (answer.status, answer.json) == (404, {"error": "namespace not found: nowhere"})
