"""What one contract of our nodes has and another has not, and the least release that may bring it.

A minor release may do what every saved workflow and every posted prompt survives unchanged, down to the
numbers. In a workflow of the page values are kept by the widgets' order and links by the outputs'.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

PATCH, COMPATIBLE, BREAKING = "patch", "minor", "major"
#: Options that put a widget of the page's own behind an input's, and so move all that follow.
_MORE_WIDGETS = ("control_after_generate", "image_upload")
_SOCKETS_ONLY = ("forceInput", "rawLink")
_WIDGETS = frozenset({"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO", "COLOR", "COMFY_DYNAMICCOMBO_V3"})
_ABSENT = object()


@dataclass(frozen=True)
class Change:
    """level: the least release that may bring it."""

    node: str
    what: str
    level: str

    def __str__(self) -> str:
        may = {
            BREAKING: "A minor release may not do this: keep the old one and add another beside it.",
            COMPATIBLE: "A minor release may do this.",
            PATCH: "A patch may do this.",
        }
        return f"{self.node}: {self.what} {may[self.level]}"


def changes(old: dict[str, Any], new: dict[str, Any]) -> list[Change]:
    """Of two contracts by node, as tools/node_contract.py makes them."""
    found = [
        Change(name, "is gone: workflows with it do not open any more.", BREAKING)
        for name in sorted(old.keys() - new.keys())
    ]
    found += [Change(name, "is new.", COMPATIBLE) for name in sorted(new.keys() - old.keys())]
    for name in sorted(old.keys() & new.keys()):
        found += [Change(name, what, level) for what, level in _of_node(old[name], new[name])]
    return found


def level(found: list[Change]) -> str:
    """The least release that may bring all of these."""
    levels = {change.level for change in found}
    return next((level for level in (BREAKING, COMPATIBLE) if level in levels), PATCH)


def _of_node(old: dict[str, Any], new: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if old["category"] != new["category"]:
        yield f"is in the menu {new['category']!r}, was in {old['category']!r}.", COMPATIBLE
    for mark in ("deprecated", "experimental"):
        if old[mark] != new[mark]:
            yield f"is {'now' if new[mark] else 'no more'} {mark}.", COMPATIBLE
    if old["output_node"] != new["output_node"]:
        yield f"is {'now' if new['output_node'] else 'no more'} an end of a graph.", BREAKING
    yield from _of_inputs(old["inputs"], new["inputs"])
    yield from _of_outputs(old["outputs"], new["outputs"])


def _of_inputs(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    before, after = ({part["name"]: part for part in parts} for parts in (old, new))
    for name in before.keys() - after.keys():
        yield f"input {name!r} is gone.", BREAKING
    kept = [name for name in before if name in after]
    for name in kept:
        yield from _of_input(before[name], after[name])
    widgets = [name for name in after if _is_widget(after[name])]
    old_widgets = [name for name in kept if _is_widget(before[name]) and _is_widget(after[name])]
    if [name for name in widgets if name in old_widgets] != old_widgets:
        yield f"widgets stand in another order: {', '.join(widgets)}.", BREAKING
    last = max((widgets.index(name) for name in old_widgets), default=-1)
    for name in after.keys() - before.keys():
        part = after[name]
        if _is_widget(part) and widgets.index(name) < last:
            yield f"new widget {name!r} stands before older ones: values of saved ones move.", BREAKING
        elif not part["optional"] and "default" not in part["options"]:
            yield f"new input {name!r} must be given: neither optional nor with a default.", BREAKING
        else:
            yield f"new input {name!r}.", COMPATIBLE


def _is_widget(part: dict[str, Any]) -> bool:
    return part["type"] in _WIDGETS and not any(part["options"].get(name) for name in _SOCKETS_ONLY)


def _of_input(old: dict[str, Any], new: dict[str, Any]) -> Iterator[tuple[str, str]]:
    told = f"input {old['name']!r}"
    if old["type"] != new["type"]:
        yield f"{told} is of the type {new['type']}, was {old['type']}.", BREAKING
        return
    if old["optional"] != new["optional"]:
        word, level = ("optional", COMPATIBLE) if new["optional"] else ("required", BREAKING)
        yield f"{told} is now {word}.", level
    before, after = old["options"], new["options"]
    for key in sorted(before.keys() | after.keys()):
        was, now = before.get(key, _ABSENT), after.get(key, _ABSENT)
        if was != now:
            yield from _of_option(told, key, was, now, "default" in after)


def _of_option(told: str, key: str, was: Any, now: Any, has_default: bool) -> Iterator[tuple[str, str]]:
    if key == "options" and isinstance(was, list) and isinstance(now, list):
        yield from _of_choices(told, was, now, has_default)
    elif key == "default":
        yield f"{told} has the default {_shown(now)}, had {_shown(was)}: prompts without it change.", BREAKING
    elif key in ("min", "max"):
        wider = now is _ABSENT or (was is not _ABSENT and (now < was if key == "min" else now > was))
        level = COMPATIBLE if wider else BREAKING
        yield f"{told} has the {key} {_shown(now)}, had {_shown(was)}.", level
    elif key in (*_MORE_WIDGETS, *_SOCKETS_ONLY, "template", "multiselect", "options"):
        yield f"{told} has another {key}: {_shown(now)}, was {_shown(was)}.", BREAKING
    else:
        yield f"{told} has another {key}: {_shown(now)}, was {_shown(was)}.", COMPATIBLE


def _of_choices(told: str, was: list[Any], now: list[Any], has_default: bool) -> Iterator[tuple[str, str]]:
    plain = [all(isinstance(choice, (str, int, float)) for choice in choices) for choices in (was, now)]
    if not all(plain):  # of a choice that brings inputs with it
        yield f"{told} has choices that bring other inputs than before.", BREAKING
        return
    gone = [choice for choice in was if choice not in now]
    if gone:
        yield f"{told} has no more the choices {', '.join(map(repr, gone))}.", BREAKING
    more = [choice for choice in now if choice not in was]
    if more:
        yield f"{told} has the new choices {', '.join(map(repr, more))}.", COMPATIBLE
    if was and now and was[0] != now[0] and not has_default:
        yield f"{told} begins with {now[0]!r}, began with {was[0]!r}, which is its default.", BREAKING
    elif [choice for choice in now if choice in was] != [choice for choice in was if choice in now]:
        yield f"{told} has its choices in another order.", COMPATIBLE


def _of_outputs(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for number, was in enumerate(old):
        if number >= len(new):
            yield f"output {was['name']!r} is gone.", BREAKING
            continue
        now = new[number]
        if (was["type"], was["list"]) != (now["type"], now["list"]):
            shown = f"{now['name']!r} of the type {now['type']}, was {was['name']!r} of {was['type']}"
            yield f"output {number} is {shown}: links are kept by the number.", BREAKING
        elif was["name"] != now["name"]:
            yield f"output {was['name']!r} is called {now['name']!r}.", COMPATIBLE
    for now in new[len(old) :]:
        yield f"new output {now['name']!r}, the last.", COMPATIBLE


def _shown(value: Any) -> str:
    return "none" if value is _ABSENT else repr(value)
