"""Faces that are wrong, redrawn until they are right; and pictures drawn until everybody is.

A way to redraw is a value (`value.Redraw`): methods make one each, and whoever repairs knows nothing of
methods. The parts come when they are first asked for: the pack is loaded without them.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import judge, plain, repair, settings, until, value
else:

    def __getattr__(name):
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return import_module(f".{name}", __name__)


__all__ = ["judge", "plain", "repair", "settings", "until", "value"]
