"""Streamlit's sign-in, where whoever runs the server has switched it on: an [auth] section in .streamlit/secrets.toml.

The pages ask for it, and the routes beside them want the cookie that it leaves, which is signed.
"""

from __future__ import annotations

import json
from pathlib import Path

import streamlit as st
from starlette.requests import Request

COOKIE = "_streamlit_user"


def _asks() -> bool | None:
    """Whether the file of secrets asks for a sign-in; None where there is one that cannot be read."""
    try:
        return "auth" in st.secrets
    except OSError:  # Streamlit says so of a file that is absent, and of one that it cannot make out
        return None if any(Path(file).exists() for file in st.get_option("secrets.files")) else False


def is_wanted() -> bool:
    """Whether one has to sign in here. Where that cannot be read, one has to: nobody shall get in because of a slip."""
    return _asks() is not False


def has_signed_in(request: Request) -> bool:
    """Whether a request comes from who has. Where Streamlit does not say so any more in the way that is known, nobody has."""
    try:
        from streamlit.web.server.starlette.starlette_websocket import _get_signed_cookie_with_chunks

        content = _get_signed_cookie_with_chunks(request.cookies, COOKIE)
        return content is not None and json.loads(content).get("is_logged_in") is True
    except (ImportError, ValueError, AttributeError):
        return False


def ask() -> None:
    """A page begins: without a sign-in where one is wanted, it ends here."""
    asks = _asks()
    if asks is None:
        st.error("Nobody can sign in here: the file secrets.toml cannot be read. Whoever runs this server has to mend it.")
        st.stop()
    if asks and st.user.to_dict().get("is_logged_in") is not True:
        st.markdown("### GAN Playground")
        st.button("Sign in", icon=":material/login:", type="primary", on_click=st.login)
        st.stop()
