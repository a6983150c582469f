"""How alike the faces of several pictures are to each other."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support.tiny_faces import embedded, fitted, image

from likeness.algebra.consistency import consistency, consistency_line
from likeness.algebra.score import score_faces
from likeness.algebra.score_sheet import write_table
from likeness.faces.detect import detect
from likeness.faces.embed import identify
from likeness.values import Face

VECTORS = torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 3.0]])


def face(vector: torch.Tensor) -> Face:
    box, keypoints = torch.tensor([0.0, 0.0, 10.0, 10.0]), torch.zeros(5, 2)
    return Face(box, keypoints, 1.0, embeddings={"sface": vector})


FACES = [face(vector) for vector in VECTORS]


def test_it_is_the_mean_of_all_pairs() -> None:
    half = 0.5**0.5
    assert consistency(FACES, "sface") == pytest.approx((0 + half + half) / 3)
    assert consistency([FACES[0], None, FACES[2]], "sface") == pytest.approx(half)


@pytest.mark.parametrize("order", [[2, 0, 1], [1, 2, 0]])
def test_the_order_of_pictures_does_not_matter(order: list[int]) -> None:
    assert consistency([FACES[n] for n in order], "sface") == pytest.approx(consistency(FACES, "sface"))


def test_one_person_drawn_the_same_is_wholly_consistent() -> None:
    assert consistency([FACES[1]] * 4, "sface") == pytest.approx(1.0)


@pytest.mark.parametrize("faces", [[], [FACES[0]], [None, FACES[0], None]])
def test_it_takes_two(faces: list[Face | None]) -> None:
    assert consistency(faces, "sface") is None
    assert "and it takes two" in consistency_line(faces, "sface")


def test_it_is_told_in_a_line() -> None:
    assert consistency_line([*FACES, None], "sface") == (
        "consistency 0.471 (mean cosine of all pairs of 3 pictures' faces)"
    )


def test_the_table_of_scored_pictures_has_it(photos: dict[str, np.ndarray]) -> None:
    """Of one man more than of two; of one picture nothing is said."""

    def told(*names: str) -> list[str]:
        scores = score_faces(embedded(), fitted(*(photos[name] for name in names)), him, if_no_face="skip")
        return [line for line in write_table(scores).splitlines() if line.startswith("consistency")]

    him = identify(embedded(), detect(embedded(), image(photos["obama"])), "sface", "mean")
    (one,), (two,) = told("obama", "obama2", "obama3", "coffee"), told("obama", "biden")
    assert one.endswith("(mean cosine of all pairs of 3 pictures' faces)")
    assert float(one.split()[1]) > 0.6 > 0.4 > float(two.split()[1])
    assert told("obama") == []
