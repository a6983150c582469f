"""Whole pictures, drawn again until everybody in them is right."""

from __future__ import annotations

from typing import Any

import torch
from comfy_api.latest import io

from ..likeness import host
from ..likeness import redraw as repairing
from ..likeness.choices.people import OTHER
from ..likeness.values import CAST, FACE_MODELS
from .common import JudgeFaces, calibration, output, recogniser_names
from .redraw import NOT_KNOWN
from .repair import bar_input, hard_places_input, same_input
from .score import judge_input


class DrawUntil(JudgeFaces):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessDrawUntil",
            display_name="Draw Until Right",
            category="Likeness/People",
            description="Draws with one seed after the other, as Sampler Custom Advanced and VAE Decode do, "
            "until everybody of the cast is in a picture and like themselves.",
            search_aliases=[
                "until",
                "retry",
                "best of",
                "reroll",
                "again until it is her",
                "rejection sampling",
            ],
            inputs=[
                io.Guider.Input("guider", tooltip="The model with its prompts, such as CFG Guider."),
                io.Noise.Input(
                    "noise", tooltip="Random Noise: the first try has its seed, the second the next."
                ),
                io.Sampler.Input("sampler", tooltip="From KSampler Select."),
                io.Sigmas.Input("sigmas", tooltip="The steps of every try."),
                io.Latent.Input(
                    "latent_image", tooltip="The size. A batch draws several pictures with each try."
                ),
                io.Vae.Input("vae", tooltip="Decodes the pictures, so that they can be judged."),
                io.Custom(CAST).Input("cast", tooltip="Who should be in them, from Cast."),
                io.Custom(FACE_MODELS).Input(
                    "face_models",
                    tooltip="Finds and judges the faces. Take another recogniser than the one that drives "
                    "the model, such as the pack embedded.",
                ),
                bar_input(),
                io.Int.Input(
                    "tries",
                    default=4,
                    min=1,
                    max=1000,
                    tooltip="How often to draw at most. After the first the node says how long the others "
                    "may take.",
                ),
                io.Int.Input(
                    "keep",
                    default=1,
                    min=1,
                    max=4096,
                    tooltip="How many pictures to keep: the first that pass; when too few do, the best "
                    "others.",
                ),
                judge_input("Who judges: another recogniser than drawn_by, or one by name."),
                io.Combo.Input(
                    "drawn_by",
                    options=[NOT_KNOWN, *recogniser_names()],
                    default=NOT_KNOWN,
                    tooltip="The recogniser whose identity drives the model: glintr100 for InstantID, "
                    "arc2face for Arc2Face.",
                ),
                same_input(),
                hard_places_input(),
            ],
            outputs=[
                output(io.Image, "accepted", "The kept pictures, those that passed first."),
                output(
                    io.Image,
                    "rejected",
                    "All others, as they were drawn. Nothing runs behind it without any.",
                ),
                output(io.String, "table", "Who judged, the cost, and every picture with its seed."),
                output(io.Boolean, "passed", "True when all kept pictures passed."),
                output(io.String, "seeds", "Of the kept pictures: 7,9."),
            ],
        )

    @classmethod
    def execute(
        cls,
        guider: Any,
        noise: Any,
        sampler: Any,
        sigmas: Any,
        latent_image: Any,
        vae: Any,
        cast: Any,
        face_models: Any,
        at_least: str = "0.4",
        tries: int = 4,
        keep: int = 1,
        recogniser: str = OTHER,
        drawn_by: str = NOT_KNOWN,
        allow_same: bool = False,
        hard_places: bool = True,
    ) -> io.NodeOutput:
        rarity = calibration()
        known = "" if drawn_by == NOT_KNOWN else drawn_by
        judge = repairing.judge.appoint(face_models, cast, known, recogniser, allow_same)
        request = repairing.until.Request(guider, noise, sampler, sigmas, latent_image, vae)
        made = repairing.until.draw_until(
            request,
            face_models,
            cast,
            judge,
            repairing.judge.bar(at_least, judge.recogniser, rarity),
            tries,
            keep,
            hard_places,
        )
        accepted = host.running.to_image(torch.cat([one.picture for one in made.accepted]))
        rejected = host.running.blocked(None)
        if made.rest:
            rejected = host.running.to_image(torch.cat([one.picture for one in made.rest]))
        seeds = ",".join(str(one.seed) for one in made.accepted)
        return io.NodeOutput(
            accepted, rejected, repairing.until.write_table(made, rarity), made.passed, seeds
        )


NODES: list[type[io.ComfyNode]] = [DrawUntil]
