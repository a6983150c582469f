"""From photos to vectors: FFHQ's position, the authors' crop, ArcFace's network. Spec A.1 (a), A.4."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from support import pva_files
from support.golden import relative_error

from likeness.faces.detect import detect
from likeness.faces.ffhq import align_ffhq, square
from likeness.faces.iresnet import IResNet, build_iresnet
from likeness.faces.models import FaceModels
from likeness.faces.references import face_crop, references
from likeness.methods.pva import identify
from likeness.methods.pva.content import parse_base

# ---- the face encoder


def reference(t: Mapping[str, torch.Tensor], x: torch.Tensor, blocks: tuple[int, ...]) -> torch.Tensor:
    """IResNet by its formulas, straight from the names in the file."""

    def norm(name: str, x: torch.Tensor) -> torch.Tensor:
        mean, var, weight, bias = (
            t[f"{name}.{p}"] for p in ("running_mean", "running_var", "weight", "bias")
        )
        shape = (1, -1) + (1,) * (x.ndim - 2)
        scale = weight / (var + 1e-5).sqrt()
        return x * scale.view(shape) + (bias - mean * scale).view(shape)

    def rise(name: str, x: torch.Tensor) -> torch.Tensor:
        return torch.where(x > 0, x, x * t[f"{name}.weight"].view(1, -1, 1, 1))

    def conv(name: str, x: torch.Tensor, stride: int = 1) -> torch.Tensor:
        weight = t[f"{name}.weight"]
        return F.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2)

    x = rise("prelu", norm("bn1", conv("conv1", x)))
    for n, count in enumerate(blocks, start=1):
        for i in range(count):
            b, stride = f"layer{n}.{i}", 2 if i == 0 else 1
            inner = rise(f"{b}.prelu", norm(f"{b}.bn2", conv(f"{b}.conv1", norm(f"{b}.bn1", x))))
            inner = norm(f"{b}.bn3", conv(f"{b}.conv2", inner, stride))
            x = inner + (norm(f"{b}.downsample.1", conv(f"{b}.downsample.0", x, stride)) if i == 0 else x)
    flat = norm("bn2", x).flatten(1)
    return norm("features", flat @ t["fc.weight"].T + t["fc.bias"])


def test_the_face_encoder_computes_its_formulas() -> None:
    tensors = pva_files.face_net(blocks=(1, 2, 1, 1))
    x = torch.rand(2, 3, 112, 112, generator=torch.Generator().manual_seed(0)) * 2 - 1
    found = build_iresnet(tensors, "tiny")(x)
    assert found.shape == (2, 512)
    assert relative_error(found, reference(tensors, x, (1, 2, 1, 1))) < 1e-5


def test_the_face_encoder_of_the_paper_has_50_layers() -> None:
    with torch.device("meta"):
        network = IResNet(64, (64, 128, 256, 512), (3, 4, 14, 3), 512)
    assert round(sum(p.numel() for p in network.parameters()) / 1e6, 1) == 43.6
    assert "layer3.13.bn3.running_var" in network.state_dict()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda t: t.pop("fc.weight"), "it has no fc.weight"),
        (lambda t: [t.pop(k) for k in list(t) if k.startswith("layer4.")], "it has no layer4"),
        (lambda t: t.pop("layer2.1.bn3.bias"), "it lacks layer2.1.bn3.bias"),
        (
            lambda t: t.update({"layer2.1.bn9.bias": torch.zeros(1)}),
            "holds unknown tensors: layer2.1.bn9.bias",
        ),
        (lambda t: t.update({"bn1.bias": torch.zeros(9)}), "has other shapes for bn1.bias"),
        (lambda t: t.update({"bn1.bias": torch.full((4,), torch.inf)}), "damaged: bn1.bias holds NaN"),
    ],
)
def test_another_face_encoder(change: Any, sentence: str) -> None:
    tensors = pva_files.face_net()
    change(tensors)
    with pytest.raises(ValueError) as error:
        build_iresnet(tensors, "x.pth")
    assert sentence in str(error.value)


def test_the_face_is_cut_where_the_authors_cut_it() -> None:
    """A11. On 256 pixels, values that count rows and columns: pools over rows 35 + 188 i / 112 and so on."""
    rows, columns = (torch.arange(256.0)[axis] for axis in ((..., None), (None, ...)))
    ramp = torch.stack([rows.expand(256, 256), columns.expand(256, 256), rows + columns])[None]
    cut = face_crop(ramp)
    assert cut.shape == (1, 3, 112, 112)
    # Output 0 averages inputs 0 and 1, output 111 the last two: 186 and 187, of the 188 cut out.
    assert cut[0, 0, 0, 0].item() == pytest.approx(35.5) and cut[0, 1, 0, 0].item() == pytest.approx(32.5)
    assert cut[0, 0, 111, 5].item() == pytest.approx(35 + 186.5)
    assert cut[0, 1, 5, 111].item() == pytest.approx(32 + 186.5)
    # Larger pictures are brought to 256 with corners on corners: the ramp over 512 pixels is the same ramp.
    large = torch.linspace(0, 255, 512).expand(1, 3, 512, 512)
    assert torch.allclose(face_crop(large)[0, 0], cut[0, 1], atol=1e-3)


# ---- references


def test_ffhqs_square_follows_eyes_and_mouth() -> None:
    points = torch.tensor([[40.0, 50], [60, 50], [50, 60], [42, 80], [58, 80]])
    # Eyes 20 apart, mouth 30 below them: half a side is max(2 * 20, 1.8 * 30) = 54, centre 3 below the eyes.
    assert torch.allclose(square(points), torch.tensor([[-4.0, -1], [108, 0], [0, 108]]))
    turned = torch.stack([-points[:, 1], points[:, 0]], dim=1)  # by a quarter, clockwise on the screen
    assert torch.allclose(square(turned), torch.tensor([[1.0, -4], [0, 108], [-108, 0]]), atol=1e-4)
    with pytest.raises(ValueError, match="all lie in one place"):
        square(torch.ones(5, 2))


def test_a_photo_is_aligned_wherever_its_face_is(photos: dict[str, np.ndarray]) -> None:
    """Turned, moved and shrunk, a face comes out in the same place; eyes where FFHQ has them."""
    photo = torch.from_numpy(photos["astronaut"]).float() / 255
    (face,) = detect(FaceModels.open("embedded"), photo[None]).faces[0]
    straight = align_ffhq(photo, face.keypoints, 128)
    small = F.interpolate(photo.movedim(-1, 0)[None], (256, 256), mode="bilinear", antialias=True)[0]
    upside_down = small.movedim(0, -1).flip((0, 1))
    points = 255 - ((face.keypoints + 0.5) / 2 - 0.5)
    again = align_ffhq(upside_down, points, 128)
    assert float((again - straight).abs().mean()) < 0.02
    (found,) = detect(FaceModels.open("embedded"), align_ffhq(photo, face.keypoints, 512)[None]).faces[0]
    eyes = (found.keypoints[0] + found.keypoints[1]) / 2
    assert 240 < float(eyes[0]) < 272 and 215 < float(eyes[1]) < 256
    assert abs(float(found.keypoints[0, 1] - found.keypoints[1, 1])) < 12


def test_references_of_any_size_become_one_batch(photos: dict[str, np.ndarray]) -> None:
    several = {
        f"image_{n}": torch.from_numpy(photos[name].copy()).float()[None] / 255
        for n, name in enumerate(("obama", "astronaut"))
    }
    found = references(several, align=True)
    assert found.shape == (2, 3, 512, 512) and float(found.min()) >= 0 and float(found.max()) <= 1
    square_ones = torch.rand(3, 64, 64, 3, generator=torch.Generator().manual_seed(0))
    assert references(square_ones, align=False).shape == (3, 3, 512, 512)
    exact = torch.rand(1, 512, 512, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(references(exact, align=False)[0], exact[0, ..., :3].movedim(-1, 0))


def test_the_encoder_sees_the_crop_from_minus_one_to_one() -> None:
    seen: list[torch.Tensor] = []

    def encoder(faces: torch.Tensor) -> torch.Tensor:
        seen.append(faces)
        return torch.ones(len(faces), 512)

    images = torch.cat([torch.zeros(1, 512, 512, 3), torch.ones(1, 512, 512, 3)])
    base = parse_base(pva_files.base([8] * 16, 16), "without an encoder of its own")
    identity = identify(encoder, images, False, base)
    assert identity.recogniser == "ms1mv3_r50" and identity.embeddings.shape == (2, 512)
    assert seen[0].shape == (2, 3, 112, 112)
    assert (seen[0][0] == -1).all() and (seen[0][1] == 1).all()


@pytest.mark.parametrize(
    ("images", "align", "sentence"),
    [
        (None, True, "There is nobody to encode"),
        ({}, True, "There is nobody to encode"),
        (torch.zeros(0, 8, 8, 3), False, "There is nobody to encode"),
        (torch.zeros(1, 64, 64, 3), True, "No face in picture 0 (counted from 0). It came through images."),
        ({"image_3": torch.zeros(1, 64, 64, 3)}, True, "It came through image_3. Use another photo"),
        (torch.zeros(1, 64, 48, 3), False, "images are 48x64, but aligned portraits are square"),
        (torch.full((1, 8, 8, 3), torch.nan), False, "The input images holds NaN or infinity"),
        (torch.zeros(8, 8, 3), True, "The input images must be an IMAGE"),
    ],
)
def test_bad_references(images: Any, align: bool, sentence: str) -> None:
    with pytest.raises(ValueError) as error:
        references(images, align)
    assert sentence in str(error.value)
