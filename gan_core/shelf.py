"""The shelf: how runs are listed, named, noted, tagged, starred, and put into the trash. It is a part of `RunStore`."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from .errors import RunError
from .schema import Database

LIVE = ("queued", "running", "paused")  # a worker holds the run in memory, or will
RUN_NAME, NOTE, TAGS, TAG = 80, 2000, 12, 30  # letters of a name and a note, tags of a run, letters of a tag
JOINERS = "\u200c\u200d"  # hold together the parts of an emoji, or the letters of a word
BLANK = " " + JOINERS
VERDICT_OF = {"status", "step", "configs", "metrics"}  # columns with which a verdict that was kept no longer holds

_LINES = """
SELECT r.id, r.name, r.status, r.kind, r.created, r.updated, r.step, r.steps, r.seconds, r.metrics, r.note, r.tags, r.starred,
    r.trashed, r.verdict, json_extract(r.configs, '$[0].dataset'), json_extract(r.configs, '$[0].network'),
    json_extract(r.configs, '$[0].loss'), json_extract(r.configs, '$[0].penalty'), json_array_length(r.configs),
    COALESCE(c.size, 0)
FROM runs r LEFT JOIN (SELECT run, SUM(size) AS size FROM checkpoints GROUP BY run) c ON c.run = r.id
WHERE (r.trashed IS NOT NULL) = ? ORDER BY r.created DESC, r.rowid DESC"""

_PAGES = ("page_size", "page_count", "freelist_count")


@dataclass(frozen=True)
class Line:
    """What a list shows of a run, read without checking its settings, so that thousands are read at once.

    Attributes:
        verdict: a key of VERDICTS; "" where none is given, None where it is not known.
        members: how many GANs train in it.
        bytes: of its kept checkpoints.
        The rest is as in `Run`.
    """

    id: str
    name: str
    status: str
    kind: str
    created: float
    updated: float
    step: int
    steps: int
    seconds: float
    metrics: dict[str, list[float]]
    note: str
    tags: tuple[str, ...]
    starred: bool
    trashed: float | None
    verdict: str | None
    dataset: str
    network: str
    loss: str
    penalty: str
    members: int
    bytes: int

    @property
    def is_live(self) -> bool:
        return self.status in LIVE

    def metric(self, name: str) -> float:
        """The latest of a metric, the mean over the members that have it; NaN where there is none."""
        known = [value for value in self.metrics.get(name, ()) if not math.isnan(value)]
        return sum(known) / len(known) if known else math.nan


class Shelf(Database):
    """The part of a `RunStore` that keeps order among its runs."""

    def lines(self, trashed: bool = False) -> list[Line]:
        """All runs and maps, or all that are in the trash, newest first. One query, whatever their number."""
        rows = self._db().execute(_LINES, (trashed,)).fetchall()
        return [_line(tuple(row)) for row in rows]

    def sizes(self) -> tuple[int, int, int]:
        """Bytes of all checkpoints, of those in the trash, and how many runs lie there."""
        total, trash, count = (
            self._db()
            .execute(
                "SELECT (SELECT COALESCE(SUM(size), 0) FROM checkpoints), (SELECT COALESCE(SUM(c.size), 0) FROM checkpoints c "
                "JOIN runs r ON r.id = c.run WHERE r.trashed IS NOT NULL), "
                "(SELECT COUNT(*) FROM runs WHERE trashed IS NOT NULL)"
            )
            .fetchone()
        )
        return total, trash, count

    def database_bytes(self) -> int:
        """Bytes of the database that hold something: what was deleted leaves room in it, which is filled first."""
        page, pages, unused = (self._db().execute(f"PRAGMA {name}").fetchone()[0] for name in _PAGES)
        return page * (pages - unused)

    def describe(
        self,
        run: str,
        *,
        name: str | None = None,
        note: str | None = None,
        tags: Iterable[str] | None = None,
        starred: bool | None = None,
    ) -> None:
        """Change what a user says about a run; None leaves a thing as it is. Training is not touched by it.

        Raises:
            RunError: there is no such run, or a text is empty, too long or holds what cannot be printed.
        """
        said = {
            "name": None if name is None else check_name(name),
            "note": None if note is None else check_note(note),
            "tags": None if tags is None else json.dumps(check_tags(tags)),
            "starred": None if starred is None else int(starred),
        }
        said = {column: value for column, value in said.items() if value is not None}
        self._must_exist([run])
        if said:
            with self._write() as db:
                db.execute(f"UPDATE runs SET {', '.join(f'{column} = ?' for column in said)} WHERE id = ?", (*said.values(), run))

    def keep_verdict(self, run: str, verdict: str, updated: float) -> None:
        """Keep what the verdict on a run is, unless the run has changed since it was `updated`."""
        with self._write() as db:
            db.execute("UPDATE runs SET verdict = ? WHERE id = ? AND updated = ?", (verdict, run, updated))

    def trash(self, runs: Sequence[str]) -> None:
        """Put runs into the trash, all or none. They vanish from lists, can neither be resumed nor forked, and can be restored.

        Raises:
            RunError: one does not exist or is live.
        """
        self._must_exist(runs)
        with self._write() as db:
            now = time.time()
            for run in runs:
                live = ", ".join("?" * len(LIVE))
                row = db.execute(
                    f"UPDATE runs SET trashed = COALESCE(trashed, ?) WHERE id = ? AND status NOT IN ({live})", (now, run, *LIVE)
                )
                if row.rowcount == 0:
                    raise RunError(f"Run {run} is still live. Stop it first.")

    def restore(self, runs: Sequence[str]) -> None:
        """Take runs out of the trash.

        Raises:
            RunError: one does not exist.
        """
        self._must_exist(runs)
        with self._write() as db:
            db.executemany("UPDATE runs SET trashed = NULL WHERE id = ?", [(run,) for run in runs])

    def _must_exist(self, runs: Sequence[str]) -> None:
        for run in runs:
            if self._db().execute("SELECT 1 FROM runs WHERE id = ?", (run,)).fetchone() is None:
                raise no_run(run, self.folder)


def no_run(run: str, folder: Path) -> RunError:
    """That there is no such run, and where to look."""
    return RunError(f"There is no run {run} in {folder}. See the Runs page, or: python -m gan_core runs")


@lru_cache(maxsize=2**14)  # a list is looked at every two seconds, and most of its lines stay as they are
def _line(row: tuple) -> Line:
    values = list(row)
    values[9], values[11], values[12] = json.loads(values[9]), tuple(json.loads(values[11])), bool(values[12])
    for k in range(15, 19):
        values[k] = str(values[k] or "")  # settings of another version may lack one
    return Line(*values)


def is_plain(letter: str) -> bool:
    """Whether a letter only shows itself: it commands no terminal and turns nothing around that stands beside it."""
    return letter.isprintable() or letter in JOINERS


def printable(text: str) -> str:
    """A text on one line, with spaces instead of what is not plain."""
    return "".join(letter if is_plain(letter) else " " for letter in text).strip(BLANK)


def check_name(text: str) -> str:
    """A run's name on one line, as it is kept.

    Raises:
        RunError: it is empty or too long, or holds what cannot be printed.
    """
    return _checked("A run's name", " ".join(text.split()).strip(BLANK), 1, RUN_NAME)


def check_note(text: str) -> str:
    """A note, of one or more lines.

    Raises:
        RunError: it is too long, or holds what cannot be printed.
    """
    lines = [_checked("A note", line.rstrip().replace("\t", " "), 0, NOTE) for line in text.strip().splitlines()]
    return _checked("A note", "\n".join(lines), 0, NOTE, more="\n")


def check_tags(tags: Iterable[str]) -> list[str]:
    """Tags, each once, in the order in which they were given.

    Raises:
        RunError: one is empty or too long, holds a comma or what cannot be printed, or there are too many.
    """
    kept = list(dict.fromkeys(_checked("A tag", " ".join(tag.split()).strip(BLANK), 1, TAG) for tag in tags))
    if len(kept) > TAGS:
        raise RunError(f"A run has at most {TAGS} tags; these are {len(kept)}. Remove some.")
    if wrong := [tag for tag in kept if "," in tag]:
        raise RunError(f"The tag {wrong[0]} holds a comma, which separates tags. Choose another.")
    return kept


def _checked(what: str, text: str, least: int, most: int, more: str = "") -> str:
    """The text, if it has a fitting length and only letters that can be printed, which marks for the direction of text cannot."""
    if not least <= len(text) <= most:
        raise RunError(f"{what} has {least:,} to {most:,} letters; this one has {len(text):,}. Choose another.")
    if wrong := [letter for letter in text if not is_plain(letter) and letter not in more]:
        raise RunError(f"{what} cannot hold the invisible letter U+{ord(wrong[0]):04X}. Leave it out.")
    return text
