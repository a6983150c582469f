"""Graphs of `proof run`: filled by titles, without their adapters, and which pictures a run needs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from installer.paths import REPOSITORY
from proof.own import graph, prompts
from proof.own.drawing import Job, jobs
from proof.own.people import Person
from proof.own.plain import without

API = REPOSITORY / "workflows" / "api"


PLAIN = prompts.Prompt("plain", "plain", "photo of {who}")
TOGETHER = prompts.Prompt("two", "two people", "{left} beside {right}")
HAT = prompts.Prompt("hat", "attribute", "{who} in a hat", attributes={"hat": True})


def test_a_template_is_filled_by_its_titles() -> None:
    one = graph.read("instantid_basic", {"Sample": {"steps": 4}, "Left Person": {"image": "of others"}})
    assert one.people == 1 and one.conditioners == {"glintr100"} and one.asks(HAT) and not one.asks(TOGETHER)
    assert one.checkpoint == "sd_xl_base_1.0.safetensors"
    filled = one.filled(["me.png"], ["a woman"], PLAIN, 77)
    titled = {node["_meta"]["title"]: node["inputs"] for node in filled.values()}
    assert titled["Photo of the Person"]["image"] == "me.png"
    assert titled["Prompt"]["text"] == "photo of a woman"
    assert titled["Sample"]["seed"] == 77 and titled["Sample"]["steps"] == 4
    assert "Detected Face" not in titled, "previews are left out"
    assert one.nodes["1"]["inputs"]["image"] == "astronaut.png", "the graph itself stays"


def test_two_photos_make_a_graph_of_two() -> None:
    two = graph.read("instantid_two_people")
    assert two.people == 2 and two.asks(TOGETHER) and not two.asks(PLAIN)
    titled = {
        n["_meta"]["title"]: n["inputs"] for n in two.filled(["l", "r"], ["x", "y"], TOGETHER, 1).values()
    }
    assert (titled["Left Person"]["image"], titled["Right Person"]["image"]) == ("l", "r")
    assert titled["Prompt"]["text"] == "x beside y"


def test_a_method_without_words_is_asked_for_plain_pictures_alone() -> None:
    one = graph.read("arc2face_basic")
    assert one.text is None and one.asks(PLAIN) and not one.asks(HAT) and one.conditioners == {"arc2face"}


def test_a_word_of_the_method_s_own_stands_for_the_person() -> None:
    one = graph.read("pva_inpaint")
    texts = [n["inputs"].get("text") for n in one.filled(["me"], ["a woman"], HAT, 1).values()]
    assert "<new1> person in a hat" in texts and one.conditioners >= {"ms1mv3_r50"}


def test_every_template_of_a_person_and_a_prompt_can_be_run() -> None:
    ready = []
    for path in sorted(API.glob("*.json")):
        try:
            ready.append(graph.read(path.stem).name)
        except ValueError as error:
            assert "has no node called" in str(error)
    assert {
        *(
            "instantid_basic",
            "instantid_two_people",
            "freecure_instantid",
            "fact_basic",
            "masterweaver_basic",
        ),
        *(
            "consistentid_basic",
            "consistentid_sdxl",
            "pva_inpaint",
            "arc2face_basic",
            "two_methods_one_person",
        ),
    } <= set(ready)


def test_each_fault_of_a_graph_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"method nothing can't be read.*Export \(API\)"):
        graph.read("nothing")
    page = tmp_path / "page.json"
    page.write_text('{"nodes": [], "links": []}', encoding="utf-8")
    with pytest.raises(ValueError, match="not in API form"):
        graph.read(str(page))
    nodes = json.loads((API / "instantid_basic.json").read_text(encoding="utf-8"))
    (tmp_path / "a b.json").write_text(json.dumps(nodes), encoding="utf-8")
    with pytest.raises(ValueError, match="letters, digits"):
        graph.read(str(tmp_path / "a b.json"))
    for title, said in [("Photo of the Person", "loads the photo"), ("Sample", "has the seed")]:
        changed = json.loads(json.dumps(nodes))
        next(n for n in changed.values() if n["_meta"]["title"] == title)["_meta"]["title"] = "Mine"
        with pytest.raises(ValueError, match=rf"no node called '{title}' .*{said}"):
            graph.of("mine", changed)


# ---- without the adapter

TYPES: dict[str, list[str]] = {
    "LoadImage": ["IMAGE", "MASK"],
    "LikenessLoadFaceModels": ["LIKENESS_FACE_MODELS"],
    "LikenessDetectFaces": ["LIKENESS_FACES", "INT", "BOOLEAN"],
    "LikenessSelectFaces": ["LIKENESS_FACES", "INT", "BOOLEAN"],
    "LikenessEmbedFaces": ["LIKENESS_IDENTITY"],
    "LikenessFaceKeypoints": ["IMAGE"],
    "LikenessLoadInstantID": ["LIKENESS_INSTANTID"],
    "LikenessApplyInstantID": ["MODEL", "CONDITIONING", "CONDITIONING"],
    "CheckpointLoaderSimple": ["MODEL", "CLIP", "VAE"],
    "ControlNetLoader": ["CONTROL_NET"],
    "CLIPTextEncode": ["CONDITIONING"],
    "EmptyLatentImage": ["LATENT"],
    "KSampler": ["LATENT"],
    "VAEDecode": ["IMAGE"],
    "SaveImage": [],
}


def test_without_its_adapter_the_words_reach_the_sampler() -> None:
    plain = without(graph.read("instantid_basic"), TYPES)
    by_title = {node["_meta"]["title"]: (place, node) for place, node in plain.nodes.items()}
    assert set(by_title) == {
        *("SDXL Checkpoint", "Prompt", "Negative Prompt", "Size", "Sample", "Decode", "Save Picture"),
    }
    sampler = by_title["Sample"][1]["inputs"]
    assert sampler["positive"] == [by_title["Prompt"][0], 0]
    assert sampler["negative"] == [by_title["Negative Prompt"][0], 0]
    assert sampler["model"] == [by_title["SDXL Checkpoint"][0], 0]
    assert (
        not plain.photos
        and not plain.conditioners
        and plain.asks(HAT)
        and plain.name == "instantid_basic-plain"
    )


def test_what_is_made_of_the_photo_alone_has_no_picture_without_it() -> None:
    types = {**TYPES, "LikenessLoadArc2Face": ["MODEL", "CLIP"], "VAELoader": ["VAE"]}
    types["LikenessEncodeArc2Face"] = ["CONDITIONING", "CONDITIONING"]
    with pytest.raises(ValueError, match="no picture without its adapter: 'Encode Arc2Face"):
        without(graph.read("arc2face_basic"), types)


# ---- jobs


def test_everybody_gets_every_prompt_and_methods_begin_as_the_same_noise() -> None:
    everybody = [Person(name, Path("a.png"), (Path("b.png"),)) for name in ("anna", "ben")]
    one, two = graph.read("instantid_basic"), graph.read("instantid_two_people")
    made = jobs([one, two], everybody, [PLAIN, HAT, TOGETHER], 2)
    assert len(made) == 2 * 2 * 2 + 1 * 2 * 2
    assert {job.people for job in made if job.graph is two} == {(0, 1), (1, 0)}
    files = [job.file(Path("into"), everybody) for job in made]
    assert len(set(files)) == len(files)
    other = Job(graph.read("fact_basic"), PLAIN, (0,), 0)
    assert other.seed == Job(one, PLAIN, (0,), 0).seed != Job(one, PLAIN, (0,), 1).seed
    assert np.unique([job.seed for job in made if job.graph is one]).size == 8


def test_of_two_people_both_adapters_are_left_out() -> None:
    types = {**TYPES, "EmptyImage": ["IMAGE"], "ImageStitch": ["IMAGE"]}
    types |= {"ImageToMask": ["MASK"], "InvertMask": ["MASK"]}
    plain = without(graph.read("instantid_two_people"), types)
    assert not [n for n in plain.nodes.values() if n["class_type"].startswith("Likeness")]
    assert plain.people == 2 and plain.asks(TOGETHER) and not plain.asks(PLAIN)
