"""A way to redraw a face, as a value for Repair Faces: by any model. And the widgets that all such nodes
share.
"""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..likeness import host
from ..likeness import redraw as redrawing
from ..likeness.choices.faces import ALIGNS, UPRIGHT
from ..likeness.choices.redraw import DENOISE
from ..likeness.values import REDRAW
from .common import cfg_input, output, recogniser_names

NOT_KNOWN = "not known"


def sampling_inputs(steps: int, cfg: float, sampler: str, scheduler: str) -> list[io.Input]:
    return [
        io.Int.Input("steps", default=steps, min=1, max=10000, tooltip="Sampling steps of each try."),
        cfg_input("cfg", cfg, "How strictly each try follows the prompts."),
        io.Combo.Input(
            "sampler_name",
            options=list(host.sampling.SAMPLER_NAMES),
            default=sampler,
            tooltip="As in KSampler.",
        ),
        io.Combo.Input(
            "scheduler",
            options=list(host.sampling.SCHEDULER_NAMES),
            default=scheduler,
            tooltip="As in KSampler.",
        ),
    ]


def denoise_input(reach: tuple[float, float, float]) -> io.Float.Input:
    return io.Float.Input(
        "denoise",
        default=reach[1],
        min=reach[0],
        max=reach[2],
        step=0.01,
        tooltip="How much of the old face is drawn anew, unless Repair Faces says so. A stranger's face "
        "needs more than one that has only lost likeness.",
    )


def crop_inputs(size: int, align: str) -> list[io.Input]:
    return [
        io.Int.Input(
            "size",
            default=size,
            min=64,
            max=4096,
            step=8,
            tooltip="Width and height at which the model draws faces best: crops are brought to it.",
        ),
        io.Combo.Input(
            "align",
            options=list(ALIGNS),
            default=align,
            tooltip="How crops are cut. upright: turned so that the eyes are level. straight: not turned. "
            "ffhq: in the frame of the FFHQ photos, which has a margin of its own.",
        ),
    ]


def redraw_output() -> Any:
    return output(io.Custom(REDRAW), "redraw", "For Repair Faces.")


def prompt_inputs(about: str) -> list[io.Input]:
    return [
        io.Conditioning.Input("positive", tooltip=f"The prompt of a close-up of the face. {about}".strip()),
        io.Conditioning.Input("negative", tooltip="Its negative prompt."),
    ]


class RedrawPlain(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessRedrawPlain",
            display_name="Redraw with Any Model",
            category="Likeness/People",
            description="A way to redraw faces for Repair Faces: a model that carries the person already, "
            "such as one with a LoRA of them or another pack's adapter.",
            search_aliases=["face detailer", "repair faces", "lora face", "fix faces", "adapter"],
            inputs=[
                io.Model.Input("model", tooltip="Any model that draws the person by itself."),
                *prompt_inputs("With the LoRA's word, if it has one."),
                io.Vae.Input("vae", tooltip="The VAE of the model."),
                io.String.Input(
                    "person",
                    default="",
                    tooltip="Whom the model draws: names in the cast, with commas between. Empty: everybody. "
                    "Others stay as they are.",
                ),
                io.Combo.Input(
                    "recogniser",
                    options=[NOT_KNOWN, *recogniser_names()],
                    default=NOT_KNOWN,
                    tooltip="Which recogniser the adapter in the model knows the person by, so that another "
                    "judges. A LoRA has none.",
                ),
                *sampling_inputs(30, 5.0, "euler", "normal"),
                denoise_input(DENOISE),
                *crop_inputs(1024, UPRIGHT),
            ],
            outputs=[redraw_output()],
        )

    @classmethod
    def execute(
        cls,
        model: Any,
        positive: Any,
        negative: Any,
        vae: Any,
        person: str = "",
        recogniser: str = NOT_KNOWN,
        steps: int = 30,
        cfg: float = 5.0,
        sampler_name: str = "euler",
        scheduler: str = "normal",
        denoise: float = DENOISE[1],
        size: int = 1024,
        align: str = UPRIGHT,
    ) -> io.NodeOutput:
        known = "" if recogniser == NOT_KNOWN else recogniser
        given = {"person": person, "recogniser": known, "size": size, "denoise": denoise, "align": align}
        sampling = redrawing.value.Sampling(sampler_name, scheduler, steps, cfg)
        return io.NodeOutput(redrawing.plain.plain(model, positive, negative, vae, sampling, **given))


NODES: list[type[io.ComfyNode]] = [RedrawPlain]
