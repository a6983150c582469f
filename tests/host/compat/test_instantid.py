"""The stand-ins for the common InstantID pack: equal to the bit to the same graph made of our own nodes."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from support.sampling import denoise
from support.tiny_faces import image

from installer import tiny

SIDE = 128
SIGMA = 5.0
ADAPTER = "tiny_instantid_glintr100.safetensors"


@pytest.fixture(scope="module")
def room(pack: Any, host: ModuleType, comfyui: Path, photos: dict[str, np.ndarray]) -> SimpleNamespace:
    model, clip, _ = host.CheckpointLoaderSimple().load_checkpoint("tiny_sdxl.safetensors")
    prompts = [host.CLIPTextEncode().encode(clip, words)[0] for words in ("a face in rain", "blurry")]
    folders = [tiny.ensure_tiny(sys.executable, comfyui) / "models" / "insightface"]
    return SimpleNamespace(
        model=model,
        positive=prompts[0],
        negative=prompts[1],
        control_net=host.ControlNetLoader().load_controlnet("tiny_sdxl.safetensors")[0],
        instantid=pack.node("LikenessLoadInstantID").execute(file=ADAPTER).args[0],
        insightface=pack.module("likeness.faces.models").FaceModels.open("antelopev2", "CPU", folders),
        photo=image(photos["astronaut"]),
        pose=image(photos["obama"]),
        latent=torch.randn(1, 4, SIDE // 8, SIDE // 8, generator=torch.Generator().manual_seed(3)) * SIGMA,
    )


def run(pack: Any, node_id: str, **inputs: Any) -> tuple[Any, ...]:
    with torch.inference_mode():
        return tuple(pack.node(node_id).execute(**inputs).args)


@pytest.fixture
def old(pack: Any, room: Any) -> Callable[..., tuple[Any, ...]]:
    """A stand-in, with everything connected that its inputs ask for."""

    def call(node: str, **changes: Any) -> tuple[Any, ...]:
        node_id = f"LikenessCompat{node}"
        given = {**vars(room), "image": room.photo}
        wanted = {
            socket.id: given[socket.id]
            for socket in pack.node(node_id).GET_SCHEMA().inputs
            if socket.id in given
        }
        return run(pack, node_id, **{**wanted, **changes})

    return call


def ours(pack: Any, room: Any, photo: torch.Tensor, pose: torch.Tensor | None, **widgets: Any) -> Any:
    """(model, positive, negative) by our own nodes. combine and noise as the widgets of the old node."""
    combine, noise = widgets.pop("combine", "mean"), widgets.pop("noise", 0.0)
    faces, identity = find(pack, room, photo, combine)
    if pose is not None:
        faces, _ = find(pack, room, pose, "mean")
    (keypoints,) = run(pack, "LikenessFaceKeypoints", faces=faces)
    seed = int(identity.embeddings.sum().item()) % 1000000007
    given = {name: getattr(room, name) for name in ("model", "instantid", "positive", "negative")}
    given |= {"control_net": room.control_net, "keypoints": keypoints, "identity": identity}
    return run(pack, "LikenessApplyInstantID", **{**given, "negative_noise": noise, "seed": seed, **widgets})


def find(pack: Any, room: Any, photo: torch.Tensor, combine: str) -> tuple[Any, Any]:
    faces = run(pack, "LikenessDetectFaces", face_models=room.insightface, image=photo)[0]
    faces = run(pack, "LikenessSelectFaces", faces=faces)[0]
    given = {"face_models": room.insightface, "faces": faces, "recogniser": "glintr100"}
    return faces, run(pack, "LikenessEmbedFaces", **given, combine=combine)[0]


def assert_equal(room: Any, found: Any, wanted: Any) -> None:
    with torch.inference_mode():
        for mine, theirs in zip(
            denoise(*found, room.latent, SIGMA), denoise(*wanted, room.latent, SIGMA), strict=True
        ):
            assert torch.isfinite(mine).all()
            assert torch.equal(mine, theirs)


def assert_different(room: Any, found: Any, other: Any) -> None:
    with torch.inference_mode():
        one, two = (denoise(*given, room.latent, SIGMA)[0] for given in (found, other))
        assert not torch.equal(one, two)


# Apply InstantID


def test_the_simple_node(pack: Any, room: Any, old: Any) -> None:
    found = old("ApplyInstantID", weight=0.9, end_at=0.8)
    settings = {"weight": 0.9, "controlnet_strength": 0.9, "noise": 0.35, "end": 0.8}
    assert_equal(room, found, ours(pack, room, room.photo, None, **settings))
    assert_different(room, found, (room.model, room.positive, room.negative))


def test_the_pose_is_that_of_image_kps(pack: Any, room: Any, old: Any) -> None:
    found = old("ApplyInstantID", image_kps=room.pose)
    assert_equal(room, found, ours(pack, room, room.photo, room.pose, noise=0.35))
    assert_different(room, found, old("ApplyInstantID"))


def test_a_drawing_of_keypoints_is_used_as_it_is(pack: Any, room: Any, old: Any, caplog: Any) -> None:
    (drawing,) = old("FaceKeypoints", faceanalysis=room.insightface, image=room.pose)
    with caplog.at_level(logging.INFO):
        found = old("ApplyInstantID", image_kps=drawing)
    assert "image_kps shows no face, so it is taken for a drawing" in caplog.text
    assert_equal(room, found, ours(pack, room, room.photo, room.pose, noise=0.35))


@pytest.mark.parametrize(("old_word", "our_word"), [("average", "mean"), ("concat", "none")])
def test_several_pictures_in_the_advanced_node(
    pack: Any, room: Any, old: Any, photos: Any, old_word: str, our_word: str
) -> None:
    both = image(photos["astronaut"], photos["astronaut"][:, ::-1])
    widgets = {"ip_weight": 0.7, "cn_strength": 0.4, "noise": 0.2, "combine_embeds": old_word}
    found = old("ApplyInstantIDAdvanced", image=both, **widgets)
    settings = {"weight": 0.7, "controlnet_strength": 0.4, "noise": 0.2, "combine": our_word}
    assert_equal(room, found, ours(pack, room, both, room.photo, **settings))


def test_norm_average_divides_each_number_by_its_length_over_the_pictures(
    pack: Any, room: Any, photos: Any
) -> None:
    compat = pack.module("likeness.methods.instantid.compat")
    both = image(photos["astronaut"], photos["astronaut"][:, ::-1])
    faces, apart = find(pack, room, both, "none")
    found = compat.combined(room.insightface, faces, "glintr100", "norm average").embeddings
    a, b = apart.embeddings.double()
    wanted = (a + b) / 2 / (a**2 + b**2).sqrt()
    assert torch.allclose(found.double(), wanted[None], rtol=1e-5)
    faces, alone = find(pack, room, room.photo, "none")
    same = compat.combined(room.insightface, faces, "glintr100", "norm average")
    assert torch.equal(same.embeddings, alone.embeddings)


def test_a_mask_holds_the_person_and_the_prompt_not_the_control_net(
    pack: Any, host: ModuleType, room: Any, old: Any
) -> None:
    mask = torch.zeros(1, SIDE, SIDE)
    mask[:, :, : SIDE // 2] = 1
    found = old("ApplyInstantIDAdvanced", mask=mask)
    model = ours(pack, room, room.photo, None, mask=mask)[0]
    _, positive, negative = ours(pack, room, room.photo, None, weight=0.0)
    (positive,) = host.ConditioningSetMask().append(positive, mask, "default", 1.0)
    assert_equal(room, found, (model, positive, negative))


def test_a_mask_of_another_shape_is_stretched(room: Any, old: Any) -> None:
    mask = torch.zeros(1, 10, 40)
    mask[:, :, :20] = 1
    stretched = torch.nn.functional.interpolate(mask[None], (SIDE, SIDE), mode="bilinear")[0]
    found, wanted = (old("InstantIDAttention", mask=m)[0] for m in (mask, stretched))
    prompts = (room.positive, room.negative)
    assert_equal(room, (found, *prompts), (wanted, *prompts))


def test_an_empty_mask_leaves_the_model_as_it_is(room: Any, old: Any) -> None:
    model, positive, _ = old("ApplyInstantID", mask=torch.zeros(1, SIDE, SIDE))
    assert model is room.model
    assert "mask" not in positive[0][1]


# Attention and ControlNet apart


def test_the_two_halves_are_the_whole(pack: Any, room: Any, old: Any) -> None:
    model, face = old("InstantIDAttention", weight=0.6, noise=0.1)
    (keypoints,) = old("FaceKeypoints", faceanalysis=room.insightface, image=room.pose)
    positive, negative = old(
        "InstantIDControlNet", face_embeds=face, image_kps=keypoints, strength=0.5, end_at=0.7
    )
    settings = {"weight": 0.6, "controlnet_strength": 0.5, "noise": 0.1}
    wanted_model, _, _ = ours(pack, room, room.photo, room.pose, **settings)
    _, *wanted = ours(pack, room, room.photo, room.pose, **{**settings, "weight": 0.0, "end": 0.7})
    assert_equal(room, (model, positive, negative), (wanted_model, *wanted))


def test_a_strength_of_nothing(room: Any, old: Any) -> None:
    model, face = old("InstantIDAttention", weight=0.0)
    assert model is room.model
    found = old("InstantIDControlNet", face_embeds=face, image_kps=room.pose, strength=0.0)
    assert found == (room.positive, room.negative)


def test_a_negative_weight_turns_the_face_around(room: Any, old: Any) -> None:
    prompts = (room.positive, room.negative)
    with torch.inference_mode():
        plain, more, less = (
            denoise(model, *prompts, room.latent, SIGMA)[0]
            for model in (
                room.model,
                old("InstantIDAttention", weight=0.01)[0],
                old("InstantIDAttention", weight=-0.01)[0],
            )
        )
    along = torch.cosine_similarity((more - plain).flatten(), (less - plain).flatten(), dim=0)
    assert along < -0.9


def test_keypoints_are_those_of_our_own_nodes(pack: Any, room: Any, old: Any, photos: Any) -> None:
    six = image(photos["t1"])
    (found,) = old("FaceKeypoints", faceanalysis=room.insightface, image=six)
    faces, _ = find(pack, room, six, "mean")
    (wanted,) = run(pack, "LikenessFaceKeypoints", faces=faces)
    assert torch.equal(found, wanted) and found.shape == six.shape


# Every node leaves what it is given alone


def test_nothing_given_is_changed_and_no_random_number_is_drawn(room: Any, old: Any) -> None:
    photo, state = room.photo.clone(), torch.get_rng_state()
    facts = [dict(given[0][1]) for given in (room.positive, room.negative)]
    old("ApplyInstantIDAdvanced", noise=0.5, mask=torch.ones(1, SIDE, SIDE))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(room.photo, photo)
    assert [dict(given[0][1]).keys() for given in (room.positive, room.negative)] == [f.keys() for f in facts]
    assert not room.model.model_options["transformer_options"]


# Mistakes


def said(old: Any, node: str, **inputs: Any) -> str:
    with pytest.raises(ValueError) as error:
        old(node, **inputs)
    return str(error.value)


def test_pictures_without_a_face(room: Any, old: Any, photos: Any, caplog: Any) -> None:
    nobody = image(photos["chelsea"])
    assert said(old, "ApplyInstantID", image=nobody).startswith("No face in image.")
    assert said(old, "InstantIDAttention", image=nobody).startswith("No face in image.")
    text = said(old, "FaceKeypoints", faceanalysis=room.insightface, image=nobody)
    assert text.startswith("No face in image.")
    black = torch.zeros_like(room.photo)
    text = said(old, "ApplyInstantID", image=torch.cat([black, room.photo]))
    assert text.startswith("image shows no face in its first picture") and "image_kps" in text
    with caplog.at_level(logging.INFO):
        old("ApplyInstantID", image=torch.cat([room.photo, black]))
    assert "No face in picture 1 (counted from 0): left out." in caplog.text


def test_a_control_net_of_another_model(host: ModuleType, room: Any, old: Any) -> None:
    other = host.ControlNetLoader().load_controlnet("tiny_sd15.safetensors")[0]
    assert "takes tokens of width 64" in said(old, "ApplyInstantID", control_net=other)


def test_keypoints_that_are_no_picture(room: Any, old: Any) -> None:
    face = old("InstantIDAttention")[1]
    bad = torch.full((1, SIDE, SIDE, 3), torch.nan)
    text = said(old, "InstantIDControlNet", face_embeds=face, image_kps=bad)
    assert text == "image_kps holds NaN or infinity."


def test_another_way_to_combine(old: Any) -> None:
    assert said(old, "ApplyInstantIDAdvanced", combine_embeds="max").startswith(
        "combine_embeds must be one of average, norm average, concat"
    )
