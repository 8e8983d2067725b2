#!/usr/bin/python3
"""Values over HTTP, side by side with others: durable puts against redis and etcd, gets against a hello-world server;
readers of the log, and what the log costs its writers.

Every system in turn, then all again: 5 runs each, median and range. wrk (64 connections, 1 thread) drives the HTTP
servers, redis-benchmark (64 clients, 1 thread) redis, whose protocol costs its client less. Server and generator share
the machine's cores, so the server's CPU time per request stands beside the rate.
"""

import argparse
import http.client
import json
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
LUA = str(pathlib.Path(__file__).with_name("requests.lua"))
CLIENTS = 64
VALUE_BYTES = 100
# Of a GET's answer: what the hello-world server answers with.
ANSWER_BYTES = len('{"value":"","found":true}') + (VALUE_BYTES + 2) // 3 * 4
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port, process):
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.05)
    sys.exit(f"nothing listens on port {port}: {process.args}")


def run_wrk(port, seconds, *script):
    out = subprocess.run(["wrk", "-t1", f"-c{CLIENTS}", f"-d{seconds}s", f"http://127.0.0.1:{port}/", "-s", LUA, "--", *script],
                         capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in out or "Socket errors" in out:
        sys.exit("requests failed:\n" + out)
    requests = int(re.search(r"(\d+) requests in", out).group(1))
    return requests, float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))


class Peer:
    """A server under measurement: start it, measure() a few times, stop it."""

    def __init__(self, name, command, port, directory):
        self.name = name
        self.port = port
        self.directory = directory
        self.rates = []
        self.cpu_us = []
        self.notes = {}
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for_port(port, self.process)

    def cpu_ticks(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    def measure(self, seconds):
        before = self.cpu_ticks()
        requests, rate = self.load(seconds)
        self.rates.append(rate)
        self.cpu_us.append((self.cpu_ticks() - before) / TICKS_PER_S * 1e6 / max(requests, 1))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


class Strata(Peer):
    def __init__(self, arguments, directory, mode, *options):
        port = free_port()
        super().__init__(" ".join(("strata", *options)),
                         [arguments.strata, "start", "--port", str(port), "--grpc-port", "0", "--database", f"{directory}/data", *options], port, directory)
        self.mode = mode
        self.keys = arguments.keys
        if mode == "get":
            self.fill()

    def fill(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        for first in range(0, self.keys, 1000):
            items = [{"key": f"key:{i:012d}", "value": "dnZ2" * 33 + "dg=="} for i in range(first, min(first + 1000, self.keys))]
            connection.request("POST", "/api/v1/default/kv/batch", json.dumps({"operation": "put", "items": items}))
            response = connection.getresponse()
            response.read()
            assert response.status == 200
        connection.close()

    def metrics(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        return {name: float(value) for name, value in re.findall(r"^(strata_engine_\w+) ([\d.e+]+)$", text, re.M)}

    def load(self, seconds):
        before = self.metrics()
        result = run_wrk(self.port, seconds, self.mode, str(self.keys), str(VALUE_BYTES))
        after = self.metrics()
        commits = after.get("strata_engine_commits_total", 0) - before.get("strata_engine_commits_total", 0)
        if self.mode == "put" and commits:
            syncs = after["strata_engine_syncs_total"] - before["strata_engine_syncs_total"]
            self.notes.setdefault("syncs per 1,000 commits", []).append(1000 * syncs / commits)
        return result


class LogReaders(Strata):
    """GET /log of everything, by one client that counts what comes and looks at nothing."""

    def __init__(self, arguments, directory, readers):
        super().__init__(arguments, directory, "put", "--durability", "async")
        self.name = f"{readers} reader" + "s" * (readers > 1)
        self.readers = readers
        self.records = self.last()
        while self.records < arguments.records:
            run_wrk(self.port, 1, "put", str(self.keys), str(VALUE_BYTES))
            self.records = self.last()

    def last(self):
        """How many records there are."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request("GET", "/api/v1/default/stats")
        stats = json.loads(connection.getresponse().read())
        connection.close()
        return stats["opsReceived"]

    def load(self, seconds):
        began = time.monotonic()
        streams = []
        for _ in range(self.readers):
            stream = socket.create_connection(("127.0.0.1", self.port))
            stream.sendall(b"GET /api/v1/default/log HTTP/1.1\r\nHost: h\r\n\r\n")
            stream.setblocking(False)
            streams.append(stream)
        buffer = bytearray(1 << 20)
        total = 0
        tails = {stream: b"" for stream in streams}
        while tails:
            ready, _, _ = select.select(list(tails), [], [], 60)
            for stream in ready:
                count = stream.recv_into(buffer)
                total += count
                tails[stream] = (tails[stream] + buffer[max(0, count - 1000):count])[-1000:]
                if count == 0:
                    sys.exit("a stream broke off")
                if tails[stream].endswith(b"\r\n0\r\n\r\n"):
                    last = int(re.findall(rb'"lsn":(\d+)', tails.pop(stream))[-1])
                    if last != self.records:
                        sys.exit(f"a stream ended at record {last} of {self.records}")
                    stream.close()
        elapsed = time.monotonic() - began
        self.notes.setdefault("MB/s", []).append(total / elapsed / 1e6)
        return self.readers * self.records, self.readers * self.records / elapsed


class Redis(Peer):
    def __init__(self, arguments, directory):
        port = free_port()
        super().__init__("redis appendfsync=always",
                         ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", directory, "--save", "",
                          "--appendonly", "yes", "--appendfsync", "always"], port, directory)
        self.keys = arguments.keys
        self.requests = 20_000

    def load(self, seconds):
        begin = time.monotonic()
        out = subprocess.run(["redis-benchmark", "-p", str(self.port), "-c", str(CLIENTS), "-n", str(self.requests), "-d",
                              str(VALUE_BYTES), "-r", str(self.keys), "-t", "set", "--csv"], capture_output=True, text=True, check=True).stdout
        elapsed = time.monotonic() - begin
        rate = float(out.strip().splitlines()[-1].split(",")[1].strip('"'))
        done = self.requests
        # It takes a number of requests, not a time: the next run takes about as long as the others'.
        self.requests = max(1000, int(self.requests * seconds / elapsed))
        return done, rate


class Etcd(Peer):
    def __init__(self, arguments, directory):
        port, peer_port = free_port(), free_port()
        url, peer_url = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peer_port}"
        super().__init__("etcd (JSON gateway)",
                         ["etcd", "--data-dir", f"{directory}/data", "--listen-client-urls", url, "--advertise-client-urls", url,
                          "--listen-peer-urls", peer_url, "--initial-advertise-peer-urls", peer_url,
                          "--initial-cluster", f"default={peer_url}", "--log-level", "error"], port, directory)
        self.keys = arguments.keys
        self.wait_for_leader()

    def wait_for_leader(self):
        for _ in range(200):
            connection = http.client.HTTPConnection("127.0.0.1", self.port)
            connection.request("POST", "/v3/kv/put", '{"key":"a2V5","value":"dg=="}')
            response = connection.getresponse()
            response.read()
            connection.close()
            if response.status == 200:
                return
            time.sleep(0.05)
        sys.exit("etcd takes no writes")

    def load(self, seconds):
        return run_wrk(self.port, seconds, "etcd", str(self.keys), str(VALUE_BYTES))


class Hello(Peer):
    def __init__(self, arguments, directory):
        port = free_port()
        super().__init__("hello-world (Beast)", [arguments.hello, str(port), str(os.cpu_count()), str(ANSWER_BYTES)], port, directory)
        self.keys = arguments.keys

    def load(self, seconds):
        return run_wrk(self.port, seconds, "get", str(self.keys), str(VALUE_BYTES))


def show(title, ours, others, targets):
    print(f"\n{title}")
    print(f"{'':34} {'median/s':>10} {'range':>19} {'CPU us/req':>11}")
    for peer in [ours, *others]:
        low, high = min(peer.rates), max(peer.rates)
        print(f"{peer.name:34} {statistics.median(peer.rates):10,.0f} {f'{low:,.0f} - {high:,.0f}':>19} {statistics.median(peer.cpu_us):11.1f}")
        for note, values in peer.notes.items():
            print(f"    {note}: {statistics.median(values):.1f} ({min(values):.1f} - {max(values):.1f})")
    for peer, target in zip(others, targets):
        ratio = statistics.median(ours.rates) / statistics.median(peer.rates)
        print(f"{ours.name} / {peer.name}: {ratio:.2f} x (target {target})")


def compare(title, arguments, make_ours, make_others, targets):
    directories = iter([tempfile.mkdtemp(prefix="bench-records-", dir=arguments.directory) for _ in range(1 + len(make_others))])
    peers = []
    try:
        for make in [make_ours, *make_others]:
            peers.append(make(next(directories)))
        for peer in peers:
            peer.load(1)
            peer.notes = {}
        for _ in range(arguments.runs):
            for peer in peers:
                peer.measure(arguments.seconds)
        show(title, peers[0], peers[1:], targets)
    finally:
        for peer in peers:
            peer.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strata", default=str(REPOSITORY / "build/release/strata"))
    parser.add_argument("--hello", default=str(REPOSITORY / "build/release/bench/http/bench_http_hello"))
    parser.add_argument("--directory", default=str(REPOSITORY / "build"), help="where data directories are made")
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--records", type=int, default=500_000, help="of the log that is read, at least")
    parser.add_argument("--in-process", default=str(REPOSITORY / "build/release/bench/records/bench_records"))
    parser.add_argument("only", nargs="?", choices=["put", "get", "log"])
    arguments = parser.parse_args()
    for tool in ("wrk", "redis-server", "redis-benchmark", "etcd"):
        if not shutil.which(tool):
            sys.exit(f"{tool} is missing: apt-get install wrk redis-server etcd-server")
    print(f"{CLIENTS} clients, {VALUE_BYTES}-byte values, {arguments.keys:,} keys, {os.cpu_count()} cores shared with the "
          f"generator, {arguments.runs} runs of {arguments.seconds} s each")
    if arguments.only in (None, "put"):
        compare("Durable PUT: answered when on disk", arguments, lambda d: Strata(arguments, d, "put"),
                [lambda d: Redis(arguments, d), lambda d: Etcd(arguments, d)], [">= 0.7", ">= 5"])
    if arguments.only in (None, "get"):
        compare("GET", arguments, lambda d: Strata(arguments, d, "get"), [lambda d: Hello(arguments, d)], [">= 0.85"])
    if arguments.only in (None, "log"):
        for readers in (1, 2):
            compare(f"Records of a log over HTTP (target 300,000/s), {arguments.records:,} at least", arguments,
                    lambda d: LogReaders(arguments, d, readers), [], [])
        print(flush=True)
        subprocess.run([arguments.in_process, "--rounds", str(arguments.runs), "--seconds", str(arguments.seconds),
                        "--directory", arguments.directory], check=False)


if __name__ == "__main__":
    main()
