"""How the report looks at pictures."""

from __future__ import annotations

import numpy as np
import pytest

from proof.files import committed
from proof.report import measures
from proof.report.cases import cases
from proof.report.judging import Judges
from proof.report.rows.repair import far_away
from proof.world.draw import Drawing


@pytest.fixture(scope="module")
def judges() -> Judges:
    return Judges.of(committed())


def test_a_small_face_is_who_it_is(judges: Judges) -> None:
    """By points of one pass over the whole picture it was 0.85 on average, of 40 others."""
    found = []
    for case in cases(8):
        near, far = (
            judges.look(picture)[0] for picture in (case.truth_drawing.picture, far_away(case.truth).picture)
        )
        found.append(measures.cosine(near.vector, far.vector))
    assert np.mean(found) > 0.9


def test_points_of_a_small_face_are_as_exact_as_those_of_a_large_one(judges: Judges) -> None:
    def off(drawing: Drawing) -> float:
        true = drawing.points[0]
        apart = np.linalg.norm(judges.faces(drawing.picture)[0] - true, axis=1).mean()
        return float(apart / np.linalg.norm(true[1] - true[0]))

    near = np.mean([off(case.truth_drawing) for case in cases(8)])
    assert np.mean([off(far_away(case.truth)) for case in cases(8)]) < near + 0.02
