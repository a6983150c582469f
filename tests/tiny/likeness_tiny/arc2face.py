"""Tiny Arc2Face: text encoder, expression adapter and reference LoRA, for the tiny network of that kind.

The vector of a face has 512 numbers and stands in for a word, so tokens are 512 wide.
"""

from __future__ import annotations

import torch

from .networks import ARC2FACE_WIDTH as WIDTH
from .networks import CHANNELS

WORDS, PLACES = 49408, 77
LAYERS = 2
SITES = 16
TOKENS = 4  # of an expression
EXPRESSION = 55
RANK = 4
Tensors = dict[str, torch.Tensor]
Shapes = dict[str, tuple[int, ...]]


def encoder(seed: int) -> Tensors:
    """A CLIP-L text encoder in HF's layout, in half precision: the words alone are 50 MB then."""
    shapes: Shapes = {
        "embeddings.token_embedding.weight": (WORDS, WIDTH),
        "embeddings.position_embedding.weight": (PLACES, WIDTH),
        **_norm("final_layer_norm"),
    }
    for n in range(LAYERS):
        layer = f"encoder.layers.{n}"
        for part in ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj"):
            shapes |= _linear(f"{layer}.{part}", WIDTH, WIDTH)
        shapes |= _linear(f"{layer}.mlp.fc1", WIDTH, WIDTH) | _linear(f"{layer}.mlp.fc2", WIDTH, WIDTH)
        shapes |= _norm(f"{layer}.layer_norm1") | _norm(f"{layer}.layer_norm2")
    made = _values({f"text_model.{name}": shape for name, shape in shapes.items()}, seed)
    return {name: tensor.half() for name, tensor in made.items()}


def expression_adapter(seed: int) -> Tensors:
    """Flat, as a safetensors copy of exp_adapter.bin would be."""
    shapes = _linear("image_proj.proj", TOKENS * WIDTH, EXPRESSION) | _norm("image_proj.norm")
    for site in range(SITES):
        for half in "kv":
            shapes[f"ip_adapter.{2 * site + 1}.to_{half}_ip.weight"] = (CHANNELS, WIDTH)
    return _values(shapes, seed)


def reference_lora(seed: int) -> Tensors:
    """Low-rank changes of every self-attention layer, in PEFT's names."""
    blocks = [f"down_blocks.{level}.attentions.{n}" for level in range(3) for n in range(2)]
    blocks += [f"up_blocks.{level}.attentions.{n}" for level in range(1, 4) for n in range(3)]
    shapes: Shapes = {}
    for block in [*blocks, "mid_block.attentions.0"]:
        for part in ("to_q", "to_k", "to_v", "to_out.0"):
            module = f"unet.{block}.transformer_blocks.0.attn1.{part}"
            shapes[f"{module}.lora_A.weight"] = (RANK, CHANNELS)
            shapes[f"{module}.lora_B.weight"] = (CHANNELS, RANK)
    return _values(shapes, seed)


def _linear(name: str, rows: int, columns: int) -> Shapes:
    return {f"{name}.weight": (rows, columns), f"{name}.bias": (rows,)}


def _norm(name: str) -> Shapes:
    return {f"{name}.weight": (WIDTH,), f"{name}.bias": (WIDTH,)}


def _values(shapes: Shapes, seed: int) -> Tensors:
    generator = torch.Generator().manual_seed(seed)

    def value(name: str, shape: tuple[int, ...]) -> torch.Tensor:
        if len(shape) == 1:
            return torch.ones(shape) if name.endswith("weight") else torch.zeros(shape)
        return torch.randn(shape, generator=generator) * shape[-1] ** -0.5

    return {name: value(name, shape) for name, shape in shapes.items()}
