"""What is said of repaired pictures: the wrong are right, nobody is worse, what was right is as it was."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..training.pictures import SIZE
from .claim import Claim, Rows
from .rows import repair
from .shots import Shots

#: From which likeness on, by the report's judge, somebody is the person: of other people one in some twenty
#: reaches it.
RIGHT = 0.45
#: By which a likeness may be lower without being worse: the judge's word is no more exact.
_WORSE = 0.02
#: To which a likeness repeats: the detector looks at the whole picture, also at who stands beside.
_REPEATS = 0.01


def _wrong(shots: Shots) -> NDArray[np.bool_]:
    """Who of the two people of each picture was damaged."""
    made = np.ones((len(shots.seconds), 2), bool)
    for n, number in enumerate(shots.people.reshape(-1, 2)[:, 0]):
        made[n, 1] = repair.damage(int(number)) == "swapped"
    return made.ravel()


def _repaired(rows: Rows) -> tuple[bool, str]:
    before, after = rows["repair_before"], rows["repair"]
    wrong = _wrong(before)
    right = after.likeness >= RIGHT
    worse = after.likeness < before.likeness - _WORSE
    kinds = np.repeat([repair.damage(int(n)) for n in after.people.reshape(-1, 2)[:, 0]], 2)
    told = ", ".join(
        f"{kind} {right[wrong & (kinds == kind)].mean():.0%}"
        for kind in repair.DAMAGES
        if (wrong & (kinds == kind)).any()
    )
    share = float(right[wrong].mean())
    was = float((before.likeness >= RIGHT)[wrong].mean())
    lost = [kind for kind in repair.DAMAGES for _ in range(int((worse & wrong & (kinds == kind)).sum()))]
    names = f" ({', '.join(f'{kind} {lost.count(kind)}' for kind in dict.fromkeys(lost))})" if lost else ""
    return share >= 0.9 and not worse.any(), (
        f"{share:.0%} of {int(wrong.sum())} wrong faces are right ({told}); before {was:.0%}; worse: "
        f"{int((worse & wrong).sum())} of them{names}, {int((worse & ~wrong).sum())} of "
        f"{int((~wrong).sum())} others"
    )


def _untouched(rows: Rows) -> tuple[bool, str]:
    """To the bit in the pictures that were kept; in all of them by the judge, who sees hair and shoulders of
    whoever stands beside as well: they may look more like themselves, where that one was blurred."""
    before, after = rows["repair_before"], rows["repair"]
    right = ~_wrong(before)
    seen = (after.likeness > before.likeness - _REPEATS)[right]
    same = [
        np.array_equal(was[:, SIZE:], now[:, SIZE:])
        for was, now, number in zip(before.pictures, after.pictures, before.people[::2], strict=False)
        if repair.damage(int(number)) != "swapped"
    ]
    far = [
        _outside(was, now)
        for was, now in zip(rows["repair_small_before"].pictures, rows["repair_small"].pictures, strict=True)
    ]
    return all(same) and bool(seen.all()) and max(far) < 4 * repair.SMALL, (
        f"{sum(same)} of {len(same)} people who were right are the same to the bit in the pictures that were "
        f"kept, {int(seen.sum())} of {len(seen)} no less like themselves in all; of a picture with a face of "
        f"5 % of its height at most {max(far):.0%} of the height changed"
    )


def _outside(was: NDArray[np.uint8], now: NDArray[np.uint8]) -> float:
    """How far what changed reaches, in parts of the picture's height."""
    changed = np.argwhere((was != now).any(axis=-1))
    return float(np.ptp(changed, axis=0).max() / len(was)) if len(changed) else 0.0


def _people(rows: Rows) -> tuple[bool, str]:
    """Each more like themselves than like anybody beside them."""
    two = rows["repair"].steps("own").all(axis=1).mean()
    five = rows["repair_five"].steps("own").all(axis=1).mean()
    each = rows["repair_five"].estimate("own").mean
    return two >= 0.95 and five >= 0.85, (
        f"everybody in {two:.0%} of the pictures of two and {five:.0%} of those of five, in which {each:.0%} "
        "are"
    )


def _small(rows: Rows) -> tuple[bool, str]:
    close, far = (rows[name].estimate("likeness").mean for name in ("repair_close", "repair_small"))
    return far >= close - 0.05, f"{far:.2f} against {close:.2f} of the close-up"


def _copies(rows: Rows) -> tuple[bool, str]:
    plain, ours = (rows[name].estimate("copy_paste") for name in ("instantid", "repair_close"))
    return ours.mean <= plain.mean or ours.low <= plain.high, (
        f"{ours.mean:.2f} ({ours.low:.2f} to {ours.high:.2f}) against InstantID's {plain.mean:.2f}"
    )


def _rounds(rows: Rows) -> tuple[bool, str]:
    own, alone = (rows[name].steps("likeness").mean(axis=0) for name in ("rounds", "rounds_alone"))
    part = float(own[-1] / max(float(own[0]), 1e-9))
    return part >= 0.95, (
        f"{own[0]:.2f} after the first round, {own[-1]:.2f} after the tenth: {part:.2f} of it; without "
        f"repair {alone[0]:.2f} and {alone[-1]:.2f}"
    )


CLAIMS = (
    Claim(
        "repair",
        "of damaged faces 90 % are right after repair, and none is worse",
        ("repair_before", "repair"),
        _repaired,
    ),
    Claim(
        "repair_outside",
        "whoever was right, and what is far from a wrong face, is the same to the bit",
        ("repair_before", "repair", "repair_small_before", "repair_small"),
        _untouched,
    ),
    Claim(
        "repair_people",
        "of two people both are right in 95 % of pictures, of five all in 85 %",
        ("repair", "repair_five"),
        _people,
    ),
    Claim(
        "repair_small",
        "a repaired face of 5 % of the height is within 0.05 of the close-up",
        ("repair_close", "repair_small"),
        _small,
    ),
    Claim(
        "repair_copies",
        "repair copies the reference no more than InstantID alone",
        ("instantid", "repair_close"),
        _copies,
    ),
    Claim(
        "rounds",
        "after ten rounds of edits 0.95 of the first round's likeness is left",
        ("rounds", "rounds_alone"),
        _rounds,
    ),
)
