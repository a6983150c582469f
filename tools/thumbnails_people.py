"""The thumbnails of who is who: two people, really told apart."""

from __future__ import annotations

import torch

from likeness.cast import Cast, Member, assign
from likeness.cast.show import draw_people, masks_of
from likeness.faces.choose import select
from likeness.faces.detect import detect
from likeness.faces.embed import embed, identify
from likeness.faces.models import FaceModels

from .drawn_world import instead, of_person, result
from .thumbnail_card import DIM, Card, around_face


def cast(models: FaceModels, image: torch.Tensor) -> None:
    """The photo and a person of the drawn world; then both in one picture, the photo as in a mirror."""
    drawn, person = of_person(image, "truth")
    other, card = instead(result("truth", 2), "truth_2", image), Card()
    card.text((256, 34), "who is who, and a mask for each", 24)
    people = {"anna": image, "ben": person}
    members = [
        Member(name, {"sface": identify(models, select(detect(models, one)), "sface", "mean")})
        for name, one in people.items()
    ]
    both = torch.cat([image.flip(2), other], dim=2)
    faces = embed(models, detect(models, both), "sface")
    found = assign(faces, Cast(tuple(members)), "sface", 0.4)
    for i, (name, one) in enumerate(people.items()):
        card.panel(around_face(one), (24, 76 + i * 146, 134, 186 + i * 146), name)
    card.arrow(150, 190)
    card.panel(draw_people(faces, found), (216, 60, 496, 200))
    for i, mask in enumerate(masks_of(faces, found, "ellipse", 8, 8)):
        left = 216 + i * 144
        card.panel(mask[..., None].expand(-1, -1, -1, 3), (left, 240, left + 136, 308), list(people)[i])
    if drawn is not None:
        card.text((356, 356), "ben is of the drawn world", 14, DIM)
    card.save("cast_two_people")
