#!/usr/bin/python3
"""Versioned files beside git, restic and borg: a source tree in, and in again unchanged.

The tree is what /usr/include and /usr/share hold, copied once. Every side reads all of it the first time, compresses with
its fastest level (zlib 1, zstd) and is on disk at the end (`sync -f` counts); the second time each goes by the times of
files, with the cache that it keeps for that. Interleaved; median of the rounds with their range.
Every side finds all of the tree in the page cache, or nothing of it where the row says so: borg drops what it has read,
and who came behind it would wait for the disk where the others do not.
Then bench_files measures large files, snapshots, diffs and collections in process, wrk small PUTs over HTTP (puts.py),
and the server's memory is looked at while large ones come and go (memory.py).
"""

import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import time

import memory
import puts

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "build/release/bench/files/bench_files"
ENVIRONMENT = dict(os.environ, RESTIC_PASSWORD="x", BORG_UNENCRYPTED_REPO_ACCESS_IS_OK="yes",
                   GIT_CONFIG_GLOBAL="/dev/null", GIT_AUTHOR_NAME="b", GIT_AUTHOR_EMAIL="b@b",
                   GIT_COMMITTER_NAME="b", GIT_COMMITTER_EMAIL="b@b")


def call(*command):
    subprocess.run([str(part) for part in command], check=True, env=ENVIRONMENT, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)


def strata(tree, store):
    call(PROGRAM, "--directory", store, "import", tree)


def make_git(store):
    call("git", "init", "-q", "--bare", store)
    call("git", "-C", store, "config", "core.compression", "1")
    call("git", "-C", store, "config", "gc.auto", "0")


def git(tree, store):
    at = ("git", "--git-dir=%s" % store, "--work-tree=%s" % tree, "-c", "core.bare=false")
    call(*at, "add", "-A", tree)
    call(*at, "commit", "-q", "--allow-empty", "-m", "import")


def make_restic(store):
    call("restic", "init", "-q", "-r", store)


def restic(tree, store):
    call("restic", "-r", store, "backup", "-q", tree)


def make_borg(store):
    call("borg", "init", "-e", "none", store)


def borg(tree, store):
    call("borg", "create", "-C", "zstd,1", "%s::%d" % (store, time.time_ns()), tree)


# Name, what makes an empty store outside of the clock, and what is measured.
SIDES = (("strata", lambda store: None, strata), ("git", make_git, git), ("restic", make_restic, restic),
         ("borg", make_borg, borg))


def seconds_of(side, tree, store):
    began = time.monotonic()
    side(tree, store)
    call("sync", "-f", store)
    return time.monotonic() - began


def files_of(tree):
    return [path for path in tree.rglob("*") if path.is_file() and not path.is_symlink()]


def load_tree(tree):
    for path in files_of(tree):
        path.read_bytes()


def drop_tree(tree):
    for path in files_of(tree):
        descriptor = os.open(path, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def copy_tree(directory):
    tree = directory / "tree"
    tree.mkdir()
    for source in ("/usr/include", "/usr/share"):
        call("cp", "-a", source, tree)
    # What is not written yet cannot be dropped.
    call("sync", "-f", tree)
    files = files_of(tree)
    print("tree: %d files, %.0f MB" % (len(files), sum(path.stat().st_size for path in files) / 1e6), flush=True)
    return tree


def show(title, times):
    ours = statistics.median(times["strata"])
    for name, values in times.items():
        median = statistics.median(values)
        print("%s, %s: %.2f s (%.2f-%.2f), %.2f x ours" % (title, name, median, min(values), max(values), median / ours))


def bench_imports(arguments):
    # The caches of restic and borg.
    ENVIRONMENT.update(XDG_CACHE_HOME=str(arguments.directory / "cache"), BORG_BASE_DIR=str(arguments.directory / "borg-home"))
    tree = copy_tree(arguments.directory)
    cold, first, again = ({side[0]: [] for side in SIDES} for _ in range(3))
    sizes = {}
    for _ in range(arguments.rounds):
        for name, make, side in SIDES:
            store = arguments.directory / name
            for times, prepare in ((cold, drop_tree), (first, load_tree)):
                shutil.rmtree(store, ignore_errors=True)
                make(store)
                prepare(tree)
                times[name].append(seconds_of(side, tree, store))
            sizes[name] = int(subprocess.check_output(["du", "-sm", store]).split()[0])
            again[name].append(seconds_of(side, tree, store))
    show("import", first)
    show("import, the tree not in the page cache", cold)
    show("again, unchanged", again)
    print("stored, MB: %s" % ", ".join("%s %d" % item for item in sizes.items()))


def bench_in_process(arguments, what):
    store = arguments.directory / ("store-" + what)
    subprocess.run([PROGRAM, "--directory", store, "--rounds", str(arguments.rounds), what], check=True)


def bench_puts(arguments):
    puts.run(arguments.strata, arguments.directory, arguments.rounds, arguments.seconds)


def bench_memory(arguments):
    memory.run(arguments.strata, arguments.directory, arguments.rounds)


PARTS = {"imports": bench_imports, "large": lambda arguments: bench_in_process(arguments, "large"),
         "tree": lambda arguments: bench_in_process(arguments, "tree"), "puts": bench_puts,
         "memory": bench_memory}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5, help="of a run of PUTs")
    parser.add_argument("--directory", type=pathlib.Path, default=ROOT / "build/bench-files")
    parser.add_argument("--strata", default=ROOT / "build/release/strata")
    parser.add_argument("only", nargs="?", choices=PARTS)
    arguments = parser.parse_args()
    shutil.rmtree(arguments.directory, ignore_errors=True)
    arguments.directory.mkdir(parents=True)
    for name, part in PARTS.items():
        if arguments.only in (None, name):
            part(arguments)
    shutil.rmtree(arguments.directory)


if __name__ == "__main__":
    main()
