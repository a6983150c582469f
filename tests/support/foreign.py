"""What the common IP-Adapter packs do to a MODEL, in their protocol."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


class AddingPatch:
    """The protocol of the common IP-Adapter packs: one object per slot, later ones call its `add`."""

    def __init__(self, callback: Callable[..., torch.Tensor], **options: Any) -> None:
        self.entries = [(callback, options)]

    def add(self, callback: Callable[..., torch.Tensor], **options: Any) -> None:
        self.entries.append((callback, options))

    def __call__(self, q: Any, k: Any, v: Any, extra_options: dict[str, Any]) -> torch.Tensor:
        from comfy.ldm.modules.attention import optimized_attention

        out = optimized_attention(q, k, v, extra_options["n_heads"])
        for callback, options in self.entries:
            out = out + callback(out, q, k, v, extra_options, **options)
        return out


def foreign(out: Any, q: Any, k: Any, v: Any, extra_options: Any, **options: Any) -> torch.Tensor:
    return options["size"] * torch.tanh(q)


def add_foreign(model: Any, keys: Any, size: float = 0.3) -> Any:
    """What such a pack's node does to a MODEL."""
    model = model.clone()
    for key in keys:
        slots = model.model_options["transformer_options"].get("patches_replace", {}).get("attn2", {})
        options = {"size": size, "sigma_start": 1e9, "sigma_end": 0.0}
        if key in slots:
            slots[key].add(foreign, **options)
        else:
            model.set_model_attn2_replace(AddingPatch(foreign, **options), *key)
    return model
