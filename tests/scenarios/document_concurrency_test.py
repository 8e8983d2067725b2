"""Documents under many clients at once, and under kills: nothing is lost, nothing is torn, nothing skews."""

import random
import threading

import pytest

from document_help import Table
from strata_server import Server


def at_once(server, count, work):
    """work(number, client) in `count` threads, each with a connection of its own; their results."""
    results = [None] * count
    failures = []
    barrier = threading.Barrier(count)

    def run(number):
        client = server.client()
        try:
            barrier.wait(60)
            results[number] = work(number, client)
        except Exception as error:  # shown by the test, which would otherwise not hear of it
            failures.append(error)
        finally:
            client.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures
    return results


def commit(client, reads, tables):
    return client.post("/api/v1/transactions/commit", {
        "read_set": [{"table": table, "key": key, "version": version} for table, key, version in reads], "tables": tables})


def test_fifty_clients_count_to_fifty(server, table):
    table.insert({"k": {"n": 0}})
    answers = at_once(server, 50, lambda _, client: Table(client, table.name).transform("k", ("$inc", "n", 1)))
    assert [answer.status for answer in answers] == [201] * 50
    assert table.document("k") == {"n": 50}


def test_transforms_of_one_document_all_take_effect(server, table):
    def work(number, client):
        here = Table(client, table.name)
        for index in range(10):
            assert here.transform("k", ("$push", "all", number * 10 + index), ("$inc", f"by.c{number}", 1), upsert=True).status == 201

    at_once(server, 16, work)
    document = table.document("k")
    assert sorted(document["all"]) == list(range(160))
    assert document["by"] == {f"c{number}": 10 for number in range(16)}


def test_of_five_optimistic_writers_one_wins(server, table):
    for round_number in range(10):
        table.insert({"k": {"round": round_number}})
        version = table.version("k")
        answers = at_once(server, 5, lambda number, client: commit(
            client, [(table.name, "k", version)], {table.name: {"inserts": {"k": {"winner": number}}}}))
        assert sorted(answer.status for answer in answers) == [200, 409, 409, 409, 409]
        winner = [answer.status for answer in answers].index(200)
        assert table.document("k") == {"winner": winner}
        for answer in answers:
            if answer.status == 409:
                assert answer.json["conflict"]["current_version"] == table.version("k")


def test_of_many_that_make_a_document_one_does(server, table):
    answers = at_once(server, 8, lambda number, client: commit(
        client, [(table.name, "new", "0")], {table.name: {"inserts": {"new": {"maker": number}}}}))
    assert sorted(answer.status for answer in answers) == [200] + [409] * 7


def test_there_is_no_write_skew(server, table):
    # Each may go off call only while the other is on call.
    for _ in range(20):
        table.insert({"ada": {"on": True}, "bob": {"on": True}})
        versions = [(table.name, name, table.version(name)) for name in ("ada", "bob")]
        answers = at_once(server, 2, lambda number, client: commit(
            client, versions, {table.name: {"inserts": {("ada", "bob")[number]: {"on": False}}}}))
        assert sorted(answer.status for answer in answers) == [200, 409]
        assert sorted(line["on"] for line in table.scan(fields=["on"])) == [False, True]


def test_many_make_the_same_table(server, client):
    answers = at_once(server, 8, lambda _, connection: connection.post("/api/v1/tables/raced", {}))
    assert sorted(answer.status for answer in answers) == [200] + [400] * 7
    assert client.delete("/api/v1/tables/raced").status == 204


def test_a_table_that_is_dropped_under_its_writers_leaves_nothing(server, client):
    for _ in range(5):
        assert client.post("/api/v1/tables/dropped", {}).status == 200

        def work(number, connection):
            if number == 0:
                return connection.delete("/api/v1/tables/dropped").status
            statuses = {Table(connection, "dropped").batch(inserts={f"k{number}-{index}": {}}).status for index in range(10)}
            return statuses <= {201, 404}

        answers = at_once(server, 8, work)
        assert answers == [204] + [True] * 7
        assert client.post("/api/v1/tables/dropped", {}).status == 200
        assert Table(client, "dropped").keys() == []
        assert client.delete("/api/v1/tables/dropped").status == 204


ACCOUNTS = 1_000
START = 100


def transfer(client, random_source):
    """Moves money between two accounts as a client does it: reads, computes, commits. None when it lost the race."""
    bank = Table(client, "bank")
    one, other = random_source.sample(range(ACCOUNTS), 2)
    keys = [f"account:{one:04}", f"account:{other:04}"]
    read = [bank.lookup(key) for key in keys]
    amount = random_source.randrange(1, 10)
    balances = [answer.json["balance"] for answer in read]
    if balances[0] < amount:
        return None
    answer = commit(client, [("bank", key, answer.headers["X-Antfly-Version"]) for key, answer in zip(keys, read)],
                    {"bank": {"inserts": {keys[0]: {"balance": balances[0] - amount}, keys[1]: {"balance": balances[1] + amount}}}})
    assert answer.status in (200, 409), answer
    return answer.status == 200


def run_until_killed(server, clients, work, enough):
    """Clients that work until the server is killed under them, once `enough` steps have been answered."""
    done = threading.Semaphore(0)

    def run(number):
        client = server.client(timeout_s=20)
        source = random.Random(number)
        try:
            for step in range(10_000):
                work(client, source, number, step)
                done.release()
        except (OSError, ValueError, KeyError):
            pass  # what a killed server leaves of an answer
        except Exception:
            if server.process is not None and server.process.poll() is None:
                raise
        finally:
            client.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for _ in range(enough):
        assert done.acquire(timeout=60)
    server.process.kill()
    for thread in threads:
        thread.join()
    server.kill()
    server.start()


@pytest.mark.parametrize("limits", [(), ("--limits", "foundationdb")])
def test_a_bank_keeps_its_sum_under_kills(limits):
    with Server(*limits) as server:
        client = server.client()
        assert client.post("/api/v1/tables/bank", {}).status == 200
        Table(client, "bank").insert({f"account:{number:04}": {"balance": START} for number in range(ACCOUNTS)})
        for _ in range(3):
            run_until_killed(server, 16, lambda connection, source, *_: transfer(connection, source), enough=150)
            client = server.client()
            lines = Table(client, "bank").scan(fields=["balance"])
            assert len(lines) == ACCOUNTS
            assert all(line["balance"] >= 0 for line in lines)
            assert sum(line["balance"] for line in lines) == ACCOUNTS * START
        assert server.stop() == 0


def test_a_batch_across_tables_is_all_or_nothing_under_kills():
    names = ["left", "middle", "right"]
    with Server() as server:
        client = server.client()
        for name in names:
            assert client.post(f"/api/v1/tables/{name}", {}).status == 200
        acknowledged = set()

        def work(connection, _, number, step):
            key = f"{len(acknowledged):06}-{number}-{step}"
            large = "x" * (150_000 if step % 3 == 0 else 10)
            answer = connection.post("/api/v1/batch", {"tables": {name: {"inserts": {key: {"in": name, "large": large}}} for name in names}})
            assert answer.status == 201, answer
            acknowledged.add(key)

        for _ in range(3):
            run_until_killed(server, 8, work, enough=60)
            client = server.client()
            found = [set(Table(client, name).keys()) for name in names]
            assert found[0] == found[1] == found[2]
            assert acknowledged <= found[0]
            for name in names:
                for line in Table(client, name).scan(fields=["*"]):
                    assert line["in"] == name and len(line["large"]) in (10, 150_000)
        assert server.stop() == 0
