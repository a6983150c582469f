"""An adapter of InstantID's kind learning on tiny networks: what moves, what falls, going on, its file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors import safe_open
from support import emoji_training as tiny
from support import pva_training
from support.tiny_faces import write_recogniser

from installer.paths import photos_folder, shared_models
from likeness.adapters import AdapterLayers
from likeness.adapters.projectors import Resampler as Projector
from training import checkpoints
from training.adapter.export import export, read_adapter
from training.adapter.faces import Known, find_faces, looker
from training.adapter.lesson import AdapterLesson, Course, left_out, weights
from training.adapter.samples import PLAIN, Samples
from training.adapter.trainer import main
from training.adapter.watch import told_apart
from training.chance import generator
from training.people import People, folders
from training.resampler import Sizes
from training.text_to_image import load_base
from training.trackers import read_log

Train = Callable[..., AdapterLesson]
SIDE = tiny.SIDE


def look(picture: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Who a toy person is, is a colour: the middle of the picture, over how bright it is."""
    middle = picture[:, 24:40, 24:40].mean(dim=(1, 2))
    vector = torch.zeros(512)
    vector[:3] = 10 * middle / middle.norm()
    return vector, torch.tensor([0.25, 0.25, 0.75, 0.75])


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    folder = tmp_path_factory.mktemp("adapter")
    return SimpleNamespace(
        folder=folder,
        people=pva_training.write_people(folder / "people"),
        sd15=tiny.write_base(folder / "sd15"),
        sdxl=tiny.write_base(folder / "sdxl", "sdxl"),
        few=tiny.write_base(folder / "few", **tiny.FEW),
    )


def people_in(folder: Path, validation: int = 2) -> People:
    found = folders(folder, least=1)
    captions = json.loads((folder / "captions.json").read_text(encoding="utf-8"))
    return People(folder, tuple(found[validation:]), tuple(found[:validation]), captions)


def known(people: People, folder: Path, recogniser: str = "sface") -> Known:
    return find_faces(people, folder, recogniser, SIDE, lambda: look)


@pytest.fixture(scope="module")
def data(toys: SimpleNamespace) -> SimpleNamespace:
    people = people_in(toys.people)
    faces = known(people, toys.folder / "known")
    learn = Samples(people, people.train, faces, 4, SIDE)
    return SimpleNamespace(people=people, faces=faces, learn=learn)


@pytest.fixture
def train(toys: SimpleNamespace) -> Train:
    def run(output: Path, **options: object) -> AdapterLesson:
        """The faces are found before: a detector sees none in toys."""
        recogniser = str(options.get("recogniser", "sface"))
        known(people_in(toys.people), output, recogniser)
        usual = {"data": toys.people, "base": toys.few, "face_models": toys.folder, "recogniser": recogniser}
        usual |= {"size": SIDE, "batch": 2, "width": 64, "depth": 1, "tokens": 4, "workers": 0}
        usual |= {"validation_share": 0.4, "validate_every": 0, "sample_every": 0, "output": output}
        line = ["--cpu"]
        for name, value in {**usual, **options}.items():
            line += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
        return main(line)

    return run


def lesson(base: Path, start: Any = None, **course: Any) -> AdapterLesson:
    torch.manual_seed(0)
    parts = load_base(str(base))
    width = int(parts.unet.config.cross_attention_dim)
    return AdapterLesson(parts, start, Course(**{"rate": 3e-3, **course}), Sizes(512, width, 64, 1, 1, 4, 2))


def learn(made: AdapterLesson, samples: Samples, steps: int) -> list[float]:
    optimiser, losses = torch.optim.AdamW(made.groups(1), weight_decay=0.01), []
    for step in range(steps):
        with torch.no_grad():
            prepared = made.prepare_batch(samples[step], generator("noise", step))
        loss = made(prepared, 0)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        losses.append(float(loss.detach()))
    return losses


def test_the_loss_falls_and_only_the_adapter_moves(toys: SimpleNamespace, data: SimpleNamespace) -> None:
    made = lesson(toys.few)
    before = {name: value.clone() for name, value in made.state_dict().items()}
    learnt = {id(parameter) for parameter in made.trained().values()}
    losses = learn(made, data.learn, 120)
    assert sum(losses[-20:]) / 20 < 0.9 * sum(losses[:10]) / 10
    for name, value in made.state_dict(keep_vars=True).items():
        assert torch.equal(value.detach(), before[name]) == (id(value) not in learnt), name
    assert len(learnt) == 2 * 4 + len(made.resampler.state_dict())


@pytest.mark.parametrize("kind", ["sd15", "sdxl"])
def test_it_begins_as_the_base_model_and_gradients_reach_what_learns(
    toys: SimpleNamespace, data: SimpleNamespace, kind: str
) -> None:
    base = getattr(toys, kind)
    made, plain = lesson(base, checkpointing=kind == "sdxl"), load_base(str(base)).unet
    prepared = made.prepare_batch(data.learn[0], generator(1))
    added = {name: prepared[name] for name in ("text_embeds", "time_ids") if name in prepared}
    with torch.no_grad():
        asked = prepared["clean"], prepared["times"], prepared["text"]
        wanted = plain(*asked, added_cond_kwargs=added or None).sample
        found = made.noise(*asked[:2], prepared)
    assert torch.allclose(found, wanted, atol=1e-5)
    for name, parameter in made.trained().items():  # values of zero hide what lies before them
        if "to_v_ip" in name:
            parameter.data.normal_(generator=generator(name)).mul_(0.1)
    made(prepared, 0).backward()
    learnt = made.trained()
    assert [name for name, p in learnt.items() if p.grad is None or not p.grad.abs().max() > 0] == []
    assert {name for name, p in made.named_parameters() if p.requires_grad and p.grad is None} == set()
    assert sum(p.requires_grad for p in made.parameters()) == len(learnt)


def test_it_learns_who_it_is(toys: SimpleNamespace, data: SimpleNamespace) -> None:
    """On people who are not learnt from: told who it is the error is less than told somebody else."""
    made = lesson(toys.few, face=4.0)
    look_at = Samples(data.people, data.people.validation, data.faces, 4, SIDE, 2022, mirror=False)
    learn(made, data.learn, 150)
    found = told_apart(made, look_at, 3)
    assert set(found) == {"loss, own face", "loss, another's face", "loss, no face"}
    assert found["loss, own face"] < min(found["loss, no face"], found["loss, another's face"])
    assert told_apart(made, Samples(data.people, data.people.train, data.faces, 1, SIDE), 1) == {}


def test_who_it_is_comes_from_another_picture(toys: SimpleNamespace, data: SimpleNamespace) -> None:
    faces = Known(
        {name: torch.full((512,), float(n)) for n, name in enumerate(data.faces.vectors)}, data.faces.boxes
    )
    names = list(faces.vectors)
    samples = Samples(data.people, data.people.train, faces, 6, SIDE, seed=3)
    for number in range(4):
        batch, again = samples[number], samples[number]
        assert all(torch.equal(a, b) for a, b in zip(batch[:3], again[:3], strict=True))
        for picture, vector, text in zip(batch.pictures, batch.vectors, batch.texts, strict=True):
            shown = names[int(vector[0])]
            person = next(p for p in data.people.train if shown.startswith(f"{p.name}/"))
            (own,) = (
                data.people.name(path) for path in person.pictures
                if data.people.caption(path) == text
            )  # fmt: skip
            assert own != shown
            assert abs(float(picture.mean()) - 2 * _mean(toys.people / own) + 1) < 0.01
    alone = Samples(data.people, data.people.train, Known({names[0]: torch.ones(512)}, faces.boxes), 1, SIDE)
    assert alone.targets == [(names[0], names[0].split("/")[0])] and alone[0].vectors[0, 0] == 1


def _mean(path: Path) -> float:
    import numpy as np

    return float(np.asarray(Image.open(path)).mean()) / 255


def test_boxes_turn_with_their_pictures(data: SimpleNamespace) -> None:
    box = torch.tensor([0.1, 0.2, 0.4, 0.9])
    faces = Known(data.faces.vectors, {name: box for name in data.faces.boxes})
    found = {tuple(Samples(data.people, data.people.train, faces, 1, SIDE, seed=n)[0].boxes[0].tolist())
             for n in range(12)}  # fmt: skip
    turned = tuple(torch.tensor([1 - 0.4, 0.2, 1 - 0.1, 0.9]).tolist())
    assert len(found) == 2 and tuple(box.tolist()) in found
    assert any(one == pytest.approx(turned) for one in found)


def test_errors_in_the_face_weigh_more(toys: SimpleNamespace) -> None:
    boxes = torch.tensor([[0.25, 0.5, 0.5, 1.0], [0.0, 0.0, 1.0, 1.0]])
    found = weights(boxes, torch.Size((4, 8)), 3.0)
    assert found.shape == (2, 1, 4, 8) and torch.allclose(found.mean(dim=(2, 3)), torch.ones(2, 1))
    inside = torch.zeros(4, 8)
    inside[2:, 2:4] = 1
    assert torch.allclose(found[0, 0] / found[0, 0, 0, 0], 1 + 2 * inside)
    assert torch.equal(found[1], torch.ones(1, 4, 8)) and torch.equal(
        weights(boxes, torch.Size((4, 8)), 1.0), torch.ones(2, 1, 4, 8)
    )


def test_one_in_twenty_goes_without(toys: SimpleNamespace, data: SimpleNamespace) -> None:
    out = left_out(200_000, generator(3)).float()
    assert out.mean(dim=1).tolist() == pytest.approx([1 - 0.95**2] * 2, abs=0.003)
    made = lesson(toys.few)
    source = next(n for n in range(500) if left_out(4, _after_noise(n))[1].any())
    prepared = made.prepare_batch(data.learn[0], generator(source))
    assert (prepared["vectors"].abs().sum(dim=1) == 0).any()


def _after_noise(number: int) -> torch.Generator:
    """A step's generator where it comes to what is left out: behind latents, times and noise."""
    source = generator(number)
    torch.randn(4, 4, SIDE // 8, SIDE // 8, generator=source)
    torch.randint(1000, (4,), generator=source)
    torch.randn(4, 4, SIDE // 8, SIDE // 8, generator=source)
    return source


@pytest.mark.parametrize("kind", ["sd15", "sdxl"])
def test_the_file_has_instantids_layout_and_goes_on(toys: SimpleNamespace, tmp_path: Path, kind: str) -> None:
    made = lesson(getattr(toys, kind))
    for parameter in made.trained().values():
        parameter.data.add_(0.01)
    path = tmp_path / "made.safetensors"
    export(made, path, "auraface")
    with safe_open(path, "pt") as file:
        assert file.metadata() == {"recogniser": "auraface", "base": kind, "made_by": "training.adapter"}
    tensors = read_adapter(path)
    parts = {
        part: {key.removeprefix(f"{part}."): v for key, v in tensors.items() if key.startswith(f"{part}.")}
        for part in ("image_proj", "ip_adapter")
    }
    projector = Projector.build(parts["image_proj"])
    layers = AdapterLayers.parse(parts["ip_adapter"], projector.token_width, "made")
    assert len(layers.pairs) == tiny.LAYERS[kind]
    vectors = torch.randn(3, 512)
    assert torch.allclose(projector(vectors[:, None]), made.tokens(vectors), atol=1e-5)
    again = lesson(getattr(toys, kind), tensors)
    assert all(torch.equal(value, made.trained()[name]) for name, value in again.trained().items())
    if kind == "sdxl":
        with pytest.raises(ValueError, match="--start takes vectors 512 wide and makes tokens 64 wide"):
            lesson(toys.sd15, tensors)
    else:
        with pytest.raises(ValueError, match=r"--start lacks ip_adapter|--start was made for another base"):
            lesson(toys.sd15, {key: v for key, v in tensors.items() if not key.startswith("ip_adapter.31.")})
    with torch.no_grad():
        made.resampler.latents[:] = torch.nan
    with pytest.raises(ValueError, match=r"image_proj\.latents holds NaN"):
        export(made, tmp_path / "broken.safetensors", "sface")
    assert not (tmp_path / "broken.safetensors").exists()


def test_a_broken_run_goes_on_bit_for_bit(train: Train, tmp_path: Path) -> None:
    train(tmp_path / "whole", steps=4)
    train(tmp_path / "parts", steps=2)
    train(tmp_path / "parts", steps=4, precision="fp32")
    a, b = (checkpoints.read(checkpoints.latest(tmp_path / n / "checkpoints")) for n in ("whole", "parts"))
    assert a.step == b.step == 4
    assert all(torch.equal(value, b.tensors[name]) for name, value in a.tensors.items())
    for n, state in a.optimiser["state"].items():
        assert all(torch.equal(value, b.optimiser["state"][n][key]) for key, value in state.items())
    assert read_log(tmp_path / "whole") == read_log(tmp_path / "parts")
    one, two = (
        read_adapter(tmp_path / n / "adapter_sd15_sface_000004.safetensors") for n in ("whole", "parts")
    )
    assert all(torch.equal(one[name], two[name]) for name in one)
    with pytest.raises(SystemExit, match="a run with other settings: recogniser was 'sface', is 'auraface'"):
        train(tmp_path / "parts", steps=5, recogniser="auraface")


def test_curves_pictures_half_precision_and_checkpointing(
    toys: SimpleNamespace, train: Train, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    watch = {"validate_every": 1, "validation_batches": 1, "sample_every": 2, "samples": 1, "sample_steps": 2}
    more = {"base": toys.sdxl, "precision": "bf16", "gradient_checkpointing": True, "recogniser": "auraface"}
    with caplog.at_level("INFO"):
        train(tmp_path, steps=2, **watch, **more)
    assert "Memory needed: about" in caplog.text
    log = read_log(tmp_path)
    assert {"loss", "held-out loss", "loss, own face", "loss, another's face"} <= set(log[-1])
    assert Image.open(tmp_path / "samples" / "step_00000002.png").size == (2 * 260 - 4, 2 * 260 - 4)
    made = read_adapter(tmp_path / "adapter_sdxl_auraface_000002.safetensors")
    assert all(value.dtype == torch.float32 for value in made.values())


def test_going_on_from_a_file(train: Train, tmp_path: Path) -> None:
    train(tmp_path / "first", steps=1)
    file = tmp_path / "first" / "adapter_sd15_sface_000001.safetensors"
    train(tmp_path / "second", steps=1, start=file, rate=1e-9, recogniser="auraface")
    one, two = (
        read_adapter(file),
        read_adapter(tmp_path / "second" / "adapter_sd15_auraface_000001.safetensors"),
    )
    assert all(torch.allclose(one[name], two[name], atol=1e-6) for name in one)


@pytest.mark.parametrize("recogniser", ["sface", "auraface"])
def test_faces_are_those_of_the_nodes(tmp_path: Path, recogniser: str) -> None:
    """A photo's vector is what Embed Faces would say of it. AuraFace's file is a tiny one of its shape."""
    import numpy as np

    from likeness.faces.detect import detect
    from likeness.faces.embed import identify
    from likeness.faces.models import FaceModels

    photo = Image.open(photos_folder() / "obama.jpg").convert("RGB")
    side = min(photo.size)
    square = photo.crop((0, 0, side, side)).resize((256, 256))
    (tmp_path / "people" / "one").mkdir(parents=True)
    square.save(tmp_path / "people" / "one" / "a.png")
    Image.new("RGB", (256, 256)).save(tmp_path / "people" / "one" / "empty.png")
    models = shared_models() / "insightface"
    if recogniser == "auraface":
        models = tmp_path / "insightface"
        (models / "models" / "auraface").mkdir(parents=True)
        write_recogniser(models / "models" / "auraface" / "glintr100.onnx", 1)
    people = People(tmp_path / "people", tuple(folders(tmp_path / "people")), (), {})
    opened = []

    def open_look() -> Any:
        opened.append(1)
        return looker(recogniser, models)

    found = find_faces(people, tmp_path / "run", recogniser, 256, open_look)
    assert list(found.vectors) == ["one/a.png"]
    picture = torch.from_numpy(np.asarray(square).astype(np.float32) / 255)[None]
    pack = FaceModels.open("auraface" if recogniser == "auraface" else "embedded", "CPU", [models])
    wanted = identify(pack, detect(pack, picture), recogniser, "mean").embeddings[0]
    assert torch.allclose(found.vectors["one/a.png"], wanted, atol=1e-4)
    x1, y1, x2, y2 = found.boxes["one/a.png"].tolist()
    assert 0 < x1 < x2 < 1 and 0 < y1 < y2 < 1
    again = find_faces(people, tmp_path / "run", recogniser, 256, open_look)
    assert len(opened) == 1 and torch.equal(again.vectors["one/a.png"], found.vectors["one/a.png"])


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"data": "nowhere"}, "--data nowhere is no folder"),
        ({"base": "nowhere"}, "is no folder in diffusers' layout"),
        ({"face_weight": 0}, "give a number above 0"),
        ({"validation_share": 0.0, "test_share": 1.0}, "has nobody to learn from"),
    ],
)
def test_bad_options_are_one_sentence(train: Train, tmp_path: Path, changes: Any, sentence: str) -> None:
    with pytest.raises(SystemExit, match=sentence):
        train(tmp_path, steps=1, **changes)


def test_missing_and_damaged_files_are_one_sentence(
    toys: SimpleNamespace, train: Train, tmp_path: Path
) -> None:
    people = people_in(toys.people)
    with pytest.raises(ValueError, match=r"--face-models .* is missing\. Searched: .* --models auraface"):
        find_faces(people, tmp_path / "a", "auraface", SIDE, lambda: looker("auraface", tmp_path))
    with pytest.raises(ValueError, match="No face pack has the recogniser 'ms1mv3_r50'"):
        looker("ms1mv3_r50", tmp_path)
    with pytest.raises(ValueError, match="shows a face: are they portraits"):
        find_faces(people, tmp_path / "b", "sface", SIDE, lambda: lambda picture: None)
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "faces.safetensors").write_bytes(b"x" * 50)
    with pytest.raises(ValueError, match="holds no faces that were found: delete it"):
        known(people, tmp_path / "c")
    bad = tmp_path / "people" / "one"
    bad.mkdir(parents=True)
    (bad / "cut.png").write_bytes((next(toys.people.rglob("*.png"))).read_bytes()[:60])
    broken = People(tmp_path / "people", tuple(folders(tmp_path / "people", 1)), (), {})
    with pytest.raises(ValueError, match="1 pictures can't be learnt from"):
        known(broken, tmp_path / "d")
    file = tmp_path / "other.safetensors"
    from safetensors.torch import save_file

    save_file({"x": torch.ones(1)}, file)
    with pytest.raises(SystemExit, match="is no adapter of InstantID's kind: it has no image_proj"):
        train(tmp_path / "e", steps=1, start=file)


def test_texts_are_captions_or_plain(data: SimpleNamespace) -> None:
    bare = People(data.people.root, data.people.train, (), {})
    assert set(Samples(bare, bare.train, data.faces, 4, SIDE)[0].texts) == {PLAIN}
    assert all(text.startswith("no. ") for text in data.learn[0].texts)
