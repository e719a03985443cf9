"""The command that puts runs beside each other: compare."""

from __future__ import annotations

import argparse
from pathlib import Path

from .command_line import Action, Command, say, summary
from .files import whole
from .standings import csv_of, measures, runs_of, settings
from .store import RunStore

WIDE = 40  # characters of a setting that stands in a table


def add(command: Command) -> None:
    """Add the command's parser."""
    compare = command("compare", "Say in which settings runs differ, and what was measured of each last.")
    compare.add_argument("run", metavar="RUN", nargs="+")
    compare.add_argument("--csv", metavar="FILE", type=Path, help="also write one row a run to a CSV file")


def compare(args: argparse.Namespace) -> None:
    """Print how runs differ and what became of them."""
    rows = runs_of(RunStore(args.runs), args.run)
    apart, found = settings(rows)[0], measures(rows)
    if args.csv is not None:
        with whole(args.csv) as file:
            file.write(csv_of(rows).encode())
    table = [("", *(row.id for row in rows)), ("name", *(row.name for row in rows)), ("status", *(row.status for row in rows))]
    table.append(("step", *(f"{row.step:,}" for row in rows)))
    table.append(("seconds trained", *(f"{row.seconds:,.1f}" for row in rows)))
    table += [(name, *(_short(str(value)) for value in values)) for name, values in apart.items()]
    for m in found.values():
        table.append((m.title, *(_beside(value, perfect) for value, perfect in zip(m.values, m.perfect, strict=True))))
    widths = [max(len(line[k]) for line in table) for k in range(len(rows) + 1)]
    lines = ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in table]
    told = {name: {"title": m.title, "values": m.values, "perfect": m.perfect} for name, m in found.items()}
    file = {} if args.csv is None else {"file": str(args.csv)}
    say(args.json, {"runs": [summary(row) for row in rows], "differences": apart, "metrics": told, **file}, lines)


def _short(text: str) -> str:
    return text if len(text) <= WIDE else f"{text[: WIDE - 1]}…"


def _beside(value: float | None, perfect: float | None) -> str:
    """A measurement with what perfect samples score."""
    return ("-" if value is None else f"{value:.4g}") + ("" if perfect is None else f" (perfect {perfect:.4g})")


ACTIONS: dict[str, Action] = {"compare": compare}
