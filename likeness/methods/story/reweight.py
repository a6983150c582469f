"""Words made weak or strong by the singular values of their rows. Spec: conditioning.md 2.2.

A set of rows A = U diag(s) V^T becomes U diag(b s exp(-a s)) V^T. The eigenvectors of A A^T are U and its
eigenvalues s^2, so a small square matrix is enough: as exact as a full decomposition, and 80 times faster.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...choices.story import FADE, MODES, REWEIGHT
from ...text.exact import exact

#: In mode fade, what the rows behind the words are multiplied by before each change.
_FADED = 0.9


@dataclass(frozen=True)
class Reweighting:
    """How strongly: singular values s of suppressed frames become suppress s exp(-suppress_rate s), those of
    the expressed one enhance s exp(enhance_rate s).

    mode reweight: the rows of the end token and the padding, which sum up the whole text, change with every
    frame. fade: they are only made weaker. Raises ValueError for another mode or a number below 0.
    """

    mode: str = REWEIGHT
    suppress: float = 0.05
    suppress_rate: float = 0.01
    enhance: float = 1.0
    enhance_rate: float = 0.01

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError(f"mode must be one of {', '.join(MODES)}, not {self.mode!r}.")
        for name in ("suppress", "suppress_rate", "enhance", "enhance_rate"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name} must be 0 or more, not {getattr(self, name)}.")


def reweight(x: Tensor, rows: Sequence[int], a: float, b: float) -> Tensor:
    """X [tokens, width] whose `rows` have the singular values b s exp(-a s): float64 on the CPU, a copy.

    Raises ValueError for no rows, rows that X has not, or numbers that are not finite.
    """
    made = exact(x)
    if not len(rows) or min(rows) < 0 or max(rows) >= len(made):
        raise ValueError(f"rows must be some of the {len(made)} rows of the prompt, not {list(rows)}.")
    if not made.isfinite().all():
        raise ValueError("The prompt's embedding holds NaN or infinity: encode it with another clip.")
    _change(made, torch.tensor(rows), a, b)
    return made


def expressed(
    x: Tensor, frames: Sequence[Sequence[int]], ends: Sequence[int], wanted: Iterable[int], how: Reweighting
) -> Iterator[Tensor]:
    """X [tokens, width] for each wanted frame (ascending): it is strong, all others are weak.

    frames: the rows of each frame's words, in the order of the text; ends: of the end token and the padding.
    One after the other as the authors' code does, not their figure: first every suppressed frame in the order
    of the text, then the expressed one. A story of one frame stays as it is: there is nothing to suppress.
    Rows that are named nowhere stay to the bit. Made at float64 on the CPU, given back as X is.
    """
    if len(frames) < 2:
        yield from (x for _ in wanted)
        return
    shared = exact(x)
    last = torch.tensor(ends, dtype=torch.long)
    sets = [torch.tensor(rows, dtype=torch.long) for rows in frames]
    behind = 0  # frames that `shared` has suppressed already: what comes before a frame is the same for all
    for number in wanted:
        for earlier in range(behind, number):
            _suppress(shared, sets[earlier], last, how)
        behind, made = number, shared.clone()
        for later in range(number + 1, len(sets)):
            _suppress(made, sets[later], last, how)
        _with_ends(made, sets[number], last, how, -how.enhance_rate, how.enhance)
        changed = torch.cat([*sets, last])
        result = x.clone()
        result[changed.to(x.device)] = made[changed].to(x)
        yield result


def _suppress(x: Tensor, rows: Tensor, ends: Tensor, how: Reweighting) -> None:
    _with_ends(x, rows, ends, how, how.suppress_rate, how.suppress)


def _with_ends(x: Tensor, rows: Tensor, ends: Tensor, how: Reweighting, a: float, b: float) -> None:
    """One change, in place, of a frame's rows and of those behind the words."""
    if how.mode == FADE:
        x[ends] *= _FADED
        _change(x, rows, a, b)
    else:
        _change(x, torch.cat([rows, ends]), a, b)


def _change(x: Tensor, rows: Tensor, a: float, b: float) -> None:
    chosen = x[rows]
    squares, u = torch.linalg.eigh(chosen @ chosen.T)
    factors = b * torch.exp(-a * squares.clamp_min(0).sqrt())
    x[rows] = (u * factors) @ (u.T @ chosen)
