"""MapSession: a collapse map in a training thread, a trainer of many members after the other."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from .errors import DivergedError
from .frames import members_view
from .maps import MapSpec
from .session import LESSON_SECONDS, Pacer, Session
from .store import RunStore
from .trainer import Trainer

SHOWN = ("held", "modes", "high_quality", "diversity", "sliced_wasserstein")  # of each cell, as far as they apply


class MapSession(Session):
    """A map that this process trains. Finished cells are kept; what a trainer was at when the program ended begins anew."""

    def __init__(self, store: RunStore, run: str, data_folder: Path | None = None):
        super().__init__(store, run, data_folder)
        self.spec = MapSpec.parse(store.get(run).spec)
        done = store.finished_cells(run, self.spec.base.steps)
        chunks = self.spec.chunks()
        self._left = [chunk for chunk in chunks if not done.issuperset(chunk)]
        self._finished = len(chunks) - len(self._left)
        self._looks = Pacer(0.04, 1.0)

    @property
    def step(self) -> int:
        """Steps of all trainers together."""
        return self._finished * self.spec.base.steps + (self.trainer.step_count if self.trainer else 0)

    @property
    def _is_done(self) -> bool:
        return not self._left

    def _prepare(self) -> None:
        self._say("running", "Getting ready")
        if self._left:
            self._build()
        self.message = ""
        self._last_report = time.perf_counter()
        self._report()

    def _build(self) -> None:
        configs = [self.spec.config(cell) for cell in self._left[0]]
        self.trainer = Trainer(configs, data_folder=self.data_folder, progress=self._progress, tolerant=True)

    def advance(self) -> None:
        """One step of the trainer at work."""
        with self._guard():
            if self.trainer is None and self._left:
                self._build()
            if self.trainer is not None:
                if self.trainer.step_count < self.spec.base.steps:  # else its cells could not be written the first time
                    with suppress(DivergedError):  # of all its members: the map goes on without them
                        self.trainer.step()
                    self._steps_since += 1
                if self.trainer.step_count >= self.spec.base.steps or len(self.trainer.diverged) == len(self._left[0]):
                    self._finish_chunk()
            if self._is_done:
                self._settle("finished", "")

    def _finish_chunk(self) -> None:
        if self.trainer.judge is not None:
            with self.trainer.own_threads():
                self.trainer.judge.learn(self._progress)  # what it has not learnt by now, it learns now
        self._write_cells(finished=True)
        self._left.pop(0)
        self._finished += 1
        self.trainer = None

    def _write_cells(self, finished: bool = False) -> None:
        """How the cells of the trainer at work stand; where they are finished, also what they generate."""
        trainer = self.trainer
        step = self.spec.base.steps if finished else trainer.step_count
        with suppress(DivergedError):
            trainer.flush()
        found = trainer.measure(names=SHOWN)
        (view,) = members_view(trainer, always=True).values()  # (E, ...)
        rows = []
        for k, cell in enumerate(self._left[0]):
            value: dict[str, Any] = {name: float(values[k]) for name, values in found.items() if name in SHOWN}
            if k in trainer.diverged:
                value["diverged"] = trainer.diverged[k]
            picture = view[k].tobytes() if finished else b""
            rows.append((cell, step, value, picture))
        self.store.put_cells(self.run, rows)

    def _report(self, force_frame: bool = False, picture: bool = False) -> None:
        begun = time.perf_counter()
        elapsed = begun - self._last_report
        if self._steps_since and elapsed > 0:
            now = self._steps_since / elapsed
            self.rate = now if not self.rate else 0.7 * self.rate + 0.3 * now
            self.seconds += elapsed
        self._steps_since, self._last_report = 0, begun
        if self.trainer is not None and self._lessons.due(begun) and self.trainer.teach(LESSON_SECONDS) < 1:
            self._lessons.used(begun, time.perf_counter())
        begun = time.perf_counter()
        if self.trainer is not None and self._looks.due(begun):
            self._write_cells()
            self._looks.used(begun, time.perf_counter())
        self.store.report(
            self.run,
            step=self.step,
            rate=self.rate,
            seconds=self.seconds,
            series={},
            status=self.status,
            message=self.message,
        )

    def _come_to_rest(self, status: str, message: str) -> None:
        """How far it is first, also where the last trainer has just ended."""
        self._report()
        self._say(status, message)

    def _step_once(self, part: str | None = None) -> None:
        """A map has no single steps."""

    def _set(self, changes: dict[str, Any]) -> None:
        self._refuse("A map's settings cannot change.", changes=changes)

    def _set_pace(self, rate: float) -> None:
        self._refuse("A map trains as fast as it goes.")

    def _set_until(self, until: dict[str, Any]) -> None:
        self._refuse("A map pauses only when it is told to.")

    def _refuse(self, message: str, **detail: Any) -> None:
        self.store.add_event(self.run, self.step, "refused", message=message, **detail)

    def last_words(self, step: int) -> None:
        """Status and message."""
        self.store.report(
            self.run,
            step=step,
            rate=self.rate,
            seconds=self.seconds,
            series={},
            status=self.status,
            message=self.message,
        )
