"""What the comparisons of the lab share: start, pause, stop, the newest pair, export."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import streamlit as st

from gan_core import GANConfig, Runner, RunStore
from gan_core.compare import csv_text
from gan_core.maps import MapSpec
from gan_core.store import RESUMABLE, Run
from ui import shell
from ui.choice import Choice, explain

PARTS = 2  # runs of a comparison


def newest(store: RunStore, kind: str) -> list[Run]:
    """The pair of a kind that this tab looks at, else the newest; [] where there is none."""
    chosen = st.session_state.get(f"{kind}_runs")
    if chosen is None:
        last = next((run for run in store.runs(limit=300) if run.pair and run.pair.startswith(f"{kind}:")), None)
        found = store.pair(last.pair) if last else []
    else:
        found = [run for run in map(store.present, chosen) if run]
    return found if len(found) == PARTS else []


def start(runner: Runner, kind: str, choice: Choice, seed: int, members: int) -> None:
    """Start both recipes of a comparison, with the same seeds."""
    with shell.attempt():
        sides = [[config.but(seed=seed + k) for k in range(members)] for config in (choice.fails, choice.holds)]
        names = tuple(f"{choice.problem}, {name}"[:80] for name in ("without", choice.names[1]))
        st.session_state[f"{kind}_runs"] = runner.start_pair(*sides, names, f"{kind}:{choice.label}")
        st.session_state["lab_changed"] = False


def act(runner: Runner, runs: list[Run], command: str) -> None:
    """Give all runs a command, where it has a meaning."""
    with shell.attempt():
        if command == "resume":
            runner.resume_together([run.id for run in runs if run.status in ("paused", *RESUMABLE)])
        else:
            for run in runs:
                if run.is_live:
                    runner.send(run.id, command)


def buttons(runner: Runner, runs: list[Run], label: str, begin: Callable, args: tuple) -> None:
    """Start or pause or resume, stop, and start anew: for a pair or a map."""
    busy = any(run.is_live for run in runs)
    held = any(run.status == "paused" or run.status in RESUMABLE for run in runs)
    if any(run.status in ("running", "queued") for run in runs):
        name, icon, does, what = "Pause", "pause", act, (runner, runs, "pause")
    elif held:
        name, icon, does, what = "Resume", "play_arrow", act, (runner, runs, "resume")
    else:
        name, icon, does, what = label, "play_arrow", begin, args
    st.button(name, icon=f":material/{icon}:", type="primary", width=140, key="main", on_click=does, args=what)
    st.button("Stop", icon=":material/stop:", key="stop", disabled=not busy, on_click=act, args=(runner, runs, "stop"))
    if held and not busy:
        st.button("Start anew", icon=":material/restart_alt:", key="anew", on_click=begin, args=args)


def bar(columns: Sequence, runner: Runner, runs: list[Run], kind: str, choice: Choice, counts: tuple[int, ...] = ()) -> int:
    """How many seeds and which, in the columns, and below them the transport; returns how many members each side has."""
    busy = any(run.is_live for run in runs)
    members = 1
    if counts:
        now = len(runs[0].configs) if runs else 16
        members = columns[0].selectbox("Seeds", counts, counts.index(now) if now in counts else 1, disabled=busy)
    seed = columns[-1].number_input(
        "First seed" if counts else "Seed",
        0,
        2**31 - 1,
        runs[0].config.seed if runs else 0,
        disabled=busy,
        help="The same for both sides.",
    )
    words, controls = st.columns([10, 7], vertical_alignment="center")
    with words:
        explain(choice)
    with controls, st.container(horizontal=True, horizontal_alignment="right"):
        buttons(runner, runs, "Start both", start, (runner, kind, choice, seed, members))
    if notice := shell.notice():
        st.warning(notice)
    for run in runs:
        troubles(run)
    return members


def troubles(run: Run) -> None:
    """Why a run does not go on."""
    if run.message and run.status in ("paused", "failed", "interrupted"):
        st.warning(shell.plain(f"{run.name}: {run.message}"))


def open_config(runner: Runner, config: GANConfig, name: str) -> None:
    """Start a run of a config and go to the Playground with it."""
    with shell.attempt():
        shell.set_focus(runner.start(config, name[:80]))
        st.session_state["goto"] = "playground.py"


def export(runs: list[Run], choice: Choice) -> None:
    """The table and the configs of a comparison, to take away."""
    if not runs or not any(run.metrics for run in runs):
        return
    name = choice.label.replace("/", "-")
    with st.container(horizontal=True):
        st.download_button("Table (CSV)", table(runs), f"{name}.csv", "text/csv", icon=":material/table:", on_click="ignore")
        configs = {run.name: [c.changed() for c in run.configs] for run in runs}
        st.download_button("Configs (JSON)", json.dumps(configs, indent=1), f"{name}.json", "application/json",
                           icon=":material/data_object:", on_click="ignore")  # fmt: skip


def table(runs: list[Run]) -> str:
    """A line for each member of each run: its latest metrics."""
    names = list(dict.fromkeys(name for run in runs for name in run.metrics))
    rows = [
        [run.name, config.seed, run.step, *(run.metrics[name][k] if name in run.metrics else "" for name in names)]
        for run in runs
        for k, config in enumerate(run.configs)
    ]
    return csv_text(["run", "seed", "step", *names], rows)


def cells_table(spec: MapSpec, cells: dict[int, tuple[int, dict]]) -> str:
    """A line for each GAN of a map."""
    names = list(dict.fromkeys(name for _, value in cells.values() for name in value))
    rows = []
    for cell in sorted(cells):
        row, column, k = spec.place(cell)
        step, value = cells[cell]
        where = [spec.x.values[column], spec.y.values[row], spec.base.seed + k, step]
        rows.append([*where, *(value.get(name, "") for name in names)])
    return csv_text([spec.x.name, spec.y.name, "seed", "step", *names], rows)


@st.fragment(run_every=3.0)
def watch(shown: list[tuple[str, str]], find: Callable[[], list[Run]]) -> None:
    """While nothing here is live: run the page again when what `find` gives is no longer what is shown."""
    with shell.guarded():
        if shown and [(run.id, run.status) for run in find()] != shown:
            st.rerun()
