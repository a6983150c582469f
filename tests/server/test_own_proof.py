"""`python -m proof run` against a booted ComfyUI: the drawn world as somebody's own weights and people."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support import own_proof
from support.booted import ATTENTION
from support.patience import PATIENCE

from installer import paths
from installer.paths import REPOSITORY
from installer.server import Server
from proof.__main__ import main
from proof.own.people import read

_NAME = "any name-1"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return own_proof.models_into(tmp_path_factory.mktemp("drawn"))


@pytest.fixture(scope="module")
def drawn_server(comfyui: Path, models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    base = tmp_path_factory.mktemp("drawn-base")
    paths.link_folder(paths.REPOSITORY, base / "custom_nodes" / _NAME)
    paths.link_folder(own_proof.PACK, base / "custom_nodes" / own_proof.PACK.name)
    packs = [_NAME, own_proof.PACK.name]
    with Server(
        sys.executable, comfyui, base, packs, models=models, one_thread=True, arguments=ATTENTION
    ) as running:
        yield running


def test_a_run_is_broken_off_goes_on_and_tells_true_numbers(
    drawn_server: Server, models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own_proof.people_into(tmp_path / "people", 2)
    prompts = tmp_path / "prompts.json"
    prompts.write_text(json.dumps(own_proof.PROMPTS[1:2]), encoding="utf-8")
    into = tmp_path / "out"
    arguments = ["run", "--people", str(tmp_path / "people"), "--server", drawn_server.url]
    arguments += ["--methods", str(own_proof.graph_without_pose(tmp_path)), "--into", str(into)]
    arguments += ["--prompts", str(prompts), "--models", str(models), "--set", json.dumps(own_proof.SETTINGS)]

    before = _killed_after_two_pictures(arguments, into)
    main(arguments)
    pictures = sorted((into / "pictures").rglob("*.png"))
    assert len(pictures) == 2 * 2 * 2, "two people, two pictures each, with the adapter and without"
    assert all(path.stat().st_mtime_ns == when for path, when in before.items()), "kept, not drawn again"
    told = json.loads((into / "proof.json").read_text(encoding="utf-8"))
    _numbers_are_true(told, tmp_path / "people", into, models)
    _nobody_saw_a_truth(drawn_server, tmp_path / "people")

    page = (into / "proof.html").read_text(encoding="utf-8")
    assert page.count("data:image/jpeg;base64,") == 2 * (1 + 2 + 2), "reference, truths, one of each row"
    line = (into / "line.txt").read_text(encoding="utf-8")
    assert line.startswith("instantid_free on drawn_sdxl.safetensors: likeness ")
    assert line.strip() in capsys.readouterr().out


def _killed_after_two_pictures(arguments: list[str], into: Path) -> dict[Path, int]:
    """When each picture was written that was there when the run was ended, as by a power cut."""
    running = subprocess.Popen([sys.executable, "-m", "proof", *arguments], cwd=REPOSITORY)
    end = time.monotonic() + PATIENCE
    while len(done := list((into / "pictures").rglob("*.json"))) < 2:
        assert running.poll() is None and time.monotonic() < end
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL) if hasattr(signal, "SIGKILL") else running.kill()
    running.wait()
    return {path.with_suffix(".png"): path.with_suffix(".png").stat().st_mtime_ns for path in done}


def _numbers_are_true(told: dict[str, Any], people: Path, into: Path, models: Path) -> None:
    """Once more with the pack's own parts and NumPy, from the files alone."""
    row = told["rows"]["instantid_free"]
    # glintr100 draws, and arcface.onnx is the same network under another name: neither may judge.
    assert row["judges"] == ["sface", "auraface"] and row["drawn_by"] == ["glintr100"]
    assert told["rows"]["instantid_free-plain"]["judges"] == ["sface", "glintr100", "arc2face", "auraface"]
    everybody = read(people)
    truths = [np.stack([_vector(path, models) for path in one.truths]) for one in everybody]
    drawn = [sorted((into / "pictures" / "instantid_free" / one.name).glob("*.png")) for one in everybody]
    likeness = [
        np.mean(true @ _vector(path, models))
        for true, files in zip(truths, drawn, strict=True)
        for path in files
    ]
    by_hand = {
        "instantid_free": np.mean(likeness),
        "ceiling": np.mean([(true @ true.T)[0, 1] for true in truths]),
        "wrong_person": np.mean(truths[0] @ truths[1].T),
    }
    for name, value in by_hand.items():
        found = told["rows"][name]["measures"]["truth:auraface"]["mean"]
        assert found == pytest.approx(value, abs=1e-6), name
    for measure in ("faces", "attributes", "sharpness", "seconds", "memory"):
        assert row["measures"][measure]["mean"] > 0
    judged = {answer["name"].split(":")[0]: answer for answer in told["selftests"]}
    assert {"identical", "mirrored", "blurred", "other", "pasted", "truth", "attributes"} <= set(judged)
    assert all(a["right"] for a in told["selftests"] if a["name"].split(":")[0] in ("identical", "pasted"))
    assert {one["second"] for one in told["against_itself"]} == {"instantid_free again"}


def _vector(path: Path, models: Path) -> np.ndarray:
    """The unit vector of a picture's largest face, by another way than the run's."""
    import torch

    from likeness.faces.choose import select
    from likeness.faces.detect import detect
    from likeness.faces.embed import identify
    from likeness.faces.models import FaceModels

    picture = torch.from_numpy(np.array(Image.open(path).convert("RGB"))).float()[None] / 255
    pack = FaceModels.open("auraface", "CPU", [models / "insightface"])
    found = identify(pack, select(detect(pack, picture), "largest", "0"), "auraface", "mean")
    vector = found.embeddings[0].double().numpy()
    return vector / np.linalg.norm(vector)


def _nobody_saw_a_truth(server: Server, people: Path) -> None:
    """All that was given to the server are the references."""
    given = {np.asarray(Image.open(path)).tobytes() for path in (server.base / "input").glob("*.png")}
    assert given == {np.asarray(Image.open(one.reference)).tobytes() for one in read(people)}


def test_what_the_server_refuses_is_told_with_the_picture(
    drawn_server: Server, models: Path, tmp_path: Path
) -> None:
    own_proof.people_into(tmp_path / "people", 2, photos=2)
    wrong = {**own_proof.SETTINGS, "SDXL Checkpoint": {"ckpt_name": "nowhere.safetensors"}}
    with pytest.raises(SystemExit) as stopped:
        main(
            [
                *("run", "--people", str(tmp_path / "people"), "--server", drawn_server.url, "--seeds", "1"),
                *("--methods", str(own_proof.graph_without_pose(tmp_path)), "--into", str(tmp_path / "out")),
                *("--models", str(models), "--set", json.dumps(wrong)),
            ]
        )
    said = str(stopped.value)
    assert "instantid_free, person 0, portrait: ComfyUI refused the prompt" in said
    assert "nowhere.safetensors" in said and "the same command goes on from here" in said
