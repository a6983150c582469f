"""What `proof run` makes of its numbers: means, intervals, differences, power, the page, the line."""

from __future__ import annotations

import json

from support.own_numbers import close, row_of, run_of

from proof.own import summary
from proof.own.command import _finite
from proof.own.page import page
from proof.own.shots import Row

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
