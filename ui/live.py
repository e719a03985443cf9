"""Live views: what moves by itself. Messages are made here, drawn by static/*.js in an element that is never replaced."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from itertools import groupby
from typing import Any

import numpy as np

from gan_core import NETWORKS, DataError, GANConfig, PlaygroundError, Runner, RunStore
from gan_core.data import Data, is_here, load
from gan_core.frames import COLUMNS, pack, real_frame, with_data
from gan_core.members import STATS
from gan_core.pace import MET, in_words
from gan_core.pixelcnn import Likelihood
from gan_core.schema import metric_series
from gan_core.store import Run
from ui import components, readings, verdict
from ui.palette import PALETTE, STATUS
from ui.series import CACHE, thin
from ui.story import story_of
from ui.words import value_in_words

MARKS = 100  # changes that the curves mark
_MONITOR = components.mount("monitor")


def monitor(
    message: bytes,
    key: str,
    on_cure: Callable[[], None] = lambda: None,
    on_fork: Callable[[], None] = lambda: None,
    on_slow: Callable[[], None] = lambda: None,
) -> None:
    """Draw a message of `run_message` or `idle_message`. A live run's view keeps itself up to date through the feed, and
    has the page run again when the run's status changes.

    Args:
        on_cure: called when advice is taken; `st.session_state[key].cure` says which: {"what", "cure"}.
        on_slow: called for a step in slow motion.
        on_fork: called to fork the run; `st.session_state[key].fork` is the kept step.
    """
    _MONITOR(
        data=message,
        key=key,
        on_status_change=lambda: None,
        on_cure_change=on_cure,
        on_fork_change=on_fork,
        on_slow_change=on_slow,
    )


@lru_cache(maxsize=4)
def _idle_frame(data: Data) -> bytes:
    return real_frame(data)


def idle_message(config: GANConfig, data: Data | None, waiting: str, layout: str = "wide") -> bytes:
    """Before a run: the real data, and room for everything that will come."""
    frame = b"" if data is None else _idle_frame(data)
    zero = np.zeros(0, np.float32)
    header = {
        "made": time.monotonic(),
        "layout": layout,
        "status": "none",
        "label": "Ready",
        "step": 0,
        "steps": config.steps,
        "rate": 0,
        "seconds": 0,
        "caption": _real_caption(data),
        "waiting": waiting,
        "palette": PALETTE,
        "big": {"value": "–", "text": readings.big_text(config, data), "help": ""},
        "small": readings.small(config, {}, data, {}),
        "bars": readings.bars(config, data),
        "charts": readings.charts(config, data, config.steps),
        "story": story_of(config) if data is not None else None,
    }
    arrays = dict.fromkeys(("t", "d", "g", "r", "f", "m", "v", "good", "near"), zero)
    return pack(header, arrays | ({"frame": frame} if frame else {}))


def _real_caption(data: Data | None) -> str:
    words = "Real data: what the generator shall learn to imitate."
    if data is not None and data.skipped:
        few = ", ".join(data.skipped[:3]) + (" …" if len(data.skipped) > 3 else "")
        words += f" Passed over, because they cannot be read as images: {few} ({len(data.skipped)})."
    return words


def as_it_is(run: Run, problem: str) -> Run:
    """The run, paused with a message if it is held up by something that keeps it from writing down its status."""
    return replace(run, status="paused", message=problem) if problem else run


def _curves(store: RunStore, run: Run, data: Data | None) -> dict[str, tuple[np.ndarray, dict[str, np.ndarray]]]:
    """Steps (T,) and lines (T,) of the first member, by the names in which a message carries them: "t" and "m"."""
    stats = STATS if NETWORKS[run.config.network].adversarial else Likelihood.STATS
    train_steps, train = CACHE.series(store, run, "train")
    steps, values = CACHE.series(store, run, metric_series(readings.headline(run.config, data)))
    named = readings.train_stats(run.config) if len(train_steps) else {}
    return {
        "t": (train_steps, {name: train[:, stats.index(stat), 0] for name, stat in named.items()}),
        "m": (steps, {"v": values[:, 0, 0]} if len(steps) else {}),
    }


def _branch(store: RunStore, run: Run, data: Data | None) -> dict[str, np.ndarray]:
    """How the run that this one was forked from went on, for its curves."""
    if run.parent is None:
        return {}
    try:
        parent = store.get(run.parent)
    except PlaygroundError:  # deleted meanwhile
        return {}
    arrays = {}
    for axis, (steps, lines) in _curves(store, parent, data).items():
        later = steps >= run.parent_step
        at, _ = thin(steps[later], steps[later])
        arrays[f"branch_{axis}"] = at.astype(np.float32)
        for name, values in lines.items():
            arrays[f"branch_{name}"] = thin(steps[later], values[later])[1].astype(np.float32)
    return arrays


def picture(store: RunStore, run: Run, data: Data | None) -> bytes | None:
    """The latest picture; of a fork that has not gone on yet, the one where it begins."""
    frame = store.frame(run.id)
    if frame is None and run.parent and data is not None:
        steps = store.film_steps(run.id)
        return with_data(store.film(run.id, after=steps[-1] - 1)[0][1], data) if steps else None
    return frame


def _events(store: RunStore, run: Run) -> list[dict[str, Any]]:
    """What was changed and when, as the curves mark it."""
    found: dict[int, list[str]] = {}
    for (step, part), group in groupby(store.events(run.id), lambda event: (event["step"], event.get("part"))):
        events = list(group)
        if part is not None:  # steps of one network in a row
            count = f"{len(events)} extra {part} steps" if len(events) > 1 else f"one extra {part} step"
            found.setdefault(step, []).append(count)
        for event in events:
            if event["kind"] == "set":
                title = GANConfig.model_fields[event["name"]].title
                before, after = (value_in_words(event["name"], event[k]) for k in ("before", "value"))
                found.setdefault(step, []).append(f"{title} {before} → {after}")
    marks = [{"step": step, "text": ", ".join(texts), "fork": False} for step, texts in found.items()][-MARKS:]
    return [*([{"step": run.parent_step, "text": "forked here", "fork": True}] if run.parent else []), *marks]


def _asked(run: Run) -> str:
    """At what speed a run goes on and when it pauses, where somebody chose that; or why it has paused by itself."""
    if run.status == "paused" and run.message.startswith(MET):
        return run.message
    speed = f"at most {run.pace:g} steps/s" if run.pace else ""
    return ", ".join(filter(None, (speed, f"pauses {words}" if (words := in_words(run.until, run.config)) else "")))


def version(run: Run, problem: str) -> str:
    """Changes whenever a message about the run would."""
    return f"{run.updated:.6f}{'!' if problem else ''}"


def known_data(config: GANConfig) -> Data | None:
    """The data that a run is about, unless they would have to be fetched first."""
    if not is_here(config.source):
        return None
    try:
        return load(config.source)
    except DataError:
        return None


def run_message(runner: Runner, run: Run, layout: str = "wide") -> bytes:
    """How a run stands now: status, curves, readings and the latest picture of its first member."""
    store, problem = runner.store, runner.problem(run.id)
    run = as_it_is(run, problem)
    data = known_data(run.config)
    arrays: dict[str, np.ndarray | bytes] = {name: np.zeros(0, np.float32) for name in ("d", "g", "r", "f", "v")}
    for axis, (steps, lines) in _curves(store, run, data).items():
        arrays[axis] = thin(steps, steps)[0].astype(np.float32)
        for name, values in lines.items():
            arrays[name] = thin(steps, values)[1].astype(np.float32)
    _, tallies = readings.tallies(run, store, data)
    arrays |= {name: rows[-1] if len(rows) else np.zeros(0, np.float32) for name, rows in tallies.items()}
    arrays |= _branch(store, run, data)
    frame = picture(store, run, data)
    if frame:
        arrays["frame"] = frame
    word = STATUS[run.status][0]
    header = {
        "made": time.monotonic(),
        "layout": layout,
        "run": run.id,
        "live": run.is_live,
        "version": version(run, problem),
        "status": run.status,
        "label": word,
        "film": len(run.configs) == 1 and bool(frame),
        "events": _events(store, run),
        "step": run.step,
        "steps": run.steps,
        "rate": run.rate if run.status == "running" else 0,
        "seconds": run.seconds,
        "asked": _asked(run) if run.is_live else "",
        "caption": "",
        "waiting": ""
        if run.status == "failed"
        else run.message or ("Waiting for its turn." if run.status == "queued" else "No picture yet."),
        "palette": PALETTE,
        "bars": readings.bars(run.config, data),
        "uncounted": readings.awaited(run, data),
        "charts": readings.charts(run.config, data, run.steps),
        "story": story_of(run.config),
        "verdict": verdict.message(verdict.verdict_of(store, run, data), run, layout == "wide"),
        **readings.numbers(run, data),
    }
    if data is not None and data.x.dim() == 2:
        header["caption"] = "Colour behind the points: what the discriminator takes for real, and for generated."
        if len(run.configs) > 1:
            header["caption"] += f" This is the first of {len(run.configs)} seeds that train together."
    else:
        header["caption"] = "Generated from the same noise vectors at every step."
        if 0 < run.config.classes <= COLUMNS:
            header["caption"] += " A column for each class, a row for each noise vector."
    return pack(header, arrays)
