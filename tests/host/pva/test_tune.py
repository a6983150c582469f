"""Tuning PVA on one person, in the host, on the tiny SD2 inpainting checkpoint. Spec A.5.1, A.9 (A9, A10)."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from support.golden import relative_error

SIDE = 96

pytestmark = pytest.mark.usefixtures("as_the_executor_does")


@pytest.fixture(scope="module")
def room(pack: Any, host: Any, photos: dict[str, np.ndarray]) -> SimpleNamespace:
    """The tiny checkpoint and PVA; three photos of a person, made ready at a quarter of their size."""
    model, clip, vae = host.CheckpointLoaderSimple().load_checkpoint("tiny_sd2_inpaint.safetensors")
    pva = pack.node("LikenessLoadPVA").execute(file="tiny_pva.safetensors")[0]
    images = {
        f"image_{n}": torch.from_numpy(photos[name].copy())[None].float() / 255
        for n, name in enumerate(("obama", "obama2", "obama3"))
    }
    library = SimpleNamespace(
        **{name: pack.module(f"likeness.methods.pva.{name}") for name in ("tune", "material", "encode")},
        **{name: pack.module(f"likeness.methods.pva.{name}") for name in ("student", "apply", "files")},
        faces=pack.module("likeness.faces.references"),
        sampling=pack.module("likeness.host.sampling"),
        training=pack.module("likeness.host.training"),
    )
    portraits = library.faces.references(images, align=True)
    small = F.interpolate(portraits, (SIDE, SIDE), mode="bilinear", antialias=True)
    encode = library.sampling.latent_encoder(model, vae)
    material = library.material.prepare(small, encode, lambda f: library.files.encode_faces(pva, f), SIDE)
    sites = library.apply.match(model, pva)
    layers, network = library.apply.layer_names(model, pva, sites), model.model.diffusion_model
    own = {
        f"{ours}.{part}": network.get_parameter(f"{theirs}.{part}").clone()
        for ours, theirs in layers.items()
        for part in library.student.OWN
    }
    return SimpleNamespace(
        model=model,
        clip=clip,
        vae=vae,
        pva=pva,
        images=images,
        portraits=portraits,
        library=library,
        material=material,
        sites=sites,
        layers=layers,
        own=own,
    )


def student(room: Any, everything: bool = True, model: Any = None, pva: Any = None) -> Any:
    """To be called while learning."""
    model, pva = model or room.model, pva or room.pva
    return room.library.student.Student(model, room.clip, pva, room.sites, everything, torch.float32)


def learnt(room: Any, material: Any = None, **plan: Any) -> tuple[Any, tuple[float, ...]]:
    """(the person's layer, the losses)"""
    chosen = room.library.tune.Plan(**plan)
    with room.library.training.learning():
        pupil = student(room, chosen.tensors == "cross_all")
        losses = room.library.tune.learn(pupil, (material or room.material).apart(), chosen)
        return pupil.person("test"), losses


def same(a: Any, b: Any) -> bool:
    pairs = [(a.word, b.word), *((a.unet[key], b.unet[key]) for key in a.unet)]
    return a.unet.keys() == b.unet.keys() and all(torch.equal(x, y) for x, y in pairs)


def digest(network: torch.nn.Module) -> str:
    state = network.state_dict()
    return hashlib.sha256(b"".join(state[key].numpy().tobytes() for key in sorted(state))).hexdigest()


def test_gradients_reach_every_tensor_that_learns_and_no_other(room: Any) -> None:
    """A10: the word, 48 visual matrices, 80 tensors of the layers' own; the rest of the network is frozen."""
    with room.library.training.learning():
        pupil, material = student(room), room.material.apart()
        predictor = room.library.training.NoisePredictor(pupil.model, tuple(material.clean.shape), False)
        pupil.meet(material.vectors[:2])
        noise = torch.randn(1, 4, SIDE // 8, SIDE // 8, generator=torch.Generator().manual_seed(0))
        loss = room.library.tune.noise_loss(pupil, predictor, material, slice(4, 5), noise, torch.tensor(700))
        loss.backward()
        parameters = [pupil.word, *pupil.attention]
        assert len(parameters) == 1 + 48 + 80
        assert all(p.grad is not None and float(p.grad.abs().sum()) > 0 for p in parameters)
        frozen = [*pupil.model.model.parameters(), *room.pva.base.transformer.parameters()]
        assert not any(p.requires_grad or p.grad is not None for p in frozen)


def test_the_network_sees_what_it_sees_when_it_draws(host: Any, room: Any, pack: Any) -> None:
    """The guess that learns is that of Apply PVA; and after learning, that of the MODEL which comes out."""
    import comfy.samplers

    tokens = pack.node("LikenessEncodePVA").execute(pva=room.pva, images=room.images)[0]
    noise = torch.randn(1, 4, SIDE // 8, SIDE // 8, generator=torch.Generator().manual_seed(1))

    def drawn(pva: Any, timestep: int) -> torch.Tensor:
        model = room.library.apply.apply(room.model, pva, tokens, room.library.tune.Use(1.0))
        prompt = pack.node("LikenessPVAPrompt").execute(
            clip=room.clip, pva=pva, text="photo of a <new1> person"
        )
        row = room.material.inpainting[0:1]
        seen = [[prompt[0][0][0], {"concat_latent_image": row[:, 1:] / 0.18215, "concat_mask": row[:, :1]}]]
        sampling = model.get_model_object("model_sampling")
        level = sampling.sigmas[timestep]
        guider = comfy.samplers.CFGGuider(model)
        guider.set_conds(seen, seen)
        guider.set_cfg(1.0)
        start = room.material.clean[0:1] / 0.18215
        ended = guider.sample(
            noise, start, comfy.samplers.sampler_object("euler"), torch.stack([level, level * 0.5]),
            disable_pbar=True, seed=0,
        )  # fmt: skip
        begun = start * 0.18215 + level * noise
        # One Euler step from level to half of it moves by half of the level times the noise seen.
        return (begun - ended * 0.18215) / (level * 0.5)

    def learning(pupil: Any, timestep: int) -> torch.Tensor:
        material = room.material.apart()
        predictor = room.library.training.NoisePredictor(pupil.model, tuple(material.clean.shape), False)
        pupil.meet(material.person(material.views))
        with torch.no_grad():
            a = predictor.alphas_cumprod[timestep]
            noisy = a.sqrt() * material.clean[0:1] + (1 - a).sqrt() * noise.clone()
            return predictor(noisy, timestep, pupil.prompt(), material.inpainting[0:1])

    identity = room.library.encode.identify(
        lambda faces: room.library.files.encode_faces(room.pva, faces), room.images, True, room.pva.base
    )
    full = [vector.clone() for vector in identity.embeddings]
    material = room.library.material.Material(
        room.material.clean, room.material.inpainting, torch.stack(full).repeat_interleave(2, 0)
    )
    room = SimpleNamespace(**{**vars(room), "material": material})
    with room.library.training.learning():
        pupil = student(room)
        before = learning(pupil, 600)
        room.library.tune.learn(pupil, material.apart(), room.library.tune.Plan(steps=2, learning_rate=1e-3))
        after, person = learning(pupil, 600), pupil.person("test")
    assert relative_error(drawn(room.pva, 600), before) < 1e-5
    tuned = type(room.pva)(room.pva.base, person)
    assert relative_error(drawn(tuned, 600), after) < 1e-5
    assert relative_error(before, after) > 1e-3


def held_out_loss(room: Any, pupil: Any, material: Any, person: torch.Tensor) -> float:
    """On pictures that were not learnt from, with the same noise every time."""
    generator = torch.Generator().manual_seed(99)
    predictor = room.library.training.NoisePredictor(pupil.model, tuple(material.clean.shape), False)
    pupil.meet(person)
    losses = []
    with torch.no_grad():
        for timestep in torch.arange(50, 1000, 100):
            noise = torch.randn(material.clean.shape, generator=generator)
            rows = slice(0, len(material.clean))
            losses.append(
                float(room.library.tune.noise_loss(pupil, predictor, material, rows, noise, timestep))
            )
    return sum(losses) / len(losses)


def test_it_learns_at_the_size_that_is_drawn_from_the_people_as_they_are(room: Any) -> None:
    encode = room.library.sampling.latent_encoder(room.model, room.vae)

    def prepared(size: int) -> Any:
        faces = lambda seen: room.library.files.encode_faces(room.pva, seen)  # noqa: E731
        return room.library.material.prepare(room.portraits, encode, faces, size)

    small, large = prepared(128), prepared(192)
    assert small.clean.shape == (6, 4, 16, 16) and small.inpainting.shape == (6, 5, 16, 16)
    assert large.clean.shape == (6, 4, 24, 24)
    assert set(small.inpainting[:, 0].unique().tolist()) == {0.0, 1.0}
    assert torch.equal(small.vectors, large.vectors)
    assert room.library.tune.Plan().size == 512
    with pytest.raises(ValueError, match="size must be a multiple of 8 from 64 on, not 100"):
        room.library.tune.Plan(size=100)


def test_forty_steps_lower_the_loss_on_a_picture_that_was_held_out(room: Any) -> None:
    whole = room.material.apart()
    part = type(whole)(whole.clean[:4], whole.inpainting[:4], whole.vectors[:4])
    rest = type(whole)(whole.clean[4:], whole.inpainting[4:], whole.vectors[4:])
    with room.library.training.learning():
        pupil = student(room)
        before = held_out_loss(room, pupil, rest, part.vectors[::2])
        room.library.tune.learn(pupil, part, room.library.tune.Plan(save_memory=False))
        assert held_out_loss(room, pupil, rest, part.vectors[::2]) < before


def test_only_the_chosen_tensors_move(room: Any) -> None:
    """A9."""
    for tensors, count in (("cross_all", 128), ("visual_only", 48)):
        person, _ = learnt(room, steps=2, tensors=tensors)
        assert len(person.unet) == count
        base = {**room.pva.unet, **room.own}
        assert all(not torch.equal(value, base[key]) for key, value in person.unet.items())
        assert not torch.equal(person.word, room.pva.word)
        # Adam moves a number by at most its learning rate in each step.
        furthest = max(float((value - base[key]).abs().max()) for key, value in person.unet.items())
        assert 1e-6 < furthest < 2 * 2.1e-5
        assert 1e-3 < float((person.word - room.pva.word).abs().max()) < 2 * 1.1e-3
    still, _ = learnt(room, steps=2, word_learning_rate=0.0)
    assert torch.equal(still.word, room.pva.word)


def test_saving_memory_changes_nothing(room: Any) -> None:
    kept, once = learnt(room, steps=3, save_memory=False)
    saved, twice = learnt(room, steps=3, save_memory=True)
    assert once == twice and same(kept, saved)


def test_a_seed_repeats_and_two_people_in_a_row_do_not_meet(room: Any) -> None:
    whole = room.material
    other = type(whole)(whole.clean[2:4], whole.inpainting[2:4], whole.vectors[2:4])
    alone, losses = learnt(room, steps=2)
    learnt(room, other, steps=2, seed=5)
    again, same_losses = learnt(room, steps=2)
    assert losses == same_losses and same(alone, again)
    assert learnt(room, steps=2, seed=1)[1] != losses


def test_a_lora_stays_a_lora(room: Any) -> None:
    """With a LoRA in the model, what is learnt is laid under it: the layer holds no part of the LoRA."""
    layer, name = next(iter(room.layers.items()))
    key = f"{layer}.to_q.weight"
    model = room.model.clone()
    change = torch.full_like(room.own[key], 0.05)
    model.add_patches({f"diffusion_model.{name}.to_q.weight": ("diff", (change,))}, 1.0)
    with room.library.training.learning():
        plan, material = room.library.tune.Plan(steps=1), room.material.apart()
        with_lora = student(room, model=model)
        losses = room.library.tune.learn(with_lora, material, plan)
        without = student(room)
        assert room.library.tune.learn(without, material, plan) != losses, "the LoRA is there while learning"
        found = with_lora.person("test").unet[key]
    assert float((found - room.own[key]).abs().max()) < 1e-4


def node(pack: Any, room: Any, **inputs: Any) -> Any:
    images = {"image_0": room.images["image_0"]}
    given = {"model": room.model, "clip": room.clip, "vae": room.vae, "pva": room.pva, "images": images}
    return pack.node("LikenessTunePVA").execute(**{**given, "steps": 1, "timesteps": 1, **inputs})


def test_the_node_leaves_everything_as_it_was(pack: Any, room: Any, base: Any) -> None:
    """Its outputs draw, its file loads, and the MODEL, CLIP and PVA that went in are the same to the bit."""
    parts = (room.model.model.diffusion_model, room.clip.cond_stage_model, room.pva.base.transformer)
    before = [digest(part) for part in parts]
    options, patches = repr(room.model.model_options), dict(room.model.patches)
    model, tuned, tokens, curve = node(pack, room, save_as="people/test").args
    assert [digest(part) for part in parts] == before
    assert repr(room.model.model_options) == options and room.model.patches == patches
    assert not any(
        module.weight_function for module in parts[0].modules() if hasattr(module, "weight_function")
    )
    assert not pack.module("likeness.host.training").model_management.in_training
    assert (
        len(model.patches) == 80 and tokens.somebody.shape == (1, 10, 64) and curve.shape == (1, 320, 512, 3)
    )
    (file,) = (base / "models" / "pva" / "people").glob("test_*_.safetensors")
    load = pack.node("LikenessLoadPVA").execute
    again = load(file="tiny_pva.safetensors", person_file=f"people/{file.name}")[0]
    assert again.person.unet.keys() == tuned.person.unet.keys()
    assert relative_error(again.person.word, tuned.person.word) < 1e-3


def test_the_loss_is_shown_while_it_learns(pack: Any, room: Any) -> None:
    import comfy.utils

    seen: list[tuple[int, int, Any]] = []
    before = comfy.utils.PROGRESS_BAR_HOOK
    comfy.utils.set_progress_bar_global_hook(lambda *event, **_: seen.append(event))
    try:
        progress = pack.module("likeness.host.running").PictureProgress(3)
        report = [progress.step(torch.full((4, 6, 3), level)) for level in (0.0, 1.0)]
    finally:
        comfy.utils.set_progress_bar_global_hook(before)
    assert [(value, total) for value, total, _ in seen] == [(1, 3), (2, 3)] and report == [None, None]
    kind, picture, largest = seen[1][2]
    assert (
        kind == "JPEG" and picture.size == (6, 4) and largest == 6 and picture.getpixel((0, 0)) == (255,) * 3
    )


def test_cancelling_leaves_nothing_behind(pack: Any, room: Any) -> None:
    import comfy.model_management as mm

    mm.interrupt_current_processing()
    with pytest.raises(mm.InterruptProcessingException):
        node(pack, room)
    assert not mm.in_training and torch.is_inference_mode_enabled()
    mm.interrupt_current_processing(False)


def said(action: Any, **inputs: Any) -> str:
    with pytest.raises((ValueError, RuntimeError)) as error:
        action(**inputs)
    return str(error.value)


def test_what_cannot_be_tuned(pack: Any, host: Any, room: Any, photos: Any, caplog: Any) -> None:
    def of(**inputs: Any) -> str:
        return said(lambda **given: node(pack, room, **given), **inputs)

    person = pack.node("LikenessLoadPVA").execute(
        file="tiny_pva.safetensors", person_file="tiny_pva_person.safetensors"
    )[0]
    assert "pva already has a person" in of(pva=person)
    sdxl = host.CheckpointLoaderSimple().load_checkpoint("tiny_sdxl.safetensors")
    assert of(model=sdxl[0]).startswith("model is TinySDXL with prompt tokens of width 128")
    assert of(clip=sdxl[1]).startswith("clip is not a single CLIP text encoder")
    assert "There is nobody to encode" in of(images={})
    coffee = torch.from_numpy(photos["coffee"].copy())[None].float() / 255
    assert "No face in picture 0" in of(images={"image_0": coffee})
    assert "images shows no face" in of(images={"image_0": coffee[:, :400, :400]}, align=False)
    assert "tensors must be one of cross_all, visual_only" in of(tensors="all")
    assert "steps (0)" in of(steps=0)
    assert "word_learning_rate (-1.0) not below" in of(word_learning_rate=-1.0)
    assert "save_as '../x' leads out of" in of(save_as="../x")
    tokens = pack.node("LikenessEncodePVA").execute(pva=room.pva, images=room.images)[0]
    with_person = pack.node("LikenessApplyPVA").execute(model=room.model, pva=room.pva, pva_tokens=tokens)[0]
    assert of(model=with_person).startswith("model already carries a person or an expression")
    made = room.model.clone()
    made.cached_patcher_init = None
    assert of(model=made).startswith("model can't be loaded a second time")


def test_a_picture_without_a_face_gets_the_box_of_another(room: Any, photos: Any, caplog: Any) -> None:
    portrait = room.library.faces.references({"image_0": room.images["image_0"]}, True).movedim(1, -1)
    coffee = torch.from_numpy(photos["coffee"].copy())[None, :400, :400].float() / 255
    coffee = F.interpolate(coffee.movedim(-1, 1), (512, 512)).movedim(1, -1)
    boxes = room.library.material.face_holes(torch.cat([coffee, portrait]))
    assert torch.equal(boxes[0], boxes[1]) and 0.05 < float(boxes[0].mean()) < 0.5
    assert "no face in picture 0 (counted from 0); the box of another" in caplog.text


def test_a_short_schedule_and_a_kernel_without_a_gradient(host: Any, room: Any) -> None:
    """The schedule is told; the kernel is not used, as it would cut gradients off without a word."""
    from comfy_extras.nodes_model_advanced import ModelSamplingDiscrete

    lcm = ModelSamplingDiscrete().patch(room.model, "lcm", False)[0]
    without = room.model.clone()
    options = without.model_options["transformer_options"]
    options["optimized_attention_override"] = lambda f, *a, **k: f(*a, **k).detach()
    plan, material = room.library.tune.Plan(steps=1), room.material
    with room.library.training.learning():
        text = said(
            room.library.tune.learn, student=student(room, model=lcm), material=material.apart(), plan=plan
        )
        pupils = [student(room, model=without), student(room)]
        for pupil in pupils:
            room.library.tune.learn(pupil, material.apart(), plan)
    assert text.startswith("model has a schedule of 50 steps instead of 1000")
    assert same(*(pupil.person("test") for pupil in pupils))


def test_a_loss_that_is_no_number_ends_it(room: Any) -> None:
    whole = room.material
    broken = type(whole)(whole.clean * float("nan"), whole.inpainting, whole.vectors)
    with room.library.training.learning():
        pupil = student(room)
        text = said(
            room.library.tune.learn,
            student=pupil,
            material=broken.apart(),
            plan=room.library.tune.Plan(steps=1),
        )
    assert text.startswith("The loss of step 1 is nan: lower learning_rate")
