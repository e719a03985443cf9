"""What a store keeps of a run, as `health` reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .config import GANConfig
from .features import Judge
from .health import History, diagnose
from .members import STATS
from .metrics import TALLIES, chosen, floors, is_judged, samples_for, shares
from .networks import NETWORKS
from .schema import metric_series
from .source import Data
from .store import Run, RunStore

TRAIN = "train"
Series = Mapping[str, tuple[np.ndarray, np.ndarray]]  # kind -> steps (T,), values (T, S, E)


def kinds_of(data: Data) -> list[str]:
    """The series that a history is made of."""
    return [TRAIN, *TALLIES, *(metric_series(name) for name in chosen(data))]


def history(
    config: GANConfig,
    series: Series,
    data: Data,
    judge: Judge | None = None,
    member: int = 0,
    broken: str = "",
    changed: int = -1,
    ended: bool = False,
) -> History:
    """The history of one member from the series of its run; the last three as in `health.History`."""
    train_steps, train = series[TRAIN]
    measured = {name: series[metric_series(name)] for name in chosen(data) if len(series[metric_series(name)][0])}
    tallies = in_common([series[name] for name in TALLIES])
    counted = tallies[0][0]
    # where a judge had to learn first, modes are counted from later on
    at = counted if len(counted) else next(iter(measured.values()))[0] if measured else np.zeros(0, np.int64)
    return History(
        config,
        train_steps,
        {name: train[:, k, member] for k, name in enumerate(STATS)} if len(train_steps) else {},
        at,
        {name: at_steps(at, *rows)[:, 0, member] for name, rows in measured.items()},
        *(values[:, :, member] if len(counted) else None for _, values in tallies),
        shares(data).numpy() if len(counted) else None,
        floors(data, samples_for(data), judge),
        broken,
        changed,
        ended,
    )


def in_common(rows: Sequence[tuple[np.ndarray, np.ndarray]]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Series that are reported together, as far as all of them go: a report may have come between the reads of two."""
    known = min(len(steps) for steps, _ in rows)
    return [(steps[:known], values[:known]) for steps, values in rows]


def at_steps(steps: np.ndarray, own: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Values (T, ...) at their own steps -> (M, ...) at others, NaN where there are none."""
    place = np.clip(np.searchsorted(own, steps), 0, len(own) - 1)
    there = (own[place] == steps).reshape(-1, *[1] * (values.ndim - 1))
    return np.where(there, values[place], np.nan)


def read_history(store: RunStore, run: Run, data: Data, judge: Judge | None = None, member: int = 0) -> History | None:
    """The history of a run that a store keeps; None where there is no game to be judged."""
    if not NETWORKS[run.config.network].adversarial:
        return None
    series = {kind: store.series(run.id, kind, members=len(run.configs)) for kind in kinds_of(data)}
    judge = judge if is_judged(data) else None
    return history(
        run.configs[member], series, data, judge, member, broken_term(store, run), last_change(store, run), is_over(run)
    )


def verdict_name(store: RunStore, run: Run, data: Data, judge: Judge | None = None) -> str:
    """Key of the verdict on a run of one GAN, as it stands; "" for others, on which none is given as a whole."""
    if run.kind != "run" or len(run.configs) > 1:
        return ""
    history = read_history(store, run, data, judge)
    return "" if history is None else diagnose(history).name


def is_over(run: Run) -> bool:
    """Whether nothing more will be known of a run."""
    return run.status in ("finished", "failed")


def last_change(store: RunStore, run: Run) -> int:
    """The step at which a setting was last changed or the run was forked; -1 if it never was."""
    steps = [e["step"] for e in store.events(run.id) if e["kind"] in ("set", "extra")]
    return max([*steps, -1 if run.parent_step is None else run.parent_step])


def broken_term(store: RunStore, run: Run) -> str:
    """The statistic that was not finite, if that ended the run."""
    if run.status != "failed":
        return ""
    return next((e["term"] for e in reversed(store.events(run.id)) if e["kind"] == "failed" and "term" in e), "")
