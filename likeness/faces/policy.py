"""What happens to pictures without a face: the same choice in every node."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from ..choices.faces import IF_NO_FACE
from ..values import Faces

log = logging.getLogger(__name__)

ERROR, SKIP, PASS_THROUGH = IF_NO_FACE


def apply_policy(faces: Faces, if_no_face: str, advice: str) -> Faces:
    """`faces` without its empty pictures (skip), with them (pass through), or ValueError (error).

    The pictures concerned are named by their place in the batch that was searched. advice: the
    sentence that tells what to do about it. When skipping leaves nothing, the result holds zero pictures.
    """
    if if_no_face not in IF_NO_FACE:
        raise ValueError(f"if_no_face must be one of {', '.join(IF_NO_FACE)}, not {if_no_face!r}.")
    empty = [place for place, found in zip(faces.indices, faces.faces, strict=True) if not found]
    if not faces.faces and if_no_face == ERROR:
        raise ValueError(f"No face is left: every picture was skipped before. {advice}")
    if not empty:
        return faces
    if if_no_face == ERROR:
        raise ValueError(f"No face in {pictures(empty)}. {advice}")
    if if_no_face == PASS_THROUGH:
        log.info("No face in %s: passed on without.", pictures(empty))
        return faces
    log.info("No face in %s: left out.", pictures(empty))
    kept = [i for i, found in enumerate(faces.faces) if found]
    return replace(
        faces,
        images=faces.images[kept],
        faces=tuple(faces.faces[i] for i in kept),
        indices=tuple(faces.indices[i] for i in kept),
    )


def pictures(places: Sequence[int]) -> str:
    """`picture 2`, `pictures 0, 3` (counted from 0)."""
    listed = ", ".join(str(place) for place in places)
    return f"picture{'s' if len(places) > 1 else ''} {listed} (counted from 0)"


def require_faces(faces: Faces, what: str) -> None:
    """Raises ValueError when there is not a single face to work on."""
    if faces.count == 0:
        where = (
            f"the {len(faces.faces)} pictures" if faces.faces else "an empty batch: every picture was skipped"
        )
        raise ValueError(
            f"{what} got no face: there is none in {where}. Lower min_score in Detect Faces, use another "
            "picture, or branch on the output found."
        )
