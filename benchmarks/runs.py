"""How fast the Runs page is with many runs: python -m benchmarks.runs [--runs N] [--tries N] [--json]

One small GAN is trained; N rows of the store are copies of it, with its picture, series and checkpoints' rows (their files are
left out, which no list reads). A headless Chromium at 1280 x 800 opens the page of a warm server. Medians, with the worst;
"few" is the same with 30 runs, which says how much of the time is not due to their number.

- page: from the navigation until the table is drawn with all its buttons.
- search: from the first key of a search until the count below the list is that of the runs that fit. The field waits 200 ms
  after the last key.
- store: the queries behind one look at the list, and choosing and ordering its lines.
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

from benchmarks.serving import Server, chromium
from gan_core import GANConfig, Runner, RunStore
from gan_core.disk import usage
from gan_core.listing import Wanted, pick
from gan_core.store import _RUN_TABLES

SMALL = GANConfig(dataset="ring8", latent_dim=2, width=16, depth=1, batch_size=32, steps=300)
FEW = 30
WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heath", "inlet", "jetty")


def fill(folder: Path, count: int) -> RunStore:
    """A store with so many runs."""
    store = RunStore(folder)
    runner = Runner(store)
    first = runner.start(SMALL, "original")
    runner.wait(first)
    runner.shutdown()
    db = store._db()  # copies are no way to use a store, so there is none but this
    db.execute("BEGIN")
    columns = [row[1] for row in db.execute("PRAGMA table_info(runs)")]
    row = dict(db.execute("SELECT * FROM runs WHERE id = ?", (first,)).fetchone())
    for k in range(count - 1):
        run = f"20260101-000000-{k:06x}"
        tags = json.dumps([WORDS[k % 3]])
        changed = {"id": run, "name": f"{WORDS[k % 10]} {k}", "tags": tags, "created": row["created"] - k, "starred": k % 7 == 0}
        db.execute(f"INSERT INTO runs VALUES ({', '.join('?' * len(columns))})", tuple(({**row, **changed})[c] for c in columns))
        for table in _RUN_TABLES:
            names = [r[1] for r in db.execute(f"PRAGMA table_info({table})") if r[1] not in ("run", "id")]
            listed = ", ".join(names)
            db.execute(f"INSERT INTO {table} (run, {listed}) SELECT ?, {listed} FROM {table} WHERE run = ?", (run, first))
    db.execute("COMMIT")
    return store


def timed(act: Callable[[], object], tries: int) -> dict:
    """Milliseconds: median and worst."""
    taken = []
    for _ in range(tries):
        begun = time.perf_counter()
        act()
        taken.append(1000 * (time.perf_counter() - begun))
    return {"median_ms": round(statistics.median(taken), 1), "worst_ms": round(max(taken), 1), "tries": tries}


def browsed(store: RunStore, page, url: str, tries: int) -> dict:
    """What a person waits for."""
    from playwright.sync_api import expect

    expect.set_options(timeout=60_000)
    words = [word for word in WORDS if word != WORDS[0]]
    expected = {word: len(pick(store.lines(), Wanted(text=word))) for word in words}

    def open_page() -> None:
        page.goto(f"{url}runs")
        expect(page.get_by_text(" used")).to_be_visible()
        expect(page.get_by_test_id("stDataFrame").locator("canvas").first).to_be_visible()

    open_page()  # the first page of a server imports everything
    turns = iter(words * tries)
    field = page.get_by_placeholder("Name, note")

    def search() -> None:
        word = next(turns)
        field.fill("")
        expect(page.get_by_text("in all")).to_have_count(0)
        begun = time.perf_counter()
        field.press_sequentially(word)
        expect(page.get_by_text(f"{expected[word]} runs, of ")).to_be_visible()
        taken.append(1000 * (time.perf_counter() - begun))

    opened = timed(open_page, tries)
    taken: list[float] = []
    for _ in range(tries):
        search()
    found = {"median_ms": round(statistics.median(taken), 1), "worst_ms": round(max(taken), 1), "tries": tries}
    return {"page": opened, "search": found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000, help="how many (default: 1000)")
    parser.add_argument("--tries", type=int, default=9, help="of each kind (default: 9)")
    parser.add_argument("--json", action="store_true", help="accepted for uniformity; the output is always JSON")
    args = parser.parse_args()
    if args.runs < FEW:
        parser.error(f"--runs {args.runs} is too few: expected {FEW} or more")
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "load": round(os.getloadavg()[0], 1)}
    result: dict = {"machine": machine, "runs": args.runs}
    for name, count in (("few", FEW), ("many", args.runs)):
        with tempfile.TemporaryDirectory() as folder, chromium() as page:
            store = fill(Path(folder), count)
            server = Server(Path(folder))
            try:
                result[name] = browsed(store, page, server.url, args.tries)
            finally:
                server.stop()
            lines = store.lines()
            result[name]["store"] = {
                "lines": timed(store.lines, args.tries),
                "usage": timed(lambda store=store: usage(store), args.tries),
                "pick": timed(lambda lines=lines: pick(lines, Wanted(text="amber ring", sort="held")), args.tries),
            }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
