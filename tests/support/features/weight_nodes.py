"""Nodes of the host that change the weights of a MODEL, or what its attention makes of a prompt."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from ..fill import fill
from .feature import ORDER, Answer, Feature, Works
from .model_nodes import ALL, ONCE, no, of_model, on_model
from .run import Run
from .world import World

WEIGHTS = "weights"


def _lora(node_id: str, module: str) -> Callable[[World, Run], Run]:
    def apply(world: World, run: Run) -> Run:
        name = world.lora(run.network)
        return on_model(module, node_id, lora_name=name, strength_model=0.7)(world, run)

    return apply


def _hypernetwork(world: World, run: Run) -> Run:
    def write(path: Path) -> None:
        sizes = {size for site in world.sites(run.network) for size in (site.context, site.hidden)}
        torch.save(
            {
                size: [
                    {
                        "linear.0.weight": fill(f"{size}{half}", (size, size)),
                        "linear.0.bias": torch.zeros(size),
                    }
                    for half in "kv"
                ]
                for size in sizes
            },
            path,
        )

    name = world.file("hypernetworks", run.network, ".pt", write)
    given = {"hypernetwork_name": name, "strength": 0.5}
    return on_model("nodes_hypernetwork", "HypernetworkLoader", **given)(world, run)


@contextmanager
def _named_once(module: torch.nn.Module) -> Iterator[None]:
    """The host's merges ask a network for all its weights once for each of them; here it answers once."""
    weights = module.state_dict()
    module.state_dict = lambda *args, **kwargs: weights
    try:
        yield
    finally:
        del module.state_dict


def _merged(world: World, node_id: str, one: Any, two: Any, **inputs: Any) -> Any:
    given = {"model1": one, "model2": two, **inputs}
    with _named_once(one.model), _named_once(two.model):
        return world.node("nodes_model_merging", node_id, **given)[0]


def _merge(node_id: str, **inputs: Any) -> Callable[[World, Run], Run]:
    def apply(world: World, run: Run) -> Run:
        return run.but(model=_merged(world, node_id, run.model, world.another_model(run.network), **inputs))

    return apply


def _add_difference(world: World, run: Run) -> Run:
    """What another checkpoint has learnt, as much of it as one wants."""

    def make() -> Any:
        another, base = world.another_model(run.network), world.model(run.network)
        return _merged(world, "ModelMergeSubtract", another, base, multiplier=0.3)

    difference = world.once(f"difference {run.network}", make)
    return run.but(model=_merged(world, "ModelMergeAdd", run.model, difference))


def _weights(name: str, apply: Callable[[World, Run], Run], answers: Mapping[str, Answer] = ONCE) -> Feature:
    return Feature(name, WEIGHTS, apply, answers=answers)


#: ConsistentID's LoRA lies in the weights: what mixes or multiplies them takes its part of it, if it can.
_ALL_WEIGHTS = ONCE | {"Apply ConsistentID": Works({ORDER: "after ours it changes the file's LoRA, too"})}


WEIGHT_NODES: tuple[Feature, ...] = (
    _weights("LoraLoaderModelOnly", _lora("LoraLoaderModelOnly", "nodes")),
    _weights("LoraLoaderBypassModelOnly", _lora("LoraLoaderBypassModelOnly", "nodes_lora_debug")),
    _weights("ModelMergeSimple", _merge("ModelMergeSimple", ratio=0.4), _ALL_WEIGHTS),
    _weights("ModelMergeBlocks", _merge("ModelMergeBlocks", input=0.4, middle=0.2, out=0.6), _ALL_WEIGHTS),
    _weights("ModelMergeAdd", _add_difference),
    _weights("ModelMergeSubtract", _merge("ModelMergeSubtract", multiplier=0.7), _ALL_WEIGHTS),
    of_model(
        WEIGHTS, "nodes_attention_multiply", "UNetSelfAttentionMultiply", answers=_ALL_WEIGHTS, q=1.3, v=0.8
    ),
    of_model(
        WEIGHTS,
        "nodes_attention_multiply",
        "UNetCrossAttentionMultiply",
        answers=_ALL_WEIGHTS,
        k=1.3,
        out=0.8,
    ),
    of_model(
        WEIGHTS,
        "nodes_attention_multiply",
        "UNetTemporalAttentionMultiply",
        idle=no(ALL, "for video: a U-Net of pictures has none of its layers"),
        answers=ONCE,
        self_temporal=0.5,
    ),
    Feature("HypernetworkLoader", "prompts of attention", _hypernetwork),
)
