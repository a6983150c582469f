"""What a file of ConsistentID may look like, and what each wrong one is told to be."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from layout.shapes import LAYOUTS
from support import consistentid_files as files
from support import instantid_files

from likeness.methods.consistentid.adapter import parse

HIDDEN = [32] * 16
WHOLE = files.content(HIDDEN, 64)


def without(part: str, *keys: str) -> dict[str, Any]:
    """The whole file less some keys of a part."""
    return {**WHOLE, part: {k: v for k, v in WHOLE[part].items() if not k.startswith(keys)}}


def changed(part: str, key: str, *shape: int) -> dict[str, Any]:
    return {**WHOLE, part: {**WHOLE[part], key: torch.zeros(shape)}}


def renamed() -> dict[str, Any]:
    """As the converter that is published with it writes files, for either base."""
    return {("image_proj_model" if k == "image_proj" else k): v for k, v in WHOLE.items()}


@pytest.mark.parametrize(
    "content",
    [WHOLE, renamed(), files.flat(WHOLE), {**files.flat(renamed()), "unet.conv_in.weight": torch.zeros(1)}],
    ids=["nested", "the other name", "flat", "as training leaves it"],
)
def test_every_layout(content: dict[str, Any]) -> None:
    adapter = parse(content, {}, "some.bin")
    assert adapter.takes == "w600k_r50" and adapter.loras is not None and len(adapter.loras.pairs) == 128
    assert len(adapter.layers.pairs) == 16 and adapter.projector.token_width == 64
    states = torch.ones(2, 5, files.VISION)
    found = adapter.projector(torch.ones(2, 512), states)
    again = parse(WHOLE, {}, "other.bin").projector(torch.ones(2, 512), states)
    assert found.shape == (2, 4, 64) and torch.equal(found, again)


def test_the_family_shows_in_the_number_of_layers() -> None:
    """Only SDXL's tokens have what was asked added to them."""
    assert not parse(WHOLE, {}, "sd15.bin").projector.shortcut
    assert parse(files.content([32] * 70, 64), {}, "sdxl.bin").projector.shortcut


def test_a_file_may_name_its_recogniser() -> None:
    assert parse(WHOLE, {"recogniser": "sface"}, "tiny").takes == "sface"


FACEID_PLUS = {"image_proj": WHOLE["image_proj"], "ip_adapter": WHOLE["adapter_modules"]}
INSTANTID = instantid_files.adapter(HIDDEN, 64)
HALF = {key: value[: len(value) // 2] for key, value in WHOLE["image_proj"].items()}
LORA = "adapter_modules"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (FACEID_PLUS, r"x.bin is not ConsistentID but an IP-Adapter FaceID-Plus file, which has no FacialEn"),
        (INSTANTID, "is not ConsistentID but an IP-Adapter or InstantID, which has no FacialEncoder"),
        ({"id_encoder": {"latents": torch.zeros(1)}}, "but a MasterWeaver file: load it with Load Master"),
        ({"lora_unet_x.lora_up.weight": torch.zeros(1)}, "but a LoRA: load it with Load LoRA"),
        (without("FacialEncoder", ""), "a part of it: FacialEncoder is missing, the download may have ended"),
        (
            without("image_proj", "perceiver_resampler.layers.0.0.to_q"),
            "no perceiver_resampler in image_proj",
        ),
        (
            without("image_proj", "proj.2.bias"),
            "x.bin is not a whole file.*no projection: proj.2.bias is mis",
        ),
        (
            without("FacialEncoder", "visual_projection.latents"),
            "no visual_projection in FacialEncoder: late",
        ),
        (
            without("FacialEncoder", "fuse_module.mlp2"),
            "no fuse_module in FacialEncoder: mlp2.layernorm.weig",
        ),
        (changed("FacialEncoder", "fuse_module.mlp1.fc2.weight", 3, 3), r"mlp1.fc2.weight is \[3, 3\]"),
        (changed("FacialEncoder", "visual_projection.latents", 1, 2, 64), "makes 2 vectors of a part"),
        ({**WHOLE, "image_proj": HALF}, "x.bin is not a whole file of ConsistentID: "),
        ({**WHOLE, "FacialEncoder": files.content([], 32)["FacialEncoder"]}, "makes vectors 32 wide of stat"),
        (without(LORA, "7.to_v_ip"), "x.bin is damaged: layer 7 does not take tokens"),
        (without(LORA, "9."), "x.bin is incomplete: its layers are numbered"),
        (
            without(LORA, "6.to_out_lora.up"),
            "x.bin is incomplete: adapter_modules has no whole 6.to_out_lora",
        ),
        (without(LORA, "31.to_k_ip", "31.to_v_ip"), "x.bin is cut: it has 3[01].to_q_lora, but not that lay"),
        (changed(LORA, "4.to_q_lora.up.weight", 32, 7), r"damaged: 4.to_q_lora is \[32, 7\] and \[2, 32\]"),
        (
            changed(LORA, "4.to_q_lora.alpha", 1),
            "x.bin is another file.*adapter_modules has 4.to_q_lora.alph",
        ),
    ],
)
def test_another_file_is_told(content: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse(content, {}, "x.bin")


def test_a_published_width_has_all_its_layers() -> None:
    with pytest.raises(ValueError, match=r"cut: it has 15 cross-attention layers instead of the 16 of SD1.5"):
        parse(files.content([8] * 15, 768), {}, "ConsistentID-v1.bin")


@pytest.mark.parametrize(("key", "layers"), [("consistentid/sd15", 16), ("consistentid/sdxl", 70)])
def test_the_names_and_shapes_of_the_published_files(key: str, layers: int) -> None:
    """Without a number: tensors on the device that holds none."""
    shapes = LAYOUTS[key].read()
    content = {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
    adapter = parse(content, {}, key)
    assert len(shapes) == {16: 453, 70: 1425}[layers]
    assert len(adapter.layers.pairs) == layers and adapter.loras is not None
    assert len(adapter.loras.pairs) == 8 * layers
    assert adapter.projector.token_width == {16: 768, 70: 2048}[layers]
    assert (adapter.projector.embedding_width, adapter.projector.face_width) == (1280, 512)
    assert adapter.facial is not None and adapter.facial.sees.depth == 8
