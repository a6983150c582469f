"""Fetches a catalogued file: goes on where it stopped, checks space and sum, shows no half file."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import IO

from .catalogue import ModelFile, readable_size

HUB = "https://huggingface.co"
_CHUNK = 1 << 20
_ATTEMPTS = 3

Report = Callable[[str], None]


class DownloadError(RuntimeError):
    """The file could not be fetched; the message says why and what to do."""


def fetch(file: ModelFile, models: Path, report: Report = print) -> Path:
    """Put `file` where it belongs under `models`; does nothing when it is there. Raises DownloadError.

    The environment variable LIKENESS_MIRROR replaces the hub's address; HF_TOKEN is sent to the hub only.
    """
    target = models / file.place
    if target.is_file():
        report(f"{file.name} is already there: {target}")
        return target
    if file.by_hand:
        raise DownloadError(
            f"{file.name} can't be fetched: it has to be put into {target.parent} by hand. Licence: "
            f"{file.licence}. From: {file.source}."
        )
    if file.url is None:
        raise DownloadError(
            f"{file.name} is not downloaded but made: python install.py --models {file.methods[0]}"
        )
    report(f"{file.name}: {file.size_text}, licence: {file.licence}, from {file.source}")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    archive = archive_path(file, models)
    if archive is None:
        download(address(file.url), part, file.size, report)
    else:
        if not archive.is_file():
            download(address(file.url), archive.with_name(archive.name + ".part"), None, report).replace(
                archive
            )
        _unpack(file, archive, part)
    try:
        check(part, file)
    except DownloadError:
        part.unlink()
        if archive is not None:
            archive.unlink()
        raise
    part.replace(target)
    report(f"{file.name} is in {target.parent}")
    return target


def address(url: str) -> str:
    """The url, on the mirror if there is one and the url is the hub's."""
    mirror = os.environ.get("LIKENESS_MIRROR", "").rstrip("/")
    return mirror + url[len(HUB) :] if mirror and url.startswith(HUB + "/") else url


def download(url: str, part: Path, size: int | None, report: Report = print) -> Path:
    """The whole of `url` in `part`, going on where an earlier try ended. Raises DownloadError."""
    last = ""
    for attempt in range(_ATTEMPTS):
        try:
            if _continue(url, part, size, report):
                return part
            last = "the connection ended early"
        except urllib.error.HTTPError as error:
            raise DownloadError(_refused(url, error)) from error
        except (OSError, HTTPException) as error:
            last = str(error) or type(error).__name__
        if attempt + 1 < _ATTEMPTS:
            report(f"  {last}; trying again")
            time.sleep(attempt)
    raise DownloadError(
        f"{url} could not be fetched: {last}. Run the same command again to go on where it stopped; without "
        "access to the hub set LIKENESS_MIRROR to the address of a mirror, or put the file in place by hand."
    )


def _continue(url: str, part: Path, size: int | None, report: Report) -> bool:
    """Fetch what is missing of `part`; True when it is whole."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "likeness-install"}
    if have:
        headers["Range"] = f"bytes={have}-"
    token = os.environ.get("HF_TOKEN")
    if token and url.startswith(HUB + "/"):
        headers["Authorization"] = f"Bearer {token}"
    try:
        answer: HTTPResponse = _OPENER.open(urllib.request.Request(url, headers=headers), timeout=60)
    except urllib.error.HTTPError as error:
        if error.code != 416:
            raise
        # Nothing is left to fetch, or the part is longer than the file: only the former is whole.
        whole = error.headers.get("Content-Range", "").rpartition("/")[2]
        if whole == str(have):
            return True
        part.unlink()
        return False
    with answer:
        if answer.headers.get_content_type() == "text/html":
            raise DownloadError(
                f"{url} answered with a web page instead of a file: a login, a quota or a moved file. Open "
                "it in a browser, and put the file where the list of models says."
            )
        if answer.status != 206:
            have = 0  # the server sends everything again
        announced = answer.headers.get("Content-Length")
        total = have + int(announced) if announced else size
        _ensure_space(part, (total or 0) - have)
        got = _receive(answer, part, have, total, report)
    return total is None or got == total


def _receive(answer: HTTPResponse, part: Path, have: int, total: int | None, report: Report) -> int:
    """Append the answer's body to `part`; returns the bytes it then holds."""
    told = time.monotonic()
    with part.open("ab" if have else "wb") as output:
        while chunk := answer.read(_CHUNK):
            output.write(chunk)
            have += len(chunk)
            if time.monotonic() - told > 2:
                told = time.monotonic()
                share = f" of {readable_size(total)} ({100 * have // total} %)" if total else ""
                report(f"  {readable_size(have)}{share}")
    return have


class _Redirects(urllib.request.HTTPRedirectHandler):
    """The hub redirects to a storage server, which must not be sent the token."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):  # type: ignore[no-untyped-def]
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        if following is not None and not newurl.startswith(HUB + "/"):
            following.remove_header("Authorization")
        return following


_OPENER = urllib.request.build_opener(_Redirects())


def _ensure_space(part: Path, needed: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if needed > free:
        raise DownloadError(
            f"{part.parent} has {readable_size(free)} free, but {readable_size(needed)} are needed. "
            "Make room and run the same command again."
        )


def _refused(url: str, error: urllib.error.HTTPError) -> str:
    advice = "Put the file in place by hand."
    if error.code in (401, 403):
        advice = "Accept the licence on the file's page, then set HF_TOKEN to a read token of your account."
    return f"{url} was refused: HTTP {error.code} {error.reason}. {advice}"


def archive_path(file: ModelFile, models: Path) -> Path | None:
    """Where the archive that holds the file is kept while its members are taken out, or None."""
    if file.member is None or file.url is None:
        return None
    return (models / file.place).with_name(file.url.rsplit("/", 1)[-1])


def _unpack(file: ModelFile, archive: Path, part: Path) -> None:
    try:
        with zipfile.ZipFile(archive) as content, content.open(file.member or "") as source:
            _copy(source, part)
    except (zipfile.BadZipFile, KeyError) as error:
        archive.unlink()
        raise DownloadError(
            f"{archive.name} holds no sound {file.member}: {error}. It was removed; run the command again."
        ) from error


def _copy(source: IO[bytes], part: Path) -> None:
    with part.open("wb") as output:
        shutil.copyfileobj(source, output, _CHUNK)


def check(path: Path, file: ModelFile) -> None:
    """Compare size and sum with the catalogue where it knows them. Raises DownloadError."""
    found = path.stat().st_size
    if file.size is not None and found != file.size:
        raise DownloadError(
            f"{file.name} has {found} bytes, expected {file.size}. It was removed; run again."
        )
    if file.sha256 is None:
        return
    digest = sha256(path)
    if digest != file.sha256:
        raise DownloadError(
            f"{file.name} has the sum {digest}, expected {file.sha256}. It was removed; run again."
        )


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as content:
        while chunk := content.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
