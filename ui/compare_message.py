"""What the Compare page shows of its runs, as static/compare.js draws it: curves, pictures, settings, measures."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import numpy as np

from gan_core import METRICS, NETWORKS, GANConfig, Runner
from gan_core.compare import BANDS, aligned, band, groups, smoothed, times
from gan_core.frames import pack
from gan_core.members import STATS
from gan_core.metrics import SCORES, written
from gan_core.pixelcnn import Likelihood
from gan_core.reading import TRAIN
from gan_core.schema import metric_series
from gan_core.standings import floors_of, measures, settings
from gan_core.store import SECONDS, Run
from ui import live, readings
from ui.latent.choice import Field, real, word
from ui.palette import DASHES, PALETTE, RUNS, STATUS
from ui.series import CACHE, thin
from ui.text import duration, whole
from ui.words import value_in_words

MOST_CHARTS = 4
LONG = 48  # characters of a setting that stands in the table
_TRAINING = {  # statistic -> title
    "loss_d": "Discriminator's loss",
    "loss_g": "Generator's loss",
    "real_logit": "Mean logit of real samples",
    "fake_logit": "Mean logit of generated samples",
    "penalty": "Penalty",
    "grad_d": "Discriminator's gradient norm",
    "grad_g": "Generator's gradient norm",
    "bits": "Bits per pixel of the training batch",
    "grad": "Gradient norm",
}
QUANTITIES = _TRAINING | {name: entry.title for name, entry in {**SCORES, **METRICS}.items()}


def _listed(text: str) -> str:
    """Names with commas between them, each cut; what they name is looked up later."""
    return ",".join(part[:40] for part in text.split(",")[:32])


def _quantities(text: str) -> str:
    names = [name for name in text.split(",") if name]
    if unknown := [name for name in names if name not in QUANTITIES]:
        raise ValueError(f"“{unknown[0][:40]}” is no curve.")
    return ",".join(dict.fromkeys(names[:MOST_CHARTS]))


FIELDS: Mapping[str, Field] = {  # what stands in the address
    "runs": Field("", _listed),
    "y": Field("", _quantities),  # "": those that say most
    "x": word("step", ("step", "time")),
    "scale": word("linear", ("linear", "log")),
    "seeds": word("each", ("each", *BANDS)),
    "smooth": real(0.0, 0.0, 0.99),
}


@dataclass(frozen=True)
class Entry:
    """A line of the legend: a run, or several that differ in their seeds.

    Attributes:
        runs: places among the chosen runs.
        units: whose curves it stands for, (run, member).
    """

    name: str
    runs: list[int]
    units: list[tuple[Run, int]]


def available(runs: Sequence[Run]) -> dict[str, str]:
    """Curves that at least one of the runs has, with their titles."""
    stats = [s for run in runs for s in (STATS if NETWORKS[run.config.network].adversarial else Likelihood.STATS)]
    named = [name for name in _TRAINING if name in stats]
    if all(run.config.penalty == "none" for run in runs):
        named = [name for name in named if name != "penalty"]
    measured = [name for name in QUANTITIES if any(name in run.metrics for run in runs)]
    return {name: QUANTITIES[name] for name in (*measured, *named)}


def curves_shown(runs: Sequence[Run], asked: str) -> list[str]:
    """The curves that are asked for, as far as they are there; else those that say most."""
    there = available(runs)
    chosen = [name for name in asked.split(",") if name in there]
    head = next((name for name in ("held", "sliced_wasserstein", "bits_per_dim") if name in there), None)
    return chosen or [name for name in (head, "loss_d", "loss_g", "bits") if name in there][:3]


def names_of(runs: Sequence[Run]) -> list[str]:
    """Names by which the runs can be told apart: of those that read alike, with the seed or the end of the id."""
    often = Counter(run.name for run in runs)
    with_seed = [f"{run.name}, seed {run.config.seed}" for run in runs]
    alike = Counter(with_seed)
    return [
        run.name if often[run.name] == 1 else text if alike[text] == 1 else f"{run.name} · {run.id[-6:]}"
        for run, text in zip(runs, with_seed, strict=True)
    ]


def entries(runs: Sequence[Run], seeds: str) -> list[Entry]:
    """The lines of the legend: runs, or groups of those that are the same but for their seed."""
    if seeds == "each":
        return [Entry(name, [k], [(runs[k], 0)]) for k, name in enumerate(names_of(runs))]
    found = []
    for places in groups([run.config.model_dump() for run in runs]):
        units = [(runs[k], member) for k in places for member in range(len(runs[k].configs))]
        first, *others = dict.fromkeys(runs[k].name for k in places)
        more = f" and {others[0]}" if len(others) == 1 else f" and {len(others)} others" if others else ""
        found.append(Entry(first + more, places, units))
    return found


def _told(entry: Entry, runs: Sequence[Run], seeds: str) -> str:
    """How an entry stands."""
    own = [runs[k] for k in entry.runs]
    step = whole(min(run.step for run in own))
    states = ", ".join(dict.fromkeys(STATUS[run.status][0].lower() for run in own))
    if seeds == "each":
        of = f", first of {len(own[0].configs)} members" if len(own[0].configs) > 1 else ""
        return f"seed {own[0].config.seed}{of}, {states}, step {step}"
    return f"{len(entry.units)} seed{'s' if len(entry.units) > 1 else ''}, {states}, step {step}"


class _Reader:
    """Curves of members, each read once for a message."""

    def __init__(self, runner: Runner, over: str):
        self.store, self.over = runner.store, over
        self.guessed: dict[str, str] = {}  # id -> name of runs whose times are no record

    def curve(self, run: Run, member: int, name: str) -> tuple[np.ndarray, np.ndarray]:
        """x (T,) and values (T,) of one member, thinned for a chart."""
        stats = STATS if NETWORKS[run.config.network].adversarial else Likelihood.STATS
        if name in _TRAINING:
            steps, rows = CACHE.series(self.store, run, TRAIN) if name in stats else (np.zeros(0), np.zeros((0, 0, 1)))
            values = rows[:, stats.index(name), member] if len(steps) else np.zeros(0)
        else:
            steps, rows = CACHE.series(self.store, run, metric_series(name))
            values = rows[:, 0, member] if len(steps) else np.zeros(0)
        if self.over == "time":
            at, noted = CACHE.series(self.store, run, SECONDS)
            seconds = noted[:, 0, 0] if len(at) else np.zeros(0)
            x, guessed = times(steps, at, seconds, run.step, run.seconds)
            if guessed:
                self.guessed[run.id] = run.name
        else:
            x = steps.astype(float)
        at, _ = thin(x, x)
        return at, thin(steps, values)[1]


def _chart(
    reader: _Reader, shown: Sequence[Entry], name: str, values: Mapping[str, Any], at: int, arrays: dict[str, Any]
) -> dict:
    """One chart: its lines' numbers go into the message's arrays, under the place of the chart and of the line."""
    lines, lowest = [], np.inf
    for k, entry in enumerate(shown):
        curves = [curve for curve in (reader.curve(run, member, name) for run, member in entry.units) if len(curve[0])]
        if not curves:
            continue
        smooth = [(x, smoothed(y, values["smooth"])) for x, y in curves]
        parts: dict[str, np.ndarray] = {}
        if values["seeds"] == "each":
            (x, raw), (_, y) = curves[0], smooth[0]
        else:
            every = np.unique(np.concatenate([x for x, _ in curves]))
            x = thin(every, every)[0]
            raw = band(np.stack([aligned(x, *curve) for curve in curves]), values["seeds"])[0]
            rows = np.stack([aligned(x, *curve) for curve in smooth])
            y, parts["low"], parts["high"], parts["count"] = band(rows, values["seeds"])
        parts |= {"x": x, "y": y} | ({"raw": raw} if values["smooth"] else {})
        arrays |= {f"{part}{at}_{k}": np.asarray(part_values, np.float32) for part, part_values in parts.items()}
        known = np.concatenate([v[np.isfinite(v)] for v in (raw, y)])
        lowest = min(lowest, float(known.min(initial=np.inf)))
        lines.append(k)
    log = values["scale"] == "log" and 0 < lowest < np.inf
    note = "linear: not all values are above 0" if values["scale"] == "log" and not log else ""
    return {"title": QUANTITIES[name], "name": name, "as": written(name), "lines": lines, "log": log, "note": note}


def _floors(runs: Sequence[Run], charts: list[dict]) -> None:
    """What perfect samples score, where all runs have the same data."""
    if len({run.config.source for run in runs}) > 1:
        return
    perfect = floors_of(runs[0])
    for chart in charts:
        chart["floor"] = perfect.get(chart["name"])


def _caption(reader: _Reader, runs: Sequence[Run], values: Mapping[str, Any]) -> str:
    """What the lines are, in words."""
    words = []
    if values["seeds"] == "each":
        if any(len(run.configs) > 1 for run in runs):
            words.append("Of runs with several members the first is drawn.")
    else:
        words.append(
            f"Runs that differ only in their seed, and the members of one run, together: {BANDS[values['seeds']]}; it "
            f"ends where the first of them ends."
        )
    if values["smooth"]:
        words.append("Faint: before smoothing." + (" Each seed is smoothed by itself." if values["seeds"] != "each" else ""))
    if values["x"] == "time":
        if any(run.parent for run in runs):
            words.append("The time of a fork counts on from where it began.")
        if reader.guessed:
            names = ", ".join(f"“{name}”" for name in reader.guessed.values())
            words.append(f"When each step of {names} was taken is not on record: all its steps are drawn as equally long.")
    return " ".join(words)


def _settings(runs: Sequence[Run]) -> dict:
    """The settings that differ, in words, and those that do not."""
    apart, same = settings(runs)
    fields = GANConfig.model_fields

    def told(name: str, value: Any) -> str:
        text = value_in_words(name, value)
        return (text if len(text) <= LONG else f"{text[: LONG - 1]}…") or "–"

    return {
        "apart": [[fields[name].title, [told(name, value) for value in values]] for name, values in apart.items()],
        "same": [[fields[name].title, told(name, value)] for name, value in same.items()],
    }


def _measures(runs: Sequence[Run]) -> dict:
    """The table of last measurements."""
    found = measures(runs)
    nan = float("nan")

    def shown(name: str, value: float | None) -> str:
        return readings.shown(name, nan if value is None else value)

    rows = [
        {
            "status": STATUS[run.status][0],
            "step": f"{whole(run.step)} of {whole(run.steps)}",
            "time": duration(run.seconds),
            "values": [shown(name, measure.values[k]) for name, measure in found.items()],
            "perfect": ["" if m.perfect[k] is None else shown(name, m.perfect[k]) for name, m in found.items()],
        }
        for k, run in enumerate(runs)
    ]
    several = any(len(run.configs) > 1 for run in runs)
    note = "Of runs with several members: means." if several else ""
    return {"titles": [measure.title for measure in found.values()], "rows": rows, "note": note}


def version(runner: Runner, runs: Sequence[Run]) -> str:
    """A word for each run, which changes when what is said of it does."""
    return " ".join(live.version(run, runner.problem(run.id)) for run in runs)


def message(runner: Runner, runs: Sequence[Run], values: Mapping[str, Any], known: str = "") -> bytes:
    """How the runs stand beside each other.

    Args:
        values: see FIELDS.
        known: the version that the asker has: pictures of runs that are the same as then are left out.
    """
    shown, reader = entries(runs, values["seeds"]), _Reader(runner, values["x"])
    arrays: dict[str, Any] = {}
    names = curves_shown(runs, values["y"])
    charts = [_chart(reader, shown, name, values, k, arrays) for k, name in enumerate(names)]
    _floors(runs, charts)
    now, before = version(runner, runs), known.split(" ")
    for k, (run, state) in enumerate(zip(runs, now.split(" "), strict=True)):
        if before[k : k + 1] != [state] and (frame := live.picture(runner.store, run, live.known_data(run.config))):
            arrays[f"frame{k}"] = frame
    query = [("run", run.id) for run in runs] + [(name, FIELDS[name].write(values[name])) for name in FIELDS if name != "runs"]
    header = {
        "made": time.monotonic(),
        "address": f"together?{urlencode(query)}",
        "csv": f"together.csv?{urlencode([('run', run.id) for run in runs])}",
        "live": any(run.is_live for run in runs),
        "version": now,
        "status": " ".join(run.status for run in runs),
        "runs": [
            {
                "id": run.id,
                "name": name,
                "line": next(entry.runs[0] for entry in shown if k in entry.runs),  # whose colour and dash it has
                "step": run.step,
                "film": len(run.configs) == 1,
                "waiting": "No picture yet." if run.status != "failed" else "It failed before its first picture.",
            }
            for k, (run, name) in enumerate(zip(runs, names_of(runs), strict=True))
        ],
        "legend": [
            {"name": entry.name, "text": _told(entry, runs, values["seeds"]), "run": entry.runs[0], "n": len(entry.units)}
            for entry in shown
        ],
        "dashes": DASHES,
        "axis": "time trained, s" if values["x"] == "time" else "step",
        "charts": charts,
        "caption": _caption(reader, runs, values),
        "settings": _settings(runs),
        "measures": _measures(runs),
        "palette": {
            theme: {**PALETTE[theme], **{f"run{k}": colour for k, colour in enumerate(RUNS[theme])}} for theme in PALETTE
        },
    }
    return pack(header, arrays)
