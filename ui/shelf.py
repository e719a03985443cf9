"""What the list of runs shows, as values of this tab and as text in the address, and the widgets that choose it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from gan_core.config import METAS
from gan_core.listing import SORTS, Wanted
from gan_core.shelf import TAG, Line
from gan_core.store import ENDED, LIVE
from ui.latent.choice import Field, read, whole, word, write
from ui.listed import KEY
from ui.palette import STATUS

SEARCH = 200  # letters of a search
ANY = "Any"


def _text(most: int) -> Field:
    return Field("", lambda text: text[:most])


def _flag() -> Field:
    return Field(False, lambda text: text == "1")


FIELDS = {  # name in the address -> value
    "q": _text(SEARCH),
    "status": word("", ("", *LIVE, *ENDED)),
    "data": _text(40),
    "tag": _text(TAG),
    "starred": _flag(),
    "sort": word("newest", SORTS),
    "trash": _flag(),
    "page": whole(1, 1, 10**6),
}


def arrive() -> dict[str, Any]:
    """The values of this tab: those of the link that it was opened with, once; then what was chosen."""
    if "shelf" not in st.session_state:
        link = st.session_state.get("arrived") or {}
        st.session_state["shelf"], _ = read(link, FIELDS)
        if FIELDS.keys() & link.keys():
            st.session_state["arrived"] = {}  # it was meant for this page
    return st.session_state["shelf"]


def wanted(values: Mapping[str, Any]) -> Wanted:
    """Which runs that means."""
    return Wanted(*(values[name] for name in ("q", "status", "data", "tag", "starred", "sort")))


def is_filtered(values: Mapping[str, Any]) -> bool:
    """Whether some runs may be left out."""
    return any(values[name] for name in ("q", "status", "data", "tag", "starred"))


def follow(values: Mapping[str, Any]) -> None:
    """Have the address say what is chosen, beside what it says of the run in focus or the set-up."""
    now = st.query_params.to_dict()
    shown = {name: text for name, text in now.items() if name == "run" or name in METAS} | write(values, FIELDS)
    if shown != now:
        st.query_params.from_dict(shown)


def clear() -> None:
    """Show all runs again."""
    values = arrive()
    values.update({name: FIELDS[name].default for name in ("q", "status", "data", "tag", "starred", "page")})
    _renew()


def sort() -> None:
    """The table asks for another order."""
    wanted = getattr(st.session_state.get(KEY), "sort", None)
    if wanted in SORTS:
        arrive().update(sort=wanted, page=1)
        _renew()  # the menu shall show it


def turn(page: int) -> None:
    """Go to another page of the list."""
    arrive()["page"] = page


def _renew() -> None:
    """New keys make new widgets, which begin with the values of this tab."""
    st.session_state["shelf_version"] = st.session_state.get("shelf_version", 0) + 1


def _key(name: str) -> str:
    """That of "trash" stays, for it stands beside the list and is not drawn anew with it."""
    return f"shelf_{name}_{0 if name == 'trash' else st.session_state.get('shelf_version', 0)}"


def _bound(name: str) -> dict[str, Any]:
    """Key and listener of a widget whose default is the value of this tab."""
    key = _key(name)
    return {"key": key, "on_change": _taken(name, key)}


def _taken(name: str, key: str) -> Callable[[], None]:
    def take() -> None:
        value = st.session_state.get(key)
        value = FIELDS[name].default if value is None else value
        if key == _key(name) and value != arrive()[name]:  # Streamlit reports fields of before once more when they go
            arrive().update({name: value, "page": 1})

    return take


def view() -> None:
    """Runs or trash."""
    shown = arrive()["trash"]
    st.segmented_control(
        "Show",
        [False, True],
        default=shown,
        required=True,
        format_func=lambda trash: "Trash" if trash else "Runs",
        label_visibility="collapsed",
        **_bound("trash"),
    )


def controls(lines: Sequence[Line]) -> None:
    """Search, filters and order; what can be chosen is what the lines have."""
    values = arrive()
    with st.container(horizontal=True, vertical_alignment="bottom", key="shelf"):
        st.text_input(
            "Search",
            values["q"],
            max_chars=SEARCH,
            type="search",
            icon=":material/search:",
            placeholder="Name, note, tag, data, loss …",
            live="200ms",
            width=220,
            **_bound("q"),
        )
        statuses = [status for status in STATUS if any(line.status == status for line in lines)]
        _menu("status", "Status", statuses, values, {status: STATUS[status][0] for status in STATUS})
        _menu("data", "Data", sorted({line.dataset for line in lines}), values)
        _menu("tag", "Tag", sorted({tag for line in lines for tag in line.tags}, key=str.casefold), values)
        st.selectbox(
            "Order",
            list(SORTS),
            list(SORTS).index(values["sort"]),
            format_func=lambda name: SORTS[name].title,
            width=158,
            **_bound("sort"),
        )
        st.toggle("Starred only", values["starred"], **_bound("starred"))


def _menu(name: str, label: str, options: list[str], values: Mapping[str, Any], words: Mapping[str, str] | None = None) -> None:
    chosen = values[name]
    options = ["", *options, *([chosen] if chosen and chosen not in options else [])]
    st.selectbox(
        label,
        options,
        options.index(chosen),
        format_func=lambda option: (words or {}).get(option, option) or ANY,
        width=112,
        **_bound(name),
    )
