"""Learning on a MODEL in the host: copies whose weights may carry gradients, under its memory manager.

Nodes run in inference mode, and what the host loaded there can never be part of a gradient. Spec:
pva_freecure_emojidiff.md 0.1, host_guide.md 7.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import comfy.model_management as model_management
import torch
from comfy.ldm.modules.attention import BasicTransformerBlock, attention_pytorch
from comfy.ldm.modules.diffusionmodules.openaimodel import ResBlock
from comfy.model_patcher import create_model_options_clone
from comfy.sampler_helpers import prepare_model_patcher
from torch.utils.checkpoint import checkpoint

Forward = Callable[..., Any]
#: Steps of the schedule that the networks were trained on.
TIMESTEPS = 1000
#: How much of what sampling takes a step with gradients takes, with checkpoints and without: estimates.
_MEMORY = {True: 4, False: 16}


@contextmanager
def learning() -> Iterator[None]:
    """While this lasts, gradients flow and the host uses kernels that have one."""
    before = model_management.in_training
    model_management.in_training = True
    try:
        with torch.inference_mode(False), torch.enable_grad():
            yield
    finally:
        model_management.in_training = before


def training_dtype() -> torch.dtype:
    """bfloat16 where the GPU computes with it, else float32."""
    device = model_management.get_torch_device()
    fast = model_management.is_device_cuda(device) and model_management.should_use_bf16(device)
    return torch.bfloat16 if fast else torch.float32


def trainable_model(model: Any, dtype: torch.dtype) -> Any:
    """A copy of MODEL with frozen weights of its own, loaded anew, that computes in dtype.

    To be called while `learning`, with what passed `check_loader`.
    """
    copy = _loaded_again(model)
    copy.set_model_compute_dtype(dtype)
    return copy


def trainable_clip(clip: Any) -> Any:
    """The same of CLIP; the host computes it in float32."""
    copy = clip.clone()
    copy.patcher = _loaded_again(clip.patcher)
    copy.cond_stage_model = copy.patcher.model
    for module in copy.cond_stage_model.modules():
        if isinstance(module, torch.nn.LayerNorm):
            module.register_forward_pre_hook(_apart)
    return copy


def _apart(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    """The host adds to a norm's input in place, which the norm's gradient still needs."""
    return inputs[0].clone(), *inputs[1:]


def check_loader(patcher: Any, what: str) -> None:
    """Raises ValueError for a MODEL, or the patcher of a CLIP, that no loader of the host made."""
    if patcher.cached_patcher_init is None:
        raise ValueError(
            f"{what} can't be loaded a second time, which learning needs: it was not made by one of "
            "ComfyUI's loaders. Connect the output of Load Checkpoint; LoRAs may lie between."
        )


def _loaded_again(patcher: Any) -> Any:
    load, arguments, *place = patcher.cached_patcher_init
    loaded = load(*arguments, disable_dynamic=True)
    loaded = loaded[place[0]] if place else loaded
    copy = patcher.clone(disable_dynamic=True, model_override=loaded.get_clone_model_override())
    copy.set_attachments("likeness_loaded", loaded)  # the host follows a model by its first patcher
    copy.model.requires_grad_(False)
    return copy


def save_memory(model: Any) -> None:
    """Let the blocks of a trainable_model compute twice instead of keeping what gradients need."""
    for module in model.model.diffusion_model.modules():
        if isinstance(module, BasicTransformerBlock | ResBlock):
            module.forward = partial(_twice, module.forward)


def _twice(forward: Forward, *args: Any, **kwargs: Any) -> Any:
    if not torch.is_grad_enabled():
        return forward(*args, **kwargs)
    # The host writes into its options on the way through the network; the second time must see the same.
    args = tuple(dict(a) if isinstance(a, dict) else a for a in args)
    kwargs = {name: dict(a) if isinstance(a, dict) else a for name, a in kwargs.items()}
    return checkpoint(forward, *args, use_reentrant=False, **kwargs)


def _with_gradient(chosen: Forward, *args: Any, **kwargs: Any) -> Any:
    """PyTorch's own attention in the place of the chosen kernel."""
    return attention_pytorch(*args, **kwargs)


class NoisePredictor:
    """A MODEL's guess of the noise in latents, with gradients. By timestep of its training, 0 to 999."""

    def __init__(self, model: Any, shape: tuple[int, ...], saving: bool) -> None:
        """shape: of the latents; saving: whether `save_memory` was called. Raises ValueError for a schedule
        of another length than that of training.
        """
        self._model, self.device = model, model.load_device
        self._memory = model.memory_required([1, *shape[1:]]) * _MEMORY[saving]
        self.load()
        self._options = create_model_options_clone(model.model_options)
        prepare_model_patcher(model, {}, self._options)
        # Faster kernels that the user chose have no gradient, or one that is silently cut off.
        self._options["transformer_options"]["optimized_attention_override"] = _with_gradient
        self._sampling = model.model.model_sampling
        steps = len(self._sampling.sigmas)
        if steps != TIMESTEPS:
            raise ValueError(
                f"model has a schedule of {steps} steps instead of {TIMESTEPS}: take out "
                "the node that changed it (ModelSamplingDiscrete)."
            )
        self.alphas_cumprod = (1 / (1 + self._sampling.sigmas.detach().to("cpu", torch.float32) ** 2)).clone()

    def load(self) -> None:
        """Onto the device, where another model may have taken its place."""
        model_management.load_models_gpu([self._model], self._memory, force_full_load=True)

    def __call__(
        self,
        noisy: torch.Tensor,
        timestep: int,
        prompt: torch.Tensor,
        inpainting: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """float32 like noisy [B, C, h, w], which holds sqrt(a) x + sqrt(1 - a) noise of scaled latents.

        prompt [1 or B, L, width]; inpainting [B, 5, h, w]: mask and masked latent, for models that take them.
        """
        rows = len(noisy)
        options = {**self._options["transformer_options"], "cond_or_uncond": [0]}
        level = torch.full((rows,), float(self._sampling.sigmas[timestep]), device=self.device)
        # The host's latents grow with the noise; those of training keep their size.
        x = noisy.to(self.device) * (1 + level**2).sqrt().reshape(rows, *[1] * (noisy.ndim - 1))
        prompt = prompt.to(self.device).expand(rows, -1, -1)
        given: Mapping[str, Any] = {"c_crossattn": prompt, "transformer_options": options}
        if inpainting is not None:
            given = {**given, "c_concat": inpainting.to(self.device)}
        denoised = self._model.model.apply_model(x, level, **given)
        guess: torch.Tensor = (x - denoised) / level.reshape(rows, *[1] * (noisy.ndim - 1))
        return guess
