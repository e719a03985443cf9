"""Many who watch one run: python -m benchmarks.viewers [--viewers N] [--tabs N] [--windows N] [--json]

The engine's rate while nobody, one and N look, in windows that take turns: the rates of each turn divided by each other, of
which the median counts, since the rate of a shared machine drifts more than what is to be measured. And how old what each
viewer sees becomes before the next comes: the time since the training thread reported it.

A viewer does what a browser's tab does with the server, and draws nothing: it has a session of Streamlit's, in which it runs
the page and those of its parts that are due again by themselves, and asks the feed as `static/feed.js` does, and for the
sidebar's list as `static/aside.js` does: with a browser's headers, compressed, over a connection that stays open. Who does
not look in a window keeps the session, silent. N whole tabs on the same machine would above all cost each other the
processor. `--tabs` opens so many, in browser contexts of their own, and measures the rate with those too, where there are
cores for them.
"""

from __future__ import annotations

import argparse
import gzip
import http.client
import json
import os
import platform
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import torch

from benchmarks.page import POINTS, Page
from benchmarks.serving import await_until, chromium, server_rate
from gan_core.frames import unpack

PERIOD = 0.47  # seconds, as in static/feed.js
LISTED = 5.0  # seconds between two looks at the list in the sidebar, as in static/aside.js
WAKE = 1.0  # seconds, of a session that gets no message
SETTLED = 1.0  # seconds from when all look
LATE = 60.0  # seconds, of a tab that opens beside many others

HEADERS = {  # what a browser sends with a question, as far as the server reads it
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Sec-Fetch-Site": "same-origin",
    "Sec-Fetch-Mode": "cors",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36",
}

CLIENTS: dict[int, float] = {}  # viewers -> cores that they keep busy, which the server does not have


class Connection:
    """To the server, kept open between questions."""

    def __init__(self, port: int):
        self._http = http.client.HTTPConnection("localhost", port, timeout=10)

    def get(self, path: str) -> bytes:
        """The answer's body, unpacked; empty where there is nothing new."""
        self._http.request("GET", path, headers=HEADERS)
        answer = self._http.getresponse()
        content = answer.read()
        if answer.status not in (200, 204):
            raise OSError(f"{path}: {answer.status} {content[:200]!r}")
        return gzip.decompress(content) if answer.headers.get("Content-Encoding") == "gzip" else content

    def close(self) -> None:
        self._http.close()


class Viewer:
    """Looks at a run like a tab while it is told to.

    Args:
        phase: from 0 to 1, where it is between two looks at the sidebar's list when it begins to look.

    Attributes:
        oldest: seconds; the age that what it showed ever had.
        answers: how many messages it got.
        runs: how often the page, or a part of it, ran for it.
        problem: why it looks no longer, if it does not.
    """

    def __init__(self, port: int, run: str, phase: float):
        self.port, self.run, self._phase = port, run, phase
        self.oldest, self.answers, self.runs = 0.0, 0, 0
        self.problem: Exception | None = None
        self._ended, self._shown, self._looks = threading.Event(), threading.Event(), threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(work,), daemon=True) for work in (self._live, self._look)]
        for thread in self._threads:
            thread.start()

    def shown(self) -> None:
        """Wait until the page has run."""
        if not self._shown.wait(LATE):
            raise TimeoutError("a session's page has not run")

    def _work(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # whatever it is, this one looks no longer, and the measurement counts for nothing
            self.problem = error

    def _live(self) -> None:
        """The session: the page once, then its parts when they are due."""
        from streamlit.proto.BackMsg_pb2 import BackMsg
        from streamlit.proto.ClientState_pb2 import ClientState
        from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
        from websockets.sync.client import connect

        def run(fragment: str = "") -> bytes:
            state = ClientState(query_string=f"run={self.run}", fragment_id=fragment, is_auto_rerun=bool(fragment))
            return BackMsg(rerun_script=state).SerializeToString()

        due: dict[str, tuple[float, float]] = {}  # part of the page -> when it runs next, and how often
        address = f"ws://localhost:{self.port}/_stcore/stream"
        with connect(address, subprotocols=["streamlit"], max_size=None, open_timeout=LATE) as socket:
            socket.send(run())
            while not self._ended.is_set():
                try:
                    message = ForwardMsg.FromString(socket.recv(WAKE))
                except TimeoutError:
                    message = ForwardMsg()
                if (kind := message.WhichOneof("type")) == "auto_rerun":
                    every = message.auto_rerun.interval
                    due[message.auto_rerun.fragment_id] = time.monotonic() + every, every
                elif kind == "script_finished":
                    self.runs += 1
                    self._shown.set()
                for fragment, (at, every) in list(due.items()):
                    if at <= time.monotonic():
                        due[fragment] = time.monotonic() + every, every
                        socket.send(run(fragment))

    def _look(self) -> None:
        while not self._ended.is_set():
            if self._looks.wait(WAKE):
                with closing(Connection(self.port)) as server:
                    self._ask(server)

    def _ask(self, server: Connection) -> None:
        version, listed = "", time.monotonic() - LISTED * self._phase
        while self._looks.is_set():
            begun = time.monotonic()
            if begun - listed > LISTED:
                listed = begun
                server.get(f"/aside?run={self.run}")
            content = server.get(f"/live/{self.run}?known={version}")
            if version:  # what was shown until now, be there something newer or not
                self.oldest = max(self.oldest, time.time() - float(version.rstrip("!")))
            if content:
                version = unpack(content)[0]["version"]
                self.answers += 1
            self._ended.wait(max(0.1, PERIOD - (time.monotonic() - begun)))

    def look(self, looks: bool) -> None:
        """Ask the feed from now on, or be silent."""
        (self._looks.set if looks else self._looks.clear)()

    def end(self) -> None:
        self.look(False)
        self._ended.set()
        for thread in self._threads:
            thread.join(15)


def watched_by(app: Page, run: str, viewers: list[Viewer], seconds: float) -> float:
    """The rate while these look."""
    for viewer in viewers:
        viewer.look(True)
        time.sleep(PERIOD / len(viewers))  # they come at any time
    time.sleep(SETTLED)
    busy = time.process_time()
    rate = server_rate(app.store, run, seconds)
    CLIENTS[len(viewers)] = (time.process_time() - busy) / seconds
    for viewer in viewers:
        viewer.look(False)
        if viewer.problem:
            raise RuntimeError("somebody looked no longer") from viewer.problem
    return rate


def spread(values: list[float]) -> dict[str, float]:
    """Median and quartiles."""
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75)).round(3)
    return {"median": float(middle), "quartiles": [float(low), float(high)]}


def in_tabs(app: Page, run: str, count: int, seconds: float) -> tuple[float, int]:
    """The rate with so many tabs, each of a browser context of its own, and how many of them show how the run goes on."""
    browser = app.page.context.browser
    contexts = [browser.new_context(viewport={"width": 1280, "height": 800}) for _ in range(count)]
    tabs = [context.new_page() for context in contexts]
    for tab in tabs:
        tab.goto(f"{app.server.url}?run={run}", timeout=1000 * LATE)
    for tab in tabs:
        tab.locator(".monitor[data-step]").wait_for(timeout=1000 * LATE)
    shown = [tab.locator(".monitor").first.get_attribute("data-step") for tab in tabs]
    rate = server_rate(app.store, run, seconds)
    fresh = sum(tab.locator(".monitor").first.get_attribute("data-step") != old for tab, old in zip(tabs, shown, strict=True))
    for context in contexts:
        context.close()
    return rate, fresh


def measure(viewers: int, tabs: int, windows: int, seconds: float) -> dict:
    with tempfile.TemporaryDirectory() as name, chromium() as page:
        app = Page(Path(name), page)
        try:
            run = app.watch(POINTS)
            page.goto("about:blank")
            everybody = [Viewer(app.server.port, run, k / viewers) for k in range(viewers)]
            for viewer in everybody:
                viewer.shown()
            rates: dict[int, list[float]] = {0: [], 1: [], viewers: []}
            oldest: dict[int, float] = {1: 0.0, viewers: 0.0}
            fewest = 10**9
            for _ in range(windows):
                for count in rates:
                    for viewer in everybody:
                        viewer.oldest, viewer.answers = 0.0, 0
                    rates[count].append(watched_by(app, run, everybody[:count], seconds))
                    if count:
                        oldest[count] = max(oldest[count], *(viewer.oldest for viewer in everybody))
                        fewest = min(fewest, *(viewer.answers for viewer in everybody[:count]), 10**9)
            for viewer in everybody:
                viewer.end()
            over = {
                name: [many / few for many, few in zip(rates[viewers], rates[count], strict=True)]
                for name, count in (("many_over_none", 0), ("many_over_one", 1))
            }
            result = {
                "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "torch": torch.__version__},
                "viewers": viewers,
                "what": "sessions with their feeds, without drawing",
                "windows": windows,
                "steps_per_s": {str(count): round(statistics.median(found), 1) for count, found in rates.items()},
                **{name: spread(ratios) for name, ratios in over.items()},
                "cores_of_the_clients": {str(count): round(busy, 2) for count, busy in CLIENTS.items()},
                "oldest_s": {str(count): round(age, 2) for count, age in oldest.items()},
                "fewest_answers_in_a_window": fewest,
                "runs_of_pages_and_parts": sum(viewer.runs for viewer in everybody),
            }
            if tabs:
                rate, fresh = in_tabs(app, run, tabs, seconds)
                result["tabs"] = {"count": tabs, "fresh": fresh, "over_none": round(rate / statistics.median(rates[0]), 3)}
            app.stop(run)
            await_until(lambda: not app.store.get(run).is_live)
        finally:
            app.server.stop()
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--viewers", type=int, default=20, help="how many (default: 20)")
    parser.add_argument("--tabs", type=int, default=0, help="whole browser tabs to open besides (default: 0)")
    parser.add_argument("--windows", type=int, default=12, help="windows of each (default: 12)")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of a window (default: 4)")
    parser.add_argument("--json", action="store_true", help="accepted for uniformity; the output is always JSON")
    args = parser.parse_args()
    print(json.dumps(measure(args.viewers, args.tabs, args.windows, args.seconds), indent=1))


if __name__ == "__main__":
    main()
