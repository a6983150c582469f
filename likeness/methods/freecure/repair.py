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
    start and end: parts of the sampling schedule, 0 to 1. experimental: let it work on Flux, too. Raises
    ValueError for a mode, fidelity or window that does not exist.
    """

    strength: float = 1.5
    mode: Mode = "code"
    layers: str = "default"
    style_fidelity: float = 1.0
    start: float = 0.0
    end: float = 1.0
    experimental: bool = False

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
        """Raises ValueError for a prompt that FreeCure cannot pair; warns when the face gets everywhere."""
        for name in ("positive", "negative"):
            if getattr(self, f"foundation_{name}") is None and carries_identity(getattr(self, name)):
                log.warning(
                    "FreeCure: foundation_%s is open, so the foundation is drawn with the ControlNet of %s, "
                    "which carries the face. Connect the prompt from before Apply InstantID, or that of a "
                    "second Apply InstantID with empty_identity on.",
                    name,
                    name,
                )
        for name in ("positive", "negative", "foundation_positive", "foundation_negative"):
            conditioning = getattr(self, name)
            if conditioning is not None:
                check_conditioning(name, conditioning, several_negatives and name.endswith("negative"))


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
    and cfg. Raises ValueError, naming the input, for MODELs, prompts or layers that do not fit.
    """
    from ...host.sampling import CFGGuider
    from .guiding import FreeCureGuider

    check_models(personalised, foundation)
    prompts.check(several_negatives=repair.style_fidelity == 1)
    tokens = FoundationTokens()
    look = _look_in_flux if host.flux.is_flux(personalised.model.diffusion_model) else _look_in_unet
    looks, looked_at, looking = look(personalised, foundation, repair, mask, tokens)
    second = _prepared(CFGGuider(looked_at.clone()), *prompts.of_foundation(), cfg)
    alone = foundation_guider(foundation, prompts, cfg)
    made = FreeCureGuider(looks.clone(), alone, second, tokens, looking, trajectory)
    _prepared(made, prompts.positive, prompts.negative, cfg)
    return made


def _look_in_unet(
    personalised: Any, foundation: Any, repair: Repair, mask: torch.Tensor | None, tokens: FoundationTokens
) -> tuple[Any, Any, Looking | None]:
    """Both MODELs with their parts of the repair in them, and what is looked at."""
    sites = execution_order(personalised.model.diffusion_model)
    if not sites:
        raise ValueError(
            f"personalised is {kind_of(personalised)}, which has no U-Net self-attention. FreeCure needs an "
            "SD1.5, SDXL or Flux checkpoint."
        )
    chosen = choose_layers(sites, repair.layers)
    looking = _looking(personalised, repair, mask, len(chosen))
    if looking is not None:
        several = mask is not None and mask.ndim == 3 and len(mask) > 1
        if repair.mode == "code" or (repair.mode == "paper_masked" and several):
            check_slots("personalised", personalised, chosen)
        numbers = numbered(chosen)
        aware, recorder = FoundationAware(tokens, looking, numbers), Recorder(tokens, looking, numbers)
        personalised = inject(personalised, chosen, aware, "attn1")
        foundation = inject(foundation, chosen, recorder, "attn1")
    return personalised, foundation, looking


def _look_in_flux(
    personalised: Any, foundation: Any, repair: Repair, mask: torch.Tensor | None, tokens: FoundationTokens
) -> tuple[Any, Any, Looking | None]:
    """The same for Flux."""
    check_experimental(personalised, repair.experimental)
    log.info("FreeCure on Flux follows the paper's text; no code was published for it.")
    blocks = choose_blocks(joint_blocks(personalised.model.diffusion_model), repair.layers)
    looking = _looking(personalised, repair, mask, len(blocks))
    if looking is not None:
        personalised, foundation = look_in_flux(personalised, foundation, blocks, tokens, looking)
    return personalised, foundation, looking


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


def _looking(model: Any, repair: Repair, mask: torch.Tensor | None, layers: int) -> Looking | None:
    """None when nothing is looked at; says why in the log."""
    where = None if mask is None else AttributeMask(mask)
    if where is None:
        log.info("FreeCure repairs nothing: no mask is connected.")
        return None
    if where.empty and repair.mode != "paper":
        log.info("FreeCure repairs nothing: the mask is empty.")
        return None
    if repair.start == repair.end:
        log.info("FreeCure repairs nothing: start equals end.")
        return None
    window = Use(1.0, repair.start, repair.end).window
    return Looking(where, repair.mode, repair.strength, repair.style_fidelity, window, layers)
