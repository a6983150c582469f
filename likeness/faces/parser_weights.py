"""From a weights file's content to the face parser's network, or a sentence about what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from .bisenet import CLASSES, BiSeNet

#: Names some trainers put before every other.
_PREFIXES = ("", "module.")
#: Batch norms count what they were trained with; nothing is computed from it, and some files leave it out.
_COUNTER = "num_batches_tracked"
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
        _check_fit(network, tensors, name)
        numbers = {k: v for k, v in tensors.items() if not k.endswith(_COUNTER)}
        network.load_state_dict(numbers, strict=False)  # but for counters all names are the same
        return network.eval().requires_grad_(False)


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


def _check_fit(network: BiSeNet, tensors: Mapping[str, torch.Tensor], name: str) -> None:
    head = tensors.get(_HEAD)
    if head is not None and head.ndim and head.shape[0] != CLASSES:
        raise ValueError(
            f"{name} parses into {head.shape[0]} classes instead of the {CLASSES} of CelebAMask-HQ. {_ADVICE}"
        )
    wanted = {k: v for k, v in network.state_dict().items() if not k.endswith(_COUNTER)}
    for problem, keys in (
        ("lacks", [k for k in wanted if k not in tensors]),
        ("holds unknown tensors:", [k for k in tensors if k not in wanted and not k.endswith(_COUNTER)]),
        ("has other shapes for", [k for k in wanted if k in tensors and tensors[k].shape != wanted[k].shape]),
    ):
        if keys:
            more = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
            raise ValueError(
                f"{name} does not fit the face parser (BiSeNet on ResNet-18): it {problem} "
                f"{', '.join(keys[:3])}{more}. {_ADVICE}"
            )
    broken = next((k for k in wanted if not torch.isfinite(tensors[k]).all()), None)
    if broken:
        raise ValueError(f"{name} is damaged: {broken} holds NaN or infinity. Fetch it again.")
