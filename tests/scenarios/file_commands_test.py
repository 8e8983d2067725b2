"""`strata export | diff | import | promote | gc | stress`, and `strata start` on an exported file."""

import os
import re
import shutil
import signal
import socket
import subprocess

import pytest

import aeor_help as aeor
from app_pages_test import Shell, commands
from file_archive_test import check_tree, head, put_tree
from strata_server import Server, b64, binary


def run(*arguments, code=0, environment=None):
    """Standard output, or where the code is another one the error."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("STRATA_")} | (environment or {})
    done = subprocess.run([binary(), *map(str, arguments)], capture_output=True, text=True, timeout=60, env=clean)
    assert done.returncode == code, (done.stdout, done.stderr)
    return done.stdout if code == 0 else done.stderr


def test_few_descriptors_are_enough_where_more_are_to_be_had(data, tmp_path):
    directory, _ = data
    few = ["sh", "-c", 'ulimit -S -n 9; exec "$@"', "sh", binary()]
    for command in (["check", "--database", directory], ["export", "-D", directory, "-o", tmp_path / "out.aeordb"]):
        done = subprocess.run([*few, *map(str, command)], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A data directory with two snapshots, and their versions. Nobody changes it."""
    directory = tmp_path_factory.mktemp("archives")
    with Server(directory=directory) as server:
        client = server.client()
        put_tree(client, {"a": b"one", "d": {"b": b"two"}, "link": "a"})
        versions = [client.post("/version/snapshot", {"name": "v1"}).json["root_hash"]]
        put_tree(client, {"a": b"changed", "new": b"new"})
        assert client.delete("/engine/d/b").status == 200
        versions.append(client.post("/version/snapshot", {"name": "v2"}).json["root_hash"])
        assert server.stop() == 0
    return directory / "data", versions


def test_export_and_import(data, tmp_path):
    directory, versions = data
    output = tmp_path / "backup.aeordb"
    assert run("export", "--database", directory, "--output", output, "--snapshot", "v1") == (
        f"Export complete.\nFiles: 2\nChunks: 2\nDirectories: 2\nSymlinks: 1\nVersion: {versions[0]}\n")
    assert aeor.Reader(output.read_bytes()).head.hex() == versions[0]
    target = tmp_path / "target.aeordb"
    counts = f"Entries: 6\nChunks: 2\nFiles: 2\nDirectories: 2\nDeletions: 0\nVersion: {versions[0]}\n"
    assert run("import", "-D", target, "-f", output) == (
        f"Full export imported.\n{counts}HEAD has NOT been changed.\n"
        f"To promote: strata promote --database {target} --hash {versions[0]}\n")
    assert run("promote", "-D", target, "--hash", versions[0]) == f"HEAD has been promoted.\nVersion: {versions[0]}\n"
    assert run("import", "--data-dir", target, "--file", output, "--promote") == (
        f"Full export imported.\n{counts}HEAD has been promoted.\n")
    again = tmp_path / "again.aeordb"
    run("export", "-D", target, "-o", again, "--hash", versions[0])
    assert [entry[:3] for entry in aeor.Reader(again.read_bytes()).entries] == [
        entry[:3] for entry in aeor.Reader(output.read_bytes()).entries]
    with Server("--database", str(target), directory=tmp_path) as server:
        check_tree(server.client(), {"a": b"one", "d": {"b": b"two"}})


def test_diff_and_patch(data, tmp_path):
    directory, versions = data
    full, patch = tmp_path / "full.aeordb", tmp_path / "patch.aeordb"
    run("export", "-D", directory, "-o", full, "-s", "v1")
    assert run("diff", "-D", directory, "-o", patch, "--from", "v1") == (
        "Patch created.\nFiles added: 1\nFiles modified: 1\nFiles deleted: 1\nChunks: 2\nDirectories: 2\n"
        f"From: {versions[0]}\nTo: {versions[1]}\n")
    by_hash = tmp_path / "by-hash.aeordb"
    run("diff", "-D", directory, "-o", by_hash, "--from", versions[0], "--to", "v2")
    assert aeor.Reader(by_hash.read_bytes()).target.hex() == versions[1]
    target = tmp_path / "target"
    run("import", "-D", target, "-f", full)
    error = run("import", "-D", target, "-f", patch, code=1)
    assert re.fullmatch(rf"strata: Target database HEAD \([0-9a-f]{{64}}\) does not match patch base version "
                        rf"\({versions[0]}\)\.\nUse --force to apply anyway\.\n", error)
    run("promote", "-D", target, "--hash", versions[0])
    assert run("import", "-D", target, "-f", patch, "--promote").startswith(
        "Patch imported.\nEntries: 7\nChunks: 2\nFiles: 2\nDirectories: 2\nDeletions: 1\n")


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_page(tmp_path):
    with Server(directory=tmp_path / "strata") as server:
        client = server.client()
        versions = []
        for name in ("v1", "v2"):
            put_tree(client, {"a": name.encode()})
            versions.append(client.post("/version/snapshot", {"name": name}).json["root_hash"])
        shell = Shell(tmp_path, server)
        outputs = [shell.run(line.replace("HASH", versions[0])) for line in commands("archives.md") if line.startswith("curl")]
        assert len(outputs) == 6 and f'"head":"{versions[0]}"' in outputs[4] and f'"version_hash":"{versions[1]}"' in outputs[5]
        assert head(client) == versions[1]
        # The other lines name options that there are.
        texts = {name: run(name, "--help") for name in ("export", "diff", "import", "promote", "gc", "stress")}
        for line in commands("archives.md"):
            words = re.findall(r"[\w-]+", line)
            if words[0] == "strata":
                assert all(option in texts[words[1]] for option in re.findall(r"--[\w-]+", line)), line


def test_what_is_refused(data, tmp_path):
    directory, versions = data
    there = tmp_path / "there.aeordb"
    there.write_bytes(b"something")
    assert "exists" in run("export", "-D", directory, "-o", there, code=2)
    assert "exists" in run("diff", "-D", directory, "-o", there, "--from", "v1", code=2)
    assert there.read_bytes() == b"something"
    output = tmp_path / "new.aeordb"
    assert "unknown" in run("export", "-D", directory, "-o", output, "-s", "unknown", code=2)
    assert "--snapshot excludes --hash" in run("export", "-D", directory, "-o", output, "-s", "v1", "--hash", versions[0], code=2)
    assert "--output is required" in run("export", "-D", directory, code=2)
    assert "no data directory" in run("export", "-D", tmp_path / "missing", "-o", output, code=3)
    assert "not an .aeordb archive" in run("import", "-D", tmp_path / "target", "-f", there, code=4)
    assert "cannot open" in run("import", "-D", tmp_path / "target", "-f", tmp_path / "missing", code=2)
    assert "64" in run("promote", "-D", directory, "--hash", "12", code=2)
    run("promote", "-D", directory, "--hash", "0" * 64, code=2)
    assert "no directory" in run("import", "-D", tmp_path / "target", "--directory", tmp_path / "missing", code=2)
    assert os.listdir(tmp_path) == ["there.aeordb"]


def test_a_store_in_use_is_refused(tmp_path):
    with Server(directory=tmp_path) as server:
        place = server.directory / "data"
        for command in (["export", "-o", tmp_path / "x"], ["diff", "-o", tmp_path / "x", "--from", "HEAD"], ["gc"],
                        ["import", "-f", "/dev/null"], ["promote", "--hash", "0" * 64]):
            assert "in use" in run(command[0], "-D", place, *command[1:], code=3), command


def test_gc(tmp_path):
    with Server(directory=tmp_path) as server:
        client = server.client()
        put_tree(client, {"a": os.urandom(10_000)})
        put_tree(client, {"a": os.urandom(10_000)})
        assert server.stop() == 0
    place = tmp_path / "data"
    dry = run("gc", "-D", place, "--dry-run")
    match = re.fullmatch(rf"Strata Garbage Collection \[DRY RUN\]\nDatabase: {place}\n"
                         r"\[DRY RUN\] Would collect (\d+) garbage entries \(([\d.]+) KB\)\n", dry)
    assert match and int(match[1]) >= 3 and float(match[2]) >= 9.8
    done = run("gc", "--database", place)
    assert re.fullmatch(rf"Strata Garbage Collection\nDatabase: {place}\nVersions scanned: \d+\nLive entries: \d+\n"
                        rf"Garbage entries: {match[1]}\nReclaimed: {match[2]} KB\nDuration: \d+\.\ds\n", done)
    assert "Would collect 0 garbage entries (0 B)" in run("gc", "-D", place, "--dry-run")


def test_an_exported_file_is_a_database(data, tmp_path):
    directory, versions = data
    exported = tmp_path / "backup.aeordb"
    run("export", "-D", directory, "-o", exported, "-s", "v1")
    before = exported.read_bytes()
    with Server("--database", str(exported), directory=tmp_path) as server:
        client = server.client()
        check_tree(client, {"a": b"one", "d": {"b": b"two"}})
        assert head(client) == versions[0]
        put_tree(client, {"a": b"written"})
        assert server.stop() == 0
        # What was written stays: the file is imported once.
        server.start()
        assert server.client().get("/engine/a").body == b"written"
        assert server.stop() == 0
    assert exported.read_bytes() == before
    again = tmp_path / "again.aeordb"
    assert "Files: 2\n" in run("export", "-D", exported, "-o", again)
    assert sorted(os.listdir(tmp_path)) == ["again.aeordb", "backup.aeordb", "backup.aeordb.data"]


def test_a_damaged_file_is_no_database(data, tmp_path):
    directory, _ = data
    exported, patch = tmp_path / "backup.aeordb", tmp_path / "patch.aeordb"
    run("export", "-D", directory, "-o", exported)
    exported.write_bytes(exported.read_bytes()[:-1])
    run("diff", "-D", directory, "-o", patch, "--from", "v1")
    assert "damaged near byte" in run("gc", "-D", exported, code=4)
    for file in (exported, patch):
        done = subprocess.run([binary(), "start", "--database", file, "--port", "0", "--grpc-port", "0"], capture_output=True,
                              text=True, timeout=60)
        assert done.returncode == 4 and "cannot import the exported file" in done.stdout + done.stderr
        assert sorted(os.listdir(tmp_path)) == ["backup.aeordb", "patch.aeordb"]


def test_a_directory_that_was_there_is_not_taken_away_with_a_damaged_file(data, tmp_path):
    exported = tmp_path / "backup.aeordb"
    run("export", "-D", data[0], "-o", exported)
    exported.write_bytes(exported.read_bytes()[:-1])
    with Server(directory=tmp_path) as server:
        assert server.client().put("/api/v1/default/kv/a", {"value": b64(b"1")}).status == 200
        assert server.stop() == 0
        (tmp_path / "data").rename(tmp_path / "backup.aeordb.data")
        done = subprocess.run([binary(), "start", "--database", exported, "--port", "0", "--grpc-port", "0"],
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 4
        (tmp_path / "backup.aeordb.data").rename(tmp_path / "data")
        server.start()
        assert server.client().get("/api/v1/default/kv/a").json["value"] == b64(b"1")


def test_other_files_are_no_database_and_nothing_is_made_for_them(data, tmp_path):
    patch, notes = tmp_path / "patch.aeordb", tmp_path / "notes.txt"
    run("diff", "-D", data[0], "-o", patch, "--from", "v1")
    notes.write_bytes(b"not an archive")
    for file, words in ((patch, "this is a patch"), (notes, "not an .aeordb archive")):
        assert words in run("export", "-D", file, "-o", tmp_path / "out.aeordb", code=4)
        done = subprocess.run([binary(), "start", "--database", file, "--port", "0", "--grpc-port", "0"],
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 4 and words in done.stderr
    assert sorted(os.listdir(tmp_path)) == ["notes.txt", "patch.aeordb"]


def test_a_kill_during_an_import(tmp_path):
    builder = aeor.Builder()
    version = builder.tree({f"{i:02}": bytes([i]) * 9_000 for i in range(60)})
    archive = builder.archive(version)
    with Server(directory=tmp_path) as server:
        put_tree(server.client(), {"kept": b"kept"})
        before = head(server.client())
        for part in (0.3, 0.7, 0.95):
            # So much has been sent that the kill finds entries written ahead, and the rest of the body missing.
            with socket.create_connection(("127.0.0.1", server.port)) as connection:
                connection.sendall(b"POST /admin/import?promote=true HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(archive))
                connection.sendall(archive[:int(len(archive) * part)])
                assert server.client().get("/engine/kept").body == b"kept"
                server.kill()
            server.start()
            client = server.client()
            assert head(client) == before
            assert client.get(f"/engine/?version={version.hex()}").status == 404
        assert server.stop() == 0
        assert "Versions scanned" in run("gc", "-D", server.directory / "data")
        server.start()
        client = server.client()
        answer = client.post("/admin/import?promote=true", archive)
        assert answer.status == 200 and answer.json["version_hash"] == version.hex()
        server.kill()
        server.start()
        check_tree(server.client(), {f"{i:02}": bytes([i]) * 9_000 for i in range(60)})
        # What is imported is what the next collection keeps.
        assert server.stop() == 0
        assert re.search(r"Garbage entries: [0-3]\n", run("gc", "-D", server.directory / "data"))
        server.start()
        check_tree(server.client(), {"59": bytes([59]) * 9_000})


@pytest.mark.parametrize("operation", ["write", "read", "mixed"])
def test_stress(operation):
    with Server(engine="memory") as server:
        output = run("stress", "-t", f"http://127.0.0.1:{server.port}/", "-o", operation, "-d", "200ms", "-c", "3", "-s", "300kb",
                     "-p", "/load test/")
        lines = output.splitlines()
        assert lines[0].startswith(f"Stress test: {operation}, 3 connections, files of 307200 bytes, 0.")
        operations, reads, writes = map(int, re.fullmatch(r"Operations:   (\d+) \((\d+) reads, (\d+) writes\)", lines[1]).groups())
        assert operations == reads + writes > 0
        assert (operation != "read" or writes == 0) and (operation != "write" or reads == 0)
        assert lines[2] == "Errors:       0"
        assert [line.split(":")[0] for line in lines[3:]] == ["Operations/s", "MB/s", "Latency p50", "Latency p90", "Latency p99", "Latency max"]
        latencies = [float(line.split()[-2]) for line in lines[5:]]
        assert latencies == sorted(latencies) and latencies[0] > 0
        names = [entry["name"] for entry in server.client().get("/engine/load%20test/").json]
        written = [name for name in names if not name.startswith("read-")]
        assert len(written) == writes
        assert all(entry["total_size"] == 307_200 for entry in server.client().get("/engine/load%20test/").json)


def test_stress_in_the_root():
    with Server(engine="memory") as server:
        output = run("stress", "-t", f"http://127.0.0.1:{server.port}", "-d", "50ms", "-s", "10b", "-p", "/")
        assert "Errors:       0\n" in output
        assert "read-0" in [entry["name"] for entry in server.client().get("/engine/").json]


def test_stress_tells_what_fails():
    with Server(engine="memory", environment={"STRATA_API_KEYS": "secret"}) as server:
        target = f"http://127.0.0.1:{server.port}"
        assert "status 401" in run("stress", "-t", target, "-d", "50ms", "-o", "write", code=1)
        assert "status 401" in run("stress", "-t", target, "-d", "50ms", "-a", "wrong", code=1)
        assert "Errors:       0" in run("stress", "-t", target, "-d", "50ms", "-a", "secret")
    assert "could not be put" in run("stress", "-t", target, "-d", "50ms", code=1)
    for arguments in (["-d", "0s"], ["-d", "5x"], ["-o", "delete"], ["-s", "1zb"], ["-c", "0"], ["-p", "relative"],
                      ["-t", "ftp://x"], ["-t", "http://x/y"], ["-s", "99999999999999999999"]):
        run("stress", *arguments, code=2)


def begin_stress(port, *arguments):
    command = [binary(), "stress", "-t", f"http://127.0.0.1:{port}", "-d", "1h", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stress_that_is_interrupted_tells_what_it_did(number):
    with Server(engine="memory") as server:
        client = server.client()
        stress = begin_stress(server.port, "-c", "3", "-o", "write")
        while client.get("/engine/stress-test/").status != 200 or len(client.get("/engine/stress-test/").json) < 20:
            assert stress.poll() is None
        stress.send_signal(number)
        output, error = stress.communicate(timeout=60)
        assert (stress.returncode, error) == (128 + number, "")
        told = int(re.search(r"^Operations:   (\d+) \(0 reads", output, re.MULTILINE).group(1))
        assert "Errors:       0\n" in output and "Latency max:" in output
        # Of what was under way the server may have taken each.
        assert told >= 20 - 3 and told <= len(client.get("/engine/stress-test/?limit=100000").json) <= told + 3


@pytest.mark.parametrize("operation", ["write", "mixed"])
def test_stress_on_a_server_that_does_not_answer_can_be_interrupted(operation):
    """While the files to read are put, too."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        stress = begin_stress(door.getsockname()[1], "-o", operation, "-c", "1")
        connection, _ = door.accept()
        with connection:
            stress.send_signal(signal.SIGINT)
            output, error = stress.communicate(timeout=20)
        assert (stress.returncode, error) == (130, "")
        assert "Operations:   0 (0 reads, 0 writes)\nErrors:       0\n" in output


def test_import_a_directory(tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "d").mkdir(parents=True)
    (source / "a").write_bytes(b"one")
    (source / "d" / "b").write_bytes(b"two" * 200_000)
    (source / "link").symlink_to("a")

    def report(files, size, links, unchanged):
        return (f"Directory imported.\n  Files: {files} of {size} bytes\n  Symlinks: {links}\n"
                f"  Unchanged: {unchanged}\n  Skipped: 0\n  Failed: 0\n")

    assert run("import", "-D", target, "--directory", source, "--path", "/in") == report(2, 600_003, 1, 0)
    (source / "c").write_bytes(b"new")
    third = run("import", "-D", target, "--directory", source, "--path", "/in")
    # Files that were written a moment before they were imported are read once more.
    assert third in (report(files, size, 0, unchanged) for files, size, unchanged in
                     ((1, 3, 3), (2, 6, 2), (2, 600_003, 2), (3, 600_006, 1)))
    with Server("--database", str(target), directory=tmp_path) as server:
        check_tree(server.client(), {"in": {"a": b"one", "d": {"b": b"two" * 200_000}, "link": "a", "c": b"new"}})
    assert "is no directory" in run("import", "-D", target, "--directory", source / "a", code=2)
    assert "excludes" in run("import", "-D", target, "--directory", source, "--file", "x", code=2)
    assert "requires" in run("import", "-D", target, "--file", "x", "--path", "/in", code=2)
    assert "is required" in run("import", "-D", target, code=2)
    (source / "bad\udcff").write_bytes(b"x")
    assert "not UTF-8" in run("import", "-D", target, "--directory", source, code=1)
