"""MasterWeaver: its files, and how photos are prepared."""

from ..weights.chosen import list_files as list_chosen

FOLDER, PUBLISHED = "masterweaver", "masterweaver/adapter"
#: As many as it was trained with; more than MOST are refused.
USUAL, MOST = 3, 16


def list_files() -> list[str]:
    return list_chosen(FOLDER, PUBLISHED)
