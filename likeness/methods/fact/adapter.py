"""FACT's file, and the tokens of a person. Spec: fact_wplus.md A.2 to A.4, adapters.md 4.1."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any

import torch

from ...adapters import Adapter, Tokens, Words
from ...adapters.describe import describe
from ...adapters.folder import AdapterFolder
from ...adapters.projectors import Resampler
from ...choices.fact import FOLDER, NEGATIVES, PUBLISHED, ZEROS
from ...weights.read import tensors_under
from .gates import PARTS, Gates

log = logging.getLogger(__name__)

#: What the tokens are made of: TransFace-S's 144 local tokens of a face, 512 wide.
ENCODER, LOCAL, WIDTH = "transface_s", 144, 512
#: Tokens of each photo: fixed in the authors' layers.
TOKENS = 16
#: Cross-attention layers of SD1.5.
LAYERS = 16
WORDS = Words("Apply FACT", "FACT needs an SD1.5 model", "fact_tokens", "fact", "Load FACT")

_PROJECTOR = "local_fac_prj"
_SITE = re.compile(
    r"(?:(down|up)_blocks\.(\d+)|(mid)_block)\.attentions\.(\d+)\.transformer_blocks\.(\d+)\.attn2\.processor"
    r"\.(.+)"
)
_ORDER = ("down", "up", "mid")
#: The block's own norm before the text: 2 tensors of each layer, or of none.
_NORM = ("ln.weight", "ln.bias")

Tensors = dict[str, torch.Tensor]


def parse(content: Mapping[str, Any], metadata: Mapping[str, str], name: str) -> Adapter:
    """An adapter from a file's content. Raises ValueError that says what the file is instead."""
    tensors = tensors_under(content, _PROJECTOR)
    found, strange = _sites(content)
    if not tensors or not found:
        raise ValueError(f"{name} is no FACT adapter but {_what_else(content, bool(tensors), bool(found))}.")
    try:
        projector = Resampler.build(tensors)
    except ValueError as error:
        raise ValueError(f"{name} is damaged: its {_PROJECTOR} is {error}.") from error
    if (projector.tokens, projector.embedding_width) != (TOKENS, WIDTH):
        raise ValueError(
            f"{name} does not fit: it makes {projector.tokens} tokens of features "
            f"{projector.embedding_width} wide, but FACT makes {TOKENS} of TransFace-S's {WIDTH}."
        )
    gates = Gates.parse(_layers(found, name), _norms(found, name), projector.token_width, name)
    if strange:
        log.warning("%s: names that FACT does not have are passed over: %s", name, ", ".join(strange[:3]))
    return Adapter(name, projector, gates, ENCODER, WORDS)


def identity_tokens(adapter: Adapter, local: torch.Tensor, negative: str = ZEROS) -> Tokens:
    """The tokens of one person. local: TransFace's [R, 144, 512] of R photos.

    somebody [1, 16 R, width], photo after photo: the gate's softmax counts each. negative: what negative
    prompts look at. ZEROS: the projection of all-zero features, as often as there are photos. SAME: the
    person. Raises ValueError for features of another network.
    """
    if negative not in NEGATIVES:
        raise ValueError(f"negative must be one of {', '.join(NEGATIVES)}, not {negative!r}.")
    if local.ndim != 3 or not len(local) or tuple(local.shape[1:]) != (LOCAL, WIDTH):
        raise ValueError(
            f"{adapter.name} takes TransFace-S's features [photos, {LOCAL}, {WIDTH}], not "
            f"{list(local.shape)}."
        )
    nothing = torch.zeros(1, LOCAL, WIDTH)
    projected = adapter.projector(torch.cat([nothing, local.to("cpu", torch.float32)]))
    somebody = projected[1:].flatten(0, 1)[None]
    nobody = projected[:1].repeat(1, len(local), 1) if negative == ZEROS else somebody
    return Tokens(somebody, nobody, adapter.made)


def _sites(content: Mapping[str, Any]) -> tuple[dict[tuple[int, ...], Tensors], list[str]]:
    """(tensors of each layer by its place, in checkpoint order; names that belong nowhere)."""
    found: dict[tuple[int, ...], Tensors] = {}
    strange = []
    for key, value in content.items():
        match = _SITE.fullmatch(key)
        if match is not None and match[6] in (*PARTS, *_NORM) and isinstance(value, torch.Tensor):
            place = _ORDER.index(match[1] or match[3]), *(int(match[n] or 0) for n in (2, 4, 5))
            found.setdefault(place, {})[match[6]] = value
        elif not key.startswith(f"{_PROJECTOR}.") and key != _PROJECTOR:
            strange.append(key)
    return {place: found[place] for place in sorted(found)}, strange


def _layers(found: Mapping[tuple[int, ...], Tensors], name: str) -> list[Tensors]:
    if len(found) != LAYERS:
        raise ValueError(
            f"{name} is incomplete: it has gates for {len(found)} layers, but FACT has {LAYERS}. Download it "
            "again."
        )
    for number, tensors in enumerate(found.values()):
        missing = [part for part in PARTS if part not in tensors]
        if missing:
            raise ValueError(
                f"{name} is incomplete: layer {number} lacks {missing[0]}"
                f"{f' and {len(missing) - 1} more' if len(missing) > 1 else ''}. Download it again."
            )
    return [{part: tensors[part] for part in PARTS} for tensors in found.values()]


def _norms(found: Mapping[tuple[int, ...], Tensors], name: str) -> tuple[tuple[torch.Tensor, ...], ...]:
    """Weight and bias of every block's norm2, or nothing."""
    have = [tensors for tensors in found.values() if any(part in tensors for part in _NORM)]
    if not have:
        return ()
    if len(have) != len(found) or not all(part in tensors for tensors in have for part in _NORM):
        raise ValueError(
            f"{name} is damaged: only {len(have)} of its {len(found)} layers have the norm before the text "
            "(ln) whole. A FACT file has it for all layers, or for none."
        )
    return tuple(tuple(tensors[part] for part in _NORM) for tensors in have)


def _what_else(content: Mapping[str, Any], projector: bool, gates: bool) -> str:
    if "patch_embed.proj.weight" in content:
        return "a vision transformer, such as TransFace: load it with Load TransFace"
    if projector:
        return "its projector alone, without the gates of the layers (...attn2.processor.*)"
    if gates:
        return f"its gates alone, without the projector ({_PROJECTOR}.*)"
    return describe(content)


FILES = AdapterFolder((FOLDER,), PUBLISHED, parse)
