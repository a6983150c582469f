"""What widgets offer is what the library knows, in the same order; and modules that are loaded late."""

from __future__ import annotations

import subprocess
import sys

import pytest

import likeness.faces
from installer.paths import REPOSITORY
from likeness import late
from likeness.algebra.mix import MODES
from likeness.choices import faces, people, pva
from likeness.faces import choose, holes, labels, masks, sessions
from likeness.identity import COMBINATIONS


def test_what_is_offered_is_what_there_is() -> None:
    assert tuple(MODES) == people.MIXES
    assert tuple(COMBINATIONS) == people.COMBINATIONS
    assert choose.BY == faces.ORDERS
    assert tuple(masks.REGIONS) == faces.SHAPES
    assert ("auto", *sessions.PROVIDERS) == faces.PROVIDERS
    assert (*holes.BOXES, pva.BRUSH, pva.OWN) == pva.HOLES
    assert labels.NAMES[labels.BACKGROUND] == faces.PARTS[-1] == "background"


def test_a_module_comes_with_the_first_look_into_it() -> None:
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys\n"
            "from likeness.faces import labels\n"
            "from likeness import text\n"
            "print([name in sys.modules for name in ('likeness.faces.labels', 'likeness.text')])\n"
            "print(labels.NAMES[0], text.MATCHES[0])\n"
            "import likeness.faces\n"
            "print(type(likeness.faces.labels).__name__, type(likeness.text).__name__)",
        ],
        capture_output=True,
        text=True,
        check=True,
        cwd=REPOSITORY,
    )
    assert said.stdout.splitlines() == ["[False, False]", "background word", "module module"]


def test_what_stands_for_a_module_is_changed_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    stands = late.modules("likeness.faces", likeness.faces.__path__)("labels")
    with monkeypatch.context() as patch:
        patch.setattr(stands, "BACKGROUND", 5)
        assert labels.BACKGROUND == 5
        patch.delattr(stands, "NAMES")
        assert not hasattr(labels, "NAMES")
    assert labels.BACKGROUND == 0 and labels.NAMES


def test_what_is_not_there_is_not_given() -> None:
    take = late.modules("likeness", likeness.__path__, {"text"})
    for name in ("faces", "nothing", "_text"):
        with pytest.raises(AttributeError, match=f"'likeness' has no attribute '{name}'"):
            take(name)
    with pytest.raises(ImportError, match="nothing"):
        from likeness.faces import nothing  # noqa: F401
