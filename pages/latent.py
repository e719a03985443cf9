"""Latent space: what a generator makes of its noise, and what lies between."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from gan_core import DATASETS, PlaygroundError
from gan_core.store import Run
from ui import components, shell
from ui.latent import picker
from ui.latent.choice import LAST, Form, arrive, write
from ui.latent.tool import Ask, Tool
from ui.latent.tools import FIELDS, TOOLS, ask_of, message
from ui.text import told_apart, whole

REFRESH = 0.4  # seconds between two looks at an answer that is being made

runner = shell.open_page("Latent space")
store = runner.store
SEEN = {name for tool in TOOLS.values() for name in tool.seen}
_VIEWS = {view: components.mount(view) for view in dict.fromkeys(tool.view for tool in TOOLS.values())}


def choose_run(runs: dict[str, Run], first: str, values: dict) -> str:
    told = told_apart(runs.values())

    def take() -> None:
        shell.set_focus(st.session_state[f"latent_run_{first}"])
        values["step"] = LAST

    return st.selectbox(
        "Run",
        list(runs),
        list(runs).index(first),
        format_func=told.get,
        key=f"latent_run_{first}",
        on_change=take,
    )


def hold_step(run: Run, values: dict, steps: list[int]) -> None:
    """While a run trains, its step of this moment is looked at until another one is wanted: what is on the screen stays what
    the address names. A step that was thinned out since is said."""
    if values["step"] == LAST:
        if run.is_live:
            values["step"] = steps[-1]
    elif values["step"] not in steps:
        nearest = min(steps, key=lambda s: abs(s - values["step"]))
        st.session_state["notice"] = f"Step {whole(values['step'])} is not kept; this is step {whole(nearest)}."
        values["step"] = nearest


def choose_step(run: Run, values: dict, steps: list[int]) -> None:
    """One of the kept steps; of a run that has ended the last one unless another is chosen."""
    if len(steps) < 2:
        return
    at = steps[-1] if values["step"] == LAST else values["step"]
    key = f"latent_step_{len(steps)}_{steps[-1]}"  # the kept steps change while the run trains

    def take() -> None:
        chosen = st.session_state[key]
        values["step"] = LAST if chosen == steps[-1] and not run.is_live else chosen

    st.select_slider(
        "Step of the run",
        steps,
        at,
        format_func=whole,
        key=key,
        on_change=take,
        help="Checkpoints that were kept along the run. Earlier ones show what it knew then.",
    )
    if run.is_live:
        st.button(
            f"Go to step {whole(steps[-1])}" if at != steps[-1] else "This is the newest step",
            icon=":material/update:",
            key="latent_newest",
            disabled=at == steps[-1],
            on_click=lambda: values.update(step=LAST),
            help="The run goes on training; what you look at stays as it is until you want the newest step.",
        )


def choose_rest(form: Form, run: Run, ask: Ask) -> None:
    """Which generator of the run, in which space, of which class."""
    explorer, without = ask.explorer, TOOLS[ask.values["tool"]].without
    if len(run.configs) > 1:
        form.number("member", "Member", 0, len(run.configs) - 1, "GANs that were trained together are counted from 0.")
    if explorer.has_ema:
        words = {"ema": "Averaged (EMA)", "raw": "Raw"}
        form.segments("weights", "Weights", words, "The average over the last steps, which is smoother, or the latest ones.")
    if len(explorer.spaces) > 1:
        words = {"z": "Noise z", "w": "Style w"}
        if "space" not in without:
            form.segments("space", "Space", words, "Noise, or what the mapping network makes of it, where things lie straighter.")
        if "psi" not in without:
            form.slide("psi", "Truncation", 0.0, 1.5, 0.05, "Towards the mean style: fewer surprises, better images.")
    if explorer.classes and "label" not in without:
        highest = DATASETS[run.config.dataset].classes - 1
        form.number("label", "Class", 0, highest, "The noise moves, the class stays.")


def listeners(name: str, form: Form, ask: Ask) -> dict[str, Callable[[], None]]:
    """What the tool's view says is taken over before the page is drawn again."""
    view = f"{TOOLS[name].view}_view"

    def listener(event: str, take: Callable[[Form, Ask, Any], None]) -> Callable[[], None]:
        def heard() -> None:
            said = getattr(st.session_state.get(view), event, None)
            if said is None:
                return
            try:
                with shell.attempt():
                    take(form, ask, said)
            except ValueError as error:
                st.session_state["notice"] = str(error)

        return heard

    return {f"on_{event}_change": listener(event, take) for event, take in TOOLS[name].events.items()}


def follow(run: str, values: dict, tool: Tool) -> None:
    """Have the address name all that is on the screen. What a link says to the view stays until the view itself puts it there."""
    st.session_state["address"] = {"run": run}  # else the next script would begin with the Playground's
    now = st.query_params.to_dict()
    shown = {"run": run} | {name: text for name, text in write(values, FIELDS).items() if name not in SEEN}
    shown |= {name: now[name] for name in tool.seen if name in now}
    if now != shown:
        st.query_params.from_dict(shown)


def show(ask: Ask, tool: Tool, heard: dict, waits: bool) -> None:
    """The tool's view. Where the controls say that its answer is still being made, this part of the page runs again, and the
    whole page when it is done, be it by now."""

    def view() -> None:
        try:
            _VIEWS[tool.view](data=message(ask, ask.values["tool"]), key=f"{tool.view}_view", **heard)
        except PlaygroundError as error:
            st.error(shell.plain(str(error)))

    @st.fragment(run_every=REFRESH)
    def awaited() -> None:
        done = not tool.busy(ask)
        view()
        if done:
            st.rerun()

    if waits:
        awaited()
    else:
        view()  # what it says is heard by the whole page, so that the address follows


with shell.guarded():
    focus = shell.focus_run(store)
    wanted = store.runs(limit=200) + ([focus] if focus else [])  # the one in focus may be older
    runs = {run.id: run for run in wanted if store.checkpoint_steps(run.id)}
    if not runs:
        st.subheader("Nothing to explore yet")
        st.write("Here you walk through the noise space of a trained generator. Train one first; it takes a minute.")
        st.page_link("playground.py", label="Go to the Playground", icon=":material/play_circle:")
        st.stop()
    values = arrive(FIELDS)
    top = st.container()
    left, right = st.container(key="workbench").columns([1, 2.4], gap="large")
    with left, st.container(key="recipe"):
        run = runs[choose_run(runs, focus.id if focus and focus.id in runs else next(iter(runs)), values)]
        if focus and focus.id not in runs:
            st.caption(
                f":material/info: {shell.plain(focus.name)} has no checkpoint yet, so there is nothing to explore in it. This is "
                f"another run."
            )
        steps = store.checkpoint_steps(run.id)
        hold_step(run, values, steps)
        choose_step(run, values, steps)
        with st.spinner("Opening the checkpoint"):
            ask = ask_of(store, run, values)
        form = Form(values, FIELDS)
        fitting = {name: tool for name, tool in TOOLS.items() if not tool.lacks(ask.explorer)}
        if values["tool"] not in fitting:
            values["tool"] = next(iter(fitting))
        about = "  \n".join(f"{tool.title}: {tool.text}" for tool in fitting.values())
        with top:
            form.segments("tool", "Look at it as", {name: tool.title for name, tool in fitting.items()}, about)
        choose_rest(form, run, ask)
        tool = fitting[values["tool"]]
        waits = tool.controls(form, ask)
        picker.popover(form, ask)
        if left_out := st.session_state.get("latent_left_out"):
            st.caption(f":material/link_off: Not all of the link was used. {shell.plain(' '.join(left_out))}")
        if notice := shell.notice():
            st.warning(notice)
    with right:
        show(ask, tool, listeners(values["tool"], form, ask), bool(waits))
    follow(run.id, values, tool)
    form.told()
