"""One step's prompts, drawn by the step's number alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch.utils.data import Dataset

from likeness.methods.attributes.recipe import Pair, prompt

from ..chance import generator, whole


@dataclass(frozen=True)
class Prompts:
    """The same prompt three times, with the neutral, the positive and the negative phrase at its end.
    subject: the neutral phrase."""

    neutral: str
    positive: str
    negative: str
    subject: str


@dataclass(frozen=True)
class Samples(Dataset[list[list[Prompts]]]):
    """Batch n is what step n of one process learns from: `count` prompts for each of so many parts."""

    pairs: Sequence[Pair]
    prefixes: Sequence[str]
    count: int = 1
    parts: int = 10
    seed: int = 0
    process: int = 0

    def __getitem__(self, number: int) -> list[list[Prompts]]:
        source = generator("sample", self.seed, number, self.process)
        made = []
        for _ in range(self.parts):
            numbers = [whole(0, self.combinations - 1, source) for _ in range(self.count)]
            made.append([self.prompts(n) for n in numbers])
        return made

    @property
    def combinations(self) -> int:
        return len(self.pairs) * len(self.prefixes)

    def prompts(self, number: int) -> Prompts:
        """The n-th of all combinations."""
        pair, prefix = self.pairs[number % len(self.pairs)], self.prefixes[number // len(self.pairs)]
        return Prompts(
            prompt(prefix, pair.neutral),
            prompt(prefix, pair.positive),
            prompt(prefix, pair.negative),
            pair.neutral,
        )
