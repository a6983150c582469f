"""What `proof run` measures of one picture, by examples whose answers are worked out by hand."""

from __future__ import annotations

import math

import numpy as np
from support.own_numbers import ANNA, BEN, EAST, HALF, HAT, NORTH, TWO, close, drawn, seen

from likeness.expressions.distance import RATIO_NAMES
from likeness.faces.labels import NAMES
from proof.own import measures, shots
from proof.own.judges import chosen

# ---- one picture


def test_likeness_copy_paste_and_others_of_one_face() -> None:
    found = shots.likeness(EAST, 0, [ANNA, BEN], "judge")
    assert found["truth:judge"] == close((1 + HALF) / 2)
    assert found["reference:judge"] == close(0)
    # To the first truth (0 - 90) / 90 degrees, to the second (45 - 90) / 45.
    assert found["copy_paste:judge"] == close(-1)
    assert found["others:judge"] == close(0)
    back = shots.likeness(3 * NORTH, 0, [ANNA, BEN], "judge")
    assert back["copy_paste:judge"] == close(1), "the reference again; its length does not count"
    middle = shots.likeness(np.array([math.cos(math.pi / 8), math.sin(math.pi / 8)]), 0, [ANNA, BEN], "judge")
    # 22.5 of 90 degrees from the first, 67.5 from the reference: -0.5. From the second 22.5 of 45: -1.
    assert middle["copy_paste:judge"] == close((-0.5 - 1) / 2)


def test_no_face_is_like_nobody_and_copies_nothing() -> None:
    found = shots.likeness(None, 0, [ANNA, BEN], "judge")
    assert found["truth:judge"] == found["reference:judge"] == 0
    assert math.isnan(found["copy_paste:judge"])
    (shot,) = shots.shots_of(drawn(HAT), seen(), [ANNA, BEN], ["judge"])
    assert shot.values["faces"] == shot.values["attributes"] == shot.values["truth:judge"] == 0
    assert math.isnan(shot.values["sharpness"]) and math.isnan(shot.values["expression"])


def test_where_truth_and_reference_are_one_nothing_is_copied() -> None:
    assert math.isnan(measures.copied(EAST, np.stack([NORTH]), NORTH))


def test_expression_error_counts_what_lies_outside() -> None:
    ratios = np.zeros((5, 2))
    ratios[RATIO_NAMES.index("mouth open")] = 0.1
    ratios[RATIO_NAMES.index("eyes open")] = 0.3, 0.5
    asked = {"mouth open": (0.25, 1.0), "eyes open": (0.0, 0.4)}
    assert measures.expression_error(ratios, asked) == close((0.15 + 0.05) / 2)
    assert measures.expression_error(ratios, {"mouth open": (0.0, 0.2)}) == 0
    assert math.isnan(measures.expression_error(ratios, {}))
    assert math.isnan(measures.expression_error(np.full((5, 2), np.nan), asked))


def test_attributes_are_counted_by_their_share_of_the_square() -> None:
    shares = np.zeros(len(NAMES))
    shares[NAMES.index("hat")] = measures.SEEN
    assert measures.attributes_right(shares, {"hat": True, "glasses": False}) == 1
    shares[NAMES.index("glasses")] = 2 * measures.SEEN
    assert measures.attributes_right(shares, {"hat": True, "glasses": False}) == 0.5
    shares[NAMES.index("hat")] = measures.SEEN / 2
    assert measures.attributes_right(shares, {"hat": True}) == 0
    assert math.isnan(measures.attributes_right(np.full(len(NAMES), np.nan), {"hat": True})), "no parser"


def test_sharpness_is_the_deviation_of_the_laplacian() -> None:
    assert measures.sharpness(np.full((9, 9), 7.0)) == 0
    x = np.arange(12.0)
    assert measures.sharpness(np.tile(3 * x, (12, 1))) == close(0), "a slope has no edge"
    board = np.indices((10, 10)).sum(0) % 2 * 10.0
    assert measures.sharpness(board) == close(40), "each field differs from its four neighbours by 10"
    assert measures.sharpness(board[:, ::-1]) == close(40)


def test_of_two_people_each_is_compared_with_the_face_in_their_place() -> None:
    both = seen(NORTH, EAST, boxes=[[120, 0, 180, 60], [10, 0, 60, 60]])
    left, right = shots.shots_of(drawn(TWO, (0, 1)), both, [ANNA, BEN], ["judge"])
    assert (left.person, right.person) == (0, 1) and left.values["faces"] == 1
    assert left.values["truth:judge"] == close((1 + HALF) / 2) and right.values["truth:judge"] == close(1)
    swapped = seen(NORTH, EAST, boxes=[[10, 0, 60, 60], [120, 0, 180, 60]])
    left, right = shots.shots_of(drawn(TWO, (0, 1)), swapped, [ANNA, BEN], ["judge"])
    assert right.values["truth:judge"] == close(0), "in each other's place they are wrong"
    assert chosen(seen(EAST, boxes=[[150, 0, 190, 40]]), 2) == [None, 0]
    assert chosen(seen(EAST, boxes=[[10, 0, 50, 40]]), 2) == [0, None]


# ---- ends of the scale


def test_the_ceiling_compares_true_photos_with_each_other() -> None:
    row = shots.ceiling([ANNA, BEN], ["judge"])
    values = [shot.values["truth:judge"] for shot in row.shots]
    # Anna's two with each other; Ben's only one with his reference.
    assert values == [close(HALF), close(HALF), close(0)]
    assert row.estimate("truth:judge").mean == close(2 * HALF / 3)
    # Copy-paste of a truth needs another truth: Ben has none.
    assert math.isnan(row.shots[2].values["copy_paste:judge"])


def test_the_floor_is_the_next_ones_photos() -> None:
    row = shots.wrong_person([ANNA, BEN], ["judge"])
    # Ben's photo for Anna, then both of Anna's for Ben.
    assert [s.values["truth:judge"] for s in row.shots] == [close(HALF / 2), close(0), close(HALF)]
    assert [shot.person for shot in row.shots] == [0, 1, 1]
