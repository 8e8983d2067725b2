"""Batches of documents: inserts, deletes, transforms, of one table and of many; what they refuse."""

import json
import re

import pytest

from document_help import ROOTS, Table, quoted

SYNC_LEVELS = ["propose", "write", "full_text", "enrichments", "aknn", "full_index"]


def test_the_example_of_the_page(table):
    answer = table.batch(
        inserts={"user:123": {"name": "John Doe", "email": "john@example.com", "age": 30, "tags": ["customer", "premium"]},
                 "user:456": {"name": "Jane Smith", "email": "jane@example.com", "age": 25, "tags": ["customer"]}},
        deletes=["user:789", "user:old_account"])
    assert answer.status == 201
    assert answer.json == {"inserted": 2, "deleted": 2, "transformed": 0}
    assert table.document("user:456")["name"] == "Jane Smith"


@pytest.mark.parametrize("root", ROOTS)
def test_both_roots_serve_the_same(client, table, root):
    here = Table(client, table.name, root)
    assert here.batch(inserts={"k": {"root": root}}).status == 201
    assert table.document("k") == here.document("k") == {"root": root}
    assert here.keys() == ["k"]
    assert here.merge({"k": {"m": 1}}).json["upserted"] == 1
    assert client.post(f"{root}/batch", {"tables": {table.name: {"deletes": ["k"]}}}).status == 201
    assert client.post(f"{root}/transactions/commit",
                       {"read_set": [{"table": table.name, "key": "k", "version": "0"}]}).status == 200


def test_deletes_then_inserts_then_transforms(table):
    table.insert({"a": {"n": 1}, "b": {"n": 1}})
    answer = table.batch(
        transforms=[{"key": "b", "operations": [{"op": "$inc", "path": "n", "value": 1}]},
                    {"key": "a", "operations": [{"op": "$inc", "path": "n", "value": 1}]}],
        inserts={"b": {"n": 10}}, deletes=["a", "b", "b"])
    assert answer.json == {"inserted": 1, "deleted": 3, "transformed": 2}
    assert table.document("a") is None
    assert table.document("b") == {"n": 11}


def test_an_insert_replaces_the_whole_document(table):
    table.insert({"k": {"a": 1, "b": 2}})
    table.insert({"k": {"c": 3}})
    assert table.document("k") == {"c": 3}


@pytest.mark.parametrize("level", [*SYNC_LEVELS, None])
def test_every_level_means_committed_and_readable(client, table, level):
    assert table.batch(inserts={"k": {"level": level}}, sync_level=level).status == 201
    assert table.document("k") == {"level": level}
    for path, body in ((f"{table.path}/merge", {"records": {"k": {}}}), ("/api/v1/batch", {"tables": {table.name: {}}}),
                       ("/api/v1/transactions/commit", {"tables": {table.name: {"sync_level": level}}})):
        assert client.post(path, {**body, "sync_level": level}).status in (200, 201)


@pytest.mark.parametrize("level", ["", "async", "WRITE", 1, True, {}])
def test_a_level_that_is_not_known(client, table, level):
    for path, body in ((f"{table.path}/batch", {"inserts": {"k": {}}}), (f"{table.path}/merge", {"records": {"k": {}}}),
                       ("/api/v1/batch", {"tables": {table.name: {"inserts": {"k": {}}}}}),
                       ("/api/v1/transactions/commit", {"tables": {table.name: {"inserts": {"k": {}}}}})):
        answer = client.post(path, {**body, "sync_level": level})
        assert answer.status == 400 and "sync_level must be" in answer.json["error"]
    assert table.keys() == []


@pytest.mark.parametrize("body, words", [
    (b"", "the body is empty"), (b"  \n", "the body is empty"), ({}, "the batch is empty"),
    ({"inserts": {}, "deletes": [], "transforms": []}, "the batch is empty"), ({"inserts": None}, "the batch is empty"),
    (b"[]", "the body must be a JSON object"), (b"{", "malformed JSON"), (b'{"inserts":{"k":{}}', "malformed JSON"),
    (b'{"inserts":{"k":{}},}', "malformed JSON"), (b'{"inserts":{"k":{}}} x', "malformed JSON"),
    (b'{"inserts" {"k":{}}}', "malformed JSON"), (b'{inserts:{"k":{}}}', "malformed JSON"),
    (b'{"inserts":{"k":{}} "deletes":[]}', "malformed JSON"), (b'{"deletes":["a" "b"]}', "malformed JSON"),
    (b'{"inserts":{"a\nb":{}}}', "malformed JSON"), (b'{"inserts":{"\\x":{}}}', "malformed JSON"),
    (b'{"inserts":{"\\ud800":{}}}', "malformed JSON"), (b'{"inserts":{"k":}}', "malformed JSON"),
    ({"insert": {"k": {}}}, "unknown field insert"), ({"inserts": {"k": {}}, "x": 1}, "unknown field x"),
    (b'{"inserts":{"k":{}},"inserts":{}}', "the body holds inserts twice"),
    (b'{"inserts":{"k":{},"\\u006b":{}}}', "inserts holds k twice"),
    ({"inserts": []}, "inserts must be a JSON object"), ({"deletes": {}}, "deletes must be an array"),
    ({"deletes": "k"}, "deletes must be an array"), ({"deletes": ["a", 1]}, "deletes[1] must be a string"),
    ({"deletes": [None]}, "deletes[0] must be a string"), ({"deletes": [""]}, "the key of a delete is empty"),
    ({"inserts": {"": {}}}, "the key of an insert is empty"), ({"inserts": {"k" * 1025: {}}}, "the key of an insert has 1025 bytes"),
    ({"inserts": {"k": 1}}, "document k: is not a JSON object"), ({"inserts": {"k": None}}, "document k: is not a JSON object"),
    ({"inserts": {"k": []}}, "document k: is not a JSON object"), ({"inserts": {"k": "{}"}}, "document k: is not a JSON object"),
    (b'{"inserts":{"good":{},"k":{"a":1,"a":2}}}', "document k: holds the name a twice"),
    (b'{"inserts":{"good":{},"k":{"a":[{"x":1,"\\u0078":2}]}}}', "document k: holds the name x twice"),
    (b'{"inserts":{"k":{"a":123456789012345678901}}}', "send it as a string"),
    (b'{"inserts":{"k":{"a":1e999}}}', "send it as a string"), (b'{"inserts":{"k":{"a":01}}}', "document k:"),
    (b'{"inserts":{"k":{"a":NaN}}}', "document k:"), (b'{"inserts":{"k":{"a":[}]}}', "document k:"),
    (b'{"inserts":{"k":{"a":tru}}}', "document k:"), (b'{"inserts":{"k":{"a":"\xff"}}}', "not UTF-8"),
    (b'{"inserts":{"k":' + b'{"a":' * 128 + b"1" + b"}" * 128 + b',"l":' + b'{"a":' * 129 + b"1" + b"}" * 129 + b"}}",
     "document l: is nested deeper than 128 levels"),
    (b'{"inserts":{"k":{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}}}", "nested deeper than 128 levels"),
    ({"transforms": [{"operations": [{"op": "$unset", "path": "a"}]}]}, "transforms[0].key must be a string"),
    ({"transforms": [{"key": "", "operations": [{"op": "$unset", "path": "a"}]}]}, "the key of a transform is empty"),
    ({"transforms": [{"key": "k"}]}, "transforms[0].operations must be an array"),
    ({"transforms": [{"key": "k", "operations": []}]}, "transforms[0].operations is empty"),
    ({"transforms": [{"key": "k", "operations": [1]}]}, "transforms[0].operations[0] must be a JSON object"),
    ({"transforms": [{"key": "k", "operations": [{"path": "a"}]}]}, "transforms[0].operations[0].op must be a string"),
    ({"transforms": [{"key": "k", "operations": [{"op": "$set"}]}]}, "transforms[0].operations[0].path must be a string"),
    ({"transforms": [{"key": "k", "operations": [{"op": "$set", "path": "a", "val": 1}]}]}, "unknown field val"),
    ({"transforms": [{"key": "k", "upsert": 1, "operations": [{"op": "$unset", "path": "a"}]}]}, "transforms[0].upsert must be true or false"),
    ({"transforms": [{"key": "k", "operations": [{"op": "$x", "path": "a"}]}]}, "document k: unknown operator $x"),
    ({"transforms": [{"key": "k", "operations": [{"op": "$inc", "path": "a", "value": "1"}]}]}, "document k: $inc of a: the value must be a number"),
    ({"transforms": [{"key": "k", "operations": [{"op": "$set", "path": "a..b", "value": 1}]}]}, "document k: $set"),
    (b'{"transforms":[{"key":"k","operations":[{"op":"$set","path":"a","value":{"x":1,"x":2}}]}]}', "holds the name x twice"),
])
def test_what_a_batch_refuses(client, table, body, words):
    answer = client.post(f"{table.path}/batch", body)
    assert answer.status == 400, answer
    assert words in answer.json["error"]
    assert table.keys() == []
    if body not in (b"", b"  \n") and not isinstance(body, dict):
        wrapped = b'{"tables":{"%s":%s}}' % (table.name.encode(), body)
        for path in ("/api/v1/batch", "/api/v1/transactions/commit"):
            assert client.post(path, wrapped).status == 400
        assert table.keys() == []


def test_documents_come_back_as_they_were_sent(client, table):
    text = '{"b":1.50,"a":[-0,1E5,18446744073709551615,0.1e-7],"ü":"\\u00fc\\/\\n é","":{"x":null,"y":true}}'
    body = ('{"inserts":{"k":' + text.replace(",", " ,\n ").replace(":", " :\t") + "}}").encode()
    assert client.post(f"{table.path}/batch", body).status == 201
    answer = table.lookup("k")
    assert answer.body.decode() == text
    assert answer.headers["Content-Type"] == "application/json"


KEYS = ["k", "a b", "a/b", "ü", "%", "a+b", "?x=1#y", "a\u0000b", "\"q\"\\", "k" * 1024, "日本", "."]


def test_keys_of_every_kind(client, table):
    table.insert({key: {"is": key} for key in KEYS})
    for key in KEYS:
        assert table.document(key) == {"is": key}, key
    assert table.keys() == sorted(KEYS, key=str.encode)
    # A slash may stand in the path as it is.
    assert client.get(f"{table.path}/lookup/a/b").json == {"is": "a/b"}
    assert client.get(f"{table.path}/lookup/").status == 404
    assert client.get(f"{table.path}/lookup/%ff").status == 400
    assert client.get(f"{table.path}/lookup/" + "k" * 1025).status == 400
    assert table.batch(deletes=KEYS).json["deleted"] == len(KEYS)
    assert table.keys() == []


@pytest.mark.parametrize("size", [0, 1, 95_000, 96_000, 97_000, 1_000_000, 7_000_000])
def test_documents_of_many_sizes(table, size):
    for round_size in (size, size // 2, size):
        table.insert({"k": {"a": "x" * round_size, "n": 1}})
        assert table.document("k") == {"a": "x" * round_size, "n": 1}
    assert table.transform("k", ("$inc", "n", 1)).status == 201
    assert table.document("k")["n"] == 2
    assert table.scan(fields=["n"]) == [{"key": "k", "n": 2}]


def test_the_largest_document(table, commit_limit):
    limit = 16 << 20 if commit_limit > 10_000_000 else 8 << 20
    filler = limit - len('{"a":""}')
    table.insert({"k": {"a": "x" * filler}})
    assert len(table.lookup("k").body) == limit
    answer = table.batch(inserts={"other": {}, "large": {"a": "x" * (filler + 1)}})
    assert answer.status == 413
    assert answer.json == {"error": f"document large: has {limit + 1} bytes, at most {limit} are possible"}
    assert table.transform("k", ("$set", "b", 1)).status == 413
    assert table.keys() == ["k"]


def test_more_than_a_transaction_takes(client, table, commit_limit):
    document = {"a": "x" * 1_000_000}
    body = json.dumps({"inserts": {f"k{number}": document for number in range(commit_limit // 1_000_000 + 1)}}).encode()
    answer = client.post(f"{table.path}/batch", body)
    assert answer.status == 413
    if len(body) <= 64 << 20:
        assert answer.json == {"error": f"the request writes more than the {commit_limit} bytes that fit one transaction, entries of indexes included: send it in parts"}
    many = client.post(f"{table.path}/batch", {"inserts": {f"k{number}": {} for number in range(600_000)}})
    assert many.status == 413 and "send it in parts" in many.json["error"]
    assert table.keys(limit=1) == []


def test_versions_grow_with_every_write(table):
    seen = [0]
    for write in (lambda: table.insert({"k": {}}), lambda: table.insert({"k": {}}),
                  lambda: table.transform("k", ("$set", "a", 1)), lambda: table.merge({"k": {"b": 1}}),
                  lambda: table.batch(deletes=["k"]), lambda: table.insert({"k": {}})):
        write()
        version = table.version("k")
        assert re.fullmatch(r"[0-9]+", version)
        if version != "0":
            assert int(version) > seen[-1]
            seen.append(int(version))
    assert len(seen) == 6


def test_many_documents_at_once(table):
    answer = table.insert({f"key-{number:05}": {"n": number} for number in range(5_000)})
    assert answer.json == {"inserted": 5_000, "deleted": 0, "transformed": 0}
    assert table.keys() == [f"key-{number:05}" for number in range(5_000)]
    answer = table.batch(deletes=[f"key-{number:05}" for number in range(0, 5_000, 2)],
                         transforms=[{"key": f"key-{number:05}", "operations": [{"op": "$inc", "path": "n", "value": 1}]}
                                     for number in range(5_000)])
    assert answer.json == {"inserted": 0, "deleted": 2_500, "transformed": 5_000}
    assert table.scan(fields=["n"]) == [{"key": f"key-{number:05}", "n": number + 1} for number in range(1, 5_000, 2)]


def test_one_bad_transform_and_nothing_is_written(client, table, other_table):
    table.insert({"text": {"n": "x"}})
    bad = {"key": "text", "operations": [{"op": "$set", "path": "m", "value": 1}, {"op": "$inc", "path": "n", "value": 1}]}
    answer = table.batch(inserts={"new": {}}, deletes=["text2"], transforms=[bad])
    assert answer.status == 400
    assert answer.json == {"error": "document text: $inc of n: the field is a string, not a number"}
    answer = client.post("/api/v1/batch", {"tables": {other_table.name: {"inserts": {"o": {}}}, table.name: {"transforms": [bad]}}})
    assert answer.status == 400 and "document text: $inc of n" in answer.json["error"]
    assert table.scan(fields=["*"]) == [{"key": "text", "n": "x"}]
    assert other_table.keys() == []


def test_across_tables(client, table, other_table):
    table.insert({"move": {"v": 1}})
    answer = client.post("/api/v1/batch", {
        "tables": {table.name: {"deletes": ["move"]},
                   other_table.name: {"inserts": {"move": {"v": 1}}, "transforms": [
                       {"key": "count", "upsert": True, "operations": [{"op": "$inc", "path": "n", "value": 1}]}]}},
        "sync_level": "propose"})
    assert answer.status == 201
    assert answer.json == {"tables": {table.name: {"inserted": 0, "deleted": 1, "transformed": 0},
                                      other_table.name: {"inserted": 1, "deleted": 0, "transformed": 1}}}
    assert table.keys() == [] and other_table.scan(fields=["*"]) == [{"key": "count", "n": 1}, {"key": "move", "v": 1}]


@pytest.mark.parametrize("body, status, words", [
    (b"", 400, "the body is empty"), ({}, 400, "it needs tables"), ({"tables": {}}, 400, "it needs tables"),
    ({"tables": None}, 400, "it needs tables"), ({"tables": []}, 400, "tables must be a JSON object"),
    ({"tables": {"T": []}}, 400, "tables.T must be a JSON object"), ({"tables": {"T": {"insert": {}}}}, 400, "unknown field insert in tables.T"),
    ({"tables": {"T": {"deletes": [1]}}}, 400, "tables.T.deletes[0] must be a string"), ({"inserts": {}}, 400, "unknown field inserts"),
    (b'{"tables":{"T":{},"T":{}}}', 400, "tables holds T twice"),
    ({"tables": {"T": {"inserts": {"k": {}}}, "nobody": {"inserts": {"k": {}}}}}, 404, "table not found: nobody"),
    ({"tables": {"T": {"inserts": {"k": {}}}, "nobody": {}}}, 404, "table not found: nobody"),
    ({"tables": {"T": {"inserts": {"k": 1}}, "nobody": {"inserts": {"k": {}}}}}, 404, "table not found: nobody"),
    ({"tables": {"T": {"inserts": {"k": {}}}, "a/b": {}}}, 404, "table not found: a/b"),
])
def test_what_a_batch_across_tables_refuses(client, table, body, status, words):
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = client.post("/api/v1/batch", text.replace(b'"T"', b'"%s"' % table.name.encode()))
    assert answer.status == status, answer
    assert words.replace("T", table.name) in answer.json["error"] or words in answer.json["error"]
    assert table.keys() == []


def test_transforms_over_http(table):
    table.insert({"k": {"n": 1, "list": [1, 2, 3], "old": "x", "gone": 1, "f": 1.5}})
    answer = table.transform(
        "k", ("$set", "$.a.b", {"c": [None]}), ("$unset", "gone"), ("$inc", "$.n", 2), ("$mul", "f", 2), ("$min", "n", 2),
        ("$max", "m", 7), ("$push", "list", 3), ("$addToSet", "list", 1), ("$pull", "list", 3), ("$pop", "list", -1),
        ("$currentDate", "at"), ("$rename", "old", "$.new.name"))
    assert answer.status == 201 and answer.json == {"inserted": 0, "deleted": 0, "transformed": 1}
    document = table.document("k")
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", document.pop("at"))
    assert document == {"n": 2, "list": [2], "f": 3.0, "a": {"b": {"c": [None]}}, "m": 7, "new": {"name": "x"}}
    assert isinstance(document["n"], int) and isinstance(document["f"], float)


def test_a_missing_document_and_upsert(table):
    assert table.transform("k", ("$inc", "n", 1)).json["transformed"] == 1
    assert table.transform("k", ("$inc", "n", 1), upsert=False).json["transformed"] == 1
    assert table.document("k") is None
    assert table.transform("k", ("$inc", "n", 1), upsert=True).json["transformed"] == 1
    assert table.document("k") == {"n": 1}
    assert table.transform("k", ("$inc", "n", 1), upsert=True).status == 201
    assert table.document("k") == {"n": 2}
    assert table.transform("k", ("$set", "$", {"whole": 1})).status == 201
    assert table.document("k") == {"whole": 1}
    assert table.transform("k", ("$set", "a", None)).status == 201
    assert table.document("k") == {"whole": 1, "a": None}


def test_compressed_bodies(client, table):
    import gzip
    body = gzip.compress(json.dumps({"inserts": {"k": {"a": "x" * 2_000_000}}}).encode())
    assert client.post(f"{table.path}/batch", body, headers={"Content-Encoding": "gzip"}).status == 201
    assert len(table.document("k")["a"]) == 2_000_000
    bomb = gzip.compress(b'{"inserts":{"k":{"a":"' + b"x" * (65 << 20) + b'"}}}')
    assert client.post(f"{table.path}/batch", bomb, headers={"Content-Encoding": "gzip"}).status == 413


def test_lookup(client, table):
    assert table.lookup("k").status == 404
    assert table.lookup("k").json == {"error": "document not found: k"}
    table.insert({"k": {"title": "t", "user": {"name": "n", "address": {"city": "c"}}, "tags": [{"a": 1, "b": 2}, {"a": 3}]}})
    for fields, expected in [("title", {"title": "t"}), ("title,user.name", {"title": "t", "user": {"name": "n"}}),
                             ("user.address.city", {"user": {"address": {"city": "c"}}}), ("tags.a", {"tags": [{"a": 1}, {"a": 3}]}),
                             ("-tags,-user", {"title": "t"}), ("-tags.*.a,-user", {"title": "t", "tags": [{"b": 2}, {}]}),
                             ("none", {}), ("", None)]:
        answer = table.lookup("k", fields=fields)
        assert answer.status == 200
        assert answer.json == (expected if expected is not None else table.document("k")), fields
        assert answer.headers["X-Antfly-Version"] == table.version("k")
    assert table.lookup("k", fields="a..b").status == 400
    head = client.request("HEAD", f"{table.path}/lookup/{quoted('k')}")
    assert head.status == 200 and head.headers["X-Antfly-Version"] == table.version("k") and head.body == b""
