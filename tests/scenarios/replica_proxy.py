"""What stands between a replica and its leader: passes everything on, or says what a test wants it to say."""

import http.client
import http.server
import socket
import ssl
import subprocess
import threading


class Exchange(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        try:
            rule = self.server.rule
            if rule is None or not rule(self):
                self.forward()
        except (OSError, http.client.HTTPException):
            self.close_connection = True

    def begin(self, status=200, **headers):
        """An answer whose body comes in chunks."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def chunk(self, data):
        if data:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.flush()

    def end(self):
        self.wfile.write(b"0\r\n\r\n")

    def answer(self, body, status=200, **headers):
        self.begin(status, **headers)
        self.chunk(body)
        self.end()
        return True

    def forward(self, change=None, log_id=None):
        """With the leader's answer; change: each piece of the body and where it begins -> what is sent in its place."""
        leader = http.client.HTTPConnection("127.0.0.1", self.server.leader.port, timeout=60)
        try:
            leader.request("GET", self.path)
            response = leader.getresponse()
            there = log_id or response.headers.get("X-Log-Id")
            self.begin(response.status, **({"X_Log_Id": there} if there else {}))
            at = 0
            while piece := response.read1(65_536):
                self.chunk(change(piece, at) if change else piece)
                at += len(piece)
            self.end()
        finally:
            leader.close()
        return True

    def log_message(self, *unused):
        pass


class Proxy(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, leader, context=None):
        super().__init__(("127.0.0.1", 0), Exchange)
        self.leader = leader
        self.rule = None
        self.port = self.server_address[1]
        self.context = context
        self._connections = set()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def process_request_thread(self, request, client_address):
        try:
            if self.context:
                request = self.context.wrap_socket(request, server_side=True)
        except (OSError, ssl.SSLError):
            self.shutdown_request(request)
            return
        self._connections.add(request)
        super().process_request_thread(request, client_address)
        self._connections.discard(request)

    def obey(self, rule):
        """From now on; connections that stand are cut."""
        self.rule = rule
        for connection in list(self._connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def handle_error(self, request, client_address):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.obey(None)
        self.shutdown()
        self.server_close()


def certificate(directory, names):
    """A self-signed one for these names; the context of a server that has it, and its file."""
    key, certificate_file = directory / "key.pem", directory / "certificate.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
                    key, "-out", certificate_file, "-days", "2", "-subj", "/CN=test", "-addext", f"subjectAltName={names}"],
                   check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_file, key)
    return context, certificate_file
