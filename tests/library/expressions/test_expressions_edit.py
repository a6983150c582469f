"""Changing an expression: presets, sliders, limits, mix."""

from __future__ import annotations

import pytest
import torch

from likeness.expressions.edit import SLIDERS, edit_expression
from likeness.expressions.presets import NONE, PRESETS, preset
from likeness.expressions.smirk import limit
from likeness.values import Expression

LEFT, RIGHT, OPEN, SIDEWAYS, TILT = range(50, 55)


@pytest.fixture
def smile() -> Expression:
    """Any expression within the limits, with something in every part."""
    raw = torch.randn(1, 55, generator=torch.Generator().manual_seed(3))
    raw[0, 50:] = torch.tensor([0.3, 0.6, 0.25, -0.1, 0.05])
    return Expression(raw)


def test_untouched_it_is_the_input_or_the_neutral_face(smile: Expression) -> None:
    assert torch.equal(edit_expression(smile).parameters, smile.parameters)
    assert torch.equal(edit_expression().parameters, torch.zeros(1, 55))


def test_the_input_is_never_written_to(smile: Expression) -> None:
    before = smile.parameters.clone()
    edit_expression(smile, "yawn", 0.5, {"jaw_open": 0.2, "component_3": -1.0}, 0.7)
    assert torch.equal(smile.parameters, before)


@pytest.mark.parametrize("name", list(PRESETS))
def test_a_preset_is_reached_from_anywhere(smile: Expression, name: str) -> None:
    assert torch.equal(edit_expression(smile, name).parameters, preset(name))
    assert torch.equal(edit_expression(None, name).parameters, preset(name))
    assert torch.equal(edit_expression(smile, name, 0.0).parameters, smile.parameters)


def test_presets_are_a_dozen_different_ones_within_the_limits() -> None:
    assert len(PRESETS) >= 12 and NONE not in PRESETS
    made = [preset(name) for name in PRESETS]
    assert all(torch.equal(limit(one), one) for one in made)
    assert len({tuple(one[0].tolist()) for one in made}) == len(made)


def test_presets_use_only_parameters_with_a_known_meaning() -> None:
    for name in PRESETS:
        assert not preset(name)[:, :50].any(), name


def test_the_presets_do_what_they_are_called() -> None:
    assert not preset("neutral").any()
    assert preset("wink left")[0, 50:].tolist() == [1, 0, 0, 0, 0]
    assert preset("wink right")[0, 50:].tolist() == [0, 1, 0, 0, 0]
    assert preset("eyes closed")[0, 50:].tolist() == [1, 1, 0, 0, 0]
    opening = [float(preset(name)[0, OPEN]) for name in ("lips parted", "mouth open", "mouth wide open")]
    assert 0 < opening[0] < opening[1] < opening[2]
    assert preset("chin to the left")[0, SIDEWAYS] == -preset("chin to the right")[0, SIDEWAYS] > 0


def test_half_way_to_neutral_halves_and_away_from_it_exaggerates(smile: Expression) -> None:
    half = edit_expression(smile, "neutral", 0.5).parameters
    torch.testing.assert_close(half, smile.parameters / 2)
    more = edit_expression(smile, "neutral", -0.5).parameters
    torch.testing.assert_close(more, limit(smile.parameters * 1.5))


@pytest.mark.parametrize(("name", "place"), [(name, slider.place) for name, slider in SLIDERS.items()])
def test_a_slider_moves_its_parameter_and_no_other(smile: Expression, name: str, place: int) -> None:
    got = edit_expression(smile, sliders={name: 0.08}).parameters
    expected = smile.parameters.clone()
    expected[0, place] += 0.08
    assert torch.equal(got, expected)


def test_the_named_sliders_are_where_smirk_puts_them() -> None:
    places = {name: slider.place for name, slider in SLIDERS.items()}
    assert {
        n: places[n] for n in ("left_eyelid", "right_eyelid", "jaw_open", "jaw_sideways", "jaw_tilt")
    } == {
        "left_eyelid": LEFT,
        "right_eyelid": RIGHT,
        "jaw_open": OPEN,
        "jaw_sideways": SIDEWAYS,
        "jaw_tilt": TILT,
    }
    assert [places[f"component_{n}"] for n in range(1, 11)] == list(range(10))


def test_sliders_stop_at_the_limits(smile: Expression) -> None:
    ends = {"left_eyelid": 1.0, "right_eyelid": -1.0, "jaw_open": -1.0, "jaw_sideways": -0.2, "jaw_tilt": 0.2}
    got = edit_expression(smile, sliders=ends).parameters[0, 50:].tolist()
    assert got == pytest.approx([1, 0, 0, -0.2, 0.2])


def test_mix_goes_from_the_input_to_the_edited(smile: Expression) -> None:
    changes = {"name": "yawn", "sliders": {"component_1": 2.0}}
    nothing, half, everything = (edit_expression(smile, **changes, mix=m).parameters for m in (0, 0.5, 1))
    assert torch.equal(nothing, smile.parameters)
    torch.testing.assert_close(half, (smile.parameters + everything) / 2)


def test_sliders_add_to_the_preset() -> None:
    got = edit_expression(None, "wink left", 1.0, {"jaw_open": 0.2, "component_10": -1.5}).parameters[0]
    assert got[LEFT] == 1 and got[OPEN] == pytest.approx(0.2) and got[9] == -1.5
    assert int((got != 0).sum()) == 3


def test_mistakes_are_named(smile: Expression) -> None:
    with pytest.raises(ValueError, match=r"preset: there is no 'grin'.*none, neutral"):
        edit_expression(smile, "grin")
    with pytest.raises(ValueError, match=r"no slider 'brow'.*jaw_open"):
        edit_expression(smile, sliders={"brow": 1.0})
    with pytest.raises(ValueError, match="mix must be from 0 to 1"):
        edit_expression(smile, mix=1.5)
    with pytest.raises(ValueError, match="NaN"):
        edit_expression(smile, sliders={"component_1": float("nan")})
