"""The drawn world's files where the host finds them, while a report or a demo is drawn.

Those of `files`, and a face pack with the drawn world's recogniser. They lie in the cache, each made anew
when a stage it is made from has changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from installer.paths import REPOSITORY

from .files import FILES as NETWORKS
from .files import File, Maker, save
from .training.stages import Rooms, Tensors

_PREFIX = "drawn_"


def _vae(made: Mapping[str, Tensors]) -> Tensors:
    from .networks.autoencoder import padded

    return padded(made["autoencoder"], scale=0.18215)


def _recogniser(stage: str) -> Maker:
    def make(made: Mapping[str, Tensors]) -> bytes:
        from .networks.onnx_recogniser import onnx_file

        return onnx_file(made[stage])

    return make


def _detector(made: Mapping[str, Tensors]) -> bytes:
    return (REPOSITORY / "models" / "embedded" / "det_yunet_scrfd.onnx").read_bytes()


_FACES = "insightface/models/antelopev2"
_OWN = (
    File(f"{_FACES}/scrfd_10g_bnkps.onnx", (), _detector),
    File(f"{_FACES}/glintr100.onnx", ("recogniser",), _recogniser("recogniser")),
    File(f"{_FACES}/arcface.onnx", ("recogniser",), _recogniser("recogniser")),
    File("vae/drawn_vae.safetensors", ("autoencoder",), _vae),
)
#: Of another pack, under the same file name: a recogniser that took no part in learning to draw.
_OTHER = {"auraface": File("insightface/models/auraface/glintr100.onnx", ("second",), _recogniser("second"))}
#: By what rows call them: `instantid` is instantid/drawn_instantid.safetensors.
FILES: dict[str, File] = {
    **{PurePosixPath(file.path).stem.removeprefix(_PREFIX): file for file in (*NETWORKS, *_OWN)},
    **_OTHER,
}


def file_name(name: str) -> str:
    """As the host's lists of its folder have it."""
    return FILES[name].path.partition("/")[2]


def missing(name: str, rooms: Rooms) -> list[str]:
    """The stages whose results a file lacks."""
    return [need for need in FILES[name].stages if not stage_file(need, rooms).is_file()]


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
            f"{file.path} is made from {' and '.join(lacks)}, not trained yet: run `python -m proof world "
            f"train --only {lacks[0]}`."
        )
    path = folder(rooms) / file.path
    mark, now = path.with_name(path.name + ".from"), _mark(file, rooms)
    if path.is_file() and mark.is_file() and mark.read_text(encoding="utf-8") == now:
        return path
    save(file.make(results(file.stages, rooms)), path, file.metadata)
    mark.write_text(now, encoding="utf-8")
    return path


def _mark(file: File, rooms: Rooms) -> str:
    """Of the stages' files, and of the code that makes host files of them."""
    here = Path(__file__).parent
    sources = [*sorted((here / "networks").glob("*.py")), Path(__file__), here / "files.py"]
    sources += [stage_file(need, rooms) for need in file.stages]
    return " ".join(digest(path)[:16] for path in sources)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@contextmanager
def offered(rooms: Rooms) -> Iterator[None]:
    """The host looks into `folder` first, and no longer afterwards."""
    import folder_paths

    places: list[list[str]] = []
    mine = folder(rooms)
    for kind in sorted({file.path.split("/")[0] for file in FILES.values()}):
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
