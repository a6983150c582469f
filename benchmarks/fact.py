"""FACT, whose gates are layers of their own: what a step costs, and what lies on the device beside it."""

from __future__ import annotations

from math import prod

import torch

from benchmarks.measure import ratios
from benchmarks.sd15 import HIDDEN
from benchmarks.steps import one_step
from likeness.attention.use import Use
from likeness.methods import fact


def rows() -> list[tuple[str, str]]:
    return [
        ("one sampling step with FACT (one photo, tiny SD1.5), over the plain model", _ratio()),
        ("kept on the device for FACT, fp16: gates, managed by the host", f"{_gates() / 1e6:.0f} MB"),
        ("kept on the device for FACT, fp16: keys and values of one photo", f"{_tokens() / 1e6:.2f} MB"),
    ]


def _ratio() -> str:
    """At a fifth of SD1.5's widths, on its grid of 64 x 64."""
    import comfy.model_management
    from support import fact_files
    from support.golden import Golden

    golden = Golden("fact")
    width = golden.meta["unet_config"]["context_dim"]
    model = golden.model("SD15", model_channels=64, channel_mult=[1, 2, 4, 4], num_heads=2)
    comfy.model_management.load_models_gpu([model])
    from likeness.attention.sites import attention_sites

    hidden = [site.hidden for site in attention_sites(model.model.diffusion_model)]
    adapter = fact.parse(fact_files.adapter(hidden, width), {}, "tiny")
    tokens = fact.identity_tokens(adapter, golden["out.local_tokens"][:1])
    prompt = [[golden["in.positive"], {}]]
    drawn = fact.apply(model, adapter, tokens, Use(0.5))
    return ratios(3, one_step(model, prompt, prompt), one_step(drawn, prompt, prompt))[0]


def _gates() -> int:
    from support.fact_files import gate_shapes

    return 2 * sum(prod(shape) for wide in HIDDEN for shape in gate_shapes(wide, 768).values())


def _tokens() -> int:
    return torch.float16.itemsize * sum(2 * 2 * 16 * wide for wide in HIDDEN)
