"""FreeCure: bring back the attributes of the prompt that an identity took."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..likeness.choices.freecure import LARGEST_GAMMA, LEAST_GAMMA, MODES
from ..likeness.methods import freecure
from .common import cfg_input, output, window_inputs


def branch_inputs(about_mask: str) -> list[io.Input]:
    """The two models, their prompts, and where the attributes are."""
    return [
        io.Model.Input(
            "personalised",
            tooltip="The model with the identity in: after Apply InstantID or another.",
        ),
        io.Model.Input(
            "foundation",
            tooltip=(
                "The same model without the identity, with the same LoRAs: the model before the identity "
                "node, or exactly as published, a second Apply InstantID with empty_identity on. Connect "
                "its prompts, too."
            ),
        ),
        io.Conditioning.Input("positive", tooltip="The prompt of the personalised model."),
        io.Conditioning.Input("negative", tooltip="Its negative prompt."),
        io.Conditioning.Input(
            "foundation_positive",
            optional=True,
            tooltip="The prompt of the foundation. Open: the same as positive.",
        ),
        io.Conditioning.Input(
            "foundation_negative",
            optional=True,
            tooltip="The negative prompt of the foundation. Open: the same as negative.",
        ),
        io.Mask.Input(
            "mask",
            optional=True,
            tooltip=about_mask,
        ),
    ]


def gamma_input(tooltip: str) -> io.Float.Input:
    return io.Float.Input(
        "gamma", default=0.5, min=LEAST_GAMMA, max=LARGEST_GAMMA, step=0.01, tooltip=tooltip
    )


def repair_inputs() -> list[io.Input]:
    """How strongly, where in the network and when."""
    return [
        cfg_input("cfg", 5.0, "How strictly both follow their prompts."),
        io.Float.Input(
            "strength",
            default=1.5,
            min=-30.0,
            max=30.0,
            step=0.05,
            tooltip=(
                "How much attributes count. Mode code: 1.5 for SDXL, 0.5 for SD1.5. The paper modes: "
                "about 2.0."
            ),
        ),
        io.Combo.Input(
            "mode",
            options=list(MODES),
            default="code",
            tooltip=(
                "code: as the authors' program. paper: the printed formula, which also lets unmasked "
                "tokens in. paper_masked: that formula inside the mask only."
            ),
        ),
        io.String.Input(
            "layers",
            default="default",
            tooltip=(
                "Which self-attention layers: default, all_up (Flux: single_only, last_half), or block "
                "numbers in the order they run, such as 12-16 or 3, 5, 8-10."
            ),
        ),
        io.Float.Input(
            "style_fidelity",
            default=1.0,
            min=0.0,
            max=1.0,
            step=0.01,
            tooltip=(
                "1: the negative prompt is left alone, as published. 0: it looks at the foundation, too."
            ),
        ),
        *window_inputs("repair"),
        io.Boolean.Input(
            "experimental",
            default=False,
            optional=True,
            tooltip=(
                "Let it work on Flux, too, after the paper's text: no code was published for it. SDXL and "
                "SD1.5 do not need this."
            ),
        ),
    ]


class FreeCureGuider(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessFreeCureGuider",
            display_name="Guide with FreeCure",
            category="Likeness/FreeCure",
            description=(
                "Samples a model with an identity and the same model without it in step, and lets the first "
                "take masked attributes (hair, glasses, eyes) from the second. For Sampler Custom Advanced."
            ),
            search_aliases=[
                "freecure",
                "foundation aware self attention",
                "fasa",
                "restore hair glasses",
                "prompt consistency",
            ],
            inputs=[
                *branch_inputs(
                    "Where the attributes are in the foundation's picture. Open or empty: both models are "
                    "sampled as they are (mode paper: not quite, when it is empty)."
                ),
                *repair_inputs(),
            ],
            outputs=[
                output(io.Guider, "guider", "For Sampler Custom Advanced, with any sampler but dpm_adaptive.")
            ],
        )

    @classmethod
    def execute(
        cls,
        personalised: Any,
        foundation: Any,
        positive: Any,
        negative: Any,
        cfg: float,
        foundation_positive: Any = None,
        foundation_negative: Any = None,
        mask: Any = None,
        strength: float = 1.5,
        mode: freecure.Mode = "code",
        layers: str = "default",
        style_fidelity: float = 1.0,
        start: float = 0.0,
        end: float = 1.0,
        experimental: bool = False,
    ) -> io.NodeOutput:
        prompts = freecure.Prompts(positive, negative, foundation_positive, foundation_negative)
        repair = freecure.Repair(strength, mode, layers, style_fidelity, start, end, experimental)
        return io.NodeOutput(freecure.guider(personalised, foundation, prompts, cfg, repair, mask))


NODES: list[type[io.ComfyNode]] = [FreeCureGuider]
