"""SMIRK's expression encoder for drawn faces: its layers half as wide, loaded with zeros beside them.

Zero channels are exact and a block of zeros gives back what it gets, so what is read from the file is what
has learnt. The drawn expression's five numbers learn; the 55 of the file are made of them by hand.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from likeness.expressions.presets import JAW_OPEN, LEFT_EYELID, RIGHT_EYELID
from likeness.expressions.smirk import ExpressionEncoder

from .classifier import EXPRESSION
from .start import start

Tensors = dict[str, torch.Tensor]

_FEATURES, _NUMBERS, _COMPONENTS = 960, 55, 50
#: Channels that are alive, where not half of them: a picture's three, and fewer where there are many places.
_LIVE = {1: 1, 3: 3, 64: 16, 72: 24}
#: Of the blocks at full resolution, those that the network can do without.
_LEFT_OUT = ((0, 0), (1, 1))
_HEAD = "expression_layers.0."
#: How large FLAME's components come out, about 1, and how far the jaw opens for a whole `open`, in radians.
_SIZE, _JAW = 5.0, 0.4


class Reader(nn.Module):
    """Pictures [n, 3, 224, 224] 0..1, blue first -> the five numbers of an expression."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):  # layers draw weights when made
            self.encoder = ExpressionEncoder(_FEATURES).encoder
        for stage, block in _LEFT_OUT:
            self.encoder.blocks[stage][block] = nn.Identity()
        for module in self.encoder.modules():
            _narrow(module)
        self.numbers = nn.Linear(_live(_FEATURES), len(EXPRESSION))
        start(self, seed)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.numbers(self.encoder(pictures)[-1].mean((2, 3)))
        return found


def _narrow(module: nn.Module) -> None:
    """A layer with the channels that are alive."""
    for name, tensor in [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]:
        if tensor.ndim:
            part = tensor.detach()[tuple(slice(_live(side)) for side in tensor.shape[:2])].clone()
            setattr(module, name, nn.Parameter(part) if isinstance(tensor, nn.Parameter) else part)
    if isinstance(module, nn.Conv2d):
        module.groups = _live(module.groups)


def _live(channels: int) -> int:
    return _LIVE.get(channels, channels // 2)


def kept(reader: Reader) -> Tensors:
    """All of it but counters, by name."""
    return {name: tensor for name, tensor in reader.state_dict().items() if tensor.is_floating_point()}


def load(tensors: Mapping[str, torch.Tensor]) -> Reader:
    made = Reader(0)
    counters = {name: count for name, count in made.state_dict().items() if name not in kept(made)}
    made.load_state_dict({**counters, **tensors})
    return made.eval().requires_grad_(False)


def mixture() -> torch.Tensor:
    """[55, 5]: what each number of a drawn expression moves. Lids are the eyelids, an open mouth moves the
    jaw as well; the others move components by chance, all of which are orthogonal."""
    made = torch.zeros(_NUMBERS, len(EXPRESSION))
    chance = torch.Generator().manual_seed(0)
    square = torch.randn(_COMPONENTS, len(EXPRESSION), generator=chance, dtype=torch.float64)
    made[:_COMPONENTS] = _SIZE * torch.linalg.qr(square)[0].float()
    lids, mouth = EXPRESSION.index("lids"), EXPRESSION.index("open")
    made[:_COMPONENTS, lids] = 0
    made[[LEFT_EYELID, RIGHT_EYELID], lids] = 1
    made[JAW_OPEN, mouth] = _JAW
    return made


def told(parameters: torch.Tensor) -> torch.Tensor:
    """FLAME parameters [n, 55] within SMIRK's limits -> the five numbers they were made of."""
    made = mixture()
    made[JAW_OPEN] = 0  # it can't go back beyond closed
    return parameters @ torch.linalg.pinv(made).T


def padded(tensors: Mapping[str, torch.Tensor]) -> Tensors:
    """As our loader takes it, from the stage's tensors."""
    with torch.random.fork_rng(devices=[]):
        whole = ExpressionEncoder(_FEATURES).state_dict()
    made: Tensors = {}
    mixed = mixture()
    head = {"weight": mixed @ tensors["numbers.weight"], "bias": mixed @ tensors["numbers.bias"]}
    known = {**tensors, **{_HEAD + name: tensor for name, tensor in head.items()}}
    for name, like in whole.items():
        made[name] = torch.zeros_like(like)
        if name in known:
            made[name][tuple(map(slice, known[name].shape))] = known[name]
    return made
