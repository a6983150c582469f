"""Who looks at pictures: one detector, every recogniser whose file is there, the mesh and the face parser."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from likeness.choices.faces import PARSER, PARSERS
from likeness.expressions.distance import RATIO_NAMES, ratios
from likeness.faces.align import TEMPLATE, similarity, warp
from likeness.faces.detect import detect
from likeness.faces.embed import embed
from likeness.faces.labels import NAMES
from likeness.faces.mesh import landmarks
from likeness.faces.models import FaceModels
from likeness.faces.parser_weights import build_network
from likeness.faces.parsing import face_square, label, parse_faces
from likeness.values import Faces
from likeness.weights.catalogue import catalogue, face_packs
from likeness.weights.find import find_copies

from .measures import sharpness
from .people import Picture

Numbers = NDArray[np.float64]
#: How sure the detector must be, and how many faces of a picture are looked at: the largest.
SURE, FACES = 0.5, 6
#: An aligned face whose sharpness is measured: its side, and how much larger than ArcFace's that is.
_ALIGNED, _LARGER = 224, 2
_WEIGHTS = (".safetensors", ".pth", ".pt", ".bin")


@dataclass(frozen=True, eq=False)
class Seen:
    """The faces of a picture, the largest first. count: all of them, not only those looked at. width: pixels.

    boxes [n, 4] in pixels. vectors: of each recogniser [n, 512]. ratios [n, 5, 2]: see expressions.distance.
    shares [n, 19]: of each face's square that is so a part of it; NaN without a parser. sharpness [n].
    """

    count: int
    width: int
    boxes: Numbers
    vectors: dict[str, Numbers]
    ratios: Numbers
    shares: Numbers
    sharpness: Numbers

    def __len__(self) -> int:
        return len(self.boxes)


class Judges:
    """recognisers: by name. parser: the network of a file, or None. versions: of each file, a digest."""

    def __init__(self, models: Path) -> None:
        self.models = models
        self.packs = _packs(models)
        self.versions = {name: _digest(path) for name, (_, path) in self.packs.items()}
        self.parser_file = _parser_file(models)
        self._parser: Callable[[torch.Tensor], torch.Tensor] | None = None
        self._detector = FaceModels.open("embedded", "CPU", [])

    @property
    def names(self) -> list[str]:
        return list(self.packs)

    @property
    def version(self) -> str:
        """Changes with every file that looks."""
        files = [*self.versions.items(), ("parser", _digest(self.parser_file) if self.parser_file else "")]
        return hashlib.sha256(repr(files).encode()).hexdigest()[:12]

    def same_network(self, name: str) -> set[str]:
        """The recognisers that are this one under whatever name: judged by the files' content."""
        own = self.versions.get(name)
        return {name, *(other for other, version in self.versions.items() if version == own)}

    @torch.no_grad()
    def look(self, picture: Picture) -> Seen:
        """At a picture [H, W, 3] uint8 RGB."""
        images = torch.tensor(picture).float()[None] / 255
        found = detect(self._detector, images, SURE)
        by_size = sorted(found.faces[0], key=lambda face: -float((face.box[2:] - face.box[:2]).prod()))
        faces = found.with_faces([by_size[:FACES]])
        ordered = faces.faces[0]
        vectors = {name: self._vectors(name, faces) for name in self.packs}
        pixels = torch.tensor(picture)
        return Seen(
            len(by_size),
            picture.shape[1],
            _stacked([face.box.double().numpy() for face in ordered], (4,)),
            vectors,
            _stacked([_ratios(pixels, face) for face in ordered], (len(RATIO_NAMES), 2)),
            _stacked([self._shares(faces, face) for face in ordered], (len(NAMES),)),
            np.array([_sharp(pixels, face) for face in ordered], dtype=np.float64),
        )

    def _vectors(self, name: str, faces: Faces) -> Numbers:
        if not faces.count:
            return np.zeros((0, 0))
        embedded = embed(self.packs[name][0], faces, name)
        return np.stack([face.embeddings[name].double().numpy() for face in embedded.faces[0]])

    def _shares(self, faces: Faces, face: Any) -> Numbers:
        """Of each class; the parser sees one face at a time, so that neighbours' hats are their own."""
        if self.parser_file is None:
            return np.full(len(NAMES), np.nan)
        if self._parser is None:
            network = build_network(_content(self.parser_file), self.parser_file.name).eval()
            self._parser = lambda pictures: label(network, pictures)
        parsed = parse_faces(self._parser, faces.images, faces.with_faces([[face]]))[0].numpy()
        side = face_square(face)[2]
        return np.array([((parsed >> number) & 1).sum() / side**2 for number in range(len(NAMES))])


def chosen(seen: Seen, people: int) -> list[int | None]:
    """Which of the faces is whose, from the picture's left: the largest ones, by place and not by likeness.

    Where two are to be seen and one is, it is that one's in whose half of the picture it lies.
    """
    across = (seen.boxes[:, 0] + seen.boxes[:, 2]) / 2
    first: list[int | None] = sorted(range(min(people, len(seen))), key=lambda n: float(across[n]))
    if len(first) == 1 and people > 1 and across[0] > seen.width / 2:
        return [None, *first]
    return [*first, *[None] * (people - len(first))]


def _packs(models: Path) -> dict[str, tuple[FaceModels, Path]]:
    """Each recogniser once, with the pack that opens it and its file. Raises ValueError without any."""
    folders = (str(models / "insightface"),)
    found: dict[str, tuple[FaceModels, Path]] = {}
    for pack, parts in face_packs().items():
        for name, key in parts.recognisers.items():
            copies = find_copies(catalogue()[key], folders)
            if copies and name not in found:
                found[name] = FaceModels(pack, "CPU", folders), copies[0]
    if not found:
        raise ValueError(
            f"{models} holds no recogniser to judge by. Say where ComfyUI's models are (--models DIR), or "
            "run `python install.py --models embedded`."
        )
    return found


def _parser_file(models: Path) -> Path | None:
    """The published one, else the only one there is. Raises ValueError for several."""
    folder = models / PARSERS
    published = find_copies(catalogue()[PARSER], [str(folder)])
    there = [path for path in sorted(folder.glob("*")) if path.suffix in _WEIGHTS]
    if not published and len(there) > 1:
        raise ValueError(f"{folder} holds several parsers: leave one of {', '.join(p.name for p in there)}.")
    return published[0] if published else there[0] if there else None


def _content(path: Path) -> dict[str, Any]:
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return dict(load_file(path))
    content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return content


def _ratios(picture: torch.Tensor, face: Any) -> Numbers:
    """[5, 2]; NaN for a mesh that lies in one place: what can't be read has no numbers."""
    try:
        return ratios(landmarks(picture, face)).double().numpy()
    except ValueError:
        return np.full((len(RATIO_NAMES), 2), np.nan)


def _sharp(picture: torch.Tensor, face: Any) -> float:
    aligned = warp(picture, similarity(face.keypoints, TEMPLATE * _LARGER), _ALIGNED).double()
    return sharpness(aligned.mean(dim=-1).numpy())


def _stacked(rows: Sequence[Numbers], shape: tuple[int, ...]) -> Numbers:
    return np.stack(rows) if rows else np.zeros((0, *shape))


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as opened:
        while part := opened.read(1 << 22):
            digest.update(part)
    return digest.hexdigest()
