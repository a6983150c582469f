"""What travels on the wires between nodes.

Every value is a frozen dataclass, checked when it is made, so that a node never has to ask
twice. Tensors inside are float32 on the CPU unless said otherwise; nobody changes them in place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

FACE_MODELS = "LIKENESS_FACE_MODELS"
FACES = "LIKENESS_FACES"
CROPS = "LIKENESS_CROPS"
IDENTITY = "LIKENESS_IDENTITY"
CAST = "LIKENESS_CAST"
INSTANTID = "LIKENESS_INSTANTID"
FACE_TOKENS = "LIKENESS_FACE_TOKENS"
EXPRESSION = "LIKENESS_EXPRESSION"
EXPRESSION_ADAPTER = "LIKENESS_EXPRESSION_ADAPTER"
EADAPTER = "LIKENESS_EADAPTER"
EXPRESSION_TOKENS = "LIKENESS_EXPRESSION_TOKENS"
MASTERWEAVER = "LIKENESS_MASTERWEAVER"
MASTERWEAVER_TOKENS = "LIKENESS_MASTERWEAVER_TOKENS"
PVA = "LIKENESS_PVA"
PVA_TOKENS = "LIKENESS_PVA_TOKENS"
FACT = "LIKENESS_FACT"
FACT_TOKENS = "LIKENESS_FACT_TOKENS"
TRANSFACE = "LIKENESS_TRANSFACE"
CONSISTENTID = "LIKENESS_CONSISTENTID"
CONSISTENTID_FEATURES = "LIKENESS_CONSISTENTID_FEATURES"
WPLUS = "LIKENESS_WPLUS"
WPLUS_ADAPTER = "LIKENESS_WPLUS_ADAPTER"
WPLUS_DIRECTION = "LIKENESS_WPLUS_DIRECTION"
FACE_ENCODER = "LIKENESS_FACE_ENCODER"
ATTRIBUTE = "LIKENESS_ATTRIBUTE"
REDRAW = "LIKENESS_REDRAW"

#: CONDITIONING of the host: prompts, each a list of its tensor and a dict of facts about it.
Conditioning = list[Any]
#: LATENT of the host: a dict with `samples` [B, C, h, w] and, when there, `noise_mask`.
Latent = dict[str, Any]

#: Recognition networks, by the name that identities carry. Their vectors are not interchangeable.
RECOGNISERS: dict[str, str] = {
    "glintr100": "antelopev2's glintr100.onnx (InstantID)",
    "arc2face": "Arc2Face's arcface.onnx",
    "ms1mv3_r50": "ms1mv3 R50 (PVA)",
    "sface": "the embedded SFace",
    "auraface": "AuraFace-v1's glintr100.onnx",
    "w600k_r50": "buffalo_l's w600k_r50.onnx (ConsistentID)",
}


def recogniser_text(name: str) -> str:
    """A recogniser's name with what it is, for messages."""
    return f"{name} ({RECOGNISERS[name]})" if name in RECOGNISERS else name


def _float32(value: Any, shape: tuple[int, ...], what: str) -> torch.Tensor:
    """A float32 CPU copy-free view of `value`; -1 in `shape` is any size. Raises ValueError."""
    tensor = torch.as_tensor(value, dtype=torch.float32, device="cpu")
    fits = tensor.ndim == len(shape) and all(s in (-1, t) for s, t in zip(shape, tensor.shape, strict=True))
    if not fits:
        wanted = "[" + ", ".join("any" if s < 0 else str(s) for s in shape) + "]"
        raise ValueError(f"{what} must have shape {wanted}, not {list(tensor.shape)}.")
    if not torch.isfinite(tensor).all():
        raise ValueError(f"{what} holds NaN or infinity.")
    return tensor


@dataclass(frozen=True, eq=False)
class Face:
    """One face in one picture, in pixels of that picture.

    box [4] is x1, y1, x2, y2. keypoints [5, 2] are x, y of: eye at the left of the picture, eye
    at the right, nose tip, mouth corner at the left, mouth corner at the right (insightface
    order). landmarks, when there, are [468 or 478, 2 or 3]. embeddings maps a recogniser's name
    to its raw (not normalised) vector [D].
    """

    box: torch.Tensor
    keypoints: torch.Tensor
    score: float = 1.0
    landmarks: torch.Tensor | None = None
    embeddings: Mapping[str, torch.Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "box", _float32(self.box, (4,), "A face's box"))
        object.__setattr__(self, "keypoints", _float32(self.keypoints, (5, 2), "A face's keypoints"))
        object.__setattr__(self, "score", float(self.score))
        if self.landmarks is not None:
            object.__setattr__(self, "landmarks", _float32(self.landmarks, (-1, -1), "A face's landmarks"))
        vectors = {k: _float32(v, (-1,), f"A face's {k} embedding") for k, v in self.embeddings.items()}
        object.__setattr__(self, "embeddings", vectors)

    @property
    def area(self) -> float:
        x1, y1, x2, y2 = self.box.tolist()
        return max(0.0, x2 - x1) * max(0.0, y2 - y1)

    def with_embedding(self, recogniser: str, vector: torch.Tensor) -> Face:
        return replace(self, embeddings={**self.embeddings, recogniser: vector})

    def __repr__(self) -> str:
        x1, y1, x2, y2 = (round(v) for v in self.box.tolist())
        return f"Face({x1},{y1},{x2},{y2} score={self.score:.2f})"


@dataclass(frozen=True, eq=False)
class Faces:
    """The faces of a batch of pictures.

    images [B, H, W, C] is the IMAGE they were found in, kept so that later nodes need no second
    detection (the tensor is shared, never written to). faces holds one tuple of Face per picture.
    indices names each picture's place in the batch that was searched: pictures without a face can
    have been skipped.
    """

    images: torch.Tensor
    faces: tuple[tuple[Face, ...], ...]
    indices: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.images.ndim != 4:
            raise ValueError(f"Faces need images [B, H, W, C], not {list(self.images.shape)}.")
        object.__setattr__(self, "faces", tuple(tuple(found) for found in self.faces))
        if len(self.faces) != self.images.shape[0]:
            raise ValueError(
                f"Faces of {len(self.faces)} pictures do not fit a batch of {self.images.shape[0]}."
            )
        object.__setattr__(self, "indices", tuple(self.indices) or tuple(range(len(self.faces))))
        if len(self.indices) != len(self.faces):
            raise ValueError(f"Faces of {len(self.faces)} pictures come with {len(self.indices)} indices.")

    @property
    def count(self) -> int:
        return sum(len(found) for found in self.faces)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the pictures."""
        return int(self.images.shape[2]), int(self.images.shape[1])

    def with_faces(self, faces: Sequence[Sequence[Face]]) -> Faces:
        return replace(self, faces=tuple(tuple(found) for found in faces))

    def __repr__(self) -> str:
        w, h = self.size
        return f"Faces({[len(found) for found in self.faces]} in {len(self.faces)} pictures {w}x{h})"


@dataclass(frozen=True, eq=False)
class Crops:
    """Square pictures cut out around faces, and the way back.

    images [N, S, S, 3] float32: the crops as they were cut. maps [N, 2, 3] float64: each takes a place in
    its crop, (0, 0) the left top and (1, 1) the right bottom corner, to pixels of the picture (pixel 0
    spans 0 to 1). pictures: which picture each crop is from, -1 for one that stands in for a missing face.
    indices: each picture's place in the batch that was searched. size: their width and height.
    """

    images: torch.Tensor
    maps: torch.Tensor
    pictures: tuple[int, ...]
    indices: tuple[int, ...]
    size: tuple[int, int]

    def __post_init__(self) -> None:
        count, height, width = self.images.shape[:3]
        if height != width or tuple(self.images.shape) != (count, width, width, 3):
            raise ValueError(f"Crops must be squares [N, S, S, 3], not {list(self.images.shape)}.")
        if tuple(self.maps.shape) != (count, 2, 3) or len(self.pictures) != count:
            raise ValueError(
                f"{count} crops come with {len(self.maps)} maps and the places of {len(self.pictures)}."
            )

    @property
    def side(self) -> int:
        """Width and height of a crop in pixels."""
        return int(self.images.shape[1])

    def __repr__(self) -> str:
        w, h = self.size
        return f"Crops({len(self.pictures)} of {self.side}x{self.side} from pictures {w}x{h})"


@dataclass(frozen=True, eq=False)
class Identity:
    """Who somebody is: raw embeddings [N, D] of one recogniser, with optional weights [N].

    Raw is kept because InstantID needs the length of the vector; unit vectors are derived.
    """

    embeddings: torch.Tensor
    recogniser: str
    weights: torch.Tensor | None = None
    source: str = ""

    def __post_init__(self) -> None:
        if torch.as_tensor(self.embeddings).numel() == 0:
            raise ValueError("An identity needs at least one face; this one was made of none.")
        vectors = _float32(self.embeddings, (-1, -1), "An identity's embeddings")
        norms = vectors.norm(dim=1)
        if (norms == 0).any():
            raise ValueError("An identity's embedding is all zeros: it describes nobody.")
        object.__setattr__(self, "embeddings", vectors)
        if self.weights is not None:
            weights = _float32(self.weights, (vectors.shape[0],), "An identity's weights")
            if float(weights.sum()) == 0:
                raise ValueError("An identity's weights add up to zero.")
            object.__setattr__(self, "weights", weights)

    @property
    def mean(self) -> torch.Tensor:
        """Weighted mean of the raw embeddings, [D]."""
        if self.weights is None:
            return self.embeddings.mean(dim=0)
        return (self.embeddings * self.weights[:, None]).sum(dim=0) / self.weights.sum()

    @property
    def unit(self) -> torch.Tensor:
        """Every embedding at unit length, [N, D]."""
        return torch.nn.functional.normalize(self.embeddings, dim=1)

    def __repr__(self) -> str:
        n, d = self.embeddings.shape
        return f"Identity({n} x {d}, {self.recogniser})"


@dataclass(frozen=True, eq=False)
class Expression:
    """What a face is doing: FLAME parameters [1, 55] as SMIRK gives them, without who it is.

    In order: expression components [50], eyelids [2] (0 open, 1 closed: left, right), and the jaw's
    turns [3] in radians (opening first). All zeros is the neutral face.
    """

    parameters: torch.Tensor

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameters", _float32(self.parameters, (1, 55), "An expression"))

    @property
    def components(self) -> torch.Tensor:
        """The 50 expression components, [1, 50]."""
        return self.parameters[:, :50]

    @property
    def eyelids(self) -> torch.Tensor:
        """[1, 2]."""
        return self.parameters[:, 50:52]

    @property
    def jaw(self) -> torch.Tensor:
        """[1, 3]."""
        return self.parameters[:, 52:]

    def __repr__(self) -> str:
        eyelids, jaw = ([round(v, 2) for v in part[0].tolist()] for part in (self.eyelids, self.jaw))
        return f"Expression(|components| {self.components.norm():.2f}, eyelids {eyelids}, jaw {jaw})"
