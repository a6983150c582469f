"""One identity out of several."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch

from ..identity import NOTHING, mean_of
from ..values import Identity
from .people import label, of_one_recogniser

_PARALLEL, _OPPOSITE = 1e-4, math.pi - 1e-3  # angles between which a slerp is well defined


def mix_identities(identities: Mapping[str, Identity], weights: str = "", mode: str = "mean") -> Identity:
    """One identity [1, D] out of several, keyed by the names of their sockets (spec 1.2.4, 2.9).

    weights: one number per identity with commas between; empty is 1 each. Its length is the mean of the
    lengths, weighted by the size of the weights. mean: the weighted sum of unit vectors; slerp: along the
    sphere, one after the other in order, weights as proportions; add-subtract: as mean, but weights may
    be negative. Raises ValueError for identities that don't fit together, weights that don't fit, and
    a result that points nowhere.
    """
    if mode not in MODES:
        raise ValueError(f"Identities can't be mixed by {mode!r}. There are: {', '.join(MODES)}.")
    people = of_one_recogniser(identities)
    shares = parse_weights(weights, list(people))
    if mode != "add-subtract" and (shares < 0).any():
        raise ValueError(
            f"weights: {shares.min():g} is negative, and {mode} takes none. Choose the mode add-subtract."
        )
    if not shares.any():
        raise ValueError("weights: all are 0, which leaves nobody. Make at least one another number.")
    means = torch.stack([mean_of(name, identity) for name, identity in people.items()])
    lengths = means.norm(dim=1)
    direction = MODES[mode](means / lengths[:, None], shares, list(people))
    length = (lengths * shares.abs()).sum() / shares.abs().sum()
    parts = ", ".join(f"{w:g} x {label(n, i)}" for w, (n, i) in zip(shares, people.items(), strict=True))
    recogniser = next(iter(people.values())).recogniser
    return Identity((direction * length)[None].float(), recogniser, source=f"{mode} of {parts}")


def parse_weights(text: str, names: Sequence[str]) -> torch.Tensor:
    """Text such as "1, 0.5" -> [N] float64; empty text is ones. Raises ValueError naming what is wrong."""
    parts = [part.strip() for part in text.split(",")] if text.strip() else ["1"] * len(names)
    numbers = []
    for part in parts:
        try:
            numbers.append(float(part))
        except ValueError:
            numbers.append(math.nan)
        if not math.isfinite(numbers[-1]):
            raise ValueError(
                f"weights: {part!r} is no number in {text!r}. Write one number for each identity with commas "
                'between them, such as "1, 0.5", or nothing for equal weights.'
            )
    if len(numbers) != len(names):
        raise ValueError(
            f"weights: {text!r} holds {len(numbers)}, but {len(names)} identities are connected "
            f"({', '.join(names)}). Write one number for each (decimals with a point), or nothing for equal "
            "weights."
        )
    return torch.tensor(numbers, dtype=torch.float64)


def _sum(units: torch.Tensor, shares: torch.Tensor, names: Sequence[str]) -> torch.Tensor:
    total = shares @ units
    if float(total.norm()) < NOTHING * float(shares.abs().sum()):
        raise ValueError(
            f"{' and '.join(names)} cancel each other out with these weights: nobody is left. Change the "
            "weights, or check that the same identity isn't both added and taken away."
        )
    return total / total.norm()


def _slerp(units: torch.Tensor, shares: torch.Tensor, names: Sequence[str]) -> torch.Tensor:
    there = shares.nonzero().flatten().tolist()  # weight 0 is not on the way
    point, weight = units[there[0]], shares[there[0]]
    for place in there[1:]:
        weight = weight + shares[place]
        point = _between(point, units[place], float(shares[place] / weight), names[place])
    return point


def _between(a: torch.Tensor, b: torch.Tensor, t: float, name: str) -> torch.Tensor:
    # The angle by its tangent: exact for small angles too, where the cosine is not.
    angle = 2 * math.atan2(float((a - b).norm()), float((a + b).norm()))
    if angle > _OPPOSITE:
        raise ValueError(
            f"slerp: {name} is the opposite of what comes before it, so no way between them is the shortest. "
            "Leave one of them out, or choose the mode mean with unequal weights."
        )
    if angle < _PARALLEL:
        return torch.nn.functional.normalize(torch.lerp(a, b, t), dim=0)
    return (math.sin((1 - t) * angle) * a + math.sin(t * angle) * b) / math.sin(angle)


#: (unit vectors [N, D], weights [N], names of the sockets) -> a unit vector [D].
MODES: dict[str, Callable[[torch.Tensor, torch.Tensor, Sequence[str]], torch.Tensor]] = {
    "mean": _sum,
    "slerp": _slerp,
    "add-subtract": _sum,
}
