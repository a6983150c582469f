"""MasterWeaver, three photos of somebody: what a step costs, and what lies on the device."""

from __future__ import annotations

from support import masterweaver as files
from support.golden import Golden

from benchmarks import sd15
from likeness.attention.use import Use
from likeness.methods import masterweaver

#: Sixteen of each photo.
_TOKENS = 3 * 16


def rows() -> list[tuple[str, str]]:
    kept = sd15.keys_and_values(_TOKENS)
    return [
        ("one sampling step with MasterWeaver (three photos, tiny SD1.5), over the plain model", _ratio()),
        ("kept on the device for MasterWeaver, fp16", f"{kept / 1e6:.2f} MB"),
    ]


def _ratio() -> str:
    """The golden's adapter, made for its own narrow network."""
    golden = Golden("masterweaver")
    model, layout = golden.model("SD15"), golden.meta["layout"]
    content = files.content(layout["id_encoder"], layout["adapter_modules"])
    adapter = masterweaver.parse(content, {}, "golden")
    tokens = masterweaver.tokens_of(adapter, golden["in.zero_state"], golden["in.states"][:3])
    applied, prompt = masterweaver.apply(model, adapter, tokens, Use(1.0)), [[golden["in.positive"], {}]]
    return sd15.step_ratios(model, applied, prompts=(prompt, prompt), rounds=15)[0]
