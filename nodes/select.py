"""Choosing faces: by order, by who they show, by a mask, through the frames of a clip.

The picture to click them in is in web/js/pick_faces.js.
"""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io, ui

from ..likeness.choices.faces import ERROR, MIN_SIMILARITY, ORDERS
from ..likeness.faces import edit_keypoints as page_pictures
from ..likeness.faces import pick, policy, selection
from ..likeness.values import IDENTITY
from .common import PAGE, for_the_page, output
from .faces import FaceModelsType, FacesType, faces_outputs, faces_result, if_no_face_input


class SelectFaces(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessSelectFaces",
            display_name="Select Faces",
            category="Likeness/Faces",
            description="Puts the faces of each picture in an order and keeps those at the places you name: "
            "the largest, the leftmost, the one most like an identity, the one under a mask. Can follow the "
            "same person through the frames of a clip.",
            search_aliases=[
                "choose face",
                "largest face",
                "face index",
                "filter faces",
                "sort faces",
                "similar face",
                "find person",
                "track face",
            ],
            hidden=list(PAGE),
            inputs=[
                FacesType.Input("faces", tooltip="From Detect Faces."),
                io.Combo.Input(
                    "by",
                    options=list(ORDERS),
                    default="largest",
                    tooltip="The order in which places are counted. Index list keeps the order of the input: "
                    "best score first after Detect Faces. Most similar needs reference, largest mask overlap "
                    "(most pixels) needs mask.",
                ),
                io.String.Input(
                    "indices",
                    default="0",
                    tooltip="Which places to keep, counted from 0: 0 is the first, 0,2 the first and the "
                    "third, 1-3 the second to the fourth, -1 the last; all or nothing keeps every face.",
                ),
                if_no_face_input(),
                io.Custom(IDENTITY).Input(
                    "reference",
                    optional=True,
                    tooltip="A person, from Embed Faces or Load Identity. With it only faces like that "
                    "person count (see min_similarity), in whatever order.",
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="One mask, or one for each picture, of the pictures' size. With it only faces "
                    "count that have the middle of their box or half of the box in it, in whatever order.",
                ),
                FaceModelsType.Input(
                    "face_models",
                    optional=True,
                    tooltip="The networks, from Load Face Models. Needed with reference, or to track people "
                    "by their faces, unless the faces were described before. What is computed here stays on "
                    "the faces: Embed Faces does not compute it again.",
                ),
                io.Float.Input(
                    "min_similarity",
                    default=MIN_SIMILARITY,
                    min=-1.0,
                    max=1.0,
                    step=0.01,
                    optional=True,
                    tooltip="How like the reference a face must be (cosine), or, when tracking, like the "
                    "person's faces so far. By the recogniser sface different people stay "
                    "below 0.4 on our test photos, and one person reaches 0.6 or more.",
                ),
                io.Boolean.Input(
                    "track",
                    default=False,
                    optional=True,
                    tooltip="For the frames of a clip: everything else is asked in the first picture where "
                    "it finds somebody, and the same people are followed through the others: by their faces "
                    "when they are described or face_models is connected, else by boxes that overlap.",
                ),
            ],
            outputs=[
                *faces_outputs(),
                output(
                    io.String,
                    "report",
                    "For each picture the faces chosen, by their places in the input, with "
                    "similarity and margin to the most similar face not chosen; or why there is none.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        faces: Any,
        by: str = "largest",
        indices: str = "0",
        if_no_face: str = ERROR,
        reference: Any = None,
        mask: Any = None,
        face_models: Any = None,
        min_similarity: float = MIN_SIMILARITY,
        track: bool = False,
    ) -> io.NodeOutput:
        wanted = selection.Wanted(reference, face_models, mask, min_similarity)
        chosen = selection.select_faces(faces, by, indices, wanted, track)
        kept = policy.apply_policy(chosen.faces, if_no_face, chosen.advice)
        shown = for_the_page(cls, lambda: _to_click(faces, chosen))
        return faces_result(kept, chosen.report, ui=shown)


def _to_click(faces: Any, chosen: Any) -> dict[str, Any]:
    if not faces.faces:
        return {"likeness_pictures": [], "likeness_faces": []}
    pictures = page_pictures.page_pictures(faces.images)
    saved = ui.ImageSaveHelper.save_images(
        pictures, "likeness_select", io.FolderType.temp, None, compress_level=1
    )
    return {"likeness_pictures": saved, "likeness_faces": pick.page_data(faces, chosen)}


NODES: list[type[io.ComfyNode]] = [SelectFaces]
