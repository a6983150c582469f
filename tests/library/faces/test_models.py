"""Face model files: found by name, told apart, explained when they are wrong, opened once."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from support.tiny_faces import EMBEDDED, embedded, image, write_antelopev2, write_recogniser

from likeness.choices.faces import default_pack
from likeness.faces import sessions
from likeness.faces.detect import detect
from likeness.faces.embed import identify
from likeness.faces.models import FaceModels
from likeness.weights.find import MissingModel

CROP = torch.randint(0, 256, (3, 112, 112, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(3))


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    return write_antelopev2(tmp_path)


@pytest.fixture
def models(tmp_path: Path, pack: Path) -> FaceModels:
    return FaceModels.open("antelopev2", "CPU", [tmp_path])


def test_a_nested_pack_with_strangers_in_it_works(models: FaceModels, photos: dict[str, np.ndarray]) -> None:
    faces = detect(models, image(photos["astronaut"]))
    identity = identify(models, faces, "glintr100", "mean")
    assert identity.recogniser == "glintr100"
    assert identity.embeddings.shape == (1, 512)


def test_both_recognisers_are_told_apart_by_name(models: FaceModels) -> None:
    glintr100, arc2face = (models.recogniser(name)(CROP) for name in ("glintr100", "arc2face"))
    # What the two files compute, from their own matrices: RGB, (x - 127.5) / 127.5, mean of 16 x 16 blocks.
    pixels = (CROP.permute(0, 3, 1, 2).to(torch.float64) - 127.5) / 127.5
    grid = torch.nn.functional.avg_pool2d(pixels, 16).flatten(1)
    for vectors, seed in ((glintr100, 1), (arc2face, 2)):
        matrix = np.random.default_rng(seed).standard_normal((147, 512)).astype(np.float32)
        expected = grid @ torch.from_numpy(matrix).to(torch.float64)
        assert torch.allclose(vectors.to(torch.float64), expected, atol=1e-3)


def test_a_file_with_a_fixed_batch_of_one_gives_the_same(tmp_path: Path, pack: Path) -> None:
    together = FaceModels.open("antelopev2", "CPU", [tmp_path]).recogniser("glintr100")(CROP)
    write_recogniser(pack / "glintr100.onnx", seed=1, batch=1)
    one_by_one = FaceModels.open("antelopev2", "CPU", [tmp_path]).recogniser("glintr100")
    assert one_by_one.batch == 1
    assert torch.allclose(one_by_one(CROP), together, atol=1e-4)


def test_a_missing_recogniser_is_explained_and_the_other_still_works(models: FaceModels, pack: Path) -> None:
    (pack / "glintr100.onnx").unlink()
    assert models.recogniser("arc2face")(CROP).shape == (3, 512)
    with pytest.raises(MissingModel) as caught:
        models.recogniser("glintr100")
    message = str(caught.value)
    assert "glintr100.onnx is missing" in message
    assert str(pack) in message
    assert "python install.py --models instantid" in message


def test_a_missing_detector_is_explained_when_the_pack_is_opened(tmp_path: Path) -> None:
    with pytest.raises(MissingModel, match=r"scrfd_10g_bnkps\.onnx is missing"):
        FaceModels.open("antelopev2", "CPU", [tmp_path])


def test_a_recogniser_of_another_pack_is_refused_with_what_there_is(models: FaceModels) -> None:
    with pytest.raises(ValueError, match="antelopev2 has no recogniser sface; it has: glintr100, arc2face"):
        models.recogniser("sface")
    with pytest.raises(ValueError, match="embedded has no recogniser glintr100; it has: sface"):
        embedded().recogniser("glintr100")


@pytest.mark.parametrize("size", [0, 20, 100_000])
@pytest.mark.parametrize(
    ("name", "use"),
    [("glintr100", lambda m: m.recogniser("glintr100")), ("scrfd_10g_bnkps", lambda m: m.detector())],
)
def test_a_truncated_file_is_named(models: FaceModels, pack: Path, name: str, use: object, size: int) -> None:
    file = pack / f"{name}.onnx"
    file.write_bytes(file.read_bytes()[:size])
    with pytest.raises(sessions.BrokenModel, match="can't be read as an ONNX model") as caught:
        use(models)  # type: ignore[operator]
    assert str(file) in str(caught.value)
    assert f"({file.stat().st_size:,} bytes)" in str(caught.value)


def test_a_wrong_network_is_named(models: FaceModels, pack: Path) -> None:
    shutil.copy(EMBEDDED / "face_landmark.onnx", pack / "glintr100.onnx")
    write_recogniser(pack / "arcface.onnx", seed=1, width=128)
    shutil.copy(EMBEDDED / "face_landmark.onnx", pack / "scrfd_10g_bnkps.onnx")
    with pytest.raises(sessions.BrokenModel, match=r"glintr100\.onnx is no face recogniser"):
        models.recogniser("glintr100")
    with pytest.raises(sessions.BrokenModel, match=r"\['n', 128\].*\[n, 512\]"):
        models.recogniser("arc2face")
    with pytest.raises(sessions.BrokenModel, match="is no SCRFD detector with five points: it has 2 outputs"):
        models.detector()


def test_a_network_of_another_picture_size_or_batch_is_refused(models: FaceModels, pack: Path) -> None:
    write_recogniser(pack / "glintr100.onnx", seed=1, size=224)
    with pytest.raises(sessions.BrokenModel, match=r"224, 224"):
        models.recogniser("glintr100")
    write_recogniser(pack / "arcface.onnx", seed=1, batch=4)
    with pytest.raises(sessions.BrokenModel, match="exactly 4 faces at a time"):
        models.recogniser("arc2face")


def test_a_session_is_made_once_and_again_when_the_file_changes(models: FaceModels, pack: Path) -> None:
    first = models.recogniser("glintr100")
    again = FaceModels.open("antelopev2", "CPU", models.folders).recogniser("glintr100")
    assert again is first
    before = first(CROP)
    write_recogniser(pack / "glintr100.onnx", seed=5)
    os.utime(pack / "glintr100.onnx", ns=(1, 1))
    changed = models.recogniser("glintr100")
    assert changed is not first
    assert not torch.allclose(changed(CROP), before)


def test_threads_share_one_session(tmp_path: Path) -> None:
    write_recogniser(tmp_path / "x.onnx", seed=1)
    made: list[Path] = []

    def make(path: Path, provider: str) -> object:
        made.append(path)
        return sessions.open_session(path, provider)

    got: list[object] = []
    threads = [
        threading.Thread(
            target=lambda: got.append(sessions.once("x", tmp_path / "x.onnx", "CPUExecutionProvider", make))
        )
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert len({id(session) for session in got}) == 1


def test_capitals_of_a_provider_do_not_matter() -> None:
    assert sessions.resolve_provider("cpu") == sessions.resolve_provider("CPU") == "CPUExecutionProvider"
    with pytest.raises(ValueError, match=r"Unknown provider 'TPU'\. There are: auto, CPU, CUDA"):
        sessions.resolve_provider("TPU")


def test_a_provider_that_is_not_there_falls_back_with_one_line(caplog: pytest.LogCaptureFixture) -> None:
    sessions._say_once.cache_clear()
    first, second = (sessions.resolve_provider("DirectML") for _ in range(2))
    assert first == second == "CPUExecutionProvider"
    assert [record.getMessage() for record in caplog.records] == [
        "This onnxruntime has no DirectML provider: face models run on the CPU."
    ]


def test_unknown_names_are_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"buffalo.*embedded, antelopev2"):
        FaceModels.open("buffalo")
    with pytest.raises(ValueError, match=r"TPU.*auto, CPU"):
        FaceModels.open("embedded", "TPU", [])


def test_the_default_pack_is_what_the_files_allow(tmp_path: Path) -> None:
    assert default_pack([tmp_path]) == "embedded"
    write_antelopev2(tmp_path)
    assert default_pack([tmp_path]) == "antelopev2"


def test_the_value_prints_short() -> None:
    assert repr(embedded()) == "FaceModels(embedded, CPU)"
