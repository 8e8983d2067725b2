"""Backups of documents: to directories and buckets, as of one moment, refused when damaged, restored whole or not at all."""

import contextlib
import os
import pathlib
import random
import subprocess
import sys
import threading
import time

import pytest

from document_help import ROOTS, Table
from strata_server import Server

S3 = pathlib.Path(__file__).resolve().parents[1] / "s3" / "server.py"
LONG = "STRATA_TEST_LONG" in os.environ
MANY = 100_000 if LONG else 5_000


class Bucket:
    """An S3 service with the bucket "backups", and what a server must know to use it."""

    def __init__(self):
        self.process = subprocess.Popen([sys.executable, str(S3), "--bucket", "backups"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline()
        assert line.startswith("s3 ready "), line
        self.port = int(line.split()[2])

    def environment(self, secret="test-secret"):
        return {"AWS_ACCESS_KEY_ID": "test-key", "AWS_SECRET_ACCESS_KEY": secret, "AWS_REGION": "us-east-1",
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}"}

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process.stdin.close()


@pytest.fixture(scope="module")
def bucket():
    service = Bucket()
    yield service
    service.close()


@pytest.fixture(scope="module", params=["rocksdb", "memory", "small transactions"])
def place(request, bucket, tmp_path_factory):
    """A server with a root of backups of its own, its client, and that root."""
    root = tmp_path_factory.mktemp("backups")
    small = ["--limits", "foundationdb"] if request.param == "small transactions" else []
    engine = "memory" if request.param == "memory" else "rocksdb"
    with Server("--backup-root", str(root), *small, engine=engine, environment=bucket.environment()) as server:
        yield server, server.client(), root


def fill(client, name, count, size=100):
    table = Table(client, name)
    for begin in range(0, count, 1_000):
        table.insert({f"key:{number:07}": {"n": number, "s": "x" * (number % size)}
                      for number in range(begin, min(begin + 1_000, count))})
    return table


def back_up(client, name, backup_id, location, root="/api/v1"):
    return client.post(f"{root}/tables/{name}/backup", {"backup_id": backup_id, "location": location})


def restore(client, name, backup_id, location, root="/api/v1"):
    return client.post(f"{root}/tables/{name}/restore", {"backup_id": backup_id, "location": location})


def ended(client, answer):
    assert answer.status == 202, answer
    assert answer.json["restore"] == "triggered"
    while True:
        task = client.get(f"/admin/tasks/{answer.json['task_id']}")
        assert task.status == 200, task
        if task.json["status"] not in ("pending", "running"):
            return task.json
        time.sleep(0.01)  # between looks at it


def restored(client, answer):
    task = ended(client, answer)
    assert task["status"] == "completed", task
    return task


def documents(client, name):
    return {line.pop("key"): line for line in Table(client, name).scan(fields=["*"])}


@pytest.mark.parametrize("kind", ["file", "s3"])
@pytest.mark.parametrize("root", ROOTS)
def test_there_and_back(place, kind, root):
    server, client, directory = place
    name = f"people-{kind}-{root.strip('/').replace('/', '-')}"
    location = f"file://{directory}/there/and" if kind == "file" else f"s3://backups/{directory.name}/there/and"
    assert client.post(f"/api/v1/tables/{name}", {
        "description": "Ünal", "num_shards": 2, "schema": {"type": "object", "properties": {"n": {"type": "integer"}}},
        "indexes": {"by_n": {"type": "number", "field": "n"}}}).status == 200
    table = fill(client, name, 300)
    table.insert({"large": {"text": "ü" * 200_000}, "ключ/x": {}})
    before = documents(client, name)
    shape = client.get(f"/api/v1/tables/{name}").json
    made = back_up(client, name, name, location, root)
    assert (made.status, made.json) == (201, {"backup": "successful"})
    again = back_up(client, name, name, location, root)
    assert (again.status, again.json) == (409, {"error": f"there is a backup {name} already"})
    exists = restore(client, name, name, location, root)
    assert (exists.status, exists.json) == (400, {"error": f"table already exists: {name}"})
    assert documents(client, name) == before
    assert client.delete(f"/api/v1/tables/{name}").status == 204
    task = restored(client, restore(client, name, name, location, root))
    assert task["task_type"] == "restore_tables" and task["progress"] == 1 and task["error"] is None
    assert task["args"] == {"backup_id": name, "location": location, "tables": [name]}
    assert documents(client, name) == before
    after = client.get(f"/api/v1/tables/{name}").json
    for field in ("description", "shards", "schema", "created"):
        assert after[field] == shape[field]
    while client.get(f"/api/v1/tables/{name}").json["indexes"]["by_n"]["state"] != "ready":
        time.sleep(0.01)
    found = client.post(f"/api/v1/tables/{name}/query", {"filter_query": {"term": 7, "field": "n"}, "limit": 10})
    assert found.status == 200 and found.json["responses"][0]["hits"]["total"] == 1, found
    # Under another name, since the backup is of one table.
    restored(client, restore(client, name + "-copy", name, location, root))
    assert documents(client, name + "-copy") == before
    # The schema holds.
    assert Table(client, name + "-copy").batch(inserts={"k": {"n": "x"}}).status == 400
    listed = client.get(f"{root}/backups?location={location}")
    assert listed.status == 200
    entry = [one for one in listed.json["backups"] if one["backup_id"] == name][0]
    assert entry["tables"] == [name] and entry["location"] == location and entry["size"] > 10_000
    assert entry["timestamp"].endswith("Z")


@pytest.mark.parametrize("kind", ["file", "s3"])
def test_many_documents(place, kind):
    server, client, directory = place
    name = f"many-{kind}"
    location = f"file://{directory}/many" if kind == "file" else f"s3://backups/{directory.name}/many"
    assert client.post(f"/api/v1/tables/{name}", {}).status == 200
    fill(client, name, MANY)
    before = documents(client, name)
    assert len(before) == MANY
    assert back_up(client, name, name, location).status == 201
    restored(client, restore(client, name + "-again", name, location))
    assert documents(client, name + "-again") == before


def test_all_tables_and_some():
    with Server() as server:
        client = server.client()
        location = f"file://{server.directory}/data/backups"
        for name in ("a", "b", "c"):
            assert client.post(f"/api/v1/tables/{name}", {}).status == 200
            Table(client, name).insert({name: {"of": name}})
        made = client.post("/api/v1/backup", {"backup_id": "all", "location": location})
        assert (made.status, made.json) == (201, {"backup": "successful"})
        assert client.post("/db/v1/backup", {"backup_id": "two", "location": location,
                                             "table_names": ["c", "a"]}).status == 201
        listed = client.get(f"/api/v1/backups?location={location}").json["backups"]
        assert [(one["backup_id"], one["tables"]) for one in listed] == [("all", ["a", "b", "c"]), ("two", ["c", "a"])]
        for name in ("a", "b"):
            assert client.delete(f"/api/v1/tables/{name}").status == 204
        # One that is in the way, and none is restored.
        refused = client.post("/api/v1/restore", {"backup_id": "all", "location": location})
        assert (refused.status, refused.json) == (400, {"error": "table already exists: c"})
        assert [table["name"] for table in client.get("/api/v1/tables").json] == ["c"]
        answer = client.post("/api/v1/restore", {"backup_id": "all", "location": location, "table_names": ["b"]})
        restored(client, answer)
        assert documents(client, "b") == {"b": {"of": "b"}}
        assert client.get("/api/v1/tables/a").status == 404
        # One table of a backup of several.
        restored(client, restore(client, "a", "two", location))
        assert documents(client, "a") == {"a": {"of": "a"}}
        for name in ("a", "b", "c"):
            assert client.delete(f"/api/v1/tables/{name}").status == 204
        restored(client, client.post("/db/v1/restore", {"backup_id": "all", "location": location}))
        for name in ("a", "b", "c"):
            assert documents(client, name) == {name: {"of": name}}
        unknown = restore(client, "d", "two", location)
        assert (unknown.status, unknown.json) == (404, {"error": "backup two holds no table d"})


def test_what_is_wrong_with_a_request(place):
    server, client, directory = place
    assert client.post("/api/v1/tables/wrong", {}).status == 200
    here = f"file://{directory}"

    def refused(status, body, message, paths=("/api/v1/tables/wrong/backup", "/api/v1/tables/nix/restore",
                                              "/api/v1/backup", "/api/v1/restore")):
        for path in paths:
            answer = client.post(path, body)
            assert answer.status == status and message in answer.json["error"], (path, body, answer)

    absent = back_up(client, "nix", "x", here)
    assert (absent.status, absent.json) == (404, {"error": "table not found: nix"})
    refused(404, {"backup_id": "x", "location": here, "table_names": ["nix"]}, "table not found: nix", ["/api/v1/backup"])
    for backup_id in ("", ".x", "a/b", "..", "ü", "a b", "x" * 129):
        refused(400, {"backup_id": backup_id, "location": here}, "backup_id")
    refused(400, {"backup_id": 1, "location": here}, "backup_id")
    refused(400, {"location": here}, "backup_id")
    refused(400, {"backup_id": "x"}, "location")
    refused(400, {"backup_id": "x", "location": here, "what": 1}, "what")
    refused(400, b"{", "")
    refused(400, {"backup_id": "x", "location": here, "table_names": []}, "table_names",
            ["/api/v1/backup", "/api/v1/restore"])
    refused(400, {"backup_id": "x", "location": here, "table_names": ["wrong", "wrong"]}, "twice",
            ["/api/v1/backup", "/api/v1/restore"])
    for location in ("", "ftp://x/y", "file://relative", "gs://bucket", "s3://", "s3://UP/x", "s3://backups/../x"):
        refused(400, {"backup_id": "x", "location": location}, "")
    for location in ("file:///etc", "file:///", f"file://{directory}/../x", f"file://{directory}x",
                     f"file://{directory}/a/../../x"):
        refused(403, {"backup_id": "x", "location": location}, "")
        assert client.get(f"/api/v1/backups?location={location}").status == 403
    assert client.get("/api/v1/backups").status == 400
    assert client.get(f"/api/v1/backups?location={here}/nothing").json == {"backups": []}
    missing = restore(client, "nix", "missing", here)
    assert (missing.status, missing.json) == (404, {"error": "backup not found: missing"})
    assert restore(client, "nix", "missing", "s3://backups/x").status == 404
    # No link leads out.
    (directory / "link").symlink_to("/tmp")
    refused(400, {"backup_id": "x", "location": f"{here}/link"}, "is no directory", ["/api/v1/tables/wrong/backup"])
    (directory / "link").unlink()


def test_a_wrong_secret_and_no_secret(bucket):
    for environment, message in ((bucket.environment(secret="wrong"), ""), ({}, "AWS")):
        clean = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""} | environment
        with Server(engine="memory", environment=clean) as server:
            client = server.client()
            assert client.post("/api/v1/tables/t", {}).status == 200
            for answer in (back_up(client, "t", "x", "s3://backups/wrong"), restore(client, "u", "x", "s3://backups/wrong"),
                           client.get("/api/v1/backups?location=s3://backups/wrong")):
                assert answer.status == 403 and message in answer.json["error"], answer


def test_damage_is_refused_before_anything_is_written(place):
    server, client, directory = place
    assert client.post("/api/v1/tables/sound", {}).status == 200
    fill(client, "sound", 400, size=5_000)
    here = directory / "damage"
    assert back_up(client, "sound", "whole", f"file://{here}").status == 201
    good = {name: (here / name).read_bytes() for name in ("whole.documents", "whole.manifest")}
    assert sorted(path.name for path in here.iterdir()) == sorted(good)
    chance = random.Random(4)

    def is_refused(name, data):
        (here / name).write_bytes(data)
        answer = restore(client, "broken", "whole", f"file://{here}")
        if answer.status == 202:
            task = ended(client, answer)
            assert task["status"] == "failed" and task["error"], task
        else:
            assert answer.status == 400 and "manifest" in answer.json["error"], answer
        assert client.get("/api/v1/tables/broken").status == 404
        (here / name).write_bytes(good[name])

    for name, data in good.items():
        for at in [0, 8, len(data) - 1, *(chance.randrange(len(data)) for _ in range(10))]:
            is_refused(name, data[:at] + bytes([data[at] ^ 1]) + data[at + 1:])
            is_refused(name, data[:at])
        is_refused(name, data + b"x")
    # The documents of another backup, whole in themselves.
    Table(client, "sound").insert({"new": {}})
    assert back_up(client, "sound", "other", f"file://{here}").status == 201
    is_refused("whole.documents", (here / "other.documents").read_bytes())
    (here / "whole.documents").unlink()
    task = ended(client, restore(client, "broken", "whole", f"file://{here}"))
    assert task["status"] == "failed" and client.get("/api/v1/tables/broken").status == 404
    # A list says which one is damaged and shows the others.
    (here / "whole.manifest").write_bytes(b"x")
    listed = {one["backup_id"]: one for one in client.get(f"/api/v1/backups?location=file://{here}").json["backups"]}
    assert listed["whole"]["error"] and listed["other"]["tables"] == ["sound"]


def test_one_moment_of_a_bank(place):
    """Transfers between two tables while both are copied: the sum is right, and every transfer is there or is not."""
    server, client, directory = place
    accounts, total = 500, 500 * 100
    for name in ("bank-a", "bank-b"):
        assert client.post(f"/api/v1/tables/{name}", {}).status == 200
        Table(client, name).insert({f"{n:04}": {"balance": 100, "pad": "x" * 2_000} for n in range(accounts)})
    stop = threading.Event()
    started = threading.Barrier(5)
    failures = []

    def transfer(number):
        chance = random.Random(number)
        here = server.client()
        try:
            started.wait(60)
            while not stop.is_set():
                amount = chance.randrange(1, 10)
                moved = here.post("/api/v1/batch", {"tables": {
                    name: {"transforms": [{"key": f"{chance.randrange(accounts):04}", "operations": [
                        {"op": "$inc", "path": "balance", "value": sign * amount}]}]}
                    for name, sign in (("bank-a", 1), ("bank-b", -1))}})
                assert moved.status == 201, moved
        except Exception as error:  # shown by the test
            failures.append(error)
        finally:
            here.close()

    threads = [threading.Thread(target=transfer, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    started.wait(60)
    for number in range(3):
        answer = client.post("/api/v1/backup", {"backup_id": f"bank-{number}", "location": f"file://{directory}/bank",
                                                "table_names": ["bank-a", "bank-b"]})
        assert answer.status == 201, answer
    stop.set()
    for thread in threads:
        thread.join()
    assert not failures, failures
    for number in range(3):
        for name in ("bank-a", "bank-b"):
            assert client.delete(f"/api/v1/tables/{name}").status == 204
        restored(client, client.post("/api/v1/restore", {"backup_id": f"bank-{number}",
                                                         "location": f"file://{directory}/bank"}))
        both = [document["balance"] for name in ("bank-a", "bank-b") for document in documents(client, name).values()]
        assert len(both) == 2 * accounts and sum(both) == 2 * total


def test_documents_that_come_and_go_meanwhile(place):
    """A writer moves one token from key to key, over chunks too: a backup holds exactly one."""
    server, client, directory = place
    assert client.post("/api/v1/tables/token", {}).status == 200
    table = fill(client, "token", 2_000)
    table.insert({"token:0": {"pad": "x" * 150_000}})
    stop = threading.Event()
    failures = []

    def move():
        here = Table(server.client(), "token")
        try:
            at = 0
            while not stop.is_set():
                to = (at * 7 + 1) % 97
                if to == at:
                    to = (at + 1) % 97
                moved = here.batch(deletes=[f"token:{at}"], inserts={f"token:{to}": {"pad": "x" * (to * 3_000)}})
                assert moved.status == 201, moved
                at = to
        except Exception as error:  # shown by the test
            failures.append(error)
        finally:
            here.client.close()

    thread = threading.Thread(target=move)
    thread.start()
    for number in range(5):
        assert back_up(client, "token", f"token-{number}", f"file://{directory}/token").status == 201
    stop.set()
    thread.join()
    assert not failures, failures
    for number in range(5):
        name = f"token-{number}"
        restored(client, restore(client, name, name, f"file://{directory}/token"))
        found = documents(client, name)
        assert len(found) == 2_001
        (token,) = [key for key in found if key.startswith("token:")]
        assert token == "token:0" or len(found[token]["pad"]) == int(token[6:]) * 3_000


def test_a_kill_while_a_backup_is_restored():
    with Server() as server:
        client = server.client()
        location = f"file://{server.directory}/data/backups"
        assert client.post("/api/v1/tables/t", {"indexes": {"by_n": {"type": "number", "field": "n"}}}).status == 200
        fill(client, "t", 3_000, size=2_000)
        before = documents(client, "t")
        assert back_up(client, "t", "x", location).status == 201
        assert client.delete("/api/v1/tables/t").status == 204
        for _ in range(3):
            answer = restore(client, "t", "x", location)
            assert answer.status == 202
            task = f"/admin/tasks/{answer.json['task_id']}"
            while True:
                now = client.get(task).json
                if now["message"] == "loads the documents" or now["status"] not in ("pending", "running"):
                    break
            client.close()
            server.kill()
            server.start()
            client = server.client()
            shown = client.get("/api/v1/tables/t")
            assert shown.status == 404 or documents(client, "t") == before
            if shown.status == 200:
                assert client.delete("/api/v1/tables/t").status == 204
        restored(client, restore(client, "t", "x", location))
        assert documents(client, "t") == before


def test_a_kill_while_a_backup_is_made_leaves_no_backup():
    with Server() as server:
        client = server.client()
        location = f"file://{server.directory}/data/backups"
        assert client.post("/api/v1/tables/t", {}).status == 200
        fill(client, "t", 3_000, size=5_000)
        before = documents(client, "t")

        def ask():
            with contextlib.suppress(OSError, Exception):  # the answer never comes
                back_up(server.client(), "t", "x", location)

        thread = threading.Thread(target=ask)
        thread.start()
        while not client.get("/admin/tasks").json:
            pass
        server.kill()
        thread.join()
        server.start()
        client = server.client()
        listed = client.get(f"/api/v1/backups?location={location}").json["backups"]
        assert [one["backup_id"] for one in listed] in ([], ["x"])
        # Writes and backups go on as before.
        Table(client, "t").insert({"more": {}})
        assert back_up(client, "t", "y", location).status == 201
        restored(client, restore(client, "u", "y", location))
        assert documents(client, "u") == before | {"more": {}}


def test_a_restore_can_be_cancelled(place):
    server, client, directory = place
    assert client.post("/api/v1/tables/slow", {}).status == 200
    fill(client, "slow", 4_000, size=4_000)
    assert back_up(client, "slow", "slow", f"file://{directory}/slow").status == 201
    answer = restore(client, "slow-copy", "slow", f"file://{directory}/slow")
    assert answer.status == 202
    assert client.post(f"/admin/tasks/{answer.json['task_id']}/cancel").status == 200
    assert ended(client, answer)["status"] == "cancelled"
    assert client.get("/api/v1/tables/slow-copy").status == 404
