"""The W+ Adapter (SD1.5): a person as a StyleGAN code, which sliders edit. Spec: fact_wplus.md B."""

from ...adapters import attend
from ...attention import Use
from . import code_files as codes
from . import direction_files as directions
from . import e4e_files as e4e
from .adapter import FILES, identity_tokens, parse
from .edits import edit, read_edits
from .encode import encode
from .freeu import free_u
from .mix import layers_of, mix
from .prepare import photos_of, prepare
from .value import WPlus

fingerprint, load = FILES.fingerprint, FILES.load

__all__ = [
    "Use",
    "WPlus",
    "attend",
    "codes",
    "directions",
    "e4e",
    "edit",
    "encode",
    "fingerprint",
    "free_u",
    "identity_tokens",
    "layers_of",
    "load",
    "mix",
    "parse",
    "photos_of",
    "prepare",
    "read_edits",
]
