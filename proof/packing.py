"""Small files: int8 rows with a scale each, as they are or as differences from a trunk; restored on load.

Format, a safetensors file: a packed tensor NAME is `NAME` int8 of its shape and `NAME.scale` float16 [rows];
row r is int8 * scale. 8 bits use -127..127; 6 bits, -31..31, where they are asked for; 4 bits, -7..7, do for
differences from a trunk, which are small, and where they are asked for. Such numbers stand in Huffman's code,
as zlib writes it, where that is shorter: `NAME` uint8 [n]. Tensors of one dimension or few numbers are
float16, or kept when that would not hold them; what is nearly all zeros is its other numbers, with their
places in `NAME.at` int32 [n]. Metadata `packing` holds JSON, compressed and in base64: {"format": 2, "trunk":
name or "", "trunk_sum": of the trunk's tensors, "differs": [names that are differences from the trunk's],
"coded": {name in code: shape}, "sparse": {name of few numbers: shape}, "zeros": {name: shape}, "dtypes":
{name: of the restored}}. What is all zeros takes no room but its name.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import logging
import os
import tempfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from .training.stages import Tensors

log = logging.getLogger(__name__)

FORMAT = 2
_SCALE, _AT = ".scale", ".at"
#: So many times as many zeros as numbers, and places and numbers take less room than all of it.
_SPARSE = 16
#: Fewer numbers than this are not worth a scale and an error.
_FEW = 64
_HALF_LIMIT = 65504.0
#: The largest whole number of so many bits.
_MOST = {8: 127, 6: 31, 4: 7}


def write(
    file: Path,
    tensors: Mapping[str, torch.Tensor],
    packed: bool = True,
    trunk: Mapping[str, torch.Tensor] | None = None,
    trunk_name: str = "",
    delicate: tuple[str, ...] = (),
    bits: int = 8,
) -> None:
    """There whole or not at all. trunk: what `read` will be given too; what it has is stored as a difference.

    delicate: beginnings of names that 8 bits would spoil; they get float16. bits: 8, 6 or 4 of each
    number; differences have 4. packed False keeps every number as it is, in the same format. Raises
    ValueError for NaN or infinity.
    """
    from safetensors.torch import save_file

    stored: Tensors = {}
    facts: dict[str, Any] = {"format": FORMAT, "trunk": trunk_name if trunk else ""}
    zeros: dict[str, list[int]] = {}
    sparse: dict[str, list[int]] = {}
    coded: dict[str, list[int]] = {}
    differs: list[str] = []
    for name, tensor in sorted(tensors.items()):
        if not tensor.isfinite().all():
            raise ValueError(f"{name} holds NaN or infinity: it is not written.")
        base = (trunk or {}).get(name)
        if base is not None and (base.shape != tensor.shape or not tensor.is_floating_point()):
            base = None
        if base is not None:
            tensor = tensor - base
            differs.append(name)
        if not tensor.any():
            zeros[name] = list(tensor.shape)
        elif not packed or not tensor.is_floating_point():
            stored[name] = tensor
        elif _SPARSE * tensor.count_nonzero() < tensor.numel():
            stored[name + _AT] = tensor.flatten().nonzero()[:, 0].int()
            stored[name] = tensor.flatten()[stored[name + _AT]]
            sparse[name] = list(tensor.shape)
        elif tensor.ndim > 1 and tensor.numel() >= _FEW and not name.startswith(delicate):
            whole, stored[name + _SCALE] = rows(tensor, bits if base is None else 4)
            stored[name] = in_code(whole)
            if stored[name].numel() < whole.numel():
                coded[name] = list(whole.shape)
            else:
                stored[name] = whole
        else:
            fits = tensor.abs().max() < _HALF_LIMIT
            stored[name] = tensor.half() if fits else tensor
    facts |= {"zeros": zeros, "differs": differs, "coded": coded, "sparse": sparse}
    facts["trunk_sum"] = _sum(trunk) if trunk else ""
    facts["dtypes"] = {name: str(tensor.dtype).removeprefix("torch.") for name, tensor in tensors.items()}
    part = file.with_name(file.name + ".part")
    apart = {name: tensor.detach().contiguous().clone() for name, tensor in stored.items()}
    save_file(apart, part, {"packing": _squeezed(facts)})
    os.replace(part, file)


def read(
    file: Path, trunk: Callable[[str], Mapping[str, torch.Tensor]] | None = None, moved: bool = False
) -> Tensors:
    """All tensors in their own type. trunk: gives the trunk's tensors for its name, if the file has one.

    moved: differences go onto the trunk as it is now, though it has learnt on since: where to go on from,
    and no finished network. Raises ValueError for a file that was not written here, or when the trunk is
    missing or another one.
    """
    from safetensors import safe_open

    with safe_open(str(file), framework="pt") as opened:
        described = (opened.metadata() or {}).get("packing")
        if described is None:
            raise ValueError(f"{file} was not packed by proof.packing.")
        stored = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    facts = _loosened(described, file)
    if facts["format"] != FORMAT:
        raise ValueError(f"{file} is packed in format {facts['format']}; this code reads {FORMAT}.")
    base: Mapping[str, torch.Tensor] = {}
    if facts["trunk"]:
        if trunk is None:
            raise ValueError(f"{file} holds differences from {facts['trunk']}: give that too.")
        base = trunk(facts["trunk"])
        other = facts["trunk_sum"] != _sum(base)
        if other and moved:
            log.warning("%s held differences from another %s: they go onto this one.", file, facts["trunk"])
        elif other:
            raise ValueError(
                f"{file} holds differences from another {facts['trunk']} than the one that is here: "
                "train it again."
            )
    differs = set(facts["differs"])
    coded, sparse = facts["coded"], facts["sparse"]
    restored = {}
    for name, kind in facts["dtypes"].items():
        dtype = getattr(torch, kind)
        if name in facts["zeros"]:
            tensor = torch.zeros(facts["zeros"][name], dtype=dtype)
        elif name in sparse:
            tensor = torch.zeros(sparse[name], dtype=dtype)
            tensor.view(-1)[stored[name + _AT].long()] = stored[name].to(dtype)
        elif name + _SCALE in stored:
            whole = from_code(stored[name], coded[name]) if name in coded else stored[name]
            tensor = unpacked(whole, stored[name + _SCALE]).to(dtype)
        else:
            tensor = stored[name].to(dtype)
        restored[name] = tensor + base[name].to(dtype) if name in differs else tensor
    return restored


def _squeezed(facts: Mapping[str, Any]) -> str:
    """Names of a thousand tensors, several times over, take as much room as a small network."""
    return base64.b64encode(zlib.compress(json.dumps(facts, sort_keys=True).encode(), 9)).decode()


def _loosened(described: str, file: Path) -> dict[str, Any]:
    try:
        facts: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(described, validate=True)))
    except (binascii.Error, zlib.error) as error:
        raise ValueError(
            f"{file} was packed in an older way than this code reads: train it again."
        ) from error
    return facts


def as_read(tensors: Mapping[str, torch.Tensor], delicate: tuple[str, ...] = (), bits: int = 8) -> Tensors:
    """What `read` would give of these after `write`."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "packed.safetensors"
        write(file, tensors, delicate=delicate, bits=bits)
        return read(file)


def rows(tensor: torch.Tensor, bits: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    """int8 of the same shape, of so many bits, and float16 [rows]. Error: half a scale at most."""
    most = _MOST[bits]
    flat = tensor.detach().float().flatten(1)
    # The scale is rounded upwards, so that no number leaves -most..most.
    scale = (flat.abs().amax(dim=1) / most * 1.001).clamp(min=6e-8).half()
    whole = (flat / scale.float()[:, None]).round().clamp(-most, most)
    return whole.to(torch.int8).reshape(tensor.shape), scale


def in_code(whole: torch.Tensor) -> torch.Tensor:
    """int8 of any shape -> uint8 [n]."""
    coder = zlib.compressobj(9, strategy=zlib.Z_HUFFMAN_ONLY)
    return torch.frombuffer(
        bytearray(coder.compress(whole.numpy().tobytes()) + coder.flush()), dtype=torch.uint8
    )


def from_code(code: torch.Tensor, shape: list[int]) -> torch.Tensor:
    """What `in_code` was given."""
    return torch.frombuffer(bytearray(zlib.decompress(code.numpy().tobytes())), dtype=torch.int8).reshape(
        shape
    )


def _sum(tensors: Mapping[str, torch.Tensor]) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(name.encode())
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


def unpacked(whole: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    shape = (len(scale),) + (1,) * (whole.ndim - 1)
    return whole.float() * scale.float().reshape(shape)
