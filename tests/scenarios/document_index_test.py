"""Builds of indexes under kills, hot documents and documents too large for them; scores beside an independent BM25."""

import collections
import math
import random
import threading
import time

import pytest

from document_help import Table, new_table
from strata_server import Server

WORDS = "river stone light garden winter copper silent engine marble harbor signal cotton".split()


def index_of(table, name):
    answer = table.client.get(f"{table.path}/indexes/{name}")
    assert answer.status == 200, answer
    return answer.json


def make_index(table, name, field, kind, **more):
    answer = table.client.post(f"{table.path}/indexes", {"name": name, "field": field, "type": kind, **more})
    assert answer.status == 201, answer


def until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)  # between looks


def query(table, **body):
    answer = table.client.post(f"{table.path}/query", body)
    assert answer.status == 200, answer
    return answer.json["responses"][0]


def scores(table, **body):
    return [(hit["_id"], hit["_score"]) for hit in query(table, limit=10_000, **body)["hits"]["hits"]]


def text(chance):
    return " ".join(chance.choices(WORDS, k=chance.randrange(3, 40)))


def test_builds_go_on_after_kills_and_are_exact():
    """Kills while indexes are built and documents written; at the end they are what indexes made at once would be."""
    chance = random.Random(11)
    with Server() as server:
        table = Table(server.client(), "t")
        assert table.client.post("/api/v1/tables/t", {}).status == 200
        documents = {f"k{number:05}": {"n": number % 100, "t": text(chance)} for number in range(6_000)}
        keys = sorted(documents)
        for begin in range(0, len(keys), 1_000):
            table.insert({key: documents[key] for key in keys[begin:begin + 1_000]})
        make_index(table, "ft", "t", "fulltext")
        make_index(table, "n", "n", "number")
        before = 0
        for _ in range(3):
            until(lambda: index_of(table, "n")["documents_indexed"] + index_of(table, "ft")["documents_indexed"] > before)
            # Some in front of the build, some behind it.
            changed = {key: {"n": chance.randrange(100), "t": text(chance)} for key in chance.sample(keys, 20)}
            gone = [key for key in chance.sample(keys, 5) if key not in changed]
            assert table.batch(inserts=changed, deletes=gone).status == 201
            documents |= changed
            for key in gone:
                documents.pop(key, None)
            seen = {name: index_of(table, name)["documents_indexed"] for name in ("ft", "n")}
            before = sum(seen.values())
            table.client.close()
            server.kill()
            server.start()
            table = Table(server.client(), "t")
            for name, count in seen.items():
                assert index_of(table, name)["documents_indexed"] >= count
        until(lambda: all(index_of(table, name)["state"] == "ready" for name in ("ft", "n")))
        assert table.client.post("/api/v1/tables/whole", {"indexes": {
            "ft": {"type": "fulltext", "field": "t"}, "n": {"type": "number", "field": "n"}}}).status == 200
        whole = Table(table.client, "whole")
        left = sorted(documents)
        for begin in range(0, len(left), 1_000):
            whole.insert({key: documents[key] for key in left[begin:begin + 1_000]})
        for number in (0, 57, 99):
            found = query(table, filter_query={"term": number, "field": "n"}, limit=1_000, explain=True)
            assert found["plan"]["indexes"] == ["n"]
            expected = sorted(key for key, document in documents.items() if document["n"] == number)
            assert sorted(hit["_id"] for hit in found["hits"]["hits"]) == expected
            # No entry too many, none of a document that is gone or was something else.
            assert found["plan"]["documents_examined"] == len(expected)
        for words in ("copper", "silent harbor", "river stone light"):
            found = scores(table, full_text_search={"match": words, "field": "t"})
            assert found == scores(whole, full_text_search={"match": words, "field": "t"}) and found
        assert server.stop() == 0


def test_a_document_that_is_always_written_keeps_no_index_from_being_built(server, table):
    table.insert({f"k{number:04}": {"n": number, "t": text(random.Random(number))} for number in range(1_000)})
    stop = threading.Event()
    failures = []

    def write():
        here = Table(server.client(), table.name)
        try:
            while not stop.is_set():
                assert here.transform("k0100", ("$inc", "writes", 1)).status == 201
        except Exception as error:  # shown by the test
            failures.append(error)
        finally:
            here.client.close()

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    try:
        until(lambda: "writes" in table.document("k0100"))
        make_index(table, "ft", "t", "fulltext")
        until(lambda: index_of(table, "ft")["state"] == "ready")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failures, failures
    assert index_of(table, "ft")["documents_indexed"] == 1_000


def test_a_document_too_large_for_an_index_stops_no_other():
    words = " ".join(f"{number:x}" for number in range(300_000))
    with Server("--limits", "foundationdb", engine="memory") as server, \
            new_table(server.client()) as table, new_table(server.client()) as other:
        table.insert({"large": {"t": words, "n": 1}, "small": {"t": "few words", "n": 2}})
        other.insert({"k": {"n": 1}})
        make_index(table, "s", "t", "string")
        make_index(table, "n", "n", "number")
        make_index(other, "n", "n", "number")
        until(lambda: index_of(table, "n")["state"] == index_of(other, "n")["state"] == "ready")
        until(lambda: "error" in index_of(table, "s"))
        assert index_of(table, "s")["state"] == "building"
        assert index_of(table, "s")["error"] == "document large: what the index holds of it does not fit one transaction"
        again = table.batch(inserts={"again": {"t": words}})
        assert again.status == 413 and "10000000 bytes" in again.json["error"], again
        # What the index could not take can still be changed and removed; making another index wakes the build.
        assert table.batch(deletes=["large"]).status == 201
        make_index(other, "m", "n", "number")
        until(lambda: index_of(table, "s")["state"] == "ready")
        assert "error" not in index_of(table, "s")


def test_definitions_are_bounded_whatever_else_a_table_holds(client):
    name = "wide"
    schema = {"type": "object", "description": "x" * 65_000}
    assert client.post(f"/api/v1/tables/{name}", {"schema": schema, "description": "ü" * 500}).status == 200
    refused = client.post(f"/api/v1/tables/{name}2", {"description": "ü" * 501})
    assert (refused.status, refused.json) == (400, {"error": "description has at most 500 letters"})
    table = Table(client, name)
    for number in range(7):
        make_index(table, f"{number}" + "n" * 127, "f" * 4_000, "number")
    answer = client.post(f"{table.path}/indexes", {"name": "more", "field": "f" * 4_000, "type": "number"})
    assert answer.status == 400 and "30000 bytes" in answer.json["error"], answer
    assert client.delete(f"/api/v1/tables/{name}").status == 204


def bm25(documents, words, k1=1.2, b=0.75):
    """Robertson's, as textbooks have it; the best first, then by key."""
    split = {key: document.split() for key, document in documents.items()}
    average = sum(len(found) for found in split.values()) / len(split)
    ranked = []
    for key, found in split.items():
        counts = collections.Counter(found)
        if not any(counts[word] for word in words):
            continue
        score = 0
        for word in words:
            containing = sum(word in other for other in split.values())
            weight = math.log(1 + (len(split) - containing + 0.5) / (containing + 0.5))
            score += weight * counts[word] * (k1 + 1) / (counts[word] + k1 * (1 - b + b * len(found) / average))
        ranked.append((key, score))
    return sorted(ranked, key=lambda one: (-one[1], one[0]))


@pytest.mark.parametrize("made", ["before", "after"])
def test_scores_are_those_of_an_independent_bm25(client, made):
    chance = random.Random(5)
    documents = {f"k{number:03}": text(chance) for number in range(200)}
    with new_table(client) as table:
        if made == "before":
            make_index(table, "ft", "t", "fulltext", analyzer="standard")
        table.insert({key: {"t": document} for key, document in documents.items()})
        if made == "after":
            make_index(table, "ft", "t", "fulltext", analyzer="standard")
        until(lambda: index_of(table, "ft")["state"] == "ready")
        # What is replaced and removed counts no more.
        documents |= {key: text(chance) for key in ("k003", "k100", "k199")}
        table.batch(inserts={key: {"t": documents[key]} for key in ("k003", "k100", "k199")}, deletes=["k007", "k150"])
        del documents["k007"], documents["k150"]
        for words in (["copper"], ["river", "cotton"], ["stone", "light", "engine"], ["copper", "nothing"]):
            found = scores(table, full_text_search={"match": " ".join(words), "field": "t"})
            expected = bm25(documents, words)
            assert [score for _, score in found] == pytest.approx([score for _, score in expected])
            # Scores that differ by rounding alone have no order.
            assert [key for key, score in found if score > expected[-1][1] + 1e-9][:20] == [key for key, _ in expected][:20]
