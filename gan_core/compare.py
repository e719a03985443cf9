"""Runs beside each other: smoothing, averages over seeds, time at a step, differing settings, tables as CSV; pure."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np

BANDS = {  # what of several seeds lies around their mean, in words
    "deviation": "mean ± one standard deviation (n - 1 in the denominator)",
    "range": "mean, and from the lowest to the highest",
}
FORMULA = tuple("=+-@\t\r＝＋－＠")  # how a cell begins that a spreadsheet may run


# Curves


def smoothed(values: np.ndarray, weight: float) -> np.ndarray:
    """Exponential smoothing with bias correction (Kingma and Ba 2015, section 3): (T,) -> (T,).

    Each point becomes the mean of itself and those before it, k points earlier with weight ** k. Where there is no finite number
    there is none afterwards either, and it counts for nothing in the others.

    Args:
        weight: 0 leaves everything as it is; below 1.
    """
    if not 0 <= weight < 1:
        raise ValueError(f"weight = {weight} is out of range: expected 0 to less than 1.")
    total = mass = 0.0
    out = []
    for value in np.asarray(values, float).tolist():
        known = math.isfinite(value)
        total, mass = weight * total + (value if known else 0.0), weight * mass + known
        out.append(total / mass if known else math.nan)
    return np.array(out)


def aligned(at: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A curve (T,) over ascending x (T,) at other places (P,): straight lines between its known points, NaN outside of them."""
    known = np.isfinite(y)
    if not known.any():
        return np.full(len(at), np.nan)
    return np.interp(at, x[known], y[known], left=np.nan, right=np.nan)


def band(rows: np.ndarray, kind: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Mean, lower and upper end of a band, and how many rows were known: (N, T) -> four of (T,).

    There is a mean only where all rows have a number that have one anywhere: a mean over those that are left would jump where one
    ends.

    Args:
        rows: one seed a row, NaN where it has no number.
        kind: one of BANDS. One row alone has a band of no width.
    """
    known = np.isfinite(rows)
    count = known.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(known, rows, 0).sum(0) / count  # 0 / 0 is NaN
        if kind == "range":
            low, high = np.where(known, rows, np.inf).min(0), np.where(known, rows, -np.inf).max(0)
        else:
            squares = np.where(known, (rows - mean) ** 2, 0).sum(0)
            spread = np.sqrt(squares / np.maximum(count - 1, 1))
            low, high = mean - spread, mean + spread
    none = count < known.any(1).sum()
    return np.where(none, np.nan, mean), np.where(none, np.nan, low), np.where(none, np.nan, high), count


def times(at: np.ndarray, steps: np.ndarray, seconds: np.ndarray, step: int, total: float) -> tuple[np.ndarray, bool]:
    """Seconds of training at some steps (P,), and whether some of them are no record but a guess.

    Where nothing is on record, steps are taken to last equally long.

    Args:
        steps, seconds: what was noted down, (K,) each. Where seconds fall, a fork began to count anew; it goes on from there.
        step, total: where the run stands now, and how long it has trained.
    """
    steps, seconds = np.asarray(steps, float), np.asarray(seconds, float)
    if not len(steps):
        return np.asarray(at, float) * (total / step if step else 0.0), bool(step)
    gained = np.diff(seconds, prepend=0.0)
    gained = np.where(gained < 0, seconds, gained)
    along = np.cumsum(gained)
    end = total + along[-1] - seconds[-1]
    if step > steps[-1] and end >= along[-1]:  # what a run that failed has reported last
        steps, along = np.append(steps, step), np.append(along, end)
    guessed = steps[0] > 0
    if guessed:
        steps, along = np.insert(steps, 0, 0), np.insert(along, 0, 0.0)
    return np.interp(at, steps, along), bool(guessed)


# Settings


def differing(configs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of the settings in which some configs differ, in the configs' order."""
    return [name for name, value in configs[0].items() if any(each[name] != value for each in configs[1:])] if configs else []


def groups(configs: Sequence[Mapping[str, Hashable]], apart: Sequence[str] = ("seed",)) -> list[list[int]]:
    """Which configs are the same but for some settings: their places, each group in order and groups by their first."""
    found: dict[tuple, list[int]] = {}
    for place, config in enumerate(configs):
        found.setdefault(tuple((name, value) for name, value in sorted(config.items()) if name not in apart), []).append(place)
    return list(found.values())


# Tables


def cell(value: Any) -> Any:
    """What stands in a cell of a CSV file: numbers as they are, nothing for None and NaN, and text that no spreadsheet takes
    for a formula (OWASP, CSV injection)."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def csv_text(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table as CSV (RFC 4180)."""
    file = io.StringIO()
    csv.writer(file).writerows([[cell(value) for value in row] for row in (head, *rows)])
    return file.getvalue()
