"""Widgets that several nodes share."""

from __future__ import annotations

from comfy_api.latest import io


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
