"""Downloads from servers that misbehave: each ends by a sentence, and nothing false is left."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any
from urllib.request import Request

import pytest
from support.hub import CONTENT
from support.patience import PATIENCE
from support.rude_server import Behaviour, Connection, RudeServer, endless, rude, silent, silent_after

from installer.paths import REPOSITORY
from likeness.weights import answers, transfer
from likeness.weights.catalogue import ModelFile, catalogue
from likeness.weights.download import DownloadError, fetch

BODY = CONTENT[:3_000_000]
NAME = "ip-adapter.bin"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings of the machine, no waiting between tries, and a line is dead after half a second."""
    for name in ("LIKENESS_MIRROR", "HF_ENDPOINT", "HF_TOKEN", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")
    monkeypatch.setattr(transfer.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(answers, "SILENCE", 0.5)


def get(
    server: RudeServer,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    said: list[str] | None = None,
    **changes: Any,
) -> Path:
    monkeypatch.setenv("LIKENESS_MIRROR", server.url)
    known = {"size": len(BODY), "sha256": hashlib.sha256(BODY).hexdigest(), **changes}
    report = (said if said is not None else []).append
    return fetch(dataclasses.replace(catalogue()["instantid/ip-adapter"], **known), folder, report)


def refused(
    sentence: str, folder: Path, monkeypatch: pytest.MonkeyPatch, *behaviours: Behaviour, **changes: Any
) -> RudeServer:
    """The server, after the download from it ended by that sentence."""
    with rude(*behaviours) as server, pytest.raises(DownloadError, match=sentence):
        get(server, folder, monkeypatch, **changes)
    return server


def whole(connection: Connection) -> None:
    """What a good server does, ranges too."""
    begin = int(connection.header("Range")[6:].rstrip("-") or 0)
    span = {"Content_Range": f"bytes {begin}-{len(BODY) - 1}/{len(BODY)}"} if begin else {}
    connection.answer(BODY[begin:], "206 Partial Content" if begin else "200 OK", **span)


def left(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in folder.iterdir()}


# ---- too much, too little


def test_a_body_without_end_is_left_as_soon_as_it_is_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with rude(endless) as server, pytest.raises(DownloadError, match=r"sends more than 3000000 bytes"):
        get(server, tmp_path, monkeypatch)
    assert left(tmp_path) == {}


def test_a_body_without_end_of_a_file_whose_size_nobody_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "LONGEST", 5_000_000)
    with rude(endless) as server, pytest.raises(DownloadError, match=r"sends more than 5000000 bytes"):
        get(server, tmp_path, monkeypatch, size=None, sha256=None)
    assert left(tmp_path) == {}


@pytest.mark.parametrize("announced", [len(BODY) + 5, len(BODY) - 5, 0, 10**15])
def test_another_length_than_the_lists_is_refused_before_the_first_byte(
    announced: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = refused(
        rf"has {announced} bytes, expected 3000000\. So it is another",
        tmp_path,
        monkeypatch,
        lambda c: c.answer(BODY, Content_Length=announced),
    )
    assert left(tmp_path) == {} and len(server.heads) == 1


@pytest.mark.parametrize("length", ["many", "-1", "", "3000000, 3000000"])
def test_a_length_that_is_no_number_does_no_harm(
    length: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with rude(lambda c: c.answer(BODY, Content_Length=length)) as server:
        assert get(server, tmp_path, monkeypatch).read_bytes() == BODY
    assert left(tmp_path) == {NAME: len(BODY)}


def test_what_was_announced_is_enough_though_the_server_never_hangs_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def more(connection: Connection) -> None:
        connection.answer(BODY + b"more than was announced", Content_Length=len(BODY))
        connection.wait()

    with rude(more) as server:
        assert get(server, tmp_path, monkeypatch).read_bytes() == BODY
    assert len(server.heads) == 1


def test_a_body_that_always_ends_early_is_kept_for_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = [lambda c: c.answer(BODY[:1000], Content_Length=len(BODY)), lambda c: None]
    refused(r"could not be fetched: .*Run the same command again", tmp_path, monkeypatch, *short)
    assert left(tmp_path) == {f"{NAME}.part": 1000}
    with rude(whole) as server:
        assert get(server, tmp_path, monkeypatch).read_bytes() == BODY
    assert "Range: bytes=1000-" in server.heads[0]


def test_chunks_that_are_no_chunks_are_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nonsense(connection: Connection) -> None:
        connection.answer(b"zz\r\nnonsense\r\n", Transfer_Encoding="chunked", Content_Length="")

    with rude(nonsense, lambda c: c.send("SSH-2.0-OpenSSH\r\n"), whole) as server:
        assert get(server, tmp_path, monkeypatch).read_bytes() == BODY
    assert len(server.heads) == 3


# ---- packed


def test_an_answer_that_was_packed_on_the_way_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb = gzip.compress(bytes(len(BODY) * 10))
    refused(
        r"came packed \(gzip\), which nobody asked for",
        tmp_path,
        monkeypatch,
        lambda c: c.answer(bomb, Content_Encoding="gzip"),
    )
    assert left(tmp_path) == {}


def test_an_archive_whose_member_unpacks_to_too_much_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("antelopev2/glintr100.onnx", bytes(20_000_000))
    bomb = packed.getvalue()
    monkeypatch.setenv("LIKENESS_MIRROR", "")
    with rude(lambda c: c.answer(bomb)) as server:
        here: dict = {"url": f"{server.url}/antelopev2.zip", "size": 10, "sha256": None}
        here |= {"archive_size": len(bomb), "archive_sha256": hashlib.sha256(bomb).hexdigest()}
        file: ModelFile = dataclasses.replace(catalogue()["antelopev2/glintr100"], **here)
        with pytest.raises(DownloadError, match=r"it would be 20000000 bytes, expected 10"):
            fetch(file, tmp_path, lambda text: None)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


# ---- somebody else's words


def test_a_page_in_place_of_a_model_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = b"<html><title>Quota exceeded</title>"
    refused(
        "answered with a web page instead of a file",
        tmp_path,
        monkeypatch,
        lambda c: c.answer(page, Content_Type="text/html; charset=utf-8"),
    )
    refused(
        "is a web page, not a model file", tmp_path, monkeypatch, lambda c: c.answer(page.ljust(len(BODY)))
    )
    assert left(tmp_path) == {}


# ---- redirects


def sent_to(where: str) -> Behaviour:
    return lambda c: c.answer(status="302 Found", Location=where)


@pytest.mark.parametrize("where", ["file:///etc/passwd", "gopher://127.0.0.1/x", "javascript:alert(1)"])
def test_a_redirect_to_another_kind_of_address_is_not_followed(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with rude(sent_to(where)) as server, pytest.raises(DownloadError, match=r"HTTP 302 .* not allowed"):
        get(server, tmp_path, monkeypatch)
    assert left(tmp_path) == {} and len(server.heads) == 1


def test_redirects_in_circles_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = refused(r"was refused: HTTP 302 .*infinite loop", tmp_path, monkeypatch, sent_to("/there"))
    assert left(tmp_path) == {} and len(server.heads) < 15


def test_a_redirect_to_another_host_is_followed_and_what_it_sends_is_checked_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with rude(lambda c: c.answer(BODY[::-1])) as storage:
        refused(r"has the sum .*It was removed", tmp_path, monkeypatch, sent_to(storage.url + "/x"))
    assert left(tmp_path) == {} and len(storage.heads) == 1


def test_a_redirect_never_leaves_encryption() -> None:
    """Asked of the handler itself: no certificate is trusted here that a server could show."""
    request = Request("https://hub.example/file")
    with pytest.raises(DownloadError, match=r"sends on to http://storage\.example/f, which is not encrypted"):
        transfer._Redirects().redirect_request(request, None, 302, "Found", {}, "http://storage.example/f")
    followed = transfer._Redirects().redirect_request(request, None, 302, "Found", {}, "https://a.example/f")
    assert followed.full_url == "https://a.example/f"


# ---- ranges


@pytest.mark.parametrize(
    "span",
    [
        "bytes 5-2999999/3000000",
        "bytes -5/3000000",
        "lines 1000-2999999/3000000",
        "bytes ١٠٠٠-2/3",  # noqa: RUF001  (digits, and no number of HTTP's)
        "",
    ],
)
def test_a_wrong_range_is_not_appended(span: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(BODY[:1000])
    header = span.encode().decode("latin-1")
    with rude(lambda c: c.answer(BODY[5:], "206 Partial Content", Content_Range=header), whole) as server:
        assert get(server, tmp_path, monkeypatch).read_bytes() == BODY
    assert len(server.heads) == 2 and "Range:" not in server.heads[1]


def test_a_range_of_another_file_is_refused_and_the_part_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(BODY[:1000])
    span = {"Content_Range": "bytes 1000-1999/2000"}
    refused(
        r"has 2000 bytes, expected 3000000",
        tmp_path,
        monkeypatch,
        lambda c: c.answer(bytes(1000), "206 Partial Content", **span),
    )
    assert left(tmp_path) == {f"{NAME}.part": 1000}


def test_a_range_in_small_pieces_is_put_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server may send less of a range than was asked for."""

    def some(connection: Connection) -> None:
        begin = int(connection.header("Range")[6:].rstrip("-") or 0)
        end = min(begin + 1_100_000, len(BODY))
        span = {"Content_Range": f"bytes {begin}-{end - 1}/{len(BODY)}"}
        connection.answer(BODY[begin:end], "206 Partial Content", **span)

    with rude(some) as server:
        assert get(server, tmp_path, monkeypatch).read_bytes() == BODY
    assert len(server.heads) == 3


def test_a_416_in_answer_to_no_range_is_a_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused(
        "was refused: HTTP 416", tmp_path, monkeypatch, lambda c: c.answer(status="416 Range Not Satisfiable")
    )
    assert left(tmp_path) == {}


def test_a_416_that_names_another_length_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(BODY[:1000])
    wrong = {"Content_Range": "bytes */999"}
    with rude(lambda c: c.answer(status="416 Range Not Satisfiable", **wrong), whole) as server:
        assert get(server, tmp_path, monkeypatch).read_bytes() == BODY


# ---- slow and silent


def test_a_server_that_falls_silent_is_asked_again_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    with rude(silent, silent_after(1_500_000, BODY), whole) as server:
        assert get(server, tmp_path, monkeypatch, said).read_bytes() == BODY
    assert "Range: bytes=1500000-" in server.heads[2]
    assert sum("timed out" in line and "trying again" in line for line in said) == 2


def test_a_body_that_drips_is_given_up_for_its_lack_of_progress(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each byte comes long before the line would count as dead."""

    def drip(connection: Connection) -> None:
        connection.answer(Content_Length=len(BODY))
        connection.drip(BODY[:1000], 0.05)

    begin = time.monotonic()
    server = refused(r"could not be fetched: only \d+ bytes came in", tmp_path, monkeypatch, drip)
    assert time.monotonic() - begin < PATIENCE
    assert len(server.heads) == 3
    assert set(left(tmp_path)) == {f"{NAME}.part"}


def test_a_head_that_drips_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drip = b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 1000
    server = refused(
        r"could not be fetched: timed out: no answer in", tmp_path, monkeypatch, lambda c: c.drip(drip, 0.05)
    )
    assert left(tmp_path) == {} and len(server.heads) == 3


def test_a_slow_line_that_moves_is_not_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes several times the seconds after which a line is dead."""
    monkeypatch.setattr(answers, "SLOWEST", 1)

    def slow(connection: Connection) -> None:
        connection.answer(Content_Length=len(BODY))
        for begin in range(0, len(BODY), 300_000):
            connection.send(BODY[begin : begin + 300_000])
            connection.wait(0.15)

    with rude(slow) as server:
        assert get(server, tmp_path, monkeypatch).read_bytes() == BODY
    assert len(server.heads) == 1


# ---- full disks

#: Fetches with a limit on the size of files, which the system enforces as it does a full disk.
_LIMITED = """
import dataclasses, json, resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
from likeness.weights import download
from likeness.weights.catalogue import catalogue
file = dataclasses.replace(catalogue()[sys.argv[2]], **json.loads(sys.argv[4]))
try:
    download.fetch(file, Path(sys.argv[3]), lambda text: None)
except download.DownloadError as error:
    sys.exit(str(error))
"""


def on_a_small_disk(
    room: int, mirror: str, folder: Path, key: str, **facts: Any
) -> subprocess.CompletedProcess:
    """`fetch` of that file in a process of its own; what it says when it fails is on its stderr."""
    command = [sys.executable, "-c", _LIMITED, str(room), key, str(folder), json.dumps(facts)]
    settings = {**os.environ, "LIKENESS_MIRROR": mirror}
    return subprocess.run(
        command, capture_output=True, text=True, cwd=REPOSITORY, env=settings, timeout=PATIENCE
    )


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of files")
def test_a_disk_that_fills_up_is_said_and_the_part_used_when_there_is_room(
    tmp_path: Path,
) -> None:
    with rude(whole) as server:
        facts = {"size": len(BODY), "sha256": hashlib.sha256(BODY).hexdigest()}
        done = on_a_small_disk(2_000_000, server.url, tmp_path, "instantid/ip-adapter", **facts)
        assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
        assert "ip-adapter.bin.part could not be written: " in done.stderr
        assert "it goes on where it stopped" in done.stderr
        assert left(tmp_path) == {f"{NAME}.part": 2_000_000} and len(server.heads) == 1
        again = on_a_small_disk(4_000_000, server.url, tmp_path, "instantid/ip-adapter", **facts)
        assert again.returncode == 0, again.stderr
    assert "Range: bytes=2000000-" in server.heads[1]
    assert (tmp_path / NAME).read_bytes() == BODY and set(left(tmp_path)) == {NAME}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of files")
def test_a_disk_that_fills_up_while_unpacking_keeps_the_archive(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("antelopev2/glintr100.onnx", BODY)
    content = packed.getvalue()
    facts: dict[str, Any] = {"size": len(BODY), "sha256": hashlib.sha256(BODY).hexdigest()}
    facts |= {"archive_size": len(content), "archive_sha256": hashlib.sha256(content).hexdigest()}
    with rude(lambda c: c.answer(content)) as server:
        facts["url"] = f"{server.url}/antelopev2.zip"
        done = on_a_small_disk(2_000_000, "", tmp_path, "antelopev2/glintr100", **facts)
        (folder,) = (path.parent for path in tmp_path.rglob("antelopev2.zip"))
        assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
        assert "glintr100.onnx.part could not be written: " in done.stderr
        assert "antelopev2.zip is kept" in done.stderr
        assert left(folder) == {"antelopev2.zip": len(content)}
        assert on_a_small_disk(4_000_000, "", tmp_path, "antelopev2/glintr100", **facts).returncode == 0
    assert (folder / "glintr100.onnx").read_bytes() == BODY and len(server.heads) == 1
