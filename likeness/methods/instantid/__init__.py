"""InstantID (SDXL): a person from one photo. Spec: instantid_arc2face.md part 1."""

from . import compat
from .adapter import InstantID, identity_tokens, parse
from .apply import Settings, apply
from .files import fingerprint, list_files, load

__all__ = [
    "InstantID",
    "Settings",
    "apply",
    "compat",
    "fingerprint",
    "identity_tokens",
    "list_files",
    "load",
    "parse",
]
