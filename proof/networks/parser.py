"""The face parser in BiSeNet's published layout, but narrow while it learns.

Channels of zeros stay zeros, so what is trained is small and what is loaded is exactly the same. Batch norms
keep mean 0 and deviation 1: what learns is what the node runs. The first layer is written by hand and hands
on colours: at half of 512 pixels it would cost more than all others.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn
from torch.nn import functional

from likeness.faces.bisenet import BiSeNet, Block, ConvNorm, Fusion, Head, Refinement
from likeness.faces.parsing import SIZE

from .start import start

Tensors = dict[str, torch.Tensor]

#: Of ImageNet, as our node gives colours to the network.
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
#: Channels of the ResNet's four levels, of what is made of the deeper ones, and of the head.
_LEVELS = (16, 32, 48, 64)
_CONTEXT, _HEAD = 32, 32
#: Where the second of the two paths begins among what the published fusion looks at.
_SECOND = 128
_FUSED = "ffm.convblk.conv.weight"


class Parser(nn.Module):
    """BiSeNet with fewer channels, and without the heads that are never run."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        first, second, third, fourth = _LEVELS
        with torch.device("meta"):  # all of its layers are replaced
            whole = BiSeNet()
        resnet, path = whole.cp.resnet, whole.cp
        resnet.conv1, resnet.bn1 = nn.Conv2d(3, first, 7, 2, 3, bias=False), nn.BatchNorm2d(first)
        resnet.layer1, resnet.layer2 = _level(first, first, 1), _level(first, second, 2)
        resnet.layer3, resnet.layer4 = _level(second, third, 2), _level(third, fourth, 2)
        path.arm16, path.arm32 = Refinement(third, _CONTEXT), Refinement(fourth, _CONTEXT)
        path.conv_head16, path.conv_head32 = ConvNorm(_CONTEXT, _CONTEXT), ConvNorm(_CONTEXT, _CONTEXT)
        path.conv_avg = ConvNorm(fourth, _CONTEXT, kernel=1)
        whole.ffm = Fusion(second + _CONTEXT)
        whole.conv_out = Head(second + _CONTEXT, _HEAD)
        del whole.conv_out16, whole.conv_out32
        start(whole, seed)
        self.whole = whole.eval()
        _begin(resnet)

    def learnt(self) -> dict[str, nn.Parameter]:
        """By the names of the file."""
        return {name: p for name, p in self.whole.named_parameters() if p.requires_grad}

    def forward(self, normalised: torch.Tensor) -> torch.Tensor:
        """[n, 3, 512, 512] -> a score for each class [n, 19, 512, 512], as our node's network."""
        scores: torch.Tensor = self.whole(normalised)
        return scores

    def scores(self, pictures: torch.Tensor) -> torch.Tensor:
        """Of each pixel of pictures [n, 3, S, S] 0..1, without the others of 512 x 512: [n, 19, S, S]."""
        shown = functional.interpolate(pictures, size=(SIZE, SIZE), mode="bilinear")
        mean, deviation = (torch.tensor(x).reshape(3, 1, 1) for x in (_MEAN, _DEVIATION))
        coarse = self.whole.conv_out(self.whole.ffm(*self.whole.cp((shown - mean) / deviation)))
        along = _between(pictures.shape[-1], coarse.shape[-1])
        return along @ coarse @ along.T


def _level(inside: int, outside: int, stride: int) -> nn.Sequential:
    return nn.Sequential(Block(inside, outside, stride), Block(outside, outside, 1))


@torch.no_grad()
def _begin(resnet: nn.Module) -> None:
    """The first layer hands on each colour above and below its mean; every block begins as doing nothing."""
    for name, parameter in resnet.named_parameters():
        if name.endswith("bn2.weight"):
            parameter.zero_()
        elif name.startswith(("conv1.", "bn1.")):
            parameter.requires_grad_(False)
    weight = resnet.get_parameter("conv1.weight").zero_()
    for colour in range(3):
        weight[2 * colour, colour, 3, 3] = 1
        weight[2 * colour + 1, colour, 3, 3] = -1


def _between(fine: int, coarse: int) -> torch.Tensor:
    """[fine, coarse]: along one side, the network's last interpolation at the pixels that the node takes."""
    taken = ((torch.arange(fine) + 0.5) * (SIZE / fine)).floor() * (coarse - 1) / (SIZE - 1)
    return (1 - (taken[:, None] - torch.arange(coarse)).abs()).clamp(min=0)


def load(learnt: Mapping[str, torch.Tensor]) -> Parser:
    """As it was trained, to be looked through."""
    made = Parser(0)
    made.whole.load_state_dict({**made.whole.state_dict(), **learnt})
    return made.eval().requires_grad_(False)


def whole(learnt: Mapping[str, torch.Tensor]) -> Tensors:
    """The published file: its widths, filled up with zeros."""
    with torch.device("meta"):
        shapes = {name: tensor.shape for name, tensor in BiSeNet().state_dict().items()}
    made = {name: torch.zeros(shape) for name, shape in shapes.items() if not name.endswith("_tracked")}
    for name, tensor in made.items():
        if name.endswith("running_var"):
            tensor.fill_(1)
    kept = {name: p.detach() for name, p in Parser(0).whole.named_parameters()}
    for name, tensor in {**kept, **learnt}.items():
        if name == _FUSED:
            second = _LEVELS[1]
            made[name][: len(tensor), _SECOND : _SECOND + _CONTEXT] = tensor[:, second:]
            tensor = tensor[:, :second]
        made[name][tuple(map(slice, tensor.shape))] = tensor
    return made
