"""EmojiDiff-style E-adapters: files, and expressions as tokens. Spec: pva_freecure_emojidiff.md C.1, C.3.

A reconstruction: the authors have published no code. What is attested is a template encoded by CLIP and an
attention beside that of the words; projector, layer and file layout are those of IP-Adapter-Plus.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from ...adapters import Adapter, AdapterLayers, Tokens, Words
from ...adapters.projectors import build
from ...adapters.vision import VISION
from ...faces.pixels import check_finite, check_image
from ...values import Expression
from ...weights.read import tensors_under
from .kinds import EMOJIDIFF, FLAME_NUMBERS, check_facts, layer_count, refusal

#: What an adapter is shown: a prepared picture through a CLIP vision model, or FLAME parameters.
CLIP_VISION, FLAME_VECTOR = "clip_vision", "flame_vector"
#: Pictures that go through CLIP at once.
_BATCH = 16


WORDS = Words(
    "Apply E-Adapter",
    "An E-adapter needs a model of the family it was trained for",
    "expression_tokens",
    "eadapter",
    "Load E-Adapter",
)


def parse(content: Mapping[str, Any], metadata: Mapping[str, str], name: str) -> Adapter:
    """An adapter from a file's content: nested or flat, ours, any IP-Adapter-Plus, or Arc2Face's. Spec C.1.

    Raises ValueError that says what the file is instead, or which part of it is missing or misshapen.
    """
    image_proj, layers = tensors_under(content, "image_proj"), tensors_under(content, "ip_adapter")
    what = refusal(content, image_proj, layers)
    if what:
        raise ValueError(f"file {name} is not an E-adapter but {what}.")
    try:
        projector = build(image_proj)
    except (ValueError, KeyError, IndexError) as error:
        raise ValueError(f"file {name} is not an E-adapter: {error}.") from error
    facts = metadata if metadata.get("format", "").startswith(EMOJIDIFF) else {}
    check_facts(facts, layers, name)
    of = layer_count(facts.get("base"))
    kept = AdapterLayers.parse(layers, projector.token_width, name, partial=True, of=of)
    flame = projector.embedding_width == FLAME_NUMBERS
    return Adapter(name, projector, kept, FLAME_VECTOR if flame else CLIP_VISION, WORDS)


def encode(
    adapter: Adapter,
    clip_vision: Any = None,
    templates: torch.Tensor | None = None,
    expression: Expression | None = None,
) -> Tokens:
    """Tokens of templates [N, H, W, 3] through the host's CLIP_VISION, or of FLAME parameters. Spec C.3.

    Raises ValueError, naming the input, when the adapter is shown what it was not made for.
    """
    if adapter.takes == FLAME_VECTOR:
        if expression is None or templates is not None:
            raise ValueError(
                f"{adapter.name} takes FLAME parameters, not pictures: connect expression (from Read "
                "Expression), and nothing to template."
            )
        parameters = expression.parameters[:, None]
        return _project(adapter, torch.cat([torch.zeros_like(parameters), parameters]))
    if expression is not None:
        raise ValueError(
            f"{adapter.name} takes pictures, not FLAME parameters: connect template (from Expression "
            "Template) and clip_vision in place of expression."
        )
    if templates is None or clip_vision is None:
        missing = "template (from Expression Template)" if templates is None else "clip_vision"
        raise ValueError(f"{missing} is not connected: {adapter.name} takes pictures through CLIP.")
    return _project(adapter, _features(adapter, clip_vision, templates))


def _features(adapter: Adapter, clip_vision: Any, templates: torch.Tensor) -> torch.Tensor:
    """CLIP's features before its last layer [1 + N, T, D]: of a black picture, then of the templates."""
    check_image(templates, "template")
    if len(templates) == 0:
        raise ValueError("template holds no pictures.")
    for index in range(len(templates)):
        check_finite(templates[index], index, "template")
    shown = templates[..., :3].expand(-1, -1, -1, 3)
    shown = torch.cat([torch.zeros_like(shown[:1]), shown])
    parts = []
    for part in shown.split(_BATCH):
        features = clip_vision.encode_image(part)["penultimate_hidden_states"].to("cpu", torch.float32)
        found, wanted = features.shape[-1], adapter.projector.embedding_width
        if found != wanted:
            raise ValueError(
                f"clip_vision gives features of width {found} ({VISION.get(found, 'another model')}); "
                f"{adapter.name} takes {wanted}. Load {VISION.get(wanted, 'the one it was trained with')} "
                "in Load CLIP Vision."
            )
        parts.append(features)
    return torch.cat(parts)


def _project(adapter: Adapter, features: torch.Tensor) -> Tokens:
    """The first of the features becomes the null tokens."""
    projected = adapter.projector(features)
    return Tokens(projected[1:], projected[:1], adapter.made)
