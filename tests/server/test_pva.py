"""PVA's workflows on a booted ComfyUI: what is kept, what is filled, what is written."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.workflow_runs import node_of, pictures, small, titled, upload_inputs

from installer.server import Server
from tools.ui_workflow import api_files, read


@pytest.fixture(scope="module")
def inputs(server: Server, photos: dict[str, np.ndarray]) -> None:
    upload_inputs(server, photos)


def draw(server: Server, prompt: dict[str, Any], *shown: str) -> list[np.ndarray]:
    """What comes out of nodes of the prompt, through a Save Image each, as numbers from 0 to 255."""
    prompt = copy.deepcopy(prompt)
    for node in shown:
        title = {"_meta": {"title": node}}
        images = {"images": [node, 0], "filename_prefix": f"likeness/test_{node}"}
        prompt[f"9{node}"] = {"class_type": "SaveImage", "inputs": images, **title}
    entry = server.run(prompt)
    return [pictures(server, entry, f"9{node}")[0].astype(float) for node in shown]


def test_the_hole_is_filled_and_the_rest_is_the_picture(server: Server, inputs: None) -> None:
    prompt = small(read(api_files()["pva_inpaint"]))
    prompt["80"] = {"class_type": "MaskToImage", "inputs": {"mask": [titled(prompt, "Hole"), 0]}}
    prompt["80"]["_meta"] = {"title": "mask"}
    scaled, mixed = titled(prompt, "At 512 x 512"), titled(prompt, "Known Part Back")
    picture, result, hole = draw(server, prompt, scaled, mixed, "80")
    inside, feather = hole[..., 0] > 128, prompt[titled(prompt, "Hole")]["inputs"]["feather"]
    rows, columns = np.where(inside)
    top, left, bottom, right = rows.min(), columns.min(), rows.max() + 1, columns.max() + 1
    assert inside[top:bottom, left:right].all() and 0.02 < inside.mean() < 0.6
    near = np.zeros_like(inside)
    reach = feather + 1
    near[max(0, top - reach) : bottom + reach, max(0, left - reach) : right + reach] = True
    assert np.array_equal(result[~near], picture[~near])
    assert np.abs(result - picture)[inside].mean() > 5


@pytest.mark.parametrize("name", ["pva_inpaint", "pva_language"])
def test_the_person_has_a_part_in_it(server: Server, inputs: None, name: str) -> None:
    prompt = small(read(api_files()[name]))
    nobody = copy.deepcopy(prompt)
    nobody[titled(prompt, "Apply PVA")]["inputs"]["strength"] = 0.0
    save = node_of(prompt, "SaveImage")
    with_person, without = (pictures(server, server.run(p), save)[0].astype(float) for p in (prompt, nobody))
    assert np.abs(with_person - without).mean() > 0.1


def test_a_person_is_learnt_kept_and_drawn(server: Server, inputs: None, base: Path) -> None:
    """The workflow, with more than its one step; then the layer it wrote, through Load PVA."""
    prompt = small(read(api_files()["pva_tune"]))
    tune = prompt[titled(prompt, "Tune PVA")]["inputs"]
    tune |= {"learning_rate": 0.01, "word_learning_rate": 0.1}
    entry = server.run(prompt)
    tuned = pictures(server, entry, titled(prompt, "Save Picture"))[0].astype(float)
    assert pictures(server, entry, titled(prompt, "Loss"))[0].shape == (320, 512, 3)
    (path,) = (base / "models" / "pva" / "people").glob("somebody_*_.safetensors")
    person = small(read(api_files()["pva_inpaint"]))
    person[titled(person, "Load PVA")]["inputs"]["person_file"] = f"people/{path.name}"
    again = pictures(server, server.run(person), titled(person, "Save Picture"))[0].astype(float)
    plain = pictures(
        server, server.run(small(read(api_files()["pva_inpaint"]))), titled(person, "Save Picture")
    )
    # The file is float16, and the noise is the same.
    assert np.abs(tuned - again).mean() < 1.0 < np.abs(tuned - plain[0].astype(float)).mean()


def test_a_file_is_converted(server: Server, base: Path) -> None:
    prompt = small(read(api_files()["pva_convert"]))
    prompt[node_of(prompt, "LikenessSavePVA")]["inputs"]["filename_prefix"] = "converted"
    entry = server.run(prompt)
    (text,) = entry["outputs"][node_of(prompt, "LikenessSavePVA")]["text"]
    (path,) = (base / "models" / "pva").glob("converted_*_.safetensors")
    assert text == f"Saved {path}"
    spec = server.object_info("LikenessLoadPVA")["LikenessLoadPVA"]["input"]["required"]["file"]
    assert path.name in spec[1]["options"]
