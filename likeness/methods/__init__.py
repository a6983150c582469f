"""The published methods, a package each; what a package shows is in its `__init__`. None imports another.

A package taken from here (`from ..methods import pva`) is loaded by the first look into it: so the pack loads
quickly, however many methods there are. What its nodes offer before that is in `likeness.choices`.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

if not TYPE_CHECKING:

    class _Later:
        __slots__ = ("_package",)

        def __init__(self, package):
            self._package = package

        def __getattr__(self, name):
            return getattr(import_module(self._package), name)

    def __getattr__(name):
        package = f"{__name__}.{name}"
        if name.startswith("_") or find_spec(package) is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return _Later(package)
