"""One step of Tune PVA on the tiny SD2 inpainting checkpoint, on pictures made up of noise."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from support.device_watch import NoFloat64

from .host import Host

NAME = "Tune PVA, one step"
_SIDE, _PICTURES = 12, 2  # of the latents; each also mirrored


@dataclass(frozen=True)
class Step:
    loss: float
    finite: bool
    changed: bool
    wide: frozenset[str]


class Tuning:
    def __init__(self, host: Host) -> None:
        self._host = host
        names = ("tune", "material", "student", "apply")
        self._tune, self._material, self._student, self._apply = (
            host.module(f"likeness.methods.pva.{name}") for name in names
        )
        with torch.inference_mode():
            load = host.nodes.CheckpointLoaderSimple().load_checkpoint
            self._model, self._clip, _ = load("tiny_sd2_inpaint.safetensors")
            self._pva = host.node("LikenessLoadPVA").execute(file="tiny_pva.safetensors")[0]

    def step(self, watched: bool = False) -> Step:
        """The same step every time: nothing that is given changes."""
        plan = self._tune.Plan(steps=1, timesteps=1, precision="float32")
        sites = self._apply.match(self._model, self._pva)
        wide: set[str] = set()
        with self._host.module("likeness.host.training").learning():
            student = self._student.Student(self._model, self._clip, self._pva, sites, True, plan.dtype)
            if watched:
                with NoFloat64(student.model.model.diffusion_model) as watch:
                    losses = self._tune.learn(student, self._photos(), plan)
                wide = watch.found
            else:
                losses = self._tune.learn(student, self._photos(), plan)
            person = student.person("somebody")
        learnt = {"word": person.word, **person.unet}
        start = {"word": self._pva.word, **self._pva.unet}
        changed = all(not torch.equal(learnt[key], value) for key, value in start.items())
        finite = all(bool(torch.isfinite(value).all()) for value in learnt.values())
        return Step(losses[0], finite, changed, frozenset(wide))

    def _photos(self) -> object:
        generator = torch.Generator().manual_seed(0)
        rows = 2 * _PICTURES

        def noise(*shape: int) -> torch.Tensor:
            return torch.randn(shape, generator=generator)

        hole = torch.zeros(rows, 1, _SIDE, _SIDE)
        hole[:, :, 3:9, 3:9] = 1
        inpainting = torch.cat([hole, noise(rows, 4, _SIDE, _SIDE)], dim=1)
        return self._material.Material(noise(rows, 4, _SIDE, _SIDE), inpainting, noise(rows, 512))
