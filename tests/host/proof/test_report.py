"""The whole report in the real host: with networks by chance, and its instrument with the trained ones."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from proof import host_files, packing
from proof.__main__ import main
from proof.networks import autoencoder, layouts, recognisers
from proof.networks.classifier import Classifier
from proof.networks.crops import RECOGNISED, batch, crop
from proof.networks.parser import Parser
from proof.networks.start import start
from proof.report import rows, running
from proof.report.cases import Case
from proof.report.command import STEPS
from proof.report.studio import Studio
from proof.training.command import MODELS
from proof.training.stages import Rooms

ROWS = ("ceiling", "sd15", "instantid")


@pytest.fixture(scope="module")
def rooms(host: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Rooms:
    """Stages' files with weights by chance."""
    folder = tmp_path_factory.mktemp("report")
    models = folder / "models"
    models.mkdir()
    networks: dict[str, Any] = {
        "judge": recognisers.Judge(),
        "classifier": Classifier(),
        "recogniser": recognisers.Recogniser(),
        "parser": Parser(0),
    }
    for seed, (name, network) in enumerate(networks.items()):
        start(network, seed)
        kept = network.learnt() if name == "parser" else network.state_dict()
        packing.write(models / f"{name}.safetensors", dict(kept), packed=False)
    pictures = torch.rand(8, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    coder = autoencoder.begin(pictures, seed=1).state_dict()
    packing.write(models / "autoencoder.safetensors", dict(coder), packed=False)
    packing.write(models / "sd15.safetensors", dict(layouts.unet("sd15", 2).state_dict()), packed=False)
    return Rooms(models, folder / "cache")


def report(rooms: Rooms, into: Path, *more: str) -> dict[str, Any]:
    asked = [part for name in ROWS for part in ("--rows", name)]
    given = ["world", "report", "--quick", "--people", "2", "--models", str(rooms.models)]
    main([*given, "--cache", str(rooms.cache), "--into", str(into), *asked, *more])
    numbers: dict[str, Any] = json.loads((into / "report.json").read_text(encoding="utf-8"))
    return numbers


def test_a_report_is_drawn_by_the_host_and_written(rooms: Rooms, tmp_path: Path) -> None:
    numbers = report(rooms, tmp_path / "first")
    assert numbers["rows"]["sd15"]["pictures"] == 2
    assert numbers["not_trained"] == {"instantid": ["sdxl", "instantid"]}
    assert numbers["rows"]["ceiling"]["faces"]["mean"] == 1.0
    page = (tmp_path / "first" / "README.md").read_text(encoding="utf-8")
    assert "not trained: sdxl, instantid" in page
    # Again from what is kept, with the same bytes.
    report(rooms, tmp_path / "again")
    for file in (tmp_path / "first").iterdir():
        assert file.read_bytes() == (tmp_path / "again" / file.name).read_bytes(), file.name
    row = rows.row("sd15")
    given = STEPS, running.groups_of(row, 2), "2"
    assert len(running.shots_of(row, begins, rooms, *given).people) == 2


def begins() -> Any:
    raise RuntimeError("it is drawn")


def test_a_row_is_drawn_again_when_a_file_that_takes_part_has_changed(rooms: Rooms, tmp_path: Path) -> None:
    own = Rooms(tmp_path / "models", rooms.cache)
    shutil.copytree(rooms.models, own.models)
    row = rows.row("sd15")
    assert running.key(row, own) == running.key(row, rooms)
    (own.models / "recogniser.safetensors").write_bytes(b"another")
    assert running.key(row, own) == running.key(row, rooms)
    (own.models / "sd15.safetensors").write_bytes(b"another")
    with pytest.raises(RuntimeError, match="it is drawn"):
        running.shots_of(row, begins, own, STEPS, running.groups_of(row, 2), "2")


def test_the_same_noise_gives_the_same_picture(rooms: Rooms) -> None:
    studio = Studio(rooms, 2)
    with host_files.offered(rooms), torch.inference_mode():
        draw = rows.row("sd15").begin(studio)
        first, again, other = draw([Case(0)]), draw([Case(0)]), draw([Case(0, seed_shift=1)])
        both = draw([Case(1), Case(0)])
    assert first.shape == (1, 128, 128, 3) and np.array_equal(first, again)
    assert not np.array_equal(first, other)
    # Whoever is drawn beside it.
    assert both.shape == (2, 128, 128, 3) and np.abs(both[1].astype(int) - first[0]).max() <= 1


def test_of_people_drawn_together_each_looks_at_their_own_picture(rooms: Rooms) -> None:
    """By the committed networks: those by chance give grey for everybody."""
    trained = Rooms(MODELS, rooms.cache / "trained")
    studio = Studio(trained, 2)
    with host_files.offered(trained), torch.inference_mode():
        draw = rows.row("instantid").begin(studio)
        alone, both = draw([Case(1)]), draw([Case(0), Case(1)])
        as_other = draw([Case(1, portrait=Case(0).reference)])
    assert np.abs(both[1].astype(int) - alone[0]).max() <= 1
    assert np.abs(as_other[0].astype(int) - alone[0]).max() > 8


def test_one_persons_pictures_with_points_are_those_drawn_alone(rooms: Rooms) -> None:
    """By the committed networks. Each has its own points, and somebody in between changes nothing."""
    trained = Rooms(MODELS, rooms.cache / "trained")
    studio = Studio(trained, 2)
    elsewhere = Case(1, look=replace(Case(1).truth, pose=Case(4).reference.pose))
    with host_files.offered(trained), torch.inference_mode():
        draw = rows.row("instantid_identitynet").begin(studio)
        alone = [draw([case])[0].astype(int) for case in (Case(1), Case(0), elsewhere)]
        together = draw([Case(1), Case(0), elsewhere])
    for one, own in zip(together, alone, strict=True):
        assert np.abs(one.astype(int) - own).max() <= 1
    assert np.abs(alone[0] - alone[2]).max() > 8


def test_our_nodes_read_the_recogniser_as_it_was_trained(rooms: Rooms) -> None:
    picture = Case(1).reference_drawing.picture
    studio = Studio(rooms, 2)
    with host_files.offered(rooms):
        (face,) = studio.faces(picture).faces[0]
        identity = studio.identity(picture)
    network = recognisers.load(packing.read(rooms.models / "recogniser.safetensors"))
    own = network(batch([crop(picture, face.keypoints.numpy(), RECOGNISED)]))
    assert identity.recogniser == "glintr100"
    assert torch.allclose(identity.unit, own, atol=0.01)
    assert identity.embeddings.norm().item() == pytest.approx(20.0, rel=1e-4)


def test_host_folders_are_as_before_afterwards(rooms: Rooms) -> None:
    import folder_paths

    before = {kind: list(found[0]) for kind, found in folder_paths.folder_names_and_paths.items()}
    with host_files.offered(rooms):
        assert folder_paths.folder_names_and_paths["checkpoints"][0][0].startswith(str(rooms.cache))
    after = {kind: list(found[0]) for kind, found in folder_paths.folder_names_and_paths.items()}
    assert before == {kind: places for kind, places in after.items() if kind in before}


def test_a_file_is_made_anew_when_its_stage_changes(rooms: Rooms, tmp_path: Path) -> None:
    own = Rooms(tmp_path / "models", tmp_path / "cache")
    shutil.copytree(rooms.models, own.models)
    first = host_files.write("glintr100", own).read_bytes()
    network = recognisers.Recogniser()
    start(network, 99)
    packing.write(own.models / "recogniser.safetensors", dict(network.state_dict()), packed=False)
    assert host_files.write("glintr100", own).read_bytes() != first


def test_a_stage_that_is_not_trained_is_named(rooms: Rooms, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="recogniser, not trained yet"):
        host_files.write("glintr100", Rooms(tmp_path, tmp_path))


def test_without_judges_nothing_is_drawn(rooms: Rooms, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="Nothing can be judged: judge is not trained"):
        report(Rooms(tmp_path, rooms.cache), tmp_path / "docs")


def bars(folder: Path, at_least: float) -> Path:
    file = folder / "bars.json"
    bar = {"name": "ceiling", "row": "ceiling", "measure": "likeness", "at_least": at_least}
    file.write_text(json.dumps({"quick": [bar]}), encoding="utf-8")
    return file


@pytest.fixture
def check(host: ModuleType, tmp_path: Path) -> Any:
    """`report --check` on the committed judges, which see true pictures."""

    def run(at_least: float) -> None:
        given = ["world", "report", "--quick", "--check", "--people", "16", "--rows", "ceiling"]
        given += [
            "--models",
            str(MODELS),
            "--cache",
            str(tmp_path / "cache"),
            "--into",
            str(tmp_path / "docs"),
        ]
        main([*given, "--bars", str(bars(tmp_path, at_least))])

    return run


def test_the_instrument_passes_its_own_tests(check: Any) -> None:
    check(0.5)


def test_a_bar_that_falls_ends_the_check_with_its_name(check: Any, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"The bar ceiling fell: likeness of the row ceiling is 0\.\d+"):
        check(0.999)
    assert (tmp_path / "docs" / "report.json").is_file()


def test_the_demo_leaves_one_sheet_and_its_numbers(rooms: Rooms, tmp_path: Path) -> None:
    given = ["world", "demo", "prompt", "--models", str(rooms.models), "--cache", str(rooms.cache)]
    main([*given, "--into", str(tmp_path)])
    numbers = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert len(numbers["pictures"]) == 6
    assert {f"picture_{n}.png" for n in range(1, 7)} < {file.name for file in tmp_path.iterdir()}
    assert (tmp_path / "drawn_world.png").read_bytes()[:4] == b"\x89PNG"


def test_a_demo_of_what_is_not_trained_says_so(rooms: Rooms, tmp_path: Path) -> None:
    given = ["--models", str(rooms.models), "--cache", str(rooms.cache), "--into", str(tmp_path)]
    with pytest.raises(SystemExit, match="no pva yet: sd2_inpaint"):
        main(["world", "demo", "pva", *given])
    with pytest.raises(SystemExit, match="No method is called 'lora'"):
        main(["world", "demo", "lora", *given])
