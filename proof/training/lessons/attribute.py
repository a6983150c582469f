"""A direction of smiling learns by our own trainer, on the frozen SDXL-shaped trunk.

All of it is the trainer's: networks, prompts that end with the subject, the drawing up to a random moment,
the loss. The world has nothing to add but its words: no picture is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from training.chance import generator

from ...networks import as_diffusers
from ...world.captions import said, write
from ..muon import Muon
from ..pictures import figure_of
from ..stages import Rooms, Scale, Tensors

#: The attribute, its two ends, and what is said of a mood that is neither.
NAME, PAIR = "smile", "smiling person | sad person | neutral person"
#: Of the trunk's drawing: fewer steps than the trainer's 50, and guidance as this world's reports use.
_STEPS, _GUIDANCE = 10, 2.5
_RATE, _SCALES = 0.1, 4
#: Prompts of a step after each other, each lot with a moment of its own; scales, beyond which this trunk's
#: pictures come apart.
_PARTS, _MOST = 4, 2.0
_PREFIXES = 48


def begin(scale: Scale, seed: int, rooms: Rooms, made: Mapping[str, Tensors]) -> AttributeLesson:
    return AttributeLesson(scale, seed, made)


def prefixes(count: int = _PREFIXES) -> tuple[str, ...]:
    """All that captions say of people but their mood and mouth, before who it is: "round glasses, a"."""
    made = []
    for place in range(count):
        rest = replace(said(figure_of("train", place, 1)), mood=0, mouth=0, full=False)
        who, comma, around = write([rest]).partition(", ")
        worn = who.partition(" with ")[2]
        made.append(", ".join(part for part in (worn, around if comma else "", "a") if part))
    return tuple(made)


def base(made: Mapping[str, Tensors]) -> Any:
    """The SDXL-shaped trunk as the trainer's base model."""
    from training.text_to_image import BaseModel

    return BaseModel(
        as_diffusers.unet("sdxl", made["sdxl"]),
        as_diffusers.Autoencoder(made["autoencoder"]),
        (as_diffusers.Encoder("sdxl"),) * 2,
        (as_diffusers.tokenizer(),) * 2,
        as_diffusers.scheduler(),
    )


class AttributeLesson:
    def __init__(self, scale: Scale, seed: int, made: Mapping[str, Tensors]) -> None:
        from likeness.methods.attributes.recipe import read_pairs
        from training.attributes import lesson
        from training.attributes.samples import Samples

        course = lesson.Course(128, _RATE, _PARTS, _SCALES, most=_MOST, steps=_STEPS, guidance=_GUIDANCE)
        self.lesson = lesson.AttributeLesson(base(made), course)
        self.seed = seed
        self.samples = Samples(read_pairs(PAIR), prefixes(), scale.batch, _PARTS, seed)
        named = [(name, parameter) for name, parameter in self.lesson.trained().items()]
        # The trainer's AdamW, with the rates of this world's stages.
        self.optimiser = Muon(named, plain_rate=_RATE, betas=lesson.BETAS, decay=lesson.DECAY)

    def trained(self) -> Mapping[str, torch.Tensor]:
        return self.lesson.trained()

    def step(self, place: int) -> float:
        with torch.no_grad():
            prepared = self.lesson.prepare_batch(self.samples[place], generator("noise", self.seed, place))
        self.optimiser.zero_grad()
        total = 0.0
        for part in range(_PARTS):
            loss = self.lesson(prepared, part) / _PARTS
            loss.backward()
            total += float(loss.detach())
        self.optimiser.step()
        return total

    def finish(self) -> tuple[Tensors, dict[str, float]]:
        made = {f"{NAME}.{name}": value.detach().clone() for name, value in self.trained().items()}
        return made, self.measured()

    @torch.no_grad()
    def measured(self) -> dict[str, float]:
        """Losses of the direction, and of none, on the same noise and prompts."""
        from training.attributes.samples import Samples

        look = Samples(self.samples.pairs, self.samples.prefixes, 2, _PARTS, seed=2022)
        prepared = [self.lesson.prepare_batch(look[n], generator("held out", n)) for n in range(4)]
        figures = {"loss_own": self._mean(prepared)}
        for name, value in self.lesson.trained().items():
            figures[f"length_{name}"] = round(float(value.norm()), 3)
            value.zero_()
        return {**figures, "loss_none": self._mean(prepared)}

    def _mean(self, prepared: list[Any]) -> float:
        losses = [float(self.lesson(one, part)) for one in prepared for part in range(_PARTS)]
        return round(sum(losses) / len(losses), 5)
