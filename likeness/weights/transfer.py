"""Bytes over HTTP into a file: resumed, tried again, through proxies, from mirrors, the token kept safe.

What the environment says: LIKENESS_MIRROR or HF_ENDPOINT (an address in place of the hub's), HF_TOKEN,
and HTTPS_PROXY, HTTP_PROXY, NO_PROXY, which Python's urllib reads by itself.
"""

from __future__ import annotations

import os
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from . import answers
from .catalogue import readable_size, readable_time

HUB = "https://huggingface.co"
#: Variables that hold a mirror's address; the first that is set counts.
MIRRORS = ("LIKENESS_MIRROR", "HF_ENDPOINT")
_CHUNK = 1 << 20
#: Tries in a row that bring less than a chunk.
_ATTEMPTS = 3
#: Answers that may be better in a moment.
_BUSY = frozenset({408, 429, 500, 502, 503, 504})
_LONGEST_WAIT = 120
_TELL_EVERY = 2.0
_ANOTHER_FILE = (
    "So it is another file than the list means, and nothing of it was taken: try a mirror (LIKENESS_MIRROR), "
    "or put the file in place by hand."
)
_HERE = frozenset({"127.0.0.1", "localhost", "::1"})

Report = Callable[[str], None]


class DownloadError(RuntimeError):
    """The file could not be fetched; the message says why and what to do."""


def hub() -> str:
    """The hub's address, or the mirror's. Raises DownloadError for a variable that holds no address."""
    for name in MIRRORS:
        value = os.environ.get(name, "").strip().rstrip("/")
        if value and urlsplit(value).scheme not in ("http", "https"):
            raise DownloadError(f"{name} is {value!r}; an address begins with https://")
        if value:
            return value
    return HUB


def address(url: str) -> str:
    """The url, on the mirror if there is one and the url is the hub's."""
    return hub() + url[len(HUB) :] if url.startswith(HUB + "/") else url


def download(url: str, part: Path, size: int | None, report: Report = print) -> Path:
    """The whole of `url` in `part`, going on where an earlier try ended. Raises DownloadError.

    size (bytes) is used when the server announces none.
    """
    fruitless = 0
    while True:
        before = _size(part)
        wait = 1 + 2 * fruitless
        try:
            if _continue(url, part, size, report):
                return part
            reason = "the connection ended early"
        except urllib.error.HTTPError as error:
            if error.code not in _BUSY:
                raise DownloadError(_refused(url, error)) from error
            reason, wait = f"HTTP {error.code} {error.reason}", _asked_to_wait(error, 5 * wait)
        except (OSError, HTTPException) as error:
            reason = str(error) or type(error).__name__
        fruitless = 0 if _size(part) - before >= _CHUNK else fruitless + 1
        if fruitless == _ATTEMPTS:
            break
        report(f"  {reason}; trying again in {wait} s")
        time.sleep(wait)
    raise DownloadError(
        f"{url} could not be fetched: {reason}. Run the same command again to go on where it stopped. "
        "Behind a proxy set HTTPS_PROXY; without access to the hub set LIKENESS_MIRROR to the address of a "
        "mirror, or put the file in place by hand."
    )


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _asked_to_wait(error: urllib.error.HTTPError, otherwise: int) -> int:
    asked = error.headers.get("Retry-After", "")
    return min(int(asked), _LONGEST_WAIT) if asked.isdigit() else otherwise


def _continue(url: str, part: Path, size: int | None, report: Report) -> bool:
    """Fetch what is missing of `part`; True when it is whole."""
    have = _size(part)
    request = urllib.request.Request(url, headers={"User-Agent": "likeness-install"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    _add_token(request)
    # Made here, since proxies are read from the environment when an opener is made.
    opener = urllib.request.build_opener(_Redirects(), *answers.handlers())
    try:
        answer: HTTPResponse = opener.open(request, timeout=answers.SILENCE)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not have:
            raise
        # Nothing is left to fetch, or the part is longer than the file: only the former is whole.
        if error.headers.get("Content-Range", "").rpartition("/")[2] == str(have):
            return True
        part.unlink(missing_ok=True)
        return False
    with answer:
        strange = answers.no_file(answer)
        if strange:
            raise DownloadError(f"{url} {strange}")
        begin, whole = answers.span(answer)
        if begin not in (0, have):
            part.unlink(missing_ok=True)
            return False
        if size is not None and whole is not None and whole != size:
            raise DownloadError(f"{url} has {whole} bytes, expected {size}. {_ANOTHER_FILE}")
        total = size if whole is None else whole
        ensure_space(part.parent, (total or 0) - begin)
        got = _receive(answer, part, begin, total, report)
    limit = answers.LONGEST if total is None else total
    if got > limit:
        part.unlink(missing_ok=True)
        raise DownloadError(f"{url} sends more than {limit} bytes. {_ANOTHER_FILE}")
    return total is None or got == total


def _receive(answer: HTTPResponse, part: Path, have: int, total: int | None, report: Report) -> int:
    """Append the answer's body to `part`; returns the bytes it then holds, or would if it were too long."""
    begin = told = time.monotonic()
    first, limit = have, answers.LONGEST if total is None else total
    with _opened(part, "ab" if have else "wb") as output:
        for chunk in answers.pieces(answer, limit - have):
            have += len(chunk)
            if have > limit:
                break
            _write(output, chunk, part)
            now = time.monotonic()
            if now - told >= _TELL_EVERY:
                told = now
                report("  " + _progress(have, total, (have - first) / max(now - begin, 1e-3)))
    return have


def _opened(part: Path, mode: str) -> Any:
    try:
        return part.open(mode, buffering=0)  # or closing it could be what finds the disk full
    except OSError as error:
        raise _unwritten(part, error) from error


def _write(output: Any, chunk: bytes, part: Path) -> None:
    left = memoryview(chunk)
    try:
        while left:  # a disk that is nearly full takes a part of it
            left = left[output.write(left) :]
    except OSError as error:
        raise _unwritten(part, error) from error


def _unwritten(part: Path, error: OSError) -> DownloadError:
    return DownloadError(
        f"{part} could not be written: {error}. Make room or mend that, and run the same command again: it "
        "goes on where it stopped."
    )


def _progress(have: int, total: int | None, rate: float) -> str:
    """`1.2 GB of 6.94 GB (17 %), 34 MB/s, 3 min left`; rate in bytes a second."""
    speed = f"{readable_size(int(rate))}/s"
    if not total:
        return f"{readable_size(have)}, {speed}"
    left = f", {readable_time((total - have) / rate)} left" if rate >= 1 else ""
    return f"{readable_size(have)} of {readable_size(total)} ({100 * have // total} %), {speed}{left}"


class _Redirects(urllib.request.HTTPRedirectHandler):
    """The hub redirects to storage servers. They get the other headers, but not the token."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):  # type: ignore[no-untyped-def]
        if req.full_url.startswith("https:") and urlsplit(newurl).scheme == "http":
            raise DownloadError(
                f"{req.full_url} sends on to {newurl}, which is not encrypted. Try a mirror "
                "(LIKENESS_MIRROR), or put the file in place by hand."
            )
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        if following is not None:
            _add_token(following)
        return following


def _add_token(request: urllib.request.Request) -> None:
    """HF_TOKEN as a header that redirects do not take along. Raises DownloadError without showing it."""
    token = os.environ.get("HF_TOKEN", "").strip()
    if not token or not gets_token(request.full_url):
        return
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise DownloadError("HF_TOKEN holds characters that no token has. Copy it again.")
    request.add_unredirected_header("Authorization", f"Bearer {token}")


def gets_token(url: str) -> bool:
    """Whether the token may go there: to the hub or the mirror, and never in the clear over a network."""
    there, home = urlsplit(url), urlsplit(hub())
    private = there.scheme == "https" or there.hostname in _HERE
    return private and (there.scheme, there.netloc) == (home.scheme, home.netloc)


def ensure_space(folder: Path, needed: int) -> None:
    """Raises DownloadError when the disk of `folder`, which need not exist yet, has less free bytes."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DownloadError(
            f"{folder} has {readable_size(free)} free, but {readable_size(needed)} are needed. "
            "Make room and run the same command again."
        )


def _refused(url: str, error: urllib.error.HTTPError) -> str:
    advice = "Put the file in place by hand."
    if error.code in (401, 403):
        sent = "The token in HF_TOKEN was sent: does it have read access? " if _token_is_sent(url) else ""
        advice = (
            f"{sent}Accept the licence on the file's page, then set HF_TOKEN to a read token of your account."
        )
    elif error.code == 407:
        advice = "The proxy wants a name and a password: HTTPS_PROXY=http://NAME:PASSWORD@HOST:PORT."
    return f"{url} was refused: HTTP {error.code} {error.reason}. {advice}"


def _token_is_sent(url: str) -> bool:
    return bool(os.environ.get("HF_TOKEN", "").strip()) and gets_token(url)
