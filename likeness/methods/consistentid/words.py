"""The sentence about the parts of a face that goes into the prompt.

Spec: consistentid_masterweaver.md 1.4.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection
from dataclasses import dataclass

from ...choices.consistentid import EARS, EYES, FACE, MOUTH, NOSE

log = logging.getLogger(__name__)

#: The parts in the order of the text. Pictures have another: the file was trained with both orders, so a
#: picture of eyes goes into the word for ears and the other way round.
ORDER = (FACE, EARS, EYES, NOSE, MOUTH)
#: Longer sentences are left out, with all parts.
LONGEST = 330
_WORDS = re.compile(r"\w+|[.,;!?]")
_ENDS = frozenset(",.;")
_MARKER = " <|facial|>"


@dataclass(frozen=True)
class Family:
    """How a family of models is told: its own sentence, and what stands before `Detail:`."""

    caption: str
    before: str

    @property
    def details(self) -> str:
        return f"{self.before}Detail:"


SD15 = Family("The person has one face, one nose, two eyes, two ears, and one mouth.", "")
SDXL = Family("The person has one face, one nose, two eyes, two ears, and a mouth.", "; ")


@dataclass(frozen=True)
class Caption:
    """text: the sentence in the order of the text. parts: whom it names, and where each name ends in it."""

    text: str
    parts: tuple[tuple[str, int], ...]

    @property
    def marked(self) -> str:
        """As the released code gives it to encoders that do not know its marker."""
        pieces, last = [], 0
        for _, end in self.parts:
            pieces += [self.text[last:end], _MARKER]
            last = end
        return "".join([*pieces, self.text[last:]])


NO_CAPTION = Caption("", ())


def caption_of(sentence: str, parts: Collection[str]) -> Caption | None:
    """The phrases of a sentence about these parts; None when it is so long that the authors leave it out.

    Each part is named once, in a phrase of its own; of everything but letters, digits and stops nothing is
    left. Raises ValueError for a phrase with two parts.
    """
    if len(sentence) > LONGEST:
        log.warning(
            "ConsistentID: caption has %d characters; over %d it is left out, with all parts.",
            len(sentence),
            LONGEST,
        )
        return None
    phrases: dict[str, list[str]] = {}
    for words in _phrases(_once(_WORDS.findall(sentence))):
        named = [word.lower() for word in words if word.lower() in ORDER]
        if len(named) > 1:
            raise ValueError(
                f"caption has {' and '.join(named)} in one phrase, {' '.join(words)!r}: put a comma between "
                "them, so that each part has a phrase of its own."
            )
        phrases |= dict.fromkeys(named, words)
    text, where = "", []
    for part in ORDER:
        if part in phrases and part in parts:
            words = phrases[part]
            place = [word.lower() for word in words].index(part) + 1
            text += " " if text else ""
            where.append((part, len(text) + len(" ".join(words[:place]))))
            text += " ".join(words) + ","
    return Caption(text, tuple(where))


def _once(words: list[str]) -> list[str]:
    """Without the parts that were named before."""
    seen: set[str] = set()
    kept = []
    for word in words:
        lower = word.lower()
        if lower not in ORDER or lower not in seen:
            kept.append(word)
        seen.add(lower)
    return kept


def _phrases(words: list[str]) -> list[list[str]]:
    phrases: list[list[str]] = [[]]
    for word in words:
        if word in _ENDS:
            phrases.append([])
        else:
            phrases[-1].append(word)
    return phrases


def behind(prompt: str, caption: str, family: Family) -> tuple[str, int]:
    """(the prompt with the details after it, where the caption begins in it)."""
    start = prompt + family.details
    return start + caption, len(start)


def before(prompt: str, caption: str, family: Family) -> tuple[str, int]:
    """The same with the details first, for prompts that are too long."""
    return f"{family.details}{caption} Caption:{prompt}", len(family.details)
