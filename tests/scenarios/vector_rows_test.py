"""Vectors one by one and in bulk: ids, values, metadata, every option, and what is refused."""

import json
import random
import struct

import pytest

from strata_server import Server
from vector_help import assert_error, f32, new_collection, vector


@pytest.fixture
def three(client):
    with new_collection(client, 3) as made:
        yield made


METADATA = {
    "text": "Vector \u20ac \"quoted\"\n", "": "", "integer": -7, "large": 9_223_372_036_854_775_807,
    "small": -9_223_372_036_854_775_808, "real": 4.75, "whole": 4.0, "tiny": 1e-300, "yes": True, "no": False,
    "list": ["b", "a", "a"], "empty": [],
}


def test_a_vector_and_its_metadata_come_back_as_they_were(three):
    id = three.insert([0.1, -2.5, 1e-30], METADATA)
    told = three.get(f"/vectors/{id}")
    assert told.status == 200
    assert told.json == {"id": id, "values": [0.1, -2.5, 1e-30], "metadata": METADATA}
    # A float stays one, also a whole one.
    assert b'"whole":4.0' in told.body and b'"real":4.75' in told.body
    assert [f32(value) for value in told.json["values"]] == [f32(0.1), -2.5, f32(1e-30)]


@pytest.mark.parametrize("text", [
    "11111111111111110656.0", "12345678901234567680", "12345678901234567890123.5", "0.12345678901234567890123",
    "18446744073709551615", "18446744073709551616.25", "-9223372036854775809.0", "1e30",
])
def test_numbers_of_many_digits_are_floats(three, text):
    body = '{"values":[1,2,3],"metadata":{"n":%s}}' % text
    id = three.post("/vectors", body.encode()).json["id"]
    assert three.get(f"/vectors/{id}").json["metadata"] == {"n": float(text)}
    body = '{"values":[%s , %s\n,%s]}' % (text, text, text)
    id = three.post("/vectors", body.encode()).json["id"]
    assert [f32(value) for value in three.get(f"/vectors/{id}").json["values"]] == 3 * [f32(float(text))]


def test_without_metadata_there_is_none(three):
    id = three.insert([1, 2, 3])
    assert three.get(f"/vectors/{id}").json == {"id": id, "values": [1, 2, 3]}
    empty = three.insert([1, 2, 3], {})
    assert "metadata" not in three.get(f"/vectors/{empty}").json
    assert three.post("/vectors", {"values": [1, 2, 3], "metadata": None}).status == 200


def test_ids_are_assigned_from_one_up_and_never_twice(three, client):
    assert three.insert([1, 0, 0]) == 1
    assert three.insert([1, 0, 0], id=0) == 2
    assert three.insert([1, 0, 0], id=10) == 10
    assert three.insert([1, 0, 0]) == 11
    assert client.delete(three.path + "/vectors/11").status == 200
    assert three.insert([1, 0, 0]) == 12
    assert three.insert([1, 0, 0], id=5) == 5
    assert_error(three.post("/vectors", {"id": 5, "values": [0, 0, 1]}), 409, "5")
    assert three.get("/vectors/5").json["values"] == [1, 0, 0]


@pytest.mark.parametrize("id", [1 << 63, (1 << 64) - 2, (1 << 63) - 1])
def test_ids_of_64_bits(client, id):
    with new_collection(client, 2, "euclidean") as made:
        assert made.insert([1, 2], {"n": 1}, id=id) == id
        assert made.get(f"/vectors/{id}").json["id"] == id
        assert made.search([1, 2], 1)[0]["id"] == id
        assert made.insert([1, 3]) == id + 1
        assert client.put(f"{made.path}/vectors/{id}", {"values": [5, 5]}).status == 200
        assert made.math("centroid", vector_ids=[id])["centroid"] == [5, 5]
        assert client.delete(f"{made.path}/vectors/{id}").status == 200
        assert made.get(f"/vectors/{id}").status == 404


def test_update_replaces_what_it_names(three, client):
    id = three.insert([1, 2, 3], {"a": 1, "b": "x"})
    path = f"{three.path}/vectors/{id}"
    assert client.put(path, {"values": [4, 5, 6]}).json == {"success": True}
    assert client.get(path).json == {"id": id, "values": [4, 5, 6], "metadata": {"a": 1, "b": "x"}}
    assert client.put(path, {"metadata": {"c": True}}).status == 200
    assert client.get(path).json == {"id": id, "values": [4, 5, 6], "metadata": {"c": True}}
    assert client.put(path, {"values": [7, 8, 9], "metadata": {}}).status == 200
    assert client.get(path).json == {"id": id, "values": [7, 8, 9]}
    assert three.search([7, 8, 9], 1)[0]["id"] == id
    assert_error(client.put(path, {}), 400, "values or metadata")
    assert_error(client.put(path, {"values": [1]}), 400, "dimension")
    assert_error(client.put(path, {"metadata": {"x": None}}), 400, "metadata.x")
    assert_error(client.put(three.path + "/vectors/99", {"values": [1, 2, 3]}), 404, "vector 99")
    assert client.get(path).json == {"id": id, "values": [7, 8, 9]}


def test_deleted_is_gone_everywhere(three, client):
    id = three.insert([1, 2, 3], {"a": 1})
    assert client.delete(f"{three.path}/vectors/{id}").json == {"success": True}
    assert_error(three.get(f"/vectors/{id}"), 404, f"vector {id}")
    assert_error(client.delete(f"{three.path}/vectors/{id}"), 404, "vector")
    assert three.search([1, 2, 3], 5) == []
    assert three.search([1, 2, 3], 5, filter={"field": "a", "op": "eq", "value": 1}) == []
    assert three.get().json["vector_count"] == 0


@pytest.mark.parametrize("body, words", [
    ({}, ["values"]),
    ({"values": None}, ["values"]),
    ({"values": [1, 2]}, ["dimension"]),
    ({"values": [1, 2, 3, 4]}, ["dimension"]),
    ({"values": []}, ["dimension"]),
    ({"values": "1,2,3"}, ["values"]),
    ({"values": [1, "2", 3]}, ["values[1]"]),
    ({"values": [1, None, 3]}, ["values[1]"]),
    ({"values": [1, [2], 3]}, ["values[1]"]),
    ({"values": [1, 2, 3.5e38]}, ["values[2]"]),
    ({"values": [1, 2, 3], "id": -1}, ["id"]),
    ({"values": [1, 2, 3], "id": 1.5}, ["id"]),
    ({"values": [1, 2, 3], "id": "7"}, ["id"]),
    ({"values": [1, 2, 3], "id": 1 << 64}, ["id"]),
    ({"values": [1, 2, 3], "metadata": []}, ["metadata"]),
    ({"values": [1, 2, 3], "metadata": {"x": None}}, ["metadata.x"]),
    ({"values": [1, 2, 3], "metadata": {"x": {"y": 1}}}, ["metadata.x"]),
    ({"values": [1, 2, 3], "metadata": {"x": [1]}}, ["metadata.x"]),
    ({"values": [1, 2, 3], "metadata": {"x": ["a", None]}}, ["metadata.x"]),
    ({"values": [1, 2, 3], "metadata": {"x": "y" * 65_536}}, ["metadata", "65536"]),
    ({"values": [1, 2, 3], "metadata": {str(i): i for i in range(257)}}, ["metadata", "256"]),
    (b'{"values":[1,2,NaN]}', ["values[2]"]),
    (b'{"values":[1,2,Infinity]}', ["values[2]"]),
    (b'{"values":[1,2,1e999]}', ["values[2]"]),
    (b'{"values":[1,2,3],"metadata":{"a":1,"a":2}}', ["a twice"]),
    (b'{"values":[1,2,3]', ["JSON"]),
    (b'{"values":[1,2,3]}}', ["JSON"]),
    (b'{"values":[1,2,3],"metadata":{"a":"\xff"}}', ["JSON"]),
    (b"[1,2,3]", ["object"]),
    (b"", ["JSON"]),
])
def test_what_is_no_vector(three, body, words):
    assert_error(three.client.post(three.path + "/vectors", body), 400, *words)
    assert three.get().json["vector_count"] == 0


@pytest.mark.parametrize("id", ["x", "-1", "1.0", "18446744073709551616", "%20"])
def test_what_is_no_id(three, id):
    assert_error(three.get(f"/vectors/{id}"), 400, "id")


def test_fields_that_nobody_knows_are_passed_over(three):
    body = b'{"other":{"deep":[1,{"x":null}]},"values":[1,2,3],"more":"x"}'
    assert three.client.post(three.path + "/vectors", body).status == 200


def test_bulk_answers_row_by_row(three):
    rows = [
        {"id": 5, "values": [1, 0, 0]},
        {"values": [0, 1, 0], "metadata": {"a": "x"}},
        {"id": 5, "values": [0, 0, 1]},
        {"values": [1, 2]},
        {"values": [1, "2", 3]},
        {"id": 8},
        {"id": 9, "values": [1, 1, 1], "metadata": {"bad": None}},
        7,
        {"values": [9, 9, 9]},
    ]
    answer = three.post("/vectors/bulk", {"vectors": rows, "batch_lock_size": 4})
    assert answer.status == 200
    told = answer.json
    assert told["inserted_count"] == 3
    assert told["assigned_ids"] == [5, 6, 7]
    assert [any(word in error for error in told["errors"]) for word in ("2", "3", "4", "5", "6", "7")] == [True] * 6
    assert len(told["errors"]) == 6
    assert told["last_committed_lsn"] == 3
    assert three.get("/vectors/5").json["values"] == [1, 0, 0]
    assert three.get("/vectors/6").json["metadata"] == {"a": "x"}
    assert three.get("/vectors/7").json["values"] == [9, 9, 9]
    assert three.get().json["vector_count"] == 3


@pytest.mark.parametrize("options", [
    {"batch_lock_size": 1}, {"batch_lock_size": 7}, {"batch_lock_size": 10_000}, {"wal_flush_every": 0},
    {"wal_flush_every": 50}, {"defer_graph": True}, {"ef_construction": 40}, {"index_mode": "immediate"},
    {"index_mode": "deferred", "parallel_build": True}, {"skip_metadata_index": True}, {"checkpoint_every": 2},
])
def test_bulk_with_every_option(client, options):
    with new_collection(client, 4, "euclidean") as made:
        generator = random.Random(2)
        made.fill([(id, vector(generator, 4), {"even": id % 2 == 0}) for id in range(1, 31)], **options)
        if options.get("index_mode") == "deferred":
            assert made.post("/optimize").json["status"] == "completed"
        query = vector(generator, 4)
        assert [r["id"] for r in made.search(query, 5)] == [id for _, id in made.expected(query, 5)]
        even = made.search(query, 5, filter={"field": "even", "op": "eq", "value": True})
        assert [r["id"] for r in even] == [id for _, id in made.expected(query, 5, lambda m: m["even"])]


@pytest.mark.parametrize("options, word", [
    ({"batch_lock_size": 0}, "batch_lock_size"), ({"batch_lock_size": 10_001}, "batch_lock_size"),
    ({"batch_lock_size": "x"}, "batch_lock_size"), ({"index_mode": "later"}, "index_mode"),
    ({"defer_graph": 1}, "defer_graph"), ({"wal_flush_every": -1}, "wal_flush_every"),
    ({"ef_construction": 1 << 33}, "ef_construction"), ({"checkpoint_every": 0.5}, "checkpoint_every"),
    ({"skip_metadata_index": "no"}, "skip_metadata_index"), ({"parallel_build": 0}, "parallel_build"),
    ({"resume_token": "nonsense"}, "resume_token"), ({"vectors": {}}, "vectors"), ({"vectors": None}, "vectors"),
])
def test_bulk_options_that_are_wrong(three, options, word):
    answer = three.post("/vectors/bulk", {"vectors": [{"values": [1, 2, 3]}], **options})
    assert_error(answer, 400, word)
    assert three.get().json["vector_count"] == 0


@pytest.mark.parametrize("body", [
    b'{"vectors":[{"values":[1,2,3]},{"values":[1,2,3}]}', b'{"vectors":[{"values":[1,2,3]}',
    b'{"vectors":[{"values":[1,2,3]}],"x"}', b'{"vectors":[{"values":[1,2,3]} {"values":[1,2,3]}]}',
])
def test_of_a_bulk_that_is_no_json_nothing_is_written(three, body):
    assert_error(three.client.post(three.path + "/vectors/bulk", body), 400, "JSON")
    assert three.get().json["vector_count"] == 0


def test_options_may_stand_behind_the_rows(three):
    rows = [{"values": [1, 2, 3]}]
    body = json.dumps({"vectors": rows, "index_mode": "deferred"})
    assert three.client.post(three.path + "/vectors/bulk", body.encode()).status == 200
    assert three.get().json["status"] == "pending_optimization"


def test_the_largest_dimension(client):
    with new_collection(client, 65_536, "dot_product") as made:
        values = [f32(i / 65_536) for i in range(65_536)]
        id = made.insert(values)
        assert made.get(f"/vectors/{id}").json["values"] == [float(f"{v:.9g}") for v in values] or [
            f32(v) for v in made.get(f"/vectors/{id}").json["values"]] == values
        made.fill([(2, values[::-1], None)])
        assert [r["id"] for r in made.search(values, 2)] == [1, 2]


def test_bodies_up_to_64_mib():
    with Server(engine="memory") as server:
        client = server.client()
        with new_collection(client, 8) as made:
            row = b'{"values":[0.5,1,2,3,4,5,6,7]}'
            filler = (64 << 20) - len(b'{"vectors":[%b],"x":""}' % row)
            largest = b'{"vectors":[%b],"x":"%b"}' % (row, b"y" * filler)
            assert len(largest) == 64 << 20
            assert client.post(made.path + "/vectors/bulk", largest).json["inserted_count"] == 1
            client.close()
            # It is refused by its length, before it is sent.
            answer = client.request("POST", made.path + "/vectors/bulk", body=b"",
                                    headers={"Content-Length": str((64 << 20) + 1)})
            assert_error(answer, 413)
            client.close()


def npy(vectors, descr="<f4", fortran=False, shape=None, count=None):
    shape = shape or (len(vectors), len(vectors[0]))
    header = repr({"descr": descr, "fortran_order": fortran, "shape": shape}).encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    data = b"".join(struct.pack(f"<{len(row)}f", *row) for row in vectors)
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


@pytest.fixture
def files(tmp_path):
    with Server("--bulk-root", str(tmp_path), engine="memory") as server:
        client = server.client()
        with new_collection(client, 2, "euclidean") as made:
            yield made, tmp_path
        client.close()


ROWS = [[0.0, 1.0], [2.0, 3.0], [4.0, 5.5]]


def test_bulk_from_path(files):
    made, directory = files
    (directory / "rows.npy").write_bytes(npy(ROWS))
    (directory / "rows.f32").write_bytes(struct.pack("<6f", *sum(ROWS, [])))
    (directory / "ids").write_bytes(struct.pack("<3q", 70, 80, 90))

    def load(**body):
        return made.post("/vectors/bulk-from-path", body)

    told = load(path=str(directory / "rows.npy"), dim=2, expected_count=3, total_count_hint=3).json
    assert (told["inserted_count"], told["errors"], told["assigned_ids"]) == (3, [], [1, 2, 3])
    assert made.get("/vectors/3").json["values"] == [4, 5.5]
    told = load(path=str(directory / "rows.f32"), expected_count=3, id_start=20, chunk_size=2).json
    assert told["assigned_ids"] == [20, 21, 22]
    told = load(path=str(directory / "rows.f32"), ids_path=str(directory / "ids"), index_mode="deferred",
                ef_construction=50, skip_metadata_index=True).json
    assert told["assigned_ids"] == [70, 80, 90]
    assert made.get("/vectors/80").json["values"] == [2, 3]
    assert [r["id"] for r in made.search([4, 5.5], 3)][0] in (3, 22)
    assert made.post("/optimize").json["vectors_processed"] == 3
    assert_error(load(path=str(directory / "none.npy")), 404)
    assert_error(load(path="/etc/passwd"), 403)
    assert_error(load(path=str(directory / ".." / "x.npy")), 403)
    assert_error(load(path="rows.npy"), 400)
    assert_error(load(path=str(directory / "rows.npy"), dim=3), 400, "dimension")
    assert_error(load(path=str(directory / "rows.npy"), expected_count=4), 400)
    assert_error(load(path=str(directory / "rows.npy"), index_mode="x"), 400, "index_mode")
    assert_error(load(), 400, "path")


@pytest.mark.parametrize("data", [
    npy(ROWS, shape=(4, 2)), npy(ROWS, shape=(2, 2)), npy(ROWS, shape=(3, 3)), npy(ROWS, shape=(6,)),
    npy(ROWS, shape=(1 << 62, 2)), npy(ROWS, shape=(3, 2, 1)), npy(ROWS, descr=">f4"), npy(ROWS, descr="<f8"),
    npy(ROWS, fortran=True), npy(ROWS)[:20], npy(ROWS)[:-1], b"\x93NUMPY\x01\x00\xff\xff{", b"\x93NUMPY",
    b"\x93NUMPY\x09\x00" + npy(ROWS)[8:], npy(ROWS, shape="'x'"),
])
def test_a_file_that_lies_about_itself(files, data):
    made, directory = files
    (directory / "rows.npy").write_bytes(data)
    assert_error(made.post("/vectors/bulk-from-path", {"path": str(directory / "rows.npy")}), 400)
    assert made.get().json["vector_count"] == 0


def test_without_a_root_no_file_is_read(three, tmp_path):
    (tmp_path / "rows.npy").write_bytes(npy([[1.0, 2.0, 3.0]]))
    assert_error(three.post("/vectors/bulk-from-path", {"path": str(tmp_path / "rows.npy")}), 403)
