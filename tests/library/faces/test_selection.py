"""Choosing faces by who they show and by a mask, on real photos."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from support.counting import count_runs
from support.tiny_faces import embedded, image, write_antelopev2

from likeness.faces.choose import BY, ORDERS
from likeness.faces.detect import detect
from likeness.faces.embed import embed, identify
from likeness.faces.models import FaceModels
from likeness.faces.selection import MIN_SIMILARITY, Wanted, select_faces
from likeness.values import Face, Faces, Identity

Photos = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def six(photos: Photos) -> Faces:
    """The six faces of the still, with their vectors of sface."""
    models = embedded()
    return embed(models, detect(models, image(photos["t1"])), "sface")


def portrait(photos: Photos, six: Faces, place: int) -> Identity:
    """Who somebody of the still is, from a crop of it at another size."""
    x1, y1, x2, y2 = (round(v) for v in six.faces[0][place].box.tolist())
    crop = photos["t1"][max(0, y1 - 60) : y2 + 60, max(0, x1 - 60) : x2 + 60]
    larger = torch.nn.functional.interpolate(image(crop).movedim(-1, 1), scale_factor=1.5, mode="bilinear")
    models = embedded()
    found = detect(models, larger.movedim(1, -1), max_faces=1)
    assert found.count == 1
    return identify(models, found, "sface", "mean")


def bare(faces: Faces) -> Faces:
    """The same faces without vectors."""
    return faces.with_faces([[Face(f.box, f.keypoints, f.score) for f in found] for found in faces.faces])


@pytest.mark.parametrize("place", [0, 1, 4])
def test_the_person_of_a_crop_is_found_among_six_with_a_margin(
    photos: Photos, six: Faces, place: int
) -> None:
    selection = select_faces(six, "most similar", "0", Wanted(portrait(photos, six, place)))
    assert selection.faces.faces == ((six.faces[0][place],),)
    told = re.fullmatch(
        rf"picture 0 \(6 faces\): face {place}, similarity (0\.\d+), margin (0\.\d+) to face (\d)",
        selection.report,
    )
    assert told
    assert float(told[1]) > 0.5
    assert float(told[2]) > 0.2
    assert int(told[3]) != place


def test_the_margin_is_the_distance_to_the_runner_up(photos: Photos, six: Faces) -> None:
    unit = torch.nn.functional.normalize(torch.stack([f.embeddings["sface"] for f in six.faces[0]]), dim=1)
    who = Identity(six.faces[0][2].embeddings["sface"][None] * 7, "sface")
    ranked, places = (unit @ unit[2]).sort(descending=True)
    told = select_faces(six, "most similar", "0", Wanted(who)).report
    margin = float(ranked[0] - ranked[1])
    similarity = f"similarity {float(ranked[0]):.3f}, margin {margin:.3f} to face {places[1]}"
    assert told == f"picture 0 (6 faces): face 2, {similarity}"
    everybody = select_faces(six, "most similar", "all", Wanted(who, min_similarity=-1))
    assert [
        f.embeddings["sface"] is six.faces[0][p].embeddings["sface"]
        for f, p in zip(everybody.faces.faces[0], places.tolist(), strict=True)
    ] == [True] * 6
    assert everybody.report.count("no other face") == 6


def test_a_stranger_is_not_found_and_the_sentence_says_how_far(photos: Photos, six: Faces) -> None:
    models = embedded()
    stranger = identify(models, detect(models, image(photos["astronaut"])), "sface", "mean")
    selection = select_faces(six, "most similar", "0", Wanted(stranger))
    assert selection.faces.faces == ((),)
    best = re.search(
        r"none: the most similar one there, face \d, reaches (-?0\.\d+) of 0\.4$", selection.report
    )
    assert best
    assert float(best[1]) < MIN_SIMILARITY
    assert selection.advice.startswith("The most similar one there, face ")
    assert selection.advice.endswith(": lower min_similarity, or set if_no_face to skip.")
    assert select_faces(six, "most similar", "0", Wanted(stranger, min_similarity=-1)).faces.count == 1


@pytest.mark.parametrize("by", ORDERS)
def test_a_reference_counts_in_every_order(six: Faces, by: str) -> None:
    who = Identity(six.faces[0][3].embeddings["sface"][None], "sface")
    assert select_faces(six, by, "all", Wanted(who, min_similarity=0.6)).faces.faces == ((six.faces[0][3],),)


@pytest.mark.parametrize("by", ORDERS)
def test_without_reference_and_mask_it_is_the_plain_order(six: Faces, by: str) -> None:
    selection = select_faces(six, by, "1")
    assert selection.faces.faces[0] == (ORDERS[by](six.faces[0])[1],)
    assert re.fullmatch(r"picture 0 \(6 faces\): face \d", selection.report)


def test_an_identity_of_several_faces_counts_with_its_mean(photos: Photos, six: Faces) -> None:
    vectors = torch.stack([six.faces[0][place].embeddings["sface"] for place in (0, 1)])
    leaning = Identity(vectors, "sface", weights=torch.tensor([0.1, 0.9]))
    assert select_faces(six, "most similar", "0", Wanted(leaning)).faces.faces[0] == (six.faces[0][1],)
    nobody = Identity(torch.stack([vectors[0], -vectors[0]]), "sface")
    with pytest.raises(ValueError, match="reference: its embeddings cancel each other out"):
        select_faces(six, "most similar", "0", Wanted(nobody))


def test_faces_without_vectors_need_face_models(six: Faces) -> None:
    who = Identity(six.faces[0][0].embeddings["sface"][None], "sface")
    with pytest.raises(
        ValueError, match=r"sface \(the embedded SFace\), but 6 of the faces .*connect face_models"
    ):
        select_faces(bare(six), "most similar", "0", Wanted(who))
    foreign = Identity(torch.ones(1, 512), "glintr100")
    with pytest.raises(ValueError, match="embedded has no recogniser glintr100"):
        select_faces(six, "most similar", "0", Wanted(foreign, embedded()))
    short = Identity(torch.ones(1, 128), "sface")
    with pytest.raises(ValueError, match="reference has 128 numbers, but a face's sface vector has 512"):
        select_faces(six, "most similar", "0", Wanted(short))


def test_what_is_missing_for_an_order_is_named(six: Faces) -> None:
    with pytest.raises(ValueError, match="most similar, but reference is not connected"):
        select_faces(six, "most similar")
    with pytest.raises(ValueError, match="largest mask overlap, but mask is not connected"):
        select_faces(six, "largest mask overlap")
    with pytest.raises(ValueError, match=r"most beautiful.*index list, most similar, largest mask overlap"):
        select_faces(six, "most beautiful")
    assert BY[: len(ORDERS)] == tuple(ORDERS)


def test_people_are_followed_by_a_recogniser_whose_file_is_there(
    photos: Photos, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pack = write_antelopev2(tmp_path)
    models = FaceModels.open("antelopev2", "CPU", [tmp_path])
    faces = sixteen(photos).with_faces([*sixteen(photos).faces[:2], *[()] * 14])
    (pack / "glintr100.onnx").unlink()
    followed = select_faces(faces, wanted=Wanted(models=models), track=True).faces
    assert [list(face.embeddings) for found in followed.faces for face in found] == [["arc2face"]] * 2
    (pack / "arcface.onnx").unlink()
    with pytest.raises(FileNotFoundError, match=r"glintr100\.onnx is missing"):
        select_faces(faces, wanted=Wanted(models=models), track=True)


# Embeddings are computed once.


def sixteen(photos: Photos) -> Faces:
    """The astronaut in sixteen pictures, a little further to the left in each, with moved points."""
    face = detect(embedded(), image(photos["astronaut"])).faces[0][0]
    pictures = np.stack([np.roll(photos["astronaut"], -2 * step, axis=1) for step in range(16)])
    faces = []
    for step in range(16):
        shift = torch.tensor([-2.0 * step, 0.0])
        faces.append((Face(face.box + shift.repeat(2), face.keypoints + shift, face.score),))
    return Faces(image(*pictures), tuple(faces))


@pytest.mark.parametrize(("pack", "recogniser", "runs"), [
    ("antelopev2", "glintr100", [16]),  # its file takes any number of faces
    ("embedded", "sface", [1] * 16),  # SFace's takes one
])  # fmt: skip
def test_a_batch_of_sixteen_is_described_once(
    photos: Photos,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    pack: str,
    recogniser: str,
    runs: list[int],
) -> None:
    write_antelopev2(tmp_path)
    models = embedded() if pack == "embedded" else FaceModels.open(pack, "CPU", [tmp_path])
    faces = sixteen(photos)
    who = identify(models, faces.with_faces([faces.faces[0], *[()] * 15]), recogniser, "mean")
    counted = count_runs(models.recogniser(recogniser), monkeypatch)
    selection = select_faces(faces, "most similar", "0", Wanted(who, models))
    assert selection.faces.count == 16
    assert counted == runs
    assert all(recogniser in face.embeddings for found in selection.faces.faces for face in found)
    again = select_faces(selection.faces, "largest", "0", Wanted(who, models), track=True)
    identify(models, again.faces, recogniser, "mean")
    select_faces(selection.faces, "most similar", "0", Wanted(who))
    assert counted == runs
    assert not any(face.embeddings for found in faces.faces for face in found)


def test_faces_outside_the_mask_are_not_described(
    photos: Photos, six: Faces, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = embedded()
    counted = count_runs(models.recogniser("sface"), monkeypatch)
    who = Identity(six.faces[0][1].embeddings["sface"][None], "sface")
    wanted = Wanted(who, models, box_mask(six, 1))
    assert select_faces(bare(six), "most similar", "0", wanted).faces.count == 1
    assert counted == [1]


# Masks.


def box_mask(faces: Faces, *places: int, part: float = 1.0) -> torch.Tensor:
    """A mask [1, H, W] over the upper part of the boxes of some faces of the first picture."""
    width, height = faces.size
    mask = torch.zeros(1, height, width)
    for place in places:
        x1, y1, x2, y2 = faces.faces[0][place].box.tolist()
        mask[0, round(y1) : round(y1 + part * (y2 - y1)), round(x1) : round(x2)] = 1
    return mask


@pytest.mark.parametrize("by", [*ORDERS, "largest mask overlap"])
def test_a_mask_counts_in_every_order(six: Faces, by: str) -> None:
    mask = box_mask(six, 2)
    before = mask.clone()
    selection = select_faces(six, by, "all", Wanted(mask=mask))
    assert selection.faces.faces == ((six.faces[0][2],),)
    assert selection.report == "picture 0 (6 faces): face 2, 100% in the mask"
    assert torch.equal(mask, before)


def test_half_of_a_face_or_its_middle_is_enough(six: Faces) -> None:
    assert select_faces(six, "index list", "all", Wanted(mask=box_mask(six, 2, part=0.6))).faces.count == 1
    corner = box_mask(six, 2, part=0.4)
    selection = select_faces(six, "index list", "all", Wanted(mask=corner))
    assert selection.faces.count == 0
    assert selection.advice.startswith(
        "No face there lies in the mask: cover the middle of one, or half of it"
    )
    x1, y1, x2, y2 = six.faces[0][2].box.tolist()
    dab = torch.zeros_like(corner)
    dab[
        0, int((y1 + y2) / 2) - 3 : int((y1 + y2) / 2) + 3, int((x1 + x2) / 2) - 3 : int((x1 + x2) / 2) + 3
    ] = 1
    assert select_faces(six, "index list", "all", Wanted(mask=dab)).faces.faces[0] == (six.faces[0][2],)


def test_the_largest_overlap_is_the_most_pixels() -> None:
    small, large = (
        Face(torch.tensor(box), torch.zeros(5, 2)) for box in ([0.0, 0, 20, 20], [30.0, 0, 80, 50])
    )
    faces = Faces(torch.zeros(1, 60, 100, 3), ((small, large),))
    mask = torch.zeros(60, 100)
    mask[:20, :20] = 1
    mask[:30, 30:80] = 1  # 60 % of the large one
    order = select_faces(faces, "largest mask overlap", "all", Wanted(mask=mask))
    assert order.faces.faces[0] == (large, small)
    assert order.report == "picture 0 (2 faces): face 1, 60% in the mask; face 0, 100% in the mask"


def test_masks_belong_to_pictures() -> None:
    def at(x: float) -> Face:
        return Face(torch.tensor([x, 0, x + 10, 10]), torch.zeros(5, 2))

    left, right = at(0), at(20)
    masks = torch.zeros(3, 10, 40)
    masks[0, :, 15:] = 1
    masks[2, :, :15] = 1
    three = Faces(torch.zeros(3, 10, 40, 3), ((left, right),) * 3)
    each = select_faces(three, "index list", "all", Wanted(mask=masks))
    assert each.faces.faces == ((right,), (), (left,))
    skipped = Faces(torch.zeros(2, 10, 40, 3), ((left, right),) * 2, (0, 2))
    assert select_faces(skipped, "index list", "all", Wanted(mask=masks)).faces.faces == ((right,), (left,))
    own = select_faces(skipped, "index list", "all", Wanted(mask=masks[[2, 0]]))
    assert own.faces.faces == ((left,), (right,))


@pytest.mark.parametrize(
    ("mask", "says"),
    [
        (
            torch.zeros(1, 64, 64),
            r"mask is \[1, 64, 64\], .*40 wide and 10 high.*Load Image gives an empty mask",
        ),
        (torch.zeros(1, 1, 10, 40), r"mask is \[1, 1, 10, 40\]"),
        (torch.zeros(2, 10, 40), "2 masks for 3 pictures"),
        (torch.full((10, 40), float("nan")), "NaN or infinity"),
    ],
)
def test_a_mask_that_does_not_fit_is_refused(mask: torch.Tensor, says: str) -> None:
    face = Face(torch.tensor([0.0, 0, 5, 5]), torch.zeros(5, 2))
    with pytest.raises(ValueError, match=says):
        select_faces(Faces(torch.zeros(3, 10, 40, 3), ((face,),) * 3), wanted=Wanted(mask=mask))


def test_an_empty_batch_and_a_picture_without_faces_are_told() -> None:
    none = Faces(torch.zeros(0, 10, 40, 3), ())
    assert select_faces(none, wanted=Wanted(mask=torch.ones(1, 10, 40)), track=True).faces.count == 0
    empty = select_faces(Faces(torch.zeros(1, 10, 40, 3), ((),), (4,)))
    assert empty.report == "picture 4 (0 faces): none: there is no face to choose from"
    assert empty.advice == "There is no face to choose from: look at Detect Faces, or set if_no_face to skip."
