"""The film of a run, and runs that go on from a kept step of another one."""

import numpy as np
import pytest
import torch

from gan_core import ConfigError, RunError, Trainer
from gan_core.film import FRAMES
from gan_core.frames import unpack
from gan_core.maps import Axis, MapSpec
from gan_core.schema import metric_series

ENOUGH = 30.0


@pytest.fixture
def finished(runner, tiny):
    """A finished run of 60 steps, with checkpoints at both ends."""
    run = runner.start(tiny(steps=60))
    assert runner.wait(run, ENOUGH)
    return run


def _weights(store, run):
    return store.load_checkpoint(run)["tensors"]


def _equal(one, two):
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def _row(value):
    return np.full((1, 1), value, np.float32)


# Films


def test_a_film_has_the_first_steps_and_the_last(store, finished):
    steps = store.film_steps(finished)
    assert set(steps) >= {0, 1, 2, 4, 8, 16, 32, 60}


def test_a_film_leaves_out_the_data(store, finished):
    for step, picture in store.film(finished):
        header, arrays = unpack(picture)
        assert header["step"] == step
        assert "fake" in arrays
        assert "real" not in arrays


def test_a_film_of_images(runner, store, tiny):
    run = runner.start(tiny(dataset="digits"))
    runner.wait(run, ENOUGH)
    assert bytes(unpack(store.film(run)[-1][1])[1]["png"]).startswith(b"\x89PNG")


def test_many_members_have_no_film(runner, store, tiny):
    run = runner.start([tiny(seed=0), tiny(seed=1)])
    runner.wait(run, ENOUGH)
    assert store.film_steps(run) == []


def test_a_film_never_grows_beyond_its_limit(store, tiny):
    run = store.create([tiny()])
    for step in range(0, 1000, 10):
        film = [(step + k, b"picture") for k in range(10)]
        store.report(run, step=step, rate=0, seconds=0, series={}, film=film)
    steps = store.film_steps(run)
    assert len(steps) == FRAMES
    assert (steps[0], steps[-1]) == (0, 999)


def test_only_later_pictures_are_given(store, finished):
    assert [step for step, _ in store.film(finished, after=16)] == [s for s in store.film_steps(finished) if s > 16]


def test_what_is_made_anew_leaves_the_film(store, finished):
    store.drop_series_after(finished, 8)
    assert store.film_steps(finished)[-1] == 8


def test_a_film_goes_with_its_run(store, finished):
    store.delete(finished)
    assert store.film(finished) == []


# Forks


def test_a_fork_from_the_beginning_without_changes_is_the_run_once_more(runner, store, finished):
    fork = runner.fork(finished, 0)
    runner.resume(fork)
    runner.wait(fork, ENOUGH)
    assert _equal(_weights(store, fork), _weights(store, finished))


def test_a_fork_from_the_end_goes_on_as_a_longer_run_would(runner, store, finished, tiny):
    fork = runner.fork(finished)
    assert store.get(fork).steps == 120
    runner.resume(fork)
    runner.wait(fork, ENOUGH)
    assert _equal(_weights(store, fork), Trainer(tiny(steps=120)).train().state_dict()["tensors"])


def test_the_run_that_is_forked_stays_as_it_is(runner, store, finished):
    before = store.get(finished), _weights(store, finished), store.checkpoint_steps(finished)
    fork = runner.fork(finished, 0, {"lr_g": 0.5})
    runner.resume(fork)
    runner.wait(fork, ENOUGH)
    assert store.get(finished) == before[0]
    assert _equal(_weights(store, finished), before[1])
    assert store.checkpoint_steps(finished) == before[2]


def test_a_fork_knows_where_it_comes_from(runner, store, finished):
    row = store.get(runner.fork(finished, 0, name="another way"))
    assert (row.parent, row.parent_step, row.name, row.status, row.step) == (finished, 0, "another way", "stopped", 0)


def test_changes_act_from_the_fork_on(runner, store, finished, tiny):
    fork = runner.fork(finished, 60, {"lr_d": 0.05, "steps": 80})
    runner.resume(fork)
    runner.wait(fork, ENOUGH)
    trainer = Trainer(tiny(steps=80)).train(60)
    trainer.set_value("lr_d", 0.05)
    assert _equal(_weights(store, fork), trainer.train(20).state_dict()["tensors"])


def test_a_fork_begins_with_the_history_up_to_there(store, tiny):
    run = store.create([tiny()])
    for step in (10, 20, 30):
        rows = {"train": [(step, np.full((7, 1), step, np.float32))], metric_series("modes"): [(step, _row(step))]}
        store.report(run, step=step, rate=0, seconds=0, series=rows, film=[(step, b"picture %d" % step)])
        store.add_event(run, step, "set", name="lr_g", before=1, value=step)
    store.save_checkpoint(run, Trainer(tiny()).train(20).state_dict())
    fork = store.fork(run, store.load_checkpoint(run, 20), [tiny()], "fork")
    assert store.series(fork, "train")[0].tolist() == [10, 20]
    assert store.film(fork) == [(10, b"picture 10"), (20, b"picture 20")]
    assert [event["value"] for event in store.events(fork)] == [10, 20]
    assert store.get(fork).metrics == {"modes": [20.0]}


def test_a_fork_outlives_the_run_it_comes_from(runner, store, finished):
    fork = runner.fork(finished, 60)
    store.delete(finished)
    runner.resume(fork)
    runner.wait(fork, ENOUGH)
    assert store.get(fork).status == "finished"
    assert store.series(fork, "train")[0].tolist() == list(range(1, 121))


def test_members_are_forked_together(runner, store, tiny):
    run = runner.start([tiny(seed=0), tiny(seed=1)])
    runner.wait(run, ENOUGH)
    fork = runner.fork(run, changes={"steps": 30})
    runner.resume(fork)
    runner.wait(fork, ENOUGH)
    expected = Trainer([tiny(seed=0, steps=30), tiny(seed=1, steps=30)], tolerant=True).train()
    assert _equal(_weights(store, fork), expected.state_dict()["tensors"])


@pytest.mark.parametrize(
    ("step", "changes", "error", "words"),
    [
        (17, {}, RunError, "no checkpoint at step 17. Kept are: 0, 60"),
        (60, {"steps": 60}, ConfigError, "steps = 60 is over at step 60"),
        (60, {"width": 16}, ConfigError, "width cannot be changed"),
        (60, {"lr_g": -1}, ConfigError, "lr_g"),
        (60, {"nonsense": 1}, ConfigError, "nonsense cannot be changed"),
    ],
)
def test_what_cannot_be_forked_is_said_and_leaves_nothing(runner, store, finished, step, changes, error, words):
    with pytest.raises(error, match=words):
        runner.fork(finished, step, changes)
    assert [run.id for run in store.runs()] == [finished]
    assert [path.name for path in store.folder.iterdir() if path.is_dir() and path.name != "owners"] == [finished]


def test_a_run_that_has_no_checkpoint_yet_cannot_be_forked(runner, store, tiny):
    with pytest.raises(RunError, match="no checkpoint yet"):
        runner.fork(store.create([tiny()]))


def test_a_map_cannot_be_forked(runner, store, tiny):
    spec = MapSpec(tiny(), Axis("lr_g", (1e-3, 1e-2)), Axis("lr_d", (1e-3, 1e-2)), 1)
    with pytest.raises(RunError, match="is a map"):
        runner.fork(store.create([spec.base], spec=spec.dump()))
