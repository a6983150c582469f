"""ConsistentID (SD1.5, SDXL): who by a face, and its parts as words. Spec: consistentid_masterweaver.md 1."""

from ...attention import Use
from .apply import apply
from .encode import encode, features_of
from .features import Features
from .files import fingerprint, load, parse
from .prompt import Texts, prompt

__all__ = [
    "Features",
    "Texts",
    "Use",
    "apply",
    "encode",
    "features_of",
    "fingerprint",
    "load",
    "parse",
    "prompt",
]
