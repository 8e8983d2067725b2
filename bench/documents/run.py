#!/usr/bin/python3
"""JSON documents, side by side with PostgreSQL's jsonb and SQLite's JSON functions: durable batches of inserts with two
indexes, queries by index, merges that change nothing, scans of everything.

The same documents on all sides, on one machine, each side in turn, then all again: median of the runs and their range.
Before anything is timed all sides must give the same answers. Client and server share the machine's cores, so the server's
CPU time stands beside each rate. PostgreSQL is loaded by its own clients, pgbench (prepared statements) and psql; SQLite
works in this process.
"""

import argparse
import json
import os
import pathlib
import random
import shutil
import statistics
import sys
import tempfile
import time

import servers

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BATCH = 1000
TENANT_DOCUMENTS = 10
RANGE_WIDTH = 20
WORDS = random.Random(7)
TEXT = " ".join("".join(WORDS.choices("abcdefghijklmnopqrstuvwxyz", k=WORDS.randint(3, 9))) for _ in range(20_000))


def document(number, count, filling):
    """Its JSON, without blanks. The tenant is one of count / 10; ranks are a permutation of 0 to count - 1."""
    start = number * 7919 % (len(TEXT) - filling)
    text = f',"text":"{TEXT[start:start + filling]}"' if filling else ""
    return (f'{{"tenant":"{number * 7919 % max(count // TENANT_DOCUMENTS, 1)}","rank":{number * 104_729 % count},'
            f'"active":{"true" if number % 3 else "false"},"score":{number % 1000}.5{text}}}')


def documents(first, last, count, filling):
    return [(f"doc:{number:09d}", document(number, count, filling)) for number in range(first, last)]


class Figures:
    def __init__(self):
        self.rates, self.cpu_us, self.notes = [], [], {}

    def add(self, done, took, cpu_s, **notes):
        self.rates.append(done / took)
        self.cpu_us.append(cpu_s * 1e6 / done)
        for name, value in notes.items():
            if value is not None:
                self.notes.setdefault(name.replace("_", " "), []).append(value)


def show(title, figures, targets):
    """targets: (rows' names, "of ... x", number): the first beside the second."""
    print(f"\n{title}")
    print(f"{'':44} {'median/s':>10} {'range':>21} {'server CPU us':>14}")
    for name, of in figures.items():
        low, high = min(of.rates), max(of.rates)
        print(f"{name:44} {statistics.median(of.rates):10,.0f} {f'{low:,.0f} - {high:,.0f}':>21} {statistics.median(of.cpu_us):14.2f}")
        for note, values in of.notes.items():
            print(f"    {note}: {statistics.median(values):,.1f} ({min(values):,.1f} - {max(values):,.1f})")
    for ours, theirs, target in targets:
        ratio = statistics.median(figures[ours].rates) / statistics.median(figures[theirs].rates)
        cpu = statistics.median(figures[theirs].cpu_us) / max(statistics.median(figures[ours].cpu_us), 0.01)
        print(f"{ours} / {theirs}: {ratio:.2f} x{target}; by CPU {cpu:.2f} x")
    sys.stdout.flush()


def require(condition, what):
    if not condition:
        sys.exit(f"the sides differ: {what}")


def same_documents(sides, table, expected):
    for side in sides:
        require(side.scanned(table) == expected, f"{side.name} has other documents in {table}")


def bench_insert(arguments, sides):
    strata, postgres, sqlite = sides
    ways = {"strata": (strata, strata.insert), "PostgreSQL COPY": (postgres, postgres.insert),
            "PostgreSQL prepared upsert": (postgres, lambda *args: postgres.insert(*args, prepared=True)),
            "SQLite (one writer)": (sqlite, sqlite.insert)}
    count = 1_000_003
    for clients in (1, 4):
        figures = {name: Figures() for name in ways}
        tables = {name: f"insert{clients}_{number}" for number, name in enumerate(ways)}
        for name, (side, _) in ways.items():
            side.make_table(tables[name])
        written = 0

        def once(batches, record):
            nonlocal written
            made = [documents(written + i * BATCH, written + (i + 1) * BATCH, count, arguments.bytes) for i in range(batches)]
            written += batches * BATCH
            for name, (side, insert) in ways.items():
                payloads = [side.payload(batch) for batch in made]
                of = [payloads[i::clients] for i in range(clients)]
                cpu, (commits, syncs) = side.cpu_s(), side.commits_and_syncs()
                took = insert(tables[name], of)
                cpu_s, (commits_after, syncs_after) = side.cpu_s() - cpu, side.commits_and_syncs()
                if record:
                    commits_done = commits_after - commits if commits is not None else batches
                    figures[name].add(batches * BATCH, took, cpu_s, syncs_a_batch=(syncs_after - syncs) / batches if syncs else None,
                                      syncs_a_commit=(syncs_after - syncs) / commits_done if syncs else None)

        once(4, False)
        expected = dict((key, json.loads(text)) for key, text in documents(0, written, count, arguments.bytes))
        for name, (side, _) in ways.items():
            require(side.scanned(tables[name]) == expected, f"{name} has other documents after its batches")
        for _ in range(arguments.runs):
            once(arguments.batches, True)
        for name, (side, _) in ways.items():
            require(side.count(tables[name]) == written, f"{name} lost documents")
        size = len(documents(0, 1, count, arguments.bytes)[0][1])
        show(f"Durable batches of {BATCH:,} documents of {size:,} bytes, 2 indexes, {clients} client(s): documents/s", figures,
             [("strata", "PostgreSQL COPY", " (target 2)"), ("strata", "PostgreSQL prepared upsert", " (target 2)"),
              ("strata", "SQLite (one writer)", "")])


def fill(side, table, made):
    payloads = [side.payload(made[first:first + BATCH]) for first in range(0, len(made), BATCH)]
    side.insert(table, [payloads])


def bench_query(arguments, sides):
    count = arguments.documents
    made = documents(0, count, count, arguments.bytes)
    for side in sides:
        side.make_table("documents")
        fill(side, "documents", made)
        side.settle("documents")
    chosen = random.Random(3)
    tenants = count // TENANT_DOCUMENTS
    answers = {}
    for mode in ("equality", "range"):
        for _ in range(50):
            low = str(chosen.randrange(tenants)) if mode == "equality" else chosen.randrange(count - RANGE_WIDTH)
            high = None if mode == "equality" else low + RANGE_WIDTH
            found = [side.find(mode, low, high) for side in sides]
            require(found[0][0] and all(one[0] == found[0][0] for one in found), f"{mode} {low} {high}")
            for side, one in zip(sides, found):
                answers.setdefault((mode, side.name), []).append(one[1])
    values = {"equality": (tenants,), "range": (count, RANGE_WIDTH)}
    for mode in ("equality", "range"):
        figures = {side.name: Figures() for side in sides}
        for run in range(arguments.runs + 1):
            for side in sides:
                cpu = side.cpu_s()
                done, rate, size = side.load(mode, arguments.seconds if run else 1, arguments.clients, *values[mode])
                if run:
                    size = size or statistics.mean(answers[mode, side.name])
                    figures[side.name].add(done, done / rate, side.cpu_s() - cpu, bytes_of_an_answer=size)
        hits = TENANT_DOCUMENTS if mode == "equality" else RANGE_WIDTH
        show(f"Query by index, {mode}, {hits} documents found of {count:,}, {arguments.clients} clients (SQLite: 1): queries/s", figures,
             [(sides[0].name, sides[1].name, " (target 1.5)"), (sides[0].name, sides[2].name, "")])


def bench_merge(arguments, sides):
    strata = sides[0]
    for filling in (0, arguments.bytes):
        count = 100_000
        made = documents(0, count, count, filling)
        table = f"merged{filling}"
        strata.make_table(table, indexed=False)
        fill(strata, table, made)
        strata.settle(table)
        size = 10_000 if filling == 0 else 5_000
        pages = []
        for first in range(0, count, size):
            after = made[first - 1][0] if first else ""
            records = ",".join(f'"{key}":{text}' for key, text in made[first:first + size])
            pages.append(f'{{"last_merged_id":"{after}","records":{{{records}}}}}'.encode())
        figures = {"strata": Figures()}
        for run in range(arguments.runs + 1):
            cpu = strata.cpu_s()
            took, skipped = strata.merge(table, pages)
            require(skipped == count, f"{skipped} of {count} records were equal")
            if run:
                figures["strata"].add(count, took, strata.cpu_s() - cpu)
        show(f"Linear merge of {count:,} unchanged records of {len(made[0][1]):,} bytes, pages of {size:,}, one client "
             "(target 200,000): records/s", figures, [])


def bench_scan(arguments, sides):
    count = arguments.small
    made = documents(0, count, count, 0)
    for side in sides:
        side.make_table("small", indexed=False)
        fill(side, "small", made)
        side.settle("small")
    same_documents(sides, "small", {key: json.loads(text) for key, text in made})
    for title, fields in (("keys", None), ("documents", ["*"])):
        figures = {side.name: Figures() for side in sides}
        for run in range(arguments.runs + 1):
            for side in sides:
                cpu, began = side.cpu_s(), time.monotonic()
                lines, size = side.scan("small", fields)
                took = time.monotonic() - began
                require(lines == count, f"{side.name} answered {lines} lines")
                if run:
                    cpu_s = max(side.cpu_s() - cpu, 0.01)
                    figures[side.name].add(count, took, cpu_s, documents_a_second_of_server_CPU=count / cpu_s, MB_answered=size / 1e6)
        show(f"Scan of {count:,} documents of {len(made[0][1])} bytes, {title}, one client (target 500,000 a second of the "
             "server's CPU): documents/s", figures, [(sides[0].name, side.name, "") for side in sides[1:]])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strata", default=str(REPOSITORY / "build/release/strata"))
    parser.add_argument("--directory", default=str(REPOSITORY / "build"), help="where data directories are made")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2, help="of a run of queries")
    parser.add_argument("--clients", type=int, default=64, help="of queries")
    parser.add_argument("--batches", type=int, default=20, help="of a run of inserts")
    parser.add_argument("--documents", type=int, default=100_000, help="of the table that is queried")
    parser.add_argument("--bytes", type=int, default=940, help="of text in a document")
    parser.add_argument("--small", type=int, default=500_000, help="documents of the table that is scanned")
    parser.add_argument("only", nargs="?", choices=["insert", "query", "merge", "scan"])
    arguments = parser.parse_args()
    if not shutil.which("wrk"):
        sys.exit("wrk is missing: apt-get install wrk")
    directories = [tempfile.mkdtemp(prefix="bench-documents-", dir=arguments.directory) for _ in range(3)]
    sides = []
    try:
        sides.append(servers.Strata(arguments.strata, directories[0]))
        sides.append(servers.Postgres(directories[1]))
        sides.append(servers.Sqlite(directories[2]))
        print(f"{os.cpu_count()} cores shared with the clients, {arguments.runs} runs", flush=True)
        for name, run in (("insert", bench_insert), ("query", bench_query), ("merge", bench_merge), ("scan", bench_scan)):
            if arguments.only in (None, name):
                run(arguments, sides)
    finally:
        for side in sides:
            side.stop()
        for directory in directories:
            shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
