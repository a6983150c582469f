"""The encoder of e4e: a face of FFHQ as a code of StyleGAN2. Spec: adapters.md 3.2, fact_wplus.md B.6.

An IR-SE-50 whose features at three sizes go to 18 heads, one for each layer of the code. The decoder of the
published file is not needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from ...adapters.projectors.layer_groups import LAYERS, WIDTH

#: Blocks of each stage; the ones after which features are taken.
UNITS, TAPS = (3, 4, 14, 3), (6, 20, 23)
#: Heads that see the coarsest features, and the next; the convolutions of their three kinds.
_COARSE, _MIDDLE, _CONVS = 3, 7, (4, 5, 6)
_SLOPE = 0.01

Tensors = Mapping[str, torch.Tensor]


class _Squeeze(nn.Module):
    """Channels weighed by what all of the picture holds."""

    def __init__(self, wide: int, narrow: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(wide, narrow, 1, bias=False)
        self.fc2 = nn.Conv2d(narrow, wide, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weights = self.fc2(F.relu(self.fc1(x.mean(dim=(2, 3), keepdim=True))))
        return x * torch.sigmoid(weights)


class _Unit(nn.Module):
    def __init__(self, inside: int, outside: int, stride: int, narrow: int) -> None:
        super().__init__()
        self.shortcut_layer: nn.Module
        if inside == outside:
            self.shortcut_layer = nn.MaxPool2d(1, stride)
        else:
            shortcut = nn.Conv2d(inside, outside, 1, stride, bias=False)
            self.shortcut_layer = nn.Sequential(shortcut, nn.BatchNorm2d(outside))
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(inside),
            nn.Conv2d(inside, outside, 3, 1, 1, bias=False),
            nn.PReLU(outside),
            nn.Conv2d(outside, outside, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outside),
            _Squeeze(outside, narrow),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.res_layer(x) + self.shortcut_layer(x)
        return out


class _Head(nn.Module):
    """Features [B, C, s, s] -> one layer of a code [B, 512]; 2 to the number of convs is s."""

    def __init__(self, wide: int, convs: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(convs):
            layers += [nn.Conv2d(wide, wide, 3, 2, 1), nn.LeakyReLU(_SLOPE)]
        self.convs = nn.Sequential(*layers)
        self.linear = nn.Linear(wide, WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # Stored as StyleGAN stores them: divided by the root of the width when used.
        weight = self.linear.weight * self.linear.in_features**-0.5
        return F.linear(self.convs(x).flatten(1), weight, self.linear.bias)


class E4E(nn.Module):
    """Named as in the published file. widths: of the stem and the four stages."""

    average: torch.Tensor

    def __init__(self, widths: tuple[int, ...], narrow: tuple[int, ...]) -> None:
        super().__init__()
        stem, wide = nn.Conv2d(3, widths[0], 3, 1, 1, bias=False), widths[-1]
        self.input_layer = nn.Sequential(stem, nn.BatchNorm2d(widths[0]), nn.PReLU(widths[0]))
        units = []
        for stage, count in enumerate(UNITS):
            inside, outside = widths[stage : stage + 2]
            units.append(_Unit(inside, outside, 2, narrow[stage]))
            units += [_Unit(outside, outside, 1, narrow[stage]) for _ in range(count - 1)]
        self.body = nn.Sequential(*units)
        kinds = [_CONVS[(i >= _COARSE) + (i >= _MIDDLE)] for i in range(LAYERS)]
        self.styles = nn.ModuleList(_Head(wide, convs) for convs in kinds)
        self.latlayer1, self.latlayer2 = nn.Conv2d(widths[3], wide, 1), nn.Conv2d(widths[2], wide, 1)
        self.register_buffer("average", torch.empty(LAYERS, WIDTH))

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Pictures [B, 3, 256, 256], RGB from -1 to 1 -> codes [B, 18, 512]."""
        x, taps = self.input_layer(pictures), []
        for number, unit in enumerate(self.body):
            x = unit(x)
            if number in TAPS:
                taps.append(x)
        fine, middle, features = taps
        rows = [self.styles[0](features)]
        first = rows[0]
        for i in range(1, LAYERS):
            if i == _COARSE:
                features = _finer(features, self.latlayer1(middle))
            elif i == _MIDDLE:
                features = _finer(features, self.latlayer2(fine))
            rows.append(first + self.styles[i](features))
        return torch.stack(rows, dim=1) + self.average


def _finer(coarse: torch.Tensor, fine: torch.Tensor) -> torch.Tensor:
    return F.interpolate(coarse, fine.shape[-2:], mode="bilinear", align_corners=True) + fine


def build(tensors: Tensors, average: torch.Tensor, name: str) -> E4E:
    """The network of an encoder's tensors, float32 on the CPU: those that are float32 are not copied.

    average: latent_avg, [512], [1, 512] or [18, 512]. Raises ValueError for tensors that lack or do not fit.
    """
    starts = [sum(UNITS[:stage]) for stage in range(len(UNITS))]
    try:
        widths = (
            len(tensors["input_layer.0.weight"]),
            *(len(tensors[f"body.{n}.res_layer.1.weight"]) for n in starts),
        )
        narrow = tuple(len(tensors[f"body.{n}.res_layer.5.fc1.weight"]) for n in starts)
    except KeyError as error:
        raise ValueError(f"{name} is no face encoder (e4e): it lacks {error.args[0]}.") from error
    if average.numel() not in (WIDTH, LAYERS * WIDTH) or not average.isfinite().all():
        raise ValueError(f"{name} is damaged: latent_avg is {list(average.shape)}, or holds NaN or infinity.")
    with torch.device("meta"):
        network = E4E(widths, narrow).eval().requires_grad_(False)
    wanted = {key: tuple(value.shape) for key, value in network.state_dict().items() if key != "average"}
    _check(tensors, wanted, name)
    # Weights made while the host infers could not be moved outside of a node.
    with torch.inference_mode(False), torch.no_grad():
        state: dict[str, Any] = {
            key: tensors[key]
            if key.endswith("num_batches_tracked")
            else tensors[key].to("cpu", torch.float32)
            for key in wanted
        }
        rows = average.detach().to("cpu", torch.float32, copy=True).reshape(-1, WIDTH)
        state["average"] = rows.expand(LAYERS, -1).contiguous()
        network.load_state_dict(state, assign=True)
        return network


def _check(tensors: Tensors, wanted: Mapping[str, tuple[int, ...]], name: str) -> None:
    missing = [key for key in wanted if key not in tensors]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise ValueError(f"{name} is incomplete: it lacks {missing[0]}{more}. Download it again.")
    for key, shape in wanted.items():
        if tuple(tensors[key].shape) != shape:
            raise ValueError(f"{name} does not fit: {key} is {list(tensors[key].shape)}, not {list(shape)}.")
        if not torch.isfinite(tensors[key]).all():
            raise ValueError(f"{name} is damaged: {key} holds NaN or infinity. Download it again.")
