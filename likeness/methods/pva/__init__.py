"""PVA (SD2 inpainting): a person into a hole. Spec: pva_freecure_emojidiff.md part A."""

from ...attention import Use
from . import redraw
from .apply import apply
from .content import PVA, identity_tokens
from .encode import identify
from .files import check_name, encode_faces, encoder_fingerprint, fingerprint, load, save
from .loss_curve import draw_curve
from .prompt import encode_prompt
from .tune import Plan, tune

__all__ = [
    "PVA",
    "Plan",
    "Use",
    "apply",
    "check_name",
    "draw_curve",
    "encode_faces",
    "encode_prompt",
    "encoder_fingerprint",
    "fingerprint",
    "identify",
    "identity_tokens",
    "load",
    "redraw",
    "save",
    "tune",
]
