"""Seconds of a step, and bytes that stay on a device."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from support.device_watch import held

#: Steps that are timed when everything is loaded; the middle one counts.
_STEPS = 3


def step_seconds(device: torch.device, run: Callable[[], Any]) -> float:
    """Of a call of the network that has been made before; the host's sampling around it is in it."""
    run()
    return statistics.median(_seconds(device, run) for _ in range(_STEPS))


def _seconds(device: torch.device, run: Callable[[], Any]) -> float:
    _synchronise(device)
    start = time.perf_counter()
    run()
    _synchronise(device)
    return time.perf_counter() - start


def measured(device: torch.device, run: Callable[[], Any]) -> tuple[float, int]:
    """(seconds of a run, bytes that stay on the device when all models are unloaded after it)."""
    before = _taken(device)
    seconds = _seconds(device, run)
    return seconds, max(now - then for now, then in zip(_taken(device), before, strict=True))


def _taken(device: torch.device) -> tuple[int, ...]:
    """Bytes on the device with all models unloaded: as live tensors, and as its allocator counts."""
    import comfy.model_management

    comfy.model_management.unload_all_models()
    counted = held(device)
    comfy.model_management.soft_empty_cache()
    _synchronise(device)
    module = getattr(torch, device.type, None)
    for name in ("memory_allocated", "current_allocated_memory"):
        if hasattr(module, name):
            return counted, int(getattr(module, name)())
    return (counted,)


def _synchronise(device: torch.device) -> None:
    wait = getattr(getattr(torch, device.type, None), "synchronize", None)
    if wait and device.type != "cpu":
        wait()
