"""Mode collapse: a recipe that fails beside one that holds, same seed, step by step in turn."""

from contextlib import suppress

import streamlit as st

from gan_core import PAIRS, PlaygroundError
from gan_core.config import METAS, GANConfig
from gan_core.data import load
from gan_core.presets import Pair
from gan_core.store import RESUMABLE, Run
from ui import live, shell
from ui.text import setting

runner = shell.open_page("Mode collapse")
store = runner.store
SIDES = ("fails", "holds")


def start(name: str, seed: int) -> None:
    """Start both recipes of a pair with one seed."""
    pair = PAIRS[name]
    try:
        runs = runner.start_pair(
            pair.fails.but(seed=seed),
            pair.holds.but(seed=seed),
            tuple(f"{name.replace('_', ' ')}, {side}" for side in SIDES),
        )
        st.session_state["twins"] = runs
    except PlaygroundError as error:
        st.session_state["notice"] = str(error)


def act(runs: list[Run], kind: str) -> None:
    """Give both runs a command, where it has a meaning."""
    for run in runs:
        try:
            if kind == "resume" and run.status in ("paused", *RESUMABLE):
                runner.resume(run.id)
            elif kind != "resume" and run.is_live:
                runner.send(run.id, kind)
        except PlaygroundError as error:
            st.session_state["notice"] = str(error)


def twins() -> list[Run]:
    """The pair that this tab looks at, else the newest."""
    chosen = st.session_state.get("twins")
    if chosen is None:
        newest = next((run for run in store.runs(limit=200) if run.pair), None)
        return store.pair(newest.pair) if newest else []
    found = []
    for run in chosen:
        with suppress(PlaygroundError):  # deleted meanwhile
            found.append(store.get(run))
    return found


def transport(name: str, runs: list[Run]) -> None:
    """One bar for both."""
    live_now = any(run.is_live for run in runs)
    going = any(run.status in ("running", "queued") for run in runs)
    held = any(run.status == "paused" or run.status in RESUMABLE for run in runs)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        seed = st.number_input("Seed", 0, 2**31 - 1, 0, width=110, disabled=live_now, help="The same for both.")
        if going:
            st.button(
                "Pause",
                icon=":material/pause:",
                type="primary",
                width=130,
                key="main",
                on_click=act,
                args=(runs, "pause"),
            )
        elif held:
            st.button(
                "Resume",
                icon=":material/play_arrow:",
                type="primary",
                width=130,
                key="main",
                on_click=act,
                args=(runs, "resume"),
            )
        else:
            st.button(
                "Start both",
                icon=":material/play_arrow:",
                type="primary",
                width=130,
                key="main",
                on_click=start,
                args=(name, seed),
            )
        st.button("Stop", icon=":material/stop:", key="stop", disabled=not live_now, on_click=act, args=(runs, "stop"))
        st.button(
            "Start anew",
            icon=":material/restart_alt:",
            key="anew",
            disabled=live_now or not runs,
            on_click=start,
            args=(name, seed),
        )


def heading(column, pair: Pair, side: int) -> None:
    """What is not the same on the two sides."""
    values = [f"{GANConfig.model_fields[name].title}: **{_title(name, both[side])}**" for name, both in pair.difference().items()]
    column.markdown(f"**{'Left' if side == 0 else 'Right'}** · " + ", ".join(values))


def _title(name: str, value) -> str:
    choices = METAS[name].choices
    return choices[value].title if choices else setting(value)


def draw(pair: Pair, runs: list[Run]) -> None:
    """The two monitors."""
    for k, (column, run) in enumerate(zip(st.columns(2, gap="large"), runs, strict=True)):
        heading(column, pair, k)
        with column:
            live.monitor(live.run_message(runner, run, live.SeriesCache(), "compact"), key=f"twin_{k}")


with shell.guarded():
    runs = twins()
    busy = any(run.is_live for run in runs)
    names = list(PAIRS)
    shown = next((n for n in names if len(runs) == 2 and runs[0].config.but(seed=0) == PAIRS[n].fails), names[0])
    chosen = st.segmented_control(
        "Comparison",
        names,
        default=shown,
        required=True,
        disabled=busy,
        format_func=lambda n: PAIRS[n].title,
        key=f"pair_{busy}",
    )
    pair = PAIRS[chosen]
    if chosen != shown:
        runs = []
    st.write(pair.text)
    transport(chosen, runs)
    if notice := st.session_state.pop("notice", ""):
        st.warning(notice)
    for run in runs:
        if run.message:
            st.warning(f"{shell.plain(run.name)}: {run.message}")
    if len(runs) == 2:
        draw(pair, runs)
    else:
        for k, (column, config) in enumerate(zip(st.columns(2, gap="large"), (pair.fails, pair.holds), strict=True)):
            heading(column, pair, k)
            with column:
                live.monitor(live.idle_message(config, load(config.dataset, config.image_size), "", "compact"), key=f"twin_{k}")
    st.caption(
        "Modes are counted as in PacGAN (Lin et al. 2018): 2,500 samples, a mode counts with at least one sample within "
        "3 sigma of its centre."
    )
