"""Keypoints placed by hand. The picture to drag them on is in web/js/edit_keypoints.js."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io, ui

from ..likeness.faces import edit_keypoints as keypoints_by_hand
from .common import output, size_inputs
from .faces import FacesType


class EditKeypoints(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessEditKeypoints",
            display_name="Edit Keypoints",
            category="Likeness/Regions",
            description=(
                "Moves the five points of faces, or places new ones: drag them over the picture in the "
                "node. Run it once to see the picture and the points that were found."
            ),
            search_aliases=["move keypoints", "pose face", "drag landmarks", "kps editor", "place face"],
            is_output_node=True,  # so that it can be run alone, to get the picture, before the rest
            inputs=[
                FacesType.Input(
                    "faces",
                    optional=True,
                    tooltip="The faces whose points to move, from Detect Faces or Select Faces.",
                ),
                io.Image.Input(
                    "image",
                    optional=True,
                    tooltip="A picture to place new faces on, when no faces are connected.",
                ),
                *size_inputs(1024, 64, "in pixels of the empty picture, used when nothing is connected."),
                io.String.Input(
                    "keypoints",
                    default="",
                    multiline=True,
                    placeholder="empty: the faces as they are",
                    tooltip="The points as JSON, written by dragging them below, or by hand: a list of "
                    'faces, each {"points": [[x, y], ...]} with five points in pixels: the eye at the left '
                    "of the picture, the eye at the right, nose, mouth corner at the left, mouth corner at "
                    "the right. Empty keeps the faces as they are.",
                ),
            ],
            outputs=[
                output(
                    FacesType,
                    "faces",
                    "The faces with their new points. A face that was moved has lost its embeddings.",
                ),
                output(
                    io.String,
                    "keypoints",
                    "All points of all faces as JSON, for the widget keypoints of another node.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls, faces: Any = None, image: Any = None, width: int = 1024, height: int = 1024, keypoints: str = ""
    ) -> io.NodeOutput:
        source = keypoints_by_hand.canvas(faces, image, width, height)
        edited = keypoints_by_hand.edit_keypoints(source, keypoints)
        return io.NodeOutput(
            edited, keypoints_by_hand.keypoints_text(edited), ui=_for_the_page(source, edited)
        )


def _for_the_page(source: Any, edited: Any) -> dict[str, Any]:
    """Named so that the page shows no preview of its own below the widget."""
    if not source.faces:
        return {"likeness_pictures": [], "likeness_faces": []}
    saved = ui.ImageSaveHelper.save_images(
        keypoints_by_hand.page_pictures(source.images),
        "likeness_keypoints",
        io.FolderType.temp,
        None,
        compress_level=1,
    )
    return {"likeness_pictures": saved, "likeness_faces": keypoints_by_hand.page_data(source, edited)}


NODES: list[type[io.ComfyNode]] = [EditKeypoints]
