"""Arc2Face (SD1.5): many pictures of one face, with its adapters. Spec: instantid_arc2face.md part 2."""

from . import compat, expression, generate, grid, reference
from .files import ENCODERS, UNETS, encoder_files, fingerprint, load, unet_files
from .prompt import encode

__all__ = [
    "ENCODERS",
    "UNETS",
    "compat",
    "encode",
    "encoder_files",
    "expression",
    "fingerprint",
    "generate",
    "grid",
    "load",
    "reference",
    "unet_files",
]
