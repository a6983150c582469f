"""People in photos, and a redraw whose drawings a test chooses: what repairing does around a model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import torch

from likeness.cast import Cast, Member
from likeness.faces.crops import crop_faces
from likeness.faces.detect import detect
from likeness.faces.embed import identify
from likeness.redraw.value import DenoiseRange, Redraw, Sampling, Subject
from likeness.values import Faces, Identity
from support.tiny_faces import fitted

#: The other recogniser: who draws. Its vectors mean nothing here.
DRAWN_BY = "glintr100"
STEPS = 2


def person(models: Any, photo: torch.Tensor) -> Identity:
    """Who the largest face of a photo is, in SFace's eyes."""
    found = detect(models, photo)
    return identify(models, found.with_faces([found.faces[0][:1]]), "sface", "mean")


def member(name: str, sface: Identity, place: Any = None) -> Member:
    other = Identity(torch.randn(1, 512, generator=torch.Generator().manual_seed(len(name))), DRAWN_BY)
    return Member(name, {"sface": sface, DRAWN_BY: other}, place)


def crop_of(models: Any, photo: torch.Tensor, size: int = 256, align: str = "upright") -> torch.Tensor:
    """A face of a photo as a redraw of that size would draw it, [1, S, S, 3]."""
    found = detect(models, photo)
    return crop_faces(Faces(photo, (found.faces[0][:1],)), size, align=align)[0].images


def redraw(**facts: Any) -> Redraw:
    """A redraw without a model: see `drawing`."""
    given = {"name": "the test", "model": None, "vae": None, "sampling": Sampling(steps=STEPS)}
    given |= {"prepare": lambda subject: (None, [], []), "denoise": DenoiseRange(0.2, 0.5, 1.0)}
    return Redraw(**{**given, "recogniser": DRAWN_BY, "size": 256, **facts})


class Studio:
    """Draws what it was told, in turn, over and over; notes subjects and seeds. drawings: by person's
    name.
    """

    def __init__(self, drawings: Sequence[torch.Tensor]) -> None:
        self.drawings = drawings
        self.subjects: list[Subject] = []
        self.seeds: list[int] = []
        self.denoised: list[float] = []
        self.steps = 0
        self.stop_after: int | None = None

    def ready(self, redraw: Redraw, subject: Subject) -> Any:
        self.subjects.append(subject)
        return SimpleNamespace(draw=self.draw)

    def draw(self, seed: int, denoise: float, callback: Callable[..., None]) -> torch.Tensor:
        if self.stop_after is not None and len(self.seeds) >= self.stop_after:
            raise Cancelled
        drawn = self.drawings[len(self.seeds) % len(self.drawings)]
        self.seeds.append(seed)
        self.denoised.append(denoise)
        return drawn

    @contextmanager
    def at_work(self, monkeypatch: Any) -> Iterator[None]:
        """Every redraw is this one's, and the progress bar is counted here."""
        monkeypatch.setattr("likeness.redraw.tries.ready", self.ready)
        running = SimpleNamespace(StagedProgress=self._progress, tell=lambda text: None)
        monkeypatch.setattr("likeness.redraw.repair.host", SimpleNamespace(running=running))
        yield

    def _progress(self, model: Any, total: int) -> Any:
        self.total, self.steps = total, 0

        def stage(steps: int) -> Callable[..., None]:
            self.steps += steps
            return lambda *_: None

        def skip(steps: int) -> None:
            self.steps += steps

        return SimpleNamespace(stage=stage, skip=skip, step=lambda: skip(1))


class Cancelled(BaseException):
    """As the host's interrupt."""


def side_by_side(*photos: Any) -> torch.Tensor:
    """One picture [1, H, n W, 3] of square photos."""
    return torch.cat(list(fitted(*photos).split(1)), dim=2)


def cast(*members: Member) -> Cast:
    return Cast(members)
