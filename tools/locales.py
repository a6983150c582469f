"""What the page shows of our nodes in other languages: locales/<language>/{nodeDefs,main}.json.

`python -m tools.locales` boots a ComfyUI, writes English from the nodes and the others from their texts.json,
and says what is missing. `--todo [LANGUAGE ...]` prints the missing texts as {English: {language: ""}};
filled in, `--merge FILE` takes them back. Neither of these needs a server.

texts.json maps each English text to its translation. The English itself is the key: one that was changed has
no translation until somebody makes it. The host reads nodeDefs.json and main.json, and no other file of ours:
what our own scripts say in the page, they read from web/js/texts/<language>.json, which is written here, too.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from installer import paths
from installer.environment import current
from installer.server import Server

from .locale_checks import faults

LOCALES = paths.REPOSITORY / "locales"
LANGUAGES = ("zh", "ja", "ko", "ru", "es", "fr", "de")
SCRIPTS = paths.REPOSITORY / "web" / "js"
#: The names are the host's; of a custom pack it takes two and settings and commands, which we have not. The
#: third is of our own scripts.
PAGE = "page"
FILES = ("nodeDefs", "main", PAGE)
GROWING = "COMFY_AUTOGROW_V3"
Tree = dict[str, Any]


def english(object_info: dict[str, Any]) -> dict[str, Tree]:
    """What to translate of a host's /object_info, by file name, in the shape the page looks it up in."""
    ours = {name: info for name, info in sorted(object_info.items()) if name.startswith("Likeness")}
    rooms = sorted({room for info in ours.values() for room in info["category"].split("/")})
    return {
        "nodeDefs": {name: _node(info) for name, info in ours.items()},
        "main": {"nodeCategories": {room: room for room in rooms}},
        PAGE: said_by_scripts(),
    }


def said_by_scripts() -> Tree:
    """Every text that a script gives to say(), mapped to itself, in the order of the files."""
    given = re.compile(r"\bsay\(\s*((?:\"(?:[^\"\\]|\\.)*\"[\s+]*)+)")
    texts: list[str] = []
    for path in sorted(SCRIPTS.rglob("*.js")):
        for match in given.finditer(path.read_text(encoding="utf-8")):
            parts = re.findall(r"\"(?:[^\"\\]|\\.)*\"", match[1])
            texts.append("".join(json.loads(part) for part in parts))
    return {text: text for text in texts}


def _node(info: dict[str, Any]) -> Tree:
    inputs: Tree = {}
    for kind in ("required", "optional"):
        for name, (sort, *rest) in info["input"].get(kind, {}).items():
            options = rest[0] if rest else {}
            inputs[name] = _words(options.get("display_name") or name, options.get("tooltip"))
            if sort == GROWING:
                inputs.update(_grown(name, options["template"]))
    tips = info.get("output_tooltips") or [None] * len(info["output"])
    outputs = {str(i): _words(*pair) for i, pair in enumerate(zip(info["output_name"], tips, strict=True))}
    node = {"display_name": info["display_name"], "description": info["description"]}
    return {**node, **({"inputs": inputs} if inputs else {}), **({"outputs": outputs} if outputs else {})}


def _words(name: str, tooltip: str | None) -> Tree:
    return {"name": name, **({"tooltip": tooltip} if tooltip else {})}


def _grown(name: str, template: dict[str, Any]) -> Tree:
    """Sockets NAME.PREFIX0, ... of a growing row: the page asks for their tooltips with _ for the dot.

    Their names it does not translate.
    """
    ((_, inner),) = template["input"]["required"].values()
    return {f"{name}_{template['prefix']}{i}": {"tooltip": inner["tooltip"]} for i in range(template["max"])}


def leaves(tree: Tree, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every text of a tree with its path."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), value


def texts_of(trees: dict[str, Tree]) -> list[str]:
    """Each English text once, in order."""
    return list(dict.fromkeys(text for name in FILES for _, text in leaves(trees[name])))


def filled(tree: Tree, texts: dict[str, str]) -> Tree:
    """The tree in another language. What has no translation is left out: the page then shows English."""
    found: Tree = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            found[key] = filled(value, texts)
        elif value in texts:
            found[key] = texts[value]
    return {key: value for key, value in found.items() if value != {}}


def _path(language: str, name: str) -> Path:
    return SCRIPTS / "texts" / f"{language}.json" if name == PAGE else LOCALES / language / f"{name}.json"


def read(language: str, name: str) -> Tree:
    path = _path(language, name)
    content: Tree = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return content


def write(language: str, name: str, content: Tree) -> None:
    path = _path(language, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    path.write_text(text, encoding="utf-8", newline="\n")


def written() -> dict[str, Tree]:
    """The English files."""
    return {name: read("en", name) for name in FILES}


def missing(language: str, trees: dict[str, Tree]) -> list[str]:
    texts = read(language, "texts")
    return [text for text in texts_of(trees) if text not in texts]


def update(language: str, trees: dict[str, Tree]) -> str:
    """Write a language's files from its texts and say how many they lack.

    Texts whose English is gone are kept while others are missing: they may be the old form of those.
    """
    texts, lacks = read(language, "texts"), missing(language, trees)
    gone = [text for text in texts if text not in texts_of(trees)]
    if not lacks:
        texts = {text: texts[text] for text in texts_of(trees)}
        write(language, "texts", texts)
    for name in FILES:
        write(language, name, filled(trees[name], texts))
    end = ": dropped" if gone and not lacks else ""
    return f"{language}: {len(lacks)} missing, {len(gone)} of no use any more{end}"


def merge(given: dict[str, dict[str, str]], trees: dict[str, Tree]) -> list[str]:
    """Take translations {English: {language: text}} into texts.json; what was wrong with those left out."""
    wrong, known = [], set(texts_of(trees))
    taken: dict[str, dict[str, str]] = {language: read(language, "texts") for language in LANGUAGES}
    for text, translations in given.items():
        for language, translation in translations.items():
            found = faults(text, translation) if text in known else ["no node says this (any more)"]
            if language not in taken:
                found = [f"no such language; there are {', '.join(LANGUAGES)}"]
            wrong += [f"{language}: {text!r}: {fault}" for fault in found]
            if not found:
                taken[language][text] = translation
    for language, texts in taken.items():
        write(language, "texts", texts)
    return wrong


def ask_host() -> dict[str, Any]:
    """The /object_info of a ComfyUI booted with this pack."""
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        paths.link_folder(paths.REPOSITORY, base / "custom_nodes" / "likeness")
        with Server(sys.executable, current().comfyui, base, ["likeness"], one_thread=True) as server:
            return server.object_info()


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Write locales/ and say what is not translated.")
    parser.add_argument(
        "--todo", nargs="*", metavar="LANGUAGE", choices=LANGUAGES, help="print what is missing"
    )
    parser.add_argument("--merge", type=Path, metavar="FILE", help="take in what --todo printed, filled in")
    chosen = parser.parse_args(arguments)
    if chosen.todo is not None:
        todo: dict[str, dict[str, str]] = {}
        for language in chosen.todo or LANGUAGES:
            for text in missing(language, written()):
                todo.setdefault(text, {})[language] = ""
        print(json.dumps(todo, indent=1, ensure_ascii=False))
        return 0
    wrong: list[str] = []
    if chosen.merge:
        wrong = merge(json.loads(chosen.merge.read_text(encoding="utf-8")), written())
    else:
        for name, tree in english(ask_host()).items():
            write("en", name, tree)
    print(*(update(language, written()) for language in LANGUAGES), sep="\n")
    print(*(f"Not taken: {fault}" for fault in wrong), sep="\n", end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
