#!/usr/bin/python3
"""GET of a value from Strata beside a hello-world server in Boost.Beast.

wrk with 64 connections on the same machine, the servers measured in turn, five times; the median with the range, and the
server's CPU time per request (the load generator shares the cores, so requests per second alone say little).

    bench/http/run.py [--build build/release] [--seconds 5] [--runs 5] [--connections 64] [--engine memory|rocksdb]
"""

import argparse
import base64
import http.client
import json
import os
import pathlib
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time

VALUE_BYTES = 100


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port):
    for _ in range(1000):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.01)
    sys.exit(f"nothing listens on port {port}")


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1]) / 1024


def to_ms(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def measure(server, options):
    before = cpu_seconds(server["pid"])
    command = ["wrk", "-t2", f"-c{options.connections}", f"-d{options.seconds}s", "--latency", server["url"]]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in out or "Socket errors" in out:
        sys.exit(f"{server['name']} answered with errors:\n{out}")
    requests = int(re.search(r"(\d+) requests in", out)[1])
    return {
        "requests_per_s": float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1]),
        "cpu_us_per_request": (cpu_seconds(server["pid"]) - before) * 1e6 / requests,
        "p99_ms": to_ms(re.search(r"^\s+99%\s+(\S+)", out, re.M)[1]),
    }


def start_hello(options, body_bytes):
    port = free_port()
    command = [f"{options.build}/bench/http/bench_http_hello", str(port), str(options.threads), str(body_bytes)]
    process = subprocess.Popen(command)
    wait_for(port)
    return {"name": "hello-world (Beast)", "process": process, "pid": process.pid, "url": f"http://127.0.0.1:{port}/"}


def start_strata(options, directory):
    port = free_port()
    command = [f"{options.build}/strata", "start", "--database", directory, "--port", str(port), "--grpc-port", "0", "--engine",
               options.engine, "--io-threads", str(options.threads)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(port)
    connection = http.client.HTTPConnection("127.0.0.1", port)
    value = base64.b64encode(b"v" * VALUE_BYTES).decode()
    connection.request("PUT", "/api/v1/default/kv/key", json.dumps({"value": value}))
    assert connection.getresponse().status == 200
    connection.close()
    return {"name": f"Strata GET ({options.engine})", "process": process, "pid": process.pid,
            "url": f"http://127.0.0.1:{port}/api/v1/default/kv/key"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--engine", default="rocksdb", choices=["memory", "rocksdb"])
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    options = parser.parse_args()

    # The body a GET of the value answers with: base64 in JSON.
    body_bytes = len(json.dumps({"value": "x" * (4 * ((VALUE_BYTES + 2) // 3)), "found": True}, separators=(",", ":")))
    with tempfile.TemporaryDirectory() as directory:
        servers = [start_hello(options, body_bytes), start_strata(options, directory)]
        try:
            results = {server["name"]: [] for server in servers}
            for _ in range(options.runs):
                for server in servers:
                    results[server["name"]].append(measure(server, options))
            for server in servers:
                results[server["name"]].append(resident_mb(server["pid"]))
        finally:
            for server in servers:
                server["process"].terminate()
                server["process"].wait()

    report = {"connections": options.connections, "threads": options.threads, "runs": options.runs, "servers": {}}
    for name, runs in results.items():
        memory = runs.pop()
        rates = [run["requests_per_s"] for run in runs]
        report["servers"][name] = {
            "requests_per_s": statistics.median(rates),
            "range": [min(rates), max(rates)],
            "cpu_us_per_request": statistics.median(run["cpu_us_per_request"] for run in runs),
            "p99_ms": statistics.median(run["p99_ms"] for run in runs),
            "resident_mb": memory,
        }
    hello, strata = report["servers"].values()
    report["ratio"] = strata["requests_per_s"] / hello["requests_per_s"]
    if options.json:
        print(json.dumps(report))
        return
    print(f"{options.connections} connections, {options.threads} I/O threads, median of {options.runs} runs of "
          f"{options.seconds} s [range]")
    for name, figures in report["servers"].items():
        low, high = figures["range"]
        print(f"{name:22} {figures['requests_per_s']:9,.0f} req/s [{low:,.0f} - {high:,.0f}]  "
              f"{figures['cpu_us_per_request']:5.1f} us CPU/request  p99 {figures['p99_ms']:.1f} ms  {figures['resident_mb']:5.1f} MB resident")
    print(f"ratio {report['ratio']:.2f}")


if __name__ == "__main__":
    main()
