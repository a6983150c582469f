"""Widgets that several nodes share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from comfy_api.latest import io

from ..likeness.values import RECOGNISERS

_ORDER = ("glintr100", "arc2face", "sface", "ms1mv3_r50", "auraface")


def recogniser_names() -> list[str]:
    """The recognisers, those most asked for first."""
    return [name for name in _ORDER if name in RECOGNISERS]


def weight_input(tooltip: str, default: float, largest: float) -> io.Float.Input:
    return io.Float.Input("weight", default=default, min=0.0, max=largest, step=0.01, tooltip=tooltip)


def start_input(what: str) -> io.Float.Input:
    return io.Float.Input(
        "start",
        default=0.0,
        min=0.0,
        max=1.0,
        step=0.001,
        tooltip=f"When the {what} begins to act, as a part of the sampling schedule.",
    )


def end_input(what: str) -> io.Float.Input:
    return io.Float.Input(
        "end",
        default=1.0,
        min=0.0,
        max=1.0,
        step=0.001,
        tooltip=f"When the {what} stops acting, as a part of the sampling schedule.",
    )


def seed_input(tooltip: str) -> io.Int.Input:
    """A seed that stays as it is from run to run, unlike a sampler's."""
    return io.Int.Input(
        "seed",
        default=0,
        min=0,
        max=0xFFFFFFFFFFFFFFFF,
        control_after_generate=False,
        tooltip=tooltip,
    )


def mask_edge_inputs() -> list[io.Int.Input]:
    """grow and feather, in pixels."""
    return [
        io.Int.Input(
            "grow",
            default=0,
            min=-1024,
            max=1024,
            tooltip="Pixels outwards on every side; negative shrinks.",
        ),
        io.Int.Input(
            "feather",
            default=0,
            min=0,
            max=1024,
            tooltip="Fade the edge over so many pixels each way.",
        ),
    ]


def compat_schema(
    node_id: str, display_name: str, description: str, inputs: Sequence[Any], outputs: Sequence[Any]
) -> io.Schema:
    """The schema of a node that stands in for another pack's, out of the way of who makes new graphs."""
    return io.Schema(
        node_id=node_id,
        display_name=display_name,
        category="Likeness/Compatibility",
        description=f"{description} For graphs that were made for another pack.",
        search_aliases=["old workflow", "compatibility", display_name.removesuffix(" (Old Graphs)")],
        is_deprecated=True,
        inputs=list(inputs),
        outputs=list(outputs),
    )
