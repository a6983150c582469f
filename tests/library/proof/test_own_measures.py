"""The numbers of `proof run`, by examples whose answers are worked out by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from likeness.expressions.distance import RATIO_NAMES
from likeness.faces.labels import NAMES
from proof.own import measures, shots, summary
from proof.own.command import _finite
from proof.own.drawing import Drawn, Job
from proof.own.graph import of
from proof.own.judges import Seen, chosen
from proof.own.page import page
from proof.own.people import Person
from proof.own.prompts import Prompt
from proof.own.shots import Known, Row, Shot
from proof.report.selftest import Answer

EXACT = 1e-6
HALF = math.sqrt(0.5)
EAST, NORTH, BETWEEN = np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.array([HALF, HALF])
PLAIN = Prompt("plain", "plain", "{who}")
HAT = Prompt("hat", "attribute", "{who}", attributes={"hat": True, "glasses": False})
TWO = Prompt("both", "two people", "{left} {right}")


def close(value: float) -> object:
    return pytest.approx(value, abs=EXACT)


def seen(
    *vectors: np.ndarray, boxes: object = None, shares: object = None, sharp: float = 3.0, wide: int = 200
) -> Seen:
    n = len(vectors)
    stacked = np.stack(vectors) if n else np.zeros((0, 0))
    return Seen(
        n,
        wide,
        np.array(boxes if boxes is not None else [[20.0, 10, 60, 50]] * n, dtype=np.float64).reshape(n, 4),
        {"judge": stacked},
        np.zeros((n, 5, 2)),
        np.zeros((n, len(NAMES))) if shares is None else np.array([shares] * n, dtype=np.float64),
        np.full(n, sharp),
    )


def graph(name: str = "one", people: int = 1):
    titles = ["Photo of the Person"] if people == 1 else ["Left Person", "Right Person"]
    nodes = {
        f"p{n}": {"class_type": "LoadImage", "inputs": {"image": "x"}, "_meta": {"title": title}}
        for n, title in enumerate(titles)
    }
    nodes["s"] = {
        "class_type": "KSampler",
        "inputs": {"seed": 1, **{place: [place, 0] for place in nodes}},
        "_meta": {"title": "Sample"},
    }
    saved = {"images": ["s", 0], "filename_prefix": "x"}
    nodes["o"] = {"class_type": "SaveImage", "inputs": saved, "_meta": {"title": "Save Picture"}}
    return of(name, nodes)


#: Anna's truths point east and between; her reference north. Ben's point north, the reference east.
ANNA = Known({"judge": NORTH}, {"judge": np.stack([EAST, BETWEEN])}, (seen(EAST), seen(BETWEEN)))
BEN = Known({"judge": EAST}, {"judge": np.stack([NORTH])}, (seen(NORTH),))


def drawn(prompt: Prompt, people: tuple[int, ...] = (0,), count: int = 0, method: str = "one") -> Drawn:
    job = Job(graph(method, len(people)), prompt, people, count)
    return Drawn(job, Path(f"{method}-{prompt.name}-{people}-{count}.png"), 2.5, 100.0)


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


# ---- a whole run


def row_of(name: str, values: dict[tuple[int, int], float], method: bool = True) -> Row:
    """values by (person, count)."""
    made = []
    for (person, count), value in values.items():
        told = {f"{m}:judge": value for m in shots.BY_JUDGE} | {"faces": 1.0, "seconds": 2.0, "memory": 50.0}
        key = "plain", (person,), count
        made.append(Shot(person, "plain", key, count, told, Path(f"{name}-{person}-{count}.png")))
    return Row(name, name, tuple(made), ("judge",), "glintr100", method)


def run_of(*rows: Row) -> summary.Run:
    people = [
        Person("anna", Path("a"), (Path("b"),), labels={"age": "40s"}),
        Person("ben", Path("c"), (Path("d"),), labels={"age": "20s"}),
    ]
    ends = shots.ceiling([ANNA, BEN], ["judge"]), shots.wrong_person([ANNA, BEN], ["judge"])
    names = {row.name: "mine.safetensors" for row in rows}
    return summary.Run(
        people,
        [ends[0], *rows, ends[1]],
        ["plain"],
        {"judge": "00"},
        names,
        {row.name: ["glintr100"] for row in rows},
        [Answer("identical:judge", "?", "1.000", True)],
        {"attributes": "no parser"},
        2,
    )


FIRST = {(0, 0): 0.5, (0, 1): 0.7, (1, 0): 0.2, (1, 1): 0.4}
SECOND = {(0, 0): 0.4, (0, 1): 0.5, (1, 0): 0.3, (1, 1): 0.4}


def test_means_and_intervals_are_over_people() -> None:
    told = summary.numbers(run_of(row_of("one", FIRST)))["rows"]["one"]
    found = told["measures"]["truth:judge"]
    # Two people: a draw of both, or one of them twice; their means are 0.6 and 0.3.
    assert found == {"mean": close(0.45), "low": close(0.3), "high": close(0.6), "people": 2}
    assert told["labels"]["age: 40s"]["truth:judge"]["mean"] == close(0.6)
    assert told["labels"]["age: 20s"]["truth:judge"]["mean"] == close(0.3)
    assert told["groups"]["plain"]["truth:judge"]["mean"] == close(0.45) and set(told["groups"]) == {"plain"}
    assert told["pictures"] == 4 and told["drawn_by"] == ["glintr100"]


def test_differences_are_taken_pair_by_pair() -> None:
    (one,) = summary.differences([row_of("one", FIRST), row_of("two", SECOND)])
    # Of Anna 0.1 and 0.2, of Ben -0.1 and 0.
    assert one.estimate.mean == close(0.05)
    assert (one.estimate.low, one.estimate.high) == (close(-0.05), close(0.15))
    # Spread between 0.15 and -0.05 is 0.1414; (1.959964 + 0.841621) * 0.1414 / 0.02, squared: 392.4.
    assert one.people == 393 and one.pictures == 786


def test_a_method_against_itself_differs_by_noise_alone() -> None:
    (same,) = summary.against_itself(row_of("one", {k: 0.5 for k in FIRST}))
    assert same.estimate.mean == 0 and same.estimate.low == same.estimate.high == 0
    (noisy,) = summary.against_itself(row_of("one", FIRST))
    # First picture less the second, of both people -0.2: no spread, and so the fewest there are.
    assert noisy.estimate.mean == close(-0.2) and (noisy.people, noisy.pictures) == (2, 2)
    assert not summary.against_itself(row_of("one", {(0, 0): 0.5, (1, 0): 0.4})), "one picture has no half"


def test_the_line_to_post_names_nobody() -> None:
    run = run_of(row_of("one", FIRST))
    line = summary.line(run)
    assert line.startswith(
        "one on mine.safetensors: likeness 0.45 (0.30 to 0.60) by judge (two real photos 0.47"
    )
    assert "2 people, 4 pictures, 2.0 s each" in line and "anna" not in line
    # A recogniser that draws may not judge: with no other there is nothing to tell.
    own = Row("one", "one", row_of("one", FIRST).shots, (), "judge", True)
    assert "drawn by every recogniser" in summary.line(run_of(own))


def test_the_page_and_the_json_hold_the_same_numbers() -> None:
    run = run_of(row_of("one", FIRST), row_of("two", SECOND))
    text = json.dumps(_finite(summary.numbers(run)), allow_nan=False)
    assert json.loads(text)["differences"][0]["people_needed"] == 393
    html = page(run, pictures=False)
    for said in ("0.45 (0.30 to 0.60)", "+0.050 (-0.050 to +0.150)", "393 people, 786 pictures", "no parser"):
        assert said in html
    assert (
        "Fewer than 8 people" in html
        and "<img" not in html
        and "http" not in html.replace("http://www.w3", "")
    )


def test_names_are_escaped_in_the_page() -> None:
    run = run_of(row_of("<b>one", FIRST))
    assert "<b>one" not in page(run, pictures=False) and "&lt;b&gt;one" in page(run, pictures=False)
