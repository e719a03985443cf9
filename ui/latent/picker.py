"""Samples of many seeds, to pick one for the field of a spot."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import streamlit as st
import torch

from gan_core.draws import seeded
from gan_core.frames import extent, pack, png_grid
from ui import components
from ui.latent.choice import Form
from ui.latent.spots import HIGHEST
from ui.latent.tool import Ask
from ui.palette import PALETTE

SHOWN, COLUMNS = 48, 16  # samples on a page
REAL = 300  # points of the data behind them
LAST_PAGE = HIGHEST // SHOWN
_PICKER = components.mount("picker")


def popover(form: Form, ask: Ask) -> None:
    """Below the fields of spots that the form has drawn: a page of samples, of which a click puts one into the next field."""
    if not form.spots:
        return
    box = form.below.popover(
        "Pick from samples",
        icon=":material/grid_view:",
        key="picker",
        on_change="rerun",  # so that nothing is sampled before it is opened
        help="Shows samples of many seeds; a click on one takes its seed.",
    )
    if not box.open:
        return
    names = list(form.spots)
    if st.session_state.get("picker_into") not in names:
        st.session_state["picker_into"] = names[0]
    first = st.session_state.setdefault("picker_page", 0) * SHOWN
    with box:
        st.segmented_control(
            "Goes into",
            names,
            default=st.session_state["picker_into"],
            required=True,
            format_func=lambda name: form.spots[name].partition(",")[0],  # "A, top left" is too long for a button
            key="picker_into",
            help="The field for the sample you click on. It moves on with every click.",
        )
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button(
                "Earlier", icon=":material/chevron_left:", key="picker_back", on_click=_turn, args=(-1,), disabled=not first
            )
            st.button("Later", icon=":material/chevron_right:", key="picker_on", on_click=_turn, args=(1,))
            st.caption(f"Seeds {first} to {first + SHOWN - 1}")
        _PICKER(data=message(ask, first), key="picker_view", on_picked_change=lambda: _take(form, names))


def message(ask: Ask, first: int) -> bytes:
    """Samples of SHOWN seeds from the first on."""
    explorer = ask.explorer
    made = explorer.images(explorer.draw(range(first, first + SHOWN)), labels=ask.labels(SHOWN), truncation=ask.psi)
    header: dict[str, Any] = {"made": time.monotonic(), "first": first, "count": SHOWN, "columns": COLUMNS, "palette": PALETTE}
    if len(explorer.shape) == 3:
        header |= {"kind": "images", "size": explorer.shape[1]}
        return pack(header, {"sheet": png_grid(made, COLUMNS)})
    rows = torch.randint(len(explorer.data.x), (REAL,), generator=seeded(0, "view"))
    header |= {"kind": "points", "extent": extent(explorer.data), "step": ask.step}
    arrays: dict[str, np.ndarray | bytes] = {"points": made.numpy(), "real": explorer.data.x[rows].cpu().numpy()}
    return pack(header, arrays)


def _turn(by: int) -> None:
    st.session_state["picker_page"] = min(max(st.session_state["picker_page"] + by, 0), LAST_PAGE)


def _take(form: Form, names: list[str]) -> None:
    """The seed of the sample that was clicked on goes into its field, and the next one waits."""
    seed = getattr(st.session_state.get("picker_view"), "picked", None)
    if type(seed) is not int or not 0 <= seed <= HIGHEST:
        return
    into = st.session_state["picker_into"]
    into = into if into in names else names[0]
    form.put({into: str(seed)})
    st.session_state["picker_into"] = names[(names.index(into) + 1) % len(names)]
