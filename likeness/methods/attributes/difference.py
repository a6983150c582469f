"""A direction from differences of prompts, without a diffusion model. Spec: conditioning.md 1.3."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ... import host
from ...text import read
from ...text.spans import EMBEDDING
from .recipe import Pair, prompt, read_pairs, read_prefixes
from .value import Attribute

#: Texts encoded at once.
_BATCH = 32

#: From texts to the row of the last word of each, [N, width], by encoder.
Encode = Callable[[Sequence[str]], Mapping[str, torch.Tensor]]


@dataclass(frozen=True)
class Learned:
    """An attribute, and how it came about: in how many differences, and how alike these are.

    spread: by encoder, the mean cosine of the single differences to their mean; 1: all the same.
    """

    attribute: Attribute
    count: int
    spread: Mapping[str, float]

    @property
    def report(self) -> str:
        lines = [f"{self.attribute.name}: mean of {self.count} differences of prompts"]
        for encoder, vector in self.attribute.vectors.items():
            told = f"length {vector.norm():.3f}, spread {self.spread[encoder]:.3f}"
            lines.append(f"{encoder}: {told} (mean cosine of single differences to it; 1: all alike)")
        return "\n".join(lines)


def learn(clip: Any, name: str, pairs: str, prefixes: str) -> Learned:
    """An attribute of a clip: how `old man` differs from `young man`, on the mean of all prefixes and pairs.

    name: for files and edits. pairs, prefixes: as in recipe. The texts are encoded as they are, without the
    syntax of weights. Raises ValueError naming what can't be read.
    """
    checked = check_name(name)
    read_in, before = read_pairs(pairs), read_prefixes(prefixes)
    vectors, spread, count = difference(lambda texts: last_rows(clip, texts), read_in, before)
    phrases = "; ".join(f"{pair.positive} | {pair.negative}" for pair in read_in[:8])
    source = f"differences of {len(read_in)} pairs with {len(before)} prefixes: {phrases}"
    made = Attribute(checked, vectors.get("clip_l"), vectors.get("clip_g"), "difference", "", source)
    return Learned(made, count, spread)


def difference(
    encoded: Encode, pairs: Sequence[Pair], prefixes: Sequence[str]
) -> tuple[dict[str, torch.Tensor], dict[str, float], int]:
    """(direction [width] by encoder, spread by encoder, number of differences)."""
    both = [
        (prompt(prefix, pair.positive), prompt(prefix, pair.negative))
        for prefix in prefixes
        for pair in pairs
    ]
    texts = list(dict.fromkeys(text for pair in both for text in pair))
    place = {text: number for number, text in enumerate(texts)}
    first, second = ([place[texts[side]] for texts in both] for side in (0, 1))
    vectors, spread = {}, {}
    for encoder, rows in encoded(texts).items():
        single = rows[first].to("cpu", torch.float32) - rows[second].to("cpu", torch.float32)
        vectors[encoder] = single.mean(0)
        cosines = torch.nn.functional.cosine_similarity(single, vectors[encoder][None], dim=-1)
        spread[encoder] = float(cosines.mean())
    if not any(vector.any() for vector in vectors.values()):
        raise ValueError("pairs: the differences add up to nothing. Leave out pairs that undo others.")
    return vectors, spread, len(both)


def last_rows(clip: Any, texts: Sequence[str]) -> dict[str, torch.Tensor]:
    """The row of the last word of each text, [N, width], by encoder.

    Texts are encoded many at once, as the sections of one prompt: sections don't see each other.
    """
    prompts = [read(clip, text, weighted=False) for text in texts]
    for one, text in zip(prompts, texts, strict=True):
        if one.sections > 1:
            raise ValueError(f"The prompt {text[:60]!r}... is longer than 75 tokens. Shorten prefix or pair.")
        if not one.spans or one.text.rstrip().endswith(EMBEDDING):
            raise ValueError(f"The prompt {text!r} ends with no word: end the phrases of pairs with one.")
    size = 1 if "t5xxl" in prompts[0].tokens else _BATCH  # T5 reads all sections as one text
    rows: dict[str, list[torch.Tensor]] = {one.name: [] for one in prompts[0].columns}
    step = host.running.progress(-(-len(prompts) // size))
    for start in range(0, len(prompts), size):
        several = prompts[start : start + size]
        tokens = {key: [part for one in several for part in one.tokens[key]] for key in several[0].tokens}
        states = host.text.encode(clip, tokens)[0][0][0]
        ends = [number * one.length + one.spans[-1].row for number, one in enumerate(several)]
        for columns in several[0].columns:
            rows[columns.name].append(states[ends, columns.start : columns.stop].to("cpu", torch.float32))
        step()
    return {encoder: torch.cat(parts) for encoder, parts in rows.items()}


def check_name(name: str) -> str:
    """The name without white space at its ends. Raises ValueError for one that files and edits can't hold."""
    name = name.strip()
    if not name or any(sign in name for sign in ",.:=#|\n\r") or name.isdigit():
        raise ValueError(f"name {name!r} is no attribute's name: use letters, digits and _, such as age.")
    return name
