"""Every name of the host that the pack touches is listed, and this host has it.

On another host (`install.py --test --host newest`) it names what vanished and which file of ours needs it.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from tools import symbols
from tools.symbols_resolved import there, vanished

#: A file of ours with one of each kind of name, and what is to be found in it.
TOUCHES = """
import importlib

import comfy.utils
import comfy.model_management as management
import torch
from comfy.ldm.flux.model import Flux
from comfy_api.latest import io
from .common import weight_input

def draw(model, clip, other):
    from comfy.controlnet import ControlBase as Base

    class Ours(Base):
        def pre_run(self):
            self.mine = self.previous_controlnet
            return self.mine, self.pre_run

    model.clone(disable_dynamic=True).patch(1)
    clip.patcher.load_device
    other.anything(of=1)
    torch.zeros(1)
    comfy.utils.load_torch_file("x", safe_load=True)
    management.in_training = True
    io.Schema(node_id="x")
    return importlib.import_module("nodes").NODE_CLASS_MAPPINGS, Flux
"""
EXPECTED = [
    "comfy.controlnet.ControlBase.previous_controlnet",
    "comfy.ldm.flux.model.Flux",
    "comfy.model_management.in_training",
    "comfy.model_patcher.ModelPatcher.clone(disable_dynamic=)",
    "comfy.model_patcher.ModelPatcher.load_device",
    "comfy.sd.CLIP.patcher",
    "comfy.utils.load_torch_file(safe_load=)",
    "comfy_api.latest.io.Schema(node_id=)",
    "nodes.NODE_CLASS_MAPPINGS",
]
#: Names that no host has, one for each way in which a name can vanish.
GONE = [
    "comfy.no_such_room.anything",
    "comfy.utils.no_such_function",
    "comfy.utils.load_torch_file(no_such_keyword=)",
    "comfy.model_patcher.ModelPatcher.no_such_attribute",
    "comfy.model_patcher.ModelPatcher.load_device.of_nothing_known",
    "comfy_api.latest.io.Float.Input(no_such_keyword=)",
    "no_such_module",
]


def repository(folder: Path, source: str) -> Path:
    """A repository with one file, in one of the rooms where names say what is in them."""
    room = folder / "likeness" / "attention"
    room.mkdir(parents=True)
    (room / "draws.py").write_text(source, encoding="utf-8")
    return folder


def test_the_list_is_that_of_the_sources() -> None:
    listed = symbols.LIST.read_text(encoding="utf-8")
    assert listed == symbols.written(symbols.collect()), "Run `python -m tools.symbols` and commit its list."


def test_this_host_has_every_name(host: ModuleType) -> None:
    names = symbols.collect()
    gone = [f"{name}, which {' and '.join(names[name])} need(s)" for name in vanished(names)]
    assert not gone, "This ComfyUI has no " + "; no ".join(gone)


def test_every_kind_of_name_is_found_in_a_source(tmp_path: Path) -> None:
    found = symbols.collect(repository(tmp_path, TOUCHES))
    assert list(found) == EXPECTED
    assert {file for files in found.values() for file in files} == {"likeness/attention/draws.py"}


def test_objects_are_known_by_their_names_only_where_that_is_so(tmp_path: Path) -> None:
    room = tmp_path / "nodes"
    room.mkdir()
    (room / "faces.py").write_text("def find(model):\n    return model.detect(size=1)\n", encoding="utf-8")
    assert symbols.collect(tmp_path) == {}


@pytest.mark.parametrize("name", GONE)
def test_what_vanished_is_noticed(host: ModuleType, name: str) -> None:
    assert not there(name)


def test_a_vanished_name_comes_with_the_file_that_needs_it(host: ModuleType, tmp_path: Path) -> None:
    source = "import comfy.utils\ncomfy.utils.lost()\ncomfy.utils.common_upscale()\n"
    found = symbols.collect(repository(tmp_path, source))
    assert {name: found[name] for name in vanished(found)} == {
        "comfy.utils.lost": ["likeness/attention/draws.py"]
    }
