import numpy as np
import pytest

from gan_core import ConfigError, GANConfig, RunError, Trainer, features
from gan_core.frames import members_view
from gan_core.mapping import SHOWN
from gan_core.maps import Axis, MapSpec
from gan_core.runner import Runner
from gan_core.store import RunStore

ENOUGH = 60.0  # seconds for a tiny map to end


@pytest.fixture(scope="session")
def small(tiny):
    def make(x="lr_g", xs=(1e-3, 1e-2), y="lr_d", ys=(1e-3, 1e-2), seeds=2, **changes):
        return MapSpec(tiny(width=4, **changes), Axis(x, tuple(xs)), Axis(y, tuple(ys)), seeds)

    return make


@pytest.fixture(scope="module")
def finished(small, tmp_path_factory):
    """A map of 2 x 2 cells and 2 seeds after 20 steps: (store, row, spec)."""
    return _trained(small(), tmp_path_factory.mktemp("map"))


@pytest.fixture(scope="module")
def apart(small, tmp_path_factory):
    """The same with an axis that needs a trainer for each of its values."""
    return _trained(small(x="d_steps", xs=(1, 3)), tmp_path_factory.mktemp("apart"))


@pytest.fixture(scope="module")
def convolutions(small, tmp_path_factory):
    """A map of networks that hold one member at a time."""
    spec = small(dataset="digits", network="dcgan", seeds=1, steps=8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(features, "LEAST_STEPS", 20)
        return _trained(spec, tmp_path_factory.mktemp("convolutions"))


def _trained(spec, folder):
    store = RunStore(folder / "runs")
    runner = Runner(store, data_folder=folder / "data")
    run = runner.start_map(spec)
    assert runner.wait(run, ENOUGH)
    runner.shutdown()
    return store, store.get(run), spec


@pytest.fixture(params=["finished", "apart", "convolutions"])
def trained(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def status(store, wait_until):
    """Waits until a map has this status."""

    def wait(run, *wanted):
        return wait_until(lambda: (row := store.get(run)).status in wanted and row)

    return wait


def _rows(store, run):
    return {cell: (*row, store.cell_samples(run, cell)) for cell, row in store.cells(run).items()}


# From start to finish


def test_a_map_is_finished_with_all_its_cells(trained):
    store, row, spec = trained
    assert (row.status, row.message) == ("finished", "")
    assert store.finished_cells(row.id, spec.base.steps) == set(range(len(spec)))


def test_a_map_goes_on_where_all_of_a_trainers_members_diverge(runner, store):
    wild = GANConfig(dataset="ring8", width=8, batch_size=8, steps=400, loss="least_squares", optimizer="sgd", lr_g=1.0, lr_d=1.0)
    run = runner.start_map(MapSpec(wild, Axis("d_steps", (1, 2)), Axis("depth", (1, 2)), 1))
    assert runner.wait(run, 120)
    assert store.get(run).status == "finished"
    cells = store.cells(run)
    assert sorted(cells) == [0, 1, 2, 3]
    assert any("diverged" in value for _, value in cells.values())


def test_a_map_keeps_what_it_is(trained):
    _, row, spec = trained
    assert row.kind == "map"
    assert MapSpec.parse(row.spec) == spec


def test_a_maps_steps_are_those_of_all_its_trainers(trained):
    _, row, spec = trained
    assert row.steps == len(spec.chunks()) * spec.base.steps


def test_a_finished_map_has_taken_all_its_steps(trained):
    _, row, _ = trained
    assert row.step == row.steps


def test_a_map_says_how_long_it_trained_and_how_fast(trained):
    _, row, _ = trained
    assert row.seconds > 0
    assert row.rate > 0


def test_a_cell_has_the_numbers_that_are_shown(trained):
    store, row, _ = trained
    assert all(set(value) == set(SHOWN) for _, value in store.cells(row.id).values())


@pytest.mark.parametrize("name", ["held", "modes", "high_quality", "diversity", "sliced_wasserstein"])
def test_each_cell_equals_a_trainer_of_its_own(trained, name):
    store, row, spec = trained
    for cell, (_, value) in store.cells(row.id).items():
        alone = Trainer(spec.config(cell), data_folder=store.folder.parent / "data").train()
        expected = float(alone.measure(names=(name,))[name][0])
        assert value[name] == pytest.approx(expected, rel=1e-3, abs=1e-3)


def test_each_cells_samples_are_those_of_a_trainer_of_its_own(trained):
    store, row, spec = trained
    for cell in range(len(spec)):
        alone = Trainer(spec.config(cell), data_folder=store.folder.parent / "data").train()
        (expected,) = members_view(alone, always=True).values()
        found = np.frombuffer(store.cell_samples(row.id, cell), np.uint8).reshape(expected.shape[1:])
        assert np.abs(found.astype(int) - expected[0]).max() <= 1


def test_a_map_has_no_checkpoints_and_no_curves(finished):
    store, row, _ = finished
    assert store.checkpoint_steps(row.id) == []
    assert len(store.series(row.id, "train")[0]) == 0


def test_a_map_gets_a_name_of_its_axes(finished):
    assert finished[1].name == "map ring8: lr_g × lr_d"


def test_a_map_can_be_given_a_name(runner, store, small):
    assert store.get(runner.start_map(small(), "  Mine ")).name == "Mine"


def test_a_map_is_not_among_the_runs(finished):
    store, row, _ = finished
    assert store.runs() == []
    assert [run.id for run in store.runs(kind="map")] == [row.id]


# What diverges


@pytest.fixture(scope="module")
def partly(small, tmp_path_factory):
    """A map in two of whose cells the discriminator's rate is far too high: (store, row, spec)."""
    shared = {"optimizer": "sgd", "loss": "least_squares", "penalty": "r1", "penalty_weight": 10.0, "steps": 150}
    return _trained(small(xs=(1e-5, 1e-4), ys=(1e-5, 1.0), seeds=1, **shared), tmp_path_factory.mktemp("partly"))


def test_a_map_with_cells_that_diverge_is_finished(partly):
    store, row, spec = partly
    assert row.status == "finished"
    assert len(store.finished_cells(row.id, spec.base.steps)) == len(spec)


def test_a_cell_that_diverges_says_at_which_step_and_no_other_does(partly):
    store, row, _ = partly
    found = {cell: value["diverged"] for cell, (_, value) in store.cells(row.id).items() if "diverged" in value}
    assert found.keys() == {2, 3}
    assert all(1 <= step <= 150 for step in found.values())


def test_a_cell_that_diverges_leaves_the_others_as_they_are(partly):
    store, row, spec = partly
    for cell, (_, value) in store.cells(row.id).items():
        if "diverged" not in value:
            expected = Trainer(spec.config(cell)).train().measure(names=("diversity",))["diversity"]
            assert value["diversity"] == pytest.approx(float(expected[0]), rel=1e-3)


@pytest.fixture(scope="module", params=[10, 150])
def lost(request, small, tmp_path_factory):
    """A map of four trainers of a single member, two of which break, before and after their numbers are first looked at."""
    shared = {"optimizer": "sgd", "loss": "least_squares", "penalty": "r1", "penalty_weight": 1000.0, "lr_d": 1.0}
    spec = small("d_steps", (1, 2), "penalty", ("none", "r1"), 1, lr_g=1e-5, steps=request.param, **shared)
    return _trained(spec, tmp_path_factory.mktemp("lost"))


def test_a_trainer_all_of_whose_members_diverge_does_not_end_the_map(lost):
    store, row, spec = lost
    assert (row.status, row.step, row.message) == ("finished", row.steps, "")
    assert store.finished_cells(row.id, spec.base.steps) == set(range(4))


def test_a_cell_that_diverges_alone_says_at_which_step(lost):
    store, row, spec = lost
    found = {cell: value["diverged"] for cell, (_, value) in store.cells(row.id).items() if "diverged" in value}
    assert found.keys() == {2, 3}
    assert all(1 <= step <= 10 for step in found.values())


# Pause, stop, resume


def test_a_paused_map_stands_still_and_goes_on_when_resumed(runner, store, small, status, wait_until):
    run = runner.start_map(small(steps=1_000_000))
    wait_until(lambda: store.get(run).step > 0)
    runner.send(run, "pause")
    before = status(run, "paused").step
    runner.resume(run)
    assert wait_until(lambda: store.get(run).step > before)


def test_a_paused_map_lets_others_train(runner, store, small, tiny, status, wait_until):
    run = runner.start_map(small(steps=1_000_000))
    wait_until(lambda: store.get(run).step > 0)
    runner.send(run, "pause")
    before = status(run, "paused").step
    assert runner.wait(runner.start(tiny()), ENOUGH)
    assert store.get(run).step == before


def test_cells_are_seen_while_they_train(runner, store, small, wait_until):
    run = runner.start_map(small(steps=1_000_000))
    cells = wait_until(lambda: store.cells(run))
    assert len(cells) == 8
    assert all(step < 1_000_000 for step, _ in cells.values())
    assert store.cell_samples(run, 0) == b""


def test_a_map_resumed_by_another_runner_keeps_what_is_finished_and_does_the_rest(store, small, wait_until):
    spec = small(x="d_steps", xs=range(1, 7), seeds=1, steps=80)
    first = Runner(store)
    run = first.start_map(spec)
    wait_until(lambda: store.finished_cells(run, 80))
    first.shutdown()
    assert store.get(run).status == "interrupted"
    kept = store.finished_cells(run, 80)
    assert 0 < len(kept) < len(spec)
    store.put_cells(run, [(cell, 80, {"held": 0.5, "mark": cell}, b"mark") for cell in kept])  # no training would give this
    before = _rows(RunStore(store.folder), run)
    second = Runner(RunStore(store.folder))
    second.resume(run)
    assert second.wait(run, ENOUGH)
    second.shutdown()
    after, row = _rows(store, run), store.get(run)
    assert (row.status, row.step) == ("finished", row.steps)
    assert {cell: after[cell] for cell in kept} == {cell: before[cell] for cell in kept}
    assert store.finished_cells(run, 80) == set(range(len(spec)))


def test_a_stopped_map_can_be_resumed_to_its_end(runner, store, small, status, wait_until):
    spec = small(x="d_steps", xs=range(1, 5), seeds=1, steps=60)
    run = runner.start_map(spec)
    wait_until(lambda: store.cells(run))
    runner.send(run, "stop")
    assert runner.wait(run, ENOUGH)
    assert store.get(run).status == "stopped"
    runner.resume(run)
    assert runner.wait(run, ENOUGH)
    assert store.get(run).status == "finished"
    assert len(store.finished_cells(run, 60)) == len(spec)


def test_a_map_all_of_whose_cells_are_kept_is_finished_at_once(runner, store, small):
    """As after a crash just before its end was written down."""
    spec = small()
    run = store.create([spec.base], spec=spec.dump(), steps=20)
    store.put_cells(run, [(cell, 20, {}, b"") for cell in range(len(spec))])
    store.update(run, status="interrupted")
    runner.resume(run)
    assert runner.wait(run, ENOUGH)
    assert (store.get(run).status, store.get(run).step) == ("finished", 20)


def test_a_trainer_only_some_of_whose_cells_are_kept_begins_anew(runner, store, small):
    spec = small()
    run = store.create([spec.base], spec=spec.dump(), steps=20)
    store.put_cells(run, [(3, 20, {"held": 0.5}, b"mark")])
    store.update(run, status="interrupted")
    runner.resume(run)
    assert runner.wait(run, ENOUGH)
    assert store.finished_cells(run, 20) == set(range(8))


def test_a_finished_map_cannot_be_resumed(finished):
    store, row, _ = finished
    runner = Runner(store)
    with pytest.raises(RunError, match="is finished"):
        runner.resume(row.id)
    runner.shutdown()


def test_a_map_of_a_dead_program_is_marked_interrupted(store, small):
    spec = small()
    run = store.create([spec.base], owner="dead", spec=spec.dump(), steps=20)
    Runner(store).shutdown()
    assert store.get(run).status == "interrupted"


# Commands


def test_a_maps_settings_cannot_change_which_is_noted(runner, store, small, wait_until):
    run = runner.start_map(small(steps=1_000_000))
    wait_until(lambda: store.get(run).step > 0)
    runner.send(run, "set", {"lr_g": 0.5})
    (event,) = wait_until(lambda: store.events(run))
    assert (event["kind"], event["changes"]) == ("refused", {"lr_g": 0.5})
    assert store.get(run).status == "running"


def test_a_map_takes_no_single_steps(runner, store, small, status, wait_until):
    run = runner.start_map(small(steps=1_000_000))
    wait_until(lambda: store.get(run).step > 0)
    runner.send(run, "pause")
    before = status(run, "paused").step
    runner.send(run, "step")
    runner.send(run, "set", {"lr_g": 0.5})  # obeyed after it
    wait_until(lambda: store.events(run))
    assert (store.get(run).status, store.get(run).step) == ("paused", before)


def test_a_map_for_a_device_that_is_not_there_is_refused_before_it_is_made(runner, store, small):
    with pytest.raises(ConfigError, match="mps is not available"):
        runner.start_map(small(device="mps"))
    assert store.runs(kind=None) == []
