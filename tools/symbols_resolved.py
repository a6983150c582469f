"""Whether the ComfyUI on the path has a name of tools/symbols.py: by really importing it."""

from __future__ import annotations

import ast
import importlib
import inspect
import textwrap
from collections.abc import Iterable
from functools import cache
from typing import Any


def vanished(names: Iterable[str]) -> list[str]:
    """Those of the names that this ComfyUI lacks, in their order."""
    return [name for name in names if not there(name)]


def there(name: str) -> bool:
    """Whether a path leads to something, and takes the keyword if one is named."""
    path, _, rest = name.partition("(")
    parts = path.split(".")
    module, used = _module(parts)
    if module is None:
        return False
    found: Any = module
    for number, part in enumerate(parts[used:], used + 1):
        if hasattr(found, part):
            found = getattr(found, part)
        else:  # what its objects get when they are made; nothing is known of that
            return inspect.isclass(found) and part in _assigned(found) and number == len(parts)
    return not rest or _takes(found, rest.removesuffix("=)"))


def _module(parts: list[str]) -> tuple[Any, int]:
    """(the longest part of a path that is a module, its length); (None, 0) if there is none."""
    for used in range(len(parts), 0, -1):
        name = ".".join(parts[:used])
        try:
            return importlib.import_module(name), used
        except ModuleNotFoundError as error:
            # A module that lacks something of another package is broken, not gone.
            if error.name is None or not (f"{name}.").startswith(f"{error.name}."):
                raise
    return None, 0


@cache
def _assigned(kind: type) -> frozenset[str]:
    """Attributes that methods of a class and of those it is made from give to `self` or the class."""
    found = set()
    for one in kind.__mro__:
        if one.__module__ == "builtins":
            continue
        found |= set(vars(one).get("__annotations__", {}))
        tree = ast.parse(textwrap.dedent(inspect.getsource(one)))
        for node in ast.walk(tree):
            stored = isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
            if stored and isinstance(node.value, ast.Name) and node.value.id in ("self", one.__name__):
                found.add(node.attr)
    return frozenset(found)


def _takes(found: Any, keyword: str) -> bool:
    parameters = inspect.signature(found).parameters.values()
    return any(p.kind is p.VAR_KEYWORD or p.name == keyword for p in parameters)
