"""The end of a replica, the starts that are refused, and what a replica answers to whoever wants to write."""

import pytest

from replica_support import caught_up, everything, follower_of, leader_server, namespaces, until, write_everything
from strata_server import Server, b64

# Operations that change no data which the leader has: they are the replica's own, or read.
ITS_OWN = {
    "promoteReplica", "backupWal", "backupBtree", "deleteTask", "cancelTask", "scanTable", "queryTable",
    "searchCollection", "searchBatch", "traverseGraph", "detectGhosts", "coneSearch", "computeCentroid", "interpolate",
    "detectDrift", "clusterVectors", "reduceDimensions", "computeAnalogy", "sampleDiversity",
}


@pytest.fixture
def leader():
    with leader_server() as running:
        yield running


def refused(server):
    """Starts it; the words with which it ended at once, by the exit code of wrong settings."""
    with pytest.raises(AssertionError) as ended:
        server.start()
    assert "the server ended with 2" in str(ended.value), ended.value
    return str(ended.value)


def test_promoted_it_takes_writes(leader):
    ours = leader.client()
    write_everything(ours)
    with follower_of(leader) as replica:
        theirs = replica.client()
        caught_up(ours, theirs)
        contents = everything(ours)
        answer = theirs.post("/replica/promote")
        assert (answer.status, answer.json) == (200, {"role": "leader", "promoted": True})
        assert everything(theirs) == contents
        write_everything(theirs, seed=2)
        assert theirs.put("/api/v1/its-own").status == 201
        assert "X-Replica-Position" not in theirs.get("/api/v1/default/kv/large").headers
        assert theirs.get("/replica").json == {"role": "leader", "promoted": True}
        # What the old leader still takes does not come here.
        assert ours.put("/api/v1/default/kv/late", {"value": b64(b"1")}).status == 200
        assert theirs.post("/replica/promote").status == 200
        assert theirs.get("/api/v1/default/kv/late").status == 404
        # What a kill shows is what was answered.
        contents = everything(theirs)
        replica.kill()
        words = refused(replica)
        assert "was promoted" in words and "empty directory" in words
        replica.arguments = []
        theirs = replica.start().client()
        assert theirs.get("/replica").json == {"role": "leader", "promoted": True}
        assert everything(theirs) == contents
        write_everything(theirs, seed=3)
        with follower_of(replica) as next_one:
            caught_up(theirs, next_one.client())
            assert everything(next_one.client()) == everything(theirs)
        assert replica.stop() == 0


def test_promoted_without_its_leader_and_amid_its_copy(leader):
    ours = leader.client()
    for i in range(40):
        assert ours.put(f"/api/v1/default/lob/large{i}", bytes(1_000_000)).status == 200
    with follower_of(leader) as replica:
        # At whatever moment: the copy that is coming in is given up, what is shown is one that was whole.
        theirs = replica.client()
        leader.kill()
        answer = theirs.post("/replica/promote")
        assert answer.status == 200, answer
        there = [theirs.get(f"/api/v1/default/lob/large{i}").status for i in range(40)]
        assert there in ([200] * 40, [404] * 40)
        write_everything(theirs)
        assert replica.stop() == 0, replica.log()


def test_nobody_to_promote(leader):
    ours = leader.client()
    assert ours.get("/replica").json == {"role": "leader", "promoted": False}
    answer = ours.post("/replica/promote")
    assert answer.status == 400 and "follows no leader" in answer.json["error"]


def test_starts_that_are_refused(leader):
    write_everything(leader.client())
    url = f"http://127.0.0.1:{leader.port}"
    with follower_of(leader) as replica:
        caught_up(leader.client(), replica.client())
        assert replica.stop() == 0
        arguments, replica.arguments = replica.arguments, []
        assert "--follow URL" in refused(replica)
        # It is no less a replica for that.
        replica.arguments = arguments
        caught_up(leader.client(), replica.start().client())
    with Server() as other:
        assert other.client().put("/api/v1/mine").status == 201
        assert other.client().put("/api/v1/mine/kv/k", {"value": ""}).status == 200
        other.stop()
        other.arguments = ["--follow", url]
        words = refused(other)
        assert "data of its own (namespace mine)" in words
        other.arguments = []
        other.start()
        assert other.client().get("/api/v1/mine/kv/k").status == 200
    with Server("--follow", url, "--namespace", "n", start=False) as both:
        assert "namespace" in refused(both)
    for wrong in ("127.0.0.1:8080", "ftp://host", "http://", "http://host/path", "http://me@host", "http://host:99999",
                  "http://host?x", ""):
        with Server("--follow", wrong, start=False) as replica:
            assert "follow" in refused(replica)


def test_an_empty_store_may_become_a_replica(leader):
    write_everything(leader.client())
    with Server("--namespace", "empty") as replica:
        assert replica.stop() == 0
        replica.arguments = ["--follow", f"http://127.0.0.1:{leader.port}"]
        theirs = replica.start().client()
        caught_up(leader.client(), theirs)
        until(lambda: set(namespaces(theirs)) == {"default"}, "the end of the empty namespace")


def operations(client):
    for path, methods in client.get("/openapi.json").json["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def test_every_write_names_the_leader(leader):
    assert leader.client().put("/api/v1/default/kv/k", {"value": ""}).status == 200
    with follower_of(leader) as replica:
        theirs = replica.client()
        caught_up(leader.client(), theirs)
        seen = 0
        for method, path, operation in operations(theirs):
            if method in ("GET", "HEAD") or operation["operationId"] in ITS_OWN:
                continue
            for part in path.split("/"):
                if part.startswith("{"):
                    path = path.replace(part, "default" if part == "{namespace}" else "x")
            answer = theirs.request(method, path, body={})
            assert answer.status == 403, (method, path)
            assert f"http://127.0.0.1:{leader.port}" in answer.json["error"], (method, path)
            seen += 1
        assert seen >= 18
        assert theirs.post("/api/v1/default/wal/backup", {"backupDir": "log"}).status == 200
        assert theirs.post("/api/v1/default/btree/backup", {"path": "copy"}).status == 200
        assert len(everything(theirs)) == 1


def test_who_may_promote(leader):
    with follower_of(leader, environment={"STRATA_API_KEYS": "the-key"}) as replica:
        theirs = replica.client()
        assert theirs.get("/replica").status == 401
        assert theirs.post("/replica/promote").status == 401
        key = {"X-API-Key": "the-key"}
        assert theirs.get("/replica", headers=key).json["role"] == "replica"
        assert theirs.post("/replica/promote", headers=key).status == 200
