"""IResNet (Duta et al. 2020) as ArcFace recognisers are built: an aligned face in, a raw vector out.

Written from the papers; its parts are named as in the weights of insightface's project arcface_torch. The
sizes come from the weights: the 50 layers that PVA looks through have blocks 3, 4, 14, 3.
Spec: pva_freecure_emojidiff.md A.1 (a).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import torch
from torch import nn

from ..weights.fit import check_fit, filled

#: Pixels of a side of the face, and what five halvings leave of them.
SIZE, _LEFT = 112, 7
_BLOCK = re.compile(r"layer([1-4])\.(\d+)\.conv1\.weight")


class Block(nn.Module):
    """Batch norm before the first convolution and after the last, and nothing after the sum."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inside)
        self.conv1 = nn.Conv2d(inside, outside, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outside)
        self.prelu = nn.PReLU(outside)
        self.conv2 = nn.Conv2d(outside, outside, 3, stride, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outside)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or inside != outside:
            shortcut = nn.Conv2d(inside, outside, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(outside))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inner = self.prelu(self.bn2(self.conv1(self.bn1(x))))
        return self.bn3(self.conv2(inner)) + self.downsample(x)


class IResNet(nn.Module):
    """Faces [n, 3, 112, 112], RGB from -1 to 1 -> raw vectors [n, width].

    For training: keep it in eval mode, as the authors do, also while its weights learn.
    """

    def __init__(self, stem: int, widths: Sequence[int], blocks: Sequence[int], width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, stem, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(stem)
        self.prelu = nn.PReLU(stem)
        inside = stem
        for n, (outside, count) in enumerate(zip(widths, blocks, strict=True), start=1):
            stage = [Block(inside if i == 0 else outside, outside, 2 if i == 0 else 1) for i in range(count)]
            self.add_module(f"layer{n}", nn.Sequential(*stage))
            inside = outside
        self.bn2 = nn.BatchNorm2d(inside)
        self.fc = nn.Linear(inside * _LEFT * _LEFT, width)
        self.features = nn.BatchNorm1d(width)

    def forward(self, faces: torch.Tensor) -> torch.Tensor:
        x = self.prelu(self.bn1(self.conv1(faces)))
        for n in range(1, 5):
            x = self.get_submodule(f"layer{n}")(x)
        return self.features(self.fc(self.bn2(x).flatten(1)))


def build_iresnet(tensors: Mapping[str, torch.Tensor], name: str) -> IResNet:
    """The network of a state dict, float32 on the CPU, in eval mode; every tensor is used.

    name: the file's, for messages. Raises ValueError saying what is missing, left over, of another shape or
    damaged.
    """
    found = [match for match in map(_BLOCK.fullmatch, tensors) if match]
    blocks = [sum(match[1] == str(n) for match in found) for n in range(1, 5)]
    absent = [key for key in ("conv1.weight", "fc.weight") if key not in tensors]
    if absent or not all(blocks):
        raise ValueError(
            f"{name} holds no ArcFace network in arcface_torch's layout: it has no "
            f"{absent[0] if absent else f'layer{1 + blocks.index(0)}'}. PVA needs ms1mv3_arcface_r50.pth."
        )
    firsts = ["conv1.weight", *(f"layer{n}.0.conv1.weight" for n in range(1, 5)), "fc.weight"]
    sides = dict.fromkeys(firsts, 4) | {"fc.weight": 2}
    odd = [k for k in firsts if k not in tensors or tensors[k].ndim != sides[k] or not tensors[k].numel()]
    if odd:
        raise ValueError(f"{name} does not fit the face encoder (IResNet): its {odd[0]} is no such layer's.")
    stem, *widths, width = (int(tensors[key].shape[0]) for key in firsts)
    with torch.inference_mode(False), torch.random.fork_rng(devices=[]), torch.no_grad():
        with torch.device("meta"):  # takes no memory: the sizes may be nonsense
            shapes = IResNet(stem, widths, blocks, width)
            check_fit(shapes, tensors, name, "the face encoder (IResNet)", "Fetch it again.")
        return filled(IResNet(stem, widths, blocks, width), tensors)
