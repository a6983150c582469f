"""A CLIP vision model: each patch of a picture as its waves, and where it is, by hand; its layers learn.

28 x 28 pixels become the 16 lowest waves of each colour (a cosine transform, which patches of one convolution
can hold). What comes after learns what a face does, as published ones know what a picture shows; the last
layer does nothing, for our nodes take the one before.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch

from ..host import use_host

Tensors = dict[str, torch.Tensor]

_PATCH, _SIDE, _WAVES = 28, 224, 4
_PLACE = 16
WIDTH = 3 * _WAVES**2 + _PLACE
#: A CLIP of the host's own classes, told apart by its width.
CONFIG: dict[str, Any] = {
    "model_type": "clip_vision_model",
    "hidden_act": "gelu",
    "hidden_size": WIDTH,
    "image_size": _SIDE,
    "intermediate_size": 128,
    "num_attention_heads": 4,
    "num_channels": 3,
    "num_hidden_layers": 3,
    "patch_size": _PATCH,
    "projection_dim": 8,
}
_CLASS = "vision_model.embeddings.class_embedding"
#: Waves carry less the finer they are; so much louder they tell as much.
_LOUDER = 3.0
_MEAN, _SPREAD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


def tensors(learnt: Mapping[str, torch.Tensor] | None = None) -> Tensors:
    """The state dict of the host's CLIPVisionModelProjection. learnt: of its layers; without, none does
    anything."""
    at = (torch.arange(_PATCH) + 0.5) / _PATCH
    waves = torch.stack([torch.cos(math.pi * n * at) for n in range(_WAVES)])
    patch = torch.zeros(WIDTH, 3, _PATCH, _PATCH)
    for n in range(_WAVES):
        for m in range(_WAVES):
            size = 1.0 if n == m == 0 else _LOUDER
            wave = size * waves[n][:, None] * waves[m][None] / _PATCH**2
            for colour in range(3):
                patch[(n * _WAVES + m) * 3 + colour, colour] = wave
    count = (_SIDE // _PATCH) ** 2
    chance = torch.Generator().manual_seed(0)
    places = torch.zeros(count + 1, WIDTH)
    places[:, -_PLACE:] = torch.randn(count + 1, _PLACE, generator=chance)
    made: Tensors = {
        _CLASS: torch.zeros(WIDTH),
        "vision_model.embeddings.patch_embedding.weight": patch,
        "vision_model.embeddings.position_embedding.weight": places,
        "visual_projection.weight": torch.eye(WIDTH)[: CONFIG["projection_dim"]],
    }
    inner = CONFIG["intermediate_size"]
    for n in range(CONFIG["num_hidden_layers"]):
        layer = f"vision_model.encoder.layers.{n}"
        shapes = {"mlp.fc1": (inner, WIDTH), "mlp.fc2": (WIDTH, inner)}
        shapes |= {f"self_attn.{part}_proj": (WIDTH, WIDTH) for part in ("q", "k", "v", "out")}
        for part, shape in shapes.items():
            made |= {
                f"{layer}.{part}.weight": torch.zeros(shape),
                f"{layer}.{part}.bias": torch.zeros(shape[0]),
            }
        made |= _norm(f"{layer}.layer_norm1") | _norm(f"{layer}.layer_norm2")
    made |= _norm("vision_model.pre_layrnorm") | _norm("vision_model.post_layernorm")
    return made | dict(learnt or {})


def _norm(name: str) -> Tensors:
    return {f"{name}.weight": torch.ones(WIDTH), f"{name}.bias": torch.zeros(WIDTH)}


def network(learnt: Mapping[str, torch.Tensor] | None = None) -> Any:
    """The host's own class with these weights, float32. learnt: as in tensors."""
    use_host()
    import comfy.clip_model
    import comfy.ops

    operations = comfy.ops.disable_weight_init
    made = comfy.clip_model.CLIPVisionModelProjection(CONFIG, torch.float32, "cpu", operations)
    made.load_state_dict(tensors(learnt))
    return made.eval().requires_grad_(False)


def layers(model: Any) -> dict[str, torch.nn.Parameter]:
    """What learns of a network, by the names of `tensors`."""
    last = CONFIG["num_hidden_layers"] - 1
    named = model.named_parameters()
    return {name: one for name, one in named if ".layers." in name and f".layers.{last}." not in name}


def from_patches(model: Any, x: torch.Tensor) -> torch.Tensor:
    """[n, patches + 1, WIDTH] before any layer -> before the last one. The host adds in place, so nothing
    could be learnt through its own."""
    from comfy.ldm.modules.attention import optimized_attention_for_device

    attention = optimized_attention_for_device(x.device, small_input=True)
    for layer in model.vision_model.encoder.layers[:-1]:
        x = x + layer.self_attn(layer.layer_norm1(x), None, attention)
        x = x + layer.mlp(layer.layer_norm2(x))
    return x


@torch.no_grad()
def features(model: Any, templates: torch.Tensor) -> torch.Tensor:
    """[n, 3, 224, 224] 0..1 -> the layer before the last [n, patches + 1, WIDTH], as our node has it."""
    mean, spread = (torch.tensor(values)[:, None, None] for values in (_MEAN, _SPREAD))
    rounded = (255 * templates).clamp(0, 255).round() / 255
    found: torch.Tensor = model((rounded - mean) / spread, intermediate_output=-2)[1]
    return found


def register() -> None:
    """The host tells CLIPs apart by their number of layers, in its code; ours is known by its width."""
    use_host()
    import comfy.clip_vision

    own = comfy.clip_vision.load_clipvision_from_sd
    if getattr(own, "drawn", False):
        return

    def load(sd: dict[str, Any], prefix: str = "", convert_keys: bool = False) -> Any:
        if _CLASS not in sd or tuple(sd[_CLASS].shape) != (WIDTH,):
            return own(sd, prefix, convert_keys)
        clip = comfy.clip_vision.ClipVisionModel(CONFIG)
        clip.load_sd(sd)
        return clip

    load.drawn = True  # type: ignore[attr-defined]
    comfy.clip_vision.load_clipvision_from_sd = load
