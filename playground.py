"""The Playground: a GAN is set up, trained and watched."""

import streamlit as st

from gan_core import PRESETS, PlaygroundError
from gan_core.cures import CURES
from gan_core.data import is_here, load
from gan_core.presets import Preset, preset_of
from gan_core.store import RESUMABLE, Run
from gan_core.trace import TOLD
from ui import drawing, film, live, measures, pace, recipe, share, shell, story, verdict
from ui.choice import OWN

CARDS = 4  # in a row
IDLE_SECONDS = 3.0  # until a tab without a live run notices that one has begun

runner = shell.open_page("Playground")
store = runner.store


def start(paused: bool = False, part: str | None = None) -> None:
    """Start a run of the draft and make it the one in focus; `paused`, it takes one step, or one of a `part` alone."""
    with shell.attempt():
        focus = shell.focus_run(store)
        if focus and focus.is_live:
            return  # Start was pressed twice
        drawing.take()  # a last stroke that came together with the press
        config = recipe.config()
        name = st.session_state.get("run_name", "").strip() or getattr(preset_of(config), "title", "")
        run = runner.start(config, name, paused=paused, **pace.wishes())
        if paused:
            runner.send(run, "step", part)
        shell.set_focus(run)


def act(run: str, kind: str, value: str | None = None) -> None:
    """Give a run a command, and wait a moment for it to be obeyed."""
    with shell.attempt():
        before = store.get(run).status
        if kind == "resume":
            runner.resume(run, recipe.touched())
        else:
            runner.send(run, kind, value)
        if kind != "step":
            runner.await_change(run, before)


def take_advice() -> None:
    """A button beside the verdict: make the change, or go to the lab to see whether it helps."""
    event = getattr(st.session_state.get("monitor"), "cure", None)
    run = shell.focus_run(store)
    if not event or run is None or event.get("cure") not in CURES:
        return
    with shell.attempt():
        shell.set_focus(run.id)  # the run that the advice is about, whatever begins next
        if event["what"] == "prove":
            st.session_state.update(goto="pages/collapse.py", lab_view="seeds", lab_wanted=f"{OWN}/{event['cure']}")
        else:
            shell.set_focus(verdict.apply(runner, run, event["cure"]))
            st.toast(f"{CURES[event['cure']].title}: {'changed' if shell.focused() == run.id else 'a new run'}.")


def fork() -> None:
    """A new run that goes on from a kept step of the one in focus, and waits for changes."""
    step = getattr(st.session_state.get("monitor"), "fork", None)
    run = shell.focus_run(store)
    if run is None or not isinstance(step, int):
        return
    with shell.attempt():
        if run.is_live:
            runner.send(run.id, "pause")  # so that the new one gets its turn
        whose = film.kept_along(store, run).get(step, run.id)  # before it was forked itself, its parent's
        shell.set_focus(runner.fork(whose, step, name=f"{run.name}, from {step:,}" if whose == run.id else ""))
        st.toast("Forked. Change what you like, then press Resume.")


def slow() -> None:
    """A step of the run in focus in slow motion; one that trains pauses for it."""
    run = shell.focus_run(store)
    if run is None or not getattr(st.session_state.get("monitor"), "slow", None):
        return
    with shell.attempt():
        if run.status in ("running", "queued"):
            runner.send(run.id, "pause")
        runner.send(run.id, "step", TOLD)


def use_preset(preset: Preset) -> None:
    """A preset into the form, and a fresh start."""
    recipe.load(preset.config)
    shell.set_focus(None)


def transport(run: Run | None, problem: str) -> None:
    """Start or pause or resume, step, pace, stop, reset."""
    status = run.status if run and not (run.status == "failed" and not run.step) else "none"
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        if status in ("running", "queued"):
            st.button(
                "Pause",
                icon=":material/pause:",
                type="primary",
                key="main",
                width=120,
                on_click=act,
                args=(run.id, "pause"),
                help="Key: space.",
            )
        elif status == "paused" or status in RESUMABLE:
            st.button(
                "Resume",
                icon=":material/play_arrow:",
                type="primary",
                key="main",
                width=120,
                on_click=act,
                args=(run.id, "resume"),
                help=("Goes on from the last checkpoint, with what you have changed in the form. " if status in RESUMABLE else "")
                + "Key: space.",
            )
        else:
            st.button(
                "Start",
                icon=":material/play_arrow:",
                type="primary",
                key="main",
                width=120,
                on_click=start,
                disabled=bool(problem),
                help="Trains a new run with the settings on the left. Key: space.",
            )
        st.button(
            "Step",
            icon=":material/skip_next:",
            key="step",
            disabled=bool(problem) or status not in ("none", "paused"),
            on_click=(lambda: start(paused=True)) if status == "none" else (lambda: act(run.id, "step")),
            help="One generator step, with the discriminator steps that belong to it. Key: s.",
        )
        pace.controls(
            runner,
            run,
            status,
            (lambda part: start(True, part)) if status == "none" else (lambda part: act(run.id, "step", part)),
        )
        st.button(
            "Stop",
            icon=":material/stop:",
            key="stop",
            disabled=not (run and run.is_live),
            on_click=act,
            args=(run.id if run else "", "stop"),
            help="Ends the run with a last checkpoint. It can be resumed.",
        )
        st.button(
            "Reset",
            icon=":material/restart_alt:",
            key="reset",
            disabled=run is None or run.is_live,
            on_click=shell.set_focus,
            args=(None,),
            help="A fresh start with these settings. The run is kept.",
        )
        if run:
            st.markdown(f"**{shell.plain(run.name)}**", width="content")
        else:
            st.text_input(
                "Name of the run",
                key="run_name",
                placeholder="Name of the run (optional)",
                label_visibility="collapsed",
                width=240,
                max_chars=80,
            )
        st.space("stretch")
        share.popover(store, run)


@st.fragment(run_every=IDLE_SECONDS)
def watch(run_id: str | None, shown: str) -> None:
    """While nothing in this tab is live: run the page again when something has begun, here or elsewhere."""
    with shell.guarded():
        run = shell.focus_run(store)
        if (run.id if run else None) != run_id or (run and run.status != shown):
            st.rerun()


def idle() -> bytes:
    """The draft's real data on the stage."""
    try:
        config = recipe.config()
    except PlaygroundError as error:
        return live.idle_message(PRESETS["ring"].config, None, str(error))
    if not is_here(config.source):
        return live.idle_message(config, None, f"{config.dataset} is not on this machine yet. Start downloads it.")
    try:
        return live.idle_message(config, load(config.source), "")
    except PlaygroundError as error:
        return live.idle_message(config, None, str(error))


def preset_cards(locked: bool) -> None:
    """What one can start with: recipes that hold, and below them those that are there to be seen failing."""
    there = {name: p for name, p in PRESETS.items() if is_here(p.config.source)}
    for title, fails in (("Start from a preset", False), ("Or watch one fail", True)):
        names = [name for name, p in there.items() if p.fails == fails]
        if names:
            st.markdown(f"**{title}**")
        for first in range(0, len(names), CARDS):
            for column, name in zip(st.columns(CARDS), names[first : first + CARDS], strict=False):
                with column:
                    _card(name, there[name], locked)


def _card(name: str, preset: Preset, locked: bool) -> None:
    with st.container(border=True, height="stretch"):
        st.markdown(f"**{preset.title}**")
        st.caption(preset.text)
        st.button(
            "Choose",
            key=f"preset_{name}",
            on_click=use_preset,
            args=(preset,),
            disabled=locked,
            width="stretch",
            help="Stop the run first." if locked else None,
        )


with shell.guarded():
    share.arrive()
    run = shell.focus_run(store)
    if run:
        run = live.as_it_is(run, runner.problem(run.id))
    if run and st.session_state.get("drafted") != (run.id, run.config):
        recipe.load(run.config)  # the form shows what is on the stage, also when another tab has changed it
        st.session_state["drafted"] = run.id, run.config
    if run is None:
        st.session_state.pop("drafted", None)
    problem = recipe.problem()
    share.follow(run)
    transport(run, problem)
    share.left_out(run)
    notice = shell.notice() or pace.trouble(run)
    left, right = st.container(key="workbench").columns([1, 3], gap="medium")
    with left, st.container(height=600, border=True, key="recipe"):
        recipe.form(runner, run)
    paints = drawing.is_open(recipe.draft(), run) and not recipe.is_locked(run)
    with right:
        if problem and not drawing.awaited(recipe.draft(), run):
            st.error(shell.plain(problem))
        if notice:
            (st.error if run and run.status == "failed" else st.warning)(notice)
        if paints:
            drawing.board(recipe.draft())
            if not problem:
                story.below_the_board(recipe.config())
        else:
            message = live.run_message(runner, run) if run else idle()
            live.monitor(message, key="monitor", on_cure=take_advice, on_fork=fork, on_slow=slow)
        if not (run and run.is_live):
            watch(run.id if run else None, run.status if run else "none")
    if run and run.metrics:
        measures.show(runner, run)
    preset_cards(bool(run and run.is_live))
