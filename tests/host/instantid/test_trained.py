"""What training.adapter trains is what the nodes of InstantID draw with: one file, the same noise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from support import emoji_training as tiny
from support.golden import relative_error
from support.sampling import denoise

from training.adapter.export import export
from training.adapter.lesson import AdapterLesson
from training.resampler import Sizes
from training.text_to_image import load_base

SIDE = 16


def unet_of(model: Any, kind: str) -> Any:
    """A checkpoint's U-Net in diffusers."""
    import comfy.utils
    from diffusers import UNet2DConditionModel

    config = model.model.model_config.unet_config
    facts = {**tiny.UNETS[kind], "cross_attention_dim": config["context_dim"], "norm_num_groups": 32}
    facts |= {"in_channels": 4, "out_channels": 4, "layers_per_block": 2}
    facts["attention_head_dim"] = 4 if kind == "sd15" else 2  # so diffusers calls the number of heads
    if kind == "sdxl":
        facts |= {"addition_time_embed_dim": 256}
        facts |= {"projection_class_embeddings_input_dim": config["adm_in_channels"]}
    made, theirs = UNet2DConditionModel(**facts), model.model.diffusion_model.state_dict()
    wanted, names = made.state_dict(), comfy.utils.unet_to_diffusers(config)
    made.load_state_dict({theirs_: theirs[ours] for theirs_, ours in names.items() if theirs_ in wanted})
    return made.eval().requires_grad_(False)


@pytest.fixture(scope="module", params=["sd15", "sdxl"])
def room(request: Any, pack: Any, host: Any, base: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """(kind, the host's MODEL, the trainer's lesson on the same network, the adapter as the node loads it)"""
    kind, folder = request.param, tmp_path_factory.mktemp("trained")
    model = host.CheckpointLoaderSimple().load_checkpoint(f"tiny_{kind}.safetensors")[0]
    unet = unet_of(model, kind)
    parts = replace(load_base(str(tiny.write_base(folder / "base", kind))), unet=unet)
    torch.manual_seed(1)
    width = int(unet.config.cross_attention_dim)
    lesson = AdapterLesson(parts, sizes=Sizes(512, width, 64, 1, 2, 16, 2))
    with torch.no_grad():
        for parameter in lesson.trained().values():
            parameter.add_(0.1 * torch.randn(parameter.shape))
    name = f"trained_{kind}.safetensors"
    export(lesson, base / "models" / "instantid" / name, "auraface")
    adapter = pack.node("LikenessLoadInstantID").execute(file=name)[0]
    return kind, model, lesson, adapter


def told(kind: str, text: torch.Tensor) -> tuple[list[Any], dict[str, torch.Tensor]]:
    """A prompt for the host, and what the trainer's network is told."""
    if kind == "sd15":
        return [[text, {}]], {"text": text}
    pooled = text.mean(dim=1)[:, :64]
    sizes = {"width": 128, "height": 128, "target_width": 128, "target_height": 128}
    ids = torch.tensor([[128, 128, 0, 0, 128, 128]], dtype=torch.float32)
    return [[text, {"pooled_output": pooled, **sizes}]], {
        "text": text,
        "text_embeds": pooled,
        "time_ids": ids,
    }


@pytest.mark.parametrize("timestep", [3, 480, 961])
def test_the_nodes_draw_as_the_trainer_learns(pack: Any, room: Any, timestep: int) -> None:
    kind, model, lesson, adapter = room
    source = torch.Generator().manual_seed(timestep)
    x = torch.randn(1, 4, SIDE, SIDE, generator=source)
    width = adapter.projector.token_width
    text, empty = torch.randn(2, 1, 77, width, generator=source)
    vector = 7 * torch.randn(1, 512, generator=source)
    (positive, here), (negative, nothing) = told(kind, text), told(kind, empty)
    identity = pack.module("likeness.values").Identity(vector, "auraface")
    with torch.inference_mode():
        applied = pack.node("LikenessApplyInstantID").execute(
            model=model,
            instantid=adapter,
            identity=identity,
            positive=positive,
            negative=negative,
            weight=1.0,
        )
        sigma = float(model.get_model_object("model_sampling").sigma(torch.tensor(timestep)))
        noisy = x * (1 + sigma**2) ** 0.5
        drawn = denoise(*applied, noisy, sigma)
    for out, said, who in zip(drawn, (here, nothing), (vector, torch.zeros_like(vector)), strict=True):
        with torch.no_grad():
            found = lesson.noise(x, torch.tensor([timestep]), {**said, "vectors": who})
        # The host gives clean pictures; what was noise in them is lost to rounding where there is little.
        wanted = noisy - sigma * found
        assert relative_error(out, wanted) <= 1e-5
        assert relative_error((noisy - out) / sigma, found) <= (1e-5 if timestep > 100 else 1e-3)


def test_whose_vectors_and_which_model_are_told(pack: Any, host: Any, room: Any) -> None:
    kind, _, _, adapter = room
    assert adapter.takes == "auraface"
    node, prompt = pack.node("LikenessApplyInstantID"), [[torch.zeros(1, 77, 64), {}]]
    values = pack.module("likeness.values")
    other = host.CheckpointLoaderSimple().load_checkpoint(
        f"tiny_{'sdxl' if kind == 'sd15' else 'sd15'}.safetensors"
    )[0]
    given = {"instantid": adapter, "positive": prompt, "negative": prompt}
    with pytest.raises(ValueError, match=r"but trained_.* understands only auraface \(AuraFace-v1's"):
        node.execute(model=other, identity=values.Identity(torch.ones(1, 512), "glintr100"), **given)
    with pytest.raises(ValueError, match=r"but trained_.* was made for"):
        node.execute(model=other, identity=values.Identity(torch.ones(1, 512), "auraface"), **given)
