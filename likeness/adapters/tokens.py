"""Tokens that an adapter made of somebody, or of something: what its attention layers look at."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class MadeWith:
    """Which adapter made tokens: its name, for messages, and what identifies its file (path, size, time).

    Files of one name are not one file. file is empty for an adapter that came from none.
    """

    name: str
    file: str = ""

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, eq=False)
class Tokens:
    """float32 on the CPU: somebody [N, T, D], one set for every picture of a batch or one for each of N.

    nobody [1, T, D]: what negative prompts look at; None where they have nothing of their own. A part of T
    tokens will do where the whole are equal copies of it: one weighs as much. Raises ValueError for anything
    else.
    """

    somebody: torch.Tensor
    nobody: torch.Tensor | None
    made_with: MadeWith

    def __post_init__(self) -> None:
        for name in ("somebody", "nobody"):
            value = getattr(self, name)
            if value is None:
                continue
            value = value.detach().to("cpu", torch.float32)
            if value.ndim != 3 or 0 in (value.shape[0], value.shape[2]):
                raise ValueError(f"Tokens of {self.made_with} must be [N, T, D], not {list(value.shape)}.")
            if not torch.isfinite(value).all():
                raise ValueError(
                    f"Tokens of {self.made_with} hold NaN or infinity: its file or its input is damaged."
                )
            object.__setattr__(self, name, value)
        if self.nobody is not None and not self._copies():
            raise ValueError(
                f"Tokens of nobody {list(self.nobody.shape)} do not fit {list(self.somebody.shape)}."
            )

    @property
    def both(self) -> torch.Tensor:
        """[1 + N, T, D]: nobody first. Raises ValueError when there is no nobody."""
        if self.nobody is None:
            raise ValueError("These tokens have none for negative prompts.")
        return torch.cat([self.nobody.repeat(1, self._copies(), 1), self.somebody])

    def _copies(self) -> int:
        """How many copies of nobody's tokens are as many as somebody's; 0 when they do not fit."""
        if self.nobody is None or not self.nobody.shape[1]:
            return int(self.nobody is not None and self.nobody.shape == (1, *self.somebody.shape[1:]))
        (one, count, width), (_, wanted, wide) = self.nobody.shape, self.somebody.shape
        return 0 if one != 1 or width != wide or wanted % count else wanted // count

    def __len__(self) -> int:
        return len(self.somebody)

    def __repr__(self) -> str:
        n, t, d = self.somebody.shape
        return f"Tokens({n} x {t} x {d}, {self.made_with})"
