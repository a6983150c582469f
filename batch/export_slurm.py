"""Scripts for Slurm: an array job with a range of rows a task, and a job that merges."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .export import Farm

DRAW, MERGE = "draw.sbatch", "merge.sbatch"
_HEAD = "#!/bin/bash\n#SBATCH --job-name=likeness-{name}\n#SBATCH --output=%x-%A_%a.log\n"
#: One card a task; a site's own partition and account go here.
_ARRAY = "#SBATCH --array=0-{last}\n#SBATCH --ntasks=1\n{card}"
_CARD = "#SBATCH --gpus=1\n"


def write(farm: Farm, folder: Path) -> str:
    """Both scripts, and how they are sent off. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / DRAW).write_text(draw(farm), encoding="utf-8", newline="\n")
    (folder / MERGE).write_text(merge(farm), encoding="utf-8", newline="\n")
    first, second = shlex.quote(str(folder / DRAW)), shlex.quote(str(folder / MERGE))
    return f"sbatch --dependency=afterany:$(sbatch --parsable {first}) {second}"


def draw(farm: Farm) -> str:
    """The array job's script. Failed rows leave exit status 1, as the command does."""
    card = "" if "--cpu" in farm.options else _CARD
    head = _HEAD.format(name="draw") + _ARRAY.format(last=farm.tasks - 1, card=card)
    workflow, table, out = (shlex.quote(str(path)) for path in (farm.workflow, farm.table, farm.out))
    words = farm.arguments(workflow, table, out, '"$first"', str(farm.per_task))
    line = " ".join([shlex.quote(farm.python), *_unquoted(words, len(farm.options))])
    count = f"first=$((SLURM_ARRAY_TASK_ID * {farm.per_task} + 1))\n"
    return f"{head}set -euo pipefail\ncd {shlex.quote(str(farm.pack))}\n{count}exec {line}\n"


def merge(farm: Farm) -> str:
    head = _HEAD.format(name="merge").replace("%x-%A_%a", "%x-%j")
    words = [farm.python, "-m", "batch", "merge", str(farm.out)]
    return f"{head}set -euo pipefail\ncd {shlex.quote(str(farm.pack))}\nexec {shlex.join(words)}\n"


def _unquoted(words: list[str], options: int) -> list[str]:
    """Paths and the variable are quoted already; the run's own options, the last, are not yet."""
    split = len(words) - options
    return [*words[:split], *map(shlex.quote, words[split:])]
