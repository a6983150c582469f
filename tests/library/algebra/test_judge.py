"""Which recogniser judges pictures, and what it says of itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from support.tiny_faces import embedded, image, write_antelopev2

from likeness.algebra.judge import appoint
from likeness.faces.choose import select
from likeness.faces.detect import detect
from likeness.faces.embed import identify
from likeness.faces.models import FaceModels
from likeness.values import Identity

Photos = dict[str, np.ndarray]


def foreign(recogniser: str = "glintr100") -> Identity:
    """Somebody in the eyes of a network that the embedded pack does not have."""
    return Identity(torch.randn(1, 512, generator=torch.Generator().manual_seed(3)), recogniser)


@pytest.fixture(scope="module")
def obama(photos: Photos) -> Identity:
    return identify(embedded(), detect(embedded(), image(photos["obama"])), "sface", "mean")


def test_several_reference_photos_are_averaged_and_their_largest_faces_count(photos: Photos) -> None:
    height, width = photos["t1"].shape[:2]
    man, cup = photos["obama"][:height, :width], photos["coffee"][:height, :width]
    reference = torch.zeros(3, height, width, 3)
    for place, photo in enumerate((man, cup, photos["t1"])):
        reference[place, : photo.shape[0], : photo.shape[1]] = image(photo)[0]
    target = appoint(embedded(), foreign(), reference).target
    faces = detect(embedded(), reference)
    assert [len(found) for found in faces.faces] == [1, 0, 6]
    wanted = identify(embedded(), select(faces, "largest", "0"), "sface", "mean")
    assert torch.equal(target.embeddings, wanted.embeddings)


def test_a_fallback_to_the_identitys_own_is_told(
    photos: Photos, obama: Identity, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    photo = image(photos["obama"])
    pack = write_antelopev2(tmp_path)
    two = FaceModels.open("antelopev2", "CPU", [tmp_path])
    assert two.recognisers == ["glintr100", "arc2face"]
    assert appoint(two, foreign("glintr100"), photo).recogniser == "arc2face"
    assert appoint(two, foreign("arc2face"), photo).recogniser == "glintr100"
    assert not [record for record in caplog.records if record.name.endswith("judge")]
    cases = [
        (embedded(), obama, None, "because the face pack embedded has no other."),
        (embedded(), obama, photo, "because the face pack embedded has no other."),
        (two, foreign(), None, "because no photo of the person is connected to reference."),
    ]
    for models, identity, reference, why in cases:
        judge = appoint(models, identity, reference)
        assert judge.recogniser == identity.recogniser and judge.target is identity
        assert f"{why} If the pictures were made with this identity, their scores flatter." in judge.says
        assert judge.says in caplog.records[-1].getMessage()
    (pack / "arcface.onnx").unlink()
    judge = appoint(two, foreign("glintr100"), photo)
    assert "because arc2face, the other of the face pack antelopev2, is missing." in judge.says


def test_a_chosen_recogniser_judges_or_says_why_not(photos: Photos, obama: Identity, tmp_path: Path) -> None:
    write_antelopev2(tmp_path)
    two, photo = FaceModels.open("antelopev2", "CPU", [tmp_path]), image(photos["obama"])
    assert "because it was chosen in recogniser" in appoint(embedded(), obama, photo, "sface").says
    assert appoint(two, foreign(), photo, "arc2face").recogniser == "arc2face"
    with pytest.raises(
        ValueError, match="recogniser is sface, but the face pack antelopev2 has: glintr100, arc"
    ):
        appoint(two, foreign(), photo, "sface")
    with pytest.raises(ValueError, match=r"arc2face can't judge by an identity of glintr100.*to reference\."):
        appoint(two, foreign(), None, "arc2face")


def test_what_to_connect_is_said(photos: Photos, tmp_path: Path) -> None:
    with pytest.raises(
        ValueError,
        match=r"made by glintr100 \(.*the face pack embedded does not have; it has sface\. Connect a photo "
        r"of the person to reference, so that sface can judge, or choose a pack with glintr100",
    ):
        appoint(embedded(), foreign())
    with pytest.raises(ValueError, match="reference shows no face"):
        appoint(embedded(), foreign(), image(photos["coffee"]))
    broken = torch.full((1, 64, 64, 3), float("nan"))
    with pytest.raises(ValueError, match="input reference holds NaN"):
        appoint(embedded(), foreign(), broken)
    pack = write_antelopev2(tmp_path)
    models = FaceModels.open("antelopev2", "CPU", [tmp_path])
    for name in ("glintr100.onnx", "arcface.onnx"):
        (pack / name).unlink()
    with pytest.raises(FileNotFoundError, match=r"glintr100\.onnx is missing"):
        appoint(models, foreign("sface"), image(photos["obama"]))
