"""People in photos, by the embedded networks, as values of the loaded pack."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from support.tiny_faces import fitted


@pytest.fixture(scope="module")
def people(pack: Any, models: Any, photos: dict[str, np.ndarray]) -> SimpleNamespace:
    """Photos as pictures, casts of the people in them, and crops as somebody would draw them."""
    values, cast = pack.module("likeness.values"), pack.module("likeness.cast")
    detect, crop_faces = (
        pack.module("likeness.faces.detect").detect,
        pack.module("likeness.faces.crops").crop_faces,
    )

    def face_of(name: str) -> Any:
        photo = fitted(photos[name])
        return values.Faces(photo, (detect(models, photo).faces[0][:1],))

    def member(called: str, name: str, place: Any = None, drawn_by: str = "glintr100") -> Any:
        faces = face_of(name)
        sface = pack.module("likeness.faces.embed").identify(models, faces, "sface", "mean")
        vector = torch.randn(1, 512, generator=torch.Generator().manual_seed(len(called)))
        both = {"sface": sface, drawn_by: values.Identity(vector, drawn_by)}
        return cast.Member(called, {k: v for k, v in both.items() if k}, place)

    def crop(name: str, size: int = 128) -> torch.Tensor:
        return crop_faces(face_of(name), size)[0].images

    return SimpleNamespace(
        member=member,
        cast=lambda *members: cast.Cast(members),
        crop=crop,
        picture=lambda *names: torch.cat(list(fitted(*(photos[name] for name in names)).split(1)), dim=2),
        batch=lambda *names: fitted(*(photos[name] for name in names)),
    )
