"""InstantID adapters that others trained: they load in its place, whatever else their file holds."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from support import instantid_files, masterweaver

PARTS = ("image_proj", "image_proj_model"), ("ip_adapter", "adapter_modules")


@pytest.fixture(scope="module")
def parse(pack: Any) -> Any:
    return pack.module("likeness.methods.instantid.adapter").parse


@pytest.fixture(scope="module")
def published() -> dict[str, dict[str, torch.Tensor]]:
    return instantid_files.adapter((32,) * 4, 64)


def renamed(content: dict[str, Any]) -> dict[str, Any]:
    """As accelerate saves what was trained."""
    return {theirs: content[ours] for ours, theirs in PARTS}


@pytest.mark.parametrize("flat", [False, True], ids=["nested", "flat"])
@pytest.mark.parametrize("named", [False, True], ids=["published names", "names of a training"])
def test_the_layouts_load_alike_and_extra_keys_are_named(
    parse: Any, published: Any, caplog: pytest.LogCaptureFixture, flat: bool, named: bool
) -> None:
    content = renamed(published) if named else dict(published)
    content["controlnet"] = {"conv_in.weight": torch.zeros(2), "conv_in.bias": torch.zeros(2)}
    content["unet"] = {"conv_out.weight": torch.zeros(2)}
    layers = "adapter_modules" if named else "ip_adapter"
    content[layers] = {**content[layers], "1.to_q_lora.down.weight": torch.zeros(1, 1)}
    if flat:
        content = instantid_files.flat(content)
    with caplog.at_level("INFO"):
        found = parse(content, {}, "faceid-6m.bin")
    assert (
        "faceid-6m.bin holds more than an InstantID adapter; passed over: controlnet (2), "
        "ip_adapter.to_q_lora.down.weight (1), unet (1)." in caplog.text
    )
    plain = parse(published, {}, "ip-adapter.bin")
    for mine, theirs in zip(found.layers.pairs, plain.layers.pairs, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(mine, theirs, strict=True))
    face = torch.ones(1, 1, 512)
    assert torch.equal(found.projector(face), plain.projector(face))
    assert found.takes == plain.takes == "glintr100"


def test_the_published_file_says_nothing(
    parse: Any, published: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        parse(published, {}, "ip-adapter.bin")
    assert "passed over" not in caplog.text


def test_adapters_of_the_same_part_names_are_told_apart(parse: Any, published: Any) -> None:
    consistent = {**renamed(published), "FacialEncoder": {"visual_projection.latents": torch.zeros(1)}}
    for content in (consistent, instantid_files.flat(consistent), masterweaver.tiny()):
        with pytest.raises(ValueError, match="is no InstantID adapter, but one of ConsistentID or Mas"):
            parse(content, {}, "x.bin")
