"""Fixtures of all tests.

tests/library needs no host: plain `import likeness...`. tests/host works in this process with the real
ComfyUI, tests/server against a booted one; both use tiny checkpoints with random, fixed weights.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from support.booted import ATTENTION
from support.links import link_file
from support.memory import ask_seldom

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tiny operations on several threads are up to ten times slower

from installer import paths, tiny
from installer.environment import current
from installer.server import Server
from likeness.weights.catalogue import catalogue

#: Odd on purpose: the pack has to load whatever its folder is called.
PACK_FOLDER = "any name-1"
PHOTOS = ("obama", "obama2", "obama3", "biden")


def comfyui_folder() -> Path:
    """The ComfyUI source: LIKENESS_COMFYUI, which install.py --test sets, else the one in the cache."""
    chosen = os.environ.get("LIKENESS_COMFYUI")
    folder = Path(chosen) if chosen else current().comfyui
    if not paths.is_comfyui(folder):
        raise FileNotFoundError(f"No ComfyUI in {folder}. Run `python install.py --test` once: it gets one.")
    return folder


@pytest.fixture(scope="session")
def comfyui() -> Path:
    return comfyui_folder()


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory, comfyui: Path) -> Path:
    """ComfyUI's base directory: both packs in custom_nodes, tiny models and SFace in models.

    Without the tiny antelopev2, so that a missing face pack can be tested; the server is told of it.
    """
    folder = tmp_path_factory.mktemp("comfyui-base")
    paths.link_folder(paths.REPOSITORY, folder / "custom_nodes" / PACK_FOLDER)
    paths.link_folder(tiny.PACK, folder / "custom_nodes" / tiny.PACK.name)
    for name in ("input", "output", "temp", "user"):
        (folder / name).mkdir()
    made = tiny.ensure_tiny(sys.executable, comfyui) / "models"
    shutil.copytree(
        made,
        folder / "models",
        copy_function=lambda s, t: link_file(Path(s), Path(t)),
        ignore=shutil.ignore_patterns("insightface"),
    )
    sface = catalogue()["embedded/sface"].place
    made_already = paths.shared_models() / sface
    assert made_already.is_file(), "Run `python install.py --models embedded` (install.py --test does)."
    link_file(made_already, folder / "models" / sface)
    return folder


@pytest.fixture(scope="session")
def host(comfyui: Path, base: Path) -> ModuleType:
    """The host's module `nodes`, imported in this process on the CPU, with both packs loaded."""
    sys.path.insert(0, str(comfyui))  # before ours: the host's `nodes` is a module of that name too
    from comfy.cli_args import args

    args.cpu = True
    args.base_directory = str(base)
    ask_seldom()
    # As main.py does: older hosts' `nodes` puts a folder first that has a module `utils` too.
    import utils.extra_config  # noqa: F401

    import nodes

    for name in (tiny.PACK.name, PACK_FOLDER):
        folder = base / "custom_nodes" / name
        assert asyncio.run(nodes.load_custom_node(str(folder))), f"The host could not load {name}."
    return nodes


class Pack:
    """Our pack as the host loaded it."""

    def __init__(self, host: ModuleType, name: str) -> None:
        self._host = host
        self.name = name

    def node(self, node_id: str) -> Any:
        return self._host.NODE_CLASS_MAPPINGS[node_id]

    def module(self, path: str) -> ModuleType:
        """A module of the loaded pack: `likeness.values`, `nodes.faces`."""
        return importlib.import_module(f"{self.name}.{path}")


@pytest.fixture(scope="session")
def pack(host: ModuleType, base: Path) -> Pack:
    name = str(base / "custom_nodes" / PACK_FOLDER).replace(".", "_x_")
    assert name in sys.modules, "The host names loaded packs in another way than this fixture expects."
    return Pack(host, name)


@pytest.fixture(scope="module")
def as_the_executor_does() -> Iterator[None]:
    """For `pytestmark`: a module whose nodes run as the host runs them."""
    import torch

    with torch.inference_mode():
        yield


@pytest.fixture(scope="module")
def models(pack: Pack) -> Any:
    """The embedded face models, from our node."""
    return pack.node("LikenessLoadFaceModels").execute(pack="embedded", provider="CPU")[0]


@pytest.fixture(scope="session")
def photos() -> dict[str, np.ndarray]:
    """Real photos, [H, W, 3] uint8 RGB: three without several people, one with six faces, four portraits."""
    import insightface.data
    import skimage.data
    from PIL import Image

    found = {name: getattr(skimage.data, name)() for name in ("astronaut", "coffee", "chelsea")}
    found["t1"] = np.ascontiguousarray(insightface.data.get_image("t1")[..., ::-1])
    for name in PHOTOS:
        found[name] = np.asarray(Image.open(paths.photos_folder() / f"{name}.jpg").convert("RGB"))
    return found


@pytest.fixture(scope="session")
def server(comfyui: Path, base: Path) -> Iterator[Server]:
    """A booted, headless ComfyUI on the CPU with the tiny models, the tiny antelopev2 and both packs."""
    made = tiny.ensure_tiny(sys.executable, comfyui)
    extra = tiny.extra_paths(made, base / "tiny_model_paths.yaml", ["insightface"])
    packs = [PACK_FOLDER, tiny.PACK.name]
    with Server(sys.executable, comfyui, base, packs, extra_paths=extra, arguments=ATTENTION) as running:
        yield running
