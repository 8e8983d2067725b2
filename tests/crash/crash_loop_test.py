"""The crash loop must be able to fail: planted losses and torn writes are found."""

import json
import pathlib
import random
import struct
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import crash_loop
import file_load
import load
import onlookers
import power_cut
import vector_load


def client_with(*effects_and_acks):
    """A client that sent these operations a second apart from 1.0, each acknowledged half a second later or never."""
    client = load.Client(0, random.Random(1))
    for at, (effects, acknowledged) in enumerate(effects_and_acks, 1):
        operation = load.Operation("PUT", "/", None, effects)
        operation.sent_at = float(at)
        operation.acknowledged_at = at + 0.5 if acknowledged else None
        client.operations.append(operation)
    return client


def seen(client, **values):
    answer = {key: None for key in client.keys()}
    for key in answer:
        if key[0] in ("vec", "file"):
            continue
        answer[key] = values.get(key[1].split("-", 1)[1].replace("-", "_"))
    return answer


def check(client, durability="sync", killed_at=100.0, **values):
    return crash_loop.check_round([client], seen(client, **values), durability, killed_at)


K0, K1 = ("kv", "c0-k0"), ("kv", "c0-k1")
GROUP = [("kv", "c0-g0-0"), ("kv", "c0-g0-1")]


def test_acknowledged_and_in_flight():
    for last in ("1", "2"):  # the write under way may be there or not
        client = client_with(({K0: "1"}, True), ({K0: "2"}, False))
        assert check(client, k0=last) == (1, 0)
        assert client.model[K0] == last


@pytest.mark.parametrize("durability", ["sync", "async"])
def test_a_lost_write_is_found(durability):
    with pytest.raises(AssertionError, match="wrong"):
        check(client_with(({K0: "1"}, True), ({K1: "2"}, False)), durability)


def test_a_torn_batch_is_found():
    client = client_with(({key: "1" for key in GROUP}, True), ({key: "2" for key in GROUP}, False))
    with pytest.raises(AssertionError):
        check(client, g0_0="2", g0_1="1")


def test_a_value_that_was_never_sent_is_found():
    with pytest.raises(AssertionError):
        check(client_with(({K0: "1"}, True)), k0="1", k1="ghost")


def test_a_deleted_value_that_is_back_is_found():
    with pytest.raises(AssertionError):
        check(client_with(({K0: "1"}, True), ({K0: None}, True)), k0="1")


def test_async_may_lose_the_newest_alone():
    operations = (({K0: "1"}, True), ({K0: "2"}, True))
    assert check(client_with(*operations), "async", killed_at=2.6, k0="1") == (2, 1)
    with pytest.raises(AssertionError):
        check(client_with(*operations), "async", killed_at=3.5, k0="1")  # acknowledged a second before the kill


def test_a_delete_of_an_absent_key_is_kept_or_lost():
    lost = client_with(({K0: "1"}, True))
    idle = load.Client(1, random.Random(1))
    operation = load.Operation("DELETE", "/", None, {("kv", "c1-k0"): None})
    operation.sent_at, operation.acknowledged_at = 1.8, 1.9  # after the lost one's answer, and nobody can tell
    idle.operations.append(operation)
    answers = {**seen(lost), **{key: None for key in idle.keys()}}
    assert crash_loop.check_round([lost, idle], answers, "async", 1.95) == (2, 1)


def test_async_losing_an_older_write_of_another_client_is_found():
    lost = client_with(({K0: "1"}, True))
    kept = load.Client(1, random.Random(1))
    operation = load.Operation("PUT", "/", None, {("kv", "c1-k0"): "x"})
    operation.sent_at, operation.acknowledged_at = 1.8, 1.9  # sent after the lost one's answer at 1.5
    kept.operations.append(operation)
    answers = {**seen(lost), **{key: None for key in kept.keys()}, ("kv", "c1-k0"): "x"}
    with pytest.raises(AssertionError, match="older than one that was kept"):
        crash_loop.check_round([lost, kept], answers, "async", 1.95)


def test_a_transaction_before_its_commit_is_never_there():
    client = client_with(({K0: "1"}, True))
    client.operations.append(load.Operation("POST", "/tx/TXN/commit", None, {K0: "2"}, [("POST", "/tx/begin", {})]))
    assert client.operations[-1].next_request() == ("POST", "/tx/begin", {})
    with pytest.raises(AssertionError, match="wrong"):
        check(client, k0="2")
    assert check(client, k0="1") == (1, 0)


def test_a_transaction_is_there_in_whole_or_not_at_all():
    operation = load.Operation("POST", "/tx/TXN/commit", None, {K0: "2", K1: "2"}, [("POST", "/tx/begin", {})])
    for _ in range(2):
        operation.next_request()
    for values, torn in (({}, False), ({"k0": "2", "k1": "2"}, False), ({"k1": "2"}, True)):
        client = client_with()
        client.operations.append(operation)
        if torn:
            with pytest.raises(AssertionError, match="wrong"):
                check(client, **values)
        else:
            check(client, **values)


def vector(client, *values):
    return {"values": list(values), "metadata": {"client": client}}


def result(id, score, client):
    return {"id": id, "score": score, "metadata": {"client": client}}


@pytest.mark.parametrize("results, right", [
    ([result(1, 0.0, 0), result(2, 5.0, 1)], True),
    ([result(1, 0.0, 0)], False),
    ([result(1, 0.0, 0), result(2, 5.0, 1), result(3, 6.0, 1)], False),  # back from the dead
    ([result(1, 0.0, 0), result(2, 4.0, 1)], False),  # by old values
    ([result(1, 0.0, 0), result(2, 5.0, 0)], False),
    ([result(2, 5.0, 1), result(1, 0.0, 0)], False),
    ([result(1, 0.0, 0), result(1, 0.0, 0), result(2, 5.0, 1)], False),
])
def test_a_search_that_shows_something_else_is_found(results, right):
    held = {1: vector(0, 0.0, 0.0), 2: vector(1, 3.0, 4.0)}
    if right:
        vector_load.check_results(results, held, [0.0, 0.0])
    else:
        with pytest.raises(AssertionError, match="does not show"):
            vector_load.check_results(results, held, [0.0, 0.0])


def test_what_is_written_of_vectors_fits_what_is_there():
    client = load.Client(3, random.Random(1))
    kinds = set()
    for _ in range(300):
        before = {key: client.model.get(key) for key in vector_load.keys(client)}
        method, path, body, effects = vector_load.next_write(client)
        kinds.add((method, path.rsplit("/", 1)[1] if method == "POST" else ""))
        for key in effects:
            assert (before[key] is None) == (method == "POST")
        client.model.update(effects)
    assert kinds == {("POST", "snapshot"), ("POST", "bulk"), ("POST", "vectors"), ("PUT", ""), ("DELETE", "")}


def test_what_is_written_of_files_fits_what_is_there():
    client = load.Client(1, random.Random(1))
    kinds = set()
    for client.sequence in range(300):
        before = {key: client.model.get(key) for key in file_load.keys(client)}
        method, path, _, effects, requests = file_load.next_write(client)
        kinds.add((method, path.split("/")[1]))
        assert all(before[key] is not None for key in effects) or method != "DELETE"
        assert len(requests) == (2 if path == "/upload/commit" else 0)
        client.model.update(effects)
    assert kinds == {("PUT", "engine"), ("DELETE", "engine"), ("POST", "upload"), ("POST", "admin")}


def log_line(lsn, *operations):
    return json.dumps({"segmentId": 1, "offset": 10 * lsn, "lsn": lsn, "ops": operations}).encode() + b"\n"


LOG = [
    log_line(1, {"op": "put", "key": "a", "value": "1"}, {"op": "put", "key": "gone", "value": "1"}),
    log_line(2, {"op": "put_row", "key": "r", "columns": {"x": "1", "y": "1"}}, {"op": "delete", "key": "gone"}),
    log_line(3, {"op": "put_lob", "key": "l", "size": 3, "checksum": 891568578}),
    log_line(4, {"op": "put_row", "key": "r", "columns": {"x": "2"}}),
]
STATE = {("kv", "a"): "1", ("kv", "gone"): None, ("row", "r"): {"x": "2", "y": "1"}, ("lob", "l"): load.lob_of(b"abc")}


def test_the_log_replayed_is_the_state():
    replay = onlookers.Replay()
    replay.take(LOG[:2], {2: LOG[1]})
    replay.take(LOG[2:], {})
    assert replay.position == (1, 40)
    replay.check(STATE)
    for key in STATE:
        with pytest.raises(AssertionError, match="not the state"):
            replay.check({**STATE, key: "other"})


@pytest.mark.parametrize("lines, followed, error", [
    (LOG[:1] + LOG[2:], {}, "lsn 3 follows 1"),
    (LOG, {2: log_line(2)}, "another"),
    (LOG[:3], {4: LOG[3]}, "lost"),
])
def test_a_log_that_changed_under_its_reader_is_found(lines, followed, error):
    with pytest.raises(AssertionError, match=error):
        onlookers.Replay().take(lines, followed)


def record(offset, size_before, old):
    return struct.pack("=QQQ", offset, size_before, len(old)) + old


def test_unsynced_changes_are_taken_back(tmp_path):
    data, undo = tmp_path / "data", tmp_path / "undo"
    data.mkdir()
    undo.mkdir()
    file = data / "f"
    file.write_bytes(b"abXXefYYYY")  # was "abcdef": two bytes overwritten, then four appended
    log = record(2, 6, b"cd") + record(6, 6, b"") + record(0, 10, b"torn")[:-1]
    (undo / ("%d.undo" % file.stat().st_ino)).write_bytes(log)
    (undo / "1.undo").write_bytes(log)  # of a file that is gone
    lose_all = random.Random()
    lose_all.random = lambda: 0.0
    assert power_cut.cut_power(data, undo, lose_all) == 1
    assert file.read_bytes() == b"abcdef"
    assert list(undo.iterdir()) == []


def test_a_file_that_was_cut_short_comes_back():
    changes = list(power_cut.unsynced_changes(record(2, 6, b"cdef") + record(2, 2, b"")))
    assert power_cut.synced_image(b"abYY", changes) == b"abcdef"


def test_pages_survive_one_by_one():
    page = power_cut.PAGE
    synced = b"s" * (page + 10)
    now = b"n" * (4 * page)
    kept = iter([False, True, False, True])
    image = power_cut.mixed_image(now, synced, lambda: next(kept))
    assert image == b"s" * page + b"n" * page + bytes(page) + b"n" * page
    assert power_cut.mixed_image(now, synced, lambda: False) == synced
    assert power_cut.mixed_image(now, synced, lambda: True) == now
