"""Triplets drawn, swapped and filtered: real photos stand for swaps, on a tiny network."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from support import emoji_training as tiny
from support.emoji_training import toy_template

from installer.paths import REPOSITORY, shared_models
from likeness.weights.catalogue import catalogue
from training.emojidiff import base as emoji_base
from training.emojidiff.data.filter import Bars, Measure, judge, median
from training.emojidiff.data.progress import note, read_progress
from training.emojidiff.data.swap import Command, SwapFailed
from training.emojidiff.export import export
from training.emojidiff.faces import Looker, Seen, read_picture
from training.emojidiff.lesson import EmojiLesson
from training.emojidiff.trainer import main
from training.emojidiff.triplets import read_triplets
from training.emojidiff.watch import Drawn
from training.text_to_image import load_base

#: Copies the portrait of who is to be put in, and notes that it was asked.
SWAPPER = """
import shutil, sys
source, target, output, log = sys.argv[1:]
open(target, "rb").close()
with open(log, "a") as file:
    file.write(output + "\\n")
shutil.copy(source, output)
"""
MESH = REPOSITORY / "models" / "embedded" / "face_landmark.onnx"
SFACE = shared_models() / catalogue()["embedded/sface"].place


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory, photos: dict[str, np.ndarray]) -> SimpleNamespace:
    folder = tmp_path_factory.mktemp("idi")
    for name in ("obama3", "biden", "astronaut"):
        side = min(photos[name].shape[:2])
        square = Image.fromarray(photos[name][:side, :side]).resize((512, 512), Image.Resampling.LANCZOS)
        path = folder / "portraits" / name / "1.png"
        path.parent.mkdir(parents=True)
        square.save(path)
    base, clip = tiny.write_base(folder / "base"), tiny.write_vision(folder / "clip")
    torch.manual_seed(0)
    network = EmojiLesson(load_base(str(base)), emoji_base.load_vision(str(clip)), sizes=tiny.SMALL)
    export(network, folder / "adapter.safetensors", "tiny")
    (folder / "swap.py").write_text(SWAPPER)
    return SimpleNamespace(folder=folder, base=base, clip=clip, portraits=folder / "portraits")


def run(parts: SimpleNamespace, output: Path, *more: object) -> list[dict[str, Any]]:
    """The stage data once; what is known of every sample afterwards."""
    main(
        [
            *("data", "--cpu", "--data", str(parts.portraits), "--output", str(output)),
            *("--base", str(parts.base), "--clip", str(parts.clip), "--size", str(tiny.SIDE)),
            *("--start", str(parts.folder / "adapter.safetensors"), "--recogniser", str(SFACE)),
            *("--per-source", "2", "--sample-steps", "1", "--max-source", "0.4", *map(str, more)),
        ]
    )
    return read_progress(output)


def swapper(parts: SimpleNamespace, log: Path) -> str:
    return f"{sys.executable} {parts.folder / 'swap.py'} {{source}} {{target}} {{output}} {log}"


def test_what_has_the_expression_and_the_donor_is_kept_and_a_second_run_does_nothing_again(
    parts: SimpleNamespace, tmp_path: Path
) -> None:
    log, output = tmp_path / "swaps.log", tmp_path / "run"
    lines = run(parts, output, "--swapper", swapper(parts, log), "--seed", "3")
    assert len(lines) == 6 and len(log.read_text().splitlines()) == 6
    sources = read_triplets(output / "sources")
    counts = json.loads((output / "counts.json").read_text())
    passed = [line for line in lines if not line["why"]]
    assert {line["why"] for line in lines} <= {"", "another expression"}
    assert passed and len(passed) < 6
    for line in passed:  # obama3 and biden have their mouths closed, the astronaut smiles
        assert sources[int(line["name"][:6])].target.parent.name in ("obama3", "biden")
        assert line["numbers"]["expression"] <= 0.08 and line["numbers"]["donor"] > 0.99
        assert line["numbers"]["source"] <= 0.4
    bar = median([line["numbers"]["quality"] for line in passed])
    triplets = read_triplets(output)
    assert len(triplets) == sum(line["numbers"]["quality"] >= bar for line in passed) == counts["kept"]
    assert counts["kept"] + sum(counts["rejected"].values()) == 6
    expected = Counter(line["why"] for line in lines if line["why"])
    assert counts["rejected"] == {**expected, "below the median of quality": len(passed) - len(triplets)}
    for one in triplets:
        assert one.expression.is_file() and one.target.is_file() and one.landmarks is not None
        assert one.identity is not None and one.identity.parent.name in ("obama3", "biden")
        assert one.expression.stem == "1" and one.expression.parent.name != one.identity.parent.name
        assert one.caption
    before = (output / "triplets.jsonl").read_bytes()
    assert run(parts, output, "--swapper", swapper(parts, log), "--seed", "3") == lines
    assert len(log.read_text().splitlines()) == 6
    assert (output / "triplets.jsonl").read_bytes() == before


def test_a_run_that_was_broken_off_does_the_rest_alone(parts: SimpleNamespace, tmp_path: Path) -> None:
    log, output = tmp_path / "swaps.log", tmp_path / "run"
    whole = run(parts, output, "--swapper", swapper(parts, log))
    progress, drawn = output / "progress_000.jsonl", output / "drawn" / "000002_01.png"
    text = progress.read_text().splitlines(keepends=True)
    progress.write_text("".join(text[:4]) + text[4][:20])  # in the middle of a line
    (output / "swapped" / "000002_01.png").unlink()
    made = drawn.stat().st_mtime_ns
    assert run(parts, output, "--swapper", swapper(parts, log)) == whole
    again = log.read_text().splitlines()[6:]
    assert [Path(line).name.split("-")[-1] for line in again] == ["000002_01.png"]
    assert drawn.stat().st_mtime_ns == made


def test_a_folder_of_swaps_may_come_later(parts: SimpleNamespace, tmp_path: Path) -> None:
    output, swaps = tmp_path / "run", tmp_path / "swaps"
    swaps.mkdir()
    assert run(parts, output, "--swaps", swaps) == []
    wanted = [json.loads(line) for line in (output / "wanted.jsonl").read_text().splitlines()]
    assert len(wanted) == 6
    assert (output / "triplets.jsonl").read_text() == ""
    for one in wanted[:5]:
        assert Path(one["target"]).is_file()
        Image.open(one["source"]).save(swaps / one["output"])
    tiny.save(toy_template(0, 64) * 0, swaps / wanted[5]["output"])  # no face in it
    lines = run(parts, output, "--swaps", swaps)
    assert len(lines) == 6 and lines[5]["why"] == "no face"
    assert (output / "wanted.jsonl").read_text() == ""


def test_a_swapper_that_fails_is_a_reason(parts: SimpleNamespace, tmp_path: Path) -> None:
    lines = run(
        parts, tmp_path / "run", "--swapper", f"{sys.executable} -c 1 {{source}} {{target}} {{output}}"
    )
    assert [line["why"] for line in lines] == ["swap failed"] * 6
    with pytest.raises(SystemExit, match=r"lacks \{output\}"):
        run(parts, tmp_path / "other", "--swapper", "swap {source} {target}")
    with pytest.raises(SystemExit, match="no swapper comes along"):
        run(parts, tmp_path / "other")
    with pytest.raises(SystemExit, match="is no face recogniser"):
        run(parts, tmp_path / "other", "--swaps", tmp_path, "--recogniser", MESH)
    with pytest.raises(SystemExit, match=r"--recogniser .*gone\.onnx is not there"):
        run(parts, tmp_path / "other", "--swaps", tmp_path, "--recogniser", tmp_path / "gone.onnx")
    with pytest.raises(SystemExit, match="--comfyui and --landmarker go together"):
        run(parts, tmp_path / "other", "--swaps", tmp_path, "--landmarker", "x")


def test_no_shell_reads_the_command(tmp_path: Path) -> None:
    evil = tmp_path / "a; touch gone"
    evil.write_bytes(b"x")
    code = "import sys, shutil; shutil.copy(sys.argv[1], sys.argv[2])"
    command = Command.parse(f"{sys.executable} -c '{code}' {{source}} {{output}} {{target}}", 60)
    command.run(evil, evil, tmp_path / "out.png")
    assert (tmp_path / "out.png").read_bytes() == b"x" and not (tmp_path / "gone").exists()
    with pytest.raises(SwapFailed, match="No such file"):
        Command.parse("/nowhere/swap {source} {target} {output}", 60).run(evil, evil, tmp_path / "b.png")
    slow = Command.parse(
        f"{sys.executable} -c 'import time; time.sleep(60)' {{source}}{{target}}{{output}}", 0.2
    )
    with pytest.raises(SwapFailed, match="timed out"):
        slow.run(evil, evil, tmp_path / "b.png")


@pytest.fixture(scope="module")
def seen(parts: SimpleNamespace) -> dict[str, Seen]:
    looker = Looker()
    made = {path.parent.name: looker.look(path) for path in sorted(parts.portraits.rglob("*.png"))}
    return {name: one for name, one in made.items() if one is not None}


def test_every_reason(parts: SimpleNamespace, seen: dict[str, Seen]) -> None:
    a, b, between = torch.eye(4)[0], torch.eye(4)[1], torch.tensor([1.0, 1, 0, 0])
    him, measure = seen["biden"], Measure()

    def why(made: Seen | None, vector: torch.Tensor | None, **bars: float) -> str:
        source = seen["obama3"]
        return judge(made, source, a, b, vector, Bars(**{"expression": 0.08, **bars}), measure).why

    assert why(him, a) == ""
    assert why(None, None) == "no face"
    assert why(Seen(him.picture, him.face, 2), a) == "several faces"
    assert why(him, a, yaw=5) == "turned too far"
    assert why(seen["astronaut"], a) == "another expression"
    assert why(him, torch.eye(4)[2]) == "not like the donor"
    assert why(him, between) == "still like the source"


def test_a_blurred_face_is_less_sharp(parts: SimpleNamespace, photos: dict[str, np.ndarray]) -> None:
    looker, path = Looker(), parts.portraits / "biden" / "1.png"
    sharp = looker.look(path)
    picture = read_picture(path).movedim(-1, 0)[None]
    small = torch.nn.functional.interpolate(picture, (128, 128), mode="bilinear", antialias=True)
    blurred = looker.see(
        torch.nn.functional.interpolate(small, (512, 512), mode="bilinear")[0].movedim(0, -1).contiguous()
    )
    assert sharp is not None and blurred is not None
    assert blurred.sharpness < 0.7 * sharp.sharpness


def test_the_two_numbers_of_drawn_pictures(parts: SimpleNamespace) -> None:
    looker, drawn = Looker(SFACE), Drawn()
    him, her = (
        read_picture(parts.portraits / name / "1.png").movedim(-1, 0) for name in ("biden", "astronaut")
    )
    seen = looker.see(him.movedim(0, -1).contiguous())
    assert seen is not None
    vector = looker.describe([seen])[0]
    drawn.look(looker, him.flip(-1), him, vector)
    one = drawn.means()
    assert one["drawn faces"] == 1 and one["drawn identity"] > 0.6
    assert one["drawn expression distance"] < 0.05
    drawn.look(looker, her, him, vector)
    drawn.look(looker, torch.zeros_like(him), him, vector)
    all_three = drawn.means()
    assert all_three["drawn faces"] == pytest.approx(2 / 3)
    assert all_three["drawn identity"] < one["drawn identity"] - 0.2
    assert all_three["drawn expression distance"] > one["drawn expression distance"] + 0.03
    assert set(Drawn().means()) == set()


def test_a_picture_warped_by_its_mesh_is_its_template(seen: dict[str, Seen]) -> None:
    """What the expression term of the stage ica compares lies where the template has it."""
    from likeness.faces.template import FIVE
    from training.emojidiff.ica import Observers, Subject, _as_template

    look = Observers(torch.clone, torch.clone, torch.clone, FIVE)
    for one in seen.values():
        template = one.template().movedim(-1, 0)[None]
        points = one.mesh_points[None]
        subject = Subject(points, points, torch.zeros(1, 1), template, torch.zeros(1, 1))
        found = _as_template(2 * one.picture.movedim(-1, 0)[None] - 1, subject, look)
        assert float((found - template).abs().mean()) < 0.01


def test_the_median_and_damaged_lines(tmp_path: Path) -> None:
    assert (median([]), median([3]), median([4, 1]), median([5, 1, 3])) == (0, 3, 1, 3)
    note(tmp_path, 0, "a", "", {"quality": 1})
    (tmp_path / "progress_001.jsonl").write_text("nonsense\n")
    with pytest.raises(ValueError, match="line 1 is damaged"):
        read_progress(tmp_path)


def test_the_hosts_landmarker_is_read_without_the_host(
    tmp_path: Path, seen: dict[str, Seen], comfyui: Path
) -> None:
    """Untrained weights: the network sees a face in noise too, and the blendshapes are its own numbers."""
    from safetensors.torch import save_file

    from training.emojidiff.data.filter import open_landmarker

    with pytest.raises(ValueError, match="has no face landmarker"):
        open_landmarker(tmp_path, tmp_path)
    save_file({"x": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="no face landmarker of ComfyUI: it lacks"):
        open_landmarker(comfyui, tmp_path / "other.safetensors")
    from comfy_extras.mediapipe.face_landmarker import FaceLandmarker

    torch.manual_seed(0)
    network = FaceLandmarker(detector_variant="short")
    tensors = {
        name.replace("detector.", "detector_short.", 1): (torch.randn_like(value) * 0.05).contiguous()
        for name, value in network.state_dict().items()
    }
    save_file(tensors, tmp_path / "mediapipe.safetensors")
    measure = Measure(open_landmarker(comfyui, tmp_path / "mediapipe.safetensors"))
    reading = measure.read(seen["biden"].faces)[0]
    assert reading is not None and reading.blendshapes is not None and len(reading.blendshapes) == 52
