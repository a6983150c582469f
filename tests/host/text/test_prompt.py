"""Words to rows with the host's own vocabulary and its tiny text encoders. Spec: conditioning.md 0.1, 0.2."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.usefixtures("as_the_executor_does")

CHARACTERS = st.one_of(
    st.sampled_from("abcd MAN,.!'()[]:1.2\\<>é\u0301İΣ\u00a0\n犬🦊"),
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffc"),
)


@pytest.fixture(scope="module")
def room(pack: Any, host: Any) -> SimpleNamespace:
    def clip(name: str) -> Any:
        return host.CheckpointLoaderSimple().load_checkpoint(f"{name}.safetensors")[1]

    return SimpleNamespace(
        text=pack.module("likeness.text"),
        xl=clip("tiny_sdxl"),
        sd15=clip("tiny_sd15"),
        sd2=clip("tiny_sd2_inpaint"),
    )


def rows(room: Any, text: str, subject: str, **how: Any) -> list[int]:
    found = room.text.read(room.xl, text).rows_of(subject, **how)
    return [row for one in found for row in one.rows]


@settings(max_examples=150, deadline=None)
@given(st.text(CHARACTERS, max_size=150))
@example("\U00010d50 \ua7dc")  # letters of Unicode 16, which the tokeniser makes small
def test_the_spans_together_are_the_text(room: Any, text: str) -> None:
    prompt = room.text.read(room.xl, text)
    covered = {place for span in prompt.spans for place in range(span.start, span.end)}
    assert covered == {place for place, one in enumerate(prompt.text) if one != " "}
    assert prompt.length == 77 * prompt.sections


def test_rows_on_weights_accents_escapes_and_sections(room: Any) -> None:
    assert rows(room, "a " * 80 + "man", "man") == [83]
    plain = rows(room, "a photo of a man, smiling", "man")
    assert plain == [5] == rows(room, "a photo of a (man:1.3), smiling", "man")
    assert plain == rows(room, "a ((photo)) of a Man, smiling", "MAN")
    assert rows(room, "Un homme au café", "cafe\u0301") == rows(room, "Un homme au cafe\u0301", "CAFÉ")
    assert rows(room, r"a man \(old\)", "(old)", match="text") == [3, 4, 5]
    assert rows(room, "!! man !!", "man") == [2]
    assert rows(room, "an octogenarian blacksmith in a forge", "octogenarian blacksmith") == [2, 3, 4, 5, 6]


def test_rows_behind_an_embedding(room: Any, base: Any) -> None:
    folder = base / "models" / "embeddings"
    folder.mkdir(exist_ok=True)
    widths = {one.name: one.stop - one.start for one in room.text.columns_of(room.xl)}
    from safetensors.torch import save_file

    save_file({name: torch.ones(3, wide) for name, wide in widths.items()}, folder / "three.safetensors")
    found = room.text.read(room.xl, "a embedding:three, man")
    assert found.rows_of("man")[0].rows == (6,)
    assert found.tokens["l"][0][2][0].shape == (widths["clip_l"],)
    with pytest.raises(ValueError, match="subject 'three' is not in the text"):
        found.rows_of("three")
    assert rows(room, "a embedding:gone, man", "man") == [3]


def test_which_columns_are_whose(room: Any) -> None:
    columns = room.text.columns_of(room.xl)
    encoded = room.text.encode(room.xl, room.text.read(room.xl, "a man"))
    assert [one.name for one in columns] == ["clip_l", "clip_g"] and columns[0].stop == columns[1].start
    assert encoded[0][0].shape == (1, 77, columns[1].stop)
    assert [one.name for one in room.text.columns_of(room.sd15)] == ["clip_l"]
    with pytest.raises(ValueError, match="clip has the text encoders h"):
        room.text.columns_of(room.sd2)


def test_a_conditioning_of_another_text_or_clip_is_told(room: Any, host: Any) -> None:
    text, encode = room.text, host.CLIPTextEncode().encode
    long = text.read(room.xl, "a " * 80)
    with pytest.raises(ValueError, match="not made from this text: it has 77 rows, the text takes 154"):
        text.check_made_from(encode(room.xl, "a man")[0], long)
    with pytest.raises(ValueError, match="Connect the clip that encoded it"):
        text.check_made_from(encode(room.sd15, "a man")[0], text.read(room.xl, "a man"))
    with pytest.raises(ValueError, match="conditioning is empty"):
        text.check_made_from([], long)
    text.check_made_from(encode(room.xl, "a " * 80)[0], text.read(room.xl, "a man"))


def test_it_is_what_the_host_encodes(room: Any, host: Any) -> None:
    words = r"a (man:1.3) \(old\) smiling"
    ours = room.text.encode(room.xl, room.text.read(room.xl, words))
    theirs = host.CLIPTextEncode().encode(room.xl, words)[0]
    assert torch.equal(ours[0][0], theirs[0][0]) and torch.equal(
        ours[0][1]["pooled_output"], theirs[0][1]["pooled_output"]
    )
    plain = room.text.read(room.xl, words, weighted=False)
    assert plain.text == "a (man:1.3) (old) smiling"
    assert not torch.equal(room.text.encode(room.xl, plain)[0][0], theirs[0][0])
