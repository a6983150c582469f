"""People: identities and how alike they are; where people stand, what places mean, who tells them apart."""

#: Where somebody stands among the faces of a picture: by columns, or by size (front is the largest).
LEFT, MIDDLE, RIGHT, FRONT, BACK = ORDER = ("left", "middle", "right", "front", "back")
#: What places mean: they help, or they must hold.
SOFT, HARD = PLACES = ("soft", "hard")
#: The recogniser that a cast and the face models have in common.
SHARED = "one that all have"
#: When somebody is not in a picture.
GO_ON, STOP = IF_MISSING = ("go on", "error")

#: How the vectors of several faces become one identity, and how several identities do.
COMBINATIONS = ("mean", "unit mean", "median", "none")
MIXES = ("mean", "slerp", "add-subtract")
#: The choice that takes an identity of any recogniser.
ANY = "any"

#: Of those who judge: the choice that takes another recogniser whenever it can.
OTHER = "other than the identity's"
#: Which face of a picture is compared.
MOST_SIMILAR, LARGEST = WHICH = ("most similar", "largest")
