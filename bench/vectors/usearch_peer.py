"""usearch beside the others: builds an index from the files that bench_vectors exports, then runs all queries for each
ef that it reads, with one thread: "recall seconds". The whole matrix of queries goes in with one call.

    usearch_peer.py DIRECTORY DIMENSION M EF_CONSTRUCTION K
"""

import pathlib
import sys
import time

import numpy
import usearch
from usearch.index import Index


def main():
    directory = pathlib.Path(sys.argv[1])
    dimension, m, ef_construction, k = map(int, sys.argv[2:])
    base = numpy.fromfile(directory / "base.f32", dtype=numpy.float32).reshape(-1, dimension)
    queries = numpy.fromfile(directory / "queries.f32", dtype=numpy.float32).reshape(-1, dimension)
    right = [set(map(int, line.split())) for line in (directory / "truth.txt").read_text().splitlines()]
    index = Index(ndim=dimension, metric="l2sq", dtype="f16", connectivity=m, expansion_add=ef_construction)
    begin = time.perf_counter()
    index.add(numpy.arange(len(base), dtype=numpy.uint64), base, threads=1)
    print("usearch-%s-f16" % usearch.__version__, time.perf_counter() - begin, index.memory_usage, flush=True)
    for line in sys.stdin:
        index.expansion_search = int(line)
        begin = time.perf_counter()
        found = index.search(queries, k, threads=1)
        seconds = time.perf_counter() - begin
        hits = sum(len(right[i] & set(map(int, found.keys[i]))) for i in range(len(queries)))
        print(hits / (len(queries) * k), seconds, flush=True)


main()
