"""The live feed: GET live/RUN answers with how a run stands, packed as in `ui.live`.

A view that moves asks for it a few times a second. That costs a tenth of running a part of the page again, which makes
the browser go through the whole page: measured on two cores, 30 ms of the browser's time at each tick.
"""

from __future__ import annotations

import gzip
import math
import sqlite3
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import streamlit as st
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gan_core import PlaygroundError, Runner, report, standings
from gan_core.store import Run, runs_folder
from ui import aside, atlas, compare_message, engine, film, listed, live, movie, seeds, sharing, signing
from ui.latent import tools, walk
from ui.latent.choice import read

_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
LAYOUTS = ("wide", "compact")
EXPLORERS = 2  # answers about latent spaces that are computed at once: each may take some hundred MiB
RESTS = 4.0  # times as long as an answer and its drawing took, a view rests before its next question while a run trains
FILES = 2  # files that are made at once: each may take some hundred MiB
WAITING = 8  # more may wait for their turn
PATIENCE = 20.0  # seconds that one waits
CROWDED = "Too many others look into latent spaces at the moment. Try again."
FRESH = 0.1  # seconds that what has just been looked up counts for all who ask for the same
MOST_DIGITS = 12  # of a step


def _allowed(host: str) -> bool:
    """Whether `server.allowedHosts` admits the Host of a request: a foreign name that points here gets nothing."""
    name = host.lower() if host.endswith("]") else host.lower().rsplit(":", 1)[0]
    patterns = [pattern.lower() for pattern in st.get_option("server.allowedHosts")]
    return not patterns or any(
        pattern in ("*", name) or (pattern.startswith("*.") and name.endswith(pattern[1:])) for pattern in patterns
    )


@contextmanager
def _told() -> Iterator[None]:
    """Turns what goes wrong into an answer of one sentence."""
    try:
        yield
    except PlaygroundError as error:
        raise HTTPException(404, str(error), _HEADERS) from error
    except (sqlite3.Error, OSError) as error:
        raise HTTPException(503, f"The folder of runs cannot be used ({error})", _HEADERS) from error


def _refusal(request: Request, signs: bool) -> HTTPException | None:
    """Why a request gets no answer, if it comes from who may not see the pages; `signs`, one has to sign in for that.

    Streamlit checks the Host of what its pages are fed with, not of routes beside its own. A foreign name that was made to point
    here (DNS rebinding) gets nothing, nor a page of another site that sends its visitor's browser here.
    """
    if not _allowed(request.headers.get("host", "")):
        return HTTPException(403, "This host is not among server.allowedHosts.", _HEADERS)
    if _is_foreign(request.headers.get("origin"), request) or request.headers.get("sec-fetch-site") == "cross-site":
        return HTTPException(403, "This is only for pages of GAN Playground.", _HEADERS)
    if signs and not signing.has_signed_in(request):
        return HTTPException(401, "Sign in first.", _HEADERS)
    return None


def _is_foreign(origin: str | None, request: Request) -> bool:
    """Whether a browser says that another site's page asks."""
    try:
        return origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    except ValueError:  # an origin that is none
        return True


def _guarded(answer: Callable[[Request], Response]) -> Callable[[Request], Response]:
    """A route that answers only who may see the pages."""

    def guard(request: Request) -> Response:
        refusal = _refusal(request, signing.is_wanted())
        if refusal:
            raise refusal
        return answer(request)

    return guard


def _runs(request: Request) -> tuple[Runner, list[Run]]:
    """The runs that an address names."""
    runner = engine.runner()
    return runner, [runner.store.get(request.path_params[name]) for name in ("run", "one", "two") if name in request.path_params]


@dataclass(frozen=True)
class Made:
    """A message, and as what it goes to who can unpack it: compressed once for all, where Streamlit would do it for each."""

    version: str
    plain: bytes
    packed: bytes

    def answer(self, request: Request) -> Response:
        """204 where that is what the asker has already."""
        if request.query_params.get("known") == self.version:
            return Response(status_code=204, headers=_HEADERS)
        packs = "gzip" in request.headers.get("accept-encoding", "")
        headers = {**_HEADERS, "Vary": "Accept-Encoding"} | ({"Content-Encoding": "gzip"} if packs else {})
        return Response(self.packed if packs else self.plain, media_type="application/octet-stream", headers=headers)


class _Kept:
    """The latest message about one thing."""

    def __init__(self):
        self.making = threading.Lock()
        self.seen: tuple[float, Made | None] = (-math.inf, None)  # when it was seen to be the latest, and it


class Shared:
    """The latest message about each thing that somebody looks at, made once for all who look."""

    def __init__(self, most: int = 32):
        self.most = most
        self._lock = threading.Lock()
        self._found: OrderedDict[tuple, _Kept] = OrderedDict()

    def get(self, key: tuple, look: Callable[[], tuple[str, Callable[[], bytes]]]) -> Made:
        """The message as it is now.

        Args:
            look: gives its version, and what makes it. What it raises is passed on.
        """
        with self._lock:
            kept = self._found.setdefault(key, _Kept())
            self._found.move_to_end(key)
            while len(self._found) > self.most:
                self._found.popitem(last=False)
        with kept.making:  # one after the other, so that nobody brings back what is older
            _, made = kept.seen
            looked = time.monotonic()
            try:
                version, make = look()
                if made is None or made.version != version:
                    plain = make()
                    made = Made(version, plain, gzip.compress(plain, 1))
            except Exception:
                with self._lock:
                    self._found.pop(key, None)
                raise
            kept.seen = looked, made
        return made

    def latest(self, key: tuple) -> Made | None:
        """The message if it was the latest a moment ago."""
        with self._lock:
            kept = self._found.get(key)
        looked, made = kept.seen if kept else (-math.inf, None)
        return made if time.monotonic() - looked < FRESH else None


_SHARED = Shared()


class Turns:
    """Lets a few do something at once, and some more wait; to all others it says that it is `crowded`."""

    def __init__(self, at_once: int, waiting: int, crowded: str):
        self._doing = threading.BoundedSemaphore(at_once)
        self.asking = threading.BoundedSemaphore(at_once + waiting)  # those who wait hold a thread that all routes share
        self._crowded = crowded

    @contextmanager
    def __call__(self) -> Iterator[None]:
        if not self.asking.acquire(blocking=False):
            raise HTTPException(503, self._crowded, _HEADERS)
        try:
            if not self._doing.acquire(timeout=PATIENCE):
                raise HTTPException(503, self._crowded, _HEADERS)
            try:
                yield
            finally:
                self._doing.release()
        finally:
            self.asking.release()


_in_turn = Turns(EXPLORERS, WAITING, CROWDED)
_filing = Turns(FILES, WAITING, "Too many files are being made at the moment. Try again.")


def _message(runner: Runner, runs: list[Run], layout: str) -> bytes:
    if len(runs) == 2:
        return seeds.pair_message(runner, runs)
    if runs[0].kind == "map":
        return atlas.message(runner, runs[0], atlas.spec_of(runs[0]), None)
    return live.run_message(runner, runs[0], layout)


def _key(folder: str, request: Request) -> tuple:
    """What a message about runs depends on, but for how they stand."""
    layout = request.query_params.get("layout")
    return folder, request.scope["path"], layout if layout in LAYOUTS else LAYOUTS[0]


def run_feed(request: Request) -> Response:
    """How a run, a map or a pair of runs stands now.

    204 where that is what the asker has already (`known`), 404 where there is no such run.
    """
    with _told():
        key = _key(str(engine.runner().store.folder), request)

        def look() -> tuple[str, Callable[[], bytes]]:
            runner, runs = _runs(request)
            return seeds.version(runner, runs), lambda: _message(runner, runs, key[-1])

        return _SHARED.get(key, look).answer(request)


class AtOnce:
    """Answers before anything else is asked, where somebody else has just been told the same.

    Many who watch one run ask for it dozens of times a second. Streamlit's way to a route (five layers around it, and a thread
    of its own) takes some 2 ms of the processor that the training thread shares, this one a fraction.
    """

    def __init__(self, app: ASGIApp):
        self.app = app
        self._signs, self._until = True, -math.inf  # whether one has to sign in, and how long that counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self._answer(scope) or self.app)(scope, receive, send)

    def _answer(self, scope: Scope) -> Response | None:
        if scope["type"] != "http" or scope["method"] != "GET":
            return None
        request = Request(scope)
        made = _SHARED.latest(_key(str(runs_folder()), request))
        return made.answer(request) if made and not _refusal(request, self._signs_in()) else None

    def _signs_in(self) -> bool:
        """Where there are no secrets, Streamlit looks for their files, which takes as long as the rest of an answer."""
        now = time.monotonic()
        if now > self._until:
            self._signs, self._until = signing.is_wanted(), now + 1
        return self._signs


def _together(request: Request) -> tuple[Runner, list[Run]]:
    """The runs that are to stand beside each other."""
    runner, _ = _runs(request)
    return runner, standings.runs_of(runner.store, request.query_params.getlist("run"))


def together_feed(request: Request) -> Response:
    """How several runs stand beside each other now, as the Compare page asked for it; 204 and 404 as in `run_feed`."""
    known = request.query_params.get("known", "")
    with _told():
        runner, runs = _together(request)
        if compare_message.version(runner, runs) == known:
            return Response(status_code=204, headers=_HEADERS)
        values, _ = read(request.query_params, compare_message.FIELDS)
        made = compare_message.message(runner, runs, values, known)
        return Response(made, media_type="application/octet-stream", headers=_HEADERS)


def together_file(request: Request) -> Response:
    """The same runs as a table, one row a run."""
    with _told():
        made = standings.csv_of(_together(request)[1])
        name = 'attachment; filename="runs.csv"'
        return Response(made, media_type="text/csv; charset=utf-8", headers={**_HEADERS, "Content-Disposition": name})


def aside_feed(request: Request) -> Response:
    """The live runs, and the one that the asker looks at, if there is such a run."""
    with _told():
        runner, _ = _runs(request)
        store = runner.store
        made = aside.message(store, store.present(request.query_params.get("run", "")))
        return Response(made, media_type="application/octet-stream", headers=_HEADERS)


def film_feed(request: Request) -> Response:
    """The pictures of a run's film later than the step `after`, and its measurements."""
    after = request.query_params.get("after", "-1")
    if not after.removeprefix("-").isdecimal() or len(after) > MOST_DIGITS:
        raise HTTPException(400, f"after = {after[:40]} is no step.", _HEADERS)
    with _told():
        runner, (run,) = _runs(request)
        made = film.message(runner.store, run, int(after))
        return Response(made, media_type="application/octet-stream", headers=_HEADERS)


def movie_file(request: Request) -> Response:
    """The film of a run as a file."""
    kind = request.path_params["kind"]
    with _filing(), _told():
        runner, (run,) = _runs(request)
        made = film.exported(runner.store, run, kind)
        name = f'attachment; filename="{run.id}.{movie.KINDS[kind].ending}"'
        return Response(made, media_type=movie.KINDS[kind].media, headers={**_HEADERS, "Content-Disposition": name})


def explore_feed(request: Request) -> Response:
    """What a tool of the latent page answers to what the address asks about a run."""
    with _in_turn(), _told():
        runner, (run,) = _runs(request)
        ask = tools.asked(runner.store, run, request.query_params)
        made = tools.message(ask, ask.values["tool"])
        trains = bool(runner.store.runs(("running",), limit=1, kind=None))
        headers = {**_HEADERS, "X-Rest": f"{RESTS if trains else 0:g}"}
        return Response(made, media_type="application/octet-stream", headers=headers)


def walk_file(request: Request) -> Response:
    """A way through latent space as a file."""
    kind = request.path_params["kind"]
    with _in_turn(), _told():
        runner, (run,) = _runs(request)
        made = walk.exported(tools.asked(runner.store, run, request.query_params), kind)
        name = f'attachment; filename="{run.id}-walk.{movie.KINDS[kind].ending}"'
        return Response(made, media_type=movie.KINDS[kind].media, headers={**_HEADERS, "Content-Disposition": name})


def bundle_file(request: Request) -> Response:
    """A run as a bundle."""
    with _filing(), _told():
        runner, (run,) = _runs(request)
        made = sharing.bundled(runner.store, run.id)
        name = f'attachment; filename="{run.id}.ganrun"'
        return Response(made, media_type="application/zip", headers={**_HEADERS, "Content-Disposition": name})


def report_file(request: Request) -> Response:
    """A report of the runs that the address names."""
    with _filing(), _told():
        runner, _ = _runs(request)
        made = report.html(runner.store, request.query_params.getlist("run"))
        name = 'attachment; filename="report.html"'
        return Response(made, media_type="text/html", headers={**_HEADERS, "Content-Disposition": name})


def thumb_file(request: Request) -> Response:
    """A run's picture for the list. Its address changes with the run, so the browser may keep it."""
    with _told():
        runner, (run,) = _runs(request)
        made = listed.picture(runner.store, run.id, run.updated)
        if made is None:
            return Response(status_code=204, headers=_HEADERS)
        return Response(made, media_type="image/png", headers={**_HEADERS, "Cache-Control": "private, max-age=86400, immutable"})


def list_file(request: Request) -> Response:
    """The list of runs as CSV."""
    with _told():
        runner, _ = _runs(request)
        made = sharing.list_csv(runner.store, request.query_params)
        name = 'attachment; filename="runs.csv"'
        return Response(made, media_type="text/csv; charset=utf-8", headers={**_HEADERS, "Content-Disposition": name})


_ANSWERS = {
    "/live/{run}": run_feed,
    "/pair/{one}/{two}": run_feed,
    "/together": together_feed,
    "/together.csv": together_file,
    "/aside": aside_feed,
    "/film/{run}": film_feed,
    "/movie/{run}/{kind}": movie_file,
    "/bundle/{run}": bundle_file,
    "/report": report_file,
    "/runs.csv": list_file,
    "/thumb/{run}": thumb_file,
    "/explore/{run}": explore_feed,
    "/walk/{run}/{kind}": walk_file,
}
ROUTES = [Route(path, _guarded(answer)) for path, answer in _ANSWERS.items()]
