"""Finding a face and describing it, with the embedded models on a real photo."""

from __future__ import annotations

import numpy as np
import torch

from benchmarks.run import best_of
from likeness.faces.detect import detect
from likeness.faces.embed import identify
from likeness.faces.models import FaceModels


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
    ]
