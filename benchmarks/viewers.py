"""Many who watch one run: python -m benchmarks.viewers [--viewers N] [--tabs N] [--windows N] [--json]

The engine's rate with nobody, with one and with N viewers, in windows that take turns; the best window of each counts. And
how old what each viewer sees becomes before the next comes: the time since the training thread reported it.

A viewer does what a browser's tab does with the server, and draws nothing: it has a session of Streamlit's, in which it runs
the page and those of its parts that are due again by themselves, and asks the feed as `static/feed.js` does, and for the
sidebar's list as `static/aside.js` does, with a connection for each question. N whole tabs on the same machine would above
all cost each other the processor. `--tabs` opens so many, in browser contexts of their own, and measures the rate with those
too, where there are cores for them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

import torch

from benchmarks.page import POINTS, Page
from benchmarks.serving import await_until, chromium, server_rate
from gan_core.frames import unpack

PERIOD = 0.47  # seconds, as in static/feed.js
LISTED = 5.0  # seconds between two looks at the list in the sidebar, as in static/aside.js
WAKE = 1.0  # seconds, of a session that gets no message
SETTLED = 3.0  # seconds from when all pages have run
LATE = 60.0  # seconds, of a tab that opens beside many others


CLIENTS: dict[int, float] = {}  # viewers -> cores that they keep busy, which the server does not have


class Viewer:
    """Looks at a run like a tab, until it is told to end.

    Attributes:
        oldest: seconds; the age that what it showed ever had.
        answers: how many messages it got.
        runs: how often the page, or a part of it, ran for it.
    """

    def __init__(self, url: str, run: str):
        self.url, self.run, self.address = url, run, f"{url}live/{run}"
        self.oldest, self.answers, self.runs = 0.0, 0, 0
        self._ended, self._shown = threading.Event(), threading.Event()
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._live, self._look)]
        for thread in self._threads:
            thread.start()

    def shown(self) -> None:
        """Wait until the page has run."""
        if not self._shown.wait(LATE):
            raise TimeoutError("a session's page has not run")

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
        listed = time.monotonic()
        address = f"{self.url.replace('http', 'ws', 1)}_stcore/stream"
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
                if time.monotonic() - listed > LISTED:
                    listed = time.monotonic()
                    with urllib.request.urlopen(f"{self.url}aside?run={self.run}", timeout=10) as answer:
                        answer.read()
                for fragment, (at, every) in list(due.items()):
                    if at <= time.monotonic():
                        due[fragment] = time.monotonic() + every, every
                        socket.send(run(fragment))

    def _look(self) -> None:
        version = ""
        while not self._ended.is_set():
            begun = time.monotonic()
            with urllib.request.urlopen(f"{self.address}?known={version}", timeout=10) as answer:
                content = answer.read()
            if content:
                now, header = time.time(), unpack(content)[0]
                if version:
                    self.oldest = max(self.oldest, now - float(version.rstrip("!")))
                version = header["version"]
                self.answers += 1
            self._ended.wait(max(0.1, PERIOD - (time.monotonic() - begun)))

    def end(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(15)


def watched_by(app: Page, run: str, count: int, seconds: float) -> tuple[float, list[Viewer]]:
    """The rate with so many viewers, and these."""
    viewers = []
    for _ in range(count):
        viewers.append(Viewer(app.server.url, run))
        time.sleep(PERIOD / count)  # they come at any time
    for viewer in viewers:
        viewer.shown()
    time.sleep(SETTLED)
    for viewer in viewers:
        viewer.oldest = 0.0  # from here on
    busy = time.process_time()
    rate = server_rate(app.store, run, seconds)
    CLIENTS[count] = (time.process_time() - busy) / seconds
    for viewer in viewers:
        viewer.end()
    return rate, viewers


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
            rates: dict[int, list[float]] = {0: [], 1: [], viewers: []}
            oldest: dict[int, float] = {1: 0.0, viewers: 0.0}
            fewest, parts = 10**9, 0
            for _ in range(windows):
                for count in rates:
                    rate, seen = watched_by(app, run, count, seconds)
                    rates[count].append(rate)
                    if seen:
                        oldest[count] = max([oldest[count], *(viewer.oldest for viewer in seen)])
                        fewest = min([fewest, *(viewer.answers for viewer in seen)])
                        parts += sum(viewer.runs for viewer in seen)
            best = {count: max(found) for count, found in rates.items()}
            result = {
                "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "torch": torch.__version__},
                "viewers": viewers,
                "what": "sessions with their feeds, without drawing",
                "steps_per_s": {str(count): round(rate, 1) for count, rate in best.items()},
                "many_over_none": round(best[viewers] / best[0], 3),
                "many_over_one": round(best[viewers] / best[1], 3),
                "cores_of_the_clients": {str(count): round(busy, 2) for count, busy in CLIENTS.items()},
                "oldest_s": {str(count): round(age, 2) for count, age in oldest.items()},
                "fewest_answers_in_a_window": fewest,
                "runs_of_pages_and_parts": parts,
            }
            if tabs:
                rate, fresh = in_tabs(app, run, tabs, seconds)
                result["tabs"] = {"count": tabs, "fresh": fresh, "over_none": round(rate / best[0], 3)}
            app.stop(run)
            await_until(lambda: not app.store.get(run).is_live)
        finally:
            app.server.stop()
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--viewers", type=int, default=20, help="how many (default: 20)")
    parser.add_argument("--tabs", type=int, default=0, help="whole browser tabs to open besides (default: 0)")
    parser.add_argument("--windows", type=int, default=4, help="windows of each (default: 4)")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of a window (default: 5)")
    parser.add_argument("--json", action="store_true", help="accepted for uniformity; the output is always JSON")
    args = parser.parse_args()
    print(json.dumps(measure(args.viewers, args.tabs, args.windows, args.seconds), indent=1))


if __name__ == "__main__":
    main()
