"""ConsistentID: load a file, encode a photo, write the prompt, apply."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from comfy_api.latest import io

from ..likeness import host
from ..likeness.choices.consistentid import MERGE_AT, PARTS, READINGS, TRAINED, list_files
from ..likeness.methods import consistentid as method
from ..likeness.values import CONSISTENTID, CONSISTENTID_FEATURES, IDENTITY
from .common import LoadFile, mask_input, model_output, output, weight_input, window_inputs

ConsistentIDType, FeaturesType = io.Custom(CONSISTENTID), io.Custom(CONSISTENTID_FEATURES)
_CATEGORY = "Likeness/ConsistentID"


class LoadConsistentID(LoadFile):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessLoadConsistentID",
            display_name="Load ConsistentID",
            category=_CATEGORY,
            description="Loads ConsistentID, which draws somebody by their face and by its parts: "
            "ConsistentID-v1.bin for SD1.5, ConsistentID_SDXL-v1.bin for SDXL.",
            search_aliases=["consistentid", "facial details", "face id", "portrait"],
            inputs=[
                io.Combo.Input(
                    "file",
                    options=list_files(),
                    tooltip="A file of models/consistentid, as published or a .safetensors.",
                )
            ],
            outputs=[
                output(ConsistentIDType, "consistentid", "For Encode ConsistentID and Apply ConsistentID.")
            ],
        )

    @classmethod
    def reader(cls) -> Any:
        return method


class EncodeConsistentID(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessEncodeConsistentID",
            display_name="Encode ConsistentID",
            category=_CATEGORY,
            description="Looks at a photo as ConsistentID does: who it is, and how face, eyes, ears, nose "
            "and mouth look.",
            search_aliases=["consistentid", "facial parts", "face parsing", "fine-grained identity"],
            inputs=[
                ConsistentIDType.Input("consistentid", tooltip="From Load ConsistentID."),
                io.ClipVision.Input(
                    "clip_vision",
                    tooltip="CLIP-ViT-H-14-laion2B-s32B-b79K, from Load CLIP Vision.",
                ),
                io.Image.Input(
                    "image", tooltip="One photo of the person, as it is: it is not cut out around the face."
                ),
                io.Custom("LIKENESS_FACE_PARSER").Input(
                    "face_parser", tooltip="What finds the parts, from Load Face Parser."
                ),
                io.Custom(IDENTITY).Input(
                    "identity", tooltip="Who it is, from Embed Faces with the recogniser w600k_r50."
                ),
                io.MultiCombo.Input(
                    "parts",
                    options=list(PARTS),
                    default=list(PARTS),
                    tooltip="The parts to look for in the photo. Those that are not seen are left out.",
                ),
            ],
            outputs=[
                output(FeaturesType, "features", "For ConsistentID Prompt and Apply ConsistentID."),
                output(io.Image, "seen", "What CLIP saw: the whole photo, then each part that was found."),
            ],
        )

    @classmethod
    def execute(
        cls,
        consistentid: Any,
        clip_vision: Any,
        image: Any,
        face_parser: Any,
        identity: Any,
        parts: Sequence[str] = PARTS,
    ) -> io.NodeOutput:
        features, seen = method.encode(consistentid, clip_vision, image, face_parser, identity, parts)
        return io.NodeOutput(features, host.running.to_image(seen))


class ConsistentIDPrompt(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessConsistentIDPrompt",
            display_name="ConsistentID Prompt",
            category=_CATEGORY,
            description="Writes both prompts with a sentence about the face, whose words know the parts that "
            "were seen: at first the words alone, then with what they know.",
            search_aliases=["consistentid", "facial prompt", "text encode", "details of a face"],
            inputs=[
                io.Clip.Input("clip", tooltip="The text encoders of the SD1.5 or SDXL checkpoint."),
                FeaturesType.Input("features", tooltip="From Encode ConsistentID."),
                io.String.Input(
                    "text", default="", multiline=True, dynamic_prompts=True, tooltip="What to draw."
                ),
                io.String.Input(
                    "negative_text",
                    default="monochrome, lowres, bad anatomy, worst quality, low quality, blurry",
                    multiline=True,
                    dynamic_prompts=True,
                    tooltip="What not to draw.",
                ),
                io.Float.Input(
                    "merge_at",
                    default=MERGE_AT,
                    min=0.0,
                    max=1.0,
                    step=0.001,
                    tooltip="From which part of the sampling schedule on the words know the parts. 0.619 "
                    "is after step 30 of 50; with the scheduler karras that is 0.79. 0: from the start, "
                    "1: never.",
                ),
                io.String.Input(
                    "caption",
                    default="",
                    tooltip="A sentence about the face in place of the usual one, each part in a phrase of "
                    "its own: a narrow face, green eyes, small ears, a straight nose, and a wide mouth.",
                ),
                io.Combo.Input(
                    "reading",
                    options=list(READINGS),
                    default=TRAINED,
                    tooltip="as trained: as the host encodes texts, long ones too. as released: as the "
                    "authors' code, which cuts after 77 tokens and, for SDXL, gives its mark to the second "
                    "encoder as letters.",
                ),
            ],
            outputs=[
                output(io.Conditioning, "positive", "The prompt, in two parts of the schedule."),
                output(io.Conditioning, "negative", "The negative prompt."),
            ],
        )

    @classmethod
    def execute(
        cls,
        clip: Any,
        features: Any,
        text: str,
        negative_text: str = "",
        merge_at: float = MERGE_AT,
        caption: str = "",
        reading: str = TRAINED,
    ) -> io.NodeOutput:
        texts = method.Texts(text, negative_text, caption)
        return io.NodeOutput(*method.prompt(clip, features, texts, merge_at, reading))


class ApplyConsistentID(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessApplyConsistentID",
            display_name="Apply ConsistentID",
            category=_CATEGORY,
            description="Makes a model draw a given person: identity tokens in every cross-attention "
            "layer, and a LoRA on all attention. Use the prompts of ConsistentID Prompt. For several people "
            "chain this node, one mask each.",
            search_aliases=["consistentid", "face id", "same face", "identity", "portrait"],
            inputs=[
                io.Model.Input(
                    "model",
                    tooltip="An SD1.5 or SDXL model, as the file wants. Branches that share it are not "
                    "changed.",
                ),
                ConsistentIDType.Input("consistentid", tooltip="From Load ConsistentID."),
                FeaturesType.Input("features", tooltip="From Encode ConsistentID, made with the same file."),
                weight_input("Strength of the identity in attention.", 1.0, 5.0),
                io.Float.Input(
                    "lora_strength",
                    default=1.0,
                    min=0.0,
                    max=2.0,
                    step=0.01,
                    tooltip="Strength of the file's LoRA. It holds for the whole picture and all steps: "
                    "start, end and mask are about the identity alone. With several people give it once "
                    "and 0 else.",
                ),
                *window_inputs("identity"),
                mask_input("identity"),
            ],
            outputs=[model_output("The model with the identity.")],
        )

    @classmethod
    def execute(
        cls,
        model: Any,
        consistentid: Any,
        features: Any,
        weight: float = 1.0,
        lora_strength: float = 1.0,
        start: float = 0.0,
        end: float = 1.0,
        mask: Any = None,
    ) -> io.NodeOutput:
        use = method.Use(weight, start, end, mask)
        return io.NodeOutput(method.apply(model, consistentid, features, use, lora_strength))


NODES: list[type[io.ComfyNode]] = [
    LoadConsistentID,
    EncodeConsistentID,
    ConsistentIDPrompt,
    ApplyConsistentID,
]
