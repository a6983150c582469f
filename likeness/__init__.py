"""The library behind the nodes: plain, typed Python. Only `host` knows about ComfyUI.

The rooms that nodes take whole are loaded by the first look into them, as the modules of others are.
"""

from typing import TYPE_CHECKING

if not TYPE_CHECKING:  # who checks types sees the rooms themselves
    from .late import modules

    __getattr__ = modules(__name__, __path__, {"cast", "identity", "redraw", "text"})
