"""Runner: trains runs in background threads and hands commands to them.

One thread trains one run, or a pair of runs step by step in turn. At most `slots` threads train at once; the others
wait in a queue, first come first served. A paused run gives its slot away. Commands go through the store, so it makes
no difference whether a page, the command line or another process gives them.
"""

from __future__ import annotations

import atexit
import itertools
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock

from .config import METAS, GANConfig
from .disk import check_room, sweep
from .errors import ConfigError, LostError, RunError
from .files import is_held
from .mapping import MapSession
from .maps import MapSpec
from .pace import check_pace, check_until
from .session import REPORT_SECONDS, Session
from .store import LIVE, RESUMABLE, Run, RunStore
from .trace import TOLD, check_told
from .trainer import check_part, check_trainable

WATCH_SECONDS = 3.0  # between two looks for runs whose program has ended
OLD_SECONDS = 60  # of a lock's file, so that it is not one that is just being made
POLL_SECONDS = 0.2  # how long a command from another process may go unnoticed
JOIN_SECONDS = 30
GONE = "The program that trained it ended. Resume goes on from its last checkpoint."
COMMANDS = ("pause", "resume", "step", "stop", "set", "pace", "until")
KEPT = ("pace", "until")  # commands that a run without a thread keeps for when it goes on
SLOW = 5.0  # steps a second up to which each step is reported at once


class Runner:
    """Trains the runs of a store. One for each process; `shutdown` is called when the process ends.

    Args:
        store: where runs are kept.
        slots: how many threads train at the same time.
        data_folder: where image data lie; None for GAN_PLAYGROUND_DATA or `data/`.
    """

    def __init__(self, store: RunStore, slots: int = 1, data_folder: Path | None = None):
        self.store, self.slots, self.data_folder = store, slots, data_folder
        self.owner = uuid.uuid4().hex
        self._lock = threading.Lock()
        self._turn = threading.Condition(self._lock)
        self._workers: dict[str, _Worker] = {}  # by run
        self._waiting: list[_Worker] = []
        self._training = 0
        self.closing = False
        # it is released by whichever thread ends the program
        self._owner_lock = FileLock(self._owner_path(self.owner), thread_local=False)
        try:
            store.locks.mkdir(exist_ok=True)
            self._owner_lock.acquire(timeout=0)
            self.recover()
            store.sweep()
            sweep(store)
        except (OSError, sqlite3.Error) as error:
            raise RunError(
                f"Runs cannot be kept in {self.store.folder} ({error}). Free some space there, or set "
                f"GAN_PLAYGROUND_RUNS to a folder that can be written."
            ) from error
        self._ended = threading.Event()
        self._watching = threading.Thread(target=self._watch, name="watch", daemon=True)
        self._watching.start()
        atexit.register(self.shutdown)

    # Who trains what

    def _owner_path(self, owner: str) -> Path:
        return self.store.locks / f"{owner}.lock"

    def _is_alive(self, owner: str | None) -> bool:
        """Whether the process that calls itself `owner` still holds its lock; a killed one does not."""
        if owner is None or owner == self.owner:
            return owner == self.owner
        return is_held(self._owner_path(owner))

    def recover(self) -> list[str]:
        """Mark live runs whose process is gone as interrupted, unless somebody takes them up meanwhile; returns their ids."""
        gone = [run for run in self.store.runs(LIVE, kind=None) if not self._is_alive(run.owner)]
        found = [run.id for run in gone if self.store.interrupt(run, GONE)]
        for path in self.store.locks.glob("*.lock"):
            with suppress(OSError):
                if (
                    path != self._owner_path(self.owner)
                    and path.stat().st_mtime < time.time() - OLD_SECONDS
                    and not is_held(path)
                ):
                    path.unlink(missing_ok=True)
        return found

    def _watch(self) -> None:
        """Until the end: notice when another process has been killed, so that its runs do not look as if they went on."""
        while not self._ended.wait(WATCH_SECONDS):
            with suppress(RunError, OSError, sqlite3.Error):
                for run in self.store.runs(LIVE, kind=None):
                    if run.owner is not None and not self._is_alive(run.owner):
                        self.store.interrupt(run, GONE)
        self.store.close()

    # What a user can do

    def start(
        self,
        config: GANConfig | Sequence[GANConfig],
        name: str = "",
        paused: bool = False,
        pace: float = 0.0,
        until: Mapping[str, Any] | None = None,
    ) -> str:
        """Queue a new run of one config, or of several as members; returns its id.

        Args:
            paused: hold it before step 1.
            pace, until: as for the commands of `send`.

        Raises:
            ConfigError: the configs cannot be trained together, or not on this machine, or `pace` or `until` make no sense.
            RunError: the run cannot be written down, or there is no room for it.
        """
        configs = [config] if isinstance(config, GANConfig) else list(config)
        wishes = {
            "pace": check_pace(pace),
            "until": check_until(until, configs[0], 0, configs[0].steps, self.data_folder) if until else {},
        }
        return self._start([configs], [name], None, paused, wishes)[0]

    def start_pair(
        self,
        first: GANConfig | Sequence[GANConfig],
        second: GANConfig | Sequence[GANConfig],
        names: tuple[str, str] = ("", ""),
        label: str = "pair",
    ) -> tuple[str, str]:
        """Queue two runs that train in turn, step by step, so that they can be compared live; returns their ids.

        Args:
            first, second: a config each, or several as members.
            label: what the pair is about; their common `Run.pair` begins with it and a colon.
        """
        groups = [[c] if isinstance(c, GANConfig) else list(c) for c in (first, second)]
        one, two = self._start(groups, names, f"{label}:{uuid.uuid4().hex[:8]}")
        return one, two

    def start_map(self, spec: MapSpec, name: str = "") -> str:
        """Queue a collapse map; returns its id.

        Raises:
            ConfigError: it cannot be trained on this machine.
            RunError: it cannot be written down, or there is no room for it.
        """
        for configs in spec.largest():
            check_trainable(configs)
        name = name.strip() or f"map {spec.base.dataset}: {spec.x.name} × {spec.y.name}"
        steps = len(spec.chunks()) * spec.base.steps
        with self._writing():
            check_room(self.store)
            run = self.store.create([spec.base], name, None, self.owner, spec=spec.dump(), steps=steps)
        with self._or_none([run]):
            self._launch([run])
        return run

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            raise RunError(
                f"The run cannot be written to {self.store.folder} ({error}). Free some space there, or set "
                f"GAN_PLAYGROUND_RUNS to another folder."
            ) from error

    def _start(
        self,
        groups: Sequence[Sequence[GANConfig]],
        names: Sequence[str],
        pair: str | None,
        paused: bool = False,
        wishes: Mapping[str, Any] | None = None,
    ) -> list[str]:
        for configs in groups:
            check_trainable(configs)
        runs: list[str] = []
        with self._writing(), self._or_none(runs):
            check_room(self.store)
            for configs, name in zip(groups, names, strict=True):
                runs.append(self.store.create(configs, name, pair, self.owner))
                if wishes:
                    self.store.update(runs[-1], **_anchored(wishes, 0.0))
                if paused:
                    self.store.add_command(runs[-1], "pause")
            self._launch(runs)
        return runs

    @contextmanager
    def _or_none(self, runs: Sequence[str]) -> Iterator[None]:
        """What goes wrong leaves none of the runs as if it waited for its turn."""
        try:
            yield
        except Exception as error:
            message = f"It could not be started: {error}"
            for run in runs:
                with suppress(RunError, OSError, sqlite3.Error):
                    self.store.interrupt(self.store.get(run), message)
            raise

    def resume(self, run: str, changes: Mapping[str, Any] | None = None) -> None:
        """Let a paused run go on, or take up one that was stopped, interrupted or failed from its last checkpoint.

        Args:
            changes: settings to change before it goes on, as with the command set.

        Raises:
            ConfigError: a change is out of range, or cannot be made while training.
            RunError: it does not exist, is finished or in the trash, has just been taken elsewhere, or cannot be written.
        """
        self.resume_together([run], changes)

    def resume_together(self, runs: Sequence[str], changes: Mapping[str, Any] | None = None) -> None:
        """Resume runs; those that have to be taken up from a checkpoint share a thread, as a pair does that is started."""
        taken: list[str] = []
        with self._or_none(taken):
            self._resume_together(runs, changes, taken)

    def _resume_together(self, runs: Sequence[str], changes: Mapping[str, Any] | None, taken: list[str]) -> None:
        for row in [self.store.get(run) for run in runs]:
            _check_changes(row, changes or {})
            if row.kind == "run":
                check_trainable(row.configs)
            if row.is_live and self._holds(row):
                if changes:
                    self.send(row.id, "set", dict(changes))
                self.send(row.id, "resume")
                continue
            if row.status == "finished":
                raise RunError(f"Run {row.id} is finished: all {row.steps:,} steps are done. Start a new run with more steps.")
            _check_not_trashed(row)
            try:
                if not self.store.claim(row.id, self.owner, (row.status,), row.owner):
                    raise RunError(f"Run {row.id} has just been taken up elsewhere.")
                taken.append(row.id)
                if changes:
                    self.store.add_command(row.id, "set", dict(changes))
            except sqlite3.Error as error:
                raise self._unwritable(error) from error
        if taken:
            self._launch(taken)

    def fork(self, run: str, step: int | None = None, changes: Mapping[str, Any] | None = None, name: str = "") -> str:
        """A new run that goes on from a kept step of another one, which stays as it is; returns its id. `resume` starts it.

        Args:
            step: one of `RunStore.checkpoint_steps`; None for the latest.
            changes: settings that may change while a run trains, and `steps`. A run forked at its end gets as many steps again.

        Raises:
            ConfigError: a change is out of range, or cannot be made while training.
            RunError: there is no such run or kept step, it is a map or in the trash, or there is no room for another.
        """
        row, changes = self.store.get(run), dict(changes or {})
        if row.kind != "run":
            raise RunError(f"{run} is a map, whose GANs have no checkpoints. Open one of its cells as a run first.")
        _check_not_trashed(row)
        if not self.store.checkpoint_steps(run):
            raise RunError(f"Run {run} has no checkpoint yet, so nothing can go on from it. Wait until it has trained a while.")
        state = self.store.load_checkpoint(run, step)
        step, configs = state["step"], [GANConfig.parse(c) for c in state["configs"]]
        changes.setdefault("steps", row.steps if step < row.steps else step + row.steps)
        if changes["steps"] <= step:
            raise ConfigError(f"steps = {changes['steps']:,} is over at step {step:,}. Give a larger number.")
        _check_changes(row, {name: value for name, value in changes.items() if name != "steps"})
        try:
            check_room(self.store)
            return self.store.fork(run, state, [c.but(**changes) for c in configs], (name or f"{row.name}, from {step:,}")[:80])
        except (OSError, sqlite3.Error) as error:
            raise self._unwritable(error) from error

    def trash(self, runs: Sequence[str]) -> None:
        """Put runs into the trash, all or none, and empty it of what has lain there too long or is too much.

        Raises:
            RunError: one does not exist or is live, or nothing can be written.
        """
        try:
            self.store.trash(runs)
            sweep(self.store)
        except (OSError, sqlite3.Error) as error:
            raise self._unwritable(error) from error

    def restore(self, runs: Sequence[str]) -> None:
        """Take runs out of the trash.

        Raises:
            RunError: one does not exist, or nothing can be written.
        """
        try:
            self.store.restore(runs)
        except (OSError, sqlite3.Error) as error:
            raise self._unwritable(error) from error

    def delete(self, run: str) -> None:
        """Remove a run that is in the trash, and all that belongs to it, for good.

        Raises:
            RunError: it does not exist, is not in the trash, or nothing can be written.
        """
        try:
            self.store.delete(run, only_trashed=True)
        except (OSError, sqlite3.Error) as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: Exception) -> RunError:
        return RunError(f"{self.store.folder} cannot be written ({error}). Free some space there and try again.")

    def _holds(self, row: Run) -> bool:
        """Whether somebody trains the run: a thread of this process, or another process that is alive."""
        if row.owner == self.owner:
            return row.id in self._workers
        return self._is_alive(row.owner)

    def send(self, run: str, kind: str, value: Any = None) -> None:
        """Give a command to a live run; `pace` and `until` also to one that can be resumed.

        Args:
            kind: one of COMMANDS.
            value: for `set` {name: value, …}, which are taken over together; for `step`, which is obeyed in a pause, None for a
                full one, "told" for one in slow motion, "discriminator" or "generator"; for `pace` steps a second from 0.2 to
                1000, or 0 for as fast as it goes; for `until` what to pause at: {"step": N}, {"modes": K}, {"seconds": T} of
                training from now, or {}.

        Raises:
            ConfigError: a value that is out of range, makes no sense, or cannot change while training.
            RunError: the run does not exist, is not live, or takes no such command.
        """
        if kind not in COMMANDS:
            raise RunError(f"There is no command {kind}. Commands are: {', '.join(COMMANDS)}.")
        row = self.store.get(run)
        if not row.is_live and not (kind in KEPT and row.status in RESUMABLE):
            mend = "Resume it first." if row.status in RESUMABLE else "Start a new run."
            raise RunError(f"Run {run} is {row.status}, so it cannot take the command {kind}. {mend}")
        value = self._checked(row, kind, value)
        try:
            if not row.is_live:
                self.store.update(run, **_anchored({kind: value}, row.seconds))
                return
            self.store.add_command(run, kind, value)
        except sqlite3.Error as error:
            raise self._unwritable(error) from error
        worker = self._workers.get(run)
        if worker is not None:
            worker.wake.set()
        elif not self._holds(self.store.get(run)):
            self.store.interrupt(row, GONE)

    def _checked(self, row: Run, kind: str, value: Any) -> Any:
        """A command's value as the run obeys it."""
        if row.kind == "map" and (kind in KEPT or (kind == "step" and value is not None)):
            raise RunError(f"A map takes no command {kind}: its GANs train together, as fast as they go.")
        if kind == "set":
            _check_changes(row, value)
        elif kind == "step" and value == TOLD:
            check_told(row.configs)
        elif kind == "step" and value is not None:
            check_part(value, row.config)
        elif kind == "pace":
            return check_pace(value)
        elif kind == "until":
            return check_until(value, row.config, row.step, row.steps, self.data_folder)
        return value

    def await_change(self, run: str, status: str, seconds: float = 0.3) -> None:
        """Wait until a run's status is another than `status`, so that who looks next sees what a command did; no longer than so
        many seconds, because it may have to finish a long step first."""
        end = time.monotonic() + seconds
        while self.store.get(run).status == status and time.monotonic() < end:
            time.sleep(0.01)

    def problem(self, run: str) -> str:
        """Why a run of this process cannot write down how it stands, or ""."""
        worker = self._workers.get(run)
        return worker.problem(run) if worker is not None else ""

    def wait(self, run: str, timeout: float | None = None) -> bool:
        """Wait until no thread of this process holds the run; False if that took longer than `timeout` seconds."""
        worker = self._workers.get(run)
        if worker is None:
            return True
        return worker.ended.wait(timeout)

    def shutdown(self) -> None:
        """End all threads, each with a last checkpoint. Their runs can be resumed later."""
        with self._lock:
            if self.closing:
                return
            self.closing = True
            workers = set(self._workers.values())
            self._turn.notify_all()
        for worker in workers:
            worker.wake.set()
        deadline = time.monotonic() + JOIN_SECONDS
        for worker in workers:
            worker.ended.wait(max(0.0, deadline - time.monotonic()))
            worker.thread.join(1.0)
        self._ended.set()
        self._watching.join(1.0)
        self._owner_lock.release()
        with suppress(OSError):
            self._owner_path(self.owner).unlink(missing_ok=True)

    # Threads and turns

    def _launch(self, runs: list[str]) -> None:
        worker = _Worker(self, [self._session(run) for run in runs])
        with self._lock:
            if self.closing:
                raise RunError("The program is about to end. Start it again first.")
            for run in runs:
                self._workers[run] = worker
            self._waiting.append(worker)
        worker.thread.start()

    def _session(self, run: str) -> Session:
        kind = MapSession if self.store.get(run).kind == "map" else Session
        return kind(self.store.held_by(self.owner), run, self.data_folder)

    def take_turn(self, worker: _Worker, seconds: float) -> bool:
        """Wait up to so many seconds for a slot; True when the worker has one. First come, first served."""
        with self._turn:
            if worker not in self._waiting:
                self._waiting.append(worker)
            ready = self._turn.wait_for(
                lambda: self.closing or (self._training < self.slots and self._waiting[0] is worker), seconds
            )
            if not ready or self.closing:
                return False
            self._waiting.remove(worker)
            self._training += 1
            self._turn.notify_all()
            return True

    def give_turn(self, worker: _Worker, training: bool) -> None:
        """Free the worker's slot, or its place in the queue."""
        with self._turn:
            if training:
                self._training -= 1
            elif worker in self._waiting:
                self._waiting.remove(worker)
            self._turn.notify_all()

    def forget(self, worker: _Worker) -> None:
        """The worker's thread is about to end."""
        with self._lock:
            for run in [run for run, held in self._workers.items() if held is worker]:
                del self._workers[run]


def _check_not_trashed(row: Run) -> None:
    if row.trashed is not None:
        how = f"on the Runs page or with: python -m gan_core restore {row.id}"
        raise RunError(f"Run {row.id} is in the trash. Restore it first, {how}")


def _check_changes(row: Run, changes: Mapping[str, Any]) -> None:
    """Raise ConfigError where settings cannot be changed in a run that trains, or do not fit together."""
    for name in changes:
        if name not in METAS or not METAS[name].live:
            raise ConfigError(f"{name} cannot be changed while a run trains.")
    row.config.but(**changes)


def _anchored(wishes: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    """Columns for a run that nobody trains yet and that has trained so many seconds."""
    until = wishes.get("until", {})
    return {**wishes, **({"until": {**until, "end": seconds + until["seconds"]}} if "seconds" in until else {})}


class _Worker:
    """A thread that trains its sessions in turn, the one that is behind first."""

    _numbers = itertools.count(1)

    def __init__(self, runner: Runner, sessions: list[Session]):
        self.runner, self.sessions = runner, sessions
        for session in sessions:
            session.is_wanted_elsewhere = lambda: runner.closing or self.wake.is_set()
        self.wake = threading.Event()
        # waited for instead of Thread.join, which before Python 3.13 takes a thread for ended when Ctrl-C interrupts it
        self.ended = threading.Event()
        self._polled = self._reported = 0.0
        self.thread = threading.Thread(target=self._work, name=f"training-{next(self._numbers)}", daemon=True)

    def problem(self, run: str) -> str:
        return next((s.problem for s in self.sessions if s.run == run), "")

    def _work(self) -> None:
        training = False
        try:
            while not self.runner.closing:
                self._poll()
                for session in self.sessions:
                    session.retry()
                live = [s for s in self.sessions if not s.ended]
                untold = [s for s in self.sessions if s.problem]  # their end could not be written down yet
                if not live and not untold:
                    break
                ready = [s for s in live if s.status != "paused"]
                if not ready:
                    self.runner.give_turn(self, training)
                    training = False
                    self.wake.wait(POLL_SECONDS)
                elif not training:
                    training = self.runner.take_turn(self, POLL_SECONDS)
                else:
                    self._advance(ready)
            for session in self.sessions:
                if not session.ended:
                    session.interrupt("The program was closed. Resume goes on from here.")
        except Exception as error:
            for session in self.sessions:
                if not session.ended:
                    session.fail(error)
        finally:
            self.runner.give_turn(self, training)
            self.runner.forget(self)
            self.runner.store.close()
            self.ended.set()

    def _advance(self, ready: list[Session]) -> None:
        """Steps until the next look at the commands."""
        for session in ready:
            if session.status == "queued":
                session.go()
        until = self._polled + POLL_SECONDS
        while not self.wake.is_set() and not self.runner.closing and (now := time.monotonic()) < until:
            going = [s for s in ready if s.status == "running"]
            if len(going) != len(ready):
                return
            behind = min(s.step for s in going)
            due = [s for s in going if s.step == behind]
            if wait := max(s.pace.wait(now) for s in due):  # those of a pair keep step at the slower one's pace
                self.wake.wait(min(wait, until - now))
                for session in due:
                    session.rest_if_met()
                continue
            for session in due:
                session.pace.took(now)
                session.advance()
            slow = any(0 < s.pace.rate <= SLOW for s in due)
            if slow or now - self._reported >= REPORT_SECONDS:  # a pair reports together, so that it is seen in step
                self._reported = now
                for session in going:
                    if session.status == "running":
                        session.report(picture=slow)

    def _poll(self) -> None:
        self.wake.clear()
        self._polled = time.monotonic()
        for session in self.sessions:
            if session.ended:
                continue
            try:
                commands = self.runner.store.take_commands(session.run)
            except LostError:
                session.lose()
                continue
            except sqlite3.Error:
                continue  # the disk is full: the session says so when it reports
            for kind, value in commands:
                session.obey(kind, value)
