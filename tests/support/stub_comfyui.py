"""A folder that looks like ComfyUI's and boots the stub host instead."""

from __future__ import annotations

import sys
from pathlib import Path

_MAIN = """import sys

sys.path.insert(0, {support!r})
import stub_host

stub_host.main()
"""


def write(folder: Path) -> Path:
    """Make the folder."""
    (folder / "comfy").mkdir(parents=True)
    (folder / "main.py").write_text(_MAIN.format(support=str(Path(__file__).parent)), encoding="utf-8")
    return folder


def command(*arguments: str) -> tuple[str, ...]:
    """What boots the stub, for HostSettings."""
    return (sys.executable, str(Path(__file__).with_name("stub_host.py")), *arguments)
