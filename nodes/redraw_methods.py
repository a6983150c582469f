"""Ways to redraw a face, as values for Repair Faces: a node for each method."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..likeness import redraw as redrawing
from ..likeness.choices import arc2face as arc2face_choices
from ..likeness.choices import instantid as instantid_choices
from ..likeness.choices.expressions import list_files
from ..likeness.choices.faces import FFHQ, UPRIGHT
from ..likeness.expressions import files, read
from ..likeness.methods import arc2face
from ..likeness.methods import instantid as method_instantid
from ..likeness.methods import pva as method_pva
from ..likeness.values import EXPRESSION_ADAPTER, INSTANTID, PVA
from .common import weight_input
from .redraw import crop_inputs, denoise_input, prompt_inputs, redraw_output, sampling_inputs

NO_ENCODER = "none"


class RedrawInstantID(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessRedrawInstantID",
            display_name="Redraw with InstantID",
            category="Likeness/People",
            description="A way to redraw faces for Repair Faces: InstantID on an SDXL model. Needs "
            "identities of glintr100 in the cast.",
            search_aliases=["face detailer", "repair faces", "instantid inpaint", "fix faces"],
            inputs=[
                io.Model.Input("model", tooltip="An SDXL model."),
                io.Custom(INSTANTID).Input("instantid", tooltip="The adapter, from Load InstantID."),
                *prompt_inputs("The same for everybody."),
                io.Vae.Input("vae", tooltip="The VAE of the model."),
                io.ControlNet.Input(
                    "control_net",
                    optional=True,
                    tooltip="InstantID's own ControlNet (IdentityNet): keeps the pose by the old face's five "
                    "points.",
                ),
                weight_input("Strength of the identity in attention.", 0.8, 5.0),
                io.Float.Input(
                    "controlnet_strength",
                    default=0.8,
                    min=0.0,
                    max=10.0,
                    step=0.01,
                    tooltip="Strength of the ControlNet: pose and, partly, likeness.",
                ),
                *sampling_inputs(30, 4.5, "euler", "normal"),
                denoise_input(instantid_choices.DENOISE),
                *crop_inputs(1016, UPRIGHT),
            ],
            outputs=[redraw_output()],
        )

    @classmethod
    def execute(
        cls,
        model: Any,
        instantid: Any,
        positive: Any,
        negative: Any,
        vae: Any,
        control_net: Any = None,
        weight: float = 0.8,
        controlnet_strength: float = 0.8,
        steps: int = 30,
        cfg: float = 4.5,
        sampler_name: str = "euler",
        scheduler: str = "normal",
        denoise: float = instantid_choices.DENOISE[1],
        size: int = 1016,
        align: str = UPRIGHT,
    ) -> io.NodeOutput:
        given = {"control_net": control_net, "weight": weight, "control": controlnet_strength}
        given |= {"size": size, "denoise": denoise, "align": align}
        sampling = redrawing.value.Sampling(sampler_name, scheduler, steps, cfg)
        return io.NodeOutput(
            method_instantid.redraw.maker(model, instantid, positive, negative, vae, sampling, **given)
        )


class RedrawArc2Face(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessRedrawArc2Face",
            display_name="Redraw with Arc2Face",
            category="Likeness/People",
            description="A way to redraw faces for Repair Faces: Arc2Face, with the expression kept by its "
            "adapter. Needs identities of arc2face in the cast.",
            search_aliases=["face detailer", "repair faces", "arc2face inpaint", "fix faces"],
            inputs=[
                io.Model.Input("model", tooltip="From Load Arc2Face."),
                io.Clip.Input("clip", tooltip="Arc2Face's encoder, from Load Arc2Face."),
                io.Vae.Input("vae", tooltip="The VAE of an SD1.5 checkpoint."),
                io.Custom(EXPRESSION_ADAPTER).Input(
                    "expression_adapter",
                    optional=True,
                    tooltip="From Load Expression Adapter: draws the expression that read_expression of "
                    "Repair Faces finds.",
                ),
                io.Combo.Input(
                    "encoder",
                    options=[NO_ENCODER, *list_files()],
                    default=NO_ENCODER,
                    optional=True,
                    tooltip="Reads the expression for it: SMIRK_em1.pt in models/smirk.",
                ),
                *sampling_inputs(25, 3.0, "dpmpp_2m", "sgm_uniform"),
                denoise_input(arc2face_choices.DENOISE),
                *crop_inputs(512, FFHQ),
            ],
            outputs=[redraw_output()],
        )

    @classmethod
    def validate_inputs(cls, encoder: str | None = None) -> bool:
        # A missing file is explained when it is read, with the folders that were searched.
        return True

    @classmethod
    def execute(
        cls,
        model: Any,
        clip: Any,
        vae: Any,
        expression_adapter: Any = None,
        encoder: str = NO_ENCODER,
        steps: int = 25,
        cfg: float = 3.0,
        sampler_name: str = "dpmpp_2m",
        scheduler: str = "sgm_uniform",
        denoise: float = arc2face_choices.DENOISE[1],
        size: int = 512,
        align: str = FFHQ,
    ) -> io.NodeOutput:
        if expression_adapter is not None and encoder == NO_ENCODER:
            raise ValueError(
                "expression_adapter is connected, but encoder is none: nobody reads the expression for it. "
                "Choose SMIRK_em1.pt in encoder, or disconnect expression_adapter."
            )
        if expression_adapter is None and encoder != NO_ENCODER:
            raise ValueError(
                f"encoder is {encoder}, but no expression_adapter is connected: nobody draws the expression "
                "that it reads. Connect one, from Load Expression Adapter, or set encoder to none."
            )
        reads = (
            None if encoder == NO_ENCODER else lambda faces: read.read_expression(files.load(encoder), faces)
        )
        given = {"expression_adapter": expression_adapter, "reads": reads}
        given |= {"size": size, "denoise": denoise, "align": align}
        sampling = redrawing.value.Sampling(sampler_name, scheduler, steps, cfg)
        return io.NodeOutput(arc2face.redraw.maker(model, clip, vae, sampling, **given))


class RedrawPVA(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessRedrawPVA",
            display_name="Redraw with PVA",
            category="Likeness/People",
            description="A way to redraw faces for Repair Faces: PVA fills the face's place with the person. "
            "Needs identities of ms1mv3_r50, or of the PVA file's own face encoder, in the cast.",
            search_aliases=["face detailer", "repair faces", "pva inpaint", "fix faces"],
            inputs=[
                io.Model.Input("model", tooltip="The SD2 inpainting model that PVA was made for."),
                io.Custom(PVA).Input("pva", tooltip="From Load PVA."),
                *prompt_inputs("From Encode PVA Prompt."),
                io.Vae.Input("vae", tooltip="The VAE of the model."),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=0.0,
                    max=10.0,
                    step=0.01,
                    tooltip="How much the person counts beside the prompt: 1 is the published method.",
                ),
                *sampling_inputs(100, 1.0, "euler_ancestral", "ddim_uniform"),
                *crop_inputs(512, FFHQ),
            ],
            outputs=[redraw_output()],
        )

    @classmethod
    def execute(
        cls,
        model: Any,
        pva: Any,
        positive: Any,
        negative: Any,
        vae: Any,
        strength: float = 1.0,
        steps: int = 100,
        cfg: float = 1.0,
        sampler_name: str = "euler_ancestral",
        scheduler: str = "ddim_uniform",
        size: int = 512,
        align: str = FFHQ,
    ) -> io.NodeOutput:
        sampling = redrawing.value.Sampling(sampler_name, scheduler, steps, cfg)
        made = method_pva.redraw.maker(
            model, pva, positive, negative, vae, sampling, strength=strength, size=size, align=align
        )
        return io.NodeOutput(made)


NODES: list[type[io.ComfyNode]] = [RedrawInstantID, RedrawArc2Face, RedrawPVA]
