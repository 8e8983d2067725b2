"""Linear merge: pages of a sorted source laid over a table, by every rule of docs/documents.md."""

import gzip
import json
import random

import pytest


def merged(answer, **expected):
    assert answer.status == 200, answer
    for name, value in expected.items():
        assert answer.json[name] == value, (name, answer.json)
    return answer.json


def test_the_example_of_the_page(table):
    table.insert({"product:0005": {"name": "gone?"}, "product:003": {"name": "Keyboard", "price": 1}})
    records = {"product:001": {"name": "Laptop", "price": 999.99}, "product:002": {"name": "Mouse", "price": 29.99},
               "product:003": {"name": "Keyboard", "price": 79.99}}
    # The cursor is the page's own last key: everything is written, nothing deleted.
    answer = merged(table.merge(records, last_merged_id="product:003", dry_run=False, sync_level="propose"),
                    status="success", upserted=3, skipped=0, deleted=0, failed=[], next_cursor="product:003",
                    key_range={"from": "product:003", "to": "product:003"})
    assert set(answer) == {"status", "upserted", "skipped", "deleted", "failed", "next_cursor", "key_range", "keys_scanned", "took"}
    assert answer["took"] > 0
    assert table.keys() == ["product:0005", "product:001", "product:002", "product:003"]
    assert table.document("product:003") == {"name": "Keyboard", "price": 79.99}


def test_inserts_replaces_skips_and_deletes(table):
    table.insert({"a": {"v": 1}, "b": {"v": 1}, "c": {"v": 1}, "d": {"v": 1}, "e": {"v": 1}})
    merged(table.merge({"b": {"v": 1}, "c": {"v": 2}, "cc": {"v": 3}, "d": {"v": 1}}),
           status="success", upserted=2, skipped=2, deleted=1, next_cursor="d", key_range={"from": "", "to": "d"}, keys_scanned=4)
    assert table.scan(fields=["v"]) == [{"key": "b", "v": 1}, {"key": "c", "v": 2}, {"key": "cc", "v": 3},
                                        {"key": "d", "v": 1}, {"key": "e", "v": 1}]


def test_pages_in_order_make_the_table_the_source(table):
    random.seed(7)
    table.insert({f"k{random.randrange(2_000):04}": {"old": number} for number in range(800)})
    source = {f"k{random.randrange(2_000):04}": {"n": number} for number in range(1_000)}
    keys = sorted(source)
    cursor = ""
    for begin in range(0, len(keys), 97):
        page = {key: source[key] for key in keys[begin:begin + 97]}
        body = {"records": page, "last_merged_id": cursor, "final": begin + 97 >= len(keys)}
        answer = merged(table.client.post(f"{table.path}/merge", body), status="success", next_cursor=max(page))
        cursor = answer["next_cursor"]
        # Sent again it changes nothing.
        merged(table.client.post(f"{table.path}/merge", body), upserted=0, deleted=0, skipped=len(page))
    assert {line.pop("key"): line for line in table.scan(fields=["*"])} == source


def test_equal_documents_are_skipped_and_keep_their_version(table):
    table.insert({"k": {"a": 1, "b": [1.5, {"c": None, "d": "é"}]}})
    version = table.version("k")
    same = b'{"records":{"k":{"b": [1.50, {"d":"\\u00e9", "c":null}], "a": 1.0}}}'
    merged(table.client.post(f"{table.path}/merge", same), upserted=0, skipped=1)
    assert table.version("k") == version
    merged(table.merge({"k": {"a": 1, "b": [1.5, {"c": None, "d": "e"}]}}), upserted=1, skipped=0)
    assert int(table.version("k")) > int(version)
    large = {"a": "x" * 300_000}
    table.insert({"k": large})
    merged(table.merge({"k": large}), skipped=1)
    merged(table.merge({"k": {"a": "y" * 300_000}}), upserted=1)


def test_records_at_or_below_the_cursor_are_written_and_delete_nothing(table):
    table.insert({"a": {}, "b": {}, "c": {}, "m": {}, "x": {}, "z": {}})
    merged(table.merge({"b": {"v": 1}, "bb": {"v": 1}, "m": {"v": 1}, "y": {"v": 1}}, last_merged_id="m"),
           upserted=4, skipped=0, deleted=1, next_cursor="y", key_range={"from": "m", "to": "y"})
    assert table.keys() == ["a", "b", "bb", "c", "m", "y", "z"]
    # A page wholly behind its own cursor.
    merged(table.merge({"a": {"v": 2}}, last_merged_id="m"), upserted=1, deleted=0, next_cursor="m")
    assert table.keys() == ["a", "b", "bb", "c", "m", "y", "z"]


def test_the_order_is_that_of_bytes(table):
    table.insert({"a": {}, "a:1": {}, "B": {}, "ä": {}})
    merged(table.merge({"a": {}}), deleted=1, skipped=1)  # "B" comes before "a"
    assert table.keys() == ["a", "a:1", "ä"]
    merged(table.merge({"a:1": {}}, last_merged_id="a"), deleted=0, skipped=1)
    assert table.keys() == ["a", "a:1", "ä"]
    merged(table.merge({"z": {}}, last_merged_id="a:1"), deleted=0, upserted=1)
    assert table.keys() == ["a", "a:1", "z", "ä"]


def test_the_records_may_come_in_any_order(table):
    table.insert({"b": {}})
    merged(table.merge({"c": {}, "a": {}}), upserted=2, deleted=1, next_cursor="c")
    assert table.keys() == ["a", "c"]


def test_a_final_page(table):
    table.insert({key: {} for key in "abcdef"})
    answer = table.merge({}, last_merged_id="d")
    assert answer.status == 400 and '"final": true' in answer.json["error"]
    assert table.merge({}).status == 400 and table.merge({}, final=False).status == 400
    assert table.keys() == list("abcdef")
    merged(table.merge({}, last_merged_id="d", final=True), deleted=2, next_cursor="f")
    assert table.keys() == list("abcd")
    merged(table.merge({"c": {}}, last_merged_id="b", final=True), deleted=1, skipped=1)
    assert table.keys() == list("abc")
    merged(table.merge({}, last_merged_id="c", final=True), deleted=0, next_cursor="c")
    merged(table.merge({}, final=True), deleted=3, next_cursor="c")
    assert table.keys() == []
    merged(table.merge({}, final=True), deleted=0, next_cursor="")


def test_a_dry_run_changes_nothing(table):
    table.insert({"a": {"v": 1}, "b": {}, "c": {}, "d": {}})
    before = table.scan(fields=["*"])
    answer = merged(table.merge({"a": {"v": 1}, "aa": {}, "c": {"v": 2}}, dry_run=True), status="success", upserted=2,
                    skipped=1, deleted=1, deleted_ids=["b"], next_cursor="c", message="dry run: nothing was changed")
    assert answer["keys_scanned"] == 3
    assert table.scan(fields=["*"]) == before
    merged(table.merge({}, last_merged_id="a", final=True, dry_run=True), deleted_ids=["b", "c", "d"], deleted=3)
    merged(table.merge({"a": {"v": 1}}, dry_run=True), deleted_ids=[], deleted=0)
    assert table.scan(fields=["*"]) == before


@pytest.mark.parametrize("body, words", [
    (b"", "the body is empty"), ({}, "records is required"), ({"records": None}, "records is required"),
    ({"records": []}, "records must be a JSON object"), ({"records": {"k": {}}, "last_merged_id": 1}, "last_merged_id must be a string"),
    ({"records": {"k": {}}, "last_merged_id": "x" * 1025}, "last_merged_id has 1025 bytes"),
    ({"records": {"k": {}}, "dry_run": 1}, "dry_run must be true or false"), ({"records": {"k": {}}, "final": "yes"}, "final must be true or false"),
    ({"records": {"k": {}}, "dryrun": True}, "unknown field dryrun"), ({"records": {"": {}}}, "the key of a record is empty"),
    ({"records": {"good": {}, "k": 1}}, "document k: is not a JSON object"), (b'{"records":{"k":{},"k":{}}}', "records holds k twice"),
    (b'{"records":{"good":{},"k":{"a":1,"a":1}}}', "document k: holds the name a twice"),
    ({"records": {f"k{number}": {} for number in range(10_001)}}, "at most 10000 are possible"),
])
def test_what_a_merge_refuses(client, table, body, words):
    table.insert({"a": {}})
    answer = client.post(f"{table.path}/merge", body)
    assert answer.status == 400, answer
    assert words in answer.json["error"]
    assert table.keys() == ["a"]


def test_the_largest_page_and_compressed_ones(client, table):
    records = {f"k{number:05}": {"n": number, "text": "x" * 50} for number in range(10_000)}
    body = gzip.compress(json.dumps({"records": records}).encode())
    merged(client.post(f"{table.path}/merge", body, headers={"Content-Encoding": "gzip"}), upserted=10_000, status="success")
    merged(client.post(f"{table.path}/merge", body, headers={"Content-Encoding": "gzip"}), skipped=10_000, keys_scanned=10_000)
    bomb = gzip.compress(b'{"records":{"k":{"a":"' + b"x" * (65 << 20) + b'"}}}')
    assert client.post(f"{table.path}/merge", bomb, headers={"Content-Encoding": "gzip"}).status == 413
    assert len(table.keys()) == 10_000


def test_a_page_that_does_not_fit_one_transaction(client, table, commit_limit):
    if commit_limit > 10_000_000:
        pytest.skip("a body of 64 MiB is smaller than what fits here")
    table.insert({"b045": {}, "zz": {}})
    filler = "x" * 1_500_000
    records = {f"b{number:02}": {"a": filler, "n": number} for number in range(10)}
    answer = merged(table.merge(records), status="partial")
    done = [key for key in sorted(records) if key <= answer["next_cursor"]]
    assert 0 < len(done) < 10 and answer["upserted"] == len(done)
    assert table.keys() == sorted([*done, "zz", *(["b045"] if answer["next_cursor"] < "b045" else [])])
    # The page again from there, as the answer says, until all of it is done.
    cursor = answer["next_cursor"]
    for _ in range(10):
        answer = merged(table.merge({key: records[key] for key in records if key > cursor}, last_merged_id=cursor))
        cursor = answer["next_cursor"]
        if answer["status"] == "success":
            break
    assert table.keys() == sorted([*records, "zz"])
    # At or below the cursor the page is written whole, whatever it takes.
    table.batch(deletes=list(records))
    merged(table.merge(records, last_merged_id="y"), status="success", upserted=10, deleted=0, next_cursor="y")
    assert table.keys() == sorted([*records, "zz"])


def test_more_documents_than_one_page_looks_at(table):
    for part in range(3):
        table.insert({f"k{part}{number:05}": {} for number in range(36_000)})
    answer = merged(table.merge({}, final=True, dry_run=True), status="partial")
    assert answer["deleted"] <= 100_000 and len(answer["deleted_ids"]) == answer["deleted"]
    deleted = 0
    cursor = ""
    for _ in range(20):
        answer = merged(table.merge({}, final=True, last_merged_id=cursor))
        deleted += answer["deleted"]
        cursor = answer["next_cursor"]
        if answer["status"] == "success":
            break
    assert deleted == 108_000 and table.keys() == []


def test_a_page_whose_index_entries_do_not_fit_one_transaction(client, table, commit_limit):
    if commit_limit > 10_000_000:
        pytest.skip("a page of 10,000 records is smaller than what fits here")
    for number in range(8):
        answer = client.post(f"{table.path}/indexes", {"name": f"i{number}", "field": f"f{number}", "type": "string"})
        assert answer.status in (200, 201, 202), answer
    records = {f"k{number:05}": {f"f{field}": f"{number:05}" + "x" * 400 for field in range(8)} for number in range(2_000)}
    cursor, upserted = "", 0
    for _ in range(20):
        page = {key: record for key, record in records.items() if key > cursor}
        answer = merged(table.merge(page, last_merged_id=cursor))
        cursor = answer["next_cursor"]
        upserted += answer["upserted"]
        if answer["status"] == "success":
            break
    assert upserted == 2_000 and len(table.keys()) == 2_000
