"""The film of a run for the browser, and as a file to take away."""

from __future__ import annotations

import time

import numpy as np

from gan_core import RunError, RunStore
from gan_core.frames import pack, real_frame, unpack
from gan_core.reading import at_steps
from gan_core.schema import metric_series
from gan_core.store import Run
from ui import live, movie, readings, verdict
from ui.series import CACHE

MOST = 120  # pictures of an exported film


def message(store: RunStore, run: Run, after: int) -> bytes:
    """The pictures later than a step, and all measurements of the first member, as static/film.js reads them."""
    data = live.known_data(run.config)
    pictures = store.film(run.id, after)
    names = readings.metrics_shown(run.config, data)
    series = {name: CACHE.series(store, run, metric_series(name)) for name in names}
    tally_steps, tallies = readings.tallies(run, store, data)
    at = np.unique(np.concatenate([tally_steps, *(steps for steps, _ in series.values())]).astype(np.int64))
    arrays: dict[str, np.ndarray | bytes] = {"at": at.astype(np.float32)}
    arrays |= {
        name: at_steps(at, steps, rows)[:, 0, 0].astype(np.float32) for name, (steps, rows) in series.items() if len(steps)
    }
    arrays |= {name: at_steps(at, tally_steps, rows).astype(np.float32) for name, rows in tallies.items() if len(rows)}
    arrays |= {f"picture{k}": picture for k, (_, picture) in enumerate(pictures)}
    header = {
        "made": time.monotonic(),
        "steps": [step for step, _ in pictures],
        "kept": sorted(kept_along(store, run)),
        "verdicts": verdict.verdicts_along(store, run, data),
    }
    return pack(header, arrays)


def kept_along(store: RunStore, run: Run) -> dict[int, str]:
    """Kept steps from which one can go on, and whose they are: the run's own, and before it was forked those of its parents."""
    found = dict.fromkeys(store.checkpoint_steps(run.id), run.id)
    while run.parent is not None:
        limit = run.parent_step
        try:
            run = store.get(run.parent)
        except RunError:  # deleted meanwhile
            break
        found = {step: run.id for step in store.checkpoint_steps(run.id) if step < limit} | found
    return found


def exported(store: RunStore, run: Run, kind: str) -> bytes:
    """The whole film as a file: one of `movie.KINDS`.

    Raises:
        RunError: there is no such kind, or no film yet.
    """
    if kind not in movie.KINDS:
        raise RunError(f"A film cannot be saved as {kind}. Choose one of: {', '.join(movie.KINDS)}.")
    pictures = store.film(run.id)
    if not pictures:
        raise RunError(f"Run {run.id} has no film yet. It is made while a single GAN trains.")
    rows = np.unique(np.linspace(0, len(pictures) - 1, min(MOST, len(pictures))).round().astype(int))
    data = live.known_data(run.config)
    real = None if data is None else unpack(real_frame(data))[1].get("real")
    return movie.KINDS[kind].make([movie.draw(pictures[k][1], real) for k in rows])
