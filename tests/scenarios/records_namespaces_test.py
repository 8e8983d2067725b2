"""Namespaces, and what every route says of one that is not there."""

import pytest

from strata_server import Server, b64

ROUTES = [
    ("PUT", "/kv/k", {"value": ""}), ("GET", "/kv/k", None), ("HEAD", "/kv/k", None), ("DELETE", "/kv/k", None),
    ("POST", "/kv/batch", {"operation": "put", "items": [{"key": "k", "value": ""}]}),
    ("POST", "/kv/batch", {"operation": "put", "items": []}),
    ("PUT", "/row/r", {"columns": {}}), ("GET", "/row/r", None), ("GET", "/row/r?columns=a", None),
    ("DELETE", "/row/r", None), ("DELETE", "/row/r/columns?columns=a", None),
    ("POST", "/row/batch", {"operation": "put", "rows": []}),
    ("DELETE", "", None),
    # Also when the request is wrong in other ways.
    ("PUT", "/kv/k", {"value": "!"}), ("PUT", "/kv/k", b"{"), ("POST", "/kv/batch", {}), ("PUT", "/row/r", []),
    ("POST", "/row/batch", {}), ("DELETE", "/row/r/columns", None), ("GET", "/kv/" + "k" * 8193, None),
]


@pytest.mark.parametrize("name,shown", [("no-such", "no-such"), ("a%20b", "a b"), ("%22%0A", '"\n'), ("n" * 200, "n" * 200),
                                        ("collections", "collections")])
def test_every_route_knows_a_missing_namespace(client, name, shown):
    for method, path, body in ROUTES:
        answer = client.request(method, f"/api/v1/{name}{path}", body=body)
        assert answer.status == 404, (method, path)
        if method != "HEAD":
            assert answer.json == {"error": f"namespace not found: {shown}"}, (method, path)


def test_a_namespace_is_made_once_and_removed_with_its_data(client):
    path = "/api/v1/scenario.made_Once-1"
    assert client.put(path).status == 201
    assert client.put(path).status == 200
    assert client.put(f"{path}/kv/k", {"value": b64(b"v" * 200_000)}).status == 200
    assert client.put(f"{path}/row/r", {"columns": {"a": ""}}).status == 200
    assert client.put(path).status == 200
    assert client.get(f"{path}/kv/k").status == 200
    assert client.delete(path).json == {"success": True}
    assert client.get(f"{path}/kv/k").json == {"error": "namespace not found: scenario.made_Once-1"}
    assert client.delete(path).status == 404
    assert client.put(path).status == 201
    assert client.get(f"{path}/kv/k").json == {"value": "", "found": False}
    assert client.get(f"{path}/row/r").json["found"] is False
    assert client.delete(path).status == 200


def test_namespaces_do_not_see_each_other(client, base):
    client.put(f"{base}/kv/k", {"value": b64(b"mine")})
    assert client.put(f"{base}-b").status == 201
    assert client.get(f"{base}-b/kv/k").status == 404
    client.put(f"{base}-b/kv/k", {"value": b64(b"other")})
    assert client.get(f"{base}/kv/k").json["value"] == b64(b"mine")
    assert client.delete(f"{base}-b").status == 200
    assert client.get(f"{base}/kv/k").json["value"] == b64(b"mine")


def test_names_that_are_refused(client):
    for name in ("tables", "collections", "search", "math", "batch", "transactions", "backup", "restore", "backups",
                 "%2E%2E", ".hidden", "-x", "a%20b", "a%2Fb", "a%00", "%C3%A9", "n" * 129):
        answer = client.put(f"/api/v1/{name}")
        assert answer.status == 400, name
        assert "invalid namespace name" in answer.json["error"]
    assert client.put("/api/v1/" + "n" * 128).status == 201
    assert client.delete("/api/v1/" + "n" * 128).status == 200


def test_default_stays(client):
    assert client.put("/api/v1/default").status == 200
    answer = client.delete("/api/v1/default")
    assert answer.status == 400
    assert "default" in answer.json["error"]
    assert client.put("/api/v1/default/kv/still", {"value": ""}).status == 200


def test_the_namespace_option_and_a_restart():
    with Server("--namespace", "one", "--namespace", "two") as server:
        client = server.client()
        for name in ("one", "two", "default"):
            assert client.put(f"/api/v1/{name}/kv/k", {"value": b64(name.encode())}).status == 200
            assert client.put(f"/api/v1/{name}/row/r", {"columns": {"a": b64(b"l" * 100_000)}}).status == 200
        assert client.put("/api/v1/three").status == 201
        assert client.delete("/api/v1/two").status == 200
        version = client.get("/api/v1/one/kv/k").headers["X-Version"]
        client.close()
        assert server.stop() == 0
        server.arguments = []
        server.start()
        client = server.client()
        answer = client.get("/api/v1/one/kv/k")
        assert (answer.json["value"], answer.headers["X-Version"]) == (b64(b"one"), version)
        assert client.get("/api/v1/one/row/r").json["columns"] == {"a": b64(b"l" * 100_000)}
        assert client.get("/api/v1/two/kv/k").status == 404
        assert client.put("/api/v1/three").status == 200
        assert client.put("/api/v1/one/kv/k", {"value": ""}).status == 200
        assert client.get("/api/v1/one/kv/k").headers["X-Version"] > version
        client.close()
        assert server.stop() == 0


def test_async_durability_is_said_in_every_answer():
    with Server("--durability", "async") as server:
        client = server.client()
        for method, path, body in ROUTES + [("PUT", "", None)]:
            for name in ("default", "none"):
                answer = client.request(method, f"/api/v1/{name}{path}", body=body)
                assert answer.headers["X-Durability"] == "async", (method, path)
        client.close()


def test_sync_durability_needs_no_words(client, base):
    assert "X-Durability" not in client.put(f"{base}/kv/k", {"value": ""}).headers
    assert "X-Durability" not in client.get(f"{base}/kv/k").headers
