"""Attributes in the real host: nodes, invariants, what they say of bad input. Spec: conditioning.md 1."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from support.conditioning_golden import Conditioned
from support.golden import relative_error

pytestmark = pytest.mark.usefixtures("as_the_executor_does")

TEXT = "a photo of a (man:1.3) and a woman"
TINY = "tiny_attributes.safetensors"


@pytest.fixture(scope="module")
def room(pack: Any, host: Any) -> SimpleNamespace:
    model, clip, _ = host.CheckpointLoaderSimple().load_checkpoint("tiny_sdxl.safetensors")
    load = pack.node("LikenessLoadAttribute").execute
    encoded = host.CLIPTextEncode().encode(clip, TEXT)[0]
    attributes = [load(file=TINY, attribute=name)[0] for name in ("person_age", "person_smile")]

    def apply(**inputs: Any) -> Any:
        given = {
            "conditioning": encoded,
            "clip": clip,
            "text": TEXT,
            "attribute": attributes[0],
            "subject": "man",
        }
        return pack.node("LikenessApplyAttribute").execute(**{**given, **inputs})

    return SimpleNamespace(
        model=model,
        clip=clip,
        encoded=encoded,
        attributes=attributes,
        apply=apply,
        load=load,
        node=pack.node,
        encode=lambda text: host.CLIPTextEncode().encode(clip, text)[0],
    )


def said(action: Any, **inputs: Any) -> str:
    with pytest.raises((ValueError, FileNotFoundError)) as error:
        action(**inputs)
    return str(error.value)


# Load Attribute


def test_all_built_in_attributes(room: Any) -> None:
    schema = room.node("LikenessLoadAttribute").define_schema()
    options = next(one for one in schema.inputs if one.id == "attribute").options
    assert len(options) >= 34
    for name in options:
        if room.node("LikenessLoadAttribute").validate_inputs("built in", name) is True:
            loaded = room.load(file="built in", attribute=name)[0]
            assert [len(vector) for vector in loaded.vectors.values()] == [768, 1280]
    assert "(c) 2024 CompVis" in loaded.source and loaded.base == "SDXL base 1.0"
    age = room.load(file="built in", attribute="person_age")[0]
    assert abs(float(age.clip_l.norm()) - 7.252) < 1e-3 and abs(float(age.clip_g.norm()) - 7.643) < 1e-3


def test_files_that_are_none(room: Any, base: Path) -> None:
    folder = base / "models" / "attributes"
    save_file({"a.clip_l": torch.ones(3)}, folder / "nameless.safetensors")
    save_file(
        {"a.clip_l": torch.ones(3, 3)},
        folder / "square.safetensors",
        {"format": "likeness-attribute-deltas/1"},
    )
    (folder / "broken.safetensors").write_bytes(b"no")
    assert "nameless.safetensors is no attribute file" in said(
        room.load, file="nameless.safetensors", attribute="a"
    )
    assert "is no single row but [3, 3]" in said(room.load, file="square.safetensors", attribute="a")
    assert "can't be read as weights" in said(room.load, file="broken.safetensors", attribute="a")
    gone = said(room.load, file="gone.safetensors", attribute="a")
    assert "There is no attribute file 'gone.safetensors' in" in gone and "Choose 'built in'" in gone
    text = said(room.load, file=TINY, attribute="person_bald")
    held = "person_age, person_pale, person_smile, person_tired"
    assert text == f"attribute 'person_bald' is not in {TINY}. It holds: {held}."
    node = room.node("LikenessLoadAttribute")
    assert node.validate_inputs(TINY, "person_bald") == text
    assert node.validate_inputs(TINY, "person_age") is True is node.validate_inputs("gone.safetensors", "x")
    assert node.validate_inputs("broken.safetensors", "x") is True is node.validate_inputs()
    assert (
        node.fingerprint_inputs(TINY) != node.fingerprint_inputs("built in") != node.fingerprint_inputs(None)
    )


# Apply Attribute


def test_scale_zero_is_bit_equal_and_nothing_is_cut(room: Any) -> None:
    found = room.apply(scale=0.0)[0]
    assert len(found) == 1 and torch.equal(found[0][0], room.encoded[0][0])
    assert found[0][1].keys() == room.encoded[0][1].keys()


def test_only_the_mans_row_moves_by_the_whole_direction_whatever_his_weight(room: Any) -> None:
    before = room.encoded[0][0].clone()
    found, matched = room.apply(scale=2.0, delay=0.0)
    assert torch.equal(room.encoded[0][0], before) and found[0][1] is not room.encoded[0][1]
    moved = found[0][0] - before
    assert moved.any(-1)[0].nonzero().flatten().tolist() == [5]
    age = room.attributes[0]
    torch.testing.assert_close(moved[0, 5], 2 * torch.cat([age.clip_l, age.clip_g]), atol=1e-5, rtol=0)
    assert torch.equal(found[0][1]["pooled_output"], room.encoded[0][1]["pooled_output"])
    assert matched == "'man' (rows 5): +2 person_age in clip_l and clip_g"


def test_three_runs_are_one(room: Any) -> None:
    first, *others = [room.apply(scale=1.5)[0] for _ in range(3)]
    for other in others:
        for one, again in zip(first, other, strict=True):
            assert torch.equal(one[0], again[0]) and one[1].keys() == again[1].keys()


@pytest.mark.parametrize("scheduler", ["normal", "simple", "ddim_uniform", "karras", "sgm_uniform"])
def test_every_step_sees_exactly_one_of_both_parts(room: Any, scheduler: str) -> None:
    import comfy.samplers

    positive = room.apply(scale=3.0, delay=0.2)[0]
    seen: list[int] = []

    def count(apply_model: Any, given: dict[str, Any]) -> torch.Tensor:
        seen.append(given["cond_or_uncond"].count(0))
        return given["input"]

    model = room.model.clone()
    model.set_model_unet_function_wrapper(count)
    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(positive, room.encode(""))
    guider.set_cfg(1.0)
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), scheduler, 50)
    nothing = torch.zeros(1, 4, 8, 8)
    guider.sample(nothing, nothing, comfy.samplers.sampler_object("euler"), sigmas, disable_pbar=True, seed=0)
    assert seen == [1] * (len(sigmas) - 1)


def test_chained_nodes_cut_again_only_elsewhere(room: Any) -> None:
    once = room.apply(scale=1.0, delay=0.2)[0]
    again = {"conditioning": once, "subject": "woman", "attribute": room.attributes[1]}
    assert len(room.apply(**again, delay=0.2)[0]) == 2 and len(room.apply(**again, delay=0.4)[0]) == 3


def test_what_it_says_of_bad_input(room: Any, host: Any) -> None:
    assert "subject 'dog' is not in the text. Its words are: a, photo, of, man, and, woman" in said(
        room.apply, subject="dog"
    )
    assert "'ma' is part of the token 'man'" in said(room.apply, subject="ma", match="text")
    assert "not made from this text: it has 77 rows, the text takes 154" in said(
        room.apply, text="a man " * 60
    )
    wide = room.load(file="built in", attribute="person_age")[0]
    assert (
        "attribute person_age has directions for clip_l (768 wide), clip_g (1280 wide), this clip's"
        in said(room.apply, attribute=wide)
    )
    sd15 = host.CheckpointLoaderSimple().load_checkpoint("tiny_sd15.safetensors")[1]
    assert "Connect the clip that encoded it" in said(room.apply, clip=sd15)


def test_words_of_pva_are_refused(room: Any, host: Any, pack: Any) -> None:
    """The person's own word is in an SD2 encoder, which has no direction and no rows of ours."""
    clip = host.CheckpointLoaderSimple().load_checkpoint("tiny_sd2_inpaint.safetensors")[1]
    pva = pack.node("LikenessLoadPVA").execute(file="tiny_pva.safetensors")[0]
    encoded = pack.node("LikenessPVAPrompt").execute(clip=clip, pva=pva, text="a photo of <new1>")[0]
    given = {"conditioning": encoded, "text": "a photo of <new1>", "subject": "<new1>"}
    assert "clip has the text encoders h. Changing single words needs token-wise CLIP-L/CLIP-G" in said(
        room.apply, clip=clip, **given
    )
    assert "Connect the clip that encoded it" in said(room.apply, **given)


def test_words_behind_a_persons_word_are_refused(room: Any, host: Any, pack: Any) -> None:
    """SD1.5's encoder has directions, but `<new1>` is one row there and four tokens of the text."""
    clip = host.CheckpointLoaderSimple().load_checkpoint("tiny_sd15.safetensors")[1]
    width = clip.cond_stage_model.clip_l.transformer.get_input_embeddings().weight.shape[1]
    encode = pack.module("likeness.methods.pva").encode_prompt
    pva = SimpleNamespace(word=torch.ones(width), base=SimpleNamespace(name="tiny"))
    given = {"clip": clip, "text": "a photo of <new1>, a man"}
    text = said(room.apply, conditioning=encode(clip, pva, given["text"]), **given)
    assert text.startswith("conditioning has a person's word <new1> in it, so its words are not in the rows")
    assert room.apply(conditioning=encode(clip, pva, "a photo of a man"), clip=clip, text="a photo of a man")
    project = pack.node("LikenessProjectOut").execute
    inputs = {"conditioning": encode(clip, pva, given["text"]), "clip": clip, "unwanted": "man"}
    assert "a person's word <new1>" in said(project, **inputs, text=given["text"])
    assert project(**inputs)[1].startswith("Taken out")


# Prompt with Attributes


def test_the_prompt_node_is_the_chain_of_the_others(room: Any) -> None:
    age, smile = room.attributes
    edits = "man: person_age = 1.5\nwoman: 1 = -0.5"
    inputs = {"attributes": {"attribute_0": age, "attribute_1": smile}, "edits": edits}
    found, matched = room.node("LikenessAttributePrompt").execute(clip=room.clip, text=TEXT, **inputs)
    chain = room.apply(scale=1.5)[0]
    chain = room.apply(conditioning=chain, scale=-0.5, subject="woman", attribute=smile)[0]
    assert len(found) == len(chain) == 2
    for one, other in zip(found, chain, strict=True):
        assert torch.equal(one[0], other[0])
        assert [one[1][key] for key in ("start_percent", "end_percent")] == [
            other[1][key] for key in ("start_percent", "end_percent")
        ]
    assert matched.splitlines() == [
        "'man' (rows 5): +1.5 person_age in clip_l and clip_g",
        "'woman' (rows 8): -0.5 person_smile in clip_l and clip_g",
    ]
    plain = room.node("LikenessAttributePrompt").execute(clip=room.clip, text=TEXT, attributes={})[0]
    assert len(plain) == 1 and torch.equal(plain[0][0], room.encoded[0][0])


def test_the_second_man_alone(room: Any) -> None:
    node = room.node("LikenessAttributePrompt")
    given = {"clip": room.clip, "text": "a man and a man", "attributes": {"attribute_0": room.attributes[0]}}
    matched = node.execute(**given, edits="man #2: 0 = 1")[1]
    assert matched == "'man' (rows 5): +1 person_age in clip_l and clip_g"
    assert "edits: no connected attribute is called 'bald'" in said(
        node.execute, **given, edits="man: bald = 1"
    )


# Learn, mix, save


def test_what_the_authors_code_learns(room: Any) -> None:
    """Their encoder of the golden: row i is a row of a table for the token plus a row for the place."""
    golden = Conditioned()
    about, table = (
        golden.cases["naive"],
        dict(zip(golden["naive.token_ids"].tolist(), golden["naive.table_rows"], strict=True)),
    )

    def encode(tokens: dict[str, Any]) -> list[Any]:
        rows = [
            table.get(entry[0], torch.zeros(4)) + golden["naive.positions"][place]
            for section in tokens["l"]
            for place, entry in enumerate(section)
        ]
        return [[torch.stack(rows)[None], {}]]

    embeddings = SimpleNamespace(weight=torch.zeros(1, 4))
    transformer = SimpleNamespace(get_input_embeddings=lambda: embeddings)
    fake = SimpleNamespace(
        tokenizer=room.clip.tokenizer,
        cond_stage_model=SimpleNamespace(clip_l=SimpleNamespace(transformer=transformer)),
        tokenize=lambda text, **how: {"l": room.clip.tokenize(text, **how)["l"]},
        encode_from_tokens_scheduled=encode,
    )
    pairs = "\n".join(" | ".join(pair) for pair in about["pairs"])
    learned, report = room.node("LikenessLearnAttribute").execute(
        clip=fake, name="age", pairs=pairs, prefixes="\n".join(about["prefixes"])
    )
    assert relative_error(learned.clip_l, golden["naive.delta_l"]) <= 1e-6
    assert report.splitlines()[0] == "age: mean of 6 differences of prompts" and "spread" in report


def test_learned_one_by_one_or_many_at_once(room: Any, pack: Any) -> None:
    module = pack.module("likeness.methods.attributes.difference")
    texts = [f"a {word} man" for word in ["old", "young", "big", "small", "happy", "red", "blue"]]
    at_once = module.last_rows(room.clip, texts)
    single = {key: torch.cat([module.last_rows(room.clip, [text])[key] for text in texts]) for key in at_once}
    for key, rows in at_once.items():
        torch.testing.assert_close(rows, single[key], rtol=1e-5, atol=1e-5)


def test_learned_mixed_saved_and_loaded(room: Any, base: Path) -> None:
    learn = room.node("LikenessLearnAttribute").execute
    given = {
        "clip": room.clip,
        "name": " own_age ",
        "pairs": "old man | young man",
        "prefixes": "{,a} {,big}",
    }
    learned, report = learn(**given)
    turned = learn(**{**given, "pairs": "young man | old man"})[0]
    torch.testing.assert_close(turned.clip_l, -learned.clip_l)
    assert learned.kind == "difference" and "own_age: mean of 4 differences" in report
    inputs = {"attributes": {"attribute_0": learned, "attribute_1": room.attributes[1]}, "weights": "1, 0.5"}
    mixed = room.node("LikenessMixAttributes").execute(**inputs)[0]
    room.node("LikenessSaveAttribute").execute(attribute=mixed, filename_prefix="mine/mixed")
    file = "mine/mixed_00001_.safetensors"
    again = room.load(file=file, attribute="own_age + person_smile")[0]
    assert torch.equal(again.clip_l, mixed.clip_l) and torch.equal(again.clip_g, mixed.clip_g)
    assert (again.kind, again.base, again.source) == (mixed.kind, mixed.base, mixed.source)
    assert list(load_file(base / "models" / "attributes" / file)) == [
        "own_age + person_smile.clip_g",
        "own_age + person_smile.clip_l",
    ]
    assert "leads out of" in said(
        room.node("LikenessSaveAttribute").execute, attribute=mixed, filename_prefix="../mixed"
    )


def test_bad_pairs(room: Any) -> None:
    learn = room.node("LikenessLearnAttribute").execute
    given = {"clip": room.clip, "name": "age", "prefixes": ""}
    assert "the line 'old man' is no pair" in said(learn, **given, pairs="old man")
    assert "is longer than 75 tokens" in said(learn, **given, pairs="old " * 80 + "man | young man")
    assert "name 'a.b' is no attribute's name" in said(
        learn, **{**given, "name": "a.b"}, pairs="old man | young man"
    )
    assert "the braces of '{a' do not close" in said(
        learn, **{**given, "prefixes": "{a"}, pairs="old man | young man"
    )
