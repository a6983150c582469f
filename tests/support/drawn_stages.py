"""How much of each of the drawn world's stages the tests do."""

from __future__ import annotations

from proof.training.stages import Scale

#: Fewer steps than `quick`, and at least two, so that a run can be broken off: what is made must fit, not be
#: good.
_FEW = Scale(steps=2, pictures=64, batch=2)
#: In two steps a face does not reach Arc2Face's picture yet.
_MORE = Scale(steps=4, pictures=64, batch=2)
_SCALES = {
    "sd15": _MORE,
    "arc2face": _MORE,
    "recogniser": Scale(steps=2, pictures=64, batch=8),
    "second": Scale(steps=2, pictures=64, batch=8),
    "judge": Scale(steps=2, pictures=64, batch=8),
    "classifier": Scale(steps=2, pictures=64, batch=6),
}


def scale_of(name: str) -> Scale:
    return _SCALES.get(name, _FEW)
