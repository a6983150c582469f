"""The drawn world's Arc2Face and its adapters in our nodes: they make of a face what the trainers made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from support.sampling import denoise, sample

from proof.host_files import FILES
from proof.networks import arc2face, autoencoder, controlnet, layouts, reference
from proof.networks.expression_adapter import ExpressionAdapter
from proof.training.lessons.arc2face import FaceTrunk
from proof.training.stages import Tensors
from proof.world.draw import draw
from proof.world.scene import figure

Drawn = Callable[[str], Tensors]
UNET, ENCODER = "drawn_arc2face.safetensors", "drawn_arc2face_encoder.safetensors"
TIME = torch.tensor([500])


#: What begins as nothing would hide what adapters do.
_AS_NOTHING = ("proj_out.weight", "out.2.weight", "out_layers.3.weight")


def _louder(tensors: Tensors) -> Tensors:
    chance = torch.manual_seed(7)
    return {name: 0.1 * torch.randn(tensor.shape, generator=chance) for name, tensor in tensors.items()}


@pytest.fixture(scope="module")
def made(drawn: Drawn) -> Tensors:
    known = drawn("arc2face")
    return {**known, **_louder({name: known[name] for name in known if name.endswith(_AS_NOTHING)})}


@pytest.fixture(scope="module")
def loaded(pack: Any, base: Path, made: Tensors) -> tuple[Any, Any]:
    network, encoder = arc2face.files(made)
    for folder, name, tensors in (("diffusion_models", UNET, network), ("text_encoders", ENCODER, encoder)):
        (base / "models" / folder).mkdir(exist_ok=True)
        save_file(tensors, base / "models" / folder / name)
    model, clip = pack.node("LikenessLoadArc2Face").execute(unet_file=UNET, encoder_file=ENCODER).result
    return model, clip


def _identity(pack: Any, seed: int) -> Any:
    vector = 20 * torch.nn.functional.normalize(torch.randn(1, 512, generator=torch.manual_seed(seed)))
    return pack.module("likeness.values").Identity(vector, "arc2face")


def _trainers(made: Tensors) -> arc2face.Encoder:
    encoder = arc2face.Encoder(0)
    with torch.no_grad():
        for name, parameter in arc2face.kept(encoder).items():
            parameter.copy_(made[name])
    return encoder


def test_the_node_encodes_as_the_trainer_did(pack: Any, loaded: Any, made: Tensors) -> None:
    identity = _identity(pack, 1)
    shown = pack.node("LikenessEncodeArc2Face").execute(clip=loaded[1], identity=identity).result
    encoder = _trainers(made)
    with torch.no_grad():
        ours = encoder.faces(torch.cat([identity.embeddings, torch.zeros(1, 512)]))
    for prompt, wanted in zip(shown, ours, strict=True):
        # The host keeps text encoders in half precision.
        assert (prompt[0][0][0] - wanted).abs().max() < 0.02
    assert (ours[0] - ours[1]).std() > 0.1


def test_the_loaded_network_is_the_trained_one(loaded: Any, made: Tensors) -> None:
    own = layouts.unet("arc2face", 0)
    own.load_state_dict(arc2face.files(made)[0])
    chance = torch.manual_seed(2)
    noisy, context = torch.randn(1, 4, 16, 16, generator=chance), torch.randn(1, 77, 576, generator=chance)
    times = torch.tensor([500.0])
    with torch.no_grad():
        found = loaded[0].model.diffusion_model.float()(noisy, times, context)
        assert torch.allclose(found, own(noisy, times, context), atol=1e-4)


def test_another_face_makes_another_picture(pack: Any, loaded: Any) -> None:
    noise = torch.randn(1, 4, 16, 16, generator=torch.manual_seed(3))
    drawn = []
    for seed in (1, 2):
        encode = pack.node("LikenessEncodeArc2Face").execute
        positive, negative = encode(clip=loaded[1], identity=_identity(pack, seed)).result
        drawn.append(sample(loaded[0], positive, negative, noise, steps=2))
    assert torch.isfinite(drawn[0]).all()
    # A few steps teach little of faces, but more than rounding.
    assert (drawn[0] - drawn[1]).abs().max() > 1e-4 * drawn[0].abs().max()


def _noises(model: Any, positive: Any, negative: Any) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """(What the network is given at TIME, the noise found in it: with the prompt, with the negative one)."""
    sigma = float(model.get_model_object("model_sampling").sigma(TIME.float())[0])
    x = torch.randn(1, 4, 16, 16, generator=torch.manual_seed(4)) * (1 + sigma**2) ** 0.5
    with torch.inference_mode():
        sides = denoise(model, positive, negative, x, sigma)
    return x / (1 + sigma**2) ** 0.5, [(x - side) / sigma for side in sides]


def test_the_pose_is_what_the_trainers_control_makes(
    pack: Any, host: Any, base: Path, loaded: Any, made: Tensors
) -> None:
    trunk = FaceTrunk(made)
    net = controlnet.of_arc2face(trunk.network.state_dict())
    learnt = {name: p.detach() for name, p in net.named_parameters() if p.requires_grad}
    learnt |= _louder({name: t for name, t in learnt.items() if name.startswith(("zero_convs.", "middle_"))})
    net.load_state_dict({**net.state_dict(), **learnt})
    file = FILES["arc2face_pose"]
    save_file(file.make({"arc2face": made, "arc2face_pose": learnt}), base / "models" / file.path)

    identity = _identity(pack, 1)
    both = pack.node("LikenessEncodeArc2Face").execute(clip=loaded[1], identity=identity).result
    control = host.NODE_CLASS_MAPPINGS["ControlNetLoader"]().load_controlnet(Path(file.path).name)[0]
    points = np.array([[45, 60], [80, 61], [62, 80], [50, 95], [75, 96]], dtype=np.float32)
    hint = controlnet.hints([points], 128)
    posed = host.NODE_CLASS_MAPPINGS["ControlNetApplyAdvanced"]().apply_controlnet(
        *both, control, hint.movedim(1, -1), 1.0, 0.0, 1.0
    )
    noisy, found = _noises(loaded[0], *posed)
    for noise, vector in zip(found, (identity.embeddings, torch.zeros(1, 512)), strict=True):
        with torch.no_grad():
            context = trunk.faces(vector)
            without = trunk.network(noisy, TIME, context)
            wanted = trunk.network(noisy, TIME, context, control=net(noisy, hint, TIME, context))
        assert (noise - wanted).abs().max() < 5e-3 * wanted.abs().max()
        assert (wanted - without).abs().max() > 0.02 * wanted.abs().max()


def test_the_reference_is_seen_as_the_trainer_saw_it(
    pack: Any, base: Path, loaded: Any, made: Tensors, drawn: Drawn
) -> None:
    import comfy.sd

    plain, trunk = FaceTrunk(made), FaceTrunk(made)
    learnt = reference.with_lora(trunk.network, 6)
    with torch.no_grad():
        for n, parameter in enumerate(learnt.values()):
            parameter.normal_(0, 0.2, generator=torch.manual_seed(n))
    file = FILES["arc2face_reference"]
    save_file(
        file.make({"arc2face_reference": {n: p.detach() for n, p in learnt.items()}}),
        base / "models" / file.path,
    )
    identity = _identity(pack, 1)
    both = pack.node("LikenessEncodeArc2Face").execute(clip=loaded[1], identity=identity).result
    picture = torch.from_numpy(draw(figure(5), 128).picture)[None].float() / 255
    coder = drawn("autoencoder")
    model = pack.node("LikenessApplyReference").execute(
        model=loaded[0],
        vae=comfy.sd.VAE(sd=autoencoder.padded(coder, 0.18215)),
        image=picture,
        positive=both[0],
        lora=Path(file.path).name,
        weight=1.0,
    )[0]
    noisy, (positive, negative) = _noises(model, *both)
    with torch.no_grad():
        context, nobody = trunk.faces(identity.embeddings), trunk.faces(torch.zeros(1, 512))
        seen = reference.seen(plain.network, autoencoder.load(coder).encode(picture.movedim(3, 1)), context)
        options = reference.looking(trunk.network, seen)
        wanted = trunk.network(noisy, TIME, context, transformer_options=options)
        unseen = trunk.network(noisy, TIME, context)
        # The negative prompt looks at no reference, but has the LoRA.
        alone, bare = (network.network(noisy, TIME, nobody) for network in (trunk, plain))
    for noise, trained, without in ((positive, wanted, unseen), (negative, alone, bare)):
        assert (noise - trained).abs().max() < 5e-3 * trained.abs().max()
        assert (trained - without).abs().max() > 0.02 * trained.abs().max()


def test_an_expression_is_shown_as_the_trainer_showed_it(
    pack: Any, base: Path, loaded: Any, made: Tensors
) -> None:
    trunk = FaceTrunk(made)
    adapter = ExpressionAdapter(trunk.network, 5)
    with torch.no_grad():  # norms are not all ones, and values no longer zeros
        for n, parameter in enumerate(adapter.learnt().values()):
            parameter.add_(torch.randn(parameter.shape, generator=torch.manual_seed(n)), alpha=0.1)
    file = FILES["arc2face_expression"]
    (base / "models" / "ipadapter").mkdir(exist_ok=True)
    save_file(file.make({"arc2face_expression": adapter.learnt()}), base / "models" / file.path)
    shown = torch.rand(1, 55, generator=torch.manual_seed(6))
    model = pack.node("LikenessApplyExpression").execute(
        model=loaded[0],
        expression_adapter=pack.node("LikenessLoadExpressionAdapter").execute(file=Path(file.path).name)[0],
        expression=pack.module("likeness.values").Expression(shown),
    )[0]
    identity = _identity(pack, 1)
    both = pack.node("LikenessEncodeArc2Face").execute(clip=loaded[1], identity=identity).result
    noisy, found = _noises(model, *both)
    for noise, vector, said in zip(
        found, (identity.embeddings, torch.zeros(1, 512)), (shown, torch.zeros(1, 55)), strict=True
    ):
        with torch.no_grad():
            context = trunk.faces(vector)
            options = adapter.options(adapter.tokens(said))
            without = trunk.network(noisy, TIME, context)
            wanted = trunk.network(noisy, TIME, context, transformer_options=options)
        assert (noise - wanted).abs().max() < 5e-3 * wanted.abs().max()
        assert (wanted - without).abs().max() > 0.02 * wanted.abs().max()
