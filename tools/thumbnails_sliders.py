"""The thumbnails of sliders: attributes of words, and StyleGAN codes. What only networks draw stays empty."""

from __future__ import annotations

import torch
from safetensors import safe_open

from installer.paths import REPOSITORY
from likeness.faces.choose import select
from likeness.faces.detect import detect
from likeness.faces.draw import draw_faces
from likeness.faces.ffhq import align_ffhq
from likeness.faces.models import FaceModels

from .thumbnail_card import DIM, FRAME, INK, Card, around_face, cells

_KNOB = (230, 97, 0)
_DIRECTIONS = REPOSITORY / "models" / "embedded" / "attribute_directions.safetensors"


def _direction(name: str) -> torch.Tensor:
    """The 768 numbers of a direction that comes with the pack, for SD1.5's text encoder."""
    with safe_open(_DIRECTIONS, "pt") as file:
        found: torch.Tensor = file.get_tensor(f"{name}.clip_l")
    return found.float().flatten()


def _slider(card: Card, place: tuple[int, int], long: int, label: str, part: float) -> None:
    """A slider at place, its left end; part from -1 to 1."""
    left, top = place
    card.draw.text((left, top - 24), label, fill=DIM, font=card.font(15))
    card.draw.line((left, top, left + long, top), fill=FRAME, width=4)
    middle, knob = left + long // 2, left + round(long * (1 + part) / 2)
    card.draw.line((middle, top - 7, middle, top + 7), fill=FRAME, width=2)
    card.draw.line((middle, top, knob, top), fill=_KNOB, width=4)
    card.draw.ellipse((knob - 8, top - 8, knob + 8, top + 8), fill=_KNOB)


def _words(card: Card, top: int, words: str, moved: str) -> None:
    """The words of a prompt in a row, the moved one bright."""
    left = 20
    for word in words.split():
        wide = round(card.draw.textlength(word, font=card.font(18)))
        colour = INK if word == moved else DIM
        card.draw.text((left, top), word, fill=colour, font=card.font(18))
        if word == moved:
            card.draw.line((left, top + 25, left + wide, top + 25), fill=_KNOB, width=3)
        left += wide + 8


def slider() -> None:
    card = Card()
    card.text((256, 34), "sliders for age, smile and more", 24)
    _words(card, 76, "portrait photo of a man", "man")
    for row, (label, part) in enumerate((("age", 0.4), ("smile", -0.3), ("width", 0.15), ("freckled", 0.6))):
        _slider(card, (24, 150 + 54 * row), 210, label, part)
    card.arrow(262, 230, 50)
    card.drawn(None, (346, 104, 496, 314), "the same seed", "SDXL")
    card.text((256, 360), "34 attributes come with the pack", 15, DIM)
    card.save("attribute_slider")


def grid() -> None:
    card = Card()
    card.text((256, 34), "one attribute at five scales", 24)
    card.panel(cells(_direction("person_age"), 24), (20, 96, 128, 240), "age: 768 numbers")
    card.arrow(148, 168, 20)
    for place, scale in enumerate(("-2", "-1", "0", "1", "2")):
        left = 194 + place * 62
        card.drawn(None, (left, 120, left + 54, 216), scale, "")
    card.text((346, 290), "how far it goes, with one seed", 15, DIM)
    card.save("attribute_grid")


def learn() -> None:
    card = Card()
    card.text((256, 34), "an attribute of your own, in seconds", 24)
    for row, (more, less) in enumerate((("old man", "young man"), ("old woman", "young woman"))):
        card.text((100, 110 + row * 96), more, 20)
        card.text((100, 140 + row * 96), f"without {less}", 16, DIM)
    card.text((100, 310), "as many pairs as you like", 15, DIM)
    card.arrow(196, 190, 40)
    card.drawn(None, (262, 118, 352, 262), "a direction", "mean")
    card.arrow(368, 190, 24)
    card.text((448, 176), "for any", 20)
    card.text((448, 204), "prompt", 20)
    card.save("attribute_learn")


def person(models: FaceModels, image: torch.Tensor) -> None:
    """A real person, one slider, and frames of a story."""
    faces, card = select(detect(models, image)), Card()
    card.text((256, 34), "a real person, a slider, a story", 24)
    card.panel(around_face(draw_faces(image, faces)), (20, 96, 160, 236), "who")
    _slider(card, (24, 310), 132, "age", 0.4)
    card.arrow(176, 190, 24)
    for place in range(3):
        left = 224 + place * 94
        card.drawn(None, (left, 120, left + 84, 250), f"frame {place + 1}", "SDXL")
    card.save("identity_with_sliders")


def code(models: FaceModels, image: torch.Tensor) -> None:
    """The photo in FFHQ's frame, which the encoder is shown (there on white, where a parser is)."""
    (face,), card = select(detect(models, image)).faces[0], Card()
    card.text((256, 34), "sliders for a face", 24)
    card.panel(align_ffhq(image[0], face.keypoints, 256)[None], (20, 76, 160, 216), "who, as FFHQ's photos")
    for row, (label, part) in enumerate((("smile", 0.5), ("age", -0.3))):
        _slider(card, (24, 288 + 54 * row), 132, label, part)
    card.arrow(182, 200, 110)
    card.drawn(None, (340, 96, 490, 296), "your prompt", "SD1.5")
    card.save("wplus_sliders")


def mixed(models: FaceModels, image: torch.Tensor) -> None:
    (face,), card = select(detect(models, image)).faces[0], Card()
    card.text((256, 34), "two people in one", 24)
    card.panel(align_ffhq(image[0], face.keypoints, 256)[None], (20, 76, 140, 196), "a photo")
    card.drawn(None, (20, 230, 140, 350), "", "saved code")
    _slider(card, (176, 222), 100, "amount", 0.1)
    card.arrow(296, 200, 20)
    card.drawn(None, (346, 96, 496, 296), "somebody between", "SD1.5")
    card.save("wplus_mix")


def save(models: FaceModels, image: torch.Tensor) -> None:
    slider()
    grid()
    learn()
    for make in (person, code, mixed):
        make(models, image)
