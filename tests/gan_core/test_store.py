import json
import sqlite3
import threading

import numpy as np
import pytest
import torch

from gan_core import RunError, RunStore
from gan_core.store import ENDED, KEPT_CHECKPOINTS, LIVE, RESUMABLE, SCHEMA, default_name, runs_folder


def _state(step):
    return {"step": step, "configs": [], "cursors": {}, "tensors": {"a": torch.full((2000,), float(step))}}


def _report(store, run, step, **more):
    rows = {"train": [(step, np.full((7, 1), step, np.float32))]}
    store.report(run, **{"step": step, "rate": 1.0, "seconds": 2.0, "series": rows, **more})


@pytest.fixture
def run(store, tiny):
    return store.create([tiny()])


# Runs


def test_a_new_run_is_queued(store, run):
    assert store.get(run).status == "queued"


def test_configs_come_back(store, tiny):
    configs = [tiny(seed=0), tiny(seed=1)]
    assert store.get(store.create(configs)).configs == tuple(configs)


def test_a_name_is_kept(store, tiny):
    assert store.get(store.create([tiny()], "  My run ")).name == "My run"


def test_a_run_without_a_name_gets_one(store, tiny):
    config = tiny(penalty="r1")
    assert store.get(store.create([config], "  ")).name == default_name(config) == "ring8 nonsaturating r1"


def test_ids_are_distinct(store, tiny):
    assert len({store.create([tiny()]) for _ in range(50)}) == 50


def test_unknown_run_is_refused_with_where_to_look(store):
    with pytest.raises(RunError, match=r"no run 123 in .*python -m gan_core runs"):
        store.get("123")


def test_runs_are_listed_newest_first(store, tiny):
    ids = [store.create([tiny()]) for _ in range(5)]
    assert [run.id for run in store.runs()] == ids[::-1]


@pytest.mark.parametrize("status", [*LIVE, *ENDED])
def test_runs_can_be_asked_for_by_status(store, tiny, status):
    ids = {}
    for each in (*LIVE, *ENDED):
        ids[each] = store.create([tiny()])
        store.update(ids[each], status=each)
    assert [run.id for run in store.runs((status,))] == [ids[status]]


@pytest.mark.parametrize("status", [*LIVE, *ENDED])
def test_a_run_is_live_or_ended(store, run, status):
    store.update(run, status=status)
    assert store.get(run).is_live == (status in LIVE)


def test_a_finished_run_cannot_be_resumed():
    assert set(ENDED) - set(RESUMABLE) == {"finished"}


def test_a_pair_comes_back_in_its_order(store, tiny):
    ids = [store.create([tiny()], pair="p") for _ in range(2)]
    store.create([tiny()], pair="other")
    assert [run.id for run in store.pair("p")] == ids


def test_configs_can_be_updated(store, run, tiny):
    store.update(run, configs=[tiny(lr_g=0.5)])
    assert store.get(run).config.lr_g == 0.5


def test_a_run_with_unknown_settings_is_refused(store, run):
    with sqlite3.connect(store.folder / "runs.db") as db:
        db.execute("UPDATE runs SET configs = ?", (json.dumps([{"future": 1}]),))
    with pytest.raises(RunError, match="settings that this version does not know"):
        store.get(run)


def test_a_run_with_unknown_settings_does_not_hide_the_others(store, run, tiny):
    with sqlite3.connect(store.folder / "runs.db") as db:
        db.execute("UPDATE runs SET configs = ?", (json.dumps([{"future": 1}]),))
    other = store.create([tiny()])
    assert [run.id for run in store.runs()] == [other]


def test_a_second_store_on_the_same_folder_sees_the_runs(store, run):
    assert RunStore(store.folder).get(run).id == run


def test_the_environment_names_the_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("GAN_PLAYGROUND_RUNS", str(tmp_path / "here"))
    assert RunStore().folder == runs_folder() == tmp_path / "here"


# Claiming


def test_a_claim_queues_the_run_for_its_owner(store, run):
    store.update(run, status="stopped", owner="old", message="Why")
    assert store.claim(run, "new", ("stopped",))
    row = store.get(run)
    assert (row.status, row.owner, row.message) == ("queued", "new", "")


def test_a_claim_on_another_status_is_lost(store, run):
    store.update(run, status="running", owner="old")
    assert not store.claim(run, "new", ("stopped",))
    assert store.get(run).owner == "old"


def test_only_one_of_many_claimants_wins(store, run):
    store.update(run, status="stopped")
    wins = []

    def claim(name):
        wins.append(store.claim(run, name, ("stopped",)))

    threads = [threading.Thread(target=claim, args=(str(k),)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(wins) == [False] * 7 + [True]


def test_a_won_claim_forgets_old_commands(store, run):
    store.update(run, status="stopped")
    store.add_command(run, "stop")
    store.claim(run, "new", ("stopped",))
    assert store.take_commands(run) == []


def test_a_lost_claim_leaves_the_commands_to_the_owner(store, run):
    store.update(run, status="running", owner="old")
    store.add_command(run, "stop")
    store.claim(run, "new", ("stopped",))
    assert store.take_commands(run) == [("stop", None)]


# Reports


def test_series_come_back(store, run):
    rows = [(step, np.random.default_rng(step).random((7, 3), np.float32)) for step in range(1, 6)]
    store.report(run, step=5, rate=1.0, seconds=2.0, series={"train": rows})
    steps, values = store.series(run, "train", members=3)
    assert steps.tolist() == [1, 2, 3, 4, 5]
    np.testing.assert_array_equal(values, np.stack([row for _, row in rows]))


def test_series_later_than_a_step(store, run):
    for step in range(1, 6):
        _report(store, run, step)
    assert store.series(run, "train", after=3)[0].tolist() == [4, 5]


def test_series_that_are_not_there_are_empty(store, run):
    steps, values = store.series(run, "train", members=2)
    assert steps.shape == (0,)
    assert values.shape == (0, 0, 2)


def test_series_of_two_kinds_do_not_mix(store, run):
    row = np.ones((1, 1), np.float32)
    store.report(run, step=1, rate=0.0, seconds=0.0, series={"train": [(1, row)], "metrics": [(2, row)]})
    assert store.series(run, "metrics")[0].tolist() == [2]


def test_series_not_a_number_stay_so(store, run):
    store.report(run, step=1, rate=0.0, seconds=0.0, series={"metrics": [(1, np.array([[np.nan], [1.0]]))]})
    np.testing.assert_array_equal(store.series(run, "metrics")[1], [[[np.nan], [1.0]]])


def test_series_after_a_step_can_be_dropped(store, run):
    for step in range(1, 6):
        _report(store, run, step)
    store.drop_series_after(run, 3)
    assert store.series(run, "train")[0].tolist() == [1, 2, 3]


def test_a_point_made_again_replaces_the_first(store, run):
    _report(store, run, 1)
    store.report(run, step=1, rate=0.0, seconds=0.0, series={"train": [(1, np.zeros((7, 1)))]})
    assert store.series(run, "train")[1].sum() == 0


@pytest.mark.parametrize(
    ("name", "value"), [("step", 9), ("rate", 3.5), ("seconds", 7.25), ("status", "paused"), ("message", "m")]
)
def test_report_sets_the_columns(store, run, name, value):
    _report(store, run, **{"step": 1, name: value})
    assert getattr(store.get(run), name) == value


def test_metrics_come_back(store, run):
    _report(store, run, 1, metrics={"modes": [3.0, 8.0]})
    assert store.get(run).metrics == {"modes": [3.0, 8.0]}


def test_a_report_without_metrics_keeps_the_last_ones(store, run):
    _report(store, run, 1, metrics={"modes": [3.0]})
    _report(store, run, 2)
    assert store.get(run).metrics == {"modes": [3.0]}


def test_a_report_that_fails_leaves_nothing_behind(store, run):
    with pytest.raises(sqlite3.Error):
        _report(store, run, 5, no_such_column=1)
    assert store.get(run).step == 0


def test_the_latest_frame_comes_back(store, run):
    _report(store, run, 1, frame=b"one")
    _report(store, run, 2, frame=b"two")
    assert store.frame(run) == b"two"


@pytest.mark.parametrize(("after", "found"), [(1, b"two"), (2, None), (3, None)])
def test_a_frame_is_given_only_if_it_is_later(store, run, after, found):
    _report(store, run, 2, frame=b"two")
    assert store.frame(run, after) == found


def test_events_come_back_in_order(store, run):
    store.add_event(run, 3, "set", name="lr_g", value=0.1)
    store.add_event(run, 2, "failed", message="m")
    assert [{k: v for k, v in event.items() if k != "time"} for event in store.events(run)] == [
        {"step": 3, "kind": "set", "name": "lr_g", "value": 0.1},
        {"step": 2, "kind": "failed", "message": "m"},
    ]


def test_commands_come_in_order_and_once(store, run):
    store.add_command(run, "pause")
    store.add_command(run, "set", {"name": "lr_g", "value": 0.1})
    assert store.take_commands(run) == [("pause", None), ("set", {"name": "lr_g", "value": 0.1})]
    assert store.take_commands(run) == []


def test_commands_of_another_run_stay(store, run, tiny):
    other = store.create([tiny()])
    store.add_command(other, "stop")
    assert store.take_commands(run) == []
    assert store.take_commands(other) == [("stop", None)]


# Several at once


def _in_threads(count, work):
    errors = []

    def guarded(k):
        try:
            work(k)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(k,)) for k in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_concurrent_reports_lose_nothing(store, tiny):
    runs = [store.create([tiny()]) for _ in range(6)]

    def write(k):
        for step in range(1, 31):
            _report(store, runs[k], step, frame=bytes(1000))

    _in_threads(6, write)
    assert [store.series(run, "train")[0].tolist() for run in runs] == [list(range(1, 31))] * 6


def test_concurrent_events_of_one_run_lose_nothing(store, run):
    _in_threads(6, lambda k: [store.add_event(run, step, "note", writer=k) for step in range(30)])
    assert {(e["writer"], e["step"]) for e in store.events(run)} == {(k, s) for k in range(6) for s in range(30)}


def test_concurrent_takers_get_each_command_once(store, run):
    for k in range(100):
        store.add_command(run, "set", k)
    taken = []
    _in_threads(6, lambda _: taken.extend(v for _ in range(20) for _, v in store.take_commands(run)))
    assert sorted(taken) == list(range(100))


def test_a_fresh_folder_can_be_opened_by_many_at_once(tmp_path):
    barrier = threading.Barrier(8)

    def first_visit(k):
        barrier.wait()
        RunStore(tmp_path / "fresh").runs()

    _in_threads(8, first_visit)


READER = """
import sys
from gan_core import RunStore
store, run = RunStore(sys.argv[1]), sys.argv[2]
print("ready", flush=True)
while (row := store.get(run)).status != "finished":
    steps = store.series(run, "train")[0]
    assert len(steps) >= row.step, (len(steps), row.step)
    assert steps.tolist() == list(range(1, len(steps) + 1)), steps
print(len(store.series(run, "train")[0]))
"""


def test_another_process_reads_whole_reports_while_this_one_writes(store, run, spawn):
    reader = spawn("-c", READER, store.folder, run)
    assert reader.stdout.readline() == "ready\n"
    for step in range(1, 201):
        _report(store, run, step)
    store.update(run, status="finished")
    out, errors = reader.communicate(timeout=60)
    assert (out, errors) == ("200\n", "")


# Checkpoints


def test_a_checkpoint_comes_back(store, run):
    store.save_checkpoint(run, _state(5))
    assert torch.equal(store.load_checkpoint(run, 5)["tensors"]["a"], torch.full((2000,), 5.0))


def test_without_a_step_the_latest_is_loaded(store, run):
    for step in (5, 20, 10):
        store.save_checkpoint(run, _state(step))
    assert store.load_checkpoint(run)["step"] == 20


@pytest.mark.parametrize("count", [KEPT_CHECKPOINTS, KEPT_CHECKPOINTS + 1, 50])
def test_no_more_checkpoints_are_kept_than_allowed(store, run, count):
    for step in range(count):
        store.save_checkpoint(run, _state(10 * step))
    assert len(store.checkpoint_steps(run)) == min(count, KEPT_CHECKPOINTS)


def test_thinning_keeps_the_first_and_the_last(store, run):
    for step in range(0, 500, 10):
        store.save_checkpoint(run, _state(step))
        assert store.checkpoint_steps(run)[0] == 0
        assert store.checkpoint_steps(run)[-1] == step


def test_thinning_keeps_them_evenly_spread(store, run):
    for step in range(0, 1000, 10):
        store.save_checkpoint(run, _state(step))
    assert np.diff(store.checkpoint_steps(run)).max() <= 3 * 990 / (KEPT_CHECKPOINTS - 1)


def test_thinning_removes_the_files_too(store, run):
    for step in range(0, 300, 10):
        store.save_checkpoint(run, _state(step))
    files = [store.checkpoint_path(run, step) for step in store.checkpoint_steps(run)]
    assert sorted(store.checkpoint_path(run, 0).parent.iterdir()) == files


def test_disk_bytes_is_the_size_of_the_kept_files(store, run):
    for step in range(0, 300, 10):
        store.save_checkpoint(run, _state(step))
    assert store.disk_bytes(run) == sum(f.stat().st_size for f in store.checkpoint_path(run, 0).parent.iterdir())


def _flip(path):
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)


def _cut(path):
    path.write_bytes(path.read_bytes()[:-100])


DAMAGE = {"flipped": _flip, "cut": _cut, "emptied": lambda path: path.write_bytes(b""), "missing": lambda path: path.unlink()}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_checkpoint_is_refused(store, run, damage):
    store.save_checkpoint(run, _state(5))
    store.save_checkpoint(run, _state(10))
    DAMAGE[damage](store.checkpoint_path(run, 10))
    with pytest.raises(RunError, match="Choose an"):
        store.load_checkpoint(run, 10)


@pytest.mark.parametrize("damage", DAMAGE)
def test_without_a_step_the_latest_whole_one_is_loaded(store, run, damage):
    store.save_checkpoint(run, _state(5))
    store.save_checkpoint(run, _state(10))
    DAMAGE[damage](store.checkpoint_path(run, 10))
    assert store.load_checkpoint(run)["step"] == 5


def test_where_no_checkpoint_is_whole_the_error_says_what_is_wrong(store, run):
    store.save_checkpoint(run, _state(5))
    _flip(store.checkpoint_path(run, 5))
    with pytest.raises(RunError, match="damaged"):
        store.load_checkpoint(run)


def test_a_step_that_is_not_kept_is_refused_with_those_that_are(store, run):
    store.save_checkpoint(run, _state(5))
    store.save_checkpoint(run, _state(1000))
    with pytest.raises(RunError, match=r"no checkpoint at step 7. Kept are: 5, 1,000"):
        store.load_checkpoint(run, 7)


def test_a_run_without_checkpoints_says_so(store, run):
    with pytest.raises(RunError, match="no checkpoint yet"):
        store.load_checkpoint(run)


# Deleting


def test_a_live_run_cannot_be_deleted(store, run):
    with pytest.raises(RunError, match="Stop it first"):
        store.delete(run)


def test_a_deleted_run_is_gone(store, run):
    store.update(run, status="stopped")
    store.delete(run)
    assert store.runs() == []


def test_a_deleted_run_leaves_no_rows(store, run):
    _report(store, run, 1, frame=b"x", status="stopped")
    store.add_event(run, 1, "note")
    store.add_command(run, "stop")
    store.save_checkpoint(run, _state(1))
    store.delete(run)
    with sqlite3.connect(store.folder / "runs.db") as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        assert {name: db.execute(f"SELECT COUNT(*) FROM {name}").fetchone()[0] for name in tables} == dict.fromkeys(tables, 0)


def test_a_deleted_run_leaves_no_folder(store, run):
    store.save_checkpoint(run, _state(1))
    store.update(run, status="stopped")
    store.delete(run)
    assert not (store.folder / run).exists()


def test_deleting_a_run_leaves_the_others(store, run, tiny):
    other = store.create([tiny()])
    store.save_checkpoint(other, _state(1))
    store.update(run, status="stopped")
    store.delete(run)
    assert store.load_checkpoint(other)["step"] == 1


# Folders that are no store


def test_a_newer_format_is_refused(store):
    with sqlite3.connect(store.folder / "runs.db") as db:
        db.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    with pytest.raises(RunError, match="newer version of GAN Playground"):
        RunStore(store.folder)


def test_a_newer_format_is_not_touched(store, run):
    with sqlite3.connect(store.folder / "runs.db") as db:
        db.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    with pytest.raises(RunError):
        RunStore(store.folder)
    with sqlite3.connect(store.folder / "runs.db") as db:
        assert db.execute("PRAGMA user_version").fetchone()[0] == SCHEMA + 1


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "runs").write_text("")
    with pytest.raises(RunError, match="GAN_PLAYGROUND_RUNS"):
        RunStore(tmp_path / "runs")


def test_a_folder_inside_a_file_is_refused(tmp_path):
    (tmp_path / "runs").write_text("")
    with pytest.raises(RunError, match="GAN_PLAYGROUND_RUNS"):
        RunStore(tmp_path / "runs" / "deeper")


def test_a_database_that_is_none_is_refused(tmp_path):
    (tmp_path / "runs.db").write_bytes(b"not a database at all, but long enough to be looked at" * 100)
    with pytest.raises(RunError, match="Runs cannot be kept"):
        RunStore(tmp_path)
