"""What pictures score, which are kept and how that is shown: real photos, real networks."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from support.tiny_faces import embedded, fitted, image

from likeness.algebra.compare import compare_identities
from likeness.algebra.judge import OTHER
from likeness.algebra.score import NOBODY, Scores, score_faces
from likeness.algebra.score_sheet import draw_sheet, write_table
from likeness.faces.choose import select
from likeness.faces.detect import detect
from likeness.faces.embed import identify
from likeness.values import Faces, Identity

Photos = dict[str, np.ndarray]


def foreign(recogniser: str = "glintr100") -> Identity:
    """Somebody in the eyes of a network that the embedded pack does not have."""
    return Identity(torch.randn(1, 512, generator=torch.Generator().manual_seed(3)), recogniser)


@pytest.fixture(scope="module")
def obama(photos: Photos) -> Identity:
    return identify(embedded(), detect(embedded(), image(photos["obama"])), "sface", "mean")


@pytest.fixture(scope="module")
def batch(photos: Photos) -> torch.Tensor:
    """Somebody else, him, a cup of coffee, him again."""
    return fitted(*(photos[name] for name in ("biden", "obama2", "coffee", "obama3")))


@pytest.fixture(scope="module")
def scores(batch: torch.Tensor, obama: Identity) -> Scores:
    return score_faces(embedded(), batch, obama, keep=2, if_no_face="skip")


def test_the_person_scores_high_others_low_and_a_cup_not_at_all(scores: Scores) -> None:
    biden, first, cup, second = scores.similarities
    assert cup is None and scores.compared[2] is None
    assert biden is not None and first is not None and second is not None
    assert biden <= 0.4 and min(first, second) >= 0.6
    assert scores.kept == ((3, 1) if second > first else (1, 3))
    assert scores.similarity == max(first, second)


def test_scores_are_those_of_compare_identities(scores: Scores, batch: torch.Tensor, obama: Identity) -> None:
    alone = identify(embedded(), detect(embedded(), batch[1:2]), "sface", "mean")
    assert scores.similarities[1] == pytest.approx(compare_identities(obama, alone)[0], abs=1e-5)


def test_every_picture_is_in_the_table(scores: Scores) -> None:
    lines = write_table(scores).splitlines()
    title = next(n for n, line in enumerate(lines) if line.startswith("picture "))
    heads, rows = lines[: title + 1], lines[title + 1 :]
    best = scores.kept[0]
    assert heads[0] == f"similarity {scores.similarity:.3f} (cosine): picture {best}, the best of 4"
    assert heads[1].startswith("Judge: sface (the embedded SFace), the identity's own recogniser, because ")
    assert heads[1].endswith(" If the pictures were made with this identity, their scores flatter.")
    assert heads[2].endswith("By that: the same person.")
    assert heads[3].startswith("One stranger in: So many strangers are looked at") and "OpenCV" in heads[3]
    assert heads[-1].split() == ["picture", "similarity", "faces", "kept", "as", "one", "stranger", "in"]
    assert rows[2].split() == ["2", "no", "face", "0", "-", "-"]
    for place in (0, 1, 3):
        rank = str(scores.kept.index(place) + 1) if place in scores.kept else "-"
        cosine = scores.similarities[place]
        rare = "at least 125" if cosine is not None and cosine >= 0.363 else "unknown below 0.363"
        assert rows[place].split() == [str(place), f"{cosine:.3f}", "1", rank, *rare.split()]


def test_keeping_more_than_there_are_keeps_all_with_a_face(batch: torch.Tensor, obama: Identity) -> None:
    ranked = score_faces(embedded(), batch, obama, keep=99, if_no_face="skip").kept
    assert sorted(ranked) == [0, 1, 3] and ranked[-1] == 0
    assert score_faces(embedded(), batch, obama, keep=99, if_no_face="pass through").kept == (*ranked, 2)
    with pytest.raises(ValueError, match=r"No face in picture 2 \(counted from 0\)\. Use other pictures"):
        score_faces(embedded(), batch, obama)


def test_of_equals_the_earlier_is_kept(batch: torch.Tensor, obama: Identity) -> None:
    assert score_faces(embedded(), batch[[1, 0, 1, 1]], obama, keep=3).kept == (0, 2, 3)


def test_a_batch_without_any_face(batch: torch.Tensor, obama: Identity) -> None:
    skipped = score_faces(embedded(), batch[2:3], obama, if_no_face="skip")
    passed = score_faces(embedded(), batch[2:3], obama, if_no_face="pass through")
    assert (skipped.kept, passed.kept) == ((), (0,))
    assert skipped.similarity == passed.similarity == NOBODY == -1
    lines = write_table(skipped).splitlines()
    assert lines[0] == "similarity: no face in any of 1 pictures"
    assert "Rule of thumb" not in "".join(lines)
    assert draw_sheet(passed).shape == (1, 256 + 32, 256, 3)


def test_the_most_similar_of_many_faces_counts_or_the_largest(photos: Photos) -> None:
    group = image(photos["t1"])
    faces = detect(embedded(), group)
    six = identify(embedded(), faces, "sface", "none")
    largest = select(faces, "largest", "0").faces[0][0]
    other = next(n for n, face in enumerate(faces.faces[0]) if face is not largest)
    one = Identity(six.embeddings[other : other + 1], "sface")
    similar = score_faces(embedded(), group, one)
    assert similar.similarity == pytest.approx(1, abs=1e-4)
    assert similar.compared[0] is not None
    assert torch.equal(similar.compared[0].box, faces.faces[0][other].box)
    big = score_faces(embedded(), group, one, which="largest")
    assert big.compared[0] is not None
    assert torch.equal(big.compared[0].box, largest.box)
    assert big.similarity < 0.5
    assert write_table(big).splitlines()[-1].split()[2] == "6"  # the faces there are, not those compared


def test_another_recogniser_judges_when_it_sees_the_person(
    photos: Photos, batch: torch.Tensor, obama: Identity, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        judged = score_faces(embedded(), batch, foreign(), image(photos["obama"]), if_no_face="skip")
    assert not caplog.records
    assert judged.judge.recogniser == "sface"
    assert judged.judge.says == (
        "Judge: sface (the embedded SFace), another recogniser than the identity's, glintr100 (antelopev2's "
        "glintr100.onnx (InstantID)); it compares with the photos of reference."
    )
    own = score_faces(embedded(), batch, obama, if_no_face="skip")
    assert judged.similarities == pytest.approx(own.similarities)


def test_bad_settings_and_identities_are_explained(batch: torch.Tensor, obama: Identity) -> None:
    him = batch[1:2]
    with pytest.raises(ValueError, match="keep must be 1 or more, not 0"):
        score_faces(embedded(), him, obama, keep=0)
    with pytest.raises(ValueError, match="face must be one of most similar, largest, not 'first'"):
        score_faces(embedded(), him, obama, which="first")
    with pytest.raises(ValueError, match="if_no_face must be one of"):
        score_faces(embedded(), him, obama, if_no_face="ignore")
    with pytest.raises(ValueError, match="identity has 128 numbers, but a face's sface vector has 512"):
        score_faces(embedded(), him, Identity(torch.ones(1, 128), "sface"))
    nobody = Identity(torch.cat([obama.embeddings, -obama.embeddings]), "sface")
    with pytest.raises(ValueError, match="identity: its embeddings cancel each other out"):
        score_faces(embedded(), him, nobody)


def test_the_sheet_shows_each_score_as_heat(scores: Scores) -> None:
    sheet = draw_sheet(scores)
    assert sheet.shape == (1, 2 * (256 + 32), 2 * 256, 3)
    assert sheet.dtype == torch.float32 and float(sheet.min()) >= 0 and float(sheet.max()) <= 1
    for place, cosine in enumerate(scores.similarities):
        row, column = divmod(place, 2)
        corner = sheet[0, row * 288 + 256 + 5, column * 256 + 6]
        grey = torch.full((3,), 160 / 255)
        heat = grey if cosine is None else 1 + (torch.tensor([230, 97, 0]) / 255 - 1) * cosine
        assert torch.allclose(corner, heat, atol=1 / 255), place
        edge = sheet[0, row * 288 + 100, column * 256 + 1]
        framed = torch.allclose(edge, torch.tensor([0, 160, 60]) / 255)
        assert framed == (place in scores.kept)


def test_a_large_batch_makes_a_sheet_of_bounded_size(scores: Scores) -> None:
    nothing = (None,) * 100
    found = Faces(torch.zeros(1, 48, 64, 3).expand(100, -1, -1, -1), ((),) * 100)
    sheet = draw_sheet(Scores(scores.judge, found, nothing, nothing, ()))
    assert sheet.shape == (1, 10 * (204 + 25), 10 * 204, 3)


def test_inputs_stay_as_they_are(batch: torch.Tensor, obama: Identity) -> None:
    before = batch.clone(), obama.embeddings.clone()
    judged = score_faces(embedded(), batch, obama, recogniser=OTHER, if_no_face="skip")
    draw_sheet(judged).zero_()
    assert torch.equal(batch, before[0]) and torch.equal(obama.embeddings, before[1])
