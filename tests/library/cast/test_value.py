"""Casts: what they check, how they are put together."""

from __future__ import annotations

import pytest
import torch

from likeness.cast import Cast, Member, gather
from likeness.identity import Person
from likeness.values import Identity


def somebody(seed: int, recogniser: str = "sface") -> Identity:
    vectors = torch.randn(1, 8, generator=torch.Generator().manual_seed(seed))
    return Identity(vectors, recogniser, source=f"photo {seed}")


def member(name: str, *recognisers: str, place: object = None) -> Member:
    return Member(name, {r: somebody(n, r) for n, r in enumerate(recognisers or ("sface",))}, place)  # type: ignore[arg-type]


def test_a_cast_knows_its_people() -> None:
    cast = Cast((member("anna", "sface", "glintr100"), member("ben", "glintr100", "arc2face", "sface")))
    assert cast.names == ("anna", "ben")
    assert cast.recognisers() == ("sface", "glintr100")
    assert cast.target("ben", "arc2face").recogniser == "arc2face"
    with pytest.raises(
        ValueError, match=r"anna of the cast has no identity by the recogniser arc2face .*only by sface"
    ):
        cast.target("anna", "arc2face")
    with pytest.raises(ValueError, match=r"Nobody in the cast is called 'carol'. There are: anna, ben"):
        cast.target("carol", "sface")


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ((), "The cast is empty: it holds nobody"),
        ((member("anna"), member("anna")), "Two people of the cast are called 'anna'"),
        (
            (member("anna", "sface"), member("ben", "glintr100")),
            r"no recogniser in common \(anna by sface; ben by glintr100\)",
        ),
    ],
)
def test_a_cast_that_is_none_is_refused(members: tuple[Member, ...], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Cast(members)


def test_a_member_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="'7' is a number"):
        member("7")
    with pytest.raises(ValueError, match="is no name"):
        member("")
    with pytest.raises(ValueError, match="anna of the cast has no identity"):
        Member("anna", {})
    with pytest.raises(ValueError, match="an identity of sface is filed under glintr100"):
        Member("anna", {"glintr100": somebody(1)})
    with pytest.raises(ValueError, match=r"places: 'above' of anna is no place. There are: left, middle"):
        member("anna", place="above")
    with pytest.raises(
        ValueError, match=r"place mask of anna must be one mask \[height, width\], not \[2, 3, 4\]"
    ):
        member("anna", place=torch.ones(2, 3, 4))
    with pytest.raises(ValueError, match="place mask of anna holds NaN"):
        member("anna", place=torch.full((3, 4), torch.nan))


def test_what_is_in_a_member_stays() -> None:
    given = {"sface": somebody(1)}
    one = Member("anna", given)
    given.clear()
    assert one.recognisers == ("sface",)
    with pytest.raises(TypeError):
        one.identities["x"] = somebody(2)  # type: ignore[index]


def test_several_identities_of_one_name_are_one_person() -> None:
    identities = {
        "identity_0": somebody(1),
        "identity_10": somebody(4, "glintr100"),
        "identity_2": somebody(2),
        "identity_3": somebody(3, "glintr100"),
    }
    cast = gather(identities, "anna, ben, anna, ben", "left,")
    assert cast.names == ("anna", "ben") and cast.recognisers() == ("sface", "glintr100")
    assert cast.target("anna", "glintr100").source == "photo 3"
    assert cast.target("ben", "glintr100").source == "photo 4"
    assert [one.place for one in cast.members] == ["left", None]


def test_people_join_a_cast_and_places_stay_or_are_given_anew() -> None:
    mask = torch.rand(1, 4, 6, generator=torch.Generator().manual_seed(0))
    cast = gather({"identity_0": somebody(1), "identity_1": somebody(2)}, "anna, ben", "", {"mask_1": mask})
    assert cast.members[0].place is None and torch.equal(cast.members[1].place, mask[0])  # type: ignore[arg-type]
    more = gather({"identity_0": somebody(3)}, "carol", "", None, cast)
    assert more.names == ("anna", "ben", "carol") and more.members[1].place is cast.members[1].place
    moved = gather(cast=cast, places="Right, left")
    assert [one.place for one in moved.members] == ["right", "left"]
    assert cast.members[0].place is None
    known_better = gather({"identity_0": somebody(4, "arc2face")}, "ben", cast=cast)
    assert known_better.member("ben").recognisers == ("sface", "arc2face")


def test_people_without_names_have_numbers() -> None:
    cast = gather({"identity_0": somebody(1), "identity_1": somebody(2)})
    assert cast.names == ("person 0", "person 1")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "The cast is empty"),
        ({"identities": {}}, "The cast is empty"),
        (
            {"identities": {"identity_0": somebody(1)}, "names": "anna, ben"},
            "holds 2, but 1 identities are connected",
        ),
        (
            {"identities": {"identity_0": somebody(1), "identity_1": somebody(2)}, "names": "anna, anna"},
            "two people are called 'anna', both of the recogniser sface",
        ),
        (
            {"identities": {"identity_0": somebody(1)}, "names": "anna", "places": "left, right"},
            "places: 'left, right' holds 2, but the cast has 1: anna",
        ),
        (
            {
                "identities": {"identity_0": somebody(1)},
                "names": "anna",
                "masks": {"mask_1": torch.ones(1, 4, 4)},
            },
            "mask_1 is connected, but the cast has 1 people",
        ),
        (
            {
                "identities": {"identity_0": somebody(1)},
                "places": "left",
                "masks": {"mask_0": torch.ones(1, 4, 4)},
            },
            "person 0 has two places: left and the mask mask_0",
        ),
        (
            {"identities": {"identity_0": somebody(1)}, "masks": {"mask_0": torch.ones(3, 4, 4)}},
            "mask_0 holds 3 masks. A person of the cast has one place",
        ),
        (
            {"names": "carol", "cast": Cast((member("anna"),))},
            "names: 'carol' is for the identities connected here, but none is",
        ),
        (
            {"identities": {"identity_0": somebody(1)}, "names": "anna", "cast": Cast((member("anna"),))},
            "Two people of the cast are called 'anna', both of the recogniser sface",
        ),
    ],
)
def test_what_does_not_fit_is_explained(given: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        gather(**given)  # type: ignore[arg-type]


def test_a_person_of_a_file_keeps_their_name() -> None:
    from likeness.cast.gathering import members_of, numbered

    people = numbered(
        [Person(somebody(1), "anna"), Person(somebody(2)), Person(somebody(3, "arc2face"), "anna")]
    )
    assert [one.name for one in members_of(people)] == ["anna", "person 1"]
