"""RunStore: what is known of every run, in one SQLite database and one folder a run.

The database holds what is asked for often (configs, status, curves, events, commands, the latest picture); the folder
holds checkpoints. Any number of threads and processes may use a store at once: SQLite's write-ahead log lets readers
go on while one writes, and files get their name only when they are whole.
"""

from __future__ import annotations

import copy
import errno
import json
import os
import re
import shutil
import sqlite3
import tempfile
import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from .checkpoints import digest, draft, read_checkpoint, write_checkpoint
from .config import GANConfig
from .errors import ConfigError, LostError, RunError
from .files import is_held
from .film import surplus
from .keepsakes import Keepsakes
from .networks import NETWORKS, USUAL_NETWORKS
from .schema import METRIC, RUN_TABLES, SCHEMA, TABLES, migrate
from .shelf import LIVE, RUN_NAME, VERDICT_OF, Shelf, no_run, printable

ENDED = ("stopped", "interrupted", "finished", "failed")
RESUMABLE = ("stopped", "interrupted", "failed")  # ended before its planned length
KEPT_CHECKPOINTS = 24
KEPT_OF_MANY = 3  # of a run of several members, whose checkpoints are as many times larger
KEPT_BYTES = 2**28  # of a run's checkpoints together; three are always kept

_HISTORY = {"series": "kind, step, value", "events": "step, time, kind, detail", "film": "step, value"}  # what a fork begins with
PATIENCE = 10.0  # seconds that a look into the database waits for others
SECONDS = "seconds"  # the series of how long a run has trained, (1, E) a row, noted with each report
_BLOCK = 2**20
_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{6}")


def runs_folder() -> Path:
    """Where runs are kept: GAN_PLAYGROUND_RUNS, else `runs/` in the project."""
    return Path(os.environ.get("GAN_PLAYGROUND_RUNS") or Path(__file__).resolve().parent.parent / "runs").expanduser()


def _connection(path: Path) -> sqlite3.Connection:
    """A connection to the database, which is made where there is none."""
    db, end = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None), time.monotonic() + PATIENCE
    db.row_factory = sqlite3.Row
    try:
        while True:
            try:
                db.execute("PRAGMA journal_mode = WAL")
                break
            except sqlite3.OperationalError as error:  # of those who open a new file at once, SQLite has only one wait
                if "locked" not in str(error) or time.monotonic() > end:
                    raise
                time.sleep(0.01)
        db.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        db.close()
        raise
    return db


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
        kind: "run", or "map" for a collapse map, whose `spec` says what its cells are.
        parent, parent_step: the run that this one was forked from, and where.
        pace: steps a second that it is held to; 0 for as fast as it goes.
        until: what it pauses at: {"step": N}, {"modes": K}, {"seconds": T, "end": `seconds` then} or {}.
        note, tags, starred: what the user says about it.
        trashed: when it was put into the trash, in seconds since 1970; None for a run that is not there.
        verdict: key of VERDICTS, for how the run stands now; "" where none is given (maps, several members), None where it is
            not known.
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
    kind: str = "run"
    spec: dict[str, Any] = field(default_factory=dict)
    parent: str | None = None
    parent_step: int | None = None
    pace: float = 0.0
    until: dict[str, Any] = field(default_factory=dict)
    note: str = ""
    tags: tuple[str, ...] = ()
    starred: bool = False
    trashed: float | None = None
    verdict: str | None = None

    @property
    def config(self) -> GANConfig:
        """The first member's config."""
        return self.configs[0]

    @property
    def is_live(self) -> bool:
        return self.status in LIVE


class RunStore(Shelf, Keepsakes):
    """Opens, or makes, the store in a folder.

    Args:
        folder: None for GAN_PLAYGROUND_RUNS or `runs/`.

    Raises:
        RunError: the folder cannot be written, or holds something that is not a store.
    """

    def __init__(self, folder: Path | str | None = None):
        self.folder = Path(folder) if folder is not None else runs_folder()
        self._local = threading.local()
        self._owner: str | None = None  # who writes, where that matters: see `held_by`
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with self._write() as db:
                version = db.execute("PRAGMA user_version").fetchone()[0]
                if version > SCHEMA:
                    raise RunError(
                        f"{self.folder} was written by a newer version of GAN Playground (format {version}, "
                        f"this one knows {SCHEMA}). Update, or set GAN_PLAYGROUND_RUNS to another folder."
                    )
                if 0 < version < SCHEMA:
                    migrate(db, version)
                for statement in TABLES.split(";"):
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
            db = self._local.db = _connection(self.folder / "runs.db")
        return db

    def held_by(self, owner: str) -> RunStore:
        """This store in the hands of who trains: what it writes about a run is refused once another owner has the run.

        A program that was taken for dead, because it slept or its lock was removed, then cannot spoil what the other one does.
        """
        mine = copy.copy(self)
        mine._owner = owner
        return mine

    @contextmanager
    def _write(self, run: str | None = None) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it or nothing; about a `run`, only in its owner's name.

        Raises:
            LostError: another owner has the run.
        """
        db = self._db()
        db.execute("BEGIN IMMEDIATE")
        try:
            if run is not None and self._owner is not None:
                mine = db.execute("SELECT 1 FROM runs WHERE id = ? AND owner = ?", (run, self._owner)).fetchone()
                if mine is None:
                    raise LostError(f"Run {run} has been taken up elsewhere, or deleted.")
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

    def create(
        self,
        configs: Sequence[GANConfig],
        name: str = "",
        pair: str | None = None,
        owner: str | None = None,
        *,
        spec: dict[str, Any] | None = None,
        steps: int | None = None,
    ) -> str:
        """A new queued run, or with a `spec` a map, which takes so many `steps` altogether; returns its id."""
        run = _new_id()
        more = {} if spec is None else {"kind": "map", "spec": json.dumps(spec)}
        with self._write() as db:
            self._insert(db, run, configs, name, owner=owner, pair=pair, **more, **({} if steps is None else {"steps": steps}))
        return run

    def _insert(self, db: sqlite3.Connection, run: str, configs: Sequence[GANConfig], name: str, **values: Any) -> None:
        """A row of the list of runs."""
        now = time.time()
        row = {
            "id": run,
            "name": printable(name)[:RUN_NAME] or default_name(configs[0]),
            "configs": json.dumps([c.model_dump() for c in configs]),
            "status": "queued",
            "created": now,
            "updated": now,
            "steps": configs[0].steps,
            **values,
        }
        db.execute(f"INSERT INTO runs ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", tuple(row.values()))

    def fork(self, run: str, state: dict, configs: Sequence[GANConfig], name: str) -> str:
        """A stopped run that begins with a kept state of another one, with its curves, events and pictures up to there.

        Args:
            state: as `load_checkpoint` gave it; the file may have made room for a later one since.

        Raises:
            OSError: it cannot be written.
        """
        new = _new_id()
        with self._arriving(new):
            self._fork(run, state["step"], configs, name, state, new)
        return new

    def _fork(self, run: str, step: int, configs: Sequence[GANConfig], name: str, state: dict, new: str) -> None:
        path = self.checkpoint_path(new, step)
        try:
            write_checkpoint(path, {**state, "configs": [c.model_dump() for c in configs]})
            with self._write() as db:
                self._insert(db, new, configs, name, status="stopped", step=step, parent=run, parent_step=step)
                db.execute("INSERT INTO checkpoints VALUES (?, ?, ?, ?)", (new, step, digest(path), path.stat().st_size))
                for table, columns in _HISTORY.items():
                    db.execute(
                        f"INSERT INTO {table} (run, {columns}) SELECT ?, {columns} FROM {table} WHERE run = ? AND step <= ?",
                        (new, run, step),
                    )
                _set_latest_metrics(db, new)
        except BaseException:
            shutil.rmtree(self.folder / new, ignore_errors=True)
            raise

    def adopt(
        self,
        run: str,
        configs: Sequence[GANConfig],
        name: str,
        *,
        series: dict[str, tuple[np.ndarray, np.ndarray]],
        events: Sequence[dict],
        film: Sequence[tuple[int, bytes]],
        frame: tuple[int, bytes] | None,
        checkpoints: Iterable[dict],
        **values: Any,
    ) -> str:
        """Take in a run that was made in another store, whole or not at all; returns its id, a new one if `run` is taken.

        Args:
            series: kind -> steps (T,), values (T, N).
            events: as `events` returns them.
            film, frame: pictures with their steps.
            checkpoints: states of a trainer, written one after the other as they come.
            values: further columns, such as status or step.

        Raises:
            OSError: it cannot be written. Whatever `checkpoints` raises is passed on.
        """

        def keep(new: str) -> str:
            kept = []
            try:
                for state in checkpoints:
                    path = self.checkpoint_path(new, state["step"])
                    write_checkpoint(path, state)
                    kept.append((new, state["step"], digest(path), path.stat().st_size))
                with self._write() as db:
                    self._insert(db, new, configs, name, **values)
                    db.executemany("INSERT INTO checkpoints VALUES (?, ?, ?, ?)", kept)
                    for kind, (steps, rows) in series.items():
                        floats = [
                            (new, kind, int(at), row.tobytes()) for at, row in zip(steps, rows.astype(np.float32), strict=True)
                        ]
                        db.executemany("INSERT INTO series VALUES (?, ?, ?, ?)", floats)
                    for event in events:
                        detail = {key: value for key, value in event.items() if key not in ("step", "time", "kind")}
                        _note(db, new, event["step"], event["kind"], detail, event["time"])
                    db.executemany("INSERT INTO film VALUES (?, ?, ?)", [(new, at, picture) for at, picture in film])
                    if frame is not None:
                        db.execute("INSERT INTO frames VALUES (?, ?, ?)", (new, *frame))
                    _set_latest_metrics(db, new)
            except BaseException:
                shutil.rmtree(self.folder / new, ignore_errors=True)
                raise
            return new

        with self._arriving(run):
            taken = self._db().execute("SELECT 1 FROM runs WHERE id = ?", (run,)).fetchone()
            if not taken and _is_made(self.folder / run):
                return keep(run)
        other = _new_id()
        with self._arriving(other):
            return keep(other)

    def holds(self, run: str) -> bool:
        """Whether there is such a run, be it one that this version cannot read."""
        return self._db().execute("SELECT 1 FROM runs WHERE id = ?", (run,)).fetchone() is not None

    def get(self, run: str) -> Run:
        """Raises RunError where there is no such run."""
        row = self._db().execute("SELECT * FROM runs WHERE id = ?", (run,)).fetchone()
        if row is None:
            raise no_run(run, self.folder)
        return self._run(row)

    def present(self, run: str) -> Run | None:
        """A run, unless it does not exist, cannot be read or is in the trash."""
        try:
            row = self.get(run)
        except RunError:
            return None
        return row if row.trashed is None else None

    def _run(self, row: sqlite3.Row) -> Run:
        values = dict(row)
        try:
            values["configs"] = _configs(row["configs"])
        except ConfigError as error:
            raise RunError(f"Run {row['id']} was made with settings that this version does not know: {error}") from error
        for name in ("metrics", "spec", "until"):
            values[name] = json.loads(row[name])
        values["tags"], values["starred"] = tuple(json.loads(row["tags"])), bool(row["starred"])
        return Run(**values)

    def runs(
        self, status: Sequence[str] | None = None, limit: int = 1000, kind: str | None = "run", trashed: bool | None = False
    ) -> list[Run]:
        """Newest first, of some statuses or of all, of one kind or of both, and not in the trash, or only there, or (None) both.
        What cannot be read any more is left out."""
        among = f" AND status IN ({', '.join('?' * len(status))})" if status is not None else ""
        rows = (
            self._db()
            .execute(
                f"SELECT * FROM runs WHERE kind = COALESCE(?, kind){among} AND (trashed IS NOT NULL) = COALESCE(?, trashed "
                "IS NOT NULL) ORDER BY created DESC, rowid DESC LIMIT ?",
                (kind, *(status or ()), trashed, limit),
            )
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
        """The runs that were started side by side, in their order, but those in the trash."""
        rows = self._db().execute("SELECT * FROM runs WHERE pair = ? AND trashed IS NULL ORDER BY rowid", (pair,)).fetchall()
        return [self._run(row) for row in rows]

    def update(self, run: str, **values: Any) -> None:
        """Set columns of a run: status, step, rate, seconds, message, owner, metrics, configs, pace, until, verdict. With a new
        status, step, setting or measurement a verdict that was kept is forgotten, if there is no new one."""
        values = _without_old_verdict(values)
        if "configs" in values:
            values["configs"] = json.dumps([c.model_dump() for c in values["configs"]])
        for name in ("metrics", "until"):
            if name in values:
                values[name] = json.dumps(values[name])
        values["updated"] = time.time()
        with self._write(run) as db:
            db.execute(f"UPDATE runs SET {', '.join(f'{name} = ?' for name in values)} WHERE id = ?", (*values.values(), run))

    def claim(self, run: str, owner: str, expected: Sequence[str], before: str | None = None) -> bool:
        """Queue a run for this owner, if it is still in one of the expected statuses, and not in the trash. Only one wins.

        Args:
            before: the owner that it had when its status was read, if it had one: it may have been taken up and left since.
        """
        marks = ", ".join("?" * len(expected))
        with self._write() as db:
            cursor = db.execute(
                f"UPDATE runs SET status = 'queued', owner = ?, message = '', updated = ?, verdict = NULL WHERE id = ? "
                f"AND owner IS COALESCE(?, owner) AND status IN ({marks}) AND trashed IS NULL",
                (owner, time.time(), run, before, *expected),
            )
            if cursor.rowcount == 1:
                db.execute("DELETE FROM commands WHERE run = ?", (run,))
            return cursor.rowcount == 1

    def interrupt(self, row: Run, message: str) -> bool:
        """Call a live run interrupted, unless it has got another owner or status since `row` was read; whether it was so."""
        with self._write() as db:
            cursor = db.execute(
                "UPDATE runs SET status = 'interrupted', message = ?, updated = ?, verdict = NULL "
                "WHERE id = ? AND status = ? AND owner IS ?",
                (message, time.time(), row.id, row.status, row.owner),
            )
            return cursor.rowcount == 1

    def delete(self, run: str, only_trashed: bool = False) -> None:
        """Remove a run and all that belongs to it, for good.

        Args:
            only_trashed: refuse it if it is not in the trash, or no longer.

        Raises:
            RunError: it does not exist, is live, or is refused.
        """
        fits = f"status NOT IN ({', '.join('?' * len(LIVE))})" + (" AND trashed IS NOT NULL" if only_trashed else "")
        with self._write() as db:  # looks and acts at once: nobody can take the run up in between
            gone = db.execute(f"DELETE FROM runs WHERE id = ? AND {fits}", (run, *LIVE)).rowcount
            for table in RUN_TABLES if gone else ():
                db.execute(f"DELETE FROM {table} WHERE run = ?", (run,))
        if not gone:
            if self.get(run).trashed is None and only_trashed:
                raise RunError(f"Run {run} is not in the trash. Put it there first: python -m gan_core trash {run}")
            raise RunError(f"Run {run} is still live. Stop it first.")
        shutil.rmtree(self.folder / run, ignore_errors=True)

    def make_sure_of(self, size: int) -> None:
        """Raise OSError where so many bytes cannot be written."""
        if shutil.disk_usage(self.folder).free < size:  # asks less than writing does
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        with tempfile.TemporaryFile(dir=self.folder) as file:
            for _ in range(0, size, _BLOCK):
                file.write(bytes(_BLOCK))
            file.flush()
            os.fsync(file.fileno())

    # What killed programs leave

    @property
    def locks(self) -> Path:
        """The folder of files that are locked by whoever is at work."""
        return self.folder / "owners"

    @contextmanager
    def _arriving(self, run: str) -> Iterator[None]:
        """While a new run's files are written before anything is known of it, `sweep` leaves them alone."""
        self.locks.mkdir(exist_ok=True)
        path = self.locks / f"{run}.lock"
        try:
            with FileLock(path):
                yield
        finally:
            path.unlink(missing_ok=True)

    def sweep(self) -> None:
        """Remove what killed programs have left: files that never got their name, checkpoints and folders that no run knows of.
        What belongs to live runs, or is just arriving, stays."""
        folders = {path.name: path for path in self.folder.iterdir() if _ID.fullmatch(path.name)}
        arriving = {name for name in folders if is_held(self.locks / f"{name}.lock")}
        with self._write() as db:  # nobody can take up a run meanwhile
            status = dict(db.execute("SELECT id, status FROM runs").fetchall())
            kept = {self.checkpoint_path(*row) for row in db.execute("SELECT run, step FROM checkpoints").fetchall()}
            for name in folders.keys() - arriving:
                if name not in status:
                    shutil.rmtree(folders[name], ignore_errors=True)
                elif status[name] not in LIVE:
                    self._tidy(name, kept)

    def tidy(self, run: str) -> None:
        """Remove files of a run that never got their name or that it does not know of; for who holds the run."""
        self._tidy(run, {self.checkpoint_path(run, step) for step in self.checkpoint_steps(run)})

    def _tidy(self, run: str, kept: set[Path]) -> None:
        with suppress(OSError):
            for path in (self.folder / run / "checkpoints").iterdir():
                if path not in kept:
                    path.unlink(missing_ok=True)

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
        film: Sequence[tuple[int, bytes]] = (),
        **values: Any,
    ) -> None:
        """Everything a training thread has to say at one moment, in one transaction.

        Args:
            series: kind -> rows (step, array (S, E)): "train" (S statistics), one of metrics.TALLIES (S modes),
                SECONDS or `metric_series` of a name (S = 1).
            frame: the latest picture.
            film: pictures for the replay, (step, picture); of all of them an even choice is kept.
            values: further columns, such as status or message.
        """
        values = _without_old_verdict({**values, "step": step, "rate": rate, "seconds": seconds, "updated": time.time()})
        if metrics is not None:
            values["metrics"] = json.dumps(metrics)
        with self._write(run) as db:
            db.execute(f"UPDATE runs SET {', '.join(f'{name} = ?' for name in values)} WHERE id = ?", (*values.values(), run))
            for kind, rows in series.items():
                db.executemany(
                    "INSERT OR REPLACE INTO series VALUES (?, ?, ?, ?)",
                    [(run, kind, at, np.asarray(row, np.float32).tobytes()) for at, row in rows],
                )
            if frame is not None:
                db.execute("INSERT OR REPLACE INTO frames VALUES (?, ?, ?)", (run, step, frame))
            if film:
                db.executemany("INSERT OR REPLACE INTO film VALUES (?, ?, ?)", [(run, at, picture) for at, picture in film])
                kept = db.execute("SELECT step, LENGTH(value) FROM film WHERE run = ?", (run,)).fetchall()
                gone = surplus({row[0]: row[1] for row in kept})
                db.executemany("DELETE FROM film WHERE run = ? AND step = ?", [(run, at) for at in gone])

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

    def series_kinds(self, run: str) -> list[str]:
        """Names of the series that a run has."""
        return [row[0] for row in self._db().execute("SELECT DISTINCT kind FROM series WHERE run = ? ORDER BY kind", (run,))]

    def drop_series_after(self, run: str, step: int) -> None:
        """Forget points and pictures later than a step: a run that goes on from a checkpoint makes them again."""
        with self._write(run) as db:
            for table in ("series", "film"):
                db.execute(f"DELETE FROM {table} WHERE run = ? AND step > ?", (run, step))

    def frame(self, run: str, after: int = -1) -> bytes | None:
        """The latest picture, if it is later than a step."""
        row = self._db().execute("SELECT value FROM frames WHERE run = ? AND step > ?", (run, after)).fetchone()
        return row[0] if row else None

    def film(self, run: str, after: int = -1) -> list[tuple[int, bytes]]:
        """The kept pictures later than a step: (step, picture), in order."""
        rows = self._db().execute("SELECT step, value FROM film WHERE run = ? AND step > ? ORDER BY step", (run, after))
        return [(row[0], row[1]) for row in rows]

    def film_steps(self, run: str) -> list[int]:
        """The steps of the kept pictures, ascending."""
        return [row[0] for row in self._db().execute("SELECT step FROM film WHERE run = ? ORDER BY step", (run,))]

    def add_event(self, run: str, step: int, kind: str, **detail: Any) -> None:
        """Note that something happened: a change of a value, a pause, an error."""
        with self._write(run) as db:
            _note(db, run, step, kind, detail)

    def set_values(self, run: str, step: int, configs: Sequence[GANConfig], changes: dict[str, Any]) -> None:
        """Settings that a run has taken over, and the note of each with its value before: both or neither."""
        before = self.get(run).config
        with self._write(run) as db:
            text = json.dumps([c.model_dump() for c in configs])
            db.execute("UPDATE runs SET configs = ?, updated = ?, verdict = NULL WHERE id = ?", (text, time.time(), run))
            for name, value in changes.items():
                _note(db, run, step, "set", {"name": name, "before": getattr(before, name), "value": value})

    def events(self, run: str) -> list[dict]:
        """In order: {"step", "time", "kind", **detail}."""
        rows = self._db().execute("SELECT step, time, kind, detail FROM events WHERE run = ? ORDER BY id", (run,))
        return [{"step": r["step"], "time": r["time"], "kind": r["kind"], **json.loads(r["detail"])} for r in rows]

    # Cells of a map

    def put_cells(self, run: str, rows: Sequence[tuple[int, int, dict[str, Any], bytes]]) -> None:
        """How cells stand: (cell, step, values, samples)."""
        with self._write(run) as db:
            db.executemany(
                "INSERT OR REPLACE INTO cells VALUES (?, ?, ?, ?, ?)",
                [(run, cell, step, json.dumps(value), samples) for cell, step, value, samples in rows],
            )

    def cells(self, run: str) -> dict[int, tuple[int, dict[str, Any]]]:
        """Cell -> (step, values) of those that have begun."""
        rows = self._db().execute("SELECT cell, step, value FROM cells WHERE run = ?", (run,))
        return {row[0]: (row[1], json.loads(row[2])) for row in rows}

    def finished_cells(self, run: str, steps: int) -> set[int]:
        """Cells that have taken all their steps."""
        return {row[0] for row in self._db().execute("SELECT cell FROM cells WHERE run = ? AND step >= ?", (run, steps))}

    def cell_samples(self, run: str, cell: int) -> bytes:
        """What `put_cells` was given as samples; b"" while the cell is not finished."""
        row = self._db().execute("SELECT samples FROM cells WHERE run = ? AND cell = ?", (run, cell)).fetchone()
        return row[0] if row else b""

    # Commands

    def add_command(self, run: str, kind: str, value: Any = None) -> None:
        """Leave a command for whoever trains the run."""
        with self._write() as db:
            db.execute("INSERT INTO commands (run, kind, value) VALUES (?, ?, ?)", (run, kind, json.dumps(value)))

    def take_commands(self, run: str) -> list[tuple[str, Any]]:
        """All commands left for a run, in order; each is given out once."""
        if self._db().execute("SELECT 1 FROM commands WHERE run = ? LIMIT 1", (run,)).fetchone() is None:
            return []
        with self._write(run) as db:
            rows = db.execute("DELETE FROM commands WHERE run = ? RETURNING id, kind, value", (run,)).fetchall()
        return [(row["kind"], json.loads(row["value"])) for row in sorted(rows, key=lambda row: row["id"])]

    # Checkpoints

    def checkpoint_path(self, run: str, step: int) -> Path:
        return self.folder / run / "checkpoints" / f"{step:09d}.safetensors"

    def save_checkpoint(self, run: str, state: dict) -> None:
        """Keep a `Trainer.state_dict`. Of older ones an evenly spaced choice is kept, always with the first and last: at most
        24, and of large ones fewer.

        Raises:
            OSError: it cannot be written; the ones before are untouched.
        """
        step = state["step"]
        with draft(self.checkpoint_path(run, step), state) as part:
            self._name(run, step, part)
        steps = self.checkpoint_steps(run)
        most = KEPT_CHECKPOINTS if len(state["configs"]) <= 1 else KEPT_OF_MANY
        while len(steps) > most or (len(steps) > 3 and self.disk_bytes(run) > KEPT_BYTES):
            gone = _most_crowded(steps)
            steps.remove(gone)
            with self._write(run) as db:
                db.execute("DELETE FROM checkpoints WHERE run = ? AND step = ?", (run, gone))
            self.checkpoint_path(run, gone).unlink(missing_ok=True)

    def _name(self, run: str, step: int, part: Path) -> None:
        """Give a whole file the name of a checkpoint. Where there is one of this step already, either checksum is right for a
        moment, because whoever is killed in it leaves the one file or the other."""
        new, size = digest(part), part.stat().st_size
        with self._write(run) as db:
            db.execute("UPDATE checkpoints SET digest = digest || ' ' || ? WHERE run = ? AND step = ?", (new, run, step))
        with self._write(run) as db:
            part.replace(self.checkpoint_path(run, step))
            db.execute("INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?, ?)", (run, step, new, size))

    def checkpoint_steps(self, run: str) -> list[int]:
        """The kept steps, ascending."""
        rows = self._db().execute("SELECT step FROM checkpoints WHERE run = ? ORDER BY step", (run,))
        return [row[0] for row in rows]

    def checkpoint_digest(self, run: str, step: int) -> str:
        """The checksum of a kept state, by which one knows whether it was written anew; "" where there is none."""
        row = self._db().execute("SELECT digest FROM checkpoints WHERE run = ? AND step = ?", (run, step)).fetchone()
        return row[0] or "" if row else ""

    def load_checkpoint(self, run: str, step: int | None = None) -> dict:
        """A kept state; without a step the latest that is whole.

        Raises:
            RunError: there is none, or the one asked for is missing or damaged.
        """
        steps = self.checkpoint_steps(run)
        if step is not None and step not in steps:
            kept = ", ".join(f"{s:,}" for s in steps) or "none"
            raise RunError(f"Run {run} has no checkpoint at step {step:,}. Kept are: {kept}.")
        if step is not None:
            return self._read_kept(run, step)
        for candidate in reversed(steps):
            with suppress(RunError):
                return self._read_kept(run, candidate)
        if not steps:
            raise RunError(f"Run {run} has no checkpoint yet. Start it again with the same settings.")
        kept = f"The only checkpoint of run {run} is" if len(steps) == 1 else f"All {len(steps)} checkpoints of run {run} are"
        raise RunError(f"{kept} damaged or missing in {self.folder / run}. Start it again with the same settings.")

    def _read_kept(self, run: str, step: int) -> dict:
        path, known = self.checkpoint_path(run, step), None
        while (sums := self.checkpoint_digest(run, step)) != known:  # it may be written anew while it is looked at
            with suppress(FileNotFoundError):
                if digest(path) in sums.split():
                    return read_checkpoint(path)
            known = sums
        if not sums:
            raise RunError(
                f"The checkpoint at step {step:,} of run {run} has just made room for a later one. Choose another step."
            )
        if path.is_file():
            raise RunError(f"The checkpoint {path} is damaged: its checksum does not fit. Choose another step.")
        return read_checkpoint(path)  # says that it is missing

    def disk_bytes(self, run: str) -> int:
        """Size of a run's kept checkpoints in bytes."""
        row = self._db().execute("SELECT COALESCE(SUM(size), 0) FROM checkpoints WHERE run = ?", (run,)).fetchone()
        return row[0]


def _without_old_verdict(values: dict[str, Any]) -> dict[str, Any]:
    """Columns to set, with which a verdict on how the run stood before is not kept."""
    return {"verdict": None, **values} if values.keys() & VERDICT_OF else values


@lru_cache(maxsize=2048)  # lists and menus read the same rows again at each look
def _configs(text: str) -> tuple[GANConfig, ...]:
    return tuple(GANConfig.parse(values) for values in json.loads(text))


def _new_id() -> str:
    return time.strftime("%Y%m%d-%H%M%S-") + uuid.uuid4().hex[:6]


def _is_made(folder: Path) -> bool:
    """Make a folder; False where there is one already, also if another process was a moment faster."""
    try:
        folder.mkdir()
    except FileExistsError:
        return False
    return True


def default_name(config: GANConfig) -> str:
    """A name that says what is trained, for example "ring8 nonsaturating"."""
    words = [config.dataset] + ([config.network] if config.network not in USUAL_NETWORKS else [])
    if NETWORKS[config.network].adversarial:
        words.append(config.loss)
    words += [word for word in (config.penalty, config.conditional) if word != "none"]
    return " ".join(words + ([f"pack {config.pack}"] if config.pack > 1 else []))


def _most_crowded(steps: list[int]) -> int:
    """The inner step whose removal leaves the smallest gap."""
    gaps = {step: after - before for before, step, after in zip(steps, steps[1:], steps[2:], strict=False)}
    return min(gaps, key=gaps.get)


def _set_latest_metrics(db: sqlite3.Connection, run: str) -> None:
    """The last row of each metric's series as the run's metrics, within a transaction."""
    last = db.execute(
        "SELECT kind, value, MAX(step) FROM series WHERE run = ? AND kind LIKE ? GROUP BY kind", (run, f"{METRIC}%")
    ).fetchall()
    metrics = {row["kind"].removeprefix(METRIC): np.frombuffer(row["value"], np.float32).tolist() for row in last}
    db.execute("UPDATE runs SET metrics = ? WHERE id = ?", (json.dumps(metrics), run))


def _note(db: sqlite3.Connection, run: str, step: int, kind: str, detail: dict[str, Any], at: float | None = None) -> None:
    """An event, now or at a time in seconds since 1970, within a transaction."""
    db.execute(
        "INSERT INTO events (run, step, time, kind, detail) VALUES (?, ?, ?, ?, ?)",
        (run, step, time.time() if at is None else at, kind, json.dumps(detail)),
    )
