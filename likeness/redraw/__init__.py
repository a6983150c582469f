"""Faces that are wrong, redrawn until they are right; and pictures drawn until everybody is.

A way to redraw is a value (`Redraw`): methods make one each, and whoever repairs knows nothing of methods.
"""

from .value import DenoiseRange, Prompted, Redraw, Sampling, Subject

__all__ = ["DenoiseRange", "Prompted", "Redraw", "Sampling", "Subject"]
