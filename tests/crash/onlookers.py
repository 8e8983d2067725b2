"""Those who look on while clients write and the server is killed: a reader that follows the log, and backups.

What a reader has seen of the log of a durable store is there afterwards, byte by byte; the whole log replayed is the
state; every backup that has its name is whole.
"""

import http.client
import json
import subprocess
import threading

import load

TIMEOUT_S = 30


def request(port, method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        connection.request(method, "/api/v1/default" + path, json.dumps(body) if body is not None else None)
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise AssertionError("%s %s: %d %s" % (method, path, answer.status, content[:200]))
        return json.loads(content)
    finally:
        connection.close()


class UntilKilled(threading.Thread):
    """Does what it does until the server is gone."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.failure = port, None
        self.start()

    def run(self):
        try:
            self.look_on()
        except (OSError, http.client.HTTPException):
            pass
        except Exception as error:  # raised where it is seen, by end()
            self.failure = error

    def end(self):
        self.join(TIMEOUT_S)
        if self.is_alive():
            raise AssertionError("%s does not see that the server is gone" % type(self).__name__)
        if self.failure:
            raise self.failure


class Follower(UntilKilled):
    """Follows the log behind a position; lines: {lsn: what was received of it}, whole ones alone."""

    def __init__(self, port, position):
        self.position, self.lines = position, {}
        super().__init__(port)

    def look_on(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
        connection.request("GET", "/api/v1/default/log?follow=true&after_segment=%d&after_offset=%d" % self.position)
        answer = connection.getresponse()
        if answer.status != 200:
            raise AssertionError("GET /log: %d %s" % (answer.status, answer.read()[:200]))
        while True:
            line = answer.readline()
            if not line.endswith(b"\n"):
                return
            if line.strip():
                self.lines[json.loads(line)["lsn"]] = line


class BackupMaker(UntilKilled):
    """Snapshots and copies of segments, one after the other."""

    def __init__(self, port, backups):
        self.backups = backups
        super().__init__(port)

    def look_on(self):
        while True:
            self.backups.make(self.port)


class Backups:
    """Of one data directory, over all its lives."""

    def __init__(self, directory):
        self.directory = directory / "backups" / "default"
        self.snapshots = self.segments = 0

    def make(self, port):
        """A snapshot's path."""
        self.snapshots += 1
        answer = request(port, "POST", "/btree/backup", {"path": "snapshots/%d.db" % self.snapshots})
        wal = request(port, "POST", "/wal/backup", {"backupDir": "wal", "afterSegmentId": self.segments})
        self.segments = max([self.segments] + [segment["segmentId"] for segment in wal["backups"]])
        return self.directory / answer["path"]

    def restore(self, binary, *arguments):
        done = subprocess.run([binary, "restore", "--namespace", "default", *map(str, arguments)], capture_output=True,
                              text=True, timeout=120)
        if done.returncode != 0:
            raise AssertionError("restore %s: exit code %d, %s" % (arguments, done.returncode, done.stderr[-500:]))

    def check(self, binary):
        """Whatever has its name is whole. Snapshots then go: the next ones hold the same and more. Returns how many
        files there were."""
        snapshots = sorted(self.directory.glob("snapshots/*.db"))
        for path in snapshots:
            self.restore(binary, "--snapshot", path, "--dry-run")
            path.unlink()
        segments = sorted(self.directory.glob("wal/*.wal"))
        if segments:
            self.restore(binary, "--wal", self.directory / "wal", "--dry-run")
        return len(snapshots) + len(segments)


class Replay:
    """The state that the log tells of, as far as it was read."""

    def __init__(self):
        self.position, self.lsn, self.state = (0, 0), 0, {}

    def apply(self, operation):
        name, key = operation["op"], operation["key"]
        if name == "put":
            self.state[("kv", key)] = operation["value"]
        elif name == "put_row":
            self.state.setdefault(("row", key), {}).update(operation["columns"])
        elif name == "put_lob":
            self.state[("lob", key)] = load.lob_fingerprint(operation["size"], operation["checksum"])
        else:
            self.state.pop(({"delete": "kv", "delete_row": "row", "delete_lob": "lob"}[name], key), None)

    def catch_up(self, port, followed):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
        connection.request("GET", "/api/v1/default/log?after_segment=%d&after_offset=%d" % self.position)
        answer = connection.getresponse()
        if answer.status != 200:
            raise AssertionError("GET /log: %d %s" % (answer.status, answer.read()[:200]))
        self.take(answer, followed)
        connection.close()

    def take(self, lines, followed):
        """The log's lines behind the position, what a reader was told of them among them."""
        for line in lines:
            record = json.loads(line)
            if record["lsn"] != self.lsn + 1:
                raise AssertionError("lsn %d follows %d" % (record["lsn"], self.lsn))
            if followed.pop(record["lsn"], line) != line:
                raise AssertionError("record %d of the log is another than its reader was told" % record["lsn"])
            self.lsn, self.position = record["lsn"], (record["segmentId"], record["offset"])
            for operation in record["ops"]:
                self.apply(operation)
        if followed:
            raise AssertionError("the log lost records that its reader was told: %s" % sorted(followed)[:5])

    def check(self, seen):
        # It is a namespace's: vectors and files are not in it.
        wrong = [key for key, value in seen.items() if key[0] not in ("vec", "file") and self.state.get(key) != value]
        if wrong:
            raise AssertionError("the log replayed is not the state: %s" % wrong[:5])
