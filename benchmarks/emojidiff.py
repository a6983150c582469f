"""An E-adapter: what a step costs, and what lies on the device."""

from __future__ import annotations

from support import emojidiff as files
from support import instantid_files
from support.fill import fill
from support.golden import Golden

from benchmarks import sd15
from likeness.adapters import Tokens
from likeness.attention.use import Use
from likeness.methods.emojidiff import apply, parse

#: Of the published resampler.
_TOKENS = 16


def rows() -> list[tuple[str, str]]:
    kept = sd15.keys_and_values(_TOKENS)
    return [
        ("one sampling step with an E-adapter (tiny SD1.5), over the plain model", _ratio()),
        ("kept on the device for an E-adapter, SD1.5, fp16", f"{kept / 1e6:.2f} MB"),
    ]


def _ratio() -> str:
    golden = Golden("arc2face")
    model, width = sd15.tiny(golden), golden.meta["unet_config"]["context_dim"]
    resampler = {**files.resampler(width), "latents": fill("latents", (1, _TOKENS, 64))}
    layers = instantid_files.adapter(sd15.hidden(model), width)["ip_adapter"]
    adapter = parse(files.flat(resampler, layers), {}, "tiny")
    made = adapter.projector(fill("features", (2, 17, files.VISION)))
    applied = apply(model, adapter, Tokens(made[:1], made[1:], adapter.made), Use(1.0))
    prompt = [[golden["in.positive"], {}]]
    return sd15.step_ratios(model, applied, prompts=(prompt, prompt))[0]
