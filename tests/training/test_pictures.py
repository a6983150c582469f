"""Pictures that can't be learnt from are refused by name; memory is estimated from what is there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from support import pva_training as tiny
from support.phone_photos import STORED, write_phone_photo
from torch import nn

from training.emojidiff.faces import read_picture
from training.grid import write_grid
from training.memory import check, estimate, unet_features
from training.pictures import BadPicture, pictures_in, read_mask, read_square


def picture(path: Path, width: int = 64, height: int = 64) -> Path:
    values = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(values).save(path)
    return path


def short(path: Path) -> Path:
    picture(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def text(path: Path) -> Path:
    path.write_text("no picture")
    return path


BAD: dict[str, tuple[Callable[[Path], Path], str]] = {
    "cut.jpg": (short, "damaged or cut short"),
    "cut.png": (short, "damaged or cut short"),
    "text.png": (text, "is no picture that can be read"),
    "wide.png": (lambda path: picture(path, 80), "is 80x64, not square"),
    "small.png": (lambda path: picture(path, 16, 16), "a side needs at least 32 pixels"),
    "absent.png": (lambda path: path, "is not there"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_picture_is_named(tmp_path: Path, name: str) -> None:
    make, sentence = BAD[name]
    with pytest.raises(BadPicture, match=f"{name} .*{sentence}|{name} {sentence}"):
        read_square(make(tmp_path / name), 64, 32)


def test_the_trainer_refuses_bad_pictures_before_it_starts(
    files: SimpleNamespace, train: Callable[..., object], tmp_path: Path
) -> None:
    people = tiny.write_people(tmp_path / "people")
    short(people / "person 2" / "0.png")
    text(people / "person 4" / "1.png")
    with pytest.raises(SystemExit) as refused:
        train(tmp_path / "out", data=people, boxes=tmp_path / "boxes.json", steps=1, test_share=0)
    message = str(refused.value)
    assert "2 pictures can't be learnt from" in message
    assert str(Path("person 2") / "0.png") in message and str(Path("person 4") / "1.png") in message


def test_a_picture_is_read_as_it_is(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.png")
    wanted = torch.from_numpy(np.array(Image.open(path))).movedim(-1, 0) / 255
    assert torch.equal(read_square(path, 64), wanted)
    assert read_square(path, 32).shape == (3, 32, 32)
    assert pictures_in(tmp_path) == [path]


@pytest.mark.parametrize("orientation", STORED)
def test_what_a_phone_took_is_learnt_upright(tmp_path: Path, orientation: int) -> None:
    values = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    square = write_phone_photo(tmp_path / "a.png", values, orientation)
    assert np.array_equal((read_square(square, 64) * 255).round().movedim(0, -1).numpy(), values)
    wide = write_phone_photo(tmp_path / "b.png", values[:32], orientation)
    assert np.array_equal((read_picture(wide) * 255).round().numpy(), values[:32])
    with pytest.raises(BadPicture, match="is 64x32, not square"):
        read_square(wide, 64)
    hole = np.where(values[..., 0] > 127, 255, 0).astype(np.uint8)
    mask = read_mask(write_phone_photo(tmp_path / "c.png", hole, orientation), 64)
    assert np.array_equal(mask.numpy() * 255, hole)


def test_a_mask_is_white_where_the_hole_is(tmp_path: Path) -> None:
    values = np.zeros((8, 8), dtype=np.uint8)
    values[:4] = 255
    Image.fromarray(values).save(tmp_path / "mask.png")
    mask = read_mask(tmp_path / "mask.png", 16)
    assert bool((mask[:8] == 1).all()) and bool((mask[8:] == 0).all())


def test_a_grid_has_its_rows(tmp_path: Path) -> None:
    write_grid(
        [[torch.zeros(3, 8, 8), torch.ones(3, 4, 4)], [torch.zeros(3, 8, 8)]], tmp_path / "a" / "g.png", 10
    )
    sheet = np.array(Image.open(tmp_path / "a" / "g.png"))
    assert sheet.shape == (24, 24, 3)
    assert sheet[:10, :10].max() == 0 and sheet[14:, :10].max() == 0 and sheet[:, 14:].min() == 255


def test_memory_counts_the_weights() -> None:
    network = nn.Sequential(nn.Linear(10, 10), nn.Linear(10, 10).requires_grad_(False))
    found = estimate(network, 5)
    assert (found.weights, found.learning, found.features) == (2 * 110 * 4, 3 * 110 * 4, 5)
    check(found, torch.device("cpu"))


def test_features_of_stable_diffusion_2() -> None:
    """Grow with the pictures; less with checkpointing."""
    cross = ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",)
    facts = {"block_out_channels": (320, 640, 1280, 1280), "layers_per_block": 2, "down_block_types": cross}
    config = SimpleNamespace(**facts)
    one, two = (unet_features(config, n, 64, 2, False) for n in (1, 2))
    assert two == 2 * one
    assert unet_features(config, 2, 64, 2, True) < two / 5
