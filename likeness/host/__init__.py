"""The host: the only rooms of the library that import ComfyUI. Used by room, such as `host.files`.

A room is imported when it is first asked for: so whatever calls no host can be imported without one.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import (
        attention,
        files,
        flux,
        freeu,
        gated,
        loading,
        pages,
        prompts,
        running,
        sampling,
        text,
        told,
        training,
        vision,
    )
else:

    def __getattr__(name):
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return import_module(f".{name}", __name__)


__all__ = [
    "attention",
    "files",
    "flux",
    "freeu",
    "gated",
    "loading",
    "pages",
    "prompts",
    "running",
    "sampling",
    "text",
    "told",
    "training",
    "vision",
]
