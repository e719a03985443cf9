"""What is said about runs, and what is done with those that nobody needs: names, notes, tags, stars, and the trash."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import streamlit as st

from gan_core import RunStore
from gan_core.shelf import NOTE, RUN_NAME, TAG, TAGS, Line
from ui import shell

UNDO_SECONDS = 300.0  # in which what was deleted last is offered to be taken back


def edit(store: RunStore, chosen: Sequence[Line], known: Sequence[str]) -> None:
    """A popover with what is said about the chosen run; of several, a tag can be added to all.

    Args:
        known: tags that other runs have, offered.
    """
    with st.popover("Edit", icon=":material/edit:", disabled=not chosen, key="edit"), st.container(width=340):
        if len(chosen) == 1:
            _edit_one(store, chosen[0], known)
        elif chosen:
            key = "tag_all_" + str(st.session_state.get("tagged", 0))
            st.text_input(
                f"Tag to add to these {len(chosen)} runs",
                max_chars=TAG,
                key=key,
                on_change=_tag_all,
                args=(store, [line.id for line in chosen], key),
            )
            _problem(key)


def _edit_one(store: RunStore, line: Line, known: Sequence[str]) -> None:
    def bound(what: str) -> dict:
        key = f"said_{what}_{line.id}"
        return {"key": key, "on_change": _say, "args": (store, line.id, what, key)}

    st.text_input("Name", line.name, max_chars=RUN_NAME, **bound("name"))
    _problem(f"said_name_{line.id}")
    st.multiselect(
        "Tags",
        sorted({*known, *line.tags}, key=str.casefold),
        line.tags,
        accept_new_options=True,
        max_selections=TAGS,
        placeholder="Choose or type",
        **bound("tags"),
    )
    _problem(f"said_tags_{line.id}")
    st.text_area("Note", line.note, max_chars=NOTE, height=120, **bound("note"))
    _problem(f"said_note_{line.id}")


def _say(store: RunStore, run: str, what: str, key: str) -> None:
    """Keep what a field says. What cannot be kept stays in the field, to be mended, with a sentence below."""
    value = st.session_state.get(key)
    if value is None:
        return
    st.session_state.pop("runs_said", None)
    with shell.attempt():
        store.describe(run, **{what: value})
    _hold_problem(key)


def _hold_problem(key: str) -> None:
    """What has just gone wrong is about this field."""
    st.session_state["said_problem"] = key, st.session_state.pop("notice", "")


def _problem(key: str) -> None:
    """What is wrong with what a field says."""
    field, problem = st.session_state.get("said_problem", ("", ""))
    if problem and field == key:
        st.caption(f":material/error: {shell.plain(problem)}")


def _tag_all(store: RunStore, ids: Sequence[str], key: str) -> None:
    tag = st.session_state.get(key) or ""
    if not tag.strip():
        return
    st.session_state.pop("runs_said", None)
    with shell.attempt():
        for run in ids:
            store.describe(run, tags=[*store.get(run).tags, tag])
    _hold_problem(key)
    if not st.session_state["said_problem"][1]:
        st.session_state["tagged"] = st.session_state.get("tagged", 0) + 1  # a new, empty field


def star(store: RunStore, chosen: Sequence[Line]) -> None:
    """A button that gives all chosen runs a star, or takes it away where all have one."""
    off = bool(chosen) and all(line.starred for line in chosen)

    def act() -> None:
        st.session_state.pop("runs_said", None)
        with shell.attempt():
            for line in chosen:
                store.describe(line.id, starred=not off)

    st.button(
        "Unstar" if off else "Star",
        icon=":material/star:",
        disabled=not chosen,
        on_click=act,
        key="star",
    )


def undo(trashed: Sequence[Line], act: Callable[..., None]) -> bool:
    """The offer to take back what was deleted last, for some minutes; whether it stands there. It is read from the store, so a
    refresh keeps it."""
    last = max((line.trashed for line in trashed), default=0.0)
    if time.time() - last > UNDO_SECONDS:
        return False
    gone = [line for line in trashed if line.trashed == last]
    st.button(
        "Undo delete",
        icon=":material/undo:",
        key="undo",
        on_click=act,
        args=([line.id for line in gone], "restore"),
        help=f"Takes {told(gone)} out of the trash again.",
    )
    return True


def told(lines: Sequence[Line]) -> str:
    """Which runs, in words for Markdown."""
    return f"{len(lines)} runs" if len(lines) != 1 else f"“{shell.plain(lines[0].name)}”"


def sure(kind: str, label: str, question: str, ids: list[str], act: Callable[..., None], disabled: bool) -> None:
    """A button for what cannot be undone: it asks first."""
    if not disabled and st.session_state.get("sure") == (kind, ids):
        st.markdown(question, width="content")
        st.button("Delete", icon=":material/delete_forever:", key=f"{kind}_yes", on_click=act, args=(ids, "delete"))
        st.button("Keep", key=f"{kind}_no", on_click=lambda: st.session_state.pop("sure", None))
    else:
        st.button(
            label,
            icon=":material/delete_forever:",
            disabled=disabled,
            key=kind,
            on_click=lambda: st.session_state.update(sure=(kind, ids)),
        )
