"""Transactions of several requests: /api/v1/{namespace}/tx, for values, rows and large objects."""

import concurrent.futures
import re
import time
import zlib

import pytest

from strata_server import Server, b64

LIMIT = 1_048_576
NO_ID = "0" * 32


def begin(client, base, entry_type, operation="put"):
    answer = client.post(f"{base}/tx/begin", {"operation": operation, "entryType": entry_type})
    assert answer.status == 200 and answer.json["success"] is True, answer
    assert re.fullmatch(r"[0-9a-f]{32}", answer.json["txnId"])
    return f"{base}/tx/{answer.json['txnId']}"


def ok(answer):
    assert answer.status == 200 and answer.json["success"] is True, answer
    return answer.json


def value(client, base, key):
    answer = client.get(f"{base}/kv/{key}")
    return answer.json["value"] if answer.status == 200 else None


def test_values(client, base):
    tx = begin(client, base, "kv")
    assert ok(client.post(f"{tx}/kv", {"key": "a", "value": b64(b"1")})) == {"success": True}
    ok(client.post(f"{tx}/kv", {"key": "b", "value": b64(b"x" * 500_000)}))
    ok(client.post(f"{tx}/kv", {"key": "a", "value": b64(b"2")}))
    ok(client.post(f"{tx}/kv", {"key": "empty", "value": ""}))
    assert value(client, base, "a") is None
    done = client.post(f"{tx}/commit")
    assert ok(done)["checksum"] == zlib.crc32(b"1" + b"x" * 500_000 + b"2")
    assert value(client, base, "a") == b64(b"2")
    assert value(client, base, "b") == b64(b"x" * 500_000)
    read = client.get(f"{base}/kv/empty")
    assert read.json == {"value": "", "found": True}
    assert read.headers["X-Version"] == done.json["version"] == done.headers["X-Version"]


def test_rows(client, base):
    tx = begin(client, base, "row")
    ok(client.post(f"{tx}/row", {"rowKey": "r", "columns": {"a": b64(b"1"), "b": b64(b"2")}}))
    ok(client.post(f"{tx}/row", {"rowKey": "r", "columns": {"c": b64(b"3")}}))
    ok(client.post(f"{tx}/row", {"rowKey": "bare", "columns": {}}))
    assert client.get(f"{base}/row/r").status == 404
    assert ok(client.post(f"{tx}/commit"))["checksum"] == zlib.crc32(b"123")
    assert client.get(f"{base}/row/r").json["columns"] == {"a": b64(b"1"), "b": b64(b"2"), "c": b64(b"3")}
    assert client.get(f"{base}/row/bare").json["found"] is True

    tx = begin(client, base, "row", "delete")
    ok(client.post(f"{tx}/row", {"rowKey": "r", "columns": {"a": "", "none": ""}}))
    ok(client.post(f"{tx}/row", {"rowKey": "bare"}))
    ok(client.post(f"{tx}/commit"))
    assert client.get(f"{base}/row/r").json["columns"] == {"b": b64(b"2"), "c": b64(b"3")}
    assert client.get(f"{base}/row/bare").status == 404


def test_objects(client, base):
    tx = begin(client, base, "lob")
    assert ok(client.post(f"{tx}/lob?key=files%2Fa", b"one ")) == {"success": True, "size": 4}
    assert ok(client.post(f"{tx}/lob?key=b", b"other"))["size"] == 5
    assert ok(client.post(f"{tx}/lob?key=files%2Fa", b"two"))["size"] == 7
    ok(client.post(f"{tx}/lob?key=empty", b""))
    assert client.get(f"{base}/lob?key=files/a").status == 404
    assert ok(client.post(f"{tx}/commit"))["checksum"] == zlib.crc32(b"one othertwo")
    assert client.get(f"{base}/lob?key=files/a").body == b"one two"
    assert client.get(f"{base}/lob/b").body == b"other"
    assert client.get(f"{base}/lob/empty").body == b""

    tx = begin(client, base, "lob", "delete")
    ok(client.post(f"{tx}/lob?key=b"))
    ok(client.post(f"{tx}/lob?key=none", b"ignored"))
    ok(client.post(f"{tx}/commit"))
    assert client.get(f"{base}/lob/b").status == 404


def test_a_delete_of_values_needs_none(client, base):
    for key in ["a", "b"]:
        client.put(f"{base}/kv/{key}", {"value": b64(b"x")})
    tx = begin(client, base, "kv", "delete")
    ok(client.post(f"{tx}/kv", {"key": "a"}))
    ok(client.post(f"{tx}/kv", {"key": "b", "value": b64(b"x")}))
    ok(client.post(f"{tx}/kv", {"key": "absent"}))
    assert client.post(f"{tx}/kv", {"key": "a", "value": "?"}).status == 400
    assert value(client, base, "a") == b64(b"x")
    assert ok(client.post(f"{tx}/commit"))["checksum"] == 0
    assert value(client, base, "a") is None and value(client, base, "b") is None


@pytest.mark.parametrize("entry_type", ["kv", "row", "lob"])
def test_an_update_needs_what_it_updates(client, base, entry_type):
    def add(tx, content):
        if entry_type == "kv":
            return ok(client.post(f"{tx}/kv", {"key": "k", "value": b64(content)}))
        if entry_type == "row":
            return ok(client.post(f"{tx}/row", {"rowKey": "k", "columns": {"c": b64(content)}}))
        return ok(client.post(f"{tx}/lob?key=k", content))

    update = begin(client, base, entry_type, "update")
    add(update, b"new")
    refused = client.post(f"{update}/commit")
    assert (refused.status, refused.json) == (409, {"error": "there is nothing to update at the key k"})
    assert client.get(f"{base}/{entry_type}/k").status == 404
    first = begin(client, base, entry_type)
    add(first, b"old")
    ok(client.post(f"{first}/commit"))
    # The refused one is still open.
    ok(client.post(f"{update}/commit"))
    answer = client.get(f"{base}/{entry_type}/k")
    assert answer.body == b"new" if entry_type == "lob" else b64(b"new") in answer.body.decode()


def test_what_begin_refuses(client, base):
    for body in [{}, {"operation": "put"}, {"entryType": "kv"}, {"operation": "PUT", "entryType": "kv"},
                 {"operation": "put", "entryType": "KV"}, {"operation": 1, "entryType": "kv"},
                 {"operation": "put", "entryType": None}, b"", b"[]", b"{", b'{"operation":"put","operation":"put"}']:
        answer = client.post(f"{base}/tx/begin", body)
        assert answer.status == 400 and "error" in answer.json, body
    answer = client.post("/api/v1/missing-one/tx/begin", {"operation": "put", "entryType": "kv"})
    assert (answer.status, answer.json) == (404, {"error": "namespace not found: missing-one"})


def test_a_wrong_type_leaves_the_transaction_usable(client, base):
    value_of = {"kv": {"key": "k", "value": ""}, "row": {"rowKey": "k", "columns": {}}}
    for mine in ["kv", "row", "lob"]:
        tx = begin(client, base, mine)
        for other in {"kv", "row", "lob"} - {mine}:
            answer = client.post(f"{tx}/{other}?key=k", value_of.get(other, b"x"))
            assert answer.status == 400
            assert answer.json == {"error": f"the transaction is of type {mine}, not {other}"}
        ok(client.post(f"{tx}/{mine}?key=k", value_of.get(mine, b"x")))
        ok(client.post(f"{tx}/commit"))
        assert client.get(f"{base}/{mine}/k").status == 200


def test_bad_appends_add_nothing(client, base):
    tx = begin(client, base, "kv")
    for body in [{"key": "k"}, {"value": ""}, {"key": "", "value": ""}, {"key": "k", "value": "a"}, {"key": 1, "value": ""},
                 {"key": "k" * 8_193, "value": ""}, {"key": "k", "value": "YQ==\n"}, b"null", b""]:
        assert client.post(f"{tx}/kv", body).status == 400, body
    ok(client.post(f"{tx}/commit"))
    assert value(client, base, "k") is None
    tx = begin(client, base, "row")
    for body in [{"rowKey": "r"}, {"columns": {}}, {"rowKey": "r", "columns": []}, {"rowKey": "r", "columns": {"": ""}},
                 {"rowKey": "r", "columns": {"a": "?"}}]:
        assert client.post(f"{tx}/row", body).status == 400, body
    ok(client.post(f"{tx}/commit"))
    assert client.get(f"{base}/row/r").status == 404
    tx = begin(client, base, "lob")
    for query in ["", "?key=", f"?key={'k' * 8_193}", "?key=k&offset=", "?key=k&offset=-1", "?key=k&offset=1x",
                  "?key=k&offset=99999999999999999999"]:
        assert client.post(f"{tx}/lob{query}", b"x").status == 400, query
    ok(client.post(f"{tx}/commit"))
    assert client.get(f"{base}/lob/k").status == 404


def test_unknown_transactions(client, base):
    other = f"{base}-other"
    assert client.put(other).status == 201
    tx = begin(client, base, "kv")
    in_other = tx.replace(base, other)
    finished = begin(client, base, "kv")
    ok(client.post(f"{finished}/commit"))
    aborted = begin(client, base, "kv")
    assert ok(client.post(f"{aborted}/abort")) == {"success": True}
    for path in [f"{base}/tx/{NO_ID}", f"{base}/tx/x", in_other, finished, aborted]:
        missing = {"error": f"transaction not found: {path.rsplit('/', 1)[1]}"}
        for action, body in [("kv", {"key": "k", "value": ""}), ("kv", b"{"), ("row", {}), ("lob?key=k", b"x"),
                             ("commit", None), ("abort", None)]:
            answer = client.post(f"{path}/{action}", body)
            assert (answer.status, answer.json) == (404, missing), (path, action)
    answer = client.post(f"/api/v1/missing-one/tx/{NO_ID}/commit")
    assert (answer.status, answer.json) == (404, {"error": "namespace not found: missing-one"})
    # Deleted and made anew: what was staged belongs to neither.
    tx = begin(client, other, "kv")
    ok(client.post(f"{tx}/kv", {"key": "k", "value": ""}))
    assert client.delete(other).status == 200
    assert client.post(f"{tx}/commit").json == {"error": f"namespace not found: {other.rsplit('/', 1)[1]}"}
    assert client.put(other).status == 201
    assert client.post(f"{tx}/commit").status == 404
    assert client.get(f"{other}/kv/k").status == 404
    assert client.delete(other).status == 200


@pytest.mark.parametrize("entry_type", ["kv", "row", "lob"])
@pytest.mark.parametrize("operation", ["put", "update", "delete"])
def test_an_empty_one_commits(client, base, entry_type, operation):
    tx = begin(client, base, entry_type, operation)
    assert ok(client.post(f"{tx}/commit")) == {"success": True, "checksum": 0}


def test_the_limit_of_an_append(client, base):
    tx = begin(client, base, "lob")
    piece = b"a" * LIMIT
    assert ok(client.post(f"{tx}/lob?key=k", piece))["size"] == LIMIT
    assert client.post(f"{tx}/lob?key=k", piece + b"b").status == 413
    # Sent again in pieces that fit.
    assert ok(client.post(f"{tx}/lob?key=k", piece))["size"] == 2 * LIMIT
    assert ok(client.post(f"{tx}/lob?key=k", b"b"))["size"] == 2 * LIMIT + 1
    assert ok(client.post(f"{tx}/commit"))["checksum"] == zlib.crc32(piece + piece + b"b")
    assert client.get(f"{base}/lob/k").body == piece + piece + b"b"
    tx = begin(client, base, "kv")
    body = (b'{"key":"k","value":"' + b"A" * ((LIMIT - 22) // 4 * 4) + b'"}').ljust(LIMIT)
    assert len(body) == LIMIT
    ok(client.post(f"{tx}/kv", body))
    assert client.post(f"{tx}/kv", body + b" ").status == 413
    ok(client.post(f"{tx}/commit"))


def test_offsets(client, base):
    tx = begin(client, base, "lob")

    def add(offset, body):
        return client.post(f"{tx}/lob?key=k&offset={offset}", body)

    answer = add(1, b"x")
    assert (answer.status, answer.json) == (409, {"error": "offset 1 leaves a gap: 0 bytes are there"})
    assert ok(add(0, b"abc"))["size"] == 3
    assert ok(add(0, b"abc"))["size"] == 3
    assert ok(add(3, b"def"))["size"] == 6
    assert ok(add(1, b"bc"))["size"] == 6
    assert add(4, b"efg").status == 409
    assert add(7, b"x").status == 409
    assert ok(client.post(f"{tx}/lob?key=k", b"g"))["size"] == 7
    assert ok(client.post(f"{tx}/commit"))["checksum"] == zlib.crc32(b"abcdefg")
    assert client.get(f"{base}/lob/k").body == b"abcdefg"


def test_more_than_a_commit_can_write_is_refused_early(client, base, commit_limit):
    """Each value is written twice: where it lives, and in the log."""
    tx = begin(client, base, "kv")
    body = {"key": "", "value": b64(b"x" * 700_000)}
    added = 0
    for _ in range(100):
        answer = client.post(f"{tx}/kv", {**body, "key": f"k{added}"})
        if answer.status == 413:
            break
        ok(answer)
        added += 1
    assert commit_limit // 1_500_000 <= added <= commit_limit // 1_400_000
    assert answer.status == 413 and "nothing was added" in answer.json["error"]
    ok(client.post(f"{tx}/commit"))
    assert client.get(f"{base}/kv/k{added - 1}").status == 200
    assert client.get(f"{base}/kv/k{added}").status == 404


def test_too_many_are_refused_and_can_be_aborted():
    with Server() as own:
        begin_here = own.client()
        path = "/api/v1/default"
        first = begin(begin_here, path, "kv")
        for _ in range(9_999):
            begin(begin_here, path, "kv")
        answer = begin_here.post(f"{path}/tx/begin", {"operation": "put", "entryType": "kv"})
        assert answer.status == 429 and "10000" in answer.json["error"]
        ok(begin_here.post(f"{first}/abort"))
        begin(begin_here, path, "kv")


def test_time_ends_them():
    """Age ends one that is in use as well: appends go on until they are refused."""
    with Server("--transaction-age-seconds", "3") as server:
        client = server.client()
        tx = begin(client, "/api/v1/default", "lob")
        sent = 0
        while (answer := client.post(f"{tx}/lob?key=k", b"x" * 1_000)).status == 200:
            sent += 1
        assert sent > 0
        assert (answer.status, answer.json) == (404, {"error": f"transaction not found: {tx.rsplit('/', 1)[1]}"})
        assert client.post(f"{tx}/commit").status == 404
        assert client.get("/api/v1/default/lob/k").status == 404
    with Server("--transaction-idle-seconds", "3") as server:
        client = server.client()
        idle = begin(client, "/api/v1/default", "kv")
        used = begin(client, "/api/v1/default", "kv")
        began = time.monotonic()
        while time.monotonic() - began < 4.5:
            ok(client.post(f"{used}/kv", {"key": "k", "value": ""}))
        assert client.post(f"{idle}/commit").status == 404
        ok(client.post(f"{used}/commit"))


def test_a_restart_ends_them():
    with Server() as server:
        client = server.client()
        lost = [begin(client, "/api/v1/default", entry_type) for entry_type in ["kv", "lob"]]
        ok(client.post(f"{lost[0]}/kv", {"key": "lost", "value": ""}))
        ok(client.post(f"{lost[1]}/lob?key=lost", b"x" * 300_000))
        server.restart()
        client = server.client()
        for tx in lost:
            assert client.post(f"{tx}/commit").status == 404
        assert client.get("/api/v1/default/kv/lost").status == 404
        assert client.get("/api/v1/default/lob/lost").status == 404


def test_concurrent_appends_and_commits(server, client, base):
    tx = begin(client, base, "lob")

    def add(letter):
        own = server.client()
        for _ in range(10):
            ok(own.post(f"{tx}/lob?key=k", letter * 50_000))
        own.close()

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(add, [b"a", b"b", b"c", b"d"]))

        def finish(_):
            own = server.client()
            status = own.post(f"{tx}/commit").status
            own.close()
            return status

        assert sorted(pool.map(finish, range(4))) == [200, 404, 404, 404]
    body = client.get(f"{base}/lob/k").body
    assert len(body) == 2_000_000
    pieces = [body[at:at + 50_000] for at in range(0, len(body), 50_000)]
    assert all(piece == piece[:1] * 50_000 for piece in pieces)
    assert sorted(piece[:1] for piece in pieces) == sorted([b"a", b"b", b"c", b"d"] * 10)
