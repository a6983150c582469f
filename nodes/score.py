"""How like a person the pictures are, and the best of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from comfy_api.latest import io

from ..likeness import host
from ..likeness.algebra import score, score_sheet
from ..likeness.choices.faces import ERROR, IF_NO_FACE
from ..likeness.choices.people import MOST_SIMILAR, OTHER, WHICH
from ..likeness.values import FACE_MODELS, IDENTITY
from .common import (
    PAGE,
    at_least_input,
    calibration,
    calibration_fingerprint,
    for_the_page,
    output,
    recogniser_names,
)


def judge_input(tooltip: str) -> io.Combo.Input:
    return io.Combo.Input("recogniser", options=[OTHER, *recogniser_names()], default=OTHER, tooltip=tooltip)


def keep_input(which: str) -> io.Int.Input:
    return io.Int.Input(
        "keep",
        default=1,
        min=1,
        max=4096,
        tooltip=f"How many of the {which} pictures come out in best, the {which} first.",
    )


def faceless_input(more: str = "") -> io.Combo.Input:
    return io.Combo.Input(
        "if_no_face",
        options=list(IF_NO_FACE),
        default=ERROR,
        tooltip="Pictures without a face: stop with an error that names them, skip them (never kept), or "
        f"pass them through (behind all others).{more}",
    )


def best_of(image: Any, kept: Sequence[int]) -> tuple[Any, str]:
    """The outputs best and indices."""
    return host.running.to_image(image[list(kept)]), ",".join(str(place) for place in kept)


class ScoreFaces(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessScoreFaces",
            display_name="Score Faces",
            category="Likeness/Identity",
            description="Says how like a person each picture of a batch is, and keeps the best. If it can, "
            "it asks another recogniser than the one that made the identity.",
            search_aliases=["face similarity", "likeness score", "best of", "keep best", "filter", "rank"],
            hidden=list(PAGE),
            inputs=[
                io.Image.Input("image", tooltip="The pictures to score, such as a batch that was drawn."),
                io.Custom(IDENTITY).Input(
                    "identity", tooltip="Who they should show: the identity they were made with."
                ),
                io.Custom(FACE_MODELS).Input(
                    "face_models",
                    tooltip="Finds and judges the faces. Take another pack than the one that made the "
                    "identity: embedded for glintr100 and arc2face.",
                ),
                io.Image.Input(
                    "reference",
                    optional=True,
                    tooltip="One or more photos of the person, for a recogniser that did not make the "
                    "identity. The largest face of each counts.",
                ),
                judge_input(
                    "Who judges. The identity's own recogniser flatters pictures made with that "
                    "identity. It is asked only if there is no other, and the table says so."
                ),
                keep_input("best"),
                io.Combo.Input(
                    "face",
                    options=list(WHICH),
                    default=MOST_SIMILAR,
                    tooltip="Which face of a picture counts: the one most similar to the person, or the "
                    "largest.",
                ),
                faceless_input(" The table names them."),
                at_least_input("", "For passed and rejected; nothing: no bar."),
                io.Image.Input(
                    "truth",
                    optional=True,
                    tooltip="One or more other photos of the person, which nobody drew from. With them the "
                    "table says whether a picture shows the person or copies the reference.",
                ),
            ],
            outputs=[
                output(
                    io.Float,
                    "similarity",
                    "Of the best picture: 1 is the same, about 0 has nothing in common, -1 stands "
                    "for no face at all.",
                ),
                output(io.String, "table", "Who judged, what it means, and every picture."),
                output(io.Image, "best", "The best pictures, the best first."),
                output(
                    io.Image,
                    "scores",
                    "All pictures with their scores as a heat map: white is 0, orange 1, blue -1.",
                ),
                output(
                    io.String, "indices", "Places of the best pictures in the batch, counted from 0: 3,0,2."
                ),
                output(io.Boolean, "found", "True when any picture has a face."),
                output(
                    io.Boolean,
                    "passed",
                    "True when the best picture reaches at_least; without a bar, when there is any face.",
                ),
                output(
                    io.Image,
                    "rejected",
                    "The pictures below at_least and those without a face, in the order of the batch. If "
                    "there are none, what is connected here doesn't run.",
                ),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, **inputs: Any) -> str:
        return calibration_fingerprint()

    @classmethod
    def execute(
        cls,
        image: Any,
        identity: Any,
        face_models: Any,
        reference: Any = None,
        recogniser: str = OTHER,
        keep: int = 1,
        face: str = MOST_SIMILAR,
        if_no_face: str = ERROR,
        at_least: str = "",
        truth: Any = None,
    ) -> io.NodeOutput:
        how, known = (recogniser, keep, face, if_no_face, at_least, truth), calibration()
        scores = score.score_faces(face_models, image, identity, reference, *how, known)
        best, indices = best_of(image, scores.kept)
        heat = host.running.to_image(score_sheet.draw_sheet(scores))
        sheet, found = score_sheet.sheet(scores, known), scores.found.count > 0
        table, shown = sheet.text(), for_the_page(cls, lambda: {"likeness_table": [sheet.told()]})
        below = image[list(scores.rejected)] if scores.rejected else None
        rejected = host.running.blocked(None) if below is None else host.running.to_image(below)
        given = (scores.similarity, table, best, heat, indices, found, scores.passed, rejected)
        return io.NodeOutput(*given, ui=shown)


NODES: list[type[io.ComfyNode]] = [ScoreFaces]
