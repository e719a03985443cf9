"""Runs: what was trained, and what can be done with it."""

from urllib.parse import urlencode

import streamlit as st

from gan_core.disk import Disk, advice, said, setting, size, usage
from gan_core.listing import pick
from gan_core.shelf import Line
from gan_core.store import RESUMABLE
from ui import listed, sharing, shelf, shell, tidying
from ui.latent.choice import write
from ui.text import whole

runner = shell.open_page("Runs")
store = runner.store
ON_PAGE = 50  # lines of the table
COMPARED = 8  # runs at most
COMPARE = "pages/compare.py"


def act(ids: list[str], kind: str) -> None:
    """Resume, stop, delete, restore, or delete for good; what cannot be done is said."""
    st.session_state.pop("runs_said", None)
    st.session_state.pop("sure", None)
    with shell.attempt():
        if kind in ("trash", "restore"):
            getattr(runner, kind)(ids)
            return
        for run in ids:
            if kind == "resume":
                runner.resume(run)
            elif kind == "stop":
                runner.send(run, "stop")
            else:
                runner.delete(run)


def compare(chosen: list[Line]) -> None:
    """A button that lays runs over each other, on the page that does that."""
    fits = 2 <= len(chosen) <= COMPARED and all(line.kind == "run" for line in chosen)
    help = f"Lays 2 to {COMPARED} runs over each other."
    if st.button("Compare", icon=":material/stacked_line_chart:", disabled=not fits, help=help):
        st.session_state["compare"] = [line.id for line in chosen]
        st.switch_page(COMPARE)


@st.fragment(run_every=2.0)
def listing() -> None:
    """The list, kept up to date."""
    with shell.guarded():
        values = shelf.arrive()
        in_trash, disk = values["trash"], usage(store)
        trashed = store.lines(trashed=True) if disk.trashed else []
        lines = trashed if in_trash else store.lines()
        if notice := shell.notice():
            st.session_state["runs_said"] = notice  # it stays until the next thing is done
        if notice := st.session_state.get("runs_said"):
            st.warning(notice)
        if not in_trash and disk.is_near:
            st.warning(shell.plain(f"{said(disk)} {advice(disk, lines)}"), icon=":material/hard_drive:")
        if not lines:
            empty(in_trash, trashed)
            return
        shelf.controls(lines)
        bar = st.container(horizontal=True, vertical_alignment="center", gap="xsmall")
        found = pick(lines, shelf.wanted(values))
        pages = max(1, -(-len(found) // ON_PAGE))
        values["page"] = min(values["page"], pages)
        shown = found[(values["page"] - 1) * ON_PAGE :][:ON_PAGE]
        chosen = listed.table(store, shown, values["sort"], shelf.sort) if shown else []
        with bar:
            if in_trash:
                trash_actions(chosen, lines)
            else:
                actions(chosen, lines, trashed)
        if not shown:
            st.markdown("No run fits this search.")
            st.button("Clear the search", icon=":material/close:", on_click=shelf.clear)
        foot(values, len(lines), len(found), pages, disk)
        shelf.follow(values)


def empty(in_trash: bool, trashed: list[Line]) -> None:
    """What stands here while there is nothing to list."""
    if in_trash:
        st.subheader("The trash is empty")
        st.write(f"What is deleted waits here for {setting('GAN_PLAYGROUND_TRASH_DAYS'):g} days, and can be restored.")
        return
    tidying.undo(trashed, act)
    st.subheader("No runs yet")
    st.write("Every run is kept here with its curves, its pictures and its checkpoints.")
    st.page_link("playground.py", label="Train the first one", icon=":material/play_circle:")


def actions(chosen: list[Line], lines: list[Line], trashed: list[Line]) -> None:
    """What can be done with the chosen runs."""
    ids = [line.id for line in chosen]
    if st.button(
        "Open",
        icon=":material/open_in_new:",
        type="primary",
        disabled=len(chosen) != 1,
        help="Shows the run in the Playground, or the map in the lab.",
    ):
        if chosen[0].kind == "map":
            st.session_state.update(map_run=ids[0], map_kind="shown", lab_view="map")
            st.switch_page("pages/collapse.py")
        shell.set_focus(ids[0])
        st.switch_page("playground.py")
    compare(chosen)
    st.button(
        "Resume",
        icon=":material/play_arrow:",
        disabled=not chosen or any(line.status not in ("paused", *RESUMABLE) for line in chosen),
        on_click=act,
        args=(ids, "resume"),
        help="Goes on from the last checkpoint.",
    )
    st.button(
        "Stop",
        icon=":material/stop:",
        disabled=not chosen or not all(line.is_live for line in chosen),
        on_click=act,
        args=(ids, "stop"),
    )
    tidying.star(store, chosen)
    tidying.edit(store, chosen, sorted({tag for line in lines for tag in line.tags}))
    st.button(
        "Delete",
        icon=":material/delete:",
        disabled=not chosen or any(line.is_live for line in chosen),
        key="delete",
        on_click=act,
        args=(ids, "trash"),
        help="Into the trash, from where it can be restored.",
    )
    sharing.save(chosen)
    if not tidying.undo(trashed, act) and not chosen:
        st.caption("A click chooses a run.", width="content")


def trash_actions(chosen: list[Line], lines: list[Line]) -> None:
    """What can be done with what lies in the trash."""
    ids, all_ids = [line.id for line in chosen], [line.id for line in lines]
    st.button(
        "Restore",
        icon=":material/restore_from_trash:",
        type="primary",
        disabled=not chosen,
        on_click=act,
        args=(ids, "restore"),
    )
    tidying.sure("for_good", "Delete for good …", f"Delete {tidying.told(chosen)} for good?", ids, act, not chosen)
    every = f"Delete all {len(lines)} for good?" if len(lines) > 1 else "Delete it for good?"
    tidying.sure("empty", "Empty the trash …", every, all_ids, act, not lines)


def foot(values: dict, total: int, fitting: int, pages: int, disk: Disk) -> None:
    """How many there are, pages, room, and the list as a file."""
    page = values["page"]
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if pages > 1:
            st.button("Earlier page", icon=":material/chevron_left:", disabled=page == 1, on_click=shelf.turn, args=(page - 1,))
            st.button("Next page", icon=":material/chevron_right:", disabled=page == pages, on_click=shelf.turn, args=(page + 1,))
        first = (page - 1) * ON_PAGE + 1
        part = f"{whole(first)} to {whole(min(fitting, page * ON_PAGE))} of " if pages > 1 else ""
        among = f", of {whole(total)} in all" if fitting < total else ""
        noun = "run" if fitting == 1 else "runs"
        room = f"{size(disk.used)} of {size(disk.cap)} used"
        trash = f" · {disk.trashed} in the trash ({size(disk.trash)})" if disk.trashed else ""
        if values["trash"]:
            trash += f", each for {setting('GAN_PLAYGROUND_TRASH_DAYS'):g} days"
        st.caption(f"{part}{whole(fitting)} {noun}{among} · {room}{trash}", width="content")
        st.space("stretch")
        sharing.list_link(urlencode(write(values, shelf.FIELDS)))


with st.container(horizontal=True, vertical_alignment="center"):
    shelf.view()
    st.space("stretch")
    sharing.take_in(store)
listing()
