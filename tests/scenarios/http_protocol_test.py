"""HTTP as bytes: framing, pipelining, versions, encodings and what must be refused, against the real server."""

import gzip
import json
import re
import socket
import zlib

import pytest

from strata_server import b64


class Wire:
    """A connection that is written and read as bytes."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.input = b""

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def _receive(self):
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            data = b""
        self.input += data
        return bool(data)

    def answer(self, has_body=True):
        """(status, headers, body); None when the server closed instead."""
        while b"\r\n\r\n" not in self.input:
            if not self._receive():
                assert not self.input, f"a piece of an answer: {self.input!r}"
                return None
        head, self.input = self.input.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:])}
        size = int(headers.get("content-length", 0)) if has_body else 0
        while len(self.input) < size:
            assert self._receive(), "the body is cut"
        body, self.input = self.input[:size], self.input[size:]
        return int(lines[0].split()[1]), headers, body

    def closed(self):
        while self._receive():
            pass
        return not self.input


def request(method, path, body=b"", *fields):
    lines = [f"{method} {path} HTTP/1.1", "Host: h", *fields]
    if body or method in ("PUT", "POST"):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def put_body(value):
    return json.dumps({"value": b64(value)}).encode()


@pytest.fixture
def wire(server):
    with Wire(server.port) as opened:
        yield opened


def test_pipelined_writes_and_reads_are_in_order(wire, base):
    burst = b""
    for i in range(100):
        burst += request("PUT", f"{base}/kv/key", put_body(b"%d" % i)) + request("GET", f"{base}/kv/key")
    wire.send(burst)
    for i in range(100):
        assert wire.answer()[0] == 200
        assert json.loads(wire.answer()[2])["value"] == b64(b"%d" % i)


def test_a_request_byte_by_byte(wire, base):
    for byte in request("PUT", f"{base}/kv/slow", put_body(b"slow")):
        wire.send(bytes([byte]))
    assert wire.answer()[0] == 200


def test_chunked_bodies(wire, client, base):
    body = put_body(b"in chunks")
    head = f"PUT {base}/kv/chunked HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    chunks = b"".join(b"%x;ext=\"1\"\r\n%b\r\n" % (len(body[i:i + 5]), body[i:i + 5]) for i in range(0, len(body), 5))
    wire.send((head + chunks + b"0\r\nTrailer: ignored\r\n\r\n") * 3)
    for _ in range(3):
        assert wire.answer()[0] == 200
    assert client.get(f"{base}/kv/chunked").json["value"] == b64(b"in chunks")


@pytest.mark.parametrize("encoding,pack", [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_compressed_bodies(client, base, encoding, pack):
    answer = client.put(f"{base}/kv/packed", pack(put_body(b"packed")), headers={"Content-Encoding": encoding})
    assert answer.status == 200
    assert client.get(f"{base}/kv/packed").json["value"] == b64(b"packed")
    broken = client.put(f"{base}/kv/packed", pack(put_body(b"other"))[:-3], headers={"Content-Encoding": encoding})
    assert (broken.status, "error" in broken.json) == (400, True)
    assert client.get(f"{base}/kv/packed").json["value"] == b64(b"packed")


def test_unknown_encoding(client, base):
    answer = client.put(f"{base}/kv/k", b"x", headers={"Content-Encoding": "br"})
    assert (answer.status, client.get(f"{base}/kv/k").status) == (415, 404)


def test_the_body_limit_is_of_the_unpacked_bytes(client, base):
    def body(size):
        return b'{"value":"","pad":"' + b"x" * (size - 21) + b'"}'

    assert len(body(1_048_576)) == 1_048_576
    for headers, pack in (({}, bytes), ({"Content-Encoding": "gzip"}, gzip.compress)):
        assert client.put(f"{base}/kv/edge", pack(body(1_048_576)), headers=headers).status == 200
        answer = client.put(f"{base}/kv/edge", pack(body(1_048_577)), headers=headers)
        assert (answer.status, answer.json) == (413, {"error": "request body too large"})


def test_a_bomb_is_refused_early(client, base):
    # 1 GB in 1 MB: what it unpacks to is counted, and unpacking ends at the limit.
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(b"\0" * (1 << 20)) for _ in range(1000)) + packer.flush()
    assert client.put(f"{base}/kv/bomb", bomb, headers={"Content-Encoding": "gzip"}).status == 413
    assert client.get(f"{base}/kv/bomb").status == 404


def test_expect_continue(wire, base):
    head = request("PUT", f"{base}/kv/expect", b"", "Expect: 100-continue").replace(b"Content-Length: 0", b"Content-Length: %d")
    wire.send(head % len(put_body(b"e")))
    assert wire.answer(has_body=False)[0] == 100
    wire.send(put_body(b"e"))
    assert wire.answer()[0] == 200
    wire.send(head % 1_048_577)
    status, headers, _ = wire.answer()
    assert (status, headers["connection"]) == (413, "close")
    assert wire.closed()


def test_head_options_and_wrong_verbs(wire, client, base):
    client.put(f"{base}/kv/k", {"value": b64(b"v")})
    length = len(client.get(f"{base}/kv/k").body)
    wire.send(request("HEAD", f"{base}/kv/k") + request("OPTIONS", f"{base}/kv/k") + request("PATCH", f"{base}/kv/k")
              + request("OPTIONS", "*") + request("BREW", f"{base}/kv/k"))
    status, headers, _ = wire.answer(has_body=False)
    assert (status, headers["content-length"]) == (200, str(length))
    status, headers, _ = wire.answer()
    assert (status, headers["allow"]) == (204, "GET, HEAD, PUT, DELETE, OPTIONS")
    status, headers, body = wire.answer()
    assert (status, headers["allow"]) == (405, "GET, HEAD, PUT, DELETE, OPTIONS")
    assert json.loads(body) == {"error": "method not allowed"}
    assert wire.answer()[0] == 204
    assert wire.answer()[0] == 405


def test_versions(server):
    with Wire(server.port) as wire:
        wire.send(b"GET /health HTTP/1.0\r\n\r\n")
        status, headers, _ = wire.answer()
        assert (status, headers["connection"]) == (200, "close")
        assert wire.closed()
    with Wire(server.port) as wire:
        wire.send(b"GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" * 2)
        assert wire.answer()[1]["connection"] == "keep-alive"
        assert wire.answer()[0] == 200
    with Wire(server.port) as wire:
        wire.send(b"GET http://somewhere:80/health HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        assert wire.answer()[0] == 200
        assert wire.closed()


MALFORMED = {
    "not http": (b"hello\r\n\r\n", 400),
    "a tls hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    "zeros": (b"\0" * 100, 400),
    "http/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "version": (b"GET /health HTTP/1.2\r\nHost: h\r\n\r\n", 505),
    "bare line feeds": (b"GET /health HTTP/1.1\nHost: h\n\n", 400),
    "no host": (b"GET /health HTTP/1.1\r\n\r\n", 400),
    "two hosts": (b"GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    "folded line": (b"GET /health HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n", 400),
    "space before colon": (b"GET /health HTTP/1.1\r\nHost : h\r\n\r\n", 400),
    "control byte": (b"GET /health HTTP/1.1\r\nHost: h\r\nA: \x01\r\n\r\n", 400),
    "byte in target": (b"GET /he\x00alth HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    "relative target": (b"GET health HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    "fragment": (b"GET /health#a HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    "negative length": (b"PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", 400),
    "huge length": (b"PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999999\r\n\r\n", 400),
    "two lengths": (b"PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400),
    "length list": (b"PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 1,1\r\n\r\nx", 400),
    "length and chunks": (b"PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "chunks and length": (b"PUT /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400),
    "chunks twice": (b"PUT /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 501),
    "odd coding": (b"PUT /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", 400),
    "unknown coding": (b"PUT /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
    "unknown expectation": (b"PUT /x HTTP/1.1\r\nHost: h\r\nExpect: more\r\n\r\n", 417),
    "long target": (b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: h\r\n\r\n", 414),
    "long header": (b"GET /health HTTP/1.1\r\nHost: h\r\nA: " + b"a" * 70_000 + b"\r\n\r\n", 431),
    "many headers": (b"GET /health HTTP/1.1\r\nHost: h\r\n" + b"A: b\r\n" * 1_000 + b"\r\n", 431),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_requests_are_answered_and_the_connection_ends(server, client, name):
    data, status = MALFORMED[name]
    with Wire(server.port) as wire:
        wire.send(data)
        answer = wire.answer()
        assert answer is not None and answer[0] == status, answer
        assert list(json.loads(answer[2])) == ["error"]
        assert answer[1]["connection"] == "close"
        assert wire.closed()
    assert client.get("/health").status == 200


BROKEN_CHUNKS = [b"x\r\n", b"\r\n", b"5\nhello\n0\n\n", b"5\r\nhelloX\r\n0\r\n\r\n", b"-5\r\nhello\r\n0\r\n\r\n",
                 b"0x5\r\nhello\r\n0\r\n\r\n", b"10000000000000005\r\nhello\r\n0\r\n\r\n", b"1;" + b"a" * 200_000]


@pytest.mark.parametrize("chunks", BROKEN_CHUNKS, ids=lambda chunks: repr(chunks[:20]))
def test_broken_chunks_store_nothing(server, client, base, chunks):
    with Wire(server.port) as wire:
        wire.send(f"PUT {base}/kv/chunks HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n".encode() + chunks)
        assert wire.answer()[0] == 400
        assert wire.closed()
    assert client.get(f"{base}/kv/chunks").status == 404


def test_the_last_chunk_in_pieces(server, base):
    # "0\r\n" and what follows in two segments.
    with Wire(server.port) as wire:
        wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(20):
            wire.send(f"PUT {base}/kv/k HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
            for piece in (b"0", b"\r\n", b"\r", b"\n"):
                wire.send(piece)
            assert wire.answer()[0] == 400  # an empty body is no JSON


def test_nothing_is_smuggled(server, client, base):
    hidden = request("DELETE", f"{base}/kv/precious")
    client.put(f"{base}/kv/precious", {"value": b64(b"v")})
    attacks = [
        f"PUT {base}/kv/a HTTP/1.1\r\nHost: h\r\nContent-Length: {len(hidden)}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".encode(),
        f"PUT {base}/kv/a HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nContent-Length: {len(hidden)}\r\n\r\n".encode(),
        f"PUT {base}/kv/a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".encode(),
        f"PUT {base}/kv/a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n".encode(),
        f"PUT {base}/kv/a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0;\n\r\n\r\n".encode(),
        # As the body of a request that refuses it unread.
        f"PUT {base}/kv/a HTTP/1.1\r\nHost: h\r\nContent-Length: 2000000\r\n\r\n".encode(),
    ]
    for attack in attacks:
        with Wire(server.port) as wire:
            wire.send(attack + hidden)
            assert wire.answer()[0] >= 400
            assert wire.closed(), "something was answered behind the refusal"
        assert client.get(f"{base}/kv/precious").status == 200, attack
    # A body that looks like a request is a body.
    with Wire(server.port) as wire:
        wire.send(request("PUT", f"{base}/kv/a", hidden) + request("GET", f"{base}/kv/precious"))
        assert [wire.answer()[0], wire.answer()[0]] == [400, 200]


def test_a_key_of_8_kib_percent_encoded(client, base):
    path = f"{base}/kv/" + "%C3" * 8192
    assert client.put(path, {"value": b64(b"long")}).status == 200
    assert client.get(path).json["value"] == b64(b"long")


def test_bad_percent_encoding(client, base):
    for key in ("%", "%4", "%zz", "a%%41"):
        answer = client.get(f"{base}/kv/{key}")
        assert (answer.status, answer.json) == (400, {"error": "invalid percent-encoding in the path"})


def test_request_ids(client):
    assert client.get("/health", headers={"X-Request-Id": "mine-1"}).headers["X-Request-Id"] == "mine-1"
    generated = {client.get("/health").headers["X-Request-Id"] for _ in range(100)}
    assert len(generated) == 100
    assert all(re.fullmatch("[0-9a-f]{16}", each) for each in generated)
