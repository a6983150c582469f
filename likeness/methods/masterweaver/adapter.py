"""MasterWeaver's file. Spec: consistentid_masterweaver.md 2.1, 2.2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...adapters import Adapter, AdapterLayers, Words
from ...adapters.describe import describe
from ...adapters.folder import AdapterFolder
from ...adapters.projectors import JoinedResampler
from ...choices.masterweaver import FOLDER, PUBLISHED
from ...weights.read import tensors_under

#: What its projector understands: states of CLIP ViT-L before the last layer.
CLIP_VISION = "clip_vision"
WORDS = Words(
    "Apply MasterWeaver",
    "MasterWeaver needs an SD1.5 model",
    "masterweaver_tokens",
    "masterweaver",
    "Load MasterWeaver",
)
#: The file's names of the two matrices of a layer, and the family's.
_NAMES = ((".to_k_img.", ".to_k_ip."), (".to_v_img.", ".to_v_ip."))


def parse(content: Mapping[str, Any], metadata: Mapping[str, str], name: str) -> Adapter:
    """An adapter from a file's content: nested as published, or flat. Spec 2.1, 2.2.

    Raises ValueError that says what the file is instead, or which part of it is missing or misshapen.
    """
    encoder, modules = tensors_under(content, "id_encoder"), tensors_under(content, "adapter_modules")
    other = _refusal(content, encoder, modules)
    if other:
        raise ValueError(f"{name} is no MasterWeaver file but {other}.")
    for part, tensors in (("id_encoder", encoder), ("adapter_modules", modules)):
        if not tensors:
            raise ValueError(f"{name} has no {part}: it is not a complete MasterWeaver file.")
    try:
        projector = JoinedResampler.build(encoder)
    except ValueError as error:
        raise ValueError(f"{name} is no MasterWeaver file: {error}.") from error
    layers = AdapterLayers.parse(_renamed(modules), projector.token_width, name)
    return Adapter(name, projector, layers, CLIP_VISION, WORDS)


def _refusal(
    content: Mapping[str, Any], encoder: Mapping[str, Any], modules: Mapping[str, Any]
) -> str | None:
    """What a file is when it is another adapter; None when it may be MasterWeaver's."""
    if tensors_under(content, "FacialEncoder"):
        return "a ConsistentID file"
    if tensors_under(content, "image_proj") or tensors_under(content, "ip_adapter"):
        return "an IP-Adapter, or InstantID, which is one"
    if not encoder and not modules:
        return describe(content)
    if encoder and not any(key.startswith("final_attn.") for key in encoder):
        return "one with an ordinary resampler (no final_attn), as IP-Adapter Plus and InstantID have it"
    if modules and any(".to_k_ip." in key for key in modules):
        return "one with the layers of an IP-Adapter (to_k_ip in place of to_k_img)"
    return None


def _renamed(modules: Mapping[str, Any]) -> dict[str, Any]:
    renamed = {}
    for key, value in modules.items():
        for theirs, ours in _NAMES:
            key = key.replace(theirs, ours)
        renamed[key] = value
    return renamed


FILES = AdapterFolder((FOLDER,), PUBLISHED, parse)
