"""FreeCure from start to end: foundation, attribute mask, repair, expression. Spec: B.3."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ... import host
from ...attention.masks import PIXELS_PER_LATENT
from ...faces.label_masks import class_masks, freecure_mask
from ...faces.parsing import parse_pictures
from ...values import Conditioning, Latent
from .checks import check_deterministic, check_pictures, check_sampler
from .expression import RepairedExpression, expression_steps, has_control, repair_expression, without_control
from .mask import AttributeMask
from .repair import Prompts, Repair, check, foundation_guider, guider

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Run:
    """How all stages are sampled: the host's NOISE, SAMPLER, SIGMAS and LATENT, and cfg."""

    noise: Any
    sampler: Any
    sigmas: Tensor
    latent: Latent
    cfg: float


@dataclass(frozen=True)
class Attributes:
    """Where attributes come from: a mask [B, H, W], or classes of a face parser in the decoded picture.

    parser is the host-managed network of LikenessLoadFaceParser, classes are its numbers.
    """

    mask: Tensor | None = None
    vae: Any = None
    parser: Any = None
    classes: Sequence[int] = ()

    def check(self) -> None:
        """Raises ValueError when there is neither a mask nor all that makes one."""
        if self.mask is not None:
            return
        missing = [name for name, value in (("vae", self.vae), ("face_parser", self.parser)) if value is None]
        if missing:
            raise ValueError(
                f"{' and '.join(missing)} not connected: FreeCure finds the attributes in the foundation's "
                "picture with both. Or connect a mask."
            )


@dataclass(frozen=True)
class ExpressionRepair:
    """What the expression repair goes back and forth with; see repair_expression.

    target None: the text of the foundation's prompt. Raises ValueError without a template.
    """

    template: Any
    target: Conditioning | None = None
    gamma: float = 0.5
    inversion_cfg: float = 1.0

    def __post_init__(self) -> None:
        if self.template is None:
            raise ValueError(
                "template is not connected: the expression repair needs a prompt without any attribute, "
                "such as 'a man'. Or set repair to attributes."
            )


@dataclass(frozen=True)
class Result:
    """LATENTs and the attribute mask [B, H, W]; personalised is None unless it was asked for.

    report: how much of the picture the attributes are, and what the expression repair says of itself.
    """

    latent: Latent
    personalised: Latent | None
    foundation: Latent
    mask: Tensor
    report: str


def sample(
    personalised: Any,
    foundation: Any,
    prompts: Prompts,
    repair: Repair,
    run: Run,
    attributes: Attributes,
    expression: ExpressionRepair | None = None,
    compare: bool = False,
) -> Result:
    """Sample the foundation, find its attributes, sample the personalised picture with them.

    The foundation's way is kept, so that the second run goes it again with one row a step, not two.
    compare: sample the personalised picture as it is, too. expression: repair it afterwards.
    Raises ValueError, naming the input, for what does not fit.
    """
    attributes.check()
    # Stage 1 of B.3: a picture without attributes is the person's own, in each mode.
    repair = replace(repair, literal=False)
    check_sampler(run.sampler)
    if expression is not None:
        check_deterministic(run.sampler)
    _check(personalised, foundation, prompts, repair, run, attributes)
    progress = host.running.StagedProgress(
        personalised, _steps(foundation, run, attributes, expression, compare)
    )
    steps = len(run.sigmas) - 1

    alone = foundation_guider(foundation, prompts, run.cfg)
    found = _drawn(alone, run, progress.stage(steps))
    mask, looked_at = _masks(attributes, found, progress.step)
    report = f"Attributes were taken from {float((mask > 0.5).float().mean()):.1%} of the picture."
    looking = guider(
        personalised, foundation, prompts, run.cfg, repair, looked_at, trajectory=alone.trajectory
    )
    refined = _drawn(looking, run, progress.stage(steps))
    plain = None
    if compare:
        shown = progress.stage(steps)
        # Without anything to repair it is drawn already.
        repaired = looking.looking is not None
        plain = _drawn(_plain(personalised, prompts, run.cfg), run, shown) if repaired else refined
    if expression is not None:
        made = _expressed(foundation, refined, prompts, run, expression, progress.stage)
        refined, report = made.latent, f"{report} {made.report()}"
    log.info("FreeCure: %s", report)
    return Result(refined, plain, found, mask, report)


def _check(
    personalised: Any, foundation: Any, prompts: Prompts, repair: Repair, run: Run, attributes: Attributes
) -> None:
    """Whatever is wrong with models, prompts, layers or the mask is said before the first step."""
    samples, mask = run.latent["samples"], attributes.mask
    check_pictures("latent_image", samples)
    height, width = (int(side) for side in samples.shape[-2:])
    if mask is None:  # what will be found has one for each picture
        mask = torch.ones(len(samples), 1, 1)
    else:
        AttributeMask(mask).check((height, width), len(samples))
    check(personalised, foundation, prompts, repair, mask)


def _steps(
    foundation: Any, run: Run, attributes: Attributes, expression: ExpressionRepair | None, compare: bool
) -> int:
    """All that the progress bar counts: sampling steps, decoding, and each parsed picture."""
    if len(run.sigmas) < 2:
        raise ValueError("sigmas holds no step: there is nothing to draw. Give Basic Scheduler steps.")
    drawings = (3 if compare else 2) * (len(run.sigmas) - 1)
    looking = 0 if attributes.mask is not None else 1 + len(run.latent["samples"])
    later = 0 if expression is None else sum(expression_steps(foundation, run.sigmas, expression.gamma))
    return drawings + looking + later


def _drawn(made: Any, run: Run, callback: Callable[..., None]) -> Latent:
    # Each drawing as if it were the first one, also where a sampler draws without a seed.
    with host.sampling.random_draws_put_back(made.model_patcher.load_device):
        return host.sampling.run_guider(made, run.noise, run.sampler, run.sigmas, run.latent, callback)


def _plain(personalised: Any, prompts: Prompts, cfg: float) -> Any:
    made = host.sampling.CFGGuider(personalised)
    made.set_conds(prompts.positive, prompts.negative)
    made.set_cfg(cfg)
    return made


def _masks(attributes: Attributes, found: Latent, step: Callable[[], None]) -> tuple[Tensor, Tensor]:
    """The mask of the classes in the decoded pictures, [B, H, W]; and what attention is given of it."""
    if attributes.mask is not None:
        return attributes.mask, attributes.mask
    images = host.sampling.decode(attributes.vae, found)
    step()
    parsed = parse_pictures(attributes.parser.ready(), images, lambda total: step)
    mask = class_masks(parsed, attributes.classes)
    height, width = (max(1, side // PIXELS_PER_LATENT) for side in mask.shape[-2:])
    return mask, freecure_mask(mask, (height, width))


def _expressed(
    foundation: Any,
    latent: Latent,
    prompts: Prompts,
    run: Run,
    expression: ExpressionRepair,
    stage: Callable[[int], Callable[..., None]],
) -> RepairedExpression:
    positive, negative = prompts.of_foundation()
    target = expression.target
    if target is None:
        target = positive if has_control(expression.template) else without_control(positive)
    return repair_expression(
        foundation,
        latent,
        expression.template,
        target,
        negative,
        run.sampler,
        run.sigmas,
        gamma=expression.gamma,
        cfg=run.cfg,
        inversion_cfg=expression.inversion_cfg,
        stage=stage,
    )
