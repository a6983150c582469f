"""FreeCure: bring back an expression, which no mask can hold."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..likeness.methods import freecure
from .common import cfg_input, output
from .freecure import gamma_input


class FreeCureExpression(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessFreeCureExpression",
            display_name="Repair Expression",
            category="Likeness/FreeCure",
            description=(
                "Gives a finished picture the expression of a prompt: goes back to half-way noise with a "
                "prompt that does not name it, and draws again from there with one that does."
            ),
            search_aliases=[
                "freecure",
                "asymmetric prompt guidance",
                "apg",
                "ddim inversion",
                "noise inversion",
                "unsample",
                "smile laugh emotion edit",
            ],
            inputs=[
                io.Model.Input(
                    "model",
                    tooltip=(
                        "The model without the identity, with the same LoRAs: the foundation of Guide with "
                        "FreeCure."
                    ),
                ),
                io.Latent.Input(
                    "latent",
                    tooltip="The finished picture, after the other repairs. Its noise mask is respected.",
                ),
                io.Conditioning.Input(
                    "template",
                    tooltip='What the picture shows, without the expression, in few words: "a man".',
                ),
                io.Conditioning.Input(
                    "target", tooltip='The same with the expression: "a man laughing happily".'
                ),
                io.Conditioning.Input(
                    "negative", tooltip="The negative prompt of both ways. Not used where its cfg is 1."
                ),
                io.Sampler.Input(
                    "sampler",
                    tooltip="For the way down: euler, dpmpp_2m, ddim or another that adds no noise.",
                ),
                io.Sigmas.Input(
                    "sigmas",
                    tooltip="The whole schedule, as for drawing the picture. The part below gamma is used.",
                ),
                gamma_input(
                    "How far back to go, as a part of the 1000 timesteps (a flow model: of the steps). "
                    "More: a stronger expression, less of the person. The authors: 0.5 to 0.6."
                ),
                cfg_input("cfg", 5.0, "How strictly the way down follows target."),
                cfg_input(
                    "inversion_cfg",
                    1.0,
                    "The same for the way back with template. 1 is stable and half the work.",
                ),
                io.Int.Input(
                    "refinements",
                    default=0,
                    min=0,
                    max=10,
                    tooltip=(
                        "Corrections of each step back. They keep more of the picture; each costs as much "
                        "as the way back itself."
                    ),
                ),
                io.Boolean.Input(
                    "measure",
                    default=False,
                    tooltip=(
                        "Measure what the way back loses, by going down with template too: as many steps "
                        "again. Off: the report estimates it for nothing."
                    ),
                ),
            ],
            outputs=[
                output(io.Latent, "latent", "The repaired picture."),
                output(
                    io.Latent,
                    "inverted",
                    "The half-way noise, for sampling on without noise; without the noise mask.",
                ),
                output(
                    io.String,
                    "report",
                    "The noise level reached, the steps, and the error of going back and forth.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        model: Any,
        latent: Any,
        template: Any,
        target: Any,
        negative: Any,
        sampler: Any,
        sigmas: Any,
        gamma: float = 0.5,
        cfg: float = 5.0,
        inversion_cfg: float = 1.0,
        refinements: int = 0,
        measure: bool = False,
    ) -> io.NodeOutput:
        made = freecure.repair_expression(
            model,
            latent,
            template,
            target,
            negative,
            sampler,
            sigmas,
            gamma=gamma,
            cfg=cfg,
            inversion_cfg=inversion_cfg,
            refinements=refinements,
            measure=measure,
        )
        return io.NodeOutput(made.latent, made.inverted, made.report())


NODES: list[type[io.ComfyNode]] = [FreeCureExpression]
