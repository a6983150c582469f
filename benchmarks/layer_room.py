"""What a layer scan draws with, out of files."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, eq=False)
class Room:
    """Everything that a drawing takes. template: the face with the expression; faces: finds and recognises;
    landmarker: reads blendshapes; without, ratios of the mesh are compared."""

    model: Any
    vae: Any
    positive: Any
    negative: Any
    vision: Any
    adapter: Any
    tokens: Any
    template: Any
    faces: Any
    landmarker: Any = None


@dataclass(frozen=True)
class How:
    """seeds: as many pictures per layer, over which is averaged."""

    seeds: int = 4
    width: int = 512
    height: int = 512
    steps: int = 30
    cfg: float = 5.0
    weight: float = 1.0
    start: int = 0


def open_room(options: argparse.Namespace) -> Room:
    """From files. Raises ValueError for what does not fit, OSError for what is not there."""
    import comfy.clip_vision
    import comfy.sd
    import numpy
    import torch

    from installer.paths import shared_models
    from likeness.expressions.templates import How as Cut
    from likeness.expressions.templates import make_templates
    from likeness.faces.detect import detect
    from likeness.faces.models import FaceModels
    from likeness.faces.pictures import open_picture
    from likeness.methods.emojidiff.adapter import encode, parse
    from likeness.weights.read import read_weights

    model, clip, vae, _ = comfy.sd.load_checkpoint_guess_config(options.checkpoint)
    vision = comfy.clip_vision.load(options.clip_vision)
    adapter = parse(*read_weights(options.eadapter), name=os.path.basename(options.eadapter))
    pixels = torch.from_numpy(numpy.array(open_picture(Path(options.template)))).float()[None] / 255
    tokens = encode(adapter, vision, make_templates(pixels, None, Cut()).images)
    prompts = [
        clip.encode_from_tokens_scheduled(clip.tokenize(t)) for t in (options.prompt, options.negative)
    ]
    faces = FaceModels.open("embedded", "CPU", [shared_models() / "insightface"])
    landmarker = None
    if options.landmarker:
        import comfy.utils
        from comfy_extras.nodes_mediapipe import FaceLandmarkerModel

        landmarker = FaceLandmarkerModel(comfy.utils.load_torch_file(options.landmarker, safe_load=True))
    return Room(model, vae, *prompts, vision, adapter, tokens, detect(faces, pixels), faces, landmarker)
