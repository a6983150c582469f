"""The algebra of identities: mix, compare, sample."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..likeness import host
from ..likeness.algebra import compare, mix, sample
from ..likeness.choices.people import MIXES
from ..likeness.values import IDENTITY
from .common import calibration, calibration_fingerprint, output

IdentityType = io.Custom(IDENTITY)


def _several(tooltip: str) -> io.Autogrow.Input:
    """identity_0, identity_1, ...: a new socket appears as soon as the last one is connected."""
    socket = IdentityType.Input("identity", tooltip="One person; all of the same recogniser.")
    template = io.Autogrow.TemplatePrefix(socket, prefix="identity_", min=1, max=16)
    return io.Autogrow.Input("identities", template=template, tooltip=tooltip)


class MixIdentities(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessMixIdentities",
            display_name="Mix Identities",
            category="Likeness/Identity",
            description="Makes one identity out of several: an average, a point between people, or one "
            "plus or minus others.",
            search_aliases=["blend faces", "merge identities", "average faces", "slerp", "face math"],
            inputs=[
                _several("Who is mixed. An identity of several faces counts by their mean."),
                io.String.Input(
                    "weights",
                    default="",
                    placeholder="1, 0.5",
                    tooltip="One number for each identity, in the order of the sockets, with commas between. "
                    "Only their proportions matter. Empty: equal.",
                ),
                io.Combo.Input(
                    "mode",
                    options=list(MIXES),
                    default="mean",
                    tooltip="mean: the weighted average of directions. slerp: on the sphere, so that halfway "
                    "in weight is halfway in angle. add-subtract: weights may be negative. The length is the "
                    "average length in every mode.",
                ),
            ],
            outputs=[output(IdentityType, "identity", "The mix: one vector, whose source says how.")],
        )

    @classmethod
    def execute(cls, identities: io.Autogrow.Type, weights: str = "", mode: str = "mean") -> io.NodeOutput:
        return io.NodeOutput(mix.mix_identities(identities, weights, mode))


class CompareIdentities(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessCompareIdentities",
            display_name="Compare Identities",
            category="Likeness/Identity",
            description="Says how alike two identities are: a number, a report in words, and a picture of "
            "all pairs of their faces.",
            search_aliases=["face similarity", "cosine similarity", "same person", "face distance", "verify"],
            inputs=[
                IdentityType.Input("identity_a", tooltip="The rows of the matrix: a0, a1, ..."),
                IdentityType.Input(
                    "identity_b", tooltip="The columns of the matrix: b0, b1, ... Of the same recogniser."
                ),
            ],
            outputs=[
                output(
                    io.Float,
                    "similarity",
                    "Cosine of the two means: 1 is the same, about 0 has nothing in common.",
                ),
                output(
                    io.String, "report", "What the number means, as far as that was measured, and all pairs."
                ),
                output(io.Image, "matrix", "Heat map of the cosines of all pairs."),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, **inputs: Any) -> str:
        return calibration_fingerprint()

    @classmethod
    def execute(cls, identity_a: Any, identity_b: Any) -> io.NodeOutput:
        similarity, pairs, report = compare.compare_identities(identity_a, identity_b, calibration())
        return io.NodeOutput(similarity, report, host.running.to_image(compare.draw_pairs(pairs)))


class SampleIdentities(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessSampleIdentities",
            display_name="Sample Identities",
            category="Likeness/Identity",
            description="Makes up new people near the given ones, none of them too like anybody given or "
            "made: synthetic people for tests and data sets.",
            search_aliases=["random face", "synthetic identity", "new person", "generate identity"],
            inputs=[
                _several("Who the new people are mixed from: at least two faces in all."),
                io.Int.Input("count", default=4, min=1, max=256, tooltip="How many people to make."),
                io.Float.Input(
                    "spread",
                    default=0.6,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="How far a person is turned away from the mix of the given ones, as a share of a "
                    "right angle: 0 is the mix itself, 1 has nothing in common with it.",
                ),
                io.Float.Input(
                    "min_distance",
                    default=0.4,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="Least cosine distance (1 - similarity) of each new person to everybody given "
                    "and to each other.",
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=0xFFFFFFFFFFFFFFFF,
                    control_after_generate=True,
                    tooltip="The same seed makes the same people; a larger count adds some behind them.",
                ),
            ],
            outputs=[output(IdentityType, "identity", "The new people, one vector each.")],
        )

    @classmethod
    def execute(
        cls,
        identities: io.Autogrow.Type,
        count: int = 4,
        spread: float = 0.6,
        min_distance: float = 0.4,
        seed: int = 0,
    ) -> io.NodeOutput:
        return io.NodeOutput(sample.sample_identities(identities, count, spread, min_distance, seed))


NODES: list[type[io.ComfyNode]] = [MixIdentities, CompareIdentities, SampleIdentities]
