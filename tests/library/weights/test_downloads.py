"""Fetching files from a real server on this machine: resuming, refusals, mirrors, tokens, proxies, sums."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.hub import CONTENT, Hub, Proxy, serving

from likeness.weights import transfer
from likeness.weights.catalogue import ModelFile, catalogue, readable_time
from likeness.weights.download import DownloadError, fetch
from likeness.weights.transfer import HUB, address, gets_token

VARIABLES = ("LIKENESS_MIRROR", "HF_ENDPOINT", "HF_TOKEN", "http_proxy", "https_proxy", "all_proxy")


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """No settings of the machine; instead of sleeping, how long it would have been is noted."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")
    waited: list[float] = []
    monkeypatch.setattr(transfer.time, "sleep", waited.append)
    return waited


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Hub]]:
    with serving(Hub) as (handler, port):
        monkeypatch.setenv("LIKENESS_MIRROR", f"http://127.0.0.1:{port}/")
        yield handler


@pytest.fixture
def elsewhere() -> Iterator[tuple[type[Hub], str]]:
    """Another host that the hub may redirect to, and a file's address there."""
    with serving(Hub) as (handler, port):
        yield handler, f"http://localhost:{port}/storage/file"


def a_file(**changes: object) -> ModelFile:
    known = {"size": len(CONTENT), "sha256": hashlib.sha256(CONTENT).hexdigest()}
    return dataclasses.replace(catalogue()["instantid/ip-adapter"], **{**known, **changes})


def quiet(text: str) -> None:
    pass


# ---- whole files


def test_a_file_is_fetched_once_and_its_licence_said(hub: type[Hub], tmp_path: Path) -> None:
    said: list[str] = []
    path = fetch(a_file(), tmp_path / "instantid", said.append)
    assert path == tmp_path / "instantid" / "ip-adapter.bin"
    assert path.read_bytes() == CONTENT
    assert "Apache-2.0" in said[0]
    fetch(a_file(), tmp_path / "instantid", said.append)
    assert hub.asked == [""]
    assert [p.name for p in path.parent.iterdir()] == ["ip-adapter.bin"]


def test_progress_tells_share_rate_and_time_left(
    hub: type[Hub], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "_TELL_EVERY", 0.0)
    said: list[str] = []
    fetch(a_file(), tmp_path, said.append)
    assert any(" of 10.2 MB (" in line and "B/s, " in line and line.endswith(" left") for line in said)
    assert any("(100 %)" in line for line in said)
    assert transfer._progress(1_700_000_000, 6_938_078_334, 34_000_000) == (
        "1.7 GB of 6.94 GB (24 %), 34 MB/s, 2 min 34 s left"
    )
    assert transfer._progress(5_000_000, None, 1_500_000) == "5 MB, 1.5 MB/s"
    assert readable_time(59) == "59 s" and readable_time(7500) == "2 h 5 min"


def test_a_web_page_is_not_taken_for_a_file(hub: type[Hub], tmp_path: Path) -> None:
    """A quota notice or a login comes with status 200, and many files have no published sum."""
    hub.kind = "text/html; charset=utf-8"
    with pytest.raises(DownloadError, match="answered with a web page instead of a file"):
        fetch(a_file(size=None, sha256=None), tmp_path, quiet)
    hub.kind, hub.content = "application/octet-stream", b"<!DOCTYPE html><title>Log in</title>"
    with pytest.raises(DownloadError, match=r"is a web page, not a model file\. It was removed"):
        fetch(a_file(size=None, sha256=None), tmp_path, quiet)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "wrong, message", [({"sha256": "0" * 64}, "has the sum"), ({"size": 7}, "10240000 bytes, expected 7")]
)
def test_another_file_than_expected_is_thrown_away(
    hub: type[Hub], tmp_path: Path, wrong: dict[str, object], message: str
) -> None:
    with pytest.raises(DownloadError, match=message):
        fetch(a_file(**wrong), tmp_path, quiet)
    assert list(tmp_path.iterdir()) == []


def test_directions_are_fetched_by_size_with_their_licence(hub: type[Hub], tmp_path: Path) -> None:
    """PreciseControl's file: its sum was never seen here, its size was."""
    known = catalogue()["wplus/directions"]
    assert known.size == 3_984_125 and known.sha256 is None and known.methods[0] == "wplus-directions"
    said: list[str] = []
    hub.content = b"{" + b" " * (known.size - 2) + b"}"
    file = dataclasses.replace(known, url=f"{HUB}/all_delta_w_dict.json")
    assert fetch(file, tmp_path, said.append).name == "all_delta_w_dict.json"
    assert "3.98 MB, licence: MIT" in said[0]
    hub.content += b" "
    (tmp_path / file.inside).unlink()
    with pytest.raises(DownloadError, match="has 3984126 bytes, expected 3984125"):
        fetch(file, tmp_path, quiet)
    assert list(tmp_path.iterdir()) == []


def test_members_are_taken_out_of_one_archive(hub: type[Hub], tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("antelopev2/glintr100.onnx", b"recogniser")
        archive.writestr("antelopev2/inswapper.onnx", b"stranger")
    hub.content = packed.getvalue()
    here = {"url": f"{HUB}/antelopev2.zip", "size": None, "sha256": None}
    here |= {"archive_size": len(hub.content), "archive_sha256": hashlib.sha256(hub.content).hexdigest()}
    file = dataclasses.replace(catalogue()["antelopev2/glintr100"], **here)
    path = fetch(file, tmp_path, quiet)
    assert path.read_bytes() == b"recogniser"
    absent = dataclasses.replace(file, name="scrfd_10g_bnkps.onnx", member="antelopev2/scrfd_10g_bnkps.onnx")
    with pytest.raises(DownloadError, match="holds no sound antelopev2/scrfd"):
        fetch(absent, tmp_path, quiet)
    assert len(hub.asked) == 1
    assert sorted(p.name for p in path.parent.iterdir()) == ["glintr100.onnx"]


@pytest.mark.parametrize("there", [False, True], ids=["fetched", "there already"])
def test_an_archive_that_is_not_the_published_one_is_thrown_away(
    hub: type[Hub], tmp_path: Path, there: bool
) -> None:
    """Its members may have no sum of their own, or one of them may be what was changed."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("antelopev2/glintr100.onnx", b"recogniser")
    hub.content = packed.getvalue()
    here = {"url": f"{HUB}/antelopev2.zip", "size": None, "sha256": None}
    file = dataclasses.replace(catalogue()["antelopev2/glintr100"], **here)
    folder = (tmp_path / file.inside).parent
    if there:
        folder.mkdir(parents=True)
        (folder / "antelopev2.zip").write_bytes(hub.content)
    for wrong, says in (
        ({"archive_size": None}, r"antelopev2.zip has the sum .*, expected 8e182f14"),
        ({}, r"antelopev2.zip has \d+ bytes, expected 360662982\. So it is another file"),
    ):
        with pytest.raises(DownloadError, match=says):
            fetch(dataclasses.replace(file, **wrong), tmp_path, quiet)
        assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(hub: type[Hub], tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file where a folder should be")
    with pytest.raises(DownloadError, match="models can't be made"):
        fetch(a_file(), tmp_path / "models", quiet)


# ---- going on


def test_a_cut_connection_is_resumed_where_it_ended(
    hub: type[Hub], tmp_path: Path, waits: list[float]
) -> None:
    hub.cut += [3_000_000, 1_000_000]
    said: list[str] = []
    assert fetch(a_file(), tmp_path, said.append).read_bytes() == CONTENT
    assert hub.asked == ["", "bytes=3000000-", "bytes=4000000-"]
    assert "  the connection ended early; trying again in 1 s" in said and len(waits) == 2


def test_as_long_as_something_comes_it_goes_on(hub: type[Hub], tmp_path: Path) -> None:
    hub.cut += [1_100_000] * 8
    assert fetch(a_file(), tmp_path, quiet).read_bytes() == CONTENT
    assert len(hub.asked) == 9


def test_the_part_of_an_earlier_run_is_used(hub: type[Hub], tmp_path: Path) -> None:
    hub.cut += [10, 10, 10]
    with pytest.raises(DownloadError, match=r"connection ended early.*LIKENESS_MIRROR"):
        fetch(a_file(), tmp_path, quiet)
    assert not (tmp_path / "ip-adapter.bin").exists()
    assert fetch(a_file(), tmp_path, quiet).read_bytes() == CONTENT
    assert hub.asked[-1] == "bytes=30-"


def test_a_body_shorter_than_the_catalogue_says_is_noticed_without_its_length(
    hub: type[Hub], tmp_path: Path
) -> None:
    hub.lengths = False
    hub.cut += [5_000_000]
    assert fetch(a_file(), tmp_path, quiet).read_bytes() == CONTENT
    assert hub.asked == ["", "bytes=5000000-"]


def test_a_cut_file_of_unknown_size_is_noticed_by_its_own_header(hub: type[Hub], tmp_path: Path) -> None:
    header = b'{"a":{"dtype":"U8","shape":[9],"data_offsets":[0,9]}}'
    whole = struct.pack("<Q", len(header)) + header + bytes(9)
    file = a_file(name="x.safetensors", size=None, sha256=None)
    hub.lengths, hub.content = False, whole[:-1]
    with pytest.raises(DownloadError, match=r"x\.safetensors ends too early"):
        fetch(file, tmp_path, quiet)
    hub.content = whole
    assert fetch(file, tmp_path, quiet).read_bytes() == whole


def test_a_whole_part_is_not_fetched_again(hub: type[Hub], tmp_path: Path) -> None:
    (tmp_path / "ip-adapter.bin.part").write_bytes(CONTENT)
    assert fetch(a_file(), tmp_path, quiet).read_bytes() == CONTENT
    assert hub.asked == [f"bytes={len(CONTENT)}-"]


def test_a_part_longer_than_the_file_is_fetched_anew(hub: type[Hub], tmp_path: Path) -> None:
    (tmp_path / "ip-adapter.bin.part").write_bytes(CONTENT + b"more")
    assert fetch(a_file(), tmp_path, quiet).read_bytes() == CONTENT


def test_a_server_without_ranges_starts_again(hub: type[Hub], tmp_path: Path) -> None:
    hub.ranges = False
    (tmp_path / "ip-adapter.bin.part").write_bytes(b"old")
    assert fetch(a_file(), tmp_path, quiet).read_bytes() == CONTENT


def test_another_range_than_was_asked_for_is_not_appended(hub: type[Hub], tmp_path: Path) -> None:
    hub.shift = 1
    (tmp_path / "ip-adapter.bin.part").write_bytes(CONTENT[:100])
    assert fetch(a_file(), tmp_path, quiet).read_bytes() == CONTENT
    assert hub.asked == ["bytes=100-", ""]


# ---- refusals


@pytest.mark.parametrize(
    "status, advice",
    [
        (401, "Accept the licence on the file's page, then set HF_TOKEN"),
        (403, "Accept the licence on the file's page, then set HF_TOKEN"),
        (404, "by hand"),
        (407, "HTTPS_PROXY"),
    ],
)
def test_a_refusal_is_explained_at_once(hub: type[Hub], tmp_path: Path, status: int, advice: str) -> None:
    hub.statuses += [status]
    with pytest.raises(DownloadError, match=f"HTTP {status}.*{advice}"):
        fetch(a_file(), tmp_path, quiet)
    assert len(hub.asked) == 1


def test_a_busy_hub_is_asked_again_when_it_says(hub: type[Hub], tmp_path: Path, waits: list[float]) -> None:
    hub.statuses += [429, 503]
    hub.headers_with_status = {"Retry-After": "7"}
    said: list[str] = []
    assert fetch(a_file(), tmp_path, said.append).read_bytes() == CONTENT
    assert waits == [7, 7] and any("HTTP 429 Too Many Requests; trying again in 7 s" in t for t in said)


def test_a_hub_that_stays_busy_is_left_in_the_end(hub: type[Hub], tmp_path: Path, waits: list[float]) -> None:
    hub.statuses += [503] * 9
    with pytest.raises(DownloadError, match="HTTP 503"):
        fetch(a_file(), tmp_path, quiet)
    assert len(hub.asked) == 3 and waits == [5, 15]
    hub.headers_with_status = {"Retry-After": "86400"}
    with pytest.raises(DownloadError, match="HTTP 503"):
        fetch(a_file(), tmp_path, quiet)
    assert max(waits) == 120


def test_too_little_space_is_said_before_anything_is_written(
    hub: type[Hub], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = transfer.shutil.disk_usage(tmp_path)._replace(free=1_000_000)
    monkeypatch.setattr(transfer.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(DownloadError, match=r"1 MB free.*10.2 MB are needed"):
        fetch(a_file(), tmp_path, quiet)
    assert list(tmp_path.iterdir()) == []


# ---- mirrors, tokens, proxies


def test_a_mirror_replaces_the_hub_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    assert address(HUB + "/a/b.bin") == HUB + "/a/b.bin"
    monkeypatch.setenv("HF_ENDPOINT", "https://other.example")
    assert address(HUB + "/a/b.bin") == "https://other.example/a/b.bin"
    monkeypatch.setenv("LIKENESS_MIRROR", "https://mirror.example/models/")
    assert address(HUB + "/a/b.bin") == "https://mirror.example/models/a/b.bin"
    assert address("https://github.com/a/b.zip") == "https://github.com/a/b.zip"
    monkeypatch.setenv("LIKENESS_MIRROR", "mirror.example")
    with pytest.raises(DownloadError, match=r"LIKENESS_MIRROR is 'mirror\.example'; an address begins with"):
        address(HUB + "/a/b.bin")


def test_a_file_comes_from_the_mirror(hub: type[Hub], tmp_path: Path) -> None:
    fetch(a_file(), tmp_path, quiet)
    assert hub.paths == ["/InstantX/InstantID/resolve/main/ip-adapter.bin"]


def test_the_token_is_sent_and_never_taken_along_to_another_host(
    hub: type[Hub], elsewhere: tuple[type[Hub], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage, there = elsewhere
    hub.redirect = there
    monkeypatch.setenv("HF_TOKEN", "hf_secret\n")
    (tmp_path / "ip-adapter.bin.part").write_bytes(CONTENT[:100])
    said: list[str] = []
    assert fetch(a_file(), tmp_path, said.append).read_bytes() == CONTENT
    assert hub.tokens == ["Bearer hf_secret"] and storage.tokens == [""]
    assert storage.asked == ["bytes=100-"], "the other headers go along"
    assert "secret" not in "".join(said)


def test_a_redirect_within_the_hub_keeps_the_token(
    hub: type[Hub], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.redirect = "/moved"
    with pytest.raises(DownloadError, match="redirect"):  # in circles: urllib gives up
        fetch(a_file(), tmp_path, quiet)
    assert hub.paths[:2] == ["/InstantX/InstantID/resolve/main/ip-adapter.bin", "/moved"]
    assert set(hub.tokens) == {"Bearer hf_secret"}


@pytest.mark.parametrize(
    "url, sent",
    [
        (HUB + "/a/b.bin", True),
        ("http://huggingface.co/a/b.bin", False),
        ("https://huggingface.co.example/a/b.bin", False),
        ("https://github.com/a/b.zip", False),
    ],
)
def test_the_token_is_for_the_hub(url: str, sent: bool) -> None:
    assert gets_token(url) is sent


def test_the_token_does_not_cross_a_network_in_the_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIKENESS_MIRROR", "http://mirror.example")
    assert not gets_token("http://mirror.example/a/b.bin") and not gets_token(HUB + "/a/b.bin")
    monkeypatch.setenv("LIKENESS_MIRROR", "https://mirror.example")
    assert gets_token("https://mirror.example/a/b.bin")


def test_a_refused_token_and_a_broken_one_are_told_without_showing_them(
    hub: type[Hub], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.statuses += [403]
    with pytest.raises(DownloadError, match="The token in HF_TOKEN was sent: does it have") as one:
        fetch(a_file(), tmp_path, quiet)
    monkeypatch.setenv("HF_TOKEN", "hf_secret\nsecond line")
    with pytest.raises(DownloadError, match="HF_TOKEN holds characters that no token has") as other:
        fetch(a_file(), tmp_path, quiet)
    assert "secret" not in f"{one.value}{other.value}"


def test_files_come_through_a_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Proxy) as (proxy, port):
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("LIKENESS_MIRROR", "http://mirror.invalid")
        assert fetch(a_file(), tmp_path, quiet).read_bytes() == CONTENT
    assert proxy.asked == ["http://mirror.invalid/InstantX/InstantID/resolve/main/ip-adapter.bin"]


def test_the_hub_itself_is_reached_through_the_https_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(Proxy) as (proxy, port):
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
        with pytest.raises(DownloadError, match=r"Tunnel connection failed: 403.*set HTTPS_PROXY"):
            fetch(a_file(), tmp_path, quiet)
    assert set(proxy.asked) == {"huggingface.co:443"}
