"""What is measured: Strata, PostgreSQL and SQLite behind the same few calls, each in a directory of its own."""

import glob
import http.client
import json
import os
import pathlib
import pwd
import random
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from strata_server import TICKS_PER_S, StrataServer, stat_ticks  # noqa: E402

LUA = str(pathlib.Path(__file__).with_name("requests.lua"))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def together(calls):
    """Runs them at the same time; the seconds that all took."""
    threads = [threading.Thread(target=call) for call in calls]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.monotonic() - began


class Strata(StrataServer):
    name = "strata"

    def __init__(self, binary, directory):
        self.log = open(os.path.join(directory, "server.log"), "wb")
        super().__init__(binary, os.path.join(directory, "data"), log=self.log)

    def stop(self):
        super().stop()
        self.log.close()

    def call(self, method, path, body=None, connection=None):
        mine = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        mine.request(method, path, body, {"Content-Type": "application/json"} if body else {})
        response = mine.getresponse()
        data = response.read()
        if connection is None:
            mine.close()
        if response.status not in (200, 201):
            sys.exit(f"{method} {path}: {response.status} {data[:300]}")
        return data

    def commits_and_syncs(self):
        text = self.call("GET", "/metrics").decode()
        return tuple(float(re.search(rf"^strata_engine_{name}_total ([\d.e+]+)$", text, re.M).group(1))
                     for name in ("commits", "syncs"))

    def make_table(self, name, indexed=True):
        indexes = {"by_tenant": {"type": "string", "field": "tenant"}, "by_rank": {"type": "number", "field": "rank"}}
        self.call("POST", f"/api/v1/tables/{name}", json.dumps({"indexes": indexes if indexed else {}}))

    def settle(self, name):
        """Indexes that are ready; background work that is done."""
        while any(index["state"] != "ready" for index in self.indexes(name)):
            time.sleep(0.1)
        before = self.cpu_s()
        while True:
            time.sleep(0.5)
            now = self.cpu_s()
            if now - before <= 0.011:
                return
            before = now

    def indexes(self, name):
        found = json.loads(self.call("GET", f"/api/v1/tables/{name}/indexes"))
        return found["indexes"] if isinstance(found, dict) else found

    @staticmethod
    def payload(batch):
        return ('{"inserts":{' + ",".join(f'"{key}":{text}' for key, text in batch) + "}}").encode()

    def insert(self, table, clients):
        """clients: for each its payloads, sent one after the other. The seconds it took."""
        def send(payloads):
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
            connection.connect()
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for payload in payloads:
                self.call("POST", f"/api/v1/tables/{table}/batch", payload, connection)
            connection.close()
        return together([lambda payloads=payloads: send(payloads) for payloads in clients])

    def count(self, table):
        answer = json.loads(self.call("POST", f"/api/v1/tables/{table}/query", '{"count":true}'))
        return answer["responses"][0]["hits"]["total"]

    def find(self, mode, low, high):
        """(documents by key, bytes of the answer)"""
        chosen = {"field": "tenant", "term": low} if mode == "equality" else {"field": "rank", "min": low, "max": high}
        data = self.call("POST", "/api/v1/tables/documents/query",
                         json.dumps({"limit": 100, "explain": True, "filter_query": chosen}))
        answer = json.loads(data)["responses"][0]
        if "by_" not in json.dumps(answer):
            sys.exit(f"no index was read: {data[-300:]}")
        return {hit["_id"]: hit["_source"] for hit in answer["hits"]["hits"]}, len(data)

    def load(self, mode, seconds, clients, *values):
        """(requests, requests a second, bytes of an answer)"""
        out = subprocess.run(["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", f"http://127.0.0.1:{self.port}/", "-s", LUA, "--",
                              mode, *map(str, values)], capture_output=True, text=True, check=True).stdout
        if "Non-2xx" in out or "Socket errors" in out:
            sys.exit("queries failed:\n" + out)
        requests, size, unit = re.search(r"(\d+) requests in [^,]+, ([\d.]+)([KMGB]+) read", out).groups()
        size = float(size) * {"B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}[unit]
        return int(requests), float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1)), size / max(int(requests), 1)

    def scan(self, table, fields=None):
        """Everything: (lines, bytes)."""
        body = json.dumps({"fields": fields} if fields else {}).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        connection.request("POST", f"/api/v1/tables/{table}/lookup", body)
        response = connection.getresponse()
        if response.status != 200:
            sys.exit(f"lookup: {response.status} {response.read(300)}")
        buffer = bytearray(1 << 20)
        lines = size = 0
        while count := response.readinto(buffer):
            lines += buffer.count(b"\n", 0, count)
            size += count
        connection.close()
        return lines, size

    def scanned(self, table):
        lines = self.call("POST", f"/api/v1/tables/{table}/lookup", json.dumps({"fields": ["*"]})).splitlines()
        found = {}
        for line in lines:
            document = json.loads(line)
            found[document.pop("key")] = document
        return found

    def merge(self, table, pages):
        """pages: (last_merged_id, records as JSON), made before. (seconds, skipped)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        skipped = 0
        began = time.monotonic()
        for page in pages:
            answer = json.loads(self.call("POST", f"/api/v1/tables/{table}/merge", page, connection))
            if answer["upserted"] or answer["deleted"]:
                sys.exit(f"a merge of what is there changed something: {answer}")
            skipped += answer["skipped"]
        took = time.monotonic() - began
        connection.close()
        return took, skipped


class Postgres:
    name = "PostgreSQL"
    # By its manual's advice for a machine of its own with this much memory, durable as by default.
    SETTINGS = {
        "listen_addresses": "'127.0.0.1'", "max_connections": 100, "shared_buffers": "'2GB'", "effective_cache_size": "'6GB'",
        "work_mem": "'64MB'", "maintenance_work_mem": "'512MB'", "fsync": "on", "synchronous_commit": "on",
        "full_page_writes": "on", "wal_compression": "on", "wal_buffers": "'64MB'", "max_wal_size": "'8GB'",
        "checkpoint_timeout": "'15min'", "random_page_cost": 1.1, "effective_io_concurrency": 100, "jit": "off",
        "autovacuum": "on", "logging_collector": "off",
    }

    def __init__(self, directory):
        versions = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[4]))
        if not versions:
            sys.exit("PostgreSQL is missing: apt-get install postgresql")
        self.bin = versions[-1]
        self.data = os.path.join(directory, "data")
        self.port = free_port()
        # It refuses to run as root.
        self.user = {}
        if os.getuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(directory, owner.pw_uid, owner.pw_gid)
            self.user = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
        subprocess.run([f"{self.bin}/initdb", "-D", self.data, "-U", "bench", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"],
                       stdout=subprocess.DEVNULL, check=True, cwd=directory, **self.user)
        with open(os.path.join(self.data, "postgresql.auto.conf"), "a") as conf:
            conf.writelines(f"{name} = {value}\n" for name, value in self.SETTINGS.items())
            conf.write(f"port = {self.port}\nunix_socket_directories = '{directory}'\n")
        self.log = open(os.path.join(directory, "server.log"), "wb")
        self.process = subprocess.Popen([f"{self.bin}/postgres", "-D", self.data], stdout=self.log, stderr=self.log,
                                        cwd=directory, **self.user)
        for _ in range(300):
            if subprocess.run([f"{self.bin}/pg_isready", "-q", *self.where()], check=False).returncode == 0:
                break
            if self.process.poll() is not None:
                sys.exit(f"PostgreSQL did not start: {directory}/server.log")
            time.sleep(0.1)
        self.name = "PostgreSQL " + self.sql("SHOW server_version").split()[0]
        self.directory = directory

    def where(self):
        return ["-h", "127.0.0.1", "-p", str(self.port), "-U", "bench", "-d", "postgres"]

    def sql(self, text):
        return subprocess.run([f"{self.bin}/psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", *self.where(), "-c", text],
                              capture_output=True, text=True, check=True).stdout.rstrip("\n")

    def cpu_s(self):
        """Of the server and all its processes, those that have ended included."""
        own = self.process.pid
        children = pathlib.Path(f"/proc/{own}/task/{own}/children").read_text().split()
        return (stat_ticks(own, True) + sum(stat_ticks(child, False) for child in children)) / TICKS_PER_S

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait()
        self.log.close()

    def commits_and_syncs(self):
        return None, float(self.sql("SELECT pg_stat_force_next_flush(), wal_sync FROM pg_stat_wal").split("|")[1])

    def make_table(self, name, indexed=True):
        self.sql(f"CREATE TABLE {name} (key text PRIMARY KEY, doc jsonb NOT NULL)")
        if indexed:
            self.sql(f"CREATE INDEX {name}_tenant ON {name} ((doc->>'tenant'))")
            self.sql(f"CREATE INDEX {name}_rank ON {name} (((doc->>'rank')::bigint))")

    def settle(self, name):
        self.sql(f"VACUUM (ANALYZE) {name}")
        self.sql("CHECKPOINT")

    @staticmethod
    def payload(batch):
        return list(batch)

    def insert(self, table, clients, prepared=False):
        """COPY, or a prepared INSERT ... ON CONFLICT DO UPDATE with a batch's JSON as its argument; a transaction a batch."""
        scripts = []
        for number, payloads in enumerate(clients):
            scripts.append(os.path.join(self.directory, f"insert{number}.sql"))
            with open(scripts[-1], "w") as script:
                if prepared:
                    script.write(f"PREPARE put(jsonb) AS INSERT INTO {table} SELECT key, value FROM jsonb_each($1) "
                                 "ON CONFLICT (key) DO UPDATE SET doc = EXCLUDED.doc;\n")
                for batch in payloads:
                    if prepared:
                        script.write("EXECUTE put('{" + ",".join(f'"{key}":{text}' for key, text in batch) + "}');\n")
                    else:
                        script.write(f"COPY {table} FROM STDIN;\n" + "".join(f"{key}\t{text}\n" for key, text in batch) + "\\.\n")
        took = together([lambda script=script: subprocess.run(
            [f"{self.bin}/psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", *self.where(), "-f", script], stdout=subprocess.DEVNULL, check=True)
            for script in scripts])
        for script in scripts:
            os.unlink(script)
        return took

    def count(self, table):
        return int(self.sql(f"SELECT count(*) FROM {table}"))

    WHERE = {"equality": "doc->>'tenant' = {}", "range": "(doc->>'rank')::bigint >= {} AND (doc->>'rank')::bigint < {}"}

    def find(self, mode, low, high):
        condition = self.WHERE[mode].format(f"'{low}'" if mode == "equality" else low, high)
        text = self.sql(f"SELECT key, doc FROM documents WHERE {condition}")
        rows = [line.split("|", 1) for line in text.splitlines()]
        return {key: json.loads(document) for key, document in rows}, len(text)

    def load(self, mode, seconds, clients, *values):
        script = os.path.join(self.directory, f"{mode}.pgbench")
        with open(script, "w") as out:
            if mode == "equality":
                out.write(f"\\set tenant random(0, {values[0] - 1})\n"
                          f"SELECT key, doc FROM documents WHERE {self.WHERE[mode].format(':tenant')};\n")
            else:
                out.write(f"\\set low random(0, {values[0] - values[1]})\n\\set high :low + {values[1]}\n"
                          f"SELECT key, doc FROM documents WHERE {self.WHERE[mode].format(':low', ':high')};\n")
        out = subprocess.run([f"{self.bin}/pgbench", "-n", "-M", "prepared", f"-c{clients}", "-j1", f"-T{seconds}", "-f", script,
                              "-h", "127.0.0.1", "-p", str(self.port), "-U", "bench", "postgres"],
                             capture_output=True, text=True, check=True).stdout
        requests = int(re.search(r"actually processed: (\d+)", out).group(1))
        return requests, float(re.search(r"tps = ([\d.]+)", out).group(1)), None

    def scan(self, table, fields=None):
        what = "key, doc" if fields else "key"
        reader = subprocess.Popen([f"{self.bin}/psql", "-X", "-q", *self.where(), "-c", f"COPY (SELECT {what} FROM {table}) TO STDOUT"],
                                  stdout=subprocess.PIPE, bufsize=0)
        buffer = bytearray(1 << 20)
        lines = size = 0
        while count := reader.stdout.readinto(buffer):
            lines += buffer.count(b"\n", 0, count)
            size += count
        if reader.wait() != 0:
            sys.exit("psql failed")
        return lines, size

    def scanned(self, table):
        rows = [line.split("\t", 1) for line in self.sql(f"COPY (SELECT key, doc FROM {table}) TO STDOUT").splitlines()]
        return {key: json.loads(document) for key, document in rows}


class Sqlite:
    """In this process, as it is meant to be used: its rates have no server and no protocol in them."""

    def __init__(self, directory):
        self.name = f"SQLite {sqlite3.sqlite_version}"
        self.database = sqlite3.connect(os.path.join(directory, "data.sqlite"), isolation_level=None, cached_statements=100)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "cache_size=-2000000", "mmap_size=8000000000"):
            self.database.execute(f"PRAGMA {pragma}")

    def cpu_s(self):
        return time.thread_time()

    def stop(self):
        self.database.close()

    def commits_and_syncs(self):
        return None, None

    def make_table(self, name, indexed=True):
        self.database.execute(f"CREATE TABLE {name} (key TEXT PRIMARY KEY, doc TEXT NOT NULL) WITHOUT ROWID")
        if indexed:
            self.database.execute(f"CREATE INDEX {name}_tenant ON {name} (json_extract(doc, '$.tenant'))")
            self.database.execute(f"CREATE INDEX {name}_rank ON {name} (json_extract(doc, '$.rank'))")

    def settle(self, name):
        self.database.execute("ANALYZE")
        self.database.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    payload = staticmethod(list)

    def insert(self, table, clients):
        began = time.monotonic()
        for payloads in clients:
            for batch in payloads:
                self.database.execute("BEGIN IMMEDIATE")
                self.database.executemany(f"INSERT OR REPLACE INTO {table} VALUES (?, ?)", batch)
                self.database.execute("COMMIT")
        return time.monotonic() - began

    def count(self, table):
        return self.database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]

    FIND = {"equality": "SELECT key, doc FROM documents WHERE json_extract(doc, '$.tenant') = ?",
            "range": "SELECT key, doc FROM documents WHERE json_extract(doc, '$.rank') >= ? AND json_extract(doc, '$.rank') < ?"}

    def find(self, mode, low, high):
        rows = self.database.execute(self.FIND[mode], (low,) if mode == "equality" else (low, high)).fetchall()
        return {key: json.loads(document) for key, document in rows}, sum(len(key) + len(document) for key, document in rows)

    def load(self, mode, seconds, _, *values):
        chosen = random.Random(1)
        began, done, size = time.monotonic(), 0, 0
        while (elapsed := time.monotonic() - began) < seconds:
            for _ in range(100):
                if mode == "equality":
                    of = (str(chosen.randrange(values[0])),)
                else:
                    low = chosen.randrange(values[0] - values[1] + 1)
                    of = (low, low + values[1])
                size += sum(len(row[1]) for row in self.database.execute(self.FIND[mode], of))
            done += 100
        return done, done / elapsed, size / done

    def scan(self, table, fields=None):
        lines = size = 0
        for row in self.database.execute(f"SELECT {'key, doc' if fields else 'key'} FROM {table}"):
            lines += 1
            size += len(row[-1])
        return lines, size

    def scanned(self, table):
        return {key: json.loads(document) for key, document in self.database.execute(f"SELECT key, doc FROM {table}")}
