"""E-adapter files and tokens without a host: kinds, subsets, round trips, blends. Spec C.1, C.8."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from support import emojidiff
from support.fill import fill

from likeness.adapters import MadeWith, Tokens
from likeness.attention.adds import rows_of
from likeness.attention.views import View
from likeness.faces.keypoints import draw_kps, keypoint_images
from likeness.methods.emojidiff.adapter import encode, parse
from likeness.methods.emojidiff.blend import blend
from likeness.values import Expression, Face, Faces

FACTS = {"format": "emojidiff-style/1", "base": "sd15", "template": "aligned-masked-v1", "layers": "all"}


def whole() -> dict[str, torch.Tensor]:
    return emojidiff.flat(emojidiff.resampler(), emojidiff.layers(emojidiff.numbers()))


def tokens(count: int, seed: int, adapter: str = "a") -> Tokens:
    made = torch.randn(count, 4, 8, generator=torch.Generator().manual_seed(seed))
    return Tokens(made, torch.zeros(1, 4, 8), MadeWith(adapter))


# Files


def test_nested_and_flat_files_are_the_same_adapter() -> None:
    """C7, the reading half: as IP-Adapter's .bin files nest, and as safetensors copies lie flat."""
    nested = {"image_proj": emojidiff.resampler(), "ip_adapter": emojidiff.layers(emojidiff.numbers())}
    one, other = parse(nested, {}, "x"), parse(whole(), {}, "x")
    assert one.takes == other.takes == "clip_vision" and len(one.layers.pairs) == 16
    features = torch.randn(2, 17, emojidiff.VISION)
    assert torch.equal(one.projector(features), other.projector(features))
    for mine, theirs in zip(one.layers.pairs, other.layers.pairs, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(mine, theirs, strict=True))


def related(name: str) -> dict[str, torch.Tensor]:
    """The projection of another kind of adapter."""
    width = emojidiff.CONTEXT
    wide = {"plain": 1024, "FaceID": 512, "Full": 1280}.get(name, 0)
    kinds: dict[str, dict[str, tuple[int, ...]]] = {
        "plain": {"proj.weight": (4 * width, wide), "proj.bias": (4 * width,), "norm.weight": (width,)},
        "FaceID": {
            "proj.0.weight": (2 * wide, wide),
            "proj.2.weight": (4 * width, 2 * wide),
            "norm.weight": (width,),
        },
        "Full": {"proj.0.weight": (wide, wide), "proj.2.weight": (width, wide), "proj.3.weight": (width,)},
        "FaceID Plus": {"perceiver_resampler.proj_in.weight": (width, 1280), "norm.weight": (width,)},
    }
    return {key: fill(key, shape) for key, shape in kinds[name].items()}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("plain", "is not an E-adapter but a plain IP-Adapter"),
        ("Full", "but an IP-Adapter Full"),
        ("FaceID", "but an IP-Adapter FaceID, which"),
        ("FaceID Plus", "but an IP-Adapter FaceID Plus"),
    ],
)
def test_relatives_are_refused_by_name(name: str, message: str) -> None:
    content = emojidiff.flat(related(name), emojidiff.layers(emojidiff.numbers()))
    with pytest.raises(ValueError, match=message):
        parse(content, {}, "x.bin")


def test_instantid_and_strangers_are_refused_by_name() -> None:
    instantid = emojidiff.flat(emojidiff.resampler(vision=512), emojidiff.layers(emojidiff.numbers()))
    with pytest.raises(ValueError, match="an InstantID adapter: load it with Load InstantID"):
        parse(instantid, {}, "x.bin")
    with pytest.raises(ValueError, match="a LoRA: load it with Load LoRA"):
        parse({"lora_unet_down.weight": torch.zeros(1)}, {}, "x.safetensors")
    with pytest.raises(ValueError, match="something else"):
        parse(emojidiff.flat(emojidiff.resampler(), {}), {}, "x.safetensors")


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"format": "emojidiff-style/2"}, "has the format emojidiff-style/2"),
        ({"template": "raw-v9"}, "was trained on templates raw-v9"),
        ({"base": "sd3"}, "was made for sd3; known are sd15, sdxl"),
        ({"layers": "1,3,5"}, "its layers are 1,3,5, but it holds 1, 3, 5, 7, ... \\(16 of them\\)"),
        ({"base": "sdxl"}, "it says that its layers are 1, 3, 5, 7, ... \\(70 of them\\)"),
    ],
)
def test_what_a_file_says_of_itself_is_checked(facts: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse(whole(), {**FACTS, **facts}, "x.safetensors")


@pytest.mark.parametrize("key", ["one.to_k_ip.weight", "9" * 5000 + ".to_k_ip.weight", ".to_k_ip.weight"])
def test_what_only_looks_like_a_layer_is_left_out(key: str) -> None:
    content = {**whole(), f"ip_adapter.{key}": torch.zeros(2, 2)}
    for facts in ({}, FACTS):
        assert len(parse(content, facts, "x.safetensors").layers.pairs) == emojidiff.SD15_SITES


def test_a_file_cut_short_is_told() -> None:
    content = {key: value for key, value in whole().items() if not key.startswith("ip_adapter.31.")}
    with pytest.raises(ValueError, match=r"is incomplete: it says that its layers are 1, 3, 5, 7"):
        parse(content, FACTS, "x.safetensors")
    lost = {key: value for key, value in whole().items() if key != "ip_adapter.31.to_v_ip.weight"}
    with pytest.raises(ValueError, match="is damaged: layer 31"):
        parse(lost, {}, "x.safetensors")
    torn = {key: value for key, value in whole().items() if "proj_out" not in key}
    with pytest.raises(ValueError, match=r"proj_out\.weight"):
        parse(torn, {}, "x.safetensors")


@pytest.mark.parametrize("layers", ["proj", "proj.0"])
def test_arc2face_s_expression_adapter_is_understood(layers: str) -> None:
    """C12: both layouts its file may have; FLAME parameters in place of pictures."""
    projection = emojidiff.flame()
    if layers == "proj.0":
        projection = {key: value for key, value in projection.items() if key.startswith("norm")}
        shapes = {"proj.0.weight": (110, 55), "proj.0.bias": (110,), "proj.2.weight": (256, 110)}
        projection |= {key: fill(key, shape) for key, shape in {**shapes, "proj.2.bias": (256,)}.items()}
    content = emojidiff.flat(projection, emojidiff.layers(emojidiff.numbers()))
    adapter = parse(content, {}, "exp_adapter.bin")
    assert adapter.takes == "flame_vector"
    expression = Expression(torch.randn(1, 55))
    found = encode(adapter, expression=expression)
    assert torch.allclose(found.somebody, adapter.projector(expression.parameters[:, None]), atol=1e-6)
    assert torch.allclose(found.nobody, adapter.projector(torch.zeros(1, 1, 55)), atol=1e-6)
    with pytest.raises(ValueError, match="takes FLAME parameters, not pictures: connect expression"):
        encode(adapter, templates=torch.zeros(1, 8, 8, 3))
    with pytest.raises(ValueError, match="takes pictures, not FLAME parameters"):
        encode(parse(whole(), {}, "x"), expression=expression)


@pytest.mark.parametrize(
    ("given", "message"), [({}, "template"), ({"templates": torch.zeros(1, 8, 8, 3)}, "clip_vision")]
)
def test_what_is_not_connected_is_named(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}.* is not connected"):
        encode(parse(whole(), {}, "x"), **given)


# Blends


def test_blends_lie_on_the_line_and_end_at_its_ends() -> None:
    a, b = tokens(1, 1), tokens(1, 2)
    assert torch.equal(blend(a, b, 0.0).somebody, a.somebody) and torch.equal(
        blend(a, b, 1.0).somebody, b.somebody
    )
    assert torch.allclose(blend(a, b, 0.25).somebody, 0.75 * a.somebody + 0.25 * b.somebody)
    steps = blend(a, b, 1.0, 5)
    assert len(steps) == 5
    assert torch.equal(steps.somebody[:1], a.somebody) and torch.equal(steps.somebody[-1:], b.somebody)
    assert torch.allclose(steps.somebody[2:3], blend(a, b, 0.5).somebody)
    further = blend(a, b, 1.5, 4)
    assert torch.allclose(further.somebody[-1:], blend(a, b, 1.5).somebody)
    assert torch.equal(steps.nobody, a.nobody)


def test_batches_blend_row_by_row() -> None:
    several, one = tokens(3, 1), tokens(1, 2)
    assert torch.allclose(
        blend(several, one, 0.3).somebody[1], 0.7 * several.somebody[1] + 0.3 * one.somebody[0]
    )
    assert len(blend(several, tokens(3, 4))) == 3


@pytest.mark.parametrize(
    ("a", "b", "steps", "message"),
    [
        (tokens(1, 1), tokens(1, 1, "b"), 1, "made with a, expression_b with b"),
        (tokens(2, 1), tokens(3, 1), 1, "holds 2 expressions and expression_b 3"),
        (tokens(2, 1), tokens(2, 1), 4, "A sequence goes from one expression to one other"),
        (tokens(1, 1), tokens(1, 1), 0, "steps must be 1 or more"),
    ],
)
def test_blends_that_can_not_be_are_told(a: Tokens, b: Tokens, steps: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        blend(a, b, 1.0, steps)


def test_tokens_are_checked_when_made() -> None:
    for bad in (torch.zeros(4, 8), torch.zeros(0, 4, 8), torch.full((1, 4, 8), float("nan"))):
        with pytest.raises(ValueError, match=r"Tokens of a (must be|hold)"):
            Tokens(bad, torch.zeros(1, 4, 8), MadeWith("a"))
    with pytest.raises(ValueError, match="do not fit"):
        Tokens(torch.zeros(1, 4, 8), torch.zeros(1, 3, 8), MadeWith("a"))


# Rows


def test_one_expression_for_each_picture() -> None:
    def views(*roles: Any) -> list[View]:
        return [View(role) for role in roles]

    given = torch.arange(4.0)[:, None, None].expand(4, 2, 3)
    rows = rows_of(given, views("negative", "positive"), 6)[:, 0, 0]
    assert rows.tolist() == [0, 0, 0, 1, 2, 3]
    assert rows_of(given, views("positive", "negative"), 6)[:, 0, 0].tolist() == [1, 2, 3, 0, 0, 0]
    assert rows_of(given, views("positive"), 3)[:, 0, 0].tolist() == [1, 2, 3]
    assert rows_of(given, views("negative"), 5)[:, 0, 0].tolist() == [0] * 5
    with pytest.raises(ValueError, match="There are 3 expressions for 2 pictures"):
        rows_of(given, views("negative", "positive"), 4)


# Keypoints without the mouth


def test_the_mouth_may_be_left_out() -> None:
    points = torch.tensor([[60.0, 60], [120, 60], [90, 95], [70, 130], [110, 130]])
    faces = Faces(torch.zeros(1, 180, 180, 3), ((Face(torch.tensor([40.0, 30, 140, 160]), points),),))
    every, few = keypoint_images(faces), keypoint_images(faces, points="eyes and nose")
    assert torch.equal(every, keypoint_images(faces, points="all"))
    assert torch.equal(every[:, :90, :], few[:, :90, :])  # eyes and their sticks are as they were
    assert every[0, 130, 70].any() and not few[0, 115:].any()
    assert (few[0, 95, 90] == torch.tensor([0.0, 0, 1])).all()  # the nose
    assert (draw_kps(180, 180, [points[:3]]) == (few[0] * 255).round().numpy()).all()
    with pytest.raises(ValueError, match="points must be one of all, eyes and nose"):
        keypoint_images(faces, points="mouth")
