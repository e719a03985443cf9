"""Live views: what moves by itself. Messages are made here, drawn by static/*.js in an element that is never replaced."""

from __future__ import annotations

import hashlib
import math
import threading
import time
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import streamlit as st

from gan_core import DATASETS, METRICS, NETWORKS, DataError, GANConfig, Runner, RunStore
from gan_core.data import Data, is_here, load
from gan_core.frames import COLUMNS, pack, real_frame
from gan_core.members import STATS
from gan_core.metrics import SCORES, floors, samples_for
from gan_core.pixelcnn import Likelihood
from gan_core.store import Run
from ui.palette import PALETTE, STATUS
from ui.text import significant

KEPT_SERIES = 128  # curves of so many runs and kinds stay in memory
CURVE_POINTS = 400  # more than a chart of this size has pixels
STATIC = Path(__file__).resolve().parent.parent / "static"
_VERSION = hashlib.blake2b(b"".join(p.read_bytes() for p in sorted(STATIC.glob("*.js"))), digest_size=4).hexdigest()


def code(name: str) -> str:
    """The component's own JavaScript: it loads static/<name>.js, once, and hands every message on to it.

    Streamlit calls what the default export returns when the component goes, but also after a message that was overtaken
    by the next one while this code was loading; and the two may arrive in either order. So a view ends only when its place
    has left the page, and a message
    carries when it was `made`, by which the view knows one that is older.
    """
    return f"""
const module = import(new URL("app/static/{name}.js?v={_VERSION}", document.baseURI));
export default function (component) {{
  const place = component.parentElement;
  module.then((m) => m.render(component));
  return () => module.then((m) => {{ if (!(place.host || place).isConnected) m.dispose(place); }});
}}
"""


def mount(name: str, css: str):
    """A component whose code is static/<name>.js."""
    return st.components.v2.component(f"gan_playground_{name}", html='<div class="host"></div>', css=css, js=code(name))


_MONITOR = mount("monitor", (STATIC / "monitor.css").read_text(encoding="utf-8"))


def monitor(message: bytes, key: str) -> None:
    """Draw a message of `run_message` or `idle_message`. A live run's view keeps itself up to date through the feed, and
    has the page run again when the run's status changes."""
    _MONITOR(data=message, key=key, on_status_change=lambda: None)


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
        "big": {"value": "–", "text": _big_text(config, data), "help": ""},
        "small": _small(config, {}, data, {}),
        "charts": _charts(config, data, config.steps),
    }
    arrays = dict.fromkeys(("t", "d", "g", "r", "f", "m", "v"), zero)
    return pack(header, arrays | ({"frame": frame} if frame else {}))


def _real_caption(data: Data | None) -> str:
    words = "Real data: what the generator shall learn to imitate."
    if data is not None and data.skipped:
        few = ", ".join(data.skipped[:3]) + (" …" if len(data.skipped) > 3 else "")
        words += f" Passed over, because they cannot be read as images: {few} ({len(data.skipped)})."
    return words


def _head(config: GANConfig, data: Data | None) -> str:
    """The metric that stands large, and has a curve."""
    if not NETWORKS[config.network].adversarial:
        return "bits_per_dim"
    return "modes" if data is not None and data.centres is not None else "sliced_wasserstein"


def _big_text(config: GANConfig, data: Data | None) -> str:
    head = _head(config, data)
    if head == "modes":
        return f"of {len(data.centres)} modes covered"
    return "distance to real data" if head == "sliced_wasserstein" else "bits for each pixel of held-out images"


def _train_stats(config: GANConfig) -> dict[str, str]:
    """Arrays of a message that are drawn from the training series: name in the message -> statistic."""
    if not NETWORKS[config.network].adversarial:
        return {"d": "bits", "g": "grad"}
    return {"d": "loss_d", "g": "loss_g", "r": "real_logit", "f": "fake_logit"}


def _charts(config: GANConfig, data: Data | None, span: int) -> list[dict]:
    def line(name: str, colour: str, values: str, dash: bool = False) -> dict:
        return {"name": name, "colour": colour, "values": values, "dash": dash}

    def chart(title: str, steps: str, *lines: dict, **more: int) -> dict:
        return {"title": title, "steps": steps, "span": span, "lines": lines, **more}

    head = _head(config, data)
    if head == "bits_per_dim":
        return [
            chart("Bits per pixel", "t", line("training batch", "generator", "d"), low=0),
            chart("Bits per pixel", "m", line("held-out images", "accent", "v"), low=0),
            chart("Gradient", "t", line("norm", "generator", "g"), low=0),
        ]
    charts = [
        chart("Loss", "t", line("discriminator", "discriminator", "d"), line("generator", "generator", "g", True)),
        chart("Mean logit", "t", line("real", "real", "r"), line("generated", "fake", "f", True)),
    ]
    if head == "modes":
        modes = len(data.centres)
        return [*charts, chart("Modes", "m", line("covered", "accent", "v"), low=0, high=modes, floor=modes)]
    return [*charts, chart("Distance", "m", line("sliced Wasserstein", "accent", "v"), low=0)]


class SeriesCache:
    """The curves of runs as they were read last, so that each refresh reads only what is new."""

    def __init__(self):
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, str], tuple[np.ndarray, np.ndarray]] = {}

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


def as_it_is(run: Run, problem: str) -> Run:
    """The run, paused with a message if it is held up by something that keeps it from writing down its status."""
    return replace(run, status="paused", message=problem) if problem else run


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


def run_message(runner: Runner, run: Run, cache: SeriesCache, layout: str = "wide") -> bytes:
    """How a run stands now: status, curves, readings and the latest picture of its first member."""
    store, problem = runner.store, runner.problem(run.id)
    run = as_it_is(run, problem)
    data = known_data(run.config)
    train_steps, train = cache.get(store, run, "train")
    metric_steps, metric = cache.get(store, run, "metrics")
    arrays: dict[str, np.ndarray | bytes] = {"t": np.zeros(0, np.float32), "m": np.zeros(0, np.float32)}
    for name in ("d", "g", "r", "f", "v"):
        arrays[name] = np.zeros(0, np.float32)
    stats = STATS if NETWORKS[run.config.network].adversarial else Likelihood.STATS
    if train is not None:
        at, rows = thin(train_steps, train[:, :, 0])
        arrays["t"] = at.astype(np.float32)
        for name, stat in _train_stats(run.config).items():
            arrays[name] = rows[:, stats.index(stat)].astype(np.float32)
    names = list(run.metrics)
    if metric is not None and metric.shape[1] == len(names) and _head(run.config, data) in names:
        at, rows = thin(metric_steps, metric[:, :, 0])
        arrays["m"] = at.astype(np.float32)
        arrays["v"] = rows[:, names.index(_head(run.config, data))].astype(np.float32)
    frame = store.frame(run.id)
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
        "step": run.step,
        "steps": run.steps,
        "rate": run.rate if run.status == "running" else 0,
        "seconds": run.seconds,
        "caption": "",
        "waiting": ""
        if run.status == "failed"
        else run.message or ("Waiting for its turn." if run.status == "queued" else "No picture yet."),
        "palette": PALETTE,
        "charts": _charts(run.config, data, run.steps),
        **_readings(run, data),
    }
    if data is not None and data.x.dim() == 2:
        header["caption"] = "Colour behind the points: what the discriminator takes for real, and for generated."
    else:
        header["caption"] = "Generated from the same noise vectors at every step."
        if run.config.conditional != "none" and DATASETS[run.config.dataset].classes <= COLUMNS:
            header["caption"] += " A column for each class, a row for each noise vector."
    return pack(header, arrays)


@lru_cache(maxsize=4)
def _floors(data: Data) -> dict[str, float]:
    return floors(data, samples_for(data))


def _readings(run: Run, data: Data | None) -> dict:
    """The large number and the small ones below it."""
    floor = _floors(data) if data is not None else {}
    text = {name: _shown(name, values[0]) for name, values in run.metrics.items()}
    head, words = _head(run.config, data), _big_text(run.config, data)
    if head == "bits_per_dim":
        words += f" (guessing: {significant(math.log2(run.config.levels))})"
    elif head != "modes" and head in floor:
        words += f" (perfect {_shown(head, floor[head])})"
    return {
        "big": {"value": text.get(head, "–"), "text": words, "help": _help(head, data)},
        "small": _small(run.config, text, data, floor),
    }


def _small(config: GANConfig, text: dict[str, str], data: Data | None, floor: dict[str, float]) -> list[dict]:
    """A line for each metric that applies but the large one, measured or not yet, so that nothing jumps."""
    names = [n for n, m in METRICS.items() if data is not None and m.applies(data) and n != _head(config, data)]
    return [
        {
            "name": METRICS[n].title,
            "value": text.get(n, "–"),
            "help": _help(n, data),
            "floor": f"perfect {_shown(n, floor[n])}" if n in floor else "",
        }
        for n in names
    ]


def _help(name: str, data: Data | None) -> str:
    """What a metric is, and on how many samples it is measured."""
    if name in SCORES:
        return f"{SCORES[name].text} {SCORES[name].source}."
    count = f" Measured on {samples_for(data):,} samples." if data is not None else ""
    return f"{METRICS[name].text}{count} {METRICS[name].source}."


def _shown(name: str, value: float) -> str:
    if name == "modes":
        return f"{value:.0f}"
    return f"{value:.1%}" if name == "high_quality" else significant(value)
