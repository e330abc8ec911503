"""A small HTTP API with books, shelves and links between them, which may lose what it was told to keep."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

JSON = {"content": {"application/json": {"schema": {"type": "object", "properties": {"name": {"type": "string"}}}}}}
IF_MATCH = {"name": "If-Match", "in": "header"}
KEY = {"name": "Idempotency-Key", "in": "header"}
LIMIT = {"name": "limit", "in": "query", "schema": {"maximum": 5}}
GET = {"responses": {"200": JSON}}
PAIR = {"parameters": [IF_MATCH]}
CHANGE = {"requestBody": JSON, **PAIR}
LIST = {"get": {"parameters": [LIMIT], **GET}, "post": {"requestBody": JSON, "parameters": [KEY], **GET}}
DOCUMENT: dict[str, Any] = {
    "paths": {
        "/books": LIST,
        "/books/{id}": {"get": GET, "patch": CHANGE, "delete": PAIR},
        "/books/{id}/notes": {"get": GET, "put": {"requestBody": JSON}},
        "/shelves": LIST,
        "/shelves/{shelf}": {"get": GET},
        "/books/{id}/shelves/{shelf}": {"get": GET, "put": PAIR, "delete": PAIR},
        "/broken": {"get": GET},
        "/refused": {"get": GET},
    }
}


class Library:
    """The documents by path, and what was asked; `stale` is how many changes more fail with 412."""

    def __init__(self) -> None:
        self.document: Any = DOCUMENT
        self.documents: dict[str, Any] = {"/books/1": {"id": "1", "name": "Emma"}, "/shelves/1": {"id": "1"}}
        self.asked: list[tuple[str, str]] = []
        self.keys: set[str] = set()
        self.stale = 0
        self._number = 1
        self._lock = Lock()

    def answer(self, method: str, target: str, headers: Any, body: bytes) -> tuple[int, Any, dict[str, str]]:
        """The status, the document and the headers of an answer."""
        path = target.partition("?")[0]
        with self._lock:
            self.asked.append((method, target))
            if path == "/openapi.json":
                return 200, self.document, {}
            if path in ("/broken", "/refused"):
                return (500, b"oh", {}) if path == "/broken" else (403, {"detail": "not you"}, {})
            if method != "GET" and "if-match" in headers and self.stale:
                self.stale -= 1
                return 412, {}, {}
            does = {"GET": self._get, "POST": self._post, "PUT": self._put, "PATCH": self._patch}
            return does.get(method, self._delete)(path, headers, json.loads(body or b"{}"))

    def _get(self, path: str, _headers: Any, _sent: Any) -> tuple[int, Any, dict[str, str]]:
        if path.count("/") == 1:
            return 200, {"items": [each for at, each in self.documents.items() if re.fullmatch(rf"{path}/\w+", at)]}, {}
        found = self.documents.get(path)
        return (200, found, {"etag": f'"{hash(str(found))}"'}) if found is not None else (404, {}, {})

    def _post(self, path: str, headers: Any, sent: Any) -> tuple[int, Any, dict[str, str]]:
        self.keys.add(headers["idempotency-key"])
        self._number += 1
        made = self.documents[f"{path}/{self._number}"] = {"id": str(self._number), **sent}
        self.documents[f"{path}/{self._number}/notes"] = {}
        return 201, made, {"location": f"{path}/{self._number}"}

    def _put(self, path: str, _headers: Any, sent: Any) -> tuple[int, Any, dict[str, str]]:
        self.documents[path] = sent
        return 200, sent, {}

    def _patch(self, path: str, _headers: Any, sent: Any) -> tuple[int, Any, dict[str, str]]:
        if path not in self.documents:
            return 404, {}, {}
        self.documents[path] |= sent
        return 200, self.documents[path], {}

    def _delete(self, path: str, _headers: Any, _sent: Any) -> tuple[int, Any, dict[str, str]]:
        gone = [each for each in self.documents if each == path or each.startswith(f"{path}/")]
        for each in gone:
            del self.documents[each]
        return (204 if gone else 404), b"", {}


@contextmanager
def serving(library: Library) -> Iterator[int]:
    """The port that the API is served on."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # A response is two writes, of which the second would wait for an acknowledgement.
        wbufsize = -1

        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline()
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            status, document, headers = library.answer(self.command, self.path, self.headers, body)
            written = document if isinstance(document, bytes) else json.dumps(document).encode()
            self.send_response_only(HTTPStatus(status))
            for name, value in {**headers, "content-length": str(len(written))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(written)
            self.wfile.flush()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
