"""Bad input to the InstantID nodes ends in a sentence that says what was wrong, where, and what to do."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from support import instantid_files
from support.golden import Golden

GOLDEN = Golden("instantid")
WIDTH = GOLDEN.meta["unet_config"]["context_dim"]


@pytest.fixture(scope="module")
def room(pack: Any) -> SimpleNamespace:
    model = GOLDEN.model()
    sites = pack.module("likeness.attention.sites").attention_sites(model.model.diffusion_model)
    content = instantid_files.adapter((site.hidden for site in sites), WIDTH, GOLDEN.meta["resampler"])
    parse = pack.module("likeness.methods.instantid.adapter").parse
    Identity = pack.module("likeness.values").Identity
    node = pack.node("LikenessApplyInstantID")

    def apply(**inputs: Any) -> Any:
        given = {
            "model": model,
            "instantid": parse(content, {}, "tiny.bin"),
            "identity": Identity(GOLDEN["in.face_embedding"], "glintr100"),
            "positive": GOLDEN.conditioning("positive"),
            "negative": GOLDEN.conditioning("negative"),
        }
        return node.execute(**{**given, **inputs})

    return SimpleNamespace(apply=apply, content=content, parse=parse, Identity=Identity)


def said(room: Any, **inputs: Any) -> str:
    with pytest.raises(ValueError) as error:
        room.apply(**inputs)
    return str(error.value)


def test_an_identity_of_another_recogniser(room: Any) -> None:
    for name in ("sface", "auraface"):
        text = said(room, identity=room.Identity(torch.ones(1, 512), name))
        assert text.startswith(f"identity was made with {name} (")
    assert "glintr100" in text and "Embed Faces" in text


def test_an_identity_of_another_width(room: Any) -> None:
    text = said(room, identity=room.Identity(torch.ones(1, 128), "glintr100"))
    assert "vectors of 128 numbers" in text and "takes 512" in text


def test_an_identity_of_nobody(room: Any) -> None:
    with pytest.raises(ValueError, match="needs at least one face"):
        room.Identity(torch.zeros(0, 512), "glintr100")
    with pytest.raises(ValueError, match="all zeros"):
        room.Identity(torch.zeros(1, 512), "glintr100")


def test_an_identity_with_nan(room: Any) -> None:
    with pytest.raises(ValueError, match="embeddings holds NaN or infinity"):
        room.Identity(torch.full((1, 512), torch.nan), "glintr100")


def test_an_sd15_model(room: Any, host: Any) -> None:
    model = host.CheckpointLoaderSimple().load_checkpoint("tiny_sd15.safetensors")[0]
    text = said(room, model=model)
    assert "model is TinySD15" in text and "InstantID needs an SDXL checkpoint" in text
    assert "768 (SD1.5)" in said(room, model=GOLDEN.model(context_dim=768))


def test_a_flux_model(room: Any, pack: Any) -> None:
    import comfy.model_patcher
    import comfy.supported_models

    config = comfy.supported_models.Flux(
        {"image_model": "flux", "in_channels": 16, "out_channels": 16, "hidden_size": 64, "num_heads": 2}
        | {"depth": 1, "depth_single_blocks": 1, "context_in_dim": 32, "vec_in_dim": 32, "mlp_ratio": 2.0}
        | {
            "axes_dim": [8, 12, 12],
            "theta": 10000,
            "txt_ids_dims": [],
            "qkv_bias": True,
            "guidance_embed": False,
            "patch_size": 2,
        }
    )
    config.set_inference_dtype(torch.float32, None)
    cpu = torch.device("cpu")
    model = comfy.model_patcher.ModelPatcher(config.get_model({}, ""), load_device=cpu, offload_device=cpu)
    text = said(room, model=model)
    assert text.startswith("model is Flux, which has no U-Net cross-attention") and "SDXL" in text


def test_a_model_of_other_depth(room: Any) -> None:
    deeper = GOLDEN.model(transformer_depth=[0, 0, 1, 1, 3, 3])
    text = said(room, model=deeper)
    assert "17 layers" in text and "19 cross-attention layers" in text


def test_a_model_of_other_width(room: Any) -> None:
    text = said(room, model=GOLDEN.model(channel_mult=[1, 2, 2]))
    assert "made for another model" in text


def test_a_control_net_of_another_model(room: Any) -> None:
    other = GOLDEN.control_net(context_dim=96)
    text = said(room, control_net=other, keypoints=GOLDEN["in.kps"])
    assert (
        text.startswith("control_net is a ControlNet that takes tokens of width 96") and "IdentityNet" in text
    )


def test_no_control_net_at_all(room: Any) -> None:
    text = said(room, control_net=SimpleNamespace(), keypoints=GOLDEN["in.kps"])
    assert text.startswith("control_net is empty")


def test_a_control_net_without_keypoints(room: Any) -> None:
    assert "keypoints is not" in said(room, control_net=GOLDEN.control_net())


def test_keypoints_without_a_control_net_are_noted(room: Any, caplog: pytest.LogCaptureFixture) -> None:
    room.apply(keypoints=GOLDEN["in.kps"])
    assert "keypoints are connected but control_net is not" in caplog.text


@pytest.mark.parametrize("name", ["keypoints", "mask"])
def test_nan_in_a_picture(room: Any, name: str) -> None:
    bad = (
        torch.full((1, 128, 192, 3), torch.nan)
        if name == "keypoints"
        else torch.full((1, 128, 192), torch.nan)
    )
    assert said(room, control_net=GOLDEN.control_net(), **{"keypoints": GOLDEN["in.kps"], name: bad}) == (
        f"{name} holds NaN or infinity."
    )


def test_a_mask_of_another_rank(room: Any) -> None:
    assert "mask must be [B, H, W]" in said(room, mask=torch.ones(1, 128, 192, 3))


def test_a_window_backwards(room: Any) -> None:
    assert said(room, start=0.8, end=0.2).startswith("start (0.8) is after end (0.2)")


# Files


def load(pack: Any, file: str) -> str:
    with pytest.raises((ValueError, FileNotFoundError)) as error:
        pack.node("LikenessLoadInstantID").execute(file=file)
    return str(error.value)


def written(base: Path, name: str, content: Any) -> str:
    path = base / "models" / "instantid" / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif name.endswith(".safetensors"):
        save_file(content, path)
    else:
        torch.save(content, path)
    return name


def test_a_missing_file(pack: Any) -> None:
    text = load(pack, "ip-adapter.bin")
    assert "ip-adapter.bin is missing" in text and "python install.py --models instantid" in text
    for folder in pack.module("likeness.host.files").model_folders("instantid"):
        assert folder in text
    other = load(pack, "mine.safetensors")
    assert other.startswith("mine.safetensors is not in models/instantid") and "tiny_instantid" in other


@pytest.mark.parametrize("name", ["cut.bin", "cut.safetensors"])
def test_a_truncated_file(pack: Any, base: Path, room: Any, name: str) -> None:
    whole = "whole" + Path(name).suffix
    content = room.content if name.endswith(".bin") else instantid_files.flat(room.content)
    path = base / "models" / "instantid" / written(base, whole, content)
    data = path.read_bytes()
    written(base, name, data[: len(data) // 2])
    text = load(pack, name)
    assert text.startswith(f"{name} can't be read as weights") and "download" in text


def test_a_file_that_could_run_code(pack: Any, base: Path) -> None:
    class Surprise:
        def __reduce__(self) -> Any:
            return (pytest.fail, ("the pickle was run",))

    text = load(pack, written(base, "surprise.bin", {"image_proj": Surprise()}))
    assert "holds more than tensors and was not opened" in text


def test_text_with_the_ending_of_weights(pack: Any, base: Path) -> None:
    assert "can't be read as weights" in load(
        pack, written(base, "page.safetensors", b"<html>Not found</html>")
    )
    assert "page.bin" in load(pack, written(base, "page.bin", b"<html>Not found</html>"))


@pytest.mark.parametrize(
    ("keys", "what"),
    [
        (["controlnet_cond_embedding.conv_in.weight"], "a ControlNet in diffusers layout"),
        (["model.diffusion_model.input_blocks.0.0.weight"], "a whole checkpoint"),
        (["lora_unet_down_blocks_0.lora_down.weight"], "a LoRA"),
        (["something.weight"], "something else (its first keys: something.weight)"),
    ],
)
def test_another_kind_of_file(pack: Any, base: Path, keys: list[str], what: str) -> None:
    name = written(base, "other.safetensors", {key: torch.zeros(2) for key in keys})
    text = load(pack, name)
    assert f"not an InstantID adapter but {what}" in text


def test_a_plain_ip_adapter(pack: Any, base: Path, room: Any) -> None:
    content = {"image_proj": {"proj.weight": torch.zeros(4, 4)}, "ip_adapter": room.content["ip_adapter"]}
    assert "is an IP-Adapter, not InstantID" in load(pack, written(base, "plain.bin", content))


def test_parts_that_are_missing(room: Any) -> None:
    layers, projector = room.content["ip_adapter"], room.content["image_proj"]
    with pytest.raises(ValueError, match=r"no attention layers"):
        room.parse({"image_proj": projector}, {}, "x")
    with pytest.raises(ValueError, match=r"no resampler: latents is missing"):
        room.parse(
            {"image_proj": {k: v for k, v in projector.items() if k != "latents"}, "ip_adapter": layers},
            {},
            "x",
        )
    gap = {k: v for k, v in layers.items() if not k.startswith("3.")}
    with pytest.raises(ValueError, match=r"x is incomplete: its layers are numbered \[1, 5"):
        room.parse({"image_proj": projector, "ip_adapter": gap}, {}, "x")
    narrow = {**layers, "1.to_k_ip.weight": torch.zeros(32, 3)}
    with pytest.raises(ValueError, match=r"x is damaged: layer 1"):
        room.parse({"image_proj": projector, "ip_adapter": narrow}, {}, "x")
