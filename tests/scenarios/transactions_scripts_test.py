"""The scripts of the API's page for transactions and large objects, executed as they stand but for the port."""

import os
import shutil
import subprocess

import pytest

from strata_server import Server

LARGE_FILE = r"""
FILE="large-file.bin"
KEY="files:backup-20250108.tar.gz"
CHUNK_SIZE=1048576  # 1MB chunks

# 1. Begin LOB transaction
RESPONSE=$(curl -s -X POST http://localhost:4000/api/v1/default/tx/begin \
  -d '{"operation":"put","entryType":"lob"}')
TXN_ID=$(echo $RESPONSE | jq -r '.txnId')

# 2. Split file into 1MB chunks and upload
split -b $CHUNK_SIZE "$FILE" /tmp/chunk_
for CHUNK in /tmp/chunk_*; do
  echo "Uploading $CHUNK..."
  curl -X POST "http://localhost:4000/api/v1/default/tx/$TXN_ID/lob?key=$KEY" \
    --data-binary @"$CHUNK"
done

# 3. Commit transaction
curl -X POST http://localhost:4000/api/v1/default/tx/$TXN_ID/commit

# 4. Cleanup
rm /tmp/chunk_*

echo "Large file uploaded successfully!"
"""

COMPLETE_EXAMPLE = r"""
# 1. Begin transaction
RESPONSE=$(curl -s -X POST http://localhost:4000/api/v1/default/tx/begin \
  -d '{"operation":"put","entryType":"kv"}')

TXN_ID=$(echo $RESPONSE | jq -r '.txnId')
echo "Transaction ID: $TXN_ID"

# 2. Append multiple operations
curl -X POST http://localhost:4000/api/v1/default/tx/$TXN_ID/kv \
  -d '{"key":"account:alice:balance","value":"MTAwMA=="}'

curl -X POST http://localhost:4000/api/v1/default/tx/$TXN_ID/kv \
  -d '{"key":"account:bob:balance","value":"MjAwMA=="}'

curl -X POST http://localhost:4000/api/v1/default/tx/$TXN_ID/kv \
  -d '{"key":"transfer:log:123","value":"YWxpY2UgLT4gYm9iOiAxMDA="}'

# 3. Commit
curl -X POST http://localhost:4000/api/v1/default/tx/$TXN_ID/commit

echo "Transaction committed!"

# 4. Verify
curl http://localhost:4000/api/v1/default/kv/account:alice:balance
"""

SINGLE_CALLS = r"""
TXN=$(curl -s -X POST http://localhost:4000/api/v1/default/tx/begin \
  -d '{
    "operation": "put",
    "entryType": "kv"
  }' | jq -r .txnId)
curl -X POST http://localhost:4000/api/v1/default/tx/${TXN}/kv \
  -d '{
    "key": "account:alice",
    "value": "MTAwMA=="
  }'
curl -X POST http://localhost:4000/api/v1/default/tx/${TXN}/commit
curl http://localhost:4000/api/v1/default/kv/account:alice
TXN=$(curl -s -X POST http://localhost:4000/api/v1/default/tx/begin \
  -d '{
    "operation": "put",
    "entryType": "row"
  }' | jq -r .txnId)
curl -X POST http://localhost:4000/api/v1/default/tx/${TXN}/row \
  -d '{
    "rowKey": "user:charlie",
    "columns": {
      "name": "Q2hhcmxpZQ==",
      "email": "Y2hhcmxpZUBleGFtcGxlLmNvbQ=="
    }
  }'
curl -X POST http://localhost:4000/api/v1/default/tx/${TXN}/abort
curl "http://localhost:4000/api/v1/default/row/user:charlie"
TXN=$(curl -s -X POST http://localhost:4000/api/v1/default/tx/begin -d '{"operation":"put","entryType":"lob"}' | jq -r .txnId)
curl -X POST "http://localhost:4000/api/v1/default/tx/${TXN}/lob?key=file:backup.tar.gz" \
  --data-binary @backup.tar.gz
curl -X POST http://localhost:4000/api/v1/default/tx/${TXN}/commit
curl "http://localhost:4000/api/v1/default/lob?key=file:backup.tar.gz" \
  --output document.pdf
"""

# The one use that the scripts make of jq, where it is not installed.
JQ = "#!/usr/bin/python3\nimport json, sys\nprint(json.load(sys.stdin)[sys.argv[2].strip('.')])\n"


@pytest.fixture
def run(tmp_path):
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    environment = dict(os.environ)
    if shutil.which("jq") is None:
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "jq").write_text(JQ)
        (tmp_path / "bin" / "jq").chmod(0o755)
        environment["PATH"] = f"{tmp_path / 'bin'}:{environment['PATH']}"
    with Server() as server:
        def run_script(script):
            # Its temporary files in a directory of the test's own.
            script = script.replace("localhost:4000", f"127.0.0.1:{server.port}").replace("/tmp/", f"{tmp_path}/")
            done = subprocess.run(["bash", "-ec", script], cwd=tmp_path, capture_output=True, text=True, timeout=120,
                                  env=environment)
            assert done.returncode == 0, done.stderr
            return done.stdout

        yield server.client(), run_script


def test_a_large_file(run, tmp_path):
    client, script = run
    body = os.urandom(5 << 20)
    (tmp_path / "large-file.bin").write_bytes(body)
    out = script(LARGE_FILE)
    assert out.count("Uploading") == 5 and out.endswith("Large file uploaded successfully!\n")
    assert out.count('"success":true') == 6
    assert client.get("/api/v1/default/lob?key=files:backup-20250108.tar.gz").body == body


def test_the_complete_example(run):
    _, script = run
    out = script(COMPLETE_EXAMPLE)
    assert out.count('{"success":true}') == 3
    assert "Transaction committed!" in out
    assert out.endswith('{"value":"MTAwMA==","found":true}')


def test_single_calls(run, tmp_path):
    _, script = run
    body = os.urandom(300_000)
    (tmp_path / "backup.tar.gz").write_bytes(body)
    out = script(SINGLE_CALLS)
    assert '{"value":"MTAwMA==","found":true}' in out
    assert '"found":false' in out
    assert (tmp_path / "document.pdf").read_bytes() == body
