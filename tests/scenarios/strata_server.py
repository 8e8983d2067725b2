"""The real server as a test uses it: started on a free port with a directory of its own, stopped or killed, asked over HTTP."""

import base64
import http.client
import json
import os
import pathlib
import queue
import shutil
import signal
import subprocess
import tempfile
import threading
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
READY = "strata ready http="


def binary():
    return os.environ.get("STRATA_BINARY") or str(REPOSITORY / "build" / "release" / "strata")


def b64(data):
    return base64.b64encode(data).decode()


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.body[:500]!r}>"


class Client:
    """One keep-alive connection; opened again when the server has closed it."""

    def __init__(self, port, host="127.0.0.1", timeout_s=60):
        self._connection = http.client.HTTPConnection(host, port, timeout=timeout_s)

    def request(self, method, path, body=None, headers=None):
        """A body that is not bytes is sent as JSON."""
        if body is not None and not isinstance(body, (bytes, bytearray)):
            body = json.dumps(body).encode()
        try:
            self._connection.request(method, path, body=body, headers=headers or {})
            response = self._connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        except Exception:
            self._connection.close()
            raise

    def get(self, path, **kwargs):
        return self.request("GET", path, **kwargs)

    def put(self, path, body=None, **kwargs):
        return self.request("PUT", path, body=body, **kwargs)

    def post(self, path, body=None, **kwargs):
        return self.request("POST", path, body=body, **kwargs)

    def delete(self, path, body=None, **kwargs):
        return self.request("DELETE", path, body=body, **kwargs)

    def close(self):
        self._connection.close()


class Server:
    """`strata start` with these arguments; directory and port are chosen unless given."""

    def __init__(self, *arguments, engine="rocksdb", directory=None, environment=None, start=True):
        self._owned = directory is None
        self.directory = pathlib.Path(directory or tempfile.mkdtemp(prefix="strata-scenario-"))
        self.engine = engine
        self.arguments = list(arguments)
        self.environment = environment or {}
        self.process = None
        self.port = None
        self.grpc_port = None
        self.output = []
        if start:
            self.start()

    def command(self):
        options = ["--engine", self.engine]
        if "--database" not in self.arguments:
            options += ["--database", str(self.directory / "data")]
        if "--port" not in self.arguments:
            options += ["--port", "0"]
        if "--grpc-port" not in self.arguments:
            options += ["--grpc-port", "0"]
        return [binary(), "start", *options, *self.arguments]

    def start(self, timeout_s=60):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("STRATA_") and k != "SWARNDB_API_KEYS"}
        environment.update(self.environment)
        self.process = subprocess.Popen(
            self.command(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace", env=environment)
        lines = queue.Queue()
        self._reader = threading.Thread(target=self._read, args=(self.process, lines), daemon=True)
        self._reader.start()
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                line = lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                self.kill()
                raise AssertionError("the server was not ready in time:\n" + self.log()) from None
            if line is None:
                self.process.wait()
                raise AssertionError(f"the server ended with {self.process.returncode}:\n" + self.log())
            if line.startswith(READY):
                _, _, http_address, grpc_address = line.split()
                self.port = int(http_address.rsplit(":", 1)[1])
                self.grpc_port = int(grpc_address.rsplit(":", 1)[1])
                return self

    def _read(self, process, lines):
        for line in process.stdout:
            self.output.append(line)
            lines.put(line)
        lines.put(None)

    def log(self):
        return "".join(self.output)

    def client(self, **kwargs):
        return Client(self.port, **kwargs)

    def stop(self, timeout_s=60):
        """Ends it gracefully; its exit code."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout_s)
        self._reader.join(timeout_s)
        self.process.stdout.close()
        self.process = None
        return code

    def kill(self):
        if self.process is None:
            return
        self.process.kill()
        self.process.wait()
        self._reader.join(60)
        self.process.stdout.close()
        self.process = None

    def restart(self):
        self.stop()
        return self.start()

    def close(self):
        self.kill()
        if self._owned:
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()
