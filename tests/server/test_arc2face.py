"""Arc2Face over HTTP: each adapter changes the picture, mistakes are told, both recognisers side by side."""

from __future__ import annotations

import copy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from support.tiny_faces import image
from support.workflow_runs import node_of, pictures, small, titled, upload_inputs

from installer import paths, tiny
from installer.server import Server, ServerError
from likeness.faces.choose import select
from likeness.faces.detect import detect
from likeness.faces.embed import identify
from likeness.faces.models import FaceModels
from tools.ui_workflow import api_files, read

SIDE = 256


@pytest.fixture(scope="module", autouse=True)
def inputs(server: Server, photos: dict[str, np.ndarray]) -> None:
    upload_inputs(server, photos)


def workflow(name: str) -> dict[str, Any]:
    return small(read(api_files()[name]))


def draw(server: Server, prompt: dict[str, Any]) -> np.ndarray:
    (picture,) = pictures(server, server.run(prompt), node_of(prompt, "SaveImage"))
    assert picture.shape == (SIDE, SIDE, 3) and picture.std() > 1
    return picture


def changed(prompt: dict[str, Any], class_type: str, **inputs: Any) -> dict[str, Any]:
    prompt = copy.deepcopy(prompt)
    node = prompt[node_of(prompt, class_type)]["inputs"]
    assert set(inputs) <= set(node)
    node.update(inputs)
    return prompt


@pytest.fixture(scope="module")
def plain(server: Server, inputs: None) -> np.ndarray:
    return draw(server, workflow("arc2face_basic"))


@pytest.mark.parametrize(
    "name, node, off",
    [
        ("arc2face_expression", "LikenessApplyExpression", {"weight": 0.0}),
        ("arc2face_reference", "LikenessApplyReference", {"weight": 0.0}),
        ("arc2face_pose", "ControlNetApplyAdvanced", {"strength": 0.0}),
    ],
)
def test_each_adapter_changes_the_picture_and_nothing_at_weight_0(
    server: Server, plain: np.ndarray, name: str, node: str, off: dict[str, float]
) -> None:
    prompt = workflow(name)
    assert not np.array_equal(draw(server, prompt), plain)
    assert np.array_equal(draw(server, changed(prompt, node, **off)), plain)


def test_an_expression_slider_and_the_lora_reach_the_picture(server: Server) -> None:
    prompt = workflow("arc2face_expression")
    wink = changed(prompt, "LikenessEditExpression", left_eyelid=1.0, component_1=2.0)
    assert not np.array_equal(draw(server, wink), draw(server, prompt))
    prompt = workflow("arc2face_reference")
    without = changed(prompt, "LikenessApplyReference", lora="none")
    assert not np.array_equal(draw(server, without), draw(server, prompt))


def test_two_people_are_mixed_compared_and_new_ones_made(server: Server) -> None:
    prompt = workflow("arc2face_mix")
    outputs = server.run(prompt)
    (between,) = pictures(server, outputs, titled(prompt, "Save Picture: Between A and B"))
    new = pictures(server, outputs, titled(prompt, "Save Pictures: New People"))
    assert between.shape == (SIDE, SIDE, 3)
    assert len(new) == 4 and all(picture.shape == (SIDE, SIDE, 3) for picture in new)
    drawn = [between, *new]
    assert not any(np.array_equal(a, b) for i, a in enumerate(drawn) for b in drawn[:i])
    (report,) = outputs["outputs"][titled(prompt, "How Alike A and B Are")]["text"]
    assert report.startswith("similarity ") and "recogniser arc2face" in report
    (matrix,) = pictures(server, outputs, titled(prompt, "All Pairs"))
    assert matrix.std() > 0


def test_an_identity_of_another_recogniser_is_told(server: Server) -> None:
    prompt = changed(workflow("arc2face_basic"), "LikenessEmbedFaces", recogniser="glintr100")
    with pytest.raises(
        ServerError, match=r"\(LikenessEncodeArc2Face\) failed: .*made with glintr100.*only arc2"
    ):
        server.run(prompt)


def test_a_missing_u_net_is_told(server: Server) -> None:
    name = "arc2face/diffusion_pytorch_model.safetensors"
    prompt = changed(workflow("arc2face_basic"), "LikenessLoadArc2Face", unet_file=name)
    with pytest.raises(ServerError, match=r"\(LikenessLoadArc2Face\) failed: .*--models arc2face"):
        server.run(prompt)


@pytest.fixture
def both() -> dict[str, Any]:
    """arc2face_basic and instantid_basic as one graph: one photo, one face pack, two saved identities."""
    prompt, instantid = (read(api_files()[name]) for name in ("arc2face_basic", "instantid_basic"))
    names = {i: str(100 + int(i)) for i in instantid}
    for class_type in ("LoadImage", "LikenessLoadFaceModels"):
        names[node_of(instantid, class_type)] = node_of(prompt, class_type)
    embeds = {"arc2face": node_of(prompt, "LikenessEmbedFaces")}
    embeds["glintr100"] = names[node_of(instantid, "LikenessEmbedFaces")]
    for i, node in instantid.items():
        links = {k: [names[v[0]], v[1]] for k, v in node["inputs"].items() if isinstance(v, list)}
        node["inputs"] |= links
        node["_meta"]["title"] += " (InstantID)"
        prompt.setdefault(names[i], node)
    for i, (recogniser, embed) in enumerate(embeds.items(), 200):
        inputs = {"identity": [embed, 0], "filename_prefix": f"both/{recogniser}"}
        prompt[str(i)] = {
            "class_type": "LikenessSaveIdentity",
            "inputs": inputs,
            "_meta": {"title": recogniser},
        }
    return small(prompt)


def test_both_methods_in_one_graph_get_their_own_embedding(
    server: Server, both: dict[str, Any], photos: dict[str, np.ndarray], comfyui: Path
) -> None:
    entry = server.run(both)
    for title in ("Save Picture", "Save Picture (InstantID)"):
        (picture,) = pictures(server, entry, titled(both, title))
        assert picture.std() > 1
    folder = server.base / "models" / "identities" / "both"
    models = FaceModels.open(
        "antelopev2", "CPU", [tiny.ensure_tiny(sys.executable, comfyui) / "models" / "insightface"]
    )
    face = select(detect(models, image(photos["astronaut"])))
    vectors = {}
    for recogniser in ("arc2face", "glintr100"):
        vectors[recogniser] = load_file(max(folder.glob(f"{recogniser}_*")))["embeddings"]
        wanted = identify(models, face, recogniser, "mean").embeddings
        assert torch.allclose(vectors[recogniser], wanted, rtol=1e-4, atol=1e-4)
    assert torch.cosine_similarity(*vectors.values()).abs().item() < 0.5


def test_identities_of_two_recognisers_are_not_compared(server: Server, both: dict[str, Any]) -> None:
    identities = [
        both[i]["inputs"]["identity"] for i in (titled(both, "arc2face"), titled(both, "glintr100"))
    ]
    inputs = dict(zip(("identity_a", "identity_b"), identities, strict=True))
    both["300"] = {"class_type": "LikenessCompareIdentities", "inputs": inputs, "_meta": {"title": "x"}}
    shown = {"class_type": "PreviewAny", "inputs": {"source": ["300", 1]}, "_meta": {"title": "y"}}
    wanted = {i: node for i, node in both.items() if not node["class_type"].startswith(("Save", "Preview"))}
    with pytest.raises(ServerError, match=r"\(LikenessCompareIdentities\) failed: .*arc2face.*glintr100"):
        server.run({**wanted, "301": shown})


def test_the_recipe_with_the_authors_noise_levels(server: Server, plain: np.ndarray) -> None:
    """What the help page of Encode Arc2Face says about SamplerCustom and ManualSigmas."""
    page = (paths.REPOSITORY / "web" / "docs" / "LikenessEncodeArc2Face.md").read_text(encoding="utf-8")
    sigmas = page.split("```")[1].strip()
    assert len(sigmas.split(", ")) == 26
    prompt = workflow("arc2face_basic")
    sampler = prompt[node_of(prompt, "KSampler")]
    links = {k: v for k, v in sampler["inputs"].items() if isinstance(v, list)}
    links |= {"sampler": ["101", 0], "sigmas": ["102", 0]}
    sampler |= {
        "class_type": "SamplerCustom",
        "inputs": {"add_noise": True, "noise_seed": 20240115, "cfg": 3.0, **links},
    }
    select = {"class_type": "KSamplerSelect", "inputs": {"sampler_name": "dpmpp_2m"}, "_meta": {"title": ""}}
    manual = {"class_type": "ManualSigmas", "inputs": {"sigmas": sigmas}, "_meta": {"title": ""}}
    assert draw(server, {**prompt, "101": select, "102": manual}).shape == plain.shape


def test_the_recipe_for_few_steps(server: Server) -> None:
    prompt = workflow("arc2face_basic")
    loader = node_of(prompt, "LikenessLoadArc2Face")
    lcm = {"model": [loader, 0], "sampling": "lcm", "zsnr": False}
    prompt["101"] = {"class_type": "ModelSamplingDiscrete", "inputs": lcm, "_meta": {"title": ""}}
    few = {"model": ["101", 0], "steps": 3, "cfg": 1.0, "sampler_name": "lcm", "scheduler": "sgm_uniform"}
    draw(server, changed(prompt, "KSampler", **few))
