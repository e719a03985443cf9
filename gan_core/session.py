"""Session: one run in a training thread. It steps the trainer, measures within a budget, and reports to the store.

Measuring (pictures, metrics, checkpoints) may take a few per cent of the training time: each kind has a pacer, which
after every use waits as long as its share demands. A slow measurement therefore comes less often, never more dearly.
"""

from __future__ import annotations

import math
import sqlite3
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from .config import GANConfig
from .errors import ConfigError, DivergedError, LostError, PlaygroundError, RunError
from .film import EARLY
from .frames import film_frame, live_parts, pack
from .members import PLAYERS
from .metrics import COUNTED_MODES, TALLIES
from .pace import MET, Pace, covered, span
from .reading import verdict_name
from .schema import metric_series
from .store import SECONDS, RunStore
from .trace import TOLD, traced_step
from .trainer import Trainer

ROOM_SECONDS = (0.5, 5.0)  # until a store that could not be written is tried again: at first, and at most
ROOM = 2**20  # bytes beside a checkpoint that must be free
REPORT_SECONDS = 0.4  # between two reports: twice a second and a little more
LESSON_SECONDS = 0.12  # that a judge learns at a time


class Pacer:
    """Spaces out an activity so that it takes at most `share` of the time, and comes at most every `least` seconds."""

    def __init__(self, share: float, least: float):
        self.share, self.least = share, least
        self._next = 0.0
        self._cost: float | None = None

    def due(self, now: float) -> bool:
        return now >= self._next

    def used(self, begun: float, ended: float) -> None:
        """Note that it took place, in seconds of `time.perf_counter`.

        The cheaper of the last two counts, and the first does not, because it also pays for imports and caches.
        """
        before, self._cost = self._cost, ended - begun
        self._next = ended + max(self.least, 0.0 if before is None else min(before, self._cost) / self.share)


class _Later(Exception):
    """A command came, or the program ends, while a run was being made ready."""


class Session:
    """A run that this process trains.

    Attributes:
        status: as in `Run.status`; what the store says, or will say once it can be written again.
        problem: why the store cannot be written, or "".
        pace: when the next step is due.
        until: what it pauses at, as in `Run.until`.
    """

    def __init__(self, store: RunStore, run: str, data_folder: Path | None = None):
        row = store.get(run)
        self.store, self.run, self.data_folder = store, run, data_folder
        self.configs: list[GANConfig] = list(row.configs)
        self.status, self.message, self.problem = "queued", "", ""
        self.seconds, self.rate, self.metrics = row.seconds, 0.0, row.metrics
        self.pace, self.until = Pace(row.pace), row.until
        self.trainer: Trainer | None = None
        self._stood_at = row.step  # where it goes on, until the trainer says
        self._told: tuple[dict, dict] | None = None  # a step in slow motion whose picture is still to be reported
        self._measured_at = -1  # the step of the latest measurement
        self._reported = 0  # rows of the trainer's history that are in the store
        self._measured: dict[str, list[tuple[int, np.ndarray]]] = {}  # series -> rows that are not in the store yet
        self._film: list[tuple[int, bytes]] = []  # pictures of the replay that are not in the store yet
        self._frames = Pacer(0.03, 0.75 * REPORT_SECONDS)  # if it is cheap, with every report
        self._measures = Pacer(0.02, 1.0)
        self._lessons = Pacer(0.25, 0.0)  # once for each data set: a judge that is ready costs nothing
        self._checkpoints = Pacer(0.01, 2.0)
        self._last_report = self._last_told = 0.0
        self._steps_since = 0
        self._changes: dict[str, Any] = {}
        self._aim: tuple[str, str] | None = None  # status and message that it was about to come to rest with
        self._held_up = False  # by a store that cannot be written, since when it waits for room
        self._next_try = self._wait = 0.0
        self._size = 0  # of a checkpoint, in bytes
        self.is_wanted_elsewhere: Callable[[], bool] = lambda: False

    @property
    def step(self) -> int:
        return self.trainer.step_count if self.trainer else self._stood_at

    @property
    def ended(self) -> bool:
        return self.status not in ("queued", "running", "paused")

    # Beginning

    def _prepare(self) -> None:
        """Load the data, build the trainer, and go on from the latest checkpoint if there is one."""
        self._say("running", "Getting ready")
        self.store.tidy(self.run)
        several = len(self.configs) > 1
        trainer = Trainer(self.configs, data_folder=self.data_folder, progress=self._progress, tolerant=several)
        if self.store.checkpoint_steps(self.run):
            trainer.load_state_dict(self.store.load_checkpoint(self.run))
            self.store.drop_series_after(self.run, trainer.step_count)
        trainer.set_values(self._changes)
        self.configs = trainer.configs
        self.store.update(self.run, configs=self.configs)
        self.trainer, self.message = trainer, ""
        self._last_report = time.perf_counter()
        self._report(force_frame=True)
        if not self.step:
            self._keep()

    def _progress(self, text: str, share: float) -> None:
        if self.is_wanted_elsewhere():
            raise _Later
        now = time.perf_counter()
        if now - self._last_told > 0.3:
            self._last_told = now
            self._say("running", f"{text}, {share:.0%}" if share else text)

    # Between two steps

    def advance(self) -> None:
        """One step; after the last one the run is finished."""
        with self._guard():
            if not self._is_done:  # it may be, if the end could not be written down the first time
                self.trainer.step()
                self._steps_since += 1
                if self.step in EARLY:
                    self._picture()
            if self._is_done:
                self._settle("finished", "")
            else:
                self._rest_if_met()

    def report(self, picture: bool = False) -> None:
        """Say how things stand, with whatever measurement is due; a picture also when it is not."""
        with self._guard():
            self._report(picture=picture)
            self._rest_if_met()

    def rest_if_met(self) -> None:
        """Pause where what the run is to pause at is met."""
        with self._guard():
            self._rest_if_met()

    def obey(self, kind: str, value: Any) -> None:
        """A command: pause, resume, step, stop, set {name: value, …}, pace or until, with values as `Runner.send` takes them."""
        with self._guard():
            held_up = self._held_up
            if kind in ("pause", "stop", "step", "resume"):
                self._held_up, self._aim = False, None  # what is wanted now counts, and not what was when there was no room
            if kind == "pause" and (self.status in ("running", "queued") or held_up):
                self._settle("paused", "")
            elif kind == "resume" and self.status == "paused":
                self._resume()
            elif kind == "step" and self.status == "paused":
                self._step_once(value)
            elif kind == "pace":
                self._set_pace(value)
            elif kind == "until":
                self._set_until(value)
            elif kind == "stop":
                self._settle("stopped", "")
            elif kind == "set":
                self._set(value)

    def _step_once(self, part: str | None = None) -> None:
        """A full step, or one of one network alone."""
        self.message = ""  # why it paused is said
        if self.trainer is None:
            try:
                self._prepare()
            except _Later:
                self._say("paused", "")
                return
            self.status = "paused"
        if part == TOLD and not self._is_done:
            self._told = traced_step(self.trainer)
        elif part in PLAYERS:
            self._step_alone(part)
        elif not self._is_done:
            self.trainer.step()
        if self._is_done:
            self._settle("finished", "")
        else:
            self._report(force_frame=True)
            if met := self._met():
                self._set_until({})
                self._say("paused", met)

    def _step_alone(self, part: str) -> None:
        """One update of one network, after which this step's checkpoint is another one."""
        try:
            self.trainer.extra(part)
        except (ConfigError, RunError) as error:
            self.store.add_event(self.run, self.step, "refused", message=str(error))
            return
        self.store.add_event(self.run, self.step, "extra", part=part)
        self._keep()

    def _set_pace(self, rate: float) -> None:
        self.pace = Pace(rate)
        self.store.update(self.run, pace=rate)

    def _set_until(self, until: dict[str, Any]) -> None:
        self.until = until | ({"end": self._trained() + until["seconds"]} if "seconds" in until else {})
        self.store.update(self.run, until=self.until)

    def _trained(self) -> float:
        """Seconds of training until now."""
        return self.seconds + (time.perf_counter() - self._last_report if self.status == "running" else 0.0)

    def _met(self) -> str:
        """Why the run pauses by itself now, or ""."""
        until = self.until
        if "step" in until and self.step >= until["step"]:
            return f"{MET}step {self.step:,} is reached."
        if "seconds" in until and self._trained() >= until["end"]:
            return f"{MET}{span(until['seconds'])} of training are over, at step {self.step:,}."
        if "modes" in until and self._measured_at == self.step:
            found = (self.metrics.get("modes") or self.metrics.get("held") or [math.nan])[0]  # of the member on the page
            if found >= until["modes"]:
                return f"{MET}{covered(self.configs[0], round(found))} at step {self.step:,}."
        return ""

    def _rest_if_met(self) -> None:
        if self.until and self.status == "running" and (met := self._met()):
            self._set_until({})
            self._settle("paused", met)

    @property
    def _is_done(self) -> bool:
        return self.step >= self.trainer.configs[0].steps

    def _set(self, changes: dict[str, Any]) -> None:
        """Take over settings. What another change has made impossible meanwhile is refused, and the run goes on as it was."""
        try:
            self.configs = [c.but(**changes) for c in self.configs]
        except ConfigError as error:
            self.store.add_event(self.run, self.step, "refused", changes=changes, message=str(error))
            return
        if self.trainer:
            self.trainer.set_values(changes)
        else:
            self._changes |= changes  # until there is a trainer, whose checkpoint may know older values
        self.store.set_values(self.run, self.step, self.configs, changes)
        if self.trainer:
            self._keep()  # a kill must not take the change back

    def _resume(self) -> None:
        self.status, self.problem = "queued", ""
        self._say("queued", "")

    def go(self) -> None:
        """The run got its turn: from queued to running."""
        with self._guard():
            if self.trainer is None:
                self._prepare()
            else:
                self._last_report, self._steps_since = time.perf_counter(), 0
                self._say("running", "")

    def fail(self, error: Exception) -> None:
        """Something went wrong outside the session."""
        with self._guard():
            raise error

    def interrupt(self, message: str) -> None:
        """The process is about to end: keep everything and let go."""
        with self._guard():
            self._settle("interrupted", message)

    # Reporting

    def _keep(self) -> None:
        """Write a checkpoint."""
        begun = time.perf_counter()
        self.trainer.check_weights()  # what a step reports is from before its update
        state = self.trainer.state_dict()
        self._size = sum(tensor.nbytes for tensor in state["tensors"].values())
        self.store.save_checkpoint(self.run, state)
        self._wait = 0.0  # there is room
        self._checkpoints.used(begun, time.perf_counter())

    def _report(self, force_frame: bool = False, picture: bool = False) -> None:
        """Say how things stand, with what is due; `force_frame` with everything, `picture` with a picture in any case."""
        trainer, begun = self.trainer, time.perf_counter()
        trainer.flush()  # from here on all numbers are known to be finite
        elapsed = begun - self._last_report
        if self._steps_since and elapsed > 0:
            now = self._steps_since / elapsed
            self.rate = now if not self.rate else 0.7 * self.rate + 0.3 * now
            self.seconds += elapsed
        self._steps_since, self._last_report = 0, begun
        if force_frame or self._measures.due(begun):
            self._write_down()  # what comes may take seconds, in which a kill would take the curves too
        frame = None
        if force_frame or picture or self._frames.due(begun):
            frame = self._picture()
            self._frames.used(begun, time.perf_counter())
        started = time.perf_counter()
        if force_frame or self._measures.due(started):
            self._evaluate()
            self._measures.used(started, time.perf_counter())
        started = time.perf_counter()
        if self._lessons.due(started) and trainer.teach(LESSON_SECONDS) < 1:
            self._lessons.used(started, time.perf_counter())
        self._write_down(frame)
        if self._checkpoints.due(time.perf_counter()) and not force_frame:
            self._keep()

    def _write_down(self, frame: bytes | None = None) -> None:
        """Everything that the store does not know yet."""
        rows = self.trainer.history[self._reported :]
        self.store.report(
            self.run,
            step=self.step,
            rate=self.rate,
            seconds=self.seconds,
            frame=frame,
            film=self._film,
            metrics=self.metrics,
            series={"train": rows, SECONDS: [(self.step, np.full((1, len(self.configs)), self.seconds))], **self._measured},
            status=self.status,
            message=self.message,
        )
        self._reported += len(rows)
        self._measured, self._film = {}, []

    def _picture(self) -> bytes:
        """What the run looks like now, which also goes into its film."""
        header, arrays = self._told or live_parts(self.trainer)
        self._told = None
        if len(self.configs) == 1:  # of many members, the pages show where they stand now
            self._film.append((self.step, film_frame(header, arrays)))
        return pack(header, arrays)

    def _evaluate(self) -> None:
        found = self.trainer.measure()
        self._measured_at = self.step
        tallies = {name: found.pop(name) for name in TALLIES if name in found}  # (E, K)
        self.metrics = {name: values.tolist() for name, values in found.items()}
        rows = {metric_series(name): values.numpy()[None] for name, values in found.items()}  # (1, E)
        rows |= {name: counts.T.numpy() for name, counts in tallies.items() if counts.shape[1] <= COUNTED_MODES}
        for kind, row in rows.items():
            self._measured.setdefault(kind, []).append((self.step, row))

    def _settle(self, status: str, message: str) -> None:
        """Come to rest: curves first, then the checkpoint, and last the status, because whoever sees it may act on it."""
        self._aim = status, message
        self._come_to_rest(status, message)
        self._aim = None

    def _come_to_rest(self, status: str, message: str) -> None:
        if self.trainer:
            if status == "finished" and self.trainer.judge is not None and not self.trainer.judge.ready:
                self._report()
                with self.trainer.own_threads():
                    self.trainer.judge.learn(self._progress)  # too short a run has not taught it to its end
            self._report(force_frame=True)
            self._keep()
        verdict = self._verdict(status) if self.trainer and status != "paused" else None
        self._say(status, message, verdict=verdict)

    def _verdict(self, status: str) -> str:
        """What the verdict on a run is that ends like this."""
        row = replace(self.store.get(self.run), status=status)
        return verdict_name(self.store, row, self.trainer.data, self.trainer.judge)

    def _say(self, status: str, message: str, **values: Any) -> None:
        self.status, self.message = status, message
        self.store.update(self.run, status=status, message=message, **values)

    def last_words(self, step: int) -> None:
        """Status and message, and the curves up to where it went wrong, without measuring anything."""
        rows = self.trainer.history[self._reported :] if self.trainer else []
        self.store.report(
            self.run,
            step=step,
            rate=self.rate,
            seconds=self.seconds,
            series={"train": rows, **self._measured},
            film=[(at, picture) for at, picture in self._film if at < step],
            status=self.status,
            message=self.message,
        )
        self._reported += len(rows)
        self._measured, self._film = {}, []

    # What can go wrong

    def _guard(self) -> _Guard:
        return _Guard(self)

    def lose(self) -> None:
        """Another process has taken the run up: nothing is written about it from here any more."""
        self.status, self.problem, self._held_up = "interrupted", "", False

    def hold_up(self, error: Exception) -> str:
        """The store cannot be written: wait until it can; returns what to say."""
        self._held_up = True
        self._wait = min(max(ROOM_SECONDS[0], 2 * self._wait), ROOM_SECONDS[1])
        self._next_try = time.monotonic() + self._wait
        return (
            f"Paused at step {self.step:,}: {self.store.folder} cannot be written ({error}). Free some space there: "
            f"it goes on by itself then. Nothing is lost."
        )

    def retry(self) -> None:
        """While the store could not be written: try again to say how things stand, and go on where there is room again."""
        if self.problem:
            try:
                self.store.update(self.run, status=self.status, message=self.message)
                self.problem = ""
            except LostError:
                self.lose()
            except (OSError, sqlite3.Error):
                return
        if self._held_up and time.monotonic() >= self._next_try:
            with self._guard():
                self.store.make_sure_of(ROOM + self._size)
                self._held_up = False
                if self._aim is None:
                    self._resume()
                else:
                    self._settle(*self._aim)


class _Guard:
    """Turns whatever goes wrong in a session into a status and a sentence."""

    def __init__(self, session: Session):
        self.session = session

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind, error: BaseException | None, trace) -> bool:
        if not isinstance(error, Exception):
            return False
        session = self.session
        if isinstance(error, _Later):
            session.status = "queued"  # it begins anew once the command is obeyed
            return True
        if isinstance(error, LostError):
            session.lose()
            return True
        if isinstance(error, (sqlite3.Error, OSError)):  # the engine turns errors of reading data into its own
            status, message = "paused", session.hold_up(error)
            session.problem = message
        else:
            status, message = "failed", self._sentence(error)
        session.status, session.message = status, message
        try:
            at = error.step if isinstance(error, DivergedError) else session.step
            session.last_words(at)
            if status == "failed":
                detail = {"term": error.term} if isinstance(error, DivergedError) else {}
                session.store.add_event(session.run, at, "failed", message=message, **detail)
            session.problem = ""
        except LostError:
            session.lose()
        except (OSError, sqlite3.Error):
            session.problem = message  # the page asks the runner, and `retry` says it later
        return True

    def _sentence(self, error: Exception) -> str:
        if isinstance(error, PlaygroundError):
            return str(error)
        if "allocate memory" in str(error) or "out of memory" in str(error).lower():
            return "There is not enough memory for this run. Try a smaller batch_size or width."
        folder = self.session.store.folder / self.session.run
        note = folder / "error.txt"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            note.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
        except OSError:
            return f"Something unforeseen went wrong ({type(error).__name__}: {error}). Please report it."
        return f"Something unforeseen went wrong ({type(error).__name__}: {error}). Details are in {note}; please report it."
