"""The two axes against numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from likeness.algebra.copy_paste import angle, axes_of, copy_paste
from likeness.values import Face, Identity


def at(degrees: float) -> torch.Tensor:
    return torch.tensor(
        [math.cos(math.radians(degrees)), math.sin(math.radians(degrees))], dtype=torch.float64
    )


def test_angles_do_not_ask_for_the_length_and_keep_their_digits() -> None:
    assert float(angle(at(0), 5 * at(90))) == pytest.approx(math.pi / 2)
    assert float(angle(at(0), -at(0))) == pytest.approx(math.pi)
    # An arccosine would give 0 here: the cosine differs from 1 by less than a rounding.
    assert float(angle(at(0), at(math.degrees(1e-9)))) == pytest.approx(1e-9, rel=1e-6)


@pytest.mark.parametrize(
    ("out", "truth", "reference", "expected"),
    [
        (90, 0, 90, 1.0),  # the reference again
        (0, 0, 90, -1.0),  # the truth
        (45, 0, 90, 0.0),
        (22.5, 0, 90, -0.5),  # (22.5 - 67.5) / 90
        (180, 0, 90, 1.0),  # (180 - 90) / 90
        (30, 0, 40, 0.5),  # (30 - 10) / 40
        (100, 20, 60, 1.0),  # (80 - 40) / 40
        (-10, 0, 40, -1.0),  # (10 - 50) / 40
    ],
)
def test_copy_paste_by_hand(out: float, truth: float, reference: float, expected: float) -> None:
    assert float(copy_paste(3 * at(out), at(truth), 2 * at(reference))) == pytest.approx(expected, abs=1e-9)


def test_one_photo_twice_says_nothing() -> None:
    assert math.isnan(float(copy_paste(at(30), at(0), at(0))))


def test_a_batch_is_its_rows() -> None:
    out, truth = torch.stack([at(30), at(70)]), torch.stack([at(0), at(10)])
    both = copy_paste(out, truth, at(40).expand(2, -1))
    alone = [float(copy_paste(a, b, at(40))) for a, b in zip(out, truth, strict=True)]
    assert both.tolist() == pytest.approx(alone)


def test_axes_of_a_face() -> None:
    face = Face(torch.tensor([0.0, 0, 9, 9]), torch.zeros(5, 2)).with_embedding("sface", at(30).float())
    truth, reference = (Identity(at(degrees).float()[None], "sface") for degrees in (0, 40))
    axes = axes_of(face, truth, reference)
    assert axes is not None and axes.truth == pytest.approx(math.cos(math.radians(30)), abs=1e-6)
    assert axes.copied == pytest.approx(0.5, abs=1e-5) and axes.told == "0.500"
    same = axes_of(face, truth, truth)
    assert same is not None and same.told == "no answer"
    assert axes_of(None, truth, reference) is None
