"""`comfy node validate`, what ComfyUI's registry asks before it takes a pack, in an environment of its own.

Run by the checks as `python -m installer.registry`. comfy-cli asks for many packages the pack has no use
for, so it is not put beside them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from .environment import current, lock
from .output import Progress, SetupError
from .paths import REPOSITORY

COMFY_CLI = "comfy-cli==1.23.0"
#: What it prints when nothing was found; its status is 0 even when something was.
CLEAN = "All validation checks passed successfully"
_ADVICE = "Check the network and pip's settings, then run the same command again."


def ensure_comfy_cli(folder: Path, progress: Progress) -> Path:
    """The program `comfy` in folder / comfy-cli-VERSION, made on first use. Raises SetupError."""
    place = folder / COMFY_CLI.replace("==", "-")
    inside = "Scripts" if sys.platform == "win32" else "bin"
    if not (place / "complete").exists():
        with lock(progress):
            _make(place, place / inside / "python", folder / "setup.log", progress)
    return place / inside / "comfy"


def _make(place: Path, python: Path, log: Path, progress: Progress) -> None:
    if (place / "complete").exists():
        return  # another process made it while we waited
    shutil.rmtree(place, ignore_errors=True)
    venv.EnvBuilder(with_pip=True, symlinks=sys.platform != "win32").create(place)
    install: list[str | Path] = [python, "-m", "pip", "install", "--no-input", COMFY_CLI]
    progress.run("Installing comfy-cli", install, log, advice=_ADVICE)
    (place / "complete").touch()


def validate(program: Path, pack: Path) -> tuple[bool, str]:
    """Whether the registry's own check of a pack is clean, and what it said. Sends and asks nothing."""
    with tempfile.TemporaryDirectory() as home:
        alone = {"HOME": home, "USERPROFILE": home, "XDG_CONFIG_HOME": home, "DO_NOT_TRACK": "1"}
        done = subprocess.run(
            [program, "--skip-prompt", "--no-enable-telemetry", "node", "validate"],
            cwd=pack,
            env={**os.environ, **alone, "PYTHONIOENCODING": "utf-8"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
    return done.returncode == 0 and CLEAN in done.stdout, done.stdout


def main() -> int:
    try:
        clean, said = validate(ensure_comfy_cli(current().folder, Progress()), REPOSITORY)
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    print(said.strip())
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main())
