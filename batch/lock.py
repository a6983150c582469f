"""lock.json: with what a batch was drawn, so that a row can be drawn again and a difference explained."""

from __future__ import annotations

import functools
import json
import os
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .values import WorldError

NAME = "lock.json"
PACK = Path(__file__).resolve().parents[1]
_LIST = (
    "import importlib.metadata as m, json;"
    "print(json.dumps({d.metadata['Name']: d.version for d in m.distributions() if d.metadata['Name']}))"
)
_PATIENCE = 120.0


def describe(
    command: Sequence[str], stats: Mapping[str, Any], models: Mapping[str, str], comfyui: Path | None = None
) -> dict[str, Any]:
    """What the lock says.

    command: what starts the host; its first word is the host's Python. stats: the host's /system_stats.
    models: sha256 by name. comfyui: its folder, for its commit. Raises WorldError when Python can't be asked.
    """
    system = stats.get("system", {})
    devices = stats.get("devices") or [{}]
    return {
        "pack": pack(),
        "host": {
            "comfyui": system.get("comfyui_version", ""),
            "commit": commit(comfyui) if comfyui is not None else "",
            "python": str(system.get("python_version", "")).split(" ")[0],
            "torch": system.get("pytorch_version", ""),
            "device": devices[0].get("name") or devices[0].get("type") or "",
            "system": platform.platform(),
        },
        "models": dict(sorted(models.items())),
        "packages": packages(command[0]),
    }


def pack() -> dict[str, str]:
    """Version and commit of this pack; the commit is empty where it is no clone."""
    text = (PACK / "pyproject.toml").read_text(encoding="utf-8")
    found = re.search(r'^version = "([^"]+)"', text, re.MULTILINE)
    return {"version": found[1] if found else "", "commit": commit(PACK)}


def commit(folder: Path) -> str:
    """The commit of a clone, with "+" when files of it were changed; "" where there is no clone or no git."""
    if not (folder / ".git").exists():
        return ""
    try:
        head = _git(folder, "rev-parse", "HEAD")
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return ""
    return head + ("+" if changed else "")


def _git(folder: Path, *words: str) -> str:
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    done = subprocess.run(
        ["git", "-C", str(folder), *words],
        capture_output=True,
        text=True,
        check=True,
        timeout=_PATIENCE,
        env=environment,
    )
    return done.stdout.strip()


@functools.cache
def packages(python: str) -> dict[str, str]:
    """Versions of all packages of the host's Python, by name. Raises WorldError."""
    try:
        done = subprocess.run(
            [python, "-c", _LIST], capture_output=True, text=True, check=True, timeout=_PATIENCE
        )
        found: dict[str, str] = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise WorldError(f"The host's Python ({python}) can't be asked for its packages: {error}.") from error
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def write(lock: Mapping[str, Any], folder: Path) -> Path:
    """lock.json, in one step. Raises OSError."""
    path, part = folder / NAME, folder / f"{NAME}.part"
    part.write_text(json.dumps(lock, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    part.replace(path)
    return path


def differences(old: Mapping[str, Any], new: Mapping[str, Any], place: str = "") -> list[str]:
    """What is other in two locks, a line each: "packages.torch: 2.13.0 is now 2.14.1"."""
    said = []
    for name in sorted({*old, *new}):
        before, after = old.get(name), new.get(name)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            said += differences(before, after, f"{place}{name}.")
        elif before != after:
            said.append(f"{place}{name}: {_said(before)} is now {_said(after)}")
    return said


def _said(value: Any) -> str:
    return "missing" if value in (None, "") else str(value)
