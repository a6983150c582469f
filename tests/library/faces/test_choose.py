"""Putting faces in order and picking places."""

from __future__ import annotations

import pytest
import torch

from likeness.faces.choose import select
from likeness.values import Face, Faces


def face(x: float, y: float, side: float, score: float) -> Face:
    return Face(torch.tensor([x, y, x + side, y + side]), torch.zeros(5, 2), score)


A, B, C, D = face(50, 0, 10, 0.9), face(10, 30, 30, 0.8), face(90, 60, 20, 0.7), face(30, 20, 5, 0.95)
FACES = Faces(torch.zeros(1, 100, 120, 3), ((A, B, C, D),))


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("largest", [B, C, A, D]),
        ("highest score", [D, A, B, C]),
        ("left to right", [B, D, A, C]),
        ("right to left", [C, A, D, B]),
        ("top to bottom", [A, D, B, C]),
        ("index list", [A, B, C, D]),
    ],
)
def test_orders(by: str, expected: list[Face]) -> None:
    assert list(select(FACES, by, "all").faces[0]) == expected
    assert list(select(FACES, by, "").faces[0]) == expected
    assert list(select(FACES, by, "0").faces[0]) == expected[:1]


def test_of_equally_large_faces_the_later_one_counts_as_larger() -> None:
    first, second = face(0, 0, 10, 0.9), face(40, 0, 10, 0.8)
    tied = Faces(torch.zeros(1, 100, 120, 3), ((first, second),))
    assert select(tied, "largest", "0").faces[0] == (second,)


@pytest.mark.parametrize(
    ("indices", "expected"),
    [
        ("0,2", [A, C]),
        (" 2 , 0 ", [C, A]),
        ("1-3", [B, C, D]),
        ("-1", [D]),
        ("-2--1", [C, D]),
        ("1--1", [B, C, D]),
        ("0,0,0", [A]),
        ("3,1-2", [D, B, C]),
        ("7", []),
        ("2-99999999999", [C, D]),
        ("-9", []),
        ("ALL", [A, B, C, D]),
    ],
)
def test_places(indices: str, expected: list[Face]) -> None:
    assert list(select(FACES, "index list", indices).faces[0]) == expected


def test_places_count_in_each_picture() -> None:
    two = Faces(torch.zeros(3, 100, 120, 3), ((A, B), (), (C,)), (0, 3, 4))
    picked = select(two, "index list", "1")
    assert picked.faces == ((B,), (), ())
    assert picked.indices == (0, 3, 4)
    assert two.faces == ((A, B), (), (C,))


@pytest.mark.parametrize(
    ("indices", "part"),
    [
        ("0,x", "'x'"),
        ("1.5", "'1.5'"),
        ("0,,1", "''"),
        ("3-1", "backwards; write 1-3"),
        ("1 2", "'1 2'"),
        ("9" * 5000, "indices: '9"),
    ],
)
def test_text_that_names_no_place_is_refused_by_part(indices: str, part: str) -> None:
    with pytest.raises(ValueError, match=part):
        select(FACES, "largest", indices)


def test_an_unknown_order_is_refused() -> None:
    with pytest.raises(ValueError, match="most beautiful"):
        select(FACES, "most beautiful", "0")
