"""One network's step, the pace, and pausing by itself."""

import sqlite3
import time

import numpy as np
import pytest
import torch

from gan_core import ConfigError, DivergedError, RunError, Runner, Trainer
from gan_core import runner as runner_module
from gan_core.checkpoints import read_checkpoint, write_checkpoint
from gan_core.maps import Axis, MapSpec
from gan_core.members import PLAYERS
from gan_core.pace import FASTEST, LAG, SLOWEST, Pace, check_pace, check_until, countable, in_words
from gan_core.runner import KEPT, _Worker
from gan_core.session import Session
from gan_core.store import RESUMABLE, RunStore

ENOUGH = 30.0  # seconds for a tiny run to end


def _tensors(trainer):
    return trainer.state_dict()["tensors"]


def _changed(before, after, part):
    """Whether weights of a part are others than before."""
    names = [name for name in before if name.startswith(f"{part}.") and "running" not in name and "tracked" not in name]
    assert names
    return any(not torch.equal(before[name], after[name]) for name in names)


def _assert_same_state(one, two):
    a, b = one.state_dict(), two.state_dict()
    assert [name for name in a["tensors"] if not torch.equal(a["tensors"][name], b["tensors"][name])] == []
    assert {k: v for k, v in a.items() if k != "tensors"} == {k: v for k, v in b.items() if k != "tensors"}


# One network's step


@pytest.mark.parametrize(("part", "other"), [PLAYERS, PLAYERS[::-1]])
def test_an_extra_step_changes_one_network_alone(tiny, part, other):
    trainer = Trainer(tiny()).train(3)
    before = _tensors(trainer)
    trainer.extra(part)
    assert _changed(before, _tensors(trainer), part)
    assert not _changed(before, _tensors(trainer), other)


@pytest.mark.parametrize("part", PLAYERS)
def test_an_extra_step_is_no_step_of_the_run(tiny, part):
    trainer = Trainer(tiny()).train(3)
    trainer.extra(part)
    assert trainer.step_count == 3
    assert [step for step, _ in trainer.train(2).history] == [1, 2, 3, 4, 5]


CONFIGS = {
    "plain": {},
    "d_steps": {"d_steps": 3},
    "relativistic": {"loss": "relativistic", "penalty": "r1_r2", "penalty_weight": 0.1},
    "replay": {"replay": 0.5},
    "average": {"ema_decay": 0.9},
    "dcgan": {"dataset": "digits", "network": "dcgan", "width": 4},
    "conditional": {"dataset": "digits", "conditional": "projection", "spectral_norm": "both"},
    "unrolled": {"unroll_steps": 2, "mode_seeking": 0.1},
    "noised": {"instance_noise": 0.5, "instance_noise_steps": 10, "lr_schedule": "linear"},
    "reset": {"reset_every": 4, "reset_network": "both", "reset_fraction": 0.5},
    "gumbel": {"dataset": "digits", "network": "gumbel", "levels": 2},
}


@pytest.mark.parametrize("changes", CONFIGS.values(), ids=CONFIGS)
def test_resumed_after_extra_steps_equals_unbroken(tiny, tmp_path, changes):
    config = tiny(**changes)

    def first():
        trainer = Trainer(config).train(3)
        for part in ("discriminator", "generator", "generator"):
            trainer.extra(part)
        return trainer

    def then(trainer):
        trainer.train(3)
        for part in ("generator", "discriminator"):
            trainer.extra(part)
        return trainer.train(2)

    write_checkpoint(tmp_path / "state", first().state_dict())
    resumed = Trainer(config)
    resumed.load_state_dict(read_checkpoint(tmp_path / "state"))
    _assert_same_state(then(resumed), then(first()))


@pytest.mark.parametrize("part", PLAYERS)
def test_members_take_the_extra_steps_of_single_runs(tiny, part):
    configs = [tiny(seed=seed, lr_g=10.0**-seed, loss="relativistic") for seed in (2, 3, 4)]
    together = Trainer(configs).train(2)
    together.extra(part)
    for member, config in enumerate(configs):
        alone = Trainer(config).train(2)
        alone.extra(part)
        latents = torch.randn(16, 4)
        torch.testing.assert_close(together.generate(latents, member), alone.generate(latents), rtol=1e-4, atol=1e-5)


def test_an_extra_discriminator_step_is_the_one_that_the_next_full_step_would_take(tiny):
    """It draws from the same streams."""
    extra, full = Trainer(tiny()), Trainer(tiny(d_steps=1, lr_g=0.0))
    extra.extra("discriminator")
    full.step()
    name = "discriminator.body.stack.layers.0.weight"
    assert torch.equal(_tensors(extra)[name], _tensors(full)[name])


def test_the_average_follows_an_extra_generator_step(tiny):
    trainer = Trainer(tiny(ema_decay=0.9)).train(2)
    before = _tensors(trainer)
    trainer.extra("discriminator")
    assert not _changed(before, _tensors(trainer), "average")
    trainer.extra("generator")
    assert _changed(before, _tensors(trainer), "average")


def _count(trainer):
    return trainer.member(0)[0].count


def test_the_optimisers_count_their_updates_and_the_schedule_its_steps(tiny):
    trainer = Trainer(tiny(d_steps=3)).train(2)
    for part in ("generator", "generator", "discriminator"):
        trainer.extra(part)
    members = trainer.member(0)[0]
    assert (_count(trainer), members.opt_g.count, members.opt_d.count) == (2, 4, 7)


def test_schedules_go_by_the_steps_of_the_run(tiny):
    """Extra steps bring no rate, no temperature and no noise nearer to its end."""
    plain, extra = (Trainer(tiny(steps=10, lr_schedule="linear", lr_end=0.1)).train(4) for _ in range(2))
    for _ in range(5):
        extra.extra("generator")
    rates = [trainer.member(0)[0]._rate("lr_g").item() for trainer in (plain, extra)]
    assert rates[0] == rates[1]


def test_resets_come_at_the_steps_of_the_run(tiny, monkeypatch):
    trainer, seen = Trainer(tiny(reset_every=3, reset_network="both")), []
    monkeypatch.setattr("gan_core.members.reset", lambda *_: seen.append(trainer.step_count + 1))
    for _ in range(7):
        trainer.extra("generator")
        trainer.step()
    assert seen == [3, 3, 6, 6]  # both networks


def test_a_checkpoint_from_before_extra_steps_were_known_is_taken_up(tiny):
    whole, state = Trainer(tiny()).train(6), Trainer(tiny()).train(4).state_dict()
    del state["cursors"]["count"]
    resumed = Trainer(tiny())
    resumed.load_state_dict(state)
    _assert_same_state(resumed.train(2), whole)


def test_an_unknown_part_is_refused(tiny):
    with pytest.raises(ConfigError, match="no part critic"):
        Trainer(tiny()).extra("critic")


def test_what_is_no_game_takes_no_step_of_one_side(tiny):
    trainer = Trainer(tiny(dataset="digits", network="pixelcnn", levels=2, latent_dim=16))
    with pytest.raises(RunError, match="no game"):
        trainer.extra("generator")


def test_numbers_that_break_in_an_extra_step_are_said_so(tiny):
    trainer = Trainer(tiny())
    trainer.member(0)[0].opt_g.flat.fill_(torch.nan)
    with pytest.raises(DivergedError, match="Stopped at step 0: the discriminator's logits on generated"):
        trainer.extra("discriminator")


def test_a_member_that_breaks_in_an_extra_step_is_left_behind(tiny):
    trainer = Trainer([tiny(seed=0), tiny(seed=1)], tolerant=True).train(2)
    block, place = trainer.member(1)
    block.opt_g.flat[place].fill_(torch.nan)
    trainer.extra("generator")
    assert trainer.diverged == {1: 2}


# The pace, on a clock of its own


def _steps_taken(pace, seconds, cost=0.0):
    """Steps that a worker takes in so many seconds, each of which costs some."""
    now, steps = 0.0, 0
    while (now := now + pace.wait(now)) < seconds:
        pace.took(now)
        now, steps = now + cost, steps + 1
    return steps


@pytest.mark.parametrize(("rate", "steps"), [(0.2, 20), (1, 100), (3, 300), (100, 10_000)])
def test_a_pace_is_kept(rate, steps):
    assert _steps_taken(Pace(rate), 100) == pytest.approx(steps, abs=LAG * rate + 1)


def test_the_cost_of_a_step_is_part_of_its_time():
    assert _steps_taken(Pace(3), 100, cost=0.3) == pytest.approx(300, abs=1)


def test_a_pace_beyond_reach_is_as_fast_as_it_goes():
    assert _steps_taken(Pace(100), 10, cost=0.5) == 20


def test_no_pace_waits_for_nothing():
    pace = Pace(0)
    pace.took(5.0)
    assert pace.wait(5.0) == 0


def test_what_a_pause_missed_is_not_caught_up_with():
    pace = Pace(1)
    pace.took(0.0)
    assert pace.wait(100.0) == 0
    pace.took(100.0)
    assert pace.wait(100.0) >= 1 - LAG


@pytest.mark.parametrize("value", [0, SLOWEST, 1, 3.5, FASTEST])
def test_a_pace_in_its_range_is_taken(value):
    assert check_pace(value) == value


@pytest.mark.parametrize("value", [0.1, 1001, -1, "fast", None, True, float("nan")])
def test_a_pace_out_of_its_range_is_refused(value):
    with pytest.raises(ConfigError, match="expected 0.2 to 1000 steps a second"):
        check_pace(value)


# Until when, as it is written


@pytest.mark.parametrize("value", [{}, None, {"step": 11}, {"step": 100}, {"modes": 8}, {"seconds": 0.5}, {"seconds": 60}])
def test_a_pause_that_can_come_is_taken(tiny, value):
    assert check_until(value, tiny(), 10, 100) == (value or {})


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"step": 101}, "beyond the run's 100 steps"),
        ({"step": 10}, "is behind"),
        ({"step": 11.5}, "expected a whole number"),
        ({"modes": 9}, "9 of 8 modes cannot be"),
        ({"modes": 0}, "expected 1 to 8"),
        ({"modes": True}, "expected a whole number"),
        ({"seconds": 0}, "above 0"),
        ({"seconds": float("inf")}, "above 0"),
        ({"seconds": "9"}, "above 0"),
        ({"dance": 3}, "expected one of step, modes, seconds"),
        ({"step": 20, "modes": 3}, "expected one of"),
        (7, "expected one of"),
    ],
)
def test_a_pause_that_cannot_come_is_refused(tiny, value, words):
    with pytest.raises(ConfigError, match=words):
        check_until(value, tiny(), 10, 100)


def test_modes_of_data_without_any_cannot_be_awaited(tiny):
    with pytest.raises(ConfigError, match="no modes that are counted"):
        check_until({"modes": 1}, tiny(dataset="swiss_roll"), 0, 100)


@pytest.mark.parametrize(("dataset", "modes"), [("ring8", 8), ("grid25", 25), ("digits", 10), ("mnist", 10), ("line", 0)])
def test_so_many_modes_can_be_awaited(tiny, dataset, modes):
    assert countable(tiny(dataset=dataset)) == modes


@pytest.mark.parametrize(
    ("until", "dataset", "words"),
    [
        ({}, "ring8", ""),
        ({"step": 1250}, "ring8", "at step 1,250"),
        ({"modes": 1}, "ring8", "when 1 mode is covered"),
        ({"modes": 3}, "digits", "when 3 classes are held"),
        ({"seconds": 30, "end": 90.0}, "ring8", "after 30 seconds of training"),
    ],
)
def test_a_pause_in_words(tiny, until, dataset, words):
    assert in_words(until, tiny(dataset=dataset)) == words


# Runs


def _extras(store, run):
    return [event["part"] for event in store.events(run) if event["kind"] == "extra"]


def _stopped_state(runner, store, run):
    runner.send(run, "stop")
    assert runner.wait(run, ENOUGH)
    return store.load_checkpoint(run)["tensors"]


def test_steps_of_one_side_in_a_run_are_those_of_a_trainer(runner, store, paused, endless):
    expected = Trainer(endless)
    for part in ("discriminator", None, "generator", "generator"):
        runner.send(paused, "step", part)
        expected.step() if part is None else expected.extra(part)
    found, expected = _stopped_state(runner, store, paused), _tensors(expected)
    assert [name for name in expected if not torch.equal(found[name], expected[name])] == []
    assert store.get(paused).step == 1


def test_steps_of_one_side_are_noted_at_their_step(runner, store, paused, wait_until):
    for part in (None, "discriminator", "generator"):
        runner.send(paused, "step", part)
    wait_until(lambda: len(_extras(store, paused)) == 2)
    assert [(e["step"], e["part"]) for e in store.events(paused)] == [(1, "discriminator"), (1, "generator")]


def test_a_step_of_one_side_renews_picture_measurements_and_checkpoint(runner, store, paused, wait_until):
    runner.send(paused, "step")
    wait_until(lambda: store.get(paused).step == 1)

    def found():
        return store.frame(paused), store.series(paused, "nearest")[1][-1].tolist(), store.load_checkpoint(paused)["tensors"]

    before = found()
    for _ in range(20):
        runner.send(paused, "step", "generator")
    wait_until(lambda: len(_extras(store, paused)) == 20)
    _stopped_state(runner, store, paused)
    after = found()
    assert before[0] != after[0]
    assert before[1] != after[1]
    assert _changed(before[2], after[2], "generator")


def test_the_checkpoint_after_a_step_of_one_side_is_the_run_as_it_is_then(runner, store, paused, endless, wait_until, status):
    """A fork from here, or a run whose process was killed now, goes on from what one sees."""
    runner.send(paused, "step", "generator")
    expected = Trainer(endless)
    expected.extra("generator")

    def kept():
        found, wanted = store.load_checkpoint(paused)["tensors"], _tensors(expected)
        return all(torch.equal(found[name], wanted[name]) for name in wanted)

    wait_until(lambda: store.checkpoint_steps(paused) and kept())
    assert status(paused, "paused").step == 0


def test_a_running_run_takes_no_step_of_one_side(runner, store, endless, wait_until):
    run = runner.start(endless)
    wait_until(lambda: store.get(run).step)
    runner.send(run, "step", "generator")
    _stopped_state(runner, store, run)
    assert _extras(store, run) == []


def test_a_step_of_nobody_is_refused(runner, paused):
    with pytest.raises(ConfigError, match="no part critic"):
        runner.send(paused, "step", "critic")


@pytest.fixture
def pixels(runner, tiny, status):
    run = runner.start(tiny(dataset="digits", network="pixelcnn", levels=2, latent_dim=16, steps=10**6), paused=True)
    status(run, "paused")
    return run


def test_a_run_that_is_no_game_takes_no_step_of_one_side(runner, pixels):
    with pytest.raises(RunError, match="no game"):
        runner.send(pixels, "step", "generator")


def test_a_step_of_one_side_that_came_another_way_leaves_the_run_as_it_is(store, pixels, wait_until, status):
    store.add_command(pixels, "step", "generator")
    (event,) = wait_until(lambda: store.events(pixels))
    assert event["kind"] == "refused"
    assert status(pixels, "paused", "failed").status == "paused"


def test_a_run_at_one_step_a_second_is_slow_and_obeys(runner, store, endless, wait_until, status):
    run = runner.start(endless, pace=1)
    wait_until(lambda: store.get(run).step >= 2)
    runner.send(run, "pause")
    assert status(run, "paused").step < 100  # at full speed it makes hundreds in this time
    assert store.get(run).pace == 1


def test_a_slow_run_shows_each_step(runner, store, endless, wait_until):
    run = runner.start(endless, pace=5)
    wait_until(lambda: store.get(run).step >= 6)
    assert {1, 2, 3, 4, 5} <= set(store.film_steps(run))


def test_a_slow_run_is_sped_up_while_it_waits(runner, store, endless, wait_until):
    """It need not end its wait first."""
    run = runner.start(endless, pace=SLOWEST)
    wait_until(lambda: store.get(run).step == 1)
    begun = time.monotonic()
    runner.send(run, "pace", 0)
    wait_until(lambda: store.get(run).step > 20)
    assert time.monotonic() - begun < 1 / SLOWEST
    assert store.get(run).pace == 0


def test_another_process_may_slow_a_run_down(runner, store, endless, wait_until):
    run = runner.start(endless)
    wait_until(lambda: store.get(run).step)
    other = Runner(RunStore(store.folder))
    other.send(run, "pace", 0.5)
    other.shutdown()
    row = wait_until(lambda: (row := store.get(run)).pace == 0.5 and row)
    assert row.status == "running"


def test_pace_and_pause_are_kept_when_a_run_is_resumed(runner, store, endless, status, wait_until):
    run = runner.start(endless, paused=True, pace=2, until={"step": 5000})
    status(run, "paused")
    runner.send(run, "step")
    _stopped_state(runner, store, run)
    runner.resume(run)
    status(run, "running")
    runner.send(run, "pause")
    row = status(run, "paused")
    assert (row.pace, row.until) == (2, {"step": 5000})


@pytest.mark.parametrize("command", KEPT)
@pytest.mark.parametrize("ended", RESUMABLE)
def test_a_run_that_waits_to_be_resumed_keeps_them_for_later(runner, store, tiny, ended, command):
    run = store.create([tiny()])
    store.update(run, status=ended, seconds=7.0)
    runner.send(run, command, {"pace": 3, "until": {"seconds": 5}}[command])
    row = store.get(run)
    assert (row.pace, row.until) == ((3, {}) if command == "pace" else (0, {"seconds": 5, "end": 12.0}))


def test_nonsense_is_refused_before_a_run_is_made(runner, store, tiny):
    for wishes in ({"pace": 7000}, {"until": {"step": 21}}):
        with pytest.raises(ConfigError):
            runner.start(tiny(), **wishes)
    assert store.runs() == []


@pytest.mark.parametrize(("command", "value"), [("pace", 7000), ("until", {"modes": 9})])
def test_nonsense_is_refused_at_once(runner, paused, command, value):
    with pytest.raises(ConfigError):
        runner.send(paused, command, value)


class _Still:
    """A session that is at a step and takes another when it may."""

    def __init__(self, rate, taken):
        self.pace, self.step, self.status, self.taken = Pace(rate), 0, "running", taken

    def advance(self):
        self.step += 1
        self.taken.append(self)

    def report(self, picture):
        self.picture = picture

    def rest_if_met(self):
        pass


def test_a_pair_keeps_step_at_the_slower_pace(runner, monkeypatch):
    """On a clock that goes on only while the worker waits."""
    taken, now = [], [0.0]
    one, two = _Still(0, taken), _Still(10, taken)
    worker = _Worker(runner, [one, two])
    monkeypatch.setattr(runner_module.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(worker.wake, "wait", lambda seconds: now.__setitem__(0, now[0] + seconds))
    for _ in range(10):
        worker._polled = now[0]
        worker._advance([one, two])
    assert one.step == two.step == pytest.approx(10 * now[0], abs=2)
    assert [id(session) for session in taken] == [id(one), id(two)] * one.step


# Until


def test_a_run_pauses_exactly_at_the_step(runner, store, endless, status):
    run = runner.start(endless, until={"step": 37})
    row = status(run, "paused")
    assert (row.step, row.until, row.message) == (37, {}, "Paused: step 37 is reached.")


def test_a_run_goes_on_after_it_paused_by_itself(runner, store, endless, status, wait_until):
    run = runner.start(endless, until={"step": 5})
    status(run, "paused")
    runner.resume(run)
    row = wait_until(lambda: (row := store.get(run)).step > 5 and row)
    assert row.message == ""


def test_a_single_step_may_reach_it_too(runner, store, paused, wait_until):
    runner.send(paused, "until", {"step": 2})
    for expected in (1, 2, 3):
        runner.send(paused, "step")
        wait_until(lambda expected=expected: store.get(paused).step == expected)
        row = wait_until(lambda: (row := store.get(paused)).until == {} and row) if expected == 2 else store.get(paused)
        assert row.until == ({"step": 2} if expected < 2 else {})
    assert store.get(paused).status == "paused"


def test_a_run_pauses_after_so_many_seconds_of_training(runner, store, endless, status):
    run = runner.start(endless, until={"seconds": 0.5})
    row = status(run, "paused")
    assert row.seconds >= 0.5
    assert row.message == f"Paused: 0.5 seconds of training are over, at step {row.step:,}."


def test_seconds_count_from_when_they_were_wished_for(runner, store, endless, status, wait_until):
    run = runner.start(endless)
    begun = wait_until(lambda: (row := store.get(run)).seconds and row).seconds
    runner.send(run, "until", {"seconds": 0.5})
    assert status(run, "paused").seconds >= begun + 0.5


def test_seconds_end_also_between_two_slow_steps(runner, store, endless, status, wait_until):
    run = runner.start(endless, pace=SLOWEST, until={"seconds": 0.2})
    assert status(run, "paused").step == 1


def test_a_pause_that_is_called_off_does_not_come(runner, store, paused, wait_until):
    runner.send(paused, "until", {"step": 2})
    runner.send(paused, "until", {})
    runner.resume(paused)
    assert wait_until(lambda: (row := store.get(paused)).step > 2 and row).until == {}


def _measuring(store, config, monkeypatch, values, name="modes"):
    """A session in which a measurement finds one of these values after the other."""
    session, left = Session(store, store.create([config])), iter(values)
    session.go()
    monkeypatch.setattr(session.trainer, "measure", lambda: {name: torch.tensor([float(next(left))])})
    return session


def test_a_run_pauses_as_soon_as_the_modes_are_measured(store, endless, monkeypatch):
    session = _measuring(store, endless, monkeypatch, [3, 7, 8, 8])
    session.obey("until", {"modes": 8})
    for _ in range(3):
        assert session.status == "running"
        session.advance()
        session._measures._next = 0.0
        session.report()
    row = store.get(session.run)
    assert (row.status, row.until, row.message) == ("paused", {}, "Paused: 8 modes are covered at step 3.")


def test_classes_of_images_are_counted_too(store, tiny, monkeypatch):
    session = _measuring(store, tiny(dataset="digits", steps=10**6), monkeypatch, [np.nan, 4, 4], "held")
    session.obey("until", {"modes": 3})
    for _ in range(2):
        session.advance()
        session._measures._next = 0.0
        session.report()
    assert session.message == "Paused: 4 classes are held at step 2."


def test_an_old_measurement_pauses_nothing(store, endless, monkeypatch):
    session = _measuring(store, endless, monkeypatch, [8])
    session._measures._next = 0.0
    session.report()
    session.advance()
    session.obey("until", {"modes": 8})
    session._measures._next = np.inf
    session.report()
    assert session.status == "running"


def test_one_of_a_pair_may_pause_by_itself(runner, store, endless, status, wait_until):
    one, two = runner.start_pair(endless, endless)
    runner.send(one, "until", {"seconds": 0.3})
    step = status(one, "paused").step
    wait_until(lambda: store.get(two).step > step)
    assert store.get(one).step == step


# Maps


@pytest.fixture
def chart(runner, store, endless, wait_until):
    """A map under way."""
    run = runner.start_map(MapSpec(endless, Axis("lr_g", (1e-4, 1e-3)), Axis("lr_d", (1e-4, 1e-3))))
    wait_until(lambda: store.get(run).status == "running")
    return run


@pytest.mark.parametrize(("command", "value"), [("pace", 1), ("until", {"step": 5}), ("step", "generator")])
def test_a_map_takes_neither_pace_nor_pause_nor_single_steps(runner, chart, command, value):
    with pytest.raises(RunError, match=f"A map takes no command {command}"):
        runner.send(chart, command, value)


def test_a_map_refuses_what_came_another_way_and_goes_on(store, chart, wait_until):
    store.add_command(chart, "pace", 1)
    store.add_command(chart, "until", {"step": 1})
    events = wait_until(lambda: len(found := store.events(chart)) == 2 and found)
    assert [event["kind"] for event in events] == ["refused", "refused"]
    assert (store.get(chart).pace, store.get(chart).until) == (0, {})


# The store


def test_a_database_of_version_2_gets_a_pace(tmp_path, tiny):
    store = RunStore(tmp_path)
    run = store.create([tiny()])
    store.close()
    with sqlite3.connect(tmp_path / "runs.db") as db:
        for column in ("parent", "parent_step", "pace", "until", "note", "tags", "starred", "trashed", "verdict"):
            db.execute(f"ALTER TABLE runs DROP COLUMN {column}")
        db.execute("PRAGMA user_version = 2")
    row = RunStore(tmp_path).get(run)
    assert (row.pace, row.until) == (0, {})
