"""The commands of docs/log.md and docs/backups.md, as they stand, against a server."""

import os
import re
import shutil
import stat
import subprocess

import pytest

from log_reading import put
from strata_server import REPOSITORY, Server, b64, binary

DATA = "/var/lib/strata"
# Fails where the server refuses; a stream that follows is left after what it has by then.
CURL = """#!/bin/bash
{curl} -sS --fail --max-time 2 "${{@//localhost:8080/127.0.0.1:$PORT}}"
code=$?
[ $code = 28 ] || exit $code
"""
STRATA = """#!/bin/sh
exec {binary} "$@"
"""

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


def commands(page):
    """The lines of its sh blocks, without what they say behind the command."""
    lines = []
    for block in re.findall(r"^```sh\n(.*?)^```", (REPOSITORY / "docs" / page).read_text(), re.MULTILINE | re.DOTALL):
        lines += [re.sub(r"  +#.*", "", line) for line in block.splitlines() if line and not line.startswith("#")]
    return lines


class Shell:
    """Runs lines one after another, as one shell would, in a directory of its own."""

    def __init__(self, directory, server):
        self.server = server
        self.here = directory / "here"
        self._tools = directory / "tools"
        self._data = directory / "strata"
        for made in (self.here, self._tools):
            made.mkdir()
        for name, text in (("curl", CURL.format(curl=shutil.which("curl"))), ("strata", STRATA.format(binary=binary()))):
            tool = self._tools / name
            tool.write_text(text)
            tool.chmod(tool.stat().st_mode | stat.S_IXUSR)

    def run(self, line):
        line = line.replace(DATA, str(self._data))
        if line.startswith("systemctl "):
            return self.server.stop() if line == "systemctl stop strata" else self.server.start()
        if line.startswith("cd "):
            self.here = self.here / line[3:]
            return None
        environment = {**os.environ, "PATH": f"{self._tools}:{os.environ['PATH']}", "PORT": str(self.server.port)}
        ended = subprocess.run(["bash", "-ec", line], capture_output=True, text=True, timeout=60, cwd=self.here, env=environment)
        assert ended.returncode == 0, (line, ended.stdout, ended.stderr)
        return ended.stdout


def test_the_page_of_the_log(tmp_path):
    with Server(directory=tmp_path / "strata") as server:
        shell = Shell(tmp_path, server)
        client = server.client()
        put(client, "/api/v1/default", "greeting", b"hello")  # ends at 1:38, as both pages have it
        put(client, "/api/v1/default", "greeting", b"bye")
        outputs = [shell.run(line) for line in commands("log.md")]
        assert len(outputs) >= 4
        assert '"segmentId":1' in outputs[0]
        assert outputs[1].count("\n") == 2
        assert '"lsn":2' in outputs[2] and '"lsn":1' not in outputs[2]
        assert outputs[3].startswith("id: 1:") and '"lsn":2' in outputs[3]


def test_the_page_of_backups(tmp_path):
    with Server(directory=tmp_path / "strata") as server:
        shell = Shell(tmp_path, server)
        client = server.client()
        put(client, "/api/v1/default", "greeting", b"hello")  # ends at 1:38, as both pages have it
        put(client, "/api/v1/default", "greeting", b"bye")
        outputs = [shell.run(line) for line in commands("backups.md")]
        assert len(outputs) >= 9
        restored = [output for output in outputs if isinstance(output, str) and "log records; state of" in output]
        assert [text.split(" from ")[0] for text in restored] == [
            "sound, nothing was changed: default", "restored default", "restored copy"]
        client = server.client()
        assert client.get("/api/v1/default/kv/greeting").json["value"] == b64(b"bye")
        assert client.get("/api/v1/copy/kv/greeting").json["value"] == b64(b"hello")


@pytest.mark.parametrize("page", ["log.md", "backups.md"])
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", (REPOSITORY / "docs" / page).read_text()):
        assert (REPOSITORY / "docs" / target).exists(), target
    assert f"docs/{page}" in (REPOSITORY / "README.md").read_text()
    assert f"({page})" in (REPOSITORY / "docs" / "records.md").read_text()
