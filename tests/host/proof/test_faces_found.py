"""The real detector and mesh see the drawn world's faces, in the pack as the host loaded it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from proof.world.draw import draw
from proof.world.scene import figure

PEOPLE, SIZE = 100, 256


@pytest.fixture(scope="module")
def models(pack: Any) -> Any:
    load = pack.node("LikenessLoadFaceModels")
    return load.execute(pack="embedded", provider="CPU").result[0]


def test_faces_are_found_and_the_mesh_is_sure(pack: Any, models: Any) -> None:
    """99 of 100 at least, and their points where they were drawn: in parts of the eyes' distance."""
    detect = pack.module("likeness.faces.detect").search
    mesh = pack.module("likeness.faces.mesh")
    points = pack.module("likeness.faces.mesh_points")
    detector, found, sure, off = models.detector(), 0, 0, []
    for seed in range(PEOPLE):
        drawn = draw(figure(seed), SIZE)
        true = torch.from_numpy(drawn.points[0])
        eyes = float((true[0] - true[1]).norm())
        faces = detect(detector, drawn.picture, 0.5)
        near = [face for face in faces if float((face.keypoints - true).norm(dim=1).mean()) < eyes / 3]
        if not near:
            continue
        found += 1
        picture = torch.from_numpy(drawn.picture)
        upright = mesh.landmarks(picture, near[0])
        level = float(torch.atan2(*(true[1] - true[0]).flip(0)))
        sure += mesh.look(picture, *mesh.extent(upright, level), level)[1] > 0
        off.append(((points.five_points(upright) - true).norm(dim=1) / eyes).numpy())
    assert found >= 0.99 * PEOPLE
    assert sure >= 0.99 * PEOPLE
    assert np.median(off, axis=0).max() < 0.1
