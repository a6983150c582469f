"""FACT, whose gates are layers of their own: what a step costs, and what lies on the device beside it."""

from __future__ import annotations

from math import prod

from benchmarks import sd15
from likeness.attention.use import Use
from likeness.methods import fact

_TOKENS = 16


def rows() -> list[tuple[str, str]]:
    tokens = sd15.keys_and_values(_TOKENS)
    return [
        ("one sampling step with FACT (one photo, tiny SD1.5), over the plain model", _ratio()),
        ("kept on the device for FACT, fp16: gates, managed by the host", f"{_gates() / 1e6:.0f} MB"),
        (
            "kept on the device for FACT, fp16: keys and values of one photo",
            f"{tokens / 1e6:.2f} MB",
        ),
    ]


def _ratio() -> str:
    """At a fifth of SD1.5's widths, on its grid of 64 x 64."""
    from support import fact_files
    from support.golden import Golden

    golden = Golden("fact")
    width = golden.meta["unet_config"]["context_dim"]
    model = sd15.tiny(golden, channels=64)
    adapter = fact.parse(fact_files.adapter(sd15.hidden(model), width), {}, "tiny")
    tokens = fact.identity_tokens(adapter, golden["out.local_tokens"][:1])
    prompt = [[golden["in.positive"], {}]]
    drawn = fact.apply(model, adapter, tokens, Use(0.5))
    return sd15.step_ratios(model, drawn, prompts=(prompt, prompt))[0]


def _gates() -> int:
    from support.fact_files import gate_shapes

    return sd15.HALF * sum(prod(shape) for wide in sd15.HIDDEN for shape in gate_shapes(wide, 768).values())
