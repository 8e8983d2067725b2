"""Versioned files on a full disk: a directory import, writers and a collection; and after there was space again."""

import hashlib
import os
import pathlib
import subprocess

import pytest

from file_help import commit_files, send_chunk
from strata_server import Server, binary

FAULTS = pathlib.Path(binary()).parent / "libdisk_faults.so"
pytestmark = pytest.mark.skipif(not FAULTS.exists(), reason="libdisk_faults.so is not built beside the server")


def noise(name, size):
    """What nothing packs and the name tells."""
    return hashlib.shake_128(name.encode()).digest(size)


class Room:
    """By how many bytes the files of a data directory may grow in all."""

    def __init__(self, place, data, size):
        self.file = place / "space"
        self.set(size)
        self.environment = {"LD_PRELOAD": str(FAULTS), "STRATA_FAULT_DATA": str(data), "STRATA_DISK_SPACE": str(self.file)}

    def set(self, size):
        self.file.write_text(str(size))


def put_many(client, data, names):
    """Files that share their bytes, in one commit."""
    assert send_chunk(client, data).status == 201
    assert commit_files(client, *(("/" + name, [data]) for name in names)).status == 200


def listed(client):
    entries = client.get("/engine/?depth=-1&limit=100000").json
    return sorted(entry["path"].lstrip("/") for entry in entries)


def restart_with_room(server, client, room):
    """A client of the server once its disk has room again; a store that could not write says no until a restart."""
    client.close()
    server.stop()
    room.set(1 << 30)
    server.start()
    return server.client()


def check_refused(answer):
    assert answer.status == 500 and "No space left on device" in answer.json["error"], answer


@pytest.mark.parametrize("space", [200_000, 6_000_000])
def test_a_directory_import(tmp_path, space):
    source, data = tmp_path / "source", tmp_path / "data"
    names = [f"d{number % 7}/f{number}" for number in range(400)]
    for name in names:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(noise(name, 20_000))
    room = Room(tmp_path, data, space)
    command = [binary(), "import", "-D", data, "--directory", source]
    failed = subprocess.run(command, capture_output=True, text=True, timeout=60, env={**os.environ, **room.environment})
    assert failed.returncode != 0 and "No space left on device" in failed.stderr, failed
    # It was made for the import alone.
    assert not data.exists()
    with Server(directory=tmp_path) as server:
        client = server.client()
        assert client.put("/engine/before", b"before").status == 201
        client.close()
        assert server.stop() == 0
        failed = subprocess.run(command, capture_output=True, text=True, timeout=60, env={**os.environ, **room.environment})
        assert failed.returncode != 0 and "No space left on device" in failed.stderr, failed
        server.start()
        client = server.client()
        assert listed(client) == ["before"]
        client.close()
        assert server.stop() == 0
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        server.start()
        client = server.client()
        assert listed(client) == sorted(["before"] + names)
        for name in names[::37]:
            assert client.get("/engine/" + name).body == noise(name, 20_000)


def test_writers_of_a_large_directory(tmp_path):
    """Directories are nodes that are rewritten and packed: after a refusal they are what they were, and whole."""
    room = Room(tmp_path, tmp_path / "data", 2_000_000)
    with Server(directory=tmp_path, environment=room.environment) as server:
        client = server.client()
        written = [f"d/{number:04}" for number in range(2_000)]
        put_many(client, b"first", written)
        for number in range(3_000):
            answer = client.put(f"/engine/d/x{number}", noise(str(number), 9_000))
            if answer.status != 201:
                break
            written.append(f"d/x{number}")
        check_refused(answer)
        check_refused(client.delete("/engine/d/0000"))
        check_refused(client.post("/version/snapshot", {"name": "s"}))

        def check(client):
            assert listed(client) == sorted(written)
            assert client.get(f"/engine/{written[-1]}").body == noise(str(number - 1), 9_000)
            assert client.get("/engine/d/0000").body == b"first"
            assert client.get("/version/snapshots").json == []
        check(client)
        client = restart_with_room(server, client, room)
        check(client)
        assert client.put("/engine/d/0000", b"later").status == 201
        assert client.get("/engine/d/0000").body == b"later"
        assert server.stop() == 0


def test_a_collection(tmp_path):
    room = Room(tmp_path, tmp_path / "data", 1 << 30)
    with Server(directory=tmp_path, environment=room.environment) as server:
        client = server.client()
        names = [f"d/{number:04}" for number in range(5_000)]
        put_many(client, b"first", names)
        put_many(client, b"second", names)

        def check(client):
            assert listed(client) == names
            assert client.get("/engine/" + names[0]).body == client.get("/engine/" + names[-1]).body == b"second"
        room.set(0)
        check_refused(client.post("/admin/gc"))
        check(client)
        client = restart_with_room(server, client, room)
        # Taken up at the start, or done now.
        answer = client.post("/admin/gc")
        while answer.status == 409:
            answer = client.post("/admin/gc")
        assert answer.status == 200, answer
        assert client.post("/admin/gc?dry_run=true").json["garbage_entries"] == 0
        check(client)
        assert server.stop() == 0
