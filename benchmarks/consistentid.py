"""ConsistentID: what a step costs, and what it keeps on the device. Its LoRA lies in the weights."""

from __future__ import annotations

import torch

from benchmarks import sd15
from benchmarks.measure import best_of
from likeness.attention.use import Use
from likeness.methods import consistentid


def rows() -> list[tuple[str, str]]:
    step, prompted = _measured()
    return [
        ("one sampling step with ConsistentID (tiny SD1.5), over the plain model", step),
        ("five words that know the parts of a face, tiny SD1.5", f"{prompted * 1e3:.1f} ms"),
        ("kept on the device for ConsistentID, SD1.5, fp16", f"{sd15.keys_and_values(4) / 1e6:.2f} MB"),
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
    step = sd15.step_ratios(model, applied, prompts=(prompt, prompt), rounds=15)[0]
    words, vectors = golden["in.text_plain"][0, :5], torch.stack(list(features.parts.values()))
    return step, best_of(10, lambda: features.facial.fuse(words, vectors))[0]
