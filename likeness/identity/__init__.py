"""Identities: vectors of several faces made one, and the files that people are kept in."""

from .combining import COMBINATIONS, combine
from .files import FORMATS, load_identity, load_people, save_identity, save_people
from .people import ANY, Person, choose_person, people_of
from .pictures import SIDE
from .saved import fingerprint, load_named, save_numbered

__all__ = [
    "ANY",
    "COMBINATIONS",
    "FORMATS",
    "SIDE",
    "Person",
    "choose_person",
    "combine",
    "fingerprint",
    "load_identity",
    "load_named",
    "load_people",
    "people_of",
    "save_identity",
    "save_numbered",
    "save_people",
]
