"""The shell around every page: title, sidebar, the engine of this process, and the run in focus."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import streamlit as st

from gan_core import PlaygroundError, Runner, RunStore
from gan_core.config import METAS
from gan_core.store import LIVE, Run, runs_folder
from ui import aside, signing
from ui import engine as process

PAGES = {  # file -> (name, icon)
    "playground.py": ("Playground", ":material/play_circle:"),
    "pages/collapse.py": ("Mode collapse", ":material/compare:"),
    "pages/latent.py": ("Latent space", ":material/explore:"),
    "pages/compare.py": ("Compare", ":material/stacked_line_chart:"),
    "pages/runs.py": ("Runs", ":material/list:"),
}
ICON = Path(__file__).resolve().parent.parent / "static" / "icon.png"
NEW = "new"  # in the address: no run is in focus, on purpose

_CSS = """
<style>
  .block-container { padding: 1.8rem 2rem 2rem; max-width: 1700px; }
  .st-key-explained { gap: 0.3rem; }
  .st-key-explained p { line-height: 1.4; }
  [data-testid="stSidebar"] { min-width: 224px; max-width: 224px; }
  /* a live part that is being refreshed shall not fade */
  [data-stale="true"] { opacity: 1 !important; transition: none !important; }
  /* the dark theme's accent is light: dark letters on it */
  [data-testid="stBaseButton-primary"]:enabled { color: light-dark(#FFFFFF, #14161D); }
  [data-testid="stBaseButton-primary"]:enabled:is(:hover, :active, :focus) {
    background: light-dark(#3B33A6, #C4C0FF); color: light-dark(#FFFFFF, #14161D); }
  a.file { display: inline-block; padding: 8px 12px; border: 1px solid rgb(128 128 128 / 40%); border-radius: 6px;
    font-size: 0.875rem; color: inherit !important; text-decoration: none; }
  a.file:is(:hover, :focus-visible) { border-color: currentColor; }
  @media (max-width: 640px) {
    .block-container { padding: 4.2rem 1rem 1rem; }
    /* the picture before the form */
    .st-key-workbench [data-testid="stHorizontalBlock"]:has(> [data-testid="stColumn"] .st-key-recipe) {
      flex-direction: column-reverse;
    }
  }
</style>
"""


# Streamlit makes an entry of the history for each change of the address, and a tab reads the address once only
_BACK = st.components.v2.component(
    "gan_playground_back",
    html="<span></span>",
    js="""export default function () {
      if (window.ganPlaygroundBack) return;
      window.ganPlaygroundBack = true;
      window.addEventListener("popstate", (event) => {
        if (location.hash) return;
        event.stopImmediatePropagation(); // Streamlit would run the page as it is, which would write its address over this one
        location.reload();
      }, true);
      let touched = false; // what nobody asked for makes no entry
      for (const kind of ["pointerdown", "keydown"]) window.addEventListener(kind, () => { touched = true; }, true);
      const push = history.pushState.bind(history);
      history.pushState = (state, title, url) => {
        const same = new URL(url, location.href).pathname === location.pathname;
        if (same && !touched) history.replaceState(state, title, url);
        else push(state, title, url);
        touched = false;
      };
    }""",
)


def engine() -> Runner:
    """The runner of this process. Where there can be none, the page says why and stops."""
    try:
        return process.runner()
    except PlaygroundError as error:
        st.error(plain(str(error)))
        st.stop()


@contextmanager
def guarded() -> Iterator[None]:
    """Show what the user can mend as a sentence where it happened."""
    try:
        yield
    except PlaygroundError as error:
        st.error(plain(str(error)))
    except (sqlite3.Error, OSError) as error:
        st.error(
            f"The folder of runs, {runs_folder()}, cannot be used ({error}). Free some space there or bring it back, "
            f"then reload the page."
        )


@contextmanager
def attempt() -> Iterator[None]:
    """For what a button does: what goes wrong is shown as a sentence when the page is drawn again."""
    try:
        yield
    except PlaygroundError as error:
        st.session_state["notice"] = str(error)
    except (sqlite3.Error, OSError) as error:
        st.session_state["notice"] = f"The folder of runs, {runs_folder()}, cannot be used ({error}). Free some space there."


def notice() -> str:
    """What the last button had to say, once."""
    return plain(st.session_state.pop("notice", ""))


def open_page(title: str) -> Runner:
    """Begin a page: page config, sidebar, engine."""
    st.set_page_config(page_title=f"{title} · GAN Playground", page_icon=str(ICON), layout="wide")
    st.html(_CSS)
    signing.ask()
    with st.sidebar:
        st.markdown("### GAN Playground")
        for file, (name, icon) in PAGES.items():
            st.page_link(file, label=name, icon=icon)
    if page := st.session_state.pop("goto", None):  # what a button asked for, which cannot go there itself
        st.switch_page(page)
    runner = engine()
    _arrive()
    if address := st.session_state.get("address"):
        set_address(address)  # a walk to another page drops it, and a refresh would forget what was in focus
    with guarded():
        runner.recover()
    with st.sidebar:
        with guarded():
            aside.show(runner.store, focus_run(runner.store))
        _BACK(key="back")
    return runner


def _arrive() -> None:
    """Keep what the link names beside a run and a view, when a tab opens its first page: later the address only follows what
    is on the screen, and may lag behind it. Settings in it mean a fresh start (see `ui.share`)."""
    if "arrived" in st.session_state:
        return
    link = st.session_state["arrived"] = {n: v for n, v in st.query_params.to_dict().items() if n not in ("run", "view")}
    if settings := {name: value for name, value in link.items() if name in METAS}:
        st.session_state.update(focus=NEW, address=settings)


def plain(text: str) -> str:
    """Text that Markdown shows as it is."""
    return "".join(f"\\{c}" if c in r"\`*_{}[]()#+-.!|<>~$:" else c for c in text)


def focus_run(store: RunStore) -> Run | None:
    """The run that pages are about: the one chosen in this tab, else in the address, else the newest live, else the newest."""
    chosen = st.session_state.get("focus", st.query_params.get("run"))
    if chosen == NEW:
        return None
    if chosen:
        run = store.present(chosen)
        if run is None:
            st.session_state["notice"] = _why_absent(store, chosen)
            set_focus(None)
            return None
        if run.kind == "run":
            return run
        set_focus(None)  # a map is shown in the lab
        return None
    runs = store.runs(LIVE, limit=1) or store.runs(limit=1)
    return runs[0] if runs else None


def _why_absent(store: RunStore, run: str) -> str:
    """Why a run that a tab or a link names cannot be shown."""
    if not store.holds(run):
        return f"There is no run {run[:40]} here; it may have been deleted."
    try:
        return f"{store.get(run).name} lies in the trash. The Runs page can bring it back."
    except PlaygroundError as error:  # settings that this version does not know
        return str(error)


def focused() -> str | None:
    """The run that was chosen in this tab."""
    return st.session_state.get("focus")


def set_focus(run: str | None) -> None:
    """Make a run the one that all pages of this tab are about; None: a fresh start."""
    st.session_state["focus"] = run or NEW
    set_address({"run": run or NEW})


def set_address(address: dict[str, str]) -> None:
    """Have the address name a run or a set-up, on every page of this tab. Other names in it are the page's own."""
    st.session_state["address"] = address
    now = st.query_params.to_dict()
    wanted = {name: value for name, value in now.items() if name != "run" and name not in METAS} | address
    if wanted != now:
        st.query_params.from_dict(wanted)
