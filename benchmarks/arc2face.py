"""Arc2Face: the face is the prompt, so that only its two adapters cost anything in a step."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from support import emojidiff, instantid_files
from support.golden import Golden

from benchmarks import sd15
from likeness.attention.use import Use
from likeness.methods.arc2face import expression, reference
from likeness.values import Expression

#: Places of SD1.5's self-attention at 512 x 512, and how many layers have them, by width.
_PLACES = ((320, 64 * 64, 5), (640, 32 * 32, 5), (1280, 16 * 16, 5), (1280, 8 * 8, 1))
_TOKENS = 4


def rows() -> list[tuple[str, str]]:
    told, looked = _ratios()
    bank = sd15.HALF * sum(2 * wide * places * layers for wide, places, layers in _PLACES)
    kept = sd15.keys_and_values(_TOKENS)
    return [
        ("one sampling step with Arc2Face's expression adapter (tiny SD1.5), over plain Arc2Face", told),
        ("one sampling step with Arc2Face's reference (tiny SD1.5), over plain Arc2Face", looked),
        ("kept on the device for Arc2Face's expression, fp16", f"{kept / 1e6:.2f} MB"),
        ("kept on the device for Arc2Face's reference at 512x512, fp16", f"{bank / 1e6:.0f} MB"),
    ]


def _ratios() -> list[str]:
    golden = Golden("arc2face")
    model, width = sd15.tiny(golden), golden.meta["unet_config"]["context_dim"]
    layers = instantid_files.adapter(sd15.hidden(model), width)["ip_adapter"]
    content = {"image_proj": emojidiff.flame(width), "ip_adapter": layers}
    adapter, asked = expression.parse(content, "tiny"), Expression(golden["in.expression"])
    prompt = [[golden["in.positive"], {}]]
    told = expression.apply(model, adapter, asked, Use(1.0))
    looked = reference.apply(model, _vae(), torch.zeros(1, 512, 512, 3), prompt, Use(1.0))
    return sd15.step_ratios(model, told, looked, prompts=(prompt, prompt))


def _vae() -> Any:
    """What a step costs does not depend on what the reference shows."""
    chance = torch.Generator().manual_seed(5)
    return SimpleNamespace(encode=lambda image: torch.randn(len(image), 4, 64, 64, generator=chance))
