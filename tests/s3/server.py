#!/usr/bin/python3
"""A small S3 service for tests: path style, in memory, strict about signatures.

Every request must carry an AWS Signature Version 4 that this file computes on its own from what arrived; a wrong secret,
an unsigned header or a body of another hash is 403. Buckets are made by the command line. PUT, GET with ranges and
If-Match, DELETE, ListObjectsV2 and multipart uploads are all there is.

--fail-every N: each Nth request is answered with 503 before anything is done, to be tried again.
Writes "s3 ready PORT" to standard output.
"""

import argparse
import hashlib
import hmac
import http.server
import itertools
import re
import sys
import threading
import urllib.parse
from xml.sax.saxutils import escape

LEAST_PIECE = 5 << 20


class Refused(Exception):
    def __init__(self, status, code, message=""):
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def encode(text, safe=""):
    return urllib.parse.quote(text, safe="-._~" + safe)


class Service:
    def __init__(self, options):
        self.options = options
        self.buckets = {name: {} for name in options.bucket}  # name -> key -> (bytes, etag)
        self.uploads = {}  # id -> (bucket, key, {number: (bytes, etag)})
        self.ids = itertools.count(1)
        self.requests = itertools.count(1)
        self.lock = threading.Lock()

    def verify(self, method, raw_path, raw_query, headers, body):
        match = re.fullmatch(r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/s3/aws4_request, ?"
                             r"SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})", headers.get("Authorization", ""))
        if not match:
            raise Refused(403, "AccessDenied", "no usable Authorization")
        key_id, day, region, signed, signature = match.groups()
        if key_id != self.options.key or region != self.options.region:
            raise Refused(403, "InvalidAccessKeyId")
        signed_names = signed.split(";")
        if "host" not in signed_names or "x-amz-date" not in signed_names:
            raise Refused(403, "AccessDenied", "host and x-amz-date must be signed")
        for name in headers.keys():
            if name.lower().startswith("x-amz-") and name.lower() not in signed_names:
                raise Refused(403, "AccessDenied", f"{name} is not signed")
        if self.options.token and headers.get("x-amz-security-token") != self.options.token:
            raise Refused(403, "InvalidToken")
        sent_hash = headers.get("x-amz-content-sha256", "")
        if sent_hash != hashlib.sha256(body).hexdigest():
            raise Refused(400, "XAmzContentSHA256Mismatch")
        path = encode(urllib.parse.unquote(raw_path), "/")
        pairs = sorted((encode(name), encode(value))
                       for name, value in urllib.parse.parse_qsl(raw_query, keep_blank_values=True))
        query = "&".join(f"{name}={value}" for name, value in pairs)
        lines = "".join(f"{name}:{' '.join(headers[name].split())}\n" for name in signed_names)
        canonical = "\n".join([method, path, query, lines, signed, sent_hash])
        date = headers["x-amz-date"]
        scope = f"{day}/{region}/s3/aws4_request"
        to_sign = "\n".join(["AWS4-HMAC-SHA256", date, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        secret = ("AWS4" + self.options.secret).encode()
        for part in (day, region, "s3", "aws4_request"):
            secret = hmac.new(secret, part.encode(), hashlib.sha256).digest()
        if not date.startswith(day) or hmac.new(secret, to_sign.encode(), hashlib.sha256).hexdigest() != signature:
            raise Refused(403, "SignatureDoesNotMatch", "the signature is not the one of this request")

    def bucket(self, name):
        if name not in self.buckets:
            raise Refused(404, "NoSuchBucket")
        return self.buckets[name]

    def put(self, bucket, key, query, body):
        etag = f'"{hashlib.md5(body).hexdigest()}"'
        if "partNumber" in query:
            self.upload(query, bucket, key)[int(query["partNumber"])] = (body, etag)
        else:
            self.bucket(bucket)[key] = (body, etag)
        return 200, {"ETag": etag}, b""

    def upload(self, query, bucket, key):
        upload = self.uploads.get(query.get("uploadId"))
        if not upload or upload[:2] != (bucket, key):
            raise Refused(404, "NoSuchUpload")
        return upload[2]

    def post(self, bucket, key, query, body):
        self.bucket(bucket)
        if "uploads" in query:
            upload_id = f"upload-{next(self.ids)}"
            self.uploads[upload_id] = (bucket, key, {})
            return 200, {}, (f"<InitiateMultipartUploadResult><Bucket>{bucket}</Bucket><Key>{escape(key)}</Key>"
                             f"<UploadId>{upload_id}</UploadId></InitiateMultipartUploadResult>").encode()
        pieces = self.upload(query, bucket, key)
        named = re.findall(rb"<PartNumber>(\d+)</PartNumber><ETag>(.*?)</ETag>", body)
        chosen = [pieces.get(int(number)) for number, _ in named]
        if not chosen or None in chosen or any(piece[1].encode() != etag for piece, (_, etag) in zip(chosen, named)):
            raise Refused(400, "InvalidPart")
        if any(len(piece[0]) < LEAST_PIECE for piece in chosen[:-1]):
            raise Refused(400, "EntityTooSmall")
        whole = b"".join(piece[0] for piece in chosen)
        etag = f'"{hashlib.md5(whole).hexdigest()}-{len(chosen)}"'
        self.buckets[bucket][key] = (whole, etag)
        del self.uploads[query["uploadId"]]
        return 200, {}, f"<CompleteMultipartUploadResult><ETag>{etag}</ETag></CompleteMultipartUploadResult>".encode()

    def get(self, bucket, key, query, headers):
        if not key:
            return self.list(bucket, query)
        if key not in self.bucket(bucket):
            raise Refused(404, "NoSuchKey", "no such key")
        whole, etag = self.bucket(bucket)[key]
        if headers.get("If-Match", etag) != etag:
            raise Refused(412, "PreconditionFailed")
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", headers.get("Range", ""))
        if not wanted:
            return 200, {"ETag": etag}, whole
        begin, end = int(wanted.group(1)), min(int(wanted.group(2)) + 1, len(whole))
        if begin >= len(whole):
            raise Refused(416, "InvalidRange")
        return 206, {"ETag": etag, "Content-Range": f"bytes {begin}-{end - 1}/{len(whole)}"}, whole[begin:end]

    def list(self, bucket, query):
        if query.get("list-type") != "2":
            raise Refused(400, "InvalidArgument")
        names = sorted(name for name in self.bucket(bucket)
                       if name.startswith(query.get("prefix", "")) and name > query.get("start-after", ""))
        limit = int(query.get("max-keys", "1000"))
        entries = "".join(f"<Contents><Key>{escape(name)}</Key><Size>{len(self.buckets[bucket][name][0])}</Size></Contents>"
                          for name in names[:limit])
        return 200, {}, (f"<?xml version=\"1.0\"?><ListBucketResult><IsTruncated>{str(len(names) > limit).lower()}"
                         f"</IsTruncated>{entries}</ListBucketResult>").encode()

    def delete(self, bucket, key, query):
        if "uploadId" in query:
            self.upload(query, bucket, key)
            del self.uploads[query["uploadId"]]
        else:
            self.bucket(bucket).pop(key, None)
        return 204, {}, b""

    def answer(self, method, target, headers, body):
        raw_path, _, raw_query = target.partition("?")
        every = self.options.fail_every
        if every and next(self.requests) % every == 0:
            raise Refused(503, "SlowDown", "try again")
        self.verify(method, raw_path, raw_query, headers, body)
        query = dict(urllib.parse.parse_qsl(raw_query, keep_blank_values=True))
        bucket, _, key = urllib.parse.unquote(raw_path).lstrip("/").partition("/")
        with self.lock:
            if method == "PUT":
                return self.put(bucket, key, query, body)
            if method == "POST":
                return self.post(bucket, key, query, body)
            if method == "GET":
                return self.get(bucket, key, query, headers)
            return self.delete(bucket, key, query)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        # What tests ask about: uploads that were begun and neither completed nor aborted.
        if self.path == "/_uploads":
            status, headers, answer = 200, {}, str(len(self.server.service.uploads)).encode()
        else:
            try:
                status, headers, answer = self.server.service.answer(self.command, self.path, self.headers, body)
            except Refused as refused:
                status, headers = refused.status, {"Content-Type": "application/xml"}
                answer = (f"<Error><Code>{refused.code}</Code><Message>{escape(refused.message)}</Message>"
                          f"</Error>").encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_PUT = do_POST = do_DELETE = handle_any

    def log_message(self, *_):
        pass


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--key", default="test-key")
    parser.add_argument("--secret", default="test-secret")
    parser.add_argument("--token", default="")
    parser.add_argument("--region", default="us-east-1")
    parser.add_argument("--bucket", action="append", default=[])
    parser.add_argument("--fail-every", type=int, default=0)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.service = Service(parser.parse_args())
    print(f"s3 ready {server.server_address[1]}", flush=True)
    # Ends with whoever started it.
    threading.Thread(target=lambda: (sys.stdin.read(), server.shutdown()), daemon=True).start()
    server.serve_forever()


if __name__ == "__main__":
    main()
