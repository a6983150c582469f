"""Every language says what English says: no key missing, none left over, none made from an older English."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools import locales
from tools.locale_checks import faults, is_name
from tools.locales import FILES, LANGUAGES, leaves, read, texts_of, written

#: Fields the page compiles as messages of its own syntax.
COMPILED = {"display_name", "description", "name"}


#: Rooms of the menu called by their method, whose name is more than a word.
METHODS = {"W+ Adapter"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_translated_from_the_english_of_today(language: str) -> None:
    assert list(read(language, "texts")) == texts_of(written()), "See `python -m tools.locales --todo`."


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", FILES)
def test_the_files_have_the_keys_of_english_and_say_what_was_translated(language: str, name: str) -> None:
    texts, english = read(language, "texts"), dict(leaves(read("en", name)))
    translated = dict(leaves(read(language, name)))
    assert list(translated) == list(english)
    assert translated == {path: texts[text] for path, text in english.items()}


@pytest.mark.parametrize("language", LANGUAGES)
def test_names_numbers_and_markers_are_kept(language: str) -> None:
    wrong = {text: faults(text, translation) for text, translation in read(language, "texts").items()}
    assert {text: found for text, found in wrong.items() if found} == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_nodes_are_called_by_the_names_they_have_in_that_language(language: str) -> None:
    texts = read(language, "texts")
    names = [node["display_name"] for node in read("en", "nodeDefs").values()]
    for text, translation in texts.items():
        # The longest first: a name may begin with another. "Of the common pack" are other packs' names.
        rest = text
        for name in sorted(names, key=len, reverse=True):
            if name in rest and text not in names and "of the common pack" not in text:
                assert texts[name] in translation, (text, name)
                rest = rest.replace(name, "")


@pytest.mark.parametrize("language", LANGUAGES)
def test_nodes_can_be_told_apart(language: str) -> None:
    names = [node["display_name"] for node in read(language, "nodeDefs").values()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_are_not_left_in_english(language: str) -> None:
    same = [text for text, translation in read(language, "texts").items() if text == translation]
    assert [text for text in same if not is_name(text) and text not in METHODS] == []


@pytest.mark.parametrize("language", ["en", *LANGUAGES])
def test_the_page_can_compile_names_and_descriptions(language: str) -> None:
    texts = [text for path, text in leaves(read(language, "nodeDefs")) if path[-1] in COMPILED]
    texts += [text for _, text in leaves(read(language, "main"))]
    assert [text for text in texts if set(text) & set("{}@|$%")] == []


def test_there_is_no_other_language() -> None:
    assert {path.name for path in locales.LOCALES.iterdir()} == {"en", *LANGUAGES}
    assert {path.stem for path in (locales.SCRIPTS / "texts").iterdir()} == {"en", *LANGUAGES}
    words = (locales.SCRIPTS / "words.js").read_text(encoding="utf-8")
    assert f"LANGUAGES = {json.dumps(list(LANGUAGES))};" in words


def test_the_english_of_our_scripts_is_what_they_say() -> None:
    assert read("en", locales.PAGE) == locales.said_by_scripts(), "Run `python -m tools.locales`."
    assert "{count} of the lines can't be used: see edits." in read("en", locales.PAGE)


def test_what_a_script_says_in_two_lines_is_one_text(small: Path) -> None:
    (small / "js").mkdir()
    (small / "js" / "a.js").write_text('say(\n  "One \\"a\\" " +\n    "two.",\n); say("B", { c });')
    assert list(locales.said_by_scripts()) == ['One "a" two.', "B"]


@pytest.mark.parametrize(
    ("english", "translation", "fault"),
    [
        ("From <new1>.", "Von dort.", "<new1>"),
        ("See face_models.", "Siehe Modelle.", "face_models"),
        ("About 0.35 here.", "Etwa 0,35 hier.", "0.35"),
        ("mean: the average.", "Mittel: der Durchschnitt.", "mean"),
        ("InstantID's file.", "Die Datei.", "InstantID"),
        ("A face.", " ", "empty"),
        ("A face.", "Ein {Gesicht}.", "{"),
        ("{count} faces", "Gesichter", "{count}"),
    ],
)
def test_a_translation_that_lost_something_is_refused(english: str, translation: str, fault: str) -> None:
    assert any(fault in found for found in faults(english, translation))


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of locales of one node that says two things."""
    monkeypatch.setattr(locales, "LOCALES", tmp_path)
    monkeypatch.setattr(locales, "SCRIPTS", tmp_path / "js")
    monkeypatch.setattr(locales, "LANGUAGES", ("de",))
    node = {"display_name": "Find", "description": "Finds 5 faces."}
    locales.write("en", "nodeDefs", {"LikenessFind": node})
    locales.write("en", "main", {})
    return tmp_path


def test_todo_and_merge_go_there_and_back(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    locales.main(["--todo"])
    todo = json.loads(capsys.readouterr().out)
    assert todo == {"Find": {"de": ""}, "Finds 5 faces.": {"de": ""}}
    filled = {"Find": {"de": "Finden"}, "Finds 5 faces.": {"de": "Findet Gesichter."}, "Old": {"de": "Alt"}}
    (small / "done.json").write_text(json.dumps(filled))
    assert locales.main(["--merge", str(small / "done.json")]) == 1
    said = capsys.readouterr().out
    assert "lost '5'" in said and "no node says this" in said and "de: 1 missing" in said
    assert read("de", "nodeDefs") == {"LikenessFind": {"display_name": "Finden"}}
    filled = {"Finds 5 faces.": {"de": "Findet 5 Gesichter."}}
    (small / "done.json").write_text(json.dumps(filled))
    assert locales.main(["--merge", str(small / "done.json")]) == 0
    assert read("de", "nodeDefs")["LikenessFind"]["description"] == "Findet 5 Gesichter."


def test_changed_english_is_missing_until_it_is_translated_again(small: Path) -> None:
    merged = {"Find": {"de": "Finden"}, "Finds 5 faces.": {"de": "Findet 5 Gesichter."}}
    assert locales.merge(merged, written()) == []
    locales.write("en", "nodeDefs", {"LikenessFind": {"display_name": "Find", "description": "Finds faces."}})
    assert locales.missing("de", written()) == ["Finds faces."]
    assert "1 missing, 1 of no use" in locales.update("de", written())
    assert read("de", "nodeDefs") == {"LikenessFind": {"display_name": "Finden"}}
    assert "Finds 5 faces." in read("de", "texts"), "kept while its successor is missing"
    assert locales.merge({"Finds faces.": {"de": "Findet Gesichter."}}, written()) == []
    locales.update("de", written())
    assert "Finds 5 faces." not in read("de", "texts")
