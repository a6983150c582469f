"""Bad input to the Arc2Face and expression nodes ends in a sentence."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from support.fill import fill
from support.golden import Golden

GOLDEN = Golden("arc2face")
WIDTH = GOLDEN.meta["unet_config"]["context_dim"]


def said(action: Any, **inputs: Any) -> str:
    with pytest.raises((ValueError, FileNotFoundError)) as error:
        action(**inputs)
    return str(error.value)


@pytest.fixture(scope="module")
def values(pack: Any) -> Any:
    return pack.module("likeness.values")


def write(base: Path, folder: str, name: str, content: dict[str, Any]) -> str:
    path = base / "models" / folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(content, path)
    return name


# Loading


def load(pack: Any, unet: str, encoder: str) -> str:
    return said(pack.node("LikenessLoadArc2Face").execute, unet_file=unet, encoder_file=encoder)


def test_missing_files(pack: Any, base: Path) -> None:
    text = load(pack, "arc2face/nowhere.safetensors", "arc2face/pytorch_model.bin")
    assert text.startswith("arc2face/nowhere.safetensors is not in models/diffusion_models")
    assert "diffusion_pytorch_model.safetensors is missing" in text and "--models arc2face" in text
    for folder in pack.module("likeness.host.files").model_folders("diffusion_models"):
        assert folder in text


def diffusers_unet(pack: Any) -> dict[str, torch.Tensor]:
    return {name: torch.zeros(1, 1) for name in pack.module("likeness.host.loading").diffusers_names()}


def test_an_incomplete_u_net(pack: Any, base: Path) -> None:
    content = diffusers_unet(pack)
    for name in ("conv_out.bias", "mid_block.resnets.0.conv1.weight"):
        del content[name]
    unet = write(base, "diffusion_models", "cut_unet.safetensors", content)
    encoder = write(base, "text_encoders", "any.safetensors", {"x": torch.zeros(1)})
    text = load(pack, unet, encoder)
    assert text.startswith(
        "unet_file cut_unet.safetensors is incomplete: 2 tensors are missing (conv_out.bias"
    )


def test_another_file_as_u_net(pack: Any, base: Path) -> None:
    encoder = write(base, "text_encoders", "any.safetensors", {"x": torch.zeros(1)})
    unet = write(base, "diffusion_models", "lora.safetensors", {"lora_unet_x.lora_up.weight": torch.zeros(1)})
    assert "is not Arc2Face's U-Net but a LoRA" in load(pack, unet, encoder)


def test_another_file_as_encoder(pack: Any, base: Path) -> None:
    unet = write(base, "diffusion_models", "whole.safetensors", diffusers_unet(pack))
    encoder = write(base, "text_encoders", "any.safetensors", {"x": torch.zeros(1)})
    assert "encoder_file any.safetensors is not Arc2Face's text encoder but something else" in load(
        pack, unet, encoder
    )


def test_an_incomplete_encoder(pack: Any, base: Path) -> None:
    unet = write(base, "diffusion_models", "whole.safetensors", diffusers_unet(pack))
    content = {"text_model.embeddings.token_embedding.weight": torch.zeros(2, 64)}
    content["text_model.encoder.layers.0.mlp.fc1.weight"] = torch.zeros(2, 64)
    encoder = write(base, "text_encoders", "cut.safetensors", content)
    text = load(pack, unet, encoder)
    assert "encoder_file cut.safetensors is incomplete: 18 tensors are missing" in text


# Encoding


def test_an_identity_of_another_recogniser(pack: Any, values: Any) -> None:
    identity = values.Identity(torch.ones(1, 512), "glintr100")
    text = said(pack.node("LikenessEncodeArc2Face").execute, clip=None, identity=identity)
    assert text.startswith("identity was made with glintr100") and "only arc2face" in text


def test_another_text_encoder(pack: Any, host: Any, values: Any) -> None:
    identity = values.Identity(torch.ones(1, 512), "arc2face")
    execute = pack.node("LikenessEncodeArc2Face").execute
    sdxl = host.CheckpointLoaderSimple().load_checkpoint("tiny_sdxl.safetensors")[1]
    assert said(execute, clip=sdxl, identity=identity).startswith("clip is another text encoder")
    sd15 = host.CheckpointLoaderSimple().load_checkpoint("tiny_sd15.safetensors")[1]
    assert "too narrow for a vector of 512" in said(execute, clip=sd15, identity=identity)


# Expression


@pytest.fixture(scope="module")
def room(pack: Any, values: Any) -> SimpleNamespace:
    model = GOLDEN.model("SD15")
    sites = pack.module("likeness.attention.sites").attention_sites(model.model.diffusion_model)
    image_proj = {"proj.weight": fill("p", (4 * WIDTH, 55)), "proj.bias": fill("b", (4 * WIDTH,))}
    image_proj |= {"norm.weight": fill("n.weight", (WIDTH,)), "norm.bias": fill("n", (WIDTH,))}
    layers = {
        f"{2 * n + 1}.to_{kind}_ip.weight": fill(f"{n}{kind}", (site.hidden, WIDTH))
        for n, site in enumerate(sites)
        for kind in "kv"
    }
    content = {"image_proj": image_proj, "ip_adapter": layers}
    parse = pack.module("likeness.methods.arc2face.expression").parse
    expression = values.Expression(torch.ones(1, 55) * 0.1)
    execute = pack.node("LikenessApplyExpression").execute

    def apply(**inputs: Any) -> Any:
        given = {"model": model, "expression_adapter": parse(content, "tiny"), "expression": expression}
        return execute(**{**given, **inputs})[0]

    return SimpleNamespace(model=model, content=content, parse=parse, apply=apply)


def test_an_ip_adapter_for_something_else(room: Any) -> None:
    wide = {**room.content["image_proj"], "proj.weight": torch.zeros(4 * WIDTH, 768)}
    text = said(room.parse, content={**room.content, "image_proj": wide}, name="x.bin")
    assert text.startswith("file x.bin takes 768 numbers, an expression has 55")


def test_a_face_id_adapter(room: Any) -> None:
    content = {**room.content, "image_proj": {"perceiver_resampler.proj_in.weight": torch.zeros(1)}}
    assert "FaceID Plus" in said(room.parse, content=content, name="x.bin")


def test_a_file_that_is_no_adapter(room: Any) -> None:
    text = said(room.parse, content={"model.diffusion_model.x": torch.zeros(1)}, name="x.bin")
    assert "is not an expression adapter but a whole checkpoint" in text


def test_an_sdxl_model(room: Any, host: Any) -> None:
    model = host.CheckpointLoaderSimple().load_checkpoint("tiny_sdxl.safetensors")[0]
    text = said(room.apply, model=model)
    assert text.startswith("model is TinySDXL") and "needs an SD1.5 model (Arc2Face)" in text


def test_a_window_backwards_and_a_bad_mask(room: Any) -> None:
    assert said(room.apply, start=0.9, end=0.1).startswith("start (0.9) is after end (0.1)")
    assert said(room.apply, mask=torch.full((1, 8, 8), torch.nan)) == "mask holds NaN or infinity."


def test_a_missing_adapter(pack: Any) -> None:
    text = said(pack.node("LikenessLoadExpressionAdapter").execute, file="exp_adapter.bin")
    assert text.startswith("exp_adapter.bin is missing") and "--models arc2face-expression" in text


# Reference


def reference(pack: Any, **inputs: Any) -> Any:
    given = {"model": GOLDEN.model("SD15"), "vae": SimpleNamespace(encode=lambda image: GOLDEN["in.x"])}
    given |= {"image": torch.zeros(1, 128, 192, 3), "positive": [[GOLDEN["in.positive"], {}]]}
    return pack.node("LikenessApplyReference").execute(**{**given, **inputs})[0]


def test_a_bad_reference_picture(pack: Any) -> None:
    assert (
        said(lambda: reference(pack, image=torch.full((1, 8, 8, 3), torch.nan)))
        == "image holds NaN or infinity."
    )
    assert "must be an IMAGE" in said(lambda: reference(pack, image=torch.zeros(8, 8, 3)))


def test_a_missing_lora(pack: Any) -> None:
    text = said(lambda: reference(pack, lora="nowhere.safetensors"))
    assert text.startswith("nowhere.safetensors is not in models/loras (there: ")
    assert "python install.py --models arc2face-reference" in text


def test_a_lora_of_another_model(pack: Any, base: Path) -> None:
    content = {
        "unet.nowhere.to_q.lora_A.weight": torch.zeros(2, 4),
        "unet.nowhere.to_q.lora_B.weight": torch.zeros(4, 2),
    }
    name = write(base, "loras", "other.safetensors", content)
    text = said(lambda: reference(pack, lora=name))
    assert "2 of 2 tensors fit no layer of model (lora_unet_nowhere_to_q.lora_down.weight" in text


@pytest.mark.parametrize(
    ("inputs", "part"),
    [
        ({"positive": []}, "positive is empty"),
        (
            {"positive": [[torch.zeros(1, 77, 2048), {}]]},
            "positive has tokens of width 2048, but model takes 64",
        ),
        ({"image": torch.zeros(1, 7, 7, 3)}, "of 8 pixels or more"),
        (
            {"vae": SimpleNamespace(encode=lambda image: torch.zeros(1, 16, 8, 8))},
            "vae makes latents of shape",
        ),
    ],
)
def test_what_the_writer_pass_could_not_take(pack: Any, inputs: dict[str, Any], part: str) -> None:
    assert part in said(lambda: reference(pack, **inputs))


def test_models_the_reference_was_not_made_for(pack: Any, host: Any) -> None:
    sdxl = host.CheckpointLoaderSimple().load_checkpoint("tiny_sdxl.safetensors")[0]
    for model in (sdxl, GOLDEN.model("SD15", in_channels=9)):
        assert "takes more than a latent and a prompt" in said(
            lambda model=model: reference(pack, model=model)
        )


def test_a_u_net_and_an_encoder_that_do_not_belong_together(pack: Any, base: Path) -> None:
    content = diffusers_unet(pack)
    for name in content:
        if name.endswith("attn2.to_k.weight"):
            content[name] = torch.zeros(1, 1024)
    unet = write(base, "diffusion_models", "sd2.safetensors", content)
    files = pack.module("likeness.methods.arc2face.files")
    encoder = {name: torch.zeros(1, 768) for name in files._WHOLE}
    encoder |= {f"text_model.encoder.layers.0.{part}": torch.zeros(1, 768) for part in files._LAYER_PARTS}
    text = load(pack, unet, write(base, "text_encoders", "clip_l.safetensors", encoder))
    assert "takes tokens of width 1024" in text and "makes 768: they do not belong together" in text


def test_a_u_net_in_the_host_s_layout_with_gaps(pack: Any, base: Path, host: Any) -> None:
    state = host.CheckpointLoaderSimple().load_checkpoint("tiny_sd15.safetensors")[0].model.diffusion_model
    content = {key: value.clone() for key, value in state.state_dict().items() if key != "out.2.bias"}
    unet = write(base, "diffusion_models", "gaps.safetensors", content)
    width = 64
    files = pack.module("likeness.methods.arc2face.files")
    encoder = {name: torch.zeros(1, width) for name in files._WHOLE}
    encoder |= {f"text_model.encoder.layers.0.{part}": torch.zeros(1, width) for part in files._LAYER_PARTS}
    text = load(pack, unet, write(base, "text_encoders", "narrow.safetensors", encoder))
    assert "gaps.safetensors is incomplete: 1 tensors are missing (out.2.bias)" in text


@pytest.mark.parametrize(
    "keys",
    [
        (
            "lora_unet_{u}_to_k.lora_down.weight",
            "lora_unet_{u}_to_k.lora_up.weight",
            "lora_unet_{u}_to_k.alpha",
        ),
        ("unet.{d}.to_k.lora_A.weight", "unet.{d}.to_k.lora_B.weight", "unet.{d}.to_k.alpha"),
        ("unet.{d}.processor.to_out_lora.down.weight", "unet.{d}.processor.to_out_lora.up.weight"),
        (
            "unet.{d}.to_out.0.lora.down.weight",
            "unet.{d}.to_out.0.lora.up.weight",
            "lora_te_x.lora_up.weight",
        ),
    ],
    ids=["kohya", "PEFT", "older diffusers", "diffusers with a text encoder"],
)
def test_lora_layouts_with_everything_they_come_with(pack: Any, base: Path, keys: tuple[str, ...]) -> None:
    module = "down_blocks.0.attentions.0.transformer_blocks.0.attn1"
    names = [key.format(d=module, u=module.replace(".", "_")) for key in keys]
    content = {names[0]: torch.ones(2, 32), names[1]: torch.ones(32, 2)}
    content |= {name: torch.tensor(2.0) for name in names[2:]}
    name = write(base, "loras", "layout.safetensors", content)
    assert len(reference(pack, lora=name).patches) == 1


#: The styles in which a LoRA of a U-Net is found: the names of the halves of one layer. {d}: diffusers' name.
STYLES = {
    "diffusers with PEFT": ("unet.{d}.lora_A.weight", "unet.{d}.lora_B.weight"),
    "diffusers before PEFT": ("unet.{d}.lora.down.weight", "unet.{d}.lora.up.weight"),
    "processors": ("unet.{p}_lora.down.weight", "unet.{p}_lora.up.weight"),
    "processors alone": ("{p}_lora.down.weight", "{p}_lora.up.weight"),
    "kohya": ("lora_unet_{u}.lora_down.weight", "lora_unet_{u}.lora_up.weight"),
    "the U-Net alone": ("{d}.lora_A.weight", "{d}.lora_B.weight"),
    "the U-Net alone before PEFT": ("{d}.lora.down.weight", "{d}.lora.up.weight"),
    "a wrapped U-Net": ("base_model.model.{d}.lora_A.weight", "base_model.model.{d}.lora_B.weight"),
    "a wrapped U-Net before PEFT": (
        "base_model.model.{d}.lora.down.weight",
        "base_model.model.{d}.lora.up.weight",
    ),
    "a wrapped U-Net with its name": (
        "unet.base_model.model.{d}.lora_A.weight",
        "unet.base_model.model.{d}.lora_B.weight",
    ),
    "a named adapter": ("{d}.lora_A.default.weight", "{d}.lora_B.default.weight"),
}


@pytest.mark.parametrize("half", [False, True], ids=["float32", "float16"])
@pytest.mark.parametrize("style", STYLES)
def test_every_style_of_lora_changes_every_attention_weight(
    pack: Any, room: SimpleNamespace, base: Path, style: str, half: bool
) -> None:
    """What the host makes of each weight is W + strength * up @ down, to the last layer."""
    import comfy.lora
    import comfy.utils

    model = room.model
    names = comfy.utils.unet_to_diffusers(model.model.model_config.unet_config)
    attention = {
        name.removesuffix(".weight"): f"diffusion_model.{ours}"
        for name, ours in names.items()
        if ".attn" in name and name.endswith(("to_q.weight", "to_k.weight", "to_v.weight", "to_out.0.weight"))
    }
    state = model.model.state_dict()
    weights = {key: state[key].float() for key in attention.values() if key in state}
    assert len(weights) == 128, "sixteen blocks of two layers with four weights"
    generator, content, wanted = torch.Generator().manual_seed(1), {}, {}
    for layer, key in attention.items():
        if key not in weights:
            continue
        out, into = weights[key].shape
        down, up = (torch.randn(shape, generator=generator) for shape in ((2, into), (out, 2)))
        down, up = (half_.half() if half else half_ for half_ in (down, up))
        block, part = layer.rsplit(".to_", 1)
        processor = f"{block}.processor.to_{part.removesuffix('.0')}"
        form = {"d": layer, "u": layer.replace(".", "_"), "p": processor}
        content |= {name.format(**form): value for name, value in zip(STYLES[style], (down, up), strict=True)}
        wanted[key] = weights[key] + 0.5 * (up.float() @ down.float())
    file = write(base, "loras", "style.safetensors", content)
    patched = reference(pack, model=model, lora=file, lora_strength=0.5)
    assert set(patched.patches) == set(wanted)
    for key, expected in wanted.items():
        found = comfy.lora.calculate_weight(patched.patches[key], weights[key].clone(), key)
        assert torch.allclose(found, expected, atol=1e-5), key


@pytest.mark.parametrize(
    "strange",
    ["base_model.model.conv_in.lora_A.weight", "down_blocks.9.x.lora_A.weight", "text_model.x.lora_A.weight"],
)
def test_a_lora_with_a_stranger_in_it_is_refused(pack: Any, base: Path, strange: str) -> None:
    layer = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_k"
    content = {f"{layer}.lora_A.weight": torch.ones(2, 32), f"{layer}.lora_B.weight": torch.ones(32, 2)}
    name = write(base, "loras", "strange.safetensors", {**content, strange: torch.ones(2, 32)})
    assert "1 of 3 tensors fit no layer of model" in said(lambda: reference(pack, lora=name))


def test_a_replaced_lora_is_noticed(pack: Any, base: Path) -> None:
    node = pack.node("LikenessApplyReference")
    name = write(base, "loras", "changing.safetensors", {"a": torch.zeros(1)})
    before = node.fingerprint_inputs(lora=name, weight=1.0)
    write(base, "loras", "changing.safetensors", {"a": torch.zeros(2)})
    assert node.fingerprint_inputs(lora=name, weight=1.0) != before
