"""Widgets that several nodes share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from comfy_api.latest import io

from ..likeness import host
from ..likeness.algebra import calibration as rarity
from ..likeness.faces import models
from ..likeness.values import RECOGNISERS

_ORDER = ("glintr100", "arc2face", "sface", "ms1mv3_r50", "auraface", "w600k_r50")


def recogniser_names() -> list[str]:
    """The recognisers, those most asked for first."""
    return [name for name in _ORDER if name in RECOGNISERS]


def weight_input(tooltip: str, default: float, largest: float) -> io.Float.Input:
    return io.Float.Input("weight", default=default, min=0.0, max=largest, step=0.01, tooltip=tooltip)


def window_inputs(what: str) -> list[io.Float.Input]:
    """start and end."""
    return [
        io.Float.Input(
            name,
            default=default,
            min=0.0,
            max=1.0,
            step=0.001,
            tooltip=f"When the {what} {does}, as a part of the sampling schedule.",
        )
        for name, default, does in (("start", 0.0, "begins to act"), ("end", 1.0, "stops acting"))
    ]


def mask_input(what: str) -> io.Mask.Input:
    return io.Mask.Input(
        "mask",
        optional=True,
        tooltip=f"Where in the picture the {what} applies, in the picture's shape.",
    )


def cfg_input(name: str, default: float, tooltip: str) -> io.Float.Input:
    return io.Float.Input(name, default=default, min=0.0, max=100.0, step=0.1, tooltip=tooltip)


def size_inputs(default: int, smallest: int, what: str) -> list[io.Int.Input]:
    """width and height."""
    return [
        io.Int.Input(name, default=default, min=smallest, max=16384, tooltip=f"{name.capitalize()} {what}")
        for name in ("width", "height")
    ]


def calibration() -> rarity.Calibration:
    """How rare strangers are: the user's own measurements over those that come with the pack."""
    return rarity.load(host.files.find_model("identities", rarity.FILE))


def calibration_fingerprint() -> str:
    """Changes when the user's measurements do."""
    return host.files.fingerprint("identities", rarity.FILE)


#: Of a node that tells the page something: who asked, and what for.
PAGE = (io.Hidden.extra_pnginfo, io.Hidden.prompt, io.Hidden.unique_id)


def for_the_page(node: type[io.ComfyNode], make: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
    """make(), where a page asked: it sends its workflow along. The node has PAGE among its hidden inputs."""
    hidden = getattr(node, "hidden", None)
    if not getattr(hidden, "extra_pnginfo", None):
        return None
    shown = make()
    if hidden.unique_id in (hidden.prompt or {}):
        host.told.remember(hidden.prompt, hidden.unique_id, shown)
    return shown


class JudgeFaces(io.ComfyNode):
    """Finds faces by the embedded models, and says how rare strangers as alike are."""

    @classmethod
    def fingerprint_inputs(cls, **inputs: Any) -> str:
        return f"{models.bundled_fingerprint()}; {calibration_fingerprint()}"


def at_least_input(default: str, more: str) -> io.String.Input:
    """A bar: a similarity, or a rate of strangers."""
    return io.String.Input(
        "at_least",
        default=default,
        optional=True,
        placeholder="0.4, or 1 in 100",
        tooltip="How like somebody a face must be: a similarity, such as 0.4, or how many strangers are "
        f"looked at until one is so alike, such as 1 in 100. {more}",
    )


def output(kind: Any, name: str, tooltip: str, listed: bool = False) -> Any:
    """What a node gives, shown by its id. kind: such as io.Image. listed: as a list, not one batch."""
    return kind.Output(name, display_name=name, tooltip=tooltip, is_output_list=listed)


def model_output(tooltip: str) -> Any:
    return output(io.Model, "model", tooltip)


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


class LoadFile(io.ComfyNode):
    """Loads the file that its one input `file` names."""

    @classmethod
    def reader(cls) -> Any:
        """What has fingerprint(file) and load(file)."""
        raise NotImplementedError

    @classmethod
    def validate_inputs(cls, file: str | None) -> bool:
        # A missing file is explained in execute, with the folders that were searched.
        return True

    @classmethod
    def fingerprint_inputs(cls, file: str | None = None) -> str:
        return str(cls.reader().fingerprint(file))

    @classmethod
    def execute(cls, file: str) -> io.NodeOutput:
        return io.NodeOutput(cls.reader().load(file))


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
