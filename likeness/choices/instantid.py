"""InstantID: its adapter files, and what old graphs choose."""

from ..weights.chosen import list_files as list_chosen

FOLDER, PUBLISHED = "instantid", "instantid/ip-adapter"

COMBINATIONS = AVERAGE, NORM_AVERAGE, CONCAT = ("average", "norm average", "concat")
#: Redrawing a face: the least denoise that changes who it is, the usual, and the most.
DENOISE = 0.2, 0.6, 1.0
#: The simple Apply InstantID of the common pack has no widget for it.
SIMPLE_NOISE = 0.35


def list_files() -> list[str]:
    return list_chosen(FOLDER, PUBLISHED)
