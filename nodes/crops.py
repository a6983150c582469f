"""Crops: faces cut out of their pictures, and put back."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..likeness import host
from ..likeness.choices.faces import ALIGNS, COLOUR_MATCHES, ERROR, NO_MATCH, UPRIGHT
from ..likeness.faces import crops as cutting
from ..likeness.faces import models, paste, policy
from ..likeness.values import CROPS
from .common import output
from .faces import FacesType, if_no_face_input

CropsType = io.Custom(CROPS)


class CropFaces(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessCropFaces",
            display_name="Crop Faces",
            category="Likeness/Regions",
            description=(
                "Cuts every face out of its picture, upright and all in one size, to be drawn again at the "
                "size a model is good at. Paste Faces puts them back."
            ),
            search_aliases=[
                "face crop",
                "face detailer",
                "align face",
                "ffhq",
                "crop and stitch",
                "face fix",
            ],
            inputs=[
                FacesType.Input("faces", tooltip="The faces to cut out, of every picture of the batch."),
                io.Int.Input(
                    "size",
                    default=512,
                    min=64,
                    max=4096,
                    step=8,
                    tooltip="Width and height of a crop in pixels: 512 for SD1.5, 1016 for SDXL.",
                ),
                io.Float.Input(
                    "margin",
                    default=0.5,
                    min=0.0,
                    max=4.0,
                    step=0.05,
                    tooltip="How much of the surroundings to take on each side, in parts of the face's size. "
                    "ffhq has its own.",
                ),
                io.Combo.Input(
                    "align",
                    options=list(ALIGNS),
                    default=UPRIGHT,
                    tooltip="upright: turned so that the eyes are level. straight: not turned. ffhq: in the "
                    "frame of the FFHQ photos, for models trained on those.",
                ),
                if_no_face_input(),
            ],
            outputs=[
                output(io.Image, "crops", "One picture per face."),
                output(io.Mask, "masks", "Where the face is in each crop, with a soft edge."),
                output(CropsType, "crops_info", "For Paste Faces."),
                output(
                    FacesType,
                    "faces",
                    "The faces as they lie in the crops: for keypoints, masks or an identity "
                    "without a second look.",
                ),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, **inputs: Any) -> str:
        return models.bundled_fingerprint()

    @classmethod
    def execute(
        cls,
        faces: Any,
        size: int = 512,
        margin: float = 0.5,
        align: str = UPRIGHT,
        if_no_face: str = ERROR,
    ) -> io.NodeOutput:
        advice = "Choose other faces or pictures, or set if_no_face to skip or pass through."
        faces = policy.apply_policy(faces, if_no_face, advice)
        crops, inside = cutting.crop_faces(faces, size, margin, align)
        masks = cutting.crop_masks(inside, margin, align)
        return io.NodeOutput(host.running.to_image(crops.images), host.running.to_image(masks), crops, inside)


class PasteFaces(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessPasteFaces",
            display_name="Paste Faces",
            category="Likeness/Regions",
            description=(
                "Puts edited crops back into their pictures, turned and scaled as they were, without a seam. "
                "What was not edited stays exactly as it was."
            ),
            search_aliases=[
                "uncrop face",
                "face detailer",
                "stitch",
                "composite face",
                "paste back",
                "inverse",
            ],
            inputs=[
                io.Image.Input("image", tooltip="The pictures the faces were found in."),
                io.Image.Input(
                    "crops",
                    tooltip="The edited crops, one for each that was cut, in the same order. They may be "
                    "larger or smaller by now.",
                ),
                CropsType.Input("crops_info", tooltip="From Crop Faces: where they belong."),
                io.Int.Input(
                    "seam",
                    default=32,
                    min=0,
                    max=1024,
                    tooltip="How far a crop fades into the picture, inwards from its border, in pixels of "
                    "the size it was cut at. The edge of a mask softens by as much.",
                ),
                io.Combo.Input(
                    "colour_match",
                    options=list(COLOUR_MATCHES),
                    default=NO_MATCH,
                    tooltip="mean and deviation: give each crop the colours and contrast it had before, so "
                    "that a model's cast does not show.",
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="What of the crops to paste, in their frame: one mask each, or one for all. "
                    "Without it the whole square.",
                ),
            ],
            outputs=[output(io.Image, "image", "The pictures with the faces in place.")],
        )

    @classmethod
    def execute(
        cls,
        image: Any,
        crops: Any,
        crops_info: Any,
        seam: int = 32,
        colour_match: str = NO_MATCH,
        mask: Any = None,
    ) -> io.NodeOutput:
        return io.NodeOutput(
            host.running.to_image(paste.paste_faces(image, crops, crops_info, seam, colour_match, mask))
        )


NODES: list[type[io.ComfyNode]] = [CropFaces, PasteFaces]
