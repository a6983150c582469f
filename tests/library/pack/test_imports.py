"""The arrows of the house: which room may import which. Lazy imports inside functions count too."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from installer.paths import REPOSITORY

HOST_MODULES = {
    "comfy",
    "comfy_api",
    "comfy_execution",
    "comfy_extras",
    "folder_paths",
    "latent_preview",
    "nodes",
    "server",
    "execution",
}
_METHODS = (
    "instantid",
    "arc2face",
    "pva",
    "emojidiff",
    "fact",
    "masterweaver",
    "consistentid",
    "wplus",
    "freecure",
    "attributes",
    "story",
    "projection",
)
_BELOW_METHODS = {
    "redraw",
    "choices",
    "text",
    "sampling",
    "control",
    "adapters",
    "attention",
    "identity",
    "faces",
    "weights",
    "host",
}
#: Room -> the rooms it may import. A room not named here may import nothing of ours but values.
ARROWS: dict[str, set[str]] = {
    "nodes": {
        *(f"methods.{name}" for name in _METHODS),
        "choices",
        "text",
        "algebra",
        "cast",
        "redraw",
        "expressions",
        "identity",
        "faces",
        "weights",
        "host",
    },
    # No method imports another.
    **{f"methods.{name}": _BELOW_METHODS for name in _METHODS},
    "algebra": {"choices", "identity", "faces", "weights"},  # pictures are scored there
    "redraw": {
        "cast",
        "choices",
        "algebra",
        "expressions",
        "identity",
        "faces",
        "host",
    },  # wrong faces drawn anew
    "cast": {"choices", "algebra", "identity", "faces"},  # several people: who of them is where
    "expressions": {"choices", "faces", "weights", "host"},
    "choices": {"weights", "host"},  # what nodes offer before anything else is loaded
    "sampling": {"choices", "host"},
    "control": {"adapters", "attention", "host"},
    "adapters": {"attention", "weights", "host"},
    "attention": {"weights", "host"},
    "text": {"choices", "host"},
    "identity": {"choices", "weights", "host"},
    "faces": {
        "choices",
        "identity",
        "weights",
        "host",
    },  # describing faces makes identities
    "weights": {"host"},
    "host": set(),
    # Trainers: what they share is in the root; none imports another's.
    "training": set(),
    "training.pva": {"training"},
    "training.emojidiff": {"training"},
    "training.attributes": {"training"},
    "training.adapter": {"training"},
}
LAZY = {"insightface", "onnxruntime", "onnx", "cv2", "kornia", "skimage", "scipy", "timm"}
FREE = {"values", "late"}  # what travels on wires is everybody's, and how modules come late
#: Rooms of which nodes take modules, and rooms they take whole: loaded by the first look into them.
LATE = {"faces", "algebra", "expressions", "methods", "weights"}
WHOLE = {"cast", "identity", "redraw", "text"}


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (REPOSITORY / folder).rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def knows_the_host(path: Path) -> bool:
    return name_of(path).startswith("likeness/host/")


def imports(path: Path, types: bool = True) -> Iterator[tuple[list[str], int, bool]]:
    """(dotted path, relative level, inside a function) of each import; relative ones from the repository.

    types: also what is imported for a type checker alone.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if not types:
        tree.body = [node for node in tree.body if not _for_types(node)]
    lazy = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    }
    package = list(path.relative_to(REPOSITORY).parts[:-1])
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name.split("."), 0, id(node) in lazy
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            stem = start + (node.module.split(".") if node.module else [])
            for alias in node.names:
                yield [*stem, alias.name], node.level, id(node) in lazy


def _for_types(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def imported(path: Path) -> set[Path]:
    """The files of ours that a file imports by name, at its top or in a function."""
    found = set()
    for parts, _, _ in imports(path, types=False):
        place = REPOSITORY.joinpath(*parts)
        # What is no module is a name in one.
        for file in (place.with_suffix(".py"), place / "__init__.py", place.parent.with_suffix(".py")):
            if file.is_file():
                found.add(file)
                break
        else:
            if (place.parent / "__init__.py").is_file() and place.parent != REPOSITORY:
                found.add(place.parent / "__init__.py")
    return found - {path}


def circle(files: list[Path]) -> list[str]:
    """The names of modules each of which imports the next, and the last the first; empty: there are none."""
    left = {path: imported(path) & set(files) for path in files}
    while done := [path for path, needs in left.items() if not needs & left.keys()]:
        for path in done:
            del left[path]
    here, way = next(iter(left), None), []
    while here is not None and here not in way:
        way.append(here)
        here = min(left[here] & left.keys())
    return [name_of(path) for path in way[way.index(here) :]] if here is not None else []


def room(parts: list[str]) -> str | None:
    """The room an import leads to: `nodes`, a part of likeness/, a method, a trainer; None: not ours."""
    if parts[0] == "nodes":
        return "nodes"
    if parts[0] == "training":
        of_one = len(parts) > 1 and (REPOSITORY / "training" / parts[1]).is_dir()
        return ".".join(parts[:2]) if of_one else "training"
    if parts[0] != "likeness":
        return None
    if len(parts) < 2:
        return "likeness"
    return ".".join(parts[1:3]) if parts[1] == "methods" and len(parts) > 2 else parts[1]


@pytest.mark.parametrize("path", sources("nodes", "likeness", "training"), ids=name_of)
def test_imports_follow_the_arrows(path: Path) -> None:
    parts = list(path.relative_to(REPOSITORY).with_suffix("").parts)
    here = room(parts[:-1] if parts[-1] == "__init__" else parts)
    for target, level, _ in imports(path):
        there = room(target) if level else None
        if there is None or there == here or there in FREE or here == "likeness":
            continue
        assert there in ARROWS.get(here or "", set()), f"{here} must not import {there} ({'.'.join(target)})"


@pytest.mark.parametrize("path", sources("nodes"), ids=name_of)
def test_nodes_take_modules_whole_so_that_they_load_late(path: Path) -> None:
    for parts, level, _ in imports(path):
        if level and parts[0] == "likeness" and parts[1] in LATE | WHOLE:
            assert len(parts) == (3 if parts[1] in LATE else 2) and _is_module(parts), (
                f"{'.'.join(parts)}: import the module, and look into it in execute"
            )


def _is_module(parts: list[str]) -> bool:
    place = REPOSITORY.joinpath(*parts)
    return place.is_dir() or place.with_suffix(".py").is_file()


@pytest.mark.parametrize("path", sources("nodes", "likeness"), ids=name_of)
def test_our_own_modules_are_imported_relatively(path: Path) -> None:
    for parts, level, _ in imports(path):
        assert level or parts[0] not in ("likeness", "nodes") or knows_the_host(path), (
            f"{'.'.join(parts)}: the host loads the pack under any folder name"
        )


@pytest.mark.parametrize("path", sources("likeness"), ids=name_of)
def test_only_one_room_knows_the_host(path: Path) -> None:
    if knows_the_host(path):
        return
    for parts, level, _ in imports(path):
        assert level or parts[0] not in HOST_MODULES, f"imports {'.'.join(parts)}"


@pytest.mark.parametrize("path", sources("nodes"), ids=name_of)
def test_nodes_import_of_the_host_its_node_api_only(path: Path) -> None:
    for parts, level, _ in imports(path):
        assert level or parts[0] not in HOST_MODULES - {"comfy_api"}, f"imports {'.'.join(parts)}"


@pytest.mark.parametrize("path", sources("nodes", "likeness"), ids=name_of)
def test_heavy_packages_are_imported_where_they_are_used(path: Path) -> None:
    for parts, level, lazy in imports(path):
        assert level or lazy or parts[0] not in LAZY, f"imports {parts[0]} at the top"


@pytest.mark.parametrize("path", sources("training"), ids=name_of)
def test_training_uses_the_library_but_never_nodes_or_the_host(path: Path) -> None:
    for parts, level, _ in imports(path):
        assert parts[0] not in HOST_MODULES, f"imports {'.'.join(parts)}"
        assert parts[:2] != ["likeness", "host"] and parts[:4] != ["likeness", "methods", "pva", "files"]
        assert level == 0 or parts[0] == "training", f"{'.'.join(parts)}: only its own modules relatively"


@pytest.mark.parametrize("path", sources("nodes", "likeness"), ids=name_of)
def test_the_pack_needs_neither_training_nor_proof_nor_batch(path: Path) -> None:
    for parts, _, _ in imports(path):
        assert parts[0] not in ("training", "proof", "batch"), f"imports {'.'.join(parts)}"


@pytest.mark.parametrize("path", sources("installer", "training", "proof"), ids=name_of)
def test_only_batch_imports_batch(path: Path) -> None:
    for parts, _, _ in imports(path):
        assert parts[0] != "batch", f"imports {'.'.join(parts)}"


@pytest.mark.parametrize("path", sources("batch"), ids=name_of)
def test_batch_uses_the_library_but_never_nodes_or_the_host(path: Path) -> None:
    for parts, level, _ in imports(path):
        assert parts[0] not in HOST_MODULES, f"imports {'.'.join(parts)}"
        assert parts[:2] != ["likeness", "host"], f"imports {'.'.join(parts)}"
        assert level == 0 or parts[0] == "batch", f"{'.'.join(parts)}: only its own modules relatively"


def test_no_modules_import_each_other_in_a_circle() -> None:
    """In functions neither: an import there that only breaks a circle hides one."""
    ours = sources("likeness", "nodes", "training", "proof", "tools", "installer", "benchmarks")
    assert not circle(ours)


def test_the_check_sees_circles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.REPOSITORY", tmp_path)
    for name, text in {
        "a/__init__.py": "from .one import f",
        "a/one.py": "from ..b import two",
        "b/__init__.py": "",
        "b/two.py": "if TYPE_CHECKING:\n    from ..a import f\ndef g():\n    import os",
        "b/three.py": "from . import two",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert circle(sources("a", "b")) == []
    (tmp_path / "b" / "two.py").write_text("def g():\n    from ..a import f")
    assert sorted(circle(sources("a", "b"))) == ["a/__init__.py", "a/one.py", "b/two.py"]


def test_the_checks_see_lazy_and_relative_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.REPOSITORY", tmp_path)
    source = tmp_path / "likeness" / "faces" / "x.py"
    source.parent.mkdir(parents=True)
    source.write_text("from ..methods import a\ndef f():\n    import comfy.utils\n")
    assert list(imports(source)) == [
        (["likeness", "methods", "a"], 2, False),
        (["comfy", "utils"], 0, True),
    ]
