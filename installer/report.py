"""`install.py` without arguments, as ComfyUI-Manager runs it: says what is there and changes nothing."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from .environment import requirement_lines
from .models import EMBEDDED, missing
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
    absent = _absent_packages()
    if absent:
        lines.append(f"  Packages missing in this Python: {', '.join(absent)}")
        lines.append("    To get them:            pip install -r requirements.txt")
    else:
        lines.append("  Packages: all there.")
    lines += _models(around / "models" if around else None)
    return "\n".join(lines)


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


def _models(models: Path | None) -> list[str]:
    if models is None:
        return []
    lines = []
    for method in (EMBEDDED, "instantid", "arc2face"):
        files = missing(models, [method])
        if files:
            lines.append(f"  Models for {method} not found: {', '.join(file.name for file in files)}")
            lines.append(f"    To get them:            python install.py --models {method}")
        else:
            lines.append(f"  Models for {method}: all there.")
    return [*lines, "  Folders of extra_model_paths.yaml are not looked at here; ComfyUI does look there."]
