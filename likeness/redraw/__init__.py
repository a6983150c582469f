"""Faces that are wrong, redrawn until they are right; and pictures drawn until everybody is.

A way to redraw is a value (`value.Redraw`): methods make one each, and whoever repairs knows nothing of
methods.
"""

from . import judge, plain, repair, settings, until, value

__all__ = ["judge", "plain", "repair", "settings", "until", "value"]
