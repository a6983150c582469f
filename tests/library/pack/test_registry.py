"""What the registry shows of the pack: an icon and a banner, where the project file says they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from installer.paths import REPOSITORY
from likeness.weights.catalogue import _toml_reader
from tools import registry_art


def shown(key: str) -> Path:
    """The file in the repository that a link of the project file leads to."""
    project = _toml_reader().loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    owner_and_name = project["project"]["urls"]["Repository"].removeprefix("https://github.com/")
    start = f"https://raw.githubusercontent.com/{owner_and_name}/main/"
    link = project["tool"]["comfy"][key]
    assert link.startswith(start)
    return REPOSITORY / link.removeprefix(start)


def test_the_icon_is_square_and_small() -> None:
    with Image.open(shown("Icon")) as picture:
        assert picture.format == "PNG" and picture.size == registry_art.ICON == (400, 400)
    assert shown("Icon").stat().st_size < 60_000


def test_the_banner_is_21_to_9() -> None:
    with Image.open(shown("Banner")) as picture:
        assert picture.format == "PNG" and picture.size == registry_art.BANNER
        assert picture.width * 9 == picture.height * 21
    assert shown("Banner").stat().st_size < 200_000


@pytest.mark.parametrize("name", ["icon.png", "banner.png"])
def test_the_pictures_are_what_the_tool_draws(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry_art, "ASSETS", tmp_path)
    {"icon.png": registry_art.icon, "banner.png": registry_art.banner}[name]()
    with Image.open(tmp_path / name) as new, Image.open(REPOSITORY / "assets" / name) as kept:
        # Not to the bit: the built-in font and the smoothing may differ between versions of Pillow.
        drawn, stored = (
            np.asarray(picture.convert("L").resize((42, 18), Image.Resampling.BOX), dtype=int)
            for picture in (new, kept)
        )
        assert np.abs(drawn - stored).max() < 12
