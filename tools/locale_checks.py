"""What a translation must keep of its English: names that are typed or looked up, numbers, product names."""

from __future__ import annotations

import re

#: <new1>, {count}; file names and ids such as face_models, arcface.onnx or ms1mv3_r50; names with two
#: capitals or with a digit, such as InstantID, SDXL or CelebA-HQ.
_MARK = re.compile(r"<\w+>|\{\w+\}")
_NAME = re.compile(r"[A-Za-z0-9]+(?:[_./][A-Za-z0-9]+)+|[A-Za-z]*[A-Z][a-z0-9]*[A-Z0-9]\w*|[A-Za-z]+\d\w*")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
#: A choice that the text explains, "mean: ...": the page does not translate the choices themselves.
_CHOICE = re.compile(r"(?:^|\. )([a-z][a-z0-9_]*(?:[ -][a-z]+){0,2})(?=: )")
#: The page's own message syntax in names and descriptions.
_SYNTAX = re.compile(r"[{}@|]")


def kept(english: str) -> set[str]:
    """What every translation of a text holds letter by letter."""
    names = {"LoRA" if name == "LoRAs" else name for name in _NAME.findall(english)}
    return names | {*_MARK.findall(english), *_NUMBER.findall(english), *_CHOICE.findall(english)}


def is_name(text: str) -> bool:
    """Whether a text is the label of a socket: it is translated whole."""
    return re.fullmatch(r"[A-Za-z]\w*", text) is not None


def faults(english: str, translation: str) -> list[str]:
    """What is wrong with a translation, by its letters alone; nothing if it may pass."""
    if not translation.strip():
        return ["empty"]
    if translation != translation.strip() or "\n" in translation:
        return ["spaces around it or a line break in it"]
    lost = set() if is_name(english) else {name for name in kept(english) if name not in translation}
    found = [f"lost {name!r}" for name in sorted(lost)]
    if not _SYNTAX.search(english) and (sign := _SYNTAX.search(translation)):
        found.append(f"{sign[0]!r} has a meaning for the page")
    return found
