"""MasterWeaver's nodes in the real host: what they promise, and what they refuse."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from support import masterweaver
from support.foreign import add_foreign
from support.golden import relative_error
from support.sampling import denoise, sample

HEIGHT, WIDTH = 128, 192
SIGMA = 1.6

pytestmark = pytest.mark.usefixtures("as_the_executor_does")


def seeded(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def prompt(seed: int, length: int = 77) -> list[Any]:
    return [[seeded(1, length, masterweaver.CONTEXT, seed=seed), {}]]


@pytest.fixture(scope="module")
def room(pack: Any, host: Any) -> SimpleNamespace:
    """Tiny SD1.5, its exact twin, an adapter, two people and the node with the rest filled in."""
    load = host.CheckpointLoaderSimple().load_checkpoint
    model, exact = (load("tiny_sd15.safetensors")[0] for _ in range(2))
    exact.model.diffusion_model.to(torch.float64).dtype = torch.float64
    methods = pack.module("likeness.methods.masterweaver")
    adapter = methods.parse(masterweaver.tiny(), {}, "tiny")
    make = pack.module("likeness.methods.masterweaver.tokens").tokens_of
    nobody, states = seeded(1, 17, masterweaver.VISION, seed=3), seeded(4, 17, masterweaver.VISION, seed=4)
    one, other = make(adapter, nobody, states[:1]), make(adapter, nobody, states[1:])
    node = pack.node("LikenessApplyMasterWeaver")

    def apply(model: Any = model, **inputs: Any) -> Any:
        return node.execute(model=model, **{"masterweaver": adapter, "masterweaver_tokens": one, **inputs})[0]

    sites = pack.module("likeness.attention.sites").attention_sites(model.model.diffusion_model)
    x = seeded(1, 4, HEIGHT // 8, WIDTH // 8, seed=5)
    return SimpleNamespace(
        model=model, exact=exact, adapter=adapter, one=one, other=other, apply=apply, make=make, x=x,
        nobody=nobody, states=states, sites=sites, methods=methods,
    )  # fmt: skip


@pytest.fixture(scope="module")
def vision(host: Any) -> Any:
    return host.CLIPVisionLoader().load_clip("tiny_clip_vision.safetensors")[0]


@pytest.fixture(scope="module")
def encode(pack: Any, room: SimpleNamespace, vision: Any) -> Any:
    node = pack.node("LikenessEncodeMasterWeaver")

    def run(**given: Any) -> Any:
        return node.execute(**{"masterweaver": room.adapter, "clip_vision": vision, **given})

    return run


@pytest.fixture(scope="module")
def photo(photos: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    wanted = ("obama", "biden", "astronaut", "coffee", "t1")
    return {name: torch.from_numpy(photos[name].copy()).float()[None] / 255 for name in wanted}


def run(room: Any, model: Any, batch: int = 1) -> torch.Tensor:
    noise = seeded(batch, 4, HEIGHT // 8, WIDTH // 8, seed=5) * 14.6
    return sample(model, prompt(1), prompt(2), noise)


def both(model: Any, x: torch.Tensor, **more: Any) -> tuple[torch.Tensor, torch.Tensor]:
    return denoise(model, x=x, **{"positive": prompt(1), "negative": prompt(2), "sigma": SIGMA, **more})


# Applying


@pytest.mark.parametrize(
    "inputs",
    [{"weight": 0.0}, {"start": 0.5, "end": 0.5}, {"mask": torch.zeros(1, HEIGHT, WIDTH)}],
    ids=["weight 0", "empty window", "empty mask"],
)
def test_nothing_to_do_is_bit_equal(room: Any, inputs: dict[str, Any]) -> None:
    patched = room.apply(**inputs)
    assert patched is room.model and torch.equal(run(room, patched), run(room, room.model))


def test_three_runs_equal_one_and_branches_stay_apart(room: Any) -> None:
    plain, state = run(room, room.model), torch.random.get_rng_state()
    once = run(room, room.apply())
    for _ in range(3):
        again = room.apply()
    other = room.apply(again, masterweaver_tokens=room.other)
    assert relative_error(run(room, other), once) > 1e-5
    assert torch.equal(run(room, again), once) and torch.equal(run(room, room.model), plain)
    assert relative_error(once, plain) > 1e-4
    assert torch.equal(torch.random.get_rng_state(), state)


def test_outside_the_window_is_bit_equal(room: Any) -> None:
    patched = room.apply(end=0.2)
    late = zip(both(patched, room.x, sigma=0.3), both(room.model, room.x, sigma=0.3), strict=True)
    assert all(torch.equal(found, wanted) for found, wanted in late)
    assert (
        relative_error(both(patched, room.x, sigma=14.0)[0], both(room.model, room.x, sigma=14.0)[0]) > 1e-5
    )


def heads(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    q, k, v = (t.unflatten(-1, (4, -1)).transpose(1, 2) for t in (q, k, v))
    return ((q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(dim=-1) @ v).transpose(1, 2).flatten(2)


def written_out(room: Any, people: Any) -> Any:
    """Words and people as one plain sum per layer, row for row. people: (tokens, strength, mask) each."""
    model = room.exact.clone()
    for n, site in enumerate(room.sites):
        pair = [weight.double() for weight in room.adapter.layers.pairs[n]]

        def cross(q: Any, k: Any, v: Any, options: Any, pair: Any = pair) -> torch.Tensor:
            out = heads(q, k, v)
            batch = len(q) // len(options["cond_or_uncond"])
            for row in range(len(q)):
                negative = options["cond_or_uncond"][row // batch] == 1
                for tokens, strength, mask in people:
                    t = (tokens.nobody if negative else tokens.somebody).double()
                    shape = options["activations_shape"][-2:]
                    where = F.interpolate(mask[:, None].double(), size=shape).reshape(1, -1, 1)
                    added = heads(q[row : row + 1], t @ pair[0].T, t @ pair[1].T)
                    out[row] += (strength * where * added)[0]
            return out

        model.set_model_attn2_replace(cross, *site.key)
    return model


def test_two_people_in_two_places_equal_a_plain_sum_in_any_order(room: Any) -> None:
    """Also: negative rows look at 16 tokens, once."""
    left = torch.zeros(1, HEIGHT, WIDTH)
    left[..., :96] = 1
    people = [(room.one, 0.9, left), (room.other, 1.5, 1 - left)]
    wanted = both(written_out(room, people), room.x)
    for order in (people, people[::-1]):
        model = room.exact
        for tokens, weight, mask in order:
            model = room.apply(model, masterweaver_tokens=tokens, weight=weight, mask=mask)
        for found, sum_of_all in zip(both(model, room.x), wanted, strict=True):
            assert relative_error(found, sum_of_all) <= 1e-6


def test_other_adapters_before_or_after_are_the_same(room: Any) -> None:
    keys = [site.key for site in room.sites]
    before, after = room.apply(add_foreign(room.exact, keys)), add_foreign(room.apply(room.exact), keys)
    alone = both(room.apply(room.exact), room.x)
    for a, b, c in zip(both(before, room.x), both(after, room.x), alone, strict=True):
        assert relative_error(a, b) <= 1e-6 and relative_error(a, c) > 1e-4


def test_together_alone_and_in_any_order_rows_are_the_same(room: Any) -> None:
    patched = room.apply(room.exact)
    together = both(patched, room.x)
    assert relative_error(together[0], both(patched, room.x, cfg=1.0)[0]) <= 1e-6
    longer = prompt(9, 77 * 5 + 1)  # of another length by no small factor: the host runs the two apart
    assert relative_error(both(patched, room.x, negative=longer)[0], together[0]) <= 1e-6
    assert relative_error(both(patched, room.x, positive=longer)[1], together[1]) <= 1e-6
    two = both(patched, room.x, positive=[*prompt(1), *prompt(1)])
    assert relative_error(two[0], together[0]) <= 1e-6 and relative_error(two[1], together[1]) <= 1e-6
    pictures = seeded(3, 4, HEIGHT // 8, WIDTH // 8, seed=8)
    batch = both(patched, pictures)
    for n in range(3):
        for side, alone in enumerate(both(patched, pictures[n : n + 1])):
            assert relative_error(batch[side][n : n + 1], alone) <= 1e-6


def test_the_order_of_photos_does_not_matter_and_equal_photos_weigh_as_one(room: Any) -> None:
    three = room.states[:3]
    found = [
        both(
            room.apply(room.exact, masterweaver_tokens=room.make(room.adapter, room.nobody, states)), room.x
        )[0]
        for states in (three, three.flip(0), three[:1].repeat(3, 1, 1), three[:1].repeat(6, 1, 1), three[:1])
    ]
    assert relative_error(found[0], found[1]) <= 1e-6 and relative_error(found[2], found[3]) <= 1e-6
    assert relative_error(found[2], found[4]) > 1e-6  # one photo alone is filled up with nobody


def test_the_zero_picture_is_nobody(room: Any) -> None:
    nobody = room.make(room.adapter, room.nobody, room.nobody)
    same = both(room.apply(room.exact, masterweaver_tokens=nobody), room.x, negative=prompt(1))
    assert relative_error(same[0], same[1]) <= 1e-6


def test_another_base_is_refused(room: Any, host: Any) -> None:
    other = host.CheckpointLoaderSimple().load_checkpoint("tiny_sdxl.safetensors")[0]
    with pytest.raises(ValueError, match=r"MasterWeaver needs an SD1\.5 model"):
        room.apply(other)


def test_tokens_of_another_file_are_refused(room: Any) -> None:
    other = room.methods.parse(masterweaver.tiny(), {}, "another.pt")
    with pytest.raises(
        ValueError, match=r"made with tiny, but masterweaver is another\.pt: connect the same"
    ):
        room.apply(masterweaver=other)
    with pytest.raises(ValueError, match=r"start \(0.6\) is after end \(0.4\)"):
        room.apply(start=0.6, end=0.4)


# Encoding


def test_photos_of_any_sizes_become_one_person(encode: Any, photo: dict[str, torch.Tensor]) -> None:
    images = {"image_0": photo["obama"], "image_1": photo["biden"]}
    before = {name: image.clone() for name, image in images.items()}
    tokens, prepared = encode(images=images)
    assert tokens.somebody.shape == (1, 48, 64) and tokens.nobody.shape == (1, 16, 64)
    assert prepared.shape == (2, 224, 224, 3) and 0 <= float(prepared.min()) <= float(prepared.max()) <= 1
    again, _ = encode(images=images)
    assert torch.equal(again.somebody, tokens.somebody)
    assert all(torch.equal(images[name], value) for name, value in before.items())
    alone, _ = encode(images=photo["biden"])
    assert relative_error(alone.somebody[:, :16], tokens.somebody[:, 16:32]) <= 1e-3  # half precision


def test_a_parser_makes_all_else_black(encode: Any, pack: Any, photo: dict[str, torch.Tensor]) -> None:
    parser = pack.node("LikenessLoadFaceParser").execute(file="tiny_parser.safetensors")[0]
    _, whole = encode(images=photo["astronaut"])
    _, cut = encode(images=photo["astronaut"], face_parser=parser)
    kept = cut.sum(dim=-1) > 0
    assert kept.any() and not torch.equal(cut, whole)
    with pytest.raises(ValueError, match="face_parser finds no head in photo 0"):
        encode(images=torch.zeros(1, 64, 64, 3), face_parser=parser, align="none")


def test_faces_choose_among_several_people(
    encode: Any, pack: Any, models: Any, photo: dict[str, torch.Tensor]
) -> None:
    found = pack.node("LikenessDetectFaces").execute(face_models=models, image=photo["t1"])[0]
    pick = pack.node("LikenessSelectFaces").execute
    first, last = (pick(faces=found, by="left to right", indices=n)[0] for n in ("0", "-1"))
    one, other = (encode(faces=faces)[1] for faces in (first, last))
    assert one.shape == other.shape == (1, 224, 224, 3) and not torch.equal(one, other)
    largest = pick(faces=found, by="largest", indices="0")[0]
    assert torch.equal(encode(faces=largest)[1], encode(images=photo["t1"])[1])
    assert torch.equal(encode(faces=found)[1], encode(images=photo["t1"])[1])


def test_photos_without_a_face(encode: Any, photo: dict[str, torch.Tensor]) -> None:
    images = {"image_0": photo["obama"], "image_1": photo["coffee"]}
    with pytest.raises(
        ValueError, match=r"No face in picture 0 \(counted from 0\)\. It came through image_1\."
    ):
        encode(images=images)
    assert len(encode(images=images, if_no_face="skip")[1]) == 1
    passed = encode(images=images, if_no_face="pass through")[1]
    assert torch.equal(passed[1], encode(images=photo["coffee"], align="none")[1][0])
    with pytest.raises(ValueError, match="There is nobody to encode"):
        encode(images=photo["coffee"], if_no_face="skip")


def test_bad_input_is_told(encode: Any, room: Any, photo: dict[str, torch.Tensor], caplog: Any) -> None:
    with pytest.raises(ValueError, match="There is nobody to encode: connect photos"):
        encode()
    with pytest.raises(
        ValueError, match="images are 17 photos, more than 16: MasterWeaver was trained with 1 to 3"
    ):
        encode(images=torch.rand(17, 64, 64, 3), align="none")
    with caplog.at_level("INFO"):
        assert encode(images=torch.rand(4, 64, 64, 3), align="none")[0].somebody.shape == (1, 64, 64)
    assert "trained with 1 to 3 photos of a person; these are 4" in caplog.text
    with pytest.raises(ValueError, match="align must be one of ffhq, none, not 'x'"):
        encode(images=photo["obama"], align="x")
    with pytest.raises(ValueError, match="NaN or infinity"):
        encode(images=torch.full((1, 64, 64, 3), float("nan")), align="none")
    faces = SimpleNamespace(faces=())
    with pytest.raises(ValueError, match="images and faces are both connected"):
        encode(images=photo["obama"], faces=faces)


def test_another_vision_model_is_refused(encode: Any, room: Any, photo: dict[str, torch.Tensor]) -> None:
    wide = room.methods.parse(masterweaver.tiny(vision=1024), {}, "real.pt")
    with pytest.raises(
        ValueError, match=r"width 48 \(another model\); real.pt takes 1024. Load clip-vit-large"
    ):
        encode(masterweaver=wide, images=photo["obama"])
    facts = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    for other, what in (
        (SimpleNamespace(model_type="dinov2", image_size=224, **facts), "clip_vision is dinov2, no CLIP"),
        (SimpleNamespace(model_type="clip_vision_model", image_size=336, **facts), "looks at 336 pixels"),
    ):
        with pytest.raises(ValueError, match=f"{what}.*clip-vit-large-patch14"):
            encode(masterweaver=wide, clip_vision=other, images=photo["obama"])


# Files


def test_files_load_once_nested_and_flat(pack: Any, base: Any) -> None:
    from safetensors.torch import save_file

    folder = base / "models" / "masterweaver"
    folder.mkdir(exist_ok=True)
    nested = masterweaver.tiny()
    torch.save(nested, folder / "adapter_final.pt")
    save_file(masterweaver.flat(nested), folder / "flat.safetensors")
    load = pack.node("LikenessLoadMasterWeaver")
    one, other = (load.execute(file=name)[0] for name in ("adapter_final.pt", "flat.safetensors"))
    assert one is load.execute(file="adapter_final.pt")[0]
    for mine, theirs in zip(one.layers.pairs, other.layers.pairs, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(mine, theirs, strict=True))
    (folder / "cut.pt").write_bytes((folder / "adapter_final.pt").read_bytes()[:5000])
    with pytest.raises(ValueError, match=r"cut\.pt can't be read as weights"):
        load.execute(file="cut.pt")
    with pytest.raises(FileNotFoundError, match=r"nowhere\.pt"):
        load.execute(file="nowhere.pt")
