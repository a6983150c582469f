"""PVA's nodes on files: loading, persons, photos, prompts, saving, and what they say of bad input."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from support import pva_files
from support.golden import Golden, relative_error

TINY, PERSON = "tiny_pva.safetensors", "tiny_pva_person.safetensors"

pytestmark = pytest.mark.usefixtures("as_the_executor_does")


@pytest.fixture(scope="module")
def room(pack: Any, host: Any) -> SimpleNamespace:
    model, clip, vae = host.CheckpointLoaderSimple().load_checkpoint("tiny_sd2_inpaint.safetensors")
    pva = pack.node("LikenessLoadPVA").execute(file=TINY)[0]
    identity = pack.module("likeness.values").Identity(torch.ones(1, 512), pva.base.recogniser)
    tokens = pack.node("LikenessEncodePVA").execute(pva=pva, identity=identity)[0]
    return SimpleNamespace(model=model, clip=clip, vae=vae, pva=pva, identity=identity, tokens=tokens)


def said(action: Any, **inputs: Any) -> str:
    with pytest.raises((ValueError, FileNotFoundError)) as error:
        action(**inputs)
    return str(error.value)


def same(a: Any, b: Any) -> bool:
    """Whether two loaded PVAs hold the same numbers."""
    states = [dict(pva.base.transformer.state_dict()) for pva in (a, b)]
    nets = [pva.base.face_net.state_dict() if pva.base.face_net else {} for pva in (a, b)]
    pairs = [(dict(a.unet), dict(b.unet)), tuple(states), tuple(nets), ({"w": a.word}, {"w": b.word})]
    return all(x.keys() == y.keys() and all(torch.equal(x[k], y[k]) for k in x) for x, y in pairs)


# Loading


def test_the_official_pickle_and_its_flat_copy(pack: Any, base: Path) -> None:
    folder, load = base / "models" / "pva", pack.node("LikenessLoadPVA").execute
    content = with_encoder()
    torch.save(content, folder / "nested_FPIP.bin")
    save_file({k: v.clone() for k, v in pva_files.flat(content).items()}, folder / "flat.safetensors")
    assert same(load(file="nested_FPIP.bin")[0], load(file="flat.safetensors")[0])


def test_persons_share_their_base(pack: Any) -> None:
    load = pack.node("LikenessLoadPVA").execute
    alone, person, again = load(file=TINY)[0], load(file=TINY, person_file=PERSON)[0], load(file=TINY)[0]
    assert alone.base is person.base is again.base
    assert alone.person is None and len(person.tuned) == 80 and len(person.unet) == 128
    assert repr(person) == f"PVA({PERSON} over {TINY}, 16 layers, tokens of 64)"
    node = pack.node("LikenessLoadPVA")
    assert node.fingerprint_inputs(TINY, "none") == node.fingerprint_inputs(TINY)
    assert node.fingerprint_inputs(TINY, PERSON) != node.fingerprint_inputs(TINY)


def test_swapped_and_missing_files(pack: Any, base: Path) -> None:
    load = pack.node("LikenessLoadPVA").execute
    assert f"{PERSON} holds one person's layer" in said(load, file=PERSON)
    assert f"person_file {TINY} is a whole PVA file" in said(load, file=TINY, person_file=TINY)
    text = said(load, file="FPIP.bin")
    assert text.startswith("FPIP.bin is missing. Searched: ") and str(base / "models" / "pva") in text
    assert "have published no weights and plan none" in text and text.endswith("put there by hand.")
    assert "gone.bin is not in models/pva" in said(load, file=TINY, person_file="gone.bin")
    folder = base / "models" / "pva"
    torch.save({"modifier_vec": torch.zeros(4), "unet": {}, "run": print}, folder / "code.bin")
    assert "holds more than tensors and was not opened" in said(load, file="code.bin")


# Encoding


@pytest.fixture(scope="module")
def portraits(photos: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(photos[name].copy())[None].float() / 255 for name in ("obama", "biden")}


def test_photos_become_tokens_in_any_order(pack: Any, room: Any, portraits: Any) -> None:
    encode = pack.node("LikenessEncodePVA").execute
    one, two = portraits["obama"], portraits["biden"]
    tokens, identity = encode(pva=room.pva, images={"image_0": one, "image_1": two}).args
    assert identity.embeddings.shape == (2, 512) and identity.recogniser == room.pva.base.recogniser
    assert identity.embeddings.device.type == "cpu" and tokens.somebody.shape == (1, 10, 64)
    turned, _ = encode(pva=room.pva, images={"image_0": two, "image_1": one}).args
    assert relative_error(turned.somebody, tokens.somebody) < 1e-5
    again, passed = encode(pva=room.pva, identity=identity).args
    assert torch.equal(again.somebody, tokens.somebody) and passed is identity
    single, _ = encode(pva=room.pva, images=one).args
    assert relative_error(single.somebody, tokens.somebody) > 1e-3


def test_a_batch_and_single_photos_are_the_same(pack: Any, room: Any, portraits: Any) -> None:
    encode = pack.node("LikenessEncodePVA").execute
    squares = torch.rand(3, 96, 96, 3, generator=torch.Generator().manual_seed(0))
    batch = encode(pva=room.pva, images=squares, align=False)[1]
    apart = {f"image_{n}": squares[n : n + 1] for n in range(3)}
    assert torch.allclose(batch.embeddings, encode(pva=room.pva, images=apart, align=False)[1].embeddings)
    assert torch.equal(squares, torch.rand(3, 96, 96, 3, generator=torch.Generator().manual_seed(0)))


def test_what_cannot_be_encoded(pack: Any, room: Any, portraits: Any) -> None:
    encode = pack.node("LikenessEncodePVA").execute
    both = said(encode, pva=room.pva, identity=room.identity, images=portraits["obama"])
    assert both == "identity and images are both connected: connect one of them."
    assert "There is nobody to encode" in said(encode, pva=room.pva, images={})
    other = type(room.identity)(torch.ones(1, 512), "glintr100")
    assert "understands only ms1mv3_r50" in said(encode, pva=room.pva, identity=other)


def with_encoder(change: float = 0.0) -> dict[str, Any]:
    """A whole file whose face encoder was tuned."""
    content = pva_files.base([8] * 16, 16)
    encoder = {k: v + change * (k == "fc.bias") for k, v in pva_files.face_net().items()}
    return {**content, "face_net": {f"facenet.{k}": v for k, v in encoder.items()}}


def test_an_identity_is_for_the_file_whose_encoder_made_it(pack: Any, base: Path) -> None:
    """Vectors of one PVA's tuned encoder mean nobody to another; saved ones say whose they are."""
    encode, load = pack.node("LikenessEncodePVA").execute, pack.node("LikenessLoadPVA").execute
    folder = base / "models" / "pva"
    torch.save(with_encoder(), folder / "tuned_a.bin")
    copy = {k: v.clone() for k, v in pva_files.flat(with_encoder()).items()}
    save_file(copy, folder / "a_copy.safetensors")
    torch.save(with_encoder(0.5), folder / "tuned_b.bin")
    torch.save(pva_files.base([8] * 16, 16), folder / "published.bin")
    squares = torch.rand(2, 96, 96, 3, generator=torch.Generator().manual_seed(0))
    tokens, made = encode(pva=load(file="tuned_a.bin")[0], images=squares, align=False).args
    pack.node("LikenessSaveIdentity").execute(identity=made, filename_prefix="tuned/whose")
    identity = pack.node("LikenessLoadIdentity").execute(file="tuned/whose_00001_.safetensors")[0]
    assert identity.recogniser == made.recogniser
    for file in ("tuned_a.bin", "a_copy.safetensors"):
        again = encode(pva=load(file=file)[0], identity=identity)[0]
        assert relative_error(again.somebody, tokens.somebody) < 1e-6
    for file in ("tuned_b.bin", "published.bin"):
        text = said(encode, pva=load(file=file)[0], identity=identity)
        assert "as they are, by the face encoder of tuned_a.bin)" in text
        assert f"but {file} understands only ms1mv3_r50" in text and "Connect the photos to images" in text
    plain = type(made)(torch.ones(1, 512), "ms1mv3_r50")
    assert "but tuned_a.bin understands only" in said(encode, pva=load(file="tuned_a.bin")[0], identity=plain)
    assert len(encode(pva=load(file="published.bin")[0], identity=plain)[0]) == 1


def test_the_published_face_encoder_is_found_by_name(pack: Any, base: Path, portraits: Any) -> None:
    """A file without an encoder of its own needs the one PVA was trained with."""
    encode, load = pack.node("LikenessEncodePVA").execute, pack.node("LikenessLoadPVA").execute
    torch.save(pva_files.base([8] * 16, 16), base / "models" / "pva" / "stage1.bin")
    pva = load(file="stage1.bin")[0]
    text = said(encode, pva=pva, images=portraits["obama"])
    assert text.startswith("ms1mv3_arcface_r50.pth is missing") and "research only" in text
    place = base / "models" / "insightface" / "models" / "ms1mv3"
    place.mkdir(parents=True)
    try:
        torch.save(pva_files.face_net(), place / "ms1mv3_arcface_r50.pth")
        found = encode(pva=pva, images=portraits["obama"])[1].embeddings
        aligned = pack.module("likeness.faces.references").references(portraits["obama"], True)
        crop = pack.module("likeness.faces.references").face_crop(2 * aligned - 1)
        network = pack.module("likeness.faces.iresnet").build_iresnet(pva_files.face_net(), "tiny")
        assert relative_error(found, network(crop)) < 1e-5
    finally:
        (place / "ms1mv3_arcface_r50.pth").unlink()


def test_a_file_nobody_holds_is_let_go(pack: Any, base: Path) -> None:
    torch.save(with_encoder(), base / "models" / "pva" / "short_lived.bin")
    pva = pack.node("LikenessLoadPVA").execute(file="short_lived.bin")[0]
    squares = torch.rand(1, 96, 96, 3, generator=torch.Generator().manual_seed(0))
    pack.node("LikenessEncodePVA").execute(pva=pva, images=squares, align=False)
    alive = [weakref.ref(part) for part in (pva.base, pva.base.face_net, pva.base.transformer)]
    del pva
    gc.collect()
    assert [part() for part in alive] == [None] * 3


# Prompts


def embedding(clip: Any, word: str) -> torch.Tensor:
    ((row,),) = clip.tokenize(word).values()
    weight = clip.cond_stage_model.clip_h.transformer.get_input_embeddings().weight
    return weight[int(row[1][0])].float().clone()


@pytest.mark.parametrize(
    "text",
    [
        "photo of a <new1> person",
        "photo of a <new1> person, laughing",
        "<new1>, in (sunlight:1.3)",
        "a (<new1>:1.2)",
        "sks beside a <new1>",
        " ".join(["one of many words"] * 25) + " <new1> person",
    ],
)
def test_the_word_stands_where_the_placeholder_was(pack: Any, host: Any, room: Any, text: str) -> None:
    """With an ordinary word's vector, the prompt is that of the ordinary word."""
    module = pack.module("likeness.methods.pva.content")
    person = module.Person("tall", embedding(room.clip, "tall"), {})
    pva = module.PVA(room.pva.base, person)
    found = pack.node("LikenessPVAPrompt").execute(clip=room.clip, pva=pva, text=text)[0]
    wanted = host.CLIPTextEncode().encode(room.clip, text.replace("<new1>", "tall"))[0]
    (made, facts), (expected, plainly) = found[0], wanted[0]
    assert torch.equal(made, expected) and facts.keys() - {"likeness_moved"} == plainly.keys()
    plain = host.CLIPTextEncode().encode(room.clip, text.replace("<new1>", "small"))[0]
    assert relative_error(found[0][0], plain[0][0]) > 1e-4


def test_the_word_counts_once(pack: Any, room: Any, caplog: pytest.LogCaptureFixture) -> None:
    prompt_tokens = pack.module("likeness.methods.pva.prompt").prompt_tokens
    word = torch.ones(64)
    (row,) = prompt_tokens(room.clip, word, "<new1> and <new1>")["h"]
    vectors = [token for token, _ in row if isinstance(token, torch.Tensor)]
    assert torch.equal(vectors[0], word) and not vectors[1].any() and len(vectors) == 2
    assert len(row) == 77 and "counts only at its first place" in caplog.text
    assert prompt_tokens(room.clip, word, "a person") == room.clip.tokenize("a person")
    assert "has no <new1>" in caplog.text


def test_another_text_encoder(pack: Any, host: Any, room: Any) -> None:
    prompt = pack.node("LikenessPVAPrompt").execute
    sdxl = host.CheckpointLoaderSimple().load_checkpoint("tiny_sdxl.safetensors")[1]
    assert said(prompt, clip=sdxl, pva=room.pva, text="x").startswith(
        "clip is not a single CLIP text encoder"
    )
    arc2face = pack.node("LikenessLoadArc2Face").execute(
        unet_file="tiny_arc2face.safetensors", encoder_file="tiny_arc2face_encoder.safetensors"
    )[1]
    text = said(prompt, clip=arc2face, pva=room.pva, text="x")
    assert text.startswith(f"clip has tokens 512 wide, the word of {TINY} is 64 wide.")
    text = "sks and ohwx and <new1>"
    assert "leave one of them out" in said(prompt, clip=room.clip, pva=room.pva, text=text)


# Applying


def apply(pack: Any, room: Any, **inputs: Any) -> str:
    given = {"model": room.model, "pva": room.pva, "pva_tokens": room.tokens, **inputs}
    return said(pack.node("LikenessApplyPVA").execute, **given)


def test_another_model(pack: Any, host: Any, room: Any) -> None:
    load = host.CheckpointLoaderSimple().load_checkpoint
    needs = "PVA needs an inpainting checkpoint (9 channels) with prompt tokens of width 64."
    golden = Golden("pva")
    four = apply(pack, room, model=golden.model("SD20", in_channels=4))
    assert four == f"model is TinySD20 with 4 input channels: it knows nothing of masks. {needs}"
    sdxl = apply(pack, room, model=load("tiny_sdxl.safetensors")[0])
    assert "with prompt tokens of width 128, but tiny_pva.safetensors has 64" in sdxl
    other = apply(pack, room, model=golden.model("SD20"))
    assert (
        "whose 16 cross-attention layers are not the 16 of tiny_pva.safetensors in number or width" in other
    )
    flux = SimpleNamespace(model=SimpleNamespace(diffusion_model=torch.nn.Linear(1, 1), model_config=3))
    assert apply(pack, room, model=flux) == f"model is int, which has no U-Net cross-attention. {needs}"


def test_bad_settings(pack: Any, room: Any) -> None:
    assert "strength is -0.5" in apply(pack, room, strength=-0.5)
    assert "apply_to must be one of positive, both" in apply(pack, room, apply_to="negative")
    assert "start (0.6) is after end (0.2)" in apply(pack, room, start=0.6, end=0.2)
    adapters = pack.module("likeness.adapters")
    wide = adapters.Tokens(torch.zeros(1, 10, 1024), None, adapters.MadeWith("another.bin"))
    assert "pva_tokens were made with another.bin, but pva is" in apply(pack, room, pva_tokens=wide)


# Saving


def saved(pack: Any, base: Path, name: str, **inputs: Any) -> str:
    pack.node("LikenessSavePVA").execute(filename_prefix=name, **inputs)
    (path,) = (base / "models" / "pva").glob(f"{name}_*_.safetensors")
    return path.relative_to(base / "models" / "pva").as_posix()


def test_saved_and_loaded_it_is_the_same(pack: Any, base: Path, room: Any) -> None:
    """A8, with a face encoder; and with a person's layer, as one file and as two."""
    load = pack.node("LikenessLoadPVA").execute
    assert same(load(file=saved(pack, base, "whole", pva=room.pva))[0], room.pva)
    person = load(file=TINY, person_file=PERSON)[0]
    merged = load(file=saved(pack, base, "people/anna", pva=person))[0]
    assert same(merged, person) and merged.person is None and len(merged.tuned) == 80
    layer = saved(pack, base, "layer", pva=person, content="person")
    assert same(load(file=TINY, person_file=layer)[0], person)
    with safe_open(base / "models" / "pva" / layer, "pt") as file:
        assert file.metadata() == {"format": "likeness-pva/1", "recogniser": "ms1mv3_r50", "base": "unknown"}
        assert set(file.keys()) == {"modifier_vec", *(f"unet.{key}" for key in person.person.unet)}


def test_half_precision_halves_the_file(pack: Any, base: Path, room: Any) -> None:
    folder = base / "models" / "pva"
    full = saved(pack, base, "full", pva=room.pva)
    half = saved(pack, base, "half", pva=room.pva, precision="float16")
    assert (folder / half).stat().st_size < 0.6 * (folder / full).stat().st_size
    loaded = pack.node("LikenessLoadPVA").execute(file=half)[0]
    assert relative_error(loaded.word, room.pva.word) < 1e-3 and loaded.word.dtype == torch.float32


def test_what_cannot_be_saved(pack: Any, room: Any) -> None:
    save = pack.node("LikenessSavePVA").execute
    assert "filename_prefix is empty: give the file a name" in said(save, pva=room.pva, filename_prefix=" ")
    assert "leads out of" in said(save, pva=room.pva, filename_prefix="../x")
    text = said(save, pva=room.pva, filename_prefix="x", content="person")
    assert text.startswith("pva holds no person's layer")
    assert "precision one of as it is, float16" in said(save, pva=room.pva, precision="int4")
