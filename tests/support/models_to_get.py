"""A pack whose catalogue lists tiny files, and a hub that has them: a first picture without gigabytes."""

from __future__ import annotations

import hashlib
import io
import json
import re
import shutil
import threading
import zipfile
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from installer.paths import REPOSITORY
from support.hub import Hub
from tools.ui_workflow import api_files, read, ui_of

PARTS = ("likeness", "nodes", "web", "locales", "subgraphs", "__init__.py", "models/embedded")
ARCHIVE = "antelopev2"
CHUNK = 1 << 20


class Shelf(Hub):
    """Has files by the last part of their addresses; while `slowly` is set, a chunk comes now and then."""

    files: dict[str, bytes]
    slowly = threading.Event()

    def do_GET(self) -> None:
        name = self.path.rsplit("/", 1)[-1]
        if name not in self.files:
            self.statuses.append(404)
        self.content = self.files.get(name, b"")
        super().do_GET()

    def _send(self) -> None:
        if self.slowly.is_set():
            self.wfile = _Slow(self.wfile)  # type: ignore[assignment]
        super()._send()


class _Slow:
    """A file that is written to in chunks, with a rest before each."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def write(self, data: bytes) -> int:
        for begin in range(0, len(data), CHUNK):
            if len(data) > CHUNK:
                threading.Event().wait(0.3)
            self._file.write(data[begin : begin + CHUNK])
        return len(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def real_names(tiny: Path) -> dict[str, bytes]:
    """Tiny files under the names by which the catalogue's addresses end, by that name."""
    adapter = io.BytesIO()
    torch.save(_nested(load_file(tiny / "instantid" / "tiny_instantid_glintr100.safetensors")), adapter)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted((tiny / "insightface" / "models" / ARCHIVE).rglob("*.onnx")):
            archive.write(path, f"{ARCHIVE}/{path.name}")
    return {
        "sd_xl_base_1.0.safetensors": (tiny / "checkpoints" / "tiny_sdxl.safetensors").read_bytes(),
        "diffusion_pytorch_model.safetensors": (tiny / "controlnet" / "tiny_sdxl.safetensors").read_bytes(),
        "ip-adapter.bin": adapter.getvalue(),
        f"{ARCHIVE}.zip": packed.getvalue(),
    }


def _nested(tensors: dict[str, torch.Tensor]) -> dict[str, dict[str, torch.Tensor]]:
    """As the published file: a part for the projector and one for the layers."""
    parts: dict[str, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        part, _, rest = name.partition(".")
        parts.setdefault(part, {})[rest] = tensor
    return parts


def pack(folder: Path, files: dict[str, bytes], address: str, names: list[str]) -> None:
    """Put the pack into `folder`, its catalogue true for these files, with these templates, made small."""
    for part in PARTS:
        source, target = REPOSITORY / part, folder / part
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    catalogue = folder / "likeness" / "weights" / "catalogue.toml"
    text = catalogue.read_text(encoding="utf-8")
    catalogue.write_text(_told(text, files, address), encoding="utf-8")
    (folder / "workflows").mkdir()
    for name in names:
        ui = ui_of(name, _small(read(api_files()[name])))
        (folder / "workflows" / f"{name}.json").write_text(json.dumps(ui), encoding="utf-8")
        shutil.copy(REPOSITORY / "workflows" / f"{name}.jpg", folder / "workflows")


def _told(catalogue: str, files: dict[str, bytes], address: str) -> str:
    """The catalogue with the sizes and sums of these files; the archive comes from `address`."""
    entries = catalogue.split("[[file]]")
    with zipfile.ZipFile(io.BytesIO(files[f"{ARCHIVE}.zip"])) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    for i, entry in enumerate(entries):
        url = re.search(r'^url = ".*/([^/"]+)"', entry, re.MULTILINE)
        member = re.search(r'^member = "(.+)"', entry, re.MULTILINE)
        content = members.get(member[1]) if member else files.get(url[1]) if url else None
        wanted = url and ("InstantX" in url[0] or "sdxl/base" in entry or ARCHIVE in url[0])
        if content is None or not wanted or not url:
            continue
        entry = _with(entry, "", content)
        if member:
            entry = _with(entry, "archive_", files[url[1]])
            entry = entry.replace(url[0], f'url = "{address}/{url[1]}"')
        entries[i] = entry
    return "[[file]]".join(entries)


def _with(entry: str, prefix: str, content: bytes) -> str:
    facts = {"size": str(len(content)), "sha256": f'"{hashlib.sha256(content).hexdigest()}"'}
    for name, value in facts.items():
        entry = re.sub(rf"^{prefix}{name} = .*$", f"{prefix}{name} = {value}", entry, flags=re.MULTILINE)
    return entry


def _small(prompt: dict[str, Any]) -> dict[str, Any]:
    """Of an eighth of the size and in one step: the files keep their names."""
    for node in prompt.values():
        for name, value in node["inputs"].items():
            if name in ("width", "height") and isinstance(value, int):
                node["inputs"][name] = max(64, value // 8)
            if name == "steps":
                node["inputs"][name] = 1
    return prompt
