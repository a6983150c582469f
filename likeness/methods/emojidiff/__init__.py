"""EmojiDiff-style E-adapters: the expression of a picture. Spec: pva_freecure_emojidiff.md part C."""

from ...attention import Use
from .adapter import encode, parse
from .apply import apply
from .blend import blend
from .files import fingerprint, load

__all__ = [
    "Use",
    "apply",
    "blend",
    "encode",
    "fingerprint",
    "load",
    "parse",
]
