"""The live feed: GET live/RUN answers with how a run stands, packed as in `ui.live`.

A view that moves asks for it a few times a second. That costs a tenth of running a part of the page again, which makes
the browser go through the whole page: measured on two cores, 30 ms of the browser's time at each tick.
"""

from __future__ import annotations

import sqlite3

import streamlit as st
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from gan_core import PlaygroundError
from ui import engine, live

_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_CACHE = live.SeriesCache()


def _allowed(host: str) -> bool:
    """Whether `server.allowedHosts` admits the Host of a request: a foreign name that points here gets nothing."""
    name = host.lower() if host.endswith("]") else host.lower().rsplit(":", 1)[0]
    patterns = [pattern.lower() for pattern in st.get_option("server.allowedHosts")]
    return not patterns or any(
        pattern in ("*", name) or (pattern.startswith("*.") and name.endswith(pattern[1:])) for pattern in patterns
    )


def _sentence(text: str, status: int) -> Response:
    return PlainTextResponse(text, status, headers=_HEADERS)


def run_feed(request: Request) -> Response:
    """How a run stands now; 204 where that is what the asker has already (`known`), 404 where there is no such run."""
    if not _allowed(request.headers.get("host", "")):
        return _sentence("This host is not among server.allowedHosts.", 403)
    known, layout = request.query_params.get("known", ""), request.query_params.get("layout", "wide")
    try:
        runner = engine.runner()
        run = runner.store.get(request.path_params["run"])
        version = live.version(run, runner.problem(run.id))
        if version == known:
            return Response(status_code=204, headers=_HEADERS)
        return Response(live.run_message(runner, run, _CACHE, layout), media_type="application/octet-stream",
                        headers=_HEADERS,)  # fmt: skip
    except PlaygroundError as error:
        return _sentence(str(error), 404)
    except (sqlite3.Error, OSError) as error:
        return _sentence(f"The folder of runs cannot be used ({error})", 503)


ROUTES = [Route("/live/{run}", run_feed)]
