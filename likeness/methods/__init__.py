"""The published methods, a package each; what a package shows is in its `__init__`. None imports another.

A package taken from here (`from ..methods import pva`) is loaded by the first look into it: so the pack loads
quickly, however many methods there are. What its nodes offer before that is in `likeness.choices`.
"""

from typing import TYPE_CHECKING

if not TYPE_CHECKING:  # who checks types sees the packages themselves
    from ..late import modules

    __getattr__ = modules(__name__, __path__)
