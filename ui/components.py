"""Views that draw themselves: a component for each static/<name>.js."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

import streamlit as st

STATIC = Path(__file__).resolve().parent.parent / "static"
_VERSION = hashlib.blake2b(b"".join(p.read_bytes() for p in sorted(STATIC.glob("*.js"))), digest_size=4).hexdigest()


def code(name: str) -> str:
    """The component's own JavaScript: it loads static/<name>.js, once, and hands every message on to it.

    Streamlit calls what the default export returns when the component goes, but also after a message that was overtaken
    by the next one while this code was loading; and the two may arrive in either order. So a view ends only when its place
    has left the page, and a message carries when it was `made`, by which the view knows one that is older.
    """
    return f"""
const module = import(new URL("app/static/{name}.js?v={_VERSION}", document.baseURI));
export default function (component) {{
  const place = component.parentElement;
  module.then((m) => m.render(component));
  return () => module.then((m) => {{ if (!(place.host || place).isConnected) m.dispose(place); }});
}}
"""


@lru_cache  # pages run anew at every click
def mount(name: str, *styles: str):
    """A component whose code is static/<name>.js, in the style of static/shared.css, static/<name>.css and other `styles`."""
    css = "".join((STATIC / f"{part}.css").read_text(encoding="utf-8") for part in ("shared", *styles, name))
    return st.components.v2.component(f"gan_playground_{name}", html='<div class="host"></div>', css=css, js=code(name))
