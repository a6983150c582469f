"""Finding a face, describing it, masking it, cutting it out and putting it back: a real photo."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch

from benchmarks.measure import best_of
from likeness.faces.crops import crop_faces
from likeness.faces.detect import detect
from likeness.faces.embed import identify
from likeness.faces.masks import REGIONS, face_masks
from likeness.faces.models import FaceModels
from likeness.faces.paste import paste_faces
from likeness.faces.selection import Wanted, select_faces
from likeness.values import Face, Faces


def rows() -> list[tuple[str, str]]:
    import skimage.data

    from installer.paths import shared_models

    photo = torch.from_numpy(skimage.data.astronaut().astype(np.float32) / 255)[None]
    models = FaceModels.open("embedded", "CPU", folders=[shared_models() / "insightface"])
    found = detect(models, photo)
    seconds = best_of(10, lambda: detect(models, photo), lambda: identify(models, found, "sface", "mean"))
    return [
        ("detecting the face of a 512x512 photo (embedded pack)", f"{seconds[0] * 1e3:.0f} ms"),
        ("embedding one face (SFace)", f"{seconds[1] * 1e3:.0f} ms"),
        *batch_rows(models, photo),
        *mask_rows(),
        *crop_rows(),
    ]


def batch_rows(models: FaceModels, photo: torch.Tensor, pictures: int = 16) -> list[tuple[str, str]]:
    """A clip of the photo: choosing the person in every picture, for the first time and once more."""
    clip = torch.cat([photo.roll(-2 * step, dims=2) for step in range(pictures)])
    found = detect(models, clip)
    who = identify(models, found.with_faces([found.faces[0], *[()] * (pictures - 1)]), "sface", "mean")
    wanted = Wanted(who, models)
    known = select_faces(found, "most similar", "0", wanted).faces
    assert known.count == pictures
    seconds = best_of(
        3,
        lambda: detect(models, clip),
        lambda: select_faces(found, "most similar", "0", wanted),
        lambda: select_faces(known, "most similar", "0", wanted),
    )
    each = [second / pictures * 1e3 for second in seconds]
    return [
        (f"detecting and embedding {pictures} pictures, each", f"{each[0]:.0f} + {each[1]:.0f} ms"),
        ("selecting the person again, faces described, each", f"{each[2]:.2f} ms"),
    ]


def crowd(pictures: int) -> Faces:
    """1080p pictures with two faces each, 400 and 300 pixels high, tilted; with an outline of 36 points."""
    turn = torch.arange(36) * (2 * torch.pi / 36)

    def face(x: float, y: float, radius: float) -> Face:
        outline = torch.stack([x + 0.8 * radius * turn.cos(), y + radius * turn.sin()], dim=1)
        points = torch.tensor([[-0.3, -0.3], [0.3, -0.2], [0, 0.1], [-0.3, 0.5], [0.25, 0.55]]) * radius
        box = torch.tensor([x - 0.8 * radius, y - radius, x + 0.8 * radius, y + radius])
        return Face(box, points + torch.tensor([x, y]), 1.0, outline)

    images = torch.rand(pictures, 1080, 1920, 3, generator=torch.Generator().manual_seed(0))
    return Faces(images, ((face(600, 500, 200), face(1300, 520, 150)),) * pictures)


def mask_rows() -> list[tuple[str, str]]:
    faces = crowd(8)
    wanted = [*((region, 0) for region in REGIONS), ("hull", 16), ("hull", 64)]
    seconds = best_of(3, *(partial(face_masks, faces, region, 10, feather) for region, feather in wanted))
    what = "masking two faces in 1080p, a picture of a batch of 8"
    return [
        (f"{what}: {region}, feather {feather}", f"{taken / 8 * 1e3:.0f} ms")
        for (region, feather), taken in zip(wanted, seconds, strict=True)
    ]


def crop_rows() -> list[tuple[str, str]]:
    faces, rows = crowd(1), []
    for size in (512, 1016):
        crops, _ = crop_faces(faces, size)
        paste = partial(paste_faces, faces.images, 1 - crops.images, crops)
        seconds = best_of(3, partial(crop_faces, faces, size), paste)
        for what, taken in zip(("cropping", "pasting back"), seconds, strict=True):
            rows.append((f"{what} two faces of a 1080p picture at {size} x {size}", f"{taken * 1e3:.0f} ms"))
    return rows
