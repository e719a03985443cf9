"""The Compare page: which runs, which of their curves, and in which way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from gan_core import Runner, RunStore
from gan_core.standings import FEWEST, MOST
from gan_core.store import Run
from ui import components, shell
from ui.compare_message import FIELDS, MOST_CHARTS, QUANTITIES, available, curves_shown, message
from ui.latent.choice import Form, arrive, write
from ui.text import told_apart

OFFERED = 200  # the newest runs; those that a link names are offered too
PAGE = "comparison"  # under which this tab keeps what was chosen
_COMPARE = components.mount("compare")


def show(runner: Runner) -> None:
    """The whole page."""
    values = arrive(FIELDS, PAGE)
    if (handed := st.session_state.pop("compare", None)) is not None:  # the Runs page sends us
        values["runs"] = ",".join(handed)
    runs, words = found(runner.store, values["runs"])
    if words:  # they stay until something else is chosen, the address names what is there
        values["runs"] = ",".join(run.id for run in runs)
        st.session_state["comparison_left_out"] = [*st.session_state.get("comparison_left_out", []), *words]
    offered = {run.id: run for run in [*runner.store.runs(limit=OFFERED), *runs]}
    enough = len(runs) >= FEWEST
    left, right = st.columns([3, 2])  # always: a menu that moves to another place would be shut, and there twice for a moment
    with left:
        _choose_runs(values, offered, [run.id for run in runs])
    _say()
    if not enough:
        _nothing_yet(len(offered), len(runs))
    else:
        with right:
            _choose_curves(values, runs)
        form = Form(values, FIELDS, PAGE)
        _controls(form, runs)
        _COMPARE(data=message(runner, runs, values), key="compare_view", on_status_change=lambda: None)
        form.told()
    _follow(values)


def found(store: RunStore, text: str) -> tuple[list[Run], list[str]]:
    """The runs that a text names, ids with commas between them, and a sentence about each thing that cannot be used."""
    runs, words = [], []
    for name in dict.fromkeys(part.strip() for part in text.split(",") if part.strip()):
        run = store.present(name)
        if run is None:
            words.append(f"There is no run {name[:40]} here; it may have been deleted.")
            continue
        if run.kind == "run":
            runs.append(run)
        else:
            words.append(f"{run.name} is a map, which has no curves. Open one of its cells as a run.")
    if len(runs) > MOST:
        words.append(f"{len(runs)} runs are too many to be told apart: these are the first {MOST}.")
    return runs[:MOST], words


def _choose_runs(values: dict[str, Any], offered: dict[str, Run], chosen: list[str]) -> None:
    # another choice from elsewhere is another widget: one that is there already would keep its own
    before, turn = st.session_state.get("comparison_chosen", (None, 0))
    if before != chosen:
        turn += 1
        st.session_state["comparison_chosen"] = chosen, turn
    key, told = f"comparison_runs_{turn}", told_apart(offered.values())

    def take() -> None:
        now = list(st.session_state[key])
        values["runs"] = ",".join(now)
        st.session_state["comparison_chosen"] = now, turn
        st.session_state["comparison_left_out"] = []

    st.multiselect(
        "Runs to compare",
        list(offered),
        chosen,
        format_func=lambda run: told.get(run, run),
        max_selections=MOST,
        wrap=True,
        placeholder=f"Choose {FEWEST} to {MOST} runs",
        key=key,
        on_change=take,
    )


def _say() -> None:
    """What of the link, or of the last button, could not be done."""
    if left_out := st.session_state.get("comparison_left_out"):
        st.caption(f":material/link_off: {shell.plain(' '.join(left_out))}")
    if notice := shell.notice():
        st.warning(notice)


def _nothing_yet(there: int, chosen: int) -> None:
    """What would stand here, and the way to it."""
    if there < FEWEST:
        st.subheader("Nothing to compare yet")
    else:
        st.subheader("Choose one more run" if chosen else "Choose the runs above")
    st.write(
        f"Here {FEWEST} to {MOST} runs stand beside each other: their curves in one chart, their samples side by side at any "
        f"step, the settings in which they differ, and what was measured of each last."
    )
    with st.container(horizontal=True):
        st.page_link("playground.py", label="Train a run", icon=":material/play_circle:")
        st.page_link("pages/runs.py", label="See all runs", icon=":material/list:")


def _controls(form: Form, runs: Sequence[Run]) -> None:
    """How the curves are drawn."""
    several = any(len(run.configs) > 1 for run in runs)
    with st.container(horizontal=True, gap="medium"):
        form.segments("x", "Over", {"step": "Steps", "time": "Time"}, "Steps of the generator, or time spent training.")
        form.segments(
            "scale", "Scale", {"linear": "Linear", "log": "Log"}, "A logarithm shows small values as well as large ones."
        )
        about = "Runs that differ only in their seed, and the members of one run, as their mean with a band around it."
        each = "First member" if several else "Each"
        form.segments("seeds", "Seeds", {"each": each, "deviation": "Mean ± sd", "range": "Min to max"}, about)
        with st.container(width=180):
            form.slide("smooth", "Smoothing", 0.0, 0.99, 0.01, "Each point becomes the mean of those before it, older ones less.")


def _choose_curves(values: dict[str, Any], runs: Sequence[Run]) -> None:
    there, usual = available(runs), curves_shown(runs, "")
    key = f"comparison_y_{'_'.join(there)}"  # a run that trains may get more of them

    def take() -> None:
        now = st.session_state[key]
        values["y"] = "" if now == usual else ",".join(now)

    st.multiselect(
        "Curves",
        list(there),
        curves_shown(runs, values["y"]),
        format_func=QUANTITIES.get,
        max_selections=MOST_CHARTS,
        wrap=True,
        key=key,
        on_change=take,
    )


def _follow(values: dict[str, Any]) -> None:
    """Have the address name all that is on the screen."""
    shown = {**(st.session_state.get("address") or {}), **write(values, FIELDS)}  # the run in focus stays in focus
    if st.query_params.to_dict() != shown:
        st.query_params.from_dict(shown)
