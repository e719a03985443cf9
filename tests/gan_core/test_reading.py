import numpy as np
import pytest

from gan_core import GANConfig, diagnose, features
from gan_core.data import load
from gan_core.features import judge_of
from gan_core.members import STATS
from gan_core.metrics import TALLIES, chosen, floors, is_judged, samples_for, shares
from gan_core.reading import broken_term, history, kinds_of, read_history
from gan_core.runner import Runner
from gan_core.schema import metric_series
from gan_core.store import RunStore

RING = load("ring8")
DIGITS = load("digits")


@pytest.fixture(scope="module")
def trained(tiny, tmp_path_factory):
    """A finished run of three members: (store, row)."""
    store = RunStore(tmp_path_factory.mktemp("trained"))
    runner = Runner(store)
    run = runner.start([tiny(seed=seed) for seed in range(3)])
    runner.wait(run, 30)
    runner.shutdown()
    return store, store.get(run)


def _series(at=(), tallied=(), data=RING, n=5):
    """Series of two members: statistics of n steps, metrics at some, samples of modes at others. A value tells its place."""
    rows = {"train": (np.arange(1, n + 1), np.arange(n * len(STATS) * 2, dtype=float).reshape(n, len(STATS), 2))}
    for k, name in enumerate(chosen(data)):
        values = np.array([[[100 * k + step, 100 * k + step + 0.5]] for step in at]).reshape(len(at), 1, 2)
        rows[metric_series(name)] = (np.array(at, int), values)
    for name in TALLIES:
        modes = len(data.centres) if data.centres is not None else 10
        values = np.array([np.full((modes, 2), float(step)) for step in tallied]).reshape(len(tallied), modes, 2)
        rows[name] = (np.array(tallied, int), values)
    return rows


# From a store


@pytest.mark.parametrize("member", [0, 2])
def test_statistics_are_those_that_the_store_keeps(trained, member):
    store, run = trained
    steps, values = store.series(run.id, "train", members=3)
    found = read_history(store, run, RING, member=member)
    np.testing.assert_array_equal(found.steps, steps)
    assert list(found.train) == list(STATS)
    np.testing.assert_array_equal(np.stack(list(found.train.values()), 1), values[:, :, member])


@pytest.mark.parametrize("member", [0, 2])
def test_metrics_are_those_that_the_store_keeps(trained, member):
    store, run = trained
    found = read_history(store, run, RING, member=member)
    assert list(found.metrics) == chosen(RING)
    for name, values in found.metrics.items():
        steps, rows = store.series(run.id, metric_series(name), members=3)
        np.testing.assert_array_equal(found.at, steps)
        np.testing.assert_array_equal(values, rows[:, 0, member])


@pytest.mark.parametrize("name", TALLIES)
def test_samples_of_modes_are_those_that_the_store_keeps(trained, name):
    store, run = trained
    found = read_history(store, run, RING, member=1)
    np.testing.assert_array_equal(getattr(found, name), store.series(run.id, name, members=3)[1][:, :, 1])


def test_a_history_has_the_config_of_its_member(trained):
    store, run = trained
    assert read_history(store, run, RING, member=2).config.seed == 2


def test_a_history_has_the_shares_and_floors_of_the_data(trained):
    store, run = trained
    found = read_history(store, run, RING)
    np.testing.assert_array_equal(found.share, shares(RING))
    assert found.floors == floors(RING, samples_for(RING))


def test_a_history_of_a_run_can_be_judged(trained):
    store, run = trained
    assert diagnose(read_history(store, run, RING)).name == "learning"


def test_a_run_that_has_only_been_created_has_an_empty_history(store, tiny):
    found = read_history(store, store.get(store.create([tiny()])), RING)
    assert (len(found.steps), len(found.at), found.train, found.metrics, found.nearest) == (0, 0, {}, {}, None)


def test_there_is_no_history_where_there_is_no_game(store, tiny):
    run = store.create([GANConfig(dataset="digits", network="pixelcnn", levels=2, width=8)])
    assert read_history(store, store.get(run), DIGITS) is None


# The statistic that broke


def test_what_broke_a_run_is_read_from_its_events(store, tiny):
    run = store.create([tiny()])
    store.add_event(run, 3, "failed", message="", term="loss_d")
    store.add_event(run, 9, "failed", message="", term="grad_g")
    store.update(run, status="failed")
    assert broken_term(store, store.get(run)) == "grad_g"


@pytest.mark.parametrize("status", ["running", "stopped", "finished"])
def test_a_run_that_was_mended_is_not_broken(store, tiny, status):
    run = store.create([tiny()])
    store.add_event(run, 3, "failed", message="", term="loss_d")
    store.update(run, status=status)
    assert broken_term(store, store.get(run)) == ""


def test_a_run_that_failed_for_another_reason_is_not_broken(store, tiny):
    run = store.create([tiny()])
    store.add_event(run, 3, "failed", message="")
    store.update(run, status="failed")
    assert broken_term(store, store.get(run)) == ""


def test_a_diverged_run_is_read_as_broken(runner, store, tiny):
    run = runner.start(tiny(loss="least_squares", optimizer="sgd", lr_g=1.0, lr_d=1.0, steps=5000))
    runner.wait(run, 30)
    assert diagnose(read_history(store, store.get(run), RING)).name == "diverged"


# From series


def test_the_series_of_points_are_statistics_samples_and_metrics():
    assert kinds_of(RING) == ["train", *TALLIES, *(metric_series(name) for name in chosen(RING))]


@pytest.mark.parametrize("member", [0, 1])
def test_values_are_of_the_member_that_was_asked_for(member):
    found = history(GANConfig(), _series([2, 4], [2, 4]), RING, member=member)
    assert found.metrics[chosen(RING)[1]].tolist() == [102 + member / 2, 104 + member / 2]
    assert found.train["real_logit"].tolist() == [14 * k + member for k in range(5)]


def test_a_history_stands_at_the_measurements_that_counted_modes():
    """A judge that has to learn first counts none at the beginning."""
    found = history(GANConfig(dataset="digits"), _series([1, 2, 3, 4], [3, 4], DIGITS), DIGITS)
    assert found.at.tolist() == [3, 4]
    assert found.metrics[chosen(DIGITS)[0]].tolist() == [3, 4]
    assert found.nearest[:, 0].tolist() == [3, 4]


def test_a_metric_that_was_not_measured_then_is_missing_there():
    series = _series([2, 4], [2, 4])
    name = chosen(RING)[0]
    series[metric_series(name)] = (np.array([4]), series[metric_series(name)][1][1:])
    found = history(GANConfig(), series, RING).metrics[name]
    assert np.isnan(found[0])
    assert found[1] == 4


def test_a_metric_that_was_never_measured_is_left_out():
    series = _series([2, 4], [2, 4])
    name = chosen(RING)[0]
    series[metric_series(name)] = (np.zeros(0, int), np.zeros((0, 0, 2)))
    assert list(history(GANConfig(), series, RING).metrics) == chosen(RING)[1:]


@pytest.mark.parametrize("before", [(), (4,)])
def test_a_report_that_came_between_two_reads_waits_for_the_next_look(before):
    early, late = (_series(at=(4, 5), tallied=tallied) for tallied in (before, (4, 5)))
    found = history(GANConfig(), {**late, TALLIES[0]: early[TALLIES[0]]}, RING)
    assert tuple(found.at) == (before or (4, 5))
    assert [0 if rows is None else len(rows) for rows in (found.counts, found.nearest)] == [len(before)] * 2


def test_before_modes_are_counted_the_measurements_stand():
    found = history(GANConfig(dataset="digits"), _series([1, 2], [], DIGITS), DIGITS)
    assert found.at.tolist() == [1, 2]
    assert (found.counts, found.nearest, found.share) == (None, None, None)


def test_a_judge_that_is_ready_gives_the_floors_of_classes(monkeypatch, tmp_path):
    monkeypatch.setattr(features, "LEAST_STEPS", 20)
    judge = judge_of(GANConfig(dataset="digits").source, tmp_path).learn()
    assert is_judged(DIGITS)
    assert "high_quality" in history(GANConfig(dataset="digits"), _series([1], [1], DIGITS), DIGITS, judge).floors


def test_without_a_judge_there_are_no_floors_of_classes():
    assert "high_quality" not in history(GANConfig(dataset="digits"), _series([1], [], DIGITS), DIGITS).floors
