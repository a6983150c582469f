"""Stories from words alone: their prompts, and a model that holds on to who they are about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from comfy_api.latest import io

from ..likeness.choices.story import ALL, BLOCKS, MODES, REWEIGHT, TOKENS, WINDOW
from ..likeness.methods import story
from .common import model_output, output, window_inputs


def _part(name: str, default: float, largest: float, step: float, tooltip: str) -> io.Float.Input:
    return io.Float.Input(name, default=default, min=0.0, max=largest, step=step, tooltip=tooltip)


class StoryPrompt(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessStoryPrompt",
            display_name="Story Prompt",
            category="Likeness/Story",
            description="The same somebody in several pictures, from words alone: one prompt tells the whole "
            "story, and for each picture one frame of it is made loud (One-Prompt-One-Story). Every picture "
            "is drawn with the same seed.",
            search_aliases=["1prompt1story", "consistent character", "story", "comic", "same character"],
            inputs=[
                io.Clip.Input("clip", tooltip="The clip of an SDXL or SD1.5 checkpoint."),
                io.String.Input(
                    "identity",
                    default="A photo of a red fox with a blue scarf",
                    tooltip="Who or what all pictures show, and their style: the story begins with it.",
                ),
                io.String.Input(
                    "frames",
                    multiline=True,
                    default="sitting in a meadow\nplaying in the snow\nat the edge of a village",
                    tooltip="What happens, a line for each picture. Weights such as (snow:1.2) are not used.",
                ),
                io.Combo.Input(
                    "mode",
                    options=list(MODES),
                    default=REWEIGHT,
                    tooltip="reweight: what sums up the whole text changes with every frame. fade: it is "
                    "only made weaker, so that pictures follow their frame less and are more alike.",
                ),
                _part("suppress", 0.05, 1.0, 0.01, "How much of the other frames is left; 1 leaves them."),
                _part("suppress_rate", 0.01, 0.5, 0.001, "How much more their main meaning is made weaker."),
                _part("enhance", 1.0, 2.0, 0.01, "How strong the picture's own frame is."),
                _part("enhance_rate", 0.01, 0.02, 0.001, "How much more its main meaning is made stronger."),
                io.Int.Input(
                    "window",
                    default=WINDOW,
                    min=1,
                    max=TOKENS - 2,
                    tooltip="Frames in one prompt at most. Fewer where the text is too long for that.",
                ),
                io.Int.Input(
                    "identity_copies",
                    default=0,
                    min=0,
                    max=8,
                    tooltip="Holds the identity without Hold Identity: so many copies of its words go behind "
                    "the prompt. 0 with Hold Identity, which is quicker.",
                ),
            ],
            outputs=[
                io.Conditioning.Output(
                    "positive",
                    display_name="positive",
                    tooltip="A list: a prompt for each frame. The sampler runs once for each.",
                    is_output_list=True,
                ),
                io.String.Output(
                    "prompts",
                    display_name="prompts",
                    tooltip="A list: the text that was encoded for each frame, for Apply Attribute.",
                    is_output_list=True,
                ),
                output(io.Int, "identity_tokens", "Rows that say who it is, for Hold Identity."),
                output(io.Int, "count", "How many frames there are."),
            ],
        )

    @classmethod
    def execute(
        cls,
        clip: Any,
        identity: str,
        frames: str,
        mode: str = REWEIGHT,
        suppress: float = 0.05,
        suppress_rate: float = 0.01,
        enhance: float = 1.0,
        enhance_rate: float = 0.01,
        window: int = WINDOW,
        identity_copies: int = 0,
    ) -> io.NodeOutput:
        how = story.Reweighting(mode, suppress, suppress_rate, enhance, enhance_rate)
        told = story.tell(clip, identity, frames, how, window, identity_copies)
        lists = list(told.positives), list(told.prompts)
        return io.NodeOutput(*lists, told.identity_tokens, len(told.prompts))


class HoldIdentity(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessHoldIdentity",
            display_name="Hold Identity",
            category="Likeness/Story",
            description="Lets the model listen more to the first words of its prompt: those that say who a "
            "story is about. Needs no weights and no second prompt.",
            search_aliases=["1prompt1story", "ipca", "consistent character", "story", "identity preserving"],
            inputs=[
                io.Model.Input("model", tooltip="An SDXL or SD1.5 model. Other branches are not changed."),
                io.Int.Input(
                    "identity_tokens",
                    default=1,
                    min=1,
                    max=4096,
                    tooltip="How many rows of the prompt say who it is: identity_tokens of Story Prompt.",
                ),
                io.Int.Input(
                    "tokens",
                    default=TOKENS,
                    min=1,
                    max=4096,
                    tooltip="How many rows the story's prompt has. 77 for SDXL and SD1.5.",
                ),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=0.0,
                    max=10.0,
                    step=0.01,
                    tooltip="How much more those words weigh: 1 is the published method, twice as much; 0 is "
                    "the model as it was.",
                ),
                *window_inputs("identity"),
                io.MultiCombo.Input(
                    "blocks",
                    options=[ALL, *BLOCKS],
                    default=[ALL],
                    tooltip="Parts of the network that listen more. down and middle: layout; up: details.",
                ),
            ],
            outputs=[model_output("The model that holds the identity.")],
        )

    @classmethod
    def execute(
        cls,
        model: Any,
        identity_tokens: int,
        tokens: int = TOKENS,
        strength: float = 1.0,
        start: float = 0.0,
        end: float = 1.0,
        blocks: Sequence[str] = (ALL,),
    ) -> io.NodeOutput:
        use = story.Use(strength, start, end)
        return io.NodeOutput(story.hold(model, identity_tokens, use, blocks, tokens))


NODES: list[type[io.ComfyNode]] = [StoryPrompt, HoldIdentity]
