"""The drawn world's E-adapter, trained by our trainer, in our nodes: the same tokens and noise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.sampling import denoise

from likeness.faces.template import template
from likeness.values import Face
from proof.files import FILES, save, unpack
from proof.networks import as_diffusers, layouts, vision
from proof.training import stages
from proof.training.lessons.eadapter import numbers, renamed, trainer
from proof.training.stages import Rooms, Tensors
from proof.training.templates import edge_of, shown
from proof.world.draw import draw
from proof.world.scene import figure

STAGE = {"sd15": "eadapter", "sdxl": "emojidiff_sdxl"}
CAPTION = "a neutral person with short red hair, blue background"


def test_templates_are_those_of_the_node() -> None:
    for seed in range(5):
        one = figure(seed)
        drawing, edge = draw(one, 128), torch.from_numpy(edge_of(one))
        face = Face(
            torch.cat([edge.amin(0), edge.amax(0)]), torch.from_numpy(drawing.points[0]), landmarks=edge
        )
        wanted, _ = template(torch.from_numpy(drawing.picture).float() / 255, face)
        found = shown(one, np.random.default_rng(0), off=0.0)
        assert (found - wanted.movedim(-1, 0)).abs().mean() < 0.01


def test_a_vision_model_learns_through_what_the_host_runs(host: Any, drawn: Any) -> None:
    learnt = {name: tensor.clone() for name, tensor in drawn("vision").items()}
    for n, (name, tensor) in enumerate(sorted(learnt.items())):
        if name.endswith(("out_proj.weight", "fc2.weight")):  # a few steps hardly change what begins as zeros
            learnt[name] = 0.1 * torch.randn(tensor.shape, generator=torch.Generator().manual_seed(n))
    pictures = torch.stack([shown(figure(seed), np.random.default_rng(seed)) for seed in (1, 2)])
    by_hand, network = vision.network(), vision.network(learnt)
    own = vision.from_patches(network, vision.features(by_hand, pictures))
    assert (vision.features(network, pictures) - own).abs().max() < 1e-4 * own.abs().max()
    assert (own - vision.features(by_hand, pictures)).abs().max() > 0.1
    assert set(vision.layers(network)) == set(learnt)


@pytest.mark.parametrize("kind", ["sd15", "sdxl", "sd2_inpaint"])
def test_diffusers_answers_as_the_host_does(host: Any, kind: str) -> None:
    network = layouts.unet(kind, 3)
    with torch.no_grad():
        for n, parameter in enumerate(network.parameters()):
            if parameter.ndim == 1 or not parameter.any():  # norms and biases are not all alike
                parameter.add_(torch.randn(parameter.shape, generator=torch.manual_seed(n)), alpha=0.1)
    captions = ["a sad person with short red hair", ""]
    ids = as_diffusers.tokenizer()(
        captions, padding="max_length", max_length=77, return_tensors="pt"
    ).input_ids
    noisy = torch.randn(2, layouts.UNETS[kind]["in_channels"], 16, 16, generator=torch.manual_seed(4))
    times = torch.tensor([20, 700])
    told = layouts.told(kind, layouts.text_encoder(), captions, noisy)
    encoder, added = as_diffusers.Encoder(kind), None
    with torch.no_grad():
        if kind == "sdxl":
            seen = encoder(ids, output_hidden_states=True)
            context = torch.cat([seen.hidden_states[-2]] * 2, dim=-1)
            sizes = torch.tensor([[128.0, 128, 0, 0, 128, 128]] * 2)
            added = {"text_embeds": seen.text_embeds, "time_ids": sizes}
        else:
            context = encoder(ids)[0]
        assert torch.allclose(context, told["context"], atol=1e-5)
        made = as_diffusers.unet(kind, network.state_dict())
        found = made(noisy, times, context, added_cond_kwargs=added).sample
        assert torch.allclose(found, network(noisy, times, **told), atol=1e-4)


@pytest.mark.parametrize(
    ("stage", "kind"), [("eadapter", "sd15"), ("emojidiff_sdxl", "sdxl")], ids=["sd15", "sdxl"]
)
def test_the_node_finds_what_the_trainer_found(
    pack: Any,
    host: Any,
    base: Path,
    drawn: Callable[[str], Tensors],
    rooms: Rooms,
    stage: str,
    kind: str,
) -> None:
    models, person = base / "models", torch.zeros(1, 0)
    made = {stage: dict(drawn(stage))} | {need: dict(drawn(need)) for need in stages.stage(stage).needs}
    for part in made.keys() & {stage, "instantid"}:
        _speak(made[part])
    unpack(models, rooms, [f"checkpoints/drawn_{kind}", "clip_vision/drawn"])
    file = next(file for file in FILES if file.path.endswith(f"emojidiff_{kind}.safetensors"))
    save(file.make(made), models / file.path, file.metadata)
    adapter = pack.node("LikenessLoadEAdapter").execute(file=Path(file.path).name)[0]
    vision = host.NODE_CLASS_MAPPINGS["CLIPVisionLoader"]().load_clip("drawn_clip_vision.safetensors")[0]
    picture = shown(figure(7), np.random.default_rng(1))[None]
    tokens = pack.node("LikenessEncodeExpression").execute(
        eadapter=adapter, clip_vision=vision, template=picture.movedim(1, -1)
    )[0]
    lesson = trainer(0, made, kind)
    with torch.no_grad():
        for name, parameter in renamed(lesson.trained(), numbers(kind)).items():
            parameter.copy_(made[stage][name])
        own = lesson.resampler(lesson.features(picture))
    # The host keeps CLIP vision models in half precision.
    assert (tokens.somebody - own).abs().max() < 0.02

    import comfy.sd

    checkpoint = str(models / "checkpoints" / f"drawn_{kind}.safetensors")
    bare, clip, *_ = comfy.sd.load_checkpoint_guess_config(checkpoint)
    model = bare
    positive, negative = (clip.encode_from_tokens_scheduled(clip.tokenize(t)) for t in (CAPTION, ""))
    if "instantid" in made:
        person = 20 * torch.nn.functional.normalize(torch.randn(1, 512, generator=torch.manual_seed(3)))
        save(made["instantid"], models / "instantid" / "drawn_beside.safetensors", {})
        instantid = pack.node("LikenessLoadInstantID").execute(file="drawn_beside.safetensors")[0]
        identity = pack.module("likeness.values").Identity(person, "glintr100")
        given = {"model": model, "instantid": instantid, "identity": identity}
        model, positive, negative = pack.node("LikenessApplyInstantID").execute(
            **given, positive=positive, negative=negative, weight=1.0
        )
    patched = pack.node("LikenessApplyEAdapter").execute(
        model=model, eadapter=adapter, expression_tokens=tokens
    )[0]
    times = torch.tensor([500])
    sigma = float(bare.get_model_object("model_sampling").sigma(times.float())[0])
    x = torch.randn(1, 4, 16, 16, generator=torch.manual_seed(4)) * (1 + sigma**2) ** 0.5
    with torch.inference_mode():
        found, without = (denoise(one, positive, negative, x, sigma)[0] for one in (patched, model))
        nobody = denoise(bare, positive, negative, x, sigma)[0]
    with torch.no_grad():
        prepared = lesson.texts([CAPTION], 128, torch.device("cpu"))
        prepared["person"] = lesson.person(person, torch.tensor([False]))
        wanted = lesson.noise(x / (1 + sigma**2) ** 0.5, times, prepared, own)
    assert ((x - found) / sigma - wanted).abs().max() < 5e-3 * wanted.abs().max()
    assert (found - without).abs().max() > 1e-3 * sigma
    assert "instantid" not in made or (without - nobody).abs().max() > 1e-3 * sigma


def _speak(adapter: Tensors) -> None:
    """Values begin as zeros, and a few steps hardly change that."""
    for n, name in enumerate(sorted(adapter)):
        if name.endswith("to_v_ip.weight") and adapter[name].any():
            adapter[name] = 0.1 * torch.randn(adapter[name].shape, generator=torch.manual_seed(n))
