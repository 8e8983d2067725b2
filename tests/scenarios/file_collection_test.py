"""Garbage collection over HTTP, its tasks, and what is reachable meanwhile."""

import threading
import time

import pytest

from file_help import CHUNK, Files, chunk_hash, commit_files, noise, send_chunk
from strata_server import Server

STATISTICS = ["versions_scanned", "live_entries", "garbage_entries", "reclaimed_bytes", "duration_ms", "dry_run"]
TASK = {"id", "task_type", "status", "args", "created_at", "started_at", "completed_at", "error", "checkpoint", "progress",
        "eta_ms", "indexed_count", "total_count", "message"}


@pytest.fixture(params=["memory", "rocksdb"])
def own(request):
    """A server with nothing in it."""
    with Server(engine=request.param) as running:
        yield running
        assert running.stop() == 0, running.log()


def collect(client, dry_run=None):
    answer = client.post("/admin/gc" + (f"?dry_run={dry_run}" if dry_run else ""))
    assert answer.status == 200, answer
    return answer.json


def ended(client, task):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = client.get(f"/admin/tasks/{task}").json
        if found["status"] not in ("pending", "running"):
            return found
    raise AssertionError("the task does not end")


def test_an_empty_store(own):
    found = collect(own.client())
    assert list(found) == STATISTICS
    assert (found["garbage_entries"], found["reclaimed_bytes"], found["dry_run"]) == (0, 0, False)


def test_what_is_replaced_and_deleted_is_collected(own):
    client = own.client()
    files = Files(client)
    old = files.store("/a", noise(CHUNK + 1))
    kept = files.store("/kept", b"kept")
    files.store("/a", b"new")
    files.store("/b", noise(3_000, 3))
    files.delete("/b")
    before = collect(client, "true")
    assert before["dry_run"] is True and before["garbage_entries"] > 0 and before["reclaimed_bytes"] > 0
    assert client.get(f"/engine/_hash/{old['hash']}").status == 200
    found = collect(client)
    assert found["dry_run"] is False
    assert (found["garbage_entries"], found["live_entries"]) == (before["garbage_entries"], before["live_entries"])
    # The root, and a record and a chunk of each of the two files.
    assert (found["versions_scanned"], found["live_entries"]) == (1, 5)
    for digest in (old["hash"], chunk_hash(noise(CHUNK + 1)[:CHUNK]), chunk_hash(noise(3_000, 3))):
        assert client.get(f"/engine/_hash/{digest}").status == 404
    assert files.names("/") == ["a", "kept"]
    assert (files.body("/a"), files.body("/kept")) == (b"new", b"kept")
    assert client.get(f"/engine/_hash/{kept['hash']}").body == b"kept"
    again = collect(client)
    assert (again["garbage_entries"], again["reclaimed_bytes"], again["live_entries"]) == (0, 0, 5)


def test_snapshots_and_forks_keep_what_they_reach(own):
    client = own.client()
    files = Files(client)
    files.store("/a", noise(CHUNK + 1))
    snapshot = files.snapshot()
    fork = files.make_fork()
    fork.store("/b", noise(5_000, 5))
    files.store("/a", b"new")
    version = client.request("HEAD", "/engine/").headers["ETag"].strip('"')
    files.delete("/a")
    found = collect(client)
    assert found["versions_scanned"] == 3
    assert files.body("/a", snapshot=snapshot["name"]) == noise(CHUNK + 1)
    assert fork.body("/b") == noise(5_000, 5)
    assert fork.body("/a") == noise(CHUNK + 1)
    # A version that nothing names is gone as a whole.
    assert files.get("/a", version=version).status == 404
    assert client.delete(f"/version/snapshot/{snapshot['name']}").status == 200
    collect(client)
    assert fork.body("/a") == noise(CHUNK + 1)
    assert client.delete(f"/version/fork/{fork.fork}").status == 200
    found = collect(client)
    assert (found["versions_scanned"], found["live_entries"]) == (1, 1)
    assert client.get(f"/engine/_hash/{chunk_hash(noise(5_000, 5))}").status == 404


def test_directories_that_are_trees(own):
    client = own.client()
    files = Files(client)
    assert send_chunk(client, b"x").status == 201
    names = [f"{i:04}" for i in range(2_000)]
    assert commit_files(client, *((f"/d/{name}", [b"x"]) for name in names)).json["committed"] == 2_000
    for name in names[::100]:
        files.store(f"/d/{name}", b"changed " + name.encode())
    found = collect(client)
    assert found["garbage_entries"] > 20
    assert files.names("/d") == names
    assert files.body("/d/0100") == b"changed 0100" and files.body("/d/0101") == b"x"
    assert collect(client)["garbage_entries"] == 0


@pytest.mark.parametrize("content_type,least,most", [("text/plain", 100, 30_000), ("application/zip", 280_000, 290_000)])
def test_what_compresses_takes_less(own, content_type, least, most):
    client = own.client()
    files = Files(client)
    body = b"word after word" * 18_800
    files.store("/a", body, content_type)
    assert files.body("/a") == body
    assert files.get("/a", headers={"Range": "bytes=262140-262149"}).body == body[262_140:262_150]
    files.delete("/a")
    assert least < collect(client)["reclaimed_bytes"] < most


def test_chunks_of_uploads_under_way_stay(own):
    client = own.client()
    data = noise(9_000, 9)
    assert send_chunk(client, data).status == 201
    collect(client)
    assert commit_files(client, ("/a", [data])).status == 200
    collect(client)
    assert Files(client).body("/a") == data


def test_writes_go_on_meanwhile(own):
    """What is written, replaced, and written again while collections run is all there."""
    client = own.client()
    stop = threading.Event()
    # Set by every write: a collection follows upon it, and not upon the collection before, which would leave writers no room.
    written = threading.Event()
    failures = []

    def write(number):
        try:
            files = Files(own.client(), f"/w{number}")
            for at in range(30):
                # Bytes that others write as well, and have just let go.
                body = noise(2_000 + at % 7, 3)
                files.store(f"/{at % 10}", body)
                written.set()
                assert files.body(f"/{at % 10}") == body
                if at % 9 == 8:
                    files.delete(f"/{at % 10}")
        except Exception as error:  # whatever it is, the test says it
            failures.append(error)

    def run():
        own_client = own.client()
        while not stop.is_set():
            written.wait()
            written.clear()
            answer = own_client.post("/admin/gc")
            # One at a time.
            if answer.status not in (200, 409):
                failures.append(answer)

    collectors = [threading.Thread(target=run) for _ in range(2)]
    writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in collectors + writers:
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    for thread in collectors:
        while thread.is_alive():
            written.set()
            thread.join(0.01)
    assert not failures
    for number in range(4):
        files = Files(client, f"/w{number}")
        last = {at % 10: at for at in range(30)}
        for slot, at in last.items():
            body = files.body(f"/{slot}")
            assert body == (None if at % 9 == 8 else noise(2_000 + at % 7, 3))
    collect(client)
    assert collect(client)["garbage_entries"] == 0


@pytest.mark.parametrize("value", ["maybe", "2", "TRUE "])
def test_dry_run_is_a_boolean(client, value):
    answer = client.post(f"/admin/gc?dry_run={value.replace(' ', '%20')}")
    assert answer.status == 400 and "dry_run" in answer.json["error"]


@pytest.mark.parametrize("query,body", [("?dry_run=true", None), ("", {"dry_run": True}), ("?dry_run=1", {"dry_run": False})])
def test_a_dry_run_is_asked_for_in_the_query_or_the_body(own, query, body):
    client = own.client()
    files = Files(client)
    files.store("/a", b"old" * 500)
    files.store("/a", b"new")
    assert client.post("/admin/gc" + query, body).json["dry_run"] is True
    task = client.post("/admin/tasks/gc" + query, body).json
    assert task["args"] == {"dry_run": True}
    assert "would be collected" in ended(client, task["id"])["message"]
    assert collect(client)["garbage_entries"] > 0


@pytest.mark.parametrize("body", [None, {}, {"dry_run": False}, {"dry_run": True}])
def test_as_a_task(own, body):
    client = own.client()
    files = Files(client)
    files.store("/a", b"old" * 500)
    files.store("/a", b"new")
    counted = client.post("/admin/gc?dry_run=true").json
    answer = client.post("/admin/tasks/gc", body)
    assert answer.status == 200
    started = answer.json
    dry_run = bool(body and body.get("dry_run"))
    assert (started["task_type"], started["status"], started["args"]) == ("gc", "pending", {"dry_run": dry_run})
    done = ended(client, started["id"])
    assert set(done) == TASK
    assert (done["status"], done["error"], done["progress"]) == ("completed", None, 1.0)
    assert done["total_count"] == done["indexed_count"] == counted["live_entries"] + counted["garbage_entries"] > 0
    assert done["created_at"] <= done["started_at"] <= done["completed_at"]
    assert done["id"] in [task["id"] for task in client.get("/admin/tasks").json]
    assert "garbage" in done["message"]
    assert (collect(client)["garbage_entries"] > 0) == dry_run


@pytest.mark.parametrize("body", [b"[]", b"{", b'{"dry_run":1}', b'{"dry_run":"x"}'])
def test_bodies_that_are_refused(client, body):
    for door in ("/admin/gc", "/admin/tasks/gc"):
        answer = client.post(door, body)
        assert answer.status == 400 and answer.json["error"]


@pytest.mark.parametrize("verb,suffix", [("DELETE", ""), ("POST", "/cancel")])
def test_cancelling(client, verb, suffix):
    task = client.post("/admin/tasks/gc", {"dry_run": True}).json["id"]
    answer = client.request(verb, f"/admin/tasks/{task}{suffix}")
    # It may have ended before.
    assert answer.status == 200 and answer.json["id"] == task
    assert answer.json["status"] in ("cancelled", "completed")
    assert ended(client, task)["status"] == answer.json["status"]
