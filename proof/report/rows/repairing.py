"""What rows of repaired pictures share: casts of cases, the way to redraw, the node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...training.pictures import SIZE
from ...world.draw import draw
from ...world.people import Person
from ...world.scene import USUAL_SIZE, Figure, Scene
from ..cases import Case
from ..studio import Studio, image, pixels
from .instantid import FILES as INSTANTID
from .instantid import control_net

Picture = NDArray[np.uint8]

#: Recognisers of the people: what InstantID is told, and one that nothing is drawn by.
FIRST, SECOND = "glintr100", "auraface"
FILES = (*INSTANTID, "identitynet", SECOND)

#: From which similarity on a face is right, by each of them. The second gives 60 true faces 0.78 or more,
#: and one in a thousand pairs of others 0.63 (people whom no report shows).
AT_LEAST = {FIRST: "0.47", SECOND: "0.65"}
TRIES = 6
#: Of the latents that are drawn anew. A stranger's head is in the way of another's.
_DENOISE = 0.75
#: Of a face's box, as much on each side as portraits of this world have.
_MARGIN = 0.35
#: In parts of the eyes' distance: IdentityNet is 0.1 off on average, one of the five points more.
_POSE = 0.8
#: What of a crop is drawn and pasted: chin, ears and hair of somebody else are not left around the face.
_REGION, _SEAM = "whole crop", 8
#: That everybody is known by.
_PICTURES = 8
#: The same for everybody: one way to redraw serves all people of a picture, and can't say what each wears.
_PROMPT = "a neutral person"


def cast(studio: Studio, people: Sequence[Case], size: tuple[int, int], anywhere: bool = False) -> Any:
    """CAST of people by their references, from the left, each in their own part of a picture (height,
    width)."""
    height, width = size
    both = [(_name(case), _known(studio, case, by)) for by in (FIRST, SECOND) for case in people]
    known = {f"identity_{n}": identity for n, (_, identity) in enumerate(both)}
    names = ", ".join(name for name, _ in both)
    masks = {}
    for n in range(0 if anywhere else len(people)):
        masks[f"mask_{n}"] = torch.zeros(1, height, width)
        masks[f"mask_{n}"][:, :, n * width // len(people) : (n + 1) * width // len(people)] = 1
    return studio.node("LikenessCast", identities=known, names=names, masks=masks)[0]


def _name(case: Case) -> str:
    return f"person {case.number}"


def _known(studio: Studio, case: Case, recogniser: str) -> Any:
    """IDENTITY of several pictures: by one alone a judge takes some of their true pictures for somebody
    else's."""

    def make() -> Any:
        models = studio.other_models() if recogniser == SECOND else studio.face_models()
        shown = image(case.reference_drawing.picture, *case.more(_PICTURES - 1))
        faces = studio.node("LikenessDetectFaces", face_models=models, image=shown, max_faces=1)[0]
        given = {"face_models": models, "faces": faces, "recogniser": recogniser, "combine": "unit mean"}
        return studio.node("LikenessEmbedFaces", **given)[0]

    return studio.once(f"known {recogniser} {case.number} {case.portrait is None}", make)


def redraw(studio: Studio) -> Any:
    """REDRAW by InstantID with IdentityNet on the SDXL-shaped trunk."""

    def make() -> Any:
        model, clip, vae = studio.checkpoint("sdxl")
        positive, negative = studio.prompts(clip, _PROMPT)
        return studio.node(
            "LikenessRedrawInstantID",
            model=model,
            instantid=studio.loaded("LikenessLoadInstantID", file="instantid"),
            positive=positive,
            negative=negative,
            vae=vae,
            control_net=control_net(studio),
            weight=1.0,
            controlnet_strength=1.0,
            steps=studio.steps,
            cfg=2.5,
            sampler_name="dpmpp_2m",
            scheduler="karras",
            denoise=_DENOISE,
            size=SIZE,
        )[0]

    return studio.once("redraw", make)


def repaired(
    studio: Studio, picture: Picture, people: Any, seed: int, judge: str = SECOND, at_least: str = ""
) -> Picture:
    """By Repair Faces. judge: who judges in the node; the report's judge is a third. at_least: another bar
    than AT_LEAST."""
    return pixels(
        studio.node(
            "LikenessRepairFaces",
            image=image(picture),
            cast=people,
            redraw=redraw(studio),
            face_models=studio.other_models() if judge == SECOND else studio.face_models(),
            recogniser=judge,
            allow_same=judge == FIRST,
            at_least=at_least or AT_LEAST[judge],
            tries=TRIES,
            seed=seed,
            margin=_MARGIN,
            region=_REGION,
            seam=_SEAM,
            max_pose_shift=_POSE,
            max_expression_shift=0.0,
        )[0]
    )


def row_of(people: Sequence[Figure], size: int = SIZE) -> Picture:
    """[size, size * n, 3]: side by side, each of the size of a portrait."""
    count = len(people)
    placed = [
        replace(one, pose=replace(one.pose, shift=((n + 0.5) / count - 0.5, 0.0), size=USUAL_SIZE))
        for n, one in enumerate(people)
    ]
    return draw(Scene(tuple(placed)), (size, size * count)).picture


def instead(figure: Figure, person: Person) -> Figure:
    """Somebody else who looks and stands so."""
    return replace(figure, person=person)
