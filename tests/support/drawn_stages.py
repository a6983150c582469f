"""How much of each of the drawn world's stages the tests do."""

from __future__ import annotations

from proof.training.stages import Scale

#: Fewer steps than `quick`: what is made must fit, not be good.
SCALES = {
    "autoencoder": Scale(steps=6, pictures=128, batch=2),
    "recogniser": Scale(steps=6, pictures=128, batch=16),
    "judge": Scale(steps=6, pictures=128, batch=16),
    "classifier": Scale(steps=6, pictures=128, batch=8),
}
_FEW = Scale(steps=4, pictures=128, batch=2)


def scale_of(name: str) -> Scale:
    return SCALES.get(name, _FEW)
