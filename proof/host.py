"""The real host's code, importable: networks are built from its classes, so its loaders take the files."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def use_host(folder: Path | None = None) -> Path:
    """Puts ComfyUI on the import path, on the CPU, and returns its folder.

    folder: None takes LIKENESS_COMFYUI, else the one of `python install.py --test`. Raises ValueError without
    one.
    """
    if "comfy" in sys.modules:
        return Path(str(sys.modules["comfy"].__path__[0])).parent
    from installer import paths
    from installer.environment import current

    chosen = os.environ.get("LIKENESS_COMFYUI")
    folder = folder or (Path(chosen) if chosen else current().comfyui)
    if not paths.is_comfyui(folder):
        raise ValueError(
            f"No ComfyUI in {folder}. Run `python install.py --test` once, or set LIKENESS_COMFYUI."
        )
    # At the end: the host has packages of the names `nodes` and `tests` too.
    sys.path.append(str(folder))
    from comfy.cli_args import args

    # Before anything else of the host: it looks for a graphics card, and chooses its attention, at import.
    args.cpu = True
    args.use_pytorch_cross_attention = True
    return folder
