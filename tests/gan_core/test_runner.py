import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import gan_core
from gan_core import ConfigError, RunError, Runner, RunStore, Trainer
from gan_core.data import load
from gan_core.members import STATS
from gan_core.metrics import chosen
from gan_core.runner import COMMANDS, KEPT
from gan_core.schema import metric_series
from gan_core.store import ENDED, LIVE

ENOUGH = 30.0  # seconds for a tiny run to end


@pytest.fixture
def stop(runner, store):
    """Stops a run and waits until nobody holds it any more."""

    def end(run):
        runner.send(run, "stop")
        assert runner.wait(run, ENOUGH)
        return store.get(run)

    return end


def _step(runner, store, wait_until, run):
    before = store.get(run).step
    runner.send(run, "step")
    wait_until(lambda: store.get(run).step > before)


def _networks_equal(state, trainer):
    expected = trainer.state_dict()["tensors"]
    return state["tensors"].keys() == expected.keys() and all(torch.equal(state["tensors"][n], expected[n]) for n in expected)


def test_a_change_of_status_is_awaited(runner, store, endless, under_way):
    run = runner.start(endless)
    under_way(run)
    runner.send(run, "pause")
    runner.await_change(run, "running", ENOUGH)
    assert store.get(run).status == "paused"


def test_a_change_that_does_not_come_is_not_awaited_for_ever(runner, store, paused):
    runner.await_change(paused, "paused", 0.05)
    assert store.get(paused).status == "paused"


def test_what_was_changed_outlives_a_kill(runner, store, endless, under_way, wait_until, tmp_path):
    """The checkpoint after a change is the one that a killed run is taken up from."""
    run = runner.start(endless)
    under_way(run, 5)
    runner.send(run, "set", {"lr_g": 0.5})
    wait_until(lambda: any(e["kind"] == "set" for e in store.events(run)))
    wait_until(lambda: store.load_checkpoint(run)["configs"][0]["lr_g"] == 0.5)
    assert store.checkpoint_steps(run)[-1] >= store.events(run)[-1]["step"]


# From start to finish


def test_a_run_is_finished_after_its_last_step(runner, store, tiny):
    run = runner.start(tiny(steps=30))
    assert runner.wait(run, ENOUGH)
    row = store.get(run)
    assert (row.status, row.step, row.message) == ("finished", 30, "")


def test_a_finished_runs_weights_are_those_of_a_trainer(runner, store, tiny):
    run = runner.start(tiny(steps=30))
    runner.wait(run, ENOUGH)
    assert _networks_equal(store.load_checkpoint(run), Trainer(tiny(steps=30)).train())


def test_a_finished_runs_curves_are_those_of_a_trainer(runner, store, tiny):
    run = runner.start(tiny(steps=30))
    runner.wait(run, ENOUGH)
    steps, values = store.series(run, "train")
    history = Trainer(tiny(steps=30)).train().history
    assert steps.tolist() == [step for step, _ in history]
    assert values.tobytes() == b"".join(row.tobytes() for _, row in history)


def test_a_run_of_members_keeps_a_curve_for_each(runner, store, tiny):
    run = runner.start([tiny(seed=0), tiny(seed=1), tiny(seed=2)])
    runner.wait(run, ENOUGH)
    assert store.series(run, "train", members=3)[1].shape == (20, len(STATS), 3)


def test_a_finished_run_has_metrics(runner, store, tiny):
    run = runner.start(tiny())
    runner.wait(run, ENOUGH)
    assert list(store.get(run).metrics) == chosen(load("ring8"))


def test_each_metric_of_a_run_is_a_series_of_its_own(runner, store, tiny):
    run = runner.start([tiny(seed=0), tiny(seed=1)])
    runner.wait(run, ENOUGH)
    for name, values in store.get(run).metrics.items():
        steps, rows = store.series(run, metric_series(name), members=2)
        assert steps[-1] == 20
        assert rows.shape == (len(steps), 1, 2)
        np.testing.assert_array_equal(rows[-1, 0], np.float32(values))


def test_the_samples_of_each_mode_are_kept(runner, store, tiny):
    run = runner.start([tiny(seed=0), tiny(seed=1)])
    runner.wait(run, ENOUGH)
    _, nearest = store.series(run, "nearest", members=2)
    assert nearest.shape[1:] == (8, 2)
    assert (nearest.sum(1) == 2500).all()  # each sample is nearest to one mode


def test_a_finished_run_has_a_picture_of_its_last_step(runner, store, tiny):
    run = runner.start(tiny())
    runner.wait(run, ENOUGH)
    assert store.frame(run, after=19) is not None


def test_a_running_run_keeps_checkpoints_from_its_beginning(runner, store, endless, under_way):
    run = runner.start(endless)
    under_way(run)
    assert store.checkpoint_steps(run)[0] == 0


def test_the_first_picture_is_there_before_the_first_step_is_needed(runner, store, endless, wait_until):
    run = runner.start(endless)
    assert wait_until(lambda: store.frame(run))


# Pause, resume, step


def test_a_paused_run_stands_still(runner, store, endless, tiny, status, under_way):
    run = runner.start(endless)
    under_way(run)
    runner.send(run, "pause")
    before = status(run, "paused").step
    other = runner.start(tiny(steps=30))
    assert runner.wait(other, ENOUGH)
    assert store.get(run).step == before


def test_a_paused_run_goes_on_when_resumed(runner, store, endless, status, under_way):
    run = runner.start(endless)
    under_way(run)
    runner.send(run, "pause")
    before = status(run, "paused").step
    runner.resume(run)
    assert under_way(run, before)


def test_a_run_started_paused_takes_no_step(store, paused, runner, tiny):
    runner.wait(runner.start(tiny()), ENOUGH)
    assert (store.get(paused).status, store.get(paused).step) == ("paused", 0)


def test_step_adds_exactly_one(runner, store, paused, wait_until, tiny):
    for expected in (1, 2, 3):
        _step(runner, store, wait_until, paused)
        assert store.get(paused).step == expected
    runner.wait(runner.start(tiny()), ENOUGH)
    assert (store.get(paused).status, store.get(paused).step) == ("paused", 3)


def test_steps_taken_one_by_one_equal_an_unbroken_run(runner, store, paused, endless, wait_until, stop):
    for _ in range(5):
        _step(runner, store, wait_until, paused)
    stop(paused)
    assert _networks_equal(store.load_checkpoint(paused), Trainer(endless).train(5))


def test_stepping_to_the_end_finishes_the_run(runner, store, tiny, status):
    run = runner.start(tiny(steps=1), paused=True)
    status(run, "paused")
    runner.send(run, "step")
    assert status(run, "finished").step == 1


# Stop and resume


def test_a_stopped_run_keeps_a_checkpoint_of_its_last_step(runner, store, endless, under_way, stop):
    run = runner.start(endless)
    under_way(run)
    step = stop(run).step
    assert store.checkpoint_steps(run)[-1] == step


class Watched(RunStore):
    """A store that notes what a run was called whenever a checkpoint was about to be kept."""

    def __init__(self, folder):
        self.seen = []
        super().__init__(folder)

    def save_checkpoint(self, run, state):
        self.seen.append(self.get(run).status)
        super().save_checkpoint(run, state)


@pytest.mark.parametrize("end", ["finished", "stopped", "interrupted"])
def test_a_run_is_called_ended_only_when_its_last_checkpoint_is_kept(tmp_path, tiny, endless, wait_until, end):
    """Else who takes it up at once, or a crash in between, goes back to an older one."""
    store = Watched(tmp_path / "runs")
    runner = Runner(store)
    run = runner.start(tiny() if end == "finished" else endless)
    wait_until(lambda: store.get(run).step)
    if end == "stopped":
        runner.send(run, "stop")
    if end != "interrupted":
        runner.wait(run, ENOUGH)
    runner.shutdown()
    assert store.get(run).status == end
    assert not set(store.seen) & set(ENDED)


def test_stopped_and_resumed_twice_equals_an_unbroken_run(runner, store, endless, under_way, stop):
    run = runner.start(endless)
    step = 0
    for _ in range(3):
        under_way(run, step)
        step = stop(run).step
        runner.resume(run)
    under_way(run, step)
    assert _networks_equal(store.load_checkpoint(run, step), Trainer(endless).train(step))


def test_a_stopped_run_resumed_to_its_end_equals_an_unbroken_run(runner, store, tiny, wait_until, status, stop):
    config = tiny(steps=60)
    run = runner.start(config, paused=True)
    status(run, "paused")
    for _ in range(3):
        _step(runner, store, wait_until, run)
    stop(run)
    runner.resume(run)
    assert runner.wait(run, ENOUGH)
    assert _networks_equal(store.load_checkpoint(run), Trainer(config).train())


def test_curves_of_a_resumed_run_have_neither_holes_nor_doubles(runner, store, tiny, wait_until, status, stop):
    run = runner.start(tiny(steps=60), paused=True)
    status(run, "paused")
    for _ in range(3):
        _step(runner, store, wait_until, run)
    stop(run)
    runner.resume(run)
    assert runner.wait(run, ENOUGH)
    assert store.series(run, "train")[0].tolist() == list(range(1, 61))


def test_a_run_resumed_from_an_earlier_checkpoint_makes_the_lost_points_again(runner, store, tiny, wait_until, status, stop):
    """As after a crash: the curves had gone further than the last whole checkpoint."""
    run = runner.start(tiny(steps=60), paused=True)
    status(run, "paused")
    for _ in range(3):
        _step(runner, store, wait_until, run)
    stop(run)
    store.checkpoint_path(run, 3).write_bytes(b"cut")
    runner.resume(run)
    assert runner.wait(run, ENOUGH)
    assert store.series(run, "train")[0].tolist() == list(range(1, 61))


def test_curves_never_go_further_than_the_run(runner, store, endless, under_way, stop):
    """Taken up from an earlier checkpoint, a run forgets the points that came later."""
    run = runner.start(endless)
    under_way(run, 300)
    stop(run)
    for step in store.checkpoint_steps(run)[1:]:
        store.checkpoint_path(run, step).write_bytes(b"cut")
    runner.resume(run)
    row = stop(run)
    assert store.series(run, "train")[0].max(initial=0) <= row.step


def test_a_run_stopped_in_the_queue_can_be_resumed(runner, store, tiny, paused, status, endless, under_way, stop):
    first = runner.start(endless)
    under_way(first)
    second = runner.start(tiny())
    stop(second)
    runner.send(first, "stop")
    runner.resume(second)
    assert status(second, "finished").step == 20


# Values


def test_a_value_set_while_running_is_noted(runner, store, endless, under_way, wait_until):
    run = runner.start(endless)
    under_way(run)
    runner.send(run, "set", {"lr_g": 0.002})
    event = wait_until(lambda: store.events(run))[0]
    assert (event["kind"], event["name"], event["before"], event["value"]) == ("set", "lr_g", endless.lr_g, 0.002)


def test_a_value_set_while_running_is_in_the_config(runner, store, endless, under_way, wait_until):
    run = runner.start(endless)
    under_way(run)
    runner.send(run, "set", {"lr_g": 0.002})
    wait_until(lambda: store.get(run).config.lr_g == 0.002)


def test_a_value_set_in_a_pause_acts_exactly_from_there(runner, store, paused, endless, wait_until, stop):
    _step(runner, store, wait_until, paused)
    runner.send(paused, "set", {"lr_g": 0.002})
    _step(runner, store, wait_until, paused)
    stop(paused)
    expected = Trainer(endless).train(1)
    expected.set_value("lr_g", 0.002)
    assert _networks_equal(store.load_checkpoint(paused), expected.train(1))


def test_a_value_set_before_the_first_step_is_obeyed(runner, store, paused, wait_until):
    runner.send(paused, "set", {"lr_g": 0.002})
    _step(runner, store, wait_until, paused)
    assert store.get(paused).config.lr_g == 0.002


def test_a_value_changed_with_resume_acts_from_the_checkpoint(runner, store, paused, endless, wait_until, under_way, stop):
    _step(runner, store, wait_until, paused)
    stop(paused)
    runner.resume(paused, {"lr_g": 0.002})
    under_way(paused, 1)
    step = stop(paused).step
    expected = Trainer(endless).train(1)
    expected.set_value("lr_g", 0.002)
    assert _networks_equal(store.load_checkpoint(paused), expected.train(step - 1))


def test_a_value_out_of_range_is_refused_at_once(runner, paused):
    with pytest.raises(ConfigError, match="lr_g = 7"):
        runner.send(paused, "set", {"lr_g": 7})


@pytest.mark.parametrize("name", ["width", "seed", "nonsense"])
def test_a_value_that_cannot_change_is_refused_at_once(runner, paused, name):
    with pytest.raises(ConfigError, match=f"{name} cannot be changed"):
        runner.send(paused, "set", {name: 3})


def test_changes_that_only_fit_together_are_taken_together(runner, store, paused, wait_until):
    runner.send(paused, "set", {"label_smoothing": 0.1})
    wait_until(lambda: store.get(paused).config.label_smoothing == 0.1)
    runner.send(paused, "set", {"loss": "hinge", "label_smoothing": 0.0})
    wait_until(lambda: store.get(paused).config.loss == "hinge")


def test_a_change_that_another_has_made_impossible_is_refused_and_the_run_goes_on(runner, store, paused, wait_until):
    for value in ({"label_smoothing": 0.1}, {"loss": "hinge"}):  # as two tabs may send them at once
        store.add_command(paused, "set", value)
    event = wait_until(lambda: [e for e in store.events(paused) if e["kind"] == "refused"])[0]
    assert "label_smoothing" in event["message"]
    assert (store.get(paused).status, store.get(paused).config.loss) == ("paused", "nonsaturating")


def test_resume_refuses_changes_that_do_not_fit_together(runner, store, paused, stop):
    stop(paused)
    with pytest.raises(ConfigError, match="penalty = clip"):
        runner.resume(paused, {"penalty": "clip", "penalty_weight": 0.0})
    assert store.get(paused).status == "stopped"


# Queue


def test_a_second_run_waits_while_the_slot_is_taken(runner, store, endless, under_way):
    first = runner.start(endless)
    under_way(first)
    second = runner.start(endless)
    under_way(first, store.get(first).step)
    assert (store.get(second).status, store.get(second).step) == ("queued", 0)


def test_a_second_run_starts_when_the_first_pauses(runner, endless, under_way):
    first = runner.start(endless)
    under_way(first)
    second = runner.start(endless)
    runner.send(first, "pause")
    assert under_way(second)


def test_a_resumed_run_waits_while_the_slot_is_taken(runner, store, endless, under_way, status):
    first = runner.start(endless)
    under_way(first)
    second = runner.start(endless)
    runner.send(first, "pause")
    step = status(first, "paused").step
    under_way(second)
    runner.resume(first)
    status(first, "queued")
    under_way(second, store.get(second).step)
    assert store.get(first).step == step


def test_two_slots_train_two_runs_at_once(store, endless, under_way):
    runner = Runner(store, slots=2)
    try:
        first, second = runner.start(endless), runner.start(endless)
        under_way(first)
        under_way(second)
        assert under_way(first, store.get(first).step)
    finally:
        runner.shutdown()


def test_the_queue_is_served_in_order(runner, store, endless, tiny, under_way):
    first = runner.start(endless)
    under_way(first)
    waiting = [runner.start(tiny()) for _ in range(3)]
    runner.send(first, "stop")
    for run in waiting:
        assert runner.wait(run, ENOUGH)
    ended = [store.get(run).updated for run in waiting]
    assert ended == sorted(ended)


# Pairs


def test_a_pair_trains_in_step(runner, store, endless, under_way):
    """Although one of the two is much slower than the other."""
    pair = runner.start_pair(endless, endless.but(width=128, batch_size=512))
    for run in pair:
        under_way(run, 20)
    runner.shutdown()
    one, two = (store.get(run).step for run in pair)
    assert abs(one - two) <= 1


def test_the_one_of_a_pair_that_fell_behind_catches_up(runner, store, endless, under_way, status, wait_until):
    one, two = runner.start_pair(endless, endless)
    under_way(two)
    runner.send(two, "pause")
    under_way(one, status(two, "paused").step + 200)
    runner.resume(two)
    wait_until(lambda: store.get(two).step >= store.get(one).step)
    runner.shutdown()
    assert abs(store.get(one).step - store.get(two).step) <= 1


def test_a_pair_is_kept_together(runner, store, tiny):
    pair = runner.start_pair(tiny(), tiny(seed=1), ("left", "right"))
    assert [row.name for row in store.pair(store.get(pair[0]).pair)] == ["left", "right"]


def test_both_of_a_pair_equal_single_runs(runner, store, tiny):
    configs = tiny(steps=30), tiny(steps=30, lr_d=1e-4)
    for run, config in zip(runner.start_pair(*configs), configs, strict=True):
        assert runner.wait(run, ENOUGH)
        assert _networks_equal(store.load_checkpoint(run), Trainer(config).train())


def test_the_longer_of_a_pair_goes_on_alone(runner, store, tiny):
    short, long = runner.start_pair(tiny(steps=10), tiny(steps=30))
    assert runner.wait(long, ENOUGH)
    assert [store.get(run).step for run in (short, long)] == [10, 30]


def test_one_of_a_pair_can_be_stopped_alone(runner, store, endless, under_way, status):
    one, two = runner.start_pair(endless, endless)
    under_way(two)
    runner.send(one, "stop")
    assert under_way(two, status(one, "stopped").step)


def test_a_pair_of_members_is_two_runs_of_as_many_configs(runner, store, tiny):
    arms = [tiny(seed=seed) for seed in range(3)], [tiny(seed=seed, lr_d=1e-4) for seed in range(3)]
    pair = runner.start_pair(*arms, ("fails", "holds"))
    assert [list(store.get(run).configs) for run in pair] == list(arms)
    for run in pair:
        assert runner.wait(run, ENOUGH)
        assert store.get(run).status == "finished"
        assert store.series(run, "train", members=3)[1].shape[2] == 3


def test_a_pair_of_members_trains_in_step(runner, store, endless, under_way):
    arms = [endless.but(seed=seed) for seed in range(2)], [endless.but(seed=seed, d_steps=9) for seed in range(2)]
    pair = runner.start_pair(*arms)
    for run in pair:
        under_way(run, 10)
    runner.shutdown()
    one, two = (store.get(run).step for run in pair)
    assert abs(one - two) <= 1


def test_a_config_may_be_paired_with_members(runner, store, tiny):
    pair = runner.start_pair(tiny(), [tiny(seed=1), tiny(seed=2)])
    assert [len(store.get(run).configs) for run in pair] == [1, 2]


def test_a_pair_says_what_it_is_about(runner, store, tiny):
    pair = [runner.start_pair(tiny(), tiny(seed=1), label="lab") for _ in range(2)]
    labels = [{store.get(run).pair for run in runs} for runs in pair]
    assert [len(each) for each in labels] == [1, 1]
    assert labels[0] != labels[1]
    assert all(each.pop().startswith("lab:") for each in labels)


def test_a_pair_one_of_which_cannot_train_is_refused_before_a_run_is_made(runner, store, tiny):
    with pytest.raises(ConfigError, match="width differs between members"):
        runner.start_pair(tiny(), [tiny(width=8), tiny(width=9)])
    assert store.runs() == []


def test_members_go_on_when_one_of_them_diverges(runner, store, tiny):
    config = tiny(loss="least_squares", optimizer="sgd", lr_g=1.0, lr_d=1.0, steps=300)
    run = runner.start([config, config.but(lr_g=1e-5, lr_d=1e-5)])
    assert runner.wait(run, ENOUGH)
    assert (store.get(run).status, store.get(run).step) == ("finished", 300)
    finite = np.isfinite(store.series(run, "train", members=2)[1][-1]).all(0)
    assert finite.tolist() == [False, True]


# The program ends


def test_shutdown_interrupts_a_running_run(runner, store, endless, under_way):
    run = runner.start(endless)
    under_way(run)
    runner.shutdown()
    assert store.get(run).status == "interrupted"


def test_shutdown_keeps_a_checkpoint_of_the_last_step(runner, store, endless, under_way):
    run = runner.start(endless)
    under_way(run)
    runner.shutdown()
    assert store.checkpoint_steps(run)[-1] == store.get(run).step > 0


@pytest.mark.parametrize("state", ["queued", "paused"])
def test_shutdown_interrupts_a_waiting_run(runner, store, endless, under_way, status, state):
    under_way(runner.start(endless))
    run = runner.start(endless, paused=state == "paused")
    status(run, state)
    runner.shutdown()
    assert store.get(run).status == "interrupted"


def test_an_interrupted_run_is_resumed_by_the_next_runner_exactly(runner, store, endless, under_way):
    run = runner.start(endless)
    under_way(run)
    runner.shutdown()
    step = store.get(run).step
    following = Runner(store)
    try:
        following.resume(run)
        under_way(run, step)
        following.send(run, "stop")
        assert following.wait(run, ENOUGH)
        end = store.get(run).step
    finally:
        following.shutdown()
    assert _networks_equal(store.load_checkpoint(run, end), Trainer(endless).train(end))


@pytest.mark.parametrize("members", [1, 4])
def test_a_program_that_simply_ends_interrupts_its_run(tmp_path, members):
    """Python's thread pools take nothing more by then, and members train in one."""
    program = f"""
import time
from gan_core import GANConfig, Runner, RunStore
store = RunStore({str(tmp_path)!r})
run = Runner(store).start([GANConfig(width=8, batch_size=8, steps=10**7, seed=s) for s in range({members})])
while not store.get(run).step:
    time.sleep(0.01)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120, cwd=Path(gan_core.__file__).parent.parent)
    (run,) = RunStore(tmp_path).runs()
    assert (run.status, run.message) == ("interrupted", "The program was closed. Resume goes on from here.")


def test_nothing_can_be_started_after_shutdown(runner, tiny):
    runner.shutdown()
    with pytest.raises(RunError, match="about to end"):
        runner.start(tiny())


def test_shutdown_may_come_twice(runner, tiny):
    runner.shutdown()
    runner.shutdown()
    with pytest.raises(RunError, match="about to end"):
        runner.start(tiny())


# Other processes


@pytest.fixture(scope="module")
def killed(spawn_endless, tmp_path_factory):
    """A run whose process was killed in the middle: (store, run, its last known row)."""
    process, store, run = spawn_endless(tmp_path_factory.mktemp("killed"))
    process.kill()
    process.wait()
    return store, run, store.get(run)


@pytest.fixture
def heir(killed):
    runner = Runner(killed[0])
    yield runner
    runner.shutdown()


def test_a_killed_process_leaves_its_run_as_running(killed):
    assert killed[2].status == "running"


def test_a_run_whose_process_was_killed_is_marked_interrupted(killed, heir):
    store, run, _ = killed
    assert store.get(run).status == "interrupted"


def test_a_run_whose_process_was_killed_can_be_resumed(killed, heir, wait_until):
    store, run, _ = killed
    step = store.checkpoint_steps(run)[-1]
    heir.resume(run)
    wait_until(lambda: store.get(run).status == "running" and store.get(run).step > step)


def test_a_run_without_an_owner_is_marked_interrupted(store, tiny):
    run = store.create([tiny()])
    runner = Runner(store)
    runner.shutdown()
    assert store.get(run).status == "interrupted"


@pytest.fixture(scope="module")
def elsewhere(spawn_endless, tmp_path_factory):
    """A run that another process trains: (process, store, run)."""
    process, store, run = spawn_endless(tmp_path_factory.mktemp("elsewhere"))
    yield process, store, run
    process.kill()  # it would take the tests after these a core


def test_a_run_of_a_living_process_is_left_alone(elsewhere):
    _, store, run = elsewhere
    runner = Runner(store)
    runner.shutdown()
    assert store.get(run).status == "running"


def test_a_second_runner_in_this_process_leaves_the_firsts_runs_alone(runner, store, endless, under_way):
    run = runner.start(endless)
    under_way(run)
    Runner(RunStore(store.folder)).shutdown()
    assert store.get(run).status == "running"


def test_a_run_of_a_living_process_cannot_be_taken_over(elsewhere):
    _, store, run = elsewhere
    owner = store.get(run).owner
    runner = Runner(store)
    runner.resume(run)
    runner.shutdown()
    assert store.get(run).owner == owner


def test_a_command_from_here_pauses_it_there(elsewhere, wait_until):
    _, store, run = elsewhere
    runner = Runner(store)
    runner.send(run, "pause")
    wait_until(lambda: store.get(run).status == "paused")
    runner.resume(run)
    wait_until(lambda: store.get(run).status == "running")
    runner.shutdown()


def test_a_command_from_here_stops_it_there(elsewhere, wait_until):
    process, store, run = elsewhere
    runner = Runner(store)
    runner.send(run, "stop")
    wait_until(lambda: store.get(run).status == "stopped")
    runner.shutdown()
    process.wait(timeout=30)


# What goes wrong


@pytest.fixture
def doomed(tiny):
    """Its numbers break after a few steps."""
    return tiny(loss="least_squares", optimizer="sgd", lr_g=1.0, lr_d=1.0, steps=5000)


@pytest.fixture
def failed(runner, store, doomed, status):
    run = runner.start(doomed)
    status(run, "failed")
    runner.wait(run, ENOUGH)
    return run


def test_a_diverged_run_says_what_to_try(store, failed):
    assert "Try learning rates of 0.1 and 0.1" in store.get(failed).message


def test_a_diverged_run_names_the_step_of_its_message(store, failed):
    row = store.get(failed)
    assert f"Stopped at step {row.step:,}" in row.message


def test_a_divergence_is_an_event_with_its_statistic(store, failed):
    (event,) = store.events(failed)
    assert event["kind"] == "failed"
    assert event["term"] in STATS


def test_checkpoints_of_a_diverged_run_can_be_loaded(store, failed, doomed):
    trainer = Trainer(doomed)
    trainer.load_state_dict(store.load_checkpoint(failed))
    assert trainer.sample(8).isfinite().all()


def test_a_run_without_a_whole_checkpoint_fails_where_it_stood_with_what_is_wrong(
    runner, store, paused, wait_until, status, stop
):
    _step(runner, store, wait_until, paused)
    stop(paused)
    for step in store.checkpoint_steps(paused):
        store.checkpoint_path(paused, step).write_bytes(b"cut")
    runner.resume(paused)
    row = status(paused, "failed")
    assert "checkpoints of run" in row.message
    assert "Start it again" in row.message
    assert row.step == 1


def test_a_diverged_run_frees_its_slot(runner, failed, tiny):
    assert runner.wait(runner.start(tiny()), ENOUGH)


def test_missing_data_fail_the_run_with_the_sentence(store, tiny, tmp_path, monkeypatch, status):
    from gan_core import vision

    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(vision.MNIST, "mirrors", ["http://127.0.0.1:9/"])
    runner = Runner(store, data_folder=tmp_path / "empty")
    try:
        run = runner.start(tiny(dataset="mnist"))
        assert "choose the data set digits" in status(run, "failed").message
    finally:
        runner.shutdown()


@pytest.mark.parametrize("command", [command for command in COMMANDS if command not in KEPT])
@pytest.mark.parametrize("ended", ENDED)
def test_an_ended_run_takes_no_command(runner, store, tiny, ended, command):
    run = store.create([tiny()])
    store.update(run, status=ended)
    with pytest.raises(RunError, match=f"is {ended}, so it cannot take the command {command}"):
        runner.send(run, command, {"lr_g": 0.1})


def test_an_unknown_command_is_refused(runner, paused):
    with pytest.raises(RunError, match="There is no command dance"):
        runner.send(paused, "dance")


def test_a_finished_run_cannot_be_resumed(runner, store, tiny):
    run = runner.start(tiny())
    runner.wait(run, ENOUGH)
    with pytest.raises(RunError, match="is finished"):
        runner.resume(run)


@pytest.mark.parametrize("ask", ["resume", "send"])
def test_an_unknown_run_is_refused(runner, ask):
    with pytest.raises(RunError, match="no run 123"):
        runner.resume("123") if ask == "resume" else runner.send("123", "stop")


def test_configs_that_cannot_train_together_are_refused_before_a_run_is_made(runner, store, tiny):
    with pytest.raises(ConfigError, match="differs between members"):
        runner.start([tiny(width=8), tiny(width=9)])
    assert store.runs() == []


def test_a_folder_that_vanished_is_said_so(runner, store, tiny):
    """An owner's lock cannot be made where a file stands."""
    other = RunStore(store.folder.parent / "other")
    (other.folder / "owners").write_text("")
    with pytest.raises(RunError, match="Runs cannot be kept"):
        Runner(other)


@pytest.mark.parametrize("status_of_row", LIVE)
def test_a_command_to_a_run_of_a_dead_process_marks_it_interrupted(runner, store, tiny, status_of_row):
    run = store.create([tiny()], owner="dead")
    store.update(run, status=status_of_row)
    runner.send(run, "stop")
    assert store.get(run).status == "interrupted"
