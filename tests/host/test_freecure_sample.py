"""FreeCure in one node, with the tiny checkpoint's own networks: every stage against its parts. Spec B.3."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from support import parser_files
from support.golden import relative_error

STEPS, SIZE = 4, 128
PARSER = "freecure_colours.pth"


@pytest.fixture(scope="module", autouse=True)
def as_the_executor_does() -> Any:
    with torch.inference_mode():
        yield


@pytest.fixture(scope="module")
def parser(host: Any, pack: Any, base: Path) -> Iterator[Any]:
    """A parser that calls red hair, green glasses and blue an eye: the tiny VAE's pictures have all three."""
    file = base / "models" / "face_parsing" / PARSER
    file.parent.mkdir(exist_ok=True)
    torch.save(parser_files.colours(), file)
    yield pack.node("LikenessLoadFaceParser").execute(file=PARSER).result[0]
    file.unlink()


@pytest.fixture(scope="module")
def room(host: Any, pack: Any, parser: Any) -> SimpleNamespace:
    """The tiny SDXL with and without an identity, prompts, and the node with everything connected."""
    import comfy.samplers
    from comfy_extras.nodes_custom_sampler import Noise_RandomNoise

    model, clip, vae = host.CheckpointLoaderSimple().load_checkpoint("tiny_sdxl.safetensors")
    words = ("a face with glasses", "blurry", "a face", "a laughing face")
    positive, negative, template, target = (host.CLIPTextEncode().encode(clip, text)[0] for text in words)
    adapter = pack.node("LikenessLoadInstantID").execute(file="tiny_instantid.safetensors").result[0]
    identity = pack.module("likeness.values").Identity(torch.linspace(-1, 1, 512)[None], "sface")

    def apply(empty: bool) -> Any:
        given = {"model": model, "instantid": adapter, "identity": identity, "weight": 3.0}
        given |= {"positive": positive, "negative": negative, "empty_identity": empty}
        return pack.node("LikenessApplyInstantID").execute(**given).result

    personalised, positive, negative = apply(empty=False)
    foundation = apply(empty=True)[0]
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "normal", STEPS)
    drawing = {
        "noise": Noise_RandomNoise(7),
        "sampler": comfy.samplers.sampler_object("euler"),
        "sigmas": sigmas,
        "latent_image": {"samples": torch.zeros(1, 4, SIZE // 8, SIZE // 8)},
    }
    branches = {"personalised": personalised, "foundation": foundation}
    branches |= {"positive": positive, "negative": negative, "cfg": 5.0}

    def repair(**inputs: Any) -> tuple[Any, ...]:
        given = {**branches, **drawing, "vae": vae, "face_parser": parser, "layers": "all_up", **inputs}
        return tuple(pack.node("LikenessFreeCureSample").execute(**given).result)

    return SimpleNamespace(
        repair=repair, branches=branches, drawing=drawing, vae=vae, template=template, target=target
    )


def advanced(room: Any, guider: Any) -> torch.Tensor:
    """What the host's own node draws."""
    from comfy_extras.nodes_custom_sampler import SamplerCustomAdvanced

    return SamplerCustomAdvanced.execute(guider=guider, **room.drawing).result[0]["samples"]


def plain(room: Any, name: str) -> torch.Tensor:
    import comfy.samplers

    guider = comfy.samplers.CFGGuider(room.branches[name])
    guider.set_conds(room.branches["positive"], room.branches["negative"])
    guider.set_cfg(room.branches["cfg"])
    return advanced(room, guider)


def test_every_output_is_what_the_single_nodes_give(host: Any, pack: Any, room: Any, parser: Any) -> None:
    latent, personalised, foundation, mask = room.repair(compare=True)
    assert torch.equal(foundation["samples"], plain(room, "foundation"))
    assert torch.equal(personalised["samples"], plain(room, "personalised"))
    picture = host.VAEDecode().decode(room.vae, foundation)[0]
    found = pack.node("LikenessParseFaces").execute(
        face_parser=parser, image=picture, classes=["hair", "glasses"]
    )
    assert torch.equal(mask, found.result[0]) and 0 < float(mask.mean()) < 1
    smaller = pack.module("likeness.faces.label_masks").freecure_mask(mask, (SIZE // 8, SIZE // 8))
    guider = pack.node("LikenessFreeCureGuider").execute(**room.branches, mask=smaller, layers="all_up")
    assert relative_error(latent["samples"], advanced(room, guider.result[0])) < 1e-5
    assert relative_error(latent["samples"], personalised["samples"]) > 1e-3


def test_a_connected_mask_is_taken_instead(room: Any) -> None:
    mask = torch.zeros(1, SIZE, SIZE)
    mask[:, : SIZE // 2] = 1
    latent, _, _, given = room.repair(mask=mask, vae=None, face_parser=None)
    assert torch.equal(given, mask)
    assert relative_error(latent["samples"], room.repair()[0]["samples"]) > 1e-3


def test_nothing_found_gives_the_personalised_picture(room: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        latent, _, _, mask = room.repair(classes=["hat"])
    assert float(mask.sum()) == 0 and "mask is empty" in caplog.text
    assert torch.equal(latent["samples"], plain(room, "personalised"))


def test_the_personalised_picture_is_drawn_on_request_alone(room: Any) -> None:
    blocked = room.repair()[1]
    assert type(blocked).__name__ == "ExecutionBlocker" and "Turn `compare` on" in blocked.message


def test_the_inputs_stay_as_they_were(room: Any) -> None:
    before = plain(room, "personalised"), plain(room, "foundation")
    latent = room.drawing["latent_image"]
    first = room.repair()[0]["samples"]
    assert torch.equal(first, room.repair()[0]["samples"])
    assert latent.keys() == {"samples"} and float(latent["samples"].abs().sum()) == 0
    assert torch.equal(before[0], plain(room, "personalised"))
    assert torch.equal(before[1], plain(room, "foundation"))


# Expression


def test_the_expression_repair_is_the_node_after_the_attributes(pack: Any, room: Any) -> None:
    texts = {"template": room.template, "target": room.target}
    latent = room.repair(repair="attributes + expression", **texts)[0]
    given = {name: room.drawing[name] for name in ("sampler", "sigmas")}
    alone = pack.node("LikenessFreeCureExpression").execute(
        model=room.branches["foundation"],
        latent=room.repair()[0],
        negative=room.branches["negative"],
        cfg=5.0,
        **texts,
        **given,
    )
    assert torch.equal(latent["samples"], alone.result[0]["samples"])


# Progress and cancel


@pytest.fixture
def steps(host: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[int, int, Any]]]:
    """What the page is told: (value, total, preview); of every step, however fast."""
    import comfy.utils
    from comfy.cli_args import LatentPreviewMethod, args

    monkeypatch.setattr(comfy.utils, "PROGRESS_THROTTLE_MIN_INTERVAL", 0)
    monkeypatch.setattr(comfy.utils, "PROGRESS_THROTTLE_MIN_PERCENT", 0)
    monkeypatch.setattr(args, "preview_method", LatentPreviewMethod.Latent2RGB)
    told: list[tuple[int, int, Any]] = []
    before = comfy.utils.PROGRESS_BAR_HOOK

    def hook(value: int, total: int, preview: Any, node_id: Any = None) -> None:
        told.append((value, total, preview))

    comfy.utils.set_progress_bar_global_hook(hook)
    yield told
    comfy.utils.set_progress_bar_global_hook(before)


@pytest.mark.parametrize("whole", [False, True])
def test_one_progress_bar_over_all_stages(room: Any, steps: Any, whole: bool) -> None:
    texts = {"template": room.template, "target": room.target, "repair": "attributes + expression"}
    room.repair(compare=whole, **(texts if whole else {}))
    values, totals = [value for value, _, _ in steps], {total for _, total, _ in steps}
    # Two drawings, decoding and parsing; then the comparison and half of the steps twice.
    assert totals == {2 * STEPS + 2 + (STEPS + STEPS if whole else 0)}
    assert values == list(range(1, max(totals) + 1))
    # Sampling steps show the picture as it becomes; decoding and parsing have none.
    assert sum(preview is not None for _, _, preview in steps) == max(totals) - 2


def test_every_step_can_be_cancelled_and_the_next_run_is_whole(host: Any, room: Any, steps: Any) -> None:
    import comfy.model_management as management
    import comfy.utils

    texts = {"template": room.template, "target": room.target, "repair": "attributes + expression"}
    wanted = room.repair(**texts)[0]["samples"]
    for last in (1, STEPS + 1, STEPS + 3, 2 * STEPS + 3):

        def stop(value: int, total: int, preview: Any, node_id: Any = None, last: int = last) -> None:
            if value == last:
                management.interrupt_current_processing()

        comfy.utils.set_progress_bar_global_hook(stop)
        with pytest.raises(management.InterruptProcessingException):
            room.repair(**texts)
        management.interrupt_current_processing(False)
    comfy.utils.set_progress_bar_global_hook(None)
    assert torch.equal(room.repair(**texts)[0]["samples"], wanted)


# Cost


def test_attributes_cost_two_and_a_half_drawings(room: Any) -> None:
    """Rows that go through the network: the foundation twice, the person twice, its tokens once."""
    rows: list[int] = []

    def counted(model: Any) -> Any:
        model = model.clone()

        def count(apply: Any, args: dict[str, Any]) -> Any:
            rows.append(len(args["input"]))
            return apply(args["input"], args["timestep"], **args["c"])

        model.set_model_unet_function_wrapper(count)
        return model

    room.repair(**{name: counted(room.branches[name]) for name in ("personalised", "foundation")})
    assert sum(rows) == STEPS * (2 + 2 + 1)


# What it refuses


@pytest.mark.parametrize(
    "inputs, message",
    [
        ({"vae": None}, "vae not connected"),
        ({"vae": None, "face_parser": None}, "vae and face_parser not connected"),
        ({"classes": []}, "Nothing is to be masked"),
        ({"repair": "attributes + expression"}, "template is not connected"),
        ({"layers": "everything"}, "layers: 'everything' is not understood"),
    ],
)
def test_what_is_missing_is_said_before_the_first_step(
    room: Any, inputs: Any, message: str, steps: Any
) -> None:
    with pytest.raises(ValueError, match=message):
        room.repair(**inputs)
    assert steps == []
