"""The way of an identity through the code, as CONTRIBUTING draws it: short, and as it is."""

from __future__ import annotations

import ast
import re

from installer.paths import REPOSITORY

HOPS, FILES = 14, 8


def drawn() -> list[tuple[str, str]]:
    """(function or class, file) of every line of the drawing."""
    text = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    block = text[text.index("### The way of an identity") :].split("```")[1]
    return re.findall(r"^(\w+) +([\w/]+\.py)", block, re.MULTILINE)


def names(node: ast.AST) -> set[str]:
    """Every name and attribute that is used in it."""
    used = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
    return used | {n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)}


def definitions(name: str, file: str) -> list[ast.AST]:
    tree = ast.parse((REPOSITORY / file).read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.ClassDef)
    return [node for node in ast.walk(tree) if isinstance(node, kinds) and node.name == name]


def test_it_is_short() -> None:
    way = drawn()
    assert way[0][0] == "execute" and way[-1][0] == "narrow_attention"
    assert len(way) <= HOPS and len({file for _, file in way}) <= FILES


def test_each_hop_is_there_and_leads_to_the_next() -> None:
    """From a function to one that it names, or back out of one that it called before."""
    way = drawn()
    for number, (name, file) in enumerate(way):
        assert definitions(name, file), f"{file} has no {name}"
        if number == 0:
            continue
        #: A projector is an object: it is called by the name it has in the adapter.
        wanted = "projector" if name == "__call__" else name
        before = way[:number]
        callers = [n for n, f in before if any(wanted in names(node) for node in definitions(n, f))]
        # The sampler asks a layer for its change, and a change asks for its attention by its own field.
        bound = {"change": "change", "narrow_attention": "attention"}.get(name)
        callers += [n for n, f in before if bound and any(bound in names(d) for d in definitions(n, f))]
        assert callers, f"nothing before it leads to {name} of {file}"
