"""Write workflows/*.jpg: what each workflow does, in pictures the pack made of a public domain photo.

`python -m tools.thumbnails`. What a method makes of a person is shown where the drawn world's report has
drawn it, and labelled so: then all of that thumbnail is of its people. Else an empty frame stands there.
"""

from __future__ import annotations

import json
from dataclasses import replace

import torch

from installer.paths import shared_models
from likeness.algebra.score import score_faces
from likeness.algebra.score_sheet import draw_sheet
from likeness.expressions.distance import RATIO_NAMES, ratios
from likeness.expressions.score import score_expressions
from likeness.faces.choose import select
from likeness.faces.crops import crop_faces
from likeness.faces.detect import detect
from likeness.faces.draw import draw_faces
from likeness.faces.edit_keypoints import edit_keypoints
from likeness.faces.embed import identify
from likeness.faces.keypoints import keypoint_images
from likeness.faces.masks import face_masks
from likeness.faces.mesh import landmarks
from likeness.faces.models import FaceModels
from likeness.faces.pixels import rgb8

from . import thumbnails_adapters as adapters
from . import thumbnails_emojidiff as emojidiff
from . import thumbnails_methods as methods
from . import thumbnails_people as people
from . import thumbnails_repair as repairing
from . import thumbnails_sliders as sliders
from . import thumbnails_text as text
from .drawn_world import instead, of_person, result
from .thumbnail_card import DIM, LEFT, RIGHT, Card, around_face, cells, mesh_picture, photo


def inspect(models: FaceModels, image: torch.Tensor) -> None:
    faces, card = detect(models, image), Card()
    mask = face_masks(faces, "hull", 8, 12)[..., None].expand(-1, -1, -1, 3)
    card.text((256, 40), "every face, numbered", 24)
    drawn = draw_faces(image, faces)
    for i, (picture, label) in enumerate(
        ((drawn, "faces"), (keypoint_images(faces), "keypoints"), (mask, "mask"))
    ):
        left = 16 + i * 164
        card.panel(around_face(picture), (left, 96, left + 152, 296), label)
    card.save("faces_inspect")


def edit(models: FaceModels, image: torch.Tensor) -> None:
    """The points that were found, and the same face made larger, tilted, and turned to the side."""
    found, card = select(detect(models, image)), Card()
    points = found.faces[0][0].keypoints
    middle = points.mean(dim=0)
    turned = (points - middle) @ torch.tensor([[1.4, -0.5], [0.5, 1.4]]) + middle
    turned[2] += torch.tensor([14.0, 4.0])
    moved = edit_keypoints(found, json.dumps([{"face": 0, "points": turned.tolist()}]))
    card.text((256, 40), "move the points of a face", 24)
    card.panel(around_face(draw_faces(image, found)), (16, 104, 156, 284), "found")
    card.arrow(163, 194, 16)
    card.panel(around_face(keypoint_images(found)), (192, 104, 332, 284), "drag them")
    card.arrow(339, 194, 16)
    card.panel(around_face(keypoint_images(moved)), (368, 104, 496, 284), "placed")
    card.save("keypoints_edit")


def basic(models: FaceModels, image: torch.Tensor) -> None:
    drawn, image = of_person(image, "instantid")
    faces, card = select(detect(models, image)), Card()
    card.text((256, 40), "one photo, one person", 24)
    card.panel(around_face(draw_faces(image, faces)), (16, 104, 156, 284), "who")
    card.arrow(163, 194, 16)
    card.panel(around_face(keypoint_images(faces)), (192, 104, 332, 284), "where")
    card.arrow(339, 194, 16)
    card.drawn(drawn, (368, 104, 496, 284), "your prompt", "SDXL")
    card.save("instantid_basic")


def pose(models: FaceModels, image: torch.Tensor) -> None:
    drawn, image = of_person(image, "instantid_identitynet", 1)
    mirrored = instead(drawn, "truth_1", image.flip(2))
    faces, other, card = detect(models, image), detect(models, mirrored), Card()
    card.text((256, 34), "this face, that pose", 24)
    card.panel(around_face(draw_faces(image, faces)), (16, 70, 146, 200))
    card.panel(mirrored, (16, 224, 146, 354))
    card.arrow(153, 135, 190)
    card.arrow(153, 289, 16)
    card.panel(keypoint_images(other, 896, 1152, "crop"), (184, 192, 310, 354))
    card.arrow(318, 250, 25)
    card.drawn(drawn, (362, 104, 496, 276), "your prompt", "SDXL")
    card.save("instantid_pose")


def two_people(models: FaceModels, image: torch.Tensor) -> None:
    card = Card()
    card.text((256, 34), "two people, a half for each", 24)
    for i, (tint, side, label) in enumerate(
        ((LEFT, image, "left person"), (RIGHT, image.flip(2), "right person"))
    ):
        drawn = keypoint_images(detect(models, side), 640, 960, "crop")
        shown = torch.where(drawn.amax(-1, keepdim=True) > 0, drawn, torch.tensor(tint) / 255)
        card.panel(shown, (86 + i * 170, 72, 256 + i * 170, 327), label)
    card.save("instantid_two_people")


def detailer(models: FaceModels, image: torch.Tensor) -> None:
    """The photo beside its mirror image stands for two people; in the drawn world two scenes stand beside
    each other, and what became of their faces is cut out of the pictures that they were put back into."""
    both, card = torch.cat([image[:, 20:390, 64:384], image[:, 20:390, 64:384].flip(2)], dim=2), Card()
    scenes = [result(row, n) for row in ("detailer_before", "detailer") for n in (2, 3)]
    parts = [scene for scene in scenes if scene is not None]
    if len(parts) == 4:
        both = torch.cat(parts[:2], dim=2)
    faces = select(detect(models, both), "left to right", "all")
    crops, _ = crop_faces(faces, 256)
    after = (
        crop_faces(replace(faces, images=torch.cat(parts[2:], dim=2)), 256)[0] if len(parts) == 4 else None
    )
    card.text((256, 34), "each face drawn anew, and put back", 24)
    card.panel(draw_faces(both, faces), (16, 140, 200, 246), "a photo")
    for i in range(2):
        top = 70 + i * 142
        card.arrow(206, top + 60, 16)
        card.panel(crops.images[i : i + 1], (236, top, 356, top + 120))
        card.arrow(362, top + 60, 16)
        card.drawn(None if after is None else after.images[i : i + 1], (392, top, 496, top + 120), "", "SDXL")
    card.text((366, 356), "as another person", 15, DIM)
    card.save("face_detailer")


def reuse(models: FaceModels, image: torch.Tensor) -> None:
    """An identity as it is: 512 numbers, one cell each."""
    drawn, image = of_person(image, "instantid", 2)
    card = Card()
    card.text((256, 40), "a saved person, no photo", 24)
    card.panel(cells(methods.vector_of(models, image)), (64, 78, 192, 334), "512 numbers")
    card.arrow(210, 206, 60)
    card.drawn(drawn, (300, 120, 456, 292), "your prompt", "SDXL")
    card.save("identity_reuse")


def score(models: FaceModels, image: torch.Tensor) -> None:
    """The photo coarse, mirrored, nearly black and cut up: really scored."""
    who, card = identify(models, select(detect(models, image)), "sface", "mean"), Card()
    coarse = image[:, ::13, ::13].repeat_interleave(13, 1).repeat_interleave(13, 2)[:, :512, :512]
    batch = torch.cat([coarse, image.flip(2), image * 0.06, image.roll((256, 256), (1, 2))])
    scores = score_faces(models, batch, who, if_no_face="skip")
    card.text((256, 30), "the most like of several", 24)
    card.panel(around_face(image), (24, 130, 174, 280), "who")
    card.arrow(184, 205)
    card.panel(draw_sheet(scores), (226, 56, 496, 360))
    card.save("score_pictures")


def expression(models: FaceModels, image: torch.Tensor) -> None:
    """The mesh, the five proportions read off it, and how far the photo in a mirror is from itself."""
    faces, card = detect(models, image), Card()
    gap = score_expressions(models, image.flip(2), image).distance
    mesh = landmarks(torch.from_numpy(rgb8(image, 0)), faces.faces[0][0])
    card.text((256, 34), "how far are two expressions apart?", 24)
    card.panel(around_face(mesh_picture(image, faces)), (24, 90, 224, 290))
    for i, (name, value) in enumerate(zip(RATIO_NAMES, ratios(mesh).mean(dim=1).tolist(), strict=True)):
        top = 92 + i * 40
        card.text((370, top + 8), name, 15, DIM)
        card.draw.rectangle((256, top + 20, 256 + 228 * value, top + 28), fill=(230, 97, 0))
    card.text((256, 340), f"in a mirror: {gap:.3f} away; 0 is the same", 18)
    card.save("score_expression")


def exchange(models: FaceModels, image: torch.Tensor) -> None:
    faces, card = select(detect(models, image)), Card()
    card.text((256, 34), "faces to and from ComfyUI's nodes", 24)
    card.panel(around_face(draw_faces(image, faces)), (24, 110, 204, 290), "faces")
    card.arrow(236, 175)
    card.arrow(236, 225)
    card.panel(around_face(mesh_picture(image, faces)), (308, 110, 488, 290), "landmarks, boxes")
    card.save("faces_exchange")


def main() -> None:
    models = FaceModels.open("embedded", "CPU", [shared_models() / "insightface"])
    image = photo()
    arc2face = (
        methods.arc2face_basic,
        methods.arc2face_mix,
        methods.arc2face_expression,
        methods.arc2face_reference,
        methods.arc2face_pose,
    )
    of_faces, instantid = (
        (inspect, edit, exchange, reuse, score, expression),
        (basic, pose, two_people, detailer),
    )
    for make in (*of_faces, *instantid, *arc2face, methods.freecure_any_adapter):
        make(models, image)
    three = [("without her", "sdxl"), ("hair, glasses", ""), ("repaired", "freecure")]
    methods.freecure(models, image, "freecure_instantid", "hair and glasses, given back", three, 1)
    steps = [("repaired", "freecure"), ("template", ""), ("target", "freecure_expression")]
    methods.freecure(models, image, "freecure_expression", "then the expression", steps, 2)
    methods.pva(models, image, "pva_inpaint", "this person, into that hole", "filled", "pva")
    methods.pva(models, image, "pva_language", "this person, changed by words", '"laughing"', "pva_language")
    methods.pva(models, image, "pva_tune", "learn this person, fill that hole", "filled", "pva_tuned")
    methods.pva_convert()
    emojidiff.basic(models, image)
    emojidiff.instantid(models, image)
    emojidiff.sequence(models, image)
    people.cast(models, image)
    repairing.save(models, image)
    adapters.save(models, image)
    sliders.save(models, image)
    text.story()
    text.projection()


if __name__ == "__main__":
    main()
