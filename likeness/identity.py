"""Identities: their algebra and their files."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path

import torch

from .values import Identity

FORMAT = "likeness-identity/1"


def _unit_mean(vectors: torch.Tensor) -> torch.Tensor:
    # Every face has the same say, and the length stays that of a raw vector: methods that take raw
    # vectors need it (spec 1.2.4).
    norms = vectors.norm(dim=1, keepdim=True)
    if (norms == 0).any():
        raise ValueError("A face's embedding is all zeros: it describes nobody.")
    return (vectors / norms).mean(dim=0, keepdim=True) * norms.mean()


#: How the vectors [N, D] of several faces become those of one identity.
COMBINATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "mean": lambda vectors: vectors.mean(dim=0, keepdim=True),
    "unit mean": _unit_mean,
    "median": lambda vectors: vectors.quantile(0.5, dim=0, keepdim=True),
    "none": torch.clone,
}


def combine(vectors: torch.Tensor, how: str) -> torch.Tensor:
    """Raw vectors [N, D] -> [1, D], or [N, D] for "none". Raises ValueError for another `how`."""
    if how not in COMBINATIONS:
        raise ValueError(f"Faces can't be combined by {how!r}. There are: {', '.join(COMBINATIONS)}.")
    return COMBINATIONS[how](vectors)


def save_identity(identity: Identity, path: str | Path) -> None:
    """Write an identity file. It appears under its name only when it is complete."""
    from safetensors.torch import save

    tensors = {"embeddings": identity.embeddings.contiguous()}
    if identity.weights is not None:
        tensors["weights"] = identity.weights.contiguous()
    metadata = {"format": FORMAT, "recogniser": identity.recogniser, "source": identity.source}
    unfinished = Path(f"{path}.{os.getpid()}.part")
    try:
        unfinished.write_bytes(save(tensors, metadata))
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def load_identity(path: str | Path) -> Identity:
    """Read an identity file. Raises ValueError naming a file of another kind or a broken one."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    path = Path(path)
    content = path.read_bytes()
    metadata = _metadata(content)
    if metadata.get("format") != FORMAT:
        raise ValueError(
            f"{path.name} is no identity file ({FORMAT}). Load Identity reads what Save Identity wrote; for "
            "a picture use Detect Faces and Embed Faces."
        )
    try:
        tensors = load(content)
    except SafetensorError as error:
        raise ValueError(
            f"{path.name} is damaged or incomplete: save the identity again. ({error})"
        ) from error
    recogniser = metadata.get("recogniser", "")
    if "embeddings" not in tensors or not recogniser:
        raise ValueError(
            f"{path.name} lacks its embeddings or the recogniser's name: save the identity again."
        )
    try:
        return Identity(tensors["embeddings"], recogniser, tensors.get("weights"), metadata.get("source", ""))
    except ValueError as error:
        raise ValueError(f"{path.name} can't be used: {error}") from error


def save_numbered(identity: Identity, filename_prefix: str) -> Path:
    """Write an identity under the next free number of the host's first identities folder, and say where.

    Raises ValueError for a prefix that is empty or leads out of that folder.
    """
    from . import host

    parts = Path(filename_prefix.replace("\\", "/")).parts
    if not filename_prefix.strip() or filename_prefix.endswith(("/", "\\")):
        raise ValueError("filename_prefix is empty: give the identity a name, such as anna or family/anna.")
    if Path(filename_prefix).is_absolute() or ".." in parts or ":" in filename_prefix:
        raise ValueError(f"filename_prefix {filename_prefix!r} leads out of {host.identities_directory()}.")
    folder, name, number = host.next_number(host.identities_directory(), filename_prefix)
    path = Path(folder) / f"{name}_{number:05}_.safetensors"
    save_identity(identity, path)
    return path


def load_named(name: str) -> Identity:
    """Read one of the host's identity files. Raises FileNotFoundError with the folders searched."""
    from . import host

    path = host.find_model("identities", name) if name else None
    if path is None:
        raise FileNotFoundError(
            f"There is no identity file {name!r} in {'; '.join(host.model_folders('identities'))}. Make one "
            "with Save Identity, or choose another and refresh the list with R."
        )
    return load_identity(path)


def fingerprint(name: str | None) -> str:
    """Changes when the file does, so that the host reads it again."""
    from . import host

    return host.fingerprint("identities", name)


def _metadata(content: bytes) -> dict[str, str]:
    """The metadata of a safetensors file; empty for any other file."""
    if len(content) < 8:
        return {}
    (length,) = struct.unpack("<Q", content[:8])
    if length > len(content) - 8:
        return {}
    try:
        header = json.loads(content[8 : 8 + length])
    except ValueError:  # neither text nor JSON
        return {}
    metadata = header.get("__metadata__", {}) if isinstance(header, dict) else {}
    return metadata if isinstance(metadata, dict) else {}
