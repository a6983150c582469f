"""Several people under their names, and which face of a picture is whose.

A cast is a few named identities, each maybe with a place in the picture. Assigning gives every person at
most one face and every face at most one person, so that the whole fits best; what is left over are
missing people and strangers.
"""

from .assign import Assignment, Found, Seats, assign
from .bar import bar
from .gather import gather
from .recogniser import SHARED, shared_recogniser
from .tracked import assign_tracked
from .value import ORDER, Cast, Member, Place

__all__ = [
    "ORDER",
    "SHARED",
    "Assignment",
    "Cast",
    "Found",
    "Member",
    "Place",
    "Seats",
    "assign",
    "assign_tracked",
    "bar",
    "gather",
    "shared_recogniser",
]
