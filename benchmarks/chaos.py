"""What kill -9 loses: python -m benchmarks.chaos [--kills N] [--seed S] [--json]

The app's server, with two slots and a browser tab open. In its process a thread starts, pauses, resumes, changes, forks, deletes
and imports runs at random: single ones, pairs, members and maps. It is killed at a random moment, everything that it left is
checked, and the next one takes up what there is; as often as was asked for. The last one finishes all that is left.

Checked after every kill: SQLite's integrity_check; that every run is there and can be read, those being deleted wholly or not at
all; that every checkpoint has its checksum; how many seconds of curves were lost, by what the process said about itself until its
end. After every start: that no run is called live, and that no file is left that belongs to nothing. Of every run that is
finished: that its weights are those of an unbroken run of the same config, bit for bit; of every finished cell of a map, its
samples. Configs are tiny. The servers are forked from a process that has imported all they need already, and has no thread.

`lost_s` is of the curves that are there after the kill. A run goes on from its last checkpoint and makes the curves after it
again, which `again_s` counts. `pages_seen` is how often the tab showed a run that had moved on, `served` how many of the servers
had answered it before they were killed.
"""

from __future__ import annotations

import argparse
import importlib
import io
import json
import os
import random
import signal
import sqlite3
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from benchmarks.serving import ROOT, await_until, chromium, free_port
from gan_core import GANConfig, Runner, RunStore, Trainer, bundle, data
from gan_core.checkpoints import digest
from gan_core.errors import PlaygroundError
from gan_core.maps import Axis, MapSpec
from gan_core.schema import RUN_TABLES
from gan_core.store import ENDED, LIVE, RESUMABLE
from ui import engine

BASE = GANConfig(latent_dim=4, width=16, depth=1, batch_size=16, steps=600)
CONFIGS = [
    BASE,
    BASE.but(seed=1, penalty="lecam", replay=0.5),
    BASE.but(seed=2, ema_decay=0.9, steps=400),
    BASE.but(dataset="digits", network="dcgan", width=4, batch_size=8, steps=30),
]
MEMBERS = [BASE.but(seed=seed, steps=300) for seed in range(3)]
MAP = MapSpec(BASE.but(steps=100), Axis("lr_g", (1e-3, 1e-2)), Axis("width", (8, 16)), seeds=2)
MOST = 24  # runs, from which on old ones are deleted
LIVES = (0.05, 8.0)  # seconds from the start to the kill
STUCK = 15.0  # seconds without anything new on the tab, after which it is loaded again: its code may have come in part only
LOOK = 0.2  # seconds between two looks at the tab
ENOUGH = 240.0  # seconds for all runs that are left to end


class Journal:
    """Lines that outlive a kill: what a process was about to do, and how far its runs were in memory."""

    def __init__(self, path: Path):
        self.path = path
        self._file = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY)

    def tell(self, *values: Any) -> None:
        os.write(self._file, (json.dumps(values) + "\n").encode())

    def read(self) -> list[list[Any]]:
        return [json.loads(line) for line in self.path.read_text().splitlines() if line.endswith("]")]


# The server that is killed


def serve(port: int) -> None:
    """The app's server, until it is killed."""
    from streamlit.web import cli

    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Streamlit's greeting is no part of the result
    arguments = [str(ROOT / "app.py"), "--server.port", str(port), "--server.headless", "true", "--logger.level", "error"]
    cli.main(["run", *arguments], standalone_mode=False)


def import_all() -> None:
    """What the server imports when it starts and when the first page is opened, so that its forks need not."""
    importlib.import_module("streamlit.web.cli")
    importlib.import_module("streamlit.web.server.starlette.starlette_server")
    importlib.import_module("ui.feed")
    importlib.import_module("gan_core.vision")
    data.load("digits")


def keep_tab_open(url: str, journal: Journal) -> None:
    """A tab on the Playground, which connects again whenever there is a server, until this process is ended."""
    from playwright.sync_api import Error

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with chromium() as page:
        shown, moved = None, time.monotonic()
        while True:
            with suppress(Error):  # there may be no server at this moment
                if not page.url.startswith(url) or time.monotonic() - moved > STUCK:
                    moved = time.monotonic()
                    page.goto(url, timeout=10_000, wait_until="commit")
                now = page.locator(".monitor[data-step]").first.evaluate("(m) => [m.dataset.run, m.dataset.step]", timeout=500)
                if now != shown:
                    shown, moved = now, time.monotonic()
                    journal.tell("seen", time.time())
            time.sleep(LOOK)


class Life:
    """What a server does until it is killed, beside serving."""

    def __init__(self, folder: Path, journal: Journal, gift: bytes, seed: int):
        self.journal, self.gift, self.draw = journal, gift, random.Random(seed)
        self.runner = engine.runner()
        self.store = self.runner.store
        self._look_around()
        self.doing: dict[str, Callable[[], None]] = {
            "start": self.start, "resume": self.resume, "command": self.command, "delete": self.delete, "import": self.take_in,
            "fork": self.fork,
        }  # fmt: skip

    def _look_around(self) -> None:
        for run in self.store.runs(LIVE, kind=None):
            self.journal.tell("fault", f"{run.id} is {run.status} although nobody trains it")
        known = {run.id for run in self.store.runs(kind=None)}
        for path in self.store.folder.iterdir():
            if path.is_dir() and path.name != "owners" and path.name not in known:
                self.journal.tell("fault", f"the folder {path.name} belongs to no run")
        for path in self.store.folder.rglob("*.part"):
            self.journal.tell("fault", f"{path.name} was left behind")
        self.journal.tell("up", time.time())

    def live_on(self) -> None:
        self.resume()
        while True:
            self.act(self.draw.choice(list(self.doing)))
            time.sleep(self.draw.uniform(0, 0.1))

    def act(self, name: str) -> None:
        with suppress(PlaygroundError):  # a run may have ended since it was chosen
            self.doing[name]()

    def watch(self) -> None:
        """Tell how far the runs are in memory, many times a second."""
        while True:
            for worker in set(self.runner._workers.values()):
                for session in worker.sessions:
                    if session.status == "running" and session.trainer is not None:
                        self.journal.tell("at", time.time(), session.run, session.step)
            time.sleep(0.02)

    def finish(self) -> None:
        """Let all runs come to their end."""
        for run in self.store.runs(RESUMABLE, kind=None):
            if run.kind == "run":
                self.runner.send(run.id, "pace", 0.0)
            self.runner.resume(run.id)
        await_until(lambda: not self.store.runs(LIVE, kind=None), ENOUGH)
        self.runner.shutdown()

    def start(self) -> None:
        if len(self.store.runs(LIVE, kind=None)) >= 8:
            return
        kind = self.draw.choice(["one", "one", "paused", "paced", "pair", "members", "map"])
        if kind == "map":
            self.journal.tell("made", self.runner.start_map(MAP))
        elif kind == "pair":
            for run in self.runner.start_pair(*self.draw.sample(CONFIGS[:3], 2)):
                self.journal.tell("made", run)
        else:
            configs = MEMBERS if kind == "members" else [self.draw.choice(CONFIGS)]
            self.journal.tell("made", self.runner.start(configs, paused=kind == "paused", pace=50.0 if kind == "paced" else 0.0))

    def _some(self, *statuses: str) -> str:
        runs = self.store.runs(statuses, kind=None)
        if not runs:
            raise PlaygroundError
        return self.draw.choice(runs).id

    def resume(self) -> None:
        for run in self.store.runs(RESUMABLE, kind=None)[:4]:
            with suppress(PlaygroundError):
                self.runner.resume(run.id)

    def command(self) -> None:
        run, kind = self._some(*LIVE), self.draw.choice(["pause", "resume", "resume", "step", "stop", "pace", "set"])
        value: Any = {"pace": 0.0, "set": {"penalty_weight": 1.0}}.get(kind)  # which changes no number
        self.runner.send(run, kind, value)

    def delete(self) -> None:
        if len(self.store.runs(kind=None)) > MOST:
            run = self._some(*ENDED)
            self.journal.tell("deleting", run)
            self.runner.delete(run)

    def take_in(self) -> None:
        if len(self.store.runs(kind=None)) <= MOST:
            self.journal.tell("made", bundle.import_(self.store, io.BytesIO(self.gift)))

    def fork(self) -> None:
        if len(self.store.runs(kind=None)) <= MOST:
            run = self.store.get(self._some("running", "paused", "stopped", "interrupted"))
            self.journal.tell("made", self.runner.fork(run.id, changes={"steps": run.steps}))


def live(folder: Path, journal: Journal, gift: bytes, seed: int, port: int) -> None:
    """One life of the server."""
    life = Life(folder, journal, gift, seed)
    for work in (life.watch, life.live_on):
        threading.Thread(target=_or_end, args=(work,), daemon=True).start()
    serve(port)


def _or_end(work: Callable[[], None]) -> None:
    """A thread whose error ends its process."""
    try:
        work()
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def in_a_process(work: Callable[[], None]) -> int:
    """Fork; returns the process's id."""
    sys.stdout.flush()
    if pid := os.fork():
        return pid
    try:
        torch.set_num_threads(1)
        work()
        os._exit(0)
    except SystemExit as ended:
        os._exit(ended.code or 0)
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        os._exit(1)


def done(work: Callable[[], None]) -> None:
    """Do something in a process of its own, to its end."""
    _, status = os.waitpid(in_a_process(work), 0)
    if status:
        raise RuntimeError("a process ended with an error, which stands above")


# What it left


class Checks:
    """What must hold, and what was lost."""

    def __init__(self, folder: Path, journal: Journal, references: Path):
        self.folder, self.journal, self.references = folder, journal, references
        self.faults: list[str] = []
        self.lost: list[float] = []  # seconds of curves, of each run that was running at a kill
        self.worst: list[tuple[float, str, str]] = []  # the most of them, with whose and what it said last
        self.again: list[float] = []  # seconds of training since the last checkpoint
        self.equal: set[tuple[str, int]] = set()  # runs with their last step, and cells of maps
        self.states: dict[str, int] = {}  # status at a kill -> how often
        self.checkpoints = 0
        self.served = 0  # servers that the tab has seen

    def after_a_kill(self, at: float, born: float = 0.0) -> None:
        """Look at what a server left that was born and killed at these moments."""
        store = RunStore(self.folder)
        db = sqlite3.connect(self.folder / "runs.db")
        if (found := db.execute("PRAGMA integrity_check").fetchone()[0]) != "ok":
            self.faults.append(f"integrity_check: {found}")
        rows = {row[0]: row[1] for row in db.execute("SELECT id, status FROM runs")}
        for table in RUN_TABLES:
            for (run,) in db.execute(f"SELECT DISTINCT run FROM {table}"):
                if run not in rows:
                    self.faults.append(f"{table} has rows of {run}, which is gone")
        db.close()
        lines = self.journal.read()
        self.faults += [line[1] for line in lines if line[0] == "fault" and line[1] not in self.faults]
        going = {line[1] for line in lines if line[0] == "deleting"}
        for run in {line[1] for line in lines if line[0] == "made"} - going - rows.keys():
            self.faults.append(f"{run} is gone")
        if len(store.runs(kind=None)) != len(rows):
            self.faults.append("a run cannot be read")
        for run in store.runs(kind=None):
            self.states[run.status] = self.states.get(run.status, 0) + 1
            self._check_files(store, run)
            if run.status == "finished":
                self._check_bits(store, run)
        self.served += any(line[0] == "seen" and line[1] >= born for line in lines)
        self._count_losses(store, lines, at)
        store.close()

    def _check_files(self, store: RunStore, run: Any) -> None:
        steps = store.checkpoint_steps(run.id)
        if run.kind == "run" and run.step > 0 and not steps:
            self.faults.append(f"{run.id} is at step {run.step} and has no checkpoint")
        for step in steps:
            self.checkpoints += 1
            path = store.checkpoint_path(run.id, step)
            if not path.is_file() or digest(path) not in store.checkpoint_digest(run.id, step).split():
                self.faults.append(f"{run.id}: the checkpoint at {step} is {'damaged' if path.is_file() else 'missing'}")

    def _count_losses(self, store: RunStore, lines: list[list[Any]], at: float) -> None:
        """Of each run that was running: since when the store knows nothing of what it did."""
        up = max((line[1] for line in lines if line[0] == "up"), default=at)
        told: dict[str, list[tuple[float, int]]] = {}
        for line in lines:
            if line[0] == "at" and line[1] >= up:
                told.setdefault(line[2], []).append((line[1], line[3]))
        for run, moments in told.items():
            with suppress(PlaygroundError):  # it is being deleted
                row = store.get(run)
                if row.status in ENDED or at - moments[-1][0] > 0.5:
                    continue  # it was not running at the end
                for known, found in ((row.step, self.lost), (max(store.checkpoint_steps(run), default=0), self.again)):
                    if row.kind == "run" or found is self.lost:
                        later = [moment for moment, step in moments if step > known]
                        found.append(max(0.0, at - later[0]) if later else 0.0)
                what = f"{len(row.configs)} x {row.config.dataset} ({row.kind}), {moments[-1][1] - row.step} steps"
                self.worst = sorted([*self.worst, (round(self.lost[-1], 2), what, row.message)], reverse=True)[:3]

    def _check_bits(self, store: RunStore, run: Any) -> None:
        if run.kind == "map":
            reference = torch.load(self.references / "map.pt")
            for cell in store.finished_cells(run.id, MAP.base.steps):
                if store.cell_samples(run.id, cell) != reference[cell]:
                    self.faults.append(f"{run.id}: the samples of cell {cell} are not those of an unbroken map")
                self.equal.add((run.id, cell))
            return
        if (run.id, run.step) in self.equal:
            return
        state = store.load_checkpoint(run.id, run.steps)
        same = [k for k, configs in enumerate(wanted()) if [c.model_dump() for c in configs] == state["configs"]]
        if not same:
            self.faults.append(f"{run.id} has settings that nobody gave it")
            return
        reference = torch.load(self.references / f"{same[0]}.pt")
        if not all(torch.equal(tensor, reference[name]) for name, tensor in state["tensors"].items()):
            self.faults.append(f"{run.id}: its weights are not those of an unbroken run")
        self.equal.add((run.id, run.step))


def wanted() -> list[list[GANConfig]]:
    """The configs of all runs but maps."""
    return [*([config] for config in CONFIGS), MEMBERS]


def prepare(folder: Path) -> None:
    """Unbroken runs, to compare with, and a bundle of a run in its middle."""
    for k, configs in enumerate(wanted()):
        torch.save(Trainer(configs, tolerant=len(configs) > 1).train().state_dict()["tensors"], folder / f"{k}.pt")
    store = RunStore(folder / "unbroken")
    runner = Runner(store)
    run = runner.start_map(MAP)
    await_until(lambda: store.get(run).status == "finished", ENOUGH)
    torch.save({cell: store.cell_samples(run, cell) for cell in range(len(MAP))}, folder / "map.pt")
    half = runner.start(CONFIGS[0], "given away", until={"step": 300})
    await_until(lambda: store.get(half).status == "paused", ENOUGH)
    bundle.export(store, half, folder / "gift.ganrun")
    runner.shutdown()


def chaos(kills: int, seed: int) -> dict[str, Any]:
    draw, begun = random.Random(seed), time.monotonic()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ |= {
            "GAN_PLAYGROUND_DATA": str(folder / "data"),
            "GAN_PLAYGROUND_RUNS": str(folder / "runs"),
            "GAN_PLAYGROUND_SLOTS": "2",
        }
        import_all()
        done(lambda: prepare(folder))
        gift = (folder / "gift.ganrun").read_bytes()
        journal = Journal(folder / "journal")
        checks = Checks(folder / "runs", journal, folder)
        started, port = time.monotonic(), free_port()
        tab = in_a_process(lambda: keep_tab_open(f"http://localhost:{port}/", journal))
        try:
            for k in range(kills):
                born = time.time()
                pid = in_a_process(lambda k=k: live(folder / "runs", journal, gift, seed + k, port))
                time.sleep(draw.uniform(*LIVES))
                if os.waitpid(pid, os.WNOHANG) != (0, 0):
                    raise RuntimeError("the server ended by itself, with what stands above")
                os.kill(pid, signal.SIGKILL)
                at = time.time()
                os.waitpid(pid, 0)
                checks.after_a_kill(at, born)
                print(f"\r{k + 1} kills, {len(checks.faults)} faults", end="", file=sys.stderr, flush=True)
        finally:
            os.kill(tab, signal.SIGTERM)
            os.waitpid(tab, 0)
        ended = time.monotonic()
        print(file=sys.stderr)
        done(lambda: Life(folder / "runs", journal, gift, seed).finish())
        checks.after_a_kill(time.time(), time.time())
        left = [run.id for run in RunStore(folder / "runs").runs(kind=None) if run.status != "finished"]
        seen = sum(line[0] == "seen" for line in journal.read())
    return {
        "what": "the app's server with two slots and a tab open, forked, killed by SIGKILL",
        "kills": kills,
        "seed": seed,
        "seconds": {"all": round(time.monotonic() - begun), "kills": round(ended - started)},
        "faults": checks.faults,
        "unfinished_at_the_end": left,
        "running_at_a_kill": len(checks.lost),
        "lost_s": {"most": round(max(checks.lost, default=0.0), 2), "mean": round(_mean(checks.lost), 2)},
        "worst": checks.worst,
        "again_s": {"most": round(max(checks.again, default=0.0), 2), "mean": round(_mean(checks.again), 2)},
        "statuses_at_kills": dict(sorted(checks.states.items())),
        "served": checks.served,
        "pages_seen": seen,
        "checkpoints_checked": checks.checkpoints,
        "equal_to_unbroken": len(checks.equal),
    }


def _mean(values: list[float]) -> float:
    return sum(values) / max(1, len(values))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100, help="how many (default: 100)")
    parser.add_argument("--seed", type=int, default=0, help="of everything that is drawn (default: 0)")
    parser.add_argument("--json", action="store_true", help="accepted for uniformity; the output is always JSON")
    args = parser.parse_args()
    found = chaos(args.kills, args.seed)
    print(json.dumps(found, indent=1))
    unseen = args.kills >= 20 and not found["served"]  # a tab that never shows anything is no tab
    sys.exit(bool(found["faults"] or found["unfinished_at_the_end"] or found["lost_s"]["most"] > 2 or unseen))


if __name__ == "__main__":
    main()
