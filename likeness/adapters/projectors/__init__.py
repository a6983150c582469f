"""Networks that turn an embedding into attention tokens, built from their checkpoint's tensors."""

from __future__ import annotations

from .identity_transformer import IdentityTransformer
from .joined_resampler import JoinedResampler
from .layer_groups import LayerGroups
from .perceiver import Perceiver
from .perceptron import Perceptron, build_perceptron
from .resampler import Resampler
from .tensors import Tensors

__all__ = [
    "IdentityTransformer",
    "JoinedResampler",
    "LayerGroups",
    "Perceiver",
    "Perceptron",
    "Projector",
    "Resampler",
    "build",
]

Projector = Resampler | Perceptron


def build(tensors: Tensors) -> Projector:
    """The projection an `image_proj` holds, recognised by its keys in the order of spec 2.5.2.

    Raises ValueError for a layout that is known but not supported, or not known.
    """
    if "proj.weight" in tensors:
        return build_perceptron(tensors, ("proj",), "norm")
    if "proj.3.weight" in tensors:
        return build_perceptron(tensors, ("proj.0", "proj.2"), "proj.3")
    if "perceiver_resampler.proj_in.weight" in tensors:
        raise ValueError("its projection is that of an IP-Adapter FaceID Plus")
    if "norm.weight" in tensors:
        return build_perceptron(tensors, ("proj.0", "proj.2"), "norm")
    return Resampler.build(tensors)
