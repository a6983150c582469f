"""The face parser's network: BiSeNet (Yu et al. 2018) on ResNet-18, with 19 classes.

Written from the papers; the names of its parts are those of the weights `79999_iter.pth` of the project
face-parsing.PyTorch. That project's variant has no spatial path of its own: the ResNet's features at an
eighth of the size stand in for it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

CLASSES = 19


class ConvNorm(nn.Module):
    """Convolution, batch norm, ReLU; the size stays."""

    def __init__(self, inside: int, outside: int, kernel: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inside, outside, kernel, padding=kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(outside)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.bn(self.conv(x)))


class Block(nn.Module):
    """ResNet's basic block."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outside)
        self.conv2 = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outside)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or inside != outside:
            shortcut = nn.Conv2d(inside, outside, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(outside))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inner = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(inner)) + self.downsample(x))


def _stage(inside: int, outside: int, stride: int) -> nn.Sequential:
    return nn.Sequential(Block(inside, outside, stride), Block(outside, outside, 1))


class ResNet18(nn.Module):
    """Pictures -> features at an eighth, a sixteenth and a thirty-second of their size."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = _stage(64, 64, 1)
        self.layer2 = _stage(64, 128, 2)
        self.layer3 = _stage(128, 256, 2)
        self.layer4 = _stage(256, 512, 2)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        eighth = self.layer2(self.layer1(x))
        sixteenth = self.layer3(eighth)
        return eighth, sixteenth, self.layer4(sixteenth)


class Refinement(nn.Module):
    """Attention refinement: channels weighed by what the whole picture shows."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.conv = ConvNorm(inside, outside)
        self.conv_atten = nn.Conv2d(outside, outside, 1, bias=False)
        self.bn_atten = nn.BatchNorm2d(outside)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x)
        return x * torch.sigmoid(self.bn_atten(self.conv_atten(_mean(x))))


class ContextPath(nn.Module):
    """Coarse features refined and added to finer ones, from the whole picture down to an eighth."""

    def __init__(self) -> None:
        super().__init__()
        self.resnet = ResNet18()
        self.arm16 = Refinement(256, 128)
        self.arm32 = Refinement(512, 128)
        self.conv_head32 = ConvNorm(128, 128)
        self.conv_head16 = ConvNorm(128, 128)
        self.conv_avg = ConvNorm(512, 128, kernel=1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        eighth, sixteenth, coarse = self.resnet(x)
        context = self.arm32(coarse) + self.conv_avg(_mean(coarse))
        context = self.conv_head32(F.interpolate(context, sixteenth.shape[-2:], mode="nearest"))
        context = self.arm16(sixteenth) + context
        return eighth, self.conv_head16(F.interpolate(context, eighth.shape[-2:], mode="nearest"))


class Fusion(nn.Module):
    """Feature fusion: both paths together, channels weighed once more."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.convblk = ConvNorm(width, width, kernel=1)
        self.conv1 = nn.Conv2d(width, width // 4, 1, bias=False)
        self.conv2 = nn.Conv2d(width // 4, width, 1, bias=False)

    def forward(self, detail: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        x = self.convblk(torch.cat([detail, context], dim=1))
        return x + x * torch.sigmoid(self.conv2(F.relu(self.conv1(_mean(x)))))


class Head(nn.Module):
    def __init__(self, inside: int, middle: int) -> None:
        super().__init__()
        self.conv = ConvNorm(inside, middle)
        self.conv_out = nn.Conv2d(middle, CLASSES, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv_out(self.conv(x))


class BiSeNet(nn.Module):
    """Pictures [n, 3, H, W] float32, normalised -> a score for each class [n, 19, H, W].

    conv_out16 and conv_out32 only helped in training: their weights are loaded, never run.
    """

    def __init__(self) -> None:
        super().__init__()
        self.cp = ContextPath()
        self.ffm = Fusion(256)
        self.conv_out = Head(256, 256)
        self.conv_out16 = Head(128, 64)
        self.conv_out32 = Head(128, 64)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        scores = self.conv_out(self.ffm(*self.cp(pictures)))
        # Corners on corners: so the published weights were trained.
        return F.interpolate(scores, pictures.shape[-2:], mode="bilinear", align_corners=True)


def _mean(x: torch.Tensor) -> torch.Tensor:
    """The mean over the picture, [n, C, 1, 1]."""
    return x.mean(dim=(2, 3), keepdim=True)
