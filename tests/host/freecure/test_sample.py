"""FreeCure in one node, with a tiny network and a tiny VAE: every stage against its parts. Spec B.3."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from support import instantid_files, parser_files
from support.fill import fill
from support.golden import Golden, relative_error

GOLDEN = Golden("instantid")
STEPS, SIZE = 2, 128
PARSER = "freecure_colours.pth"

pytestmark = pytest.mark.usefixtures("as_the_executor_does")


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
    """A tiny SDXL with and without an identity, prompts, and the node with everything connected."""
    import comfy.samplers
    from comfy_extras.nodes_custom_sampler import Noise_RandomNoise

    model, vae = GOLDEN.model(), host.CheckpointLoaderSimple().load_checkpoint("tiny_sdxl.safetensors")[2]
    positive, negative = GOLDEN.conditioning("positive"), GOLDEN.conditioning("negative")
    (words, facts), *_ = positive
    template, target = ([[fill(text, words.shape), facts]] for text in ("a face", "a laughing face"))
    sites = pack.module("likeness.attention.sites").attention_sites(model.model.diffusion_model)
    hidden, width = (site.hidden for site in sites), GOLDEN.meta["unet_config"]["context_dim"]
    content = instantid_files.adapter(hidden, width, GOLDEN.meta["resampler"])
    adapter = pack.module("likeness.methods.instantid.adapter").parse(content, {}, "tiny")
    identity = pack.module("likeness.values").Identity(GOLDEN["in.face_embedding"], "glintr100")

    control_net = GOLDEN.control_net()
    keypoints = torch.rand(1, SIZE, SIZE, 3, generator=torch.Generator().manual_seed(1))

    def apply(empty: bool) -> Any:
        given = {"model": model, "instantid": adapter, "identity": identity, "weight": 3.0}
        given |= {"positive": positive, "negative": negative, "empty_identity": empty}
        given |= {"control_net": control_net, "keypoints": keypoints}
        return pack.node("LikenessApplyInstantID").execute(**given).result

    personalised, positive, negative = apply(empty=False)
    foundation, empty_positive, empty_negative = apply(empty=True)
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "normal", STEPS)
    drawing = {
        "noise": Noise_RandomNoise(7),
        "sampler": comfy.samplers.sampler_object("euler"),
        "sigmas": sigmas,
        "latent_image": {"samples": torch.zeros(1, 4, SIZE // 8, SIZE // 8)},
    }
    branches = {"personalised": personalised, "foundation": foundation}
    branches |= {"positive": positive, "negative": negative, "cfg": 5.0}
    branches |= {"foundation_positive": empty_positive, "foundation_negative": empty_negative}

    def repair(**inputs: Any) -> tuple[Any, ...]:
        given = {**branches, **drawing, "vae": vae, "face_parser": parser, "layers": "all_up", **inputs}
        return tuple(pack.node("LikenessFreeCureSample").execute(**given).result)

    texts = {"template": template, "target": target, "repair": "attributes + expression"}
    return SimpleNamespace(
        repair=repair,
        usual=cache(repair),
        expressed=cache(lambda: repair(**texts)),
        branches=branches,
        drawing=drawing,
        vae=vae,
        template=template,
        target=target,
        texts=texts,
    )


def advanced(room: Any, guider: Any) -> torch.Tensor:
    """What the host's own node draws."""
    from comfy_extras.nodes_custom_sampler import SamplerCustomAdvanced

    return SamplerCustomAdvanced.execute(guider=guider, **room.drawing).result[0]["samples"]


def plain(room: Any, name: str) -> torch.Tensor:
    import comfy.samplers

    prefix = "foundation_" if name == "foundation" else ""
    guider = comfy.samplers.CFGGuider(room.branches[name])
    guider.set_conds(*(room.branches[prefix + side] for side in ("positive", "negative")))
    guider.set_cfg(room.branches["cfg"])
    return advanced(room, guider)


def share_apart(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a != b).float().mean())


def test_every_output_is_what_the_single_nodes_give(host: Any, pack: Any, room: Any, parser: Any) -> None:
    latent, personalised, foundation, mask, report = room.repair(compare=True)
    assert f"{float(mask.mean()):.1%} of the picture" in report
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
    latent, _, _, given, _ = room.repair(mask=mask, vae=None, face_parser=None)
    assert torch.equal(given, mask)
    assert relative_error(latent["samples"], room.usual()[0]["samples"]) > 1e-3


def test_nothing_found_gives_the_personalised_picture(room: Any, caplog: pytest.LogCaptureFixture) -> None:
    wanted = plain(room, "personalised")
    for mode in ("code", "paper"):
        with caplog.at_level("INFO"):
            latent, personalised, _, mask, _ = room.repair(classes=["hat"], mode=mode, compare=True)
        assert float(mask.sum()) == 0 and "repairs nothing" in caplog.text
        assert torch.equal(latent["samples"], wanted) and torch.equal(personalised["samples"], wanted)


def test_a_whole_prompt_may_stand_in_words(room: Any) -> None:
    """One that names no part adds nothing to the classes."""
    mask = room.usual()[3]
    assert torch.equal(room.repair(words="portrait of a laughing woman, soft light")[3], mask)


def test_an_open_foundation_prompt_with_the_face_on_it_is_told(
    room: Any, caplog: pytest.LogCaptureFixture
) -> None:
    room.repair()
    assert "carries the face" not in caplog.text
    room.repair(foundation_positive=None)
    assert caplog.text.count("foundation_positive is open") == 1


def test_each_picture_of_a_batch_is_repaired_by_its_own_foundation(pack: Any, room: Any) -> None:
    from comfy_extras.nodes_custom_sampler import Noise_EmptyNoise

    latents = torch.randn(2, 4, SIZE // 8, SIZE // 8, generator=torch.Generator().manual_seed(2))
    both = {"noise": Noise_EmptyNoise(), "latent_image": {"samples": latents}}
    latent, _, _, mask, _ = room.repair(**both)
    assert share_apart(mask[:1], mask[1:]) > 0.05
    shrink = pack.module("likeness.faces.label_masks").freecure_mask
    for n in range(2):
        alone = {**both, "latent_image": {"samples": latents[n : n + 1]}}
        # Pixels go to the largest of a random parser's numbers; a batch rounds otherwise, which flips some.
        assert share_apart(room.repair(**alone)[3], mask[n : n + 1]) < 0.01
        smaller = shrink(mask[n : n + 1], (SIZE // 8, SIZE // 8))
        given = room.repair(**alone, mask=smaller, vae=None, face_parser=None)
        assert relative_error(latent["samples"][n : n + 1], given[0]["samples"]) < 1e-5


@pytest.mark.parametrize("mode", ["code", "paper", "paper_masked"])
def test_a_picture_without_attributes_stays_the_persons_beside_one_that_has_some(
    room: Any, mode: str
) -> None:
    """Spec B.3, stage 1: if M is empty return I_p; each picture of a batch has its own M."""
    from comfy_extras.nodes_custom_sampler import Noise_EmptyNoise

    latents = torch.randn(2, 4, SIZE // 8, SIZE // 8, generator=torch.Generator().manual_seed(2))
    both = {"noise": Noise_EmptyNoise(), "latent_image": {"samples": latents}}
    mask = torch.zeros(2, SIZE, SIZE)
    mask[0, : SIZE // 2] = 1
    latent, personalised, *_ = room.repair(**both, mask=mask, mode=mode, compare=True)
    mended, own = latent["samples"], personalised["samples"]
    assert relative_error(mended[1:], own[1:]) < 1e-5
    assert relative_error(mended[:1], own[:1]) > 1e-3


def test_video_is_refused(room: Any) -> None:
    from comfy.nested_tensor import NestedTensor

    pictures = torch.zeros(1, 4, SIZE // 8, SIZE // 8)
    nested = NestedTensor((pictures, pictures))
    with pytest.raises(ValueError, match="latent_image holds video or audio"):
        room.repair(latent_image={"samples": nested})


def test_attention_perturbed_afterwards_is_not_looked_at(host: Any, pack: Any, room: Any) -> None:
    """PAG sends its own pass through the network after each step: the guider and this node agree."""
    from comfy_extras.nodes_pag import PerturbedAttentionGuidance

    mask = torch.ones(1, SIZE, SIZE)
    models = {
        name: PerturbedAttentionGuidance.execute(room.branches[name], 3.0).result[0]
        for name in ("personalised", "foundation")
    }
    guider = pack.node("LikenessFreeCureGuider").execute(
        **{**room.branches, **models}, mask=mask, layers="all_up"
    )
    found = room.repair(**models, mask=mask)[0]["samples"]
    assert relative_error(found, advanced(room, guider.result[0])) < 1e-4


def test_the_personalised_picture_is_drawn_on_request_alone(room: Any) -> None:
    blocked = room.usual()[1]
    assert type(blocked).__name__ == "ExecutionBlocker" and "Turn `compare` on" in blocked.message


def test_the_inputs_stay_as_they_were(room: Any) -> None:
    before = plain(room, "personalised"), plain(room, "foundation")
    latent = room.drawing["latent_image"]
    assert torch.equal(room.usual()[0]["samples"], room.repair()[0]["samples"])
    assert latent.keys() == {"samples"} and float(latent["samples"].abs().sum()) == 0
    assert torch.equal(before[0], plain(room, "personalised"))
    assert torch.equal(before[1], plain(room, "foundation"))


# Expression


def test_the_expression_repair_is_the_node_after_the_attributes(pack: Any, room: Any) -> None:
    latent, *_, report = room.expressed()
    texts = {"template": room.template, "target": room.target}
    given = {name: room.drawing[name] for name in ("sampler", "sigmas")}
    alone = pack.node("LikenessFreeCureExpression").execute(
        model=room.branches["foundation"],
        latent=room.usual()[0],
        negative=room.branches["negative"],
        cfg=5.0,
        **texts,
        **given,
    )
    assert torch.equal(latent["samples"], alone.result[0]["samples"])
    assert alone.result[2] in report


def test_a_controlnet_guides_both_prompts_of_the_expression_or_neither(room: Any) -> None:
    """The negative prompt of InstantID has one, a text encoded for this has none."""
    controlled: list[bool] = []
    model = room.branches["foundation"].clone()

    def note(apply: Any, args: dict[str, Any]) -> Any:
        controlled.append(args["c"].get("control") is not None)
        return apply(args["input"], args["timestep"], **args["c"])

    model.set_model_unet_function_wrapper(note)
    steps = len(room.drawing["sigmas"]) - 1
    room.repair(foundation=model, **room.texts)
    drawn, expressed = controlled[: 2 * steps], controlled[2 * steps :]
    assert all(drawn) and len(expressed) == steps and not any(expressed)
    controlled.clear()
    room.repair(foundation=model, **{**room.texts, "target": None})
    assert not any(controlled[2 * steps :])


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
    room.repair(compare=whole, **(room.texts if whole else {}))
    values, totals = [value for value, _, _ in steps], {total for _, total, _ in steps}
    # Two drawings, decoding and parsing; then the comparison and half of the steps twice.
    assert totals == {2 * STEPS + 2 + (STEPS + STEPS if whole else 0)}
    assert values == list(range(1, max(totals) + 1))
    # Sampling steps show the picture as it becomes; decoding and parsing have none.
    assert sum(preview is not None for _, _, preview in steps) == max(totals) - 2


def test_every_step_can_be_cancelled_and_the_next_run_is_whole(host: Any, room: Any, steps: Any) -> None:
    import comfy.model_management as management
    import comfy.utils

    texts = room.texts
    wanted = room.expressed()[0]["samples"]
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

    models = {name: counted(room.branches[name]) for name in ("personalised", "foundation")}
    room.repair(**models)
    assert sum(rows) == STEPS * (2 + 2 + 1)
    # A drawing without guidance has one row: the tokens cost as much as the drawing.
    rows.clear()
    room.repair(**models, cfg=1.0)
    assert sum(rows) == STEPS * (1 + 1 + 1)


@pytest.mark.parametrize("sampler", ["euler", "euler_cfg_pp"])
def test_negative_rows_look_with_cfg_1_too_where_a_sampler_wants_them(room: Any, sampler: str) -> None:
    import comfy.samplers

    given = {"sampler": comfy.samplers.sampler_object(sampler), "cfg": 1.0, "style_fidelity": 0.5}
    assert torch.isfinite(room.repair(**given)[0]["samples"]).all()


# What it refuses


@pytest.mark.parametrize(
    "inputs, message",
    [
        ({"vae": None}, "vae not connected"),
        ({"vae": None, "face_parser": None}, "vae and face_parser not connected"),
        ({"classes": []}, "Nothing is to be masked"),
        ({"repair": "attributes + expression"}, "template is not connected"),
        ({"layers": "everything"}, "layers: 'everything' is not understood"),
        ({"sampler": "dpm_adaptive"}, "sampler: dpm_adaptive chooses its steps"),
        ({"mask": torch.full((1, SIZE, SIZE), torch.nan)}, "mask holds NaN"),
        ({"mask": torch.ones(1, SIZE, 2 * SIZE)}, "another shape"),
        ({"mask": torch.ones(3, SIZE, SIZE)}, "mask holds 3 masks"),
    ],
)
def test_what_is_missing_is_said_before_the_first_step(
    room: Any, inputs: Any, message: str, steps: Any
) -> None:
    import comfy.samplers

    if "sampler" in inputs:
        inputs = {"sampler": comfy.samplers.ksampler(inputs["sampler"])}
    with pytest.raises(ValueError, match=message):
        room.repair(**inputs)
    assert steps == []
