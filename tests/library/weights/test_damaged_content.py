"""Contents of weights files that fuzzing broke readers with: each is told, none takes memory first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from support import instantid_files, parser_files, pva_files, smirk_files

from likeness.adapters.layers import AdapterLayers
from likeness.adapters.projectors import IdentityTransformer, Resampler, build
from likeness.expressions.smirk import build_encoder
from likeness.faces.iresnet import build_iresnet
from likeness.faces.parser_weights import build_network
from likeness.methods.pva.content import parse_base
from likeness.weights.read import tensors_under

#: Sides that no memory holds, in a tensor of no bytes.
ENDLESS = torch.zeros(10**12, 0)
RESAMPLER = instantid_files.adapter([8], 32)["image_proj"]
PERCEPTRON = {"proj.weight": torch.ones(64, 55), "proj.bias": torch.ones(64)}
PERCEPTRON |= {"norm.weight": torch.ones(16), "norm.bias": torch.ones(16)}


@pytest.mark.parametrize("name", RESAMPLER)
@pytest.mark.parametrize("wrong", [torch.tensor(1.0), torch.ones(3), torch.ones(3, 5, 7), ENDLESS])
def test_a_misshapen_resampler_is_told_by_the_tensor(name: str, wrong: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"^no resampler: .* does not fit"):
        Resampler.build({**RESAMPLER, name: wrong})


@pytest.mark.parametrize("name", PERCEPTRON)
@pytest.mark.parametrize("wrong", [torch.tensor(1.0), torch.ones(3, 5, 7), ENDLESS])
def test_a_misshapen_projection_is_told(name: str, wrong: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"^no projection: "):
        build({**PERCEPTRON, name: wrong})


@pytest.mark.parametrize("name", ["0.weight", "q_tokens", "1.layers.0.linear1.weight"])
def test_a_transformer_of_endless_size_is_told_before_it_is_made(name: str) -> None:
    sound = pva_files.transformer(16, inner=8, layers=1)
    with pytest.raises(ValueError, match=r"^no identity transformer: "):
        IdentityTransformer.build({**sound, name: ENDLESS})
    with pytest.raises(ValueError, match=r"^no identity transformer: "):
        IdentityTransformer.build({**sound, name: torch.tensor(1.0)})


@pytest.mark.parametrize("name", ["conv1.weight", "layer4.0.conv1.weight", "fc.weight"])
@pytest.mark.parametrize("wrong", [ENDLESS, torch.tensor(1.0), torch.zeros(1).expand(10**9)])
def test_a_face_encoder_of_endless_size_is_told_before_it_is_made(name: str, wrong: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"^x does not fit the face encoder"):
        build_iresnet({**pva_files.face_net(), name: wrong}, "x")


def test_a_face_encoder_without_a_first_block_is_told() -> None:
    tensors = pva_files.face_net()
    tensors["layer1.1.conv1.weight"] = tensors.pop("layer1.0.conv1.weight")
    with pytest.raises(ValueError, match=r"layer1\.0\.conv1\.weight"):
        build_iresnet(tensors, "x")


@pytest.mark.parametrize(
    ("make", "build_it"),
    [
        (pva_files.face_net, build_iresnet),
        (parser_files.random, build_network),
        (smirk_files.content, build_encoder),
    ],
)
def test_counters_of_batch_norms_do_not_matter(
    make: Callable[[], dict[str, Any]], build_it: Callable[[dict[str, Any], str], torch.nn.Module]
) -> None:
    """Nothing is computed from them: they may be lost, and may be misshapen."""
    content = make()
    counters = {key: torch.ones(3) for key in content if key.endswith("num_batches_tracked")}
    assert counters
    assert build_it({**content, **counters}, "x") is not None


@pytest.mark.parametrize("number", ["01", "9" * 5000, "\u0661"])
def test_numbers_of_layers_are_plain(number: str) -> None:
    with pytest.raises(ValueError, match=r"x has no attention layers"):
        AdapterLayers.parse({f"{number}.to_k_ip.weight": torch.ones(8, 16)}, 16, "x")


def test_a_visual_query_without_sides_is_told() -> None:
    content = pva_files.base([8] * len(pva_files.LAYERS), 16)
    content["transform_network"] = pva_files.transformer(16, inner=8, layers=1)
    content["unet"][f"{pva_files.layer(pva_files.LAYERS[0])}.to_visual_q.weight"] = torch.tensor(1.0)
    with pytest.raises(ValueError, match=r"x does not fit: .*to_visual_q"):
        parse_base(content, "x")


@pytest.mark.parametrize(
    "read",
    [lambda content: build_encoder(content, "x"), lambda content: tensors_under(content, "state_dict")],
)
def test_names_that_are_numbers_are_passed_over(read: Callable[[Any], Any]) -> None:
    content = {"state_dict": {3: torch.ones(2), "expression_layers.0.weight": torch.ones(55, 4)}}
    try:
        assert list(read(content)) == ["expression_layers.0.weight"]
    except ValueError as error:
        assert "does not fit" in str(error)
