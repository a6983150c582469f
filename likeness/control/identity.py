"""A ControlNet that looks at identity tokens instead of the prompt.

The host's `cross_attn_controlnet` belongs to the conditioning, so every ControlNet chained on it
would get the tokens; the authors give them to the IdentityNet alone. This control owns a copy of the
net and hands the tokens to it only. Spec: instantid_arc2face.md 1.3.4, 1.3.6.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import torch

from .. import host
from ..attention.adds import rows_of
from ..attention.calls import Call
from ..attention.masks import PIXELS_PER_LATENT, PictureMask, crop
from ..attention.views import Numbers, Part, lines
from ..attention.wrappers import with_conds, with_names
from ..host.sampling import ControlBase

log = logging.getLogger(__name__)

_WRAPPERS = {"predict_noise": with_names, "calc_cond_batch": with_conds}


class IdentityControl(ControlBase):
    """Wraps any of the host's controls; tokens are [2, T, D] (negative, positive)."""

    carries_identity = True

    def __init__(self, control: Any, tokens: torch.Tensor, mask: PictureMask | None) -> None:
        super().__init__()
        self.control = control
        self.tokens = tokens
        self.mask = mask
        # The host registers these wherever the prompt is sampled, so that areas, roles and windows are known
        # on any MODEL. `get_extra_hooks` does not name them: a prompt with hooks of its own is run apart.
        self.extra_hooks = host.sampling.hooks_for(_WRAPPERS, control.get_extra_hooks())
        self._said: set[str] = set()
        self._lent: dict[torch.device, torch.Tensor] = {}
        #: The control with its hint for one context window, by what that shows.
        self._windows: dict[tuple[Numbers | None, Part | None], Any] = {}
        self._begin: tuple[Any, Callable[[float], float]] | None = None

    def get_control(
        self, x_noisy: torch.Tensor, t: torch.Tensor, cond: Any, batched_number: int, transformer_options: Any
    ) -> Any:
        previous = None
        if self.previous_controlnet is not None:
            previous = self.previous_controlnet.get_control(
                x_noisy, t, cond, batched_number, transformer_options
            )
        call = Call.read(transformer_options, x_noisy.shape)
        control = self._shown(call, x_noisy)
        cond = {**cond, "crossattn_controlnet": rows_of(self._on(x_noisy.device), call.views, len(x_noisy))}
        own = control.get_control(x_noisy, t, cond, batched_number, transformer_options)
        if own is None:
            return previous
        if self.mask is not None:
            own = self._masked(self.mask, own, call, x_noisy)
        return self.control_merge(own, previous, output_dtype=None)

    def _on(self, device: torch.device) -> torch.Tensor:
        """The tokens on the device, copied once per run."""
        if device not in self._lent:
            self._lent[device] = self.tokens.to(device)
        return self._lent[device]

    def _shown(self, call: Call, x_noisy: torch.Tensor) -> Any:
        """The control with the keypoints of what this call shows: of a context window, its part of them."""
        hint = getattr(self.control, "cond_hint_original", None)
        if hint is None:
            return self.control
        view = call.views[0]
        pictures = view.count(len(x_noisy) // len(call.views))
        shown = (int(x_noisy.shape[-2]), int(x_noisy.shape[-1]))
        latent = call.latent if call.window is not None and call.latent is not None else shown
        self._compare(hint, pictures, latent)
        chosen = view.pictures if len(hint) == pictures and len(hint) > 1 else None
        if chosen is None and call.window is None:
            return self.control
        key = (chosen, call.window)
        if key not in self._windows:
            part = hint if chosen is None else lines(hint, chosen, 0)
            if call.window is not None:
                algorithm = self.control.upscale_algorithm
                part = crop(host.sampling.fitted(part, latent, algorithm), call.window, dim=2)
            window = self.control.copy()
            window.cond_hint_original = part
            if self._begin is not None:
                window.pre_run(*self._begin)
            self._windows[key] = window
        return self._windows[key]

    def _compare(self, hint: torch.Tensor, pictures: int, latent: tuple[int, int]) -> None:
        """Say once per run what the host does with keypoints of another number or shape than the picture."""
        if len(hint) not in (1, pictures):
            self._say(
                "keypoints hold %d pictures but %d are drawn: %s. Give one, or as many as the latents.",
                len(hint),
                pictures,
                "the last are left out" if len(hint) > pictures else "they are used again from the first",
            )
        have = int(hint.shape[-1]), int(hint.shape[-2])
        want = latent[1] * PIXELS_PER_LATENT, latent[0] * PIXELS_PER_LATENT
        if abs(have[0] * want[1] - have[1] * want[0]) > PIXELS_PER_LATENT * max(have):
            self._say(
                "keypoints are %dx%d but what is drawn is %dx%d, another shape: their sides are cut off. Set "
                "width and height in Draw Face Keypoints.",
                *have,
                *want,
            )

    def _say(self, text: str, *values: object) -> None:
        if text not in self._said:
            self._said.add(text)
            log.warning(text, *values)

    @staticmethod
    def _masked(mask: PictureMask, own: Any, call: Call, x_noisy: torch.Tensor) -> Any:
        call.check_parts("mask")
        batch = x_noisy.shape[0] // len(call.views)
        latent = call.latent or (int(x_noisy.shape[-2]), int(x_noisy.shape[-1]))

        def masked(residual: torch.Tensor | None) -> torch.Tensor | None:
            if residual is None:
                return None
            return residual * mask.residual(latent, call.views, batch, residual)

        return {place: [masked(residual) for residual in residuals] for place, residuals in own.items()}

    def copy(self) -> IdentityControl:
        control = IdentityControl(self.control.copy(), self.tokens, self.mask)
        self.copy_to(control)
        return control

    def deepclone_multigpu(self, load_device: torch.device, autoregister: bool = False) -> IdentityControl:
        control = IdentityControl(self.control.deepclone_multigpu(load_device), self.tokens, self.mask)
        self.copy_to(control)
        if autoregister:
            self.multigpu_clones[load_device] = control
        return control

    def pre_run(self, model: Any, percent_to_timestep_function: Callable[[float], float]) -> None:
        super().pre_run(model, percent_to_timestep_function)
        self.control.pre_run(model, percent_to_timestep_function)
        self._begin = model, percent_to_timestep_function

    def cleanup(self) -> None:
        super().cleanup()
        for control in (self.control, *self._windows.values()):
            control.cleanup()
        self._said.clear()
        self._lent.clear()
        self._windows.clear()
        self._begin = None
        if self.mask is not None:
            self.mask.cleanup()

    def get_models(self) -> list[Any]:
        return [*super().get_models(), *self.control.get_models()]

    def get_extra_hooks(self) -> list[Any]:
        previous = self.previous_controlnet
        return [*(previous.get_extra_hooks() if previous else ()), *self.control.get_extra_hooks()]

    def inference_memory_requirements(self, dtype: torch.dtype) -> int:
        own = self.control.inference_memory_requirements(dtype)
        return int(super().inference_memory_requirements(dtype) + own)


def check_identity_net(control_net: Any, token_width: int) -> None:
    """Raise ValueError when control_net can't be InstantID's IdentityNet, and say why."""
    if not hasattr(control_net, "get_control"):
        raise ValueError(
            "control_net is empty: the ControlNet file could not be read as one. InstantID needs "
            "ControlNetModel/diffusion_pytorch_model.safetensors of InstantX/InstantID."
        )
    network = getattr(control_net, "control_model", None)
    if network is None:
        # A ControlLora borrows its layers from the MODEL when sampling starts.
        return
    widths = {m.attn2.to_k.in_features for m in network.modules() if getattr(m, "attn2", None) is not None}
    if widths != {token_width}:
        found = ", ".join(str(width) for width in sorted(widths)) or "no prompt at all"
        raise ValueError(
            f"control_net is a {type(network).__name__} that takes tokens of width {found}, but InstantID's "
            f"IdentityNet takes {token_width}: load its ControlNetModel/diffusion_pytorch_model.safetensors "
            "(an SDXL ControlNet) instead."
        )
