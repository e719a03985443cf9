import json
import sqlite3
import threading

import numpy as np
import pytest
import torch

from gan_core import GANConfig, RunError, RunStore
from gan_core.keepsakes import KEPT_DIRECTIONS, NAME_LENGTH
from gan_core.schema import SCHEMA, metric_series
from gan_core.store import ENDED, KEPT_CHECKPOINTS, LIVE, RESUMABLE, default_name, runs_folder


def _state(step):
    return {"step": step, "configs": [], "cursors": {}, "tensors": {"a": torch.full((2000,), float(step))}}


UNIT = np.eye(4, dtype=np.float32)[1]


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

    def first_visits(k):
        for folder in range(60):  # in one of twenty, two come at the very same moment
            barrier.wait(20)
            store = RunStore(tmp_path / str(folder))
            store.runs()
            store.close()

    _in_threads(8, first_visits)


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


def test_large_checkpoints_are_fewer(store, run, monkeypatch):
    size = 10_000  # each has more than 8,000 bytes
    monkeypatch.setattr("gan_core.store.KEPT_BYTES", 5 * size)
    for step in range(20):
        store.save_checkpoint(run, _state(step))
    assert store.disk_bytes(run) <= 5 * size
    assert len(store.checkpoint_steps(run)) >= 5


def test_of_many_members_three_checkpoints_are_kept(store, run):
    for step in range(8):
        store.save_checkpoint(run, {**_state(step), "configs": [{}, {}]})
    assert len(store.checkpoint_steps(run)) == 3


def test_three_checkpoints_are_kept_however_large(store, run, monkeypatch):
    monkeypatch.setattr("gan_core.store.KEPT_BYTES", 1)
    for step in range(8):
        store.save_checkpoint(run, _state(step))
    assert len(store.checkpoint_steps(run)) == 3


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
    with pytest.raises(RunError, match="The only checkpoint of run .* is damaged.*Start it again"):
        store.load_checkpoint(run)
    store.save_checkpoint(run, _state(6))
    store.checkpoint_path(run, 6).unlink()
    with pytest.raises(RunError, match="All 2 checkpoints of run .* are damaged or missing"):
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
    store.put_direction(run, "smile", "z", UNIT, 1.0)
    store.put_picture(run, np.ones((1, 2, 2)))
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


# Maps and their cells


@pytest.fixture
def a_map(store, tiny):
    return store.create([tiny()], "A map", spec={"seeds": 2, "x": [1.5]}, steps=600)


def test_what_a_map_is_comes_back(store, a_map):
    row = store.get(a_map)
    assert (row.kind, row.spec, row.steps) == ("map", {"seeds": 2, "x": [1.5]}, 600)


def test_a_run_is_no_map(store, run, tiny):
    row = store.get(run)
    assert (row.kind, row.spec, row.steps) == ("run", {}, tiny().steps)


@pytest.mark.parametrize("kind", ["run", "map", None])
def test_runs_and_maps_are_listed_apart_or_together(store, run, a_map, kind):
    expected = {"run": [run], "map": [a_map], None: [a_map, run]}[kind]
    assert [row.id for row in store.runs(kind=kind)] == expected


def test_maps_are_left_out_where_nobody_asks_for_them(store, run, a_map):
    assert [row.id for row in store.runs()] == [run]


@pytest.mark.parametrize(("kind", "count"), [("run", 0), ("map", 1), (None, 1)])
def test_a_kind_and_a_status_can_be_asked_for_together(store, run, a_map, kind, count):
    store.update(a_map, status="paused")
    assert len(store.runs(("paused",), kind=kind)) == count


def test_the_limit_counts_only_the_kind_that_was_asked_for(store, tiny, a_map):
    run = store.create([tiny()])
    store.create([tiny()], spec={"seeds": 1}, steps=1)
    assert [row.id for row in store.runs(limit=1)] == [run]


def test_cells_come_back(store, a_map):
    store.put_cells(a_map, [(0, 5, {"held": 3.0}, b""), (7, 20, {"held": 8.0, "diverged": 4}, b"abc")])
    assert store.cells(a_map) == {0: (5, {"held": 3.0}), 7: (20, {"held": 8.0, "diverged": 4})}


def test_a_number_that_is_none_comes_back_as_none(store, a_map):
    store.put_cells(a_map, [(0, 5, {"held": float("nan")}, b"")])
    assert np.isnan(store.cells(a_map)[0][1]["held"])


def test_a_cell_is_replaced(store, a_map):
    store.put_cells(a_map, [(3, 5, {"held": 1.0}, b"")])
    store.put_cells(a_map, [(3, 9, {"held": 2.0}, b"new")])
    assert (store.cells(a_map), store.cell_samples(a_map, 3)) == ({3: (9, {"held": 2.0})}, b"new")


@pytest.mark.parametrize(("steps", "finished"), [(19, {1, 2}), (20, {1, 2}), (21, {2}), (31, set())])
def test_cells_are_finished_at_their_last_step(store, a_map, steps, finished):
    store.put_cells(a_map, [(0, 5, {}, b""), (1, 20, {}, b""), (2, 30, {}, b"")])
    assert store.finished_cells(a_map, steps) == finished


def test_samples_of_a_cell_come_back(store, a_map):
    samples = bytes(range(256))
    store.put_cells(a_map, [(1, 20, {}, samples), (2, 20, {}, b"other")])
    assert store.cell_samples(a_map, 1) == samples


def test_a_cell_that_has_not_begun_has_no_samples(store, a_map):
    assert store.cell_samples(a_map, 1) == b""


def test_cells_belong_to_their_map(store, a_map, tiny):
    other = store.create([tiny()], spec={"seeds": 1}, steps=1)
    store.put_cells(a_map, [(0, 5, {}, b"mine")])
    assert (store.cells(other), store.finished_cells(other, 1), store.cell_samples(other, 0)) == ({}, set(), b"")


def test_a_deleted_map_leaves_no_cells(store, a_map, tiny):
    other = store.create([tiny()], spec={"seeds": 1}, steps=1)
    for each in (a_map, other):
        store.put_cells(each, [(0, 5, {}, b"x")])
    store.update(a_map, status="stopped")
    store.delete(a_map)
    assert (store.cells(a_map), len(store.cells(other))) == ({}, 1)


def test_another_thread_sees_the_cells(store, a_map):
    thread = threading.Thread(target=lambda: store.put_cells(a_map, [(4, 5, {}, b"")]))
    thread.start()
    thread.join()
    assert store.cells(a_map).keys() == {4}


# Series of metrics


def test_each_metric_is_a_series(store, run):
    rows = {metric_series(name): [(3, np.array([[value, value + 1]]))] for name, value in (("held", 5.0), ("kid", 0.5))}
    _report(store, run, 3, series=rows)
    steps, values = store.series(run, metric_series("kid"), members=2)
    assert (steps.tolist(), values.tolist()) == ([3], [[[0.5, 1.5]]])


# Directions


def test_a_direction_comes_back(store, run):
    store.put_direction(run, "smile", "w", UNIT, 2.5)
    (kept,) = store.directions(run)
    assert (kept.name, kept.space, kept.vector.tolist(), kept.deviation) == ("smile", "w", UNIT.tolist(), 2.5)


def test_directions_come_back_in_the_order_in_which_they_were_kept(store, run):
    for name in "cab":
        store.put_direction(run, name, "z", UNIT, 1.0)
    assert [kept.name for kept in store.directions(run)] == ["c", "a", "b"]


def test_a_direction_of_the_same_name_is_replaced(store, run):
    store.put_direction(run, "smile", "z", UNIT, 1.0)
    store.put_direction(run, "smile", "w", -UNIT, 2.0)
    assert [(kept.space, kept.deviation) for kept in store.directions(run)] == [("w", 2.0)]


def test_a_direction_can_be_dropped(store, run):
    for name in ("smile", "frown"):
        store.put_direction(run, name, "z", UNIT, 1.0)
    store.drop_direction(run, "smile")
    assert [kept.name for kept in store.directions(run)] == ["frown"]


def test_dropping_what_is_not_there_does_nothing(store, run):
    store.drop_direction(run, "smile")
    assert store.directions(run) == []


def test_directions_belong_to_their_run(store, run, tiny):
    store.put_direction(run, "smile", "z", UNIT, 1.0)
    assert store.directions(store.create([tiny()])) == []


def test_a_fork_begins_without_directions(store, run, tiny):
    store.save_checkpoint(run, {**_state(1), "configs": [tiny().model_dump()]})
    store.put_direction(run, "smile", "z", UNIT, 1.0)
    assert store.directions(store.fork(run, store.load_checkpoint(run, 1), [tiny()], "fork")) == []


def test_spaces_around_and_within_a_name_count_once(store, run):
    assert store.put_direction(run, "  a   wide\nsmile ", "z", UNIT, 1.0) == "a wide smile"


@pytest.mark.parametrize("name", ["'; DROP TABLE runs; --", "<b>smile</b>", "größer 🙂", "x" * NAME_LENGTH])
def test_a_name_is_kept_as_it_is(store, run, name):
    store.put_direction(run, name, "z", UNIT, 1.0)
    assert [kept.name for kept in store.directions(run)] == [name]


@pytest.mark.parametrize("name", ["", "  ", "x" * (NAME_LENGTH + 1), "a\x00b"], ids=["empty", "spaces", "long", "no letter"])
def test_a_name_that_is_none_is_refused(store, run, name):
    with pytest.raises(RunError, match="name"):
        store.put_direction(run, name, "z", UNIT, 1.0)


def test_a_direction_of_no_run_is_refused(store):
    with pytest.raises(RunError, match="no run"):
        store.put_direction("123", "smile", "z", UNIT, 1.0)


def test_no_more_directions_are_kept_than_allowed(store, run):
    for k in range(KEPT_DIRECTIONS):
        store.put_direction(run, str(k), "z", UNIT, 1.0)
    with pytest.raises(RunError, match="Remove one"):
        store.put_direction(run, "one more", "z", UNIT, 1.0)


def test_a_picture_comes_back_by_its_key(store, run):
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)
    assert store.picture(run, store.put_picture(run, pixels)).tolist() == list(range(12))


def test_the_same_picture_has_the_same_key(store, run):
    one, two, other = (store.put_picture(run, np.full((1, 2, 2), value)) for value in (7, 7, 8))
    assert one == two != other


def test_a_picture_belongs_to_its_run(store, run):
    key = store.put_picture(run, np.ones((1, 2, 2)))
    assert store.picture(store.create([GANConfig()]), key) is None


def test_of_too_large_pictures_the_oldest_goes(store, run):
    keys = [store.put_picture(run, np.full((1, 1024, 1024), value)) for value in range(9)]  # 1 MiB each
    assert [store.picture(run, key) is not None for key in keys] == [False] + [True] * 8


def test_of_too_many_pictures_the_oldest_goes(store, run, monkeypatch):
    monkeypatch.setattr("gan_core.keepsakes.KEPT_PICTURES", 5)
    keys = [store.put_picture(run, np.full((1, 2, 2), value)) for value in range(6)]
    assert [store.picture(run, key) is not None for key in keys] == [False] + [True] * 5


def test_a_picture_that_is_too_large_is_refused(store, run):
    with pytest.raises(RunError, match="too large to keep"):
        store.put_picture(run, np.zeros((1, 1025, 1024)))


def test_a_picture_of_no_run_is_refused(store):
    with pytest.raises(RunError, match="no run"):
        store.put_picture("123", np.ones((1, 2, 2)))


def test_a_database_of_version_5_takes_pictures(store, run):
    newer = RunStore(_as_of(store, 5))
    assert newer.picture(run, newer.put_picture(run, np.ones((1, 2, 2)))) is not None


def _as_of(store, version):
    """The folder of a store, made what version 3, 4 or 5 would have left."""
    store.close()
    with sqlite3.connect(store.folder / "runs.db") as db:
        db.execute("DROP TABLE pictures")
        if version == 3:
            db.execute("DROP TABLE directions")
        for column in ("note", "tags", "starred", "trashed", "verdict") if version < 5 else ():
            db.execute(f"ALTER TABLE runs DROP COLUMN {column}")
        db.execute(f"PRAGMA user_version = {version}")
    return store.folder


@pytest.mark.parametrize("version", [3, 4])
def test_runs_of_a_database_of_version_3_or_4_are_neither_noted_nor_in_the_trash(store, run, version):
    row = RunStore(_as_of(store, version)).get(run)
    assert (row.note, row.tags, row.starred, row.trashed, row.verdict) == ("", (), False, None, None)


def test_a_run_of_a_database_of_version_4_can_be_described_and_trashed(store, run):
    newer = RunStore(_as_of(store, 4))
    newer.update(run, status="stopped")
    newer.describe(run, note="A note", tags=["one"], starred=True)
    newer.trash([run])
    (line,) = newer.lines(trashed=True)
    assert (line.note, line.tags, line.starred, newer.runs()) == ("A note", ("one",), True, [])


def test_all_else_of_a_database_of_version_4_stays(store, run):
    _report(store, run, 3, frame=b"picture")
    before = store.get(run)
    newer = RunStore(_as_of(store, 4))
    assert (newer.get(run), newer.frame(run)) == (before, b"picture")
    assert _dump(newer.folder)[-1] == SCHEMA


def test_a_database_of_version_3_takes_directions(store, run):
    """Version 3 had all tables but this one."""
    newer = RunStore(_as_of(store, 3))
    newer.put_direction(run, "smile", "z", UNIT, 1.0)
    assert [kept.name for kept in newer.directions(run)] == ["smile"]


# Older databases

OLD_TABLES = """
CREATE TABLE IF NOT EXISTS runs (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, configs TEXT NOT NULL, status TEXT NOT NULL, owner TEXT,
    created REAL NOT NULL, updated REAL NOT NULL, step INTEGER NOT NULL DEFAULT 0, steps INTEGER NOT NULL,
    rate REAL NOT NULL DEFAULT 0, seconds REAL NOT NULL DEFAULT 0, message TEXT NOT NULL DEFAULT '', pair TEXT,
    metrics TEXT NOT NULL DEFAULT '{}');
CREATE INDEX IF NOT EXISTS runs_created ON runs (created);
CREATE INDEX IF NOT EXISTS runs_status ON runs (status);
CREATE TABLE IF NOT EXISTS series (
    run TEXT NOT NULL, kind TEXT NOT NULL, step INTEGER NOT NULL, value BLOB NOT NULL,
    PRIMARY KEY (run, kind, step)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY, run TEXT NOT NULL, step INTEGER NOT NULL, time REAL NOT NULL, kind TEXT NOT NULL,
    detail TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS events_run ON events (run);
CREATE TABLE IF NOT EXISTS commands (
    id INTEGER PRIMARY KEY, run TEXT NOT NULL, kind TEXT NOT NULL, value TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS commands_run ON commands (run);
CREATE TABLE IF NOT EXISTS frames (run TEXT PRIMARY KEY, step INTEGER NOT NULL, value BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS checkpoints (
    run TEXT NOT NULL, step INTEGER NOT NULL, digest TEXT NOT NULL, size INTEGER NOT NULL,
    PRIMARY KEY (run, step)) WITHOUT ROWID;
"""  # of version 1
OLD_METRICS = {  # of each run: name -> (T, E), measured at the steps 10 and 20
    "one": {"modes": [[1], [8]], "high_quality": [[0.25], [0.75]], "kid": [[2], [np.nan]]},
    "two": {"modes": [[1, 2], [3, 4]], "high_quality": [[0.1, 0.2], [0.3, 0.4]]},
    "none": {},
}


@pytest.fixture
def old(tmp_path, tiny):
    """The folder of a database as version 1 wrote it, with a run of one member, one of two, and one not measured."""
    folder = tmp_path / "old"
    folder.mkdir()
    with sqlite3.connect(folder / "runs.db") as db:
        db.executescript(OLD_TABLES)
        for number, (run, metrics) in enumerate(OLD_METRICS.items()):
            configs = json.dumps([tiny(seed=seed).model_dump() for seed in range(2 if run == "two" else 1)])
            latest = json.dumps({name: rows[-1] for name, rows in metrics.items()})
            db.execute(
                "INSERT INTO runs (id, name, configs, status, created, updated, step, steps, metrics) "
                "VALUES (?, ?, ?, 'finished', ?, 5, 20, 20, ?)",
                (run, f"Run {run}", configs, number, latest),
            )
            for k, step in enumerate((10, 20) if metrics else ()):
                value = np.array([rows[k] for rows in metrics.values()], np.float32)
                db.execute("INSERT INTO series VALUES (?, 'metrics', ?, ?)", (run, step, value.tobytes()))
            train = np.full((7, 1), 3, np.float32).tobytes()
            db.execute("INSERT INTO series VALUES (?, 'train', 20, ?)", (run, train))
        db.execute("INSERT INTO events (run, step, time, kind, detail) VALUES ('one', 4, 5, 'set', '{\"name\": \"lr_g\"}')")
        db.execute("INSERT INTO frames VALUES ('one', 20, ?)", (b"picture",))
        db.execute("PRAGMA user_version = 1")
    db.close()
    return folder


def _dump(folder):
    db = sqlite3.connect(folder / "runs.db")
    text = list(db.iterdump()) + [db.execute("PRAGMA user_version").fetchone()[0]]
    db.close()
    return text


@pytest.mark.parametrize(("run", "name"), [(run, name) for run, metrics in OLD_METRICS.items() for name in metrics])
def test_metrics_of_an_older_database_become_series_of_their_own(old, run, name):
    rows = OLD_METRICS[run][name]
    steps, values = RunStore(old).series(run, metric_series(name), members=len(rows[0]))
    assert steps.tolist() == [10, 20]
    np.testing.assert_array_equal(values[:, 0], np.float32(rows))


@pytest.mark.parametrize("run", OLD_METRICS)
def test_runs_of_an_older_database_are_runs(old, run):
    row = RunStore(old).get(run)
    assert (row.kind, row.spec, row.name, row.status, row.step) == ("run", {}, f"Run {run}", "finished", 20)
    assert isinstance(row.config, GANConfig)


def test_runs_of_an_older_database_are_listed(old):
    assert [row.id for row in RunStore(old).runs()] == list(OLD_METRICS)[::-1]


def test_the_latest_metrics_of_an_older_database_stay(old):
    assert RunStore(old).get("two").metrics == {"modes": [3, 4], "high_quality": [0.3, 0.4]}


def test_the_rest_of_an_older_database_stays(old):
    store = RunStore(old)
    assert store.series("two", "train")[1].tolist() == [[[3]] * 7]
    assert store.events("one")[0]["name"] == "lr_g"
    assert store.frame("one") == b"picture"


def test_no_series_of_the_older_kind_is_left(old):
    assert len(RunStore(old).series("one", "metrics")[0]) == 0


def test_an_older_database_becomes_one_of_this_version(old):
    RunStore(old)
    assert _dump(old)[-1] == SCHEMA


def test_opening_it_once_more_changes_nothing(old):
    RunStore(old).close()
    before = _dump(old)
    RunStore(old).close()
    assert _dump(old) == before


def test_an_older_database_takes_maps(old, tiny):
    store = RunStore(old)
    run = store.create([tiny()], spec={"seeds": 1}, steps=5)
    store.put_cells(run, [(0, 5, {"held": 1.0}, b"")])
    assert store.finished_cells(run, 5) == {0}


def test_an_older_database_takes_directions(old):
    store = RunStore(old)
    store.put_direction("one", "smile", "z", UNIT, 1.0)
    assert [kept.name for kept in store.directions("one")] == ["smile"]


def test_an_older_database_that_cannot_be_brought_up_stays_as_it_was(old, monkeypatch):
    """All of it or nothing."""
    before = _dump(old)
    monkeypatch.setattr("gan_core.store.TABLES", "NO SQL")
    with pytest.raises(RunError, match="Runs cannot be kept"):
        RunStore(old)
    assert _dump(old) == before
