"""What must not be lost, and what must not be done twice: two programs on one folder, kills, a full disk."""

import os
import subprocess
import sys

import pytest

from gan_core import RunError, Runner, RunStore, disk
from gan_core.errors import LostError
from gan_core.mapping import MapSession
from gan_core.session import Session

ENOUGH = 30.0


@pytest.fixture
def stopped(store, tiny):
    """A run with two checkpoints that nobody trains."""
    run = store.create([tiny()], owner="first")
    session = Session(store, run)
    session.go()
    session.advance()
    session.obey("stop", None)
    return run


# Two programs


def test_a_run_that_was_taken_up_meanwhile_is_not_called_interrupted(store, tiny):
    run = store.create([tiny()], owner="dead")
    read = store.get(run)
    store.update(run, owner="alive")
    assert not store.interrupt(read, "gone")
    assert store.get(run).status == "queued"


def test_a_run_that_came_to_its_end_meanwhile_is_not_called_interrupted(store, tiny):
    run = store.create([tiny()], owner="dead")
    read = store.get(run)
    store.update(run, status="finished")
    assert not store.interrupt(read, "gone")


def test_a_run_that_another_took_up_and_left_since_is_not_claimed(store, stopped):
    store.update(stopped, owner="second")
    assert not store.claim(stopped, "third", ("stopped",), "first")
    assert store.claim(stopped, "third", ("stopped",), "second")


def test_a_run_claimed_between_a_look_and_its_deletion_is_kept(store, stopped, monkeypatch):
    """As another process may do: the look that says it is stopped comes first."""
    read = store.get(stopped)
    monkeypatch.setattr(RunStore, "get", lambda self, run: read)
    assert store.claim(stopped, "other", ("stopped",))
    with pytest.raises(RunError, match="still live"):
        store.delete(stopped)
    monkeypatch.undo()
    assert store.get(stopped).owner == "other"
    assert store.checkpoint_steps(stopped)


WRITES = {
    "report": lambda s, run: s.report(run, step=1, rate=0, seconds=0, series={}),
    "update": lambda s, run: s.update(run, status="running"),
    "event": lambda s, run: s.add_event(run, 1, "extra", part="generator"),
    "values": lambda s, run: s.set_values(run, 1, s.get(run).configs, {}),
    "commands": lambda s, run: s.take_commands(run),
    "series": lambda s, run: s.drop_series_after(run, 0),
    "cells": lambda s, run: s.put_cells(run, []),
    "checkpoint": lambda s, run: s.save_checkpoint(run, s.load_checkpoint(run)),
}


@pytest.mark.parametrize("write", WRITES)
def test_who_has_lost_a_run_writes_nothing_about_it(store, stopped, write):
    mine = store.held_by("first")
    store.add_command(stopped, "stop")
    store.update(stopped, owner="second")
    path = store.checkpoint_path(stopped, store.checkpoint_steps(stopped)[-1])
    before = path.stat().st_mtime_ns
    with pytest.raises(LostError):
        WRITES[write](mine, stopped)
    assert path.stat().st_mtime_ns == before
    assert store.take_commands(stopped) == [("stop", None)]


def test_a_thread_whose_run_was_taken_up_elsewhere_ends(runner, store, endless, under_way):
    run = runner.start(endless)
    under_way(run)
    store.update(run, owner="other", status="running")
    assert runner.wait(run, ENOUGH)
    assert (store.get(run).status, store.get(run).owner) == ("running", "other")


def test_a_killed_programs_runs_are_noticed_without_anybody_looking(runner, spawn_endless, wait_until):
    process, store, run = spawn_endless(runner.store.folder)
    process.kill()
    process.wait()
    wait_until(lambda: store.get(run).status == "interrupted")


def test_of_two_runs_one_of_which_cannot_be_taken_up_none_is_left_waiting(runner, store, tiny, stopped):
    other = store.create([tiny()], owner="nobody")
    store.update(other, status="finished")
    with pytest.raises(RunError, match="is finished"):
        runner.resume_together([stopped, other])
    assert store.get(stopped).status == "interrupted"


# Checkpoints


def test_a_checkpoint_being_written_anew_is_whole_before_and_after(store, stopped, monkeypatch):
    """Killed between the checksum and the file, or between the file and the checksum."""
    step = store.checkpoint_steps(stopped)[-1]
    old = store.load_checkpoint(stopped, step)
    new = {**old, "tensors": {name: tensor + 0 for name, tensor in old["tensors"].items()}, "diverged": [[0, 1]]}
    names = type(store.checkpoint_path(stopped, step))
    with monkeypatch.context() as patch:
        patch.setattr(names, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            store.save_checkpoint(stopped, new)
    assert store.load_checkpoint(stopped, step)["diverged"] == []
    real = names.replace
    with monkeypatch.context() as patch:
        patch.setattr(names, "replace", lambda *args: (real(*args), (_ for _ in ()).throw(KeyboardInterrupt)))
        with pytest.raises(KeyboardInterrupt):
            store.save_checkpoint(stopped, new)
    assert store.load_checkpoint(stopped, step)["diverged"] == [[0, 1]]


def test_a_checkpoint_that_makes_room_while_it_is_read_is_said_so(store, stopped, monkeypatch):
    step = store.checkpoint_steps(stopped)[0]
    path, real = store.checkpoint_path(stopped, step), RunStore.checkpoint_digest

    def and_gone(self, run, at):
        found = real(self, run, at)
        if path.exists():  # thinned by whoever trains, after this one has looked
            path.unlink()
            with self._write() as db:
                db.execute("DELETE FROM checkpoints WHERE run = ? AND step = ?", (run, at))
        return found

    monkeypatch.setattr(RunStore, "checkpoint_digest", and_gone)
    with pytest.raises(RunError, match="made room for a later one"):
        store.load_checkpoint(stopped, step)


# What kills leave


@pytest.mark.parametrize("status", ["stopped", "running"])
def test_files_without_a_name_are_swept_from_runs_that_nobody_trains(store, stopped, status):
    store.update(stopped, status=status)
    part = store.folder / stopped / "checkpoints" / "000000009.abc123.part"
    orphan = store.checkpoint_path(stopped, 9)
    for path in (part, orphan):
        path.write_bytes(b"half")
    store.sweep()
    assert [part.exists(), orphan.exists()] == [status == "running"] * 2
    assert store.load_checkpoint(stopped)


def test_who_takes_a_run_up_sweeps_it(store, stopped):
    part = store.folder / stopped / "checkpoints" / "000000009.abc123.part"
    part.write_bytes(b"half")
    store.tidy(stopped)
    assert not part.exists()
    assert store.load_checkpoint(stopped)


def test_a_folder_that_no_run_knows_of_is_swept_unless_it_is_just_arriving(store):
    run = "20260101-000000-abcdef"
    (store.folder / run).mkdir()
    with store._arriving(run):
        store.sweep()
        assert (store.folder / run).exists()
    store.sweep()
    assert not (store.folder / run).exists()


def test_only_folders_of_runs_are_swept(store):
    (store.folder / "mine").mkdir()
    store.sweep()
    assert (store.folder / "mine").exists()


# A full disk


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A folder on a disk of 8 MB, on which runs may begin all the same."""
    monkeypatch.setattr(disk, "LEAST_FREE", 0)
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = hasattr(os, "geteuid") and os.geteuid() == 0 and sys.platform == "linux"
    if not mounted or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("needs the right to mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture
def full(small, endless, wait_until):
    """(runner, run, ballast) of a run that was paused by a full disk; room comes when the ballast is removed."""
    runner = Runner(RunStore(small))
    run = runner.start(endless)
    wait_until(lambda: runner.store.get(run).step > 0)
    ballast = small / "ballast"
    with ballast.open("wb", buffering=0) as file, pytest.raises(OSError):
        while True:
            file.write(bytes(2**16))
    wait_until(lambda: runner.problem(run) or "goes on by itself" in runner.store.get(run).message)
    yield runner, run, ballast
    ballast.unlink(missing_ok=True)
    runner.shutdown()


def test_a_full_disk_pauses_and_room_lets_the_run_go_on(full, wait_until):
    runner, run, ballast = full
    before = runner._workers[run].sessions[0].step
    ballast.unlink()
    wait_until(lambda: (row := runner.store.get(run)).status == "running" and row.step > before)
    assert runner.problem(run) == runner.store.get(run).message == ""


@pytest.mark.parametrize("command", ["pause", "stop"])
def test_what_was_asked_for_while_the_disk_was_full_is_done_when_there_is_room(full, wait_until, command):
    runner, run, ballast = full
    session = runner._workers[run].sessions[0]
    session.obey(command, None)
    ballast.unlink()
    wanted = {"pause": "paused", "stop": "stopped"}[command]
    wait_until(lambda: (row := runner.store.get(run)).status == wanted and not row.message)
    assert session.status == wanted


LIMITED = """
import sys, time
from gan_core import GANConfig, Runner, RunStore
runner = Runner(RunStore(sys.argv[1]))
run = runner.start(GANConfig(latent_dim=4, width=8, depth=1, batch_size=8, steps=10**6))
print(run, flush=True)
while not runner.problem(run) and "by itself" not in runner.store.get(run).message:
    time.sleep(0.01)
print(runner.problem(run) or runner.store.get(run).message, flush=True)
sys.stdin.readline()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs prlimit")
def test_a_limit_on_files_that_is_lifted_lets_the_run_go_on(spawn, tmp_path, wait_until):
    """As a full disk, for who may not mount one."""
    import resource

    folder = tmp_path / "runs"
    process = spawn("-c", LIMITED, folder, stdin=subprocess.PIPE)
    run, store = process.stdout.readline().strip(), RunStore(folder)
    wait_until(lambda: store.get(run).step > 0)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    assert "it goes on by itself then" in process.stdout.readline()
    before = store.get(run).step
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    wait_until(lambda: (row := store.get(run)).status == "running" and row.step > before)
    process.kill()


def test_a_map_whose_last_cells_could_not_be_written_takes_no_further_step(store, tiny):
    from gan_core.maps import Axis, MapSpec

    spec = MapSpec(tiny(steps=2), Axis("lr_g", (1e-3, 1e-2)), Axis("lr_d", (1e-3, 1e-2)), seeds=1)
    run = store.create([spec.base], spec=spec.dump(), steps=2)
    session = MapSession(store, run)
    session.go()
    session.advance()
    with store._write() as db:
        db.execute("CREATE TRIGGER full BEFORE INSERT ON cells BEGIN SELECT RAISE(ABORT, 'full'); END")
    session.advance()
    assert (session.status, session.trainer.step_count) == ("paused", 2)
    with store._write() as db:
        db.execute("DROP TRIGGER full")
    session.obey("resume", None)
    session.go()
    session.advance()
    assert store.finished_cells(run, 2) == {0, 1, 2, 3}
    assert session.status == "finished"
