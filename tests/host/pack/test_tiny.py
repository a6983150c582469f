"""The host's own loaders take the tiny files, which have every attention site of the real networks."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch


@pytest.mark.parametrize("kind, sites", [("sd15", 16), ("sdxl", 70)])
def test_tiny_checkpoint_samples(host: ModuleType, kind: str, sites: int) -> None:
    with torch.inference_mode():  # as the host runs nodes
        model, clip, vae = host.CheckpointLoaderSimple().load_checkpoint(f"tiny_{kind}.safetensors")
        control = host.ControlNetLoader().load_controlnet(f"tiny_{kind}.safetensors")[0]
        texts = [host.CLIPTextEncode().encode(clip, words)[0] for words in ("a face", "")]
        hint = torch.rand(1, 128, 128, 3, generator=torch.Generator().manual_seed(0))
        positive, negative = host.ControlNetApplyAdvanced().apply_controlnet(
            *texts, control, hint, 0.8, 0.0, 1.0
        )
        latent = host.EmptyLatentImage().generate(128, 128, 1)[0]
        sampled = host.KSampler().sample(
            model, 1, 2, 5.0, "euler", "normal", positive, negative, latent, 1.0
        )[0]
        picture = host.VAEDecode().decode(vae, sampled)[0]
    assert picture.shape == (1, 128, 128, 3)
    assert torch.isfinite(picture).all()
    names = [name for name, _ in model.model.diffusion_model.named_modules() if name.endswith(".attn2")]
    assert len(names) == sites


def test_tiny_instantid_has_the_official_names(base) -> None:
    from safetensors import safe_open

    with safe_open(base / "models" / "instantid" / "tiny_instantid.safetensors", "pt") as file:
        names = set(file.keys())
        metadata = file.metadata()
        width = file.get_slice("ip_adapter.139.to_v_ip.weight").get_shape()[1]
        output = file.get_slice("image_proj.proj_out.weight").get_shape()[0]
    assert metadata["recogniser"] == "sface"
    assert {f"ip_adapter.{n}.to_k_ip.weight" for n in range(1, 140, 2)} <= names
    assert width == output == 128


def test_tiny_arc2face_loads_and_samples(host: ModuleType, pack: Any) -> None:
    """Through the loaders a user takes: model, encoder, ControlNet, expression adapter and LoRA."""
    identity = pack.module("likeness.values").Identity(torch.ones(1, 512), "arc2face")
    expression = pack.module("likeness.values").Expression(torch.full((1, 55), 0.1))

    def run(node: str, **inputs: Any) -> Any:
        return pack.node(node).execute(**inputs).args

    with torch.inference_mode():
        model, clip = run(
            "LikenessLoadArc2Face",
            unet_file="tiny_arc2face.safetensors",
            encoder_file="tiny_arc2face_encoder.safetensors",
        )
        vae = host.CheckpointLoaderSimple().load_checkpoint("tiny_sd15.safetensors")[2]
        control = host.ControlNetLoader().load_controlnet("tiny_arc2face.safetensors")[0]
        (adapter,) = run("LikenessLoadExpressionAdapter", file="tiny_expression.safetensors")
        texts = run("LikenessEncodeArc2Face", clip=clip, identity=identity)
        hint = torch.rand(1, 128, 128, 3, generator=torch.Generator().manual_seed(0))
        reference = {"image": hint, "positive": texts[0], "lora": "tiny_reference.safetensors"}
        (model,) = run("LikenessApplyReference", model=model, vae=vae, **reference)
        (model,) = run(
            "LikenessApplyExpression", model=model, expression_adapter=adapter, expression=expression
        )
        texts = host.ControlNetApplyAdvanced().apply_controlnet(*texts, control, hint, 0.8, 0.0, 1.0)
        latent = host.EmptyLatentImage().generate(128, 128, 1)[0]
        sampled = host.KSampler().sample(model, 1, 2, 3.0, "dpmpp_2m", "sgm_uniform", *texts, latent, 1.0)[0]
        picture = host.VAEDecode().decode(vae, sampled)[0]
    assert texts[0][0][0].shape == texts[1][0][0].shape == (1, 77, 512)
    assert picture.shape == (1, 128, 128, 3) and torch.isfinite(picture).all() and picture.std() > 0.01
    names = [name for name, _ in model.model.diffusion_model.named_modules() if name.endswith(".attn2")]
    assert len(names) == 16
    assert len(model.patches) == 64  # q, k, v and out of all sixteen layers


def test_the_tiny_face_pack_is_kept_out_of_the_host_tests(base: Path) -> None:
    assert not (base / "models" / "insightface" / "models" / "antelopev2").exists()
