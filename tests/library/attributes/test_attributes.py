"""Attributes without a host: added to rows, mixed, read from edits, learned from differences."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import torch
from support.conditioning_golden import Conditioned
from support.golden import relative_error

from installer.paths import REPOSITORY
from likeness.choices import attributes as choices
from likeness.methods.attributes import Attribute, Edit, apply, mix, read_edits
from likeness.methods.attributes.apply import move
from likeness.methods.attributes.difference import check_name, difference
from likeness.methods.attributes.recipe import read_pairs
from likeness.text import Columns, Prompt, TokenSpan

L, G = 16, 24
COLUMNS = (Columns("l", 0, L), Columns("g", L, L + G))
WORDS = ("a", "woman", "and", "a", "man")


def fill(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def attribute(seed: int = 0, name: str = "age", **more: Any) -> Attribute:
    return Attribute(name, **{"clip_l": fill(L, seed=seed), "clip_g": fill(G, seed=seed + 1), **more})


def prompt(columns: tuple[Columns, ...] = COLUMNS) -> Prompt:
    text, spans = " ".join(WORDS), []
    at = 0
    for row, word in enumerate(WORDS, 1):
        at = text.index(word, at)
        spans.append(TokenSpan(row, at, at + len(word)))
        at += len(word)
    return Prompt(text, tuple(spans), columns, 77, 1, {one.key: [] for one in columns})


def conditioning(**facts: Any) -> list[Any]:
    return [[fill(1, 77, L + G, seed=9), {"pooled_output": fill(1, G), "note": [1], **facts}]]


@pytest.fixture(scope="module")
def golden() -> Conditioned:
    return Conditioned()


def of_golden(golden: Conditioned, name: str) -> Attribute:
    return Attribute(name, golden[f"attr.{name}_l"], golden[f"attr.{name}_g"])


def moved(golden: Conditioned, *steps: tuple[str, float, list[int]]) -> torch.Tensor:
    rows = torch.cat([golden["attr.emb_l"], golden["attr.emb_g"]], -1)[None]
    for name, scale, places in steps:
        move(rows, COLUMNS, places, of_golden(golden, name), scale)
    return rows[0]


@pytest.mark.parametrize("case", range(4))
def test_what_the_authors_code_gives(golden: Conditioned, case: int) -> None:
    about = golden.cases["attr"][case]
    found = moved(golden, ("delta", about["scale"], about["rows"]))
    wanted = torch.cat([golden[f"attr.{case}.out_{key}"] for key in "lg"], -1)
    assert relative_error(found, wanted) <= 1e-6


def test_two_attributes_as_the_authors_code_adds_them(golden: Conditioned) -> None:
    about = golden.cases["attr_multi"]
    steps = [(edit[2], edit[1], rows) for edit, rows in zip(about["edits"], about["rows"], strict=True)]
    wanted = torch.cat([golden[f"attr.multi.out_{key}"] for key in "lg"], -1)
    assert relative_error(moved(golden, *steps), wanted) <= 1e-6
    assert relative_error(moved(golden, *reversed(steps)), wanted) <= 1e-6


def test_scale_zero_is_no_change_and_no_cut() -> None:
    given = conditioning()
    found, said = apply(given, prompt(), [Edit("man", attribute(), 0.0)], 0.2)
    assert len(found) == 1 and found[0][0] is given[0][0] and found[0][1].keys() == given[0][1].keys()
    assert said == "'man' (rows 5): +0 age in clip_l and clip_g"


def test_only_the_subjects_rows_change_and_nothing_that_came_in() -> None:
    given = conditioning()
    before = given[0][0].clone()
    found, said = apply(
        given, prompt(), [Edit("man", attribute(), 1.5), Edit("a woman", attribute(5), -2)], 0.0
    )
    assert torch.equal(given[0][0], before) and len(given) == len(found) == 1
    changed = (found[0][0] != before).any(-1)[0].nonzero().flatten().tolist()
    assert changed == [1, 2, 5]
    assert found[0][1].keys() == given[0][1].keys() and found[0][1] is not given[0][1]
    assert all(found[0][1][key] is given[0][1][key] for key in given[0][1])
    assert said.splitlines() == [
        "'man' (rows 5): +1.5 age in clip_l and clip_g",
        "'a woman' (rows 1, 2): -2 age in clip_l and clip_g",
    ]


def test_order_does_not_matter_and_back_again_is_where_it_was() -> None:
    one, other = Edit("man", attribute(1), 1.5), Edit("man", attribute(7), -0.5)
    given = conditioning()
    both = [apply(given, prompt(), edits, 0.0)[0][0][0] for edits in ([one, other], [other, one])]
    torch.testing.assert_close(*both, rtol=0, atol=1e-6)
    there = apply(given, prompt(), [one], 0.0)[0]
    back = apply(there, prompt(), [Edit("man", attribute(1), -1.5)], 0.0)[0]
    torch.testing.assert_close(back[0][0], given[0][0], rtol=0, atol=1e-6)


def test_an_encoder_without_a_direction_stays_as_it_is() -> None:
    given = conditioning()
    for one in (
        attribute(clip_g=torch.zeros(G)),
        attribute(clip_g=None),
        attribute(clip_g=torch.ones(G + 1)),
    ):
        found = apply(given, prompt(), [Edit("man", one, 1.0)], 0.0)[0][0][0]
        assert torch.equal(found[..., L:], given[0][0][..., L:])
        assert not torch.equal(found[..., :L], given[0][0][..., :L])


def test_a_direction_of_other_encoders_is_refused() -> None:
    only_g = Attribute("wide", clip_g=torch.ones(G))
    given = [[fill(1, 77, L), {}]]
    with pytest.raises(
        ValueError, match=r"attribute wide has directions for clip_g \(24 wide\), this clip's"
    ):
        apply(given, prompt(COLUMNS[:1]), [Edit("man", only_g, 1.0)])


def test_delay_cuts_the_schedule_in_two_and_once_only() -> None:
    given = conditioning()
    once, _ = apply(given, prompt(), [Edit("man", attribute(), 1.0)], 0.2)
    assert [(c[1]["start_percent"], c[1]["end_percent"]) for c in once] == [(0.0, 0.1995), (0.1995, 1.0)]
    assert torch.equal(once[0][0], given[0][0]) and not torch.equal(once[1][0], given[0][0])
    twice, _ = apply(once, prompt(), [Edit("woman", attribute(3), 1.0)], 0.2)
    assert len(twice) == 2 and torch.equal(twice[0][0], given[0][0])
    assert len(apply(once, prompt(), [Edit("woman", attribute(3), 1.0)], 0.5)[0]) == 3
    late, _ = apply(given, prompt(), [Edit("man", attribute(), 1.0)], 1.0)
    assert len(late) == 1 and torch.equal(late[0][0], given[0][0])


def test_mixing_is_applying_one_after_another() -> None:
    a, b = attribute(1, "age"), Attribute("smile", clip_l=fill(L, seed=4), kind="difference", base="SDXL")
    mixed, given = mix([a, b], "1, -0.5"), conditioning()
    assert mixed.name == "age + smile" and mixed.kind == "difference" and mixed.base == "SDXL"
    together = apply(given, prompt(), [Edit("man", mixed, 2.0)])[0][0][0]
    single = apply(given, prompt(), [Edit("man", a, 2.0), Edit("man", b, -1.0)])[0][0][0]
    torch.testing.assert_close(together, single)
    assert torch.equal(mix([a]).vectors["clip_g"], a.vectors["clip_g"])


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ("1", "holds 1, but 2 attributes are connected"),
        ("1, x", "are no numbers with commas between"),
        ("1, nan", "holds NaN or infinity"),
        ("1, -1", "cancel each other out"),
    ],
)
def test_bad_weights(weights: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        mix([attribute(), attribute()], weights)


def test_other_widths_cannot_be_mixed() -> None:
    with pytest.raises(ValueError, match="age is 3 wide in clip_l, age 16"):
        mix([attribute(), attribute(clip_l=torch.ones(3))])


def test_edits_are_read() -> None:
    there = [("attribute_0", attribute(name="person_age")), ("attribute_1", attribute(name="person_smile"))]
    found = read_edits("man: person_age = 1.5\n\n a man #2 : 1=-.05\n  x: y: 0 = 2 ", there)
    assert [(e.subject, e.attribute.name, e.scale, e.occurrence) for e in found] == [
        ("man", "person_age", 1.5, 0),
        ("a man", "person_smile", -0.05, 2),
        ("x: y", "person_age", 2.0, 0),
    ]
    assert read_edits(" \n", there) == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("man", "the line 'man' is no edit. Write `subject: attribute = scale`"),
        ("man person_age = 1", "is no edit"),
        (": person_age = 1", "is no edit"),
        ("man: person_age = much", "'much' in the line 'man: person_age = much' is no number"),
        ("man: person_age = 11", "must be between -10 and 10"),
        ("man: person_age = nan", "must be between -10 and 10"),
        (
            "man: age = 1",
            r"no connected attribute is called 'age' .*person_age \(0\), twice \(1\), twice \(2\)",
        ),
        ("man: twice = 1", "2 connected attributes are called 'twice'. Write the number of the socket"),
    ],
)
def test_bad_edits(line: str, said: str) -> None:
    names = ("person_age", "twice", "twice")
    with pytest.raises(ValueError, match=said):
        read_edits(line, [(f"attribute_{n}", attribute(name=name)) for n, name in enumerate(names)])


def test_swapping_the_pairs_turns_the_direction_round() -> None:
    def encoded(texts: Any) -> dict[str, torch.Tensor]:
        return {"clip_l": torch.stack([fill(L, seed=sum(map(ord, text))) for text in texts])}

    there, spread, count = difference(
        encoded, read_pairs("old man | young man\na | ba | a"), ["", "a photo of a"]
    )
    back, _, _ = difference(encoded, read_pairs("young man | old man\nba | a | a"), ["", "a photo of a"])
    assert torch.equal(there["clip_l"], -back["clip_l"]) and count == 4
    assert -1 <= spread["clip_l"] <= 1
    with pytest.raises(ValueError, match="the differences add up to nothing"):
        difference(encoded, read_pairs("old man | young man\nyoung man | old man"), [""])


@pytest.mark.parametrize("name", ["", " ", "a,b", "a.b", "a:b", "a=b", "3", "a\nb"])
def test_bad_names(name: str) -> None:
    with pytest.raises(ValueError, match="is no attribute's name"):
        check_name(name)


def test_a_value_is_checked_when_it_is_made() -> None:
    with pytest.raises(ValueError, match="age has no direction of clip_l or clip_g"):
        Attribute("age")
    with pytest.raises(ValueError, match="age's direction of clip_l holds NaN"):
        attribute(clip_l=torch.tensor([torch.nan]))
    with pytest.raises(ValueError, match="is of no kind that is known: 'made up'"):
        attribute(kind="made up")
    assert repr(Attribute("age", torch.ones(4))) == "Attribute(age, learned, clip_l 2.00)"


def test_the_built_in_file() -> None:
    from safetensors import safe_open

    with safe_open(str(choices.path_of(choices.BUILT_IN)), "pt") as file:
        keys, metadata = list(file.keys()), file.metadata()
    names = metadata["names"].split(",")
    assert len(keys) == 68 and sorted(choices.named(keys)) == sorted(names) and len(names) == 34
    assert "Permission is hereby granted" in metadata["licence_text"]
    assert set(choices.SIGNS) <= set(names)


def test_the_page_knows_the_same_signs_and_scales() -> None:
    text = (REPOSITORY / "web" / "js" / "sliders" / "edits.js").read_text(encoding="utf-8")
    signs = re.search(r"SIGNS = (\{.*\});", re.sub(r"say\((.*?)\)", r"\1", text))
    assert signs and json.loads(re.sub(r"(\w+):", r'"\1":', signs[1])) == {
        k: list(v) for k, v in choices.SIGNS.items()
    }
    assert f"LARGEST = {choices.LARGEST_SCALE:g}, STEP = {choices.SCALE_STEP:g}" in text
    assert choices.UNKNOWN_SIGN in text
