"""Many seeds: two recipes, each trained over many seeds at once, and how often they succeed."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import streamlit as st
import torch

from gan_core import DataError, GANConfig, Runner
from gan_core.cures import CURES
from gan_core.draws import seeded
from gan_core.frames import extent, pack, quantised_points, unpack
from gan_core.lab import Rate, effect, rate
from gan_core.metrics import shares
from gan_core.schema import metric_series
from gan_core.store import Run
from ui import components, live, pairing
from ui.choice import Choice, choose, is_of, pair_label
from ui.palette import PALETTE, STATUS
from ui.series import CACHE, thin
from ui.words import changes_in_words

KIND = "seeds"
COUNTS = (8, 16, 32, 64)
REAL = 160  # points of the data behind each member's
_SEEDS = components.mount("seeds")


def message(runner: Runner, runs: list[Run], choice: tuple[GANConfig, GANConfig], names: tuple[str, str], members: int) -> bytes:
    """How both arms stand; without runs, the room in which they will."""
    config = choice[0]
    data = live.known_data(config)
    if data is None:
        raise DataError(f"The data set {config.dataset} of this comparison is not on this machine any more.")
    modes = len(shares(data))
    arrays: dict[str, Any] = {"t": np.zeros(0, np.float32)}
    arms = [_arm(runner, run, names[k], k, arrays) for k, run in enumerate(runs)] if runs else [
        {"name": name, "changes": "", "k": 0, "n": members, "low": 0, "high": 0, "measured": False} for name in names
    ]  # fmt: skip
    after = changes_in_words({k: v for k, v in choice[1].model_dump().items() if v != getattr(config, k) and k != "seed"})
    arms[0]["changes"], arms[1]["changes"] = "as it is", after
    _curves(arrays)
    points = data.x.dim() == 2
    if points:
        rows = torch.randint(len(data.x), (REAL,), generator=seeded(0, "view"))
        arrays["real"] = quantised_points(data.x[rows], extent(data))
    status = _status(runs)
    step = min((run.step for run in runs), default=0)
    speed = sum(run.rate * len(run.configs) for run in runs if run.status == "running")
    header = {
        "made": time.monotonic(),
        "address": f"pair/{runs[0].id}/{runs[1].id}?" if runs else None,
        "live": any(run.is_live for run in runs),
        "version": version(runner, runs),
        "status": status,
        "label": STATUS[status][0] if runs else "Ready",
        "step": step,
        "steps": config.steps,
        "rate": speed,
        "left": _left(runs),
        "modes": modes,
        "members": members if not runs else len(runs[0].configs),
        "points": points,
        "shape": list(data.shape),
        "arms": arms,
        "question": f"Seeds that hold all {modes} {'modes' if points else 'classes'}",
        "said": _said(arms, [np.asarray(arrays.get(f"held{k}", ())).tolist() for k in (0, 1)], status == "finished"),
        "chart": {
            "title": "Modes held" if points else "Classes held",
            "lines": [
                {"name": f"{names[0].lower()}: mean, and where most seeds lie", "colour": "text", "dash": True},
                {"name": names[1], "colour": "accent", "dash": False},
            ],
        },
        "name": (pair_label(runs) or "many-seeds").replace("/", "-"),
        "palette": PALETTE,
    }
    return pack(header, arrays)


def pair_message(runner: Runner, runs: list[Run]) -> bytes:
    """The message about a pair, which knows by its label what it compares."""
    cure = (pair_label(runs) or "/").partition("/")[2]
    names = ("Without", CURES[cure].title if cure in CURES else "With")
    return message(runner, runs, (runs[0].config, runs[1].config), names, len(runs[0].configs))


def version(runner: Runner, runs: list[Run]) -> str:
    """Changes whenever a message about the runs would."""
    return " ".join(live.version(run, runner.problem(run.id)) for run in runs)


def _status(runs: list[Run]) -> str:
    states = [run.status for run in runs]
    for status in ("running", "queued", "paused", "failed", "interrupted", "stopped", "finished"):
        if status in states:
            return status
    return "none"


def _left(runs: list[Run]) -> float:
    """Seconds until both are done: they take turns in one thread, so both rates are what they are together."""
    return max(((run.steps - run.step) / run.rate for run in runs if run.rate), default=0.0)


def _arm(runner: Runner, run: Run, name: str, k: int, arrays: dict[str, Any]) -> dict[str, Any]:
    steps, held = CACHE.series(runner.store, run, metric_series("held"))  # (T,), (T, 1, E)
    members = len(run.configs)
    frame = runner.store.frame(run.id)
    if frame:
        _, parts = unpack(frame)
        tiles = parts.get("members", parts.get("member_images"))
        if tiles is not None:
            arrays[f"tiles{k}"] = np.ascontiguousarray(tiles)
    arrays[f"steps{k}"], arrays[f"rows{k}"] = steps, held[:, 0] if len(steps) else np.zeros((0, members), np.float32)
    last = held[-1, 0] if len(steps) else np.full(members, np.nan, np.float32)
    arrays[f"held{k}"] = np.nan_to_num(last, nan=-1).astype(np.float32)
    modes = len(shares(live.known_data(run.config)))
    found = rate((last >= modes).tolist())
    measured = bool(len(steps)) and not np.isnan(last).all()
    return {"name": name, "k": found.successes, "n": members, "low": found.low, "high": found.high, "measured": measured}


def _curves(arrays: dict[str, Any]) -> None:
    """Mean and the middle 80 % of both arms, at all steps at which either was measured; NaN where an arm was not."""
    steps = [arrays.pop(f"steps{k}", np.zeros(0)) for k in (0, 1)]
    rows = [arrays.pop(f"rows{k}", np.zeros((0, 1))) for k in (0, 1)]
    known = [~np.isnan(r).all(1) for r in rows]  # a judge may still have to learn
    steps, rows = ([part[keep] for part, keep in zip(parts, known, strict=True)] for parts in (steps, rows))
    every = np.union1d(*steps)
    if not len(every):
        return
    at, _ = thin(every, every)
    arrays["t"] = at.astype(np.float32)
    for k in (0, 1):
        values = np.nan_to_num(rows[k])  # a member that has diverged holds nothing
        for name, curve in (
            ("mean", values.mean(1)),
            ("low", np.quantile(values, 0.1, axis=1) if len(values) else values[:, 0]),
            ("high", np.quantile(values, 0.9, axis=1) if len(values) else values[:, 0]),
        ):
            whole = np.interp(at, steps[k], curve, left=np.nan, right=np.nan) if len(curve) else np.full(len(at), np.nan)
            arrays[f"{name}{k}"] = whole.astype(np.float32)


def _said(arms: list[dict[str, Any]], held: list[list[float]], ended: bool) -> str:
    """What the two rates say, in words."""
    if not all(arm["measured"] for arm in arms):
        return "Each picture is one seed, with the number of modes that it holds. A frame marks those that hold all."
    one, two = (Rate(arm["k"], arm["n"], arm["low"], arm["high"]) for arm in arms)
    return f"{arms[1]['name']}: {effect(one, two, *held, ended)}"


def show(runner: Runner) -> None:
    """The view: what to compare, start and stop, both arms live."""
    store = runner.store
    runs = pairing.newest(store, KIND)
    busy = any(run.is_live for run in runs)
    columns = st.columns([5, 5, 2, 2])
    choice = choose(columns, store, runs, many=True)
    if not is_of(choice, runs):
        runs = []
    members = pairing.bar(columns[2:], runner, runs, KIND, choice, COUNTS)
    configs = (runs[0].config, runs[1].config) if runs else (choice.fails, choice.holds)
    _SEEDS(
        data=message(runner, runs, configs, choice.names, members),
        key="seeds",
        on_status_change=lambda: None,
        on_member_change=lambda: None,
    )
    _chosen(runner, runs, choice)
    pairing.export(runs, choice)
    if not busy:
        pairing.watch([(run.id, run.status) for run in runs], lambda: pairing.newest(store, KIND))


def _chosen(runner: Runner, runs: list[Run], choice: Choice) -> None:
    """The member that was clicked on: what it holds, and its way to the Playground."""
    event = getattr(st.session_state.get("seeds"), "member", None)
    if event and runs:
        st.session_state["seeds_member"] = runs[0].id, event
    pair, event = st.session_state.get("seeds_member", ("", None))
    if not event or not runs or pair != runs[0].id or event["member"] >= len(runs[event["arm"]].configs):
        return
    run = runs[event["arm"]]
    config = run.configs[event["member"]]
    held = run.metrics.get("held", [math.nan] * len(run.configs))[event["member"]]
    with st.container(horizontal=True, vertical_alignment="center"):
        words = "not measured yet" if math.isnan(held) else f"holds {held:.0f}"
        st.markdown(f"**Seed {config.seed}, {choice.names[event['arm']].lower()}:** {words}.", width="content")
        st.button(
            "Train it in the Playground",
            icon=":material/play_circle:",
            on_click=pairing.open_config,
            args=(runner, config, f"{run.name}, seed {config.seed}"),
            help="A run of this seed alone, with all its views.",
            disabled=any(r.status in ("running", "queued") for r in runs),
        )
