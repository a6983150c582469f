"""Identities: vectors of several faces made one and compared, and the files that people are kept in."""

from ..choices.people import ANY
from .combining import COMBINATIONS, combine
from .compared import NOTHING, cosines, mean_of
from .files import FORMATS, load_people, save_people
from .people import Person, check_name, choose_person, people_of
from .pictures import SIDE
from .saved import fingerprint, load_file, load_named, save_numbered

__all__ = [
    "ANY",
    "COMBINATIONS",
    "FORMATS",
    "NOTHING",
    "SIDE",
    "Person",
    "check_name",
    "choose_person",
    "combine",
    "cosines",
    "fingerprint",
    "load_file",
    "load_named",
    "load_people",
    "mean_of",
    "people_of",
    "save_numbered",
    "save_people",
]
