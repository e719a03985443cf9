"""Searches for latents, each in a thread of its own: one for each tab, a few at a time in this process."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from gan_core import PlaygroundError, RunError
from gan_core.explorer import Inversion

AT_ONCE = 2  # searches that compute; others wait
MOST = 16  # searches that are remembered or wait
PATIENCE = 90.0  # seconds after which a search that nobody looks at ends; a tab in the background still looks once a minute

RESTS, LONGEST_REST = 2.0, 0.2  # times as long as a step took, and seconds at most
ASKED_SECONDS = 0.5  # between two looks whether a run trains

Work = Callable[[Callable[[float, float], None], Callable[[], bool]], Inversion]  # (progress, stop) -> what was found


class Gentle:
    """Rests between the steps of a search while a run trains, which would else have to share its cores half and half.

    Args:
        trains: whether one does.
    """

    def __init__(self, trains: Callable[[], bool]):
        self._trains, self._does, self._asked = trains, False, 0.0
        self._last = time.perf_counter()

    def rest(self) -> None:
        """After a step."""
        now = time.perf_counter()
        if now - self._asked > ASKED_SECONDS:
            self._asked = now
            with suppress(sqlite3.Error, OSError):  # a store that cannot be read is said elsewhere
                self._does = self._trains()
        if self._does:
            time.sleep(min(LONGEST_REST, RESTS * (now - self._last)))
        self._last = time.perf_counter()


class Search:
    """A search and how it stands. Written by its own thread, read by any.

    Attributes:
        key: what was asked.
        state: "waiting", "searching", "done", "stopped" or "failed".
        share: of its steps that are done. course: the least error after each step.
        found: None until it has ended, and where it was stopped before its first step.
        problem: a sentence, where it failed.
        seconds: that it took.
    """

    def __init__(self, key: str, work: Work):
        self.key, self._work = key, work
        self.state, self.share, self.seconds, self.problem = "waiting", 0.0, 0.0, ""
        self.course: list[float] = []
        self.found: Inversion | None = None
        self._stop = threading.Event()
        self._looked = time.monotonic()

    @property
    def is_live(self) -> bool:
        return self.state in ("waiting", "searching")

    def look(self) -> None:
        """Somebody still waits for it."""
        self._looked = time.monotonic()

    def stop(self) -> None:
        self._stop.set()

    def run(self) -> None:
        if self._ended():
            self.state = "stopped"
            return
        self.state, begun = "searching", time.monotonic()
        try:
            self.found = self._work(self._progress, self._ended)
            state = "done" if self.share >= 1 else "stopped"
        except PlaygroundError as error:
            self.problem, state = str(error), "failed"
        except (RuntimeError, MemoryError) as error:  # of torch: too little memory, a device that is gone
            self.problem, state = f"The search broke off ({str(error)[:200]}). Try fewer starts.", "failed"
        self.seconds = time.monotonic() - begun
        self.state = state  # last, for whoever reads what was found

    def _progress(self, share: float, least: float) -> None:
        self.course.append(least)
        self.share = share

    def _ended(self) -> bool:
        return self._stop.is_set() or time.monotonic() - self._looked > PATIENCE


class Searches:
    """The searches of all tabs."""

    def __init__(self):
        self._lock = threading.Lock()
        self._of: dict[str, Search] = {}  # tab -> its search, the oldest first
        self._pool = ThreadPoolExecutor(AT_ONCE, "search")

    def start(self, tab: str, key: str, work: Work) -> Search:
        """Begin a tab's search; its last one ends.

        Raises:
            RunError: too many others wait.
        """
        with self._lock:
            self._drop(tab)
            for other in [tab for tab, search in self._of.items() if not search.is_live]:
                if len(self._of) >= MOST:
                    self._drop(other)
            if len(self._of) >= MOST:
                raise RunError(f"{MOST} searches are under way on this server already. Wait until one has ended.")
            search = self._of[tab] = Search(key, work)
            self._pool.submit(search.run)
            return search

    @property
    def has_room(self) -> bool:
        """Whether a search would begin at once."""
        with self._lock:
            return sum(search.is_live for search in self._of.values()) < AT_ONCE

    def get(self, tab: str, key: str) -> Search | None:
        """The tab's search for what is asked. One for something else ends: nobody will see what it finds."""
        with self._lock:
            search = self._of.get(tab)
            if search is not None and search.key != key:
                self._drop(tab)
                return None
            return search

    def shutdown(self) -> None:
        """End all of them, for good."""
        with self._lock:
            for tab in list(self._of):
                self._drop(tab)
        self._pool.shutdown()

    def _drop(self, tab: str) -> None:
        if search := self._of.pop(tab, None):
            search.stop()


SEARCHES = Searches()
