"""The daily backup script: that of the API's description, and the example, which takes its places from the environment."""

import os
import re
import shutil
import stat
import subprocess
import tarfile

import pytest

from backup_help import API, put, restored, value
from strata_server import REPOSITORY, Server, b64

PAGE = REPOSITORY / "tests" / "scenarios" / "scripts" / "daily_backup.sh"
EXAMPLE = REPOSITORY / "examples" / "backup.sh"
AWS = '#!/bin/sh\n[ "$1 $2" = "s3 cp" ] || exit 1\necho "$4" >> "$UPLOADS/targets"\ncp "$3" "$UPLOADS/$(wc -l < "$UPLOADS/targets").tar.gz"\n'

needs_tools = pytest.mark.skipif(not all(map(shutil.which, ("curl", "jq", "tar", "bash"))), reason="needs curl, jq and tar")


@pytest.fixture
def place(tmp_path):
    """Where a script finds `aws`, its state and its archive; a server with users."""
    for name in ("bin", "state", "archive", "uploads"):
        (tmp_path / name).mkdir()
    aws = tmp_path / "bin" / "aws"
    aws.write_text(AWS)
    aws.chmod(aws.stat().st_mode | stat.S_IXUSR)
    with Server(directory=tmp_path) as server:
        assert server.client().put(f"{API}users").status == 201
        yield tmp_path, server


def run(path, place, environment):
    ended = subprocess.run(["bash", str(path)], capture_output=True, text=True, timeout=60,
                           env={**os.environ, **environment, "PATH": f"{place / 'bin'}:{os.environ['PATH']}", "UPLOADS": str(place / "uploads")})
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.endswith("Backup completed successfully\n")
    assert "error" not in ended.stdout


def page_script(place, server):
    """The page's, with host and paths rewritten and nothing else."""
    text = PAGE.read_text()
    for before, after in [("http://localhost:4000", f"http://127.0.0.1:{server.port}"), ("/var/unison/data", str(place / "data")),
                          ("/var/lib/unison", str(place / "state")), ("/tmp/backup", str(place / "archive" / "backup"))]:
        assert before in text
        text = text.replace(before, after)
    script = place / "page.sh"
    script.write_text(text)
    return script, {}


def example_script(place, server):
    return EXAMPLE, {"SERVER": f"http://127.0.0.1:{server.port}", "DATA_DIR": str(place / "data"), "ARCHIVE_DIR": str(place / "archive"),
                     "STATE_FILE": str(place / "state" / "wal-state.json")}


@needs_tools
@pytest.mark.parametrize("script", [page_script, example_script])
def test_the_script(place, script):
    directory, server = place
    path, environment = script(directory, server)
    client = server.client()
    put(client, "users", "alice", b"1")
    run(path, directory, environment)
    assert '"lastSegmentId": 1,' in (directory / "state" / "wal-state.json").read_text()
    # Nothing new: the state stays as it is.
    run(path, directory, environment)
    assert '"lastSegmentId": 1,' in (directory / "state" / "wal-state.json").read_text()
    put(client, "users", "alice", b"2")
    put(client, "users", "bob", b"3")
    run(path, directory, environment)
    assert '"lastSegmentId": 2,' in (directory / "state" / "wal-state.json").read_text()
    assert (directory / "uploads" / "targets").read_text() == 3 * "s3://backups/unison/users/\n"
    # What was uploaded is enough to restore from.
    with tarfile.open(directory / "uploads" / "3.tar.gz") as archive:
        names = sorted(re.sub(r"20\d{6}", "DATE", name) for name in archive.getnames() if "." in name[2:])
        assert names == ["./snapshots/btree-DATE.db", "./wal/DATE/000000001.wal", "./wal/DATE/000000002.wal"]
        archive.extractall(directory / "fetched")
    (snapshot,) = (directory / "fetched" / "snapshots").iterdir()
    (segments,) = (directory / "fetched" / "wal").iterdir()
    restored(directory / "new", "users", "--snapshot", snapshot, "--wal", segments)
    restored(directory / "new", "again", "--source", "users", "--wal", segments)
    with Server(directory=directory / "new") as copy:
        for namespace in ("users", "again"):
            assert value(copy.client(), namespace, "alice") == b64(b"2")
            assert value(copy.client(), namespace, "bob") == b64(b"3")


def test_the_example_is_the_pages_script():
    """Apart from the places that it takes from variables, whose defaults are the page's."""
    text = EXAMPLE.read_text()
    defaults = dict(re.findall(r'^(\w+)="\$\{\w+:-(.*)\}"$', text, re.MULTILINE))
    text = re.sub(r'^# Where the server is.*?\n(?=\nNAMESPACE)', "", text, flags=re.MULTILINE | re.DOTALL)
    text = text.replace('"${NAMESPACE:-users}"', '"users"').replace("Daily backup script\n\n\n", "Daily backup script\n\n")
    for name in ("SERVER", "DATA_DIR", "ARCHIVE_DIR", "BUCKET"):
        text = text.replace("$" + name, defaults[name])
    page = PAGE.read_text().replace(f'STATE_FILE="{defaults["STATE_FILE"]}"\n', "")
    assert text.split() == page.split()
