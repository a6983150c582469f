"""Bringing a face into the position recognisers were trained on. Spec: instantid_arc2face.md 0.3."""

from __future__ import annotations

import math

import torch

#: Where the five points lie in ArcFace's 112 x 112 picture.
TEMPLATE = torch.tensor(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]],
    dtype=torch.float64,
)


def similarity(source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """The turn, scale and shift [2, 3] that takes points [n, 2] to `target` with least squares.

    Umeyama's solution, never a reflection; float64 on the CPU. Raises ValueError when the points
    coincide.
    """
    src, dst = (points.to("cpu", torch.float64) for points in (source, target))
    src_mean, dst_mean = src.mean(dim=0), dst.mean(dim=0)
    src_c, dst_c = src - src_mean, dst - dst_mean
    variance = src_c.square().sum(dim=1).mean()
    if variance < 1e-12:
        raise ValueError("A face's five points all lie in one place: it can't be aligned.")
    u, s, vt = torch.linalg.svd(dst_c.T @ src_c / len(src))
    flip = torch.ones(2, dtype=torch.float64)
    flip[1] = torch.sign(torch.det(u) * torch.det(vt))
    rotation = u @ torch.diag(flip) @ vt
    scale = (s * flip).sum() / variance
    linear = scale * rotation
    return torch.cat([linear, (dst_mean - linear @ src_mean)[:, None]], dim=1)


def face_angle(points: torch.Tensor) -> float:
    """Radians by which a face with these five points is turned clockwise."""
    matrix = similarity(TEMPLATE, points)
    return math.atan2(float(matrix[1, 0]), float(matrix[0, 0]))


def invert(matrix: torch.Tensor) -> torch.Tensor:
    """The map back, [2, 3]."""
    linear = torch.linalg.inv(matrix[:, :2])
    return torch.cat([linear, -linear @ matrix[:, 2:]], dim=1)


def transform(matrix: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """Points [n, 2] through a map [2, 3]."""
    return points.to(matrix.dtype) @ matrix[:, :2].T + matrix[:, 2]


def warp(picture: torch.Tensor, matrix: torch.Tensor, size: int) -> torch.Tensor:
    """A picture [H, W, 3] uint8 through the map [2, 3] -> [size, size, 3] uint8.

    Bilinear between pixel centres, black outside, no smoothing when it shrinks: what the reference
    code's cv2.warpAffine does, to within a grey level. Only the part that is looked at is touched.
    """
    from kornia.geometry.transform import warp_affine

    left, top, part = _part_seen(picture, matrix, size)
    shift = matrix.clone()
    shift[:, 2] += matrix[:, :2] @ torch.tensor([left, top], dtype=matrix.dtype)
    planes = part.permute(2, 0, 1)[None].to(torch.float32)
    warped = warp_affine(
        planes,
        shift[None].to(torch.float32),
        (size, size),
        "bilinear",
        padding_mode="zeros",
        align_corners=True,
    )
    return warped[0].permute(1, 2, 0).round().clamp(0, 255).to(torch.uint8)


def _part_seen(picture: torch.Tensor, matrix: torch.Tensor, size: int) -> tuple[int, int, torch.Tensor]:
    """Left, top and the part of the picture that the output samples, black where the picture ends."""
    height, width = picture.shape[:2]
    corners = torch.tensor([[0, 0], [size, 0], [0, size], [size, size]], dtype=matrix.dtype)
    seen = transform(invert(matrix), corners)
    x1, y1 = (
        max(-2, min(int(v) - 2, end))
        for v, end in zip(seen.amin(dim=0).floor(), (width, height), strict=True)
    )
    x2, y2 = (
        min(end + 2, max(int(v) + 3, 0))
        for v, end in zip(seen.amax(dim=0).ceil(), (width, height), strict=True)
    )
    part = picture.new_zeros(max(2, y2 - y1), max(2, x2 - x1), picture.shape[2])
    from_x, to_x, from_y, to_y = max(x1, 0), min(x2, width), max(y1, 0), min(y2, height)
    if from_x < to_x and from_y < to_y:
        part[from_y - y1 : to_y - y1, from_x - x1 : to_x - x1] = picture[from_y:to_y, from_x:to_x]
    return x1, y1, part


def align(picture: torch.Tensor, keypoints: torch.Tensor, size: int = 112) -> torch.Tensor:
    """A face of a picture [H, W, 3] uint8 RGB, upright, [size, size, 3] uint8. keypoints [5, 2] in pixels."""
    return warp(picture, similarity(keypoints, TEMPLATE * (size / 112)), size)
