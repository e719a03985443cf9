"""Runs as lines of a table, and as a CSV file."""

from __future__ import annotations

import csv
import io
import math
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import streamlit as st

from gan_core import METRICS, NETWORKS, VERDICTS, PlaygroundError, RunStore
from gan_core.compare import cell
from gan_core.disk import size
from gan_core.features import judge_of
from gan_core.frames import pack
from gan_core.metrics import SCORES, is_judged
from gan_core.networks import USUAL_NETWORKS
from gan_core.reading import verdict_name
from gan_core.shelf import Line
from ui import components, readings
from ui.live import known_data
from ui.palette import STATUS
from ui.pictures import thumbnail
from ui.text import ago, duration
from ui.verdict import verdict_of

SHORT = {"held": "modes held", "sliced_wasserstein": "distance", "bits_per_dim": "bits per pixel"}
HEADLINES = ("held", "bits_per_dim", "sliced_wasserstein")  # the first that a run has
KEY = "list_view"
JUDGING_SECONDS = 0.06  # at each look, for verdicts that are not known yet
TOLD = ("id", "name", "status", "kind", "dataset", "network", "loss", "penalty", "members", "step", "steps", "seconds")
_LIST = components.mount("list")


def table(store: RunStore, shown: Sequence[Line], sort: str, on_sort: Callable[[], None]) -> list[Line]:
    """Draw lines as a table; those that are chosen. When the list changes, what was chosen stays so, wherever it stands now.

    Args:
        sort: key of SORTS that they are sorted by. on_sort: called when another is asked for: `st.session_state[KEY].sort`.
    """
    rows = [row(line, verdict) for line, verdict in zip(shown, verdicts(store, shown), strict=True)]
    when = "Begun" if shown[0].trashed is None else "Deleted"
    told = {"when": when, "sort": sort, "rows": rows}
    before, message = st.session_state.get("listed", (None, b""))
    if told != before or KEY not in st.session_state:  # else the same bytes, which Streamlit does not send again
        message = pack({"made": time.monotonic(), "chosen": st.session_state.get("chosen", []), **told}, {})
        st.session_state["listed"] = told, message
    said = _LIST(data=message, key=KEY, on_chosen_change=lambda: None, on_sort_change=on_sort).chosen
    if said is not None:
        st.session_state["chosen"] = said
    chosen = set(st.session_state.get("chosen", []))
    return [line for line in shown if line.id in chosen]


def row(line: Line, verdict: str) -> dict[str, Any]:
    """A run as a line of the table. Everything in it is shown as text."""
    begun = line.step and line.status != "finished"
    kind = VERDICTS.get(verdict)
    return {
        "id": line.id,
        "picture": f"thumb/{line.id}?v={line.updated:.3f}" if line.step or line.status == "finished" else "",
        "starred": line.starred,
        "name": line.name,
        "note": line.note,
        "tags": line.tags,
        "status": line.status,
        "state": f"{STATUS[line.status][0]} {line.step / max(1, line.steps):.0%}" if begun else STATUS[line.status][0],
        "recipe": f"{line.dataset}, {recipe(line)}",
        "verdict": kind.title if kind else "",
        "tone": kind.tone if kind else "",
        "measured": measured(line),
        "trained": duration(line.seconds),
        "when": ago(line.created if line.trashed is None else line.trashed),
        "disk": size(line.bytes) if line.bytes else "–",
    }


@lru_cache(maxsize=1024)
def picture(store: RunStore, run: str, updated: float) -> bytes | None:
    """A run's latest picture as a small PNG, made once for each time at which the run changed."""
    frame = store.frame(run)
    return thumbnail(frame) if frame else None


def recipe(line: Line) -> str:
    """What is trained, in a few words; the usual networks are not named."""
    if line.kind == "map":
        return "map"
    network = NETWORKS.get(line.network)
    parts = [] if line.network in USUAL_NETWORKS else [line.network]
    parts += [line.loss] if network is None or network.adversarial else []
    penalty = f" + {line.penalty}" if line.penalty not in ("none", "") else ""
    return ", ".join(parts) + penalty + (f", {line.members} members" if line.members > 1 else "")


def measured(line: Line) -> str:
    """The metric that says most of those that could be measured; the mean of several members."""
    name = next((name for name in (*HEADLINES, *line.metrics) if not math.isnan(line.metric(name))), None)
    if name is None:
        return ""
    entry = SCORES.get(name) or METRICS.get(name)
    words = SHORT.get(name) or (entry.title.lower() if entry else name)
    value = line.metric(name)
    if line.members > 1:
        return f"{value:.2g} {words} (mean)"
    shown = readings.shown(name, value)
    return f"{shown} {words.replace('modes', 'mode') if shown == '1' else words}"


def verdicts(store: RunStore, lines: Sequence[Line]) -> list[str]:
    """The verdict on each, as it stands now; "" where there is none, or where it will be known at one of the next looks.

    That of a run at rest is kept in the store; most are there already, since a run that ends keeps its own.
    """
    end = time.perf_counter() + JUDGING_SECONDS
    return [line.verdict if line.verdict is not None else _judged(store, line, end) for line in lines]


def _judged(store: RunStore, line: Line, end: float) -> str:
    if line.kind != "run" or line.members > 1 or time.perf_counter() > end:
        return ""
    try:
        run = store.get(line.id)
    except PlaygroundError:  # deleted meanwhile, or made by another version
        return ""
    data = known_data(run.config)
    if data is None:
        return ""
    judge = judge_of(run.config.source) if is_judged(data) else None
    if run.is_live or (judge is not None and not judge.ready):
        verdict = verdict_of(store, run, data)
        return verdict.name if verdict else ""
    name = verdict_name(store, run, data, judge)
    store.keep_verdict(run.id, name, run.updated)
    return name


def table_csv(lines: Sequence[Line]) -> str:
    """The lines as CSV. A text that a spreadsheet would take for a formula gets an apostrophe, which makes it text."""
    metrics = sorted({name for line in lines for name in line.metrics})
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([*TOLD, "created", "bytes", "verdict", "starred", "tags", "note", *metrics])
    for line in lines:
        created = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(line.created))
        said = [line.verdict or "", "yes" if line.starred else "", ", ".join(line.tags), line.note]
        values = [line.metric(name) for name in metrics]
        numbers = ["" if value != value else f"{value:.6g}" for value in values]
        cells = [*(getattr(line, name) for name in TOLD), created, line.bytes, *said]
        writer.writerow([*(cell(value) for value in cells), *numbers])
    return out.getvalue()
