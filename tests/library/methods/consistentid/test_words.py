"""The sentence about a face, as the authors' rules have it."""

from __future__ import annotations

import pytest
from support.consistentid_golden import ConsistentGolden

from likeness.choices.consistentid import PARTS
from likeness.methods.consistentid.words import SD15, SDXL, before, behind, caption_of

SETS = [(base, name) for base in ("sd15", "sdxl") for name in ConsistentGolden(base).words]


@pytest.mark.parametrize(("base", "name"), SETS)
def test_the_authors_texts(base: str, name: str) -> None:
    golden = ConsistentGolden(base)
    words, family = golden.words[name], SD15 if base == "sd15" else SDXL
    caption = caption_of(words["caption"], golden.parts(name))
    assert caption is not None
    turned = words["text"].startswith(family.details)
    text, start = (before if turned else behind)(words["prompt"], caption.text, family)
    assert text.replace(",", " ,").split() == words["text"].replace(",", " ,").split()
    assert text[start:].startswith(caption.text)
    assert words["caption"] in (family.caption, golden.words["own_caption"]["caption"])


def test_a_marked_word_is_the_one_before_its_mark() -> None:
    caption = caption_of("Her narrow face and chin, one nose!", PARTS)
    assert caption is not None
    assert caption.text == "Her narrow face and chin, one nose !,"
    assert [caption.text[:end].split()[-1] for _, end in caption.parts] == ["face", "nose"]
    assert caption.marked == "Her narrow face <|facial|> and chin, one nose <|facial|> !,"


def test_repeats_are_left_out_and_other_signs_lost() -> None:
    caption = caption_of("An almond-shaped face; Face and brows. It's one (small) mouth, a hat", PARTS)
    assert caption is not None and caption.text == "An almond shaped face, It s one small mouth,"


def test_what_is_not_seen_goes_with_its_phrase() -> None:
    caption = caption_of(SD15.caption, ["nose", "eyes"])
    assert caption is not None and caption.text == "two eyes, one nose,"
    nothing = caption_of(SD15.caption, [])
    assert nothing is not None and nothing.text == "" and nothing.parts == ()


def test_two_parts_in_a_phrase_are_refused() -> None:
    with pytest.raises(ValueError, match=r"caption has eyes and ears in one phrase.*put a comma between"):
        caption_of("a face, blue eyes and small ears", PARTS)


def test_a_long_sentence_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    assert caption_of("a face, " + "very " * 70, PARTS) is None
    assert "caption has 358 characters; over 330 it is left out" in caplog.text
