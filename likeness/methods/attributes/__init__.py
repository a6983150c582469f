"""Attribute directions, added to the rows of a subject in a prompt. Spec: conditioning.md, 1."""

from .apply import Edit, apply
from .difference import Learned, learn
from .edits import read_edits
from .files import load, save
from .mix import mix
from .value import Attribute

__all__ = ["Attribute", "Edit", "Learned", "apply", "learn", "load", "mix", "read_edits", "save"]
