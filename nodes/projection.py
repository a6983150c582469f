"""Unwanted words taken out of a prompt."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..likeness.choices.projection import ALL, ENCODERS, JOINT, ROWS
from ..likeness.methods import projection
from .common import output, window_inputs


class ProjectOut(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessProjectOut",
            display_name="Project Out",
            category="Likeness/Attributes",
            description="Takes what unwanted words point to out of a prompt, such as what a LoRA always "
            "draws or what leaks from a style. After the formula of DECOR's paper.",
            search_aliases=["decor", "remove words", "orthogonal", "unwanted", "lora leak", "project"],
            inputs=[
                io.Conditioning.Input("conditioning", tooltip="The prompt that has too much in it."),
                io.Clip.Input("clip", tooltip="The clip that encoded it, LoRAs included."),
                io.String.Input(
                    "unwanted",
                    multiline=True,
                    default="",
                    tooltip="What is to be taken out: words as a prompt of their own, or words of text.",
                ),
                io.Float.Input(
                    "strength",
                    default=0.5,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="How much of it: 0 nothing, 1 all that points there.",
                ),
                io.Combo.Input(
                    "rows",
                    options=list(ROWS),
                    default=ALL,
                    tooltip="all: every row but the start's, the padding included, as in the paper. words: "
                    "those of the words alone; needs text.",
                ),
                io.Combo.Input(
                    "encoders",
                    options=list(ENCODERS),
                    default=JOINT,
                    tooltip="SDXL has two text encoders. joint: takes out where both agree. separate: each "
                    "by itself, which takes out more.",
                ),
                io.Int.Input(
                    "rank",
                    default=0,
                    min=0,
                    max=1024,
                    tooltip="Take out so many of the strongest directions; 0 takes all.",
                ),
                io.Boolean.Input(
                    "centre",
                    default=False,
                    tooltip="Leave what all prompts have in common: without it, strength 1 takes that from "
                    "every row, and pictures turn grey.",
                ),
                *window_inputs("projection"),
                io.String.Input(
                    "text",
                    multiline=True,
                    default="",
                    tooltip="The text that conditioning was made from, letter for letter. With it, unwanted "
                    "words (separated by commas) are looked for there first. Empty: they are a prompt of "
                    "their own.",
                ),
            ],
            outputs=[
                output(io.Conditioning, "conditioning", "The prompt without them."),
                output(io.String, "report", "How many directions, and how much of each row, were taken out."),
            ],
        )

    @classmethod
    def execute(
        cls,
        conditioning: Any,
        clip: Any,
        unwanted: str,
        strength: float = 0.5,
        rows: str = ALL,
        encoders: str = JOINT,
        rank: int = 0,
        centre: bool = False,
        start: float = 0.0,
        end: float = 1.0,
        text: str = "",
    ) -> io.NodeOutput:
        use = projection.Use(strength, start, end)
        how = projection.Projection(rows, encoders, rank, centre)
        return io.NodeOutput(*projection.project(conditioning, clip, unwanted, use, how, text))


NODES: list[type[io.ComfyNode]] = [ProjectOut]
