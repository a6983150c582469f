"""Whole pictures, drawn with seed after seed until everybody in them is right."""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from .. import host
from ..algebra.calibration import Calibration, explained, told
from ..cast import Cast
from ..faces.models import FaceNetworks
from ..values import Latent
from .judge import Judge
from .who import judge

log = logging.getLogger(__name__)

_SEEDS = 2**64
#: What a person who is missing counts as: the lowest cosine there is.
_MISSING = -1.0


@dataclass(frozen=True, eq=False)
class Request:
    """What SamplerCustomAdvanced and VAE Decode take."""

    guider: Any
    noise: Any
    sampler: Any
    sigmas: torch.Tensor
    latent: Latent
    vae: Any


@dataclass(frozen=True, eq=False)
class Drawn:
    """A picture [1, H, W, 3]: of which seed, which of its batch, how like everybody is who they should be.

    number: of the try. similarities: by name; None for somebody missing. more_like: by name, whose of the
    cast their face is rather.
    """

    picture: torch.Tensor
    number: int
    seed: int
    place: int
    similarities: dict[str, float | None]
    more_like: dict[str, str]
    passed: bool

    @property
    def worst(self) -> float:
        """A picture is as good as the one person in it who is least like themselves."""
        return min(_MISSING if one is None else one for one in self.similarities.values())


@dataclass(frozen=True, eq=False)
class Until:
    """accepted: the first that passed, then the best of the others, so many as were asked for. rest: all
    others, as they were drawn."""

    accepted: tuple[Drawn, ...]
    rest: tuple[Drawn, ...]
    judge: Judge
    at_least: float
    cost: str

    @property
    def passed(self) -> bool:
        return all(one.passed for one in self.accepted)


def draw_until(
    request: Request,
    models: FaceNetworks,
    cast: Cast,
    judged_by: Judge,
    at_least: float,
    tries: int = 4,
    keep: int = 1,
    hard_places: bool = True,
) -> Until:
    """Draw with the noise's seed, the next, and so on, until `keep` pictures pass or all tries are made.

    A picture passes when everybody of the cast is in it with at least so much similarity (a cosine of the
    judge), and no face is rather another one's of it. The first try is what SamplerCustomAdvanced draws;
    the picture of a later one is what it draws with that seed. Raises ValueError.
    """
    _check(request, tries, keep)
    steps = len(request.sigmas) - 1
    progress = host.running.StagedProgress(request.guider.model_patcher, tries * steps)
    found: list[Drawn] = []
    cost, start = "", time.monotonic()
    for number in range(tries):
        found += _one(request, number, models, cast, judged_by, at_least, hard_places, progress.stage(steps))
        if sum(one.passed for one in found) >= keep:
            progress.skip((tries - number - 1) * steps)
            break
        if number == 0:
            cost = _say_cost(time.monotonic() - start, len(found), tries - 1)
    first = [one for one in found if one.passed][:keep]
    others = sorted(
        (one for one in found if one not in first), key=lambda one: (bool(one.more_like), -one.worst)
    )
    accepted = [*first, *others[: keep - len(first)]]
    rest = tuple(one for one in found if one not in accepted)
    return Until(tuple(accepted), rest, judged_by, at_least, cost)


def _one(
    request: Request,
    number: int,
    models: FaceNetworks,
    cast: Cast,
    judged_by: Judge,
    at_least: float,
    hard_places: bool,
    callback: Any,
) -> Iterator[Drawn]:
    """The pictures of one try."""
    noise = _noise(request.noise, number)
    with host.sampling.random_draws_put_back(request.guider.model_patcher.load_device):
        latent = host.sampling.run_guider(
            request.guider, noise, request.sampler, request.sigmas, request.latent, callback
        )
        images = host.sampling.decode(request.vae, latent).to("cpu", torch.float32).clamp(0, 1)
    judged = judge(models, images, cast, judged_by.recogniser, at_least, hard_places)
    for place, picture in enumerate(images.split(1)):
        here = {one.name: one for one in judged.verdicts if one.picture == place}
        similar = {name: here[name].similarity if name in here else None for name in cast.names}
        others = {name: one.like for name, one in here.items() if one.like}
        passed = all(name in here and here[name].right for name in cast.names)
        yield Drawn(picture, number, int(noise.seed), place, similar, others, passed)


def _noise(noise: Any, number: int) -> Any:
    """The NOISE with its seed counted up."""
    if number == 0:
        return noise
    following = copy.copy(noise)
    following.seed = (int(noise.seed) + number) % _SEEDS
    return following


def _check(request: Request, tries: int, keep: int) -> None:
    samples = request.latent["samples"]
    if getattr(samples, "is_nested", False) or (samples.ndim == 5 and samples.shape[2] > 1):
        raise ValueError(
            "latent_image is a clip: Draw Until judges pictures one by one. Connect the latent of a picture, "
            "or draw the clip and give its frames to Repair Faces."
        )
    if len(request.sigmas) < 2:
        raise ValueError("sigmas holds no step: there is nothing to draw. Give Basic Scheduler steps.")
    if tries < 1 or keep < 1:
        raise ValueError(f"tries and keep must be 1 or more, not {tries} and {keep}.")
    if keep > tries * len(samples):
        raise ValueError(
            f"keep is {keep}, but {tries} tries of {len(samples)} pictures draw only {tries * len(samples)}. "
            "Lower keep, or raise tries or batch_size."
        )
    if tries > 1:
        with host.sampling.random_draws_put_back(request.guider.model_patcher.load_device):
            same = torch.equal(*(_noise(request.noise, n).generate_noise(request.latent) for n in (0, 1)))
        if same:
            raise ValueError(
                "noise is the same for every seed, so every try would draw the same. Connect Random Noise, "
                "or set tries to 1."
            )


def _say_cost(seconds: float, pictures: int, left: int) -> str:
    """What further tries may take; said before the second, when there is one."""
    if not left:
        return ""
    said = (
        f"The first try took {seconds:.1f} s for {pictures} picture{'s' if pictures > 1 else ''}; up to "
        f"{left} more may take {left * seconds:.0f} s."
    )
    log.info("Draw Until: %s", said)
    host.running.tell(said)
    return said


def write_table(until: Until, calibration: Calibration | None = None) -> str:
    """Whether it passed, who judged, what it cost, and a line for each picture in the order they were
    drawn.

    calibration: says of how many strangers one reaches each similarity; None is the shipped one.
    """
    recogniser = until.judge.recogniser
    every = sorted([*until.accepted, *until.rest], key=lambda one: (one.number, one.place))
    passing = sum(one.passed for one in every)
    elsewhere = " and nobody in another's place" if any(one.more_like for one in every) else ""
    lines = [
        f"{'passed' if until.passed else 'not passed'}: {passing} of {len(every)} pictures drawn have "
        f"everybody at {until.at_least:.3f} or more{elsewhere}; kept: {len(until.accepted)}",
        until.judge.says,
        *([until.cost] if until.cost else []),
        f"Behind each similarity, one stranger in: {explained(recogniser, calibration)}",
    ]
    for one in every:
        shown = ", ".join(
            f"{name} missing"
            if value is None
            else f"{name} {value:.3f} ({told(value, recogniser, calibration)})"
            for name, value in one.similarities.items()
        )
        kept = f"kept as {until.accepted.index(one) + 1}" if one in until.accepted else "rejected"
        lines.append(f"seed {one.seed}, picture {one.place}: {shown}; {kept}{_why_not(one, until.at_least)}")
    return "\n".join(lines)


def _why_not(one: Drawn, at_least: float) -> str:
    """Why a picture didn't pass, to be read after what became of it."""
    below = any(value is None or value < at_least for value in one.similarities.values())
    others = [f", {name} is more like {other}" for name, other in one.more_like.items()]
    return "".join([", below the bar" if below else "", *others])
