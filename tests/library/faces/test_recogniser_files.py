"""Recognisers told apart by what is in their files: two networks of one name, and of one size."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from support.tiny_faces import image, write_antelopev2, write_recogniser

from likeness.faces import models as models_module
from likeness.faces import recogniser_files
from likeness.faces.detect import detect
from likeness.faces.embed import identify
from likeness.faces.models import FaceModels, fingerprint
from likeness.weights import contents
from likeness.weights.catalogue import ModelFile
from likeness.weights.examine import sha256
from likeness.weights.find import MissingModel

#: The seeds of the tiny networks that are taken for the published ones.
PUBLISHED = {"glintr100": 1, "arc2face": 2, "auraface": 3}
STRANGER = 9
CROP = torch.randint(0, 256, (1, 112, 112, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(3))


@pytest.fixture
def summed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files whose sum was taken, in order."""
    taken: list[Path] = []

    def counted(path: Path) -> str:
        taken.append(path)
        return sha256(path)

    contents._sum.cache_clear()
    recogniser_files._say_once.cache_clear()
    monkeypatch.setattr(contents, "sha256", counted)
    return taken


@pytest.fixture
def pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, summed: list[Path]) -> Path:
    """antelopev2's folder, in a catalogue that has the sizes and sums of three tiny networks."""
    known: dict[str, ModelFile] = recogniser_files.recogniser_files()
    for name, seed in PUBLISHED.items():
        write_recogniser(tmp_path / "published" / f"{name}.onnx", seed=seed)
        path = tmp_path / "published" / f"{name}.onnx"
        known[name] = replace(known[name], size=path.stat().st_size, sha256=sha256(path))
    assert known["arc2face"].size == known["auraface"].size, "as the real ones: only the sum tells"
    monkeypatch.setattr(recogniser_files, "recogniser_files", lambda: known)
    return write_antelopev2(tmp_path / "insightface")


@pytest.fixture
def models(tmp_path: Path, pack: Path) -> FaceModels:
    return FaceModels.open("antelopev2", "CPU", [tmp_path / "insightface"])


def test_the_published_files_are_taken_without_a_word(
    models: FaceModels, pack: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert models.recognisers == ["glintr100", "arc2face"]
    for name in models.recognisers:
        assert models.recogniser(name)(CROP).shape == (1, 512)
    assert not caplog.records


def test_auraface_under_antelopev2s_name_is_a_recogniser_of_its_own(
    models: FaceModels, pack: Path, photos: dict[str, np.ndarray]
) -> None:
    write_recogniser(pack / "glintr100.onnx", seed=PUBLISHED["auraface"])
    assert models.recognisers == ["auraface", "arc2face"]
    with pytest.raises(ValueError) as caught:
        models.recogniser("glintr100")
    said = str(caught.value)
    assert said.startswith("The face pack antelopev2 has no recogniser glintr100 (")
    assert f"{pack / 'glintr100.onnx'} is auraface (AuraFace-v1's glintr100.onnx), another network)" in said
    assert "it has: auraface, arc2face." in said
    faces = detect(models, image(photos["astronaut"]))
    identity = identify(models, faces, "auraface", "mean")
    assert identity.recogniser == "auraface"
    write_recogniser(pack / "alone" / "x.onnx", seed=PUBLISHED["auraface"])
    own = models_module.open_recogniser("auraface", pack / "alone" / "x.onnx", "CPUExecutionProvider")
    assert torch.equal(models.recogniser("auraface")(CROP), own(CROP))


def test_a_right_copy_elsewhere_is_found_behind_a_wrong_one(models: FaceModels, pack: Path) -> None:
    """pack is the second place that is searched."""
    write_recogniser(pack.parent / "glintr100.onnx", seed=PUBLISHED["auraface"])
    assert models.recognisers == ["auraface", "glintr100", "arc2face"]
    glintr100, auraface = (models.recogniser(name)(CROP) for name in ("glintr100", "auraface"))
    assert not torch.allclose(glintr100, auraface)
    write_recogniser(pack.parent / "glintr100.onnx", seed=PUBLISHED["glintr100"])
    assert torch.equal(models.recogniser("glintr100")(CROP), glintr100)


def test_swapped_names_are_put_right(models: FaceModels, pack: Path) -> None:
    right = [models.recogniser(name)(CROP) for name in ("glintr100", "arc2face")]
    write_recogniser(pack / "glintr100.onnx", seed=PUBLISHED["arc2face"])
    write_recogniser(pack / "arcface.onnx", seed=PUBLISHED["glintr100"])
    assert all(
        torch.equal(models.recogniser(name)(CROP), vectors)
        for name, vectors in zip(("glintr100", "arc2face"), right, strict=True)
    )


def test_a_stranger_keeps_its_name_and_is_told_once(
    models: FaceModels, pack: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_recogniser(pack / "glintr100.onnx", seed=STRANGER)
    write_recogniser(pack / "arcface.onnx", seed=STRANGER, batch=1)  # of another size, too
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert models.recogniser("glintr100")(CROP).shape == (1, 512)
            models.recogniser("arc2face")
    said = [record.getMessage() for record in caplog.records]
    size = (pack / "glintr100.onnx").stat().st_size
    assert said[0] == (
        f"{pack / 'glintr100.onnx'} ({size} bytes) is not the published file of the recogniser glintr100: it "
        "is taken for it by its name. python install.py --check compares sizes and sums."
    )
    assert len(said) == 2 and "arcface.onnx" in said[1]


def test_a_sum_is_taken_once_and_again_when_the_file_changes(
    models: FaceModels, pack: Path, summed: list[Path]
) -> None:
    for _ in range(3):
        models.recogniser("glintr100")
    assert summed == [pack / "glintr100.onnx"], "nothing else is read for it"
    write_recogniser(pack / "glintr100.onnx", seed=PUBLISHED["auraface"])
    os.utime(pack / "glintr100.onnx", ns=(5, 5))
    assert models.recognisers[0] == "auraface"
    assert summed.count(pack / "glintr100.onnx") == 2


def test_another_size_takes_no_sum(models: FaceModels, pack: Path, summed: list[Path]) -> None:
    write_recogniser(pack / "glintr100.onnx", seed=STRANGER, batch=1)
    models.recogniser("glintr100")
    assert summed == []


def test_the_pack_auraface_needs_nothing_of_antelopev2(
    tmp_path: Path, pack: Path, photos: dict[str, np.ndarray]
) -> None:
    """Its detector comes with the pack; its file lies in a folder of its own."""
    free = FaceModels.open("auraface", "CPU", [tmp_path / "free"])
    assert free.recognisers == ["auraface", "sface"]
    with pytest.raises(MissingModel, match=r"glintr100\.onnx is missing.*--models auraface"):
        free.recogniser("auraface")
    place = tmp_path / "free" / "models" / "auraface" / "glintr100.onnx"
    write_recogniser(place, seed=PUBLISHED["auraface"])
    faces = detect(free, image(photos["astronaut"]))
    assert identify(free, faces, "auraface", "mean").embeddings.shape == (1, 512)
    write_recogniser(place, seed=PUBLISHED["glintr100"])
    with pytest.raises(ValueError, match=r"auraface has no recogniser auraface .* is glintr100 "):
        free.recogniser("auraface")


def test_a_packs_fingerprint_is_that_of_its_files(tmp_path: Path, pack: Path) -> None:
    folders = [tmp_path / "insightface"]
    before = fingerprint("antelopev2", folders)
    assert fingerprint("antelopev2", folders) == before
    (pack / "zzz.onnx").write_bytes(b"a stranger's file")
    assert fingerprint("antelopev2", folders) == before
    os.utime(pack / "arcface.onnx", ns=(5, 5))
    changed = fingerprint("antelopev2", folders)
    (pack / "scrfd_10g_bnkps.onnx").unlink()
    assert len({before, changed, fingerprint("antelopev2", folders)}) == 3
    assert fingerprint("no such pack", folders) == fingerprint(None) == ""
