"""The front door: `streamlit run app.py` serves the pages, and beside them the live feed that moving pictures read."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import streamlit as st
from starlette.middleware import Middleware

from ui import engine
from ui.feed import ROUTES, AtOnce
from ui.latent.searches import SEARCHES


@asynccontextmanager
async def lifespan(app: st.App) -> AsyncIterator[None]:
    """When the server stops, so do searches and the training threads, these each with a last checkpoint."""
    yield
    SEARCHES.shutdown()
    engine.shutdown()


app = st.App("playground.py", routes=ROUTES, middleware=[Middleware(AtOnce)], lifespan=lifespan)
