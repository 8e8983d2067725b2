"""What a server holds in memory while a large file, or a large object, goes in or comes out over HTTP.

Each is done to a server that has just started: idle is what it holds then, and the most of it comes from the system's own
mark (VmHWM, set back before), with what was its own (RssAnon) and its program's (RssFile) at that moment as sampled.
"""

import http.client
import os
import pathlib
import shutil
import statistics
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from strata_server import StrataServer  # noqa: E402

PIECE = 1 << 20
CHUNK = 256 << 10
IDLE_S = 1
FILE_MB, OBJECT_MB = 2048, 3072
FILE, OBJECT = "/engine/large", "/api/v1/default/lob/large"


def noise(megabytes):
    """No two chunks of a file are the same: they would be stored once."""
    piece = bytearray(os.urandom(PIECE))
    for number in range(megabytes):
        for at in range(0, PIECE, CHUNK):
            piece[at:at + 8] = (number * PIECE + at).to_bytes(8, "little")
        yield bytes(piece)


def put(port, path, megabytes):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    connection.request("PUT", path, noise(megabytes), {"Content-Length": str(megabytes * PIECE)})
    response = connection.getresponse()
    answer = response.read()
    connection.close()
    if response.status not in (200, 201):
        sys.exit(f"PUT {path}: {response.status} {answer[:200]}")


def get(port, path, megabytes):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    connection.request("GET", path)
    response = connection.getresponse()
    buffer, size = bytearray(PIECE), 0
    while count := response.readinto(buffer):
        size += count
    connection.close()
    if size != megabytes * PIECE:
        sys.exit(f"GET {path}: {response.status}, {size} bytes")


def memory_mb(process):
    lines = pathlib.Path(f"/proc/{process}/status").read_text().splitlines()
    fields = {line.split(":")[0]: line.split()[1] for line in lines if line.endswith("kB")}
    return {name: int(fields[name]) / 1024 for name in ("VmRSS", "VmHWM", "RssAnon", "RssFile")}


def grown_mb(server, work):
    """How much more the server held than before, at most: in all, its own, its program's."""
    process = server.process.pid
    time.sleep(IDLE_S)
    pathlib.Path(f"/proc/{process}/clear_refs").write_text("5")
    idle = top = memory_mb(process)
    ended = threading.Event()

    def sample():
        nonlocal top
        while not ended.wait(0.01):
            top = max(top, memory_mb(process), key=lambda sampled: sampled["VmRSS"])

    sampler = threading.Thread(target=sample)
    sampler.start()
    work()
    ended.set()
    sampler.join()
    return (memory_mb(process)["VmHWM"] - idle["VmRSS"], top["RssAnon"] - idle["RssAnon"], top["RssFile"] - idle["RssFile"])


def show(name, grown):
    for part, values in zip(("in all", "its own", "its program's"), zip(*grown)):
        print(f"{name}: {part}, MiB over idle: {statistics.median(values):.1f} ({min(values):.1f}-{max(values):.1f})", flush=True)


def run(binary, directory, rounds):
    store = directory / "memory"
    figures = {}
    for _ in range(rounds):
        for path, megabytes, works in ((FILE, FILE_MB, (put, get)), (OBJECT, OBJECT_MB, (put,))):
            shutil.rmtree(store, ignore_errors=True)
            for work in works:
                server = StrataServer(binary, store, ("--grpc-port", "0"))
                grown = grown_mb(server, lambda: work(server.port, path, megabytes))
                figures.setdefault(f"{work.__name__.upper()} {path}, {megabytes} MiB", []).append(grown)
                server.stop()
    shutil.rmtree(store)
    for name, grown in figures.items():
        show(name, grown)
