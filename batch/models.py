"""Which files of models a row uses: those it names, and those that nodes of this pack read by a choice."""

from __future__ import annotations

from typing import Any

from likeness.weights.wanted import files_of_prompt

from .answers import MODELS
from .checks import Checked
from .graph import node_names, set_inputs, settable
from .values import Prompt

#: Inputs whose choice, a face pack or a recogniser, decides which files are read.
_CHOICES = ("pack", "recogniser")


class Models:
    """Of one workflow. Names are as in its inputs; a face pack's file is called as in its kind's folder."""

    def __init__(self, prompt: Prompt) -> None:
        self._prompt, names = prompt, node_names(prompt)
        inputs = {
            f"{names[node]}.{name}": value
            for node, content in prompt.items()
            for name, value in settable(content["inputs"]).items()
        }
        self._named = {column: value for column, value in inputs.items() if _is_model(value)}
        self._choices = [column for column in inputs if column.rpartition(".")[2] in _CHOICES]
        self._chosen: dict[tuple[str, ...], frozenset[str]] = {}

    def of(self, row: Checked) -> tuple[str, ...]:
        """Sorted, each once."""
        settings = row.settings()
        named = {value for value in {**self._named, **settings}.values() if _is_model(value)}
        return tuple(sorted(named | self._of_choices(settings)))

    def _of_choices(self, settings: dict[str, Any]) -> frozenset[str]:
        chosen = {column: settings[column] for column in self._choices if column in settings}
        key = tuple(f"{column}={value}" for column, value in chosen.items())
        if key not in self._chosen:
            files = files_of_prompt(set_inputs(self._prompt, chosen))
            self._chosen[key] = frozenset(file.inside for file in files)
        return self._chosen[key]


def _is_model(value: object) -> bool:
    return isinstance(value, str) and value.lower().endswith(MODELS)
