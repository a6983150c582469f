"""From a weights file's content to the face parser's network, or a sentence about what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from ..weights.fit import check_fit, filled
from .bisenet import CLASSES, BiSeNet

#: Names some trainers put before every other.
_PREFIXES = ("", "module.")
_SIGN = "cp.resnet.conv1.weight"
_HEAD = "conv_out.conv_out.weight"
_ADVICE = "Use 79999_iter.pth of the project face-parsing.PyTorch."


def build_network(content: Mapping[str, Any], name: str) -> BiSeNet:
    """The network, float32 on the CPU, ready to use; every tensor of the file is used.

    name: the file's, for messages. Raises ValueError saying what is missing, left over, of another shape or
    damaged.
    """
    tensors = _tensors(content, name)
    # Weights made while the host infers could not be moved or copied outside of a node.
    with torch.inference_mode(False), torch.random.fork_rng(devices=[]), torch.no_grad():
        network = BiSeNet()  # draws weights that are replaced at once; nobody's seed shall notice
        head = tensors.get(_HEAD)
        if head is not None and head.ndim and head.shape[0] != CLASSES:
            raise ValueError(
                f"{name} parses into {head.shape[0]} classes instead of the {CLASSES} of CelebAMask-HQ. "
                f"{_ADVICE}"
            )
        check_fit(network, tensors, name, "the face parser (BiSeNet on ResNet-18)", _ADVICE)
        return filled(network, tensors)


def _tensors(content: Mapping[str, Any], name: str) -> dict[str, torch.Tensor]:
    # Trainers keep the weights beside much else: under state_dict, model_state_dict, net, ...
    candidates = [content, *(value for value in content.values() if isinstance(value, Mapping))]
    named, prefix = next(
        (
            (each, start)
            for each in candidates
            for start in _PREFIXES
            if any(str(key).startswith(start + "cp.") for key in each)
        ),
        (content, None),
    )
    if prefix is None:
        shown = ", ".join(str(key) for key in list(content)[:3]) or "nothing"
        raise ValueError(
            f"{name} is no face parser of the BiSeNet layout: it holds no {_SIGN} (its first keys: {shown}). "
            f"{_ADVICE}"
        )
    return {
        str(key).removeprefix(prefix): value.to("cpu", torch.float32) if value.is_floating_point() else value
        for key, value in named.items()
        if isinstance(value, torch.Tensor)
    }
