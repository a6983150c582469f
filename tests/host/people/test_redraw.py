"""Ways to redraw a face, as values: each draws what the chain of its method's nodes draws. Tiny networks."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from support.drawn_faces import face, noise

SIZE = 128

pytestmark = pytest.mark.usefixtures("as_the_executor_does")


@pytest.fixture(scope="module")
def room(pack: Any, host: Any) -> SimpleNamespace:
    """A crop with a face in its middle, and what each method takes."""
    values = pack.module("likeness.values")
    sdxl = host.CheckpointLoaderSimple().load_checkpoint("tiny_sdxl.safetensors")
    sd15 = host.CheckpointLoaderSimple().load_checkpoint("tiny_sd15.safetensors")
    inpaint = host.CheckpointLoaderSimple().load_checkpoint("tiny_sd2_inpaint.safetensors")
    words = {name: sdxl[1] for name in ("a face", "blurry")}
    prompts = [host.CLIPTextEncode().encode(clip, text)[0] for text, clip in words.items()]
    pva = pack.node("LikenessLoadPVA").execute(file="tiny_pva.safetensors")[0]
    unet = {"unet_file": "tiny_arc2face.safetensors", "encoder_file": "tiny_arc2face_encoder.safetensors"}
    drawn = face(SIZE / 2, SIZE / 2, 60)
    mask = torch.zeros(1, SIZE, SIZE)
    mask[:, 32:96, 32:96] = 1
    vector = torch.randn(1, 512, generator=torch.Generator().manual_seed(3))

    def subject(recogniser: str, crop: torch.Tensor | None = None, expression: Any = None) -> Any:
        return pack.module("likeness.redraw.value").Subject(
            noise(1, SIZE, SIZE, 3) if crop is None else crop,
            mask,
            values.Face(drawn.box, drawn.keypoints),
            values.Identity(vector, recogniser) if recogniser else None,
            expression,
        )

    return SimpleNamespace(
        sdxl=sdxl,
        sd15=sd15,
        inpaint=inpaint,
        prompts=prompts,
        pva=pva,
        arc2face=pack.node("LikenessLoadArc2Face").execute(**unet).result,
        instantid=pack.node("LikenessLoadInstantID").execute(file="tiny_instantid_glintr100.safetensors")[0],
        control_net=host.ControlNetLoader().load_controlnet("tiny_sdxl.safetensors")[0],
        subject=subject,
        mask=mask,
        ready=pack.module("likeness.redraw.drawing").ready,
    )


def instantid(pack: Any, room: Any, **options: Any) -> Any:
    given = {"model": room.sdxl[0], "instantid": room.instantid, "vae": room.sdxl[2], "steps": 2}
    given |= {"positive": room.prompts[0], "negative": room.prompts[1], "control_net": room.control_net}
    return pack.node("LikenessRedrawInstantID").execute(**given, size=SIZE, **options)[0]


def arc2face(pack: Any, room: Any, **options: Any) -> Any:
    model, clip = room.arc2face
    given = {"model": model, "clip": clip, "vae": room.sd15[2], "steps": 2, "size": SIZE}
    return pack.node("LikenessRedrawArc2Face").execute(**given, **options)[0]


def pva(pack: Any, room: Any, host: Any, **options: Any) -> Any:
    model, clip, vae = room.inpaint
    text = pack.node("LikenessPVAPrompt").execute(clip=clip, pva=room.pva, text="photo of a <new1> person")[0]
    given = {"model": model, "pva": room.pva, "positive": text, "vae": vae, "steps": 2, "size": SIZE}
    given["negative"] = host.CLIPTextEncode().encode(clip, "photo of a person")[0]
    return pack.node("LikenessRedrawPVA").execute(**given, **options)[0]


def plain(pack: Any, room: Any, **options: Any) -> Any:
    given = {"model": room.sdxl[0], "positive": room.prompts[0], "negative": room.prompts[1]}
    given |= {"vae": room.sdxl[2], "steps": 2, "size": SIZE}
    return pack.node("LikenessRedrawPlain").execute(**given, **options)[0]


@pytest.fixture(params=["instantid", "arc2face", "pva", "plain"])
def way(request: Any, pack: Any, room: Any, host: Any) -> Any:
    make = {"instantid": instantid, "arc2face": arc2face, "plain": plain}
    return pva(pack, room, host) if request.param == "pva" else make[request.param](pack, room)


def test_each_says_what_it_needs(pack: Any, room: Any, host: Any) -> None:
    ways = [instantid(pack, room), arc2face(pack, room), pva(pack, room, host), plain(pack, room)]
    assert [one.recogniser for one in ways] == ["glintr100", "arc2face", room.pva.base.recogniser, ""]
    assert [one.fills for one in ways] == [False, False, True, False]
    assert [one.denoise.usual for one in ways] == [0.6, 0.6, 1.0, 0.5]
    assert all(one.size == SIZE for one in ways)
    assert plain(pack, room, person="Ann, Bob").people == ("Ann", "Bob")
    assert plain(pack, room, recogniser="arc2face").pleases == "arc2face"


def test_a_seed_draws_the_same_and_nobody_notices(way: Any, room: Any) -> None:
    subject = room.subject(way.recogniser)
    crop, before = subject.crop.clone(), torch.random.get_rng_state()
    drawing = room.ready(way, subject)
    first, again, other = (drawing.draw(seed, way.denoise.usual) for seed in (1, 1, 2))
    assert first.shape == (1, SIZE, SIZE, 3) and torch.isfinite(first).all()
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(first, room.ready(way, subject).draw(1, way.denoise.usual))
    assert torch.equal(subject.crop, crop) and torch.equal(torch.random.get_rng_state(), before)


def test_instantid_draws_what_its_nodes_draw(pack: Any, host: Any, room: Any) -> None:
    way, subject = instantid(pack, room), room.subject("glintr100")
    faces = pack.module("likeness.values").Faces(subject.crop, ((subject.face,),))
    points = pack.node("LikenessFaceKeypoints").execute(faces=faces)[0]
    applied = pack.node("LikenessApplyInstantID").execute(
        model=room.sdxl[0],
        instantid=room.instantid,
        identity=subject.identity,
        positive=room.prompts[0],
        negative=room.prompts[1],
        control_net=room.control_net,
        keypoints=points,
    )
    wanted = _sampled(host, room, applied.result, subject.crop, room.sdxl[2], 0.6, 4.5, "euler", "normal")
    assert torch.equal(room.ready(way, subject).draw(7, 0.6), wanted)


def test_arc2face_draws_what_its_nodes_draw(pack: Any, host: Any, room: Any) -> None:
    way, subject = arc2face(pack, room), room.subject("arc2face")
    model, clip = room.arc2face
    prompts = pack.node("LikenessEncodeArc2Face").execute(clip=clip, identity=subject.identity).result
    chain = (model, *prompts)
    wanted = _sampled(host, room, chain, subject.crop, room.sd15[2], 0.6, 3.0, "dpmpp_2m", "sgm_uniform")
    assert torch.equal(room.ready(way, subject).draw(7, 0.6), wanted)


def test_any_model_draws_what_ksampler_draws(pack: Any, host: Any, room: Any) -> None:
    way, subject = plain(pack, room), room.subject("")
    chain = (room.sdxl[0], *room.prompts)
    wanted = _sampled(host, room, chain, subject.crop, room.sdxl[2], 0.4, 5.0, "euler", "normal")
    assert torch.equal(room.ready(way, subject).draw(7, 0.4), wanted)


def test_pva_draws_what_its_nodes_draw(pack: Any, host: Any, room: Any) -> None:
    way, subject = pva(pack, room, host), room.subject(room.pva.base.recogniser)
    model, positive, negative = way.prepare(subject)
    positive, negative, _ = host.InpaintModelConditioning().encode(
        positive, negative, subject.crop, room.inpaint[2], room.mask, noise_mask=False
    )
    latent = host.EmptyLatentImage().generate(SIZE, SIZE, 1)[0]
    sampled = host.KSampler().sample(
        model, 7, 2, 1.0, "euler_ancestral", "ddim_uniform", positive, negative, latent, 1.0
    )[0]
    wanted = host.VAEDecode().decode(room.inpaint[2], sampled)[0].clamp(0, 1)
    assert torch.equal(room.ready(way, subject).draw(7, 1.0), wanted)


def test_what_the_hole_of_pva_hides_has_no_part(pack: Any, host: Any, room: Any) -> None:
    way = pva(pack, room, host)
    subject = room.subject(way.recogniser)
    other = torch.where(room.mask[..., None] > 0, 1 - subject.crop, subject.crop)
    first, second = (
        room.ready(way, room.subject(way.recogniser, crop)).draw(1, 1.0) for crop in (subject.crop, other)
    )
    assert torch.equal(first, second)


def test_a_plain_inpainting_model_is_told_of_the_hole(pack: Any, host: Any, room: Any) -> None:
    model, clip, vae = room.inpaint
    words = [host.CLIPTextEncode().encode(clip, text)[0] for text in ("a face", "")]
    way = pack.node("LikenessRedrawPlain").execute(
        model=model, positive=words[0], negative=words[1], vae=vae, steps=1, size=SIZE
    )[0]
    drawing = room.ready(way, room.subject(""))
    assert "concat_mask" in drawing.prompted[1][0][1] and "concat_mask" not in words[0][0][1]
    assert torch.isfinite(drawing.draw(1, 0.5)).all()


def test_arc2face_draws_an_expression_that_was_read(pack: Any, room: Any) -> None:
    adapter = pack.node("LikenessLoadExpressionAdapter").execute(file="tiny_expression.safetensors")[0]
    way = arc2face(pack, room, expression_adapter=adapter, encoder="tiny_smirk.safetensors")
    expression = way.reads(room.subject("arc2face").faces)
    assert expression.parameters.shape == (1, 55)
    plain_face, laughing = (
        room.ready(way, room.subject("arc2face", expression=one)).draw(1, 0.6) for one in (None, expression)
    )
    assert not torch.equal(plain_face, laughing)


def test_bad_input_has_its_sentence(pack: Any, host: Any, room: Any) -> None:
    adapter = pack.node("LikenessLoadExpressionAdapter").execute(file="tiny_expression.safetensors")[0]
    with pytest.raises(ValueError, match="encoder is none: nobody reads the expression"):
        arc2face(pack, room, expression_adapter=adapter)
    with pytest.raises(ValueError, match="no expression_adapter is connected: nobody draws the expression"):
        arc2face(pack, room, encoder="tiny_smirk.safetensors")
    with pytest.raises(ValueError, match=r"denoise is 0.05; this way to redraw takes from 0.2 to 1"):
        instantid(pack, room, denoise=0.05)
    with pytest.raises(ValueError, match="size must be a multiple of 8 from 64 pixels on, not 100"):
        pack.module("likeness.redraw.value").Redraw("x", None, None, None, None, None, size=100)
    for way in (instantid(pack, room), arc2face(pack, room), pva(pack, room, host)):
        with pytest.raises(ValueError, match="draws by an identity"):
            way.prepare(room.subject(""))


def test_sockets_are_explained(pack: Any) -> None:
    for name in ("InstantID", "Arc2Face", "PVA", "Plain"):
        schema = pack.node(f"LikenessRedraw{name}").define_schema()
        assert schema.category == "Likeness/People" and schema.description and schema.search_aliases
        assert all(socket.tooltip for socket in [*schema.inputs, *schema.outputs])
        assert [socket.io_type for socket in schema.outputs] == ["LIKENESS_REDRAW"]


def _sampled(
    host: Any,
    room: Any,
    chain: Any,
    crop: torch.Tensor,
    vae: Any,
    denoise: float,
    cfg: float,
    sampler: str,
    scheduler: str,
) -> torch.Tensor:
    """The host's nodes, one after the other: two steps of seed 7."""
    model, positive, negative = chain
    latent = host.SetLatentNoiseMask().set_mask(host.VAEEncode().encode(vae, crop)[0], room.mask)[0]
    drawn = host.KSampler().sample(model, 7, 2, cfg, sampler, scheduler, positive, negative, latent, denoise)[
        0
    ]
    return host.VAEDecode().decode(vae, drawn)[0].clamp(0, 1)
