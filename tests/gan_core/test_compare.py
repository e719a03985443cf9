import csv
import io

import numpy as np
import pytest

from gan_core import GANConfig, RunError, RunStore
from gan_core.compare import aligned, band, cell, csv_text, differing, groups, smoothed, times
from gan_core.standings import csv_of, measures, runs_of, settings
from gan_core.store import SECONDS

# Smoothing


@pytest.mark.parametrize("weight", [0.0, 0.6, 0.99])
def test_a_constant_stays_itself_from_the_first_point_on(weight):
    assert smoothed(np.full(50, 3.5), weight) == pytest.approx(np.full(50, 3.5))


def test_a_unit_step_rises_as_the_bias_corrected_mean_does():
    b, before = 0.8, 7
    n = np.arange(1, 21)
    after = smoothed(np.repeat([0.0, 1.0], [before, 20]), b)[before:]
    assert after == pytest.approx((1 - b**n) / (1 - b ** (before + n)))


def test_long_after_it_began_a_unit_step_rises_as_1_minus_b_to_the_n():
    n = np.arange(1, 11)
    assert smoothed(np.repeat([0.0, 1.0], [2000, 10]), 0.9)[2000:] == pytest.approx(1 - 0.9**n)


def test_no_smoothing_changes_nothing():
    x = np.random.default_rng(0).normal(size=30)
    assert smoothed(x, 0.0) == pytest.approx(x)


def test_what_is_no_number_counts_for_nothing_but_takes_its_place():
    assert smoothed(np.array([1.0, np.nan, 4.0]), 0.5) == pytest.approx([1.0, np.nan, (4 + 0.25) / 1.25], nan_ok=True)
    assert np.isfinite(smoothed(np.array([np.inf, 1.0]), 0.5)[1])


@pytest.mark.parametrize("weight", [-0.1, 1.0])
def test_a_weight_that_would_not_smooth_is_refused(weight):
    with pytest.raises(ValueError, match="expected 0 to less than 1"):
        smoothed(np.ones(3), weight)


# Seeds


def test_the_band_of_two_is_their_mean_and_their_distance_over_root_two():
    a, b = np.array([1.0, 2.0]), np.array([3.0, 8.0])
    mean, low, high, count = band(np.stack([a, b]), "deviation")
    assert mean == pytest.approx([2, 5])
    assert high - mean == pytest.approx(np.abs(a - b) / np.sqrt(2))
    assert mean - low == pytest.approx(high - mean)
    assert count.tolist() == [2, 2]


def test_the_range_of_some_is_from_the_lowest_to_the_highest():
    mean, low, high, _ = band(np.array([[1.0], [5.0], [3.0]]), "range")
    assert [mean[0], low[0], high[0]] == [3, 1, 5]


@pytest.mark.parametrize("kind", ["deviation", "range"])
def test_a_seed_without_a_number_is_left_out_and_none_has_no_mean(kind):
    mean, low, high, count = band(np.array([[2.0, np.nan], [np.nan, np.nan]]), kind)
    assert [v[0] for v in (mean, low, high)] == [2, 2, 2]
    assert np.isnan([v[1] for v in (mean, low, high)]).all()
    assert count.tolist() == [1, 0]


@pytest.mark.parametrize("kind", ["deviation", "range"])
def test_a_mean_ends_where_the_first_seed_ends(kind):
    ends = band(np.array([[8.0, np.nan], [0.0, 0.0]]), kind)
    assert ends[0][0] == 4
    assert np.isnan([values[1] for values in ends[:3]]).all()
    assert ends[3].tolist() == [2, 1]


def test_a_curve_is_straight_between_its_points_and_absent_outside():
    at = aligned(np.array([0.0, 1, 2, 3, 5]), np.array([1.0, 2, 3]), np.array([10.0, np.nan, 30]))
    assert at == pytest.approx([np.nan, 10, 20, 30, np.nan], nan_ok=True)


def test_runs_that_differ_in_their_seed_alone_belong_together():
    base = GANConfig()
    configs = [base, base.but(lr_g=0.5), base.but(seed=1), base.but(lr_g=0.5, seed=9), base.but(width=8)]
    assert groups([c.model_dump() for c in configs]) == [[0, 2], [1, 3], [4]]


# Time


def test_between_two_reports_time_passes_evenly():
    seconds, guessed = times(np.array([0, 5, 10, 15]), np.array([0, 10, 20]), np.array([0.0, 2.0, 6.0]), 20, 6.0)
    assert seconds == pytest.approx([0, 1, 2, 4])
    assert not guessed


def test_without_a_record_all_steps_are_equally_long_and_it_is_said():
    seconds, guessed = times(np.array([25, 100]), np.zeros(0), np.zeros(0), 100, 8.0)
    assert (seconds.tolist(), guessed) == ([2.0, 8.0], True)


def test_a_record_that_begins_late_is_guessed_before():
    seconds, guessed = times(np.array([50, 100, 150]), np.array([100, 200]), np.array([4.0, 8.0]), 200, 8.0)
    assert seconds == pytest.approx([2, 4, 6])
    assert guessed


def test_a_fork_goes_on_from_its_parents_time():
    seconds, _ = times(np.array([10, 15, 20]), np.array([0, 10, 11, 20]), np.array([0.0, 5.0, 0.0, 9.0]), 20, 9.0)
    assert seconds == pytest.approx([5, 9, 14])


def test_what_was_reported_last_counts_where_the_record_ends_before():
    assert times(np.array([30]), np.array([0, 20]), np.array([0.0, 4.0]), 30, 7.0)[0] == pytest.approx([7])


# Tables


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_text_that_a_spreadsheet_may_run_is_only_text(text):
    assert next(csv.reader(io.StringIO(csv_text([text], []), newline=""))) == [f"'{text}"]


def test_numbers_stay_numbers_and_what_is_not_known_stays_empty():
    assert [cell(v) for v in (-1.5, 3, None, float("nan"), "a,b")] == [-1.5, 3, "", "", "a,b"]


def test_settings_that_differ_are_named_in_the_configs_order():
    base = GANConfig().model_dump()
    assert differing([base, base | {"seed": 4, "lr_g": 0.5}, base]) == [n for n in base if n in ("seed", "lr_g")]
    assert differing([base, base]) == differing([base]) == differing([]) == []


@pytest.fixture
def two(tmp_path):
    """A store with two runs, and their ids."""
    store, ids = RunStore(tmp_path / "runs"), []
    for name, config, held in (("=evil", GANConfig(seed=1), [8.0]), ("plain", GANConfig(seed=2, width=8), [float("nan")])):
        ids.append(store.create([config], name))
        store.update(ids[-1], status="finished", step=10, seconds=2.5, metrics={"held": held})
    return store, ids


def test_settings_and_measures_stand_beside_each_other(two):
    store, ids = two
    rows = runs_of(store, ids)
    apart, same = settings(rows)
    assert apart == {"width": [GANConfig().width, 8], "seed": [1, 2]}
    assert set(apart) | set(same) == set(GANConfig.model_fields)
    found = measures(rows)
    assert list(found) == ["held"]
    assert (found["held"].values, found["held"].perfect) == ([8.0, None], [8.0, 8.0])


def test_of_several_members_the_mean_of_those_that_were_measured_counts(tmp_path):
    store = RunStore(tmp_path / "runs")
    runs = [store.create([GANConfig(seed=s) for s in range(3)]) for _ in range(2)]
    store.update(runs[0], metrics={"held": [2.0, float("nan"), 6.0]})
    assert measures(runs_of(store, runs))["held"].values == [4.0, None]


def test_the_csv_file_has_a_row_a_run_and_no_formula(two):
    store, ids = two
    first, second = csv.DictReader(io.StringIO(csv_of(runs_of(store, ids)), newline=""))
    assert (first["Name"], second["Name"]) == ("'=evil", "plain")
    assert (first["Run"], first["Seed"], first["Seconds trained"], first["Modes held"]) == (ids[0], "1", "2.5", "8.0")
    assert (second["Modes held"], second["Modes held, perfect"]) == ("", "8.0")


def test_the_csv_file_names_no_path(tmp_path):
    store = RunStore(tmp_path / "runs")
    runs = [store.create([GANConfig(dataset="folder", path=f"/home/me/{k}.zip")]) for k in range(2)]
    assert "/home/me" not in csv_of(runs_of(store, runs))


@pytest.mark.parametrize("ids", [[], ["one"], ["none"] * 9, ["one", "one"], ["one", "none"], ["one", "map"]])
def test_what_cannot_be_compared_is_refused_with_a_sentence(tmp_path, ids):
    store = RunStore(tmp_path / "runs")
    known = {"one": store.create([GANConfig()]), "map": store.create([GANConfig()], spec={}, steps=10), "none": "nowhere"}
    with pytest.raises(RunError):
        runs_of(store, [known[name] for name in ids])


def test_a_run_notes_how_long_it_has_trained_with_each_report(tmp_path):
    from gan_core import Runner

    runner = Runner(RunStore(tmp_path / "runs"))
    run = runner.start([GANConfig(width=8, batch_size=8, steps=20, seed=s) for s in range(2)])
    runner.wait(run, 60)
    steps, seconds = runner.store.series(run, SECONDS, members=2)
    row = runner.store.get(run)
    assert (steps[0], steps[-1], seconds.shape[1:]) == (0, 20, (1, 2))
    assert seconds[[0, -1], 0, 1] == pytest.approx([0, row.seconds])
    runner.shutdown()
