"""What the scenarios of replicas share: a follower of a server, waiting for it, comparing the two."""

import json
import os
import pathlib
import random
import socket
import time

from strata_server import Server, b64

DEADLINE_S = 60


def fixed_port():
    """For a server that comes back at its port: below those that the system gives away meanwhile, also to the follower
    that knocks there; and of this process's own share, since others look for such ports at the same time."""
    low = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    share = (max(low, 26_000) - 10_000) // 16
    first = 10_000 + share * (int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 16)
    while True:
        port = random.randrange(first, first + share)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def leader_server(*arguments, **options):
    return Server("--port", str(fixed_port()), *arguments, **options)


def follower_of(leader, *arguments, **options):
    return Server("--follow", f"http://127.0.0.1:{leader.port}", *arguments, **options)


def until(condition, what, deadline_s=DEADLINE_S):
    """Asks again and again; the last answer of the condition, which is true."""
    end = time.monotonic() + deadline_s
    while True:
        last = condition()
        if last:
            return last
        assert time.monotonic() < end, f"not in time: {what}"
        time.sleep(0.01)


def namespaces(client):
    return {entry["name"]: entry for entry in client.get("/replica").json["namespaces"]}


def position(client, name):
    answer = client.get(f"/api/v1/{name}/offset")
    assert answer.status == 200, answer
    return (answer.json["segmentId"], answer.json["offset"]), answer.headers["X-Log-Id"]


def caught_up(leader, replica, name="default"):
    """Waits until the replica has everything that the leader has now."""
    wanted, log_id = position(leader, name)

    def reached():
        entry = namespaces(replica).get(name)
        return entry and entry.get("logId") == log_id and (entry["segmentId"], entry["offset"]) >= wanted and entry

    return until(reached, f"{name} at {wanted} of {log_id}")


def log_operations(client, name="default"):
    """All operations of the log that is kept, in order; objects by size and checksum, their ids are each store's own."""
    answer = client.get(f"/api/v1/{name}/log")
    assert answer.status == 200, answer
    operations = []
    for line in answer.body.splitlines():
        for operation in json.loads(line)["ops"]:
            operation.pop("object", None)
            operations.append(operation)
    return operations


def everything(client, name="default"):
    """Values, rows and objects, by the lists of keys; versions are each store's own."""
    contents = {}
    for kind, items in (("kv", "items"), ("row", "rows")):
        cursor = ""
        while True:
            page = client.get(f"/api/v1/{name}/{kind}?limit=1000{cursor}")
            assert page.status == 200, page
            for item in page.json[items]:
                item.pop("version")
                key = item.pop("keyBase64", None) or item.pop("rowKeyBase64", None) or item.get("key") or item["rowKey"]
                contents[kind, key] = item
            if not page.json["nextCursor"]:
                break
            cursor = "&cursor=" + page.json["nextCursor"]
    return contents


def write_everything(client, name="default", seed=1):
    """Some of every operation there is."""
    draw = random.Random(seed)
    base = f"/api/v1/{name}"

    def done(answer):
        assert answer.status in (200, 201), answer

    for i in range(20):
        done(client.put(f"{base}/kv/key{draw.randrange(12)}", {"value": b64(draw.randbytes(draw.randrange(2_000)))}))
    done(client.put(f"{base}/kv/%00%FF%22%0A", {"value": b64(b"\x00\xff")}))
    done(client.put(f"{base}/kv/large", {"value": b64(draw.randbytes(400_000))}))
    done(client.delete(f"{base}/kv/key3"))
    done(client.post(f"{base}/kv/batch", {"operation": "put", "items": [
        {"key": f"batch{i}", "value": b64(draw.randbytes(50))} for i in range(300)]}))
    done(client.post(f"{base}/kv/batch", {"operation": "delete", "keys": ["batch1", "batch2", "none"]}))
    done(client.put(f"{base}/row/r1", {"columns": {"a": b64(b"1"), "b": "", "ü": b64(draw.randbytes(200_000))}}))
    done(client.put(f"{base}/row/%FE%00", {"columns": {"c": b64(b"x")}}))
    done(client.put(f"{base}/row/bare", {"columns": {}}))
    done(client.delete(f"{base}/row/r1/columns?columns=a,none"))
    done(client.delete(f"{base}/row/none"))
    done(client.put(f"{base}/lob/small", b"s"))
    done(client.put(f"{base}/lob/empty", b""))
    done(client.put(f"{base}/lob/large%2F%FF", draw.randbytes(1_500_000)))
    done(client.put(f"{base}/lob/small", draw.randbytes(100_000)))
    done(client.put(f"{base}/lob/gone", b"g"))
    done(client.delete(f"{base}/lob/gone"))
