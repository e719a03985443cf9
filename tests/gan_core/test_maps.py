import json
import math

import pytest

from gan_core import ConfigError, GANConfig
from gan_core.config import MAX_MEMBERS, METAS, limits
from gan_core.maps import (
    AXES,
    FORBIDDEN,
    MAX_CELLS,
    MAX_SEEDS,
    MAX_VALUES,
    Axis,
    MapSpec,
    spread,
    success,
    usual_range,
    values_of,
)
from gan_core.trainer import check_members

DIGITS = {"dataset": "digits"}
NEEDS = {  # what an axis needs to have an effect, or for its usual values to be possible
    "class_weight": {**DIGITS, "conditional": "auxiliary"},
    "network": DIGITS,
    "latent_modes": {"latent": "mixture"},
    "temperature": {**DIGITS, "network": "gumbel", "levels": 2},
    "temperature_end": {**DIGITS, "network": "gumbel", "levels": 2},
    "batch_norm": {**DIGITS, "network": "dcgan"},
    "minibatch_std": {"batch_size": 840},
    "minibatch_discrimination": {"batch_size": 64},
    "pack": {"batch_size": 840},
    "penalty_weight": {"penalty": "r1"},
    "lr_end": {"lr_schedule": "linear"},
    "instance_noise_steps": {"instance_noise": 0.1},
    "augment": DIGITS,
    "ada_target": {**DIGITS, "augment": "ada"},
    "ada_images": {**DIGITS, "augment": "ada"},
    "reset_fraction": {"reset_every": 100},
    "reset_network": {"reset_every": 100},
}
NUMBERS = [name for name in AXES if METAS[name].choices is None]
RATES = (Axis("lr_g", (1e-4, 1e-3, 1e-2)), Axis("lr_d", (1e-4, 1e-3)))


def _base(name):
    return GANConfig(steps=20, **NEEDS.get(name, {}))


def _axis(name):
    """An axis with usual values."""
    if name == "network":
        return Axis(name, ("mlp", "dcgan", "resnet"))
    if METAS[name].choices is not None:
        return Axis(name, tuple(METAS[name].choices))
    return Axis(name, spread(name, *usual_range(name, _base(name)), 5))


def _spec(x, y, seeds=2, **changes):
    return MapSpec(GANConfig(**changes), x, y, seeds)


def _square(count, seeds, **changes):
    """A map of rates with so many values on either axis."""
    axes = (Axis(name, tuple(1e-4 * (k + 1) for k in range(count))) for name in ("lr_g", "lr_d"))
    return _spec(*axes, seeds, **changes)


# Cells


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_map_has_a_cell_for_each_pair_of_values_and_seed(seeds):
    assert len(_spec(*RATES, seeds)) == 3 * 2 * seeds


def test_cells_count_seeds_first_then_columns_then_rows():
    places = [_spec(*RATES, 2).place(cell) for cell in range(12)]
    assert places == [(row, column, k) for row in range(2) for column in range(3) for k in range(2)]


def test_the_config_of_a_cell_has_its_values_and_seed():
    spec = _spec(*RATES, 2, seed=40)
    for cell in range(len(spec)):
        row, column, k = spec.place(cell)
        expected = spec.base.but(lr_g=RATES[0].values[column], lr_d=RATES[1].values[row], seed=40 + k)
        assert spec.config(cell) == expected


def test_all_cells_are_different():
    spec = _spec(*RATES, 4)
    assert len({spec.config(cell) for cell in range(len(spec))}) == len(spec)


# Chunks

SPECS = {
    "rates": _spec(*RATES),
    "one seed": _spec(*RATES, 1),
    "more cells than members": _square(20, 2),
    "one not of members": _spec(Axis("d_steps", (1, 2, 3)), RATES[1], 3),
    "none of members": _spec(Axis("d_steps", (1, 2, 3)), Axis("loss", ("nonsaturating", "hinge")), 3),
    "many seeds": _spec(*RATES, 16),
    "convolutions": _spec(*RATES, 2, dataset="digits", network="dcgan"),
}


@pytest.mark.parametrize("name", SPECS)
def test_chunks_hold_each_cell_exactly_once(name):
    assert sorted(cell for chunk in SPECS[name].chunks() for cell in chunk) == list(range(len(SPECS[name])))


@pytest.mark.parametrize("name", SPECS)
def test_a_chunk_can_be_the_members_of_one_trainer(name):
    spec = SPECS[name]
    assert {check_members([spec.config(cell) for cell in chunk]) for chunk in spec.chunks()} == {None}


@pytest.mark.parametrize("name", SPECS)
def test_no_chunk_is_empty_or_too_large(name):
    assert all(1 <= len(chunk) <= MAX_MEMBERS for chunk in SPECS[name].chunks())


@pytest.mark.parametrize("name", AXES)
def test_a_map_over_any_setting_can_be_trained(name):
    spec = MapSpec(_base(name), _axis(name), RATES[0] if name == "lr_d" else RATES[1], 2)
    assert sorted(cell for chunk in spec.chunks() for cell in chunk) == list(range(len(spec)))
    assert {check_members([spec.config(cell) for cell in chunk]) for chunk in spec.chunks()} == {None}


def test_a_map_over_networks_has_as_many_members_a_chunk_as_each_can_hold():
    chunks = _spec(Axis("network", ("mlp", "dcgan")), RATES[1], 2, dataset="digits").chunks()
    assert sorted(len(chunk) for chunk in chunks) == [1, 1, 1, 1, 4]


def test_the_first_seed_of_all_cells_comes_first():
    """Many cells: the first trainer gives the whole map its first colours."""
    spec = _square(12, 4)
    first = spec.chunks()[0]
    assert {spec.place(cell)[:2] for cell in first} == {(row, column) for row in range(12) for column in range(12)}
    assert {spec.place(cell)[2] for cell in first} == {0}


def test_the_first_seed_comes_first_where_one_trainer_cannot_take_all_cells():
    spec = _square(20, 2)
    seeds = [{spec.place(cell)[2] for cell in chunk} for chunk in spec.chunks()]
    assert seeds == [{0}, {0}, {1}, {1}]


def test_a_small_map_is_one_chunk():
    assert [len(chunk) for chunk in _spec(*RATES, 4).chunks()] == [24]


def test_a_map_of_convolutions_has_one_member_a_chunk():
    assert {len(chunk) for chunk in SPECS["convolutions"].chunks()} == {1}


# As JSON


@pytest.mark.parametrize("name", SPECS)
def test_a_map_comes_back_from_json(name):
    assert MapSpec.parse(json.loads(json.dumps(SPECS[name].dump()))) == SPECS[name]


@pytest.mark.parametrize("lost", ["base", "x", "y", "seeds"])
def test_a_map_with_something_missing_is_refused(lost):
    values = _spec(*RATES).dump()
    del values[lost]
    with pytest.raises(ConfigError, match="This is not a map"):
        MapSpec.parse(values)


@pytest.mark.parametrize(
    "change", [{"x": 3}, {"x": {"name": "lr_g"}}, {"x": {"name": "lr_g", "values": 3}}, {"seeds": "many"}, {"seeds": None}]
)
def test_something_else_than_a_map_is_refused(change):
    with pytest.raises(ConfigError, match="This is not a map"):
        MapSpec.parse({**_spec(*RATES).dump(), **change})


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"seeds": 99}, "seeds = 99 is out of range: expected 1 to 16."),
        ({"y": {"name": "lr_g", "values": [0.1, 0.2]}}, "Both axes are lr_g. Choose another setting for one of them."),
        ({"base": {"width": 1}}, "width = 1 is out of range: expected a number from 2 to 1024."),
    ],
)
def test_what_is_wrong_with_a_map_is_said_as_where_it_is_made(change, sentence):
    with pytest.raises(ConfigError) as caught:
        MapSpec.parse({**_spec(*RATES).dump(), **change})
    assert str(caught.value) == sentence


@pytest.mark.parametrize("values", [None, 3, [], "map"])
def test_something_else_than_an_object_is_refused(values):
    with pytest.raises(ConfigError, match="This is not a map"):
        MapSpec.parse(values)


# Refusals


@pytest.mark.parametrize("name", [*FORBIDDEN, "nonsense"])
def test_an_axis_that_cannot_be_one_is_refused_with_those_that_can(name):
    with pytest.raises(ConfigError, match=rf"{name} cannot be an axis of a map\. These can: .*lr_g"):
        _spec(Axis(name, (1, 2)), RATES[1])


def test_the_same_axis_twice_is_refused():
    with pytest.raises(ConfigError, match=r"Both axes are lr_g\. Choose another"):
        _spec(RATES[0], Axis("lr_g", (0.1, 0.2)))


@pytest.mark.parametrize("values", [(), (1e-3,), (1e-3, 1e-3), tuple(k / 100 for k in range(MAX_VALUES + 1))])
@pytest.mark.parametrize("letter", ["x", "y"])
def test_an_axis_of_too_few_or_too_many_values_is_refused(values, letter):
    axes = {"x": Axis("d_steps", (1, 2)), "y": Axis("d_steps", (1, 2)), letter: Axis("lr_g", values)}
    with pytest.raises(ConfigError, match=f"The axis lr_g needs 2 to {MAX_VALUES} different values"):
        _spec(axes["x"], axes["y"])


@pytest.mark.parametrize("seeds", [-1, 0, MAX_SEEDS + 1])
def test_a_number_of_seeds_out_of_range_is_refused(seeds):
    with pytest.raises(ConfigError, match=f"seeds = {seeds} is out of range: expected 1 to {MAX_SEEDS}"):
        _spec(*RATES, seeds)


def test_as_many_values_and_seeds_as_allowed_are_accepted():
    assert len(_square(MAX_VALUES, 7)) == MAX_VALUES**2 * 7 <= MAX_CELLS


def test_too_many_cells_are_refused_with_their_number():
    with pytest.raises(ConfigError, match=r"4,608 GANs are too many for a map: expected at most 4,096\. Take fewer"):
        _square(MAX_VALUES, 8)


def test_a_value_out_of_range_is_refused():
    with pytest.raises(ConfigError, match="lr_g = 7 is out of range"):
        _spec(Axis("lr_g", (0.1, 7)), RATES[1])


@pytest.mark.parametrize("value", [math.nan, math.inf, "much"])
def test_a_value_that_is_no_number_is_refused(value):
    with pytest.raises(ConfigError, match="lr_g"):
        _spec(Axis("lr_g", (0.1, value)), RATES[1])


def test_values_that_only_fit_some_of_the_others_are_refused():
    with pytest.raises(ConfigError, match=r"label_smoothing = 0.1 has no meaning for the loss hinge"):
        _spec(Axis("loss", ("nonsaturating", "hinge")), Axis("label_smoothing", (0.0, 0.1)))


def test_the_last_seed_may_not_leave_the_range():
    last = 2**31 - 1
    assert _spec(*RATES, 2, seed=last - 1)
    with pytest.raises(ConfigError, match=f"seed = {last + 1} is out of range"):
        _spec(*RATES, 2, seed=last)


@pytest.mark.parametrize(("name", "values"), [("penalty_weight", (0.1, 1)), ("lr_end", (0.1, 0.2)), ("reset_fraction", (0.1, 1))])
def test_an_axis_without_an_effect_is_refused(name, values):
    with pytest.raises(ConfigError, match=f"{name} has no effect with these settings"):
        _spec(Axis(name, values), RATES[1])


def test_an_axis_that_the_other_gives_an_effect_is_accepted():
    assert _spec(Axis("penalty_weight", (0.1, 1)), Axis("penalty", ("none", "r1")))


# Spreading values


@pytest.mark.parametrize(
    ("name", "low", "high", "count"),
    [("lr_g", 1e-4, 1e-2, 12), ("penalty_weight", 0.0, 10, 7), ("penalty_weight", 0.125, 2.5, 24), ("beta1", 0.1, 0.9, 2)],
)
def test_a_spread_has_both_ends_and_rises(name, low, high, count):
    values = spread(name, low, high, count)
    assert (values[0], values[-1], len(values)) == (low, high, count)
    assert list(values) == sorted(set(values))


def test_rates_are_spread_by_ratio():
    assert spread("lr_g", 1e-4, 1e-2, 5) == (1e-4, 3.16e-4, 1e-3, 3.16e-3, 1e-2)


def test_rates_from_zero_are_spread_evenly():
    assert spread("lr_g", 0.0, 0.1, 3) == (0.0, 0.05, 0.1)


def test_others_are_spread_evenly():
    assert spread("penalty_weight", 1, 3, 5) == (1.0, 1.5, 2.0, 2.5, 3.0)


def test_whole_numbers_are_rounded_and_listed_once():
    values = spread("d_steps", 1, 4, 10)
    assert values == (1, 2, 3, 4)
    assert all(isinstance(value, int) for value in values)


@pytest.mark.parametrize(("low", "high", "count"), [(1, 1, 3), (2, 1, 3), (1, 2, 1), (1, 2, MAX_VALUES + 1), (math.nan, 1, 3)])
def test_a_spread_that_is_none_is_refused(low, high, count):
    with pytest.raises(ConfigError, match="lr_g: expected a first value below the last"):
        spread("lr_g", low, high, count)


@pytest.mark.parametrize("name", NUMBERS)
def test_the_usual_range_lies_within_the_limits(name):
    low, high = usual_range(name, _base(name))
    least, most = limits(name)
    assert least <= low < high <= most


@pytest.mark.parametrize("count", [2, 5])
@pytest.mark.parametrize("name", NUMBERS)
def test_a_spread_over_the_usual_range_makes_a_map(name, count):
    values = spread(name, *usual_range(name, _base(name)), count)
    other = RATES[0] if name == "lr_d" else RATES[1]
    assert MapSpec(_base(name), Axis(name, values), other).x.values == values


@pytest.mark.parametrize("value", [0.9, 0.998, 0.0])
@pytest.mark.parametrize("name", ["beta1", "beta2", "ema_decay"])
def test_the_usual_range_leaves_out_an_end_that_is_not_included(name, value):
    assert usual_range(name, GANConfig(**{name: value}))[1] == 0.999


@pytest.mark.parametrize("name", NUMBERS)
def test_the_usual_range_holds_the_value_itself(name):
    low, high = usual_range(name, _base(name))
    assert low <= getattr(_base(name), name) <= high


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("lr_g", 1e-3, (1e-4, 1e-2)),
        ("penalty_weight", 2.0, (0.5, 8.0)),
        ("penalty_weight", 0.0, (0, 1.0)),
        ("unroll_steps", 0, (0, 8)),
        ("d_steps", 2, (1, 8)),
        ("d_steps", 8, (2, 20)),
    ],
)
def test_the_usual_range_is_a_factor_around_the_value(name, value, expected):
    assert usual_range(name, GANConfig(penalty="r1", **{name: value})) == pytest.approx(expected, rel=0.01)


# Text and success


@pytest.mark.parametrize(
    ("text", "name", "values"),
    [
        ("0.001, 0.01", "lr_g", (0.001, 0.01)),
        ("1,2, 5 ,", "d_steps", (1, 2, 5)),
        ("hinge,minimax", "loss", ("hinge", "minimax")),
        ("", "lr_g", ()),
    ],
)
def test_values_are_read_from_text(text, name, values):
    assert values_of(text, name) == values


@pytest.mark.parametrize(("text", "name"), [("much", "lr_g"), ("1.5", "d_steps"), ("1;2", "lr_g")])
def test_text_that_is_no_list_of_values_is_refused_with_an_example(text, name):
    with pytest.raises(ConfigError, match=rf"{name}: .* is not a list of values\. Write for example 0\.001, 0\.01"):
        values_of(text, name)


@pytest.mark.parametrize(
    ("value", "good"),
    [
        ({"held": 8.0}, True),
        ({"held": 7.0}, False),
        ({"held": math.nan}, False),
        ({}, False),
        ({"held": 8.0, "diverged": 0}, False),
    ],
)
def test_success_is_to_hold_all_modes_without_diverging(value, good):
    assert success([value], 8) == [good]
