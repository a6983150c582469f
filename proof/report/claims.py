"""What the rows are said to show, each as a question to their numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from . import claims_attribute, claims_repair, measures
from .claim import FAILS, HOLDS, OPEN, Claim, Rows, Verdict
from .rows import weights

__all__ = ["CLAIMS", "FAILS", "HOLDS", "OPEN", "Claim", "Verdict", "verdicts"]


#: From so many attributes on that an identity took, a part of them says something.
_ENOUGH = 5


def _instantid(rows: Rows) -> tuple[bool, str]:
    own, top, floor = (rows[name].estimate("likeness") for name in ("instantid", "ceiling", "floor"))
    part = own.mean / top.mean
    return part >= 0.6 and own.low > floor.high, (
        f"{own.mean:.2f} of the ceiling's {top.mean:.2f} is {part:.2f}; interval from {own.low:.2f}, "
        f"the floor's to {floor.high:.2f}"
    )


def _two(rows: Rows) -> tuple[bool, str]:
    part = rows["two_people"].estimate("own").mean
    return part >= 0.9, f"{part:.0%} are more like themselves than like the one beside them"


def _points(rows: Rows) -> tuple[bool, str]:
    names = "instantid_identitynet", "instantid", "in_place"
    posed, free, best = (rows[name].estimate("points").mean for name in names)
    return posed <= 0.1, (
        f"{posed:.3f} of the eyes' distance, without it {free:.3f}; the true picture in another light, "
        f"through the autoencoder, {best:.3f}"
    )


def _arc2face(rows: Rows) -> tuple[bool, str]:
    own, other = rows["arc2face"].estimate("likeness"), rows["instantid"].estimate("likeness")
    return own.mean >= other.mean, f"{own.mean:.2f} against {other.mean:.2f}"


def _tuned(rows: Rows) -> tuple[bool, str]:
    before, after = rows["pva"].estimate("likeness"), rows["pva_tuned"].estimate("likeness")
    risen = after.mean > before.mean and after.apart_from(before)
    return risen, f"{before.mean:.2f} (to {before.high:.2f}) becomes {after.mean:.2f} (from {after.low:.2f})"


def _freecure(rows: Rows) -> tuple[bool, str]:
    """Where the prompt alone had an attribute and the identity took it, of the people that all rows show.

    Other noise alone brings many back, and takes others: FreeCure must do better than that.
    """
    names = ("sdxl", "instantid_copying", "instantid_copying_again", "freecure")
    shown = min(len(rows[name].people) for name in names)
    plain, taken, again, back = (rows[name].right[:shown] for name in names)
    where = plain & ~taken
    cost = float(rows["instantid_copying"].likeness[:shown].mean() - rows["freecure"].likeness[:shown].mean())
    if not where.any():
        return False, "the identity took no attribute: there is nothing to give back"
    if where.sum() < _ENOUGH:
        return False, f"the identity took {int(where.sum())} of {where.size} attributes: too few to say"
    rise, chance = float(back[where].mean()), float(again[where].mean())
    return rise >= 0.2 and rise > chance and cost <= 0.05 and back.mean() >= taken.mean(), (
        f"{rise:.0%} of the {int(where.sum())} attributes that the identity took are back ({chance:.0%} in "
        f"other noise without it), likeness falls by {cost:.3f}; of all, {taken.mean():.0%} are there before "
        f"and {back.mean():.0%} after"
    )


def _expression(before: str, after: str) -> Callable[[Rows], tuple[bool, str]]:
    def ask(rows: Rows) -> tuple[bool, str]:
        """Against what the classifier is off by itself, on the ceiling's pictures."""
        own = rows["ceiling"].estimate("expression").mean
        first, then = (rows[name].estimate("expression").mean for name in (before, after))
        cost = float(rows[before].likeness.mean() - rows[after].likeness.mean())
        part = (then - own) / max(first - own, 1e-9)
        return part < 0.5 and cost <= 0.05, (
            f"{first:.3f} becomes {then:.3f} (true pictures {own:.3f}): {part:.2f} of what can fall is left; "
            f"likeness falls by {cost:.3f}"
        )

    return ask


def _between(rows: Rows) -> tuple[bool, str]:
    mixed, plain, floor = (
        rows["mix"],
        rows["instantid"].estimate("likeness"),
        rows["floor"].estimate("likeness"),
    )
    first, second = mixed.estimate("likeness"), mixed.estimate("second")
    inside = all(floor.high < one.low and one.high < plain.low for one in (first, second))
    return inside, (
        f"to the one {first.mean:.2f}, to the other {second.mean:.2f}; unmixed {plain.mean:.2f}, others "
        f"{floor.mean:.2f}"
    )


def _made_up(rows: Rows) -> tuple[bool, str]:
    shots = rows["sampled"]
    twin, parents = shots.estimate("second"), shots.estimate("likeness")
    return twin.low > parents.high, (
        f"their two pictures {twin.mean:.2f} alike, with the people they were made up near {parents.mean:.2f}"
    )


def _weights(rows: Rows) -> tuple[bool, str]:
    means = [rows[weights.name(weight)].estimate("likeness").mean for weight in weights.WEIGHTS]
    told = ", ".join(f"{mean:.2f}" for mean in means)
    return measures.monotone(means, 0.01), f"at {', '.join(f'{w:g}' for w in weights.WEIGHTS)}: {told}"


def _detailer(rows: Rows) -> tuple[bool, str]:
    before, after = rows["detailer_before"].estimate("likeness"), rows["detailer"].estimate("likeness")
    return after.low > before.high, f"{before.mean:.2f} becomes {after.mean:.2f}"


def _copies(rows: Rows) -> tuple[bool, str]:
    one = rows["instantid"].estimate("copy_paste")
    return one.high < 0.5, f"{one.mean:.2f} (to {one.high:.2f})"


def _decoded(rows: Rows) -> tuple[bool, str]:
    true, decoded = (float(np.mean(rows[name].attributes)) for name in ("ceiling", "autoencoder"))
    return decoded >= 0.95 * true, f"attributes {true:.3f} before, {decoded:.3f} after"


def _packed(rows: Rows) -> tuple[bool, str]:
    """Person by person, from the same noise."""
    whole, packed = rows["unpacked"], rows["instantid_identitynet"]
    cost = measures.estimate(whole.likeness - packed.likeness, whole.people)
    told = f"{cost.mean:.3f} ({cost.low:.3f} to {cost.high:.3f}) of the likeness with IdentityNet"
    return cost.mean <= 0.01, told


_INSTANTID = ("instantid", "ceiling", "floor")
CLAIMS: tuple[Claim, ...] = (
    Claim(
        "autoencoder",
        "the autoencoder keeps 95 % of what can be seen",
        ("ceiling", "autoencoder"),
        _decoded,
    ),
    Claim(
        "instantid",
        "InstantID reaches 0.6 of the ceiling, clear of the floor's interval",
        _INSTANTID,
        _instantid,
    ),
    Claim(
        "copies",
        "InstantID draws the person and not the reference: copy-paste below 0.5",
        ("instantid",),
        _copies,
    ),
    Claim("two_people", "of two people each is right in 90 %", ("two_people",), _two),
    Claim(
        "identitynet",
        "IdentityNet brings the points within 0.1 of the eyes' distance",
        ("instantid_identitynet", "instantid", "in_place"),
        _points,
    ),
    Claim("arc2face", "Arc2Face is as like as InstantID or more", ("arc2face", "instantid"), _arc2face),
    Claim("pva", "PVA's 40 steps raise likeness, intervals apart", ("pva", "pva_tuned"), _tuned),
    Claim(
        "freecure",
        "FreeCure gives back 20 % of the attributes that the identity took, more than other noise does, for "
        "0.05 of likeness at most",
        ("sdxl", "instantid_copying", "instantid_copying_again", "freecure"),
        _freecure,
    ),
    Claim(
        "expression",
        "Arc2Face's expression adapter halves the expression's error, for 0.05 of likeness at most",
        ("ceiling", "arc2face", "arc2face_expression"),
        _expression("arc2face", "arc2face_expression"),
    ),
    Claim(
        "emojidiff",
        "so does the E-adapter beside InstantID",
        ("ceiling", "silent_instantid", "emojidiff_instantid"),
        _expression("silent_instantid", "emojidiff_instantid"),
    ),
    Claim("mix", "mixed identities lie between", (*_INSTANTID, "mix"), _between),
    Claim(
        "sampled",
        "a made-up identity is a person of its own: two pictures of it are alike",
        ("sampled",),
        _made_up,
    ),
    Claim(
        "weights",
        "likeness rises with the weight, 0 to 1.2",
        tuple(weights.name(weight) for weight in weights.WEIGHTS),
        _weights,
    ),
    Claim(
        "packing",
        "8 bits cost 0.01 of likeness at most",
        ("instantid_identitynet", "unpacked"),
        _packed,
    ),
    Claim("detailer", "the face detailer puts the person there", ("detailer_before", "detailer"), _detailer),
    *claims_attribute.CLAIMS,
    *claims_repair.CLAIMS,
)


def verdicts(rows: Rows) -> dict[str, Verdict]:
    return {claim.name: claim.verdict(rows) for claim in CLAIMS}
