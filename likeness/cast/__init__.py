"""Several people under their names, and which face of a picture is whose.

A cast is a few named identities, each maybe with a place in the picture. Assigning gives every person at
most one face and every face at most one person, so that the whole fits best; what is left over are
missing people and strangers. The parts come when they are first asked for: the pack is loaded without them.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .assigning import Assignment, Found, Seats, assign
    from .files import load_cast, save_cast
    from .find import find_people
    from .gathering import gather
    from .least import bar
    from .recogniser import shared_recogniser
    from .show import draw_people, faces_of, masks_of, require_everybody, write_people
    from .tracked import assign_tracked
    from .value import Cast, Member, Place
else:
    # No name here is also that of a module: importing that would put it in the place of what is meant.
    _WHERE = {
        "assigning": ("Assignment", "Found", "Seats", "assign"),
        "files": ("load_cast", "save_cast"),
        "find": ("find_people",),
        "gathering": ("gather",),
        "least": ("bar",),
        "recogniser": ("shared_recogniser",),
        "show": ("draw_people", "faces_of", "masks_of", "require_everybody", "write_people"),
        "tracked": ("assign_tracked",),
        "value": ("Cast", "Member", "Place"),
    }

    def __getattr__(name):
        for module, names in _WHERE.items():
            if name in names:
                return getattr(import_module(f".{module}", __name__), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "Assignment",
    "Cast",
    "Found",
    "Member",
    "Place",
    "Seats",
    "assign",
    "assign_tracked",
    "bar",
    "draw_people",
    "faces_of",
    "find_people",
    "gather",
    "load_cast",
    "masks_of",
    "require_everybody",
    "save_cast",
    "shared_recogniser",
    "write_people",
]
