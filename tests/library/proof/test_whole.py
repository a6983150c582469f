"""Whole faces: the arrangement worked out by hand, and what true and spoilt pictures are to the measure."""

from __future__ import annotations

import numpy as np
import pytest

from likeness.faces.labels import NAMES
from proof.report import spoilt, whole
from proof.world.draw import draw
from proof.world.scene import figure


def scores(**parts: tuple[slice, slice]) -> np.ndarray:
    """Skin on rows and columns 20 to 80, the parts in it; the parser is sure to 0.8 of all of them."""
    labels = np.zeros((100, 100), int)
    labels[20:81, 20:81] = NAMES.index("skin")
    for name, place in parts.items():
        labels[place] = NAMES.index(name.replace("_", " "))
    found = np.full((len(NAMES), 100, 100), 0.2 / (len(NAMES) - 1), np.float32)
    np.put_along_axis(found, labels[None], 0.8, axis=0)
    return found


PARTS = {
    "left_eye": (slice(38, 42), slice(30, 40)),
    "right_eye": (slice(38, 42), slice(60, 70)),
    "nose": (slice(45, 60), slice(45, 55)),
    "mouth": (slice(65, 70), slice(40, 60)),
}


def test_an_arrangement_by_hand() -> None:
    seen = whole.arrangement(scores(**PARTS))
    assert seen.shape == (whole.COUNT,)
    # Percentiles 1 and 99 of 61 equal columns: 20 and 80; the chin is at row 80.
    area, across, up, wide, high = seen[:5]
    assert area == pytest.approx(np.log(40 / 60**2))
    assert (across, up) == pytest.approx(((34.5 - 50) / 60, (80 - 39.5) / 60))
    assert (wide, high) == pytest.approx((np.log(np.sqrt(99 / 12) / 60), np.log(np.sqrt(15 / 12) / 60)))
    assert seen[6] == pytest.approx((64.5 - 50) / 60)
    assert seen[-1] == pytest.approx(0.8)


@pytest.mark.parametrize("name", PARTS)
def test_no_face_is_whole_without_a_part(name: str) -> None:
    seen = whole.arrangement(scores(**{part: place for part, place in PARTS.items() if part != name}))
    assert np.isnan(seen).all()
    assert whole.usual().distance(seen) == np.inf
    assert not whole.usual().whole(np.full((len(NAMES), 64, 64), 1 / len(NAMES), np.float32))


def test_the_limit_holds_nine_of_ten_and_a_distance_is_in_deviations() -> None:
    seen = np.random.default_rng(0).normal(3, 2, (4000, whole.COUNT))
    usual = whole.Usual.of(seen)
    off = usual.mean.copy()
    off[4] += 2 * 5
    assert usual.distance(off) == pytest.approx(5, rel=0.05)
    assert (usual.distance(seen) <= usual.limit).mean() == pytest.approx(whole.INSIDE, abs=0.01)
    with pytest.raises(ValueError, match="3 whole faces are too few"):
        whole.Usual.of(seen[:3])


def test_what_is_spoilt_is_spoilt_where_it_should_be() -> None:
    drawing = draw(figure(5), 128)
    left, right = drawing.points[0][:2].round().astype(int)
    for changed, eyes in (
        (spoilt.one_eyed(drawing), (True, False)),
        (spoilt.turned_halves(drawing), (True, True)),
    ):
        off = np.abs(changed.astype(int) - drawing.picture).max(-1)
        assert [bool(off[y - 2 : y + 3, x - 2 : x + 3].any()) for x, y in (left, right)] == list(eyes)
        assert not off[:10].any()
    nose = drawing.points[0][2].round().astype(int)
    around = (slice(nose[1] - 4, nose[1] + 5), slice(nose[0] - 4, nose[0] + 5))
    rough = [picture[around].std((0, 1)).mean() for picture in (spoilt.smeared(drawing), drawing.picture)]
    assert rough[0] < rough[1] / 2
