"""A server of the S3 protocol on a loopback port: what a client of it needs to upload.

It knows PUT, GET and HEAD of objects and uploads in several parts, in the buckets that
it has. It answers 403 to a request without a signature of its key.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

BUCKET = "records"
KEY, SECRET = "AKIATEST", "a-secret-that-is-written-nowhere"


class ObjectStore:
    """Serves while it is entered. `objects` are the bytes by name."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.puts: list[str] = []
        """The names of all objects that were written, in order."""
        self.failing: list[int] = []
        """Statuses of the next answers to what writes; each counts for one."""
        self.failing_always: int | None = None
        self.on_write: Callable[[str], object] | None = None
        """Called with the name before an object is written."""
        self.after_write: Callable[[], object] = lambda: None
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.store = self  # type: ignore[attr-defined]
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}
        )

    @property
    def environ(self) -> dict[str, str]:
        """The variables by which a client finds it, and may write."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._server.server_port}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
        }

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_request: object) -> None:
        """A client that a test has killed is no error."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        self._write()

    def do_POST(self) -> None:
        self._write()

    def do_DELETE(self) -> None:
        self._answer(204)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        name = self._name()
        if name is not None:
            found = self.server.store.objects.get(name)  # type: ignore[attr-defined]
            if found is None:
                self._answer(404, _error("NoSuchKey"))
            else:
                self._answer(200, found)

    def _name(self) -> str | None:
        """The name of the object; None if the request was answered with an error."""
        _, bucket, *key = unquote(urlsplit(self.path).path).split("/", 2)
        signed = f"AWS4-HMAC-SHA256 Credential={KEY}/"
        if not self.headers.get("Authorization", "").startswith(signed):
            self._answer(403, _error("AccessDenied"))
        elif bucket != BUCKET:
            self._answer(404, _error("NoSuchBucket"))
        else:
            return key[0] if key else ""
        return None

    def _write(self) -> None:
        store: ObjectStore = self.server.store  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        name = self._name()
        if name is None:
            return
        with store.lock:
            status = store.failing.pop(0) if store.failing else store.failing_always
        if status is not None:
            self._answer(status, _error("InternalError"))
            return
        if store.on_write is not None:
            store.on_write(name)
        query = parse_qs(urlsplit(self.path).query, keep_blank_values=True)
        with store.lock:
            self._take(store, name, query, body)
        store.after_write()

    def _take(self, store: ObjectStore, name: str, query: Any, body: bytes) -> None:
        if "uploads" in query:
            upload = f"upload-{len(store.uploads)}"
            store.uploads[upload] = {}
            self._answer(
                200,
                b"<InitiateMultipartUploadResult><UploadId>%s</UploadId>"
                b"</InitiateMultipartUploadResult>" % upload.encode(),
            )
            return
        if "partNumber" in query:
            store.uploads[query["uploadId"][0]][int(query["partNumber"][0])] = body
            self._answer(200, b"", _etag(body))
            return
        if "uploadId" in query:
            parts = store.uploads[query["uploadId"][0]]
            named = [int(n) for n in re.findall(rb"<PartNumber>(\d+)<", body)]
            body = b"".join(parts[number] for number in named)
        store.objects[name] = body
        store.puts.append(name)
        etag = _etag(body)
        done = b"<CompleteMultipartUploadResult><ETag>%s</ETag>" % etag.encode()
        answer = done + b"</CompleteMultipartUploadResult>"
        self._answer(200, answer if "uploadId" in query else b"", etag)

    def _answer(self, status: int, body: bytes = b"", etag: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Last-Modified", "Mon, 30 Nov 2026 12:00:00 GMT")
        self.send_header("ETag", etag or _etag(body))
        with suppress(OSError):
            self.end_headers()
        with suppress(OSError):  # the test killed the client
            self.wfile.write(b"" if self.command == "HEAD" else body)
            self.wfile.flush()

    def log_message(self, *_arguments: object) -> None:
        """Nothing is shown."""


def _etag(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()}"'


def _error(code: str) -> bytes:
    return b"<Error><Code>%s</Code><Message>said</Message></Error>" % code.encode()
