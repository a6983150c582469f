"""A part of a pickled weights file, kept beside it as safetensors: what is slow to read is read once."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from pathlib import Path

import torch

from .catalogue import readable_size
from .read import read_weights
from .write import write_tensors

log = logging.getLogger(__name__)

_FORMAT = "likeness-kept/1"
#: Room that is left on a disk, whatever is kept.
_SPARE = 1 << 30


def copy_of(source: Path, part: str) -> Path:
    """Where `part` of a file is kept: beside x.pt as x.pt.PART.safetensors."""
    return source.with_name(f"{source.name}.{part}.safetensors")


def stamp(source: Path) -> dict[str, str]:
    """What a copy says of the file it was taken from. Take it before that is read."""
    stat = source.stat()
    about = {"source": source.name, "source_size": stat.st_size, "source_changed": stat.st_mtime_ns}
    return {"format": _FORMAT, **{key: str(value) for key, value in about.items()}}


def read_copy(source: Path, part: str) -> Mapping[str, torch.Tensor] | None:
    """The tensors of `part` where they were kept of this very file, read only when they are needed; or None.

    A copy of another version of the file, or one that is damaged, is told in the log and not used.
    """
    path = copy_of(source, part)
    if not path.is_file():
        return None
    try:
        content, metadata = read_weights(str(path))
    except ValueError:
        log.warning("%s is damaged: it is made anew from %s.", path.name, source.name)
        return None
    if metadata == stamp(source):
        return content
    log.warning("%s is not used: it was not made from %s as it is now.", path.name, source.name)
    return None


def keep(tensors: Mapping[str, torch.Tensor], source: Path, part: str, made_from: dict[str, str]) -> bool:
    """Write `part` of a file beside it; whether it is there now. What hinders is told in the log.

    made_from: the file's stamp from before it was read. A file of that name which we did not write is left
    alone.
    """
    from safetensors import SafetensorError

    path = copy_of(source, part)
    said = "%s is read anew each time ComfyUI starts: %s can't be written (%s)."
    if path.exists() and not _ours(path):
        log.warning(said, source.name, path, "there is another file of that name")
        return False
    size = sum(value.numel() * value.element_size() for value in tensors.values())
    free = shutil.disk_usage(path.parent).free
    if free < size + _SPARE:
        room = f"it takes {readable_size(size)}, {readable_size(free)} are free"
        log.warning(said, source.name, path, room)
        return False
    try:
        write_tensors(tensors, made_from, path)
        shutil.copymode(source, path)  # who may read the one may read the other
    except (OSError, SafetensorError) as error:
        log.warning(said, source.name, path, error)
        return False
    log.info("%s keeps the %s of %s, so that it is quickly there next time.", path, part, source.name)
    return True


def _ours(path: Path) -> bool:
    """Whether a file is a copy that was written here, or what is left of one."""
    try:
        return read_weights(str(path))[1].get("format") == _FORMAT
    except ValueError:
        return True
    except OSError:
        return False
