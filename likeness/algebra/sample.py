"""New people near given ones."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch

from ..identity import mean_of
from ..values import Identity
from .people import label, of_one_recogniser

#: How often a new person is drawn again before Sample Identities gives up.
TRIES = 500


def sample_identities(
    identities: Mapping[str, Identity],
    count: int = 4,
    spread: float = 0.6,
    min_distance: float = 0.4,
    seed: int = 0,
) -> Identity:
    """New people near the given ones: an identity [count, D] of vectors as long as the given are on average.

    Each is a random convex mix of the given unit vectors (Dirichlet, all mixes equally likely), turned in
    a random direction of its tangent space (Gaussian) by `spread` of a right angle, and drawn again until
    its cosine distance (1 - cosine) to every given embedding, every identity's mean and everyone made
    before is at least min_distance. The same seed gives the same people; a larger count adds some behind
    them. Raises ValueError for fewer than two embeddings, numbers out of range and distances that
    TRIES draws don't reach.
    """
    people = of_one_recogniser(identities)
    raw = torch.cat([identity.embeddings for identity in people.values()]).double()
    if len(raw) < 2:
        raise ValueError(
            f"New people are mixed from at least two embeddings; {next(iter(people))} holds one and is "
            "alone. Connect another identity, or embed several faces with combine = none."
        )
    if count < 1 or not 0 <= spread <= 1 or not 0 <= min_distance <= 1:
        raise ValueError(
            f"count must be 1 or more ({count}), spread and min_distance from 0 to 1 ({spread:g}, "
            f"{min_distance:g})."
        )
    generator = torch.Generator().manual_seed(seed)
    units = torch.nn.functional.normalize(raw, dim=1)
    means = torch.stack([mean_of(name, identity) for name, identity in people.items()])
    taken = torch.cat([units, torch.nn.functional.normalize(means, dim=1)])
    first = len(taken)
    for made in range(count):
        best = -math.inf
        for _ in range(TRIES):
            person = _newcomer(units, spread, generator)
            distance = 1 - float((taken @ person).max())
            best = max(best, distance)
            if distance >= min_distance:
                taken = torch.cat([taken, person[None]])
                break
        else:
            raise ValueError(
                f"Only {made} of {count} new people were found: the next came no further than {best:.3f} "
                f"from everyone given or made, in {TRIES} tries. Lower min_distance ({min_distance:g}) or "
                f"count ({count}), raise spread ({spread:g}), or connect people who are less alike."
            )
    vectors = taken[first:] * raw.norm(dim=1).mean()
    labels = ", ".join(label(name, identity) for name, identity in people.items())
    source = (
        f"{count} new people, spread {spread:g}, min_distance {min_distance:g}, seed {seed}, from {labels}"
    )
    return Identity(vectors.float(), next(iter(people.values())).recogniser, source=source)


def _newcomer(units: torch.Tensor, spread: float, generator: torch.Generator) -> torch.Tensor:
    """A unit vector [D] at exactly `spread` of a right angle from a random mix of `units` [N, D]."""
    shares = torch.empty(len(units), dtype=units.dtype).exponential_(generator=generator)
    mixed = torch.nn.functional.normalize(shares @ units, dim=0)
    noise = torch.randn(units.shape[1], dtype=units.dtype, generator=generator)
    tangent = torch.nn.functional.normalize(noise - (noise @ mixed) * mixed, dim=0)
    angle = spread * math.pi / 2
    return torch.nn.functional.normalize(math.cos(angle) * mixed + math.sin(angle) * tangent, dim=0)
