"""PVA: its files, the person's word, whose rows look, the holes it fills, and how it is tuned and saved."""

from collections.abc import Mapping
from typing import Literal

import torch

from .. import host
from ..weights.chosen import list_files as list_chosen

FOLDER, PUBLISHED = "pva", "pva/weights"
#: The word that stands for the person in a prompt.
PLACEHOLDER = "<new1>"
#: The prompts whose rows look.
APPLY_TO: Mapping[str, frozenset[Literal["positive", "negative"]]] = {
    "positive": frozenset({"positive"}),
    "both": frozenset({"positive", "negative"}),
}

#: Holes to fill: boxes of parts of the face, strokes at random, or a mask of one's own alone.
LOWER_FACE, EYES_AND_BROWS, WHOLE_FACE, BRUSH, OWN = HOLES = (
    *("lower face", "eyes and brows", "whole face"),
    *("brush", "only mask"),
)

EVERYTHING, PERSON = CONTENTS = ("everything", "person")
PRECISIONS: Mapping[str, torch.dtype | None] = {"as it is": None, "float16": torch.float16}

CROSS_ALL, VISUAL_ONLY = SETS = ("cross_all", "visual_only")
AUTO = "auto"
COMPUTE_PRECISIONS = {AUTO: None, "float32": torch.float32, "bfloat16": torch.bfloat16}


def list_files() -> list[str]:
    return list_chosen(FOLDER, PUBLISHED)


def list_persons() -> list[str]:
    """Every file that may hold a person's layer."""
    return host.files.list_models(FOLDER)
