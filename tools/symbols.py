"""Every name of ComfyUI that the pack touches, and whether a ComfyUI has it.

python -m tools.symbols                  writes tests/host/symbols.txt from the sources
python -m tools.symbols --comfyui DIR    says what that ComfyUI lacks, and which files of ours need it;
                                         with the Python of that ComfyUI

A name is a path (`comfy.utils.load_torch_file`), or a path and a keyword it is called with
(`comfy.utils.load_torch_file(safe_load=)`). What objects have is found by what they are called in our code.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
LIST = REPOSITORY / "tests" / "host" / "symbols.txt"
#: What is shipped and can therefore break for a user.
ROOMS = ("__init__.py", "nodes", "likeness")
#: Top modules of ComfyUI. `nodes` is also a room of ours, which we only import relatively.
MODULES = frozenset(
    {"comfy", "comfy_api", "comfy_execution", "comfy_extras", "folder_paths", "latent_preview"}
    | {"app", "execution", "node_helpers", "nodes", "server"}
)
#: Where a name says what is in it, and what it says.
TYPED_ROOMS = ("likeness/host", "likeness/attention", "likeness/control", "likeness/adapters")
_PATCHER = "comfy.model_patcher.ModelPatcher"
OBJECTS = {
    **dict.fromkeys(("model", "plain", "patcher"), _PATCHER),
    "clip": "comfy.sd.CLIP",
    "vae": "comfy.sd.VAE",
    "clip_vision": "comfy.clip_vision.ClipVisionModel",
    "guider": "comfy.samplers.CFGGuider",
    "control": "comfy.controlnet.ControlNet",
    "base_model": "comfy.model_base.BaseModel",
    "server": "server.PromptServer",
}
#: What these objects hold that is looked into.
HELD = {
    f"{_PATCHER}.model": "comfy.model_base.BaseModel",
    "comfy.sd.CLIP.patcher": _PATCHER,
    "comfy.clip_vision.ClipVisionModel.patcher": _PATCHER,
    "comfy.samplers.CFGGuider.model_patcher": _PATCHER,
}


def sources(repository: Path = REPOSITORY) -> list[Path]:
    """Our files that run in a user's ComfyUI."""
    found: list[Path] = []
    for room in ROOMS:
        place = repository / room
        found += [place] if place.is_file() else sorted(place.rglob("*.py"))
    return found


def collect(repository: Path = REPOSITORY) -> dict[str, list[str]]:
    """Files that need it, relative to the repository, by name; both sorted."""
    needed: dict[str, set[str]] = {}
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sources(repository)}
    rooms = {
        path.stem: dict(_imported(tree))
        for path, tree in trees.items()
        if path.parent == repository / "likeness" / "host"
    }
    for path, tree in trees.items():
        file = path.relative_to(repository).as_posix()
        for name in _File(tree, rooms, file.startswith(TYPED_ROOMS)).touched():
            needed.setdefault(name, set()).add(file)
    return {name: sorted(needed[name]) for name in sorted(needed)}


def _imported(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """(name in the file, path in the host) of what a file imports from it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if _is_hosts(alias.name):
                    yield (alias.asname, alias.name) if alias.asname else (alias.name.split(".")[0],) * 2
        elif isinstance(node, ast.ImportFrom) and not node.level and _is_hosts(node.module):
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def _is_hosts(module: str | None) -> bool:
    return module is not None and module.split(".")[0] in MODULES


class _File:
    """What one file touches.

    rooms: what each of our modules of the host imports from it, since others take some of it from there.
    """

    def __init__(self, tree: ast.Module, rooms: Mapping[str, Mapping[str, str]], typed: bool) -> None:
        self._tree, self._rooms = tree, rooms
        self._names = dict(_imported(tree))
        self._objects = OBJECTS if typed else {}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.level and node.module:
                room = rooms.get(node.module.split(".")[-1], {}) if "host" in node.module.split(".") else {}
                self._names |= {a.asname or a.name: room[a.name] for a in node.names if a.name in room}

    def touched(self) -> set[str]:
        found = {path for _, path in _imported(self._tree) if "." in path}
        found |= {
            alias.name
            for node in ast.walk(self._tree)
            if isinstance(node, ast.Import)
            for alias in node.names
            if _is_hosts(alias.name)
        }
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Attribute):
                found |= {path for path in [self._path(node)] if path}
            elif isinstance(node, ast.Call):
                path = self._path(node.func)
                found |= {f"{path}({word.arg}=)" for word in node.keywords if path and word.arg}
            elif isinstance(node, ast.ClassDef):
                found |= self._inherited(node)
        whole = {name for name in found if not any(f"{name}." == other[: len(name) + 1] for other in found)}
        return {name for name in whole if not any(other.startswith(f"{name}(") for other in whole)}

    def _path(self, node: ast.expr) -> str | None:
        """The host's path of an expression; None for another, and for what an unknown object holds."""
        if isinstance(node, ast.Name):
            return self._names.get(node.id) or self._objects.get(node.id)
        if isinstance(node, ast.Call):  # importlib.import_module("nodes")
            named = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else None
            asked = isinstance(node.func, ast.Attribute) and node.func.attr == "import_module"
            return named if asked and named in MODULES else None
        if not isinstance(node, ast.Attribute):
            return None
        before = self._path(node.value)
        if before is None or self._unknown(before):
            return None
        return f"{HELD.get(before, before)}.{node.attr}"

    def _unknown(self, path: str) -> bool:
        """Whether this is what an object has, and nobody said what that is."""
        kinds = {*OBJECTS.values(), *HELD.values()}
        return path not in HELD and path.rpartition(".")[0] in kinds

    def _inherited(self, node: ast.ClassDef) -> set[str]:
        """What a class of ours uses of the host's class it is made from."""
        bases = [path for path in map(self._path, node.bases) if path]
        asked = {part.attr: part for part in ast.walk(node) if _is_of_self(part)}
        written = {part.attr for part in ast.walk(node) if _is_of_self(part) and _is_stored(part)}
        own = {part.name for part in node.body if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef)}
        return {f"{base}.{attribute}" for base in bases for attribute in asked.keys() - written - own}


def _is_of_self(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"


def _is_stored(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)


def written(names: Mapping[str, object]) -> str:
    """The list as it is stored."""
    head = "# Every name of ComfyUI that the pack touches. Written by `python -m tools.symbols`.\n"
    return head + "".join(f"{name}\n" for name in names)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--comfyui", type=Path, metavar="DIR", help="compare with this ComfyUI")
    chosen = parser.parse_args().comfyui
    names = collect()
    if chosen is None:
        LIST.write_text(written(names), encoding="utf-8", newline="\n")
        print(f"{len(names)} names in {LIST.relative_to(REPOSITORY)}")
        return 0
    sys.path.insert(0, str(chosen.expanduser().resolve()))
    # As main.py does: older hosts put a folder first that has a module `utils` too.
    import utils.extra_config  # noqa: F401
    from comfy.cli_args import args

    from tools.symbols_resolved import vanished

    args.cpu = True  # before anything else of the host: it looks for a graphics card at import
    gone = vanished(names)
    for name in gone:
        print(f"{name}: needed by {', '.join(names[name])}")
    print(f"{len(names) - len(gone)} of {len(names)} names are there")
    return 1 if gone else 0


if __name__ == "__main__":
    sys.exit(main())
