"""Regions: keypoint pictures and masks of faces."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..likeness import host
from ..likeness.choices.faces import FITS, POINTS, SHAPES, STOP, WITHOUT_FACE
from ..likeness.faces import keypoints, masks, models
from .common import mask_edge_inputs, output, size_inputs
from .faces import FacesType


class FaceKeypoints(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessFaceKeypoints",
            display_name="Draw Face Keypoints",
            category="Likeness/Regions",
            description=(
                "Draws the five points of each face on black, as InstantID's ControlNet wants them, at the "
                "size of the picture to be made."
            ),
            search_aliases=["kps", "face keypoints preprocessor", "instantid keypoints", "face pose"],
            inputs=[
                FacesType.Input("faces", tooltip="The faces whose pose to take."),
                *size_inputs(0, 0, "of the output in pixels; 0: the source's."),
                io.Combo.Input(
                    "fit",
                    options=list(FITS),
                    default="stretch",
                    tooltip="When the shapes differ: stretch the positions (as the InstantID authors do), "
                    "crop to the middle of the source, or pad around it.",
                ),
                io.Combo.Input(
                    "points",
                    options=list(POINTS),
                    default="all",
                    optional=True,
                    tooltip="all: as InstantID knows them. eyes and nose: leave the mouth out, when an "
                    "expression (Apply E-Adapter) decides what it does.",
                ),
                io.Combo.Input(
                    "without_face",
                    options=list(WITHOUT_FACE),
                    default=STOP,
                    optional=True,
                    tooltip="For pictures without a face, which Detect Faces passed through: stop with an "
                    "error that names them, draw black, or draw the points of the last picture again (before "
                    "the first face, the first). The two last ones keep a clip in step.",
                ),
            ],
            outputs=[output(io.Image, "image", "The points, one picture per source picture.")],
        )

    @classmethod
    def execute(
        cls,
        faces: Any,
        width: int = 0,
        height: int = 0,
        fit: str = "stretch",
        points: str = "all",
        without_face: str = STOP,
    ) -> io.NodeOutput:
        drawn = keypoints.keypoint_images(faces, width, height, fit, points, without_face)
        return io.NodeOutput(host.running.to_image(drawn))


class FaceMask(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessFaceMask",
            display_name="Mask Faces",
            category="Likeness/Regions",
            description="Makes a mask of the faces of each picture: their boxes, ellipses or outlines.",
            search_aliases=["face mask", "mask from face", "face region", "face outline", "bbox to mask"],
            inputs=[
                FacesType.Input("faces", tooltip="The faces to mask, all of each picture together."),
                io.Combo.Input(
                    "region",
                    options=list(SHAPES),
                    default="box",
                    tooltip="box: the detector's box. hull: the outline of the face from 468 points. "
                    "ellipse: the ellipse inside the box.",
                ),
                *mask_edge_inputs(),
            ],
            outputs=[
                output(
                    io.Mask,
                    "mask",
                    "One mask per picture. It is empty for a picture without a face; the log says so.",
                )
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, **inputs: Any) -> str:
        return models.bundled_fingerprint()

    @classmethod
    def execute(cls, faces: Any, region: str = "box", grow: int = 0, feather: int = 0) -> io.NodeOutput:
        return io.NodeOutput(host.running.to_image(masks.face_masks(faces, region, grow, feather)))


NODES: list[type[io.ComfyNode]] = [FaceKeypoints, FaceMask]
