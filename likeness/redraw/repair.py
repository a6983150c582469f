"""Pictures in which everybody is who they should be: judge every face, redraw the wrong ones.

Never worse: a face that is right, a face that is nobody's, and every pixel outside the seams, and outside of
a place that is a mask but for the face itself, stay as they are, bit for bit; a try is kept only if the judge
likes it better, it has not become somebody else's of the cast, and pose and expression did not run away.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from .. import host
from ..algebra.calibration import Calibration, explained, told
from ..algebra.sheet import Column, Sheet
from ..cast import Cast, Place
from ..choices.redraw import ERROR, NO_FACE
from ..faces.models import FaceNetworks
from ..faces.pixels import check_image
from ..faces.policy import apply_policy
from ..values import Faces
from .cut import Task
from .judge import Judge
from .kept import Tried, Try, forget
from .settings import Settings
from .tries import Attempts
from .value import Redraw
from .who import Judged, Verdict, judge

log = logging.getLogger(__name__)

_COLUMNS = (
    *(Column("picture", 7), Column("person", 16, left=True), Column("before", 6), Column("now", 6)),
    *(Column("one stranger in", 19), Column("tries", 5), Column("result", left=True)),
)


@dataclass(frozen=True, eq=False)
class Row:
    """A person of a picture: the verdict before, and what was tried; tried None: nothing was."""

    verdict: Verdict
    tried: Tried | None = None
    why_not: str = ""

    @property
    def similarity(self) -> float:
        """Now."""
        return self.verdict.similarity if self.best is None else self.best.similarity

    @property
    def best(self) -> Try | None:
        """The try that is in the picture."""
        return None if self.tried is None else self.tried.best

    def right(self, at_least: float) -> bool:
        """Now."""
        return self.verdict.right if self.best is None else self.best.right(at_least)


@dataclass(frozen=True, eq=False)
class Repaired:
    """images [B, H, W, C]: the input itself when nothing was changed. rows: every person of every picture."""

    before: torch.Tensor
    images: torch.Tensor
    judged: Judged
    judge: Judge
    rows: tuple[Row, ...]
    at_least: float
    notes: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Everybody is in every picture, and right."""
        return not self.judged.missing and all(row.right(self.at_least) for row in self.rows)

    @property
    def masks(self) -> torch.Tensor:
        """What was changed, [B, H, W] float32."""
        return (self.images != self.before).any(dim=-1).to("cpu", torch.float32)

    @property
    def before_after(self) -> torch.Tensor:
        """Each picture beside what became of it, [B, H, 2 W, C]."""
        return torch.cat([self.before, self.images], dim=2)


def repair(
    models: FaceNetworks,
    images: torch.Tensor,
    cast: Cast,
    redraw: Redraw,
    judged_by: Judge,
    settings: Settings,
    hard_places: bool = True,
    tracked: bool = False,
    if_no_face: str = ERROR,
) -> Repaired:
    """Repair an IMAGE [B, H, W, C], picture by picture, in each the people in the order of the cast.

    settings.at_least is a cosine of the judge. hard_places: people are only looked for at their places in the
    cast, and redrawn there: outside of a MASK nothing changes but the face itself. tracked: the
    pictures are frames; who is where follows from the others, too. After a cancelled run the same call goes
    on where that one stopped. Raises ValueError.
    """
    check_image(images)
    if if_no_face not in NO_FACE:
        raise ValueError(f"if_no_face must be one of {', '.join(NO_FACE)}, not {if_no_face!r}.")
    for name in cast.names:
        if redraw.recogniser and redraw.draws(name):
            cast.target(name, redraw.recogniser)  # says who lacks it, before anything is drawn
    judged = judge(models, images, cast, judged_by.recogniser, settings.at_least, hard_places, tracked)
    apply_policy(judged.faces, if_no_face, "Use other pictures, or set if_no_face to pass through.")
    notes = _notes(redraw, settings)
    for note in notes:
        log.info("Repair Faces: %s", note)
    places = {member.name: member.place for member in cast.members if hard_places}
    result, rows = _drawn(models, images, cast, redraw, judged_by.recogniser, settings, judged, places)
    return Repaired(images, result, judged, judged_by, rows, settings.at_least, notes)


def _drawn(
    models: FaceNetworks,
    images: torch.Tensor,
    cast: Cast,
    redraw: Redraw,
    judged_by: str,
    settings: Settings,
    judged: Judged,
    places: Mapping[str, Place | None],
) -> tuple[torch.Tensor, tuple[Row, ...]]:
    if not judged.wrong:
        return images, tuple(_untouched(verdict, redraw) for verdict in judged.verdicts)
    steps = settings.tries * redraw.sampling.steps
    count = sum(redraw.draws(verdict.name) for verdict in judged.wrong)
    progress = host.running.StagedProgress(redraw.model, len(judged.wrong) + count * steps)
    attempts = Attempts(models, cast, redraw, judged_by, settings, progress)
    result, rows, keys = images.clone(), [], []
    for verdict in judged.verdicts:
        place = places.get(verdict.name)
        seen = verdict if verdict.right else attempts.nearer(result, verdict, place is not None)
        if seen.right or not redraw.draws(seen.name):
            if not verdict.right and redraw.draws(seen.name):
                progress.skip(steps)
            rows.append(_untouched(seen, redraw))
            continue
        done = attempts.redrawn(_task(result, judged.faces, seen, place))
        result[seen.picture] = done.picture[0]
        rows.append(Row(seen, done.tried))
        keys.append(done.key)
    forget(redraw, keys)
    return result if keys else images, tuple(rows)


def _task(result: torch.Tensor, faces: Faces, verdict: Verdict, place: Place | None) -> Task:
    picture = result[verdict.picture : verdict.picture + 1]
    others = [face for n, face in enumerate(faces.faces[verdict.picture]) if n != verdict.place]
    mask = None if isinstance(place, str) else place
    return Task(picture, verdict.face, others, verdict.name, verdict.similarity, mask, verdict.like)


def _untouched(verdict: Verdict, redraw: Redraw) -> Row:
    return Row(verdict, why_not="" if verdict.right else f"{redraw.name} does not draw {verdict.name}")


def _notes(redraw: Redraw, settings: Settings) -> tuple[str, ...]:
    """What was asked for and is not done."""
    notes = []
    used = redraw.denoise.fit(settings.denoise)
    if settings.denoise > 0 and used != settings.denoise:
        notes.append(
            f"denoise {settings.denoise:g} is outside of what {redraw.name} draws with "
            f"({redraw.denoise.least:g} to {redraw.denoise.most:g}): {used:g} is used."
        )
    if settings.read_expression and redraw.reads is None:
        notes.append(
            f"{redraw.name} takes no expression: read_expression changes nothing, the five points and what "
            "is left of the old face (denoise) keep it."
        )
    return tuple(notes)


def write_table(repaired: Repaired, calibration: Calibration | None = None) -> str:
    """What became of everybody, as text. calibration: as in sheet."""
    return sheet(repaired, calibration).text()


def sheet(repaired: Repaired, calibration: Calibration | None = None) -> Sheet:
    """How many are right, who judged, a row for each person of each picture, and who is missing.

    calibration: says of how many strangers one reaches each similarity; None is the shipped one.
    """
    recogniser = repaired.judge.recogniser
    rows, bar = repaired.rows, repaired.at_least
    before = sum(row.verdict.right for row in rows)
    now = sum(row.right(bar) for row in rows)
    people = len(rows) + len(repaired.judged.missing)
    word = "passed" if repaired.passed else "not passed"
    above = (
        f"{word}: {now} of {people} people right (before: {before}); the bar is {bar:.3f}",
        repaired.judge.says,
        *repaired.notes,
        f"One stranger in: {explained(recogniser, calibration)} Of the face as it is now.",
    )
    cells: list[tuple[str, ...]] = []
    for row in rows:
        verdict, number = row.verdict, 0 if row.tried is None else row.tried.count
        rare = told(row.similarity, recogniser, calibration)
        shown = (f"{verdict.similarity:.3f}", f"{row.similarity:.3f}", rare, f"{number}", _story(row, bar))
        cells.append((f"{verdict.picture}", verdict.name, *shown))
    for picture, name in repaired.judged.missing:
        cells.append((f"{picture}", name, "-", "-", "-", "0", "missing: no face is theirs"))
    strangers = repaired.judged.strangers
    below = (f"{strangers} faces are nobody's in the cast; they stay as they are.",) if strangers else ()
    return Sheet(above, _COLUMNS, tuple(cells), below)


def _story(row: Row, bar: float) -> str:
    if row.verdict.right:
        return "right, left alone"
    was = f"; was more like {row.verdict.like}" if row.verdict.like else ""
    if row.tried is None:
        return f"{row.why_not}{was}"
    best = row.tried.best
    if best is None:
        return f"left as it was: {row.tried.refused}{was}"
    below = f"still more like {best.like}" if best.like else "still below the bar"
    what = "repaired" if best.right(bar) else f"better, {below}"
    return f"{what} (try {best.number}, seed {best.seed}){was}"
