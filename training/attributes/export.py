"""The learnt direction as a file for Load Attribute."""

from __future__ import annotations

from pathlib import Path

from likeness.methods.attributes.write import write

from .lesson import AttributeLesson

_LAYERS = {
    "sd15": "last hidden state of the encoder, after its final layer norm",
    "sdxl": "penultimate hidden state of each encoder, no final layer norm",
}


def export(lesson: AttributeLesson, path: Path, name: str, base: str) -> None:
    """There whole or not at all. base: what the file calls the base model. Raises ValueError for NaN."""
    vectors = {encoder: parameter.detach() for encoder, parameter in lesson.trained().items()}
    told = "learned by training.attributes"
    write(path, name, vectors, "learned", base, told, layer=_LAYERS[lesson.kind])
