"""The face parser's 19 classes, and the words that ask for them.

Spec: pva_freecure_emojidiff.md B.1, B.5.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence

from ..choices.faces import MATCHING, PARTS, SUBSTRING, WHOLE_WORDS

log = logging.getLogger(__name__)

#: In the order of their numbers.
NAMES = (PARTS[-1], *PARTS[:-1])
BACKGROUND = 0

#: The released code's keywords. It asks whether the text contains them, also inside other words.
_SUBSTRINGS = {"hair": (17,), "eye": (4, 5), "glasses": (6,)}

#: Class numbers -> the words for them, in the singular where there is one.
_MEANINGS: dict[tuple[int, ...], str] = {
    (0,): "background",
    (1,): "skin complexion freckle",
    (2, 3): "brow eyebrow",
    (4, 5): "eye iris pupil",
    (6,): "glasses sunglasses eyeglasses spectacles goggles",
    (7, 8): "ear",
    (9,): "earring",
    (10,): "nose",
    (11, 12, 13): "mouth",
    (11,): "teeth tooth tongue",
    (12, 13): "lip lipstick",
    (14,): "neck",
    (15,): "necklace pendant",
    (16,): "cloth clothes clothing outfit shirt dress jacket suit coat sweater hoodie",
    (17,): "hair hairstyle haircut bangs fringe ponytail pigtail braid bun curl dreadlock afro",
    (18,): "hat cap beanie helmet headscarf turban",
}
_WORDS = {word: classes for classes, words in _MEANINGS.items() for word in words.split()}
_SIDES = {"left": {2, 4, 7}, "right": {3, 5, 8}, "upper": {12}, "lower": {13}}


def wanted_classes(
    classes: Sequence[str] = (), words: str = "", matching: str = WHOLE_WORDS, any_words: bool = False
) -> tuple[int, ...]:
    """The class numbers that names and words ask for together, in order and without repeats.

    classes: names out of NAMES. words: free text, read by words_to_classes. any_words: beside classes the
    words may mean nothing, as a whole prompt can. Raises ValueError when nothing is asked for, a name is
    unknown, or the words ask for nothing.
    """
    names = [classes] if isinstance(classes, str) else list(classes)
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        raise ValueError(
            f"classes has no {', '.join(repr(name) for name in unknown)}. There are: {', '.join(PARTS)}."
        )
    wanted = {NAMES.index(name) for name in names}
    if words.strip():
        wanted.update(words_to_classes(words, matching, nothing=any_words and bool(wanted)))
    if not wanted:
        raise ValueError("Nothing is to be masked: choose something in classes, or write it in words.")
    return tuple(sorted(wanted))


def words_to_classes(words: str, matching: str = WHOLE_WORDS, nothing: bool = False) -> tuple[int, ...]:
    """The class numbers a text asks for, in order; words that mean no class are passed over.

    "whole words": each word by itself, in the singular or plural; "left", "right", "upper" and "lower" before
    it choose one of a pair. "substring": as the released code, which looks for hair, eye and glasses
    anywhere, so that "eyeglasses" asks for eyes too. Raises ValueError when nothing in it is understood and
    that is not allowed.
    """
    if matching not in MATCHING:
        raise ValueError(f"word_matching must be one of {', '.join(MATCHING)}, not {matching!r}.")
    found = _by_substring(words) if matching == SUBSTRING else _by_word(words)
    if not found and not nothing:
        known = _SUBSTRINGS if matching == SUBSTRING else _WORDS
        raise ValueError(
            f"The words {words!r} name nothing that can be masked. With word_matching {matching!r} these are "
            f"understood: {', '.join(known)}. For anything else connect a mask of your own instead."
        )
    log.info("The words %r ask for: %s.", words, class_names(found) or "nothing")
    return found


def class_names(classes: Sequence[int]) -> str:
    """Their names for messages: `hair, hat`."""
    return ", ".join(NAMES[number] for number in classes)


def _by_substring(words: str) -> tuple[int, ...]:
    text = words.lower()
    return tuple(sorted(number for key, classes in _SUBSTRINGS.items() if key in text for number in classes))


def _by_word(words: str) -> tuple[int, ...]:
    tokens = re.findall(r"[a-z]+", words.lower())
    found: set[int] = set()
    for place, token in enumerate(tokens):
        classes = _meaning(token)
        found |= _one_side(classes, tokens[:place]) or classes
    return tuple(sorted(found))


def _meaning(token: str) -> set[int]:
    singulars = (token, token.removesuffix("s"), token.removesuffix("es"))
    return set(next((_WORDS[form] for form in singulars if form in _WORDS), ()))


def _one_side(classes: set[int], before: Sequence[str]) -> set[int]:
    """Those of a pair that the words right before its name choose: `left`, `left and right`."""
    chosen: set[int] = set()
    for token in reversed(before):
        if token not in _SIDES and token not in ("and", "or"):
            break
        chosen |= _SIDES.get(token, set())
    return classes & chosen
