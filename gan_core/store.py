"""RunStore: what is known of every run, in one SQLite database and one folder a run.

The database holds what is asked for often (configs, status, curves, events, commands, the latest picture); the folder
holds checkpoints. Any number of threads and processes may use a store at once: SQLite's write-ahead log lets readers
go on while one writes, and files get their name only when they are whole.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .checkpoints import digest, read_checkpoint, write_checkpoint
from .config import GANConfig
from .errors import ConfigError, RunError
from .networks import NETWORKS

SCHEMA = 1
LIVE = ("queued", "running", "paused")  # a worker holds the run in memory, or will
ENDED = ("stopped", "interrupted", "finished", "failed")
RESUMABLE = ("stopped", "interrupted", "failed")  # ended before its planned length
KEPT_CHECKPOINTS = 12

_TABLES = """
CREATE TABLE IF NOT EXISTS runs (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, configs TEXT NOT NULL, status TEXT NOT NULL, owner TEXT,
    created REAL NOT NULL, updated REAL NOT NULL, step INTEGER NOT NULL DEFAULT 0, steps INTEGER NOT NULL,
    rate REAL NOT NULL DEFAULT 0, seconds REAL NOT NULL DEFAULT 0, message TEXT NOT NULL DEFAULT '', pair TEXT,
    metrics TEXT NOT NULL DEFAULT '{}');
CREATE INDEX IF NOT EXISTS runs_created ON runs (created);
CREATE INDEX IF NOT EXISTS runs_status ON runs (status);
CREATE TABLE IF NOT EXISTS series (
    run TEXT NOT NULL, kind TEXT NOT NULL, step INTEGER NOT NULL, value BLOB NOT NULL,
    PRIMARY KEY (run, kind, step)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY, run TEXT NOT NULL, step INTEGER NOT NULL, time REAL NOT NULL, kind TEXT NOT NULL,
    detail TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS events_run ON events (run);
CREATE TABLE IF NOT EXISTS commands (
    id INTEGER PRIMARY KEY, run TEXT NOT NULL, kind TEXT NOT NULL, value TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS commands_run ON commands (run);
CREATE TABLE IF NOT EXISTS frames (run TEXT PRIMARY KEY, step INTEGER NOT NULL, value BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS checkpoints (
    run TEXT NOT NULL, step INTEGER NOT NULL, digest TEXT NOT NULL, size INTEGER NOT NULL,
    PRIMARY KEY (run, step)) WITHOUT ROWID;
"""
_RUN_TABLES = ("series", "events", "commands", "frames", "checkpoints")


def runs_folder() -> Path:
    """Where runs are kept: GAN_PLAYGROUND_RUNS, else `runs/` in the project."""
    return Path(os.environ.get("GAN_PLAYGROUND_RUNS") or Path(__file__).resolve().parent.parent / "runs").expanduser()


@dataclass(frozen=True)
class Run:
    """One row of the list of runs.

    Attributes:
        status: "queued", "running", "paused", "stopped", "interrupted", "finished" or "failed".
        owner: the process that holds or held it.
        rate: generator steps a second, lately; seconds: time spent training.
        message: for the user: why it failed, what it waits for.
        pair: id shared by runs that were started side by side.
        metrics: the latest, name -> one number a member.
    """

    id: str
    name: str
    configs: tuple[GANConfig, ...]
    status: str
    owner: str | None
    created: float
    updated: float
    step: int
    steps: int
    rate: float
    seconds: float
    message: str
    pair: str | None
    metrics: dict[str, list[float]] = field(default_factory=dict)

    @property
    def config(self) -> GANConfig:
        """The first member's config."""
        return self.configs[0]

    @property
    def is_live(self) -> bool:
        return self.status in LIVE


class RunStore:
    """Opens, or makes, the store in a folder.

    Args:
        folder: None for GAN_PLAYGROUND_RUNS or `runs/`.

    Raises:
        RunError: the folder cannot be written, or holds something that is not a store.
    """

    def __init__(self, folder: Path | str | None = None):
        self.folder = Path(folder) if folder is not None else runs_folder()
        self._local = threading.local()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with self._write() as db:
                version = db.execute("PRAGMA user_version").fetchone()[0]
                if version > SCHEMA:
                    raise RunError(
                        f"{self.folder} was written by a newer version of GAN Playground (format {version}, "
                        f"this one knows {SCHEMA}). Update, or set GAN_PLAYGROUND_RUNS to another folder."
                    )
                for statement in _TABLES.split(";"):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {SCHEMA}")
        except (OSError, sqlite3.Error) as error:
            raise RunError(
                f"Runs cannot be kept in {self.folder} ({error}). Free some space there, or set "
                f"GAN_PLAYGROUND_RUNS to a folder that can be written."
            ) from error

    # Connections

    def _db(self) -> sqlite3.Connection:
        """This thread's connection."""
        db = getattr(self._local, "db", None)
        if db is None:
            db = sqlite3.connect(self.folder / "runs.db", timeout=10, isolation_level=None)
            db.row_factory = sqlite3.Row
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            self._local.db = db
        return db

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it or nothing."""
        db = self._db()
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise

    def close(self) -> None:
        """Close this thread's connection."""
        db = getattr(self._local, "db", None)
        if db is not None:
            db.close()
            self._local.db = None

    # Runs

    def create(self, configs: Sequence[GANConfig], name: str = "", pair: str | None = None, owner: str | None = None) -> str:
        """A new queued run; returns its id."""
        now = time.time()
        run = time.strftime("%Y%m%d-%H%M%S-", time.localtime(now)) + uuid.uuid4().hex[:6]
        first = configs[0]
        with self._write() as db:
            db.execute(
                "INSERT INTO runs (id, name, configs, status, owner, created, updated, steps, pair) "
                "VALUES (?, ?, ?, 'queued', ?, ?, ?, ?, ?)",
                (
                    run,
                    name.strip() or default_name(first),
                    json.dumps([c.model_dump() for c in configs]),
                    owner,
                    now,
                    now,
                    first.steps,
                    pair,
                ),
            )
        return run

    def get(self, run: str) -> Run:
        """Raises RunError where there is no such run."""
        row = self._db().execute("SELECT * FROM runs WHERE id = ?", (run,)).fetchone()
        if row is None:
            raise RunError(f"There is no run {run} in {self.folder}. See the Runs page, or: python -m gan_core runs")
        return self._run(row)

    def _run(self, row: sqlite3.Row) -> Run:
        values = dict(row)
        try:
            values["configs"] = tuple(GANConfig.parse(c) for c in json.loads(row["configs"]))
        except ConfigError as error:
            raise RunError(f"Run {row['id']} was made with settings that this version does not know: {error}") from error
        values["metrics"] = json.loads(row["metrics"])
        return Run(**values)

    def runs(self, status: Sequence[str] | None = None, limit: int = 1000) -> list[Run]:
        """Newest first, of some statuses or of all. A run that cannot be read any more is left out."""
        where = f"WHERE status IN ({', '.join('?' * len(status))})" if status is not None else ""
        rows = (
            self._db()
            .execute(f"SELECT * FROM runs {where} ORDER BY created DESC, rowid DESC LIMIT ?", (*(status or ()), limit))
            .fetchall()
        )
        found = []
        for row in rows:
            try:
                found.append(self._run(row))
            except RunError:
                continue
        return found

    def pair(self, pair: str) -> list[Run]:
        """The runs that were started side by side, in their order."""
        rows = self._db().execute("SELECT * FROM runs WHERE pair = ? ORDER BY rowid", (pair,)).fetchall()
        return [self._run(row) for row in rows]

    def update(self, run: str, **values: Any) -> None:
        """Set columns of a run: status, step, rate, seconds, message, owner, metrics, configs."""
        if "configs" in values:
            values["configs"] = json.dumps([c.model_dump() for c in values["configs"]])
        if "metrics" in values:
            values["metrics"] = json.dumps(values["metrics"])
        values["updated"] = time.time()
        with self._write() as db:
            db.execute(f"UPDATE runs SET {', '.join(f'{name} = ?' for name in values)} WHERE id = ?", (*values.values(), run))

    def claim(self, run: str, owner: str, expected: Sequence[str]) -> bool:
        """Queue a run for this owner, if it is still in one of the expected statuses. Only one claimant wins."""
        marks = ", ".join("?" * len(expected))
        with self._write() as db:
            cursor = db.execute(
                f"UPDATE runs SET status = 'queued', owner = ?, message = '', updated = ? WHERE id = ? AND status IN ({marks})",
                (owner, time.time(), run, *expected),
            )
            if cursor.rowcount == 1:
                db.execute("DELETE FROM commands WHERE run = ?", (run,))
            return cursor.rowcount == 1

    def delete(self, run: str) -> None:
        """Remove a run and all that belongs to it.

        Raises:
            RunError: it does not exist, or is live.
        """
        if self.get(run).is_live:
            raise RunError(f"Run {run} is still live. Stop it first.")
        with self._write() as db:
            db.execute("DELETE FROM runs WHERE id = ?", (run,))
            for table in _RUN_TABLES:
                db.execute(f"DELETE FROM {table} WHERE run = ?", (run,))
        shutil.rmtree(self.folder / run, ignore_errors=True)

    # What a run reports

    def report(
        self,
        run: str,
        *,
        step: int,
        rate: float,
        seconds: float,
        series: dict[str, list[tuple[int, np.ndarray]]],
        metrics: dict[str, list[float]] | None = None,
        frame: bytes | None = None,
        **values: Any,
    ) -> None:
        """Everything a training thread has to say at one moment, in one transaction.

        Args:
            series: kind ("train" or "metrics") -> rows (step, array (S, E)).
            frame: the latest picture.
            values: further columns, such as status or message.
        """
        values |= {"step": step, "rate": rate, "seconds": seconds, "updated": time.time()}
        if metrics is not None:
            values["metrics"] = json.dumps(metrics)
        with self._write() as db:
            db.execute(f"UPDATE runs SET {', '.join(f'{name} = ?' for name in values)} WHERE id = ?", (*values.values(), run))
            for kind, rows in series.items():
                db.executemany(
                    "INSERT OR REPLACE INTO series VALUES (?, ?, ?, ?)",
                    [(run, kind, at, np.asarray(row, np.float32).tobytes()) for at, row in rows],
                )
            if frame is not None:
                db.execute("INSERT OR REPLACE INTO frames VALUES (?, ?, ?)", (run, step, frame))

    def series(self, run: str, kind: str, after: int = -1, members: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Rows later than a step: (steps int64 (T,), values float32 (T, S, E))."""
        rows = (
            self._db()
            .execute(
                "SELECT step, value FROM series WHERE run = ? AND kind = ? AND step > ? ORDER BY step",
                (run, kind, after),
            )
            .fetchall()
        )
        steps = np.array([row[0] for row in rows], np.int64)
        values = np.frombuffer(b"".join(row[1] for row in rows), np.float32)
        return steps, values.reshape(len(rows), -1, members) if rows else np.zeros((0, 0, members), np.float32)

    def drop_series_after(self, run: str, step: int) -> None:
        """Forget points later than a step: a run that goes on from a checkpoint makes them again."""
        with self._write() as db:
            db.execute("DELETE FROM series WHERE run = ? AND step > ?", (run, step))

    def frame(self, run: str, after: int = -1) -> bytes | None:
        """The latest picture, if it is later than a step."""
        row = self._db().execute("SELECT value FROM frames WHERE run = ? AND step > ?", (run, after)).fetchone()
        return row[0] if row else None

    def add_event(self, run: str, step: int, kind: str, **detail: Any) -> None:
        """Note that something happened: a change of a value, a pause, an error."""
        with self._write() as db:
            db.execute(
                "INSERT INTO events (run, step, time, kind, detail) VALUES (?, ?, ?, ?, ?)",
                (run, step, time.time(), kind, json.dumps(detail)),
            )

    def events(self, run: str) -> list[dict]:
        """In order: {"step", "time", "kind", **detail}."""
        rows = self._db().execute("SELECT step, time, kind, detail FROM events WHERE run = ? ORDER BY id", (run,))
        return [{"step": r["step"], "time": r["time"], "kind": r["kind"], **json.loads(r["detail"])} for r in rows]

    # Commands

    def add_command(self, run: str, kind: str, value: Any = None) -> None:
        """Leave a command for whoever trains the run."""
        with self._write() as db:
            db.execute("INSERT INTO commands (run, kind, value) VALUES (?, ?, ?)", (run, kind, json.dumps(value)))

    def take_commands(self, run: str) -> list[tuple[str, Any]]:
        """All commands left for a run, in order; each is given out once."""
        if self._db().execute("SELECT 1 FROM commands WHERE run = ? LIMIT 1", (run,)).fetchone() is None:
            return []
        with self._write() as db:
            rows = db.execute("DELETE FROM commands WHERE run = ? RETURNING id, kind, value", (run,)).fetchall()
        return [(row["kind"], json.loads(row["value"])) for row in sorted(rows, key=lambda row: row["id"])]

    # Checkpoints

    def checkpoint_path(self, run: str, step: int) -> Path:
        return self.folder / run / "checkpoints" / f"{step:09d}.safetensors"

    def save_checkpoint(self, run: str, state: dict) -> None:
        """Keep a `Trainer.state_dict`. Of older ones an evenly spaced choice is kept, always with the first and last.

        Raises:
            OSError: it cannot be written; the ones before are untouched.
        """
        path = self.checkpoint_path(run, state["step"])
        write_checkpoint(path, state)
        with self._write() as db:
            db.execute(
                "INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?, ?)",
                (run, state["step"], digest(path), path.stat().st_size),
            )
        steps = self.checkpoint_steps(run)
        while len(steps) > KEPT_CHECKPOINTS:
            gone = _most_crowded(steps)
            steps.remove(gone)
            with self._write() as db:
                db.execute("DELETE FROM checkpoints WHERE run = ? AND step = ?", (run, gone))
            self.checkpoint_path(run, gone).unlink(missing_ok=True)

    def checkpoint_steps(self, run: str) -> list[int]:
        """The kept steps, ascending."""
        rows = self._db().execute("SELECT step FROM checkpoints WHERE run = ? ORDER BY step", (run,))
        return [row[0] for row in rows]

    def load_checkpoint(self, run: str, step: int | None = None) -> dict:
        """A kept state; without a step the latest that is whole.

        Raises:
            RunError: there is none, or the one asked for is missing or damaged.
        """
        steps = self.checkpoint_steps(run)
        if step is not None and step not in steps:
            kept = ", ".join(f"{s:,}" for s in steps) or "none"
            raise RunError(f"Run {run} has no checkpoint at step {step:,}. Kept are: {kept}.")
        problem: RunError | None = None
        for candidate in [step] if step is not None else reversed(steps):
            try:
                return self._read_kept(run, candidate)
            except RunError as error:
                problem = problem or error
        raise problem or RunError(f"Run {run} has no checkpoint yet. Start it again with the same settings.")

    def _read_kept(self, run: str, step: int) -> dict:
        path = self.checkpoint_path(run, step)
        row = self._db().execute("SELECT digest FROM checkpoints WHERE run = ? AND step = ?", (run, step)).fetchone()
        if path.is_file() and row is not None and digest(path) != row[0]:
            raise RunError(f"The checkpoint {path} is damaged: its checksum does not fit. Choose an earlier step.")
        return read_checkpoint(path)

    def disk_bytes(self, run: str) -> int:
        """Size of a run's kept checkpoints in bytes."""
        row = self._db().execute("SELECT COALESCE(SUM(size), 0) FROM checkpoints WHERE run = ?", (run,)).fetchone()
        return row[0]


def default_name(config: GANConfig) -> str:
    """A name that says what is trained, for example "ring8 nonsaturating"."""
    usual = ("mlp", "dcgan")
    words = [config.dataset] + ([config.network] if config.network not in usual else [])
    if NETWORKS[config.network].adversarial:
        words.append(config.loss)
    words += [word for word in (config.penalty, config.conditional) if word != "none"]
    return " ".join(words + ([f"pack {config.pack}"] if config.pack > 1 else []))


def _most_crowded(steps: list[int]) -> int:
    """The inner step whose removal leaves the smallest gap."""
    gaps = {step: after - before for before, step, after in zip(steps, steps[1:], steps[2:], strict=False)}
    return min(gaps, key=gaps.get)
