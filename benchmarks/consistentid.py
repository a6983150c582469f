"""ConsistentID: what a step costs, and what it keeps on the device. Its LoRA lies in the weights."""

from __future__ import annotations

import torch

from benchmarks.measure import best_of, ratios
from benchmarks.steps import one_step
from likeness.attention.adds import KeysValues
from likeness.attention.use import Use
from likeness.methods import consistentid


def rows() -> list[tuple[str, str]]:
    step, prompted = _measured()
    return [
        ("one sampling step with ConsistentID (tiny SD1.5), over the plain model", step),
        ("five words that know the parts of a face, tiny SD1.5", f"{prompted * 1e3:.1f} ms"),
        ("kept on the device for ConsistentID, SD1.5, fp16", f"{_bytes() / 1e6:.2f} MB"),
    ]


def _measured() -> tuple[str, float]:
    """(the ratio of a step, the time in which words and parts are fused)"""
    from support.consistentid_golden import ConsistentGolden

    golden = ConsistentGolden("sd15")
    model = golden.model("SD15")
    adapter = consistentid.parse(golden.content(), {}, "golden")
    features = consistentid.features_of(adapter, golden["in.face"], golden.states(), golden.parts())
    applied = consistentid.apply(model, adapter, features, Use(1.0))
    prompt = [[golden["out.positive_fused"], {}]]
    step = ratios(15, *(one_step(each, prompt, prompt) for each in (model, applied)))[0]
    words, vectors = golden["in.text_plain"][0, :5], torch.stack(list(features.parts.values()))
    return step, best_of(10, lambda: features.facial.fuse(words, vectors))[0]


def _bytes() -> int:
    """K and V of four tokens, and of nobody's, in SD1.5's 16 layers."""
    shapes = [(2, 4, width) for width in (*[320] * 5, *[640] * 5, *[1280] * 6)]
    total = 2 * sum(r * t * h for r, t, h in shapes)
    return KeysValues(torch.empty(total, device="meta"), shapes).bytes(torch.float16)
