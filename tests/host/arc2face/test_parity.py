"""Arc2Face, its expression and its reference adapter through our nodes, against the authors' outputs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from support.fill import fill, fill_state
from support.golden import DATA, Golden, relative_error
from support.sampling import denoise

GOLDEN = Golden("arc2face")
TOLERANCE = 1e-5
SITES = 16

pytestmark = pytest.mark.usefixtures("as_the_executor_does")


def encoder_file(path: Path, meta: dict[str, Any]) -> None:
    """A text encoder in HF's layout with the golden weights."""
    hidden, wide = meta["hidden_size"], meta["intermediate"]
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.token_embedding.weight": (49408, hidden),
        "embeddings.position_embedding.weight": (77, hidden),
        "final_layer_norm.weight": (hidden,),
        "final_layer_norm.bias": (hidden,),
    }
    for n in range(meta["layers"]):
        layer = f"encoder.layers.{n}"
        for part in ("q", "k", "v", "out"):
            shapes[f"{layer}.self_attn.{part}_proj.weight"] = (hidden, hidden)
            shapes[f"{layer}.self_attn.{part}_proj.bias"] = (hidden,)
        for part, rows, columns in (("fc1", wide, hidden), ("fc2", hidden, wide)):
            shapes[f"{layer}.mlp.{part}.weight"] = (rows, columns)
            shapes[f"{layer}.mlp.{part}.bias"] = (rows,)
        for part in ("layer_norm1", "layer_norm2"):
            shapes |= {f"{layer}.{part}.weight": (hidden,), f"{layer}.{part}.bias": (hidden,)}
    names = {f"text_model.{key}": shape for key, shape in shapes.items()}
    save_file({key: fill(f"text_encoder.{key}", shape) for key, shape in names.items()}, path)


@pytest.fixture(scope="module")
def clip(pack: Any, base: Path) -> Any:
    """The encoder loaded as Load Arc2Face loads it."""
    path = base / "models" / "text_encoders" / "golden_encoder.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    encoder_file(path, GOLDEN.meta["text_encoder"])
    files = pack.module("likeness.methods.arc2face.files")
    config, dtype = files.check_encoder(files.read_weights(str(path))[0], path.name)
    return pack.module("likeness.host.loading").load_text_encoder(str(path), config, dtype)


@pytest.fixture(scope="module")
def model() -> Any:
    return GOLDEN.model("SD15")


@pytest.fixture(scope="module")
def adapter(pack: Any, base: Path, model: Any) -> Any:
    sites = pack.module("likeness.attention.sites").attention_sites(model.model.diffusion_model)
    assert len(sites) == SITES
    width = GOLDEN.meta["unet_config"]["context_dim"]
    tokens = GOLDEN["out.expression_tokens_cond"].shape[1]
    shapes = {"proj.weight": (tokens * width, 55), "proj.bias": (tokens * width,)}
    shapes |= {"norm.weight": (width,), "norm.bias": (width,)}
    content = {"image_proj": {k: fill(f"expression.image_proj.{k}", s) for k, s in shapes.items()}}
    layers = {}
    for place, site in enumerate(sites):
        for kind in "kv":
            name = f"{2 * place + 1}.to_{kind}_ip.weight"
            layers[name] = fill(f"expression.ip_adapter.{name}", (site.hidden, width))
    path = base / "models" / "ipadapter" / "golden_expression.bin"
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({**content, "ip_adapter": layers}, path)
    return pack.node("LikenessLoadExpressionAdapter").execute(file=path.name)[0]


@pytest.fixture(scope="module")
def expression(pack: Any) -> Any:
    return pack.module("likeness.values").Expression(GOLDEN["in.expression"])


def conditioning(side: str) -> list[Any]:
    return [[GOLDEN[f"in.{side}"], {}]]


class LatentAsImage:
    """A VAE whose encoding of any picture is the golden latent, before the model's scale."""

    def __init__(self, model: Any) -> None:
        self.latent = model.model.latent_format.process_out(GOLDEN["in.reference_latent"])

    def encode(self, image: torch.Tensor) -> torch.Tensor:
        return self.latent


def with_reference(pack: Any, model: Any, **inputs: Any) -> Any:
    return pack.node("LikenessApplyReference").execute(
        model=model,
        vae=LatentAsImage(model),
        image=torch.zeros(1, 128, 192, 3),
        positive=conditioning("positive"),
        **inputs,
    )[0]


def test_an_identity_becomes_the_authors_prompt(pack: Any, clip: Any) -> None:
    # Raw vectors of any length: the node brings them to unit length.
    vectors = GOLDEN["in.face_unit"] * torch.tensor([[20.0], [1.0], [7.5]])
    identity = pack.module("likeness.values").Identity(vectors, "arc2face")
    positive, negative = pack.node("LikenessEncodeArc2Face").execute(clip=clip, identity=identity)
    assert relative_error(positive[0][0], GOLDEN["out.prompt_embeds"]) <= TOLERANCE
    assert relative_error(negative[0][0], GOLDEN["out.uncond_embeds"]) <= TOLERANCE


def test_clip_skip_has_no_say(pack: Any, clip: Any) -> None:
    skipping = clip.clone()
    skipping.clip_layer(-2)
    identity = pack.module("likeness.values").Identity(GOLDEN["in.face_unit"], "arc2face")
    node = pack.node("LikenessEncodeArc2Face")
    with_skip, without = (node.execute(clip=c, identity=identity) for c in (skipping, clip))
    assert torch.equal(with_skip[0][0][0], without[0][0][0])
    assert torch.equal(with_skip[1][0][0], without[1][0][0])
    assert skipping.layer_idx == -2


def test_a_textual_inversion_among_the_words_is_what_its_rows_say(pack: Any, clip: Any, base: Path) -> None:
    words = clip.tokenize("smiling woman")["l"][0][1:3]
    table = clip.cond_stage_model.clip_l.transformer.get_input_embeddings().weight
    path = base / "models" / "embeddings" / "golden_words.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({"emb_params": torch.stack([table[number].float() for number, _ in words])}, path)
    identity = pack.module("likeness.values").Identity(GOLDEN["in.face_unit"], "arc2face")
    encode = pack.module("likeness.methods.arc2face").encode
    wanted, found = (
        encode(clip, identity, extra=text)[0][0][0] for text in ("smiling woman", "embedding:golden_words")
    )
    assert relative_error(found, wanted) <= TOLERANCE


def test_expression_tokens(pack: Any, adapter: Any, expression: Any) -> None:
    tokens = pack.module("likeness.methods.arc2face.expression").expression_tokens(adapter, expression)
    (negative,), (positive,) = tokens.nobody, tokens.somebody
    assert relative_error(positive, GOLDEN["out.expression_tokens_cond"][0]) <= TOLERANCE
    assert relative_error(negative, GOLDEN["out.expression_tokens_uncond"][0]) <= TOLERANCE


@pytest.mark.parametrize("expression_first", [True, False])
@pytest.mark.parametrize("case", GOLDEN.meta["cases"], ids=lambda case: case["name"])
def test_noise_prediction(
    pack: Any, model: Any, adapter: Any, expression: Any, case: dict[str, Any], expression_first: bool
) -> None:
    def with_expression(model: Any) -> Any:
        return pack.node("LikenessApplyExpression").execute(
            model=model, expression_adapter=adapter, expression=expression, weight=case["expression_weight"]
        )[0]

    steps = [with_expression, *([lambda m: with_reference(pack, m)] if case["reference"] else [])]
    patched = model
    for step in steps if expression_first else reversed(steps):
        patched = step(patched)
    sigma = case["sigma"]
    x = GOLDEN["in.x"] * (1 + sigma**2) ** 0.5
    found = denoise(patched, conditioning("positive"), conditioning("negative"), x, sigma)
    for side, denoised in zip(("cond", "uncond"), found, strict=True):
        wanted = GOLDEN[f"out.{case['name']}.{side}"]
        assert relative_error((x - denoised) / sigma, wanted) <= TOLERANCE, side


def test_all_686_tensors_of_the_published_u_net_have_a_place(pack: Any) -> None:
    import comfy.ops
    import comfy.supported_models
    import comfy.utils
    from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel

    published = json.loads((DATA / "keys_unet_sd15.json").read_text())
    assert set(published) == pack.module("likeness.host.loading").diffusers_names() and len(published) == 686
    config = {**GOLDEN.meta["unet_config"], "model_channels": 320, "channel_mult": [1, 2, 4, 4]}
    config |= {"context_dim": 768, "num_heads": 8, "num_head_channels": -1}
    network = UNetModel(
        **config, dtype=torch.float16, device="meta", operations=comfy.ops.disable_weight_init
    )
    shapes = {key: list(value.shape) for key, value in network.state_dict().items()}
    places = comfy.utils.unet_to_diffusers(config)
    assert {name: shapes[places[name]] for name in published} == published


def test_the_golden_model_is_filled(model: Any) -> None:
    state = model.model.diffusion_model.state_dict()
    wanted = fill_state(state, "unet.")
    assert all(torch.equal(state[key], wanted[key]) for key in state)
