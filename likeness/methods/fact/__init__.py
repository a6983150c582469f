"""FaceChain-FACT (SD1.5): a person by a gate before the text. Spec: fact_wplus.md A, adapters.md 4."""

from ...attention import Use
from . import transface_files as transface
from .adapter import FILES, identity_tokens, parse
from .apply import apply
from .encode import encode

fingerprint, load = FILES.fingerprint, FILES.load

__all__ = [
    "Use",
    "apply",
    "encode",
    "fingerprint",
    "identity_tokens",
    "load",
    "parse",
    "transface",
]
