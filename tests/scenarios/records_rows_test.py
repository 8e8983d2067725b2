"""Rows: PUT, GET, DELETE, columns and batches of /api/v1/{namespace}/row."""

import urllib.parse

import pytest

from strata_server import b64


def put(client, base, key, columns):
    answer = client.put(f"{base}/row/{urllib.parse.quote(key, safe='')}",
                        {"columns": {name: b64(value) for name, value in columns.items()}})
    assert (answer.status, answer.json) == (200, {"success": True})


def get(client, base, key, query=""):
    answer = client.get(f"{base}/row/{urllib.parse.quote(key, safe='')}{query}")
    row = answer.json
    assert row["rowKey"] == key
    if not row["found"]:
        assert (answer.status, row) == (404, {"rowKey": key, "columns": {}, "found": False})
        return None
    assert answer.status == 200
    return row["columns"]


def test_the_examples_of_the_page(client):
    columns = {"name": "Sm9obiBEb2U=", "email": "am9obkBleGFtcGxlLmNvbQ==", "age": "MzA="}
    answer = client.put("/api/v1/default/row/user:john", {"columns": columns})
    assert (answer.status, answer.json) == (200, {"success": True})
    answer = client.get("/api/v1/default/row/user:john")
    assert (answer.status, answer.json) == (200, {"rowKey": "user:john", "columns": columns, "found": True})
    answer = client.get("/api/v1/default/row/user:john?columns=name,email")
    assert answer.json == {"rowKey": "user:john", "found": True,
                           "columns": {"name": columns["name"], "email": columns["email"]}}
    answer = client.delete("/api/v1/default/row/user:john/columns?columns=age,city")
    assert (answer.status, answer.json) == (200, {"success": True})
    assert "age" not in client.get("/api/v1/default/row/user:john").json["columns"]
    answer = client.delete("/api/v1/default/row/user:john")
    assert (answer.status, answer.json) == (200, {"success": True})
    answer = client.get("/api/v1/default/row/user:john")
    assert (answer.status, answer.json) == (404, {"rowKey": "user:john", "columns": {}, "found": False})
    answer = client.post("/api/v1/default/row/batch", {"operation": "put", "rows": [
        {"rowKey": "user:1", "columns": {"name": "QWxpY2U=", "email": "YWxpY2VAZXhhbXBsZS5jb20="}}]})
    assert (answer.status, answer.json) == (200, {"success": True, "processed": 1})


def test_put_is_an_upsert_of_columns(client, base):
    put(client, base, "r", {"a": b"1", "b": b"2"})
    put(client, base, "r", {"b": b"3", "c": b""})
    assert get(client, base, "r") == {"a": b64(b"1"), "b": b64(b"3"), "c": ""}


def test_a_row_without_columns(client, base):
    put(client, base, "r", {})
    assert get(client, base, "r") == {}
    put(client, base, "s", {"a": b"1"})
    assert client.delete(f"{base}/row/s/columns?columns=a").status == 200
    assert get(client, base, "s") == {}


def test_the_columns_parameter(client, base):
    put(client, base, "r", {"a": b"1", "b": b"2", "c d": b"3", "x,y": b"4", "\u00e9": b"5"})
    everything = get(client, base, "r")
    assert len(everything) == 5
    assert get(client, base, "r", "?columns=") == everything
    assert get(client, base, "r", "?columns") == everything
    assert get(client, base, "r", "?other=a") == everything
    assert get(client, base, "r", "?columns=absent") == {}
    assert get(client, base, "r", "?columns=,") == {}
    assert set(get(client, base, "r", "?columns=a,,b,")) == {"a", "b"}
    assert set(get(client, base, "r", "?columns=a,a,absent")) == {"a"}
    assert set(get(client, base, "r", "?columns=a&columns=b")) == {"a", "b"}
    # Clients that encode a whole form value encode the comma too.
    assert set(get(client, base, "r", "?columns=a%2Cb")) == {"a", "b"}
    assert set(get(client, base, "r", "?columns=c+d,%C3%A9")) == {"c d", "\u00e9"}
    assert set(get(client, base, "r", "?columns=c%20d")) == {"c d"}
    assert get(client, base, "r", "?columns=%FF%00," + "x" * 2000) == {}
    assert get(client, base, "absent", "?columns=a") is None
    assert client.get(f"{base}/row/r?columns=%zz").status == 400


def test_deleting_columns(client, base):
    columns = {name: name.encode() for name in ("a", "b", "c", "d", "x,y")}
    put(client, base, "r", columns)
    path = f"{base}/row/r/columns"
    assert client.delete(path + "?columns=a").json == {"success": True}
    assert client.delete(path, {"columns": {"b": "", "x,y": ""}}).json == {"success": True}
    assert client.delete(path + "?columns=c", {"columns": {"absent": ""}}).json == {"success": True}
    assert set(get(client, base, "r")) == {"d"}
    for answer in (client.delete(path), client.delete(path + "?columns="), client.delete(path + "?columns=,"),
                   client.delete(path, {"columns": {}}), client.delete(path, {}), client.delete(path, {"columns": ["d"]}),
                   client.delete(path, b"{"), client.delete(path + "?columns=" + "x" * 1025)):
        assert answer.status == 400
        assert answer.json["error"]
    assert set(get(client, base, "r")) == {"d"}
    # Of a row that is not there: nothing happens, and no row comes to be.
    assert client.delete(f"{base}/row/none/columns?columns=a").status == 200
    assert get(client, base, "none") is None


def test_deleting_a_row_leaves_its_neighbours(client, base):
    put(client, base, "r", {"a": b"l" * 200_000, "b": b""})
    put(client, base, "r\x00", {"a": b"1"})
    put(client, base, "rr", {"a": b"1"})
    for _ in range(2):
        assert client.delete(f"{base}/row/r").json == {"success": True}
    assert get(client, base, "r") is None
    assert get(client, base, "r\x00") == {"a": b64(b"1")}
    assert get(client, base, "rr") == {"a": b64(b"1")}


def test_large_columns(client, base):
    large = bytes(i % 253 for i in range(300_000))
    put(client, base, "r", {"a": large, "b": large})
    assert get(client, base, "r") == {"a": b64(large), "b": b64(large)}
    put(client, base, "r", {"a": b"small"})
    assert get(client, base, "r") == {"a": b64(b"small"), "b": b64(large)}
    assert client.delete(f"{base}/row/r/columns?columns=b").status == 200
    assert get(client, base, "r") == {"a": b64(b"small")}


def test_versions(client, base):
    put(client, base, "r", {"a": b"1", "b": b"1"})
    versions = [client.get(f"{base}/row/r").headers["X-Version"]]
    put(client, base, "r", {"a": b"2"})
    versions.append(client.get(f"{base}/row/r?columns=a").headers["X-Version"])
    client.delete(f"{base}/row/r/columns?columns=a")
    versions.append(client.get(f"{base}/row/r").headers["X-Version"])
    assert versions == sorted(set(versions))


def test_names_and_keys_at_their_limits(client, base):
    name = "n" * 1024
    put(client, base, "k" * 8192, {name: b"1"})
    assert get(client, base, "k" * 8192) == {name: b64(b"1")}
    assert client.put(f"{base}/row/r", {"columns": {name + "n": ""}}).status == 400
    assert client.put(f"{base}/row/r", {"columns": {"": ""}}).status == 400
    assert client.put(f"{base}/row/" + "k" * 8193, {"columns": {}}).status == 400
    assert client.get(f"{base}/row/" + "k" * 8193).status == 400
    assert client.delete(f"{base}/row/" + "k" * 8193).status == 400
    assert get(client, base, "r") is None


def test_row_keys_that_are_no_text(client, base):
    raw = bytes(range(256))
    path = f"{base}/row/{urllib.parse.quote_from_bytes(raw, safe='')}"
    assert client.put(path, {"columns": {"a": ""}}).status == 200
    row = client.get(path).json
    assert row["found"] and row["columns"] == {"a": ""}
    assert row["rowKeyBase64"] == b64(raw)
    assert row["rowKey"] == raw.decode("utf-8", errors="replace")
    assert "rowKeyBase64" not in client.get(f"{base}/row/%C3%A9%00%22").json
    missing = client.get(f"{base}/row/%FF").json
    assert missing == {"rowKey": "\ufffd", "rowKeyBase64": b64(b"\xff"), "columns": {}, "found": False}


@pytest.mark.parametrize("body,status", [
    ({}, 400), ({"columns": None}, 400), ({"columns": []}, 400), ({"columns": {"a": 1}}, 400),
    ({"columns": {"a": None}}, 400), ({"columns": {"a": "!"}}, 400), ({"columns": {"a": "aGk=", "b": "aGk"}}, 400),
    (b'{"columns":{"a":"","a":""}}', 400), (b'{"columns":{},"columns":{}}', 400),
])
def test_bodies_that_are_refused(client, base, body, status):
    answer = client.put(f"{base}/row/r", body)
    assert answer.status == status
    assert answer.json["error"]
    assert get(client, base, "r") is None


def test_batches(client, base):
    rows = [{"rowKey": "r1", "columns": {"a": b64(b"1")}}, {"rowKey": "r1", "columns": {"b": b64(b"2")}},
            {"rowKey": "r2", "columns": {}}]
    answer = client.post(f"{base}/row/batch", {"operation": "put", "rows": rows})
    assert (answer.status, answer.json) == (200, {"success": True, "processed": 3})
    assert get(client, base, "r1") == {"a": b64(b"1"), "b": b64(b"2")}
    assert get(client, base, "r2") == {}
    answer = client.post(f"{base}/row/batch", {"operation": "delete", "rows": [{"rowKey": "r1"}, {"rowKey": "absent"}]})
    assert (answer.status, answer.json) == (200, {"success": True, "processed": 2})
    assert get(client, base, "r1") is None
    for operation in ("put", "delete"):
        answer = client.post(f"{base}/row/batch", {"operation": operation, "rows": []})
        assert (answer.status, answer.json) == (200, {"success": True, "processed": 0})


def test_a_batch_with_one_bad_row_stores_nothing(client, base):
    good = {"rowKey": "good", "columns": {"a": b64(b"1")}}
    for bad in ({"rowKey": "bad"}, {"columns": {}}, {"rowKey": "", "columns": {}}, {"rowKey": 1, "columns": {}},
                {"rowKey": "bad", "columns": {"a": "!"}}, {"rowKey": "bad", "columns": {"": ""}},
                {"rowKey": "bad", "columns": ["a"]}, {"rowKey": "k" * 8193, "columns": {}}, 1, None):
        for rows in ([good, bad], [bad, good]):
            answer = client.post(f"{base}/row/batch", {"operation": "put", "rows": rows})
            assert answer.status == 400, bad
    put(client, base, "good", {"a": b"1"})
    for bad in ({}, {"rowKey": 1}, {"rowKey": ""}, "good"):
        assert client.post(f"{base}/row/batch", {"operation": "delete", "rows": [{"rowKey": "good"}, bad]}).status == 400
    for body in ({}, {"operation": "put"}, {"operation": "patch", "rows": []}, {"operation": "put", "rows": {}}):
        assert client.post(f"{base}/row/batch", body).status == 400
    assert get(client, base, "good") == {"a": b64(b"1")}


def test_many_columns(client, base):
    columns = {f"column-{i}": str(i).encode() for i in range(5_000)}
    put(client, base, "r", columns)
    assert get(client, base, "r") == {name: b64(value) for name, value in columns.items()}
