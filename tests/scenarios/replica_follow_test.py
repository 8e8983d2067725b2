"""A replica and its leader, both the real server: what one has, the other gets, exactly once and in order."""

import shutil

import pytest

from replica_support import (caught_up, everything, follower_of, leader_server, log_operations, namespaces, position, until,
                             write_everything)
from strata_server import b64


OBJECTS = ("small", "empty", "large%2F%FF", "gone")


def assert_equal(leader, replica, name="default"):
    caught_up(leader, replica, name)
    assert everything(replica, name) == everything(leader, name)
    for key in OBJECTS:
        ours, theirs = (client.get(f"/api/v1/{name}/lob/{key}") for client in (replica, leader))
        assert (ours.status, ours.body) == (theirs.status, theirs.body), key


@pytest.fixture
def leader():
    with leader_server() as running:
        yield running


@pytest.mark.parametrize("engine", ["rocksdb", "memory"])
def test_catches_up_and_follows(leader, engine):
    ours = leader.client()
    write_everything(ours)
    with follower_of(leader, engine=engine) as replica:
        theirs = replica.client()
        assert_equal(ours, theirs)
        entry = caught_up(ours, theirs)
        assert (entry["copies"], entry["recordsApplied"]) == (1, 0)
        copied = len(log_operations(ours))
        for seed in range(2, 6):
            write_everything(ours, seed=seed)
        assert_equal(ours, theirs)
        # From the copy on, the replica's log tells the same operations in the same order.
        assert log_operations(theirs) == log_operations(ours)[copied:]
        entry = until(lambda: (e := namespaces(theirs)["default"])["lagMs"] == 0 and e, "no lag")
        assert (entry["state"], entry["error"], entry["copies"]) == ("following", "", 1)
        assert replica.stop() == 0, replica.log()


def test_records_arrive_whole(leader):
    ours = leader.client()
    with follower_of(leader) as replica:
        theirs = replica.client()
        caught_up(ours, theirs)
        for i in range(50):
            items = [{"key": f"k{j}", "value": b64(b"%d" % i)} for j in range(10)]
            assert ours.post("/api/v1/default/kv/batch", {"operation": "put", "items": items}).status == 200
            seen = {item["value"] for item in theirs.get("/api/v1/default/kv?prefix=k").json["items"]}
            assert len(seen) <= 1, "a read saw half of a batch"
        assert_equal(ours, theirs)


def test_reads_tell_position_and_lag_and_writes_are_refused(leader):
    ours = leader.client()
    assert ours.put("/api/v1/default/kv/k", {"value": b64(b"v")}).status == 200
    assert "X-Replica-Position" not in ours.get("/api/v1/default/kv/k").headers
    with follower_of(leader) as replica:
        theirs = replica.client()
        caught_up(ours, theirs)
        (segment, offset), _ = position(ours, "default")
        for path, status in (("/kv/k", 200), ("/kv/none", 404), ("/row/none", 404), ("/kv", 200), ("/log", 200),
                             ("/offset", 200), ("/lob/none", 404), ("/kv/" + "k" * 9_000, 400)):
            answer = theirs.get("/api/v1/default" + path)
            assert answer.status == status, path
            assert answer.headers["X-Replica-Position"] == f"{segment}:{offset}", path
            assert int(answer.headers["X-Replica-Lag-Ms"]) >= 0, path
        assert "X-Replica-Position" not in theirs.get("/api/v1/none/kv/k").headers
        assert "X-Replica-Position" not in theirs.get("/health").headers
        value = {"value": ""}
        for method, path, body in (
                ("PUT", "/kv/k", value), ("DELETE", "/kv/k", None), ("PUT", "/row/r", {"columns": {}}),
                ("POST", "/kv/batch", {"operation": "put", "items": []}), ("DELETE", "/row/r", None),
                ("DELETE", "/row/r/columns?columns=a", None), ("POST", "/row/batch", {"operation": "put", "rows": []}),
                ("PUT", "/lob/o", b"x"), ("DELETE", "/lob/o", None), ("PUT", "", None), ("DELETE", "", None)):
            answer = theirs.request(method, "/api/v1/default" + path, body=body)
            assert answer.status == 403, (method, path)
            assert f"http://127.0.0.1:{leader.port}" in answer.json["error"]
        assert theirs.put("/api/v1/other").status == 403
        assert theirs.post("/api/v1/default/btree/backup", {"path": "copy"}).status == 200
        # Read your own write: ask the leader where it is, wait until a read is at least there.
        assert ours.put("/api/v1/default/kv/k", {"value": b64(b"w")}).status == 200
        wanted, _ = position(ours, "default")

        def read():
            answer = theirs.get("/api/v1/default/kv/k")
            at = tuple(map(int, answer.headers["X-Replica-Position"].split(":")))
            return at >= wanted and answer

        assert until(read, "the write").json["value"] == b64(b"w")


def test_namespaces_come_and_go(leader):
    ours = leader.client()
    assert ours.put("/api/v1/one").status == 201
    write_everything(ours, "one")
    with follower_of(leader) as replica:
        theirs = replica.client()
        assert_equal(ours, theirs, "one")
        for i in range(30):
            assert ours.put(f"/api/v1/many-{i}").status == 201
        write_everything(ours, "many-7")
        assert_equal(ours, theirs, "many-7")
        assert ours.delete("/api/v1/one").status == 200
        until(lambda: theirs.get("/api/v1/one/kv/large").status == 404, "the deletion")
        until(lambda: "one" not in namespaces(theirs), "the deletion")
        # Made anew: nothing of the old one is there.
        assert ours.delete("/api/v1/many-7").status == 200
        assert ours.put("/api/v1/many-7").status == 201
        assert ours.put("/api/v1/many-7/kv/new", {"value": b64(b"1")}).status == 200
        assert_equal(ours, theirs, "many-7")
        assert [key for _, key in everything(theirs, "many-7")] == ["new"]
        assert {entry["name"] for entry in ours.get("/api/v1").json["namespaces"]} == set(namespaces(theirs))
        page = theirs.get("/replica?after=many-7&limit=2").json
        assert [entry["name"] for entry in page["namespaces"]] == ["many-8", "many-9"]
        assert page["more"] is False
        page = theirs.get("/replica?limit=1").json
        assert [entry["name"] for entry in page["namespaces"]] == ["default"] and page["more"] is True
        for limit in ("0", "x", "", "10001", "-1"):
            assert theirs.get(f"/replica?limit={limit}").status == 400, limit


def test_both_ends_stop_and_start(leader):
    ours = leader.client()
    with follower_of(leader) as replica:
        caught_up(ours, replica.client())
        copied = len(log_operations(ours))
        for seed in range(3):
            write_everything(ours, seed=seed)
            ours = leader.restart().client()
            write_everything(ours, seed=seed + 10)
            assert replica.stop() == 0, replica.log()
            write_everything(ours, seed=seed + 20)
            replica.start()
            theirs = replica.client()
            assert_equal(ours, theirs)
            assert namespaces(theirs)["default"]["copies"] == 0
        assert log_operations(theirs) == log_operations(ours)[copied:]


def test_without_its_leader_it_answers_and_says_so(leader):
    ours = leader.client()
    write_everything(ours)
    with follower_of(leader) as replica:
        theirs = replica.client()
        caught_up(ours, theirs)
        contents = everything(ours)
        leader.kill()
        until(lambda: not theirs.get("/replica").json["connected"], "the silence")
        assert replica.restart()
        theirs = replica.client()
        assert everything(theirs) == contents
        state = until(lambda: (s := theirs.get("/replica").json)["error"] and s, "an error")
        assert state["connected"] is False and state["role"] == "replica"
        assert state["namespaces"][0]["state"] == "waiting"
        lag = int(theirs.get("/api/v1/default/kv/large").headers["X-Replica-Lag-Ms"])
        assert until(lambda: int(theirs.get("/api/v1/default/kv/large").headers["X-Replica-Lag-Ms"]) > lag + 200, "age")
        ours = leader.restart().client()
        assert ours.put("/api/v1/default/kv/k", {"value": b64(b"v")}).status == 200
        assert_equal(ours, theirs)


def test_retention_that_was_faster_means_a_copy():
    with leader_server("--log-segment-bytes", "65536", "--log-retention-bytes", "65536") as leader:
        ours = leader.client()
        write_everything(ours)
        with follower_of(leader) as replica:
            caught_up(ours, replica.client())
            assert replica.stop() == 0
            (first, _), _ = position(ours, "default")
            for seed in range(2, 5):
                write_everything(ours, seed=seed)
            gone = lambda: ours.get(f"/api/v1/default/log?after_segment={first}&after_offset=0&limit=1").status == 410
            until(gone, "retention")
            replica.start()
            theirs = replica.client()
            assert_equal(ours, theirs)
            assert namespaces(theirs)["default"]["copies"] == 1
            write_everything(ours, seed=9)
            assert_equal(ours, theirs)


def test_another_store_in_the_leaders_place(leader):
    ours = leader.client()
    write_everything(ours)
    with follower_of(leader) as replica:
        theirs = replica.client()
        caught_up(ours, theirs)
        leader.stop()
        shutil.rmtree(leader.directory / "data")
        ours = leader.restart().client()
        assert ours.put("/api/v1/default/kv/other", {"value": b64(b"1")}).status == 200
        assert_equal(ours, theirs)
        assert [key for _, key in everything(theirs)] == ["other"]


@pytest.mark.parametrize("overtakes", [False, True])
def test_a_leader_that_was_taken_back(leader, overtakes):
    """An old copy of the leader's files: its log ends before ours, or goes on differently at the same places."""
    ours = leader.client()
    write_everything(ours)
    leader.stop()
    shutil.copytree(leader.directory / "data", leader.directory / "old")
    leader.start()
    ours = leader.client()
    with follower_of(leader) as replica:
        theirs = replica.client()
        caught_up(ours, theirs)
        assert ours.put("/api/v1/default/kv/forgotten", {"value": b64(b"1")}).status == 200
        assert ours.put("/api/v1/default/kv/also", {"value": b64(b"2")}).status == 200
        caught_up(ours, theirs)
        if overtakes:
            replica.stop()
        leader.stop()
        shutil.rmtree(leader.directory / "data")
        shutil.move(leader.directory / "old", leader.directory / "data")
        ours = leader.restart().client()
        # Records of the same sizes: at every position of the lost ones there is another.
        for key in ("forgetful", "olsa", "more"):
            if overtakes:
                assert ours.put(f"/api/v1/default/kv/{key}", {"value": b64(b"3")}).status == 200
        if overtakes:
            replica.start()
            theirs = replica.client()
        until(lambda: namespaces(theirs)["default"]["copies"] >= (1 if overtakes else 2), "a copy")
        assert_equal(ours, theirs)
        assert theirs.get("/api/v1/default/kv/forgotten").status == 404


def test_a_replica_is_followed(leader):
    ours = leader.client()
    write_everything(ours)
    with follower_of(leader) as middle, follower_of(middle) as last:
        assert_equal(ours, middle.client())
        assert_equal(middle.client(), last.client())
        write_everything(ours, seed=2)
        assert_equal(ours, middle.client())
        assert_equal(middle.client(), last.client())
        assert everything(last.client()) == everything(ours)


def test_more_namespaces_than_streams(leader):
    """They are asked in turn, and none is forgotten."""
    ours = leader.client()
    names = [f"n{i:03}" for i in range(515)]
    for name in names:
        assert ours.put(f"/api/v1/{name}").status == 201
    with follower_of(leader) as replica:
        theirs = replica.client()
        until(lambda: all("logId" in entry for entry in namespaces(theirs).values()) and len(namespaces(theirs)) == 516, "copies")
        for name in names[::100]:
            assert ours.put(f"/api/v1/{name}/kv/k", {"value": b64(name.encode())}).status == 200
        for name in names[::100]:
            caught_up(ours, theirs, name)
            assert theirs.get(f"/api/v1/{name}/kv/k").json["value"] == b64(name.encode())
        assert replica.stop() == 0
