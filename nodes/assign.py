"""Who is who in a picture."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..likeness import cast as whose
from ..likeness import host
from ..likeness.choices.faces import ERROR, SHAPES
from ..likeness.choices.people import GO_ON, IF_MISSING, PLACES, SHARED, SOFT, STOP
from .cast import CastType
from .common import (
    PAGE,
    JudgeFaces,
    at_least_input,
    calibration,
    for_the_page,
    mask_edge_inputs,
    output,
    recogniser_names,
)
from .faces import FaceModelsType, FacesType, if_no_face_input


class AssignFaces(JudgeFaces):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessAssignFaces",
            display_name="Assign Faces",
            category="Likeness/People",
            description="Says which face of a picture is whose: every person of a cast gets the face that "
            "fits best, no face goes to two, and a face that is like nobody stays a stranger.",
            search_aliases=["who is who", "identify people", "face recognition", "match faces", "name faces"],
            hidden=list(PAGE),
            inputs=[
                CastType.Input("cast", tooltip="Who may be there, from Cast or Load Cast."),
                FacesType.Input(
                    "faces", optional=True, tooltip="From Detect Faces. Or connect image and face_models."
                ),
                io.Image.Input(
                    "image", optional=True, tooltip="In the place of faces: the pictures to look at."
                ),
                FaceModelsType.Input(
                    "face_models",
                    optional=True,
                    tooltip="Finds the faces in image and describes them. Not needed with faces that were "
                    "described before.",
                ),
                io.Combo.Input(
                    "recogniser",
                    options=[SHARED, *recogniser_names()],
                    default=SHARED,
                    tooltip="Who tells them apart: the first recogniser that all people of the cast and the "
                    "face models have, or one by name.",
                ),
                at_least_input("0.4", "A face below is nobody's."),
                io.Combo.Input(
                    "places",
                    options=list(PLACES),
                    default=SOFT,
                    tooltip="The places of the cast. soft: they decide between faces that are nearly as "
                    "like. hard: a face elsewhere is never that person.",
                ),
                io.Boolean.Input(
                    "tracked",
                    default=False,
                    tooltip="For the frames of a clip: who is found in one frame is followed through the "
                    "others, by how like the faces are to those before, also where they fall below at_least.",
                ),
                io.Combo.Input(
                    "region",
                    options=list(SHAPES),
                    default="box",
                    tooltip="Of the masks. box: the detector's box. hull: the outline of the face from 468 "
                    "points. ellipse: the ellipse inside the box.",
                ),
                *mask_edge_inputs(),
                io.Combo.Input(
                    "if_missing",
                    options=list(IF_MISSING),
                    default=GO_ON,
                    tooltip="When somebody of the cast is not in a picture: go on (the table says so), or "
                    "stop with an error that names them.",
                ),
                if_no_face_input(),
            ],
            outputs=[
                output(FacesType, "faces", "A list: each person's faces, in the order of the cast.", True),
                output(
                    io.Mask,
                    "masks",
                    "A list: a mask for each person, in the order of the cast. Empty where they are missing.",
                    True,
                ),
                output(io.String, "names", "A list: the name of each person.", True),
                output(io.Image, "image", "The pictures with names and similarities at the faces."),
                output(
                    io.String,
                    "table",
                    "Every person in every picture: which face, similarity, margin to the next best answer, "
                    "and of how many strangers one is so alike; then the strangers.",
                ),
                output(io.Int, "found", "How many people were found, in all pictures together."),
                output(io.Int, "missing", "How many people of the cast are missing, likewise."),
                output(io.Int, "strangers", "How many faces are nobody's, likewise."),
                output(io.Boolean, "complete", "True when nobody is missing in any picture."),
            ],
        )

    @classmethod
    def execute(
        cls,
        cast: Any,
        faces: Any = None,
        image: Any = None,
        face_models: Any = None,
        recogniser: str = SHARED,
        at_least: str = "0.4",
        places: str = SOFT,
        tracked: bool = False,
        region: str = "box",
        grow: int = 0,
        feather: int = 0,
        if_missing: str = GO_ON,
        if_no_face: str = ERROR,
    ) -> io.NodeOutput:
        known = calibration()
        how = (recogniser, at_least, places, tracked, if_no_face)
        found, people = whose.find_people(cast, face_models, faces, image, *how, known)
        if if_missing == STOP:
            whose.require_everybody(found, people)
        sheet = whose.sheet_of_people(found, people, known)
        masks = [host.running.to_image(mask) for mask in whose.masks_of(found, people, region, grow, feather)]
        return io.NodeOutput(
            [whose.faces_of(found, people, n) for n in range(len(people.names))],
            masks,
            list(people.names),
            host.running.to_image(whose.draw_people(found, people)),
            sheet.text(),
            people.found,
            people.missing,
            people.strangers,
            people.missing == 0,
            ui=for_the_page(cls, lambda: {"likeness_table": [sheet.told()]}),
        )


NODES: list[type[io.ComfyNode]] = [AssignFaces]
