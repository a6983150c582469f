"""How well pictures keep an expression, beside how well they keep the person."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..likeness.algebra import score as likeness
from ..likeness.choices.expressions import NOBODY
from ..likeness.choices.faces import ERROR
from ..likeness.choices.people import OTHER
from ..likeness.expressions import score
from ..likeness.faces import models
from ..likeness.values import FACE_MODELS, FACES, IDENTITY
from .common import output
from .score import best_of, faceless_input, judge_input, keep_input


class ScoreExpression(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessScoreExpression",
            display_name="Score Expression",
            category="Likeness/Expression",
            description="Says how far the expression of each picture of a batch is from that of a template, "
            "and how like the person it still is. Keeps the nearest.",
            search_aliases=["expression distance", "blendshapes", "expression metrics", "emotion", "best of"],
            inputs=[
                io.Image.Input("image", tooltip="The pictures to score, such as a batch that was drawn."),
                io.Custom(FACE_MODELS).Input(
                    "face_models", tooltip="Finds the faces and judges who they are."
                ),
                io.Image.Input(
                    "template",
                    optional=True,
                    tooltip="The expression they should show: one picture for all, or one for each. The "
                    "largest face counts.",
                ),
                io.Custom(FACES).Input(
                    "template_faces",
                    optional=True,
                    tooltip="In the place of template: faces already chosen, one picture for all or one "
                    "for each.",
                ),
                io.Custom(IDENTITY).Input(
                    "identity",
                    optional=True,
                    tooltip="Who they should show. Without it only the expression is scored.",
                ),
                io.Image.Input(
                    "reference",
                    optional=True,
                    tooltip="One or more photos of the person, for a recogniser that did not make the "
                    "identity.",
                ),
                io.Custom("FACE_DETECTION_MODEL").Input(
                    "landmarker",
                    optional=True,
                    tooltip="From the host's Load Face Detection Model (MediaPipe): then 52 blendshapes are "
                    "compared, as the papers do. Without it five proportions of the embedded mesh are.",
                ),
                judge_input(
                    "Who judges the likeness. The identity's own recogniser flatters pictures made "
                    "with that identity."
                ),
                keep_input("nearest"),
                io.Float.Input(
                    "min_similarity",
                    default=NOBODY,
                    min=-1.0,
                    max=1.0,
                    step=0.01,
                    tooltip="Pictures less like the person than this come behind all others, however near "
                    "their expression. -1 takes the expression alone.",
                ),
                faceless_input(),
            ],
            outputs=[
                output(
                    io.Float,
                    "distance",
                    "Of the nearest picture: 0 is the same expression, -1 stands for no face at all.",
                ),
                output(
                    io.Float,
                    "similarity",
                    "How like the person that picture is (cosine); -1 without an identity.",
                ),
                output(io.String, "table", "Which measure was used, who judged, and every picture."),
                output(io.Image, "best", "The nearest pictures, nearest first."),
                output(io.String, "indices", "Their places in the batch, counted from 0: 3,0,2."),
                output(io.Boolean, "found", "True when any picture has a face."),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, **inputs: Any) -> str:
        return models.bundled_fingerprint()

    @classmethod
    def execute(
        cls,
        image: Any,
        face_models: Any,
        template: Any = None,
        template_faces: Any = None,
        identity: Any = None,
        reference: Any = None,
        landmarker: Any = None,
        recogniser: str = OTHER,
        keep: int = 1,
        min_similarity: float = NOBODY,
        if_no_face: str = ERROR,
    ) -> io.NodeOutput:
        judged = None
        if identity is not None:
            judged = likeness.score_faces(
                face_models, image, identity, reference, recogniser, if_no_face=if_no_face
            )
        wanted = template_faces if template_faces is not None else template
        scores = score.score_expressions(
            face_models, image, wanted, landmarker, judged, keep, min_similarity, if_no_face
        )
        table = score.write_table(scores, judged.judge.says if judged else "")
        best, indices = best_of(image, scores.kept)
        found = scores.best is not None
        return io.NodeOutput(scores.distance, scores.similarity, table, best, indices, found)


NODES: list[type[io.ComfyNode]] = [ScoreExpression]
