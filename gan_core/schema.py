"""The tables of a run store's database, and how those of older versions become them."""

from __future__ import annotations

import json
import sqlite3
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np

SCHEMA = 6
METRIC = "metric:"

TABLES = """
CREATE TABLE IF NOT EXISTS runs (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, configs TEXT NOT NULL, status TEXT NOT NULL, owner TEXT,
    created REAL NOT NULL, updated REAL NOT NULL, step INTEGER NOT NULL DEFAULT 0, steps INTEGER NOT NULL,
    rate REAL NOT NULL DEFAULT 0, seconds REAL NOT NULL DEFAULT 0, message TEXT NOT NULL DEFAULT '', pair TEXT,
    metrics TEXT NOT NULL DEFAULT '{}', kind TEXT NOT NULL DEFAULT 'run', spec TEXT NOT NULL DEFAULT '{}',
    parent TEXT, parent_step INTEGER, pace REAL NOT NULL DEFAULT 0, until TEXT NOT NULL DEFAULT '{}',
    note TEXT NOT NULL DEFAULT '', tags TEXT NOT NULL DEFAULT '[]', starred INTEGER NOT NULL DEFAULT 0, trashed REAL,
    verdict TEXT);
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
CREATE TABLE IF NOT EXISTS film (
    run TEXT NOT NULL, step INTEGER NOT NULL, value BLOB NOT NULL, PRIMARY KEY (run, step));
CREATE TABLE IF NOT EXISTS checkpoints (
    run TEXT NOT NULL, step INTEGER NOT NULL, digest TEXT NOT NULL, size INTEGER NOT NULL,
    PRIMARY KEY (run, step)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS cells (
    run TEXT NOT NULL, cell INTEGER NOT NULL, step INTEGER NOT NULL, value TEXT NOT NULL, samples BLOB NOT NULL,
    PRIMARY KEY (run, cell)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS directions (
    run TEXT NOT NULL, name TEXT NOT NULL, space TEXT NOT NULL, vector BLOB NOT NULL, deviation REAL NOT NULL,
    created REAL NOT NULL, PRIMARY KEY (run, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pictures (
    run TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, created REAL NOT NULL, PRIMARY KEY (run, key));
"""
RUN_TABLES = ("series", "events", "commands", "frames", "film", "checkpoints", "cells", "directions", "pictures")


class Database:
    """What the parts of a `RunStore` know of it."""

    folder: Path

    def _db(self) -> sqlite3.Connection:
        """This thread's connection."""
        raise NotImplementedError

    def _write(self) -> AbstractContextManager[sqlite3.Connection]:
        """A transaction."""
        raise NotImplementedError


def metric_series(name: str) -> str:
    """The kind of series that holds a metric, (1, E) a row."""
    return f"{METRIC}{name}"


def migrate(db: sqlite3.Connection, version: int) -> None:
    """Bring an older database to this version's tables. Nothing of what it holds is lost.

    Tables that a version lacked are made like those of a new database.
    """
    if version == 1:
        db.execute("ALTER TABLE runs ADD COLUMN kind TEXT NOT NULL DEFAULT 'run'")
        db.execute("ALTER TABLE runs ADD COLUMN spec TEXT NOT NULL DEFAULT '{}'")
        # all metrics of a moment were one row; now each is a series of its own, so that there may be more of them tomorrow
        for run, names in db.execute("SELECT id, metrics FROM runs").fetchall():
            names = list(json.loads(names))
            rows = db.execute("SELECT step, value FROM series WHERE run = ? AND kind = 'metrics'", (run,)).fetchall()
            for step, value in rows if names else ():
                values = np.frombuffer(value, np.float32).reshape(len(names), -1)
                db.executemany(
                    "INSERT OR REPLACE INTO series VALUES (?, ?, ?, ?)",
                    [(run, metric_series(name), step, row.tobytes()) for name, row in zip(names, values, strict=True)],
                )
        db.execute("DELETE FROM series WHERE kind = 'metrics'")
    if version <= 2:
        db.execute("ALTER TABLE runs ADD COLUMN parent TEXT")
        db.execute("ALTER TABLE runs ADD COLUMN parent_step INTEGER")
        db.execute("ALTER TABLE runs ADD COLUMN pace REAL NOT NULL DEFAULT 0")
        db.execute("ALTER TABLE runs ADD COLUMN until TEXT NOT NULL DEFAULT '{}'")
    if version <= 4:
        db.execute("ALTER TABLE runs ADD COLUMN note TEXT NOT NULL DEFAULT ''")
        db.execute("ALTER TABLE runs ADD COLUMN tags TEXT NOT NULL DEFAULT '[]'")
        db.execute("ALTER TABLE runs ADD COLUMN starred INTEGER NOT NULL DEFAULT 0")
        db.execute("ALTER TABLE runs ADD COLUMN trashed REAL")
        db.execute("ALTER TABLE runs ADD COLUMN verdict TEXT")
