"""The picture an E-adapter is shown: a face, upright and alone."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..likeness import host
from ..likeness.choices.emojidiff import SIDE
from ..likeness.choices.faces import ERROR
from ..likeness.expressions import templates
from ..likeness.faces import models
from ..likeness.values import FACES
from .common import output
from .faces import if_no_face_input

_LARGEST = 16384
_NONE_LEFT = "Expression Template: every picture was skipped, since no face was found in any."


def _box_input(name: str, what: str, smallest: int = 0) -> io.Int.Input:
    return io.Int.Input(
        name, default=0, min=smallest, max=_LARGEST, tooltip=f"{what}, in pixels of the picture."
    )


class ExpressionTemplate(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessExpressionTemplate",
            display_name="Expression Template",
            category="Likeness/EmojiDiff",
            description=(
                "Cuts out the face whose expression to take: upright, in the middle of a square, black "
                "around it. For drawings and emoji give its place by hand."
            ),
            search_aliases=["emojidiff", "emoji", "cartoon expression", "face crop", "prepare face"],
            inputs=[
                io.Image.Input(
                    "image",
                    optional=True,
                    tooltip="Pictures with the expression. Alone, the embedded detector looks for the face. "
                    "Not looked at when faces is connected, except for a box.",
                ),
                io.Custom(FACES).Input(
                    "faces",
                    optional=True,
                    tooltip="From Detect or Select Faces; they bring their pictures. The largest of each "
                    "picture is taken.",
                ),
                io.Boolean.Input(
                    "align",
                    default=True,
                    tooltip="Turn the face upright and bring it to one size and place, as adapters are "
                    "trained. Off: the square around it as it stands.",
                ),
                io.Boolean.Input(
                    "mask_outside",
                    default=True,
                    tooltip="Black outside of the face, from the brows to the chin. Of a box: outside of the "
                    "ellipse in it.",
                ),
                io.Int.Input(
                    "size",
                    default=SIDE,
                    min=32,
                    max=1024,
                    step=8,
                    tooltip="Width and height of the template in pixels. CLIP looks at 224.",
                ),
                _box_input("box_x", "For a face that is not found: left edge of a box around it", -_LARGEST),
                _box_input("box_y", "Upper edge of the box", -_LARGEST),
                _box_input("box_width", "Width of the box; 0 for all four: look for a face"),
                _box_input("box_height", "Height of the box"),
                if_no_face_input(),
            ],
            outputs=[
                output(io.Image, "template", "One per picture, for Encode Expression."),
                output(
                    io.Image,
                    "preview",
                    "The pictures with the square (green) and the outline of the face (yellow).",
                ),
                output(io.Boolean, "ok", "True when a face was found in every picture."),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, **inputs: Any) -> str:
        return models.bundled_fingerprint()

    @classmethod
    def execute(
        cls,
        image: Any = None,
        faces: Any = None,
        align: bool = True,
        mask_outside: bool = True,
        size: int = SIDE,
        box_x: int = 0,
        box_y: int = 0,
        box_width: int = 0,
        box_height: int = 0,
        if_no_face: str = ERROR,
    ) -> io.NodeOutput:
        how = templates.How(size, align, mask_outside, (box_x, box_y, box_width, box_height), if_no_face)
        made = templates.make_templates(image, faces, how)
        template = (
            host.running.to_image(made.images) if len(made.images) else host.running.blocked(_NONE_LEFT)
        )
        return io.NodeOutput(template, host.running.to_image(made.preview), made.ok)


NODES: list[type[io.ComfyNode]] = [ExpressionTemplate]
