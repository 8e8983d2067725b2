"""Values: PUT, GET, DELETE and batches of /api/v1/{namespace}/kv."""

import base64
import concurrent.futures
import json
import urllib.parse

import pytest

from strata_server import b64

LIMIT = 1_048_576


def put(client, base, key, value):
    answer = client.put(f"{base}/kv/{urllib.parse.quote_from_bytes(key, safe='')}", {"value": b64(value)})
    assert (answer.status, answer.json) == (200, {"success": True})


def get(client, base, key):
    answer = client.get(f"{base}/kv/{urllib.parse.quote_from_bytes(key, safe='')}")
    if answer.status == 404:
        assert answer.json == {"value": "", "found": False}
        return None
    assert answer.status == 200
    return answer.json


def test_the_examples_of_the_page(client):
    value = "eyJuYW1lIjoiSm9obiIsImFnZSI6MzB9"
    answer = client.put("/api/v1/default/kv/user:123", {"value": value}, headers={"Content-Type": "application/json"})
    assert (answer.status, answer.json) == (200, {"success": True})
    assert answer.headers["Content-Type"].startswith("application/json")
    answer = client.get("/api/v1/default/kv/user:123")
    assert (answer.status, answer.json) == (200, {"value": value, "found": True})
    # curl -d sends a form's content type
    answer = client.put("/api/v1/default/kv/greeting", b'{"value":"aGVsbG8gd29ybGQ="}',
                        headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert (answer.status, answer.json) == (200, {"success": True})
    answer = client.delete("/api/v1/default/kv/user:123")
    assert (answer.status, answer.json) == (200, {"success": True})
    answer = client.get("/api/v1/default/kv/user:123")
    assert (answer.status, answer.json) == (404, {"value": "", "found": False})
    answer = client.post("/api/v1/default/kv/batch", {
        "operation": "put", "items": [{"key": "key1", "value": "dmFsdWUx"}, {"key": "key2", "value": "dmFsdWUy"}]})
    assert (answer.status, answer.json) == (200, {"success": True, "processed": 2})
    assert client.get("/api/v1/default/kv/key2").json == {"value": "dmFsdWUy", "found": True}
    answer = client.post("/api/v1/default/kv/batch", {"operation": "delete", "keys": ["key1", "key2"]})
    assert (answer.status, answer.json) == (200, {"success": True, "processed": 2})
    assert client.get("/api/v1/default/kv/key1").status == 404


def test_empty_values(client, base):
    put(client, base, b"k", b"")
    assert get(client, base, b"k") == {"value": "", "found": True}


@pytest.mark.parametrize("size", [1, 2, 3, 89_999, 90_000, 90_001, 180_000, 700_000])
def test_values_of_many_sizes(client, base, size):
    value = bytes(i % 251 for i in range(size))
    put(client, base, b"k", value)
    assert get(client, base, b"k") == {"value": b64(value), "found": True}
    put(client, base, b"k", b"small")
    assert get(client, base, b"k") == {"value": b64(b"small"), "found": True}


def test_deleting_what_is_absent_succeeds(client, base):
    assert client.delete(f"{base}/kv/none").json == {"success": True}


def test_keys_of_every_byte(client, base):
    for byte in range(256):
        put(client, base, bytes([byte]), bytes([byte]))
        put(client, base, b"a" + bytes([byte]) + b"b", bytes([byte, byte]))
    for byte in range(256):
        assert get(client, base, bytes([byte]))["value"] == b64(bytes([byte]))
        assert get(client, base, b"a" + bytes([byte]) + b"b")["value"] == b64(bytes([byte, byte]))


def test_an_encoded_slash_stays_in_its_key(client, base):
    assert client.put(f"{base}/kv/a%2Fb", {"value": b64(b"1")}).status == 200
    assert client.get(f"{base}/kv/a%2fb").json["value"] == b64(b"1")
    assert client.get(f"{base}/kv/a/b").status == 404
    # A key may be called as a route is.
    assert client.put(f"{base}/kv/batch", {"value": b64(b"2")}).status == 200
    assert client.get(f"{base}/kv/batch").json["value"] == b64(b"2")
    # '+' is no space in a path.
    assert client.put(f"{base}/kv/a+b", {"value": b64(b"3")}).status == 200
    assert client.get(f"{base}/kv/a%2Bb").json["value"] == b64(b"3")
    assert client.get(f"{base}/kv/a%20b").status == 404


def test_a_percent_that_encodes_nothing(client, base):
    for key in ("%", "%4", "%zz", "a%"):
        assert client.get(f"{base}/kv/{key}").status == 400


@pytest.mark.parametrize("byte", [b"k", b"\x00", b"\xff", b"/"])
def test_the_longest_key(client, base, byte):
    key = byte * 8192
    put(client, base, key, b"v")
    assert get(client, base, key)["value"] == b64(b"v")
    path = f"{base}/kv/{urllib.parse.quote_from_bytes(key + b'k', safe='')}"
    for answer in (client.put(path, {"value": ""}), client.get(path), client.delete(path)):
        assert answer.status == 400
        assert "8192" in answer.json["error"]


def test_bad_base64(client, base):
    put(client, base, b"k", b"before")
    for value in ("!", "aGVsbG8", "aGVsbG8=\n", "aGVsb G8=", "aGVsbG8_", "aGVs====", "=", "aGVsbG9="):
        answer = client.put(f"{base}/kv/k", {"value": value})
        assert (answer.status, answer.json) == (400, {"error": "invalid base64 encoding"}), value
    assert get(client, base, b"k")["value"] == b64(b"before")


def test_a_value_must_be_there(client, base):
    for body, message in (({}, "value is required"), ({"Value": ""}, "value is required"),
                          ({"value": None}, "value must be a string"), ({"value": 1}, "value must be a string"),
                          ({"value": ["aGk="]}, "value must be a string")):
        answer = client.put(f"{base}/kv/k", body)
        assert (answer.status, answer.json) == (400, {"error": message})
    assert get(client, base, b"k") is None


def test_the_body_limit_is_exact(client, base):
    def body(size):
        padding = b64(b"x" * (3 * ((size - 12) // 4)))
        text = ('{"value":"' + padding + '"}').encode()
        return text + b" " * (size - len(text))

    assert client.put(f"{base}/kv/k", body(LIMIT)).status == 200
    value = client.get(f"{base}/kv/k").json["value"]
    assert len(value) == 4 * ((LIMIT - 12) // 4)
    answer = client.put(f"{base}/kv/k2", body(LIMIT + 1))
    assert answer.status == 413
    assert "error" in answer.json
    assert client.get(f"{base}/kv/k2").status == 404


def test_versions_and_compare_and_set(client, base):
    path = f"{base}/kv/k"
    assert client.put(path, {"value": ""}, headers={"If-Match": "*"}).status == 412
    put(client, base, b"k", b"1")
    first = client.get(path).headers["X-Version"]
    assert client.get(path).headers["X-Version"] == first
    assert client.put(path, {"value": b64(b"2")}, headers={"If-Match": first}).status == 200
    second = client.get(path).headers["X-Version"]
    assert second > first
    answer = client.put(path, {"value": b64(b"3")}, headers={"If-Match": first})
    assert answer.status == 412
    assert second in answer.json["error"]
    assert get(client, base, b"k")["value"] == b64(b"2")
    assert client.put(path, {"value": b64(b"3")}, headers={"If-Match": f'"{second}"'}).status == 200
    assert client.delete(path, headers={"If-Match": second}).status == 412
    assert client.delete(path, headers={"If-Match": "*"}).status == 200
    assert "X-Version" not in client.get(path).headers
    put(client, base, b"large", b"l" * 200_000)
    assert len(client.get(f"{base}/kv/large").headers["X-Version"]) == 20


def test_a_counter_by_compare_and_set_loses_nothing(server, base, client):
    put(client, base, b"n", b"0")
    workers, increments = 4, 20

    def work():
        own = server.client()
        for _ in range(increments):
            for _ in range(10_000):
                answer = own.get(f"{base}/kv/n")
                number = int(base64.b64decode(answer.json["value"])) + 1
                status = own.put(f"{base}/kv/n", {"value": b64(str(number).encode())},
                                 headers={"If-Match": answer.headers["X-Version"]}).status
                if status == 200:
                    break
                assert status == 412
        own.close()

    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        for done in [pool.submit(work) for _ in range(workers)]:
            done.result()
    assert get(client, base, b"n")["value"] == b64(str(workers * increments).encode())


def test_puts_of_a_hot_key_never_fail(server, base, client):
    def work(worker):
        own = server.client()
        for i in range(50):
            size = 150_000 if i % 10 == worker else 10
            assert own.put(f"{base}/kv/hot", {"value": b64(bytes([worker]) * size)}).status == 200
        own.close()

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(work, worker) for worker in range(4)]:
            done.result()
    value = base64.b64decode(get(client, base, b"hot")["value"])
    assert len(value) in (10, 150_000) and len(set(value)) == 1


def test_batches_apply_in_order_and_count_every_item(client, base):
    items = [{"key": "a", "value": b64(b"1")}, {"key": "a", "value": b64(b"2")}, {"key": "b/c\u00e9\u0000", "value": ""}]
    assert client.post(f"{base}/kv/batch", {"operation": "put", "items": items}).json == {"success": True, "processed": 3}
    assert get(client, base, b"a")["value"] == b64(b"2")
    assert get(client, base, "b/c\u00e9\u0000".encode()) == {"value": "", "found": True}
    answer = client.post(f"{base}/kv/batch", {"operation": "delete", "keys": ["a", "absent", "a"]})
    assert answer.json == {"success": True, "processed": 3}
    assert get(client, base, b"a") is None


def test_empty_batches(client, base):
    for body in ({"operation": "put", "items": []}, {"operation": "delete", "keys": []}):
        answer = client.post(f"{base}/kv/batch", body)
        assert (answer.status, answer.json) == (200, {"success": True, "processed": 0})


def test_a_batch_with_one_bad_item_stores_nothing(client, base):
    good = {"key": "good", "value": b64(b"1")}
    for bad in ({"key": "bad", "value": "!"}, {"key": "bad"}, {"value": ""}, {"key": 1, "value": ""}, {"key": "", "value": ""},
                {"key": "k" * 8193, "value": ""}, {"key": "bad", "value": None}, "bad", None, ["bad"]):
        for items in ([good, bad], [bad, good]):
            answer = client.post(f"{base}/kv/batch", {"operation": "put", "items": items})
            assert answer.status == 400, bad
            assert answer.json["error"]
    put(client, base, b"good", b"1")
    for bad in (1, None, "", {}, "k" * 8193):
        assert client.post(f"{base}/kv/batch", {"operation": "delete", "keys": ["good", bad]}).status == 400, bad
    assert get(client, base, b"good")["value"] == b64(b"1")


def test_batches_that_say_nothing_sensible(client, base):
    for body in ({}, {"operation": "put"}, {"operation": "delete"}, {"operation": "put", "keys": ["a"]},
                 {"operation": "delete", "items": [{"key": "a", "value": ""}]}, {"operation": "upsert", "items": []},
                 {"operation": 1, "items": []}, {"operation": "put", "items": {}}, {"operation": "delete", "keys": "a"},
                 {"items": []}):
        assert client.post(f"{base}/kv/batch", body).status == 400, body


def test_a_batch_as_large_as_a_body_may_be(client, base):
    items = [{"key": f"k{i}", "value": ""} for i in range(30_000)]
    body = json.dumps({"operation": "put", "items": items}, separators=(",", ":")).encode()
    assert len(body) < LIMIT
    assert client.post(f"{base}/kv/batch", body).json == {"success": True, "processed": 30_000}
    assert get(client, base, b"k29999") == {"value": "", "found": True}


def test_head_answers_as_get_without_a_body(client, base):
    put(client, base, b"k", b"v")
    answer = client.request("HEAD", f"{base}/kv/k")
    assert (answer.status, answer.body) == (200, b"")
    assert "X-Version" in answer.headers
    assert client.request("HEAD", f"{base}/kv/none").status == 404


def test_methods_that_are_not_there(client, base):
    answer = client.post(f"{base}/kv/k", {"value": ""})
    assert answer.status == 405
    assert "PUT" in answer.headers["Allow"]
    assert client.get(f"{base}/kv/").status in (404, 405)
