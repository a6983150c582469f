"""A narrow autoencoder that becomes a TAESD by padding with zeros: the host loads it as one.

A TAESD has 64 channels everywhere and three blocks a level. Channels of zeros stay zeros, and a block of
zeros gives back what it gets (nothing there is below 0), so what is trained is small and what is loaded is
exactly the same.

The encoder starts as principal components: 8 x 8 pixels to 4 numbers is a matrix, and three strided
convolutions of zeros and ones gather these pixels, so that latents are useful before anything was learnt.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

Tensors = dict[str, torch.Tensor]

LATENTS = 4
PATCH = 8
#: Channels from full resolution to an eighth. A quarter holds 4 x 4 pixels of 3 colours and a constant.
ENCODER_WIDTHS = (16, 32, 56, 64)
DECODER_WIDTHS = (16, 32, 64, 64)
#: Places of blocks that learn; the others stay zeros. At full resolution a block costs as much as all others.
ENCODER_BLOCKS = (3, 7, 8, 11, 12, 13)
DECODER_BLOCKS = (3, 4, 5, 8, 9, 13, 18)
_WHOLE = 64
#: Keeps the components above 0 on their way through the last block.
_LIFT = 16.0


class Block(nn.Module):
    """As TAESD's, with its names."""

    def __init__(self, width: int) -> None:
        super().__init__()
        convs = [nn.Conv2d(width, width, 3, padding=1) for _ in range(3)]
        self.conv = nn.Sequential(convs[0], nn.ReLU(), convs[1], nn.ReLU(), convs[2])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.conv(x) + x)


class Clamp(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(x / 3) * 3


def _conv(inside: int, outside: int, stride: int = 1, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(inside, outside, 3, stride=stride, padding=1, bias=bias)


def _encoder() -> nn.Sequential:
    full, half, quarter, eighth = ENCODER_WIDTHS
    layers: dict[int, nn.Module] = {
        0: _conv(3, full),
        1: nn.ReLU(),  # what a block of zeros does to numbers that may lie below 0
        2: _conv(full, half, 2, False),
        6: _conv(half, quarter, 2, False),
        10: _conv(quarter, eighth, 2, False),
        14: _conv(eighth, LATENTS),
    }
    for place in ENCODER_BLOCKS:
        layers[place] = Block(full if place < 2 else half if place < 6 else quarter if place < 10 else eighth)
    return nn.Sequential(*(layers.get(place, nn.Identity()) for place in range(15)))


def _decoder() -> nn.Sequential:
    full, half, quarter, eighth = DECODER_WIDTHS
    layers: dict[int, nn.Module] = {
        0: Clamp(),
        1: _conv(LATENTS, eighth),
        2: nn.ReLU(),
        7: _conv(eighth, quarter, bias=False),
        12: _conv(quarter, half, bias=False),
        17: _conv(half, full, bias=False),
        19: _conv(full, 3),
    }
    layers |= {place: nn.Upsample(scale_factor=2) for place in (6, 11, 16)}
    for place in DECODER_BLOCKS:
        layers[place] = Block(
            eighth if place < 6 else quarter if place < 11 else half if place < 16 else full
        )
    return nn.Sequential(*(layers.get(place, nn.Identity()) for place in range(20)))


class Autoencoder(nn.Module):
    """Pictures [n, 3, H, W] 0..1, sides divisible by 8; latents [n, 4, H / 8, W / 8] of about unit
    deviation."""

    def __init__(self) -> None:
        super().__init__()
        self.taesd_encoder = _encoder()
        self.taesd_decoder = _decoder()

    def encode(self, pictures: torch.Tensor) -> torch.Tensor:
        latents: torch.Tensor = self.taesd_encoder(pictures)
        return latents

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        pictures: torch.Tensor = self.taesd_decoder(latents)
        return pictures


def load(tensors: Mapping[str, torch.Tensor]) -> Autoencoder:
    made = Autoencoder()
    made.load_state_dict(dict(tensors))
    return made.eval().requires_grad_(False)


def begin(pictures: torch.Tensor, seed: int) -> Autoencoder:
    """The encoder as principal components of these pictures, the rest by chance from the seed."""
    made = Autoencoder()
    chance = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if parameter.ndim == 1:
                parameter.zero_()
                continue
            fan = parameter[0].numel()
            parameter.normal_(0, (2 / fan) ** 0.5, generator=chance)
            if name.endswith("conv.4.weight"):  # a block starts as doing nothing
                parameter.zero_()
        last = made.taesd_decoder[19]
        assert isinstance(last, nn.Conv2d) and last.bias is not None
        last.weight.mul_(0.2)
        last.bias.fill_(0.5)
        _write_components(made.taesd_encoder, *components(pictures))
    return made


def components(pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Matrix [4, 3 * 64] and shift [4] from a patch (colour, row, column) to latents of unit deviation."""
    patches = _patches(pictures).double()
    mean = patches.mean(0)
    covariance = torch.cov((patches - mean).T)
    values, vectors = torch.linalg.eigh(covariance)
    best = vectors.flip(1)[:, :LATENTS]
    best = best * best.sum(0).sign()  # the sign of an eigenvector is the library's whim
    matrix = (best / values.flip(0)[:LATENTS].clamp(min=1e-12).sqrt()).T
    return matrix.float(), (-matrix @ mean).float()


def project(pictures: torch.Tensor, matrix: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    """What the encoder gives before it learnt, without convolutions."""
    count, _, height, width = pictures.shape
    latents = _patches(pictures) @ matrix.T + shift
    return latents.reshape(count, height // PATCH, width // PATCH, LATENTS).permute(0, 3, 1, 2)


def _patches(pictures: torch.Tensor) -> torch.Tensor:
    count, colours, height, width = pictures.shape
    cut = pictures.reshape(count, colours, height // PATCH, PATCH, width // PATCH, PATCH)
    return cut.permute(0, 2, 4, 1, 3, 5).reshape(-1, colours * PATCH * PATCH)


def _write_components(encoder: nn.Sequential, matrix: torch.Tensor, shift: torch.Tensor) -> None:
    """Rows beyond those used keep their random weights: they are free to learn, and add nothing yet."""
    convs = [encoder[place] for place in (0, 2, 6, 10, 14)]
    first, half, quarter, eighth, last = (conv for conv in convs if isinstance(conv, nn.Conv2d))
    assert first.bias is not None and last.bias is not None
    first.weight[:4] = 0
    for colour in range(3):
        first.weight[colour, colour, 1, 1] = 1
    first.bias[3] = 1
    _gather(half, 3, 3)
    _gather(quarter, 12, 12)
    # What a channel of quarter resolution holds: offset of half, offset of full resolution, colour.
    eighth.weight[:LATENTS] = 0
    for y8 in range(PATCH):
        for x8 in range(PATCH):
            (y4, y2, y1), (x4, x2, x1) = _bits(y8), _bits(x8)
            for colour in range(3):
                channel = (2 * y2 + x2) * 12 + (2 * y1 + x1) * 3 + colour
                value = matrix[:, colour * PATCH * PATCH + y8 * PATCH + x8]
                eighth.weight[:LATENTS, channel, 1 + y4, 1 + x4] = value
    eighth.weight[:LATENTS, 48, 1, 1] = shift + _LIFT
    last.weight.zero_()
    for number in range(LATENTS):
        last.weight[number, number, 1, 1] = 1
    last.bias.fill_(-_LIFT)


def _bits(number: int) -> tuple[int, int, int]:
    return number >> 2 & 1, number >> 1 & 1, number & 1


def _gather(conv: nn.Conv2d, channels: int, constant: int) -> None:
    """Two by two places of so many channels become four times as many; the constant follows them."""
    weight = conv.weight
    weight[: 4 * channels + 1] = 0
    for y in (0, 1):
        for x in (0, 1):
            for channel in range(channels):
                weight[(2 * y + x) * channels + channel, channel, 1 + y, 1 + x] = 1
    weight[4 * channels, constant, 1, 1] = 1


def padded(tensors: Mapping[str, torch.Tensor], scale: float = 1.0) -> Tensors:
    """The published layout. scale: the latent format's, so that the host's network sees latents as here."""
    whole = {name: torch.zeros(shape) for name, shape in _published().items()}
    for name, tensor in tensors.items():
        whole[name][tuple(map(slice, tensor.shape))] = tensor
    return whole | {"vae_scale": torch.tensor(scale), "vae_shift": torch.tensor(0.0)}


def _published() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}

    def conv(name: str, inside: int, outside: int, bias: bool = True) -> None:
        shapes[f"{name}.weight"] = (outside, inside, 3, 3)
        if bias:
            shapes[f"{name}.bias"] = (outside,)

    conv("taesd_encoder.0", 3, _WHOLE)
    conv("taesd_encoder.14", _WHOLE, LATENTS)
    conv("taesd_decoder.1", LATENTS, _WHOLE)
    conv("taesd_decoder.19", _WHOLE, 3)
    for name in (*(f"taesd_encoder.{n}" for n in (2, 6, 10)), *(f"taesd_decoder.{n}" for n in (7, 12, 17))):
        conv(name, _WHOLE, _WHOLE, bias=False)
    blocks = [f"taesd_encoder.{n}" for n in (1, 3, 4, 5, 7, 8, 9, 11, 12, 13)]
    blocks += [f"taesd_decoder.{n}" for n in (3, 4, 5, 8, 9, 10, 13, 14, 15, 18)]
    for block in blocks:
        for place in (0, 2, 4):
            conv(f"{block}.conv.{place}", _WHOLE, _WHOLE)
    return shapes
