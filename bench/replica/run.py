#!/usr/bin/python3
"""How far a replica is behind a leader that takes all the durable PUTs it can.

wrk (64 connections, 1 thread) writes to the leader. A probe puts a value of its own there every few milliseconds and asks
the replica until it shows it: the lag is the time from the leader's answer to the answer of the replica that has it. The
lag that the replica tells (X-Replica-Lag-Ms) is sampled beside it. Leader, replica, wrk and probe share the machine's
cores. The rate without a replica comes first.
"""

import argparse
import base64
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
LUA = str(REPOSITORY / "bench/records/requests.lua")
CLIENTS = 64
VALUE_BYTES = 100
TARGET_MS = 100
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Strata:
    def __init__(self, arguments, directory, *options):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        command = [arguments.strata, "start", "--port", str(self.port), "--grpc-port", "0", "--database", f"{directory}/data", *options]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(600):
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.05)
        sys.exit(f"nothing listens on port {self.port}: {command}")

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def cpu_s(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_S

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def ask(connection, method, path, body=None):
    connection.request(method, path, body)
    response = connection.getresponse()
    return response, response.read()


def write_load(port, seconds, keys):
    out = subprocess.run(["wrk", "-t1", f"-c{CLIENTS}", f"-d{seconds}s", f"http://127.0.0.1:{port}/", "-s", LUA, "--", "put",
                          str(keys), str(VALUE_BYTES)], capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in out or "Socket errors" in out:
        sys.exit("requests failed:\n" + out)
    return float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))


class Probe(threading.Thread):
    """Until it is told to end; lags in ms."""

    def __init__(self, leader, replica, pause_s):
        super().__init__(daemon=True)
        self.leader, self.replica, self.pause_s = leader.connect(), replica.connect(), pause_s
        self.ending = threading.Event()
        self.lags, self.told = [], []

    def run(self):
        number = 0
        while not self.ending.wait(self.pause_s):
            number += 1
            value = base64.b64encode(b"%d" % number).decode()
            response, _ = ask(self.leader, "PUT", "/api/v1/default/kv/probe", json.dumps({"value": value}))
            assert response.status == 200
            acknowledged = time.monotonic()
            while True:
                response, body = ask(self.replica, "GET", "/api/v1/default/kv/probe")
                self.told.append(int(response.headers.get("X-Replica-Lag-Ms", 0)))
                if response.status == 200 and json.loads(body)["value"] == value:
                    break
            self.lags.append((time.monotonic() - acknowledged) * 1_000)


def caught_up(leader, replica):
    connection, other = leader.connect(), replica.connect()
    _, end = ask(connection, "GET", "/api/v1/default/offset")
    wanted = (json.loads(end)["segmentId"], json.loads(end)["offset"])
    while True:
        _, body = ask(other, "GET", "/replica")
        found = [entry for entry in json.loads(body)["namespaces"] if "segmentId" in entry]
        if found and (found[0]["segmentId"], found[0]["offset"]) >= wanted:
            return found[0]
        time.sleep(0.02)


def percentile(values, part):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def show(name, values, unit="ms"):
    print(f"    {name:28} {statistics.median(values):8.1f} {unit}  ({min(values):.1f} - {max(values):.1f})")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strata", default=str(REPOSITORY / "build/release/strata"))
    parser.add_argument("--directory", default=str(REPOSITORY / "build"), help="where data directories are made")
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--probe-ms", type=float, default=10)
    arguments = parser.parse_args()
    if not shutil.which("wrk"):
        sys.exit("wrk is missing: apt-get install wrk")
    print(f"{CLIENTS} clients, {VALUE_BYTES}-byte values, {arguments.keys:,} keys, {os.cpu_count()} cores shared by leader, replica, "
          f"generator and probe, {arguments.runs} runs of {arguments.seconds} s")
    directories = [tempfile.mkdtemp(prefix="bench-replica-", dir=arguments.directory) for _ in range(2)]
    leader = Strata(arguments, directories[0])
    replica = None
    try:
        write_load(leader.port, 1, arguments.keys)
        alone = [write_load(leader.port, arguments.seconds, arguments.keys) for _ in range(arguments.runs)]
        replica = Strata(arguments, directories[1], "--follow", f"http://127.0.0.1:{leader.port}")
        caught_up(leader, replica)
        write_load(leader.port, 1, arguments.keys)
        columns = {name: [] for name in ("rate", "p50", "p99", "max", "told p50", "told p99", "told max", "catch", "cpu")}
        for _ in range(arguments.runs):
            caught_up(leader, replica)
            probe = Probe(leader, replica, arguments.probe_ms / 1_000)
            before, cpu = caught_up(leader, replica)["lsn"], replica.cpu_s()
            probe.start()
            columns["rate"].append(write_load(leader.port, arguments.seconds, arguments.keys))
            ended = time.monotonic()
            probe.ending.set()
            probe.join()
            applied = caught_up(leader, replica)["lsn"] - before
            columns["catch"].append((time.monotonic() - ended) * 1_000)
            columns["cpu"].append((replica.cpu_s() - cpu) * 1e6 / max(1, applied))
            for name, values in (("", probe.lags), ("told ", probe.told)):
                columns[name + "p50"].append(statistics.median(values))
                columns[name + "p99"].append(percentile(values, 0.99))
                columns[name + "max"].append(max(values))
        print("\nDurable PUT at the leader, each synced before its answer")
        show("without a replica", alone, "/s")
        show("with a replica", columns["rate"], "/s")
        show("replica's CPU a record", columns["cpu"], "us")
        print("Lag of the replica: acknowledged there, shown here")
        for name in ("p50", "p99", "max"):
            show(name, columns[name])
        print(f"    p99 {statistics.median(columns['p99']):.1f} ms (target: within {TARGET_MS})")
        print("Lag as the replica tells it")
        for name in ("p50", "p99", "max"):
            show(name, columns["told " + name])
        show("level after the load's end", columns["catch"])
    finally:
        for server in (replica, leader):
            if server:
                server.stop()
        for directory in directories:
            shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
