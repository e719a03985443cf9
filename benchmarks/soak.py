"""Whether it stays as it is for hours: python -m benchmarks.soak [--minutes N] [--json]

One server trains one run with two tabs open, one on the Playground with all views on and one on the list of runs. Every
15 s: the server's memory, the JavaScript heap of each tab, and the engine's rate since the time before. Slopes are by
least squares with their standard error, over what comes after the first quarter, in which imports and caches fill up; of
the rate, per cent a minute.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from pathlib import Path

import torch

from benchmarks.page import POINTS, Page, resident, slope
from benchmarks.serving import chromium

PERIOD = 15.0  # seconds


def soak(minutes: float) -> dict:
    with tempfile.TemporaryDirectory() as name, chromium() as page:
        app = Page(Path(name), page)
        try:
            run = app.watch(POINTS, all_views=True)
            other = page.context.browser.new_page()
            other.goto(f"{app.server.url}runs")
            other.get_by_role("heading", name="GAN Playground").wait_for(timeout=60_000)
            tabs = [page, other]
            sessions = [tab.context.new_cdp_session(tab) for tab in tabs]
            at: list[float] = []
            server: list[float] = []
            rates: list[float] = []
            heaps: list[list[float]] = [[], []]
            begun, last = time.monotonic(), app.store.get(run)
            while time.monotonic() - begun < 60 * minutes:
                time.sleep(PERIOD)
                now = app.store.get(run)
                at.append((time.monotonic() - begun) / 60)
                rates.append((now.step - last.step) / (now.updated - last.updated))
                last = now
                server.append(resident(app.server.process.pid))
                for tab, session, heap in zip(tabs, sessions, heaps, strict=True):
                    session.send("HeapProfiler.collectGarbage")
                    heap.append(tab.evaluate("() => performance.memory.usedJSHeapSize") / 2**20)
            app.stop(run)
        finally:
            app.server.stop()
    settled = [k for k, t in enumerate(at) if t > minutes / 4]
    mean, change, error = slope(at, rates, settled)
    return {
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "torch": torch.__version__},
        "minutes": minutes,
        "looks": len(settled),
        "server": _told(*slope(at, server, settled)),
        "playground_tab": _told(*slope(at, heaps[0], settled)),
        "runs_tab": _told(*slope(at, heaps[1], settled)),
        "rate": {
            "steps_per_s": round(mean, 1),
            "percent_per_minute": round(100 * change / mean, 3),
            "error": round(100 * error / mean, 3),
        },
    }


def _told(mean: float, change: float, error: float) -> dict:
    return {"MB": round(mean, 1), "MB_per_minute": round(change, 3), "error": round(error, 3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0, help="how long (default: 60)")
    parser.add_argument("--json", action="store_true", help="accepted for uniformity; the output is always JSON")
    print(json.dumps(soak(parser.parse_args().minutes), indent=1))


if __name__ == "__main__":
    main()
