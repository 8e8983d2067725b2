"""Small files over HTTP, each its own PUT that is on disk before the answer.

wrk sends them over 32 connections: into 32 directories, one a connection in effect, and into one. Every run has new
directories, so that runs are alike. The generator shares the machine's cores: what it takes of them stands beside.
"""

import http.client
import pathlib
import re
import resource
import shutil
import statistics
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from strata_server import StrataServer  # noqa: E402

LUA = pathlib.Path(__file__).with_name("puts.lua")
CLIENTS = 32
FILE_BYTES = 1024
MS_OF = {"us": 1e-3, "ms": 1, "s": 1e3}


class Server(StrataServer):
    def counters(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        return [float(re.search(rf"^strata_engine_{name}_total ([\d.e+]+)$", text, re.M).group(1)) for name in ("commits", "syncs")]


def latency_ms(out, percentile):
    value, unit = re.search(rf"^\s+{percentile}%\s+([\d.]+)(us|ms|s)$", out, re.M).groups()
    return float(value) * MS_OF[unit]


def generator_cpu_s():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def load(server, seconds, directory, directories):
    """What a run showed, by name."""
    cpu, (commits, syncs), generator = server.cpu_s(), server.counters(), generator_cpu_s()
    out = subprocess.run(["wrk", "-t1", f"-c{CLIENTS}", f"-d{seconds}s", "--latency", f"http://127.0.0.1:{server.port}/", "-s", LUA, "--",
                          directory, str(directories), str(FILE_BYTES)], capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in out or "Socket errors" in out:
        sys.exit("requests failed:\n" + out)
    cpu, generator = server.cpu_s() - cpu, generator_cpu_s() - generator
    commits_after, syncs_after = server.counters()
    commits, syncs = commits_after - commits, syncs_after - syncs
    files = int(re.search(r"(\d+) requests in", out).group(1))
    return {"files/s": float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1)),
            "p50 ms": latency_ms(out, 50), "p99 ms": latency_ms(out, 99),
            "files a commit": files / commits, "syncs a commit": syncs / commits, "syncs/s": syncs / seconds,
            "server CPU us a file": cpu / files * 1e6, "wrk CPU us a file": generator / files * 1e6}


def run(binary, work, runs, seconds):
    if not shutil.which("wrk"):
        sys.exit("wrk is missing: apt-get install wrk")
    directory = work / "store-puts"
    shutil.rmtree(directory, ignore_errors=True)
    server = Server(binary, directory)
    shown = {1: [], CLIENTS: []}
    try:
        load(server, seconds, "warm", CLIENTS)
        for number in range(runs):
            for directories, of in shown.items():
                of.append(load(server, seconds, f"{number}-of-{directories}", directories))
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)
    for directories, of in shown.items():
        print(f"PUT of files of {FILE_BYTES} bytes into {directories} director{'y' if directories == 1 else 'ies'}, durable, {CLIENTS} clients:")
        for name in of[0]:
            values = [figures[name] for figures in of]
            print(f"    {name}: {statistics.median(values):,.2f} ({min(values):,.2f}-{max(values):,.2f})", flush=True)
