"""The drawn world's networks as files that the host's loaders, and our nodes, take.

They are made from the finished stages and lie in the cache, each made anew when a stage it is made from has
changed. A new method adds its files to FILES.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from installer.paths import REPOSITORY

from .training.stages import Rooms, Tensors

Made = Mapping[str, Tensors]


@dataclass(frozen=True)
class HostFile:
    """place: in a models folder. needs: stages by name. make: tensors for a safetensors file, or its bytes.

    metadata: of the safetensors file.
    """

    place: str
    needs: tuple[str, ...]
    make: Callable[[Made], Tensors | bytes]
    metadata: Mapping[str, str] | None = None

    @property
    def name(self) -> str:
        """As the host's lists have it."""
        return self.place.partition("/")[2]


def _sd15(made: Made) -> Tensors:
    from .networks import layouts

    return layouts.checkpoint(made["sd15"], made["autoencoder"])


def _vae(made: Made) -> Tensors:
    from .networks.autoencoder import padded

    return padded(made["autoencoder"], scale=0.18215)


def _recogniser(made: Made) -> bytes:
    from .networks.onnx_recogniser import onnx_file

    return onnx_file(made["recogniser"])


def _detector(made: Made) -> bytes:
    return (REPOSITORY / "models" / "embedded" / "det_yunet_scrfd.onnx").read_bytes()


_FACES = "insightface/models/antelopev2"
FILES: dict[str, HostFile] = {
    "detector": HostFile(f"{_FACES}/scrfd_10g_bnkps.onnx", (), _detector),
    "glintr100": HostFile(f"{_FACES}/glintr100.onnx", ("recogniser",), _recogniser),
    "arcface": HostFile(f"{_FACES}/arcface.onnx", ("recogniser",), _recogniser),
    "vae": HostFile("vae/drawn_vae.safetensors", ("autoencoder",), _vae),
    "sd15": HostFile("checkpoints/drawn_sd15.safetensors", ("sd15", "autoencoder"), _sd15),
}


def missing(name: str, rooms: Rooms) -> list[str]:
    """The stages whose results a file lacks."""
    return [need for need in FILES[name].needs if not stage_file(need, rooms).is_file()]


def stage_file(name: str, rooms: Rooms) -> Path:
    return rooms.models / f"{name}.safetensors"


def folder(rooms: Rooms) -> Path:
    """The models folder that `write` fills."""
    return rooms.cache / "host" / "models"


def write(name: str, rooms: Rooms) -> Path:
    """Makes a file unless it is there from these very stages. Raises ValueError when one is not done."""
    from .training.running import results

    file = FILES[name]
    lacks = missing(name, rooms)
    if lacks:
        raise ValueError(
            f"{file.place} is made from {' and '.join(lacks)}, not trained yet: run `python -m proof world "
            f"train --only {lacks[0]}`."
        )
    path = folder(rooms) / file.place
    mark, now = path.with_name(path.name + ".from"), _mark(file, rooms)
    if path.is_file() and mark.is_file() and mark.read_text(encoding="utf-8") == now:
        return path
    made = file.make(results(file.needs, rooms))
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    if isinstance(made, bytes):
        part.write_bytes(made)
    else:
        from safetensors.torch import save_file

        apart = {key: tensor.detach().contiguous().clone() for key, tensor in made.items()}
        save_file(apart, part, dict(file.metadata or {"format": "pt"}))
    os.replace(part, path)
    mark.write_text(now, encoding="utf-8")
    return path


def _mark(file: HostFile, rooms: Rooms) -> str:
    """Of the stages' files, and of the code that makes host files of them."""
    here = Path(__file__).parent
    sources = [*sorted((here / "networks").glob("*.py")), Path(__file__)]
    sources += [stage_file(need, rooms) for need in file.needs]
    return " ".join(digest(path)[:16] for path in sources)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def clear(rooms: Rooms) -> None:
    shutil.rmtree(folder(rooms), ignore_errors=True)


@contextmanager
def offered(rooms: Rooms) -> Iterator[None]:
    """The host looks into `folder` first, and no longer afterwards."""
    import folder_paths

    places: list[list[str]] = []
    mine = folder(rooms)
    for kind in sorted({file.place.split("/")[0] for file in FILES.values()}):
        if kind not in folder_paths.folder_names_and_paths:
            folder_paths.add_model_folder_path(kind, str(mine / kind))
        searched = folder_paths.folder_names_and_paths[kind][0]
        places.append(searched)
        if str(mine / kind) in searched:
            searched.remove(str(mine / kind))
        searched.insert(0, str(mine / kind))
    folder_paths.cache_helper.clear()
    folder_paths.filename_list_cache.clear()
    try:
        yield
    finally:
        for searched in places:
            searched[:] = [place for place in searched if not place.startswith(str(mine))]
        folder_paths.filename_list_cache.clear()
