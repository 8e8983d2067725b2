#!/usr/bin/python3
"""bench_vectors with usearch (f16) among the peers, where PyPI gives it. Options are those of bench_vectors.

    bench/vectors/run.py [--build build/release] [options of bench_vectors]
"""

import os
import pathlib
import shutil
import subprocess
import sys

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent


def usearch_python():
    """Of an environment with usearch in it, kept between runs; None: it cannot be installed."""
    directory = REPOSITORY / "build" / "compat" / "usearch"
    python = directory / "bin" / "python"
    if (directory / "installed").exists():
        return python
    shutil.rmtree(directory, ignore_errors=True)
    directory.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-m", "venv", str(directory)], check=True, capture_output=True)
    installed = subprocess.run([str(python), "-m", "pip", "install", "--quiet", "--retries", "1", "usearch", "numpy"],
                               capture_output=True, text=True, check=False)
    if installed.returncode != 0:
        print("without usearch:", installed.stderr.strip().splitlines()[-1:])
        return None
    (directory / "installed").touch()
    return python


def main():
    arguments = sys.argv[1:]
    build = REPOSITORY / "build" / "release"
    if arguments[:1] == ["--build"]:
        build, arguments = pathlib.Path(arguments[1]), arguments[2:]
    python = None if "--help" in arguments else usearch_python()
    if python:
        arguments += ["--usearch", str(python), str(HERE / "usearch_peer.py")]
    program = str(build / "bench" / "vectors" / "bench_vectors")
    os.execv(program, [program, *arguments])


main()
