"""The documents tell the truth: the README's tour is executed, and the verbs they name exist."""

import re
import shutil
import subprocess

import pytest

from strata_server import REPOSITORY, Server, binary

README = (REPOSITORY / "README.md").read_text()
HACKING = (REPOSITORY / "docs" / "HACKING.md").read_text()


def tour():
    """(command, expected output) in order."""
    steps = []
    for block in re.findall(r"^```console\n(.*?)^```", README, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                steps.append((line[2:], []))
            else:
                steps[-1][1].append(line)
    return [(command, "\n".join(output)) for command, output in steps]


def run(command, port):
    command = command.replace("127.0.0.1:8080", f"127.0.0.1:{port}")
    done = subprocess.run(["bash", "-ec", command], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, (command, done.stderr)
    return done.stdout.strip()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_tour():
    steps = tour()
    assert len(steps) >= 14
    with Server() as server:
        for command, expected in steps:
            assert run(command, server.port) == expected, command


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_first_request():
    (block,) = re.findall(r"^```sh\n(\./x run\n.*?)^```", README, re.MULTILINE | re.DOTALL)
    with Server() as server:
        assert run(block.splitlines()[1], server.port) == '{"success":true}'


def test_verbs_exist():
    listed = subprocess.run([REPOSITORY / "x", "help"], capture_output=True, text=True, timeout=60).stdout
    verbs = set(re.findall(r"\./x ([a-z]+)", README + HACKING))
    assert {"run", "test", "check", "package"} <= verbs
    for verb in verbs:
        assert re.search(rf"^  {verb}\b", listed, re.MULTILINE), verb


def test_options_exist():
    known = subprocess.run([binary(), "start", "--help"], capture_output=True, text=True, timeout=60).stdout
    for option in set(re.findall(r"(?<=[ `])--[a-z][a-z-]+", README)):
        assert option in known, option


def test_wrong_verbs_end_with_two():
    ended = subprocess.run([REPOSITORY / "x", "frobnicate"], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2 and "usage" in ended.stderr
