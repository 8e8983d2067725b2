"""Files larger than memory should be, and clients that leave in the middle."""

import http.client
import os
import socket
import time

from file_help import Files, commit_files, send_chunk
from process_memory import Watch
from strata_server import Server

MEGABYTES = 2_048 if os.environ.get("STRATA_TEST_LONG") else 300


def pieces(megabytes, salt=b"\0"):
    """No two chunks are alike, and none can be compressed."""
    block = os.urandom(262_144 - 9)
    for at in range(4 * megabytes):
        yield salt + at.to_bytes(8, "little") + block


def test_memory_does_not_grow_with_the_file():
    with Server() as server:
        size = MEGABYTES << 20
        with Watch(server.process.pid) as watch:
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
            connection.request("PUT", "/engine/large", body=pieces(MEGABYTES), headers={"Content-Length": str(size)})
            response = connection.getresponse()
            assert (response.status, response.read()[:16]) == (201, b'{"path":"/large"')
            connection.request("GET", "/engine/large")
            response = connection.getresponse()
            assert response.getheader("Content-Length") == str(size)
            at, first = 0, b""
            while data := response.read(262_144):
                assert data[1:9] == at.to_bytes(8, "little")
                first = first or data[9:]
                assert data[9:] == first
                at += 1
            assert at == 4 * MEGABYTES
            connection.close()
        print(f"{MEGABYTES} MB up and down: grew by {watch.growth >> 20} MiB")
        assert watch.growth <= 64 << 20, f"{watch.growth >> 20} MiB"


def test_a_slow_reader_holds_little():
    """Eight clients that ask for 100 MB each and read nothing of it."""
    with Server() as server:
        client = server.client()
        answer = client.put("/engine/large", b"".join(pieces(100)))
        assert answer.status == 201
        with Watch(server.process.pid) as watch:
            sockets = []
            for _ in range(8):
                connection = socket.create_connection(("127.0.0.1", server.port))
                connection.sendall(b"GET /engine/large HTTP/1.1\r\nHost: h\r\n\r\n")
                assert connection.recv(1_000).startswith(b"HTTP/1.1 200")
                sockets.append(connection)
            assert client.get("/engine/").status == 200
        for connection in sockets:
            connection.close()
        assert watch.growth <= 64 << 20, f"{watch.growth >> 20} MiB"


def test_what_a_broken_upload_leaves_is_collected():
    with Server(engine="memory") as server:
        client = server.client()
        before = client.post("/admin/gc").json["live_entries"]
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
            connection.sendall(b"PUT /engine/a HTTP/1.1\r\nHost: h\r\nContent-Length: 30000000\r\n\r\n")
            for piece in pieces(4):
                connection.sendall(piece)
        # The server learns of it when it reads.
        deadline = time.monotonic() + 60
        found = client.post("/admin/gc").json
        while found["live_entries"] != before and time.monotonic() < deadline:
            found = client.post("/admin/gc").json
        assert found["live_entries"] == before
        assert client.get("/engine/a").status == 404
        assert server.stop() == 0, server.log()


def test_a_listing_does_not_hold_the_directory():
    count = 1_000_000 if os.environ.get("STRATA_TEST_LONG") else 60_000
    with Server() as server:
        client = server.client()
        assert send_chunk(client, b"x").status == 201
        for begin in range(0, count, 6_000):
            names = range(begin, min(count, begin + 6_000))
            assert commit_files(client, *((f"/d/{i:07}", [b"x"]) for i in names)).json["committed"] == len(names)
        with Watch(server.process.pid) as watch:
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
            connection.request("GET", "/engine/d")
            response = connection.getresponse()
            found, field, end = 0, b'"entry_type":2', b""
            while data := response.read(1 << 20):
                found += (end + data).count(field)
                end = data[-len(field) + 1:]
            assert found == count
            connection.close()
        assert watch.growth <= 64 << 20, f"{watch.growth >> 20} MiB"
        assert Files(client).names("/d", after=f"{count - 3:07}") == [f"{count - 2:07}", f"{count - 1:07}"]


def test_a_list_of_snapshots_does_not_hold_their_metadata():
    count, metadata = 300, {"note": "m" * 65_000}
    with Server() as server:
        client = server.client()
        for number in range(count):
            assert client.post("/version/snapshot", {"name": f"{number}", "metadata": metadata}).status == 201
        with Watch(server.process.pid) as watch:
            listed = client.get("/version/snapshots").json
        assert watch.growth <= 24 << 20, f"{watch.growth >> 20} MiB"
        assert [snapshot["name"] for snapshot in listed] == [f"{number}" for number in range(count)]
        assert all(snapshot["metadata"] == metadata for snapshot in listed)
