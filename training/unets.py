"""What the trainers share of Stable Diffusion in diffusers' parts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from torch import Tensor, nn

from .loop import Lesson


def check_and_freeze(
    name: str, unet: Any, scheduler: Any, others: Iterable[nn.Module], channels: int, kind: str, example: str
) -> None:
    """Raises ValueError for a --base that takes other channels, or predicts something else than noise."""
    found = unet.config.in_channels
    if found != channels:
        raise ValueError(
            f"--base {name} is no {kind} model: its network takes {found} channels instead of {channels}. "
            f"Give {example}."
        )
    prediction = scheduler.config.get("prediction_type", "epsilon")
    if prediction != "epsilon":
        raise ValueError(
            f"--base {name} predicts {prediction}; this trainer needs a model that predicts epsilon."
        )
    for part in (unet, *others):
        part.requires_grad_(False).eval()


def token_ids(tokenizer: Any, texts: Sequence[str]) -> Tensor:
    """Texts as a tokeniser's numbers, [n, length]: cut or filled up to its length."""
    length = tokenizer.model_max_length
    made = tokenizer(
        list(texts), padding="max_length", max_length=length, truncation=True, return_tensors="pt"
    )
    ids: Tensor = made.input_ids
    return ids


def checkpoint(learns: bool, *networks: nn.Module) -> None:
    """Gradient checkpointing, which asks a network's parts whether they learn."""
    for network in networks:
        for module in network.modules():
            if hasattr(module, "gradient_checkpointing"):
                module.training = learns


class UNetLesson(Lesson):
    """A lesson in which a U-Net sees noise in latents. base: has unet, vae and scheduler."""

    def __init__(self, base: Any, checkpointing: bool) -> None:
        super().__init__()
        self.unet, self.vae, self.scheduler = base.unet, base.vae, base.scheduler
        self.alphas: Tensor
        self.register_buffer("alphas", self.scheduler.alphas_cumprod.clone().float(), persistent=False)
        if checkpointing:
            self.unet.enable_gradient_checkpointing()

    def ddim(self, steps: int) -> Any:
        """A scheduler to draw with, of so many steps."""
        from diffusers import DDIMScheduler

        scheduler = DDIMScheduler.from_config(self.scheduler.config, clip_sample=False)
        scheduler.set_timesteps(steps)
        return scheduler

    def decode(self, latents: Tensor) -> Tensor:
        """Pictures [n, 3, S, S], about -1 to 1, with gradients."""
        pictures: Tensor = self.vae.decode(latents / self.vae.config.scaling_factor).sample
        return pictures.float()

    def shown(self, latents: Tensor) -> Tensor:
        """Pictures [n, 3, S, S] from 0 to 1, on the CPU, to look at."""
        return (self.decode(latents) / 2 + 0.5).clamp(0, 1).cpu()
