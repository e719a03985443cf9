"""Runs as files: bundles and reports to take away, and bundles that are handed in."""

from __future__ import annotations

import io
from collections.abc import Mapping
from html import escape
from urllib.parse import urlencode

import streamlit as st

from gan_core import PlaygroundError, RunStore, bundle, report
from gan_core.listing import pick
from gan_core.shelf import Line
from ui import listed, shelf, shell
from ui.latent.choice import read

LIMIT_MB = 1024  # of a bundle that is handed in


def bundled(store: RunStore, run: str) -> bytes:
    """A run as the bytes of a bundle.

    Raises:
        RunError: see `bundle.export`.
    """
    file = io.BytesIO()
    bundle.write(store, run, file)
    return file.getvalue()


def save(chosen: list[Line]) -> None:
    """A popover with what can be saved of the chosen runs: links, which outlast the list's coming anew every moment."""
    ids = [run.id for run in chosen]
    fits = 1 <= len(ids) <= report.RUNS and all(run.kind == "run" for run in chosen)
    with st.popover("Save", icon=":material/download:", disabled=not fits), st.container(width=340):
        query = urlencode([("run", run) for run in ids])
        if len(ids) == 1:
            _link(f"bundle/{ids[0]}", "Bundle")
            st.caption(
                "The run in one file, with settings, curves, pictures and checkpoints, to import and resume elsewhere. It "
                "holds the 64 real samples that stand beside the generated ones."
            )
        _link(f"report?{query}", "Report")
        st.caption(f"A page that opens without a network: curves, samples, settings, verdict. For up to {report.RUNS} runs.")


def list_link(query: str) -> None:
    """A link to the list as a CSV file, as it is filtered and sorted."""
    _link(f"runs.csv?{query}", "CSV")


def list_csv(store: RunStore, query: Mapping[str, str]) -> str:
    """The list that a query asks for, whole, as CSV."""
    values, _ = read(query, shelf.FIELDS)
    return listed.table_csv(pick(store.lines(values["trash"]), shelf.wanted(values)))


def _link(address: str, name: str) -> None:
    st.html(f'<a class="file" href="{escape(address)}" download>{name}</a>', width="content")


def take_in(store: RunStore) -> None:
    """A popover to hand a bundle in."""
    with st.popover("Import", icon=":material/upload:"):
        if problem := st.session_state.get("import_problem"):
            st.error(shell.plain(problem))
        key = f"bundle_{st.session_state.get('bundles', 0)}"
        st.file_uploader(
            "A bundle of a run",
            key=key,
            max_upload_size=LIMIT_MB,
            on_change=_handed_in,
            args=(store, key),
            help="A file that Save made here or elsewhere. It is checked before anything of it is kept; no code in it is run.",
        )


def _handed_in(store: RunStore, key: str) -> None:
    file = st.session_state.get(key)
    if file is None:
        return
    st.session_state["bundles"] = st.session_state.get("bundles", 0) + 1  # a new, empty place: the file is read
    try:
        run = bundle.import_(store, file)
    except PlaygroundError as error:
        st.session_state["import_problem"] = f"{file.name}: {error}"
        return
    st.session_state.pop("import_problem", None)
    shell.set_focus(run)
    st.toast(f"Imported as {store.get(run).name}.")
