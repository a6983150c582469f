"""MasterWeaver's file, its tokens and what it refuses. Spec: consistentid_masterweaver.md 2."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from support import masterweaver
from support.emojidiff import flat as eadapter
from support.emojidiff import layers, numbers, resampler
from support.golden import Golden, relative_error

from likeness.adapters import Adapter
from likeness.methods.masterweaver.adapter import parse
from likeness.methods.masterweaver.tokens import tokens_of

TOLERANCE = 1e-5
Content = dict[str, Any]


@pytest.fixture(scope="module")
def golden() -> Golden:
    return Golden("masterweaver")


@pytest.fixture(scope="module")
def adapter(golden: Golden) -> Adapter:
    layout = golden.meta["layout"]
    return parse(masterweaver.content(layout["id_encoder"], layout["adapter_modules"]), {}, "golden")


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_tokens_are_the_authors(golden: Golden, adapter: Adapter, count: int) -> None:
    states = golden["in.states"][:count]
    before = states.clone()
    tokens = tokens_of(adapter, golden["in.zero_state"], states)
    assert relative_error(tokens.somebody, golden[f"out.identity_{count}"]) <= TOLERANCE
    assert tokens.nobody is not None and tokens.nobody.shape == (1, 16, 64)
    assert relative_error(tokens.nobody, golden["out.zero_block"]) <= TOLERANCE
    assert torch.equal(states, before)


def test_nobody_stands_for_as_many_copies(golden: Golden, adapter: Adapter) -> None:
    tokens = tokens_of(adapter, golden["in.zero_state"], golden["in.states"])
    assert tokens.both.shape == (2, 64, 64)
    assert torch.equal(tokens.both[0, 16:32], tokens.both[0, :16])


def test_a_flat_file_is_the_nested_one() -> None:
    nested = masterweaver.tiny()
    one, two = parse(nested, {}, "a"), parse(masterweaver.flat(nested), {}, "a")
    assert one.layers.token_width == two.layers.token_width == 64
    shown = torch.ones(1, 5, masterweaver.VISION)
    assert torch.equal(one.projector(shown), two.projector(shown))


def test_layers_go_by_their_numbers() -> None:
    nested = masterweaver.tiny()
    adapter = parse(nested, {}, "a")
    for index, (to_k, to_v) in enumerate(adapter.layers.pairs):
        assert torch.equal(to_k, nested["adapter_modules"][f"{2 * index + 1}.to_k_img.weight"])
        assert torch.equal(to_v, nested["adapter_modules"][f"{2 * index + 1}.to_v_img.weight"])


def without(part: str, *starts: str) -> Callable[[Content], Content]:
    def change(content: Content) -> Content:
        kept = {key: value for key, value in content[part].items() if not key.startswith(starts)}
        return {**content, part: kept}

    return change


def consistent(content: Content) -> Content:
    return {**content, "FacialEncoder": {"visual_projection.latents": torch.zeros(1, 1, 8)}}


def of_an_ip_adapter(content: Content) -> Content:
    renamed = {key.replace("_img.", "_ip."): value for key, value in content["adapter_modules"].items()}
    return {**content, "adapter_modules": renamed}


WRONG: dict[str, tuple[Callable[[Content], Content], str]] = {
    "ip-adapter": (
        lambda _: eadapter(resampler(), layers(numbers())),
        "is no MasterWeaver file but an IP-Adapter, or InstantID",
    ),
    "ConsistentID": (consistent, "is no MasterWeaver file but a ConsistentID file"),
    "a checkpoint": (
        lambda _: {"model.diffusion_model.x": torch.zeros(1)},
        "is no MasterWeaver file but a whole checkpoint: load it with Load Checkpoint",
    ),
    "an ordinary resampler": (
        without("id_encoder", "final_attn."),
        r"one with an ordinary resampler \(no final_attn\)",
    ),
    "ip layers": (of_an_ip_adapter, r"the layers of an IP-Adapter \(to_k_ip in place of to_k_img\)"),
    "no layers": (lambda c: {**c, "adapter_modules": {}}, "has no adapter_modules: it is not a complete"),
    "no encoder": (lambda c: {**c, "id_encoder": {}}, "has no id_encoder: it is not a complete"),
    "a norm is missing": (without("id_encoder", "norm_out.weight"), "norm_out.weight is missing"),
    "half a last attention": (
        without("id_encoder", "final_attn.to_out"),
        "final_attn.to_out.weight is missing",
    ),
    "a layer is missing": (without("adapter_modules", "7."), "is incomplete: its layers are numbered"),
    "half a layer": (without("adapter_modules", "7.to_v"), "is damaged: layer 7 does not take tokens"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_a_file_is_instead_is_said(name: str) -> None:
    change, sentence = WRONG[name]
    with pytest.raises(ValueError, match=sentence):
        parse(change(masterweaver.tiny()), {}, "this.pt")


@pytest.mark.parametrize("key", ["final_attn.to_kv.weight", "layers.0.1.3.weight", "final_attn.norm1.bias"])
def test_a_misshapen_tensor_is_named(key: str) -> None:
    content = masterweaver.tiny()
    content["id_encoder"][key] = content["id_encoder"][key][:5]
    with pytest.raises(ValueError, match=f"this.pt is no MasterWeaver file: .*{key} is"):
        parse(content, {}, "this.pt")
