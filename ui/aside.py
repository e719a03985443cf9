"""The runs that are live, in the sidebar. The list asks for news by itself (`GET aside`): an open tab has no page run for it."""

from __future__ import annotations

import time

from gan_core import RunStore
from gan_core.frames import pack
from gan_core.store import LIVE, Run
from ui import components
from ui.palette import STATUS

SHOWN = 8  # runs
_ASIDE = components.mount("aside")


def message(store: RunStore, focus: Run | None) -> bytes:
    """The run in focus, and the others that are live."""
    runs = [focus] if focus else []
    runs += [run for run in store.runs(LIVE, limit=SHOWN + 1, kind=None) if focus is None or run.id != focus.id]
    rows = [
        {"id": run.id, "name": run.name, "status": run.status, "word": STATUS[run.status][0], "step": run.step}
        for run in runs[:SHOWN]
    ]
    return pack({"made": time.monotonic(), "focus": focus.id if focus else "", "runs": rows}, {})


def show(store: RunStore, focus: Run | None) -> None:
    """Draw the list."""
    _ASIDE(data=message(store, focus), key="aside")
