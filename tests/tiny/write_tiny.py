"""Command: `python write_tiny.py COMFYUI BASE` writes the tiny model files under BASE/models."""

from __future__ import annotations

import sys


def main(comfyui: str, base: str) -> None:
    sys.path.insert(0, comfyui)
    from comfy.cli_args import args

    args.cpu = True  # before anything else of the host: it looks for a graphics card at import

    from likeness_tiny.files import CHECKPOINT, write

    for kind in CHECKPOINT:
        write(base, kind)


if __name__ == "__main__":
    main(*sys.argv[1:])
