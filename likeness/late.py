"""Modules that are loaded by the first look into them, so that the pack itself loads quickly."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from importlib import import_module
from os import path
from typing import Any


class _Later:
    """Stands for a module: what is asked of it, set or deleted, is the module's."""

    __slots__ = ("_module",)
    _module: str

    def __init__(self, module: str) -> None:
        object.__setattr__(self, "_module", module)

    def __getattr__(self, name: str) -> Any:
        return getattr(import_module(self._module), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(import_module(self._module), name, value)

    def __delattr__(self, name: str) -> None:
        delattr(import_module(self._module), name)


def modules(
    package: str, folders: Sequence[str], only: Collection[str] | None = None
) -> Callable[[str], _Later]:
    """The `__getattr__` of a package, made of its `__name__` and `__path__`.

    It gives what lies there unloaded: `from ..likeness.faces import detect` loads nothing until
    `detect.detect` is asked for. What is loaded is an attribute of its package, so that Python asks nobody.
    only: these alone, of all that lies there. Raises AttributeError for others.
    """

    def take(name: str) -> _Later:
        places = [path.join(folder, name) for folder in folders]
        known = only is None or name in only
        if name.startswith("_") or not (known and any(map(_is_module, places))):
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return _Later(f"{package}.{name}")

    return take


def _is_module(place: str) -> bool:
    return path.isfile(f"{place}.py") or path.isdir(place)
