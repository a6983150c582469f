"""PVA tuned on one person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from comfy_api.latest import io

from ..likeness import host
from ..likeness.choices.pva import AUTO, COMPUTE_PRECISIONS, CROSS_ALL, PERSON, SETS
from ..likeness.methods import pva as method
from ..likeness.values import PVA, PVA_TOKENS
from .common import model_output, output, seed_input


class TunePVA(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        photo = io.Image.Input("image", tooltip="A photo of the person, or a batch of them.")
        photos = io.Autogrow.TemplatePrefix(photo, prefix="image_", min=1, max=16)
        return io.Schema(
            node_id="LikenessTunePVA",
            display_name="Tune PVA",
            category="Likeness/PVA",
            description=(
                "Tunes PVA on one person in 40 steps, from a few photos of them. The model is not changed; "
                "what is learnt is a layer over the PVA file."
            ),
            search_aliases=["train pva", "fine-tune person", "personalise", "40 steps", "train face"],
            inputs=[
                io.Model.Input("model", tooltip="The SD2 inpainting checkpoint that PVA was made for."),
                io.Clip.Input("clip", tooltip="Its text encoder."),
                io.Vae.Input("vae", tooltip="The VAE of the same checkpoint."),
                io.Custom(PVA).Input("pva", tooltip="From Load PVA, without a person."),
                io.Autogrow.Input(
                    "images", template=photos, tooltip="Photos of one person; five are usual, one will do."
                ),
                io.Boolean.Input(
                    "align",
                    default=True,
                    tooltip="On for any photo with a face. Off for portraits that are aligned as FFHQ and "
                    "CelebA-HQ pictures are.",
                ),
                io.Int.Input("steps", default=40, min=1, max=1000, tooltip="40 is the published method."),
                io.Combo.Input(
                    "tensors",
                    options=list(SETS),
                    default=CROSS_ALL,
                    tooltip="cross_all: all of cross-attention, as the authors' results; 177 MB in float16. "
                    "visual_only: what PVA added; 76 MB.",
                ),
                seed_input("Of the order, the mirroring, the timesteps and the noise."),
                io.Float.Input(
                    "learning_rate",
                    default=2e-5,
                    min=1e-7,
                    max=1e-2,
                    step=1e-6,
                    round=False,
                    advanced=True,
                    tooltip="Of attention. 0.00002 with 2 timesteps, 0.00004 with 4.",
                ),
                io.Float.Input(
                    "word_learning_rate",
                    default=1e-3,
                    min=0.0,
                    max=1e-1,
                    step=1e-4,
                    round=False,
                    advanced=True,
                    tooltip="Of the person's word <new1>. 0 leaves the word as it is.",
                ),
                io.Int.Input(
                    "timesteps",
                    default=2,
                    min=1,
                    max=16,
                    advanced=True,
                    tooltip="How many noise levels each step looks at.",
                ),
                io.Combo.Input(
                    "precision",
                    options=list(COMPUTE_PRECISIONS),
                    default=AUTO,
                    advanced=True,
                    tooltip="What the network computes in; what learns is float32 always. auto: bfloat16 "
                    "where the graphics card has it.",
                ),
                io.Boolean.Input(
                    "save_memory",
                    default=True,
                    advanced=True,
                    tooltip="Compute parts of the network twice instead of keeping them: the same result, "
                    "slower, with much less memory.",
                ),
                io.String.Input(
                    "save_as",
                    default="",
                    tooltip="Write the person's layer to models/pva under this name, for person_file of Load "
                    "PVA. Empty: do not write it; Save PVA can.",
                ),
            ],
            outputs=[
                model_output("The model with the person, as Apply PVA makes it at strength 1."),
                output(io.Custom(PVA), "pva", "PVA with the person's layer, for Encode PVA Prompt."),
                output(io.Custom(PVA_TOKENS), "pva_tokens", "The person, for Apply PVA."),
                output(io.Image, "loss_curve", "The loss of every step, and its running mean."),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, **inputs: Any) -> str:
        return method.encoder_fingerprint()

    @classmethod
    def execute(
        cls,
        model: Any,
        clip: Any,
        vae: Any,
        pva: Any,
        images: Any = None,
        align: bool = True,
        steps: int = 40,
        tensors: str = CROSS_ALL,
        seed: int = 0,
        learning_rate: float = 2e-5,
        word_learning_rate: float = 1e-3,
        timesteps: int = 2,
        precision: str = AUTO,
        save_memory: bool = True,
        save_as: str = "",
    ) -> io.NodeOutput:
        if save_as.strip():
            method.check_name(save_as, "save_as")  # before the steps, not after them
        plan = method.Plan(
            steps, timesteps, tensors, learning_rate, word_learning_rate, seed, precision, save_memory
        )
        progress = host.running.PictureProgress(steps)

        def report(losses: Sequence[float]) -> None:
            progress.step(method.draw_curve(losses, steps)[0])

        tuned = method.tune(model, clip, vae, pva, images, align, plan, report)
        if save_as.strip():
            method.save(tuned.pva, save_as, PERSON, "float16", "save_as")
        curve = host.running.to_image(method.draw_curve(tuned.losses, steps))
        return io.NodeOutput(tuned.model, tuned.pva, tuned.tokens, curve)


NODES: list[type[io.ComfyNode]] = [TunePVA]
