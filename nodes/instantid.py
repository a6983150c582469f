"""InstantID: load the adapter, apply an identity."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..likeness.choices.instantid import list_files
from ..likeness.methods import instantid as method
from ..likeness.values import IDENTITY, INSTANTID
from .common import LoadFile, mask_input, model_output, output, seed_input, weight_input, window_inputs

InstantIDType = io.Custom(INSTANTID)
IdentityType = io.Custom(IDENTITY)


class LoadInstantID(LoadFile):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessLoadInstantID",
            display_name="Load InstantID",
            category="Likeness/InstantID",
            description="Loads InstantID's adapter file (ip-adapter.bin) for SDXL models.",
            search_aliases=["instantid model loader", "face id adapter", "ip-adapter.bin"],
            inputs=[
                io.Combo.Input(
                    "file",
                    options=list_files(),
                    tooltip="A file of models/instantid: the published ip-adapter.bin or a .safetensors.",
                )
            ],
            outputs=[output(io.Custom(INSTANTID), "instantid", "The adapter, for Apply InstantID.")],
        )

    @classmethod
    def reader(cls) -> Any:
        return method


class ApplyInstantID(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessApplyInstantID",
            display_name="Apply InstantID",
            category="Likeness/InstantID",
            description=(
                "Makes an SDXL model draw a given person: identity tokens in every cross-attention layer "
                "and, with a ControlNet and keypoints, the pose of the face. For several people chain "
                "this node, one mask each."
            ),
            search_aliases=["instantid", "face id", "same face", "identity", "portrait"],
            inputs=[
                io.Model.Input("model", tooltip="An SDXL model. Branches that share it are not changed."),
                InstantIDType.Input("instantid", tooltip="The adapter, from Load InstantID."),
                IdentityType.Input(
                    "identity", tooltip="Who to draw, from Embed Faces with the recogniser glintr100."
                ),
                io.Conditioning.Input("positive", tooltip="The prompt."),
                io.Conditioning.Input("negative", tooltip="The negative prompt."),
                io.ControlNet.Input(
                    "control_net",
                    optional=True,
                    tooltip="InstantID's own ControlNet (IdentityNet). Without it the pose is free.",
                ),
                io.Image.Input(
                    "keypoints",
                    optional=True,
                    tooltip="Where the face goes: the picture of Draw Face Keypoints, in the output's shape.",
                ),
                weight_input(
                    "Strength of the identity in attention. Lower it when the prompt gets lost.", 0.8, 5.0
                ),
                io.Float.Input(
                    "controlnet_strength",
                    default=0.8,
                    min=0.0,
                    max=10.0,
                    step=0.01,
                    tooltip="Strength of the ControlNet: pose and, partly, likeness.",
                ),
                *window_inputs("identity"),
                io.Float.Input(
                    "negative_noise",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="Noise in the identity of the negative prompt. 0 is the published method; "
                    "0.35 is common elsewhere.",
                ),
                seed_input("Seed of the negative noise alone. Has no effect while that is 0."),
                mask_input("identity"),
                io.Boolean.Input(
                    "empty_identity",
                    default=False,
                    optional=True,
                    tooltip="Put nobody's face (zeros) through the adapter instead: the foundation that "
                    "FreeCure compares with, for a second copy of this node.",
                ),
            ],
            outputs=[
                model_output("The model with the identity."),
                output(io.Conditioning, "positive", "The prompt with the ControlNet."),
                output(io.Conditioning, "negative", "The negative prompt with the ControlNet."),
            ],
        )

    @classmethod
    def execute(
        cls,
        model: Any,
        instantid: Any,
        identity: Any,
        positive: Any,
        negative: Any,
        control_net: Any = None,
        keypoints: Any = None,
        weight: float = 0.8,
        controlnet_strength: float = 0.8,
        start: float = 0.0,
        end: float = 1.0,
        negative_noise: float = 0.0,
        seed: int = 0,
        mask: Any = None,
        empty_identity: bool = False,
    ) -> io.NodeOutput:
        use = method.Use(weight, start, end, mask)
        strengths = method.Strengths(use, controlnet_strength, negative_noise, seed, empty_identity)
        return io.NodeOutput(
            *method.apply(model, instantid, identity, positive, negative, strengths, control_net, keypoints)
        )


NODES: list[type[io.ComfyNode]] = [LoadInstantID, ApplyInstantID]
