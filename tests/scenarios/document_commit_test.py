"""Optimistic transactions over documents: what was read must still be so, and then everything is written at once."""

import pytest


def commit(client, read_set=None, tables=None, **more):
    body = {**more}
    if read_set is not None:
        body["read_set"] = [{"table": table, "key": key, "version": version} for table, key, version in read_set]
    if tables is not None:
        body["tables"] = tables
    return client.post("/api/v1/transactions/commit", body)


def test_what_was_read_is_unchanged(client, table, other_table):
    table.insert({"a": {"n": 1}})
    answer = commit(client, [(table.name, "a", table.version("a")), (other_table.name, "b", "0")],
                    {table.name: {"inserts": {"a": {"n": 2}}}, other_table.name: {"inserts": {"b": {}}, "deletes": ["c"]}})
    assert answer.status == 200
    assert answer.json == {"status": "committed",
                           "tables": {table.name: {"inserted": 1, "deleted": 0, "transformed": 0},
                                      other_table.name: {"inserted": 1, "deleted": 1, "transformed": 0}}}
    assert table.document("a") == {"n": 2} and other_table.document("b") == {}


def test_a_document_that_was_changed(client, table):
    table.insert({"a": {"n": 1}})
    version = table.version("a")
    table.insert({"a": {"n": 2}})
    answer = commit(client, [(table.name, "a", version)], {table.name: {"inserts": {"a": {"n": 3}, "b": {}}}})
    assert answer.status == 409
    assert answer.json["status"] == "aborted"
    conflict = answer.json["conflict"]
    assert conflict.pop("message") == "the document was changed since it was read"
    assert conflict == {"table": table.name, "key": "a", "expected_version": version, "current_version": table.version("a")}
    assert table.scan(fields=["*"]) == [{"key": "a", "n": 2}]


def test_a_document_that_was_deleted_and_one_that_must_not_exist(client, table):
    table.insert({"a": {}, "b": {}})
    version = table.version("a")
    table.batch(deletes=["a"])
    answer = commit(client, [(table.name, "a", version)], {table.name: {"deletes": ["b"]}})
    assert answer.status == 409 and answer.json["conflict"]["current_version"] == "0"
    assert "does not exist any more" in answer.json["conflict"]["message"]
    answer = commit(client, [(table.name, "b", "0")], {table.name: {"deletes": ["b"]}})
    assert answer.status == 409 and answer.json["conflict"]["expected_version"] == "0"
    assert answer.json["conflict"]["message"] == "the document exists"
    assert table.keys() == ["b"]
    assert commit(client, [(table.name, "a", "0")], {table.name: {"deletes": ["b"]}}).status == 200
    assert table.keys() == []
    # Made anew it has another version.
    table.insert({"a": {}})
    assert commit(client, [(table.name, "a", version)]).status == 409


def test_the_first_read_that_does_not_hold_is_told(client, table):
    table.insert({"a": {}, "b": {}})
    answer = commit(client, [(table.name, "a", table.version("a")), (table.name, "b", "1"), (table.name, "c", "1")])
    assert answer.status == 409 and answer.json["conflict"]["key"] == "b"


def test_reads_alone_are_validated(client, table):
    table.insert({"a": {}})
    answer = commit(client, [(table.name, "a", table.version("a"))])
    assert answer.status == 200 and answer.json == {"status": "committed", "tables": {}}
    assert commit(client, [(table.name, "a", "7")]).status == 409
    assert commit(client, [(table.name, "a", "7")], {table.name: {}}).status == 409


def test_writes_without_reads(client, table):
    assert commit(client, tables={table.name: {"inserts": {"a": {}}}}).status == 200
    assert commit(client, [], {table.name: {"inserts": {"b": {}}}}, sync_level="write").status == 200
    assert commit(client, None, {table.name: {}}).json["tables"] == {table.name: {"inserted": 0, "deleted": 0, "transformed": 0}}
    assert table.keys() == ["a", "b"]


@pytest.mark.parametrize("body, words", [
    ({}, "it needs a read_set or tables"), ({"read_set": [], "tables": {}}, "it needs a read_set or tables"),
    ({"read_set": None, "tables": None}, "it needs a read_set or tables"), (b"", "the body is empty"), ([], "must be a JSON object"),
    ({"read_set": {}}, "read_set must be an array"), ({"read_set": [1]}, "read_set[0] must be a JSON object"),
    ({"read_set": [{"key": "a", "version": "0"}]}, "read_set[0].table must be a string"),
    ({"read_set": [{"table": "T", "version": "0"}]}, "read_set[0].key must be a string"),
    ({"read_set": [{"table": "T", "key": "a"}]}, "read_set[0].version must be a string"),
    ({"read_set": [{"table": "T", "key": "a", "version": 0}]}, "read_set[0].version must be a string"),
    ({"read_set": [{"table": "T", "key": "a", "version": "0", "x": 1}]}, "unknown field x in read_set[0]"),
    ({"read_set": [{"table": "T", "key": "", "version": "0"}]}, "the key of a read is empty"),
    *(({"read_set": [{"table": "T", "key": "a", "version": version}]}, "the version must be a decimal number")
      for version in ("", "00", "-1", "1.0", "0x1", "abc", "1" * 26)),
    ({"reads": []}, "unknown field reads"),
])
def test_what_a_commit_refuses(client, table, body, words):
    import json
    text = body if isinstance(body, bytes) else json.dumps(body).replace('"T"', f'"{table.name}"').encode()
    answer = client.post("/api/v1/transactions/commit", text)
    assert answer.status == 400, answer
    assert words in answer.json["error"]


def test_a_table_that_does_not_exist(client, table):
    for read_set, tables in (([("nobody", "a", "0")], None), ([("nobody", "a", "x")], None), (None, {"nobody": {}}),
                             ([(table.name, "a", "7")], {table.name: {"inserts": {"a": {}}}, "nobody": {"deletes": ["a"]}})):
        answer = commit(client, read_set, tables)
        assert answer.status == 404 and answer.json == {"error": "table not found: nobody"}
    assert table.keys() == []


def test_many_reads(client, table):
    table.insert({f"k{number:04}": {} for number in range(2_000)})
    version = table.version("k0000")
    reads = [(table.name, f"k{number:04}", version) for number in range(2_000)]
    assert commit(client, reads, {table.name: {"inserts": {"done": {}}}}).status == 200
    table.insert({"k1999": {}})
    answer = commit(client, reads, {table.name: {"inserts": {"again": {}}}})
    assert answer.status == 409 and answer.json["conflict"]["key"] == "k1999"
    assert table.document("again") is None
