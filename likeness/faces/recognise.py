"""Recognition networks: an aligned face in, a raw vector out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from .sessions import PROVIDERS, BrokenModel, open_session

#: Pixels of an aligned face, and numbers in a vector: the same for every recogniser we know.
SIZE, WIDTH = 112, 512
#: Faces in one call at most: the largest network needs some 15 MB for each while it runs.
_BATCH = 64


@dataclass(frozen=True)
class Recogniser:
    """One recognition network. network: insightface's ArcFaceONNX, or None to feed the session as it is."""

    name: str
    session: Any
    network: Any
    batch: int

    def __call__(self, crops: torch.Tensor) -> torch.Tensor:
        """Aligned faces [N, 112, 112, 3] uint8 RGB -> raw vectors [N, 512] float32.

        As many faces per call as the file allows: SFace's has a fixed batch of one.
        """
        return torch.cat([self._run(part) for part in crops.split(self.batch)])

    def _run(self, crops: torch.Tensor) -> torch.Tensor:
        if self.network is not None:
            # ArcFaceONNX expects BGR and knows the mean and scale its file was trained with.
            out = self.network.get_feat([crop.flip(-1).contiguous().numpy() for crop in crops])
        else:
            blob = crops.permute(0, 3, 1, 2).to(torch.float32).contiguous().numpy()
            out = self.session.run(None, {self.session.get_inputs()[0].name: blob})[0]
        vectors = torch.from_numpy(out).to(torch.float32)
        if vectors.shape != (len(crops), WIDTH):
            raise BrokenModel(
                f"The recogniser {self.name} gave {list(vectors.shape)} for {len(crops)} faces."
            )
        return vectors


def open_recogniser(name: str, path: Path, provider: str) -> Recogniser:
    """Raises BrokenModel when the file is no recogniser: 112 x 112 pixels in, 512 numbers out."""
    return wrap_recogniser(name, path, open_session(path, provider))


def wrap_recogniser(name: str, path: Path, session: Any, network: Any = None) -> Recogniser:
    """A recogniser on a session that may be shared. network: its ArcFaceONNX, when there is one already.

    Raises BrokenModel as `open_recogniser`.
    """
    batch = _check(path, session)
    if name == "sface":
        # insightface would guess mean and scale from the first nodes and be wrong: this file takes 0..255.
        return Recogniser(name, session, None, batch)
    if network is None:
        from insightface.model_zoo.arcface_onnx import ArcFaceONNX

        network = ArcFaceONNX(str(path), session=session)
    if session.get_providers()[0] == PROVIDERS["CoreML"]:
        batch = 1  # CoreML compiles for one shape
    return Recogniser(name, session, network, batch)


def _check(path: Path, session: Any) -> int:
    """How many faces go into one call."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    shape, result = inputs[0].shape, outputs[0].shape
    fits = len(inputs) == len(outputs) == 1 and len(shape) == 4 and len(result) == 2
    if not (fits and _agrees(shape[1:], (3, SIZE, SIZE)) and _agrees(result[1:], (WIDTH,))):
        raise BrokenModel(
            f"{path} is no face recogniser: it turns {[i.shape for i in inputs]} into "
            f"{[o.shape for o in outputs]} instead of [n, 3, {SIZE}, {SIZE}] into [n, {WIDTH}]. "
            "Put the right file in its place."
        )
    fixed = shape[0] if isinstance(shape[0], int) and shape[0] > 0 else None
    if fixed not in (None, 1):
        raise BrokenModel(
            f"{path} takes exactly {fixed} faces at a time; a file that takes one or any is needed."
        )
    return fixed or _BATCH


def _agrees(shape: list[Any], wanted: tuple[int, ...]) -> bool:
    """Sizes that the file leaves open are checked when it runs."""
    return all(
        not isinstance(have, int) or have <= 0 or have == want
        for have, want in zip(shape, wanted, strict=True)
    )
