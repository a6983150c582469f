"""The W+ Adapter's nodes in the real host: what they promise, and what they refuse."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from support import wplus_files
from support.foreign import add_foreign
from support.golden import relative_error
from support.sampling import denoise, sample

HEIGHT, WIDTH = 128, 192
SIGMA = 1.6

pytestmark = pytest.mark.usefixtures("as_the_executor_does")


def seeded(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def prompt(seed: int, length: int = 77) -> list[Any]:
    return [[seeded(1, length, wplus_files.CONTEXT, seed=seed), {}]]


@pytest.fixture(scope="module")
def room(pack: Any, host: Any) -> SimpleNamespace:
    """Tiny SD1.5, its exact twin, an adapter, two people and the node with the rest filled in."""
    load = host.CheckpointLoaderSimple().load_checkpoint
    model, exact = (load("tiny_sd15.safetensors")[0] for _ in range(2))
    exact.model.diffusion_model.to(torch.float64).dtype = torch.float64
    methods = pack.module("likeness.methods.wplus")
    adapter = methods.parse(wplus_files.tiny(), {}, "tiny")
    one, other = (methods.WPlus(seeded(1, 18, 512, seed=seed) * 0.4, "x") for seed in (3, 4))
    node = pack.node("LikenessApplyWPlus")

    def apply(model: Any = model, **inputs: Any) -> Any:
        given = {"adapter": adapter, "wplus": one, "start": 0.0, **inputs}
        return node.execute(model=model, **given)[0]

    sites = pack.module("likeness.attention.sites").attention_sites(model.model.diffusion_model)
    x = seeded(1, 4, HEIGHT // 8, WIDTH // 8, seed=5)
    return SimpleNamespace(
        model=model, exact=exact, adapter=adapter, one=one, other=other, apply=apply, x=x, sites=sites,
        methods=methods,
    )  # fmt: skip


def run(room: Any, model: Any, batch: int = 1) -> torch.Tensor:
    noise = seeded(batch, 4, HEIGHT // 8, WIDTH // 8, seed=5) * 14.6
    return sample(model, prompt(1), prompt(2), noise)


def both(model: Any, x: torch.Tensor, **more: Any) -> tuple[torch.Tensor, torch.Tensor]:
    return denoise(model, x=x, **{"positive": prompt(1), "negative": prompt(2), "sigma": SIGMA, **more})


@pytest.mark.parametrize(
    "inputs",
    [{"weight": 0.0}, {"start": 0.5, "end": 0.5}, {"mask": torch.zeros(1, HEIGHT, WIDTH)}],
    ids=["weight 0", "empty window", "empty mask"],
)
def test_nothing_to_do_is_bit_equal(room: Any, inputs: dict[str, Any]) -> None:
    patched = room.apply(**inputs)
    assert patched is room.model and torch.equal(run(room, patched), run(room, room.model))


def test_three_runs_equal_one_and_branches_stay_apart(room: Any) -> None:
    plain, state, before = run(room, room.model), torch.random.get_rng_state(), room.one.codes.clone()
    once = run(room, room.apply())
    for _ in range(3):
        again = room.apply()
    other = room.apply(again, wplus=room.other)
    assert relative_error(run(room, other), once) > 1e-5
    assert torch.equal(run(room, again), once) and torch.equal(run(room, room.model), plain)
    assert relative_error(once, plain) > 1e-4
    assert torch.equal(torch.random.get_rng_state(), state) and torch.equal(room.one.codes, before)


def test_the_delay_is_bit_equal_to_the_plain_model(room: Any) -> None:
    patched = room.apply(start=0.23)
    early = zip(both(patched, room.x, sigma=12.0), both(room.model, room.x, sigma=12.0), strict=True)
    assert all(torch.equal(found, wanted) for found, wanted in early)
    late = zip(both(patched, room.x), both(room.model, room.x), strict=True)
    assert all(relative_error(found, wanted) > 1e-5 for found, wanted in late)


def heads(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, count: int) -> torch.Tensor:
    q, k, v = (t.unflatten(-1, (count, -1)).transpose(1, 2) for t in (q, k, v))
    return ((q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(dim=-1) @ v).transpose(1, 2).flatten(2)


def written_out(room: Any, people: Any) -> Any:
    """Words, and people whose queries are what the words made: one plain sum per layer, row for row."""
    model, layers = room.exact.clone(), room.adapter.layers
    for n, site in enumerate(room.sites):
        to_k, to_v, to_q = (w.double() for w in (*layers.family.pairs[n], layers.queries[n]))

        def cross(
            q: Any, k: Any, v: Any, options: Any, w: Any = (to_k, to_v, to_q), h: int = site.heads
        ) -> torch.Tensor:
            text = heads(q, k, v, h)
            out, batch = text.clone(), len(q) // len(options["cond_or_uncond"])
            for row in range(len(q)):
                negative = options["cond_or_uncond"][row // batch] == 1
                for wplus, strength, mask in people:
                    tokens = room.methods.identity_tokens(room.adapter, wplus)
                    t = (tokens.nobody if negative else tokens.somebody).double()
                    where = F.interpolate(mask[:, None].double(), size=options["activations_shape"][-2:])
                    added = heads(text[row : row + 1] @ w[2].T, t @ w[0].T, t @ w[1].T, h)
                    out[row] += (strength * where.reshape(1, -1, 1) * added)[0]
            return out

        model.set_model_attn2_replace(cross, *site.key)
    return model


def test_two_people_in_two_places_equal_a_plain_sum_in_any_order(room: Any) -> None:
    left = torch.zeros(1, HEIGHT, WIDTH)
    left[..., :96] = 1
    people = [(room.one, 0.9, left), (room.other, 1.5, 1 - left)]
    wanted = both(written_out(room, people), room.x)
    for order in (people, people[::-1]):
        model = room.exact
        for wplus, weight, mask in order:
            model = room.apply(model, wplus=wplus, weight=weight, mask=mask)
        for found, sum_of_all in zip(both(model, room.x), wanted, strict=True):
            assert relative_error(found, sum_of_all) <= 1e-6


def test_another_method_before_or_after_is_the_same(room: Any, pack: Any) -> None:
    """MasterWeaver adds to the layers; the W+ Adapter's queries are the text's alone."""
    from support import masterweaver

    methods = pack.module("likeness.methods.masterweaver")
    other = methods.parse(masterweaver.tiny(), {}, "tiny")
    states = seeded(3, 17, masterweaver.VISION, seed=7) * 4
    tokens = methods.tokens_of(other, states[:1], states[1:])

    def weave(model: Any) -> Any:
        return methods.apply(model, other, tokens, methods.Use(1.0))

    before, after = both(room.apply(weave(room.exact)), room.x), both(weave(room.apply(room.exact)), room.x)
    alone = both(room.apply(room.exact), room.x)
    for a, b, c in zip(before, after, alone, strict=True):
        assert relative_error(a, b) <= 1e-6 and relative_error(a, c) > 1e-4


def test_a_patch_of_another_pack_makes_the_queries_where_it_is_first(room: Any) -> None:
    keys = [site.key for site in room.sites]
    found = both(room.apply(add_foreign(room.exact, keys)), room.x)
    alone = both(room.apply(room.exact), room.x)
    assert all(f.isfinite().all() and relative_error(f, a) > 1e-4 for f, a in zip(found, alone, strict=True))


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


def test_a_code_for_each_picture(room: Any) -> None:
    codes = torch.cat([room.one.codes, room.other.codes])
    each = room.apply(room.exact, wplus=room.methods.WPlus(codes))
    pictures = seeded(2, 4, HEIGHT // 8, WIDTH // 8, seed=8)
    batch = both(each, pictures)
    for n, wplus in enumerate((room.one, room.other)):
        alone = both(room.apply(room.exact, wplus=wplus), pictures[n : n + 1])
        assert all(relative_error(batch[s][n : n + 1], alone[s]) <= 1e-6 for s in (0, 1))
    with pytest.raises(ValueError, match="There are 2 codes for 3 pictures: give one for all, or one for"):
        both(each, seeded(3, 4, HEIGHT // 8, WIDTH // 8, seed=8))


def test_free_u_of_ones_is_nothing_and_acts_in_two_blocks(room: Any, pack: Any) -> None:
    node = pack.node("LikenessFreeUByBlock").execute
    assert node(model=room.model, b1=1.0, b2=1.0, s1=1.0, s2=1.0)[0] is room.model
    plain, state = both(room.model, room.x), room.model.model_options["transformer_options"].copy()
    found = both(node(model=room.model)[0], room.x)
    assert relative_error(found[0], plain[0]) > 1e-4
    assert torch.equal(both(room.model, room.x)[0], plain[0])
    assert room.model.model_options["transformer_options"] == state
    with pytest.raises(ValueError, match="model has no U-Net: FreeU changes the up blocks"):
        node(model=SimpleNamespace(model=SimpleNamespace(diffusion_model=torch.nn.Linear(1, 1))))


def test_free_u_goes_to_the_cpu_where_it_has_to_and_nowhere_else(
    pack: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    freeu, there = pack.module("likeness.host.freeu"), torch.device("xpu")
    x = seeded(1, 2, 4, 4, seed=1)
    elsewhere = SimpleNamespace(device=there, cpu=lambda: x)
    real, errors = freeu.Fourier_filter, [torch.cuda.OutOfMemoryError("full"), RuntimeError("no fft")]

    def filtered(given: Any, **more: Any) -> Any:
        if given is elsewhere:
            raise errors.pop(0)
        return SimpleNamespace(to=lambda device: (device, real(given, **more)))

    monkeypatch.setattr(freeu, "Fourier_filter", filtered)
    monkeypatch.setattr(freeu, "_without", set())
    with pytest.raises(torch.cuda.OutOfMemoryError):
        freeu.scale_low(elsewhere, 0.5)
    for _ in range(2):  # the second time nothing is tried
        device, found = freeu.scale_low(elsewhere, 0.5)
        assert device == there and torch.equal(found, real(x, threshold=1, scale=0.5))
    assert not errors and caplog.text.count("has no Fourier transform (no fft)") == 1


def test_another_base_is_refused(room: Any, host: Any) -> None:
    other = host.CheckpointLoaderSimple().load_checkpoint("tiny_sdxl.safetensors")[0]
    with pytest.raises(ValueError, match=r"The W\+ Adapter needs an SD1\.5 model"):
        room.apply(other)
    with pytest.raises(ValueError, match=r"start \(0.6\) is after end \(0.4\)"):
        room.apply(start=0.6, end=0.4)


# Codes


@pytest.fixture(scope="module")
def encoder(pack: Any, base: Path) -> Any:
    folder = base / "models" / "e4e"
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(wplus_files.encoder_file(), folder / "own.pt")
    return pack.node("LikenessLoadFaceEncoder").execute(file="own.pt")[0]


@pytest.fixture(scope="module")
def encode(pack: Any, encoder: Any) -> Any:
    node = pack.node("LikenessEncodeWPlus")

    def run(**given: Any) -> Any:
        return node.execute(**{"face_encoder": encoder, **given})

    return run


@pytest.fixture(scope="module")
def photo(photos: Any) -> dict[str, torch.Tensor]:
    wanted = ("obama", "biden", "astronaut", "coffee", "t1")
    return {name: torch.from_numpy(photos[name].copy()).float()[None] / 255 for name in wanted}


def test_photos_of_any_sizes_become_one_code_or_one_each(encode: Any, photo: dict[str, torch.Tensor]) -> None:
    images = {"image_0": photo["obama"], "image_1": photo["biden"]}
    before = {name: image.clone() for name, image in images.items()}
    one, prepared = encode(images=images)
    assert one.codes.shape == (1, 18, 512) and prepared.shape == (2, 256, 256, 3)
    assert 0 <= float(prepared.min()) <= float(prepared.max()) <= 1
    each, _ = encode(images=images, combine="each")
    assert each.codes.shape == (2, 18, 512)
    assert relative_error(each.codes.mean(0, keepdim=True), one.codes) <= 1e-6
    assert all(torch.equal(images[name], value) for name, value in before.items())
    with pytest.raises(ValueError, match="combine must be one of mean, each, not 'x'"):
        encode(images=images, combine="x")


def test_a_parser_makes_background_and_clothes_white(
    encode: Any, pack: Any, photo: dict[str, torch.Tensor]
) -> None:
    parser = pack.node("LikenessLoadFaceParser").execute(file="tiny_parser.safetensors")[0]
    _, whole = encode(images=photo["astronaut"])
    _, cut = encode(images=photo["astronaut"], face_parser=parser)
    assert not torch.equal(cut, whole) and float((cut >= whole - 1e-6).float().mean()) == 1.0
    assert float((cut == 1).all(-1).float().mean()) > float((whole == 1).all(-1).float().mean())


def test_faces_choose_among_several_people(
    encode: Any, pack: Any, models: Any, photo: dict[str, torch.Tensor]
) -> None:
    found = pack.node("LikenessDetectFaces").execute(face_models=models, image=photo["t1"])[0]
    pick = pack.node("LikenessSelectFaces").execute
    first, last = (pick(faces=found, by="left to right", indices=n)[0] for n in ("0", "-1"))
    one, other = (encode(faces=faces)[1] for faces in (first, last))
    assert not torch.equal(one, other)
    assert torch.equal(encode(faces=found)[1], encode(images=photo["t1"])[1])


def test_bad_photos_are_told(encode: Any, photo: dict[str, torch.Tensor]) -> None:
    images = {"image_0": photo["obama"], "image_1": photo["coffee"]}
    with pytest.raises(
        ValueError, match=r"No face in picture 0 \(counted from 0\)\. It came through image_1\."
    ):
        encode(images=images)
    assert len(encode(images=images, if_no_face="skip")[1]) == 1
    with pytest.raises(ValueError, match="There is nobody to encode: connect photos"):
        encode()
    with pytest.raises(ValueError, match="images are 65 photos, more than 64"):
        encode(images=torch.rand(65, 8, 8, 3), align="none")
    with pytest.raises(ValueError, match="align must be one of ffhq, none, not 'x'"):
        encode(images=photo["obama"], align="x")
    with pytest.raises(ValueError, match="NaN or infinity"):
        encode(images=torch.full((1, 64, 64, 3), float("nan")), align="none")
    with pytest.raises(ValueError, match="images and faces are both connected"):
        encode(images=photo["obama"], faces=SimpleNamespace(faces=()))
    small = F.interpolate(photo["obama"].movedim(-1, 1), scale_factor=0.25, mode="area").movedim(1, -1)
    with pytest.raises(ValueError, match=r"The face in photo 0 .* is too small: .* needs more than 160"):
        encode(images=small)


def test_codes_are_saved_and_loaded(pack: Any, room: Any, base: Path, caplog: Any) -> None:
    save, load = pack.node("LikenessSaveWPlus").execute, pack.node("LikenessLoadWPlusCode").execute
    save(wplus=room.one, filename_prefix="anna")
    folder = base / "models" / "wplus_codes"
    (path,) = folder.glob("anna*.safetensors")
    found = load(file=path.name)[0]
    assert torch.equal(found.codes, room.one.codes) and found.source == "x"
    with torch.inference_mode(False):
        theirs = (seeded(1, 18, 512, seed=9) * 0.45).requires_grad_()
        torch.save(theirs, folder / "theirs.pth")
    with caplog.at_level("WARNING"):
        found = load(file="theirs.pth")[0]
    assert torch.equal(found.codes, theirs.detach()) and not found.codes.requires_grad
    assert "theirs.pth: its rows 0 and 16 differ" in caplog.text
    torch.save(torch.zeros(1, 16, 512), folder / "other.pth")
    torch.save({"a": torch.zeros(1, 18, 512)}, folder / "named.pth")
    with pytest.raises(ValueError, match=r"other.pth can't be used: A W\+ code has the shape \[N, 18, 512\]"):
        load(file="other.pth")
    with pytest.raises(ValueError, match=r"named.pth holds no W\+ codes"):
        load(file="named.pth")
    with pytest.raises(FileNotFoundError, match=r"There is no file 'gone' of W\+ codes"):
        load(file="gone")


def test_mixing_and_editing_by_text(pack: Any, room: Any) -> None:
    mix, edit = pack.node("LikenessMixWPlus").execute, pack.node("LikenessEditWPlus").execute
    one, other = room.one, room.other
    assert torch.equal(mix(wplus_a=one, wplus_b=other, amount=0.0)[0].codes, one.codes)
    some = mix(wplus_a=one, wplus_b=other, amount=1.0, layers="0-3, 9")[0].codes
    assert torch.equal(some[:, [0, 3, 9]], other.codes[:, [0, 3, 9]])
    assert torch.equal(some[:, 4:9], one.codes[:, 4:9])
    direction = pack.module("likeness.methods.wplus.directions").Direction
    smile, age = direction("smile", seeded(18, 512, seed=1)), direction("age", seeded(512, seed=2))
    there = {"direction_0": smile, "direction_1": age}
    assert edit(wplus=one, directions=there, edits="all: smile = 0")[0] is one
    a = edit(wplus=one, directions=there, edits="all: smile = 1.5\n0-7: 1 = -2")[0]
    b = edit(wplus=one, directions=there, edits="0-7: age = -2\n\nall: 0 = 1.5")[0]
    assert torch.allclose(a.codes, b.codes, atol=1e-6)
    wanted = one.codes + 1.5 * smile.vectors
    wanted[:, :8] -= 2 * age.vectors[:8]
    assert torch.allclose(a.codes, wanted, atol=1e-6)
    before = room.methods.identity_tokens(room.adapter, one).somebody
    for layer, token in ((0, 0), (5, 1), (8, 2), (17, 3)):
        moved = edit(wplus=one, directions=there, edits=f"{layer}: smile = 1")[0]
        changed = (room.methods.identity_tokens(room.adapter, moved).somebody != before).any(-1)[0]
        assert changed.tolist() == [n == token for n in range(4)]
    for text, said in (
        ("smile = 1", "is no edit. Write `layers: direction = strength`"),
        ("all: beard = 1", r"no connected direction is called 'beard'.*smile \(0\), age \(1\)"),
        ("all: smile = x", "'x' in the line 'all: smile = x' is no number"),
        ("all: smile = 11", "must be between -10 and 10"),
        ("3-18: smile = 1", "'3-18' names no layers: a code has 0 to 17"),
    ):
        with pytest.raises(ValueError, match=said):
            edit(wplus=one, directions=there, edits=text)
    with pytest.raises(ValueError, match="wplus_a holds 2 codes and wplus_b 3"):
        mix(
            wplus_a=room.methods.WPlus(one.codes.repeat(2, 1, 1)),
            wplus_b=room.methods.WPlus(one.codes.repeat(3, 1, 1)),
        )


# Files


def test_files_load_once_nested_flat_and_from_training(pack: Any, base: Path) -> None:
    from safetensors.torch import save_file

    folder = base / "models" / "wplus"
    folder.mkdir(exist_ok=True)
    nested = wplus_files.tiny()
    torch.save(nested, folder / "wplus_adapter.bin")
    save_file(wplus_files.flat(nested), folder / "flat.safetensors")
    dump = {"w_proj_model": nested["w_proj"], "adapter_modules": nested["wplus_adapter"]}
    save_file({**wplus_files.flat(dump), "unet.x": torch.zeros(1)}, folder / "dump.safetensors")
    load = pack.node("LikenessLoadWPlus")
    one, *others = (
        load.execute(file=name)[0] for name in ("wplus_adapter.bin", "flat.safetensors", "dump.safetensors")
    )
    assert one is load.execute(file="wplus_adapter.bin")[0]
    for other in others:
        assert all(torch.equal(a, b) for a, b in zip(one.layers.queries, other.layers.queries, strict=True))
    (folder / "cut.bin").write_bytes((folder / "wplus_adapter.bin").read_bytes()[:5000])
    with pytest.raises(ValueError, match=r"cut\.bin can't be read as weights"):
        load.execute(file="cut.bin")
    missing = pack.module("likeness.weights.find").MissingModel
    with pytest.raises(missing, match=r"gone\.bin is not in models/wplus"):
        load.execute(file="gone.bin")


def test_encoder_files(pack: Any, base: Path, encoder: Any) -> None:
    import argparse

    load, folder = pack.node("LikenessLoadFaceEncoder").execute, base / "models" / "e4e"
    assert load(file="own.pt")[0] is encoder
    content = wplus_files.encoder_file()
    with torch.inference_mode(False):
        torch.save({**content, "opts": argparse.Namespace(a=1)}, folder / "space.pt")
        torch.save(content, folder / "old.pt", _use_new_zipfile_serialization=False)
    picture = seeded(1, 3, 256, 256, seed=1)
    for name in ("space.pt", "old.pt"):
        assert torch.equal(load(file=name)[0](picture), encoder(picture))
    torch.save({"state_dict": content["state_dict"]}, folder / "bare.pt")
    lacking = {k: v for k, v in content["state_dict"].items() if k != "encoder.styles.3.linear.bias"}
    torch.save({**content, "state_dict": lacking}, folder / "lacking.pt")
    torch.save(wplus_files.tiny(), folder / "adapter.pt")
    for name, said in (
        ("bare.pt", "bare.pt lacks latent_avg, the average face"),
        ("lacking.pt", r"lacking.pt is incomplete: it lacks styles\.3\.linear\.bias"),
        (
            "adapter.pt",
            r"adapter.pt is no face encoder \(e4e\) but a W\+ Adapter: load it with Load W\+ Adapter",
        ),
    ):
        with pytest.raises(ValueError, match=said):
            load(file=name)


def test_direction_files(pack: Any, base: Path) -> None:
    import json

    import numpy as np
    from safetensors.torch import save_file

    load, folder = pack.node("LikenessLoadWPlusDirection").execute, base / "models" / "wplus_directions"
    folder.mkdir(parents=True, exist_ok=True)
    smile, flat = seeded(18, 512, seed=1), seeded(1, 512, seed=2)
    (folder / "named.json").write_text(json.dumps({"smile": smile.tolist(), "age80": smile.tolist()}))
    np.save(folder / "age.npy", flat.numpy().astype(np.float64))
    torch.save(smile.double(), folder / "eyes.pt")
    save_file({"smile": smile}, folder / "one.safetensors")
    comp = seeded(8, 1, 512, seed=3)
    torch.save({"mean": flat, "comp": comp, "std": torch.arange(1.0, 9)}, folder / "pca.pt")
    for file, name, wanted in (
        ("named.json", "smile", smile),
        ("age.npy", "", flat.expand(18, -1)),
        ("eyes.pt", "", smile),
        ("one.safetensors", "", smile),
        ("pca.pt", "pc3", comp[3].expand(18, -1)),
    ):
        assert torch.allclose(load(file=file, direction=name)[0].vectors, wanted), file
    third = load(file="pca.pt", direction="pc3")[0]
    assert third.deviation == 4 and third.origin is not None
    (folder / "cut.json").write_text('{"smile": [[1')
    (folder / "short.json").write_text('{"smile": [1, 2]}')
    (folder / "cut.npy").write_bytes(b"\x93NUMPY")
    (folder / "huge.json").write_text(f'{{"smile": [{10**30}]}}')
    (folder / "words.json").write_text('{"mean": "a", "comp": [1], "std": [1]}')
    for file, name, said in (
        ("named.json", "beard", r"named.json has no direction 'beard'. There are: smile, age80"),
        ("named.json", "", "holds several directions: choose one"),
        ("pca.pt", "pc8", "holds 8 principal components and none called 'pc8': write pc0 to pc7"),
        ("cut.json", "smile", "cut.json is no JSON, or is cut short"),
        ("short.json", "smile", r"short.json can't be used: The direction smile is \[2\]"),
        ("cut.npy", "", "cut.npy is no numpy file of numbers"),
        ("huge.json", "smile", "huge.json can't be used: "),
        ("words.json", "pc0", "words.json is damaged: mean, comp and std are no tables of numbers"),
    ):
        with pytest.raises(ValueError, match=said):
            load(file=file, direction=name)


#: The keys of the published file, in its order, letter for letter.
PUBLISHED = [
    *("pose", "angry", "black", "eyesclose", "hats", "bald", "disgust", "age80", "bang", "age70", "white"),
    *("lights", "yellow", "sad", "beard", "gender", "smile", "suprise", "eyeglasses", "eyeg"),
]


def test_the_published_directions(pack: Any, base: Path) -> None:
    """A file of PreciseControl's layout, made here: by key, by name, and what is said of others."""
    import json

    missing = pack.module("likeness.weights.find").MissingModel
    load, folder = pack.node("LikenessLoadWPlusDirection").execute, base / "models" / "wplus_directions"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "all_delta_w_dict.json"
    with pytest.raises(missing, match=r"python install\.py --models wplus-directions \(in "):
        load(file=path.name, direction="smile")
    rows = {key: seeded(18, 512, seed=seed) for seed, key in enumerate(PUBLISHED)}
    path.write_text(json.dumps({key: value.tolist() for key, value in rows.items()}))
    try:
        for key in PUBLISHED:
            found = load(file=path.name, direction=key)[0]
            assert found.name == key and torch.allclose(found.vectors, rows[key])
        read = {"surprise": "suprise", "Eyes closed": "eyesclose", "skin tone: black": "black"}
        for name, key in read.items():
            assert load(file=path.name, direction=name)[0].name == key
        listed = r"There are: pose, angry, eyesclose \(eyes closed\), .* suprise \(surprise\), .*\. "
        with pytest.raises(ValueError, match=listed + "Skin tones, learned from .*: black, white, yellow"):
            load(file=path.name, direction="younger")
    finally:
        path.unlink()
    choices = pack.module("likeness.choices.wplus")
    assert pack.module("likeness.weights.catalogue").catalogue()[choices.DIRECTION].name == choices.NAMED
    assert sorted([*choices.DIRECTION_NAMES, *choices.SKIN_TONES]) == sorted(PUBLISHED)
    schema = pack.node("LikenessLoadWPlusDirection").define_schema()
    proposed = next(given for given in schema.inputs if given.id == "direction")
    named = set(proposed.tooltip.replace(",", " ").replace(".", " ").split())
    assert set(choices.DIRECTION_NAMES) <= named and not named & set(choices.SKIN_TONES)
