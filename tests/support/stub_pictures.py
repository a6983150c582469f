"""The stub host's pictures: small, and equal for equal prompts."""

from __future__ import annotations

import hashlib
import json
import os
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stub_nodes import is_output


class Drawing:
    """Writes what output nodes leave, into folders by kind: "output" and "temp"."""

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self._folders = folders
        self._numbers: dict[str, int] = {}
        self._last: tuple[str, dict[str, Any]] = ("", {})

    def forget(self) -> None:
        """What /free with free_memory does."""
        self._last = "", {}

    def draw(self, prompt: Mapping[str, Any], damaged: bool) -> dict[str, Any]:
        """What each output node leaves. A prompt that repeats the last is not drawn anew, as at ComfyUI."""
        plain = {node: (content["class_type"], content["inputs"]) for node, content in prompt.items()}
        digest = hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).digest()
        if self._last[0] == digest.hex():
            return self._last[1]
        outputs = {}
        for node, content in prompt.items():
            if not is_output(content["class_type"]):
                continue
            kind = "output" if content["class_type"] == "SaveImage" else "temp"
            prefix = content["inputs"].get("filename_prefix", "ComfyUI")
            count = self._numbers[prefix] = self._numbers.get(prefix, 0) + 1
            subfolder, name = os.path.split(prefix)
            file = self._folders[kind] / subfolder / f"{name}_{count:05}_.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            data = png(digest)
            file.write_bytes(data[: len(data) // 2] if damaged else data)
            outputs[node] = {"images": [{"filename": file.name, "subfolder": subfolder, "type": kind}]}
        if not damaged:
            self._last = digest.hex(), outputs
        return outputs


def png(digest: bytes) -> bytes:
    """8 x 8 pixels RGB whose values are those of the digest, over and over."""
    rows = b"".join(
        b"\0" + bytes(digest[(row * 24 + x) % len(digest)] for x in range(24)) for row in range(8)
    )

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body
