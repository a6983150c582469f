"""What the page gets to let somebody click a face."""

from __future__ import annotations

import torch

from likeness.faces.pick import page_data
from likeness.faces.selection import Wanted, select_faces
from likeness.values import Face, Faces

POINTS = torch.tensor([[1.0, 1.0], [3.0, 1.0], [2.0, 2.0], [1.0, 3.0], [3.0, 3.0]])


def face(left: float, size: float, score: float = 0.9) -> Face:
    return Face(torch.tensor([left, 10.0, left + size, 10.0 + size]), POINTS + left, score)


def two_pictures() -> Faces:
    """[2, 100, 200]: a small and a large face, and nobody."""
    return Faces(torch.zeros(2, 100, 200, 3), ((face(20, 20), face(100, 50)), ()), (3, 7))


def test_boxes_in_parts_of_the_picture_and_who_was_chosen() -> None:
    faces = two_pictures()
    first, second = page_data(faces, select_faces(faces, "largest", "0"))
    assert (first["picture"], first["width"], first["height"]) == (3, 200, 100)
    assert first["faces"] == [
        {"box": [0.1, 0.1, 0.2, 0.3], "place": 0, "chosen": False},
        {"box": [0.5, 0.1, 0.75, 0.6], "place": 1, "chosen": True},
    ]
    assert second["picture"] == 7 and second["faces"] == []


def test_places_are_counted_among_the_faces_that_count() -> None:
    """As `index list` counts them: what is clicked is what is chosen."""
    faces = two_pictures()
    mask = torch.zeros(1, 100, 200)
    mask[:, :, 100:] = 1
    wanted = Wanted(mask=mask)
    told = page_data(faces, select_faces(faces, "largest", "all", wanted))[0]["faces"]
    assert [(one["place"], one["chosen"]) for one in told] == [(-1, False), (0, True)]
    again = select_faces(faces, "index list", str(told[1]["place"]), wanted)
    assert again.chosen == ((1,), ())
