"""Writing files of our own: under the next free number, and whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch

from .names import check_prefix

_ENDING, _UNFINISHED = ".safetensors", ".part"


def prepare_numbered(directory: str, prefix: str, what: str, input_id: str = "filename_prefix") -> str:
    """Refuse now what `write_numbered` would refuse later; makes the folder. Returns the checked prefix."""
    prefix = check_prefix(prefix, what, directory, input_id)
    folder = Path(directory, prefix).parent
    if not Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(directory)):
        raise ValueError(
            f"{input_id} {prefix!r} leads out of {directory}: a folder of it is a link to {folder.resolve()}."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"{input_id} {prefix!r}: the folder {folder} can't be made ({error}).") from error
    return prefix


def write_numbered(
    directory: str,
    prefix: str,
    what: str,
    write: Callable[[Path], None],
    input_id: str = "filename_prefix",
) -> Path:
    """Have `write` make a file under `prefix` with the next free number, and say where it is.

    directory: a host folder, made if need be. what: the thing's name for messages ("identity"). The file
    appears under its name only when `write`, which is given another, has made it whole; no two processes
    get the same number. Raises ValueError for a prefix that is empty, leads out or is no file name.
    """
    prefix = prepare_numbered(directory, prefix, what, input_id)
    try:
        unfinished, path = _claim(directory, prefix)
    except OSError as error:
        raise ValueError(f"{input_id} {prefix!r}: no file can be made in {directory} ({error}).") from error
    try:
        write(unfinished)
        os.replace(unfinished, path)
    finally:
        # After success it may be somebody else's, who is about to find the number taken.
        unfinished.unlink(missing_ok=True)
    return path


def _claim(directory: str, prefix: str) -> tuple[Path, Path]:
    """(the unfinished file, which this process alone has made; the file that it will be)."""
    from .. import host

    folder, name, number = host.files.next_number(directory, prefix)
    while True:
        path = Path(folder) / f"{name}_{number:05}_{_ENDING}"
        unfinished = Path(f"{path}{_UNFINISHED}")
        number += 1
        try:
            with unfinished.open("xb"):
                pass
        except FileExistsError:
            continue
        # Looked at only now: whoever writes this number had to have what is ours at present.
        if not path.exists():
            return unfinished, path
        unfinished.unlink(missing_ok=True)


@contextmanager
def written(path: str | Path) -> Iterator[Path]:
    """Another file to write, which appears under its name only when it is complete. Makes the folder."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(f"{path}.{os.getpid()}{_UNFINISHED}")  # two may write it at once
    try:
        yield unfinished
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def write_tensors(tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str], path: str | Path) -> None:
    """A safetensors file, there whole or not at all."""
    from safetensors.torch import save_file

    with written(path) as unfinished:
        save_file({key: value.contiguous() for key, value in tensors.items()}, unfinished, dict(metadata))
