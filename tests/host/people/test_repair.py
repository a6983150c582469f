"""Repair Faces in the real host, on real photos: a tiny SDXL samples, and the VAE decodes what a test tells
it.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from support.told_vae import ToldVAE

INPUTS = (
    "image cast redraw face_models at_least tries denoise seed recogniser allow_same hard_places tracked "
    "crop_size margin region seam colour_match read_expression max_pose_shift max_expression_shift if_no_face"
)
#: Photos are no drawings of one pose.
FREE = {"max_pose_shift": 0.0, "max_expression_shift": 0.0}

pytestmark = pytest.mark.usefixtures("as_the_executor_does")


@pytest.fixture(scope="module")
def room(pack: Any, host: Any, models: Any, people: Any) -> SimpleNamespace:
    model, clip, vae = host.CheckpointLoaderSimple().load_checkpoint("tiny_sdxl.safetensors")
    prompts = [host.CLIPTextEncode().encode(clip, text)[0] for text in ("a face", "")]
    given = {"model": model, "positive": prompts[0], "negative": prompts[1], "steps": 1, "size": 128}

    def way(vae: Any = vae, **options: Any) -> Any:
        return pack.node("LikenessRedrawPlain").execute(**given, vae=vae, **options)[0]

    def repair(images: torch.Tensor, cast: Any, redraw: Any, **options: Any) -> Any:
        inputs = {"image": images, "cast": cast, "redraw": redraw, "face_models": models, **FREE, **options}
        image, passed, table, both, mask = pack.node("LikenessRepairFaces").execute(**inputs).result
        return SimpleNamespace(image=image, passed=passed, table=table, both=both, mask=mask)

    return SimpleNamespace(
        way=way,
        repair=repair,
        barack=people.cast(people.member("Barack", "obama3")),
        like_barack=people.crop("obama2"),
        joe=people.picture("biden"),
    )


def test_sockets_are_as_promised_and_explained(pack: Any) -> None:
    schema = pack.node("LikenessRepairFaces").define_schema()
    assert [socket.id for socket in schema.inputs] == INPUTS.split()
    assert [socket.id for socket in schema.outputs] == ["image", "passed", "table", "before_after", "mask"]
    assert all(socket.tooltip for socket in [*schema.inputs, *schema.outputs])


def test_noise_is_never_kept(room: Any) -> None:
    """What a tiny network draws is no face: the picture comes back to the bit."""
    before = room.joe.clone(), torch.random.get_rng_state()
    done = room.repair(room.joe, room.barack, room.way(), tries=2)
    assert torch.equal(done.image, room.joe) and torch.equal(room.joe, before[0])
    assert not done.passed and not done.mask.any() and "left as it was" in done.table
    assert torch.equal(torch.random.get_rng_state(), before[1])


def test_a_face_that_is_wrong_is_redrawn(room: Any) -> None:
    vae = ToldVAE([room.like_barack])
    done = room.repair(room.joe, room.barack, room.way(vae))
    assert done.passed and len(vae.seen) == 1 and "repaired (try 1" in done.table
    assert done.both.shape == (1, 448, 896, 3) and torch.equal(done.both[:, :, :448], room.joe)
    changed = done.mask > 0
    assert changed.any() and torch.equal(done.image[~changed], room.joe[~changed])
    again = room.repair(done.image, room.barack, room.way(vae))
    assert torch.equal(again.image, done.image) and len(vae.seen) == 1


def test_frames_are_what_they_are_one_by_one(room: Any, people: Any) -> None:
    clip, vae = people.batch("biden", "obama", "biden"), ToldVAE([room.like_barack])
    whole = room.repair(clip, room.barack, room.way(vae))
    single = [room.repair(frame, room.barack, room.way(vae)).image for frame in clip.split(1)]
    assert torch.equal(whole.image, torch.cat(single)) and torch.equal(whole.image[1], clip[1])
    assert torch.equal(vae.seen[0], vae.seen[1])  # one seed for one person: a clip does not flicker
    tracked = room.repair(clip, room.barack, room.way(vae), tracked=True)
    assert tracked.passed and torch.equal(tracked.image, whole.image)


def test_a_cancelled_run_is_gone_on_with(room: Any, people: Any) -> None:
    import comfy.model_management as management

    places = people.cast(people.member("Barack", "obama3", "left"), people.member("Joe", "biden", "right"))
    picture = people.picture("biden", "obama2")
    vae = ToldVAE([room.like_barack, people.crop("biden")])
    redraw = room.way(vae)

    def cancel(number: int) -> None:
        if number == 1:
            management.interrupt_current_processing(True)
            management.throw_exception_if_processing_interrupted()

    vae.before_decoding = cancel
    with pytest.raises(management.InterruptProcessingException):
        room.repair(picture, places, redraw)
    vae.before_decoding = lambda number: None
    done = room.repair(picture, places, redraw)
    assert done.passed and len(vae.seen) == 2, done.table
    whole = room.repair(picture, places, room.way(ToldVAE(vae.pictures)))
    assert torch.equal(done.image, whole.image)


def test_no_other_input_changes(room: Any) -> None:
    vae = ToldVAE([room.like_barack])
    redraw = room.way(vae)
    vectors = {name: one.embeddings.clone() for name, one in room.barack.members[0].identities.items()}
    first, second, third = (room.repair(room.joe, room.barack, redraw).image for _ in range(3))
    assert torch.equal(first, second) and torch.equal(first, third)
    for name, one in room.barack.members[0].identities.items():
        assert torch.equal(one.embeddings, vectors[name])


def test_the_users_own_calibration_is_used(room: Any, base: Path) -> None:
    file = base / "models" / "identities" / "calibration.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(
        '{"format": "likeness-calibration/1", "recognisers": {"sface": {"points": '
        '[{"similarity": 0.2, "one_in": 10}, {"similarity": 0.6, "one_in": 1000}], "source": "ours"}}}'
    )
    try:
        done = room.repair(room.joe, room.barack, room.way(ToldVAE([room.like_barack])), at_least="1 in 100")
    finally:
        file.unlink()
    assert done.passed and "the bar is 0.400" in done.table and "Source: ours" in done.table


def test_bad_input_has_its_sentence(room: Any, people: Any, pack: Any) -> None:
    same = room.way(recogniser="sface")
    with pytest.raises(ValueError, match=r"it finds what it ordered. Connect face_models with another"):
        room.repair(room.joe, room.barack, same)
    done = room.repair(room.joe, room.barack, same, allow_same=True, tries=1)
    assert "because allow_same is on: the numbers flatter" in done.table
    other = people.cast(pack.module("likeness.cast").Member("Ann", {"arc2face": _somebody(pack, "arc2face")}))
    with pytest.raises(
        ValueError, match=r"Nobody can judge: face_models \(embedded\) has sface, but the people"
    ):
        room.repair(room.joe, other, room.way())
    with pytest.raises(ValueError, match="recogniser is glintr100, but face_models"):
        room.repair(room.joe, room.barack, room.way(), recogniser="glintr100")
    with pytest.raises(ValueError, match="at_least is empty"):
        room.repair(room.joe, room.barack, room.way(), at_least="")
    with pytest.raises(ValueError, match=r"No face in picture 0 \(counted from 0\)"):
        room.repair(people.picture("coffee"), room.barack, room.way())
    with pytest.raises(ValueError, match="crop_size must be 0"):
        room.repair(room.joe, room.barack, room.way(), crop_size=100)
    small = people.cast(people.member("Barack", "obama3", torch.ones(64, 64)))
    with pytest.raises(ValueError, match="The place mask of Barack is 64 x 64"):
        room.repair(room.joe, small, room.way())


def test_more_people_than_faces_are_said_to_be_missing(room: Any, people: Any) -> None:
    three = people.cast(people.member("Barack", "obama3"), people.member("Joe", "biden"))
    done = room.repair(room.joe, three, room.way())
    assert torch.equal(done.image, room.joe) and not done.passed
    assert "Barack" in done.table and "missing: no face is theirs" in done.table


def _somebody(pack: Any, recogniser: str) -> Any:
    return pack.module("likeness.values").Identity(torch.ones(1, 512), recogniser)
