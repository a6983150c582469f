"""Words taken out of prompts of the host's text encoders: which rows and columns, when, and what is said."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from support.golden import relative_error

TEXT, UNWANTED = "a photo of a red fox in oil paint style", "oil paint"
#: Rows of UNWANTED in TEXT, and of all its words.
OWN, WORDS = [8, 9], list(range(1, 11))

pytestmark = pytest.mark.usefixtures("as_the_executor_does")


@pytest.fixture(scope="module")
def room(pack: Any, host: Any) -> SimpleNamespace:
    load = host.CheckpointLoaderSimple().load_checkpoint
    clips = {kind: load(f"tiny_{kind}.safetensors")[1] for kind in ("sdxl", "sd15")}
    node, columns_of = pack.node("LikenessProjectOut"), pack.module("likeness.text").columns_of
    method = pack.module("likeness.methods.projection")

    def encode(text: str, kind: str = "sdxl") -> Any:
        return host.CLIPTextEncode().encode(clips[kind], text)[0]

    prompts = {kind: encode(TEXT, kind) for kind in clips}

    def project(kind: str = "sdxl", **inputs: Any) -> tuple[Any, str]:
        given = {"conditioning": prompts[kind], "clip": clips[kind], "unwanted": UNWANTED}
        made: tuple[Any, str] = node.execute(**{**given, **inputs}).result
        return made

    columns = {kind: columns_of(clip) for kind, clip in clips.items()}
    return SimpleNamespace(
        project=project, encode=encode, prompts=prompts, clips=clips, columns=columns, method=method
    )


def wanted(
    room: Any, x: torch.Tensor, found: torch.Tensor, rows: list[int], alpha: float = 0.5
) -> torch.Tensor:
    """X [L, W] by the formula, with found [n, W] the unwanted rows."""
    made = x.clone()
    made[rows] = room.method.project_out(x[rows], room.method.basis(found), alpha)
    return made


def every(length: int = 77) -> list[int]:
    return [row for row in range(length) if row % 77]


@pytest.mark.parametrize("kind", ["sdxl", "sd15"])
def test_words_of_a_prompt_of_their_own(room: Any, kind: str) -> None:
    x, facts = room.prompts[kind][0]
    before = x.clone()
    ((made, told),), report = room.project(kind)
    found = room.encode(UNWANTED, kind)[0][0][0, 1:3]
    assert relative_error(made[0], wanted(room, x[0], found, every())) <= 1e-6
    assert torch.equal(made[0, 0], x[0, 0]) and torch.equal(x, before)
    assert torch.equal(told["pooled_output"], facts["pooled_output"]) and set(told) == set(facts)
    assert "the 2 rows of 'oil paint' as a prompt of its own" in report and "rank 2 of 2 rows" in report


@pytest.mark.parametrize(("rows", "changed"), [("all", every()), ("words", WORDS)])
def test_words_of_the_text_itself(room: Any, rows: str, changed: list[int]) -> None:
    x = room.prompts["sdxl"][0][0]
    ((made, _),), report = room.project(text=TEXT, rows=rows)
    assert relative_error(made[0], wanted(room, x[0], x[0, OWN], changed)) <= 1e-6
    others = [row for row in range(77) if row not in changed]
    assert torch.equal(made[0, others], x[0, others])
    assert "the rows of 'oil paint' in the text itself" in report


def test_words_that_the_text_has_not_are_a_prompt_of_their_own(room: Any) -> None:
    x = room.prompts["sdxl"][0][0]
    ((made, _),), report = room.project(text=TEXT, rows="words", unwanted="watercolour")
    n = room.clips["sdxl"].tokenize("watercolour")["l"][0]
    count = [token for token, _ in n].index(49407) - 1
    found = room.encode("watercolour")[0][0][0, 1 : 1 + count]
    assert relative_error(made[0], wanted(room, x[0], found, WORDS)) <= 1e-6
    assert "as a prompt of its own" in report


def test_several_words_of_the_text(room: Any) -> None:
    x = room.prompts["sdxl"][0][0]
    ((made, _),), _ = room.project(text=TEXT, unwanted="red,\nstyle")
    assert relative_error(made[0], wanted(room, x[0], x[0, [5, 10]], every())) <= 1e-6


def test_each_encoder_by_itself(room: Any) -> None:
    x = room.prompts["sdxl"][0][0]
    made, found = room.project(encoders="separate")[0][0][0], room.encode(UNWANTED)[0][0][0, 1:3]
    for one in room.columns["sdxl"]:
        columns = slice(one.start, one.stop)
        by_hand = wanted(room, x[0, :, columns], found[:, columns], every())
        assert relative_error(made[0, :, columns], by_hand) <= 1e-6
    assert not torch.allclose(made, room.project()[0][0][0])
    ((one, _),), ((other, _),) = room.project("sd15")[0], room.project("sd15", encoders="separate")[0]
    assert torch.equal(one, other)  # there is one encoder


def test_all_of_it_leaves_nothing_of_the_unwanted(room: Any) -> None:
    made = room.project(strength=1.0)[0][0][0].double()
    found = room.encode(UNWANTED)[0][0][0, 1:3].double()
    cosines = (made[0, 1:] @ found.T) / made[0, 1:].norm(dim=-1)[:, None] / found.norm(dim=-1)
    assert cosines.abs().max() < 1e-4


def test_a_rank_of_one(room: Any) -> None:
    ((made, _),), report = room.project(rank=1)
    assert "rank 1 of 2 rows" in report
    assert not torch.equal(made, room.project()[0][0][0])


def test_centred_rows_leave_what_all_prompts_share(room: Any) -> None:
    x, nothing = room.prompts["sdxl"][0][0], room.encode("")[0][0]
    found = room.encode(UNWANTED)[0][0][0, 1:3] - nothing[0, 1:3]
    ((made, _),), _ = room.project(centre=True)
    assert relative_error(made[0], wanted(room, x[0], found, every())) <= 1e-6


def test_centring_never_takes_rows_that_another_encoder_put_behind(room: Any) -> None:
    """As SD3's T5 does: the second section's words are centred by the words' own empty rows."""
    clip = room.clips["sdxl"].clone()
    encode = clip.encode_from_tokens_scheduled

    def longer(tokens: Any, **how: Any) -> Any:
        return [
            [torch.cat([x, torch.ones_like(x[:, :77])], dim=1), facts] for x, facts in encode(tokens, **how)
        ]

    clip.encode_from_tokens_scheduled = longer
    given = {"unwanted": "an old oil painting of a tree " * 12, "centre": True}
    made, wanted = (room.project(**given, **more)[0][0][0] for more in ({"clip": clip}, {}))
    assert torch.equal(made, wanted) and not torch.equal(
        made, room.project(**given | {"centre": False})[0][0][0]
    )


def test_several_sections_have_one_basis_and_their_start_rows_stay(room: Any) -> None:
    text = "a photo of a red fox, " * 20 + UNWANTED
    prompt = room.encode(text)
    x = prompt[0][0]
    assert x.shape[1] == 2 * 77
    found = room.encode(UNWANTED)[0][0][0, 1:3]
    ((made, _),), _ = room.project(conditioning=prompt)
    assert relative_error(made[0], wanted(room, x[0], found, every(154))) <= 1e-6
    assert torch.equal(made[0, [0, 77]], x[0, [0, 77]])


def test_rows_behind_the_text_stay(room: Any) -> None:
    (x, facts), tail = room.prompts["sdxl"][0], torch.randn(1, 4, room.columns["sdxl"][-1].stop)
    longer = [[torch.cat([x, tail], dim=1), facts]]
    for given in ({}, {"text": TEXT}):
        made = room.project(conditioning=longer, **given)[0][0][0]
        assert torch.equal(made[:, 77:], tail) and not torch.equal(made[:, :77], x)


def test_prompts_of_a_batch_have_their_own_words(room: Any) -> None:
    x, facts = room.prompts["sdxl"][0]
    both = torch.cat([x, x.flip(2)])
    made = room.project(conditioning=[[both, facts]], text=TEXT)[0][0][0]
    for one, found in zip(both, made, strict=True):
        assert relative_error(found, wanted(room, one, one[OWN], every())) <= 1e-6


def test_only_from_start_to_end(room: Any) -> None:
    x = room.prompts["sdxl"][0][0]
    parts, _ = room.project(start=0.2, end=0.7)
    borders = [facts[end] for _, facts in parts for end in ("start_percent", "end_percent")]
    assert borders == pytest.approx([0.0, 0.1995, 0.1995, 0.6995, 0.6995, 1.0])
    assert torch.equal(parts[0][0], x) and torch.equal(parts[2][0], x)
    assert torch.equal(parts[1][0], room.project()[0][0][0])
    ((_, facts),), _ = room.project()
    assert "start_percent" not in facts and "end_percent" not in facts


def test_a_prompt_that_never_acts_then_is_left(room: Any) -> None:
    x, facts = room.prompts["sdxl"][0]
    late = [[x, {**facts, "start_percent": 0.8, "end_percent": 1.0}]]
    ((made, told),), report = room.project(conditioning=late, end=0.5)
    assert torch.equal(made, x) and told["start_percent"] == 0.8
    assert report == "Nothing was taken out: no prompt acts from start to end."


@pytest.mark.parametrize("given", [{"strength": 0.0}, {"start": 0.3, "end": 0.3}], ids=str)
def test_nothing_is_the_conditioning_itself(room: Any, given: dict[str, float]) -> None:
    made, report = room.project(**given)
    assert made is room.prompts["sdxl"] and report.startswith("Nothing was taken out: strength is 0")


def test_a_second_run_is_the_first(room: Any) -> None:
    (one, said), (other, again) = room.project(text=TEXT), room.project(text=TEXT)
    assert torch.equal(one[0][0], other[0][0]) and said == again


def test_the_report_has_the_energy_of_each_row(room: Any) -> None:
    x = room.prompts["sdxl"][0][0][0].double()
    ((made, _),), report = room.project(text=TEXT, rows="words")
    lines = dict(line.split(": ", 1) for line in report.splitlines() if ": " in line)
    shares = 1 - made[0].double().square().sum(-1) / x.square().sum(-1)
    assert lines["by row"] == ", ".join(f"{row}: {float(shares[row]):.1%}" for row in WORDS)
    assert lines["energy removed"].endswith("% of 10 rows")


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"unwanted": " , \n"}, "unwanted has no words: write what is to be taken out"),
        ({"strength": 1.5}, "strength must be from 0 to 1, not 1.5: more would turn the words around"),
        ({"rows": "words"}, "rows is words: give the conditioning's own text in text"),
        ({"rows": "most"}, "rows must be one of all, words, not 'most'"),
        ({"encoders": "both"}, "encoders must be one of joint, separate, not 'both'"),
        ({"rank": -1}, r"rank must be 0 \(all\) or more, not -1"),
        ({"start": 0.6, "end": 0.5}, r"start \(0.6\) is after end \(0.5\)"),
        ({"conditioning": []}, "conditioning is empty: connect the output of CLIP Text Encode"),
        ({"text": "red fox " * 60}, "This conditioning was not made from this text: it has 77 rows"),
        ({"text": TEXT, "unwanted": "oil paint, watercolour"}, "'watercolour' is not in the text"),
    ],
    ids=str,
)
def test_bad_input_is_said(room: Any, given: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        room.project(**given)


def test_another_clip_than_the_prompts(room: Any) -> None:
    with pytest.raises(ValueError, match="Connect the clip that encoded it"):
        room.project(clip=room.clips["sd15"])
