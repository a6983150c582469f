"""Arc2Face (SD1.5): many pictures of one face, with its adapters. Spec: instantid_arc2face.md part 2."""

from ...attention import Use
from . import compat, expression, generate, grid, redraw, reference
from .files import fingerprint, load
from .prompt import encode

__all__ = [
    "Use",
    "compat",
    "encode",
    "expression",
    "fingerprint",
    "generate",
    "grid",
    "load",
    "redraw",
    "reference",
]
