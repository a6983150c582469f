"""Training PVA on tiny networks, from the command line to the file. Spec A.5, A.9 (A9, A10)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from support import pva_files
from support import pva_training as tiny
from support.patience import PATIENCE

from installer.paths import REPOSITORY
from likeness.faces.iresnet import build_iresnet
from likeness.methods.pva.content import parse_base
from training import checkpoints
from training.pva import base as pva_base
from training.pva import export
from training.pva.lesson import Batch, PVALesson
from training.trackers import read_log
from training.unets import token_ids

Train = Callable[..., PVALesson]
SMALL = {"timesteps": 2, "batch": 1}


def lesson(files: SimpleNamespace, **options: object) -> PVALesson:
    torch.manual_seed(0)
    encoder = build_iresnet(pva_files.face_net(), "face encoder")
    return PVALesson(pva_base.load(str(files.base)), encoder, **options)


def batch() -> Batch:
    source = torch.Generator().manual_seed(1)
    pictures, faces = (
        torch.rand(1, 3, 64, 64, generator=source),
        torch.rand(1, 2, 3, 112, 112, generator=source),
    )
    holes = torch.zeros(1, 1, 64, 64)
    holes[..., 16:48, 16:48] = 1
    return Batch(2 * pictures - 1, holes, 2 * faces - 1, ["photo of a <new1> person"])


def gradients(taught: PVALesson) -> dict[str, torch.Tensor]:
    with torch.no_grad():
        prepared = taught.prepare_batch(batch(), torch.Generator().manual_seed(2))
    taught.transformer.eval()  # dropout would differ
    taught(prepared, 0).backward()
    return {name: value.grad for name, value in taught.trained().items()}


def test_the_loss_falls_and_only_what_is_declared_moves(
    files: SimpleNamespace, train: Train, tmp_path: Path
) -> None:
    watch = {
        "validate_every": 6,
        "validation_batches": 1,
        "sample_every": 12,
        "sample_steps": 2,
        "samples": 1,
    }
    taught = train(tmp_path, steps=12, rate=300, timesteps=2, **watch)
    held_out = [line["held-out loss"] for line in read_log(tmp_path) if "held-out loss" in line]
    assert len(held_out) == 2 and held_out[1] < held_out[0] - 0.02
    assert Image.open(tmp_path / "samples" / "step_00000012.png").size == (4 * 260 - 4, 2 * 260 - 4)
    fresh = lesson(files)
    moving = {id(parameter) for parameter in taught.trained().values()}
    frozen = {k: v for k, v in taught.state_dict(keep_vars=True).items() if id(v) not in moving}
    before = fresh.state_dict()
    assert len(frozen) > 500 and all(torch.equal(frozen[name], before[name]) for name in frozen)
    for name, value in taught.trained().items():
        if not name.startswith("transform_network"):  # which begins at random
            assert not torch.equal(value, fresh.trained()[name]), name


def test_learning_rates_are_the_specs(files: SimpleNamespace) -> None:
    groups = {group["name"]: group for group in lesson(files, stage=2).groups(8)}
    rates = {name: group["lr"] for name, group in groups.items()}
    assert rates == pytest.approx(
        {"unet": 8e-6, "transform_network": 3.2e-5, "modifier_vec": 1e-3, "face_net": 8e-6}
    )
    assert len(groups["unet"]["params"]) == 48 and "face_net" not in {
        g["name"] for g in lesson(files).groups(8)
    }


def test_the_beginnings(files: SimpleNamespace) -> None:
    taught = lesson(files)
    named, unet = taught.trained(), taught.unet
    for name, value in named.items():
        if name.startswith("unet."):
            own = name.removeprefix("unet.").replace("to_visual_", "to_")
            assert torch.equal(value, unet.get_parameter(own))
    row = taught.word.table.weight[taught.tokenizer.eos_token_id]
    assert torch.equal(named["modifier_vec"], row)
    assert (
        not taught.transformer.pos_enc.any() and 0.9 < float(taught.transformer.q_tokens.detach().std()) < 1.1
    )


def test_the_word_counts_at_its_first_place(files: SimpleNamespace) -> None:
    taught = lesson(files)
    ids = token_ids(taught.tokenizer, ["a <new1> <new1>"])
    places = (ids[0] == taught.word.number).nonzero().flatten().tolist()
    vectors = taught.word(ids)[0]
    assert len(places) == 2
    assert torch.equal(vectors[places[0]], taught.word.vector) and not vectors[places[1]].any()


def test_gradients_reach_everything_with_and_without_checkpointing(files: SimpleNamespace) -> None:
    plain, saving = (gradients(lesson(files, stage=2, checkpointing=on)) for on in (False, True))
    assert sum("to_visual" in name for name in plain) == 48
    for name, gradient in plain.items():
        assert gradient is not None and bool(gradient.any()), name
        assert torch.allclose(gradient, saving[name], atol=1e-6), name


def test_going_on_is_as_if_it_had_not_stopped(train: Train, tmp_path: Path) -> None:
    train(tmp_path / "whole", steps=4, **SMALL)
    train(tmp_path / "parts", steps=2, **SMALL)
    train(tmp_path / "parts", steps=4, **SMALL)
    a, b = (checkpoints.read(checkpoints.latest(tmp_path / n / "checkpoints")) for n in ("whole", "parts"))
    assert a.step == b.step == 4
    assert all(torch.equal(value, b.tensors[name]) for name, value in a.tensors.items())
    for n, state in a.optimiser["state"].items():
        assert all(torch.equal(value, b.optimiser["state"][n][key]) for key, value in state.items())
    assert read_log(tmp_path / "whole") == read_log(tmp_path / "parts")


def test_stage_2_tunes_the_face_encoder_but_not_its_statistics(
    files: SimpleNamespace, train: Train, tmp_path: Path
) -> None:
    train(tmp_path / "1", steps=1, **SMALL)
    first = tmp_path / "1" / "pva_stage1_000001.safetensors"
    parsed = parse_base(load_file(first), "stage 1")
    assert parsed.face_net is None and len(parsed.unet) == 48 and parsed.transformer.token_width == tiny.WIDTH
    train(tmp_path / "2", steps=1, stage=2, start=first, format="bin", **SMALL)
    content = torch.load(tmp_path / "2" / "pva_stage2_000001.bin", weights_only=True)
    assert set(content) == {"modifier_vec", "transform_network", "unet", "face_net"}
    tuned = parse_base(content, "stage 2").face_net.state_dict()
    for name, value in build_iresnet(pva_files.face_net(), "before").state_dict().items():
        still = "running" in name or "num_batches" in name
        assert torch.equal(value, tuned[name]) == still, name


def test_bf16_learns_in_float32_weights(train: Train, tmp_path: Path) -> None:
    taught = train(tmp_path, steps=1, precision="bf16", **SMALL)
    assert all(value.dtype == torch.float32 for value in taught.trained().values())
    assert len(export.read_base(next(tmp_path.glob("*.safetensors"))).unet) == 48


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"stage": 2}, "goes on from stage 1's file"),
        ({"base": "nowhere.safetensors"}, "--base nowhere.safetensors is not there"),
        ({"data": "nowhere"}, "--data nowhere is no folder"),
        ({"face_encoder": "absent.pth"}, r"absent\.pth can't be read as weights"),
    ],
)
def test_bad_options_are_one_sentence(train: Train, tmp_path: Path, changes: dict, sentence: str) -> None:
    with pytest.raises(SystemExit, match=sentence):
        train(tmp_path, steps=1, **changes)


def test_a_base_that_does_not_inpaint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"is no inpainting model: its network takes 4 channels"):
        pva_base.load(str(tiny.write_base(tmp_path / "base", in_channels=4)))


def test_two_processes_learn_the_same(files: SimpleNamespace, tmp_path: Path) -> None:
    """Each keeps what it learnt: the gradients of both are in it, so they are equal."""
    script = tmp_path / "run.py"
    script.write_text(
        "import os, sys, torch\n"
        f"sys.path.insert(0, {str(REPOSITORY)!r})\n"
        "from training.pva import main\n"
        "torch.set_num_threads(1)\n"
        "lesson = main(sys.argv[1:])\n"
        "values = {name: value.detach() for name, value in lesson.trained().items()}\n"
        f"torch.save(values, os.path.join({str(tmp_path)!r}, 'rank' + os.environ['RANK'] + '.pt'))\n"
    )
    # accelerate's own launcher needs MPI for several processes on CPUs; torch's sets what both read.
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    line = tiny.command(files, tmp_path / "out", steps=2, **SMALL)
    subprocess.run([sys.executable, *launch, str(script), *line], check=True, timeout=PATIENCE, cwd=tmp_path)
    one, other = (torch.load(tmp_path / f"rank{n}.pt", weights_only=True) for n in (0, 1))
    assert all(torch.equal(value, other[name]) for name, value in one.items())
    saved = checkpoints.read(checkpoints.latest(tmp_path / "out" / "checkpoints"))
    assert saved.settings["effective batch"] == 4
    assert all(torch.equal(value, saved.tensors[name]) for name, value in one.items())
