"""Arc2Face: load the model, turn an identity into a prompt, follow a reference picture."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..likeness import host
from ..likeness.choices import arc2face as choices
from ..likeness.methods import arc2face
from ..likeness.values import IDENTITY
from .common import model_output, output, weight_input, window_inputs

NO_LORA = "none"


class LoadArc2Face(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessLoadArc2Face",
            display_name="Load Arc2Face",
            category="Likeness/Arc2Face",
            description=(
                "Loads Arc2Face's U-Net and text encoder as an ordinary model and clip. The VAE of any SD1.5 "
                "checkpoint completes them."
            ),
            search_aliases=["arc2face loader", "arc2face checkpoint", "face foundation model"],
            inputs=[
                io.Combo.Input(
                    "unet_file",
                    options=choices.unet_files(),
                    tooltip="Arc2Face's U-Net in models/diffusion_models.",
                ),
                io.Combo.Input(
                    "encoder_file",
                    options=choices.encoder_files(),
                    tooltip="Arc2Face's own text encoder in models/text_encoders. SD1.5's does not do.",
                ),
            ],
            outputs=[
                model_output("For KSampler, LoRAs and adapters."),
                output(io.Clip, "clip", "For Encode Arc2Face."),
            ],
        )

    @classmethod
    def validate_inputs(cls, unet_file: str | None, encoder_file: str | None) -> bool:
        # A missing file is explained in execute, with the folders that were searched.
        return True

    @classmethod
    def fingerprint_inputs(cls, unet_file: str | None, encoder_file: str | None) -> str:
        return arc2face.fingerprint(unet_file, encoder_file)

    @classmethod
    def execute(cls, unet_file: str, encoder_file: str) -> io.NodeOutput:
        return io.NodeOutput(*arc2face.load(unet_file, encoder_file))


class EncodeArc2Face(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessEncodeArc2Face",
            display_name="Encode Arc2Face",
            category="Likeness/Arc2Face",
            description=(
                "Turns an identity into Arc2Face's prompt and its negative. Several embeddings become "
                "several prompts, one per picture of the batch."
            ),
            search_aliases=["arc2face prompt", "face to conditioning", "id to prompt"],
            inputs=[
                io.Clip.Input("clip", tooltip="Arc2Face's encoder, from Load Arc2Face."),
                io.Custom(IDENTITY).Input(
                    "identity", tooltip="Who to draw, from Embed Faces with the recogniser arc2face."
                ),
            ],
            outputs=[
                output(io.Conditioning, "positive", "The person as a prompt."),
                output(io.Conditioning, "negative", "The empty prompt of the same encoder."),
            ],
        )

    @classmethod
    def execute(cls, clip: Any, identity: Any) -> io.NodeOutput:
        return io.NodeOutput(*arc2face.encode(clip, identity))


class ApplyReference(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessApplyReference",
            display_name="Apply Reference",
            category="Likeness/Arc2Face",
            description=(
                "Lets self-attention look at a reference picture, so that hair, clothes and light carry over "
                "(Arc2Face's reference adapter)."
            ),
            search_aliases=[
                "reference only",
                "reference adapter",
                "arc2face reference",
                "mutual self attention",
            ],
            inputs=[
                io.Model.Input(
                    "model", tooltip="Arc2Face or another SD1.5 model. Other branches are not changed."
                ),
                io.Vae.Input("vae", tooltip="The VAE of an SD1.5 checkpoint."),
                io.Image.Input(
                    "image", tooltip="The reference, best an aligned 512x512 portrait. Several are all used."
                ),
                io.Conditioning.Input(
                    "positive", tooltip="The prompt the reference is seen with, from Encode Arc2Face."
                ),
                io.Combo.Input(
                    "lora",
                    options=[NO_LORA, *host.files.list_models("loras")],
                    default=NO_LORA,
                    optional=True,
                    tooltip="The reference adapter's LoRA in models/loras: pytorch_lora_weights.safetensors.",
                ),
                io.Float.Input(
                    "lora_strength",
                    default=0.8,
                    min=-2.0,
                    max=2.0,
                    step=0.01,
                    tooltip="Strength of that LoRA on the model. 1 tends to copy the expression, too.",
                ),
                weight_input("How much the reference is looked at: 1 is the published method.", 1.0, 2.0),
                *window_inputs("reference"),
            ],
            outputs=[model_output("The model with the reference.")],
        )

    @classmethod
    def validate_inputs(cls, lora: str | None = None) -> bool:
        # A missing LoRA is explained in execute, with the folders that were searched.
        return True

    @classmethod
    def fingerprint_inputs(cls, lora: str | None = None, **inputs: Any) -> str:
        return arc2face.reference.fingerprint(lora)

    @classmethod
    def execute(
        cls,
        model: Any,
        vae: Any,
        image: Any,
        positive: Any,
        lora: str = NO_LORA,
        lora_strength: float = 0.8,
        weight: float = 1.0,
        start: float = 0.0,
        end: float = 1.0,
    ) -> io.NodeOutput:
        file = None if lora == NO_LORA else lora
        use = arc2face.Use(weight, start, end)
        return io.NodeOutput(arc2face.reference.apply(model, vae, image, positive, use, file, lora_strength))


NODES: list[type[io.ComfyNode]] = [LoadArc2Face, EncodeArc2Face, ApplyReference]
