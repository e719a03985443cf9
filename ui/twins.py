"""Side by side: a recipe that fails and the same with one cure, same seed, step by step in turn."""

from __future__ import annotations

import streamlit as st

from gan_core import Runner
from gan_core.data import load
from gan_core.frames import pack
from gan_core.store import Run
from ui import components, live, pairing
from ui.choice import Choice, choose, difference_in_words, is_of

KIND = "twins"
_TWINS = components.mount("twins", "monitor")


def message(runner: Runner, runs: list[Run], choice: Choice) -> bytes:
    """Both runs, as `live.run_message` tells each; without runs, their data."""
    if runs:
        sides = [live.run_message(runner, run, "compact") for run in runs]
    else:
        sides = [live.idle_message(c, load(c.source), "", "compact") for c in (choice.fails, choice.holds)]
    header = {
        "titles": choice.names,
        "differences": difference_in_words(choice.fails, choice.holds),
        "name": choice.label.replace("/", "-"),
    }
    return pack(header, {"side0": sides[0], "side1": sides[1]})


def show(runner: Runner) -> None:
    """The view: what to compare, start and stop, both runs live."""
    store = runner.store
    runs = pairing.newest(store, KIND)
    busy = any(run.is_live for run in runs)
    columns = st.columns([5, 5, 2])
    choice = choose(columns, store, runs, many=False)
    if not is_of(choice, runs):
        runs = []
    pairing.bar(columns[2:], runner, runs, KIND, choice)
    _TWINS(data=message(runner, runs, choice), key="twins", on_status_change=lambda: None)
    pairing.export(runs, choice)
    if not busy:
        pairing.watch([(run.id, run.status) for run in runs], lambda: pairing.newest(store, KIND))
