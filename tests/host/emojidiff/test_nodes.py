"""The EmojiDiff nodes one by one: files there and back, FLAME, wrong files, templates. Spec C.8."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from support import emojidiff
from support.sampling import sample

TINY = "tiny_emojidiff_sd15.safetensors"


@pytest.fixture(autouse=True)
def as_the_executor_does() -> Any:
    with torch.inference_mode():
        yield


@pytest.fixture(scope="module")
def vision(host: Any) -> Any:
    return host.CLIPVisionLoader().load_clip("tiny_clip_vision.safetensors")[0]


@pytest.fixture(scope="module")
def model(host: Any) -> Any:
    return host.CheckpointLoaderSimple().load_checkpoint("tiny_sd15.safetensors")[0]


def load(pack: Any, file: str) -> Any:
    return pack.node("LikenessLoadEAdapter").execute(file=file)[0]


def apply(pack: Any, **inputs: Any) -> Any:
    return pack.node("LikenessApplyEAdapter").execute(**inputs)[0]


def run(model: Any, width: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    prompts = [[[torch.randn(1, 77, width, generator=generator), {}]] for _ in range(2)]
    return sample(model, *prompts, torch.randn(1, 4, 8, 8, generator=generator) * 14.6)


# Files


def test_a_file_of_ours_goes_there_and_back(pack: Any, base: Path) -> None:
    """C7: the writer's file is an IP-Adapter Plus file with facts, and loads as what was written."""
    files = pack.module("likeness.methods.emojidiff.files")
    image_proj, layers = emojidiff.resampler(), emojidiff.layers((13, 15, 31))
    path = base / "models" / "emojidiff" / "written.safetensors"
    files.write(path, image_proj, layers, "sd15")
    written = load_file(path)
    assert set(written) == set(emojidiff.flat(image_proj, layers))
    assert all(torch.equal(written[f"image_proj.{key}"], value) for key, value in image_proj.items())
    with safe_open(path, "pt") as file:
        assert file.metadata() == {
            "format": "emojidiff-style/1",
            "base": "sd15",
            "clip": "CLIP-ViT-H-14-laion2B-s32B-b79K",
            "template": "aligned-masked-v1",
            "layers": "13,15,31",
        }
    adapter = load(pack, path.name)
    assert adapter is load(pack, path.name)  # once per process
    assert [adapter.layers.number(n) for n in range(3)] == [13, 15, 31]
    with pytest.raises(ValueError, match="base must be one of sd15, sdxl"):
        files.write(path, image_proj, layers, "sd3")
    with pytest.raises(ValueError, match="proj_in"):
        files.write(path, {k: v for k, v in image_proj.items() if "proj_in" not in k}, layers, "sd15")
    assert set(load_file(path)) == set(written)  # a refused write leaves the old file


def test_files_of_the_common_pack_s_folder_load(pack: Any, base: Path) -> None:
    """C7: a nested .bin, read with weights only; and it equals the flat one."""
    folder = base / "models" / "ipadapter"
    nested = {"image_proj": emojidiff.resampler(), "ip_adapter": emojidiff.layers(emojidiff.numbers())}
    torch.save(nested, folder / "ip-adapter-plus_tiny.bin")
    save_file(emojidiff.flat(*nested.values()), folder / "ip-adapter-plus_tiny.safetensors")
    one, other = (load(pack, f"ip-adapter-plus_tiny.{ending}") for ending in ("bin", "safetensors"))
    for mine, theirs in zip(one.layers.pairs, other.layers.pairs, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(mine, theirs, strict=True))
    listed = pack.module("likeness.choices.emojidiff").list_files()
    assert {TINY, "ip-adapter-plus_tiny.bin", "tiny_expression.safetensors"} <= set(listed)


def test_a_missing_file_names_both_folders(pack: Any) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.bin is not there.*") as told:
        load(pack, "nowhere.bin")
    for part in ("emojidiff", "ipadapter", "published neither weights nor code", "put there by hand"):
        assert part in str(told.value)


def test_a_pickle_that_runs_code_is_not_opened(pack: Any, base: Path) -> None:
    torch.save({"image_proj": Path("x")}, base / "models" / "emojidiff" / "evil.bin")
    with pytest.raises(ValueError, match="holds more than tensors and was not opened"):
        load(pack, "evil.bin")


# Models


def test_another_base_is_refused(pack: Any, host: Any, model: Any, vision: Any) -> None:
    sdxl = host.CheckpointLoaderSimple().load_checkpoint("tiny_sdxl.safetensors")[0]
    for file, wrong, widths in (
        (TINY, sdxl, "width 128, but tiny_emojidiff_sd15.safetensors was made for 64"),
        ("tiny_emojidiff_sdxl.safetensors", model, "width 64, but .*_sdxl.safetensors was made for 128"),
    ):
        adapter = load(pack, file)
        tokens = pack.node("LikenessEncodeExpression").execute(
            eadapter=adapter, clip_vision=vision, template=torch.rand(1, 224, 224, 3)
        )[0]
        with pytest.raises(ValueError, match=widths):
            apply(pack, model=wrong, eadapter=adapter, expression_tokens=tokens)


def test_another_clip_vision_is_refused(pack: Any, vision: Any) -> None:
    wide = pack.module("likeness.methods.emojidiff.adapter").parse(
        emojidiff.flat(emojidiff.resampler(vision=1280), emojidiff.layers(emojidiff.numbers())), {}, "wide"
    )
    with pytest.raises(ValueError, match=r"gives features of width 48.*wide takes 1280. Load CLIP-ViT-H"):
        pack.node("LikenessEncodeExpression").execute(
            eadapter=wide, clip_vision=vision, template=torch.rand(1, 224, 224, 3)
        )


def test_tokens_of_another_adapter_are_refused(pack: Any, model: Any) -> None:
    adapter = load(pack, TINY)
    adapters, nothing = pack.module("likeness.adapters"), torch.zeros(1, 16, 64)
    other = adapters.Tokens(nothing, nothing, adapters.MadeWith("another.bin"))
    with pytest.raises(ValueError, match=r"made with another\.bin, but eadapter is tiny_emojidiff_sd15"):
        apply(pack, model=model, eadapter=adapter, expression_tokens=other)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"layers": "down"}, "layers must be one of"),
        ({"layers": "custom", "layer_list": "3-1"}, "layer_list: '3-1' is not understood"),
        ({"layers": "custom", "layer_list": "9" * 5000}, "layer_list: '9+' is not understood"),
        ({"layers": "custom", "layer_list": "x"}, "layer_list: 'x' is not understood"),
        ({"negative": "both"}, "negative must be one of"),
        ({"start": 0.6, "end": 0.4}, r"start \(0.6\) is after end \(0.4\)"),
        ({"mask": torch.full((1, 8, 8), float("nan"))}, "mask holds NaN"),
    ],
)
def test_bad_settings_are_told(pack: Any, model: Any, inputs: dict[str, Any], message: str) -> None:
    adapter = load(pack, TINY)
    tokens = pack.module("likeness.adapters").Tokens(
        torch.zeros(1, 16, 64), torch.zeros(1, 16, 64), adapter.made
    )
    with pytest.raises(ValueError, match=message):
        apply(pack, model=model, eadapter=adapter, expression_tokens=tokens, **inputs)


# C12: Arc2Face's expression adapter


def test_arc2face_s_file_works_through_both_loaders_alike(pack: Any, base: Path) -> None:
    arc2face = pack.module("likeness.host.loading").load_diffusion_model(
        str(base / "models" / "diffusion_models" / "tiny_arc2face.safetensors")
    )
    file = "tiny_expression.safetensors"
    expression = pack.module("likeness.values").Expression(torch.randn(1, 55) * 3)
    adapter = load(pack, file)
    assert adapter.takes == "flame_vector"
    tokens = pack.node("LikenessEncodeExpression").execute(eadapter=adapter, expression=expression)[0]
    ours = apply(pack, model=arc2face, eadapter=adapter, expression_tokens=tokens)
    flame = pack.node("LikenessLoadExpressionAdapter").execute(file=file)[0]
    theirs = pack.node("LikenessApplyExpression").execute(
        model=arc2face, expression_adapter=flame, expression=expression
    )[0]
    assert torch.equal(run(ours, 512), run(theirs, 512))
    assert not torch.equal(run(ours, 512), run(arc2face, 512))


def test_pictures_for_the_flame_loader_are_sent_to_this_one(pack: Any, base: Path) -> None:
    save_file(
        emojidiff.flat(emojidiff.resampler(), emojidiff.layers(emojidiff.numbers())),
        base / "models" / "ipadapter" / "pictures.safetensors",
    )
    with pytest.raises(ValueError, match="Load E-Adapter"):
        pack.node("LikenessLoadExpressionAdapter").execute(file="pictures.safetensors")


# Encoding


def test_encoding(pack: Any, vision: Any) -> None:
    """N pictures make N expressions, each as alone; the null is the black picture; inputs stay."""
    adapter, encode = load(pack, TINY), pack.node("LikenessEncodeExpression").execute
    pictures = torch.rand(3, 224, 224, 3, generator=torch.Generator().manual_seed(1))
    pictures[2] = 0
    before = pictures.clone()
    found = encode(eadapter=adapter, clip_vision=vision, template=pictures)[0]
    assert torch.equal(pictures, before) and found.somebody.shape == (3, 16, 64)
    alone = encode(eadapter=adapter, clip_vision=vision, template=pictures[1:2])[0]
    assert torch.allclose(found.somebody[1:2], alone.somebody, atol=1e-4)
    assert torch.allclose(found.somebody[2:], found.nobody, atol=1e-4)
    assert float((found.somebody[0] - found.somebody[1]).abs().max()) > 1e-3
    with_alpha = torch.cat([pictures[:1], torch.rand(1, 224, 224, 1)], dim=-1)
    opaque = encode(eadapter=adapter, clip_vision=vision, template=with_alpha)[0]
    assert torch.allclose(opaque.somebody, found.somebody[:1], atol=1e-4)
    with pytest.raises(ValueError, match="template holds NaN"):
        encode(eadapter=adapter, clip_vision=vision, template=pictures * float("nan"))
    with pytest.raises(ValueError, match="template holds no pictures"):
        encode(eadapter=adapter, clip_vision=vision, template=pictures[:0])


# Templates


def test_the_template_node(pack: Any, photos: dict[str, np.ndarray]) -> None:
    image = torch.from_numpy(photos["astronaut"])[None].float() / 255
    node = pack.node("LikenessExpressionTemplate").execute
    template, preview, ok = node(image=image).args
    assert template.shape == (1, 224, 224, 3) and preview.shape == image.shape and ok is True
    assert not template[0, :20].any() and template[0, 112, 112].all()
    small, _, _ = node(image=image, box_x=170, box_y=50, box_width=110, box_height=130, size=64).args
    assert small.shape == (1, 64, 64, 3)
    cat = torch.from_numpy(photos["chelsea"])[None].float() / 255
    with pytest.raises(ValueError, match=r"No face in picture 0.*box_width"):
        node(image=cat)
    blocked, _, ok = node(image=cat, if_no_face="skip").args
    assert type(blocked).__name__ == "ExecutionBlocker" and "skipped" in blocked.message and ok is False
