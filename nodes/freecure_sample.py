"""FreeCure in one node: the foundation, its attributes, the repaired picture, its expression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from comfy_api.latest import io

from ..likeness import host
from ..likeness.choices.faces import MATCHING, PARTS, WHOLE_WORDS
from ..likeness.faces import labels
from ..likeness.methods import freecure
from .common import cfg_input, output
from .freecure import branch_inputs, gamma_input, repair_inputs

ATTRIBUTES, WITH_EXPRESSION = "attributes", "attributes + expression"
NOT_COMPARED = (
    "Repair with FreeCure did not sample the personalised picture as it is. Turn `compare` on, or take the "
    "link from `personalised` off."
)


class FreeCureSample(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessFreeCureSample",
            display_name="Repair with FreeCure",
            category="Likeness/FreeCure",
            description=(
                "All of FreeCure in one node: draws without the identity, finds hair, glasses or other parts "
                "there, draws the person with them and, if asked, gives the expression back, too."
            ),
            search_aliases=["freecure", "restore attributes", "prompt consistency", "fix hair glasses"],
            inputs=[
                *branch_inputs(
                    "Where the attributes are in the foundation's picture. Open: they are found with vae and "
                    "face_parser. Empty: nothing is repaired."
                ),
                io.Noise.Input("noise", tooltip="The start noise of every drawing: Random Noise."),
                io.Sampler.Input(
                    "sampler",
                    tooltip="Any but dpm_adaptive. The expression repair takes those without noise of their "
                    "own: euler, dpmpp_2m, ddim.",
                ),
                io.Sigmas.Input("sigmas", tooltip="The steps of every drawing."),
                io.Latent.Input("latent_image", tooltip="The size, or the picture to start from."),
                io.Vae.Input(
                    "vae", optional=True, tooltip="To look at the foundation's picture. Not needed with mask."
                ),
                io.Custom("LIKENESS_FACE_PARSER").Input(
                    "face_parser", optional=True, tooltip="From Load Face Parser. Not needed with mask."
                ),
                io.Conditioning.Input(
                    "template",
                    optional=True,
                    tooltip="For the expression repair: the prompt without any attribute, such as a man.",
                ),
                io.Conditioning.Input(
                    "target",
                    optional=True,
                    tooltip="For the expression repair: the template with the expression, such as a man "
                    "laughing happily. Open: the foundation's prompt.",
                ),
                *repair_inputs(),
                io.MultiCombo.Input(
                    "classes",
                    options=list(PARTS),
                    default=["hair", "glasses"],
                    tooltip="The parts that are given back, found in the foundation's picture.",
                ),
                io.String.Input(
                    "words",
                    default="",
                    tooltip="More parts as free text, such as the prompt itself. Words that mean no part are "
                    "passed over.",
                ),
                io.Combo.Input(
                    "word_matching",
                    options=list(MATCHING),
                    default=WHOLE_WORDS,
                    tooltip="whole words, or substring as FreeCure's code: eyeglasses then means eyes too.",
                ),
                io.Combo.Input(
                    "repair",
                    options=[ATTRIBUTES, WITH_EXPRESSION],
                    default=ATTRIBUTES,
                    tooltip="attributes: hair, glasses and other parts. With expression: the picture is then "
                    "turned half-way back to noise with the template and drawn again with the target.",
                ),
                gamma_input("Expression repair: how far back to noise. More changes more."),
                cfg_input(
                    "inversion_cfg",
                    1.0,
                    "Expression repair: cfg on the way to noise. 1 is the stable choice.",
                ),
                io.Boolean.Input(
                    "compare",
                    default=False,
                    tooltip="Also draw the personalised picture without repair, for the output of that name. "
                    "Costs one more drawing.",
                ),
            ],
            outputs=[
                output(io.Latent, "latent", "The repaired picture."),
                output(
                    io.Latent,
                    "personalised",
                    "The picture with the identity, not repaired. Only with compare.",
                ),
                output(io.Latent, "foundation", "The picture without the identity."),
                output(io.Mask, "mask", "Where attributes were taken from."),
                output(
                    io.String,
                    "report",
                    "How much of the picture that is; the error of the expression's round trip.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        personalised: Any,
        foundation: Any,
        positive: Any,
        negative: Any,
        noise: Any,
        sampler: Any,
        sigmas: Any,
        latent_image: Any,
        cfg: float,
        foundation_positive: Any = None,
        foundation_negative: Any = None,
        mask: Any = None,
        vae: Any = None,
        face_parser: Any = None,
        template: Any = None,
        target: Any = None,
        strength: float = 1.5,
        mode: freecure.Mode = "code",
        layers: str = "default",
        style_fidelity: float = 1.0,
        start: float = 0.0,
        end: float = 1.0,
        experimental: bool = False,
        classes: Sequence[str] = ("hair", "glasses"),
        words: str = "",
        word_matching: str = WHOLE_WORDS,
        repair: str = ATTRIBUTES,
        gamma: float = 0.5,
        inversion_cfg: float = 1.0,
        compare: bool = False,
    ) -> io.NodeOutput:
        prompts = freecure.Prompts(positive, negative, foundation_positive, foundation_negative)
        settings = freecure.Repair(strength, mode, layers, style_fidelity, start, end, experimental)
        wanted = labels.wanted_classes(classes, words, word_matching, True) if mask is None else ()
        expression = None
        if repair == WITH_EXPRESSION:
            expression = freecure.ExpressionRepair(template, target, gamma, inversion_cfg)
        result = freecure.sample(
            personalised,
            foundation,
            prompts,
            settings,
            freecure.Run(noise, sampler, sigmas, latent_image, cfg),
            freecure.Attributes(mask, vae, face_parser, wanted),
            expression,
            compare,
        )
        plain = host.running.blocked(NOT_COMPARED) if result.personalised is None else result.personalised
        mask = host.running.to_image(result.mask)
        return io.NodeOutput(result.latent, plain, result.foundation, mask, result.report)


NODES: list[type[io.ComfyNode]] = [FreeCureSample]
