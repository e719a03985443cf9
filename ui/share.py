"""A set-up in the address: links that are opened, the address that follows what is on the screen, and what is handed on."""

from __future__ import annotations

from urllib.parse import urlencode

import streamlit as st

from gan_core import ConfigError, GANConfig, PlaygroundError, RunStore
from gan_core.config import METAS
from gan_core.link import from_query, is_whole, to_query
from gan_core.script import notebook, script
from gan_core.store import Run
from ui import recipe, shell

LONG = 300  # characters of a link from which on it gets a box of its own to scroll in


def arrive() -> None:
    """Put the set-up of the link that this tab was opened with into the form, once. Before the form is drawn."""
    link = st.session_state.get("arrived")
    if not link:
        return
    st.session_state["arrived"] = {}
    config, st.session_state["left_out"] = from_query(link)
    if METAS.keys() & link.keys():
        recipe.load(config)


def follow(run: Run | None) -> None:
    """Have the address name what is on the screen: a run, else the set-up in the form. Then a refresh shows the same."""
    chosen = st.session_state.get("focus", st.query_params.get("run"))
    address = {"run": chosen} if chosen else {}
    if run is None:
        if chosen:
            st.session_state["focus"] = chosen  # a fresh start, which the set-up takes the place of in the address
        try:
            config = recipe.config()
        except ConfigError:  # the form is halfway from one set-up to another
            return
        # with nothing named, a refresh would show what a new tab begins with
        address = (to_query(config) or {"dataset": config.dataset}) if is_whole(config) else address
    st.session_state["address"] = address
    if st.query_params.to_dict() != address:
        st.query_params.from_dict(address)


def left_out(run: Run | None) -> None:
    """What could not be used of the link, in one quiet line, as long as its set-up waits in the form."""
    if run is not None or not st.session_state.get("left_out"):
        st.session_state.pop("left_out", None)
        return
    st.caption(f":material/link_off: Not all of the link was used. {shell.plain(' '.join(st.session_state['left_out']))}")


def popover(store: RunStore, run: Run | None) -> None:
    """The set-up as a link, as code and as a file."""
    box = st.popover(
        "Share",
        icon=":material/share:",
        key="share",
        on_change="rerun",  # so that nothing of it is made before it is opened
    )
    if not box.open:
        return
    with box:
        try:
            config = run.config if run else recipe.config()
        except ConfigError as error:
            st.caption(shell.plain(str(error)))
            return
        _link(store, run, config)
        _files(config)


def _link(store: RunStore, run: Run | None, config: GANConfig) -> None:
    if not is_whole(config):
        st.caption("A link cannot carry images of your own, so there is none to this set-up.")
        return
    full = st.toggle(
        "Full form",
        key="share_full",
        help="Names the settings that are at their defaults too. Such a link stays the same when a later version has others.",
    )
    query = {"dataset": config.dataset} | to_query(config, short=not full)  # without any setting it would name no set-up
    address = f"{(st.context.url or '').rstrip('/')}/?{urlencode(query)}"
    st.code(address, language=None, wrap_lines=True, height=160 if len(address) > LONG else None)
    if run and (run.parent or any(event["kind"] == "set" for event in store.events(run.id))):
        st.caption("This run was forked or changed on its way. The link begins with the settings that it has now.")
    else:
        st.caption("It opens this set-up, ready to start, and gives the same curve on a machine like this one.")


def _files(config: GANConfig) -> None:
    name = f"gan_{config.dataset}"
    try:
        files = [
            ("Python script", f"{name}.py", script(config), "text/x-python"),
            ("Notebook", f"{name}.ipynb", notebook(config), "application/x-ipynb+json"),
        ]
    except PlaygroundError as error:
        st.caption(shell.plain(str(error)))
        files = []
    files.append(("Config (JSON)", f"{name}.json", config.model_dump_json(indent=2), "application/json"))
    with st.container(horizontal=True):
        for label, file, text, mime in files:
            st.download_button(label, text, file, mime, key=f"share_{label}", on_click="ignore")
