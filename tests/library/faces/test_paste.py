"""Putting crops back: what was not edited stays, what was edited lies where it belongs."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image
from support.drawn_faces import centre_of, disc, face, noise
from support.tiny_faces import embedded, image

from likeness.choices.faces import COLOUR_MATCHES
from likeness.faces.crops import crop_faces
from likeness.faces.detect import detect
from likeness.faces.paste import paste_faces
from likeness.values import Crops, Face, Faces

Photos = dict[str, np.ndarray]


def one(pictures: torch.Tensor, *found: Face, size: int = 128, **options: object) -> Crops:
    """The crops of the faces of a single picture."""
    return crop_faces(Faces(pictures, (found,)), size, **options)[0]


def inside_of(crops: Crops, number: int, height: int, width: int) -> torch.Tensor:
    """Which pixels [H, W] of the picture have their centre in a crop's square."""
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    whole = torch.cat([crops.maps[number], torch.tensor([[0.0, 0, 1]]).double()])
    place = torch.linalg.inv(whole) @ torch.stack([x, y, torch.ones_like(x)]).flatten(1).double()
    return ((place[:2] >= 0) & (place[:2] <= 1)).all(dim=0).reshape(height, width)


@pytest.mark.parametrize(("degrees", "size"), [(0, 1024), (15, 512), (40, 256), (90, 256), (40, 64)])
def test_an_unchanged_round_trip_changes_nothing(degrees: float, size: int) -> None:
    """On noise, the worst there is: two overlapping faces, one at the border, in half and full precision."""
    for dtype, channels in ((torch.float32, 4), (torch.float16, 3)):
        pictures = noise(1, 300, 340, channels).to(dtype)
        crops = one(
            pictures, face(150, 150, 120, degrees), face(190, 160, 90, degrees), face(20, 280, 80), size=size
        )
        given = crops.images.to(dtype)  # as the host may hand them out
        for seam in (0, 32):
            assert torch.equal(paste_faces(pictures, given, crops, seam), pictures)


@pytest.mark.parametrize("degrees", [0, 40])
def test_a_crop_that_was_rounded_on_its_way_changes_next_to_nothing(photos: Photos, degrees: float) -> None:
    """Through half precision, through 8 bits, and through a size and back."""
    pictures = image(photos["astronaut"])
    crops = one(pictures, face(223, 120, 110, degrees), size=256)
    larger = torch.nn.functional.interpolate(
        crops.images.movedim(-1, 1), (640, 640), mode="bicubic", antialias=True
    )
    ways = [crops.images.half().float(), (crops.images * 255).round() / 255, larger.movedim(1, -1)]
    outside = ~inside_of(crops, 0, 512, 512)
    for edited in ways:
        pasted = paste_faces(pictures, edited, crops)
        assert (pasted - pictures).abs().max() < 1 / 255
        assert torch.equal(pasted[0, outside], pictures[0, outside])


def test_large_faces_lose_no_detail_to_a_small_change(photos: Photos) -> None:
    """A crop a third as large as its face: darkened, or saved as JPEG, the picture keeps its own detail."""
    pictures = image(photos["obama2"])
    found = detect(embedded(), pictures).faces[0][0]
    crops = one(pictures, found, size=256)
    x1, y1, x2, y2 = found.box.int().tolist()

    def error(edited: torch.Tensor, wanted: torch.Tensor) -> float:
        off = (paste_faces(pictures, edited, crops, 0) - wanted)[:, y1:y2, x1:x2]
        return float(off.square().mean().sqrt())

    def replaced(edited: torch.Tensor, wanted: torch.Tensor) -> float:
        upscaled = torch.nn.functional.interpolate(edited.movedim(-1, 1), (800, 800), mode="bicubic")
        nothing = one(pictures * 0, found, size=800)
        off = (paste_faces(pictures * 0, upscaled.movedim(1, -1), nothing, 0) - wanted)[:, y1:y2, x1:x2]
        return float(off.square().mean().sqrt())

    buffer = io.BytesIO()
    Image.fromarray((crops.images[0].numpy() * 255).round().astype(np.uint8)).save(buffer, "JPEG", quality=95)
    jpeg = torch.from_numpy(np.asarray(Image.open(buffer)).astype(np.float32) / 255)[None]
    darker = crops.images * 0.8 + 0.1
    assert error(darker, pictures * 0.8 + 0.1) < replaced(darker, pictures * 0.8 + 0.1) / 3
    assert error(jpeg, pictures) < replaced(jpeg, pictures) / 2


# ---- changed


def test_another_face_brings_no_ghost_of_the_one_before(photos: Photos) -> None:
    """The old face's fine detail goes, though the crop was too small for it; the other half keeps its own."""
    pictures, others = image(photos["obama2"]), image(photos["biden"])
    found, other = (detect(embedded(), where).faces[0][0] for where in (pictures, others))
    crops = one(pictures, found, size=128)
    edited = one(others, other, size=128).images
    edited[:, :, :64] = crops.images[:, :, :64]
    pasted = paste_faces(pictures, edited, crops, 0)
    # What the edit alone says, on grey: there is nothing to be left over.
    grey = torch.full_like(pictures, 0.5)
    alone = paste_faces(grey, edited, one(grey, found, size=128), 0)
    x1, y1, x2, y2 = found.box.int().tolist()
    middle = int(crops.maps[0, 0, 2] + crops.maps[0, 0, 0] / 2)
    new, old = slice(middle + 40, x2), slice(x1, middle - 60)
    assert (pasted - alone)[:, y1:y2, new].square().mean().sqrt() < 0.005
    assert (pictures - alone)[:, y1:y2, old].square().mean().sqrt() > 0.04
    assert (pasted - pictures)[:, y1:y2, old].abs().mean() < 0.002


@pytest.mark.parametrize("degrees", [0, 15, 40, 90])
@pytest.mark.parametrize("scale", [0.5, 1, 3])
def test_what_was_drawn_into_a_crop_lies_at_its_place(degrees: float, scale: float) -> None:
    """A disc beside the middle of the crop, which comes back at another size."""
    pictures = torch.cat([torch.full((1, 300, 340, 3), 0.25), noise(1, 300, 340, 1)], dim=-1)
    crops = one(pictures, face(160.3, 140.8, 100, degrees), size=128)
    side = round(128 * scale)
    drawn = disc(side, side, 0.62 * side, 0.41 * side, 0.1 * side)
    pasted = paste_faces(pictures, crops.images[0, 0, 0] + 0.5 * drawn, crops)
    expected = crops.maps[0, :, :2] @ torch.tensor([0.62, 0.41]).double() + crops.maps[0, :, 2]
    change = pasted[0, ..., 0] - 0.25
    assert centre_of(change) == pytest.approx(expected.tolist(), abs=0.05)
    assert change.sum() == pytest.approx(0.5 * torch.pi * 20**2, rel=0.03)
    outside = ~inside_of(crops, 0, 300, 340)
    assert torch.equal(pasted[0, outside], pictures[0, outside])
    assert torch.equal(pasted[..., 3], pictures[..., 3]) and pasted.dtype == pictures.dtype


@pytest.mark.parametrize("degrees", [0, 35])
def test_the_seam_fades_inwards(degrees: float) -> None:
    pictures = torch.zeros(1, 300, 300, 3)
    crops = one(pictures, face(150, 150, 100, degrees), size=100)  # a pixel of the crop is two of the picture
    inside = inside_of(crops, 0, 300, 300)
    for seam in (0, 10, 60):
        pasted = paste_faces(pictures, torch.ones(1, 100, 100, 3), crops, seam)[0, ..., 0]
        assert not pasted[~inside].any()
        middle = pasted[150, 150]
        assert middle == pytest.approx(1 if seam < 50 else (5 / 6) ** 4 * (3 - 10 / 6) ** 2, abs=0.02)
        whole = (pasted > 0.999).sum() / inside.sum()
        assert whole == pytest.approx({0: 0.98, 10: 0.64, 60: 0}[seam], abs=0.015)
        # Nowhere a step: a seam of n crop pixels is 2 n pixels of the picture wide.
        assert pasted.diff(dim=1).abs().max() < (1.1 if seam == 0 else 1.2 / seam)


def test_a_mask_says_what_is_pasted_and_softens_by_the_seam() -> None:
    pictures = noise(1, 300, 300, 3)
    crops = one(pictures, face(150, 150, 100), face(150, 60, 50), size=200, align="straight")
    left = torch.zeros(1, 200, 200)
    left[:, :, :100] = 1
    edited = 1 - crops.images
    pasted = paste_faces(pictures, edited, crops, 20, masks=left)
    assert (pasted != pictures)[0, 100:200, 60:120].all()
    assert torch.equal(pasted[:, :, 171:], pictures[:, :, 171:])
    hard = paste_faces(pictures, edited, crops, 0, masks=left)
    assert torch.equal(hard[:, :, 152:], pictures[:, :, 152:])
    none = torch.cat([left, left * 0])
    one_only = paste_faces(pictures, edited, crops, 20, masks=none)
    assert torch.equal(one_only[:, 112:], pasted[:, 112:]) and not torch.equal(one_only, pasted)
    assert torch.equal(paste_faces(pictures, edited, crops, 20, masks=left[0]), pasted)
    smaller = paste_faces(pictures, edited, crops, 20, masks=left[:, ::4, ::4])
    assert (smaller - pasted).abs().mean() < 0.01


@pytest.mark.parametrize("colour_match", COLOUR_MATCHES)
def test_made_up_pixels_are_not_pasted(colour_match: str) -> None:
    """A face in the corner: what a model draws beyond the picture has no part in it."""
    pictures = noise(1, 200, 200, 3)
    for degrees in (0, 25):
        crops = one(pictures, face(10, 15, 100, degrees), size=256)
        at = (torch.arange(256) + 0.5) / 256
        y, x = torch.meshgrid(at, at, indexing="ij")
        place = crops.maps[0, :, :2].float() @ torch.stack([x, y]).flatten(1) + crops.maps[0, :, 2:].float()
        beyond = (place < 0).any(dim=0).reshape(256, 256)
        edited = torch.where(beyond[None, ..., None], 1 - crops.images, crops.images)
        assert 0.3 < beyond.float().mean() < 0.8
        assert torch.equal(paste_faces(pictures, edited, crops, 32, colour_match), pictures)


def test_every_picture_of_a_batch_gets_its_own_faces() -> None:
    pictures = noise(4, 160, 200, 3)
    found = ((face(60, 80, 60), face(130, 80, 60)), (face(100, 80, 70, 20),))
    crops, _ = crop_faces(Faces(pictures[[1, 3]], found, (1, 3)), 64)
    edited = 1 - crops.images
    before = (pictures.clone(), edited.clone(), crops.images.clone())
    pasted = paste_faces(pictures, edited, crops)
    assert all(torch.equal(*pair) for pair in zip(before, (pictures, edited, crops.images), strict=True))
    assert torch.equal(pasted[[0, 2]], pictures[[0, 2]])
    for place, numbers, here in ((1, [0, 1], found[0]), (3, [2], found[1])):
        alone, _ = crop_faces(Faces(pictures[place][None], (here,)), 64)
        assert torch.equal(paste_faces(pictures[place][None], edited[numbers], alone)[0], pasted[place])
    # The batch from which the same pictures were skipped fits, too.
    assert torch.equal(paste_faces(pictures[[1, 3]], edited, crops), pasted[[1, 3]])


def test_overlapping_crops_do_not_undo_each_other() -> None:
    """Two people cheek to cheek, edited one after the other, from crops of the same photo."""
    pictures = noise(1, 200, 300, 3) * 0.5
    both = (face(110, 100, 80), face(180, 100, 80))
    crops = one(pictures, *both, size=128)
    brighter = torch.cat([crops.images[:1] + 0.25, crops.images[1:]])
    first = paste_faces(pictures, brighter, crops)
    alone = one(pictures, both[0], size=128)
    assert torch.equal(first, paste_faces(pictures, brighter[:1], alone))
    chained = paste_faces(first, 1 - crops.images[1:], one(pictures, both[1], size=128))
    together = paste_faces(pictures, torch.cat([brighter[:1], 1 - crops.images[1:]]), crops)
    assert torch.equal(chained, together)
    assert torch.equal(chained[:, :, :99], first[:, :, :99])  # the second square begins at 100


def test_a_stand_in_for_a_missing_face_is_never_pasted() -> None:
    pictures = noise(2, 100, 120, 3)
    crops, _ = crop_faces(Faces(pictures, ((), (face(60, 50, 40),))), 64)
    pasted = paste_faces(pictures, 1 - crops.images, crops)
    assert torch.equal(pasted[0], pictures[0]) and not torch.equal(pasted[1], pictures[1])


def test_grey_and_bright_pictures() -> None:
    grey = noise(1, 100, 100, 1)
    crops = one(grey, face(50, 50, 40), size=64)
    assert torch.equal(paste_faces(grey, crops.images, crops), grey)
    pasted = paste_faces(grey, torch.ones(1, 64, 64, 3), crops)
    assert pasted.shape == grey.shape and pasted[0, 50, 50] > 0.99 and pasted.max() <= 1
    bright = noise(1, 100, 100, 3) * 3 - 1
    crops = one(bright, face(50, 50, 40), size=64)
    assert torch.equal(paste_faces(bright, crops.images, crops), bright)
    half = noise(1, 100, 100, 3).half()
    crops = one(half, face(50, 50, 40), size=64)
    assert paste_faces(half, 1 - crops.images, crops).dtype == torch.float16


def test_bad_input_is_explained() -> None:
    pictures = noise(1, 80, 100, 3)
    crops = one(pictures, face(30, 40, 30), face(70, 40, 30), size=64)
    with pytest.raises(
        ValueError, match=r"crops holds 1 pictures, but crops_info is of 2 crops.*Batch Images"
    ):
        paste_faces(pictures, crops.images[:1], crops)
    with pytest.raises(ValueError, match=r"squares as they were cut, at any size, not 64 x 32"):
        paste_faces(pictures, crops.images[:, :32], crops)
    with pytest.raises(ValueError, match=r"image is 90 x 80.*found in pictures of 100 x 80"):
        paste_faces(pictures[:, :, :90], crops.images, crops)
    with pytest.raises(ValueError, match=r"mask is \[3, 64, 64\], but there are 2 crops"):
        paste_faces(pictures, crops.images, crops, masks=torch.ones(3, 64, 64))
    with pytest.raises(ValueError, match=r"mask is \[64\], but there are 2 crops"):
        paste_faces(pictures, crops.images, crops, masks=torch.ones(64))
    with pytest.raises(ValueError, match=r"mask is \[1, 0, 0\]: it has no pixels"):
        paste_faces(pictures, crops.images, crops, masks=torch.ones(1, 0, 0))
    for broken in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="mask holds NaN or infinity"):
            paste_faces(pictures, crops.images, crops, masks=torch.full((1, 64, 64), broken))
    with pytest.raises(ValueError, match="colour_match must be one of none, mean and deviation, not 'lab'"):
        paste_faces(pictures, crops.images, crops, colour_match="lab")
    with pytest.raises(ValueError, match=r"crops holds NaN or infinity in picture 1"):
        paste_faces(pictures, torch.stack([crops.images[0], crops.images[1] * float("nan")]), crops)
    with pytest.raises(ValueError, match=r"The input crops must be an IMAGE"):
        paste_faces(pictures, crops.images[0], crops)
