"""Bodies that are not what they should be, on every route that takes one."""

import socket

import pytest

from strata_server import b64

BODIES = ["PUT /kv/k", "POST /kv/batch", "PUT /row/r", "POST /row/batch"]


def send(client, base, route, body):
    method, path = route.split()
    return client.request(method, base + path, body=body)


@pytest.mark.parametrize("route", BODIES)
@pytest.mark.parametrize("body", [
    b"", b" ", b"null", b"1", b'"text"', b"[]", b"[{}]", b"{", b"}", b'{"value"', b'{"value":', b'{"value":"', b'{"value":""',
    b'{"value":""}}', b'{"value":""} x', b'{"value":""}{"value":""}', b'{"value":"",}', b"{'value':''}", b'{value:""}',
    b'{"value":"" "columns":{}}', b'\xef\xbb\xbf{"value":""}', b'{"value":"\xff"}', b'{"\xc3":""}', b'{"value":"\xed\xa0\x80"}',
    b'{"x":"\\ud800"}', b'{"x":"\\x"}', b'{"x":"\n"}', b'{"x":01}', b'{"x":1.}', b'{"x":NaN}', b'{"x":tru}', b"\x00",
    b'{"value":""}\x00', b"\x1f\x8b\x08",
], ids=repr)
def test_no_json_object(client, base, route, body):
    answer = send(client, base, route, body)
    assert answer.status == 400, answer
    assert answer.json["error"]


@pytest.mark.parametrize("route", BODIES)
@pytest.mark.parametrize("depth", [100, 10_000, 400_000])
def test_deep_nesting(client, base, route, depth):
    for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
        levels = min(depth, 1_000_000 // (len(opening) + len(closing)))
        body = b'{"x":' + opening * levels + (b"1" if opening != b"[" else b"") + closing * levels + b"}"
        assert send(client, base, route, body).status == 400
        assert send(client, base, route, opening * levels).status == 400
    # The server is well.
    assert client.get(f"{base}/kv/k").status == 404


def test_unknown_fields_are_ignored(client, base):
    body = {"value": b64(b"v"), "ttl": 10, "nested": {"value": [1, 2.5e300, True, None, "\u00e9\ud83d\ude00"]}}
    assert client.put(f"{base}/kv/k", body).status == 200
    assert client.get(f"{base}/kv/k").json["value"] == b64(b"v")


def test_a_field_that_is_given_twice(client, base):
    answer = client.put(f"{base}/kv/k", b'{"value":"MQ==","value":"Mg=="}')
    assert (answer.status, answer.json) == (400, {"error": "value is given twice"})
    answer = client.put(f"{base}/kv/k", b'{"value":"MQ==","\\u0076alue":"Mg=="}')
    assert answer.status == 400
    # One that nobody asks for may be.
    assert client.put(f"{base}/kv/k", b'{"value":"MQ==","x":1,"x":2}').status == 200


def test_escapes_are_text(client, base):
    body = b'{"operation":"put","items":[{"key":"\\u0000\\/\\ud83d\\ude00\\n","value":"M\\u0051=="}]}'
    assert client.post(f"{base}/kv/batch", body).status == 200
    assert client.get(f"{base}/kv/%00%2F%F0%9F%98%80%0A").json["value"] == "MQ=="


def test_a_body_that_is_cut_off_stores_nothing(server, client, base):
    body = b'{"value":"MQ=="}'
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        head = f"PUT {base}/kv/cut HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body) + 1}\r\n\r\n"
        connection.sendall(head.encode() + body)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(4096):
            pass
    assert client.get(f"{base}/kv/cut").status == 404


def test_a_chunked_body(server, client, base):
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        head = f"PUT {base}/kv/chunked HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode() + b"5\r\n{\"val\r\n" + b"b\r\nue\":\"MQ==\"}\r\n0\r\n\r\n")
        answer = b""
        while part := connection.recv(4096):
            answer += part
    assert answer.startswith(b"HTTP/1.1 200"), answer
    assert client.get(f"{base}/kv/chunked").json["value"] == "MQ=="


