"""The commands of docs/documents.md, as a reader runs them."""

import re
import shutil
import subprocess

import pytest

from strata_server import REPOSITORY, Server

PAGE = (REPOSITORY / "docs" / "documents.md").read_text()


def commands():
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return [command for block in blocks for command in block.replace("\\\n", " ").splitlines()]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_commands_of_the_page():
    assert len(commands()) >= 8
    with Server(engine="memory") as server:
        task = None
        for command in commands():
            # A bucket takes credentials: a directory stands for it.
            command = command.replace("localhost:8080", f"127.0.0.1:{server.port}")
            command = command.replace("s3://mybucket", f"file://{server.directory}/data/backups")
            if "/restore" in command:
                command = command.replace("tables/users/restore", "tables/restored/restore")
            if "TASK_ID" in command:
                command = command.replace("TASK_ID", task)
            done = subprocess.run(["bash", "-ec", command.replace("curl", "curl -sS --fail-with-body", 1)],
                                  capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, (command, done.stdout, done.stderr)
            expected = re.search(r"# (\d+) (.*)$", command)
            if expected:
                pattern = re.escape(expected[2]).replace(r"\.\.\.", ".*")
                assert re.fullmatch(pattern, done.stdout), (command, done.stdout)
            found = re.search(r'"task_id":"([^"]+)"', done.stdout)
            task = found[1] if found else task
        client = server.client()
        assert client.get("/api/v1/tables/users/lookup/user:1").json == {"name": "Ada", "visits": 2}
