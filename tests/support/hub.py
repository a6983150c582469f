"""Real HTTP servers on this machine for the tests of downloads: a hub with its moods, and a proxy."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CONTENT = bytes(range(256)) * 40_000  # ten megabytes: several chunks


class Hub(BaseHTTPRequestHandler):
    """Serves `content`; the lists are used up, one entry for each answer.

    cut ends answers early; statuses refuses (0: not this time); ranges allows to go on; shift sends another
    range than was asked for; lengths announces how much is to come; redirect leads elsewhere.
    """

    content = CONTENT
    cut: list[int]
    statuses: list[int]
    headers_with_status: dict[str, str]
    ranges = True
    shift = 0
    lengths = True
    redirect = ""
    kind = "application/octet-stream"
    asked: list[str]
    tokens: list[str]
    paths: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.headers.get("Range", ""))
        self.tokens.append(self.headers.get("Authorization", ""))
        self.paths.append(self.path)
        status = self.statuses.pop(0) if self.statuses else 0
        if status:
            self._head(status, {"Content-Length": "0", **self.headers_with_status})
        elif self.redirect:
            self._head(302, {"Location": self.redirect, "Content-Length": "0"})
        else:
            self._send()

    def _send(self) -> None:
        asked = int(self.headers["Range"][6:].rstrip("-")) if self.ranges and "Range" in self.headers else 0
        whole = len(self.content)
        if asked >= whole:
            self._head(416, {"Content-Range": f"bytes */{whole}", "Content-Length": "0"})
            return
        begin = max(asked - self.shift, 0)
        body = self.content[begin:]
        headers = {"Content-Type": self.kind}
        if self.lengths:
            headers["Content-Length"] = str(len(body))
        if asked:
            headers["Content-Range"] = f"bytes {begin}-{whole - 1}/{whole}"
        self._head(206 if asked else 200, headers)
        with contextlib.suppress(ConnectionError):  # who has too little space hangs up at once
            self.wfile.write(body[: self.cut.pop(0)] if self.cut else body)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class Proxy(BaseHTTPRequestHandler):
    """Answers in the place of any server; of a CONNECT it only notes where it should lead."""

    content = CONTENT
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        self.wfile.write(self.content)

    def do_CONNECT(self) -> None:
        self.asked.append(self.path)
        self.send_error(403, "Not through here")

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def serving(kind: type[Any]) -> Iterator[tuple[type[Any], int]]:
    """A server of that kind with settings of its own, and its port on 127.0.0.1."""
    fresh: dict[str, Any] = {name: [] for name in ("cut", "statuses", "asked", "tokens", "paths")}
    handler = type(kind.__name__, (kind,), {**fresh, "headers_with_status": {}})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield handler, server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
