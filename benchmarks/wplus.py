"""The W+ Adapter, whose queries are what the text made: what a step costs, and what lies on the device."""

from __future__ import annotations

from benchmarks.measure import ratios
from benchmarks.sd15 import HIDDEN
from benchmarks.steps import one_step
from likeness.attention.use import Use
from likeness.methods import wplus

HEADS, TOKENS, HALF = 8, 4, 2


def rows() -> list[tuple[str, str]]:
    kept = HALF * sum(2 * 2 * HEADS * TOKENS * wide for wide in HIDDEN)
    matrices = HALF * sum(wide * (wide + 2 * 768) for wide in HIDDEN)
    return [
        ("one sampling step with the W+ Adapter (tiny SD1.5), over the plain model", _ratio()),
        (
            "kept on the device for the W+ Adapter, fp16",
            f"{kept / 1e6:.2f} MB instead of {matrices / 1e6:.0f} MB",
        ),
    ]


def _ratio() -> str:
    """At two fifths of SD1.5's widths, on its grid of 64 x 64."""
    import comfy.model_management
    from support import wplus_files
    from support.golden import Golden

    from likeness.attention.sites import attention_sites

    golden = Golden("wplus")
    model = golden.model("SD15", model_channels=128, channel_mult=[1, 2, 4, 4], num_heads=4)
    comfy.model_management.load_models_gpu([model])
    hidden = [site.hidden for site in attention_sites(model.model.diffusion_model)]
    adapter = wplus.parse(wplus_files.tiny(hidden, golden.meta["unet_config"]["context_dim"]), {}, "tiny")
    tokens = wplus.identity_tokens(adapter, wplus.WPlus(golden["in.w"][:1]))
    prompt = [[golden["in.positive"], {}]]
    drawn = wplus.attend(model, adapter, tokens, Use(1.0))
    return ratios(3, one_step(model, prompt, prompt), one_step(drawn, prompt, prompt))[0]
