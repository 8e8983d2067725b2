"""The commands of docs/log.md and docs/backups.md, as they stand, against a server; what they name exists."""

import os
import re
import shutil
import stat
import subprocess
import time

import pytest

from log_reading import Follower, put
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


def test_the_metrics_of_the_log():
    """Those that the page names are those that there are, and they tell what was written."""
    with Server("--log-segment-bytes", "1024", "--log-retention-bytes", "4096", engine="memory") as server:
        client = server.client()
        for i in range(40):
            put(client, "/api/v1/default", f"k{i}", b"v" * 300)

        def metrics():
            text = client.get("/metrics").body.decode()
            return {name: float(found) for name, found in re.findall(r"^(strata_log_\w+) (\S+)$", text, re.MULTILINE)}

        deadline = time.monotonic() + 30
        while metrics()["strata_log_segments_dropped_total"] < 5 or metrics()["strata_log_kept_bytes"] == 0:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert set(metrics()) == set(re.findall(r"`(strata_log_\w+)`", (REPOSITORY / "docs" / "log.md").read_text()))
        with Follower(server.port, "/api/v1/default") as follower:
            follower.next()
            found = metrics()
            assert found["strata_log_records_total"] == 40
            assert 40 * 300 < found["strata_log_record_bytes_total"] < 40 * 400
            assert found["strata_log_records_read_total"] > 0
            assert found["strata_log_readers"] == 1
            assert 1024 < found["strata_log_kept_bytes"] < 4096 + 1024
            assert 0 < found["strata_log_oldest_kept_seconds"] < 60
            assert found["strata_log_segments_opened_total"] > 5
            assert found["strata_log_passes_total"] > 0
            assert found["strata_log_failed_passes_total"] == 0


@pytest.mark.parametrize("page", ["log.md", "backups.md"])
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", (REPOSITORY / "docs" / page).read_text()):
        assert (REPOSITORY / "docs" / target).exists(), target
    assert f"docs/{page}" in (REPOSITORY / "README.md").read_text()
    assert f"({page})" in (REPOSITORY / "docs" / "records.md").read_text()
