"""Load Face Encoder keeps the encoder of a pickled file beside it, and reads that from then on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from support import wplus_files
from support.golden import relative_error

pytestmark = pytest.mark.usefixtures("as_the_executor_does")


@pytest.fixture
def folder(host: Any, pack: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of encoders that one test uses alone."""
    import folder_paths

    _, endings = folder_paths.folder_names_and_paths["e4e"]
    monkeypatch.setitem(folder_paths.folder_names_and_paths, "e4e", ([str(tmp_path)], endings))
    return tmp_path


@pytest.fixture
def opened(pack: Any) -> Any:
    """Opens a file as after a start of ComfyUI, and says what it makes of a picture."""
    files = pack.module("likeness.methods.wplus.e4e_files")
    picture = torch.randn(1, 3, 256, 256, generator=torch.Generator().manual_seed(0))
    return lambda path: files.open_encoder(path)(picture)


def published(path: Path, seed: int = 0, **how: Any) -> Path:
    content = wplus_files.encoder_file()
    content["latent_avg"] = content["latent_avg"] + seed
    with torch.inference_mode(False):
        torch.save(content, path, **how)
    return path


def copy_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.encoder.safetensors")


@pytest.mark.parametrize("zipped", [True, False], ids=["zipped", "old pickle"])
def test_kept_once_and_read_from_then_on(folder: Path, pack: Any, opened: Any, zipped: bool) -> None:
    path = published(folder / "e4e.pt", _use_new_zipfile_serialization=zipped)
    fresh = pack.node("LikenessLoadFaceEncoder").execute(file="e4e.pt")[0]
    first = fresh(torch.randn(1, 3, 256, 256, generator=torch.Generator().manual_seed(0)))
    copy = copy_of(path)
    assert sorted(folder.iterdir()) == [path, copy], "nothing unfinished stays"
    with safe_open(copy, "pt") as content:
        assert set(content.keys()) == {
            *(f"encoder.{key}" for key in wplus_files.encoder_shapes()),
            "latent_avg",
        }
    assert copy.stat().st_mode == path.stat().st_mode
    made = copy.stat().st_mtime_ns
    # What is damaged inside can't be seen by size and time: only the copy is read.
    stat = path.stat()
    path.write_bytes(bytes(stat.st_size))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert torch.equal(opened(path), first) and copy.stat().st_mtime_ns == made
    assert {"e4e.pt", copy.name} <= set(pack.module("likeness.choices.wplus").list_encoders())
    path.unlink()
    assert torch.equal(opened(copy), first), "the copy alone does as well"
    assert list(folder.iterdir()) == [copy]


def test_a_stale_copy_is_made_anew(folder: Path, opened: Any, caplog: pytest.LogCaptureFixture) -> None:
    path = published(folder / "e4e.pt")
    first = opened(path)
    stale = copy_of(path).read_bytes()
    published(path, seed=1)
    os.utime(path, (0, 0))
    second = opened(path)
    assert not torch.equal(first, second) and copy_of(path).read_bytes() != stale
    assert "it was not made from e4e.pt as it is now" in caplog.text
    caplog.clear()
    assert torch.equal(opened(path), second) and not caplog.text


@pytest.mark.parametrize("left", [b"", b"x" * 100, None], ids=["empty", "no safetensors", "cut"])
def test_a_damaged_copy_is_made_anew(
    folder: Path, opened: Any, caplog: pytest.LogCaptureFixture, left: bytes | None
) -> None:
    path = published(folder / "e4e.pt")
    first, copy = opened(path), copy_of(path)
    whole = copy.read_bytes()
    copy.write_bytes(whole[: len(whole) // 2] if left is None else left)
    assert torch.equal(opened(path), first) and copy.stat().st_size == len(whole)
    assert "e4e.pt.encoder.safetensors is damaged: it is made anew from e4e.pt" in caplog.text
    caplog.clear()
    assert torch.equal(opened(path), first) and not caplog.text


def test_a_file_of_somebody_else_is_left_alone(
    folder: Path, opened: Any, caplog: pytest.LogCaptureFixture
) -> None:
    from safetensors.torch import save_file

    path = published(folder / "e4e.pt")
    save_file({"x": torch.ones(1)}, copy_of(path))
    before = copy_of(path).read_bytes()
    opened(path)
    assert copy_of(path).read_bytes() == before and "there is another file of that name" in caplog.text


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """As on a full disk: the system refuses to write on."""
    resource = pytest.importorskip("resource", reason="Windows has no such limit")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_where_nothing_can_be_written_it_goes_on(
    folder: Path, opened: Any, caplog: pytest.LogCaptureFixture
) -> None:
    path = published(folder / "e4e.pt")
    with no_file_larger_than(10_000):
        first = opened(path)
    assert "e4e.pt is read anew each time ComfyUI starts" in caplog.text and "can't be written" in caplog.text
    assert list(folder.iterdir()) == [path], "nothing unfinished stays"
    # Numbers that lie elsewhere in memory are added in another order.
    assert relative_error(opened(path), first) <= 1e-6 and copy_of(path).is_file()
    caplog.clear()
    long = published(folder / f"{'e' * 230}.pt")  # too long a name with what is put behind it
    assert relative_error(opened(long), first) <= 1e-6 and "can't be written" in caplog.text


def test_a_wrong_file_is_not_kept(folder: Path, opened: Any) -> None:
    torch.save({**wplus_files.encoder_file(), "latent_avg": torch.ones(3)}, folder / "bad.pt")
    with pytest.raises(ValueError, match=r"bad.pt is damaged: latent_avg is \[3\]"):
        opened(folder / "bad.pt")
    assert not copy_of(folder / "bad.pt").exists()
