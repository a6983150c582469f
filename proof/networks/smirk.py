"""SMIRK's expression encoder for drawn faces: half as wide, loaded with zeros beside what is alive.

Zero channels are exact and a block of zeros gives back what it gets, so what is read from the file is what
has learnt. The stem and the first block, which see most places and cost most, are written by hand: they halve
the picture, and put each four pixels of it into one place. The drawn expression's five numbers learn; the 55
of the file are made of them by hand.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn
from torch.nn import functional

from likeness.choices.expressions import JAW_OPEN, LEFT_EYELID, RIGHT_EYELID
from likeness.expressions.smirk import ExpressionEncoder

from .classifier import EXPRESSION
from .start import start

Tensors = dict[str, torch.Tensor]

_FEATURES, _NUMBERS, _COMPONENTS = 960, 55, 50
#: Blocks that do not learn: the first of stage 1 is written by hand, all others give back what they get.
_STILL = ((0, 0), (1, 0), (1, 1), (2, 2), (3, 2), (3, 3), (4, 1), (5, 2))
#: Of the network's norms.
_EPSILON = 1e-3
_HEAD = "expression_layers.0."
#: How large FLAME's components come out, about 1, and how far the jaw opens for a whole `open`, in radians.
_SIZE, _JAW = 5.0, 0.4


class Reader(nn.Module):
    """Pictures [n, 3, 112, 112] 0..1, blue first, half as large as the file's -> an expression's numbers."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):  # layers draw weights when made
            self.encoder = ExpressionEncoder(_FEATURES).encoder
        self.encoder.conv_stem = self.encoder.bn1 = nn.Identity()
        for stage, block in _STILL:
            self.encoder.blocks[stage][block] = nn.Identity()
        for module in self.encoder.modules():
            _halve(module)
        self.numbers = nn.Linear(_FEATURES // 2, len(EXPRESSION))
        start(self, seed)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        seen = self.encoder.blocks(functional.pixel_unshuffle(pictures, 2))
        found: torch.Tensor = self.numbers(seen.mean((2, 3)))
        return found


def _halve(module: nn.Module) -> None:
    """Half of a layer's channels."""
    for name, tensor in [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]:
        if tensor.ndim:
            part = tensor.detach()[tuple(slice((side + 1) // 2) for side in tensor.shape[:2])].clone()
            setattr(module, name, nn.Parameter(part) if isinstance(tensor, nn.Parameter) else part)
    if isinstance(module, nn.Conv2d):
        module.groups = (module.groups + 1) // 2


def _front(made: Tensors) -> None:
    """Writes the stem and the first block: each 2 x 2 pixels are averaged, four of these share a place."""
    for name, tensor in made.items():
        if name.startswith(("encoder.bn1.", "encoder.blocks.1.0.bn")):  # norms that change nothing
            tensor.fill_(1 - _EPSILON if name.endswith("var") else float(name.endswith("weight")))
    first = "encoder.blocks.1.0.conv_"
    for colour in range(3):
        made["encoder.conv_stem.weight"][colour, colour, :2, :2] = 0.25
        for place in range(4):
            channel = 4 * colour + place
            made[f"{first}pw.weight"][channel, colour] = 1
            made[f"{first}dw.weight"][channel, 0, place // 2, place % 2] = 1
            made[f"{first}pwl.weight"][channel, channel] = 1


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
    _front(made)
    return made
