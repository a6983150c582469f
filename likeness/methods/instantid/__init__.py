"""InstantID (SDXL): a person from one photo. Spec: instantid_arc2face.md part 1."""

from ...attention import Use
from . import compat
from .adapter import InstantID, identity_tokens, parse
from .apply import Settings, apply
from .files import fingerprint, load

__all__ = [
    "InstantID",
    "Settings",
    "Use",
    "apply",
    "compat",
    "fingerprint",
    "identity_tokens",
    "load",
    "parse",
]
