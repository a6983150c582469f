"""The stub host's misbehaviour: what a prompt's texts ask for."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_WORD = re.compile(r"!(\w[\w-]*)(?:=([\d.]+))?(?:~(\d+))?")
#: What a node says that fails so: the exception's type and its message.
_SAID = {
    "error": ("ValueError", "No face was found in image."),
    "oom": ("torch.OutOfMemoryError", "CUDA out of memory. Tried to allocate 20.00 MiB."),
    "full": ("OSError", "[Errno 28] No space left on device"),
}


class Faults:
    """Words in any text input, such as `!die` or `!die~3`, see stub_host.py. marks: where counts are kept."""

    def __init__(self, marks: Path | None) -> None:
        self._marks = marks

    def asked(self, word: str, prompt: Mapping[str, Any]) -> float | None:
        """The number behind the word, 0 without one; None if no text input says it (or not any more)."""
        for content in prompt.values():
            for value in content.get("inputs", {}).values():
                if not isinstance(value, str) or "!" not in value:
                    continue
                for found, number, times in _WORD.findall(value):
                    if found == word and (not times or self._mark(f"{word} {value}", int(times))):
                        return float(number or 0)
        return None

    def _mark(self, name: str, times: int) -> bool:
        """True the first `times` times that this name is asked for, counted in files that hosts share."""
        assert self._marks is not None, "A misbehaviour with a count needs --marks."
        for count in range(times):
            try:
                (self._marks / f"{hashlib.sha256(name.encode()).hexdigest()[:16]}.{count}").touch(
                    exist_ok=False
                )
            except FileExistsError:
                continue
            return True
        return False

    async def failure(
        self, prompt: Mapping[str, Any], interrupted: asyncio.Event
    ) -> tuple[str, dict[str, Any]] | None:
        """The message of a failure, or None; some faults never come back from here."""
        if self.asked("die", prompt) is not None:
            os.kill(os.getpid(), signal.SIGKILL)
        seconds = self.asked("slow", prompt)
        if self.asked("hang", prompt) is not None:
            seconds = 1e6
        if seconds:
            try:
                await asyncio.wait_for(interrupted.wait(), seconds)
                return "execution_interrupted", {"node_id": "1", "node_type": "KSampler", "executed": []}
            except asyncio.TimeoutError:
                pass
        for word, (kind, sentence) in _SAID.items():
            if self.asked(word, prompt) is not None:
                node = next(iter(prompt))
                place = {"node_id": node, "node_type": prompt[node]["class_type"], "executed": []}
                told = {"exception_type": kind, "exception_message": sentence, "traceback": []}
                return "execution_error", {**place, **told, "current_inputs": {}, "current_outputs": []}
        return None
