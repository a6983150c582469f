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

from ..attention.calls import Call, select_rows
from ..attention.masks import PictureMask
from ..host.sampling import ControlBase

log = logging.getLogger(__name__)


class IdentityControl(ControlBase):
    """Wraps any of the host's controls; tokens are [2, T, D] (negative, positive)."""

    carries_identity = True

    def __init__(self, control: Any, tokens: torch.Tensor, mask: PictureMask | None) -> None:
        super().__init__()
        self.control = control
        self.tokens = tokens
        self.mask = mask
        self._told = False

    def get_control(
        self, x_noisy: torch.Tensor, t: torch.Tensor, cond: Any, batched_number: int, transformer_options: Any
    ) -> Any:
        previous = None
        if self.previous_controlnet is not None:
            previous = self.previous_controlnet.get_control(
                x_noisy, t, cond, batched_number, transformer_options
            )
        self._compare_shapes(x_noisy)
        call = Call.read(transformer_options)
        tokens = select_rows(self.tokens.to(x_noisy.device), call, x_noisy.shape[0])
        cond = {**cond, "crossattn_controlnet": tokens}
        own = self.control.get_control(x_noisy, t, cond, batched_number, transformer_options)
        if own is None:
            return previous
        if self.mask is not None:
            own = self._masked(self.mask, own, call, x_noisy)
        return self.control_merge(own, previous, output_dtype=None)

    def _compare_shapes(self, x_noisy: torch.Tensor) -> None:
        """Say once per run when the host is going to crop the keypoints to the picture's shape."""
        hint = getattr(self.control, "cond_hint_original", None)
        if self._told or hint is None:
            return
        self._told = True
        have, want = (
            (int(hint.shape[-1]), int(hint.shape[-2])),
            (x_noisy.shape[-1] * 8, x_noisy.shape[-2] * 8),
        )
        if abs(have[0] * want[1] - have[1] * want[0]) > 8 * max(have):
            log.warning(
                "keypoints are %dx%d but what is drawn is %dx%d, another shape: their sides are cut off. Set "
                "width and height in Draw Face Keypoints.",
                *have,
                *want,
            )

    @staticmethod
    def _masked(mask: PictureMask, own: Any, call: Call, x_noisy: torch.Tensor) -> Any:
        batch = x_noisy.shape[0] // len(call.roles)
        latent = call.latent or (int(x_noisy.shape[-2]), int(x_noisy.shape[-1]))

        def masked(residual: torch.Tensor | None) -> torch.Tensor | None:
            if residual is None:
                return None
            return residual * mask.residual(latent, call.areas, batch, residual)

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

    def cleanup(self) -> None:
        super().cleanup()
        self.control.cleanup()
        self._told = False
        if self.mask is not None:
            self.mask.cleanup()

    def get_models(self) -> list[Any]:
        return [*super().get_models(), *self.control.get_models()]

    def get_extra_hooks(self) -> list[Any]:
        return [*super().get_extra_hooks(), *self.control.get_extra_hooks()]

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
