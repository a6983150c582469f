"""From similarity to rarity and back, and bars as users write them: values by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from likeness.algebra.bar import least_similarity
from likeness.algebra.calibration import FORMAT, UNKNOWN, Curve, explained, load, shipped, told
from likeness.cast import bar

CURVE = Curve(((0.2, 10), (0.4, 100), (0.5, 10_000)), "ours")
KNOWN = {"sface": CURVE}


def test_between_points_the_logarithm_is_straight() -> None:
    assert CURVE.one_in(0.2) == 10 and CURVE.one_in(0.4) == 100
    assert CURVE.one_in(0.3) == pytest.approx(math.sqrt(10 * 100))
    assert CURVE.one_in(0.45) == pytest.approx(1000)
    assert CURVE.one_in(0.1) == 10 and CURVE.one_in(0.9) == 10_000
    assert CURVE.similarity(1000) == pytest.approx(0.45) and CURVE.similarity(100) == pytest.approx(0.4)
    assert CURVE.similarity(2) == 0.2


@pytest.mark.parametrize(
    ("similarity", "says"),
    [
        (0.1, "fewer than 10"),
        (0.3, "about 32"),
        (0.4, "about 100"),
        (0.5, "at least 10000"),
        (0.9, "at least 10000"),
    ],
)
def test_outside_the_curve_only_a_bound_is_claimed(similarity: float, says: str) -> None:
    assert told(similarity, "sface", KNOWN) == says


def test_the_shipped_fact_is_a_bound_with_its_source() -> None:
    assert set(shipped()) == {"sface"}
    assert told(0.363, "sface") == told(0.9, "sface") == "at least 125"
    assert told(0.3, "sface") == "unknown below 0.363"
    assert "OpenCV" in explained("sface") and "99.60 %" in explained("sface")
    assert told(0.5, "glintr100") == UNKNOWN and "python -m tools.calibrate" in explained("glintr100")


@pytest.mark.parametrize(
    ("text", "similarity"),
    [
        ("0.4", 0.4),
        (" -1 ", -1),
        ("1 in 100", 0.4),
        ("1:1000", 0.45),
        ("1/1_000", 0.45),
        ("1 IN 1,000", 0.45),
        ("1 in 1e4", 0.5),
    ],
)
def test_a_bar_is_a_similarity_or_a_rate(text: str, similarity: float) -> None:
    assert least_similarity(text, "sface", KNOWN) == pytest.approx(similarity)
    assert bar(text, "sface", KNOWN) == pytest.approx(similarity)


def test_nothing_is_no_bar_but_for_a_cast() -> None:
    assert least_similarity("  ", "sface", KNOWN) is None
    with pytest.raises(ValueError, match="at_least is empty, but who is who needs a bar"):
        bar("", "sface", KNOWN)


@pytest.mark.parametrize(
    ("text", "recogniser", "says"),
    [
        ("much", "sface", "at_least: 'much' is neither a similarity, such as 0.4, nor a rate"),
        ("nan", "sface", "a similarity is from -1 to 1, not nan"),
        ("40", "sface", "a similarity is from -1 to 1, not 40. For a rate of strangers write 1 in 40"),
        ("1 in 0", "sface", "'1 in 0' is no rate"),
        ("1 in 1e6", "sface", "does not reach that: it ends at 1 in 10000, similarity 0.5"),
        ("1 in 100", "arc2face", "arc2face .* is not calibrated: nobody has said which similarity that is"),
    ],
)
def test_a_bad_bar_is_explained(text: str, recogniser: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        least_similarity(text, recogniser, KNOWN)


def test_a_file_lies_over_what_is_shipped(tmp_path: Path) -> None:
    file = tmp_path / "calibration.json"
    curve = {"points": [{"similarity": 0.3, "one_in": 50}], "source": "ours"}
    file.write_text(json.dumps({"format": FORMAT, "recognisers": {"glintr100": curve}}))
    both = load(file)
    assert both["sface"] is shipped()["sface"] and told(0.4, "glintr100", both) == "at least 50"
    assert load(None) is shipped()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("no json", "calibration.json is damaged"),
        ("[]", "is no calibration file"),
        ('{"format": "other"}', "is no calibration file"),
        ('{"points": []}', "it has no points"),
        ('{"points": [{"similarity": 0.3}]}', "'one_in'"),
        ('{"points": [{"similarity": 2, "one_in": 5}]}', "2, 1 in 5 is out of range"),
        ('{"points": [{"similarity": 0.4, "one_in": 5}, {"similarity": 0.3, "one_in": 9}]}', "do not rise"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, content: str, says: str) -> None:
    file = tmp_path / "calibration.json"
    if "points" in content:
        content = json.dumps(
            {"format": FORMAT, "recognisers": {"sface": {**json.loads(content), "source": "x"}}}
        )
    file.write_text(content)
    with pytest.raises(ValueError, match=f"calibration.json .*{says}|{says}"):
        load(file)
