"""What a person feels of the Playground page: python -m benchmarks.page [--only PART ...] [--minutes N] [--json]

One headless Chromium at 1280 x 800, one server for each part. Medians of several tries; of rates, the best window.

- load: a new server's first page until its Start button can be pressed and the data are drawn, and the second page.
- start: from the click on Start to the first picture of generated samples.
- refresh: pictures, answers and bytes a second while a run trains.
- rate: the engine's rate with all views switched on over its rate with no page open, in windows that take turns.
- scrub: frames a second while the replay is dragged from end to end, and the longest gap between two.
- click: from a click on Pause or Resume until the button says the opposite and the run obeys.
- memory: server and tab while a run is watched for so many minutes; the slopes in MB a minute.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from benchmarks.serving import Server, await_until, chromium, server_rate, waiting_run
from gan_core import GANConfig, RunStore

MANY = 10_000_000
POINTS = GANConfig(dataset="ring8", latent_dim=2, width=128, depth=2, batch_size=256, steps=MANY)
IMAGES = GANConfig(dataset="digits", network="dcgan", width=16, latent_dim=64, batch_size=64, lr_g=2e-4, lr_d=2e-4, steps=1500)
DRAG = """async (input) => {
  const times = [], max = Number(input.max), frames = 180, middle = frames / 2;
  for (let k = 0; k <= frames; k++) {
    input.value = Math.round((max * Math.abs(k - middle)) / middle);
    input.dispatchEvent(new Event("input", { bubbles: true }));
    await new Promise((done) => requestAnimationFrame(done));
    times.push(performance.now());
  }
  const gaps = times.slice(1).map((t, k) => t - times[k]);
  return { rate: (1000 * gaps.length) / (times.at(-1) - times[0]), longest: Math.max(...gaps) };
}"""
FED = """() => performance.getEntriesByType("resource").filter((e) => e.name.includes("/live/"))
  .map((e) => [e.responseStatus, e.transferSize])"""


class Page:
    """The app with a browser on it."""

    def __init__(self, folder: Path, page):
        self.server, self.store, self.page = Server(folder), RunStore(folder), page

    def watch(self, config: GANConfig, all_views: bool = False) -> str:
        """A run that trains, with its page open."""
        run = waiting_run(self.store, config)
        self.page.goto(f"{self.server.url}?run={run}")
        self.button("Resume").click(timeout=60_000)
        await_until(lambda: self.store.get(run).step > 0, 60)
        self.page.locator(".monitor[data-step]").wait_for()
        if all_views:
            self.show_all()
        return run

    def show_all(self) -> None:
        """Switch all layers on, and the networks' inside."""
        off = self.page.locator('.tools button[aria-pressed="false"]:visible')
        while off.count():
            off.first.click()
        self.button("Inside").click()

    def button(self, name: str):
        return self.page.get_by_role("button", name=name, exact=True)

    def stop(self, run: str) -> None:
        if self.store.get(run).is_live:
            self.store.add_command(run, "stop")
            await_until(lambda: not self.store.get(run).is_live)


def load(app: Page) -> dict:
    seconds = []
    for _ in range(4):
        begun = time.perf_counter()
        app.page.goto(app.server.url)
        app.button("Start").wait_for(timeout=60_000)
        app.page.locator('.monitor canvas[data-step="0"]').wait_for()
        seconds.append(time.perf_counter() - begun)
    return {"first_s": round(seconds[0], 2), "later_s": round(statistics.median(seconds[1:]), 2)}


def start(app: Page, tries: int = 7) -> dict:
    seconds = []
    for _ in range(tries):
        app.page.goto(f"{app.server.url}?run=new")
        app.button("Start").wait_for()
        app.page.locator('.monitor canvas[data-step="0"]').wait_for()
        begun = time.perf_counter()
        app.button("Start").click()
        app.page.locator('.monitor:not([data-run=""]) .caption', has_text="Colour behind the points").wait_for()
        seconds.append(time.perf_counter() - begun)
        app.stop(app.store.runs()[0].id)
    return {"median_s": round(statistics.median(seconds), 2), "worst_s": round(max(seconds), 2), "tries": tries}


def refresh(app: Page, seconds: float = 10.0) -> dict:
    run = app.watch(POINTS, all_views=True)
    canvas, steps = app.page.locator(".monitor canvas.points"), set()
    app.page.evaluate("() => performance.clearResourceTimings()")
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        steps.add(canvas.get_attribute("data-step"))
        time.sleep(0.02)
    fed = [size for status, size in app.page.evaluate(FED) if status == 200]
    app.stop(run)
    return {
        "pictures_per_s": round((len(steps) - 1) / seconds, 2),
        "answers_per_s": round(len(fed) / seconds, 2),
        "kB_per_answer": round(statistics.median(fed) / 1024, 1),
    }


def rate(app: Page, windows: int, seconds: float) -> dict:
    run = app.watch(POINTS, all_views=True)

    def window(url: str) -> float:
        app.page.goto(url)
        if url != "about:blank":
            app.page.locator(".monitor[data-step]").wait_for()
            app.show_all()
        time.sleep(2)
        return server_rate(app.store, run, seconds)

    addresses = {"alone": "about:blank", "watched": f"{app.server.url}?run={run}"}
    found = {name: max(rates) for name, rates in in_turns(addresses, window, windows).items()}
    app.stop(run)
    return {**{name: round(value, 1) for name, value in found.items()}, "ratio": round(found["watched"] / found["alone"], 3)}


def in_turns(addresses: dict[str, str], window: Callable[[str], float], windows: int) -> dict[str, list[float]]:
    rates: dict[str, list[float]] = {name: [] for name in addresses}
    for _ in range(windows):
        for name, url in addresses.items():
            rates[name].append(window(url))
    return rates


def scrub(app: Page) -> dict:
    found = {}
    for name, config in (("points", POINTS.but(steps=6000)), ("images", IMAGES)):
        run = app.watch(config)
        await_until(lambda run=run: app.store.get(run).status == "finished", 300)
        app.page.reload()
        slider = app.page.locator(".film input")
        app.page.get_by_role("button", name="Replay").click()  # fetches the film
        app.page.locator(".monitor[data-shown]:not([data-shown=''])").wait_for()
        app.button("Back to now").click()
        tries = [slider.evaluate(DRAG) for _ in range(3)]
        found[name] = {
            "frames_per_s": round(statistics.median(t["rate"] for t in tries), 1),
            "longest_gap_ms": round(statistics.median(t["longest"] for t in tries)),
            "pictures": len(app.store.film_steps(run)),
        }
    return found


def click(app: Page, tries: int = 9) -> dict:
    run = app.watch(POINTS)
    seconds = []
    for _ in range(tries):
        for name, after, status in (("Pause", "Resume", "paused"), ("Resume", "Pause", "running")):
            button = app.button(name)
            button.wait_for()
            time.sleep(1)
            begun = time.perf_counter()
            button.click()
            app.button(after).wait_for()
            await_until(lambda status=status: app.store.get(run).status == status)
            seconds.append(time.perf_counter() - begun)
    app.stop(run)
    return {"median_ms": round(1000 * statistics.median(seconds)), "worst_ms": round(1000 * max(seconds)), "tries": len(seconds)}


def memory(app: Page, minutes: float) -> dict:
    run = app.watch(POINTS, all_views=True)
    session = app.page.context.new_cdp_session(app.page)
    at, server, tab = [], [], []
    begun = time.monotonic()
    while time.monotonic() - begun < 60 * minutes:
        time.sleep(15)
        session.send("HeapProfiler.collectGarbage")
        at.append((time.monotonic() - begun) / 60)
        server.append(resident(app.server.process.pid))
        tab.append(app.page.evaluate("() => performance.memory.usedJSHeapSize") / 2**20)
    app.stop(run)
    settled = [k for k, t in enumerate(at) if t > minutes / 4]  # imports and caches fill up first
    told = {}
    for name, values in (("server", server), ("tab", tab)):
        mean, change, error = slope(at, values, settled)
        told[name] = {"MB": round(mean, 1), "MB_per_minute": round(change, 3), "error": round(error, 3)}
    return {"minutes": minutes, **told}


def resident(pid: int) -> float:
    """MB of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def slope(at: list[float], values: list[float], rows: list[int]) -> tuple[float, float, float]:
    """Mean of some of the values, their change in a unit of time by least squares, and its standard error."""
    x, y = np.array(at)[rows], np.array(values)[rows]
    centred = x - x.mean()
    change = float((centred * y).sum() / (centred**2).sum())
    rest = y - y.mean() - change * centred
    error = float(np.sqrt((rest**2).sum() / max(1, len(x) - 2) / (centred**2).sum()))
    return float(y.mean()), change, error


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = ("load", "start", "refresh", "rate", "scrub", "click", "memory")
    parser.add_argument("--only", nargs="+", choices=parts, default=parts, help="some parts only")
    parser.add_argument("--minutes", type=float, default=20.0, help="how long memory is watched (default: 20)")
    parser.add_argument("--windows", type=int, default=4, help="windows of each contender of rate (default: 4)")
    parser.add_argument("--json", action="store_true", help="accepted for uniformity; the output is always JSON")
    args = parser.parse_args()
    measure = {
        "load": load,
        "start": start,
        "refresh": refresh,
        "rate": lambda app: rate(app, args.windows, 4.0),
        "scrub": scrub,
        "click": click,
        "memory": lambda app: memory(app, args.minutes),
    }
    result: dict = {"machine": {"cores": os.cpu_count(), "python": platform.python_version(), "torch": torch.__version__}}
    for part in args.only:
        with tempfile.TemporaryDirectory() as name, chromium() as page:
            app = Page(Path(name), page)
            try:
                result[part] = measure[part](app)
            finally:
                app.server.stop()
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
