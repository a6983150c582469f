"""Arc2Face: the face alone as prompt, with an expression, a reference picture, a pose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...training.pictures import SIZE
from ...world.draw import draw
from ..cases import Case
from ..studio import Studio, image
from .row import FEW, Draw, Row

#: MODEL, positive, negative.
Changed = tuple[Any, Any, Any]
FILES = ("arc2face", "arc2face_encoder", "vae", "arcface")


def loaded(studio: Studio) -> tuple[Any, Any, Any]:
    """MODEL, CLIP, VAE."""
    files = {"unet_file": studio.file("arc2face"), "encoder_file": studio.file("arc2face_encoder")}
    model, clip = studio.once("arc2face", lambda: studio.node("LikenessLoadArc2Face", **files))[:2]
    vae = studio.once("vae", lambda: studio.node("VAELoader", vae_name=studio.file("vae"))[0])
    return model, clip, vae


def _plain(studio: Studio, case: Case, model: Any, vae: Any, positive: Any, negative: Any) -> Changed:
    return model, positive, negative


def _expression(studio: Studio, case: Case, model: Any, vae: Any, positive: Any, negative: Any) -> Changed:
    """The truth's, as the reader of expressions sees it."""
    shown = image(case.truth_drawing.picture)
    read = studio.node("LikenessReadExpression", encoder=studio.file("smirk"), image=shown)[0]
    adapter = studio.loaded("LikenessLoadExpressionAdapter", file="arc2face_expression")
    given = {"model": model, "expression_adapter": adapter, "expression": read, "weight": 1.0}
    return studio.node("LikenessApplyExpression", **given)[0], positive, negative


def _reference(studio: Studio, case: Case, model: Any, vae: Any, positive: Any, negative: Any) -> Changed:
    """Hair, clothes and background of the truth, worn by somebody else."""
    given = {"model": model, "vae": vae, "positive": positive}
    given |= {"image": image(draw(case.stranger, SIZE).picture), "lora": studio.file("arc2face_reference")}
    return studio.node("LikenessApplyReference", **given, weight=1.0)[0], positive, negative


def _pose(studio: Studio, case: Case, model: Any, vae: Any, positive: Any, negative: Any) -> Changed:
    net = studio.once(
        "arc2face pose",
        lambda: studio.node("ControlNetLoader", control_net_name=studio.file("arc2face_pose"))[0],
    )
    points = studio.keypoints(case.truth_drawing.picture)
    both = studio.node(
        "ControlNetApplyAdvanced",
        positive=positive,
        negative=negative,
        control_net=net,
        image=points,
        strength=1.0,
        start_percent=0.0,
        end_percent=1.0,
    )
    return model, both[0], both[1]


def arc2face(change: Callable[..., Changed]) -> Callable[[Studio], Draw]:
    def begin(studio: Studio) -> Draw:
        model, clip, vae = loaded(studio)

        def drawn(cases: Sequence[Case]) -> NDArray[np.uint8]:
            known = [studio.identity(case.reference_drawing.picture, "arc2face") for case in cases]
            # Several embeddings are several prompts, one for each picture.
            identity = replace(known[0], embeddings=torch.cat([one.embeddings for one in known]))
            positive, negative = studio.node("LikenessEncodeArc2Face", clip=clip, identity=identity)[:2]
            changed = change(studio, cases[0], model, vae, positive, negative)
            return studio.pictures(vae, studio.sample(*changed, *(case.draw_seed for case in cases)))

        return drawn

    return begin


ROWS = (
    Row("arc2face", "Arc2Face", "the face is the prompt", arc2face(_plain), files=FILES, at_once=FEW),
    Row(
        "arc2face_expression",
        "Arc2Face, expression",
        "with the truth's expression, read by the SMIRK-type reader",
        arc2face(_expression),
        files=(*FILES, "smirk", "arc2face_expression"),
    ),
    Row(
        "arc2face_reference",
        "Arc2Face, reference",
        "looking at somebody else who is dressed as the truth",
        arc2face(_reference),
        files=(*FILES, "arc2face_reference"),
    ),
    Row(
        "arc2face_pose",
        "Arc2Face, pose",
        "with a ControlNet and the five points of the truth",
        arc2face(_pose),
        files=(*FILES, "arc2face_pose"),
        poses=True,
    ),
)
