#!/usr/bin/python3
"""Includes point downward: the picture in docs/ARCHITECTURE.md, as a table.

Every quoted include is written from src/ and must be allowed by ALLOWED below; headers of RocksDB are for its engine
alone. Tests (*_test.cpp, *_test.h) and tests/, bench/, examples/ may use any engine besides, since they bring their own.
"""

import pathlib
import re
import subprocess
import sys

# Part of src/ -> what it may include besides itself. A part is the longest of these names that a path starts with.
BELOW_LAYERS = ("base", "tuple", "kv")
ALGORITHMS = ("hnsw", "text", "archive", "wasm", "math")
# Places outside the store: they know nothing of keys or protocols of ours either.
OUTSIDE = ("blobs",)
LAYERS = ("layers/records", "layers/documents", "layers/vectors", "layers/files")
FACES = ("faces/rest", "faces/grpc", "faces/fdb_c")
ENGINES = ("engine/memory", "engine/rocksdb", "engine/remote", "engine/foundationdb")

ALLOWED = {
    "base": (),
    "tuple": ("base",),
    "kv": ("base", "tuple"),
    **{engine: BELOW_LAYERS for engine in ENGINES},
    **{part: ("base",) for part in ALGORITHMS + OUTSIDE},
    # The distances of searches are those of computations.
    "math": ("base", "hnsw"),
    **{layer: BELOW_LAYERS + ALGORITHMS for layer in LAYERS},
    "service": BELOW_LAYERS + LAYERS + ALGORITHMS + OUTSIDE,
    "faces/rest": ("base", "tuple", "service"),
    "faces/grpc": ("base", "tuple", "service"),
    # FoundationDB's C API is the core's own interface: it has no use case in between.
    "faces/fdb_c": BELOW_LAYERS + ENGINES + ("service",),
    "app": BELOW_LAYERS + ENGINES + ("service",) + FACES,
}
# Headers of a vendor -> the only parts that include them.
VENDORS = {"rocksdb/": ("engine/rocksdb",), "foundationdb/": ("engine/foundationdb",), "curl/": ("service", "blobs")}

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')


def part_of(path):
    """"kv" of "kv/engine.h"; None for a path in no part."""
    found = [part for part in ALLOWED if path.startswith(part + "/")]
    return max(found, key=len) if found else None


def is_test(path):
    return re.search(r"_test\.(cpp|h)$", path) is not None


def includes_of(text):
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1), match.group(2)


def has_helper(path, target):
    """tests/ and bench/ have headers of their own: beside the file, or written from that folder."""
    return any((folder / target).is_file() for folder in (pathlib.Path(path).parent, pathlib.Path(path).parents[-2]))


def complaints_about(path, text, exists):
    """path: below the repository; exists: whether a path below src/ is a file."""
    inside = path[len("src/"):] if path.startswith("src/") else None
    part = part_of(inside) if inside else None
    if inside and part is None:
        yield "%s: is in no part of the picture" % path
        return
    for number, quote, target in includes_of(text):
        where = "%s:%d" % (path, number)
        for prefix, owners in VENDORS.items():
            if target.startswith(prefix) and part is not None and part not in owners:
                yield "%s: only %s includes <%s...>" % (where, " and ".join(owners), prefix)
        if quote == "<":
            continue
        target_part = part_of(target)
        if target_part is None or not exists(target):
            if inside or not has_helper(path, target):
                yield '%s: "%s" is not a path from src/' % (where, target)
            continue
        if part is None or target_part == part or target_part in ALLOWED[part]:
            continue
        if is_test(path) and target_part in ENGINES and part not in BELOW_LAYERS[:2]:
            continue
        yield "%s: %s does not include %s" % (where, part, target_part)


def tracked_sources():
    listed = subprocess.run(["git", "ls-files", "*.cpp", "*.h"], check=True, capture_output=True, text=True)
    return [path for path in listed.stdout.splitlines() if pathlib.Path(path).is_file()]


def main():
    complaints = []
    for path in tracked_sources():
        text = pathlib.Path(path).read_text(encoding="utf-8")
        complaints += complaints_about(path, text, lambda target: pathlib.Path("src", target).is_file())
    for complaint in complaints:
        print(complaint)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
