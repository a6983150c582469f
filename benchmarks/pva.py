"""PVA, whose layers ask with queries of their own: what a step costs, and what lies on the device."""

from __future__ import annotations

from support import pva_files
from support.golden import Golden

from benchmarks import sd15
from likeness.attention.use import Use
from likeness.methods.pva import PVA, apply, identity_tokens
from likeness.methods.pva.content import parse_base
from likeness.values import Identity

_TOKENS, _HEAD = 10, 64


def rows() -> list[tuple[str, str]]:
    # Every head's queries are folded into the keys, so that there are keys for each.
    kept = sd15.HALF * sum(_TOKENS * wide * (wide // _HEAD + 1) for wide in sd15.HIDDEN)
    matrices = sd15.HALF * sum(wide * (wide + 2 * 1024) for wide in sd15.HIDDEN)
    return [
        ("one sampling step with PVA (two photos, tiny SD2), over the plain model", _ratio()),
        ("kept on the device for PVA, fp16", f"{kept / 1e6:.2f} MB instead of {matrices / 1e6:.0f} MB"),
    ]


def _ratio() -> str:
    golden = Golden("pva")
    model = sd15.tiny(golden, "SD20")
    content = pva_files.base(sd15.hidden(model), golden.meta["unet_config"]["context_dim"])
    whole = PVA(parse_base(content, "tiny"))
    person = Identity(golden["in.reference_embeddings"][0][:2], "ms1mv3_r50")
    drawn = apply(model, whole, identity_tokens(whole, person), Use(1.0), "both")
    mask = golden["in.mask"].repeat_interleave(8, 2).repeat_interleave(8, 3)
    facts = {"concat_latent_image": golden["in.masked_latent"] / 0.18215, "concat_mask": mask}
    prompt = [[golden["in.positive"], facts]]
    return sd15.step_ratios(model, drawn, prompts=(prompt, prompt))[0]
