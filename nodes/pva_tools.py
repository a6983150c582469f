"""PVA: the holes it fills, and saving its method."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io, ui

from ..likeness import host
from ..likeness.choices.pva import CONTENTS, EVERYTHING, HOLES, PRECISIONS, WHOLE_FACE
from ..likeness.faces import holes, models
from ..likeness.methods import pva as method
from ..likeness.values import FACES, PVA
from .common import output, seed_input


class PVAMask(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessPVAMask",
            display_name="Mask for PVA",
            category="Likeness/PVA",
            description=(
                "Makes the hole to fill: the lower face, eyes and brows, the whole face, brush strokes, or a "
                "mask of your own, with its edges where PVA expects them."
            ),
            search_aliases=["inpaint mask", "face box mask", "eyes mask", "free-form mask", "pva hole"],
            inputs=[
                io.Image.Input("image", tooltip="The picture to fill, at the size it will be drawn."),
                io.Combo.Input(
                    "region",
                    options=list(HOLES),
                    default=WHOLE_FACE,
                    tooltip="Boxes around parts of the face as PVA was trained with, brush strokes at "
                    "random, or only the mask that is connected.",
                ),
                io.Boolean.Input(
                    "official_box_quirk",
                    default=False,
                    tooltip="The authors' code swaps the two sides of each box. On: so does this; for "
                    "comparing with their figures.",
                ),
                seed_input("Of the brush strokes, and of nothing else."),
                io.Int.Input(
                    "feather",
                    default=16,
                    min=0,
                    max=256,
                    tooltip="How many pixels around the hole the blend fades over.",
                ),
                io.Custom(FACES).Input(
                    "faces",
                    optional=True,
                    tooltip="Whose face, from Detect or Select Faces on this image. Without: the largest.",
                ),
                io.Mask.Input("mask", optional=True, tooltip="A mask of your own, added to the region."),
            ],
            outputs=[
                output(io.Mask, "mask", "The hole, for Inpaint Model Conditioning with noise_mask off."),
                output(
                    io.Mask,
                    "blend",
                    "For Image Composite Masked: what to show of the drawn picture over this one.",
                ),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, **inputs: Any) -> str:
        return models.bundled_fingerprint()

    @classmethod
    def execute(
        cls,
        image: Any,
        region: str = WHOLE_FACE,
        official_box_quirk: bool = False,
        seed: int = 0,
        feather: int = 16,
        faces: Any = None,
        mask: Any = None,
    ) -> io.NodeOutput:
        hole = holes.holes(image, region, official_box_quirk, seed, faces, mask)
        return io.NodeOutput(host.running.to_image(hole), host.running.to_image(holes.blend(hole, feather)))


class SavePVA(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessSavePVA",
            display_name="Save PVA",
            category="Likeness/PVA",
            description="Writes PVA, or one person's layer of it, to models/pva under the next free number.",
            search_aliases=["pva to safetensors", "export pva", "convert FPIP", "save person"],
            inputs=[
                io.Custom(PVA).Input("pva", tooltip="What to save."),
                io.String.Input(
                    "filename_prefix",
                    default="pva",
                    tooltip="Name of the file before its number; folder/name makes a folder.",
                ),
                io.Combo.Input(
                    "content",
                    options=list(CONTENTS),
                    default=EVERYTHING,
                    tooltip="everything: a whole file, with the person's layer in it if there is one. "
                    "person: that layer alone, for person_file of Load PVA.",
                ),
                io.Combo.Input(
                    "precision",
                    options=list(PRECISIONS),
                    default="as it is",
                    tooltip="float16 halves a file of float32.",
                ),
            ],
            outputs=[],
            is_output_node=True,
        )

    @classmethod
    def execute(
        cls,
        pva: Any,
        filename_prefix: str = "pva",
        content: str = EVERYTHING,
        precision: str = "as it is",
    ) -> io.NodeOutput:
        path = method.save(pva, filename_prefix, content, precision)
        return io.NodeOutput(ui=ui.PreviewText(f"Saved {path}"))


NODES: list[type[io.ComfyNode]] = [PVAMask, SavePVA]
