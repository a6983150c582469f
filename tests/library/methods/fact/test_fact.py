"""FACT without a host, against the authors' numbers: features, tokens, the head; other files."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from support import fact_files
from support.golden import Golden, relative_error

from likeness.choices.fact import SAME
from likeness.faces.align import align
from likeness.methods.fact import transface
from likeness.methods.fact.adapter import identity_tokens, parse
from likeness.methods.fact.encode import encode
from likeness.methods.fact.picture import head_mask, masked, masks_of

GOLDEN = Golden("fact")
TOLERANCE = 1e-5
HIDDEN = [32] * 4 + [64] * 5 + [32] * 6 + [64]
WIDTH = 64
TWO = {"blocks": "2"}


def content(**changes: Any) -> dict[str, Any]:
    return {**fact_files.adapter(HIDDEN, WIDTH, GOLDEN["in.alphas"].tolist()), **changes}


@pytest.fixture(scope="module")
def adapter() -> Any:
    return parse(content(), {}, "tiny.ckpt")


@pytest.fixture(scope="module")
def network() -> Any:
    return transface.build({**fact_files.transface(), **fact_files.unused()}, TWO, "tiny_s.pt")


def seen() -> torch.Tensor:
    return ((GOLDEN["in.faces"].float() / 255 - 0.5) / 0.5).movedim(-1, 1)


# Numbers


def test_hidden_sizes_are_the_goldens() -> None:
    shapes, sites = GOLDEN.meta["shapes"], GOLDEN.meta["sites"]
    assert [shapes[f"{site}.linear.bias"] for site in sites] == [[wide] for wide in HIDDEN]
    assert set(shapes) == set(content())
    norms = fact_files.adapter(HIDDEN, WIDTH, norms=True)
    assert set(norms) - set(content()) == set(GOLDEN.meta["norm2_shapes"])


def test_local_tokens(network: Any) -> None:
    assert relative_error(network(seen()), GOLDEN["out.local_tokens"]) <= TOLERANCE


def test_the_last_four_rows_and_columns_are_never_read(network: Any) -> None:
    faces = seen()[:1]
    cut = faces.clone()
    cut[..., 108:, :] = 9
    cut[..., 108:] = -9
    assert torch.equal(network(faces), network(cut))


@pytest.mark.parametrize("photos", [1, 2, 3])
def test_identity_tokens(adapter: Any, photos: int) -> None:
    tokens = identity_tokens(adapter, GOLDEN["out.local_tokens"][:photos])
    for found, side in ((tokens.somebody, "cond"), (tokens.nobody, "uncond")):
        assert relative_error(found, GOLDEN[f"out.tokens_{side}_{photos}ref"]) <= TOLERANCE
    same = identity_tokens(adapter, GOLDEN["out.local_tokens"][:photos], SAME)
    assert torch.equal(same.nobody, same.somebody)


def picture() -> tuple[Any, dict[str, Any]]:
    """The golden's picture, and per label the largest instance that the authors' parser is sure of."""
    meta = GOLDEN.meta["picture"]
    coarse = Image.fromarray(GOLDEN["in.picture_coarse"].numpy())
    pixels = np.asarray(coarse.resize(meta["size"], Image.Resampling.BICUBIC))
    bits, chosen = GOLDEN["in.instances"].numpy(), {}
    for number, (label, score) in enumerate(zip(meta["labels"], meta["scores"], strict=True)):
        mask = ((bits >> number) & 1).astype(np.uint8)
        if score > 0.8 and mask.sum() > chosen.get(label, np.zeros(1)).sum():
            chosen[label] = mask
    return pixels, chosen


def test_the_head_and_what_the_detector_sees() -> None:
    pixels, chosen = picture()
    head = head_mask(chosen["Face"], chosen["Hair"], chosen["Human"])
    assert int(chosen["Face"].sum()) == GOLDEN.meta["picture"]["face_area"]
    assert np.array_equal(head, GOLDEN["out.head_mask"].numpy())
    assert np.array_equal(masked(pixels, head), GOLDEN["out.masked"].numpy())


def test_the_crop_is_the_authors_within_a_level() -> None:
    meta = GOLDEN.meta["picture"]
    best = int(np.argmax(meta["detector_scores"]))
    points = torch.tensor(meta["keypoints"][best], dtype=torch.float32).view(5, 2)
    found = align(GOLDEN["out.masked"], points)
    apart = (found.int() - GOLDEN["out.aligned"].int()).abs()
    assert int(apart.max()) <= 1 and int((apart > 0).sum()) < 0.02 * apart.numel()


def test_a_parsed_picture_gives_face_hair_and_human() -> None:
    parsed = torch.tensor([[0, 1 << 1, 1 << 17, 1 << 9], [1 << 13, 1 << 16, 1 << 4 | 1 << 17, 1 << 18]])
    face, hair, human = masks_of(parsed.int())
    assert face.tolist() == [[0, 1, 0, 0], [1, 0, 1, 0]] and hair.tolist() == [[0, 0, 1, 0], [0, 0, 1, 0]]
    assert human.tolist() == [[0, 1, 1, 1], [1, 1, 1, 1]]


def test_no_head_is_an_empty_mask() -> None:
    nothing = np.zeros((8, 8), np.uint8)
    assert not head_mask(nothing, nothing, nothing + 1).any()


# Photos


def aligned(count: int = 1, side: int = 112) -> dict[str, torch.Tensor]:
    return {"image_0": torch.rand(count, side, side, 3, generator=torch.Generator().manual_seed(2))}


def encoded(adapter: Any, network: Any, *args: Any, **more: Any) -> Any:
    return encode(adapter, lambda faces: network(faces), *args, **more)


def test_photos_that_are_aligned_are_taken_as_they_are(adapter: Any, network: Any) -> None:
    given = {"a": GOLDEN["in.faces"][:2].float() / 255, "b": GOLDEN["in.faces"][2:].float() / 255}
    tokens, shown = encoded(adapter, network, given, aligned=True)
    assert relative_error(tokens.somebody, GOLDEN["out.tokens_cond_3ref"]) <= TOLERANCE
    assert torch.equal((shown * 255).round().byte(), GOLDEN["in.faces"])


@pytest.mark.parametrize(
    ("inputs", "more", "saying"),
    [
        ({}, {}, "nobody to encode"),
        (aligned(), {"faces": object()}, "both connected"),
        (aligned(17), {"aligned": True}, "There are 17 photos, but at most 16"),
        (aligned(1, 96), {"aligned": True}, "image_0 is 96x96, but aligned faces are 112x112"),
        (aligned(), {}, "No face in picture 0"),
    ],
)
def test_bad_photos_say_so(adapter: Any, network: Any, inputs: Any, more: Any, saying: str) -> None:
    with pytest.raises(ValueError, match=saying):
        encoded(adapter, network, inputs, **more)


def test_another_networks_features_are_refused(adapter: Any) -> None:
    with pytest.raises(ValueError, match="takes TransFace-S's features"):
        identity_tokens(adapter, torch.zeros(1, 144, 768))
    with pytest.raises(ValueError, match="negative must be one of zeros, same"):
        identity_tokens(adapter, torch.zeros(1, 144, 512), "black")


# Files


def without(made: dict[str, Any], *parts: str) -> dict[str, Any]:
    return {key: value for key, value in made.items() if not any(part in key for part in parts)}


FIRST = fact_files.processor(0)
WRONG = {
    "an InstantID file": (
        {"image_proj.latents": torch.zeros(1), "ip_adapter.1.x": torch.zeros(1)},
        "is no FACT",
    ),
    "TransFace": (fact_files.transface(), "load it with Load TransFace"),
    "its projector alone": (without(content(), "processor"), "its projector alone"),
    "its gates alone": (without(content(), "local_fac_prj"), "its gates alone"),
    "fifteen layers": (without(content(), "mid_block"), "gates for 15 layers, but FACT has 16"),
    "a layer cut": (without(content(), f"{FIRST}.ff."), "layer 0 lacks ff.net.0.proj.weight and 3 more"),
    "a projector cut": (without(content(), "norm_out"), "its local_fac_prj is no resampler"),
    "some norms": (
        content(**{f"{FIRST}.ln.weight": torch.ones(32), f"{FIRST}.ln.bias": torch.zeros(32)}),
        "only 1 of its 16 layers",
    ),
    "another shape": (content(**{f"{FIRST}.norm1.weight": torch.ones(31)}), "norm1.weight of layer 0"),
    "NaN": (content(**{f"{FIRST}.norm1.bias": torch.full((32,), torch.nan)}), "holds NaN or infinity"),
    "another count of tokens": (
        content(**{"local_fac_prj.latents": torch.zeros(1, 4, 128)}),
        "makes 4 tokens",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_another_file_is_told_apart(name: str) -> None:
    made, saying = WRONG[name]
    with pytest.raises(ValueError, match=saying) as raised:
        parse(made, {}, "x.ckpt")
    assert "x.ckpt" in str(raised.value)


def test_keys_that_belong_nowhere_are_passed_over_with_a_line(caplog: pytest.LogCaptureFixture) -> None:
    assert parse(content(optimiser=torch.zeros(1)), {}, "x.ckpt").layers.norms == ()
    assert "names that FACT does not have are passed over: optimiser" in caplog.text


S = fact_files.transface()
ANOTHER = {
    "FACT": (content(), {}, "load it with Load FACT"),
    "TransFace-B": ({**S, **{f"blocks.{n}.x": torch.zeros(1) for n in range(24)}}, {}, "TransFace-B or"),
    "too shallow": (S, {}, "has 2 blocks, but FACT listens to TransFace-S with 12"),
    "TransFace-L": ({**S, "pos_embed": torch.zeros(1, 144, 768)}, {}, "768 wide .TransFace-L."),
    "ViT-T": ({**S, "pos_embed": torch.zeros(1, 144, 256)}, {}, "256 wide"),
    "DINO": ({**S, "pos_embed": torch.zeros(1, 197, 384)}, {}, "another vision transformer"),
    "a class token": ({**S, "cls_token": torch.zeros(1)}, {}, "another vision transformer"),
    "CLIP": ({"text_model.x": torch.zeros(1)}, {}, "a text encoder"),
    "cut": (without(S, "blocks.1.mlp"), TWO, "lacks blocks.1.mlp.fc1.weight and 3 more"),
    "another shape": ({**S, "norm.bias": torch.zeros(3)}, TWO, "norm.bias is .3., not .512."),
    "NaN": ({**S, "norm.bias": torch.full((512,), torch.nan)}, TWO, "norm.bias holds NaN"),
    "bad metadata": (S, {"blocks": "many"}, "its metadata says blocks 'many'"),
}  # fmt: skip


@pytest.mark.parametrize("name", ANOTHER)
def test_another_vision_tower_is_told_apart(name: str) -> None:
    made, metadata, saying = ANOTHER[name]
    with pytest.raises(ValueError, match=saying) as raised:
        transface.build(made, metadata, "x.pt")
    assert "x.pt" in str(raised.value)


# A real photo


class Head:
    """A face parser that sees skin in the middle of its square, and hair above it."""

    def __call__(self, pictures: torch.Tensor) -> torch.Tensor:
        labels = torch.zeros(len(pictures), *pictures.shape[2:], dtype=torch.uint8)
        labels[:, 60:180, 150:360] = 17
        labels[:, 150:400, 170:340] = 1
        return labels


@pytest.fixture(scope="module")
def photo() -> torch.Tensor:
    import skimage.data

    return torch.from_numpy(skimage.data.astronaut().astype(np.float32) / 255)[None]


def test_a_photo_its_faces_and_its_crop_give_one_person(
    adapter: Any, network: Any, photo: torch.Tensor
) -> None:
    from likeness.faces.detect import detect
    from likeness.faces.models import FaceModels

    faces = detect(FaceModels.open("embedded"), photo)
    tokens, shown = encoded(adapter, network, {"image_0": photo})
    found, same = encoded(adapter, network, faces=faces)
    again, _ = encoded(adapter, network, {"image_0": shown}, aligned=True)
    assert torch.equal(shown, same) and torch.equal(tokens.somebody, found.somebody)
    assert torch.equal(tokens.somebody, again.somebody) and tuple(shown.shape) == (1, 112, 112, 3)
    two, _ = encoded(adapter, network, {"a": photo, "b": photo.flip(2)[:, :480]})
    assert tuple(two.somebody.shape) == (1, 32, WIDTH) == tuple(two.nobody.shape)


def test_with_a_parser_all_but_the_head_is_black(adapter: Any, network: Any, photo: torch.Tensor) -> None:
    from likeness.faces.detect import detect
    from likeness.faces.models import FaceModels

    before = photo.clone()
    _, plain = encoded(adapter, network, {"image_0": photo})
    _, shown = encoded(adapter, network, {"image_0": photo}, labeller=Head())
    _, found = encoded(adapter, network, faces=detect(FaceModels.open("embedded"), photo), labeller=Head())
    assert torch.equal(photo, before)
    for head in (shown, found):
        assert head[0, 50:70, 50:62].mean() > 0.1 and head[0, :, :4].max() < 0.05 < plain[0, :, :4].max()


def test_a_parser_that_sees_nothing_leaves_the_picture(
    adapter: Any, network: Any, photo: torch.Tensor, caplog: pytest.LogCaptureFixture
) -> None:
    def blind(pictures: torch.Tensor) -> torch.Tensor:
        return torch.zeros(len(pictures), *pictures.shape[2:], dtype=torch.uint8)

    _, plain = encoded(adapter, network, {"image_0": photo})
    _, shown = encoded(adapter, network, {"image_0": photo}, labeller=blind)
    assert torch.equal(shown, plain) and "sees no head in picture 0" in caplog.text
