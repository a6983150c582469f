"""The trainers' command lines, in processes of their own."""

from __future__ import annotations

import subprocess
import sys

import pytest
from support.patience import PATIENCE

from installer.paths import REPOSITORY

#: Runs a module as `python -m` does, and then says whether torch was loaded.
_RUN = """
import runpy, sys
module = sys.argv.pop(1)
try:
    runpy.run_module(module, run_name="__main__", alter_sys=True)
finally:
    print("torch" in sys.modules)
"""
_IMPORTS = """
import importlib, pathlib, sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("comfy", "comfy_api", "folder_paths", "nodes"):
            raise ImportError(name)
sys.meta_path.insert(0, Absent())
for path in pathlib.Path("training").rglob("*.py"):
    path.stem == "__main__" or importlib.import_module(".".join(path.with_suffix("").parts))
"""


def python(code: str, *arguments: str) -> str:
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("module", "arguments", "option"),
    [
        ("training.pva", ["--help"], "--face-encoder"),
        ("training.attributes", ["--help"], "--scale-range"),
        ("training.adapter", ["--help"], "{sface,glintr100,arc2face,auraface,w600k_r50}"),
        ("training.emojidiff", ["--help"], "decoupled"),
        ("training.emojidiff", ["data", "--help"], "--swapper"),
    ],
)
def test_help_does_not_wait_for_torch(module: str, arguments: list[str], option: str) -> None:
    said = python(_RUN, module, *arguments)
    assert f"python -m {module}" in said and option in said and said.endswith("False\n")


def test_all_of_training_loads_without_host_and_nodes() -> None:
    python(_IMPORTS)
