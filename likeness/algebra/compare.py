"""How alike two identities are, in numbers, words and a picture."""

from __future__ import annotations

from typing import Any

import torch

from ..identity import mean_of
from ..values import Identity, recogniser_text
from .calibration import Calibration, explained, told
from .people import of_one_recogniser

#: Recogniser -> cosines at which two pictures show the same person, and different people. Measured on the
#: photos of our tests (tests/library/faces/test_embed.py); nothing is claimed of other recognisers.
BARS: dict[str, tuple[float, float]] = {"sface": (0.6, 0.4)}
_LARGEST_TABLE = 400


def compare_identities(
    a: Identity, b: Identity, calibration: Calibration | None = None
) -> tuple[float, torch.Tensor, str]:
    """Cosine of the two means, cosines of all pairs [N, M] float32, and a report in words.

    calibration: says how rare strangers are who are so alike; None is the shipped one. Raises ValueError for
    different recognisers and for a mean that is all zeros.
    """
    of_one_recogniser({"identity_a": a, "identity_b": b})
    means = mean_of("identity_a", a), mean_of("identity_b", b)
    similarity = float(torch.nn.functional.cosine_similarity(means[0], means[1], dim=0))
    pairs = (a.unit.double() @ b.unit.double().T).clamp(-1, 1).float()
    return similarity, pairs, _report(similarity, pairs, a.recogniser, calibration)


def rule_of_thumb(similarity: float, recogniser: str) -> str:
    """What a cosine means, as far as that was measured for the recogniser."""
    if recogniser not in BARS:
        return (
            f"No rule of thumb was measured for {recogniser}. Compare with pairs of pictures of which you "
            "know whether they show one person or two."
        )
    same, other = BARS[recogniser]
    verdict = "between the two: undecided"
    if similarity >= same or similarity <= other:
        verdict = "the same person" if similarity >= same else "different people"
    return (
        f"Rule of thumb for {recogniser}, measured on the photos of our tests: {same} or more is the "
        f"same person, {other} or less are different people. By that: {verdict}."
    )


def _report(similarity: float, pairs: torch.Tensor, recogniser: str, calibration: Calibration | None) -> str:
    lines = [
        f"similarity {similarity:.3f} (cosine; recogniser {recogniser_text(recogniser)})",
        rule_of_thumb(similarity, recogniser),
        f"one stranger in: {told(similarity, recogniser, calibration)}. {explained(recogniser, calibration)}",
        f"If one of them was read off a picture that was made with a {recogniser} identity, the number "
        "flatters: the picture was drawn to please this recogniser. Score Faces asks another.",
    ]
    if pairs.numel() > 1:
        lines.append(f"pairs: lowest {pairs.min():.3f}, mean {pairs.mean():.3f}, highest {pairs.max():.3f}")
    if 1 < pairs.numel() <= _LARGEST_TABLE:
        lines.append("      " + "".join(f"{f'b{column}':>8}" for column in range(pairs.shape[1])))
        for row, cosines in enumerate(pairs.tolist()):
            lines.append(f"{f'a{row}':<6}" + "".join(f"{cosine:8.3f}" for cosine in cosines))
    elif pairs.numel() > 1:
        lines.append(f"The table of {pairs.shape[0]} x {pairs.shape[1]} pairs is too large; see the matrix.")
    return "\n".join(lines)


def heat_colours(cosines: torch.Tensor) -> Any:
    """Cosines of any shape [...] as colours, numpy [..., 3] uint8: white is 0, orange 1, blue -1."""
    import numpy as np

    values = cosines.clamp(-1, 1)[..., None].numpy()
    end = np.where(values >= 0, np.array([230.0, 97.0, 0.0]), np.array([33.0, 113.0, 181.0]))
    return (255 + (end - 255) * np.abs(values)).round().astype(np.uint8)


def draw_pairs(pairs: torch.Tensor) -> torch.Tensor:
    """A heat map of cosines [N, M] as an IMAGE [1, H, W, 3] float32: row a0, a1, ..., column b0, b1, ...

    White is 0, full orange 1, full blue -1. Cells shrink with their number; small ones carry no text.
    """
    import cv2
    import numpy as np

    rows, columns = pairs.shape
    cell = max(1, min(96, 1920 // max(rows, columns)))
    edge = 48
    picture = np.full((edge + rows * cell, edge + columns * cell, 3), 255, dtype=np.uint8)
    picture[edge:, edge:] = heat_colours(pairs).repeat(cell, axis=0).repeat(cell, axis=1)

    def write(text: str, x: int, y: int) -> None:
        scale = min(0.6, cell / 72)
        (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
        place = x - width // 2, y + height // 2
        cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, (0, 0, 0), 1, cv2.LINE_AA)

    def middle(index: int) -> int:
        return edge + index * cell + cell // 2

    if cell >= 24:
        for row in range(rows):
            write(f"a{row}", edge // 2, middle(row))
            for column in range(columns):
                write(f"{float(pairs[row, column]):.2f}", middle(column), middle(row))
        for column in range(columns):
            write(f"b{column}", middle(column), edge // 2)
    return torch.from_numpy(picture)[None].float() / 255.0
