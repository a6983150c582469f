"""Putting edited crops back into their pictures, without a seam and without a loss where nothing was edited.

What is pasted is the change. A crop seldom holds all the detail of its picture, and the way there and back
blurs a little, so the crop itself is not good enough for what was left alone: there the picture stays as it
is, bit for bit. Where the crop's own fine detail is new, the picture's still finer detail belongs to what was
there before, and is taken out with it: large faces keep no ghost of the old one. See `_renewed`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from ..choices.faces import COLOUR_MATCHES, LAB, NO_MATCH
from ..values import Crops
from .align import invert, transform
from .colour import match_colours
from .crops import planes_of
from .draw import places_of
from .masks import soften
from .pixels import check_image
from .resample import bounds, chained, resample, resized, scale_of, scaled, scaling

#: Detail is what a Gaussian of so many pixels takes away; it is compared in cells of so many pixels.
_FINE, _CELL = 1.5, 8
#: Less detail than this is noise: two grey levels of 255.
_NOISE = (2 / 255) ** 2


def paste_faces(
    images: torch.Tensor,
    edited: torch.Tensor,
    crops: Crops,
    seam: float = 32,
    colour_match: str = NO_MATCH,
    masks: torch.Tensor | None = None,
) -> torch.Tensor:
    """An IMAGE [B, H, W, C] with edited crops [N, S, S, 3 or 4] in the places they were cut from.

    edited: one for each of `crops`, in the same order, at any size. seam: the paste fades in over so many
    pixels of the crop, as it was cut, from its border inwards; a mask softens by as much. colour_match: one
    of COLOUR_MATCHES. masks [N or 1, h, w] or [h, w]: what of each crop is pasted. Where crops overlap the
    later one lies on top. Everything else, alpha too, stays as it was. Raises ValueError.
    """
    check_image(images)
    _check_edited(edited, crops)
    if colour_match not in COLOUR_MATCHES:
        raise ValueError(f"colour_match must be one of {', '.join(COLOUR_MATCHES)}, not {colour_match!r}.")
    masks = None if masks is None else _checked(masks, len(crops.pictures))
    places = places_of(images, crops.size, crops.indices)
    pasted = images.clone()
    for number, picture in enumerate(crops.pictures):
        if picture >= 0:
            mask = _mask_of(masks, number, crops, seam)
            patch = _patch(edited[number], crops, number, mask, colour_match)
            if patch is not None:
                _apply(pasted[places[picture]], patch, crops.maps[number], seam / crops.side)
    return pasted


@dataclass(frozen=True)
class _Patch:
    """What one crop has to say, in as many pixels as its place in the picture has, or fewer.

    change, original: [1, 3, n, n]. renewed [1, 1, cells, cells]: see `_renewed`. mask [1, 1, h, w], if any.
    """

    change: torch.Tensor
    original: torch.Tensor
    renewed: torch.Tensor
    mask: torch.Tensor | None


def _check_edited(edited: torch.Tensor, crops: Crops) -> None:
    check_image(edited, "crops")
    count, height, width = edited.shape[:3]
    if count != len(crops.pictures):
        raise ValueError(
            f"crops holds {count} pictures, but crops_info is of {len(crops.pictures)} crops. Give back "
            "every crop, in the order they came in: join those edited one by one with Batch Images."
        )
    if height != width:
        raise ValueError(f"crops must be squares as they were cut, at any size, not {width} x {height}.")


def _checked(masks: torch.Tensor, count: int) -> torch.Tensor:
    """Masks [count or 1, h, w], out of those or of one [h, w]."""
    given, masks = list(masks.shape), masks[None] if masks.ndim == 2 else masks
    if masks.ndim != 3 or masks.shape[0] not in (1, count):
        raise ValueError(
            f"mask is {given}, but there are {count} crops: give one mask for all, or one each, in the frame "
            "of the crops (not of the picture)."
        )
    if 0 in masks.shape[1:]:
        raise ValueError(f"mask is {given}: it has no pixels. Give one in the frame of the crops.")
    if not torch.isfinite(masks).all():
        raise ValueError("mask holds NaN or infinity: look at the node that made it.")
    return masks


def _mask_of(masks: torch.Tensor | None, number: int, crops: Crops, seam: float) -> torch.Tensor | None:
    if masks is None:
        return None
    mask = masks[number if len(masks) > 1 else 0][None].to("cpu", torch.float32).clamp(0, 1)
    feather = seam * mask.shape[-1] / crops.side
    return (soften(mask, feather) if feather > 0 else mask)[None]


def _patch(
    edited: torch.Tensor, crops: Crops, number: int, mask: torch.Tensor | None, colour_match: str
) -> _Patch | None:
    """None when nothing was changed."""
    square, size = crops.maps[number], edited.shape[0]
    new = planes_of(edited).to("cpu", torch.float32)
    if not torch.isfinite(new).all():
        raise ValueError(
            f"crops holds NaN or infinity in picture {number} (counted from 0): look at the node that drew "
            "it."
        )
    # Rounded as the edited one was on its way, so that what nobody changed is the same.
    old = planes_of(crops.images[number].to(edited.dtype)).to("cpu", torch.float32)
    old = resized(old, (size, size))
    beyond = _beyond(square, crops.size, size)
    if colour_match == LAB:
        weight = new.new_ones(1, 1, size, size) if mask is None else resized(mask, (size, size)).clamp(0, 1)
        # What was drawn beyond the picture has no say in the colours of what is inside.
        new = match_colours(new, old, weight if beyond is None else weight.masked_fill(beyond, 0.0))
    change = new - old
    if not change.any():
        return None
    if beyond is not None:
        change = _within(change, beyond, square, crops.size)
    # No finer than the picture: what is finer would be jagged there.
    fine = min(size, max(1, int(scale_of(square))))
    change, old = resized(change, (fine, fine)), resized(old, (fine, fine))
    return _Patch(change, old, _renewed(change, old, max(1.0, fine / crops.side)), mask)


def _beyond(square: torch.Tensor, size: tuple[int, int], n: int) -> torch.Tensor | None:
    """Which of a crop's n x n pixels lie beyond the picture (width, height), [n, n], or None if none does."""
    corners = transform(square, torch.tensor([[0.0, 0], [1, 0], [0, 1], [1, 1]], dtype=torch.float64))
    if not _outside(corners, size).any():
        return None
    beyond = _outside(_places(square, n), size).reshape(n, n)
    return beyond if beyond.any() else None


def _outside(places: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    return ((places < 0) | (places > torch.tensor(size, dtype=torch.float64))).any(dim=-1)


def _places(square: torch.Tensor, n: int) -> torch.Tensor:
    """Where in the picture a crop's n x n pixels have their centres, row by row, [n * n, 2] float64."""
    centre = (torch.arange(n, dtype=torch.float64) + 0.5) / n
    return transform(square, torch.cartesian_prod(centre, centre).flip(1))


def _within(
    change: torch.Tensor, beyond: torch.Tensor, square: torch.Tensor, size: tuple[int, int]
) -> torch.Tensor:
    """Pixels of a crop that lie beyond the picture (width, height) change as the nearest one inside does.

    Nobody photographed them; what was drawn there must not mix into the picture's last row.
    """
    n, limit = change.shape[-1], torch.tensor(size, dtype=torch.float64)
    # Far enough inside for the nearest pixel of the crop to be inside, too.
    reach = (limit / 2).clamp(max=0.75 * scale_of(square) / n)
    nearest = transform(invert(square), _places(square, n).maximum(reach).minimum(limit - reach))
    grid = (nearest * 2 - 1).to(torch.float32).reshape(1, n, n, 2)
    inside = change.masked_fill(beyond, 0.0)  # in a corner the nearest one can be beyond the crop
    filled = F.grid_sample(inside, grid, "nearest", padding_mode="border", align_corners=False)
    return torch.where(beyond, filled, inside)


def _renewed(change: torch.Tensor, original: torch.Tensor, scale: float) -> torch.Tensor:
    """Where a crop's detail is new, from 0 (as it was, whatever its colour) to 1 (another's).

    [1, 1, cells, cells], from the energy of the change over that of the original, both without what is
    coarser than a few pixels of the crop.
    """
    from kornia.filters import gaussian_blur2d

    width = _FINE * scale
    taps = 2 * max(1, round(3 * width)) + 1
    both = torch.cat([change, original])
    taps = min(taps, 2 * (both.shape[-1] // 2) - 1)
    if taps >= 3:
        both = both - gaussian_blur2d(both, (taps, taps), (width, width))
    energy = both.square().sum(dim=1, keepdim=True)
    cells = max(1, round(change.shape[-1] / (_CELL * scale)))
    new, old = F.interpolate(energy, (cells, cells), mode="area").split(1)
    ratio = (new / (old + _NOISE)).clamp(0, 1)
    return ratio * ratio * (3 - 2 * ratio)


def _apply(picture: torch.Tensor, patch: _Patch, square: torch.Tensor, seam: float) -> None:
    """Changes `picture` [H, W, C], which is the caller's own copy. seam: in parts of the square."""
    height, width, channels = picture.shape
    left, top, right, bottom = bounds(square, (1, 1), (width, height))
    region = picture[top:bottom, left:right]
    to_square = chained(scaling(1.0, left, top), invert(square))

    def seen(planes: torch.Tensor, mode: str = "bicubic") -> torch.Tensor:
        rows, columns = planes.shape[-2:]
        return resample(planes, scaled(to_square, columns, rows), (bottom - top, right - left), mode)[0]

    now = planes_of(region)[0].to("cpu", torch.float32)
    change, original = seen(torch.cat([patch.change, patch.original], dim=1)).split(3)
    weight = _fade(to_square, (bottom - top, right - left), max(seam, 1 / scale_of(square)))
    if patch.mask is not None:
        weight = weight * seen(patch.mask, "bilinear")[0].clamp(0, 1)
    difference = weight * (change - seen(patch.renewed, "bilinear") * (now - original))
    # A change must not lead out of 0 to 1; what was outside before may stay.
    result = (now + difference).maximum(now.clamp(max=0)).minimum(now.clamp(min=1))
    result = result if channels > 1 else result.mean(dim=0, keepdim=True)
    result = result.movedim(0, -1).to(region)
    touched = (difference != 0).any(dim=0)[..., None].to(region.device)
    region[..., :3] = torch.where(touched, result, region[..., :3])


def _fade(to_square: torch.Tensor, size: tuple[int, int], seam: float) -> torch.Tensor:
    """[h, w]: 0 outside the square, up to 1 from `seam` inside its border."""
    x = torch.arange(size[1], dtype=torch.float64) + 0.5
    y = torch.arange(size[0], dtype=torch.float64) + 0.5
    fade = torch.ones(size[0], size[1])
    for across, down, shift in to_square.tolist():
        place = (across * x[None, :] + down * y[:, None] + shift).to(torch.float32)
        part = (torch.minimum(place, 1 - place) / seam).clamp(0, 1)
        fade = fade * part * part * (3 - 2 * part)
    return fade
