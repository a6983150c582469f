"""Expression templates of drawn faces as our node makes them of pictures, by points and outline as drawn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from likeness.faces.align import similarity
from likeness.faces.template import FIVE
from likeness.faces.template import SIZE as SIDE
from training.chance import number

from ..networks import vision
from ..world.canvas import FINER, Frame
from ..world.draw import draw
from ..world.head import head_of
from ..world.people import Person
from ..world.scene import Figure
from .kept import kept
from .pictures import SIZE, Album

#: Of the people who show an expression: nobody else's.
_MODELS = 6_000_000
#: The mesh's points against those drawn, in parts of the eyes' distance.
OFF = 0.03
#: As likeness.faces.template moves its outline outwards.
DILATION = 0.03


def shown(figure: Figure, source: np.random.Generator, off: float = OFF) -> torch.Tensor:
    """[3, 224, 224] 0..1 of this figure: likeness.faces.template's, by OpenCV, which is ten times as fast."""
    drawing = draw(figure, SIZE)
    points = drawing.points[0]
    eyes = float(np.linalg.norm(points[1] - points[0]))
    points = points + source.normal(0, off * eyes, points.shape).astype(np.float32)
    matrix = similarity(torch.from_numpy(points).double() + 0.5, FIVE * SIDE).numpy()
    centres = matrix.copy()  # OpenCV counts pixels from their centres
    centres[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
    cut = cv2.warpAffine(drawing.picture, centres, (SIDE, SIDE), flags=cv2.INTER_LINEAR)
    edge = edge_of(figure) @ centres[:, :2].T + centres[:, 2]
    hull = cv2.convexHull(edge.astype(np.float32))[:, 0]
    # Moved outwards from the middle, about as the node's outline is.
    middle, extent = hull.mean(0), float((hull.max(0) - hull.min(0)).max())
    away = hull - middle
    hull = hull + away / np.linalg.norm(away, axis=1, keepdims=True) * DILATION * extent
    inside = np.zeros((SIDE, SIDE), np.uint8)
    cv2.fillConvexPoly(inside, np.rint(hull * 16).astype(np.int32), 255, cv2.LINE_AA, 4)
    seen = cut.astype(np.float32) * inside[..., None] / (255 * 255)
    return torch.from_numpy(seen).movedim(-1, 0)


def edge_of(figure: Figure) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Corners of the face from its brows to its chin, in pixels."""
    head, frame = head_of(figure.person, figure.expression), Frame(figure.pose, (SIZE * FINER,) * 2)
    eye = head.eyes[1]
    brow = eye.middle[1] - eye.high - 0.27 - 0.075 * head["brow_height"] - 0.07 * figure.expression.brows
    low = frame.behind(head.outline[head.outline[:, 1] > brow + 0.1])
    across = 0.21 + 0.05 * head["brow_length"]
    top = frame.seen(
        np.array([(side * (eye.middle[0] + end * across), brow) for side in (-1, 1) for end in (-1, 0.6)])
    )
    corners = np.concatenate([low, top])
    return ((frame.pixels(corners) + 0.5) / FINER - 0.5).astype(np.float32)


@torch.no_grad()
def patches_of(pictures: Album, cache: Path, name: str) -> torch.Tensor:
    """float16 [n, patches + 1, width]: what a CLIP's layers get to see of all pictures' expressions, each
    shown by somebody else."""
    network = vision.network()

    def make() -> torch.Tensor:
        parts = []
        for places in torch.arange(len(pictures)).split(32):
            cuts = []
            for place in places.tolist():
                source = np.random.default_rng(number("templates", name, place))
                model = Person.of(_MODELS + number(name) % 1000 * 100_000 + place)
                cuts.append(shown(replace(pictures.figures(place), person=model), source))
            # Its layers do nothing yet.
            parts.append(vision.features(network, torch.stack(cuts)).half())
        return torch.cat(parts)

    return kept(cache, "templates", f"{name}-{len(pictures)}", make, network.state_dict().values())


@torch.no_grad()
def features_of(network: Any, pictures: Album, cache: Path, name: str) -> torch.Tensor:
    """float16 [n, patches + 1, width]: what our node gets to see of them by a trained CLIP."""
    patches = patches_of(pictures, cache, name)
    return torch.cat([vision.from_patches(network, some.float()).half() for some in patches.split(64)])
