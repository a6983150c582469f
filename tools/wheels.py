"""Which packages of the tests' environment have no wheel, by Python and system: `python -m tools.wheels`.

Everything the pinned ComfyUI, the pack, its trainers and its checks ask for is resolved as pip would on that
machine, wheels only; nothing is installed.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from installer import comfyui
from installer.environment import ALSO_NEEDED, INSIGHTFACE_NEEDS, TORCH, current
from installer.output import Progress, SetupError
from installer.paths import REPOSITORY, is_comfyui
from installer.programs import ensure_programs, run_program

PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
SYSTEMS = {
    "Linux": "x86_64-manylinux_2_28",
    "Windows": "x86_64-pc-windows-msvc",
    "macOS": "aarch64-apple-darwin",
}
#: The oldest macOS that torch's wheels are for.
_MACOS = ("MACOSX_DEPLOYMENT_TARGET", "14.0")


def wanted(host: Path) -> list[str]:
    """All that is asked for, a requirement each."""
    files = [comfyui.requirements(host), REPOSITORY / "requirements.txt"]
    files += [REPOSITORY / name for name in ALSO_NEEDED]
    lines = [line.strip() for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    return [*(line for line in lines if line and not line.startswith("#")), *TORCH, *INSIGHTFACE_NEEDS]


def asked(progress: Progress) -> list[str]:
    """With the requirements of the pinned ComfyUI: the tests', or one that is fetched for this."""
    host = Path(os.environ.get("LIKENESS_COMFYUI") or current().comfyui)
    if is_comfyui(host):
        return wanted(host)
    with tempfile.TemporaryDirectory() as folder:
        comfyui.get_comfyui(Path(folder) / "ComfyUI", sys.executable, progress, git_first=True)
        return wanted(Path(folder) / "ComfyUI")


def missing(programs: Path, requirements: list[str], python: str, system: str) -> str:
    """Why not all of them can be had as wheels there; nothing when they can."""
    os.environ.setdefault(*_MACOS)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "requirements.in"
        file.write_text("\n".join(requirements) + "\n", encoding="utf-8")
        options = ["--python-version", python, "--python-platform", SYSTEMS[system], "--only-binary", ":all:"]
        status, said = run_program(
            programs,
            "uv",
            "pip",
            "compile",
            "--quiet",
            *options,
            file,
            "-o",
            Path(folder) / "out",
            cwd=Path(folder),
        )
    return said if status else ""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Which packages have no wheel, by Python and system.")
    parser.add_argument("--python", action="append", choices=PYTHONS)
    parser.add_argument("--system", action="append", choices=tuple(SYSTEMS))
    chosen = parser.parse_args(arguments)
    progress = Progress()
    try:
        requirements, programs = asked(progress), ensure_programs(progress)
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    holes = 0
    for python in chosen.python or PYTHONS:
        for system in chosen.system or SYSTEMS:
            said = missing(programs, requirements, python, system)
            holes += bool(said)
            print(f"Python {python}, {system}: {said or 'all there'}", flush=True)
    return 1 if holes else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
