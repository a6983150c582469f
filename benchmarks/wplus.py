"""The W+ Adapter, whose queries are what the text made: what a step costs, and what lies on the device."""

from __future__ import annotations

from benchmarks import sd15
from likeness.attention.use import Use
from likeness.methods import wplus

HEADS, TOKENS = 8, 4


def rows() -> list[tuple[str, str]]:
    kept = sd15.keys_and_values(HEADS * TOKENS)
    matrices = sd15.HALF * sum(wide * (wide + 2 * 768) for wide in sd15.HIDDEN)
    return [
        ("one sampling step with the W+ Adapter (tiny SD1.5), over the plain model", _ratio()),
        (
            "kept on the device for the W+ Adapter, fp16",
            f"{kept / 1e6:.2f} MB instead of {matrices / 1e6:.0f} MB",
        ),
    ]


def _ratio() -> str:
    """On SD1.5's grid of 64 x 64."""
    from support import wplus_files
    from support.golden import Golden

    golden = Golden("wplus")
    model, width = sd15.tiny(golden), golden.meta["unet_config"]["context_dim"]
    adapter = wplus.parse(wplus_files.tiny(sd15.hidden(model), width), {}, "tiny")
    tokens = wplus.identity_tokens(adapter, wplus.WPlus(golden["in.w"][:1]))
    prompt = [[golden["in.positive"], {}]]
    drawn = wplus.attend(model, adapter, tokens, Use(1.0))
    return sd15.step_ratios(model, drawn, prompts=(prompt, prompt))[0]
