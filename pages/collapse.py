"""Mode collapse: a recipe that fails beside one that holds, same seed, step by step in turn."""

from contextlib import suppress

import streamlit as st

from gan_core import PAIRS, PlaygroundError
from gan_core.config import METAS, GANConfig
from gan_core.data import load
from gan_core.store import RESUMABLE, Run
from ui import live, shell
from ui.text import setting

runner = shell.open_page("Mode collapse")
store = runner.store
SIDES = ("fails", "holds")


def start(name: str, seed: int) -> None:
    """Start both recipes of a pair with one seed."""
    pair = PAIRS[name]
    with shell.attempt():
        st.session_state["twins"] = runner.start_pair(
            pair.fails.but(seed=seed),
            pair.holds.but(seed=seed),
            tuple(f"{name.replace('_', ' ')}, {side}" for side in SIDES),
            name,
        )


def act(runs: list[Run], kind: str) -> None:
    """Give both runs a command, where it has a meaning."""
    with shell.attempt():
        if kind == "resume":
            runner.resume_together([run.id for run in runs if run.status in ("paused", *RESUMABLE)])
        else:
            for run in runs:
                if run.is_live:
                    runner.send(run.id, kind)


def twins() -> list[Run]:
    """The pair that this tab looks at, else the newest."""
    chosen = st.session_state.get("twins")
    if chosen is None:
        newest = next((run for run in store.runs(limit=200) if run.pair), None)
        found = store.pair(newest.pair) if newest else []
        return found if len(found) == 2 else []
    found = []
    for run in chosen:
        with suppress(PlaygroundError):  # deleted meanwhile
            found.append(store.get(run))
    return found if len(found) == 2 else []


def transport(name: str, runs: list[Run]) -> None:
    """One bar for both."""
    live_now = any(run.is_live for run in runs)
    going = any(run.status in ("running", "queued") for run in runs)
    held = any(run.status == "paused" or run.status in RESUMABLE for run in runs)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        seed_now = runs[0].config.seed if runs else 0
        seed = st.number_input("Seed", 0, 2**31 - 1, seed_now, width=110, disabled=live_now, help="The same for both.")
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


def heading(column, configs: tuple[GANConfig, GANConfig], side: int) -> None:
    """What is not the same on the two sides."""
    both = [config.model_dump() for config in configs]
    values = [
        f"{GANConfig.model_fields[name].title}: **{_title(name, both[side][name])}**"
        for name in METAS
        if both[0][name] != both[1][name]
    ]
    column.markdown(f"**{'Left' if side == 0 else 'Right'}** · " + ", ".join(values))


def _title(name: str, value) -> str:
    choices = METAS[name].choices
    return choices[value].title if choices else setting(value)


@st.fragment(run_every=3.0)
def watch(shown: list[tuple[str, str]]) -> None:
    """While nothing here is live: run the page again when a pair has begun elsewhere."""
    with shell.guarded():
        if [(run.id, run.status) for run in twins()] != shown:
            st.rerun()


with shell.guarded():
    runs = twins()
    busy = any(run.is_live for run in runs)
    names = list(PAIRS)
    shown = next((name for name in names if runs and runs[0].pair.startswith(f"{name}:")), names[0])
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
    if not busy:
        watch([(run.id, run.status) for run in runs])
    if chosen != shown:
        runs = []
    st.write(pair.text)
    transport(chosen, runs)
    if notice := shell.notice():
        st.warning(notice)
    for run in runs:
        if run.message:
            st.warning(shell.plain(f"{run.name}: {run.message}"))
    configs = (runs[0].config, runs[1].config) if runs else (pair.fails, pair.holds)
    for k, column in enumerate(st.columns(2, gap="large")):
        heading(column, configs, k)
        with column:
            if runs:
                message = live.run_message(runner, runs[k], live.SeriesCache(), "compact")
            else:
                message = live.idle_message(configs[k], load(configs[k].source), "", "compact")
            live.monitor(message, key=f"twin_{k}")
    st.caption(
        "Modes are counted as in PacGAN (Lin et al. 2018): 2,500 samples, a mode counts with at least one sample within "
        "3 sigma of its centre."
    )
