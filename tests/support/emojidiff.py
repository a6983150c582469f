"""E-adapters and their relatives, written out: files of IP-Adapter's layouts for the tiny networks."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from .fill import fill

#: Width of CLIP's features in these files, and of the tiny SD1.5's prompt tokens.
VISION, CONTEXT, CHANNELS = 48, 64, 32
SD15_SITES, SDXL_SITES = 16, 70
Tensors = dict[str, torch.Tensor]


def resampler(context: int = CONTEXT, vision: int = VISION, depth: int = 1) -> Tensors:
    shapes: dict[str, tuple[int, ...]] = {
        "latents": (1, 4, 64),
        "proj_in.weight": (64, vision),
        "proj_in.bias": (64,),
        "proj_out.weight": (context, 64),
        "proj_out.bias": (context,),
        "norm_out.weight": (context,),
        "norm_out.bias": (context,),
    }
    for i in range(depth):
        for name in ("0.norm1", "0.norm2", "1.0"):
            shapes |= {f"layers.{i}.{name}.weight": (64,), f"layers.{i}.{name}.bias": (64,)}
        shapes |= {f"layers.{i}.0.to_q.weight": (64, 64), f"layers.{i}.0.to_kv.weight": (128, 64)}
        shapes |= {f"layers.{i}.0.to_out.weight": (64, 64), f"layers.{i}.1.1.weight": (128, 64)}
        shapes[f"layers.{i}.1.3.weight"] = (64, 128)
    return {name: fill(f"emojidiff.{name}", shape) for name, shape in shapes.items()}


def layers(numbers: Iterable[int], context: int = CONTEXT) -> Tensors:
    """to_k and to_v of the layers with these numbers in the file."""
    return {
        f"{n}.to_{half}_ip.weight": fill(f"emojidiff.{n}.{half}", (CHANNELS, context))
        for n in numbers
        for half in "kv"
    }


def constant_layers(sites: int, context: int) -> Tensors:
    """Layer n makes keys and values of n everywhere, of tokens that are one in their first number."""
    found = {}
    for n in range(1, 2 * sites, 2):
        weight = torch.zeros(CHANNELS, context)
        weight[:, 0] = n
        found |= {f"{n}.to_k_ip.weight": weight, f"{n}.to_v_ip.weight": weight.clone()}
    return found


def numbers(sites: int = SD15_SITES) -> range:
    """All of a network's layers."""
    return range(1, 2 * sites, 2)


def flame(context: int = CONTEXT) -> Tensors:
    """The likeliest projection of Arc2Face's exp_adapter.bin: 55 numbers become four tokens."""
    rows = 4 * context
    shapes: dict[str, tuple[int, ...]] = {"proj.weight": (rows, 55), "proj.bias": (rows,)}
    shapes |= {"norm.weight": (context,), "norm.bias": (context,)}
    return {name: fill(f"flame.{name}", shape) for name, shape in shapes.items()}


def flat(image_proj: Tensors, ip_adapter: Tensors) -> Tensors:
    parts = {"image_proj": image_proj, "ip_adapter": ip_adapter}
    return {f"{part}.{key}": value for part, tensors in parts.items() for key, value in tensors.items()}
