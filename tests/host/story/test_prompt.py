"""A story's prompts from the host's text encoders: what stays, what changes, what is said of bad input."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from support.golden import relative_error

IDENTITY = "A photo of a red fox with coat"
FRAMES = ("wearing a scarf in a meadow", "playing in the snow", "at the edge of a village with river")
#: Start and end of each frame's rows in the text of all three.
ROWS = ((9, 15), (15, 19), (19, 27))
STORY = " ".join((IDENTITY, *FRAMES))

pytestmark = pytest.mark.usefixtures("as_the_executor_does")


@pytest.fixture(scope="module")
def room(pack: Any, host: Any) -> SimpleNamespace:
    load = host.CheckpointLoaderSimple().load_checkpoint
    clips = {kind: load(f"tiny_{kind}.safetensors")[1] for kind in ("sdxl", "sd15")}
    node, columns_of = pack.node("LikenessStoryPrompt"), pack.module("likeness.text").columns_of

    def tell(kind: str = "sdxl", **inputs: Any) -> Any:
        given = {"clip": clips[kind], "identity": IDENTITY, "frames": "\n".join(FRAMES)}
        return node.execute(**{**given, **inputs}).result

    def encode(text: str, kind: str = "sdxl") -> tuple[torch.Tensor, dict[str, Any]]:
        tokens = clips[kind].tokenize(text, disable_weights=True)
        (entry,) = clips[kind].encode_from_tokens_scheduled(tokens)
        return entry[0], entry[1]

    columns = {kind: columns_of(clip) for kind, clip in clips.items()}
    return SimpleNamespace(tell=tell, encode=encode, clips=clips, columns=columns, pack=pack)


@pytest.mark.parametrize("mode", ["reweight", "fade"])
@pytest.mark.parametrize("kind", ["sdxl", "sd15"])
def test_each_frame_is_the_encoded_story_with_its_words_made_loud(room: Any, kind: str, mode: str) -> None:
    story = room.pack.module("likeness.methods.story")
    tensor, facts = room.encode(STORY, kind)
    positives, prompts, held, count = room.tell(kind, mode=mode)
    assert (len(positives), prompts, held, count) == (3, [STORY] * 3, 9, 3)
    for number, prompt in enumerate(positives):
        ((made, told),) = prompt
        assert made.shape == tensor.shape and torch.equal(told["pooled_output"], facts["pooled_output"])
        for one in room.columns[kind]:
            x, found = (t[0, :, one.start : one.stop] for t in (tensor, made))
            frames, how = [range(*rows) for rows in ROWS], story.Reweighting(mode)
            (wanted,) = story.expressed(x, frames, range(27, 77), [number], how)
            assert relative_error(found, wanted) <= 1e-6
            assert torch.equal(found[:9], x[:9]) and not torch.equal(found[9:], x[9:])


@pytest.mark.parametrize("kind", ["sdxl", "sd15"])
def test_the_identity_reads_the_same_whatever_follows(room: Any, kind: str) -> None:
    """CLIP looks backwards only: that is why nothing has to be stored."""
    alone, story = room.encode(IDENTITY, kind)[0], room.encode(STORY, kind)[0]
    assert torch.equal(alone[:, :9], story[:, :9])
    assert not torch.allclose(alone[:, 9], story[:, 9])


def test_a_second_run_is_the_first(room: Any) -> None:
    one, other = room.tell()[0], room.tell()[0]
    assert all(torch.equal(a[0][0], b[0][0]) for a, b in zip(one, other, strict=True))
    assert not torch.equal(one[0][0][0], one[1][0][0])


def test_a_story_of_ten_frames(room: Any) -> None:
    frames = [f"in scene {number}" for number in range(10)]
    positives, prompts, held, count = room.tell(frames="\n".join(frames))
    assert (len(positives), count, held) == (10, 10, 9)
    assert prompts == [" ".join((IDENTITY, *frames))] * 10
    loud = [float(p[0][0][0, 9 + 3 * n : 12 + 3 * n].norm()) for n, p in enumerate(positives)]
    weak = [float(p[0][0][0, 9 + 3 * n : 12 + 3 * n].norm()) for n, p in enumerate(reversed(positives))]
    assert min(loud) > 3 * max(weak)


def test_frames_that_do_not_fit_together_go_round(room: Any, caplog: pytest.LogCaptureFixture) -> None:
    frames = [f"{word} " * 20 for word in ("sun", "rain", "snow", "wind")]
    with caplog.at_level(logging.INFO):
        positives, prompts, _, _ = room.tell(frames="\n".join(frames))
    assert "3 frames fit into one prompt at once, not 4" in caplog.text
    assert [one.split()[8::20] for one in prompts] == [
        ["sun", "rain", "snow"],
        ["rain", "snow", "wind"],
        ["snow", "wind", "sun"],
        ["wind", "sun", "rain"],
    ]
    for text, ((made, _),) in zip(prompts, positives, strict=True):
        plain = room.encode(text)[0]
        # The first is loud, the others are weak.
        parts = [slice(9 + 20 * n, 29 + 20 * n) for n in range(3)]
        shares = [float(made[0, rows].norm() / plain[0, rows].norm()) for rows in parts]
        assert shares[0] > 5 * max(shares[1:])


@pytest.mark.parametrize("given", [{"frames": FRAMES[0]}, {"window": 1}], ids=str)
def test_a_frame_by_itself_is_its_plain_prompt(room: Any, given: dict[str, Any]) -> None:
    positives, prompts, _, _ = room.tell(**given)
    for text, prompt in zip(prompts, positives, strict=True):
        assert torch.equal(prompt[0][0], room.encode(text)[0])
    assert prompts[0] == f"{IDENTITY} {FRAMES[0]}"


def test_copies_of_the_identity_go_behind_the_prompt(room: Any) -> None:
    plain, copied = room.tell()[0], room.tell(identity_copies=2)[0]
    for (x, _), (longer, _) in zip((p[0] for p in plain), (p[0] for p in copied), strict=True):
        assert torch.equal(longer, torch.cat([x, x[:, :9], x[:, :9]], dim=1))


def test_spaces_and_empty_lines_do_not_matter(room: Any) -> None:
    wild = room.tell(
        identity=f"  {IDENTITY.replace(' ', '  ')}\n", frames="\n\n".join(f" {f} " for f in FRAMES)
    )
    assert wild[1] == [STORY] * 3
    assert torch.equal(wild[0][1][0][0], room.tell()[0][1][0][0])


def test_brackets_are_read_as_they_are(room: Any, caplog: pytest.LogCaptureFixture) -> None:
    """And the text that is given on makes the same tokens where weights are read."""
    clip = room.clips["sdxl"]
    _, prompts, held, _ = room.tell(identity="a fox (young)", frames="in the (snow:1.4)\nat home")
    assert "stories have none" in caplog.text
    assert prompts[0] == r"a fox \(young\) in the \(snow:1.4\) at home"
    assert clip.tokenize(prompts[0]) == clip.tokenize(prompts[0].replace("\\", ""), disable_weights=True)
    assert held == 6


def test_words_stand_twice_and_only_their_own_copy_is_loud(room: Any) -> None:
    ((first, _),), ((second, _),) = room.tell(frames="in the snow\nin the snow")[0]
    assert first[0, 9:12].norm() > 3 * first[0, 12:15].norm()
    assert second[0, 12:15].norm() > 3 * second[0, 9:12].norm()


def test_clip_hooks_give_several_parts_and_each_is_changed(room: Any) -> None:
    """The host encodes once for each part of a schedule of hooks."""
    clip, entries = room.clips["sdxl"], []
    copy = clip.clone()
    copy.encode_from_tokens_scheduled = lambda tokens, **_: entries

    tensor, facts = room.encode(STORY)
    entries += [[tensor, {**facts, "clip_start_percent": 0.0, "clip_end_percent": 0.5}]]
    entries += [[tensor.flip(2), {**facts, "clip_start_percent": 0.5, "clip_end_percent": 1.0}]]
    kept = [x.clone() for x, _ in entries]
    for prompt in room.tell(clip=copy)[0]:
        assert [told["clip_start_percent"] for _, told in prompt] == [0.0, 0.5]
        assert all(not torch.equal(x, before) for (x, _), before in zip(prompt, kept, strict=True))
    assert all(torch.equal(x, before) for (x, _), before in zip(entries, kept, strict=True))


# ---- bad input


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"identity": "  "}, "identity is empty: write who or what the story is about"),
        ({"frames": "\n \n"}, "frames is empty: write a line for each picture."),
        ({"identity": "fox " * 76}, "identity has 76 tokens, but a prompt holds 75"),
        ({"frames": "in the snow\n" + "wide " * 70}, "frame 2 has 70 tokens and identity 8, together 78"),
        ({"mode": "loud"}, "mode must be one of reweight, fade, not 'loud'"),
        ({"suppress": -0.5}, "suppress must be 0 or more, not -0.5"),
        ({"window": 0}, "window must be 1 or more, not 0"),
        ({"identity_copies": -1}, "identity_copies must be 0 or more, not -1"),
    ],
    ids=str,
)
def test_bad_input_is_said(room: Any, given: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        room.tell(**given)


def test_a_clip_of_another_kind(room: Any) -> None:
    clip = SimpleNamespace(tokenize=lambda text, **_: {"t5xxl": [[(1, 1.0)]]}, cond_stage_model=None)
    with pytest.raises(ValueError, match=r"clip has the text encoders t5xxl\. Changing single words needs"):
        room.tell(clip=clip)
