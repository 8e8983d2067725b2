#!/usr/bin/python3
"""Searches over gRPC and REST beside the same searches inside one process: what the doors cost.

The load generator shares the cores with the server, so beside searches per second stands the server's CPU time a search.
Measured in turn, the median with the range.

    bench/served/run.py [--build build/release] [--vectors 50000] [--dimension 768] [--seconds 3] [--runs 3] [--ef 128] [--in-flight 16]
"""

import argparse
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


def cpu_us(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") * 1e6


def text(values, digits=0):
    return f"{statistics.median(values):,.{digits}f} ({min(values):,.{digits}f}-{max(values):,.{digits}f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=str(REPOSITORY / "build" / "release"))
    for name, default in (("vectors", 50_000), ("dimension", 768), ("seconds", 3), ("runs", 3), ("ef", 128),
                          ("in-flight", 16)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    sizes = [part for name in ("vectors", "dimension", "seconds", "ef", "in_flight")
             for part in (f"--{name.replace('_', '-')}", str(getattr(options, name)))]

    def client(*arguments):
        ended = subprocess.run([f"{options.build}/bench/served/bench_served", *map(str, arguments), *sizes],
                               capture_output=True, text=True, check=False)
        if ended.returncode != 0:
            sys.exit(ended.stderr)
        return [float(part) for part in ended.stdout.split()]

    rates = {"inside": [], "grpc": [], "rest": []}
    server_us = {"inside": [], "grpc": [], "rest": []}
    with tempfile.TemporaryDirectory() as directory:
        server = subprocess.Popen([f"{options.build}/strata", "start", "--database", f"{directory}/data", "--port", "0"],
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        line = server.stdout.readline().split()
        http, grpc = (part.rsplit(":", 1)[1] for part in line[2:4])
        print(f"loaded over gRPC: {client('load', grpc)[0]:,.0f} vectors/s")
        for _ in range(options.runs):
            rate, cpu = client("inside")
            rates["inside"].append(rate)
            server_us["inside"].append(cpu)
            for mode, port in (("grpc", grpc), ("rest", http)):
                before = cpu_us(server.pid)
                rate, _ = client(mode, port)
                rates[mode].append(rate)
                server_us[mode].append((cpu_us(server.pid) - before) / (rate * options.seconds))
        server.send_signal(signal.SIGTERM)
        server.wait()
    base = statistics.median(rates["inside"])
    print(f"{'':8} {'searches/s':>28} {'of inside':>10} {'CPU us a search':>22}")
    for mode in rates:
        share = statistics.median(rates[mode]) / base
        print(f"{mode:8} {text(rates[mode]):>28} {share:>10.2f} {text(server_us[mode], 1):>22}")


main()
