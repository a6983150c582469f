"""What a direction learns from: the base model's own answers to two phrases. Spec: conditioning.md 1.3.

The direction, added with a scale to the subject's rows of the neutral prompt, is to change the answer as the
step from the negative phrase to the positive one does, times that scale. Answers are pictures without noise
(the network's noise converted), so that noisy steps weigh more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..chance import whole
from ..text_to_image import BaseModel
from ..texts import Texts
from ..unets import UNetLesson, checkpoint
from .rows import subject_rows
from .samples import Prompts

#: Of AdamW, beside the rate.
BETAS, DECAY = (0.5, 0.8), 0.333
Told = dict[str, Tensor]


@dataclass(frozen=True)
class Course:
    """parts: prompts after each other in a step, whose gradients are averaged. scales: drawn for each prompt,
    with either sign, from `least` to `most`. steps: of DDIM; guidance: while it draws. side: pixels."""

    side: int
    rate: float = 0.1
    parts: int = 10
    scales: int = 4
    least: float = 0.1
    most: float = 5.0
    steps: int = 50
    guidance: float = 7.5
    checkpointing: bool = False


class AttributeLesson(UNetLesson):
    """One vector per text encoder, zeros at the beginning, is all that learns.

    autocast: what the base model draws under while nothing learns.
    """

    def __init__(self, base: BaseModel, course: Course) -> None:
        super().__init__(base, course.checkpointing)
        self.course, self.parts, self.kind = course, course.parts, base.kind
        self.texts = Texts(base)
        widths = [int(encoder.config.hidden_size) for encoder in base.encoders]
        self.names = ("clip_l", "clip_g")[: len(widths)]  # in the order of the text's columns
        self.direction = nn.ParameterDict(
            {name: nn.Parameter(torch.zeros(width)) for name, width in zip(self.names, widths, strict=True)}
        )
        self.autocast: Callable[[], AbstractContextManager[Any]] = nullcontext
        self.unet.requires_grad_(False)
        self.vae.requires_grad_(False)
        self.train()

    def train(self, mode: bool = True) -> AttributeLesson:
        """Nothing has dropout; checkpointing asks its parts whether they learn."""
        super().train(False)
        checkpoint(mode, self.unet)
        self.training = mode
        return self

    def trained(self) -> dict[str, nn.Parameter]:
        return {name: self.direction[name] for name in self.names}

    def groups(self, effective_batch: int) -> list[dict[str, Any]]:
        """One rate, whatever the batch."""
        group = {"name": "direction", "params": list(self.trained().values()), "lr": self.course.rate}
        return [{**group, "betas": BETAS, "weight_decay": DECAY}]

    def prepare_batch(self, batch: Sequence[Sequence[Prompts]], source: torch.Generator) -> list[Told]:
        """For each part what `forward` needs. Call it without gradients."""
        return [self._prepared(prompts, source) for prompts in batch]

    def forward(self, prepared: Sequence[Told], part: int) -> Tensor:
        """Mean squared error of one part's pictures without noise, over all of its scales."""
        mine = prepared[part]
        told: Told = {name: mine[name] for name in ("text", "text_embeds", "time_ids") if name in mine}
        told["text"] = self.edited(told["text"], mine["rows"], mine["scales"])
        return F.mse_loss(self.clean(mine["noisy"], int(mine["time"]), told), mine["target"])

    def edited(self, text: Tensor, rows: Tensor, scales: Tensor) -> Tensor:
        """Encoded prompts [n, T, W], float32, with the direction at rows bool [n, T], times scales [n]."""
        whole_row = torch.cat(list(self.trained().values()))
        added = scales[:, None, None] * whole_row * rows[..., None]
        return text.float() + added

    def clean(self, noisy: Tensor, time: int, told: Told) -> Tensor:
        """The picture without noise that the network sees in a latent, float32."""
        alpha = self.alphas[time]
        noise = self.noise(noisy, time, told).float()
        return (noisy - (1 - alpha).sqrt() * noise) / alpha.sqrt()

    def noise(self, noisy: Tensor, time: int, told: Told) -> Tensor:
        """The U-Net's answer."""
        times = torch.full((len(noisy),), time, device=noisy.device)
        added = {name: told[name] for name in ("text_embeds", "time_ids") if name in told}
        answer: Tensor = self.unet(noisy, times, told["text"], added_cond_kwargs=added or None).sample
        return answer

    def encoded(self, texts: Sequence[str]) -> Told:
        told: Told = self.texts(texts, self.course.side, self.alphas.device)
        return told

    def rows(self, prompts: Sequence[Prompts]) -> Tensor:
        """bool [n, T] of the subjects in the neutral prompts; both encoders must agree."""
        texts, subjects = [one.neutral for one in prompts], [one.subject for one in prompts]
        found = [subject_rows(tokenizer, texts, subjects) for tokenizer in self.texts.tokenizers]
        if not torch.equal(found[0], found[-1]):
            raise ValueError(f"The two text encoders cut {texts[0]!r} into different tokens.")
        return found[0].to(self.alphas.device)

    def start(self, count: int, source: torch.Generator) -> Tensor:
        """Noise to draw from, [n, C, h, w]."""
        levels = getattr(self.vae.config, "block_out_channels", (0,) * 4)
        side = self.course.side // 2 ** (len(levels) - 1)
        shape = count, int(self.unet.config.in_channels), side, side
        return torch.randn(shape, generator=source).to(self.alphas.device)

    def _prepared(self, prompts: Sequence[Prompts], source: torch.Generator) -> Told:
        """All prompts of a part stop at one step of the drawing, where the network is asked."""
        count, course = len(prompts), self.course
        scheduler = self.ddim(course.steps)
        stop = whole(0, course.steps - 1, source)
        noisy = self.start(count, source)
        size = course.least + (course.most - course.least) * torch.rand(
            count, course.scales, generator=source
        )
        sign = 2.0 * torch.randint(2, size.shape, generator=source) - 1
        scales = (sign * size).to(noisy)
        neutral = self.encoded([one.neutral for one in prompts])
        with self.autocast():
            noisy = self._drawn(scheduler, noisy, neutral, stop)
            time = int(scheduler.timesteps[stop])
            told = [neutral, *(self.encoded([getattr(p, kind) for p in prompts]) for kind in _ENDS)]
            plain, more, less = (self.clean(noisy, time, one) for one in told)
        target = plain[:, None] + scales[:, :, None, None, None] * (more - less)[:, None]
        each = {"noisy": noisy, "rows": self.rows(prompts), **neutral}
        made = {name: value.repeat_interleave(course.scales, dim=0) for name, value in each.items()}
        # The scales of a prompt follow each other, as its rows do.
        made |= {"target": target.flatten(0, 1), "scales": scales.flatten(), "time": torch.tensor(time)}
        return made

    def _drawn(self, scheduler: Any, x: Tensor, neutral: Told, stop: int) -> Tensor:
        """What the neutral prompts have become before step `stop`."""
        if stop:
            empty = self.encoded([""] * len(x))
            both = {name: torch.cat([empty[name], neutral[name]]) for name in neutral}
        for time in scheduler.timesteps[:stop].tolist():
            x = scheduler.step(self.guided(x, time, both), time, x).prev_sample
        return x

    def guided(self, x: Tensor, time: int, both: Told) -> Tensor:
        """The noise with guidance, float32. both: the empty prompts, then those that are wanted."""
        plain, wanted = self.noise(torch.cat([x, x]), time, both).float().chunk(2)
        return plain + self.course.guidance * (wanted - plain)


_ENDS = ("positive", "negative")
