"""The autoencoder learns to give back pictures, and most of all faces, from four numbers a patch."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from training.chance import generator

from ...networks import autoencoder
from ..muon import Muon
from ..pictures import SIZE, Album, album, held_back
from ..stages import Rooms, Scale, Tensors

CROP = 64
#: Of latents, while it learns: the decoder must bear what a network's samples do wrong.
_NOISE = 0.05
#: Brows, eyes, glasses, nose, mouth and lips count more: they are small, and they are who it is.
_FINE = (2, 3, 4, 5, 6, 10, 11, 12, 13)
_FINE_WEIGHT = 2.0


def begin(scale: Scale, seed: int, rooms: Rooms, made: Mapping[str, Tensors]) -> AutoencoderLesson:
    return AutoencoderLesson(scale, seed, album(rooms.cache, "train", scale.pictures, 4, 32), rooms)


class AutoencoderLesson:
    def __init__(self, scale: Scale, seed: int, pictures: Album, rooms: Rooms) -> None:
        self.scale, self.seed, self.pictures, self.rooms = scale, seed, pictures, rooms
        first = pictures.batch(torch.arange(min(len(pictures), 200)))
        self.network = autoencoder.begin(first, seed)
        self.network.to(memory_format=torch.channels_last)
        named = list(self.network.named_parameters())
        # Faster, and the components that it begins with are lost before the decoder has learnt to read them.
        ends = ("taesd_encoder.0.", "taesd_encoder.14.", "taesd_decoder.1.", "taesd_decoder.19.")
        self.optimiser = Muon(named, rate=3e-3, plain_rate=5e-4, plain=lambda name: name.startswith(ends))

    def trained(self) -> Mapping[str, torch.Tensor]:
        return dict(self.network.named_parameters())

    def step(self, number: int) -> float:
        pictures, weights = self._crops(generator("crops", self.seed, number))
        latents = self.network.encode(pictures)
        noise = torch.randn(latents.shape, generator=generator("noise", self.seed, number))
        decoded = self.network.decode(latents + _NOISE * noise)
        difference = decoded - pictures
        loss = (weights * (difference.square() + 0.02 * difference.abs())).mean()
        across, down = difference.diff(dim=3), difference.diff(dim=2)
        loss = loss + 0.25 * (
            (weights[..., 1:] * across.square()).mean() + (weights[..., 1:, :] * down.square()).mean()
        )
        flat = latents.transpose(0, 1).flatten(1)
        spread = (flat.mean(1).square() + (flat.var(1) - 1).square()).mean()
        self.optimiser.zero_grad()
        (loss + 1e-3 * spread).backward()
        self.optimiser.step()
        return float(loss.detach())

    def _crops(self, chance: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        count = self.scale.batch
        places = torch.randint(len(self.pictures), (count,), generator=chance).tolist()
        corners = (torch.randint((SIZE - CROP) // 4 + 1, (count, 2), generator=chance) * 4).tolist()
        pictures, labels = [], []
        for place, (top, left) in zip(places, corners, strict=True):
            part = slice(top, top + CROP), slice(left, left + CROP)
            pictures.append(self.pictures.pictures[place][part])
            labels.append(self.pictures.labels[place][part])
        fine = np.isin(np.stack(labels), _FINE)
        weights = torch.from_numpy(np.where(fine, _FINE_WEIGHT, 1.0).astype(np.float32))[:, None]
        return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255, weights

    def finish(self) -> tuple[Tensors, dict[str, float]]:
        unseen = held_back(self.rooms.cache, self.scale.pictures)
        figures = measured(self.network, unseen)
        return {name: tensor.detach() for name, tensor in self.network.state_dict().items()}, figures


@torch.no_grad()
def measured(network: autoencoder.Autoencoder, unseen: Album) -> dict[str, float]:
    """psnr: of whole pictures; psnr_fine: of brows, eyes, glasses, nose and mouth; how latents are spread."""
    errors, fine_errors, latents = [], [], []
    for places in torch.arange(len(unseen)).split(16):
        pictures = unseen.batch(places)
        latents.append(network.encode(pictures))
        error = (network.decode(latents[-1]).clamp(0, 1) - pictures).square().mean(1)
        fine = torch.from_numpy(np.isin(np.stack([unseen.labels[int(p)] for p in places]), _FINE))
        errors.append(error.mean((1, 2)))
        fine_errors.append((error * fine).sum((1, 2)) / fine.sum((1, 2)).clamp(min=1))
    spread = torch.cat(latents).transpose(0, 1).flatten(1)
    return {
        "psnr": round(float(-10 * torch.cat(errors).log10().mean()), 3),
        "psnr_fine": round(float(-10 * torch.cat(fine_errors).log10().mean()), 3),
        "latent_mean": round(float(spread.mean(1).abs().max()), 3),
        "latent_deviation": round(float(spread.std()), 3),
    }
