"""InstantID (SDXL): a person from one photo. Spec: instantid_arc2face.md part 1."""

from ...attention import Use
from . import compat, redraw
from .adapter import parse
from .apply import Strengths, apply, identity_tokens
from .files import fingerprint, load

__all__ = [
    "Strengths",
    "Use",
    "apply",
    "compat",
    "fingerprint",
    "identity_tokens",
    "load",
    "parse",
    "redraw",
]
