"""Casts: where people stand, what places mean, and who tells them apart."""

#: Where somebody stands among the faces of a picture: by columns, or by size (front is the largest).
LEFT, MIDDLE, RIGHT, FRONT, BACK = ORDER = ("left", "middle", "right", "front", "back")
#: What places mean: they help, or they must hold.
SOFT, HARD = PLACES = ("soft", "hard")
#: The recogniser that a cast and the face models have in common.
SHARED = "one that all have"
#: When somebody is not in a picture.
GO_ON, STOP = IF_MISSING = ("go on", "error")
