"""InstantID (SDXL): a person from one photo. Spec: instantid_arc2face.md part 1."""

from . import compat
from .adapter import identity_tokens, parse
from .apply import Strengths, apply
from .files import fingerprint, list_files, load

__all__ = [
    "Strengths",
    "apply",
    "compat",
    "fingerprint",
    "identity_tokens",
    "list_files",
    "load",
    "parse",
]
