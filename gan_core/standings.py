"""How several runs stand beside each other: in which settings they differ, and what was measured of each last."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .compare import csv_text, differing
from .config import METAS, GANConfig
from .data import is_here, load
from .errors import DataError, RunError
from .features import judge_of
from .link import PRIVATE
from .metrics import METRICS, SCORES, floors, samples_for
from .store import Run, RunStore

FEWEST, MOST = 2, 8  # runs that can be told apart


@dataclass(frozen=True)
class Measure:
    """A metric of several runs.

    Attributes:
        values, perfect: of each run, None where it was not measured, or no floor is known.
    """

    title: str
    values: list[float | None]
    perfect: list[float | None]


def runs_of(store: RunStore, ids: Sequence[str]) -> list[Run]:
    """The runs that are to be compared.

    Raises:
        RunError: one does not exist, is a map or is named twice, or there are fewer than 2 or more than 8.
    """
    if not FEWEST <= len(ids) <= MOST:
        raise RunError(f"{FEWEST} to {MOST} runs can be compared, not {len(ids)}.")
    if twice := [run for k, run in enumerate(ids) if run in ids[:k]]:
        raise RunError(f"Run {twice[0]} is named twice. Name each run once.")
    rows = [store.get(run) for run in ids]
    for row in rows:
        if row.kind != "run":
            raise RunError(f"{row.id} is a map, which has no curves. Open one of its cells as a run.")
    return rows


def settings(rows: Sequence[Run]) -> tuple[dict[str, list[Any]], dict[str, Any]]:
    """The settings in which the first members of runs differ, name -> a value a run; and those that are the same."""
    values = [{name: getattr(row.config, name) for name in METAS} for row in rows]
    apart = differing(values)
    return {name: [each[name] for each in values] for name in apart}, {n: v for n, v in values[0].items() if n not in apart}


def measures(rows: Sequence[Run]) -> dict[str, Measure]:
    """Name -> the last measurement of every metric that at least one run has; of several members their mean."""
    known = {**SCORES, **METRICS}
    values = {name: [_mean(row.metrics.get(name, ())) for row in rows] for name in known}
    perfect = [floors_of(row) for row in rows]
    return {
        name: Measure(known[name].title, own, [each.get(name) for each in perfect])
        for name, own in values.items()
        if any(value is not None for value in own)
    }


def floors_of(row: Run) -> dict[str, float]:
    """What perfect samples score; {} where the data are not on this machine."""
    try:
        if not is_here(row.config.source):
            return {}
        data = load(row.config.source)
    except DataError:
        return {}
    return floors(data, samples_for(data), judge_of(row.config.source))


def _mean(values: Sequence[float]) -> float | None:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else None


def csv_of(rows: Sequence[Run]) -> str:
    """One row a run: what it is, how far it is, the settings in which it differs, its last measurements and their floors."""
    apart, found = settings(rows)[0], measures(rows)
    apart = {name: values for name, values in apart.items() if name not in PRIVATE}
    head = ["Run", "Name", "Status", "Members", "Step", "Steps planned", "Seconds trained"]
    head += [GANConfig.model_fields[name].title for name in apart]
    for measure in found.values():
        head += [measure.title, f"{measure.title}, perfect"]
    lines = []
    for k, row in enumerate(rows):
        line = [row.id, row.name, row.status, len(row.configs), row.step, row.steps, round(row.seconds, 3)]
        line += [values[k] for values in apart.values()]
        for measure in found.values():
            line += [measure.values[k], measure.perfect[k]]
        lines.append(line)
    return csv_text(head, lines)
