"""Every method on its tiny network, ready to draw: in any precision, on whatever device the host uses.

Nothing here needs a file beside tests/data, or pytest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch

from . import emojidiff, fact_files, instantid_files, masterweaver, pva_files, wplus_files
from .consistentid_golden import ConsistentGolden
from .fill import fill
from .flux_runs import Room as FluxRoom
from .golden import Golden
from .sampling import denoise
from .tiny_flux import flux_prompt

SIGMA = 1.6
#: At this strength the method does nothing, not even a rounding error.
NOTHING, FULL = 0.0, 1.0


@dataclass(frozen=True)
class Method:
    """plain() is the picture without the method, draw(strength) with it: one call of the network each."""

    network: torch.nn.Module
    plain: Callable[[], torch.Tensor]
    draw: Callable[[float], torch.Tensor]


def as_it_is(model: Any) -> Any:
    return model


def instantid(pack: Any, dtype: torch.dtype, changed: Callable[[Any], Any] = as_it_is) -> Method:
    """With its ControlNet. changed: what is done to the MODEL that is drawn with, such as compiling it."""
    golden = Golden("instantid")
    model, (positive, negative) = golden.model(dtype=dtype), _prompts(golden)
    adapter, identity = _instantid_adapter(pack, golden, model)
    given = {"model": model, "instantid": adapter, "identity": identity, "control_net": golden.control_net()}
    given |= {"positive": positive, "negative": negative, "keypoints": golden["in.kps"]}
    node, x = pack.node("LikenessApplyInstantID"), golden["in.x"]

    def draw(strength: float) -> torch.Tensor:
        applied, *prompts = node.execute(**given, weight=strength, controlnet_strength=strength)
        return _rows(changed(applied), *prompts, x)

    return Method(_network(model), lambda: _rows(changed(model), positive, negative, x), draw)


def expression(pack: Any, dtype: torch.dtype) -> Method:
    """Arc2Face's expression adapter."""
    golden = Golden("arc2face")
    model, width = golden.model("SD15", dtype), golden.meta["unet_config"]["context_dim"]
    content = {"image_proj": emojidiff.flame(width), "ip_adapter": _layers(pack, model, width)}
    given = {"expression_adapter": pack.module("likeness.methods.arc2face.expression").parse(content, "tiny")}
    given["expression"] = pack.module("likeness.values").Expression(golden["in.expression"])
    return _on_sd15(pack, golden, model, "LikenessApplyExpression", given)


def reference(pack: Any, dtype: torch.dtype) -> Method:
    golden = Golden("arc2face")
    vae = SimpleNamespace(encode=lambda image: golden["in.reference_latent"] / 0.18215)
    given = {"vae": vae, "image": torch.zeros(1, 128, 192, 3), "positive": [[golden["in.positive"], {}]]}
    return _on_sd15(pack, golden, golden.model("SD15", dtype), "LikenessApplyReference", given)


def e_adapter(pack: Any, dtype: torch.dtype) -> Method:
    """EmojiDiff."""
    golden = Golden("arc2face")
    model, width = golden.model("SD15", dtype), golden.meta["unet_config"]["context_dim"]
    module = pack.module("likeness.methods.emojidiff.adapter")
    content = emojidiff.flat(emojidiff.resampler(width), _layers(pack, model, width))
    adapter = module.parse(content, {}, "tiny")
    tokens = adapter.projector(fill("features", (2, 17, emojidiff.VISION)) * 4)
    given = {
        "eadapter": adapter,
        "expression_tokens": pack.module("likeness.adapters").Tokens(tokens[:1], tokens[1:], adapter.made),
    }
    return _on_sd15(pack, golden, model, "LikenessApplyEAdapter", given)


def master_weaver(pack: Any, dtype: torch.dtype) -> Method:
    """Three photos of somebody."""
    golden = Golden("masterweaver")
    layout, methods = golden.meta["layout"], pack.module("likeness.methods.masterweaver")
    content = masterweaver.content(layout["id_encoder"], layout["adapter_modules"])
    adapter = methods.parse(content, {}, "golden")
    tokens = methods.tokens_of(adapter, golden["in.zero_state"], golden["in.states"][:3])
    given = {"masterweaver": adapter, "masterweaver_tokens": tokens}
    return _on_sd15(pack, golden, golden.model("SD15", dtype), "LikenessApplyMasterWeaver", given)


def fact(pack: Any, dtype: torch.dtype) -> Method:
    """FaceChain-FACT, two photos of somebody."""
    golden = Golden("fact")
    model, width = golden.model("SD15", dtype), golden.meta["unet_config"]["context_dim"]
    hidden = [site.hidden for site in _sites(pack, model)]
    methods = pack.module("likeness.methods.fact")
    adapter = methods.parse(fact_files.adapter(hidden, width, golden["in.alphas"].tolist()), {}, "golden")
    tokens = methods.identity_tokens(adapter, golden["out.local_tokens"][:2])
    given = {"fact": adapter, "fact_tokens": tokens}
    return _on_sd15(pack, golden, model, "LikenessApplyFACT", given)


def wplus(pack: Any, dtype: torch.dtype) -> Method:
    """The W+ Adapter, one code."""
    golden = Golden("wplus")
    model, width = golden.model("SD15", dtype), golden.meta["unet_config"]["context_dim"]
    methods, hidden = pack.module("likeness.methods.wplus"), [site.hidden for site in _sites(pack, model)]
    adapter = methods.parse(wplus_files.tiny(hidden, width), {}, "golden")
    given = {"adapter": adapter, "wplus": methods.WPlus(golden["in.w"][:1])}
    return _on_sd15(pack, golden, model, "LikenessApplyWPlus", given)


def consistent_id(pack: Any, dtype: torch.dtype) -> Method:
    """Its tokens, its LoRA, and words that know the parts of a face."""
    golden = ConsistentGolden("sd15")
    model, methods = golden.model("SD15", dtype), pack.module("likeness.methods.consistentid")
    adapter = methods.parse(golden.content(), {}, "golden")
    features = methods.features_of(adapter, golden["in.face"], golden.states(), golden.parts())
    given = {"model": model, "consistentid": adapter, "features": features}
    prompts = [[[golden[name], {}]] for name in ("out.positive_fused", "out.negative")]
    node, x = pack.node("LikenessApplyConsistentID"), golden["in.x"]

    def draw(strength: float) -> torch.Tensor:
        # Real LoRAs are small; all of this one would be most of the weights that are rounded.
        strengths = {"weight": strength, "lora_strength": strength * 0.2}
        return _rows(node.execute(**given, **strengths)[0], *prompts, x)

    return Method(_network(model), lambda: _rows(model, *prompts, x), draw)


def pva(pack: Any, dtype: torch.dtype) -> Method:
    golden = Golden("pva")
    model = golden.model("SD20", dtype, attn_precision=torch.float32)  # as the host makes a real SD2
    hidden = [site.hidden for site in _sites(pack, model)]
    module = pack.module("likeness.methods.pva.content")
    base = module.parse_base(pva_files.base(hidden, golden.meta["unet_config"]["context_dim"]), "tiny")
    whole = module.PVA(base)
    vectors = pack.module("likeness.values").Identity(golden["in.reference_embeddings"][0][:2], "ms1mv3_r50")
    given = {"model": model, "pva": whole, "pva_tokens": module.identity_tokens(whole, vectors)}
    mask = golden["in.mask"].repeat_interleave(8, 2).repeat_interleave(8, 3)
    facts = {"concat_latent_image": golden["in.masked_latent"] / 0.18215, "concat_mask": mask}
    prompts = [[[golden[f"in.{side}"], facts]] for side in ("positive", "negative")]
    node, x = pack.node("LikenessApplyPVA"), golden["in.x"] * 2

    def draw(strength: float) -> torch.Tensor:
        return _rows(node.execute(**given, strength=strength, apply_to="both")[0], *prompts, x)

    return Method(_network(model), lambda: _rows(model, *prompts, x), draw)


def hold(pack: Any, dtype: torch.dtype) -> Method:
    """The first words of a prompt, heard twice."""
    golden = Golden("instantid")
    model, prompts, x = golden.model(dtype=dtype), _prompts(golden), golden["in.x"]
    node = pack.node("LikenessHoldIdentity")

    def draw(strength: float) -> torch.Tensor:
        return _rows(node.execute(model=model, identity_tokens=9, strength=strength)[0], *prompts, x)

    return Method(_network(model), lambda: _rows(model, *prompts, x), draw)


def freecure(pack: Any, dtype: torch.dtype) -> Method:
    """On InstantID; without the method is with the identity alone."""
    golden = Golden("instantid")
    model, (positive, negative) = golden.model(dtype=dtype), _prompts(golden)
    adapter, identity = _instantid_adapter(pack, golden, model)
    given = {"instantid": adapter, "identity": identity, "positive": positive, "negative": negative}
    personalised = pack.node("LikenessApplyInstantID").execute(model=model, **given)[0]
    height, width = golden.meta["image_size"]
    given = {"personalised": personalised, "foundation": model, "positive": positive, "negative": negative}
    given |= {"mask": _corner(height, width), "cfg": 5.0, "layers": "all_up"}
    return _repaired(pack, model, given, fill("noise", (1, 4, height // 8, width // 8)) * 6)


def freecure_flux(pack: Any, dtype: torch.dtype) -> Method:
    """On Flux, with an identity of another pack."""
    room = FluxRoom(pack, dtype)
    given = {"personalised": room.personalised, "foundation": room.base, "mask": room.mask, "cfg": 1.0}
    given |= {"positive": flux_prompt(1), "negative": flux_prompt(2), "experimental": True}
    return _repaired(pack, room.base, given, room.noise)


METHODS: dict[str, Callable[[Any, torch.dtype], Method]] = {
    "InstantID": instantid,
    "Arc2Face expression": expression,
    "Arc2Face reference": reference,
    "EmojiDiff": e_adapter,
    "MasterWeaver": master_weaver,
    "FACT": fact,
    "W+ Adapter": wplus,
    "ConsistentID": consistent_id,
    "PVA": pva,
    "Hold Identity": hold,
    "FreeCure": freecure,
    "FreeCure on Flux": freecure_flux,
}


def _on_sd15(pack: Any, golden: Golden, model: Any, node_id: str, given: dict[str, Any]) -> Method:
    """A node that changes a MODEL of SD1.5 by a `weight`."""
    prompts = [[[golden[f"in.{side}"], {}]] for side in ("positive", "negative")]
    node, x = pack.node(node_id), golden["in.x"]

    def draw(strength: float) -> torch.Tensor:
        return _rows(node.execute(model=model, **given, weight=strength)[0], *prompts, x)

    return Method(_network(model), lambda: _rows(model, *prompts, x), draw)


def _repaired(pack: Any, model: Any, given: dict[str, Any], noise: torch.Tensor) -> Method:
    """FreeCure's guider; at no strength its window is empty."""
    import comfy.samplers

    def plain() -> torch.Tensor:
        guider = comfy.samplers.CFGGuider(given["personalised"])
        guider.set_conds(given["positive"], given["negative"])
        guider.set_cfg(given["cfg"])
        return _once(guider, noise)

    def draw(strength: float) -> torch.Tensor:
        guider = pack.node("LikenessFreeCureGuider").execute(**given, strength=1.5, end=strength)[0]
        return _once(guider, noise)

    return Method(_network(model), plain, draw)


def _once(guider: Any, noise: torch.Tensor, sigma: float = 0.7) -> torch.Tensor:
    """What one call of a guider gives, on the CPU."""
    import comfy.samplers

    def call(wrapped: Any, x: torch.Tensor, sigmas: Any, extra_args: Any = None, **_: Any) -> torch.Tensor:
        return wrapped(x, sigmas[:1].expand(len(x)), **extra_args)

    sampler, sigmas = comfy.samplers.KSAMPLER(call), torch.tensor([sigma, 0.0])
    return guider.sample(noise, torch.zeros_like(noise), sampler, sigmas, disable_pbar=True, seed=0).cpu()


def _rows(model: Any, positive: Any, negative: Any, x: torch.Tensor) -> torch.Tensor:
    """Both rows of a call, one after the other, on the CPU."""
    return torch.cat(denoise(model, positive, negative, x, SIGMA)).cpu()


def _prompts(golden: Golden) -> tuple[Any, Any]:
    return golden.conditioning("positive"), golden.conditioning("negative")


def _network(model: Any) -> torch.nn.Module:
    return model.model.diffusion_model


def _sites(pack: Any, model: Any) -> Any:
    return pack.module("likeness.attention.sites").attention_sites(_network(model))


def _layers(pack: Any, model: Any, width: int) -> dict[str, torch.Tensor]:
    """to_k and to_v of every cross-attention layer, in IP-Adapter's names."""
    return {
        f"{2 * n + 1}.to_{half}_ip.weight": fill(f"{n}{half}", (site.hidden, width))
        for n, site in enumerate(_sites(pack, model))
        for half in "kv"
    }


def _instantid_adapter(pack: Any, golden: Golden, model: Any) -> tuple[Any, Any]:
    """(the adapter, somebody)"""
    width = golden.meta["unet_config"]["context_dim"]
    hidden = (site.hidden for site in _sites(pack, model))
    content = instantid_files.adapter(hidden, width, golden.meta["resampler"])
    adapter = pack.module("likeness.methods.instantid.adapter").parse(content, {}, "tiny")
    return adapter, pack.module("likeness.values").Identity(golden["in.face_embedding"], "glintr100")


def _corner(height: int, width: int) -> torch.Tensor:
    mask = torch.zeros(1, height, width)
    mask[:, : height // 2, width // 4 :] = 1
    return mask
