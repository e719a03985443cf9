"""How fast the Runs page is with many runs: python -m benchmarks.runs [--runs N] [--tries N] [--json]

One small GAN is trained; N rows of the store are copies of it, with its picture, series and checkpoints' rows (their files are
left out, which no list reads). A headless Chromium at 1280 x 800 opens the page of a warm server. Medians, with the worst;
"few" is the same with 30 runs, which says how much of the time is not due to their number.

- page: from the navigation until what the window shows is drawn, the table's lines with their pictures and all buttons, with all
  that a browser loads of Streamlit; whole: until all 50 lines of the table are there.
- switch: as page, from a click in the sidebar of another page.
- bare: from the navigation until the empty Compare page is drawn, which has no table, for comparison.
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
from gan_core.schema import RUN_TABLES

SMALL = GANConfig(dataset="ring8", latent_dim=2, width=16, depth=1, batch_size=32, steps=300)
FEW = 30
VIEWS = "[...document.querySelectorAll('[data-testid=stBidiComponentIsolated]')]"
ON_PAGE = 50  # lines, or as many as there are
# the lines that can be seen, a row of them below, and their pictures
DRAWN = f"""{VIEWS}.some((view) => {{
    const list = view.shadowRoot?.querySelector(".list");
    const last = list?.querySelector("tbody tr:last-child");
    if (!last) return false;
    const low = Math.min(innerHeight, list.getBoundingClientRect().bottom);
    const below = (element) => element.getBoundingClientRect().top > low;
    return below(last) && [...list.querySelectorAll("img")].every((i) => below(i) || (i.complete && i.naturalWidth));
}})"""
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
        for table in RUN_TABLES:
            names = [r[1] for r in db.execute(f"PRAGMA table_info({table})") if r[1] not in ("run", "id")]
            listed = ", ".join(names)
            db.execute(f"INSERT INTO {table} (run, {listed}) SELECT ?, {listed} FROM {table} WHERE run = ?", (run, first))
    db.execute("COMMIT")
    return store


def took(act: Callable[[], object]) -> float:
    """Milliseconds."""
    begun = time.perf_counter()
    act()
    return 1000 * (time.perf_counter() - begun)


def told(taken: list[float]) -> dict:
    return {"median_ms": round(statistics.median(taken), 1), "worst_ms": round(max(taken), 1), "tries": len(taken)}


def timed(act: Callable[[], object], tries: int) -> dict:
    return told([took(act) for _ in range(tries)])


def browsed(store: RunStore, page, url: str, tries: int, count: int) -> dict:
    """What a person waits for. The browser itself looks at each frame: asking it from here would add up to a second."""
    page.set_default_timeout(60_000)
    whole = f"{VIEWS}.some((view) => view.shadowRoot?.querySelectorAll('.list tbody tr').length >= {min(count, ON_PAGE)})"
    words = [word for word in WORDS if word != WORDS[0]]
    expected = {word: len(pick(store.lines(), Wanted(text=word))) for word in words}

    def until(condition: str) -> None:
        page.wait_for_function(condition)

    def text(words: str) -> str:
        return f"document.querySelector('[data-testid=stMain]')?.innerText.includes({json.dumps(words)})"

    def open_page() -> None:
        page.goto(f"{url}runs", wait_until="commit")
        until(f"{DRAWN} && {text(' used')}")

    def bare() -> None:
        page.goto(f"{url}compare", wait_until="commit")
        until(text("Choose the runs above"))

    def switch() -> None:
        page.get_by_test_id("stSidebar").get_by_role("link", name="Runs").click()
        until(f"{DRAWN} && {text(' used')}")

    open_page()  # the first page of a server imports everything
    found: dict[str, list[float]] = {"page": [], "whole": [], "switch": [], "bare": [], "search": []}
    for _ in range(tries):
        found["page"].append(took(open_page))
        found["whole"].append(found["page"][-1] + took(lambda: until(whole)))
        found["bare"].append(took(bare))
        found["switch"].append(took(switch))
    field = page.get_by_placeholder("Name, note")
    for word in (words * tries)[:tries]:
        field.fill("")
        until(text("in all") + " === false")
        field.focus()
        found["search"].append(took(lambda word=word: (page.keyboard.type(word), until(text(f"{expected[word]} runs, of ")))))
    return {name: told(taken) for name, taken in found.items()}


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
                result[name] = browsed(store, page, server.url, args.tries, count)
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
