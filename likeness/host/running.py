"""What a running node tells the host, and gives it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import comfy.model_management as model_management
import comfy.utils
import torch
from comfy_execution.graph_utils import ExecutionBlocker
from comfy_execution.utils import get_executing_context
from latent_preview import get_previewer
from PIL import Image
from server import PromptServer


def progress(total: int) -> Callable[[], None]:
    """A progress bar on the running node: call the result after each of `total` steps.

    The call does not return when the user has cancelled: the host's interrupt passes through.
    """
    bar = comfy.utils.ProgressBar(total)

    def step() -> None:
        model_management.throw_exception_if_processing_interrupted()
        bar.update(1)

    return step


class StagedProgress:
    """One progress bar over several runs of samplers and other steps, with the host's previews."""

    def __init__(self, model: Any, total: int) -> None:
        """model: the MODEL whose latents are previewed; total: all steps of all stages."""
        self._bar = comfy.utils.ProgressBar(total)
        self._previewer = get_previewer(model.load_device, model.get_model_object("latent_format"))
        self._total, self._done = total, 0

    def stage(self, steps: int) -> Callable[..., None]:
        """The callback for a sampler of so many steps. Stages are asked for in their order.

        It does not return when the user has cancelled: the host's interrupt passes through.
        """
        before, self._done = self._done, self._done + steps

        def callback(step: int, denoised: torch.Tensor, x: torch.Tensor, total_steps: int) -> None:
            model_management.throw_exception_if_processing_interrupted()
            shown = None
            if self._previewer:
                shown = self._previewer.decode_latent_to_preview_image("JPEG", denoised)
            # Adaptive samplers count further than they said.
            self._bar.update_absolute(before + min(step + 1, steps), self._total, shown)

        return callback

    def skip(self, steps: int) -> None:
        """So many steps are not needed any more."""
        self._done += steps
        self._bar.update_absolute(self._done, self._total)

    def step(self) -> None:
        """One step of something that is no sampler; does not return when the user has cancelled."""
        model_management.throw_exception_if_processing_interrupted()
        self._done += 1
        self._bar.update_absolute(self._done, self._total)


class PictureProgress:
    """A progress bar on the running node that shows a picture of how it goes."""

    def __init__(self, total: int) -> None:
        self._bar, self._done = comfy.utils.ProgressBar(total), 0

    def step(self, picture: torch.Tensor) -> None:
        """One more of the steps; picture [H, W, 3], 0 to 1.

        It does not return when the user has cancelled: the host's interrupt passes through.
        """
        model_management.throw_exception_if_processing_interrupted()
        self._done += 1
        pixels = (picture.detach().to("cpu", torch.float32).clamp(0, 1) * 255).round().to(torch.uint8)
        shown = Image.fromarray(pixels.numpy())
        self._bar.update_absolute(self._done, preview=("JPEG", shown, max(shown.size)))


def tell(text: str) -> None:
    """Show a text on the node that is running, where there is a page to show it."""
    running, server = get_executing_context(), getattr(PromptServer, "instance", None)
    if running is not None and server is not None:
        server.send_progress_text(text, running.node_id)


def blocked(message: str | None) -> Any:
    """An output that stops what is connected to it: with this message, or quietly."""
    return ExecutionBlocker(message)


def to_image(image: torch.Tensor) -> torch.Tensor:
    """An IMAGE or MASK as the host wants node outputs: its device and dtype."""
    return image.to(model_management.intermediate_device(), model_management.intermediate_dtype())
