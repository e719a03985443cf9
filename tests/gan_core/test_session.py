import numpy as np
import pytest

from gan_core import Runner, RunStore, Trainer, features
from gan_core.data import load
from gan_core.features import Judge
from gan_core.metrics import TALLIES, chosen
from gan_core.schema import metric_series
from gan_core.session import COUNTED_MODES, Pacer


def test_a_pacer_is_due_at_once():
    assert Pacer(0.02, 0.4).due(0.0)


@pytest.mark.parametrize(("later", "due"), [(0.39, False), (0.41, True)])
def test_a_cheap_activity_comes_at_most_so_often(later, due):
    pacer = Pacer(0.02, 0.4)
    pacer.used(10.0, 10.001)
    assert pacer.due(10.001 + later) == due


@pytest.mark.parametrize(("later", "due"), [(99.0, False), (101.0, True)])
def test_a_dear_activity_waits_until_it_is_paid(later, due):
    """One second at a share of one per cent takes a hundred."""
    pacer = Pacer(0.01, 0.4)
    pacer.used(0.0, 1.0)
    pacer.used(10.0, 11.0)
    assert pacer.due(11.0 + later) == due


def test_the_first_time_is_not_counted():
    """It also pays for imports and caches."""
    pacer = Pacer(0.01, 0.4)
    pacer.used(10.0, 15.0)
    assert pacer.due(15.5)


def test_one_slow_time_among_cheap_ones_is_forgiven():
    pacer = Pacer(0.01, 0.4)
    pacer.used(0.0, 0.001)
    pacer.used(10.0, 15.0)
    assert pacer.due(15.5)


@pytest.mark.parametrize("cost", [0.001, 0.02, 0.5, 3.0])
def test_an_activity_of_steady_cost_keeps_its_share(cost):
    pacer, now, times = Pacer(0.05, 0.1), 0.0, 100
    pacer.used(now, now + cost)
    begun = now = now + cost
    for _ in range(times):
        while not pacer.due(now):
            now += 0.01
        pacer.used(now, now + cost)
        now += cost
    assert times * cost / (now - begun) < 0.05 * times / (times - 1)


# Lessons of a judge, and series of metrics


@pytest.fixture(scope="module")
def taught(endless, wait_until, tmp_path_factory):
    """A run of two members on digits, from before its judge has learnt until after: (store, run)."""
    folder = tmp_path_factory.mktemp("taught")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(features, "LEAST_STEPS", 20)
        store = RunStore(folder / "runs")
        runner = Runner(store, data_folder=folder / "data")
        run = runner.start([endless.but(dataset="digits", seed=seed) for seed in range(2)])
        wait_until(lambda: len(store.series(run, "counts", members=2)[0]))
        runner.shutdown()
    return store, run


def test_a_judge_learns_while_the_run_trains(taught):
    store, run = taught
    held = store.series(run, metric_series("held"), members=2)[1]
    assert np.isnan(held[0]).all()
    assert np.isfinite(held[-1]).all()


def test_what_needs_no_judge_is_measured_from_the_beginning(taught):
    store, run = taught
    steps, values = store.series(run, metric_series("diversity"), members=2)
    assert steps[0] == 0
    assert np.isfinite(values).all()


@pytest.mark.parametrize("name", TALLIES)
def test_classes_are_counted_from_when_the_judge_is_ready(taught, name):
    store, run = taught
    steps, values = store.series(run, name, members=2)
    all_steps = store.series(run, metric_series("held"), members=2)[0]
    assert set(steps) < set(all_steps)
    assert values.shape[1:] == (10, 2)


def test_every_metric_is_measured_at_the_same_steps(taught):
    store, run = taught
    steps = [store.series(run, metric_series(name), members=2)[0].tolist() for name in chosen(load("digits"))]
    assert all(each == steps[0] for each in steps)


def test_the_latest_metrics_are_a_number_for_each_member(taught):
    store, run = taught
    metrics = store.get(run).metrics
    assert list(metrics) == chosen(load("digits"))
    assert {len(values) for values in metrics.values()} == {2}


@pytest.mark.parametrize(("most", "kept"), [(COUNTED_MODES, True), (8, True), (7, False)])
def test_samples_of_very_many_modes_are_not_kept(runner, store, tiny, monkeypatch, most, kept):
    monkeypatch.setattr("gan_core.session.COUNTED_MODES", most)
    run = runner.start(tiny())
    assert runner.wait(run, 30)
    assert (len(store.series(run, "nearest")[0]) > 0) == kept


# What a kill would take


def test_curves_are_written_down_before_a_measurement(runner, store, tiny, monkeypatch):
    """Which may take seconds."""
    measure, seen = Trainer.measure, []

    def look(trainer, *args):
        steps = store.series(run, "train")[0] if trainer.step_count else [0]
        seen.append((trainer.step_count, int(steps[-1])))
        return measure(trainer, *args)

    monkeypatch.setattr(Trainer, "measure", look)
    run = runner.start(tiny(), paused=True)
    runner.send(run, "resume")
    assert runner.wait(run, 30)
    assert [step for step, _ in seen][-1] == 20
    assert all(step == known for step, known in seen)


def test_curves_are_written_down_before_a_judge_learns_to_its_end(tmp_path, store, tiny, monkeypatch):
    learn, seen = Judge.learn, []

    def look(judge, progress=None):
        seen.append(int(store.series(run, "train")[0][-1]))
        return learn(judge, progress)

    monkeypatch.setattr(features, "LEAST_STEPS", 20)
    monkeypatch.setattr(Judge, "learn", look)
    runner = Runner(store, data_folder=tmp_path / "data")
    run = runner.start(tiny(dataset="digits", steps=3))
    assert runner.wait(run, 60)
    runner.shutdown()
    assert seen[0] == 3
