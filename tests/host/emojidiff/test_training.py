"""What training.emojidiff trains is what Apply E-Adapter applies: the same weights give the same noise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from support import emoji_training as tiny
from support import emojidiff
from support.golden import relative_error
from support.sampling import denoise

from installer import tiny as tiny_pack
from training.emojidiff.export import read_adapter
from training.emojidiff.lesson import normalised
from training.emojidiff.network import Shares, add_expression, expression_parameters
from training.resampler import Resampler

CHECKPOINT, SIDE = "tiny_sd15.safetensors", 16


@pytest.fixture(scope="module")
def unet(host: Any, base: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The tiny checkpoint's U-Net in diffusers."""
    from diffusers import UNet2DConditionModel

    folder = tmp_path_factory.mktemp("config")
    facts = {**tiny.UNETS["sd15"], "cross_attention_dim": emojidiff.CONTEXT, "attention_head_dim": 4}
    UNet2DConditionModel(**facts, norm_num_groups=32).save_config(folder / "unet")
    path = str(base / "models" / "checkpoints" / CHECKPOINT)
    return UNet2DConditionModel.from_single_file(
        path, config=str(folder), subfolder="unet", local_files_only=True
    )


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from safetensors.torch import save_file

    path = tmp_path_factory.mktemp("adapter") / "adapter.safetensors"
    save_file(emojidiff.flat(emojidiff.resampler(), emojidiff.layers(emojidiff.numbers())), path)
    return path


@pytest.mark.parametrize("timestep", [3, 480, 961])
def test_the_trainers_network_is_the_nodes(
    pack: Any, host: Any, unet: Any, file: Path, timestep: int
) -> None:
    source = torch.Generator().manual_seed(timestep)
    x = torch.randn(1, 4, SIDE, SIDE, generator=source)
    text, empty = torch.randn(2, 1, 77, emojidiff.CONTEXT, generator=source)
    features = torch.randn(1, 17, emojidiff.VISION, generator=source)
    tensors = read_adapter(file)

    with torch.inference_mode():
        model = host.CheckpointLoaderSimple().load_checkpoint(CHECKPOINT)[0]
        methods = pack.module("likeness.methods.emojidiff.adapter")
        adapter = methods.parse(tensors, {}, "tiny")
        tokens = pack.module("likeness.adapters").Tokens(
            adapter.projector(features), adapter.projector(torch.zeros_like(features)), adapter.made
        )
        node = pack.node("LikenessApplyEAdapter")
        applied = node.execute(model=model, eadapter=adapter, expression_tokens=tokens)[0]
        sigma = float(model.get_model_object("model_sampling").sigma(torch.tensor(timestep)))
        noisy = x * (1 + sigma**2) ** 0.5
        denoised = denoise(applied, [[text, {}]], [[empty, {}]], noisy, sigma)[0]
        wanted = (noisy - denoised) / sigma

    resampler = Resampler.from_tensors(
        {name.removeprefix("image_proj."): v for name, v in tensors.items() if name.startswith("image_proj.")}
    )
    add_expression(unet, Shares(0, resampler.sizes.tokens))
    with torch.no_grad():
        for name, place in expression_parameters(unet).items():
            place.copy_(tensors[f"ip_adapter.{name}"])
        found = unet(x, torch.tensor([timestep]), torch.cat([text, resampler(features)], dim=1)).sample
    assert relative_error(found, wanted) <= 1e-5


def test_the_trainer_sees_what_encode_expression_sees(
    host: Any, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tiny_pack.PACK.parent)
    from likeness_tiny.clip_vision import CONFIG
    from safetensors.torch import load_file
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    name = "tiny_clip_vision.safetensors"
    vision = CLIPVisionModelWithProjection(CLIPVisionConfig(**CONFIG)).eval()
    missing, _ = vision.load_state_dict(load_file(base / "models" / "clip_vision" / name), strict=False)
    assert missing == []
    vision.half().float()  # the host keeps CLIP's weights at half precision
    template = (tiny.toy_template(1) * 255).round() / 255
    with torch.inference_mode():
        seen = host.CLIPVisionLoader().load_clip(name)[0].encode_image(template.movedim(0, -1)[None])
        found = vision(normalised(template[None]), output_hidden_states=True)
    assert relative_error(found.hidden_states[-2], seen["penultimate_hidden_states"]) <= 1e-5
