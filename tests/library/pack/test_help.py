"""The help pages: a picture on top, what each socket is, a recipe, the common mistakes."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tools import node_sockets
from tools.node_pictures import PICTURES
from tools.ui_workflow import HELP

PAGES = sorted(HELP.glob("*.md"))
SECTIONS = ["Inputs", "Outputs", "Recipe", "Common mistakes"]
#: The tallest node has forty rows.
LARGEST = 25_000


def sections(path: Path) -> dict[str, str]:
    _, *parts = re.split(r"^## (.+)\n", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_page_says_all_that_is_asked_for(path: Path) -> None:
    found = sections(path)
    assert [name for name in found if name in SECTIONS] == SECTIONS
    assert len(found["Recipe"].strip()) > 40
    assert re.search(r"^- \*\*.+\*\*.*: .{10}", found["Common mistakes"], flags=re.MULTILINE)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_every_socket_is_explained_in_its_section(path: Path) -> None:
    node, found = node_sockets.load()[path.stem], sections(path)
    for section, names in (
        ("Inputs", [slot.name for slot in node.inputs]),
        ("Outputs", [name for name, _ in node.outputs]),
    ):
        for name in names:
            line = next(line for line in found[section].splitlines() if f"**`{name}`**" in line)
            assert len(line.partition(":")[2].strip()) > 5, f"{section}: {name}"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_page_begins_with_the_picture_of_its_node(path: Path) -> None:
    title, empty, picture, *_ = path.read_text(encoding="utf-8").splitlines()
    assert title.startswith("# ") and not empty
    shown = re.fullmatch(r"!\[(.+)\]\((.+)\)", picture)
    assert shown, "Run: python -m tools.node_pictures"
    assert title.removeprefix("# ") in shown[1] and shown[2] == f"pictures/{path.stem}.webp"
    file = HELP / shown[2]
    assert file.stat().st_size < LARGEST
    with Image.open(file) as opened:
        assert opened.format == "WEBP" and 400 < opened.width < 800
        assert np.asarray(opened.convert("L"), dtype=float).std() > 5


def test_every_picture_belongs_to_a_page() -> None:
    assert {path.name for path in PICTURES.iterdir()} <= {f"{page.stem}.webp" for page in PAGES}
