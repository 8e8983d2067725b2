"""Tables of documents: made, listed, shown and dropped; what every route says of one that is not there."""

import pytest

from document_help import ROOTS, new_table
from strata_server import Server


@pytest.mark.parametrize("root", ROOTS)
def test_a_table_from_its_making_to_its_end(client, root):
    path = f"{root}/tables/people"
    made = client.post(path, {"num_shards": 3, "description": "Ünal", "schema": {"type": "object"}})
    assert made.status == 200
    status = made.json
    assert status["name"] == "people"
    assert status["description"] == "Ünal"
    assert set(status["shards"]) == {"0", "1", "2"}
    assert status["schema"] == {"type": "object"}
    assert status["indexes"] == {}
    assert status["created"].endswith("Z")
    assert status["storage_status"]["empty"] is True
    again = client.post(path, {})
    assert again.status == 400 and again.json == {"error": "table already exists: people"}
    assert client.post(f"{path}/batch", {"inserts": {"k": {}}}).status == 201
    shown = client.get(path)
    assert shown.status == 200
    assert shown.json["storage_status"]["empty"] is False
    assert {key: value for key, value in shown.json.items() if key != "storage_status"} == {
        key: value for key, value in status.items() if key != "storage_status"}
    listed = client.get(f"{root}/tables")
    assert listed.status == 200
    assert [table["name"] for table in listed.json if table["name"] == "people"] == ["people"]
    gone = client.delete(path)
    assert gone.status == 204 and gone.body == b""
    assert client.delete(path).status == 404
    assert client.get(path).status == 404
    assert "people" not in [table["name"] for table in client.get(f"{root}/tables").json]


def test_a_table_without_options(client):
    for number, body in enumerate((None, b"", {}, {"num_shards": None, "description": None, "schema": None})):
        name = f"bare-{number}"
        made = client.post(f"/api/v1/tables/{name}", body)
        assert made.status == 200, made
        assert made.json["schema"] == {} and set(made.json["shards"]) == {"0"} and made.json["description"] == ""
        assert client.delete(f"/api/v1/tables/{name}").status == 204


def test_tables_are_listed_by_name_also_when_there_are_many(client):
    names = [f"many-{number:03}" for number in range(130)]
    for name in reversed(names):
        assert client.post(f"/api/v1/tables/{name}", {}).status == 200
    listed = [table["name"] for table in client.get("/api/v1/tables").json]
    assert listed == sorted(listed)
    assert [name for name in listed if name.startswith("many-")] == names
    for name in names:
        assert client.delete(f"/api/v1/tables/{name}").status == 204


def test_a_table_made_anew_is_empty(client):
    with new_table(client) as table:
        table.insert({"k": {"a": "x" * 200_000}})
        assert client.delete(table.path).status == 204
        assert table.lookup("k").status == 404
        assert client.post(table.path, {}).status == 200
        assert table.lookup("k").status == 404
        assert table.keys() == []


@pytest.mark.parametrize("name", ["a" * 128, "A9_", "_x", "9.tables", "batch", "lookup"])
def test_names_that_can_be_made(client, name):
    assert client.post(f"/api/v1/tables/{name}", {}).status == 200
    assert client.delete(f"/api/v1/tables/{name}").status == 204


@pytest.mark.parametrize("name", ["a" * 129, ".a", "-a", "a%20b", "a%2Fb", "%C3%BC", "a%00b", "a:b"])
def test_names_that_cannot_be_made(client, name):
    answer = client.post(f"/api/v1/tables/{name}", {})
    assert answer.status == 400 and "invalid table name" in answer.json["error"]
    assert client.get(f"/api/v1/tables/{name}").status == 404


@pytest.mark.parametrize("body, words", [
    ({"num_shards": 0}, "num_shards must be 1 to 1024"), ({"num_shards": -1}, "num_shards must be 1 to 1024"),
    ({"num_shards": 1025}, "num_shards must be 1 to 1024"), ({"num_shards": "1"}, "num_shards must be an integer"),
    ({"num_shards": 1.5}, "num_shards must be an integer"), ({"num_shards": 2 ** 70}, "num_shards must be an integer"),
    ({"description": "x" * 501}, "description has at most 500 letters"), ({"description": 1}, "description must be a string"),
    ({"schema": 1}, "schema: # must be an object or a boolean"), ({"schema": {"type": "text"}}, "schema: #/type"),
    ({"schema": {"$ref": "http://example.com"}}, "schema: #/$ref must lead into the schema itself"),
    ({"schema": {"description": "x" * 70_000}}, "schema has at most 65536 bytes"),
    ({"indexes": []}, "indexes must be"), ({"indexes": {"a": {"type": "geo", "field": "f"}}}, "indexes: type: must be"), ({"indexes": {"a": {"type": "string"}}}, "indexes.a.field must be"), ({"shards": 1}, "unknown field shards"),
    (b"[]", "the body must be a JSON object"), (b"{", "malformed JSON"), (b"{} {}", "malformed JSON"),
    (b'{"num_shards":1,"num_shards":2}', "twice"), (b"{\"\xff\":1}", "not UTF-8"),
])
def test_options_that_are_refused(client, body, words):
    answer = client.post("/api/v1/tables/refused", body)
    assert answer.status == 400, answer
    assert words in answer.json["error"]
    assert client.get("/api/v1/tables/refused").status == 404


ROUTES = [
    ("GET", "", None), ("DELETE", "", None), ("GET", "/lookup/k", None), ("HEAD", "/lookup/k", None),
    ("POST", "/lookup", {}), ("POST", "/batch", {"inserts": {"k": {}}}), ("POST", "/merge", {"records": {"k": {}}}),
    # Also when the request is wrong in other ways.
    ("POST", "/batch", {}), ("POST", "/batch", b"{"), ("POST", "/batch", {"inserts": {"": {}}}),
    ("POST", "/batch", {"inserts": {"k": 1}}), ("POST", "/merge", b""), ("POST", "/merge", {"records": {"k": 1}}),
    ("POST", "/lookup", {"limit": -1}), ("GET", "/lookup/" + "k" * 1025, None), ("GET", "/lookup/k?fields=..", None),
]


@pytest.mark.parametrize("root", ROOTS)
@pytest.mark.parametrize("method, path, body", ROUTES)
def test_a_table_that_does_not_exist(client, root, method, path, body):
    answer = client.request(method, f"{root}/tables/nobody{path}", body=body)
    assert answer.status == 404, answer
    if method != "HEAD":
        assert answer.json == {"error": "table not found: nobody"}


def test_a_schema_holds_for_every_write(client):
    schema = {"type": "object", "required": ["name"], "additionalProperties": False,
              "properties": {"name": {"type": "string", "minLength": 1}, "age": {"type": "integer", "minimum": 0},
                             "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}}},
              "$defs": {"tag": {"type": "string", "pattern": "^[a-z]+$"}}}
    with new_table(client, schema=schema) as table:
        assert client.get(table.path).json["schema"] == schema
        table.insert({"a": {"name": "Ada", "age": 3, "tags": ["x"]}})
        for document, words in [({}, "$ must have name"), ({"name": ""}, "$.name is shorter than 1"),
                                ({"name": "x", "age": 1.5}, "$.age must be an integer"),
                                ({"name": "x", "tags": ["y", "Z"]}, "$.tags[1] does not match the pattern ^[a-z]+$"),
                                ({"name": "x", "more": 1}, "$.more is not allowed by the schema")]:
            for answer in (table.batch(inserts={"good": {"name": "g"}, "bad": document}),
                           table.merge({"good": {"name": "g"}, "bad": document}),
                           client.post("/api/v1/batch", {"tables": {table.name: {"inserts": {"bad": document}}}}),
                           client.post("/api/v1/transactions/commit", {"tables": {table.name: {"inserts": {"bad": document}}}})):
                assert answer.status == 400
                assert answer.json == {"error": f"document bad: {words}"}
        answer = table.transform("a", ("$inc", "age", -4))
        assert answer.status == 400 and answer.json == {"error": "document a: $.age is too small"}
        assert table.keys() == ["a"]
        assert table.document("a")["age"] == 3


def test_hostile_schemas_refuse_and_the_server_goes_on(client):
    hostile = [{"$ref": "#"}, {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]},
               {"properties": {"a": {"$ref": "#"}}, "anyOf": [{"$ref": "#/anyOf/1"}, {"$ref": "#/anyOf/0"}]}]
    for schema in hostile:
        with new_table(client, schema=schema) as table:
            answer = table.batch(inserts={"k": {"a": {}}})
            assert answer.status == 400 and "without end" in answer.json["error"]
    # As deep as it goes: the stack holds it, one more level is an answer.
    with new_table(client, schema={"properties": {"a": {"$ref": "#"}}}) as table:
        def nested(depth):
            return {} if depth == 0 else {"a": nested(depth - 1)}
        assert table.batch(inserts={"k": nested(49)}).status == 201
        answer = table.batch(inserts={"k": nested(60)})
        assert answer.status == 400 and "without end" in answer.json["error"]


def test_a_server_that_follows_refuses_writes_of_documents():
    with Server() as leader, Server("--follow", f"http://127.0.0.1:{leader.port}") as follower:
        client = follower.client()
        for method, path, body in (("POST", "/tables/t", {}), ("DELETE", "/tables/t", None), ("POST", "/batch", {"tables": {"t": {}}}),
                                   ("POST", "/tables/t/batch", {"inserts": {"k": {}}}), ("POST", "/tables/t/merge", {"records": {"k": {}}}),
                                   ("POST", "/transactions/commit", {"read_set": []})):
            for root in ROOTS:
                assert client.request(method, root + path, body=body).status == 403, path
        assert client.get("/api/v1/tables").json == []
        assert client.post("/api/v1/tables/t/lookup", {}).status == 404
