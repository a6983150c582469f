"""Faces: their models, their orders, their squares and masks, and what is done where there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..weights.catalogue import face_packs
from ..weights.chosen import list_files
from ..weights.find import MissingModel, find_file

#: What happens to pictures without a face: the same choice in every node.
ERROR, SKIP, PASS_THROUGH = IF_NO_FACE = ("error", "skip", "pass through")

#: What runs face models. The list is the same on every machine, so that a workflow opens anywhere; what is
#: not there falls back to the CPU with a line in the log.
PROVIDERS = ("auto", "CPU", "CUDA", "ROCm", "DirectML", "CoreML", "OpenVINO")
#: Instead of a recogniser's name: the one there is. For foreign packs, whose names no list can know.
ONLY = "whatever face_models has"

#: Orders of the faces of a picture; the last two need more than the faces.
*_, SIMILAR, OVERLAP = ORDERS = (
    *("largest", "highest score", "left to right", "right to left", "top to bottom", "index list"),
    *("most similar", "largest mask overlap"),
)
#: Measured with sface on the photos of our tests: two people reach 0.36 (0.38 in a dark copy), and one
#: person 0.74 between photos, 0.55 when one is badly blurred, 0.3 for two strongly tilted
#: heads. Compare Identities has the same rule.
MIN_SIMILARITY = 0.4

#: How the square of a face lies in its picture.
UPRIGHT, STRAIGHT, FFHQ = ALIGNS = ("upright", "straight", "ffhq")
#: What is done to photos of a person: each face in the position of FFHQ's pictures, or nothing, where they
#: are such portraits already.
AS_IT_IS = "none"
PHOTO_ALIGNS = (FFHQ, AS_IT_IS)
NO_MATCH, LAB = COLOUR_MATCHES = ("none", "mean and deviation")

#: How InstantID's five points are fitted to a picture of another shape.
FITS = ("stretch", "crop", "pad")
#: Which of them are drawn, by how many of the five. Without the mouth something else may decide it.
POINTS: Mapping[str, int] = {"all": 5, "eyes and nose": 3}
#: What is drawn for a picture without a face. The two others keep a clip in step.
STOP, BLACK, LAST = WITHOUT_FACE = ("stop", "black", "last picture")

#: Shapes of masks.
SHAPES = ("box", "hull", "ellipse")

#: The face parser's classes: what is seldom wanted comes last. Left and right as in the parser's data set.
PARTS = (
    *("skin", "left brow", "right brow", "left eye", "right eye", "glasses"),
    *("left ear", "right ear", "earring", "nose", "mouth", "upper lip", "lower lip"),
    *("neck", "necklace", "cloth", "hair", "hat", "background"),
)
WHOLE_WORDS, SUBSTRING = MATCHING = ("whole words", "substring")
PARSERS, PARSER = "face_parsing", "face_parsing/bisenet"


def list_packs() -> list[str]:
    return list(face_packs())


def default_pack(folders: Sequence[str | Path] | None = None) -> str:
    """antelopev2, which InstantID needs, when its detector and recogniser are there; else embedded."""
    try:
        pack = face_packs()["antelopev2"]
        find_file(pack.detector, folders)
        find_file(pack.recognisers["glintr100"], folders)
    except MissingModel:
        return "embedded"
    return "antelopev2"


def list_parsers() -> list[str]:
    return list_files(PARSERS, PARSER)
