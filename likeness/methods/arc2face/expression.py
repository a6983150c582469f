"""Arc2Face's expression adapter: FLAME parameters as tokens. Spec: instantid_arc2face.md 2.5."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from ... import host
from ...adapters import Adapter, AdapterLayers, Tokens, Words, attend
from ...adapters.describe import describe
from ...adapters.projectors import build
from ...attention.use import Use
from ...choices.arc2face import ADAPTER, ADAPTERS
from ...values import Expression
from ...weights.chosen import find_chosen
from ...weights.read import read_weights, tensors_under

WORDS = Words(
    "Apply Expression",
    "The expression adapter needs an SD1.5 model (Arc2Face)",
    "expression",
    "expression_adapter",
    "Load Expression Adapter",
)
#: What the projector takes: a FLAME expression, so many numbers.
FLAME = "flame"
_NUMBERS = 55


def fingerprint(file: str | None) -> str:
    """Changes when the file does, so that the host runs the loader again."""
    return host.files.fingerprint(ADAPTERS, file)


def load(file: str) -> Adapter:
    """Raises MissingModel, or ValueError saying what the file is instead."""
    path = find_chosen(ADAPTERS, file, ADAPTER)
    return replace(parse(read_weights(path)[0], os.path.basename(path)), file=fingerprint(file))


def parse(content: Mapping[str, Any], name: str) -> Adapter:
    """An adapter from a file's content, nested or flat; the projection's layout from its keys. Spec 2.5.2."""
    image_proj, layers = tensors_under(content, "image_proj"), tensors_under(content, "ip_adapter")
    if not image_proj or not layers:
        raise ValueError(f"file {name} is not an expression adapter but {describe(content)}.")
    try:
        projector = build(image_proj)
    except ValueError as error:
        raise ValueError(f"file {name} is not an expression adapter: {error}.") from error
    if projector.embedding_width != _NUMBERS:
        raise ValueError(
            f"file {name} takes {projector.embedding_width} numbers, an expression has {_NUMBERS}: it is an "
            "IP-Adapter for something else. Use Arc2Face's exp_adapter.bin; one for pictures goes into Load "
            "E-Adapter."
        )
    kept = AdapterLayers.parse(layers, projector.token_width, name)
    return Adapter(name, projector, kept, FLAME, WORDS)


def expression_tokens(adapter: Adapter, expression: Expression) -> Tokens:
    """The projection of the expression; for negative prompts that of zeros."""
    parameters = expression.parameters[:, None]
    projected = adapter.projector(torch.cat([torch.zeros_like(parameters), parameters]))
    return Tokens(projected[1:], projected[:1], adapter.made)


def apply(model: Any, adapter: Adapter, expression: Expression, use: Use) -> Any:
    """A clone of MODEL that shows the expression; MODEL itself when there is nothing to do."""
    return attend(model, adapter, expression_tokens(adapter, expression), use)
