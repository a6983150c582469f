"""Arc2Face's expression adapter: FLAME parameters as tokens. Spec: instantid_arc2face.md 2.5."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from ... import host
from ...adapters.describe import describe
from ...adapters.layers import AdapterLayers
from ...adapters.projectors import Projector, build
from ...attention.adds import AddedAttention
from ...attention.engine import inject
from ...attention.use import Use, kind_of
from ...choices.arc2face import ADAPTER, ADAPTERS
from ...values import Expression
from ...weights.chosen import find_chosen
from ...weights.read import read_weights, tensors_under

NEEDS = "The expression adapter needs an SD1.5 model (Arc2Face)"
_NUMBERS = 55


@dataclass(frozen=True, eq=False)
class ExpressionAdapter:
    """A loaded adapter, in host memory."""

    name: str
    projector: Projector
    layers: AdapterLayers

    def __repr__(self) -> str:
        return f"ExpressionAdapter({self.name}, {len(self.layers.pairs)} layers)"


def fingerprint(file: str | None) -> str:
    """Changes when the file does, so that the host runs the loader again."""
    return host.files.fingerprint(ADAPTERS, file)


def load(file: str) -> ExpressionAdapter:
    """Raises MissingModel, or ValueError saying what the file is instead."""
    path = find_chosen(ADAPTERS, file, ADAPTER)
    return parse(read_weights(path)[0], os.path.basename(path))


def parse(content: Mapping[str, Any], name: str) -> ExpressionAdapter:
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
    return ExpressionAdapter(name, projector, AdapterLayers.parse(layers, projector.token_width, name))


def expression_tokens(adapter: ExpressionAdapter, expression: Expression) -> torch.Tensor:
    """Tokens [2, T, D]: the projection of zeros for negative prompts, that of the expression."""
    parameters = expression.parameters[:, None]
    return adapter.projector(torch.cat([torch.zeros_like(parameters), parameters]))


def apply(model: Any, adapter: ExpressionAdapter, expression: Expression, use: Use) -> Any:
    """A clone of MODEL that shows the expression; MODEL itself when there is nothing to do."""
    network = model.model.diffusion_model
    sites, numbers = adapter.layers.match(network, kind_of(model), NEEDS)
    tokens = expression_tokens(adapter, expression)
    if use.nothing("Apply Expression") or use.weight == 0:
        return model
    kept = adapter.layers.keys_values(tokens, numbers)
    source = AddedAttention(kept, use.weight, use.window, use.where, host.attention.narrow_attention)
    return inject(model, sites, source, host.attention.base_attention)
