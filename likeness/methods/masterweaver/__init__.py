"""MasterWeaver (SD1.5): who somebody is, from one to three photos. Spec: consistentid_masterweaver.md 2."""

from ...adapters import attend as apply
from ...attention import Use
from .adapter import FILES, parse
from .prepare import photos_of, prepare
from .tokens import encode, tokens_of

fingerprint, load = FILES.fingerprint, FILES.load

__all__ = [
    "Use",
    "apply",
    "encode",
    "fingerprint",
    "load",
    "parse",
    "photos_of",
    "prepare",
    "tokens_of",
]
