"""Nodes that stand in for those of the common InstantID pack, so that its graphs run. See replacements.py.

Inputs, their order, defaults and outputs are the old nodes'; new graphs are better made of our own nodes.
"""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ...likeness import host
from ...likeness.choices.instantid import AVERAGE, COMBINATIONS, SIMPLE_NOISE
from ...likeness.methods import instantid as method
from ...likeness.values import FACE_MODELS, FACE_TOKENS, INSTANTID
from ..common import compat_schema, output

_INSTANTID = io.Custom(INSTANTID).Input("instantid", tooltip="The adapter, from Load InstantID.")
_FACES = io.Custom(FACE_MODELS)
_TOKENS = io.Custom(FACE_TOKENS)
_INSIGHTFACE = _FACES.Input("insightface", tooltip="The networks that find and describe faces: antelopev2's.")
_CONTROL_NET = io.ControlNet.Input("control_net", tooltip="InstantID's own ControlNet (IdentityNet).")
_IMAGE = io.Image.Input("image", tooltip="The person: the largest face of each picture counts.")
_MODEL = io.Model.Input("model", tooltip="An SDXL model.")
_PROMPTS = [
    io.Conditioning.Input("positive", tooltip="The prompt."),
    io.Conditioning.Input("negative", tooltip="The negative prompt."),
]
_KEYPOINTS = io.Image.Input(
    "image_kps",
    optional=True,
    tooltip="Where the face goes: a photo, whose face is found, or a drawing of keypoints. Without it, the "
    "first picture of image.",
)
_MASK = io.Mask.Input("mask", optional=True, tooltip="Where the person and the positive prompt count.")
_NOISE = io.Float.Input(
    "noise", default=0.0, min=0.0, max=1.0, step=0.1, tooltip="Noise in the identity of the negative prompt."
)
_APPLIED = [
    output(io.Model, "MODEL", "The model with the identity."),
    output(io.Conditioning, "positive", "The prompt with the ControlNet."),
    output(io.Conditioning, "negative", "The negative with the ControlNet."),
]


def _float(name: str, default: float, least: float, most: float, tooltip: str) -> io.Float.Input:
    return io.Float.Input(name, default=default, min=least, max=most, step=0.01, tooltip=tooltip)


def _window() -> list[io.Float.Input]:
    texts = {"start_at": "When the identity begins to act, from 0 to 1.", "end_at": "When it stops."}
    defaults = {"start_at": 0.0, "end_at": 1.0}
    return [
        io.Float.Input(name, default=defaults[name], min=0.0, max=1.0, step=0.001, tooltip=text)
        for name, text in texts.items()
    ]


class CompatApplyInstantID(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return compat_schema(
            "LikenessCompatApplyInstantID",
            "Apply InstantID (Old Graphs)",
            "Apply InstantID of the common pack: finds the face, applies it and its keypoints, with noise "
            f"{SIMPLE_NOISE} in the negative.",
            inputs=[
                *(_INSTANTID, _INSIGHTFACE, _CONTROL_NET, _IMAGE, _MODEL, *_PROMPTS),
                _float("weight", 0.8, 0.0, 5.0, "Strength of the identity and of the ControlNet."),
                *_window(),
                *(_KEYPOINTS, _MASK),
            ],
            outputs=_APPLIED,
        )

    @classmethod
    def execute(
        cls, weight: float = 0.8, start_at: float = 0.0, end_at: float = 1.0, **wires: Any
    ) -> io.NodeOutput:
        settings = method.compat.Settings(weight, weight, start_at, end_at, SIMPLE_NOISE)
        return io.NodeOutput(*method.compat.apply(settings, **wires))


class CompatApplyInstantIDAdvanced(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return compat_schema(
            "LikenessCompatApplyInstantIDAdvanced",
            "Apply InstantID Advanced (Old Graphs)",
            "Apply InstantID Advanced of the common pack: the strengths, the noise and the way to combine "
            "several pictures are set apart.",
            inputs=[
                *(_INSTANTID, _INSIGHTFACE, _CONTROL_NET, _IMAGE, _MODEL, *_PROMPTS),
                _float("ip_weight", 0.8, 0.0, 3.0, "Strength of the identity in attention."),
                _float("cn_strength", 0.8, 0.0, 10.0, "Strength of the ControlNet."),
                *_window(),
                _NOISE,
                io.Combo.Input(
                    "combine_embeds",
                    options=list(COMBINATIONS),
                    default=AVERAGE,
                    tooltip="How several pictures become one person. concat shows the model all of them.",
                ),
                *(_KEYPOINTS, _MASK),
            ],
            outputs=_APPLIED,
        )

    @classmethod
    def execute(
        cls,
        ip_weight: float = 0.8,
        cn_strength: float = 0.8,
        start_at: float = 0.0,
        end_at: float = 1.0,
        noise: float = 0.0,
        combine_embeds: str = AVERAGE,
        **wires: Any,
    ) -> io.NodeOutput:
        settings = method.compat.Settings(ip_weight, cn_strength, start_at, end_at, noise, combine_embeds)
        return io.NodeOutput(*method.compat.apply(settings, **wires))


class CompatFaceKeypoints(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return compat_schema(
            "LikenessCompatFaceKeypoints",
            "Face Keypoints Preprocessor (Old Graphs)",
            "Draws the five points of the largest face of each picture, in the picture's size.",
            inputs=[
                _FACES.Input("faceanalysis", tooltip="The networks that find faces."),
                io.Image.Input("image", tooltip="Photos whose pose to take."),
            ],
            outputs=[output(io.Image, "IMAGE", "The points on black.")],
        )

    @classmethod
    def execute(cls, faceanalysis: Any, image: Any) -> io.NodeOutput:
        return io.NodeOutput(host.running.to_image(method.compat.keypoint_pictures(faceanalysis, image)))


class CompatInstantIDAttention(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return compat_schema(
            "LikenessCompatInstantIDAttention",
            "InstantID Patch Attention (Old Graphs)",
            "Finds the face and puts it into the model's attention; the ControlNet is applied apart.",
            inputs=[
                *(_INSTANTID, _INSIGHTFACE, _IMAGE, _MODEL),
                _float("weight", 1.0, -1.0, 3.0, "Strength of the identity in attention."),
                *(*_window(), _NOISE, _MASK),
            ],
            outputs=[
                _APPLIED[0],
                output(_TOKENS, "FACE_EMBEDS", "The face for InstantID Apply ControlNet (Old Graphs)."),
            ],
        )

    @classmethod
    def execute(
        cls,
        instantid: Any,
        insightface: Any,
        image: Any,
        model: Any,
        weight: float = 1.0,
        start_at: float = 0.0,
        end_at: float = 1.0,
        noise: float = 0.0,
        mask: Any = None,
    ) -> io.NodeOutput:
        use = method.Use(weight, start_at, end_at, mask, stretch=True)
        return io.NodeOutput(*method.compat.patch_attention(model, instantid, insightface, image, use, noise))


class CompatInstantIDControlNet(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return compat_schema(
            "LikenessCompatInstantIDControlNet",
            "InstantID Apply ControlNet (Old Graphs)",
            "Puts InstantID's ControlNet with a face and its keypoints on both prompts.",
            inputs=[
                _TOKENS.Input("face_embeds", tooltip="From InstantID Patch Attention (Old Graphs)."),
                _CONTROL_NET,
                io.Image.Input("image_kps", tooltip="A drawing of keypoints, used as it is."),
                *_PROMPTS,
                _float("strength", 1.0, 0.0, 10.0, "Strength of the ControlNet."),
                *(*_window(), _MASK),
            ],
            outputs=_APPLIED[1:],
        )

    @classmethod
    def execute(
        cls,
        face_embeds: Any,
        control_net: Any,
        image_kps: Any,
        positive: Any,
        negative: Any,
        strength: float = 1.0,
        start_at: float = 0.0,
        end_at: float = 1.0,
        mask: Any = None,
    ) -> io.NodeOutput:
        use = method.Use(strength, start_at, end_at, mask, stretch=True)
        given = (face_embeds, control_net, image_kps, positive, negative)
        return io.NodeOutput(*method.compat.add_control(*given, strength, use))


NODES: list[type[io.ComfyNode]] = [
    CompatApplyInstantID,
    CompatApplyInstantIDAdvanced,
    CompatFaceKeypoints,
    CompatInstantIDAttention,
    CompatInstantIDControlNet,
]
