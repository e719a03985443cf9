"""Search, filter and sort the list of runs. Pure: lines in, lines out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .data import DATASETS
from .health import VERDICTS
from .losses import LOSSES
from .networks import NETWORKS
from .penalties import PENALTIES
from .shelf import Line


@dataclass(frozen=True)
class Sort:
    """An order: its title, and what a line is sorted by; NaN comes last."""

    title: str
    key: Callable[[Line], Any]


SORTS: dict[str, Sort] = {
    "newest": Sort("Newest first", lambda line: -line.created),
    "oldest": Sort("Oldest first", lambda line: line.created),
    "name": Sort("Name", lambda line: line.name.casefold()),
    "longest": Sort("Longest trained", lambda line: -line.seconds),
    "held": Sort("Most modes held", lambda line: -line.metric("held")),
    "quality": Sort("Best quality", lambda line: -line.metric("high_quality")),
    "distance": Sort("Smallest distance", lambda line: line.metric("sliced_wasserstein")),
    "disk": Sort("Largest on disk", lambda line: -line.bytes),
}


@dataclass(frozen=True)
class Wanted:
    """Which runs a list shows, and in which order.

    Attributes:
        text: words that must all occur in the name, note, tags, data, recipe, status, verdict or id.
        status, data, tag: what a run must have; "" for any.
        starred: only those.
        sort: a key of SORTS.
    """

    text: str = ""
    status: str = ""
    data: str = ""
    tag: str = ""
    starred: bool = False
    sort: str = "newest"


def pick(lines: Sequence[Line], wanted: Wanted) -> list[Line]:
    """The lines that are wanted, in the wanted order; those that are equal in it stay as they were."""
    words = wanted.text.casefold().split()
    found = [
        line
        for line in lines
        if wanted.status in ("", line.status)
        and wanted.data in ("", line.dataset)
        and (not wanted.tag or wanted.tag in line.tags)
        and (line.starred or not wanted.starred)
        and (not words or _holds(_told(line), words))
    ]
    key = SORTS[wanted.sort].key

    def place(line: Line) -> tuple[bool, Any]:
        value = key(line)
        missing = isinstance(value, float) and math.isnan(value)
        return missing, 0.0 if missing else value

    return sorted(found, key=place)


def _holds(text: str, words: list[str]) -> bool:
    return all(word in text for word in words)


def _told(line: Line) -> str:
    """All that a search looks at."""
    entries = (
        (DATASETS, line.dataset),
        (NETWORKS, line.network),
        (LOSSES, line.loss),
        (PENALTIES, line.penalty if line.penalty != "none" else ""),
        (VERDICTS, line.verdict or ""),
    )
    titles = [getattr(registry.get(name), "title", "") for registry, name in entries]
    names = [name for _, name in entries]
    return "\n".join((line.name, line.note, *line.tags, line.status, line.kind, line.id, *names, *titles)).casefold()
