"""Both MODELs behave as in runs of their own, whatever the host's nodes hang on one of them or on both.

Guidance that remembers (APG), patches that mix the rows of a batch (NAG), caches with a state of each run
(EasyCache, LazyCache): each MODEL has a run of the host's own guider, with what belongs to it.
"""

from __future__ import annotations

import gc
import importlib
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from support.freecure_runs import Room, differ, plain, run, schedule
from support.golden import relative_error

STEPS, SIDE = 3, 64

#: Module of comfy_extras, class, inputs. All nodes that change how an image model's rows become a step.
NODES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "APG": ("apg", "APG", {"eta": 0.5, "norm_threshold": 5.0, "momentum": -0.5}),
    "NAG": ("nag", "NAGuidance", {"nag_scale": 5.0, "nag_alpha": 0.5, "nag_tau": 1.5}),
    "EasyCache": ("easycache", "EasyCacheNode", {"reuse_threshold": 3.0}),
    "LazyCache": ("easycache", "LazyCacheNode", {"reuse_threshold": 3.0}),
    "TCFG": ("tcfg", "TCFG", {}),
    "Mahiro": ("mahiro", "Mahiro", {}),
    "FreSca": ("fresca", "FreSca", {"scale_low": 0.8, "scale_high": 1.3, "freq_cutoff": 3}),
    "CFG-Zero*": ("cfg", "CFGZeroStar", {}),
    "CFG norm": ("cfg", "CFGNorm", {"strength": 0.9}),
    "CFG norm first": ("cfg", "CFGNorm", {"strength": 0.9, "pre_cfg": True}),
    "Epsilon Scaling": ("eps", "EpsilonScaling", {"scaling_factor": 1.05}),
    "TSR": ("eps", "TemporalScoreRescaling", {"tsr_k": 0.95, "tsr_sigma": 1.0}),
    "RescaleCFG": ("model_advanced", "RescaleCFG", {"multiplier": 0.7}),
    "RenormCFG": ("lumina2", "RenormCFG", {"cfg_trunc": 100.0, "renorm_cfg": 1.0}),
    "PAG": ("pag", "PerturbedAttentionGuidance", {"scale": 3.0}),
    "SAG": ("sag", "SelfAttentionGuidance", {"scale": 0.5, "blur_sigma": 2.0}),
    "PerpNeg": ("perpneg", "PerpNeg", {"neg_scale": 1.0}),
    "Linear CFG": ("video_model", "VideoLinearCFGGuidance", {"min_cfg": 1.0}),
    "Triangle CFG": ("video_model", "VideoTriangleCFGGuidance", {"min_cfg": 1.0}),
    "SLG Simple": (
        "slg",
        "SkipLayerGuidanceDiTSimple",
        {"double_layers": "0", "single_layers": "0", "start_percent": 0.0, "end_percent": 1.0},
    ),
    "Latent Operation CFG": ("latent", "LatentApplyOperationCFG", {}),
    "CFG Override": ("custom_sampler", "CFGOverride", {"cfg": 1.0, "start_percent": 0.3, "end_percent": 1.0}),
    "Differential Diffusion": ("differential_diffusion", "DifferentialDiffusion", {"strength": 1.0}),
    "FreeU": ("freelunch", "FreeU_V2", {"b1": 1.3, "b2": 1.4, "s1": 0.9, "s2": 0.2}),
    "Deep Shrink": (
        "model_downscale",
        "PatchModelAddDownscale",
        {
            "block_number": 3,
            "downscale_factor": 2.0,
            "start_percent": 0.0,
            "end_percent": 0.6,
            "downscale_after_skip": True,
            "downscale_method": "bicubic",
            "upscale_method": "bicubic",
        },
    ),
}
#: They change queries alone: FreeCure refuses them where it looks. See test_without_a_mask.
SHORTER = {
    "HyperTile": (
        "hypertile",
        "HyperTile",
        {"tile_size": 64, "swap_size": 2, "max_depth": 3, "scale_depth": False},
    ),
    "Token merging": ("tomesd", "TomePatchModel", {"ratio": 0.3}),
}
#: Modules that hang something on a run of a MODEL, but of another kind of network or for another purpose.
OTHERS = {
    "chroma_radiance": "its own network",
    "custom_sampler": "",
    "flux": "Flux",
    "hidream_o1": "its own network",
    "hypernetwork": "weights of layers, from a file",
    "lt": "video with sound",
    "model_patch": "patches from files for other networks",
    "triposplat": "its own network",
    "wan": "video",
}
#: In the host's network of a picture, SLG leaves out layers that only a DiT has.
NO_EFFECT = ("SLG Simple",)
WHERE = ("shared", "personalised", "foundation")
#: Those with a state, those that mix rows, and those that decide what is run: on one MODEL alone, too.
CAREFUL = ("APG", "NAG", "EasyCache", "LazyCache", "SAG", "PAG", "CFG Override", "Differential Diffusion")

pytestmark = pytest.mark.usefixtures("as_the_executor_does")


@pytest.fixture(scope="module")
def room(pack: Any) -> Room:
    return Room(pack, SIDE, SIDE)


def applied(room: Room, name: str, model: Any) -> Any:
    """The MODEL with a node of the host on it."""
    module, kind, inputs = {**NODES, **SHORTER}[name]
    importlib.import_module("comfy_extras.nodes_post_processing")  # before nodes_latent: they form a circle
    node = getattr(importlib.import_module(f"comfy_extras.nodes_{module}"), kind)
    if name in ("EasyCache", "LazyCache"):
        inputs = {**inputs, "start_percent": 0.0, "end_percent": 1.0, "verbose": False}
    if name == "PerpNeg":
        nothing = [[torch.zeros_like(prompt), facts] for prompt, facts in room.negative]
        inputs = {**inputs, "empty_conditioning": nothing}
    if name == "Latent Operation CFG":
        inputs = {"operation": lambda latent: latent.clamp(-1, 1)}
    return node.execute(model, **inputs)[0] if hasattr(node, "execute") else node().patch(model, **inputs)[0]


def models(room: Room, name: str, where: str) -> dict[str, Any]:
    """Both MODELs: with the node before they part, or on one of them alone."""
    if where == "shared":
        shared = applied(room, name, room.base)
        return {"personalised": room.with_identity(shared), "foundation": shared}
    both = {"personalised": room.personalised, "foundation": room.base}
    return {**both, where: applied(room, name, both[where])}


def drawing(name: str) -> dict[str, Any]:
    more: dict[str, Any] = {"steps": STEPS}
    if name == "Differential Diffusion":
        more["latent"] = 0.3 * torch.randn(1, 4, SIDE // 8, SIDE // 8, generator=seeded())
        more["denoise_mask"] = torch.linspace(0, 1, SIDE).expand(1, SIDE, SIDE)
    return more


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(9)


def test_no_node_of_the_host_is_forgotten(host: Any) -> None:
    import comfy_extras.nodes_apg

    hangs = re.compile(r"set_model_(sampler_|unet_|attn\d|denoise|output|input)|add_wrapper|add_callback")
    found = set()
    for file in Path(comfy_extras.nodes_apg.__file__).parent.glob("nodes_*.py"):
        if hangs.search(file.read_text(encoding="utf-8")):
            found.add(file.stem.removeprefix("nodes_"))
    assert found == {module for module, *_ in (NODES | SHORTER).values()} | OTHERS.keys()


# Each is as alone


@pytest.mark.parametrize(
    "name, where",
    [(name, where) for name in NODES for where in (WHERE if name in CAREFUL else WHERE[:1])],
)
def test_each_model_is_as_in_a_run_of_its_own(room: Room, name: str, where: str) -> None:
    both, more = models(room, name, where), drawing(name)
    alone = {side: plain(room, model, room.noise, **more) for side, model in both.items()}
    # So weak that nothing of the foundation arrives, with all that looking does.
    guider = room.guide(**both, strength=-30.0, layers="16")
    assert relative_error(run(guider, room.noise, **more), alone["personalised"]) < 1e-5
    assert relative_error(guider.foundation_latent, alone["foundation"]) < 1e-5
    if where == "shared":
        unmasked = room.guide(**both, mask=None)
        assert relative_error(run(unmasked, room.noise, **more), alone["personalised"]) < 1e-5
        assert relative_error(unmasked.foundation_latent, alone["foundation"]) < 1e-5
        # And the node does something, so that it could have been lost.
        assert differ(alone["foundation"], plain(room, room.base, room.noise, **more)) != (name in NO_EFFECT)


@pytest.mark.parametrize("name", SHORTER)
def test_without_a_mask(room: Room, name: str) -> None:
    """Their draws come from the stream of whoever runs: it is the same for both."""
    both = models(room, name, "shared")

    def drawn(draw: Any, *args: Any) -> torch.Tensor:
        torch.manual_seed(1)
        result: torch.Tensor = draw(*args, steps=STEPS)
        return result

    guider = room.guide(**both, mask=None)
    assert torch.equal(drawn(run, guider, room.noise), drawn(plain, room, both["personalised"], room.noise))
    assert torch.equal(guider.foundation_latent, drawn(plain, room, both["foundation"], room.noise))


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("name", CAREFUL)
def test_both_nodes_repair_the_same(room: Room, name: str, where: str) -> None:
    import comfy.samplers
    from comfy_extras.nodes_custom_sampler import Noise_RandomNoise, SamplerCustomAdvanced

    both, more = models(room, name, where), drawing(name)
    latent = {"samples": more.get("latent", torch.zeros_like(room.noise))}
    if "denoise_mask" in more:
        latent["noise_mask"] = more["denoise_mask"]
    sampling = {"noise": Noise_RandomNoise(4), "sampler": comfy.samplers.sampler_object("euler")}
    sampling["sigmas"] = schedule(room.base, STEPS)
    inputs = room.given(**both, style_fidelity=0.5)
    repaired, _, foundation, *_ = room.pack.node("LikenessFreeCureSample").execute(
        **inputs, **sampling, latent_image=latent
    )
    guider = room.pack.node("LikenessFreeCureGuider").execute(**inputs)[0]
    guided = SamplerCustomAdvanced.execute(guider=guider, **sampling, latent_image=latent)[0]
    assert relative_error(repaired["samples"], guided["samples"]) < 1e-5
    assert relative_error(foundation["samples"], guider.foundation_latent) < 1e-5
    unrepaired = room.pack.node("LikenessFreeCureGuider").execute(**{**inputs, "mask": None})[0]
    wanted = SamplerCustomAdvanced.execute(guider=unrepaired, **sampling, latent_image=latent)[0]
    assert differ(guided["samples"], wanted["samples"])


# Nothing is left, nothing is lost


@pytest.mark.parametrize("name", ["APG", "NAG", "EasyCache", "LazyCache", "SAG"])
def test_nothing_stays_of_a_run(room: Room, name: str) -> None:
    both = models(room, name, "shared")

    def tensors() -> int:
        gc.collect()
        return sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects())

    def once() -> int:
        run(room.guide(**both), room.noise, steps=STEPS)
        return tensors()

    once()
    before = once()
    assert [once(), once()] == [before, before]
    assert room.base.model.current_patcher is None


def test_a_cache_saves_the_foundation_the_steps_it_saves_it_alone(room: Room) -> None:
    rows: list[int] = []
    # The first that a call which is not left out goes through.
    network = room.base.model.diffusion_model.time_embed

    def counted(draw: Any) -> list[int]:
        rows.clear()
        draw()
        return list(rows)

    both = {name: models(room, name, "foundation") for name in ("EasyCache", "LazyCache")}
    handle = network.register_forward_pre_hook(lambda module, args: rows.append(len(args[0])))
    try:
        for given in both.values():
            alone = counted(lambda given=given: plain(room, given["foundation"], room.noise, steps=STEPS))
            assert 0 < len(alone) < STEPS
            found = counted(lambda given=given: run(room.guide(**given), room.noise, steps=STEPS))
            # Its own run, then at every step its positive row and the personalised rows.
            assert found == alone + [1, 2] * STEPS
    finally:
        handle.remove()


def test_rows_stay_together_where_a_patch_mixes_them(room: Room) -> None:
    """NAG guides the positive row by the negative one: the tokens are those of both."""
    rows: list[list[int]] = []

    def note(out: torch.Tensor, options: dict[str, Any]) -> torch.Tensor:
        rows.append(list(options["cond_or_uncond"]))
        return out

    foundation = applied(room, "NAG", room.base)
    foundation.set_model_attn1_output_patch(note)
    for cfg in (5.0, 1.0):
        rows.clear()
        run(room.guide(foundation=foundation, cfg=cfg), room.noise)
        assert rows and all(sorted(call) == [0, 1] for call in rows)


class Journal:
    """Another pack's state of a run: begun and put away by wrappers, asked in each call of the network."""

    def __init__(self) -> None:
        self.runs: list[list[int]] = []
        self.open = 0
        self.loaded = 0

    def on(self, model: Any) -> Any:
        model = model.clone()
        model.add_wrapper_with_key("outer_sample", "journal", self.outer)
        model.add_wrapper_with_key("diffusion_model", "journal", self.network)
        model.add_callback_with_key("on_pre_run", "journal", lambda patcher: self.count(1))
        model.add_callback_with_key("on_cleanup", "journal", lambda patcher: self.count(-1))
        return model

    def count(self, change: int) -> None:
        self.loaded += change

    def outer(self, executor: Any, *args: Any, **kwargs: Any) -> Any:
        guider = executor.class_obj
        before, self.open = guider.model_options, self.open + 1
        state = SimpleNamespace(rows=[])
        self.runs.append(state.rows)
        options = {**before["transformer_options"], "journal": state}
        guider.model_options = {**before, "transformer_options": options}
        try:
            return executor(*args, **kwargs)
        finally:
            guider.model_options, self.open = before, self.open - 1

    def network(self, executor: Any, *args: Any, **kwargs: Any) -> Any:
        options = next(arg for arg in (*args, kwargs.get("transformer_options")) if isinstance(arg, dict))
        options["journal"].rows.append(len(args[0]))
        return executor(*args, **kwargs)


@pytest.mark.parametrize("where", WHERE)
def test_the_hosts_wrappers_hold_for_the_foundation_too(room: Room, where: str) -> None:
    journal = Journal()
    both = {"personalised": room.personalised, "foundation": room.base}
    if where == "shared":
        shared = journal.on(room.base)
        both = {"personalised": room.with_identity(shared), "foundation": shared}
    else:
        both[where] = journal.on(both[where])
    run(room.guide(**both), room.noise, steps=STEPS)
    # The foundation's own run, the one beside the other MODEL, and that one.
    runs = {"shared": 3, "personalised": 1, "foundation": 2}[where]
    assert journal.runs == [[2] * STEPS] * runs
    assert journal.open == 0 and journal.loaded == 0
