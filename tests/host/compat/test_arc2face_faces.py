"""The faces that go into the stand-ins for ComfyUI-Arc2Face: its averages, its extractor, its photo grid."""

from __future__ import annotations

import math
import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import mean, median_low
from typing import Any

import pytest
import torch
from PIL import Image
from support.tiny_faces import image

from installer import tiny
from installer.paths import link_folder


@pytest.fixture(scope="module")
def compat(pack: Any) -> Any:
    return pack.module("likeness.methods.arc2face.compat")


@pytest.fixture(scope="module")
def models(pack: Any, comfyui: Path) -> Any:
    folders = [tiny.ensure_tiny(sys.executable, comfyui) / "models" / "insightface"]
    return pack.module("likeness.faces.models").FaceModels.open("antelopev2", "CPU", folders)


def run(pack: Any, node_id: str, **inputs: Any) -> tuple[Any, ...]:
    return tuple(pack.node(node_id).execute(**inputs).args)


def plain_average(vectors: list[list[float]], method: str) -> list[float]:
    """Column by column, in plain Python."""

    def trimmed(column: list[float]) -> float:
        low, high = int(0.15 * len(column)), int(0.85 * len(column))
        return mean(sorted(column)[low:high])

    def mode(column: list[float]) -> float:
        counts = Counter(round(value, 2) for value in column)
        return min(value for value, count in counts.items() if count == max(counts.values()))

    def of_mode(column: list[float]) -> float:
        return mean(value for value in column if round(value, 2) == mode(column))

    def three(column: list[float]) -> list[float]:
        return [mean(column), median_low(column), trimmed(column)]

    ways: dict[str, Callable[[list[float]], float]] = {
        "average": mean,
        "median": median_low,
        "trimmed_mean": trimmed,
        "ensemble_average": lambda column: mean(three(column)),
        "ensemble_median": lambda column: median_low(three(column)),
        "max_pooling": max,
        "min_pooling": min,
        "rounded_mode": mode,
        "rounded_mode_averaging": of_mode,
    }
    return [ways[method](list(column)) for column in zip(*vectors, strict=True)]


@pytest.mark.parametrize("count", [2, 7])
def test_averages_against_plain_python(compat: Any, count: int) -> None:
    vectors = torch.randn(count, 40, generator=torch.Generator().manual_seed(count)) * 0.02
    for method in compat.AVERAGES:
        found = compat.average(vectors, method)
        if method == "random_sampling":
            assert (vectors == found).any(dim=0).all()
            assert torch.equal(found, compat.average(vectors, method))
            continue
        wanted = torch.tensor(plain_average(vectors.tolist(), method))
        assert torch.allclose(found, wanted, atol=1e-6), method


def test_one_face_is_itself_by_every_method(compat: Any) -> None:
    vector = torch.randn(1, 512, generator=torch.Generator().manual_seed(1))
    for method in compat.AVERAGES:
        close = 0.0051 if method == "rounded_mode" else 1e-6
        assert torch.allclose(compat.average(vector, method), vector[0], atol=close), method


def test_outliers_are_those_furthest_from_the_mean(compat: Any) -> None:
    vectors = torch.ones(4, 512) + torch.arange(4)[:, None] * 0.01
    vectors[1] = -5.0
    assert torch.allclose(compat.average(vectors, "average", 1), vectors[[0, 2, 3]].mean(dim=0))
    assert torch.equal(compat.average(vectors, "average", 4), vectors.mean(dim=0))
    with pytest.raises(ValueError, match="average_method must be one of average, median"):
        compat.average(vectors, "mean")


def test_the_extractor_takes_every_face(pack: Any, compat: Any, models: Any, photos: Any) -> None:
    six = image(photos["t1"])
    faces = run(pack, "LikenessDetectFaces", face_models=models, image=six)[0]
    given = {"face_models": models, "faces": faces, "recogniser": "arc2face"}
    (wanted,) = run(pack, "LikenessEmbedFaces", **given, combine="mean")
    found = compat.extract(six, "average", 0, models)
    assert faces.count == 6
    assert torch.equal(found.embeddings, wanted.embeddings) and found.recogniser == "arc2face"
    with pytest.raises(ValueError, match="No face in images"):
        compat.extract(image(photos["chelsea"]), "average", 0, models)


def test_face_models_are_looked_for_in_the_old_packs_folder_too(
    pack: Any, base: Path, models: Any, photos: Any
) -> None:
    folder = base / "models" / "antelopev2"
    with pytest.raises(FileNotFoundError, match=r"scrfd_10g_bnkps\.onnx is missing"):
        run(pack, "LikenessCompatArc2FaceExtractor", images=image(photos["astronaut"]))
    shutil.copytree(Path(models.folders[0]) / "models" / "antelopev2" / "antelopev2", folder)
    try:
        (found,) = run(pack, "LikenessCompatArc2FaceExtractor", images=image(photos["astronaut"]))
    finally:
        shutil.rmtree(folder)
    assert found.recogniser == "arc2face" and found.embeddings.shape == (1, 512)


# A folder of photos


@pytest.fixture
def folder(base: Path) -> Any:
    place = base / "input" / "grid"
    place.mkdir()
    for name, size, value in (("b.png", (30, 10), 200), ("a.JPG", (128, 256), 100), ("c.png", (8, 8), 50)):
        Image.new("RGB", size, (value,) * 3).save(place / name)
    (place / "notes.txt").write_text("no photo")
    yield place
    shutil.rmtree(place)


def test_photos_stand_side_by_side_by_name(pack: Any, folder: Path) -> None:
    (grid,) = run(pack, "LikenessCompatArc2FaceGrid", directory="grid", max_images=16, max_size=64)
    assert grid.shape == (1, 128, 128, 3) and grid.dtype == torch.float32
    grey = (grid[0, ..., 0] * 255).round()
    assert (grey[:64, :32] == 100).all() and not grey[:64, 32:64].any()  # 128 x 256 became 32 x 64
    assert (grey[:10, 64:94] == 200).all() and (grey[64:72, :8] == 50).all()
    assert math.isclose(float(grey.sum()), 64 * 32 * 100 + 30 * 10 * 200 + 8 * 8 * 50)
    (two,) = run(pack, "LikenessCompatArc2FaceGrid", directory=str(folder), max_images=2, max_size=64)
    assert two.shape == (1, 64, 128, 3)


def test_a_macs_notes_are_no_photos_and_windows_slashes_lead_to_folders(pack: Any, folder: Path) -> None:
    (folder / "deep").mkdir()
    shutil.copy(folder / "b.png", folder / "deep" / "b.png")
    (folder / "deep" / "._b.png").write_bytes(b"\x00\x05\x16\x07 no picture")
    (grid,) = run(pack, "LikenessCompatArc2FaceGrid", directory="grid\\deep", max_size=64)
    assert grid.shape == (1, 64, 64, 3) and grid.any()


def test_a_changed_folder_is_read_again(pack: Any, folder: Path) -> None:
    node = pack.node("LikenessCompatArc2FaceGrid")
    before = node.fingerprint_inputs(directory="grid", max_images=1, max_size=64)
    assert node.fingerprint_inputs(directory="grid", max_images=1, max_size=64) == before
    (folder / "b.png").unlink()
    assert node.fingerprint_inputs(directory="grid", max_images=1, max_size=64) != before


def test_only_the_hosts_own_folders_are_read(pack: Any, base: Path, folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "b.png", tmp_path)
    link = folder / "link"
    link_folder(tmp_path, link)
    up = os.path.relpath(tmp_path, base / "input")
    node = pack.node("LikenessCompatArc2FaceGrid")
    for name in (str(tmp_path), up, "..", str(base / "models"), str(base / "nowhere"), "grid/link"):
        with pytest.raises(ValueError, match=r"is in neither ComfyUI's input nor its output folder") as error:
            run(pack, "LikenessCompatArc2FaceGrid", directory=name)
        assert f"Put the folder with the photos into {base / 'input'} and give its name" in str(error.value)
        assert node.fingerprint_inputs(directory=name) == "none"
    output = base / "output" / "drawn"
    shutil.copytree(tmp_path, output)
    try:
        for name in (str(output), "../output/drawn"):
            assert run(pack, "LikenessCompatArc2FaceGrid", directory=name, max_size=64)[0].any()
    finally:
        shutil.rmtree(output)


def test_no_folder_and_an_empty_one(pack: Any, folder: Path) -> None:
    for name in ("", "nowhere"):
        with pytest.raises(ValueError, match=rf"directory '{name}' is no folder"):
            run(pack, "LikenessCompatArc2FaceGrid", directory=name)
    (folder / "empty").mkdir()
    with pytest.raises(ValueError, match="holds no photo"):
        run(pack, "LikenessCompatArc2FaceGrid", directory="grid/empty")
