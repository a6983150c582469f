"""accelerate's Accelerator, as our trainers open it."""

from __future__ import annotations

import argparse
import logging
from typing import Any

#: Processes may wait this long for the first, which looks for faces and draws samples.
_PATIENCE_HOURS = 12


def open_accelerator(options: argparse.Namespace) -> Any:
    """accelerate's, for options precision and cpu; only the main process talks."""
    from datetime import timedelta

    import torch
    from accelerate import Accelerator
    from accelerate.utils import DistributedDataParallelKwargs, InitProcessGroupKwargs

    precision = options.precision or ("bf16" if torch.cuda.is_available() and not options.cpu else "fp32")
    handlers = [
        DistributedDataParallelKwargs(broadcast_buffers=False),
        InitProcessGroupKwargs(timeout=timedelta(hours=_PATIENCE_HOURS)),
    ]
    mixed = "bf16" if precision == "bf16" else "no"
    accelerator = Accelerator(mixed_precision=mixed, cpu=options.cpu, kwargs_handlers=handlers)
    if not accelerator.is_main_process:
        logging.getLogger("training").setLevel(logging.WARNING)
    return accelerator
