"""Mode collapse: what fails and what cures it, side by side, over many seeds, and as a map."""

import streamlit as st

from ui import atlas, seeds, shell, twins

VIEWS = {"pair": ("Side by side", twins.show), "seeds": ("Many seeds", seeds.show), "map": ("Map", atlas.show)}

runner = shell.open_page("Mode collapse")
asked = st.query_params.get("view", st.session_state.get("lab_seen"))  # a widget's own value is lost on other pages
st.session_state.setdefault("lab_view", asked if asked in VIEWS else "pair")
view = st.segmented_control(
    "View",
    list(VIEWS),
    default=st.session_state["lab_view"],  # as in ui/latent/choice.py: what is only set may not reach the browser
    required=True,
    key="lab_view",
    format_func=lambda v: VIEWS[v][0],
    label_visibility="collapsed",
)
st.query_params["view"] = st.session_state["lab_seen"] = view
with shell.guarded():
    VIEWS[view][1](runner)
