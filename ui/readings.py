"""What stands beside the picture of a run: the large number, the small ones, the bars and which curves are drawn."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gan_core import METRICS, NETWORKS, GANConfig, RunStore
from gan_core.features import judge_of
from gan_core.metrics import COUNTED_MODES, HELD, SCORES, TALLIES, chosen, floors, samples_for, shares, written
from gan_core.reading import in_common
from gan_core.source import Data
from gan_core.store import Run
from ui.series import CACHE
from ui.text import significant

FRONT = ("modes", "high_quality", "frechet", "reverse_kl", "precision", "recall", "diversity", "sliced_wasserstein", "copies")
SMALL = 4  # of those that apply stand beside the picture; the rest in the table of all measures


def headline(config: GANConfig, data: Data | None) -> str:
    """The metric that stands large, and has a curve."""
    if not NETWORKS[config.network].adversarial:
        return "bits_per_dim"
    if data is None:
        return "sliced_wasserstein"
    live = chosen(data)
    return next(name for name in ("held", "sliced_wasserstein") if name in live)


def big_text(config: GANConfig, data: Data | None) -> str:
    head = headline(config, data)
    if head == "held":
        return f"of {len(shares(data))} {'modes' if data.centres is not None else 'classes'} held"
    return "distance to real data" if head == "sliced_wasserstein" else "bits for each pixel of held-out images"


def train_stats(config: GANConfig) -> dict[str, str]:
    """Arrays of a message that are drawn from the training series: name in the message -> statistic."""
    if not NETWORKS[config.network].adversarial:
        return {"d": "bits", "g": "grad"}
    return {"d": "loss_d", "g": "loss_g", "r": "real_logit", "f": "fake_logit"}


def charts(config: GANConfig, data: Data | None, span: int) -> list[dict]:
    """The curves below the numbers, as static/curves.js draws them; `values` name arrays of the message."""

    def line(name: str, colour: str, values: str, dash: bool = False) -> dict:
        return {"name": name, "colour": colour, "values": values, "dash": dash}

    def chart(title: str, steps: str, *lines: dict, **more: int) -> dict:
        return {"title": title, "steps": steps, "span": span, "lines": lines, **more}

    head = headline(config, data)
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
    if head == "held":
        modes, title = len(shares(data)), "Modes" if data.centres is not None else "Classes"
        return [*charts, chart(title, "m", line("held", "accent", "v"), low=0, high=modes, floor=modes)]
    return [*charts, chart("Distance", "m", line("sliced Wasserstein", "accent", "v"), low=0)]


def awaited(run: Run, data: Data | None) -> str:
    """Why classes are not counted yet, or ""."""
    judge = judge_of(run.config.source) if data is not None and run.status == "running" else None
    return "" if judge is None or judge.ready else f"Learning to tell the classes apart, {judge.share:.0%}"


def bars(config: GANConfig, data: Data | None) -> dict[str, Any] | None:
    """How static/bars.js names the modes or classes; None where they are not counted."""
    if headline(config, data) != "held" or len(shares(data)) > COUNTED_MODES:
        return None
    if data.centres is None:
        one, first, names = "class", 0, [f"Class {k}" for k in range(len(shares(data)))]
    else:
        one, first = "mode", 1
        names = [f"Mode {k + 1} at {x:.2g}, {y:.2g}" for k, (x, y) in enumerate(data.centres.tolist())]
    places = None if data.centres is None else data.centres.flatten().tolist()
    return {"title": f"Samples by {one}", "one": one, "first": first, "names": names, "held": HELD, "places": places}


def tallies(run: Run, store: RunStore, data: Data | None) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """What the bars show of the first member: steps (T,), and good samples of each mode and all that are nearest to it, both
    (T, K) in multiples of the mode's fair share."""
    steps, found = np.zeros(0, np.int64), {name: np.zeros((0, 0), np.float32) for name in ("good", "near")}
    if bars(run.config, data) is None:
        return steps, found
    fair = np.maximum(shares(data).numpy() * samples_for(data), 1e-12)
    series = in_common([CACHE.series(store, run, kind) for kind in TALLIES])  # (T,), (T, K, E)
    steps = series[0][0]
    if len(steps):
        found = {name: (rows[:, : len(fair), 0] / fair).astype(np.float32) for name, (_, rows) in zip(found, series, strict=True)}
    return steps, found


def numbers(run: Run, data: Data | None) -> dict:
    """The large number and the small ones below it."""
    floor = floors(data, samples_for(data), judge_of(run.config.source)) if data is not None else {}
    text = {name: shown(name, values[0]) for name, values in run.metrics.items()}
    head, words = headline(run.config, data), big_text(run.config, data)
    if head == "bits_per_dim":
        words += f" (guessing: {significant(math.log2(run.config.levels))})"
    elif head == "sliced_wasserstein" and head in floor:
        words += f" (perfect {shown(head, floor[head])})"
    return {
        "big": {"value": text.get(head, "–"), "text": words, "help": _help(head, data), "metric": head, "as": written(head)},
        "small": small(run.config, text, data, floor),
    }


def small(config: GANConfig, text: dict[str, str], data: Data | None, floor: dict[str, float]) -> list[dict]:
    """A line for each metric that applies but the large one, measured or not yet, so that nothing jumps."""
    return [
        {
            "name": METRICS[n].title,
            "value": text.get(n, "–"),
            "help": _help(n, data),
            "floor": f"perfect {shown(n, floor[n])}" if n in floor else "",
            "metric": n,
            "as": written(n),
        }
        for n in metrics_shown(config, data)[1:]
    ]


def metrics_shown(config: GANConfig, data: Data | None) -> list[str]:
    """The metrics beside the picture: the large one, then the small ones."""
    live = chosen(data) if data is not None else []
    head = headline(config, data)
    return [head, *[n for n in FRONT if n in live and n != head][:SMALL]]


def _help(name: str, data: Data | None) -> str:
    """What a metric is, and on how many samples it is measured."""
    if name in SCORES:
        return f"{SCORES[name].text} {SCORES[name].source}."
    count = f" Measured on {min(samples_for(data), METRICS[name].at_most):,} samples." if data is not None else ""
    return f"{METRICS[name].text}{count} {METRICS[name].source}."


def shown(name: str, value: float) -> str:
    """A metric's value in words."""
    if math.isnan(value):
        return "–"
    return {"whole": f"{value:.0f}", "percent": f"{value:.1%}", "number": significant(value)}[written(name)]
