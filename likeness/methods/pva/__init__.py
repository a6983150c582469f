"""PVA (SD2 inpainting): a person into a hole. Spec: pva_freecure_emojidiff.md part A."""

from .apply import APPLY_TO, apply
from .content import PLACEHOLDER, PVA, identity_tokens
from .encode import identify
from .files import (
    CONTENTS,
    EVERYTHING,
    PERSON,
    PRECISIONS,
    check_name,
    encode_faces,
    encoder_fingerprint,
    fingerprint,
    list_files,
    list_persons,
    load,
    save,
)
from .loss_curve import draw_curve
from .prompt import encode_prompt
from .tune import AUTO, COMPUTE_PRECISIONS, CROSS_ALL, SETS, Plan, tune

__all__ = [
    "APPLY_TO",
    "AUTO",
    "COMPUTE_PRECISIONS",
    "CONTENTS",
    "CROSS_ALL",
    "EVERYTHING",
    "PERSON",
    "PLACEHOLDER",
    "PRECISIONS",
    "PVA",
    "SETS",
    "Plan",
    "apply",
    "check_name",
    "draw_curve",
    "encode_faces",
    "encode_prompt",
    "encoder_fingerprint",
    "fingerprint",
    "identify",
    "identity_tokens",
    "list_files",
    "list_persons",
    "load",
    "save",
    "tune",
]
