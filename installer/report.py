"""`install.py` without arguments, as ComfyUI-Manager runs it: says what is there and changes nothing."""

from __future__ import annotations

import importlib.util

from .environment import requirement_lines
from .folders import Folders, folders_in_use
from .models import EMBEDDED, missing
from .output import SetupError
from .paths import surrounding_comfyui

#: Import names that differ from the name in requirements.txt.
_MODULES = {"tomli": "tomllib"}


def report() -> str:
    """A few lines about ComfyUI, packages and models."""
    lines = ["Likeness:"]
    around = surrounding_comfyui()
    if around is None:
        lines.append("  ComfyUI: this folder is not in a custom_nodes folder of a ComfyUI.")
        lines.append("    To try it without one:  python install.py --demo")
        lines.append("    To get one:             python install.py --comfyui DIR")
    else:
        lines.append(f"  ComfyUI: {around}")
    lines += packages()
    if around is not None:
        try:
            lines += _models(folders_in_use(None))
        except SetupError as error:
            lines.append(f"  Models: {error}")
    return "\n".join(lines)


def packages() -> list[str]:
    """Which Python packages are missing, and the command."""
    absent = _absent_packages()
    if not absent:
        return ["  Packages: all there."]
    return [
        f"  Packages missing in this Python: {', '.join(absent)}",
        "    To get them:            pip install -r requirements.txt",
    ]


def _absent_packages() -> list[str]:
    names = []
    for line in requirement_lines():
        requirement, _, marker = line.partition(";")
        name = requirement
        for sign in "<>=!~[ ":
            name = name.split(sign)[0]
        module = _MODULES.get(name, name)
        if not marker and importlib.util.find_spec(module) is None:
            names.append(name)
    return names


def _models(folders: Folders) -> list[str]:
    lines = []
    for method in (EMBEDDED, "instantid", "arc2face"):
        files = missing(folders, [method])
        if files:
            lines.append(f"  Models for {method} not found: {', '.join(file.name for file in files)}")
            lines.append(f"    To get them:            python install.py --models {method}")
        else:
            lines.append(f"  Models for {method}: all there.")
    return [
        *lines,
        "    All methods, all files: python install.py --list",
        "    Are they whole:         python install.py --check",
    ]
