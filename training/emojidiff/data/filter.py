"""Which drawn and swapped pictures teach: the source's expression, the donor's identity. Spec C.4 (c).

The thresholds are this reconstruction's, not the authors'.
"""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from likeness.expressions.distance import BLENDSHAPES, RATIOS
from likeness.expressions.measure import Measure, distance

from ..faces import Seen

log = logging.getLogger(__name__)

#: Expressions are the same below this. Blendshapes: the spec's. Ratios: on the photos of the tests one photo
#: changed stays below 0.05, two people with one expression are 0.06 to 0.10 apart, others 0.11 and more.
SAME = {BLENDSHAPES: 0.06, RATIOS: 0.08}
#: Reasons, as they are counted.
NO_FACE, FACES, TURNED = "no face", "several faces", "turned too far"
EXPRESSION, DONOR, SOURCE = "another expression", "not like the donor", "still like the source"


@dataclass(frozen=True)
class Bars:
    """expression: the greatest distance; donor, source: the least and the greatest cosine; yaw in degrees."""

    expression: float
    donor: float = 0.5
    source: float = 0.2
    yaw: float = 45.0


@dataclass(frozen=True)
class Verdict:
    """why: the reason against, or empty. numbers: what was measured until then."""

    why: str
    numbers: dict[str, float]


def judge(
    made: Seen | None,
    source: Seen,
    donor: Tensor,
    own: Tensor,
    vector: Tensor | None,
    bars: Bars,
    by: Measure,
) -> Verdict:
    """A swap against its source. donor, own, vector [D]: who was put in, who was there, who is seen."""
    if made is None or made.count != 1 or vector is None:
        return Verdict(NO_FACE if made is None or vector is None else FACES, {})
    numbers = {"yaw": round(made.yaw, 2), "quality": round(made.sharpness, 3)}
    if abs(made.yaw) >= bars.yaw:
        return Verdict(TURNED, numbers)
    readings = [by.read(seen.faces)[0] for seen in (made, source)]
    if readings[0] is None or readings[1] is None:
        return Verdict(NO_FACE, numbers)
    numbers["expression"] = round(distance(readings[0], readings[1]), 5)
    if numbers["expression"] > bars.expression:
        return Verdict(EXPRESSION, numbers)
    numbers["donor"], numbers["source"] = (
        round(float(F.cosine_similarity(vector, other, dim=0)), 5) for other in (donor, own)
    )
    if numbers["donor"] < bars.donor:
        return Verdict(DONOR, numbers)
    return Verdict(SOURCE if numbers["source"] > bars.source else "", numbers)


def median(values: Sequence[float]) -> float:
    """The lower of the two in the middle, so that of two one passes; 0 for none."""
    ordered = sorted(values)
    return ordered[(len(ordered) - 1) // 2] if ordered else 0.0


class Landmarker:
    """The host's face landmarker without the host; has detect_batch, as Measure asks."""

    def __init__(self, network: Any) -> None:
        self._network = network

    def detect_batch(self, pictures: Any, num_faces: int, score_thresh: float, variant: str) -> Any:
        import torch

        with torch.inference_mode():
            return self._network.detect_batch(pictures, num_faces=num_faces, score_thresh=score_thresh)


def open_landmarker(comfyui: Path, file: Path) -> Landmarker:
    """From a ComfyUI's folder and its mediapipe_face file. Raises ValueError."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    module = comfyui / "comfy_extras" / "mediapipe" / "face_landmarker.py"
    if not module.is_file():
        raise ValueError(f"--comfyui {comfyui} has no face landmarker: it needs ComfyUI 0.23 or later.")
    sys.path.append(str(comfyui))
    try:
        port = importlib.import_module("comfy_extras.mediapipe.face_landmarker")
    except ImportError as error:
        raise ValueError(f"--comfyui {comfyui}: its face landmarker can't be imported. ({error})") from error
    finally:
        sys.path.remove(str(comfyui))
    network = port.FaceLandmarker(detector_variant="short").eval()
    try:
        tensors = load_file(file)
    except (OSError, SafetensorError) as error:
        raise ValueError(f"--landmarker {file} can't be read. ({error})") from error
    named = {k.replace("detector_short.", "detector.", 1): v for k, v in tensors.items()}
    wanted = network.state_dict()
    missing = [key for key in wanted if key not in named]
    if missing:
        raise ValueError(f"--landmarker {file} is no face landmarker of ComfyUI: it lacks {missing[0]}.")
    network.load_state_dict({key: named[key] for key in wanted})
    return Landmarker(network)
