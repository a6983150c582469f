"""Model files: what there is, where they lie, how they are fetched."""

from typing import TYPE_CHECKING

if not TYPE_CHECKING:  # who checks types sees the modules themselves
    from ..late import modules

    __getattr__ = modules(__name__, __path__)
