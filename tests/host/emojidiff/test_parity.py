"""E-adapters through our nodes in the host against diffusers' own IP-Adapter Plus, weights and all."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from support.golden import relative_error
from support.sampling import denoise

TOLERANCE = 1e-5
WEIGHT = 0.8
TIMESTEP = 500
SIDE = 16

#: What diffusers has to be told of the tiny networks.
SD15 = {
    "down_block_types": (*("CrossAttnDownBlock2D",) * 3, "DownBlock2D"),
    "up_block_types": ("UpBlock2D", *("CrossAttnUpBlock2D",) * 3),
    "block_out_channels": (32,) * 4,
    "cross_attention_dim": 64,
    "attention_head_dim": 4,  # which means: four heads
}
SDXL = {
    "down_block_types": ("DownBlock2D", *("CrossAttnDownBlock2D",) * 2),
    "up_block_types": (*("CrossAttnUpBlock2D",) * 2, "UpBlock2D"),
    "block_out_channels": (32,) * 3,
    "cross_attention_dim": 128,
    "attention_head_dim": 2,
    "transformer_layers_per_block": [1, 2, 10],
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 1536 + 64,
}
CONFIGS = {"sd15": SD15, "sdxl": SDXL}

pytestmark = pytest.mark.usefixtures("as_the_executor_does")


def seeded(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def template() -> torch.Tensor:
    return torch.rand(1, 224, 224, 3, generator=torch.Generator().manual_seed(3))


@pytest.fixture(scope="module")
def vision(host: Any) -> Any:
    return host.CLIPVisionLoader().load_clip("tiny_clip_vision.safetensors")[0]


def conditioning(kind: str, seed: int) -> tuple[list[Any], torch.Tensor, torch.Tensor]:
    """A prompt for the host, its tokens and its pooled vector."""
    tokens, pooled = (
        seeded(1, 77, CONFIGS[kind]["cross_attention_dim"], seed=seed),
        seeded(1, 64, seed=seed + 1),
    )
    size = SIDE * 8
    facts = {"width": size, "height": size, "target_width": size, "target_height": size}
    return [[tokens, {"pooled_output": pooled, "crop_w": 0, "crop_h": 0, **facts}]], tokens, pooled


def theirs(kind: str, base: Path, model: Any) -> Any:
    """diffusers' network with the weights of the host's and the adapter's file in it."""
    from comfy.utils import unet_to_diffusers
    from diffusers import UNet2DConditionModel

    network = UNet2DConditionModel(sample_size=SIDE, in_channels=4, out_channels=4, **CONFIGS[kind])
    state, names = (
        model.model.diffusion_model.state_dict(),
        unet_to_diffusers(model.model.model_config.unet_config),
    )
    wanted = network.state_dict()
    network.load_state_dict({name: state[ours].clone() for name, ours in names.items() if name in wanted})
    flat = load_file(base / "models" / "emojidiff" / f"tiny_emojidiff_{kind}.safetensors")
    nested: dict[str, dict[str, torch.Tensor]] = {"image_proj": {}, "ip_adapter": {}}
    for key, value in flat.items():
        part, _, name = key.partition(".")
        nested[part][name] = value
    network._load_ip_adapter_weights([nested], low_cpu_mem_usage=False)
    for processor in network.attn_processors.values():
        if hasattr(processor, "scale"):
            processor.scale = [WEIGHT]
    return network.eval()


@pytest.fixture(scope="module", params=["sd15", "sdxl"])
def pair(
    request: Any, pack: Any, host: Any, base: Path, vision: Any, template: torch.Tensor
) -> SimpleNamespace:
    """The same adapter in the host through our nodes, and in diffusers; what both look at."""
    kind = request.param
    model = host.CheckpointLoaderSimple().load_checkpoint(f"tiny_{kind}.safetensors")[0]
    adapter = pack.node("LikenessLoadEAdapter").execute(file=f"tiny_emojidiff_{kind}.safetensors")[0]
    encode = pack.node("LikenessEncodeExpression").execute
    tokens = encode(eadapter=adapter, clip_vision=vision, template=template)[0]
    patched = pack.node("LikenessApplyEAdapter").execute(
        model=model, eadapter=adapter, expression_tokens=tokens, weight=WEIGHT
    )[0]
    pictures = (template, torch.zeros_like(template))
    seen = torch.cat([vision.encode_image(p)["penultimate_hidden_states"] for p in pictures]).float()
    reference = theirs(kind, base, model)
    return SimpleNamespace(
        kind=kind, model=model, tokens=tokens, patched=patched, seen=seen, reference=reference
    )


def test_tokens_are_those_of_diffusers(pair: Any) -> None:
    (projection,) = pair.reference.encoder_hid_proj.image_projection_layers
    assert type(projection).__name__ == "IPAdapterPlusImageProjection"
    wanted = projection(pair.seen)
    assert relative_error(pair.tokens.somebody, wanted[:1]) <= TOLERANCE
    assert relative_error(pair.tokens.nobody, wanted[1:]) <= TOLERANCE


def test_noise_prediction_is_that_of_diffusers(pair: Any) -> None:
    positive, cond, pooled = conditioning(pair.kind, 10)
    negative, uncond, pooled_no = conditioning(pair.kind, 20)
    sigma = float(pair.model.get_model_object("model_sampling").sigmas[TIMESTEP])
    scaled = seeded(1, 4, SIDE, SIDE, seed=1)
    x = scaled * (1 + sigma**2) ** 0.5
    found = denoise(pair.patched, positive, negative, x, sigma)
    plain = denoise(pair.model, positive, negative, x, sigma)

    added: dict[str, Any] = {"image_embeds": [pair.seen[:, None]]}
    if pair.kind == "sdxl":
        times = torch.tensor([[SIDE * 8, SIDE * 8, 0, 0, SIDE * 8, SIDE * 8]]).repeat(2, 1)
        added |= {"text_embeds": torch.cat([pooled, pooled_no]), "time_ids": times}
    wanted = pair.reference(
        scaled.repeat(2, 1, 1, 1),
        torch.tensor([TIMESTEP, TIMESTEP]),
        encoder_hidden_states=torch.cat([cond, uncond]),
        added_cond_kwargs=added,
    ).sample
    for row, side in enumerate(("positive", "negative")):
        assert relative_error((x - found[row]) / sigma, wanted[row : row + 1]) <= TOLERANCE, side
        # Without the adapter it is another picture.
        assert relative_error((x - plain[row]) / sigma, wanted[row : row + 1]) > 1e-3
