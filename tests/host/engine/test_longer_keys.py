"""Longer keys beside nodes that change queries alone, or fill the same slot. Spec: design faults.md."""

from __future__ import annotations

import logging
from functools import cache
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from support.fill import fill
from support.golden import Golden, relative_error
from support.sampling import sample

GOLDEN = Golden("arc2face")
HEIGHT = WIDTH = 128
PROMPTS = tuple([[GOLDEN[f"in.{side}"], {}]] for side in ("positive", "negative"))

pytestmark = pytest.mark.usefixtures("as_the_executor_does")


@pytest.fixture(scope="module")
def room(pack: Any) -> SimpleNamespace:
    model = GOLDEN.model("SD15")
    vae = SimpleNamespace(encode=lambda image: GOLDEN["in.reference_latent"] / 0.18215)

    def refer(model: Any, weight: float = 1.0) -> Any:
        node, picture = pack.node("LikenessApplyReference").execute, torch.zeros(1, HEIGHT, WIDTH, 3)
        return node(model=model, vae=vae, image=picture, positive=PROMPTS[0], weight=weight)[0]

    def repaired(personalised: Any, foundation: Any, **inputs: Any) -> Any:
        mask = torch.zeros(1, HEIGHT, WIDTH)
        mask[:, : HEIGHT // 2] = 1
        given = {"positive": PROMPTS[0], "negative": PROMPTS[1], "mask": mask, "cfg": 5.0, "strength": 0.5}
        given |= {"personalised": personalised, "foundation": foundation, "layers": "default"}
        return pack.node("LikenessFreeCureGuider").execute(**{**given, **inputs})[0]

    return SimpleNamespace(model=model, refer=refer, repaired=repaired)


def hypertile(model: Any, swap: int = 1) -> Any:
    from comfy_extras.nodes_hypertile import HyperTile

    return HyperTile.execute(model, 1, swap, 0, False)[0]


def merged(model: Any) -> Any:
    from comfy_extras.nodes_tomesd import TomePatchModel

    return TomePatchModel.execute(model, 0.5)[0]


def perturbed(model: Any) -> Any:
    from comfy_extras.nodes_pag import PerturbedAttentionGuidance

    return PerturbedAttentionGuidance.execute(model, 3.0)[0]


NODES = {"HyperTile": hypertile, "Token merging": merged, "PAG": perturbed}


def noise(batch: int) -> torch.Tensor:
    return fill("noise", (batch, 4, HEIGHT // 8, WIDTH // 8)) * 10


def drawn(model: Any, batch: int = 1) -> torch.Tensor:
    torch.manual_seed(4)  # HyperTile and token merging draw from PyTorch's own generator
    return sample(model, *PROMPTS, noise(batch), steps=2)


def guided(guider: Any, batch: int = 1) -> torch.Tensor:
    import comfy.samplers

    torch.manual_seed(4)
    sampling = guider.model_patcher.get_model_object("model_sampling")
    sigmas, x = comfy.samplers.calculate_sigmas(sampling, "normal", 2), noise(batch)
    sampler = comfy.samplers.sampler_object("euler")
    return guider.sample(x, torch.zeros_like(x), sampler, sigmas, disable_pbar=True, seed=0)


@pytest.mark.parametrize("name", NODES)
@pytest.mark.parametrize("first", [True, False], ids=["node first", "reference first"])
def test_a_reference_beside_them(room: Any, name: str, first: bool) -> None:
    """As little of the reference as rounding is the node alone; all of it is seen, in either order."""
    node = NODES[name]

    def both(weight: float) -> Any:
        return room.refer(node(room.model), weight) if first else node(room.refer(room.model, weight))

    alone = drawn(node(room.model), 2)
    assert relative_error(alone, drawn(room.model, 2)) > 1e-4, "the node does something"
    assert relative_error(drawn(both(1e-9), 2), alone) < 1e-5
    full = drawn(both(1.0), 2)
    assert torch.isfinite(full).all() and relative_error(full, alone) > 1e-4
    assert relative_error(full, drawn(room.refer(room.model), 2)) > 1e-4
    turned = room.refer(node(room.model)) if not first else node(room.refer(room.model))
    assert relative_error(full, drawn(turned, 2)) < 1e-5


@pytest.fixture(scope="module")
def branches(room: Any) -> Any:
    """(personalised, foundation, what is drawn of the first alone) beside a node, for one picture or two."""

    @cache
    def of(name: str, batch: int) -> tuple[Any, Any, torch.Tensor]:
        shared = NODES[name](room.model)
        personalised = room.refer(shared, 0.6)
        return personalised, shared, drawn(personalised, batch)

    return of


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("mode", ["code", "paper", "paper_masked"])
@pytest.mark.parametrize("name", NODES)
def test_freecure_beside_them(room: Any, branches: Any, name: str, mode: str, batch: int) -> None:
    """The tokens of the other branch are seen."""
    personalised, shared, alone = branches(name, batch)
    guider = room.repaired(personalised, shared, mode=mode, layers="15" if mode == "code" else "0-15")
    found = guided(guider, batch)
    assert torch.isfinite(found).all() and relative_error(found, alone) > 1e-5


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("name", NODES)
def test_a_branch_of_freecure_is_the_node_s_own_where_nothing_arrives_of_the_other(
    room: Any, branches: Any, name: str, batch: int
) -> None:
    personalised, shared, alone = branches(name, batch)
    nothing = room.repaired(personalised, shared, mask=None)
    assert relative_error(guided(nothing, batch), alone) < 1e-5
    weak = room.repaired(personalised, shared, mode="code", strength=-30.0, layers="15")
    assert relative_error(guided(weak, batch), alone) < 1e-5


def test_pag_in_the_layer_itself_keeps_its_own_keys(
    room: Any, pack: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """PAG's attention gives back the values: longer ones fit nothing. One line says so."""
    caplog.set_level(logging.WARNING)
    pack.module("likeness.attention.extended")._told.clear()  # it is said once per process and pack
    drawn(perturbed(room.refer(room.model)))
    said = [r.getMessage() for r in caplog.records if "can't take longer keys" in r.getMessage()]
    assert len(said) == 1
    guider = room.repaired(
        perturbed(room.refer(room.model)), perturbed(room.model), layers="6-8", mode="code"
    )
    assert torch.isfinite(guided(guider)).all()
