"""Faces put in by a program of the user's: a command, or a folder of swaps that are ready. Spec C.4 (b).

No swapper comes with this pack; their licences differ, and many forbid commerce.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from likeness.weights.write import written

_PLACES = ("{source}", "{target}", "{output}")


class SwapFailed(RuntimeError):
    """The user's program did not do it; the message says what it said."""


@dataclass(frozen=True)
class Command:
    """A program and its arguments, where {source}, {target}, {output} stand for files. No shell runs it."""

    words: tuple[str, ...]
    timeout: float

    @classmethod
    def parse(cls, text: str, timeout: float) -> Command:
        """Raises ValueError when a place is missing."""
        try:
            words = tuple(shlex.split(text, posix=os.name != "nt"))
        except ValueError as error:
            raise ValueError(f"--swapper {text!r} is no command: {error}.") from error
        missing = [place for place in _PLACES if not any(place in word for word in words)]
        if missing:
            raise ValueError(
                f"--swapper {text!r} lacks {missing[0]}: {{source}} is who is put in, {{target}} the drawn "
                "picture, {output} the file to write."
            )
        return cls(words, timeout)

    def run(self, source: Path, target: Path, output: Path) -> None:
        """Raises SwapFailed when there is no picture afterwards."""
        output.parent.mkdir(parents=True, exist_ok=True)
        unfinished = output.with_name(f"part-{os.getpid()}-{output.name}")
        files = dict(zip(_PLACES, map(str, (source, target, unfinished)), strict=True))
        line = [_filled(word, files) for word in self.words]
        try:
            done = subprocess.run(
                line, capture_output=True, encoding="utf-8", errors="replace", timeout=self.timeout
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            unfinished.unlink(missing_ok=True)
            raise SwapFailed(f"{line[0]}: {error}") from error
        if done.returncode or not unfinished.is_file():
            unfinished.unlink(missing_ok=True)
            said = (done.stderr or done.stdout).strip()[-300:] or "it said nothing and wrote nothing"
            raise SwapFailed(f"{line[0]} ended with {done.returncode}: {said}")
        os.replace(unfinished, output)


def _filled(word: str, files: dict[str, str]) -> str:
    for place, path in files.items():
        word = word.replace(place, path)
    return word


def write_wanted(wanted: Sequence[tuple[str, Path, Path]], path: Path) -> None:
    """What a user is to swap: (name of the swap, who is put in, the drawn picture), a JSON object a line."""
    lines = [
        json.dumps({"output": f"{name}.png", "source": str(source), "target": str(target)}) + "\n"
        for name, source, target in wanted
    ]
    with written(path) as unfinished:
        unfinished.write_text("".join(lines), encoding="utf-8")
