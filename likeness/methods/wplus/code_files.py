"""Files of codes: ours, and those of the authors' scripts, [1, 18, 512] under no name. adapters.md 3.7."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ... import host
from ...choices.wplus import CODES
from ...weights.read import read_weights
from ...weights.write import write_numbered, write_tensors
from .value import WPlus, doubt

FORMAT = "likeness-wplus/1"


def fingerprint(file: str | None) -> str:
    """Changes when the file does, so that the host reads it again."""
    return host.files.fingerprint(CODES, file)


def save(wplus: WPlus, filename_prefix: str) -> Path:
    """Write codes under the next free number of the host's first folder of them, and say where.

    Raises ValueError for a prefix that is empty, leads out or is no file name.
    """

    def put(path: Path) -> None:
        write_tensors({"codes": wplus.codes.clone()}, {"format": FORMAT, "source": wplus.source}, path)

    return write_numbered(host.files.model_folders(CODES)[0], filename_prefix, "W+ code", put)


def load(file: str) -> WPlus:
    """The codes in models/wplus_codes/`file`. Raises FileNotFoundError, or ValueError for another file."""
    path = host.files.find_model(CODES, file) if file else None
    if path is None:
        raise FileNotFoundError(
            f"There is no file {file!r} of W+ codes in {'; '.join(host.files.model_folders(CODES))}. Make "
            "one with Save W+ Code, or choose another and refresh the list with R."
        )
    name = Path(path).name
    content, metadata = read_weights(path, whole=True, alone="codes")
    codes = _codes(content, metadata, name)
    try:
        wplus = WPlus(codes, metadata.get("source") or name)
    except ValueError as error:
        raise ValueError(f"{name} can't be used: {error}") from error
    doubt(wplus.codes, name)
    return wplus


def _codes(content: Mapping[str, Any], metadata: Mapping[str, str], name: str) -> torch.Tensor:
    kind, codes = metadata.get("format"), content.get("codes")
    if not isinstance(codes, torch.Tensor) or kind not in (None, FORMAT):
        found = f"; its format is {kind}" if kind else ""
        raise ValueError(
            f"{name} holds no W+ codes ({FORMAT}{found}). Load W+ Code reads what Save W+ Code wrote, and "
            "codes of the authors' scripts: one tensor [1, 18, 512] in a .pth file."
        )
    return codes
