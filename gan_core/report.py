"""A report: one or several runs as a single HTML file that opens anywhere, offline, and fetches nothing.

What is said stands in the page itself; report.js, which is put into it, only draws the curves. Nothing of a run is believed to be
harmless: texts are escaped, and a content security policy lets no script run but that one, and nothing be fetched.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import time
from collections import Counter
from collections.abc import Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from .bundle_parts import plain, told
from .colours import COLOURS
from .config import METAS, GANConfig
from .data import is_here, load
from .errors import PlaygroundError, RunError
from .features import judge_of
from .files import whole
from .frames import unpack
from .health import Verdict, diagnose
from .link import PRIVATE
from .members import STATS
from .metrics import METRICS, SCORES, floors, samples_for, written
from .networks import NETWORKS
from .pixelcnn import Likelihood
from .reading import read_history
from .schema import METRIC, metric_series
from .source import Data
from .store import Run, RunStore

RUNS = 8  # whose curves can be told apart
EVENTS = 100  # the latest
POINTS = 1000  # of a curve
DIGITS = 5
SQUARE = 400  # units along a picture of points
LONG = 60  # characters of a setting that are shown
MANY = ("#0072B2", "#D9600A", "#00805C", "#B0387B", "#8A6FD1", "#A67C00", "#3A9BC1", "#777777")  # of several runs
HERE = Path(__file__).parent
_GAME = (  # title, (statistic, its name beside others, its colour)
    ("Loss", (("loss_d", "discriminator", "discriminator"), ("loss_g", "generator", "generator"))),
    ("Mean logit", (("real_logit", "real", "real"), ("fake_logit", "generated", "fake"))),
    ("Norm of the gradient", (("grad_d", "discriminator", "discriminator"), ("grad_g", "generator", "generator"))),
    ("Penalty", (("penalty", "", "discriminator"),)),
)
_ALONE = (
    ("Bits for each pixel of the training batch", (("bits", "", "generator"),)),
    ("Norm of the gradient", (("grad", "", "generator"),)),
)


def export(store: RunStore, runs: Sequence[str], path: Path | str) -> Path:
    """Write a report of one or several runs, whole or not at all.

    Returns:
        Where it has been written.

    Raises:
        RunError: a run does not exist or is a map, there are none or more than 8, or the file cannot be written.
    """
    path, text = Path(path), html(store, runs)
    with whole(path) as file:
        file.write(text.encode())
    return path


def html(store: RunStore, runs: Sequence[str]) -> str:
    """A report as text; errors as in `export`."""
    if not 1 <= len(runs) <= RUNS:
        raise RunError(f"A report is about 1 to {RUNS} runs, not {len(runs)}.")
    rows = [store.get(run) for run in runs]
    for row in rows:
        if row.kind != "run":
            raise RunError(f"{row.id} is a map, which has no report. Open one of its cells as a run.")
    script = (HERE / "report.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    names = [plain(row.name) for row in rows]
    return Template((HERE / "report.html").read_text(encoding="utf-8")).substitute(
        policy=f"sha256-{digest}",
        light=_variables("light"),
        dark=_variables("dark"),
        title=escape(names[0] if len(rows) == 1 else f"{len(rows)} runs"),
        subtitle=escape(f"GAN Playground, {time.strftime('%d %b %Y')}"),
        runs="".join(_run(store, row, k, len(rows)) for k, row in enumerate(rows)),
        settings=_settings(rows),
        data=_embedded(_charts(store, rows)),
        script=script,
    )


def _variables(theme: str) -> str:
    return " ".join(f"--{name}: {colour};" for name, colour in COLOURS[theme].items())


def _embedded(value: Any) -> str:
    """JSON in an element of HTML, which nothing in it can end: `</script>` and `<!--` need a "<"."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _number(value: float | None) -> str:
    return "–" if value is None or math.isnan(value) else f"{value:.4g}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    cells = ["".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows]
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    return f'<div class="wide"><table><tr>{top}</tr>{"".join(f"<tr>{row}</tr>" for row in cells)}</table></div>'


# One run


def _run(store: RunStore, row: Run, place: int, count: int) -> str:
    """What is said of one run."""
    key = f'<i class="key" style="border-color: {MANY[place]}"></i>' if count > 1 else ""
    done = f"{row.status}, step {row.step:,} of {row.steps:,}, {row.seconds:,.0f} s of training"
    several = f", {len(row.configs)} members: curves and numbers are their medians" if len(row.configs) > 1 else ""
    message = f"<p>{escape(told(row.message, store.folder, row.config))}</p>" if row.message else ""
    data = _data(store, row)
    return (
        f'<section class="run"><h3>{key}{escape(plain(row.name))}</h3>'
        f'<p class="soft">{escape(f"{row.id}: {done}{several}")}</p>{message}<div class="parts"><div>{_samples(store, row)}</div>'
        f"<div>{_verdict(store, row, data)}{_metrics(row, data)}{_events(store, row)}</div></div></section>"
    )


def _data(store: RunStore, row: Run) -> Data | str:
    """The data of a run, or why there are none here. Nothing is downloaded for a report."""
    try:
        if is_here(row.config.source):
            return load(row.config.source)
    except PlaygroundError as error:
        return told(str(error), store.folder, row.config)
    return f"The data set {row.config.dataset} is not on this machine."


def _samples(store: RunStore, row: Run) -> str:
    """The latest picture: points as SVG, images as they are stored."""
    frame = store.frame(row.id)
    if frame is None:
        return '<p class="soft">There is no picture yet.</p>'
    header, arrays = unpack(frame)
    words = f"Samples at step {header['step']:,}"
    if header["kind"] == "images":
        source = base64.b64encode(arrays["png"].tobytes()).decode()
        return f'<img alt="{words}" src="data:image/png;base64,{source}"><p class="soft">{words}</p>'
    dots = "".join(
        f'<path class="dots {name}" d="{_dots(arrays[name], header["extent"])}"></path>'
        for name in ("real", "fake")
        if name in arrays
    )
    legend = " ".join(
        f'<i class="key" style="border-color: var(--{name})"></i>{word}'
        for name, word in (("real", "real"), ("fake", "generated"))
    )
    return (
        f'<svg viewBox="0 0 {SQUARE} {SQUARE}" role="img" aria-label="{words}">{dots}</svg><p class="soft">{words}: {legend}</p>'
    )


def _dots(points: np.ndarray, extent: Sequence[float]) -> str:
    """Points (N, 2) as lines of no length, which round ends make dots; those outside of the square are left out."""
    x, y, half = extent
    place = (points - (x - half, y - half)) / (2 * half) * SQUARE
    inside = place[((place >= 0) & (place <= SQUARE)).all(1)]
    return "".join(f"M{a:.1f} {SQUARE - b:.1f}h0" for a, b in inside.tolist())


def _verdict(store: RunStore, row: Run, data: Data | str) -> str:
    """The verdict with its evidence; of several members, how often each is given."""
    if not NETWORKS[row.config.network].adversarial:
        return ""
    if isinstance(data, str):
        return f'<p class="soft">There is no verdict. {escape(data)}</p>'
    judge, found = judge_of(row.config.source), []
    for member in range(len(row.configs)):
        found.append(diagnose(read_history(store, row, data, judge, member)))
    if len(found) > 1:
        counts = Counter(verdict.kind.title for verdict in found).most_common()
        return f'<p class="tone">{escape(", ".join(f"{title}: {n} of {len(found)}" for title, n in counts))}</p>'
    return _said(found[0])


def _said(verdict: Verdict) -> str:
    kind = verdict.kind
    since = "" if verdict.name == "learning" else f' <span class="soft">since step {verdict.since:,}</span>'
    evidence = _table(("Evidence, of some measurements together", ""), verdict.evidence) if verdict.evidence else ""
    return f'<p class="tone {kind.tone}">{escape(kind.title)}{since}</p><p>{escape(verdict.sentence)}</p>{evidence}'


def _metrics(row: Run, data: Data | str) -> str:
    """The last measurement, beside what a perfect generator scores."""
    if not row.metrics:
        return ""
    perfect = {} if isinstance(data, str) else floors(data, samples_for(data), judge_of(row.config.source))
    known, rows = {**METRICS, **SCORES}, []
    for name, values in row.metrics.items():
        if name in known:
            counted = name in METRICS and not isinstance(data, str)
            samples = f"{min(samples_for(data), METRICS[name].at_most):,}" if counted else "–"
            rows.append(
                (known[name].title, _measured(name, _middle(np.array(values))), _measured(name, perfect.get(name)), samples)
            )
    return _table(("Last measured", "value", "perfect", "samples"), rows)


def _measured(name: str, value: float | None) -> str:
    """A metric's value as the pages write it."""
    return f"{value:.1%}" if written(name) == "percent" and value is not None and not math.isnan(value) else _number(value)


def _middle(values: np.ndarray) -> float:
    """The median of the members that have a number."""
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else math.nan


def _events(store: RunStore, row: Run) -> str:
    found = [(f"{event['step']:,}", _told(event, row, store)) for event in store.events(row.id)]
    if not found:
        return ""
    earlier = f", the last {EVENTS} of {len(found)}" if len(found) > EVENTS else ""
    return f"<details><summary>Events{earlier}</summary>{_table(('Step', 'What'), found[-EVENTS:])}</details>"


def _told(event: dict, row: Run, store: RunStore) -> str:
    """An event in words."""
    if event["kind"] == "set":
        name = event["name"]
        return f"{GANConfig.model_fields[name].title}: {_shown(name, event['before'])} → {_shown(name, event['value'])}"
    if event["kind"] == "extra":
        return f"one extra {event['part']} step"
    if event["kind"] == "imported":
        return f"imported from run {event['run']}" + (f", a fork of {event['parent']}" if "parent" in event else "")
    return f"{event['kind']}: {told(str(event.get('message', '')), store.folder, row.config)}"


# All runs


def _settings(rows: Sequence[Run]) -> str:
    """The settings that are not at their default or differ between the runs, and below all of them."""
    values = [row.config.model_dump() for row in rows]
    usual = GANConfig().model_dump()
    lines = {True: [], False: []}  # whether a setting is worth a look
    for name in METAS:
        if name in PRIVATE:
            continue
        own = [each[name] for each in values]
        differs = len(set(own)) > 1
        cells = "".join(f"<td>{escape(_shown(name, value))}</td>" for value in own)
        head = f"<td>{escape(str(GANConfig.model_fields[name].title))}</td>"
        lines[differs or own[0] != usual[name]].append(f'<tr class="{"differs" if differs else "same"}">{head}{cells}</tr>')
    top = f"<tr><th></th>{''.join(f'<th>{escape(plain(row.name))}</th>' for row in rows)}</tr>"
    only = '<p class="tools"><label><input type="checkbox" id="only"> only what differs</label></p>' if len(rows) > 1 else ""
    return (
        f'{only}<div id="settings"><div class="wide"><table>{top}{"".join(lines[True])}</table></div>'
        f'<details><summary>Settings at their defaults</summary><div class="wide">'
        f"<table>{top}{''.join(lines[False])}</table></div></details></div>"
    )


def _shown(name: str, value: Any) -> str:
    choices = METAS[name].choices
    text = choices[value].title if choices and value in choices else f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= LONG else f"{text[:LONG]}…"


def _charts(store: RunStore, rows: Sequence[Run]) -> list[dict]:
    """What report.js draws: curves of one title in one chart, in the colours of what they mean; of several runs, in the runs'."""
    charts: dict[str, list[dict]] = {}
    for k, row in enumerate(rows):
        game = NETWORKS[row.config.network].adversarial
        stats = STATS if game else Likelihood.STATS
        steps, train = _curve(store, row, "train")
        for title, lines in (_GAME if game else _ALONE) if len(steps) else ():
            for j, (stat, name, colour) in enumerate(lines):
                values = train[:, stats.index(stat)]
                if stat == "penalty" and not np.nan_to_num(values).any():
                    continue
                charts.setdefault(title, []).append(_line(row, k, rows, name, colour, j, steps, values))
        for kind in store.series_kinds(row.id):
            known = {**METRICS, **SCORES}.get(kind.removeprefix(METRIC))
            if kind.startswith(METRIC) and known is not None:
                at, values = _curve(store, row, metric_series(kind.removeprefix(METRIC)))
                charts.setdefault(known.title, []).append(_line(row, k, rows, "", "accent", 0, at, values[:, 0]))
    return [{"title": title, "lines": lines} for title, lines in charts.items()]


def _curve(store: RunStore, row: Run, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """At most POINTS of a series: steps (T,), the median over members (T, S)."""
    steps, values = store.series(row.id, kind, members=len(row.configs))
    if not len(steps):
        return steps, values[:, :, 0]
    every = math.ceil(len(steps) / POINTS)
    rows = values[::-every][::-1]  # with the last one
    middle = rows[:, :, 0] if rows.shape[2] == 1 else np.ma.median(np.ma.masked_invalid(rows), 2).filled(np.nan)
    return steps[::-every][::-1], middle


def _line(
    row: Run, place: int, rows: Sequence[Run], name: str, colour: str, dash: int, steps: np.ndarray, values: np.ndarray
) -> dict:
    several = len(rows) > 1
    return {
        "name": ": ".join(filter(None, [plain(row.name) if several else "", name])),
        "colour": MANY[place] if several else f"var(--{colour})",
        "dash": bool(dash) if several else colour in ("fake", "generator"),
        "steps": steps.tolist(),
        "values": [float(f"{v:.{DIGITS}g}") if math.isfinite(v) else None for v in values.tolist()],
    }
