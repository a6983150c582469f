"""One answer of an HTTP server, taken within limits: what is no file, what never ends, what hardly moves."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any

#: Seconds without a byte, and seconds that an answer's head may take, until the server is asked again.
SILENCE = 60.0
#: Bytes in SILENCE seconds that count as progress: less is a line that never ends.
SLOWEST = 60_000
#: The longest file that is taken when nobody said how long it is. The largest of the list is 7 GB.
LONGEST = 32_000_000_000
_CHUNK = 1 << 20


def no_file(answer: HTTPResponse) -> str:
    """What came in place of the file's own bytes, going on after its address; nothing when they came."""
    if answer.headers.get_content_type() == "text/html":
        return (
            "answered with a web page instead of a file: a login, a quota or a moved file. Open it in a "
            "browser, and put the file where the list of models says."
        )
    packing = answer.headers.get("Content-Encoding", "identity").strip().lower()
    if packing not in ("", "identity"):
        return (
            f"came packed ({packing}), which nobody asked for: something between here and there changes "
            "files. Try without the proxy, or from a mirror (LIKENESS_MIRROR)."
        )
    return ""


def span(answer: HTTPResponse) -> tuple[int, int | None]:
    """(the first byte that the answer sends, the length of the whole file where it says so).

    The first is 0 when everything is sent, whatever was asked for, and -1 when the answer is no sense.
    """
    length: int | None = answer.length  # None where there is none, or it is no number
    if answer.status != 206:
        return 0, length
    unit, _, rest = answer.headers.get("Content-Range", "").partition(" ")
    part, _, whole = rest.partition("/")
    first = part.partition("-")[0]
    if unit != "bytes" or not (first.isascii() and first.isdigit()):
        return -1, None
    if whole.isascii() and whole.isdigit():
        return int(first), int(whole)
    return int(first), None if length is None else int(first) + length


def pieces(answer: HTTPResponse, limit: int) -> Iterator[bytes]:
    """The body, at most one piece more than `limit` bytes of it. Raises TimeoutError when it hardly moves."""
    since, moved = time.monotonic(), 0
    # read1, since read waits for all it is asked for, however slowly that comes.
    while chunk := answer.read1(_CHUNK):
        yield chunk
        limit -= len(chunk)
        if limit <= 0 and answer.length is not None:
            return  # all that was announced, whether or not the server hangs up
        if limit < 0:
            return
        moved += len(chunk)
        if time.monotonic() - since >= SILENCE:
            if moved < SLOWEST:
                raise TimeoutError(f"only {moved} bytes came in {SILENCE:.0f} s")
            since, moved = time.monotonic(), 0


def handlers() -> list[urllib.request.BaseHandler]:
    """For an opener: connections that wait SILENCE seconds for an answer's head, however slowly it drips."""
    return [_HTTP(), _HTTPS()]


class _Hurried(HTTPConnection):
    """http.client times each byte of a head by itself; this one times all of it."""

    def getresponse(self) -> HTTPResponse:
        late = threading.Event()

        def hang_up() -> None:
            late.set()
            with contextlib.suppress(OSError):  # it was over by itself
                self.sock.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(SILENCE, hang_up)
        timer.daemon = True
        timer.start()
        try:
            return super().getresponse()
        except (OSError, HTTPException) as error:
            if late.is_set():
                raise TimeoutError(f"timed out: no answer in {SILENCE:.0f} s") from error
            raise
        finally:
            timer.cancel()


class _HurriedTLS(_Hurried, HTTPSConnection):
    pass


class _HTTP(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(_Hurried, req)


class _HTTPS(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(_HurriedTLS, req)
