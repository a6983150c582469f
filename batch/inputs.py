"""What the host says an input takes, and a value turned into that, or a sentence why it can't be."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .answers import MODELS

_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
_UPLOADS = ("image_upload", "video_upload", "audio_upload", "file_upload", "mask_upload")
#: Of a list that a sentence names: more would not be read.
_NAMED = 12


class ValueFault(ValueError):
    """The value doesn't fit the input; the message is the rest of "row 3, Sampler.steps: ..."."""


@dataclass(frozen=True)
class Spec:
    """An input as /object_info tells it. kind: INT, FLOAT, STRING, BOOLEAN, COMBO, or what a wire carries."""

    kind: str
    options: tuple[Any, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def takes_file(self) -> bool:
        """Whether its value names a file in the host's input folder."""
        return self.kind == "COMBO" and any(self.settings.get(name) for name in _UPLOADS)

    def value(self, given: Any) -> Any:
        """The given value as this input takes it. Raises ValueFault."""
        if self.kind == "COMBO":
            return self._option(given)
        if self.settings.get("forceInput"):
            raise ValueFault(f"it takes a wire of the kind {self.kind}, not a value.")
        readers = {"INT": _whole, "FLOAT": _number, "BOOLEAN": _truth, "STRING": _text}
        if self.kind not in readers:
            return given  # a pack's own kind of widget: the host itself will say
        value = readers[self.kind](given)
        low, high = self.settings.get("min"), self.settings.get("max")
        if low is not None and isinstance(value, int | float) and value < low:
            raise ValueFault(f"{value} is below the least, {low}.")
        if high is not None and isinstance(value, int | float) and value > high:
            raise ValueFault(f"{value} is above the most, {high}.")
        return value

    def _option(self, given: Any) -> Any:
        if self.settings.get("multiselect") and isinstance(given, list):
            return [self._option(one) for one in given]
        for option in self.options:
            if option == given or (isinstance(given, str) and str(option) == given):
                return option
        if str(given).lower().endswith(MODELS):
            raise ValueFault(f"the host has no model {given!r}. {self._there()}")
        raise ValueFault(f"{given!r} is no choice. {self._there()}")

    def _there(self) -> str:
        if not self.options:
            return "It has none."
        shown = ", ".join(repr(option) for option in self.options[:_NAMED])
        more = len(self.options) - _NAMED
        return f"There are: {shown}" + (f" and {more} more." if more > 0 else ".")


def spec_of(info: Mapping[str, Any], class_type: str, name: str) -> Spec | None:
    """None for an input that the list doesn't have (some appear only with another's choice)."""
    inputs = info[class_type].get("input", {})
    found = inputs.get("required", {}).get(name) or inputs.get("optional", {}).get(name)
    if not found:
        return None
    kind, settings = found[0], found[1] if len(found) > 1 and isinstance(found[1], dict) else {}
    if isinstance(kind, list):
        return Spec("COMBO", tuple(kind), settings)
    return Spec(str(kind), tuple(settings.get("options", ())), settings)


def _whole(given: Any) -> int:
    number = _number(given) if not isinstance(given, int) else given
    if isinstance(given, bool) or number != int(number):
        raise ValueFault(f"{given!r} is no whole number.")
    # A seed as text has more digits than a float keeps.
    try:
        return int(given)
    except ValueError:
        return int(number)


def _number(given: Any) -> float:
    try:
        number = float(given)
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(given, bool) or not math.isfinite(number):
        raise ValueFault(f"{given!r} is no number.")
    return number


def _truth(given: Any) -> bool:
    word = str(given).strip().lower()
    if word not in (*_TRUE, *_FALSE):
        raise ValueFault(f"{given!r} is neither true nor false.")
    return word in _TRUE


def _text(given: Any) -> str:
    if isinstance(given, dict | list):
        raise ValueFault("it takes text, not a list or an object.")
    return str(given)
