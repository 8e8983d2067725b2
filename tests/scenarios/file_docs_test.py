"""The commands of docs/files.md, as a reader runs them."""

import re
import shutil
import subprocess

import pytest

from file_help import chunk_hash
from strata_server import REPOSITORY, Server

PAGE = (REPOSITORY / "docs" / "files.md").read_text()


def commands():
    """(command, status, pattern of the answer) in order."""
    lines = [line for block in re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL) for line in block.splitlines()]
    return [re.fullmatch(r"(.*?) +# (\d+) (.*)", line).groups() for line in lines]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_commands_of_the_page():
    assert len(commands()) >= 20
    with Server() as server:
        for command, status, expected in commands():
            command = command.replace("localhost:8080", f"127.0.0.1:{server.port}").replace("HELLO", chunk_hash(b"hello"))
            done = subprocess.run(["bash", "-ec", command.replace("curl", "curl -sS -w '\\n%{http_code}'", 1)],
                                  capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, (command, done.stderr)
            answer, code = done.stdout.rsplit("\n", 1)
            pattern = re.escape(expected.replace("HELLO", chunk_hash(b"hello"))).replace(r"\.\.\.", ".*")
            assert (code, bool(re.fullmatch(pattern, answer))) == (status, True), (command, answer)
