"""Who somebody is: numbers of the face's geometry, its skin and its marks, and nothing of its dress."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: What each number of a person moves; -1 is the smallest, 0 the middle, 1 the largest.
NUMBERS: tuple[str, ...] = (
    *("face_width", "cheekbones", "jaw_width", "chin_length", "chin_width", "ear_size"),
    *("eye_size", "eye_gap", "eye_roundness", "eye_slant", "eye_height", "iris"),
    *("nose_length", "nose_width", "nose_bridge", "nose_tip"),
    *("mouth_width", "upper_lip", "lower_lip", "mouth_height", "mouth_bow"),
    *("brow_height", "brow_thickness", "brow_slope", "brow_arch", "brow_length"),
    *("skin", "mole", "mole_side", "mole_height", "freckles", "lines"),
)
#: The only number that moves a colour over the whole face: judges of geometry hold it still.
SKIN = NUMBERS.index("skin")

#: Streams of chance, so that a person and a scene of one seed have nothing to do with each other.
_STREAM = 1


@dataclass(frozen=True, eq=False)
class Person:
    """numbers: float32 [len(NUMBERS)], each -1..1, in the order of NUMBERS. Read-only."""

    numbers: NDArray[np.float32]

    def __post_init__(self) -> None:
        numbers = np.array(self.numbers, dtype=np.float32)
        if numbers.shape != (len(NUMBERS),):
            raise ValueError(f"A person has {len(NUMBERS)} numbers, not {list(numbers.shape)}.")
        if not (np.abs(numbers) <= 1).all():
            raise ValueError("Each number of a person lies in -1..1.")
        numbers.flags.writeable = False
        object.__setattr__(self, "numbers", numbers)

    @classmethod
    def of(cls, seed: int) -> Person:
        """The person of a seed."""
        chance = np.random.default_rng([_STREAM, seed])
        return cls(chance.uniform(-1, 1, len(NUMBERS)).astype(np.float32))

    def with_(self, changes: Mapping[str, float]) -> Person:
        """The same but for some numbers, by name. Raises ValueError for another name or number."""
        numbers = self.numbers.copy()
        for name, number in changes.items():
            if name not in NUMBERS:
                raise ValueError(f"A person has no number named {name!r}. There are: {', '.join(NUMBERS)}.")
            numbers[NUMBERS.index(name)] = number
        return Person(numbers)

    def named(self) -> dict[str, float]:
        """The numbers under their names."""
        return dict(zip(NUMBERS, self.numbers.tolist(), strict=True))

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, Person) and self.numbers.tobytes() == other.numbers.tobytes()

    def __hash__(self) -> int:
        return hash(self.numbers.tobytes())
