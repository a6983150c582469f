"""An E-adapter learning on tiny networks: what moves, what falls, going on bit for bit, files. C10."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from accelerate.state import AcceleratorState
from support import emoji_training as tiny
from support import pva_files

from installer.paths import photos_folder, shared_models
from likeness.methods.emojidiff.adapter import parse
from likeness.weights.catalogue import catalogue
from training.chance import generator
from training.emojidiff import base as emoji_base
from training.emojidiff.export import export, read_adapter
from training.emojidiff.ica import Weights
from training.emojidiff.ica_lesson import ICALesson
from training.emojidiff.lesson import Course, EmojiLesson, left_out
from training.emojidiff.people import People
from training.emojidiff.samples import Samples, jittered
from training.emojidiff.trainer import main
from training.emojidiff.triplets import Triplet, read_triplets
from training.text_to_image import load_base
from training.trackers import read_log

NOBODY = People({}, {})


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("emoji")
    save_file(tiny.identity_adapter(), folder / "faceid.safetensors")
    torch.save(pva_files.face_net(), folder / "arcface.pth")
    return SimpleNamespace(
        folder=folder,
        sd15=tiny.write_base(folder / "sd15"),
        sdxl=tiny.write_base(folder / "sdxl", "sdxl"),
        few=tiny.write_base(folder / "few", **tiny.FEW),
        clip=tiny.write_vision(folder / "clip"),
        triplets=tiny.write_toys(folder / "toys"),
        identity=folder / "faceid.safetensors",
        arcface=folder / "arcface.pth",
    )


def lesson(toys: SimpleNamespace, kind: str = "sd15", ica: bool = False, **course: Any) -> EmojiLesson:
    torch.manual_seed(0)
    parts = load_base(str(getattr(toys, kind))), emoji_base.load_vision(str(toys.clip))
    identity = emoji_base.load_identity(toys.identity) if kind == "sd15" else None
    sizes = tiny.SMALL if kind != "sdxl" else tiny.Sizes(tiny.VISION, 2 * tiny.WIDTH, 64, 1, 1, 4, 2)
    rest = identity, None, Course(1e-2, **course), sizes
    if ica:
        from training.reading import read_face_encoder

        return ICALesson(read_face_encoder(toys.arcface), Weights(1, 1, 1, 1000), *parts, *rest)
    return EmojiLesson(*parts, *rest)


def samples(toys: SimpleNamespace, count: int = 4, **more: Any) -> Samples:
    people = NOBODY
    triplets = read_triplets(toys.triplets)
    if more.pop("people", True):
        faces = {Path(str(n)): torch.full((112, 112, 3), 50 * n, dtype=torch.uint8) for n in range(4)}
        vectors = {path: torch.randn(512, generator=generator(str(path))) for path in faces}
        people = People(faces, vectors)
        triplets = [
            Triplet(t.expression, t.target, Path(str(n)), t.caption, t.landmarks)
            for n, t in enumerate(triplets)
        ]
    return Samples(triplets, people, count, tiny.SIDE, **more)


def learn(made: EmojiLesson, data: Samples, steps: int) -> list[float]:
    optimiser = torch.optim.AdamW(made.groups(1), weight_decay=0.01)
    losses = []
    for step in range(steps):
        with torch.no_grad():
            prepared = made.prepare_batch(data[step], generator("noise", step))
        loss = sum(made(prepared, part) / made.parts for part in range(made.parts))
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        losses.append(float(loss.detach()))
    return losses


def test_two_hundred_steps_on_four_triplets_lower_the_loss_and_move_nothing_else(
    toys: SimpleNamespace,
) -> None:
    made, data = lesson(toys, "few"), samples(toys)
    before = {name: value.clone() for name, value in made.state_dict(keep_vars=False).items()}
    learnt = {id(parameter) for parameter in made.trained().values()}
    losses = learn(made, data, 200)
    assert sum(losses[-40:]) / 40 < 0.9 * sum(losses[:10]) / 10
    for name, value in made.state_dict(keep_vars=True).items():
        assert torch.equal(value.detach(), before[name]) == (id(value) not in learnt), name
    assert len(learnt) == 2 * 4 + len(made.resampler.state_dict())


@pytest.mark.parametrize("kind", ["sd15", "sdxl"])
def test_gradients_reach_what_learns_and_nothing_else(toys: SimpleNamespace, kind: str) -> None:
    made = lesson(toys, kind, checkpointing=kind == "sdxl")
    prepared = made.prepare_batch(samples(toys, 2, people=kind == "sd15")[0], generator(1))
    made(prepared, 0).backward()
    learnt = made.trained()
    assert [name for name, p in learnt.items() if p.grad is None or not p.grad.abs().max() > 0] == []
    others = [
        n for n, p in made.named_parameters() if p.requires_grad and id(p) not in map(id, learnt.values())
    ]
    assert others == []


@pytest.mark.parametrize("term", ["identity", "alignment", "expression"])
def test_each_image_term_reaches_keys_values_and_resampler(toys: SimpleNamespace, term: str) -> None:
    """C11: what is left when the noise term's gradient is taken away is the term's own."""
    made = lesson(toys, ica=True)
    assert isinstance(made, ICALesson)
    made.weights = Weights(**{"identity": 0, "alignment": 0, "expression": 0, term: 1}, cut=1000)
    prepared = made.prepare_batch(samples(toys, 2)[0], generator(1))
    made(prepared, 0).backward()
    full = {name: p.grad.clone() for name, p in made.trained().items()}
    assert float(made.terms[term]) > 0
    for p in made.trained().values():
        p.grad = None
    made({**prepared, "whole": torch.zeros(2, dtype=torch.bool)}, 0)
    assert float(made.terms[term]) == 0  # nothing was said, so nothing is judged
    made.weights = Weights(1, 1, 1, cut=0)
    made(prepared, 0).backward()
    assert float(made.terms[term]) == 0
    for name, p in made.trained().items():
        assert not torch.equal(p.grad, full[name]), name
    frozen = [*made.unet.parameters(), *made.vae.parameters(), *made.recognise.parameters()]
    frozen += [*made.vision.parameters(), *made.texts.parameters()]
    learnt = set(map(id, made.trained().values()))
    assert all(p.grad is None for p in frozen if id(p) not in learnt)


def test_the_terms_are_equal_with_checkpointing(toys: SimpleNamespace) -> None:
    """Layers that are run again on the way back see the expression, though one pass went without."""
    gradients = []
    for checkpointing in (False, True):
        made = lesson(toys, ica=True, checkpointing=checkpointing)
        made(made.prepare_batch(samples(toys, 2)[0], generator(1)), 0).backward()
        gradients.append({name: p.grad for name, p in made.trained().items()})
    for name, one in gradients[0].items():
        assert torch.allclose(one, gradients[1][name], atol=1e-6), name


def test_parts_average_to_the_whole(toys: SimpleNamespace) -> None:
    gradients = []
    for parts in (1, 2):
        made = lesson(toys, parts=parts)
        prepared = made.prepare_batch(samples(toys)[0], generator(1))
        for part in range(parts):
            (made(prepared, part) / parts).backward()
        gradients.append(made.resampler.latents.grad)
    assert torch.allclose(*gradients, atol=1e-5)


def test_tokens_know_nothing_of_who_it_is(toys: SimpleNamespace) -> None:
    made, data = lesson(toys), samples(toys, augment=False)
    learn(made, samples(toys), 5)
    batch = data[0]
    other = batch._replace(vectors=batch.vectors.flip(0), faces=batch.faces.flip(0), texts=["else"] * 4)
    with torch.no_grad():
        one, two = (
            made.prepare_batch(b, generator("some seed with nothing left out", 7)) for b in (batch, other)
        )
        assert not torch.equal(one["person"], two["person"])
        assert torch.equal(made.resampler(one["features"]), made.resampler(two["features"]))


def test_one_in_twenty_goes_without(toys: SimpleNamespace) -> None:
    out = left_out(200_000, generator(3))
    once = 1 - 0.95 * 0.95
    assert out.float().mean(dim=1).tolist() == pytest.approx([once] * 3, abs=0.003)
    assert float(out.all(dim=0).float().mean()) == pytest.approx(0.05, abs=0.003)
    made = lesson(toys)
    nothing = torch.ones(2, dtype=torch.bool)
    zero = made.person(torch.randn(2, 512), nothing)
    assert torch.equal(zero, made.person(torch.zeros(2, 512), ~nothing))


def test_a_mirror_turns_target_template_and_points_together(toys: SimpleNamespace) -> None:
    plain = samples(toys, augment=False)[0]
    for number in range(20):
        turned = samples(toys, seed=number)[0]
        for i, text in enumerate(turned.texts):
            k = plain.texts.index(text)
            same = torch.equal(turned.pictures[i], plain.pictures[k])
            assert same or torch.equal(turned.pictures[i], plain.pictures[k].flip(-1))
            shape = turned.templates[i].amax(dim=0) > 0.05
            expected = plain.templates[k].amax(dim=0) > 0.05
            assert (shape == (expected if same else expected.flip(-1))).float().mean() > 0.97
            if not same:
                points = plain.points[k][[1, 0, 2, 4, 3]]
                mirrored = torch.stack([tiny.SIDE - 1 - points[:, 0], points[:, 1]], dim=1)
                assert torch.allclose(turned.points[i], mirrored, atol=1e-4)


def test_jitter_changes_colours_inside_and_nothing_outside() -> None:
    template = tiny.toy_template(1)
    made = [jittered(template, generator(n)) for n in range(8)]
    outside = template.amax(dim=0) == 0
    for one in made:
        assert float(one[:, outside].abs().max()) == 0 and 0 <= float(one.min()) <= float(one.max()) <= 1
    assert len({round(float(one.mean()), 5) for one in made}) == 8
    assert torch.equal(made[0], jittered(template, generator(0)))


def test_the_file_is_what_the_nodes_read(toys: SimpleNamespace, tmp_path: Path) -> None:
    from safetensors import safe_open

    made = lesson(toys)
    export(made, tmp_path / "made.safetensors", "tiny")
    with safe_open(tmp_path / "made.safetensors", "pt") as file:
        facts = file.metadata()
    assert facts == {
        "format": "emojidiff-style/1",
        "base": "sd15",
        "clip": "tiny",
        "template": "aligned-masked-v1",
        "layers": "all",
    }
    tensors = read_adapter(tmp_path / "made.safetensors")
    adapter = parse(tensors, facts, "made")
    features = torch.randn(2, 17, tiny.VISION)
    assert torch.allclose(adapter.projector(features), made.resampler(features), atol=1e-5)
    assert len(adapter.layers.pairs) == 16
    again = EmojiLesson(load_base(str(toys.sd15)), emoji_base.load_vision(str(toys.clip)), None, tensors)
    for name, value in again.trained().items():
        assert torch.equal(value, made.trained()[name])
    with torch.no_grad():
        made.resampler.latents[:] = torch.nan
    with pytest.raises(ValueError, match=r"image_proj\.latents holds NaN"):
        export(made, tmp_path / "broken.safetensors", "tiny")
    assert not (tmp_path / "broken.safetensors").exists()


def command(toys: SimpleNamespace, stage: str, output: Path, *more: object, **options: object) -> list[str]:
    usual: dict[str, object] = {
        "data": toys.triplets,
        "base": toys.sd15,
        "clip": toys.clip,
        "output": output,
        "size": tiny.SIDE,
    }
    if stage != "data":
        usual |= {"batch": 2, "workers": 0, "validate_every": 0, "sample_every": 0, "held_out": 0}
    line = [stage, "--cpu", *map(str, more)]
    for name, value in {**usual, **options}.items():
        line += [f"--{name.replace('_', '-')}", str(value)]
    return line


@pytest.fixture(scope="module")
def adapter(toys: SimpleNamespace) -> Path:
    path = toys.folder / "start.safetensors"
    export(lesson(toys), path, "tiny")
    return path


@pytest.mark.parametrize("stage", ["decoupled", "ica"])
def test_a_broken_run_goes_on_bit_for_bit(
    toys: SimpleNamespace, tmp_path: Path, adapter: Path, stage: str
) -> None:
    more: dict[str, Any] = {"start": adapter, "warm_up": 3}
    if stage == "ica":
        photo = photos_folder() / "obama.jpg"
        with_people = tiny.write_toys(tmp_path / "people", identity=photo)
        more |= {"face_encoder": toys.arcface, "cut": 900, "data": with_people}
    main(command(toys, stage, tmp_path / "whole", steps=4, **more))
    main(command(toys, stage, tmp_path / "broken", steps=2, **more))
    # What was the usual precision, where no card is, may as well be named.
    main(command(toys, stage, tmp_path / "broken", steps=4, **more, precision="fp32"))
    files = [tmp_path / name / f"emojidiff_{stage}_000004.safetensors" for name in ("whole", "broken")]
    one, two = map(read_adapter, files)
    start = read_adapter(adapter)
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert any(not torch.equal(one[name], start[name]) for name in one)
    logs = [read_log(tmp_path / name) for name in ("whole", "broken")]
    assert [line["loss"] for line in logs[0]] == [line["loss"] for line in logs[1]]
    with pytest.raises(SystemExit, match="a run with other settings: rate was"):
        main(command(toys, stage, tmp_path / "broken", steps=5, **more, rate=3e-4))


def test_the_rate_grows_while_it_warms_up(toys: SimpleNamespace, tmp_path: Path, adapter: Path) -> None:
    start, moved = read_adapter(adapter), []
    for warm_up in (0, 10):
        output = tmp_path / str(warm_up)
        main(command(toys, "decoupled", output, start=adapter, steps=1, warm_up=warm_up, rate=1e-3))
        made = read_adapter(output / "emojidiff_decoupled_000001.safetensors")
        moved.append(max(float((made[name] - start[name]).abs().max()) for name in made))
    # AdamW's first step is as long as its rate, whatever the gradient; and a little decay.
    assert moved[0] == pytest.approx(1e-3, rel=0.1) and moved[1] == pytest.approx(1e-4, rel=0.1)


@pytest.mark.parametrize("stage", ["decoupled", "ica"])
def test_half_precision_learns_too_and_goes_on_so(
    toys: SimpleNamespace, tmp_path: Path, adapter: Path, stage: str
) -> None:
    more: dict[str, Any] = {"start": adapter, "steps": 1, "precision": "bf16", "rate": 1e-3}
    if stage == "ica":
        more |= {"face_encoder": toys.arcface, "cut": 1000}
    main(command(toys, stage, tmp_path, "--gradient-checkpointing", **more))
    made, start = read_adapter(tmp_path / f"emojidiff_{stage}_000001.safetensors"), read_adapter(adapter)
    assert all(value.dtype == torch.float32 for value in made.values())
    assert any(not torch.equal(made[name], start[name]) for name in made)
    AcceleratorState._reset_state(reset_partial_state=True)  # as in a process of its own
    del more["precision"]
    with pytest.raises(SystemExit, match="precision was 'bf16', is 'no'"):
        main(command(toys, stage, tmp_path, "--gradient-checkpointing", **more))


@pytest.mark.parametrize("kind", ["sd15", "sdxl"])
def test_curves_and_pictures_while_it_learns_beside_an_identity_adapter(
    toys: SimpleNamespace, tmp_path: Path, kind: str
) -> None:
    from safetensors.torch import save_file

    save_file(tiny.identity_adapter(kind), tmp_path / "faceid.safetensors")
    data = tiny.write_toys(tmp_path / "people", identity=photos_folder() / "obama.jpg")
    sface = shared_models() / catalogue()["embedded/sface"].place
    more = {"identity_adapter": tmp_path / "faceid.safetensors", "recogniser": sface, "data": data}
    more |= {"base": getattr(toys, kind), "sample_steps": 2, "samples": 1, "validation_batches": 1}
    export(lesson(toys, kind), tmp_path / "start.safetensors", "tiny")
    more |= {"steps": 2, "validate_every": 2, "sample_every": 2, "held_out": 0.25, "parts": 2}
    run = tmp_path / "run"
    made = main(command(toys, "decoupled", run, start=tmp_path / "start.safetensors", **more))
    last = read_log(run)[-1]
    assert last["held-out loss"] > 0 and last["drawn faces"] == 0  # noise has no faces
    assert (run / "samples" / "step_00000002.png").is_file()
    assert made.person_tokens == 4 and made.kind == kind
    assert (run / "people.safetensors").is_file()


def test_stage_zero_makes_its_triplets_out_of_portraits(
    toys: SimpleNamespace, tmp_path: Path, adapter: Path, photos: dict[str, Any]
) -> None:
    people = tmp_path / "people"
    for name, photo in (("a/1", "obama"), ("a/2", "obama2"), ("b/1", "biden"), ("cup", "coffee")):
        pixels = torch.from_numpy(photos[photo].copy()).float().movedim(-1, 0) / 255
        side = min(pixels.shape[1:])
        tiny.save(pixels[:, :side, :side], people / f"{name}.png")
    (people / "captions.json").write_text(json.dumps({"a/2.png": "a man laughs"}))
    output = tmp_path / "run"
    main(command(toys, "base", output, data=people, start=adapter, steps=1))
    found = {t.target.relative_to(people).as_posix(): t for t in read_triplets(output / "portraits")}
    assert sorted(found) == ["a/1.png", "a/2.png", "b/1.png"]
    assert found["a/1.png"].identity == people / "a/2.png"
    assert found["b/1.png"].identity == people / "b/1.png"
    assert found["a/2.png"].caption == "a man laughs"
    assert found["a/1.png"].landmarks is not None
    template = tiny.Image.open(found["a/1.png"].expression)
    assert template.size == (224, 224) and template.getpixel((0, 0)) == (0, 0, 0)
    assert (output / "emojidiff_base_000001.safetensors").is_file()
    with pytest.raises(
        SystemExit, match=r"holds the portraits of .*people, not of .*a\. Give another --output"
    ):
        main(command(toys, "base", output, data=people / "a", start=adapter, steps=1))


def test_bad_input_is_one_sentence(toys: SimpleNamespace, tmp_path: Path, adapter: Path) -> None:
    def refused(*more: object, stage: str = "decoupled", **options: object) -> str:
        with pytest.raises(SystemExit) as error:
            main(command(toys, stage, tmp_path / "run", *more, **{"steps": 1, "start": adapter, **options}))
        return str(error.value)

    assert "holds no triplets" in refused(data=_list(tmp_path / "empty", ""))
    assert "line 2 is no triplet: it has no target" in refused(
        data=_list(tmp_path / "bad", '{"expression": "a", "target": "b"}\n{"expression": "a"}\n')
    )
    assert "can't be divided into --parts 3" in refused(parts=3)
    assert "is not there" in refused(data=_list(tmp_path / "gone", '{"expression": "a", "target": "b.png"}'))
    assert "needs vectors of who it is: give --recogniser" in refused(identity_adapter=toys.identity)
    export(lesson(toys, "sdxl"), tmp_path / "sdxl.safetensors", "tiny")
    of_sdxl = {"base": toys.sdxl, "start": tmp_path / "sdxl.safetensors"}
    assert "made for another base" in refused(**of_sdxl, identity_adapter=toys.identity)
    assert "takes 64" in refused(base=toys.sdxl)
    (tmp_path / "x.safetensors").write_bytes(b"no weights")
    assert "can't be read as weights" in refused(start=tmp_path / "x.safetensors")
    assert "needs landmarks in every triplet" in refused(
        stage="ica",
        face_encoder=toys.arcface,
        data=_list(toys.triplets.parent, _without_landmarks(toys.triplets), "plain.jsonl"),
    )


def _list(folder: Path, text: str, name: str = "triplets.jsonl") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    return folder / name


def _without_landmarks(path: Path) -> str:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return "".join(json.dumps({k: v for k, v in line.items() if k != "landmarks"}) + "\n" for line in lines)
