"""Readers of a namespace's log, as programs would write them."""

import http.client
import json

from strata_server import b64


def position(record):
    return record["segmentId"], record["offset"]


def read_log(client, base, after=None, **query):
    """The records behind a position, and the answer's log id."""
    if after is not None:
        query["after_segment"], query["after_offset"] = after
    text = "&".join(f"{name}={value}" for name, value in query.items())
    answer = client.get(f"{base}/log?{text}")
    assert answer.status == 200, answer
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.body.splitlines()]


def put(client, base, key, value=b"v"):
    answer = client.put(f"{base}/kv/{key}", {"value": b64(value)})
    assert answer.status == 200, answer
    return answer


class Follower:
    """One streamed answer: records as they come."""

    def __init__(self, port, base, after=None, events=False, timeout_s=60, last_event_id=None, **query):
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
        query.setdefault("follow", "true")
        if after is not None:
            query["after_segment"], query["after_offset"] = after
        headers = {"Accept": "text/event-stream"} if events else {}
        if last_event_id is not None:
            headers["Last-Event-ID"] = last_event_id
        text = "&".join(f"{name}={value}" for name, value in query.items())
        self._connection.request("GET", f"{base}/log?{text}", headers=headers)
        self.response = self._connection.getresponse()
        self.status = self.response.status
        self.events = events

    def line(self):
        return self.response.readline()

    def next(self):
        """The next record, None at the end. Of events: the record with its id."""
        if not self.events:
            line = self.line()
            return json.loads(line) if line else None
        fields = {}
        while True:
            line = self.line()
            if not line:
                return None
            line = line.decode().rstrip("\n")
            if not line and "data" in fields:
                record = json.loads(fields["data"])
                assert fields["id"] == "{}:{}".format(*position(record))
                return record
            if line and not line.startswith(":"):
                name, value = line.split(": ", 1)
                fields[name] = value

    def take(self, count):
        return [self.next() for _ in range(count)]

    def close(self):
        self._connection.close()
        self.response.close()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()
