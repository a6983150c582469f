"""README's table of the matrix. `python -m tests.support.features.table` writes it."""

from __future__ import annotations

from pathlib import Path

from .feature import Answer, Idle, NotOffered, Refused, Told
from .matrix import FEATURES, answer
from .methods import METHODS

README = Path(__file__).resolve().parents[3] / "README.md"
BEGIN, END = "<!-- features -->\n", "<!-- /features -->"
LEGEND = (
    "`+` works: the method and the node both have their part, in either order of the nodes; at strength 0 "
    "only the node's is left; a picture of a batch is what it is by itself. `=` works, and the node changes "
    "nothing of such a network's pictures, with the method or without. `<` works when the node comes before "
    "ours; after ours it is refused, or takes a place of ours, and a sentence says so. `x` refused in a "
    "sentence that says what to do. Empty: the two have no place in one graph, or no wire in common."
)


def cell(answered: Answer) -> str:
    if isinstance(answered, NotOffered):
        return ""
    if isinstance(answered, Idle):
        return "="
    if isinstance(answered, Told):
        return "<"
    if isinstance(answered, Refused):
        return "<" if answered.after else "x"
    return "+"


def table() -> str:
    """Nodes with the same answers share a row."""
    rows: dict[tuple[str, ...], list[str]] = {}
    for feature in FEATURES:
        cells = tuple(cell(answer(method, feature)) for method in METHODS)
        name = f"`{feature.name.split(' (')[0]}`"
        listed = rows.setdefault((feature.group, *cells), [])
        if name not in listed:
            listed.append(name)
    titles = [method.name for method in METHODS]
    lines = [["", *titles], ["---", *(":-:" for _ in titles)]]
    lines += [[f"{group}: {', '.join(names)}", *cells] for (group, *cells), names in rows.items()]
    drawn = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"{drawn}\n\n{LEGEND}\n"


def written(text: str) -> str:
    """README's text with the table as it is now."""
    before, rest = text.split(BEGIN)
    return before + BEGIN + table() + END + rest.split(END)[1]


if __name__ == "__main__":
    README.write_text(written(README.read_text(encoding="utf-8")), encoding="utf-8")
