"""Saved workflows hold us to what nodes/node_contract.json says: it is the nodes', and changes by rules."""

from __future__ import annotations

import runpy
from pathlib import Path

from installer.comfyui import PINNED
from tools import node_contract
from tools.contract_changes import BREAKING


def test_the_stored_contract_is_the_nodes(comfyui: Path) -> None:
    """Of another host than the pinned one only what breaks workflows counts: others word inputs otherwise."""
    found = node_contract.drift(comfyui)
    if runpy.run_path(str(comfyui / "comfyui_version.py"))["__version__"] != PINNED.version:
        found = [change for change in found if change.level == BREAKING]
    said = "\n".join(map(str, found))
    assert not found, (
        f"{said}\nIf that is meant: python -m tools.node_contract --write, and a CHANGELOG line."
    )
