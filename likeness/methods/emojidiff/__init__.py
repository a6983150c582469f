"""EmojiDiff-style E-adapters: the expression of a picture. Spec: pva_freecure_emojidiff.md part C."""

from .adapter import encode, parse
from .apply import ALL, BLACK, LAYERS, NEGATIVES, apply
from .blend import blend
from .files import fingerprint, list_files, load

__all__ = [
    "ALL",
    "BLACK",
    "LAYERS",
    "NEGATIVES",
    "apply",
    "blend",
    "encode",
    "fingerprint",
    "list_files",
    "load",
    "parse",
]
