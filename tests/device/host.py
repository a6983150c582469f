"""The real ComfyUI in this process, on the device it chooses, with the pack and tiny models."""

from __future__ import annotations

import asyncio
import gc
import importlib
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from installer import paths, tiny

PACK_FOLDER = "likeness"


@dataclass(frozen=True)
class Host:
    """The host's module `nodes`, our pack as the host loaded it, and where the host computes."""

    nodes: ModuleType
    name: str
    device: Any

    def node(self, node_id: str) -> Any:
        return self.nodes.NODE_CLASS_MAPPINGS[node_id]

    def module(self, path: str) -> ModuleType:
        """A module of the loaded pack: `likeness.values`, `nodes.faces`."""
        return importlib.import_module(f"{self.name}.{path}")


def boot(comfyui: Path, base: Path, cpu: bool) -> Host:
    """base: an empty folder, which becomes the host's base directory. Only one per process."""
    packs = {PACK_FOLDER: paths.REPOSITORY, tiny.PACK.name: tiny.PACK}
    for name, folder in packs.items():
        paths.link_folder(folder, base / "custom_nodes" / name)
    for name in ("models", "input", "output", "temp", "user"):
        (base / name).mkdir()
    sys.path.insert(0, str(comfyui))  # before ours: the host's `nodes` is a module of that name too
    from comfy.cli_args import args

    args.cpu = args.cpu or cpu
    args.base_directory = str(base)
    import comfy.model_management

    # As main.py does: older hosts' `nodes` puts a folder first that has a module `utils` too.
    import utils.extra_config  # noqa: F401

    import nodes

    for name in packs:
        folder = base / "custom_nodes" / name
        if not asyncio.run(nodes.load_custom_node(str(folder))):
            raise RuntimeError(f"ComfyUI could not load {name}; its reason is above.")
    # Not the files of the other tests: those need more packages than ComfyUI does.
    importlib.import_module(f"{_module(base, tiny.PACK.name)}.files").write_pva(base)
    gc.collect()
    gc.freeze()  # what is there by now is not looked through again when tensors are counted
    return Host(nodes, _module(base, PACK_FOLDER), comfy.model_management.get_torch_device())


def _module(base: Path, pack: str) -> str:
    """What the host calls a pack that it loaded."""
    return str(base / "custom_nodes" / pack).replace(".", "_x_")
