"""How a run goes on: steps of one network alone, its speed, and when it pauses by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from gan_core import NETWORKS, GANConfig, PlaygroundError, Runner
from gan_core.members import PLAYERS
from gan_core.pace import LONGEST, MET, countable, in_words, noun
from gan_core.store import RESUMABLE, Run
from ui import recipe, shell

SPEEDS = {1.0: "1/s", 3.0: "3/s", 10.0: "10/s", 30.0: "30/s", 100.0: "100/s", 0.0: "Full"}
PAUSES = {"never": "Never", "step": "At a step", "modes": "When modes are covered", "seconds": "After seconds of training"}
ALONE = {  # by PLAYERS
    "discriminator": "One update of the discriminator; the generator stays as it is.",
    "generator": "One update of the generator; the discriminator stays as it is.",
}


def wishes() -> dict[str, Any]:
    """Speed and pause for a run that is about to start, as `Runner.start` takes them."""
    return {"pace": st.session_state.get("pace_wanted", 0.0), "until": st.session_state.pop("until_wanted", {})}


def trouble(run: Run | None) -> str:
    """Why a run does not go on; "" where it was asked to pause, which stands beside its progress."""
    held_up = run and run.status in ("failed", "paused", "interrupted") and not run.message.startswith(MET)
    return shell.plain(run.message) if held_up else ""


def controls(runner: Runner, run: Run | None, status: str, step_alone: Callable[[str], None]) -> None:
    """Buttons for a step of one network, and one that opens the speed and the pause.

    Args:
        run: the run in focus, None for a fresh start.
        status: its status; "none" where Start would make a new run.
        step_alone: takes one step of a network, named as in PLAYERS.
    """
    mine = run if run and (run.is_live or run.status in RESUMABLE) and status != "none" else None
    config = _config(mine)
    game = config is not None and NETWORKS[config.network].adversarial
    for part in PLAYERS:
        st.button(
            f"{part[0].upper()} step",
            key=f"step_{part}",
            disabled=not game or status not in ("none", "paused"),
            on_click=step_alone,
            args=(part,),
            help=ALONE[part],
        )
    with st.popover("Pace", icon=":material/speed:", key="pace_open", help="How fast it goes, and when it pauses by itself."):
        _speed(runner, mine)
        _pause(runner, mine, config)


def _speed(runner: Runner, run: Run | None) -> None:
    """What is closed is not there in the browser, and gets no values: so each pace of a run is a widget with a default."""
    chosen = run.pace if run else st.session_state.get("pace_wanted", 0.0)
    speeds = SPEEDS if chosen in SPEEDS else {chosen: f"{chosen:g}/s", **SPEEDS}  # another program may have chosen it
    key = f"pace_{run.id}_{run.pace:g}" if run else "pace_draft"
    st.segmented_control(
        "Steps a second",
        list(speeds),
        default=chosen,
        format_func=speeds.get,
        key=key,
        required=True,
        on_change=_send_speed,
        args=(runner, run, key),
    )


def _send_speed(runner: Runner, run: Run | None, key: str) -> None:
    speed = st.session_state[key]
    st.session_state["pace_wanted"] = speed
    if run:
        with shell.attempt():
            runner.send(run.id, "pace", speed)


def _pause(runner: Runner, run: Run | None, config: GANConfig | None) -> None:
    modes = _modes(config)
    kinds = [kind for kind in PAUSES if kind != "modes" or modes]
    classes = {"modes": "When classes are held"} if config and noun(config, 2).endswith("classes") else {}
    if st.session_state.get("until_kind") not in kinds:
        st.session_state["until_kind"] = "never"
    kind = st.selectbox("Pause by itself", kinds, format_func=lambda kind: (PAUSES | classes)[kind], key="until_kind")
    key = ""
    if kind != "never":
        at, most = (run.step, run.steps) if run else (0, config.steps if config else 1)
        label, high, value, step = {
            "step": ("Step", most, min(at + 1000, most), 100),
            "modes": ("Classes" if classes else "Modes", modes, modes, 1),
            "seconds": ("Seconds", LONGEST, 30, 10),
        }[kind]
        key = f"until_{kind}_{high}_{run.id if run else ''}"
        first = st.session_state.setdefault(f"first_{key}", value)  # the run goes on, what stands in the field stays
        st.number_input(label, 1, high, min(first, high), step=step, key=key)
    wanted = run.until if run else st.session_state.get("until_wanted", {})
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Apply", key="until_apply", on_click=_send_until, args=(runner, run, config, key), disabled=config is None)
        if config and not (run and run.is_live) and (words := in_words(wanted, config)):  # beside a live run's progress it stands
            st.caption(f"Pauses {words}.")


def _send_until(runner: Runner, run: Run | None, config: GANConfig, key: str) -> None:
    until = {st.session_state["until_kind"]: st.session_state[key]} if key else {}
    with shell.attempt():
        if run:
            runner.send(run.id, "until", until)
        else:
            st.session_state["until_wanted"] = until
        st.toast(f"Pauses {in_words(until, config)}." if until else "Does not pause by itself.")


def _modes(config: GANConfig | None) -> int:
    """How many modes or classes can be awaited; 0 also where the data cannot be read, as the page says."""
    try:
        return countable(config) if config else 0
    except PlaygroundError:
        return 0


def _config(run: Run | None) -> GANConfig | None:
    """The run's config, or the draft's; None where the draft does not hold together, as the page says."""
    try:
        return run.config if run else recipe.config()
    except PlaygroundError:
        return None
