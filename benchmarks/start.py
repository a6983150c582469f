"""Where a benchmark runs: the Python of `python install.py --test`, with ComfyUI to import."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence

from installer.environment import current


def in_environment(script: str, arguments: Sequence[str] = (), settings: Mapping[str, str] = {}) -> None:
    """Run the script again in the environment, and leave with it; once there, make ComfyUI importable."""
    environment, chosen = current(), os.environ.get("LIKENESS_COMFYUI")
    if os.environ.get("LIKENESS_BENCHMARK") != "1":
        if not environment.complete and chosen is None:
            sys.exit("There is no environment yet. Run `python install.py --test` once: it makes one.")
        python = environment.python if environment.complete else sys.executable
        inside = {**os.environ, **settings, "LIKENESS_BENCHMARK": "1"}
        sys.exit(subprocess.call([str(python), script, *arguments], env=inside))
    sys.path.insert(0, chosen or str(environment.comfyui))
