"""Which recogniser says who is who."""

from __future__ import annotations

from collections.abc import Sequence

from ..choices.people import SHARED
from ..faces.models import FaceNetworks, first_there
from ..values import Faces, recogniser_text
from .value import Cast


def shared_recogniser(models: FaceNetworks | None, cast: Cast, faces: Faces, wanted: str = SHARED) -> str:
    """`wanted`, or the first recogniser of the cast that face models or faces can follow.

    models: None when the faces carry vectors already. SHARED prefers what needs no network, then one
    whose file is there. Raises ValueError when nobody can tell the cast, or not by `wanted`.
    """
    known = cast.recognisers()
    carried = _carried(faces)
    has: Sequence[str] = models.recognisers if models else ()
    if wanted != SHARED:
        if wanted not in known:
            cast.target(next(m.name for m in cast.members if wanted not in m.identities), wanted)
        if wanted not in carried and wanted not in has:
            raise ValueError(f"recogniser is {wanted}, but {_lack(models, has)}")
        return wanted
    ready = [name for name in known if name in carried]
    if ready:
        return ready[0]
    able = [name for name in known if name in has]
    if not able or models is None:
        told = ", ".join(recogniser_text(name) for name in known)
        raise ValueError(f"The people of the cast are known by {told}, but {_lack(models, has)}")
    return first_there(models, able) or able[0]


def _carried(faces: Faces) -> set[str]:
    """Recognisers that every face has a vector of; none when there is no face."""
    each = [set(face.embeddings) for found in faces.faces for face in found]
    return set.intersection(*each) if each else set()


def _lack(models: FaceNetworks | None, has: Sequence[str]) -> str:
    if models is None:
        return "the faces carry no vector of it: connect face_models that have this recogniser."
    return (
        f"the face pack {models.name} has: {', '.join(has) or 'no recogniser'}. Choose another pack in Load "
        "Face Models, or embed the people with a recogniser that it has."
    )
