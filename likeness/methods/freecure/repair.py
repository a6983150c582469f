"""FreeCure: give back the attributes that an identity took. Spec: pva_freecure_emojidiff.md B.2, B.4."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from ... import host
from ...adapters import kind_of
from ...attention.engine import inject
from ...attention.flux import joint_blocks
from ...attention.sites import numbered
from ...attention.use import Use
from ...choices.freecure import MODES, Mode
from ...values import Conditioning
from .attention import FoundationAware, FoundationTokens, Looking, Recorder
from .checks import carries_identity, check_conditioning, check_experimental, check_models, check_slots
from .flux import look_in_flux
from .flux_layers import choose_blocks
from .layers import choose_layers, execution_order
from .mask import AttributeMask

if TYPE_CHECKING:  # they are guiders of the host; all that needs none can be imported without
    from ...sampling.trajectory import RecordingGuider, Trajectory
    from .guiding import FreeCureGuider

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Repair:
    """How the personalised branch looks at the foundation.

    strength: 1.5 (SDXL) or 0.5 (SD1.x) added to logits in mode code; about 2.0, a factor, in the paper
    modes. layers: `default`, `all_up` (Flux: `single_only`, `last_half`) or numbers in execution order.
    start and end: parts of the sampling schedule, 0 to 1. experimental: let it work on Flux, too. literal:
    see Looking. Raises ValueError for a mode, fidelity or window that does not exist.
    """

    strength: float = 1.5
    mode: Mode = "code"
    layers: str = "default"
    style_fidelity: float = 1.0
    start: float = 0.0
    end: float = 1.0
    experimental: bool = False
    literal: bool = True

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError(f"mode must be one of {', '.join(MODES)}, not {self.mode!r}.")
        if not 0 <= self.style_fidelity <= 1:
            raise ValueError(f"style_fidelity must be from 0 to 1, not {self.style_fidelity}.")
        Use(1.0, self.start, self.end)


@dataclass(frozen=True)
class Prompts:
    """The prompts of both branches; a foundation without its own uses the personalised ones."""

    positive: Conditioning
    negative: Conditioning
    foundation_positive: Conditioning | None = None
    foundation_negative: Conditioning | None = None

    def of_foundation(self) -> tuple[Conditioning, Conditioning]:
        positive = self.positive if self.foundation_positive is None else self.foundation_positive
        negative = self.negative if self.foundation_negative is None else self.foundation_negative
        return positive, negative

    def check(self, several_negatives: bool) -> None:
        """Raises ValueError for a prompt that FreeCure cannot pair."""
        for name in ("positive", "negative", "foundation_positive", "foundation_negative"):
            conditioning = getattr(self, name)
            if conditioning is not None:
                check_conditioning(name, conditioning, several_negatives and name.endswith("negative"))

    def warn(self) -> None:
        """Says when the face gets everywhere."""
        for name in ("positive", "negative"):
            if getattr(self, f"foundation_{name}") is None and carries_identity(getattr(self, name)):
                log.warning(
                    "FreeCure: foundation_%s is open, so the foundation is drawn with the ControlNet of %s, "
                    "which carries the face. Connect the prompt from before Apply InstantID, or that of a "
                    "second Apply InstantID with empty_identity on.",
                    name,
                    name,
                )


def check(
    personalised: Any, foundation: Any, prompts: Prompts, repair: Repair, mask: torch.Tensor | None = None
) -> tuple[Any, ...]:
    """The layers that look, in the order of execution: Sites of a U-Net, SiteKeys of Flux. Logs nothing.

    Raises ValueError, naming the input, for MODELs, prompts, layers or a mask that do not fit.
    """
    check_models(personalised, foundation)
    prompts.check(several_negatives=repair.style_fidelity == 1)
    where = None if mask is None else AttributeMask(mask)
    network = personalised.model.diffusion_model
    if host.flux.is_flux(network):
        check_experimental(personalised, repair.experimental)
        return choose_blocks(joint_blocks(network), repair.layers)
    sites = execution_order(network)
    if not sites:
        raise ValueError(
            f"personalised is {kind_of(personalised)}, which has no U-Net self-attention. FreeCure needs an "
            "SD1.5, SDXL or Flux checkpoint."
        )
    chosen = choose_layers(sites, repair.layers)
    if where is not None and _idle(repair, where) is None and _needs_bias(repair, where):
        check_slots("personalised", personalised, chosen)
    return chosen


def guider(
    personalised: Any,
    foundation: Any,
    prompts: Prompts,
    cfg: float,
    repair: Repair,
    mask: torch.Tensor | None = None,
    trajectory: Trajectory | None = None,
) -> FreeCureGuider:
    """A GUIDER that draws the foundation, then the person; mask [B, H, W] is where attributes come from.

    Without a mask, with an empty one or an empty window only the person is drawn, as she is. trajectory:
    the foundation's run (`foundation_guider`), made already with the same sampler, sigmas, noise, latent
    and cfg. Raises ValueError as `check` does.
    """
    from ...host.sampling import CFGGuider
    from .guiding import FreeCureGuider

    chosen = check(personalised, foundation, prompts, repair, mask)
    prompts.warn()
    tokens, looking = FoundationTokens(), _looking(repair, mask, len(chosen))
    looks, looked_at = personalised, foundation
    if host.flux.is_flux(personalised.model.diffusion_model):
        log.info("FreeCure on Flux follows the paper's text; no code was published for it.")
        if looking is not None:
            looks, looked_at = look_in_flux(personalised, foundation, chosen, tokens, looking)
    elif looking is not None:
        numbers = numbered(chosen)
        looks = inject(personalised, chosen, FoundationAware(tokens, looking, numbers), "attn1")
        looked_at = inject(foundation, chosen, Recorder(tokens, looking, numbers), "attn1")
    second = _prepared(CFGGuider(looked_at.clone()), *prompts.of_foundation(), cfg)
    alone = foundation_guider(foundation, prompts, cfg)
    made = FreeCureGuider(looks.clone(), alone, second, tokens, looking, trajectory)
    _prepared(made, prompts.positive, prompts.negative, cfg)
    return made


def foundation_guider(foundation: Any, prompts: Prompts, cfg: float) -> RecordingGuider:
    """A GUIDER for the foundation alone; its `trajectory` is for `guider` afterwards."""
    from ...sampling.trajectory import RecordingGuider

    made = RecordingGuider(foundation)
    _prepared(made, *prompts.of_foundation(), cfg)
    return made


def _prepared(guider: Any, positive: Conditioning, negative: Conditioning, cfg: float) -> Any:
    guider.set_conds(positive, negative)
    guider.set_cfg(cfg)
    return guider


def _looking(repair: Repair, mask: torch.Tensor | None, layers: int) -> Looking | None:
    """None when nothing is looked at; says why in the log."""
    where = None if mask is None else AttributeMask(mask)
    why = _idle(repair, where)
    if where is None or why is not None:
        log.info("FreeCure repairs nothing: %s.", why)
        return None
    window = Use(1.0, repair.start, repair.end).window
    how = (repair.mode, repair.strength, repair.style_fidelity)
    return Looking(where, *how, window, layers, repair.literal)


def _idle(repair: Repair, where: AttributeMask | None) -> str | None:
    """Why nothing is repaired, if so."""
    if where is None:
        return "no mask is connected"
    if where.empty and not (repair.mode == "paper" and repair.literal):
        return "the mask is empty"
    return "start equals end" if repair.start == repair.end else None


def _needs_bias(repair: Repair, where: AttributeMask) -> bool:
    if repair.mode == "paper":
        return not repair.literal and where.some_blank
    return repair.mode == "code" or len(where) > 1
