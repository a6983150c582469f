"""The stage data: triplets that no camera took. Drawn, faces swapped, filtered. Spec: C.4."""

from .making import make_triplets
from .tools import open_tools

__all__ = ["make_triplets", "open_tools"]
