"""Runs: what was trained, and what can be done with it."""

import base64

import streamlit as st

from gan_core import METRICS, NETWORKS
from gan_core.metrics import SCORES
from gan_core.store import RESUMABLE, Run
from ui import readings, sharing, shell
from ui.palette import STATUS
from ui.pictures import thumbnail
from ui.text import ago, duration, whole

runner = shell.open_page("Runs")
store = runner.store
SHORT = {"held": "modes held", "sliced_wasserstein": "distance", "bits_per_dim": "bits per pixel"}
PICTURES = 60  # of the newest runs
WIDTHS = {
    "Name": 150,
    "Status": 78,
    "Data": 75,
    "Recipe": 135,
    "Step": 58,
    "Measured": 115,
    "Trained": 65,
    "Begun": 72,
    "Disk": 62,
}  # in pixels


@st.cache_data(max_entries=512, show_spinner=False)
def picture(run: str, step: int, folder: str) -> str:
    """A run's latest picture as a data address."""
    frame = store.frame(run)
    return f"data:image/png;base64,{base64.b64encode(thumbnail(frame)).decode()}" if frame else ""


def row(run: Run, pictured: bool) -> dict:
    """A run as a line of the table."""
    titles = {name: entry.title for name, entry in {**SCORES, **METRICS}.items()}
    name = next((name for name in ("held", *run.metrics) if name in run.metrics), None)
    shown = f"{readings.shown(name, run.metrics[name][0])} {SHORT.get(name, titles[name].lower())}" if name else ""
    members = f", {len(run.configs)} members" if len(run.configs) > 1 else ""
    config = run.config
    parts = [config.network] if not NETWORKS[config.network].adversarial else [config.network, config.loss]
    penalty = f" + {config.penalty}" if config.penalty != "none" else ""
    return {
        "": picture(run.id, run.step, str(store.folder)) if pictured else "",
        "Name": run.name,
        "Status": STATUS[run.status][0],
        "Data": config.dataset,
        "Recipe": "map" if run.kind == "map" else ", ".join(parts) + penalty + members,
        "Step": whole(run.step),
        "Progress": run.step / run.steps,
        "Measured": shown,
        "Trained": duration(run.seconds),
        "Begun": ago(run.created),
        "Disk": f"{store.disk_bytes(run.id) / 1e6:.1f} MB",
    }


def act(ids: list[str], kind: str) -> None:
    """Resume, stop or delete; what cannot be done is said."""
    with shell.attempt():
        for run in ids:
            if kind == "resume":
                runner.resume(run)
            elif kind == "stop":
                runner.send(run, "stop")
            else:
                runner.delete(run)
    st.session_state.pop("deleting", None)


@st.fragment(run_every=2.0)
def table() -> None:
    """The list, kept up to date. A change of the list drops the selection, so that it never slides to another run."""
    with shell.guarded():
        runs = store.runs(limit=1000, kind=None)
        if not runs:
            st.subheader("No runs yet")
            st.write("Every run is kept here with its curves, its pictures and its checkpoints.")
            st.page_link("playground.py", label="Train the first one", icon=":material/play_circle:")
            return
        bar = st.container(horizontal=True, vertical_alignment="center")
        st.session_state.setdefault("list_version", 0)
        ids = [run.id for run in runs]
        if st.session_state.get("listed") != ids:
            st.session_state["listed"] = ids
            st.session_state["list_version"] += 1
        event = st.dataframe(
            [row(run, k < PICTURES) for k, run in enumerate(runs)],
            hide_index=True,
            on_select="rerun",
            selection_mode="multi-row",
            key=f"table_{st.session_state['list_version']}",
            height=min(660, 38 + 44 * len(runs)),
            row_height=44,
            column_config={
                "": st.column_config.ImageColumn(width=48),
                "Progress": st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1, width=85),
                **{name: st.column_config.TextColumn(width=width) for name, width in WIDTHS.items()},
            },
        )
        chosen = [runs[k] for k in event.selection.rows if k < len(runs)]
        with bar:
            actions(chosen)


def actions(chosen: list[Run]) -> None:
    """What can be done with the chosen runs."""
    ids = [run.id for run in chosen]
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
    st.button(
        "Resume",
        icon=":material/play_arrow:",
        disabled=not chosen or any(r.status not in ("paused", *RESUMABLE) for r in chosen),
        on_click=act,
        args=(ids, "resume"),
        help="Goes on from the last checkpoint.",
    )
    st.button(
        "Stop",
        icon=":material/stop:",
        disabled=not chosen or not all(r.is_live for r in chosen),
        on_click=act,
        args=(ids, "stop"),
    )
    if st.session_state.get("deleting") and st.session_state["deleting"] == ids:
        what = f"{len(ids)} runs" if len(ids) > 1 else f"**{shell.plain(chosen[0].name)}**, begun {ago(chosen[0].created)},"
        st.markdown(f"Delete {what} for good?", width="content")
        st.button("Delete", icon=":material/delete_forever:", key="really", on_click=act, args=(ids, "delete"))
        st.button("Keep", key="keep", on_click=lambda: st.session_state.pop("deleting", None))
    else:
        st.button(
            "Delete …",
            icon=":material/delete:",
            disabled=not chosen or any(r.is_live for r in chosen),
            key="delete",
            on_click=lambda: st.session_state.update(deleting=ids),
        )
    sharing.save(chosen)
    if not chosen:
        st.caption("Choose runs with the boxes at the left.", width="content")


with st.container(horizontal=True, horizontal_alignment="right"):
    sharing.take_in(store)
if notice := shell.notice():
    st.warning(notice)
table()
