"""The colours a crop had before it was edited."""

from __future__ import annotations

import numpy as np
import torch
from support.drawn_faces import noise
from support.tiny_faces import embedded, image

from likeness.faces.colour import match_colours
from likeness.faces.crops import crop_faces
from likeness.faces.detect import detect
from likeness.faces.paste import paste_faces

Photos = dict[str, np.ndarray]


def test_a_models_cast_is_taken_back(photos: Photos) -> None:
    pictures = image(photos["astronaut"])
    crops, _ = crop_faces(detect(embedded(), pictures), 256)
    cast = (crops.images * torch.tensor([0.75, 0.9, 0.8]) + torch.tensor([0.0, 0.02, 0.1])).clamp(0, 1)
    plain = paste_faces(pictures, cast, crops)
    matched = paste_faces(pictures, cast, crops, colour_match="mean and deviation")
    assert (matched - pictures).abs().mean() < (plain - pictures).abs().mean() / 4
    same = paste_faces(pictures, crops.images, crops, colour_match="mean and deviation")
    assert torch.equal(same, pictures)
    # Counted where the mask is: the rest of the crop may be anything.
    mask = torch.zeros(1, 256, 256)
    mask[:, 64:192, 64:192] = 1
    strange = cast.clone()
    strange[:, :40] = torch.tensor([0.0, 1, 0])
    given = {"seam": 0, "colour_match": "mean and deviation", "masks": mask}
    off = paste_faces(pictures, strange, crops, **given) - paste_faces(pictures, cast, crops, **given)
    assert off.abs().max() < 0.02


def test_flat_crops_take_the_colour_and_no_more() -> None:
    flat, weight = torch.full((1, 3, 8, 8), 0.2), torch.ones(1, 1, 8, 8)
    busy = noise(1, 3, 8, 8, seed=2)
    matched = match_colours(flat, busy, weight)
    assert (matched - matched[..., :1, :1]).abs().max() < 1e-5
    dull = busy * 0.02 + 0.5
    contrast = match_colours(dull, busy, weight).std(dim=(2, 3)) / dull.std(dim=(2, 3))
    assert ((contrast > 1.5) & (contrast < 2.5)).all()  # double, and no more
    assert not match_colours(busy, busy, weight * 0).isnan().any()
