"""Every method of ours, as a graph applies it. A new method gets the whole matrix by its line in METHODS."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from .. import consistentid_files, emojidiff, fact_files, instantid_files, masterweaver, wplus_files
from ..fill import fill
from .feature import ALONE, EFFECT, GUIDER, MODEL, NODE, OFF, ORDER, PROMPTS, PROPERTIES, TWIN
from .networks import ARC2FACE, SD2, SDXL
from .run import HEIGHT, WIDTH, Run
from .world import World, masks, picture

Apply = Callable[[World, Run, float], Run]
FULL, NOTHING = 1.0, 0.0


def nothing_else(world: World, run: Run) -> Run:
    return run


@dataclass(frozen=True)
class Method:
    """apply(world, run, strength): the method's node in a graph.

    wires: what it changes. without: the same graph without the method; person: who is drawn then, where
    the method is in the prompt itself. twin: another way to draw the same. asserted: what can be, or what
    no other method's pairs show already. shown_by: the method whose pair shows a property for this one, too,
    where that pair works: the same layers go the same way.
    """

    name: str
    network: str
    apply: Apply
    wires: frozenset[str] = frozenset({MODEL})
    without: Callable[[World, Run], Run] = nothing_else
    person: int = 0
    twin: Apply | None = None
    asserted: tuple[str, ...] = PROPERTIES
    shown_by: Mapping[str, str] = field(default_factory=dict)


def _layers(world: World, network: str) -> dict[str, torch.Tensor]:
    """to_k and to_v of every cross-attention layer, in IP-Adapter's names."""
    context = world.context(network)
    return {
        f"{2 * n + 1}.to_{half}_ip.weight": fill(f"{n}{half}", (site.hidden, context))
        for n, site in enumerate(world.sites(network))
        for half in "kv"
    }


def _instantid_adapter(world: World) -> Any:
    hidden = (site.hidden for site in world.sites(SDXL))
    content = instantid_files.adapter(hidden, world.context(SDXL))
    return world.pack.module("likeness.methods.instantid.adapter").parse(content, {}, "tiny")


def _instantid(world: World, run: Run, **more: Any) -> Run:
    adapter = world.once("instantid", lambda: _instantid_adapter(world))
    given = {"instantid": adapter, "identity": world.identity("glintr100"), **more}
    given |= {"positive": run.positive, "negative": run.negative}
    model, positive, negative = world.ours("LikenessApplyInstantID", model=run.model, **given)
    return run.but(model=model, positive=positive, negative=negative)


def _instantid_model(world: World, run: Run, strength: float) -> Run:
    return _instantid(world, run, weight=strength)


def _with_control(world: World, run: Run, weight: float, strength: float) -> Run:
    net = world.control_net(SDXL, "identity.")
    given = {"control_net": net, "keypoints": picture(), "mask": masks(run.pictures)}
    return _instantid(world, run, weight=weight, controlnet_strength=strength, **given)


def _instantid_control(world: World, run: Run, strength: float) -> Run:
    return _with_control(world, run, strength, strength)


def _control_alone(world: World, run: Run, strength: float) -> Run:
    return _with_control(world, run, 0.0, strength)


def _control_and_a_trace(world: World, run: Run, strength: float) -> Run:
    return _with_control(world, run, 1e-9, strength)


def _arc2face(world: World, run: Run, strength: float) -> Run:
    """Its person is in the prompt, from the start."""
    return run


def _expression_adapter(world: World) -> Any:
    content = {"image_proj": emojidiff.flame(world.context(ARC2FACE)), "ip_adapter": _layers(world, ARC2FACE)}
    return world.pack.module("likeness.methods.arc2face.expression").parse(content, "tiny")


def _expression(world: World, run: Run, strength: float) -> Run:
    adapter = world.once("expression", lambda: _expression_adapter(world))
    shown = world.pack.module("likeness.values").Expression(torch.linspace(-1, 1, 55)[None])
    given = {"expression_adapter": adapter, "expression": shown, "mask": masks(run.pictures)}
    return run.but(model=world.ours("LikenessApplyExpression", model=run.model, weight=strength, **given)[0])


def _reference(world: World, run: Run, strength: float) -> Run:
    given = {"vae": world.quick_vae, "image": picture(), "positive": world.start(ARC2FACE).positive}
    return run.but(model=world.ours("LikenessApplyReference", model=run.model, weight=strength, **given)[0])


def _an_e_adapter(world: World) -> Any:
    content = emojidiff.flat(emojidiff.resampler(world.context(ARC2FACE)), _layers(world, ARC2FACE))
    return world.pack.module("likeness.methods.emojidiff.adapter").parse(content, {}, "tiny")


def _e_adapter(world: World, run: Run, strength: float) -> Run:
    """One expression for each picture."""
    adapter = world.once("e-adapter", lambda: _an_e_adapter(world))
    tokens = adapter.projector(fill("features", (5, 17, emojidiff.VISION)) * 4)
    shown = world.pack.module("likeness.adapters").Tokens(
        tokens[list(run.pictures)], tokens[4:], adapter.made
    )
    given = {"eadapter": adapter, "expression_tokens": shown}
    return run.but(model=world.ours("LikenessApplyEAdapter", model=run.model, weight=strength, **given)[0])


def _a_masterweaver(world: World) -> Any:
    """The adapter, and a person of two photos."""
    width, methods = world.context(ARC2FACE), world.pack.module("likeness.methods.masterweaver")
    hidden = [site.hidden for site in world.sites(ARC2FACE)]
    adapter = methods.parse(masterweaver.tiny(hidden, width), {}, "tiny")
    states = fill("states", (3, 17, masterweaver.VISION)) * 4
    return adapter, methods.tokens_of(adapter, states[:1], states[1:])


def _masterweaver(world: World, run: Run, strength: float) -> Run:
    adapter, tokens = world.once("masterweaver", lambda: _a_masterweaver(world))
    given = {"masterweaver": adapter, "masterweaver_tokens": tokens, "mask": masks(run.pictures)}
    return run.but(
        model=world.ours("LikenessApplyMasterWeaver", model=run.model, weight=strength, **given)[0]
    )


def _a_wplus(world: World) -> Any:
    """The adapter, and a person."""
    methods, hidden = (
        world.pack.module("likeness.methods.wplus"),
        [site.hidden for site in world.sites(ARC2FACE)],
    )
    adapter = methods.parse(wplus_files.tiny(hidden, world.context(ARC2FACE)), {}, "tiny")
    return adapter, methods.WPlus(fill("code", (1, 18, 512)) * 10)


def _wplus(world: World, run: Run, strength: float) -> Run:
    adapter, code = world.once("W+", lambda: _a_wplus(world))
    given = {"adapter": adapter, "wplus": code, "start": 0.0, "mask": masks(run.pictures)}
    return run.but(model=world.ours("LikenessApplyWPlus", model=run.model, weight=strength, **given)[0])


def _pva(world: World, run: Run, strength: float) -> Run:
    given = {"pva": world.pva, "identity": world.identity("ms1mv3_r50", 3, 2)}
    tokens = world.once("PVA tokens", lambda: world.ours("LikenessEncodePVA", **given)[0])
    given = {"pva": world.pva, "pva_tokens": tokens, "apply_to": "both"}
    return run.but(model=world.ours("LikenessApplyPVA", model=run.model, strength=strength, **given)[0])


def _fact_adapter(world: World) -> Any:
    hidden = [site.hidden for site in world.sites(SD2)]
    parse = world.pack.module("likeness.methods.fact.adapter").parse
    return parse(fact_files.adapter(hidden, world.context(SD2)), {}, "tiny")


def _fact(world: World, run: Run, strength: float) -> Run:
    """On PVA's network, which has sixteen layers, too."""
    fact = world.once("FACT", lambda: _fact_adapter(world))
    make = world.pack.module("likeness.methods.fact").identity_tokens
    tokens = world.once("FACT tokens", lambda: make(fact, fill("local", (2, 144, 512)) * 20))
    given = {"fact": fact, "fact_tokens": tokens, "mask": masks(run.pictures)}
    return run.but(model=world.ours("LikenessApplyFACT", model=run.model, weight=strength, **given)[0])


def _consistentid_adapter(world: World) -> Any:
    hidden = [site.hidden for site in world.sites(SDXL)]
    parse = world.pack.module("likeness.methods.consistentid").parse
    return parse(consistentid_files.content(hidden, world.context(SDXL)), {}, "tiny")


def _consistentid(world: World, run: Run, strength: float) -> Run:
    """Tokens in the masked part, a LoRA everywhere."""
    adapter = world.once("ConsistentID", lambda: _consistentid_adapter(world))
    make = world.pack.module("likeness.methods.consistentid").features_of
    states = fill("states", (2, 17, consistentid_files.VISION)) * 20
    features = world.once("ConsistentID saw", lambda: make(adapter, fill("face", (1, 512)), states, []))
    given = {"consistentid": adapter, "features": features, "mask": masks(run.pictures)}
    given |= {"weight": strength, "lora_strength": strength}
    return run.but(model=world.ours("LikenessApplyConsistentID", model=run.model, **given)[0])


def _personalised(world: World, run: Run) -> Run:
    """The identity that FreeCure repairs."""
    return _instantid_model(world, run, FULL)


def _repair(run: Run, strength: float) -> dict[str, Any]:
    """The inputs of both FreeCure nodes."""
    mask = torch.zeros(1, HEIGHT, WIDTH)
    mask[:, : HEIGHT // 2, WIDTH // 4 :] = strength
    given = {"personalised": run.model, "foundation": run.foundation, "mask": mask, "layers": "all_up"}
    return {**given, "positive": run.positive, "negative": run.negative, "cfg": run.cfg}


def _freecure(world: World, run: Run, strength: float) -> Run:
    def guide(run: Run) -> Any:
        return world.ours("LikenessFreeCureGuider", **_repair(run, strength))[0]

    return _personalised(world, run).but(foundation=run.model, guide=guide)


def _freecure_sample(world: World, run: Run, strength: float) -> Run:
    def whole(run: Run, given: dict[str, Any]) -> dict[str, Any]:
        latent: dict[str, Any] = world.ours("LikenessFreeCureSample", **_repair(run, strength), **given)[0]
        return latent

    return _personalised(world, run).but(foundation=run.model, whole=whole)


def _attribute(world: World, run: Run, strength: float) -> Run:
    """The man of the prompt, older."""
    file = {"file": "tiny_attributes.safetensors", "attribute": "person_age"}
    age = world.once("attribute", lambda: world.ours("LikenessLoadAttribute", **file)[0])
    given = {"clip": run.clip, "text": "a photo of a man with glasses", "attribute": age, "subject": "man"}
    given |= {"scale": 3 * strength, "delay": 0.0}
    return run.but(positive=world.ours("LikenessApplyAttribute", conditioning=run.positive, **given)[0])


def _hold(world: World, run: Run, strength: float) -> Run:
    given = {"identity_tokens": 6, "strength": strength}
    return run.but(model=world.ours("LikenessHoldIdentity", model=run.model, **given)[0])


_CONTROL, _GUIDED = frozenset({MODEL, PROMPTS}), frozenset({MODEL, GUIDER})


#: The one place in which a method names itself.
METHODS: tuple[Method, ...] = (
    Method(
        "InstantID", SDXL, _instantid_model, shown_by=dict.fromkeys((ORDER, ALONE), "InstantID + ControlNet")
    ),
    Method("InstantID + ControlNet", SDXL, _instantid_control, _CONTROL),
    Method(
        "InstantID's ControlNet",
        SDXL,
        _control_alone,
        _CONTROL,
        twin=_control_and_a_trace,
        asserted=(EFFECT, OFF, TWIN),
    ),
    Method("Arc2Face", ARC2FACE, _arc2face, frozenset(), person=1, asserted=(EFFECT, NODE, ALONE)),
    Method("Apply Expression", ARC2FACE, _expression),
    Method("Apply Reference", ARC2FACE, _reference),
    Method("Apply E-Adapter", ARC2FACE, _e_adapter, shown_by={ORDER: "Apply Expression"}),
    Method("Apply MasterWeaver", ARC2FACE, _masterweaver, shown_by={ORDER: "Apply Expression"}),
    Method("Apply W+ Adapter", ARC2FACE, _wplus),
    Method("Apply PVA", SD2, _pva),
    Method("Apply ConsistentID", SDXL, _consistentid, shown_by={ALONE: "InstantID + ControlNet"}),
    Method("Apply FACT", SD2, _fact),
    Method("Hold Identity", SDXL, _hold),
    Method("Apply Attribute", SDXL, _attribute, frozenset({PROMPTS})),
    Method("Guide with FreeCure", SDXL, _freecure, _GUIDED, _personalised),
    Method(
        "Repair with FreeCure",
        SDXL,
        _freecure_sample,
        _GUIDED,
        _personalised,
        twin=_freecure,
        asserted=(EFFECT, TWIN),
    ),
)
