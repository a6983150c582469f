"""What a running node tells the host, and gives it."""

from __future__ import annotations

from collections.abc import Callable

import comfy.model_management as model_management
import comfy.utils
import torch


def progress(total: int) -> Callable[[], None]:
    """A progress bar on the running node: call the result after each of `total` steps.

    The call does not return when the user has cancelled: the host's interrupt passes through.
    """
    bar = comfy.utils.ProgressBar(total)

    def step() -> None:
        model_management.throw_exception_if_processing_interrupted()
        bar.update(1)

    return step


def to_image(image: torch.Tensor) -> torch.Tensor:
    """An IMAGE or MASK as the host wants node outputs: its device and dtype."""
    return image.to(model_management.intermediate_device(), model_management.intermediate_dtype())
