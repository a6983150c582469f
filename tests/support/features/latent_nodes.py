"""Nodes of the host that change latents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .feature import ALONE, LATENT, NODE, Feature
from .run import HEIGHT, WIDTH, Run, latent_of
from .world import World, masks, picture


def _noise_mask(world: World, run: Run) -> Run:
    given = {"samples": run.latent, "mask": masks((3,))}
    return run.but(latent=world.node("nodes", "SetLatentNoiseMask", **given)[0])


def _for_inpaint(world: World, run: Run) -> Run:
    given = {"vae": world.vae, "pixels": picture(seed=4), "mask": masks((2,))}
    made = world.node("nodes", "VAEEncodeForInpaint", **given)[0]
    samples = made["samples"].repeat(len(run.pictures), 1, 1, 1)
    return run.but(latent={**run.latent, "samples": samples, "noise_mask": made["noise_mask"]})


def _repeat(world: World, run: Run) -> Run:
    """Two latents become four; a picture by itself needs no such node."""
    if len(run.pictures) == 1:
        return run
    given = {"samples": latent_of(run.pictures[:2]), "amount": 2}
    return run.but(latent=world.node("nodes", "RepeatLatentBatch", **given)[0])


def _joined(world: World, run: Run) -> Run:
    if len(run.pictures) == 1:
        return run
    given = {"samples1": latent_of(run.pictures[:1]), "samples2": latent_of(run.pictures[1:])}
    return run.but(latent=world.node("nodes_latent", "LatentBatch", **given)[0])


def _from_batch(world: World, run: Run) -> Run:
    """Some of three latents, with their own noise; the masks are for what is drawn."""
    given = {"samples": latent_of((0, 1, 2)), "batch_index": run.pictures[0], "length": len(run.pictures)}
    return run.but(latent=world.node("nodes", "LatentFromBatch", **given)[0])


def _same_seed(world: World, run: Run) -> Run:
    given = {"samples": run.latent, "seed_behavior": "fixed"}
    return run.but(latent=world.node("nodes_latent", "LatentBatchSeedBehavior", **given)[0])


def _larger(world: World, run: Run) -> Run:
    given: dict[str, Any] = {"samples": run.latent, "width": 2 * WIDTH, "height": 2 * HEIGHT}
    given |= {"upscale_method": "bilinear", "crop": "disabled"}
    return run.but(latent=world.node("nodes", "LatentUpscale", **given)[0])


def _latents(name: str, group: str, apply: Callable[[World, Run], Run], **more: Any) -> Feature:
    return Feature(name, group, apply, frozenset({LATENT}), **more)


_MORE = {NODE: "it makes a batch of the same pictures"}
_FIRST = {ALONE: "the first picture's noise is that of all"}
LATENT_NODES: tuple[Feature, ...] = (
    _latents("SetLatentNoiseMask", "a mask on the latents", _noise_mask),
    _latents("VAEEncodeForInpaint", "a mask on the latents", _for_inpaint),
    _latents("RepeatLatentBatch", "batches", _repeat, lacks=_MORE, pictures=(0, 1, 2, 3)),
    _latents("LatentBatch", "batches", _joined, lacks=_MORE),
    _latents("LatentFromBatch", "batches", _from_batch, lacks=_MORE, pictures=(1, 2)),
    _latents("LatentBatchSeedBehavior", "batches", _same_seed, lacks=_FIRST),
    _latents("LatentUpscale", "batches", _larger, lacks={NODE: "it makes other pictures: larger ones"}),
)
