"""PVA: load it, turn photos into tokens, write the prompt, apply it to an inpainting model."""

from __future__ import annotations

from functools import partial
from typing import Any

from comfy_api.latest import io

from ..likeness.choices.pva import APPLY_TO, PLACEHOLDER, list_files, list_persons
from ..likeness.methods import pva as method
from ..likeness.values import IDENTITY, PVA, PVA_TOKENS
from .common import model_output, output, window_inputs

NOBODY = "none"
PVAType, PVATokensType, IdentityType = (io.Custom(name) for name in (PVA, PVA_TOKENS, IDENTITY))


class LoadPVA(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessLoadPVA",
            display_name="Load PVA",
            category="Likeness/PVA",
            description=(
                "Loads PVA, which fills a hole in a picture with a given person. No weights are published: "
                "train them, or use a file of somebody who did."
            ),
            search_aliases=["parallel visual attention", "pva loader", "personalised inpainting", "FPIP"],
            inputs=[
                io.Combo.Input(
                    "file",
                    options=list_files(),
                    tooltip="A base file in models/pva: the official FPIP.bin, or a .safetensors of it.",
                ),
                io.Combo.Input(
                    "person_file",
                    options=[NOBODY, *list_persons()],
                    default=NOBODY,
                    optional=True,
                    tooltip="A layer tuned on one person, over the base file it was tuned from.",
                ),
            ],
            outputs=[output(PVAType, "pva", "For the other PVA nodes.")],
        )

    @classmethod
    def fingerprint_inputs(cls, file: str | None, person_file: str | None = NOBODY) -> str:
        return method.fingerprint(file, None if person_file == NOBODY else person_file)

    @classmethod
    def validate_inputs(cls, file: str | None, person_file: str | None = NOBODY) -> bool:
        # A missing file is explained in execute, with the folders that were searched.
        return True

    @classmethod
    def execute(cls, file: str, person_file: str = NOBODY) -> io.NodeOutput:
        return io.NodeOutput(method.load(file, None if person_file == NOBODY else person_file))


class EncodePVA(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        photo = io.Image.Input("image", tooltip="A photo of the person, or a batch of them.")
        photos = io.Autogrow.TemplatePrefix(photo, prefix="image_", min=0, max=16)
        return io.Schema(
            node_id="LikenessEncodePVA",
            display_name="Encode PVA",
            category="Likeness/PVA",
            description=(
                "Turns photos of one person, or an identity made of them, into the tokens that PVA attends "
                "to. Any number of photos, in any order; five are usual."
            ),
            search_aliases=["pva identity", "reference photos", "face to tokens", "ms1mv3"],
            inputs=[
                PVAType.Input("pva", tooltip="From Load PVA."),
                IdentityType.Input(
                    "identity",
                    optional=True,
                    tooltip="Who to draw, in place of images: what this node made of photos before. The "
                    "recogniser is ms1mv3_r50, or the face encoder that the PVA file brings.",
                ),
                io.Autogrow.Input(
                    "images",
                    template=photos,
                    optional=True,
                    tooltip="Photos of the person, in place of identity. They may differ in size.",
                ),
                io.Boolean.Input(
                    "align",
                    default=True,
                    tooltip="Find the largest face of each photo and bring it into the position of FFHQ and "
                    "CelebA-HQ pictures. Off: the photos are such squares already.",
                ),
            ],
            outputs=[
                output(PVATokensType, "pva_tokens", "For Apply PVA."),
                output(IdentityType, "identity", "Who it is: one vector for each photo."),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, **inputs: Any) -> str:
        return method.encoder_fingerprint()

    @classmethod
    def execute(cls, pva: Any, identity: Any = None, images: Any = None, align: bool = True) -> io.NodeOutput:
        if identity is None:
            identity = method.identify(partial(method.encode_faces, pva), images, align, pva.base)
        elif images is not None and len(images):
            raise ValueError("identity and images are both connected: connect one of them.")
        return io.NodeOutput(method.identity_tokens(pva, identity), identity)


class PVAPrompt(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessPVAPrompt",
            display_name="Encode PVA Prompt",
            category="Likeness/PVA",
            description=f"Encodes a prompt in which {PLACEHOLDER} stands for the person, as PVA learned it.",
            search_aliases=["pva text encode", "new1", "modifier token", "personal word"],
            inputs=[
                io.Clip.Input("clip", tooltip="The clip of the SD2 inpainting checkpoint."),
                PVAType.Input("pva", tooltip="From Load PVA: it holds the word."),
                io.String.Input(
                    "text",
                    default=f"photo of a {PLACEHOLDER} person",
                    multiline=True,
                    dynamic_prompts=True,
                    tooltip=f"The prompt. {PLACEHOLDER} counts at its first place.",
                ),
            ],
            outputs=[output(io.Conditioning, "conditioning", "For positive, as of CLIP Text Encode.")],
        )

    @classmethod
    def execute(cls, clip: Any, pva: Any, text: str) -> io.NodeOutput:
        return io.NodeOutput(method.encode_prompt(clip, pva, text))


class ApplyPVA(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessApplyPVA",
            display_name="Apply PVA",
            category="Likeness/PVA",
            description=(
                "Lets an SD2 inpainting model attend to a person, so that it fills a hole in a picture with "
                "them."
            ),
            search_aliases=["parallel visual attention", "personalised inpainting", "face inpainting", "pva"],
            inputs=[
                io.Model.Input(
                    "model", tooltip="An SD2 inpainting model, with LoRAs if you like. It is not changed."
                ),
                PVAType.Input("pva", tooltip="From Load PVA."),
                PVATokensType.Input("pva_tokens", tooltip="Who to draw, from Encode PVA."),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=0.0,
                    max=10.0,
                    step=0.01,
                    tooltip="How much the person counts beside the prompt: 1 is the published method, 0 "
                    "leaves the model as it is.",
                ),
                io.Combo.Input(
                    "apply_to",
                    options=list(APPLY_TO),
                    default="positive",
                    tooltip="Which prompts look at the person. positive: for filling in. both: for changing "
                    "the person by the prompt, with cfg about 15.",
                ),
                *window_inputs("person"),
            ],
            outputs=[model_output("The model with the person.")],
        )

    @classmethod
    def execute(
        cls,
        model: Any,
        pva: Any,
        pva_tokens: Any,
        strength: float = 1.0,
        apply_to: str = "positive",
        start: float = 0.0,
        end: float = 1.0,
    ) -> io.NodeOutput:
        use = method.Use(strength, start, end)
        return io.NodeOutput(method.apply(model, pva, pva_tokens, use, apply_to))


NODES: list[type[io.ComfyNode]] = [LoadPVA, EncodePVA, PVAPrompt, ApplyPVA]
