"""What an adapter of InstantID's kind learns and from what: the networks, and the loss.

Everything but the resampler and to_k_ip, to_v_ip is frozen. Spec of what it makes: instantid_arc2face.md 1.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from likeness.sampling.noised import noised

from ..autoencoders import encode
from ..resampler import Resampler, Sizes
from ..start import put
from ..text_to_image import BaseModel
from ..texts import Texts
from ..unets import UNetLesson, checkpoint
from .network import add_person, person_parameters
from .samples import Batch

IMAGE_PROJ, IP_ADAPTER = "image_proj", "ip_adapter"
#: How often the text, and the person, is left out, each alone; and both at once. As IP-Adapter's authors.
DROPPED = 0.05
#: Numbers in a recogniser's vector.
VECTOR = 512


@dataclass(frozen=True)
class Course:
    """rate: of AdamW. face: how much more an error in the face's box weighs than one beside it; 1 is
    InstantID's plain error. checkpointing: half the speed or better, far less memory."""

    rate: float = 1e-4
    face: float = 1.0
    checkpointing: bool = False


class AdapterLesson(UNetLesson):
    """start: tensors of an adapter's file to go on from; without, it begins as changing nothing. sizes: of a
    new resampler, if not InstantID's. Raises ValueError when the parts do not fit each other.
    """

    def __init__(
        self,
        base: BaseModel,
        start: Mapping[str, Tensor] | None = None,
        course: Course | None = None,
        sizes: Sizes | None = None,
    ) -> None:
        self.course = course or Course()
        super().__init__(base, self.course.checkpointing)
        self.texts, self.kind = Texts(base), base.kind
        width = int(base.unet.config.cross_attention_dim)
        self.resampler = _resampler(start, width, sizes)
        add_person(self.unet, self.resampler.sizes.tokens)
        for part in (self.unet, self.vae):
            part.requires_grad_(False)
        for parameter in self.trained().values():
            parameter.requires_grad_(True)
        if start is not None:
            put(self.trained(), start)
        self.train()

    def train(self, mode: bool = True) -> AdapterLesson:
        """Nothing has dropout."""
        super().train(False)
        checkpoint(mode, self.unet)
        self.training = mode
        return self

    def trained(self) -> dict[str, nn.Parameter]:
        """By the names of the adapter's file."""
        named = {f"{IMAGE_PROJ}.{name}": p for name, p in self.resampler.named_parameters()}
        layers = {f"{IP_ADAPTER}.{name}": p for name, p in person_parameters(self.unet).items()}
        return {**named, **layers}

    def groups(self, effective_batch: int) -> list[dict[str, Any]]:
        """One rate for all, whatever the batch."""
        return [{"name": "person", "params": list(self.trained().values()), "lr": self.course.rate}]

    def prepare_batch(self, batch: Batch, source: torch.Generator) -> dict[str, Tensor]:
        """Latents, noise, timesteps, words and who it is. Call it without gradients."""
        count, device = len(batch.pictures), self.alphas.device
        clean = encode(self.vae, batch.pictures.to(device), source)
        times = torch.randint(len(self.alphas), (count,), generator=source)
        noise = torch.randn(clean.shape, generator=source)
        no_text, nobody = left_out(count, source)
        words = ["" if out else text for text, out in zip(batch.texts, no_text.tolist(), strict=True)]
        prepared = {"clean": clean, "times": times.to(device), "noise": noise.to(device)}
        prepared |= self.texts(words, batch.pictures.shape[-1], device)
        prepared["vectors"] = (batch.vectors * ~nobody[:, None]).to(device)
        prepared["weights"] = weights(batch.boxes, clean.shape[-2:], self.course.face).to(device)
        return prepared

    def forward(self, prepared: dict[str, Tensor], part: int) -> Tensor:
        """Mean squared error of the predicted noise, weighed."""
        noisy = noised(prepared["clean"], prepared["noise"], prepared["times"], self.alphas)
        answer = self.noise(noisy, prepared["times"], prepared)
        error: Tensor = (prepared["weights"] * (answer.float() - prepared["noise"]).square()).mean()
        return error

    def noise(self, noisy: Tensor, times: Tensor, prepared: Mapping[str, Tensor]) -> Tensor:
        """The U-Net's answer."""
        text = prepared["text"]
        context = torch.cat([text, self.tokens(prepared["vectors"]).to(text.dtype)], dim=1)
        added = {name: prepared[name] for name in ("text_embeds", "time_ids") if name in prepared}
        answer: Tensor = self.unet(noisy, times, context, added_cond_kwargs=added or None).sample
        return answer

    def tokens(self, vectors: Tensor) -> Tensor:
        """Raw vectors [n, 512], zeros for nobody -> [n, T, width]."""
        made: Tensor = self.resampler(vectors[:, None])
        return made


def left_out(count: int, source: torch.Generator) -> Tensor:
    """Which of `count` pictures go without text, without a person: [2, count]. Each alone, or both."""
    alone = torch.rand(2, count, generator=source) < DROPPED
    return alone | (torch.rand(count, generator=source) < DROPPED)


def weights(boxes: Tensor, size: torch.Size, face: float) -> Tensor:
    """[n, 1, h, w] of errors on a latent's grid, 1 in the mean: `face` times as much inside each box."""
    height, width = size
    across = (torch.arange(width) + 0.5) / width
    down = (torch.arange(height) + 0.5) / height
    x1, y1, x2, y2 = (edge[:, None] for edge in boxes.unbind(dim=1))
    columns, rows = (across >= x1) & (across <= x2), (down >= y1) & (down <= y2)
    inside = (rows[:, :, None] & columns[:, None, :])[:, None].float()
    heavy = 1 + (face - 1) * inside
    return heavy / heavy.mean(dim=(2, 3), keepdim=True)


def _resampler(start: Mapping[str, Tensor] | None, width: int, sizes: Sizes | None) -> Resampler:
    if start is None:
        return Resampler(sizes or Sizes.of(VECTOR, width))
    prefix = f"{IMAGE_PROJ}."
    made = Resampler.from_tensors(
        {key.removeprefix(prefix): value for key, value in start.items() if key.startswith(prefix)}
    )
    if (made.sizes.seen, made.sizes.out) != (VECTOR, width):
        raise ValueError(
            f"--start takes vectors {made.sizes.seen} wide and makes tokens {made.sizes.out} wide; "
            f"recognisers give {VECTOR} and --base takes {width}."
        )
    return made
