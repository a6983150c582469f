"""Where the detector finds the points that ControlNets of the drawn world learn by."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from proof.training import detected
from proof.training.pictures import album
from proof.world.draw import draw
from proof.world.scene import Scene, figure


def test_they_are_the_detectors_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = album(tmp_path, "unseen", 6)
    found = detected.points_of(pictures, 4, tmp_path, "unseen")
    assert found.shape == (4, 5, 2)
    formula = np.asarray(pictures.points[:4])
    eyes = np.linalg.norm(formula[:, 1] - formula[:, 0], axis=-1)
    off = np.linalg.norm(found.numpy() - formula, axis=-1).mean(axis=1) / eyes
    # Near the formula's, and not they: the detector has its own mind.
    assert (off < 0.3).all() and (off > 0.01).all()
    alone = detected.found(detected.detector(), np.asarray(pictures.pictures[2]))[0]
    assert np.abs(found[2].numpy() - alone).max() < 1e-3
    monkeypatch.setattr(detected, "detector", lambda: pytest.fail("looked for once more"))
    assert np.array_equal(detected.points_of(pictures, 4, tmp_path, "unseen"), found)


def test_a_picture_without_a_face_keeps_the_formulas_points(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = album(tmp_path, "unseen", 2)
    monkeypatch.setattr(detected, "found", lambda network, picture: [])
    assert np.array_equal(detected.points_of(pictures, 2, tmp_path, "nobody"), pictures.points)


def test_everybody_in_a_wide_picture_is_found() -> None:
    from dataclasses import replace

    people = [figure(3_900_000 + n) for n in range(3)]
    placed = [
        replace(one, pose=replace(one.pose, shift=((n + 0.5) / 3 - 0.5, 0.0), roll=0.0, yaw=0.0, size=0.62))
        for n, one in enumerate(people)
    ]
    picture = draw(Scene(tuple(placed)), (128, 384)).picture
    found = detected.found(detected.detector(), picture)
    assert sorted(int(points[:, 0].mean()) // 128 for points in found) == [0, 1, 2]
