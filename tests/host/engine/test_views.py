"""Rows that show a part of the pictures: context windows, areas, tiles; masks, tokens, points follow."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from support import emojidiff, instantid_files
from support.fill import fill
from support.golden import Golden, relative_error
from support.sampling import denoise, sample

GOLDEN = Golden("instantid")
HEIGHT, WIDTH = GOLDEN.meta["image_size"]
SIGMA = 1.6

pytestmark = pytest.mark.usefixtures("as_the_executor_does")


@pytest.fixture(scope="module")
def room(pack: Any) -> SimpleNamespace:
    """InstantID on a tiny SDXL."""
    model = GOLDEN.model()
    sites = pack.module("likeness.attention.sites").attention_sites(model.model.diffusion_model)
    width = GOLDEN.meta["unet_config"]["context_dim"]
    content = instantid_files.adapter((site.hidden for site in sites), width, GOLDEN.meta["resampler"])
    adapter = pack.module("likeness.methods.instantid").parse(content, {}, "tiny")
    identity = pack.module("likeness.values").Identity(GOLDEN["in.face_embedding"], "glintr100")
    prompts = {side: GOLDEN.conditioning(side) for side in ("positive", "negative")}

    def apply(model: Any = model, **inputs: Any) -> Any:
        given = {"model": model, "instantid": adapter, "identity": identity, **prompts, **inputs}
        return pack.node("LikenessApplyInstantID").execute(**given)

    return SimpleNamespace(model=model, apply=apply, width=width, sites=sites, **prompts)


def windows(model: Any, length: int, dim: int = 0, overlap: int = 1) -> Any:
    from comfy_extras.nodes_context_windows import ContextWindowsManualNode

    given = {"context_schedule": "standard_static", "context_stride": 1, "closed_loop": False}
    given |= {"fuse_method": "flat", "freenoise": False, "dim": dim}
    return ContextWindowsManualNode.execute(model, length, overlap, **given)[0]


def pictures(count: int) -> torch.Tensor:
    return fill("pictures", (count, 4, HEIGHT // 8, WIDTH // 8)) * 3


def masks(count: int) -> torch.Tensor:
    """A mask for each picture: another stripe."""
    made = torch.zeros(count, HEIGHT, WIDTH)
    for n in range(count):
        made[n, :, n * WIDTH // count : (n + 1) * WIDTH // count] = 1
    return made


def drawn(applied: Any, x: torch.Tensor) -> torch.Tensor:
    return torch.cat(denoise(*applied, x, SIGMA))


# ---- windows over the pictures of a batch


@pytest.mark.parametrize("what", ["masks", "keypoints", "masks and keypoints"])
def test_windows_over_pictures_change_nothing(room: Any, what: str) -> None:
    """A network that draws pictures one by one: whichever are drawn together, each keeps what is its own."""
    given: dict[str, Any] = {"mask": masks(5)} if "masks" in what else {}
    if "keypoints" in what:
        hints = torch.cat([GOLDEN["in.kps"].roll(n * 16, 2) for n in range(5)])
        given |= {"control_net": GOLDEN.control_net(), "keypoints": hints}
    applied, x = room.apply(**given), pictures(5)
    whole = drawn(applied, x)
    windowed = windows(applied[0], 2), *applied[1:]
    assert relative_error(drawn(windowed, x), whole) < 1e-5
    for n in range(5):
        own = {"mask": masks(5)[n : n + 1]} if "masks" in what else {}
        if "keypoints" in what:
            own |= {"control_net": GOLDEN.control_net(), "keypoints": hints[n : n + 1]}
        alone = drawn(room.apply(**own), x[n : n + 1])
        assert relative_error(alone, whole[[n, n + 5]]) < 1e-5


def test_windows_over_pictures_with_an_expression_for_each(pack: Any, host: Any) -> None:
    model = host.CheckpointLoaderSimple().load_checkpoint("tiny_sd15.safetensors")[0]
    content = emojidiff.flat(emojidiff.resampler(), emojidiff.layers(emojidiff.numbers()))
    adapter = pack.module("likeness.methods.emojidiff").parse(content, {}, "tiny")
    every = adapter.projector(fill("features", (6, 17, emojidiff.VISION)) * 4)
    make = pack.module("likeness.adapters").Tokens
    node = pack.node("LikenessApplyEAdapter").execute
    prompts = [[[fill(side, (1, 77, emojidiff.CONTEXT)), {}]] for side in ("positive", "negative")]

    def applied(count: int) -> Any:
        tokens = make(every[1 : 1 + count], every[:1], adapter.made)
        return node(model=model, eadapter=adapter, expression_tokens=tokens)[0]

    x = pictures(5)
    whole = drawn((applied(5), *prompts), x)
    assert relative_error(drawn((windows(applied(5), 2), *prompts), x), whole) < 1e-5
    assert relative_error(whole[0:1], drawn((applied(1), *prompts), x[:1])[:1]) < 1e-5
    assert relative_error(whole, drawn((applied(1), *prompts), x)) > 1e-4
    # Two fit a window of two, and are still no expressions for five pictures.
    with pytest.raises(ValueError, match="There are 2 expressions for 5 pictures"):
        drawn((windows(applied(2), 2), *prompts), x)
    with pytest.raises(ValueError, match="There are 3 expressions for 5 pictures"):
        drawn((windows(applied(3), 3), *prompts), x)


# ---- windows over a side of the picture


@pytest.mark.parametrize("dim, side", [(2, HEIGHT // 8), (3, WIDTH // 8)], ids=["height", "width"])
def test_windows_over_a_side_see_their_part_of_the_mask(room: Any, dim: int, side: int) -> None:
    """Where the mask is not, the picture is what the same windows draw of the plain model."""
    x, half = pictures(1), side // 2
    mask = torch.zeros(1, HEIGHT, WIDTH)
    mask.narrow(dim - 1, half * 8, half * 8).fill_(1)
    plain = drawn((windows(room.model, half, dim, 0), room.positive, room.negative), x)
    full = room.apply()
    everywhere = drawn((windows(full[0], half, dim, 0), *full[1:]), x)
    applied = room.apply(mask=mask)
    found = drawn((windows(applied[0], half, dim, 0), *applied[1:]), x)
    first, second = (slice(0, half - 1), slice(half + 1, side))
    part = (lambda y, s: y[:, :, s]) if dim == 2 else (lambda y, s: y[..., s])
    assert relative_error(part(found, first), part(plain, first)) < 1e-5
    assert relative_error(part(found, second), part(plain, second)) > 1e-4
    assert relative_error(part(everywhere, first), part(plain, first)) > 1e-4


def test_windows_over_a_side_see_their_part_of_the_keypoints(room: Any) -> None:
    """Points in the half that a window does not show are not squeezed into it."""
    x, half = pictures(1), WIDTH // 16
    hint = torch.zeros(1, HEIGHT, WIDTH, 3)
    other = hint.clone()
    other[:, :, WIDTH // 2 :] = GOLDEN["in.kps"][:, :, WIDTH // 2 :] + 0.5
    results = []
    for picture in (hint, other):
        applied = room.apply(control_net=GOLDEN.control_net(), keypoints=picture)
        results.append(drawn((windows(applied[0], half, 3, 0), *applied[1:]), x))
    left = slice(0, half - 1)
    assert relative_error(results[0][..., left], results[1][..., left]) < 1e-5
    assert relative_error(results[0][..., half + 1 :], results[1][..., half + 1 :]) > 1e-4


# ---- areas, guiders and other MODELs, with the ControlNet alone


def controlled(room: Any, weight: float, **inputs: Any) -> Any:
    mask = torch.zeros(1, HEIGHT, WIDTH)
    mask[..., WIDTH // 2 :] = 1
    given = {"control_net": GOLDEN.control_net(), "keypoints": GOLDEN["in.kps"], "mask": mask}
    return room.apply(weight=weight, **given, **inputs)


def test_with_weight_0_the_control_knows_areas(room: Any) -> None:
    area = {"area": (HEIGHT // 8, WIDTH // 16, 0, WIDTH // 16), "strength": 1.0}
    positive = [[room.positive[0][0], {**room.positive[0][1], **area}], *room.positive]
    found = drawn(controlled(room, 0.0, positive=positive), pictures(1))
    assert relative_error(found, drawn(controlled(room, 1e-9, positive=positive), pictures(1))) < 1e-5


def test_the_control_knows_areas_on_any_model(room: Any) -> None:
    """The stand-in for a node that has the ControlNet alone, and prompts that are used on another MODEL."""
    area = {"area": (HEIGHT // 8, WIDTH // 16, 0, WIDTH // 16), "strength": 1.0}
    positive = [[room.positive[0][0], {**room.positive[0][1], **area}], *room.positive]
    applied = controlled(room, 0.0, positive=positive)
    assert applied[0] is room.model, "nothing is hung on the MODEL"
    elsewhere = room.model.clone()
    found = drawn((elsewhere, *applied[1:]), pictures(1))
    assert relative_error(found, drawn(controlled(room, 1e-9, positive=positive), pictures(1))) < 1e-5
    assert room.model.wrappers == elsewhere.wrappers, "what the control brings goes with it"


@pytest.mark.parametrize("cfg", [1.0, 3.0])
def test_with_weight_0_the_control_knows_the_guiders_roles(room: Any, host: Any, cfg: float) -> None:
    from comfy_extras.nodes_custom_sampler import Guider_DualCFG

    results = []
    for weight in (0.0, 1e-9):
        model, positive, negative = controlled(room, weight)
        guider = Guider_DualCFG(model)
        guider.set_conds(positive, room.positive, negative)
        guider.set_cfg(cfg, 2.0)
        results.append(run(guider, pictures(1)))
    assert relative_error(*results) < 1e-5


def run(guider: Any, noise: torch.Tensor) -> torch.Tensor:
    import comfy.samplers

    sampler, sigmas = comfy.samplers.sampler_object("euler"), torch.tensor([SIGMA, 0.0])
    return guider.sample(noise, torch.zeros_like(noise), sampler, sigmas, disable_pbar=True, seed=0)


# ---- parts that nobody announces


def tiled(model: Any) -> Any:
    """As tiled diffusion packs do it: the network runs on one half of the picture after the other."""

    def halves(apply: Any, given: dict[str, Any]) -> torch.Tensor:
        x, middle = given["input"], given["input"].shape[-1] // 2
        parts = [apply(part, given["timestep"], **given["c"]) for part in (x[..., :middle], x[..., middle:])]
        return torch.cat(parts, dim=-1)

    model = model.clone()
    model.set_model_unet_function_wrapper(halves)
    return model


def test_parts_that_nobody_announces_are_refused_for_masks(room: Any) -> None:
    without = room.apply()
    assert torch.isfinite(drawn((tiled(without[0]), *without[1:]), pictures(1))).all()
    applied = room.apply(mask=masks(2)[:1])
    with pytest.raises(ValueError, match=r"mask: another node runs the network on parts.*Take that node or"):
        drawn((tiled(applied[0]), *applied[1:]), pictures(1))


# ---- what is said


def test_keypoints_of_another_number_are_told(room: Any, caplog: pytest.LogCaptureFixture) -> None:
    applied = room.apply(control_net=GOLDEN.control_net(), keypoints=GOLDEN["in.kps"].expand(3, -1, -1, -1))
    drawn(applied, pictures(2))
    assert caplog.text.count("keypoints hold 3 pictures but 2 are drawn: the last are left out") == 1
    drawn(applied, pictures(5))
    assert "keypoints hold 3 pictures but 5 are drawn: they are used again from the first" in caplog.text


def test_load_images_empty_mask_is_told(room: Any, caplog: pytest.LogCaptureFixture) -> None:
    applied = room.apply(mask=torch.zeros(1, 64, 64))
    assert applied[0] is room.model
    (said,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert "the mask is empty" in said.getMessage() and "Load Image" in said.getMessage()
    assert torch.isfinite(sample(*applied, pictures(1))).all()
