#!/usr/bin/python3
"""Kills the server with SIGKILL again and again while clients write, and checks what a restart shows.

With --points the process ends at a named point of its writing, again and again while it recovers as well.
With --power-loss what was not synced is lost with the process, wholly or in parts, as by a power cut.

With --durability sync: every acknowledged write is there. With async: nothing that was acknowledged more than 100 ms
(and a margin for this machine) before the kill is lost, and what is lost was the newest. Always: no torn batch, row, value or object, nothing that was never sent, and the log of the namespace tells the same story (crash_verify reads the raw keys),
searches show what there is of vectors; backups that were made meanwhile are whole, and restore to the same state. With sync: a reader of the log was told nothing
that is not there afterwards.
"""

import argparse
import collections
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import kill_points
import load
import onlookers
import power_cut
import vector_load

START_LIMIT_S = 30
# Of a machine that is busy with the other tests: the thread that syncs may be late.
ASYNC_LIMIT_S = 0.100 + 0.400


class Killed(Exception):
    """At a named point, before it was ready."""


class Server:
    def __init__(self, binary, directory, durability, power_loss="", point=None, faults=""):
        self.log = open(directory.parent / "server.log", "a")
        self.data, self.undo = directory.resolve(), directory.parent.resolve() / "undo"
        arguments = [binary, "start", "--database", directory, "--port", "0", "--grpc-port", "0", "--durability", durability]
        environment = dict(os.environ)
        libraries = []
        if point:
            # Small enough for tables and new logs within a second.
            arguments += ["--write-buffer-bytes", str(1 << 20)]
            libraries.append(os.path.abspath(faults))
            environment.update(STRATA_FAULT_DATA=str(self.data), STRATA_KILL_AT=point)
        if power_loss:
            self.undo.mkdir(exist_ok=True)
            libraries.append(os.path.abspath(power_loss))
            environment.update(STRATA_POWER_LOSS_DATA=str(self.data), STRATA_POWER_LOSS_UNDO=str(self.undo))
        if libraries:
            environment["LD_PRELOAD"] = ":".join(libraries)
        self.process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=self.log, text=True, env=environment)
        self.port = None

    def wait_ready(self):
        line = self.process.stdout.readline()
        if not line.startswith("strata ready http="):
            code = self.process.wait(START_LIMIT_S)
            if code == -signal.SIGKILL:
                raise Killed()
            raise AssertionError("the server did not start: exit code %s" % code)
        self.port = int(line.split()[2].rsplit(":", 1)[1])

    def kill(self, number=signal.SIGKILL):
        self.process.send_signal(number)

    def stop(self):
        self.kill(signal.SIGTERM)
        if self.process.wait(START_LIMIT_S) != 0:
            raise AssertionError("the server did not stop in order: exit code %s" % self.process.returncode)
        self.reap(None)

    def reap(self, random):
        self.process.wait(START_LIMIT_S)
        self.process.stdout.close()
        self.log.close()
        return power_cut.cut_power(self.data, self.undo, random) if random else 0


def applied_prefix(client, seen, at_least):
    """How many of the client's operations of this round the store shows, at least and at most: one that changed nothing,
    as the delete of a key that is absent, shows neither way. Raises if the store shows no prefix of them."""
    operations = client.operations
    state = dict(client.model)
    states = [dict(state)]
    for operation in operations:
        state.update(operation.effects)
        states.append(dict(state))
    keys = client.keys()
    counts = [count for count in range(at_least, len(operations) + 1)
              if all(states[count].get(key) == seen[key] for key in keys)]
    if counts:
        return counts[0], counts[-1]
    wrong = [key for key in keys if states[at_least].get(key) != seen[key]]
    raise AssertionError("client %d shows no state from its operation %d to %d; wrong: %s" % (
        client.number, at_least, len(operations), wrong))


def check_round(clients, seen, durability, killed_at):
    """(acknowledged, lost): counts of operations; moves the clients' models on."""
    acknowledged = lost = 0
    first_lost_ack, last_kept_send = float("inf"), 0.0
    for client in clients:
        # What was never sent cannot be there: a transaction that the crash met before its commit.
        client.operations = [operation for operation in client.operations if operation.sent_at is not None]
        acks = [operation for operation in client.operations if operation.acknowledged_at is not None]
        if durability == "sync":
            at_least = len(acks)
        else:
            at_least = sum(operation.acknowledged_at < killed_at - ASYNC_LIMIT_S for operation in acks)
        fewest, most = applied_prefix(client, seen, at_least)
        for operation in client.operations[:fewest]:
            client.model.update(operation.effects)
            last_kept_send = max(last_kept_send, operation.sent_at)
        acknowledged += len(acks)
        for operation in acks[most:]:
            lost += 1
            first_lost_ack = min(first_lost_ack, operation.acknowledged_at)
        client.operations = []
    # Whoever wrote after the answer to a lost write must be lost as well: the store is a prefix of the history.
    if last_kept_send > first_lost_ack:
        raise AssertionError("a write was lost that is older than one that was kept")
    return acknowledged, lost


class Campaign:
    def __init__(self, options):
        self.options = options
        self.random = random.Random(options.seed)
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="strata-crash-"))
        self.points = collections.Counter()
        self.kills = self.acknowledged = self.lost = self.in_flight = self.verified = self.cut_files = 0
        self.followed = self.backups = 0

    def start(self, directory, point=None):
        options = self.options
        return Server(options.binary, directory, options.durability, options.power_loss, point, options.points)

    def verify(self, directory, clients, backups):
        """What the last life left: the raw keys agree with the log, and a restore from each kind of backup is the same."""
        server = self.start(directory)
        server.wait_ready()
        snapshot = backups.make(server.port)
        server.stop()
        if self.options.verifier:
            subprocess.run([self.options.verifier, directory], check=True, stdout=subprocess.DEVNULL)
            self.verified += 1
        for number, source in enumerate((("--snapshot", snapshot), ("--wal", backups.directory / "wal"))):
            restored = directory.parent / ("restored%d" % number) / "data"
            restored.parent.mkdir()
            backups.restore(self.options.binary, "--database", restored, *source)
            server = self.start(restored)
            server.wait_ready()
            seen = load.read_all(server.port, clients)
            server.stop()
            for client in clients:
                wrong = [key for key in client.keys() if key[0] not in ("vec", "file") and seen[key] != client.model.get(key)]
                if wrong:
                    raise AssertionError("restored with %s: %s are not as they were" % (source[0], wrong[:5]))

    def kill_while_starting(self, directory):
        server = self.start(directory)
        time.sleep(self.random.random() * 0.1)
        server.kill()
        self.cut_files += server.reap(self.random)
        self.kills += 1

    def start_with_point(self, directory):
        """A server that is ready, and will end at a point, or already has: then another one is started."""
        while True:
            name, point = kill_points.draw(self.random)
            server = self.start(directory, point)
            try:
                server.wait_ready()
                return server, name
            except Killed:
                self.cut_files += server.reap(self.random)
                self.kills += 1
                self.points[name + ", at the start"] += 1

    def round(self, directory, clients, replay, backups):
        point = ""
        if self.options.points:
            server, point = self.start_with_point(directory)
        else:
            server = self.start(directory)
            server.wait_ready()
        killed_at = []

        def kill():
            killed_at.append(time.monotonic())
            server.kill()

        durable = self.options.durability == "sync"
        follower = onlookers.Follower(server.port, replay.position) if durable else None
        maker = onlookers.BackupMaker(server.port, backups) if self.random.random() < 0.3 else None
        try:
            vector_load.make_collection(server.port)
            load.write_until_killed(server.port, clients, time.monotonic() + 0.02 + self.random.random() * 0.6, kill)
        except ConnectionError:
            pass  # it ended while the clients connected
        if not killed_at:
            killed_at.append(time.monotonic())
            self.points[point] += 1
        for onlooker in filter(None, (follower, maker)):
            onlooker.end()
        self.cut_files += server.reap(self.random)
        self.kills += 1
        if self.random.random() < 0.15:
            self.kill_while_starting(directory)
        self.in_flight += sum(client.operations[-1].acknowledged_at is None for client in clients if client.operations)

        server = self.start(directory)
        server.wait_ready()
        seen = load.read_all(server.port, clients)
        held = {key[1]: value for key, value in seen.items() if key[0] == "vec" and value is not None}
        vector_load.check_search(server.port, held, vector_load.row(clients[0])["values"])
        if durable:
            self.followed += len(follower.lines)
            replay.catch_up(server.port, follower.lines)
            replay.check(seen)
        self.backups += backups.check(self.options.binary) if maker else 0
        server.kill(self.random.choice((signal.SIGKILL, signal.SIGTERM)))
        self.cut_files += server.reap(self.random)
        acknowledged, lost = check_round(clients, seen, self.options.durability, killed_at[0])
        self.acknowledged += acknowledged
        self.lost += lost

    def run(self):
        """A directory serves ten kills: long enough for flushes and recovery from many logs, short enough to read
        its whole log at the end."""
        while self.kills < self.options.kills:
            directory = self.root / ("store%d" % self.kills) / "data"
            directory.parent.mkdir()
            clients = [load.Client(number, self.random) for number in range(self.options.clients)]
            replay, backups = onlookers.Replay(), onlookers.Backups(directory)
            end = min(self.kills + 10, self.options.kills)
            while self.kills < end:
                self.round(directory, clients, replay, backups)
            self.verify(directory, clients, backups)
            shutil.rmtree(directory.parent)
        shutil.rmtree(self.root)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--verifier", default="")
    parser.add_argument("--power-loss", default="", help="libpower_loss.so: what was not synced is lost with the kill")
    parser.add_argument("--points", default="", help="libdisk_faults.so: the kill comes at a named point of the writing")
    parser.add_argument("--durability", choices=("sync", "async"), default="sync")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--clients", type=int, default=40)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    options = parser.parse_args()
    print("crash loop: seed %d, %d clients, durability %s, %s" % (
        options.seed, options.clients, options.durability, "power cuts" if options.power_loss else "kills"), flush=True)
    campaign = Campaign(options)
    began = time.monotonic()
    try:
        campaign.run()
    except (AssertionError, subprocess.SubprocessError) as error:
        print("FAILED after %d kills: %s\nkept: %s" % (campaign.kills, error, campaign.root))
        return 1
    print("%d kills in %.0f s: %d writes acknowledged, %d of them lost, %d in flight at a kill, %d logs compared, %d files cut, "
          "%d records followed, %d backups made under way" % (
        campaign.kills, time.monotonic() - began, campaign.acknowledged, campaign.lost, campaign.in_flight,
        campaign.verified, campaign.cut_files, campaign.followed, campaign.backups))
    for name, count in sorted(campaign.points.items()):
        print("  %4d %s" % (count, name))
    return 0


if __name__ == "__main__":
    sys.exit(main())
