"""The W+ Adapter's file, and the tokens of a code. Spec: fact_wplus.md B.4, B.7."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from ...adapters import Adapter, Tokens, Words
from ...adapters.describe import describe
from ...adapters.folder import AdapterFolder
from ...adapters.projectors import LayerGroups
from ...choices.wplus import FOLDER, PUBLISHED
from ...weights.read import tensors_under
from .layers import Cascades
from .value import WPlus

#: What its projector understands: codes of StyleGAN2's FFHQ faces.
SPACE = "wplus"
WORDS = Words(
    "Apply W+ Adapter", "The W+ Adapter needs an SD1.5 model", "wplus", "adapter", "Load W+ Adapter"
)
#: The two parts as published, and as training writes them.
_PROJECTION, _LAYERS = ("w_proj", "w_proj_model"), ("wplus_adapter", "adapter_modules")


def parse(content: Mapping[str, Any], metadata: Mapping[str, str], name: str) -> Adapter:
    """An adapter from a file's content. Raises ValueError that says what the file is instead."""
    projection, layers = _part(content, _PROJECTION), _part(content, _LAYERS)
    if not projection:
        raise ValueError(f"{name} is no W+ Adapter but {_what_else(content)}.")
    if not any(".to_k_wplus." in key for key in layers):
        raise ValueError(f"{name} is incomplete: it has no layers (to_k_wplus). Download it again.")
    try:
        projector = LayerGroups.build(projection)
    except ValueError as error:
        raise ValueError(f"{name} is no W+ Adapter: {error}.") from error
    return Adapter(name, projector, Cascades.parse(layers, projector.token_width, name), SPACE, WORDS)


def identity_tokens(adapter: Adapter, wplus: WPlus) -> Tokens:
    """Four tokens of each code. Negative prompts look at those of a code of zeros, as in training."""
    nobody = torch.zeros_like(wplus.codes[:1])
    projected = adapter.projector(torch.cat([nobody, wplus.codes]))
    return Tokens(projected[1:], projected[:1], adapter.made)


def _part(content: Mapping[str, Any], names: tuple[str, str]) -> dict[str, torch.Tensor]:
    return tensors_under(content, names[0]) or tensors_under(content, names[1])


def _what_else(content: Mapping[str, Any]) -> str:
    if "latent_avg" in content or any(str(key).startswith("encoder.styles.") for key in content):
        return "a face encoder (e4e): load it with Load Face Encoder"
    if tensors_under(content, "image_proj") or tensors_under(content, "ip_adapter"):
        return "an IP-Adapter, or InstantID, which is one"
    return describe(content)


FILES = AdapterFolder((FOLDER,), PUBLISHED, parse)
