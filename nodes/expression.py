"""Expressions: read one off a face, change it by hand."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..likeness.choices.expressions import NONE, PRESETS, SLIDERS, list_files
from ..likeness.expressions import edit, files, read
from ..likeness.faces import models
from ..likeness.values import EXPRESSION, FACES
from .common import output

ExpressionType = io.Custom(EXPRESSION)


class ReadExpression(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessReadExpression",
            display_name="Read Expression",
            category="Likeness/Expression",
            description=(
                "Measures what a face is doing (mouth, eyelids, jaw, the rest of its expression) without who "
                "it is. Reads the largest face of the first picture that has one."
            ),
            search_aliases=["smirk", "flame", "facial expression", "emotion", "expression encoder"],
            inputs=[
                io.Image.Input(
                    "image",
                    optional=True,
                    tooltip="The picture face_landmarks belongs to. Alone, the embedded detector looks for "
                    "the face in its first picture. Not looked at when only faces is connected with it.",
                ),
                io.Custom(FACES).Input(
                    "faces",
                    optional=True,
                    tooltip="From Detect or Select Faces; they bring their picture. The largest face of the "
                    "first picture with one is read.",
                ),
                io.Custom("FACE_LANDMARKS").Input(
                    "face_landmarks",
                    optional=True,
                    tooltip="From the host's MediaPipe Face Landmarker, with image. Used before faces: the "
                    "authors took MediaPipe's landmarks. The largest face of the first picture with one is "
                    "read.",
                ),
                io.Combo.Input(
                    "encoder",
                    options=list_files(),
                    tooltip="A file of models/smirk: SMIRK_em1.pt of the SMIRK project. Runs on the CPU.",
                ),
            ],
            outputs=[output(ExpressionType, "expression", "The 55 FLAME parameters read.")],
        )

    @classmethod
    def fingerprint_inputs(cls, encoder: str | None = None, **inputs: Any) -> str:
        return f"{files.fingerprint(encoder)}; {models.bundled_fingerprint()}"

    @classmethod
    def validate_inputs(cls, encoder: str | None) -> bool:
        # A missing file is explained in execute, with the folders that were searched.
        return True

    @classmethod
    def execute(
        cls, encoder: str, image: Any = None, faces: Any = None, face_landmarks: Any = None
    ) -> io.NodeOutput:
        return io.NodeOutput(read.read_expression(files.load(encoder), faces, image, face_landmarks))


class EditExpression(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessEditExpression",
            display_name="Edit Expression",
            category="Likeness/Expression",
            description=(
                "Changes an expression, or makes one from nothing: towards a preset first, then by the "
                "sliders. Presets move jaw and eyelids only; read a smile or a frown off a photo."
            ),
            search_aliases=["expression editor", "expression preset", "flame", "wink", "open mouth", "blink"],
            inputs=[
                ExpressionType.Input(
                    "expression",
                    optional=True,
                    tooltip="Where to start, from Read Expression. Without it: the neutral face.",
                ),
                io.Combo.Input(
                    "preset",
                    options=[NONE, *PRESETS],
                    default=NONE,
                    tooltip="The expression to go to. Made of jaw and eyelids only, whose meaning is known; "
                    "amounts were not tried with real weights. Left and right are the person's own.",
                ),
                io.Float.Input(
                    "preset_strength",
                    default=1.0,
                    min=-1.0,
                    max=2.0,
                    step=0.05,
                    tooltip="How far to go: 0 stays, 1 arrives, more overshoots. Negative goes away from the "
                    "preset: with neutral, -0.5 exaggerates the input by half.",
                ),
                *(
                    io.Float.Input(
                        name,
                        default=0.0,
                        min=-slider.reach,
                        max=slider.reach,
                        step=slider.step,
                        tooltip=slider.text,
                    )
                    for name, slider in SLIDERS.items()
                ),
                io.Float.Input(
                    "mix",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="How much of all changes to apply: 0 gives the input back, 1 the edited one.",
                ),
            ],
            outputs=[output(ExpressionType, "expression", "The changed expression.")],
        )

    @classmethod
    def execute(
        cls,
        expression: Any = None,
        preset: str = NONE,
        preset_strength: float = 1.0,
        mix: float = 1.0,
        **sliders: float,
    ) -> io.NodeOutput:
        return io.NodeOutput(edit.edit_expression(expression, preset, preset_strength, sliders, mix))


NODES: list[type[io.ComfyNode]] = [ReadExpression, EditExpression]
