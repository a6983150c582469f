"""Several people under their names, and which face of a picture is whose.

A cast is a few named identities, each maybe with a place in the picture. Assigning gives every person at
most one face and every face at most one person, so that the whole fits best; what is left over are
missing people and strangers.
"""

from .assigning import Assignment, Found, Seats, assign, everybody_seated
from .files import load_cast, save_cast
from .find import find_people
from .gathering import gather
from .least import bar
from .recogniser import shared_recogniser
from .show import draw_people, faces_of, masks_of, require_everybody, sheet_of_people, write_people
from .tracked import assign_tracked
from .value import Cast, Member, Place

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
    "everybody_seated",
    "faces_of",
    "find_people",
    "gather",
    "load_cast",
    "masks_of",
    "require_everybody",
    "save_cast",
    "shared_recogniser",
    "sheet_of_people",
    "write_people",
]
