"""InstantID as a way to redraw a face: who by tokens and IdentityNet, the pose by the face's own five
points.
"""

from __future__ import annotations

from typing import Any

from ...adapters import Adapter
from ...attention import Use
from ...choices.instantid import DENOISE
from ...faces.keypoints import keypoint_images
from ...faces.squares import UPRIGHT
from ...redraw.value import DenoiseRange, Prompted, Redraw, Sampling, Subject
from ...values import Conditioning
from .apply import Strengths, apply


def maker(
    model: Any,
    adapter: Adapter,
    positive: Conditioning,
    negative: Conditioning,
    vae: Any,
    sampling: Sampling,
    *,
    control_net: Any = None,
    weight: float = 0.8,
    control: float = 0.8,
    size: int = 1016,
    denoise: float = DENOISE[1],
    align: str = UPRIGHT,
) -> Redraw:
    """A redraw by InstantID; inputs as in `apply`. Raises ValueError for a denoise outside of its range."""
    strengths = Strengths(Use(weight), control)

    def prepare(subject: Subject) -> Prompted:
        if subject.identity is None:
            raise ValueError("InstantID draws by an identity: give the person one.")
        points = None if control_net is None else keypoint_images(subject.faces)
        return apply(model, adapter, subject.identity, positive, negative, strengths, control_net, points)

    reach = DenoiseRange(DENOISE[0], denoise, DENOISE[2])
    return Redraw("InstantID", model, vae, sampling, prepare, reach, adapter.takes, size, align)
