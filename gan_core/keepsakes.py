"""Keepsakes: what a user found out about a run's generator and wants to find again. It is a part of `RunStore`."""

from __future__ import annotations

import hashlib
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .errors import RunError
from .schema import Database
from .shelf import no_run

NAME_LENGTH = 60  # of a kept direction's name
KEPT_DIRECTIONS = 100  # of a run
KEPT_PICTURES, KEPT_BYTES = 1000, 2**23  # of a run, the latest; each stroke of a drawing makes one
PICTURE_BYTES = 2**20  # of one


@dataclass(frozen=True)
class KeptDirection:
    """A direction of a run's latent space that was given a name.

    Attributes:
        space: "z" or "w". vector: float32 (Z,), of length 1.
        deviation: standard deviation of latents along it.
    """

    name: str
    space: str
    vector: np.ndarray
    deviation: float


class Keepsakes(Database):
    """The part of a `RunStore` that keeps directions and pictures. They belong to their run: a fork begins without."""

    def put_direction(self, run: str, name: str, space: str, vector: np.ndarray, deviation: float) -> str:
        """Keep a direction (Z,) with a run under a name, in place of one of the same name; returns the name as it is kept. It
        belongs to this run: a fork begins without.

        Raises:
            RunError: there is no such run, the name is empty or too long, or there are too many.
        """
        name = " ".join(name.split())
        if not 1 <= len(name) <= NAME_LENGTH or not name.isprintable():
            raise RunError(f"A direction's name has 1 to {NAME_LENGTH} letters; this one has {len(name)}. Choose another.")
        values = np.ascontiguousarray(vector, np.float32)
        with self._write() as db:
            _must_exist(db, run, self.folder)
            kept = {row[0] for row in db.execute("SELECT name FROM directions WHERE run = ?", (run,))}
            if name not in kept and len(kept) >= KEPT_DIRECTIONS:
                raise RunError(f"This run keeps {len(kept)} directions already, which is the most. Remove one first.")
            db.execute(
                "INSERT OR REPLACE INTO directions VALUES (?, ?, ?, ?, ?, ?)",
                (run, name, space, values.tobytes(), float(deviation), time.time()),
            )
        return name

    def directions(self, run: str) -> list[KeptDirection]:
        """The kept directions of a run, in the order in which they were kept."""
        rows = self._db().execute("SELECT * FROM directions WHERE run = ? ORDER BY created, name", (run,))
        return [
            KeptDirection(row["name"], row["space"], np.frombuffer(row["vector"], np.float32), row["deviation"]) for row in rows
        ]

    def drop_direction(self, run: str, name: str) -> None:
        """Forget a kept direction, if there is one of that name."""
        with self._write() as db:
            db.execute("DELETE FROM directions WHERE run = ? AND name = ?", (run, name))

    def put_picture(self, run: str, pixels: np.ndarray) -> str:
        """Keep a picture (C, H, W) of bytes that was looked for among a run's images, and return its key. The same picture has
        the same key. Of more than KEPT_PICTURES, or of more than KEPT_BYTES together, the oldest go.

        Raises:
            RunError: there is no such run, or the picture is too large.
        """
        value = np.ascontiguousarray(pixels, np.uint8).tobytes()
        if len(value) > PICTURE_BYTES:
            raise RunError(
                f"A picture of {len(value):,} bytes is too large to keep with a run: expected at most {PICTURE_BYTES:,}."
            )
        key = hashlib.blake2b(value, digest_size=8).hexdigest()
        with self._write() as db:
            _must_exist(db, run, self.folder)
            db.execute("INSERT OR REPLACE INTO pictures VALUES (?, ?, ?, ?)", (run, key, value, time.time()))
            db.execute(
                "DELETE FROM pictures WHERE run = ?1 AND key NOT IN "
                "(SELECT key FROM (SELECT key, SUM(LENGTH(value)) OVER (ORDER BY created DESC, key) AS total FROM pictures "
                "WHERE run = ?1 ORDER BY created DESC, key LIMIT ?2) WHERE total <= ?3)",
                (run, KEPT_PICTURES, KEPT_BYTES),
            )
        return key

    def picture(self, run: str, key: str) -> np.ndarray | None:
        """The bytes (C * H * W,) of a kept picture; None where there is none of that key."""
        row = self._db().execute("SELECT value FROM pictures WHERE run = ? AND key = ?", (run, key)).fetchone()
        return None if row is None else np.frombuffer(row[0], np.uint8)


def _must_exist(db: sqlite3.Connection, run: str, folder: Path) -> None:
    if db.execute("SELECT 1 FROM runs WHERE id = ?", (run,)).fetchone() is None:
        raise no_run(run, folder)
