"""Leaders that lie, stall, break off or refuse: the replica says what is wrong, stays small and well, and goes on when all
is well again."""

import json
import pathlib
import re
import time

import pytest

from replica_proxy import Proxy, certificate
from replica_support import caught_up, everything, leader_server, namespaces, until, write_everything
from strata_server import Server, b64

LOG = "/api/v1/default/log"
# Of a replica under attack. A line may have 256 MiB, and is there twice for a moment when its buffer grows.
MEMORY_MB = 650


@pytest.fixture
def leader():
    with leader_server() as running:
        write_everything(running.client())
        yield running


def follower_of(proxy, *arguments, scheme="http", host="127.0.0.1", **options):
    return Server("--follow", f"{scheme}://{host}:{proxy.port}", *arguments, **options)


def complaints(client):
    """All that is said to be wrong."""
    state = client.get("/replica").json
    return "\n".join(error for error in (state["error"], *(entry["error"] for entry in state["namespaces"])) if error)


def complains(client, words):
    return until(lambda: (said := complaints(client)) and re.search(words, said) and said, f"a complaint about {words}")


def memory_mb(server):
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024


def is_well(server):
    client = server.client()
    assert client.get("/health").status == 200
    assert memory_mb(server) < MEMORY_MB
    client.close()


def record(**fields):
    good = {"segmentId": 1, "offset": 1 << 40, "lsn": 1 << 40, "timestamp": "2026-01-15T10:30:45Z",
            "version": "00000000019f0a200000", "ops": [{"op": "put", "key": "k", "value": ""}]}
    return json.dumps({**good, **fields}).encode() + b"\n"


def on(path, act):
    return lambda exchange: exchange.path.startswith(path) and act(exchange)


def behind_the_log(data):
    """What the leader has, and then this."""
    def act(exchange):
        def change(piece, _):
            exchange.chunk(piece)
            exchange.chunk(data)
            exchange.end()
            raise ConnectionError
        return exchange.forward(change)
    return on(LOG, act)


def endless(exchange):
    exchange.begin()
    piece = b"x" * (1 << 20)
    while True:
        exchange.chunk(piece)


def in_place_of_objects(data):
    return lambda exchange: "object=" in exchange.path and exchange.answer(data)


def flipped(piece, at):
    index = 500_000 - at
    if not 0 <= index < len(piece):
        return piece
    return piece[:index] + bytes([piece[index] ^ 1]) + piece[index + 1:]


def cut_off(piece, at):
    if at + len(piece) > 300_000:
        raise ConnectionError
    return piece


def names(*listed):
    return json.dumps({"namespaces": [{"name": name, "logId": "x-1"} for name in listed], "more": False}).encode()


# What the leader does, and what the replica says of it.
LOG_LIES = {
    "endless line": (on(LOG, endless), "a line of more than 268435456 bytes"),
    "truncated JSON": (behind_the_log(b'{"segmentId":1,\n'), "record of the leader's log is not understood"),
    "no JSON": (behind_the_log(b"\x00\xff\n"), "record of the leader's log is not understood"),
    "deep JSON": (behind_the_log(b"[" * 100_000 + b"\n"), "record of the leader's log is not understood"),
    "number too large": (behind_the_log(record(lsn=1 << 64)), "not understood"),
    "number with exponent": (behind_the_log(record().replace(b'"offset": 1099511627776', b'"offset": 1e999')), "not understood"),
    "negative number": (behind_the_log(record(offset=-1)), "offset is no number"),
    "record from the future": (behind_the_log(record()), "the leader sent record 1099511627776 at"),
    "no timestamp": (behind_the_log(record(timestamp="now")), "timestamp is no time"),
    "unknown operation": (behind_the_log(record(ops=[{"op": "\x1b[31m"}])), r"the operation \S+ is unknown"),
    "key too long": (behind_the_log(record(ops=[{"op": "delete", "key": "k" * 9_000}])), "key"),
    "no base64": (behind_the_log(record(ops=[{"op": "put", "key": "k", "value": "***"}])), "base64"),
    "an end that is no position": (on("/api/v1/default/offset", lambda e: e.answer(b'{"segmentId":"1"}')), "no position"),
    "an end without end": (on("/api/v1/default/offset", endless), "longer than it can be"),
    "no log": (on(LOG, lambda e: e.answer(b"\x1b[31mno", status=500)), "answered 500: (?!\x1b)"),
    "an answer that ends": (on(LOG, lambda e: e.answer(b"")), "ended the stream"),
    "a redirect": (on(LOG, lambda e: e.answer(b"", status=302, Location="http://127.0.0.1:1/")), "answered 302"),
    "another object": (in_place_of_objects(b"something else"), "other bytes than those of the object"),
    "an object of another size": (in_place_of_objects(b"x" * 3_000_000), "other bytes than those of the object"),
    "no names": (on("/api/v1?", lambda e: e.answer(b'{"namespaces":[{}]}')), "a namespace without name"),
    "a name that is none": (on("/api/v1?", lambda e: e.answer(names("../../etc"))), "namespace"),
    "names again and again": (on("/api/v1?", lambda e: e.answer(names("a", "a"))), "out of order"),
    "a list without end": (on("/api/v1?", endless), "longer than it can be"),
    "more names than there can be": (
        lambda e: e.path.startswith("/api/v1?") and e.answer(names(*(
            f"{int((re.search('after=n([0-9]+)', e.path) or [0, -1])[1]) + 1 + i:07d}".join(("n", "")) for i in range(1_000)))),
        "more than 10000 namespaces"),
}


@pytest.mark.parametrize("lie", LOG_LIES)
def test_a_log_that_lies(leader, lie):
    rule, words = LOG_LIES[lie]
    ours = leader.client()
    with Proxy(leader) as proxy, follower_of(proxy) as replica:
        theirs = replica.client()
        caught_up(ours, theirs)
        contents = everything(ours)
        proxy.obey(rule)
        assert ours.put("/api/v1/default/lob/new", b"n" * 1_000).status == 200
        said = complains(theirs, words)
        assert all(c == "\n" or c.isprintable() for c in said), said
        is_well(replica)
        assert everything(theirs) == contents
        assert [entry for entry in namespaces(theirs) if not entry.startswith("n0")] == ["default"]
        proxy.obey(None)
        caught_up(ours, theirs)
        assert everything(theirs) == everything(ours)
        assert theirs.get("/api/v1/default/lob/new").body == b"n" * 1_000
        until(lambda: not complaints(theirs), "no complaints")


COPY_LIES = {
    "a flipped byte": (lambda e: e.forward(flipped), "damaged|checksum"),
    "an early end": (lambda e: e.forward(cut_off), "."),
    "nothing": (lambda e: e.answer(b""), "not a backup|damaged"),
    "something else": (lambda e: e.answer(b"<html>" * 1_000), "not a backup"),
    "noise without end": (endless, "not a backup"),
    "too busy": (lambda e: e.answer(b"{}", status=429), "answered 429"),
}


@pytest.mark.parametrize("lie", COPY_LIES)
def test_a_copy_that_lies(leader, lie):
    rule, words = COPY_LIES[lie]
    ours = leader.client()
    with Proxy(leader) as proxy:
        proxy.obey(on("/api/v1/default/snapshot", rule))
        with follower_of(proxy) as replica:
            theirs = replica.client()
            complains(theirs, words)
            is_well(replica)
            assert everything(theirs) == {}
            assert "logId" not in namespaces(theirs)["default"]
            proxy.obey(None)
            caught_up(ours, theirs)
            assert everything(theirs) == everything(ours)
            until(lambda: not complaints(theirs), "no complaints")


def test_ids_that_do_not_fit(leader):
    ours = leader.client()
    with Proxy(leader) as proxy:
        proxy.obey(lambda e: e.path.startswith("/api/v1?") and e.answer(names("default")))
        with follower_of(proxy) as replica:
            theirs = replica.client()
            complains(theirs, "the leader lists log x-1 of the namespace and sent a copy with log ")
            assert everything(theirs) == {}
            # Now a stream that is of another log than it should be: copied anew, over and over, and told.
            proxy.obey(on(LOG, lambda e: e.forward(log_id="y-1")))
            complains(theirs, "made anew")
            is_well(replica)
            proxy.obey(None)
            caught_up(ours, theirs)
            assert everything(theirs) == everything(ours)


@pytest.mark.parametrize("where", ["/api/v1?", "/api/v1/default/snapshot", LOG, "/api/v1/default/offset"])
def test_a_leader_that_drips(leader, where):
    """A byte now and then: nothing waits for it but the stream itself."""
    ours = leader.client()

    def drip(exchange):
        exchange.begin()
        while True:
            exchange.chunk(b" ")
            time.sleep(0.2)

    with Proxy(leader) as proxy:
        copied = where != "/api/v1/default/snapshot"
        proxy.obey(None if copied else on(where, drip))
        with follower_of(proxy) as replica:
            theirs = replica.client()
            if copied:
                caught_up(ours, theirs)
                proxy.obey(on(where, drip))
            if where == "/api/v1?":
                until(lambda: not theirs.get("/replica").json["connected"], "the silence")
                assert int(theirs.get("/api/v1/default/kv/large").headers["X-Replica-Lag-Ms"]) >= 3_000
            else:
                state = "following" if where == LOG else "copying" if not copied else "waiting"
                until(lambda: namespaces(theirs).get("default", {}).get("state") == state, state)
            is_well(replica)
            assert everything(theirs) == (everything(ours) if copied else {})
            begun = time.monotonic()
            assert theirs.post("/replica/promote").status == 200
            assert time.monotonic() - begun < 5
            write_everything(theirs, seed=2)
            assert replica.stop() == 0


def test_a_wrong_address_and_what_is_no_leader():
    with Server("--follow", "http://127.0.0.1:1") as replica:
        theirs = replica.client()
        complains(theirs, "127.0.0.1 port 1|[Cc]onnection refused")
        state = theirs.get("/replica").json
        assert (state["role"], state["connected"]) == ("replica", False)
        assert replica.stop() == 0
    with Server("--follow", "http://no-such-host.invalid") as replica:
        complains(replica.client(), "no-such-host.invalid")
    with Proxy(None) as proxy:
        proxy.obey(lambda e: e.answer(b"<html>It works!</html>"))
        with follower_of(proxy) as replica:
            complains(replica.client(), "no list of namespaces")


def test_keys():
    with leader_server(environment={"STRATA_API_KEYS": "right,other"}) as leader:
        key = {"X-API-Key": "other"}
        ours = leader.client()
        assert ours.put("/api/v1/default/kv/k", {"value": b64(b"v")}, headers=key).status == 200
        for environment in ({}, {"STRATA_FOLLOW_KEY": "wrong"}):
            with follower_of(leader, environment=environment) as replica:
                said = complains(replica.client(), "answered 401")
                assert "wrong" not in said and "wrong" not in replica.log()
        with follower_of(leader, environment={"STRATA_FOLLOW_KEY": "right"}) as replica:
            theirs = replica.client()
            until(lambda: theirs.get("/api/v1/default/kv/k").status == 200, "the value")
            assert "right" not in replica.log()


def test_certificates(leader, tmp_path):
    context, file = certificate(tmp_path, "IP:127.0.0.1")
    with Proxy(leader, context) as proxy:
        with follower_of(proxy, scheme="https") as replica:
            complains(replica.client(), "certificate")
        with follower_of(proxy, "--follow-ca", str(file), scheme="https", host="localhost") as replica:
            complains(replica.client(), "localhost")
        with follower_of(proxy, "--follow-ca", str(file), scheme="https") as replica:
            caught_up(leader.client(), replica.client())
            assert everything(replica.client()) == everything(leader.client())
    with Proxy(leader) as proxy, follower_of(proxy, scheme="https") as replica:
        complains(replica.client(), "SSL|TLS|tls|ssl")
