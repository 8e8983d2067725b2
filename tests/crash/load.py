"""Clients that write over HTTP and remember what they were told.

Each client owns its keys and has one request under way at a time, so after a crash its keys must look as after some
prefix of what it sent: all that was acknowledged, and perhaps the one request that was not. Batches, rows, large objects
and transactions change several values at once: seeing some of them changed is a torn write.
"""

import base64
import json
import selectors
import socket
import time
import zlib

import file_load
import vector_load

KV_KEYS, GROUPS, GROUP_KEYS, ROWS, COLUMNS, LOBS = 8, 2, 8, 3, 4, 3
LARGEST_LOB = 400_000


class Operation:
    """One write; effects: {key: value or None}, a key being ("kv", name), ("row", name), ("lob", name), ("vec", id) or
    ("file", path). What must be
    sent before it, in this order, changes nothing by itself: (method, path, body) of each, TXN standing for the id that
    the first of them answers."""

    __slots__ = ("method", "path", "body", "effects", "before", "begun", "txn", "sent_at", "acknowledged_at")

    def __init__(self, method, path, body, effects, before=()):
        self.method, self.path, self.body, self.effects, self.before = method, path, body, effects, before
        self.begun, self.txn = 0, None
        self.sent_at = self.acknowledged_at = None

    def next_request(self):
        """The next one to send, sent_at once it is the write itself."""
        if self.begun < len(self.before):
            method, path, body = self.before[self.begun]
        else:
            method, path, body = self.method, self.path, self.body
            self.sent_at = time.monotonic()
        self.begun += 1
        return method, path.replace("TXN", self.txn or ""), body


def lob_fingerprint(size, checksum):
    """Stands for an object's bytes in models and effects; the log tells the same of it."""
    return "%d bytes, CRC-32 %d" % (size, checksum)


def lob_of(content):
    return lob_fingerprint(len(content), zlib.crc32(content))


def encoded_value(random, client, sequence, size):
    text = b"%d:%d:" % (client, sequence) + random.randbytes(size)
    return base64.b64encode(text).decode()


class Client:
    """Makes operations in order; `model` is what its keys hold after all operations that are known to be applied."""

    def __init__(self, number, random):
        self.number, self.random = number, random
        self.sequence = 0
        self.model = {}
        self.operations = []

    def keys(self):
        names = ["c%d-k%d" % (self.number, i) for i in range(KV_KEYS)]
        names += ["c%d-g%d-%d" % (self.number, g, i) for g in range(GROUPS) for i in range(GROUP_KEYS)]
        rows = [("row", "c%d-r%d" % (self.number, i)) for i in range(ROWS)]
        lobs = [("lob", self.lob_name(i)) for i in range(LOBS)]
        return [("kv", name) for name in names] + rows + lobs + vector_load.keys(self) + file_load.keys(self)

    def lob_name(self, number):
        return "c%d-l%d" % (self.number, number)

    def value(self, largest):
        return encoded_value(self.random, self.number, self.sequence, self.random.randrange(largest))

    def next_operation(self):
        self.sequence += 1
        draw = self.random.random()
        if draw < 0.23:
            operation = self.put(2_000)
        elif draw < 0.37:
            operation = Operation(*file_load.next_write(self))
        elif draw < 0.50:
            operation = Operation(*vector_load.next_write(self))
        elif draw < 0.53:
            operation = self.put(700_000)  # many chunks: a value is torn if one of them is missing
        elif draw < 0.60:
            operation = self.delete()
        elif draw < 0.75:
            operation = self.batch(self.random.random() < 0.8)
        elif draw < 0.88:
            operation = self.row(self.random.random() < 0.8)
        elif draw < 0.92:
            operation = self.lob(self.random.random() < 0.85)
        elif draw < 0.96:
            operation = self.transaction()
        else:
            operation = self.lob_transaction()
        self.operations.append(operation)
        return operation

    def put(self, largest):
        name = "c%d-k%d" % (self.number, self.random.randrange(KV_KEYS))
        value = self.value(largest)
        return Operation("PUT", "/kv/" + name, {"value": value}, {("kv", name): value})

    def delete(self):
        name = "c%d-k%d" % (self.number, self.random.randrange(KV_KEYS))
        return Operation("DELETE", "/kv/" + name, None, {("kv", name): None})

    def batch(self, put):
        group = self.random.randrange(GROUPS)
        names = ["c%d-g%d-%d" % (self.number, group, i) for i in range(GROUP_KEYS)]
        if not put:
            body = {"operation": "delete", "keys": names}
            return Operation("POST", "/kv/batch", body, {("kv", name): None for name in names})
        values = {name: self.value(300) for name in names}
        items = [{"key": name, "value": value} for name, value in values.items()]
        body = {"operation": "put", "items": items}
        return Operation("POST", "/kv/batch", body, {("kv", name): value for name, value in values.items()})

    def row(self, put):
        name = "c%d-r%d" % (self.number, self.random.randrange(ROWS))
        if not put:
            return Operation("DELETE", "/row/" + name, None, {("row", name): None})
        columns = {"column%d" % i: self.value(300) for i in range(COLUMNS)}
        return Operation("PUT", "/row/" + name, {"columns": columns}, {("row", name): columns})

    def lob_content(self, largest=LARGEST_LOB):
        head = b"%d:%d:" % (self.number, self.sequence)
        return head + self.random.randbytes(self.random.randrange(int(largest ** self.random.random()) + 1))

    def lob(self, put):
        name = self.lob_name(self.random.randrange(LOBS))
        if not put:
            return Operation("DELETE", "/lob/" + name, None, {("lob", name): None})
        content = self.lob_content()
        return Operation("PUT", "/lob/" + name, content, {("lob", name): lob_of(content)})

    def ended(self, appends, effects):
        """Some transactions are given up: then nothing of them may ever be seen."""
        if self.random.random() < 0.2:
            return Operation("POST", "/tx/TXN/abort", None, {}, appends)
        return Operation("POST", "/tx/TXN/commit", None, effects, appends)

    def transaction(self):
        names = ["c%d-k%d" % (self.number, i) for i in range(KV_KEYS)]
        values = {name: self.value(3_000) for name in self.random.sample(names, 4)}
        appends = [("POST", "/tx/begin", {"operation": "put", "entryType": "kv"})]
        appends += [("POST", "/tx/TXN/kv", {"key": name, "value": value}) for name, value in values.items()]
        return self.ended(appends, {("kv", name): value for name, value in values.items()})

    def lob_transaction(self):
        """Two objects in pieces that alternate."""
        pieces = {self.lob_name(i): [self.lob_content(150_000) for _ in range(2)]
                  for i in self.random.sample(range(LOBS), 2)}
        appends = [("POST", "/tx/begin", {"operation": "put", "entryType": "lob"})]
        appends += [("POST", "/tx/TXN/lob?key=" + name, both[i]) for i in range(2) for name, both in pieces.items()]
        return self.ended(appends, {("lob", name): lob_of(b"".join(both)) for name, both in pieces.items()})


class Connection:
    """HTTP/1.1 over one socket that never blocks; one request at a time."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.out, self.received = b"", bytearray()

    def begin(self, method, path, body):
        payload = body or b""
        if isinstance(body, dict):
            payload = json.dumps(body, separators=(",", ":")).encode()
        base = "/api/v1" if path.startswith(vector_load.COLLECTION) else "/api/v1/default"
        if path.startswith(("/engine/", "/upload/", "/admin/")):
            base = ""
        head = "%s %s%s HTTP/1.1\r\nHost: crash\r\nContent-Length: %d\r\n\r\n" % (method, base, path, len(payload))
        self.out = head.encode() + payload
        self.flush()

    def flush(self):
        if self.out:
            try:
                self.out = self.out[self.socket.send(self.out):]
            except BlockingIOError:
                pass

    def read(self):
        """False when the other side is gone."""
        try:
            data = self.socket.recv(1 << 20)
        except BlockingIOError:
            return True
        self.received += data
        return bool(data)

    def answer(self):
        """(status, body) once it is complete."""
        end = self.received.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = bytes(self.received[:end]).decode("latin-1").split("\r\n")
        length = next(int(line.split(":")[1]) for line in head if line.lower().startswith("content-length:"))
        if len(self.received) < end + 4 + length:
            return None
        body = bytes(self.received[end + 4:end + 4 + length])
        del self.received[:end + 4 + length]
        return int(head[0].split()[1]), body


class Loop:
    """Drives connections with one selector. begin(index, connection) -> False when it has nothing more to send;
    finished(index, status, body) for each answer."""

    def __init__(self, port, count):
        self.selector = selectors.DefaultSelector()
        self.connections = [Connection(port) for _ in range(count)]
        for index, connection in enumerate(self.connections):
            self.selector.register(connection.socket, selectors.EVENT_READ, index)
        self.open = set(range(count))

    def close(self, index):
        connection = self.connections[index]
        self.selector.unregister(connection.socket)
        connection.socket.close()
        self.open.discard(index)

    def begin(self, index, begin):
        connection = self.connections[index]
        try:
            if not begin(index, connection):
                self.close(index)
                return
        except OSError:
            self.selector.modify(connection.socket, selectors.EVENT_READ, index)
            return
        self.watch(index)

    def watch(self, index):
        connection = self.connections[index]
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.out else 0)
        self.selector.modify(connection.socket, events, index)

    def step(self, index, events, begin, finished):
        connection = self.connections[index]
        try:
            if events & selectors.EVENT_WRITE:
                connection.flush()
                self.watch(index)
            alive = connection.read() if events & selectors.EVENT_READ else True
        except OSError:
            alive = False
        answer = connection.answer()
        if answer:
            finished(index, *answer)
            if alive:
                self.begin(index, begin)
        # What the kernel had received before the other side died is read first, and counts.
        if not alive and index in self.open:
            self.close(index)

    def run(self, begin, finished, stop_at=None, stop=None):
        """Until every connection is closed; calls stop() once, when the clock reaches stop_at."""
        for index in range(len(self.connections)):
            self.begin(index, begin)
        while self.open:
            wait = None if stop_at is None else max(0.0, stop_at - time.monotonic())
            ready = self.selector.select(30 if wait is None else wait)
            if wait is None and not ready:
                raise AssertionError("no answer for 30 s")
            for key, events in ready:
                if key.data in self.open:
                    self.step(key.data, events, begin, finished)
            if stop_at is not None and time.monotonic() >= stop_at:
                stop_at = None
                stop()
        self.selector.close()


def write_until_killed(port, clients, kill_at, kill):
    """Every client writes until the server is gone. Raises on an answer that is not a success."""
    loop = Loop(port, len(clients))

    def begin(index, connection):
        operations = clients[index].operations
        goes_on = operations and operations[-1].sent_at is None
        operation = operations[-1] if goes_on else clients[index].next_operation()
        connection.begin(*operation.next_request())
        return True

    def finished(index, status, body):
        operation = clients[index].operations[-1]
        # A file is made with 201; one collection at a time.
        if status not in (200, 201) and (status != 409 or operation.path != "/admin/gc"):
            raise AssertionError("%s %s: %d %s" % (operation.method, operation.path, status, body[:200]))
        if operation.sent_at is not None:
            operation.acknowledged_at = time.monotonic()
        elif operation.txn is None:
            operation.txn = json.loads(body).get("txnId")
        if operation.path.endswith("/bulk") and json.loads(body)["errors"]:
            raise AssertionError("%s: %s" % (operation.path, body[:200]))

    loop.run(begin, finished, kill_at, kill)


def read_all(port, clients, connections=16):
    """{key: value or None} of all keys of all clients."""
    waiting = [key for client in clients for key in client.keys()]
    asked, seen = {}, {}
    loop = Loop(port, connections)

    def begin(index, connection):
        if not waiting:
            return False
        asked[index] = waiting.pop()
        key = asked[index]
        path = {"vec": vector_load.path, "file": file_load.path}.get(key[0], lambda key: "/%s/%s" % key)
        connection.begin("GET", path(key), None)
        return True

    def finished(index, status, body):
        key = asked.pop(index)
        if status not in (200, 404):
            raise AssertionError("GET %s: %d %s" % (key, status, body[:200]))
        seen[key] = None
        if status == 200 and key[0] in ("lob", "file"):
            seen[key] = lob_of(body)
        elif status == 200 and key[0] == "vec":
            seen[key] = vector_load.seen(body)
        elif status == 200:
            seen[key] = json.loads(body)["value" if key[0] == "kv" else "columns"]

    loop.run(begin, finished)
    if waiting or asked:
        raise AssertionError("the server closed a connection while it was read from")
    return seen
