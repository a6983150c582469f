"""Every face who it should be: judge the people in pictures, redraw the wrong ones."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..likeness import host
from ..likeness import redraw as repairing
from ..likeness.choices.faces import COLOUR_MATCHES, NO_MATCH
from ..likeness.choices.people import OTHER
from ..likeness.choices.redraw import ERROR, FACE, NO_FACE, REGIONS
from ..likeness.values import CAST, FACE_MODELS, REDRAW
from .common import PAGE, JudgeFaces, calibration, for_the_page, output, seed_input
from .score import judge_input


def bar_input() -> io.String.Input:
    return io.String.Input(
        "at_least",
        default="0.4",
        tooltip="From which similarity on a face is right: a number, or a rate of strangers such as 1 in "
        "10000, for recognisers that are calibrated.",
    )


def hard_places_input() -> io.Boolean.Input:
    return io.Boolean.Input(
        "hard_places",
        default=True,
        tooltip="On: people are only looked for at their places in the cast, and redrawn there. Off: places "
        "are a hint.",
    )


def same_input() -> io.Boolean.Input:
    return io.Boolean.Input(
        "allow_same",
        default=False,
        tooltip="Let the recogniser judge by which the faces are drawn. It finds what it ordered: its "
        "numbers flatter.",
    )


class RepairFaces(JudgeFaces):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessRepairFaces",
            display_name="Repair Faces",
            category="Likeness/People",
            description="Judges every face of a picture that any model drew, and redraws only those that are "
            "not who they should be. Never worse: what is right, and everything outside of the seams, stays "
            "as it is.",
            search_aliases=[
                "face detailer",
                "fix faces",
                "face restore",
                "consistent characters",
                "small faces",
            ],
            hidden=list(PAGE),
            inputs=[
                io.Image.Input("image", tooltip="Pictures of any model, or the frames of a clip."),
                io.Custom(CAST).Input("cast", tooltip="Who should be in them, from Cast."),
                io.Custom(REDRAW).Input(
                    "redraw", tooltip="How faces are redrawn, from a node Redraw with ..."
                ),
                io.Custom(FACE_MODELS).Input(
                    "face_models",
                    tooltip="Finds and judges the faces. Take another recogniser than the redraw's, such as "
                    "the pack embedded.",
                ),
                bar_input(),
                io.Int.Input(
                    "tries",
                    default=3,
                    min=1,
                    max=64,
                    tooltip="How often a wrong face is drawn at most. The first that is right ends it.",
                ),
                io.Float.Input(
                    "denoise",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="How much of a wrong face is drawn anew. 0: as the redraw has it.",
                ),
                seed_input("Of the tries: each person and try has a seed of its own, made of this one."),
                judge_input("Who judges: another recogniser than the redraw's, or one by name."),
                same_input(),
                hard_places_input(),
                io.Boolean.Input(
                    "tracked",
                    default=False,
                    tooltip="The pictures are frames of a clip: who is who follows from the other frames, "
                    "too.",
                ),
                io.Int.Input(
                    "crop_size",
                    default=0,
                    min=0,
                    max=4096,
                    step=8,
                    tooltip="Width and height at which a face is drawn. 0: as the redraw has it.",
                ),
                io.Float.Input(
                    "margin",
                    default=0.5,
                    min=0.0,
                    max=4.0,
                    step=0.05,
                    tooltip="How much of the surroundings the crop shows on each side, in parts of the "
                    "face's size. Redraws that cut as ffhq have their own.",
                ),
                io.Combo.Input(
                    "region",
                    options=list(REGIONS),
                    default=FACE,
                    tooltip="What is drawn anew: the face to its outline, or the whole crop with hair. Other "
                    "people's faces never.",
                ),
                io.Int.Input(
                    "seam",
                    default=32,
                    min=0,
                    max=1024,
                    tooltip="Over how many pixels of the crop the new face fades into the picture.",
                ),
                io.Boolean.Input(
                    "colour_match",
                    default=False,
                    tooltip="Give the new face the colours and contrast of the old one.",
                ),
                io.Boolean.Input(
                    "read_expression",
                    default=False,
                    tooltip="Read the expression of the old face and draw the new one with it. For redraws "
                    "that take one: Arc2Face with its expression adapter.",
                ),
                io.Float.Input(
                    "max_pose_shift",
                    default=0.25,
                    min=0.0,
                    max=10.0,
                    step=0.01,
                    tooltip="A try is refused when eyes, nose or mouth moved further, in parts of the "
                    "distance between the eyes. 0: not looked at.",
                ),
                io.Float.Input(
                    "max_expression_shift",
                    default=0.15,
                    min=0.0,
                    max=10.0,
                    step=0.01,
                    tooltip="A try is refused when eyes, brows and mouth are further from the old "
                    "expression: 0.05 is the same, 0.11 a smile for a closed mouth. 0: not looked at.",
                ),
                io.Combo.Input(
                    "if_no_face",
                    options=list(NO_FACE),
                    default=ERROR,
                    tooltip="Pictures without any face: stop with an error that names them, or pass them "
                    "through.",
                ),
            ],
            outputs=[
                output(io.Image, "image", "The pictures, repaired."),
                output(
                    io.Boolean, "passed", "True when everybody of the cast is in every picture, and right."
                ),
                output(io.String, "table", "Who judged, and what became of every person of every picture."),
                output(io.Image, "before_after", "Each picture beside what became of it."),
                output(io.Mask, "mask", "What was changed."),
            ],
        )

    @classmethod
    def execute(
        cls,
        image: Any,
        cast: Any,
        redraw: Any,
        face_models: Any,
        at_least: str = "0.4",
        tries: int = 3,
        denoise: float = 0.0,
        seed: int = 0,
        recogniser: str = OTHER,
        allow_same: bool = False,
        hard_places: bool = True,
        tracked: bool = False,
        crop_size: int = 0,
        margin: float = 0.5,
        region: str = FACE,
        seam: int = 32,
        colour_match: bool = False,
        read_expression: bool = False,
        max_pose_shift: float = 0.25,
        max_expression_shift: float = 0.15,
        if_no_face: str = ERROR,
    ) -> io.NodeOutput:
        known = calibration()
        judge = repairing.judge.appoint(face_models, cast, redraw.pleases, recogniser, allow_same)
        settings = repairing.settings.Settings(
            repairing.judge.bar(at_least, judge.recogniser, known),
            tries,
            denoise,
            crop_size,
            margin,
            region,
            seam,
            COLOUR_MATCHES[1] if colour_match else NO_MATCH,
            read_expression,
            max_pose_shift,
            max_expression_shift,
            seed,
        )
        done = repairing.repair.repair(
            face_models, image, cast, redraw, judge, settings, hard_places, tracked, if_no_face
        )
        images = (host.running.to_image(one) for one in (done.images, done.before_after, done.masks))
        repaired, both, mask = images
        sheet = repairing.repair.sheet(done, known)
        shown = for_the_page(cls, lambda: {"likeness_table": [sheet.told()]})
        return io.NodeOutput(repaired, done.passed, sheet.text(), both, mask, ui=shown)


NODES: list[type[io.ComfyNode]] = [RepairFaces]
