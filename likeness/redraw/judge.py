"""Who judges redrawn faces: another recogniser than the one that they are drawn by."""

from __future__ import annotations

from dataclasses import dataclass

from ..cast import Cast, bar
from ..choices.people import OTHER
from ..faces.models import FaceNetworks, first_there
from ..values import recogniser_text

__all__ = ["OTHER", "Judge", "appoint", "bar"]


@dataclass(frozen=True)
class Judge:
    """A recogniser, and how much its word is worth."""

    recogniser: str
    says: str


def appoint(
    models: FaceNetworks, cast: Cast, drawn_by: str, wanted: str = OTHER, allow_same: bool = False
) -> Judge:
    """Who judges: `wanted`, or for OTHER the first recogniser that face models and cast share and that is not
    `drawn_by` ("" is not known).

    allow_same: drawn_by itself may, where there is no other. Raises ValueError when nobody can, MissingModel.
    """
    if not models.recognisers:
        raise ValueError(
            f"The face models {models.name} have no recogniser, so nobody can judge. Connect others, from "
            "Load Face Models."
        )
    if wanted != OTHER:
        return _chosen(models, cast, drawn_by, wanted, allow_same)
    both = [name for name in models.recognisers if name in cast.recognisers()]
    others = [name for name in both if name != drawn_by]
    there = first_there(models, others)
    if there is not None:
        return _judge(there, drawn_by)
    if drawn_by in both and allow_same:
        return _judge(drawn_by, drawn_by)
    if others:
        models.recogniser(others[0])  # it is missing: the message says how to get it
    if drawn_by in both:
        raise ValueError(_only_itself(models, cast, drawn_by))
    raise ValueError(
        f"Nobody can judge: face_models ({models.name}) has {', '.join(models.recognisers)}, but the people "
        f"of the cast are known by {', '.join(cast.recognisers())}. Embed them with a recogniser of "
        f"{models.name} and connect those identities to Cast under the same names, or connect other "
        "face_models."
    )


def _chosen(models: FaceNetworks, cast: Cast, drawn_by: str, wanted: str, allow_same: bool) -> Judge:
    if wanted not in models.recognisers:
        raise ValueError(
            f"recogniser is {wanted}, but face_models ({models.name}) has: {', '.join(models.recognisers)}. "
            "Choose one of these, or other face models."
        )
    for name in cast.names:
        cast.target(name, wanted)  # says who lacks it
    if wanted == drawn_by and not allow_same:
        raise ValueError(_only_itself(models, cast, drawn_by))
    models.recogniser(wanted)
    return _judge(wanted, drawn_by)


def _only_itself(models: FaceNetworks, cast: Cast, drawn_by: str) -> str:
    return (
        f"The judge would be {recogniser_text(drawn_by)}, by which the faces are drawn: it finds what it "
        "ordered. Connect face_models with another recogniser, such as the pack embedded, and add identities "
        f"of it to Cast under the same names (now: {', '.join(cast.recognisers())}). Or turn on allow_same."
    )


def _judge(name: str, drawn_by: str) -> Judge:
    if not drawn_by:
        says = "it is not known which one the faces are drawn by: if this one, the numbers flatter."
    elif name == drawn_by:
        says = "the one the faces are drawn by, because allow_same is on: the numbers flatter."
    else:
        says = f"another than the one the faces are drawn by, {drawn_by}."
    return Judge(name, f"Judge: {recogniser_text(name)}, {says}")
