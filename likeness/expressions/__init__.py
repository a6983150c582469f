"""What a face is doing: reading it off a picture, and changing it by hand."""

from typing import TYPE_CHECKING

if not TYPE_CHECKING:  # who checks types sees the modules themselves
    from ..late import modules

    __getattr__ = modules(__name__, __path__)
