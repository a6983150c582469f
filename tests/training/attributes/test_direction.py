"""A direction learning on tiny networks: what moves, what falls, going on bit for bit, the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors import safe_open
from support import emoji_training as tiny

from training import checkpoints
from training.attributes.lesson import AttributeLesson, Course
from training.attributes.rows import subject_rows
from training.attributes.samples import Prompts, Samples
from training.attributes.trainer import main
from training.chance import generator
from training.text_to_image import load_base
from training.trackers import read_log

Train = Callable[..., AttributeLesson]
ONE = Prompts("a man", "a x man", "a y man", "man")


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    folder = tmp_path_factory.mktemp("attributes")
    (folder / "pairs.txt").write_text("old man | new man\nold hat | new hat\n", encoding="utf-8")
    (folder / "prefixes.txt").write_text("a\n{my,our} {,big}\n", encoding="utf-8")
    few = tiny.write_base(folder / "few", **tiny.FEW)
    return SimpleNamespace(folder=folder, few=few, sdxl=tiny.write_base(folder / "sdxl", "sdxl"))


@pytest.fixture
def train(bases: SimpleNamespace) -> Train:
    def run(output: Path, base: Path | None = None, **options: object) -> AttributeLesson:
        usual = {"base": base or bases.few, "pairs": bases.folder / "pairs.txt", "name": "age", "size": 64}
        usual |= {"prefixes": bases.folder / "prefixes.txt", "parts": 2, "scales": 2, "draw_steps": 3}
        line = ["--cpu"]
        usual |= {"validate_every": 0, "sample_every": 0, "output": output}
        for name, value in {**usual, **options}.items():
            line += [f"--{name.replace('_', '-')}", *(str(value).split())]
        return main(line)

    return run


def lesson(base: Path, **course: Any) -> AttributeLesson:
    return AttributeLesson(load_base(str(base)), Course(64, parts=1, scales=2, steps=4, **course))


def test_the_loss_falls_and_only_the_direction_moves(
    bases: SimpleNamespace, train: Train, tmp_path: Path
) -> None:
    watch = {"validate_every": 10, "validation_batches": 2, "sample_every": 20, "samples": 1}
    taught = train(tmp_path, steps=20, **watch)
    held_out = [line["held-out loss"] for line in read_log(tmp_path) if "held-out loss" in line]
    untaught = lesson(bases.few)
    assert len(held_out) == 2 and held_out[1] < held_out[0]
    (direction,) = taught.trained().values()
    assert direction.shape == (tiny.WIDTH,) and bool(direction.any()) and direction.dtype == torch.float32
    frozen = {name: value for name, value in taught.state_dict().items() if not name.startswith("direction")}
    before = untaught.state_dict()
    assert len(frozen) > 100 and all(torch.equal(value, before[name]) for name, value in frozen.items())
    assert Image.open(tmp_path / "samples" / "step_00000020.png").size == (5 * 260 - 4, 256)
    assert read_log(tmp_path)[-1]["length clip_l"] == pytest.approx(float(direction.detach().norm()))


def test_a_direction_learns_what_the_phrases_change(bases: SimpleNamespace) -> None:
    """The same task again and again: the error must fall to a small part of what no direction has."""
    taught = lesson(bases.few)
    with torch.no_grad():
        prepared = taught.prepare_batch([[ONE]], generator("task"))
    optimiser = torch.optim.AdamW(taught.groups(1))
    losses = []
    for _ in range(40):
        loss = taught(prepared, 0)
        losses.append(float(loss.detach()))
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    assert min(losses[-5:]) < 0.5 * losses[0]


def test_it_begins_as_nothing_and_is_added_to_the_subjects_rows_alone(bases: SimpleNamespace) -> None:
    taught = lesson(bases.sdxl)
    assert {name: value.shape for name, value in taught.trained().items()} == {
        "clip_l": (tiny.WIDTH,),
        "clip_g": (tiny.WIDTH,),
    }
    assert not any(value.any() for value in taught.trained().values())
    text = taught.encoded(["a man", "a man"])["text"]
    rows = taught.rows([ONE, ONE])
    assert torch.equal(taught.edited(text, rows, torch.tensor([1.0, -3.0])), text)
    with torch.no_grad():
        taught.direction["clip_l"].fill_(1)
        taught.direction["clip_g"].fill_(2)
    changed = taught.edited(text, rows, torch.tensor([1.0, -3.0])) - text
    assert rows[0].nonzero().flatten().tolist() == [2, 3, 4]  # the tiny tokeniser cuts into letters
    assert not changed[~rows].any()
    wanted = torch.tensor([1.0] * tiny.WIDTH + [2.0] * tiny.WIDTH)
    assert torch.allclose(changed[0, 2], wanted, atol=1e-5)
    assert torch.allclose(changed[1, 4], -3 * wanted, atol=1e-5)


def test_the_target_is_the_step_between_the_phrases_times_the_scale(bases: SimpleNamespace) -> None:
    """Of several prompts at once, each with scales of its own, in the order of its latents."""
    taught, other = lesson(bases.sdxl), Prompts("my hat", "my x hat", "my y hat", "hat")
    with torch.no_grad():
        (made,) = taught.prepare_batch([[ONE, other]], generator("target"))
        assert len(made["scales"]) == len(made["noisy"]) == len(made["rows"]) == 4
        assert not torch.equal(made["noisy"][0], made["noisy"][2])
        for n, prompts in enumerate((ONE, ONE, other, other)):
            noisy, time = made["noisy"][n : n + 1], int(made["time"])
            plain, more, less = (
                taught.clean(noisy, time, taught.encoded([text]))
                for text in (prompts.neutral, prompts.positive, prompts.negative)
            )
            wanted = plain + made["scales"][n] * (more - less)
            assert torch.allclose(made["target"][n], wanted[0], rtol=1e-3, atol=1e-4)
    assert torch.equal(made["rows"][2], taught.rows([other])[0])
    assert bool(((made["scales"].abs() >= 0.1) & (made["scales"].abs() <= 5)).all())


def test_optimiser_and_beginning_are_the_specs(bases: SimpleNamespace) -> None:
    (group,) = lesson(bases.few).groups(10)
    assert (group["lr"], group["betas"], group["weight_decay"]) == (0.1, (0.5, 0.8), 0.333)


def test_going_on_is_as_if_it_had_not_stopped(bases: SimpleNamespace, train: Train, tmp_path: Path) -> None:
    train(tmp_path / "whole", steps=4)
    train(tmp_path / "parts", steps=2)
    train(tmp_path / "parts", steps=4)
    a, b = (checkpoints.read(checkpoints.latest(tmp_path / n / "checkpoints")) for n in ("whole", "parts"))
    assert a.step == b.step == 4
    assert all(torch.equal(value, b.tensors[name]) for name, value in a.tensors.items())
    for n, state in a.optimiser["state"].items():
        assert all(torch.equal(value, b.optimiser["state"][n][key]) for key, value in state.items())
    assert read_log(tmp_path / "whole") == read_log(tmp_path / "parts")


def test_the_file_is_one_for_load_attribute(bases: SimpleNamespace, train: Train, tmp_path: Path) -> None:
    taught = train(tmp_path, base=bases.sdxl, steps=1, parts=1, gradient_checkpointing="")
    with safe_open(tmp_path / "age_000001.safetensors", "pt") as file:
        facts = file.metadata()
        assert set(file.keys()) == {"age.clip_l", "age.clip_g"}
        assert torch.equal(file.get_tensor("age.clip_g"), taught.trained()["clip_g"].detach())
    assert facts["names"] == "age" and facts["kind"] == "learned" and facts["base_model"] == "sdxl"


def test_prompts_depend_on_the_step_alone(bases: SimpleNamespace) -> None:
    from likeness.methods.attributes.recipe import read_pairs

    made = Samples(read_pairs("old man | new man\nold hat | new hat"), ("", "a"), count=2, parts=3, seed=1)
    assert made[5] == made[5] and made[5] != made[6]
    assert len(made[0]) == 3 and len(made[0][0]) == 2 and made.combinations == 4
    assert {made.prompts(n).neutral for n in range(4)} == {"man", "hat", "a man", "a hat"}
    assert made.prompts(2) == Prompts("a man", "a old man", "a new man", "man")


def test_a_prompt_longer_than_the_text_encoder_is_said(bases: SimpleNamespace) -> None:
    tokenizer = load_base(str(bases.few)).tokenizers[0]
    with pytest.raises(ValueError, match=r"does not end with 'man' .* Shorten the prefix"):
        subject_rows(tokenizer, ["abcdefghijklmnopqrstuvwxyz man"], ["man"])


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"pairs": "nowhere.txt"}, r"--pairs nowhere\.txt can't be read"),
        ({"base": "nowhere"}, "is no folder in diffusers' layout"),
        ({"scale_range": "5 1"}, "the smaller one first"),
        ({"name": "a,b"}, "is no attribute's name"),
    ],
)
def test_bad_options_are_one_sentence(train: Train, tmp_path: Path, changes: dict, sentence: str) -> None:
    with pytest.raises(SystemExit, match=sentence):
        train(tmp_path, steps=1, parts=1, **changes)
