"""Published clients, unmodified, against the real server: every call they have for what the server does."""

import fcntl
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "scenarios"))

from strata_server import REPOSITORY, Server  # noqa: E402

CLIENTS = ("1.1.0", "1.0.3")
INSTALL_LIMIT_S = 240


def client_python(version):
    """Of a virtual environment with that client in it, kept between runs; skips the test where there can be none."""
    directory = REPOSITORY / "build" / "compat" / f"swarndb-{version}"
    directory.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{directory}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests of other processes want it too
        return install(version, directory)


def install(version, directory):
    python = directory / "bin" / "python"
    if (directory / "installed").exists():
        return python
    shutil.rmtree(directory, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(directory)], check=True, capture_output=True)
    try:
        installed = subprocess.run(
            [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1", "--timeout",
             "20", f"swarndb=={version}"], capture_output=True, text=True, timeout=INSTALL_LIMIT_S)
        failed = installed.stderr.strip() if installed.returncode != 0 else None
    except subprocess.TimeoutExpired:
        failed = "pip did not end in time"
    if failed is not None:
        pytest.skip(f"swarndb {version} cannot be installed from PyPI: {failed.splitlines()[-1] if failed else ''}")
    (directory / "installed").touch()
    return python


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("version", CLIENTS)
def test_the_official_python_client(version, kind, tmp_path):
    python = client_python(version)
    bulk = tmp_path / "bulk"
    bulk.mkdir()
    # With a key neither version's asynchronous client gets as far as sending: it sets attributes of a named tuple.
    environment = {"STRATA_API_KEYS": "the-key"} if kind == "sync" else {}
    with Server("--bulk-root", str(bulk), environment=environment) as server:
        ended = subprocess.run([str(python), str(HERE / "client_calls.py"), kind, version, str(server.port),
                                str(server.grpc_port), str(bulk)], capture_output=True, text=True, timeout=120,
                               env={"PATH": os.environ["PATH"]})
        assert ended.returncode == 0, ended.stdout + ended.stderr + server.log()
        assert ended.stdout.endswith("every call answered\n")
