"""What the scenarios of backups share."""

import pathlib
import subprocess

from strata_server import b64, binary

API = "/api/v1/"


def backups_of(server, namespace):
    return server.directory / "data" / "backups" / namespace


def take_snapshot(client, namespace, path="all.db"):
    answer = client.post(f"{API}{namespace}/btree/backup", {"path": path})
    assert answer.status == 200, answer
    return pathlib.Path(answer.json["path"])


def take_segments(client, namespace, directory="wal", after=0):
    answer = client.post(f"{API}{namespace}/wal/backup", {"backupDir": directory, "afterSegmentId": after})
    assert answer.status == 200, answer
    return answer.json["backups"]


def restore(directory, namespace, *arguments):
    """`strata restore` into a server's directory."""
    return subprocess.run([binary(), "restore", "--database", str(directory / "data"), "--namespace", namespace,
                           *map(str, arguments)], capture_output=True, text=True, timeout=120)


def restored(directory, namespace, *arguments):
    ended = restore(directory, namespace, *arguments)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def put(client, namespace, key, value):
    answer = client.put(f"{API}{namespace}/kv/{key}", {"value": b64(value)})
    assert answer.status == 200, answer


def value(client, namespace, key):
    return client.get(f"{API}{namespace}/kv/{key}").json["value"]


def columns(client, namespace, row):
    return client.get(f"{API}{namespace}/row/{row}").json["columns"]


def frames(data):
    """Where the frames of a backup begin, and where it ends."""
    at = 9
    places = [at]
    while at < len(data):
        at += 13 + int.from_bytes(data[at + 9:at + 13], "little")
        places.append(at)
    return places
