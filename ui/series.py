"""Curves as pages read them from the store."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np

from gan_core.store import Run, RunStore

KEPT_SERIES = 512  # curves of so many runs and kinds stay in memory
CURVE_POINTS = 400  # more than a chart of this size has pixels


class SeriesCache:
    """The curves of runs as they were read last, so that each refresh reads only what is new."""

    def __init__(self):
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, str], tuple[np.ndarray, np.ndarray]] = {}
        self._found: dict[Hashable, Any] = {}

    def once(self, key: Hashable, find: Callable[[], Any]) -> Any:
        """What `find` gives, found out once for each key."""
        found = self._found.get(key)
        if found is None:
            found = find()
            with self._lock:
                if len(self._found) >= KEPT_SERIES:
                    self._found.clear()
                self._found[key] = found
        return found

    def series(self, store: RunStore, run: Run, kind: str) -> tuple[np.ndarray, np.ndarray]:
        """As `get`, with an empty array (0, 0, E) where there is nothing yet."""
        steps, values = self.get(store, run, kind)
        return steps, np.zeros((0, 0, len(run.configs)), np.float32) if values is None else values

    def get(self, store: RunStore, run: Run, kind: str) -> tuple[np.ndarray, np.ndarray]:
        """(steps (T,), values (T, S, E)) of everything so far."""
        with self._lock:
            steps, values = self._kept.get((run.id, kind), (np.zeros(0, np.int64), None))
            # one known row is read again: if it is not there or not the same, the run went back and made the rest anew
            last = int(steps[-1]) if len(steps) else -1
            new_steps, new_values = store.series(run.id, kind, last - 1, len(run.configs))
            if len(steps) and not (
                len(new_steps) and new_steps[0] == last and np.array_equal(new_values[0], values[-1], equal_nan=True)
            ):
                steps, values = steps[:0], None
                new_steps, new_values = store.series(run.id, kind, -1, len(run.configs))
            fresh = new_steps > last if len(steps) else np.ones(len(new_steps), bool)
            if fresh.any():
                steps = np.concatenate([steps, new_steps[fresh]])
                values = new_values[fresh] if values is None else np.concatenate([values, new_values[fresh]])
            self._kept[run.id, kind] = steps, values
            if len(self._kept) > KEPT_SERIES:
                del self._kept[next(iter(self._kept))]
            return steps, values


def thin(steps: np.ndarray, values: np.ndarray, points: int = CURVE_POINTS) -> tuple[np.ndarray, np.ndarray]:
    """At most so many points: means over equal numbers of neighbours. (T,), (T, ...) -> (P,), (P, ...)."""
    size = -(-len(steps) // points)
    if size <= 1:
        return steps, values
    starts = np.arange(0, len(steps), size)
    counts = np.diff(np.append(starts, len(steps)))
    means = np.add.reduceat(values, starts, axis=0) / counts.reshape(-1, *[1] * (values.ndim - 1))
    return steps[starts + counts - 1], means


CACHE = SeriesCache()  # of this process: pages and the feed read the same curves
