"""FreeCure's repair of attributes over one plain drawing of the same person."""

from __future__ import annotations

from typing import Any

import torch

from benchmarks import network
from benchmarks.measure import ratios
from likeness import host
from likeness.attention.use import Use
from likeness.methods import instantid
from likeness.methods.freecure import repair
from likeness.methods.freecure.sample import Attributes, Run, sample

STEPS, LATENT = 2, 64


def rows() -> list[tuple[str, str]]:
    import comfy.samplers
    from comfy_extras.nodes_custom_sampler import Noise_RandomNoise

    room = network.room()
    prompts = repair.Prompts(room.prompt, room.prompt)
    model, _, _ = instantid.apply(
        room.model, room.adapter, room.identity, room.prompt, room.prompt, instantid.Strengths(Use(0.8))
    )
    sigmas = comfy.samplers.calculate_sigmas(room.model.get_model_object("model_sampling"), "normal", STEPS)
    latent = {"samples": torch.zeros(1, 4, LATENT, LATENT)}
    run = Run(Noise_RandomNoise(1), comfy.samplers.sampler_object("euler"), sigmas, latent, 5.0)
    mask = torch.zeros(1, LATENT * 8, LATENT * 8)
    mask[:, : LATENT * 2] = 1  # hair: a quarter of the picture

    def plain() -> Any:
        guider = host.sampling.CFGGuider(model)
        guider.set_conds(room.prompt, room.prompt)
        guider.set_cfg(5.0)
        return host.sampling.run_guider(guider, run.noise, run.sampler, sigmas, latent, lambda *_: None)

    def repaired() -> Any:
        return sample(model, room.model, prompts, repair.Repair(), run, Attributes(mask=mask))

    return [("FreeCure, attributes repaired, over one plain drawing", ratios(7, plain, repaired)[0])]
