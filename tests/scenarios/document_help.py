"""What the scenarios of documents share: a table for each test, and the words of the API."""

import contextlib
import itertools
import json
import os
import urllib.parse

ROOTS = ("/api/v1", "/db/v1")
_names = itertools.count()


def quoted(key):
    return urllib.parse.quote(key, safe="")


class Table:
    def __init__(self, client, name, root="/api/v1"):
        self.client = client
        self.name = name
        self.root = root
        self.path = f"{root}/tables/{name}"

    def batch(self, **body):
        return self.client.post(f"{self.path}/batch", body)

    def insert(self, documents):
        answer = self.batch(inserts=documents)
        assert answer.status == 201, answer
        return answer

    def transform(self, key, *operations, upsert=None):
        entry = {"key": key, "operations": [dict(zip(("op", "path", "value"), operation)) for operation in operations]}
        if upsert is not None:
            entry["upsert"] = upsert
        return self.batch(transforms=[entry])

    def lookup(self, key, **query):
        return self.client.get(f"{self.path}/lookup/{quoted(key)}" + (f"?{urllib.parse.urlencode(query)}" if query else ""))

    def document(self, key):
        """The parsed document, None where there is none."""
        answer = self.lookup(key)
        if answer.status == 404:
            return None
        assert answer.status == 200, answer
        return answer.json

    def version(self, key):
        answer = self.lookup(key)
        return answer.headers["X-Antfly-Version"] if answer.status == 200 else "0"

    def scan(self, **body):
        answer = self.client.post(f"{self.path}/lookup", body)
        assert answer.status == 200, answer
        assert answer.headers["Content-Type"] == "application/x-ndjson"
        return [json.loads(line) for line in answer.body.decode().splitlines()]

    def keys(self, **body):
        return [line["key"] for line in self.scan(**body)]

    def merge(self, records, **body):
        return self.client.post(f"{self.path}/merge", {"records": records, **body})


@contextlib.contextmanager
def new_table(client, **options):
    name = f"table-{os.getpid()}-{next(_names)}"
    answer = client.post(f"/api/v1/tables/{name}", options)
    assert answer.status == 200, answer
    yield Table(client, name)
    assert client.delete(f"/api/v1/tables/{name}").status in (204, 404)
