"""What the scenarios of replicas share: a follower of a server, waiting for it, comparing the two."""

import json
import time

from strata_server import Server

DEADLINE_S = 60


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


def come_back(server, *arguments, kill=False):
    """Ends it and starts it again on the port that it had, as its followers expect it."""
    if kill:
        server.kill()
    else:
        server.stop()
    port = str(server.port)
    kept = server.arguments
    if "--port" in kept:
        at = kept.index("--port")
        kept = kept[:at] + kept[at + 2:]
    server.arguments = [*kept, *arguments, "--port", port]
    return server.start()
