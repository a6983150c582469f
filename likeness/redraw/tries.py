"""One face after the other, each drawn again until it is right: what is tried, and which try is kept."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from ..cast import Cast
from ..faces.models import FaceNetworks
from ..values import Identity
from .cut import Cut, Task, cut
from .drawing import Drawing, ready
from .kept import Tried, Try, key_of, tried
from .look import Look
from .nearer import nearer
from .seeds import seed_of
from .settings import Settings
from .value import Redraw, Subject
from .who import Verdict

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Redrawn:
    """What came of it: the picture [1, H, W, C], new or as it was; the story, and its key in what is kept."""

    picture: torch.Tensor
    tried: Tried
    key: str


@dataclass(frozen=True, eq=False)
class Attempts:
    """Draws the faces of one run. judge: the recogniser that does. progress: host.running.StagedProgress."""

    models: FaceNetworks
    cast: Cast
    redraw: Redraw
    judge: str
    settings: Settings
    progress: Any

    @cached_property
    def everybody(self) -> dict[str, Identity]:
        """The cast in the judge's eyes."""
        return {name: self.cast.target(name, self.judge) for name in self.cast.names}

    def nearer(self, pictures: torch.Tensor, verdict: Verdict, placed: bool) -> Verdict:
        """The verdict on a face of an IMAGE, seen in the square that it would be drawn in; see nearer.py. One
        step of the progress."""
        self.progress.step()
        how, picture = self.settings, pictures[verdict.picture : verdict.picture + 1]
        place = placed, how.margin, self.redraw.align
        return nearer(self.models, picture, verdict, self.everybody, self.judge, how.at_least, *place)

    def redrawn(self, task: Task) -> Redrawn:
        """Draw a face until it reaches the bar, and is nobody else's of the cast, or all tries are made; the
        best is pasted, if any is better.
        """
        how, steps = self.settings, self.redraw.sampling.steps
        place = cut(task, how, self.redraw.size, self.redraw.align)
        look = Look(self.models, self.judge, self.everybody)
        if how.expression_shift and place.expression is None:
            log.warning(
                "Repair Faces: no expression can be read off the face that is to be %s, so tries are not "
                "compared with it.",
                task.name,
            )
        key = self._key(place)
        known = tried(self.redraw, key)
        self.progress.skip(known.count * steps)
        drawing: Drawing | None = None
        while known.count < how.tries and not self._reached(known):
            drawing = drawing or ready(self.redraw, self._subject(place))
            self._try(known, place, drawing, look, self.progress.stage(steps))
        self.progress.skip((how.tries - known.count) * steps)
        picture = task.picture if known.best is None else place.pasted(known.best.drawn)
        return Redrawn(picture, known, key)

    def _try(
        self, known: Tried, place: Cut, drawing: Drawing, look: Look, callback: Callable[..., None]
    ) -> None:
        """Draw once, and keep it when it is the best so far and pose and expression stayed."""
        seed = seed_of(self.settings.seed, place.task.name, known.count)
        drawn = drawing.draw(seed, self.redraw.denoise.fit(self.settings.denoise), callback)
        seen = look.at(place, drawn, known.best)
        known.count += 1  # not before: the interrupt of a cancelled look must not count
        if seen.refused:
            known.refused = seen.refused
        else:
            known.best = Try(drawn, known.count, seed, seen.similarity, seen.like)

    def _reached(self, known: Tried) -> bool:
        return known.best is not None and known.best.right(self.settings.at_least)

    def _subject(self, place: Cut) -> Subject:
        redraw, expression = self.redraw, None
        identity = self.cast.target(place.task.name, redraw.recogniser) if redraw.recogniser else None
        if self.settings.read_expression and redraw.reads is not None:
            expression = redraw.reads(place.inside)
        return Subject(place.crops.images, place.mask, place.face, identity, expression)

    def _key(self, place: Cut) -> str:
        task = place.task
        who = [self.cast.target(name, self.judge).embeddings for name in self.cast.names]
        if self.redraw.recogniser:
            who.append(self.cast.target(task.name, self.redraw.recogniser).embeddings)
        places = [torch.stack([face.box for face in (task.face, *task.others)]), task.face.keypoints]
        facts = self.settings, task.name, self.cast.names, self.judge, self.models, task.similarity, task.like
        there = [] if task.place is None else [task.place]
        return key_of([place.crops.images, place.mask, *who, *places, *there], *facts)
