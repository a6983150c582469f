"""Model files made to do harm: bombs, lies about sizes, pickles that run code, files cut short."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch


class Harmful:
    """Writes a file when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        import os

        return os.system, (f'echo > "{self.trace}"',)


def _pickle(trace: Path) -> bytes:
    return pickle.dumps({"image_proj": Harmful(trace)}, protocol=2)


def _archive(trace: Path) -> bytes:
    return _saved({"image_proj": Harmful(trace), "ip_adapter": {"a": torch.ones(2)}})


def _saved(content: Any, zipped: bool = True) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=zipped)
    return buffer.getvalue()


def _zip_bomb(trace: Path) -> bytes:
    """A sound archive of torch.save with its numbers packed: 200 MB of zeros in 200 kB."""
    buffer = io.BytesIO()
    storage = _saved({"a": torch.zeros(1)})
    with zipfile.ZipFile(io.BytesIO(storage)) as sound, zipfile.ZipFile(buffer, "w") as bomb:
        for entry in sound.infolist():
            if not entry.filename.endswith("/data/0"):
                bomb.writestr(entry.filename, sound.read(entry))
                continue
            with bomb.open(zipfile.ZipInfo(entry.filename), "w", force_zip64=True) as packed:
                packed._compressor = zipfile._get_compressor(zipfile.ZIP_DEFLATED)  # type: ignore[attr-defined]
                packed._zinfo.compress_type = zipfile.ZIP_DEFLATED  # type: ignore[attr-defined]
                for _ in range(200):
                    packed.write(bytes(1 << 20))
    return buffer.getvalue()


def _zip_lie(trace: Path) -> bytes:
    """An archive whose table of contents says that four bytes are four gigabytes."""
    content = bytearray(_saved({"a": torch.zeros(1)}))
    at = content.rfind(b"PK\x01\x02", 0, content.rfind(b"/data/0"))
    content[at + 24 : at + 28] = struct.pack("<I", 0xFFFFFFF0)
    return bytes(content)


def _expanded(trace: Path) -> bytes:
    """A trillion numbers, all of which are one stored number."""
    return _saved({"image_proj": {"latents": torch.zeros(1).expand(10**6, 10**6)}})


def _sparse(trace: Path) -> bytes:
    return _saved({"a": torch.sparse_coo_tensor(torch.zeros(2, 1), torch.ones(1), (10**6, 10**6))})


def _legacy_lie(trace: Path) -> bytes:
    """The format before archives, with a storage that claims a million times its numbers."""
    content = _saved({"a": torch.zeros(0x1234)}, zipped=False)
    return content.replace(struct.pack("<H", 0x1234), struct.pack("<H", 0xFFFF))


def _bytearray(trace: Path) -> bytes:
    """A pickle that asks for 2^60 zeros by a function that is allowed."""
    return (
        b"\x80\x02}X\x01\x00\x00\x00ac__builtin__\nbytearray\n\x8a\x08"
        + struct.pack("<Q", 1 << 60)
        + b"\x85Rs."
    )


def _nested(trace: Path) -> bytes:
    return b"\x80\x02" + b"]" * 200_000 + b"a" * 199_999 + b"."


def _header(text: bytes, length: int | None = None, after: bytes = b"") -> bytes:
    return struct.pack("<Q", len(text) if length is None else length) + text + after


def _entry(shape: list[int], end: int, dtype: str = "F32") -> bytes:
    return json.dumps({"a": {"dtype": dtype, "shape": shape, "data_offsets": [0, end]}}).encode()


KINDS: dict[str, tuple[str, Callable[[Path], bytes]]] = {
    "pickle": (".bin", _pickle),
    "archive with a pickle": (".bin", _archive),
    "zip bomb": (".bin", _zip_bomb),
    "zip that lies": (".bin", _zip_lie),
    "one number expanded": (".bin", _expanded),
    "sparse": (".bin", _sparse),
    "old format that lies": (".bin", _legacy_lie),
    "huge bytearray": (".bin", _bytearray),
    "nested lists": (".bin", _nested),
    "empty": (".bin", lambda trace: b""),
    "cut archive": (".bin", lambda trace: _saved({"a": torch.ones(5000)})[:9000]),
    "a list": (".bin", lambda trace: _saved([torch.ones(2)])),
    "numbers for names": (".bin", lambda trace: _saved({1: torch.ones(2), 2: torch.ones(2)})),
    "head of terabytes": (".safetensors", lambda trace: _header(b"{}", 1 << 42)),
    "head of 2^60": (".safetensors", lambda trace: _header(b"{}", 1 << 60)),
    "tensor of terabytes": (
        ".safetensors",
        lambda trace: _header(_entry([1 << 40], 4 << 40), after=bytes(64)),
    ),
    "tensor larger than its place": (
        ".safetensors",
        lambda trace: _header(_entry([1 << 40], 64), after=bytes(64)),
    ),
    "sizes that overflow": (".safetensors", lambda trace: _header(_entry([1 << 62, 1 << 62], 0))),
    "nested head": (".safetensors", lambda trace: _header(b'{"a":' + b"[" * 1_000_000)),
    "empty safetensors": (".safetensors", lambda trace: b""),
    "head without end": (".safetensors", lambda trace: _header(_entry([2], 8)[:-5], len(_entry([2], 8)))),
    "pickle under another name": (".safetensors", _pickle),
}


def write(kind: str, folder: Path, trace: Path) -> Path:
    """The file of a kind in a folder. trace: the file that its code would leave, if it has any."""
    ending, make = KINDS[kind]
    path = folder / (kind.replace(" ", "_").replace("^", "") + ending)
    path.write_bytes(make(trace))
    return path
