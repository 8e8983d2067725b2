#!/usr/bin/python3
"""Large objects over HTTP: a PUT of one object, a GET while its bytes are cached by the system, and a transaction of 1 MiB
pieces, with the server's CPU time for each gigabyte; beside them what the disk writes and what the sender costs.

Rates are of one connection on a machine that server and client share; the figure to compare is bytes for each second of
the server's CPU, background work (flushes, compactions) until it rests included. Median and range of the runs.
"""

import argparse
import http.client
import json
import os
import pathlib
import shutil
import statistics
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from strata_server import StrataServer  # noqa: E402

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
PIECE = 1 << 20


class Server(StrataServer):
    def __init__(self, directory, arguments):
        binary = os.environ.get("STRATA_BINARY") or str(REPOSITORY / "build" / "release" / "strata")
        super().__init__(binary, directory, arguments)

    def connection(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)

    def written_bytes(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/io").read_text().splitlines():
            if line.startswith("write_bytes:"):
                return int(line.split()[1])
        return 0

    def settled_cpu_s(self):
        """When the background work is done: no CPU for half a second."""
        before = self.cpu_s()
        while True:
            time.sleep(0.5)
            now = self.cpu_s()
            if now - before <= 0.011:
                return now
            before = now


def request(server, method, path, body=None, headers=None):
    connection = server.connection()
    connection.request(method, path, body=body, headers=headers or {})
    response = connection.getresponse()
    data = response.read()
    connection.close()
    if response.status not in (200, 201):
        sys.exit(f"{method} {path}: {response.status} {data[:200]}")
    return data


def put(server, megabytes, piece, run):
    request(server, "PUT", f"/api/v1/default/lob/object{run}", (piece for _ in range(megabytes)),
            {"Content-Length": str(megabytes * PIECE)})


def get(server, megabytes, piece, run):
    connection = server.connection()
    connection.request("GET", f"/api/v1/default/lob/object{run}")
    response = connection.getresponse()
    buffer = bytearray(PIECE)
    size = 0
    while count := response.readinto(buffer):
        size += count
    connection.close()
    if size != megabytes * PIECE:
        sys.exit(f"{size} bytes came back")


def transaction(server, megabytes, piece, run):
    begun = json.loads(request(server, "POST", "/api/v1/default/tx/begin", '{"operation":"put","entryType":"lob"}'))
    base = f"/api/v1/default/tx/{begun['txnId']}"
    connection = server.connection()
    for _ in range(megabytes):
        connection.request("POST", f"{base}/lob?key=pieces{run}", body=piece)
        connection.getresponse().read()
    connection.close()
    request(server, "POST", f"{base}/commit")


def disk_write_rate(directory, megabytes):
    """Sequential, synced at the end."""
    piece = os.urandom(PIECE)
    path = os.path.join(directory, "sequential")
    began = time.monotonic()
    with open(path, "wb", buffering=0) as file:
        for _ in range(megabytes):
            file.write(piece)
        os.fsync(file.fileno())
    took = time.monotonic() - began
    os.unlink(path)
    return megabytes * PIECE / took / 1e9


def show(name, values):
    values = sorted(values)
    print(f"{name:<44}{statistics.median(values):7.2f}  ({values[0]:.2f} - {values[-1]:.2f})", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=1024)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--work", default=None, help="directory for the data [the system's temporary one]")
    parser.add_argument("arguments", nargs="*", help="of the server")
    options = parser.parse_args()
    directory = tempfile.mkdtemp(prefix="strata-bench-", dir=options.work)
    piece = os.urandom(PIECE)
    gigabytes = options.megabytes * PIECE / 1e9
    figures = {}
    try:
        server = Server(os.path.join(directory, "data"), options.arguments)
        for run in range(options.runs):
            for name, work in [("PUT", put), ("GET", get), ("transaction", transaction)]:
                cpu, written, began = server.cpu_s(), server.written_bytes(), time.monotonic()
                work(server, options.megabytes, piece, run)
                took = time.monotonic() - began
                foreground = server.cpu_s() - cpu
                whole = server.settled_cpu_s() - cpu
                of = figures.setdefault(name, {"GB/s": [], "GB per CPU second until the answer": [],
                                               "GB per CPU second, all work": [], "bytes written for each": []})
                of["GB/s"].append(gigabytes / took)
                of["GB per CPU second until the answer"].append(gigabytes / foreground)
                of["GB per CPU second, all work"].append(gigabytes / max(whole, 0.01))
                of["bytes written for each"].append((server.written_bytes() - written) / 1e9 / gigabytes)
            figures.setdefault("disk", {"sequential write, GB/s": []})["sequential write, GB/s"].append(
                disk_write_rate(directory, options.megabytes))
            request(server, "DELETE", f"/api/v1/default/lob/object{run}")
            request(server, "DELETE", f"/api/v1/default/lob/pieces{run}")
        server.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    print(f"objects of {options.megabytes} MiB, {options.runs} runs: median (least - most)")
    for name, of in figures.items():
        for what, values in of.items():
            show(f"{name}: {what}", values)


if __name__ == "__main__":
    main()
