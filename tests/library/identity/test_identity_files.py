"""Identity files of one and of several people, and which of them is meant."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from likeness.identity import (
    Person,
    choose_person,
    load_people,
    people_of,
    save_people,
)
from likeness.values import Identity


def somebody(seed: int, recogniser: str = "sface", n: int = 1) -> Identity:
    vectors = torch.randn(n, 512, generator=torch.Generator().manual_seed(seed))
    return Identity(vectors, recogniser, source=f"photo {seed}")


ANNA, BEN = somebody(1), Identity(somebody(2).embeddings.repeat(2, 1), "sface", torch.tensor([1.0, 3.0]), "b")
FAMILY = [
    Person(ANNA, "anna"),
    Person(BEN, "ben"),
    Person(somebody(3, "glintr100"), "anna"),
    Person(somebody(4)),
]


def metadata(path: Path) -> dict[str, str]:
    with safe_open(path, "pt") as file:
        found: dict[str, str] = file.metadata()
    return found


def test_several_people_come_back_in_order(tmp_path: Path) -> None:
    file = tmp_path / "family.safetensors"
    save_people(FAMILY, file)
    people, pictures = load_people(file)
    assert [person.name for person in people] == ["anna", "ben", "anna", ""]
    for person, wanted in zip(people, FAMILY, strict=True):
        assert torch.equal(person.identity.embeddings, wanted.identity.embeddings)
        assert person.identity.recogniser == wanted.identity.recogniser
        assert person.identity.source == wanted.identity.source
    assert people[1].identity.weights is not None and people[0].identity.weights is None
    assert people[1].identity.weights.tolist() == [1.0, 3.0]
    assert pictures == []


def test_one_person_is_written_as_ever_and_several_in_their_own_format(tmp_path: Path) -> None:
    one, several = tmp_path / "one.safetensors", tmp_path / "several.safetensors"
    save_people([Person(ANNA)], one)
    save_people(FAMILY[:2], several)
    with safe_open(one, "pt") as file:
        assert list(file.keys()) == ["embeddings"]
    wanted = {"format": "likeness-identity/1", "recogniser": "sface", "source": "photo 1"}
    assert {key: metadata(one)[key] for key in wanted} == wanted
    with safe_open(several, "pt") as file:
        assert sorted(file.keys()) == ["embeddings.0", "embeddings.1", "weights.1"]
    assert metadata(several)["format"] == "likeness-identity/2"
    assert json.loads(metadata(several)["people"])[1] == {"recogniser": "sface", "source": "b", "name": "ben"}
    save_people([Person(ANNA, "anna")], one)
    assert load_people(one)[0][0].name == "anna"


def test_a_file_of_before_loads_unchanged(tmp_path: Path) -> None:
    file, raw = tmp_path / "old.safetensors", torch.randn(3, 512)
    facts = {
        "format": "likeness-identity/1",
        "recogniser": "glintr100",
        "source": "faces of picture 0: 3; none",
    }
    save_file({"embeddings": raw, "weights": torch.tensor([1.0, 2.0, 3.0])}, file, facts)
    (person,), pictures = load_people(file)
    assert torch.equal(person.identity.embeddings, raw)
    assert (person.name, person.identity.recogniser, pictures) == ("", "glintr100", [])
    assert person.identity.source == facts["source"]


@pytest.mark.parametrize(
    ("wanted", "recogniser", "place"),
    [
        ("", "any", 0),
        ("0", "any", 0),
        (" 3 ", "any", 3),
        ("ben", "any", 1),
        ("anna", "any", 0),
        ("anna", "glintr100", 2),
        ("", "glintr100", 2),
        ("2", "glintr100", 2),
    ],
)
def test_a_person_is_chosen_by_name_number_or_recogniser(wanted: str, recogniser: str, place: int) -> None:
    assert choose_person(FAMILY, wanted, recogniser) == place


@pytest.mark.parametrize(
    ("wanted", "recogniser", "says"),
    [
        (
            "carol",
            "any",
            r"person 'carol' is not in f\.st, which holds 0 anna \(sface\), 1 ben \(sface\), 2 anna",
        ),
        ("4", "any", r"person '4' is not in f\.st.*3 \(sface\)"),
        ("-1", "any", "person '-1' is not in"),
        ("", "arc2face", r"no identity of anybody by the recogniser arc2face \(Arc2Face's arcface\.onnx\)"),
        (
            "ben",
            "glintr100",
            r"no identity of person 'ben' by the recogniser glintr100 .*set recogniser to any",
        ),
        ("1", "glintr100", "no identity of person '1' by the recogniser glintr100"),
    ],
)
def test_who_is_not_there_is_told(wanted: str, recogniser: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        choose_person(FAMILY, wanted, recogniser, "f.st")


def test_names_go_to_identities_in_the_order_of_their_sockets() -> None:
    others = {"identity_10": somebody(10), "identity_2": somebody(2)}
    people = people_of(somebody(0), others, " anna, ben ,carol jones")
    assert [(p.name, p.identity.source) for p in people] == [
        ("anna", "photo 0"),
        ("ben", "photo 2"),
        ("carol jones", "photo 10"),
    ]
    assert [p.name for p in people_of(somebody(0), others)] == ["", "", ""]
    assert [p.name for p in people_of(somebody(0), None, "anna")] == ["anna"]
    same = people_of(somebody(0), {"identity_0": somebody(0, "glintr100")}, "anna, anna")
    assert [p.name for p in same] == ["anna", "anna"]


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ("anna", r"'anna' holds 1, but 2 identities are connected"),
        ("a, b, c", "holds 3, but 2"),
        ("anna, 7", "'7' is a number, which Load Identity would take for a place"),
        ("anna,", "'' in 'anna,' is no name"),
        ("anna, b\nen", "is no name"),
        ("anna, anna", "two people are called 'anna', both of the recogniser sface"),
    ],
)
def test_bad_names_are_explained(names: str, says: str) -> None:
    with pytest.raises(ValueError, match=f"names: .*{says}"):
        people_of(somebody(0), {"identity_0": somebody(1)}, names)
