"""Commands that keep order among runs: rename, note, tag, star, trash, restore and delete; and which are listed."""

from __future__ import annotations

import argparse

from .command_line import Action, Command, say
from .errors import RunError
from .listing import Wanted, pick
from .runner import Runner
from .shelf import printable
from .store import Run, RunStore


def add(command: Command) -> None:
    """Add the commands' parsers."""
    rename = command("rename", "Give a run another name.")
    note = command("note", "Write a note on a run.")
    tag = command("tag", "Add tags to a run, or take some away.")
    star = command("star", "Give a run a star.")
    for sub in (rename, note, tag, star):
        sub.add_argument("run", metavar="RUN")
    rename.add_argument("name", metavar="NAME")
    note.add_argument("text", metavar="TEXT", help='instead of the one before; "" for none')
    tag.add_argument("tags", metavar="TAG", nargs="*")
    tag.add_argument("--remove", metavar="TAG", action="append", default=[], help="a tag to take away; may be repeated")
    star.add_argument("--off", action="store_true", help="take the star away")
    for name, help in (
        ("trash", "Put runs into the trash, from where they can be restored."),
        ("restore", "Take runs out of the trash."),
        ("delete", "Delete runs that are in the trash for good."),
    ):
        command(name, help).add_argument("run", metavar="RUN", nargs="+")


def printed(row: Run) -> str:
    """A run's name and tags on one line."""
    return printable(" ".join([row.name, *(f"#{tag}" for tag in row.tags)]))


def listed(store: RunStore, args: argparse.Namespace) -> tuple[list[Run], str]:
    """The runs that are asked for, and what to say where there are none."""
    wanted = Wanted(text=args.search, tag=args.tag, starred=args.starred)
    fitting = {line.id for line in pick(store.lines(args.trash), wanted)}
    rows = [row for row in store.runs(limit=-1, kind=None, trashed=args.trash) if row.id in fitting]
    if args.trash:
        return rows, "The trash is empty." if wanted == Wanted() else "No run in the trash fits."
    return rows, "No runs yet. Start one with: python -m gan_core train ring" if wanted == Wanted() else "No run fits."


def rename(args: argparse.Namespace) -> None:
    """Give a run another name."""
    _described(args, name=args.name)


def note(args: argparse.Namespace) -> None:
    """Write a note on a run."""
    _described(args, note=args.text)


def tag(args: argparse.Namespace) -> None:
    """Add tags to a run, or take some away."""
    kept = RunStore(args.runs).get(args.run).tags
    if missing := [each for each in args.remove if each not in kept]:
        raise RunError(f"Run {args.run} has no tag {missing[0]}. It has: {', '.join(kept) or 'none'}.")
    _described(args, tags=[each for each in (*kept, *args.tags) if each not in args.remove])


def star(args: argparse.Namespace) -> None:
    """Give a run a star, or take it away."""
    _described(args, starred=not args.off)


def _described(args: argparse.Namespace, **said) -> None:
    store = RunStore(args.runs)
    store.describe(args.run, **said)
    row = store.get(args.run)
    values = {"run": row.id, "name": row.name, "note": row.note, "tags": list(row.tags), "starred": row.starred}
    say(args.json, values, [f"{'* ' if row.starred else ''}{printed(row)}. Run {row.id}"])


def trash(args: argparse.Namespace) -> None:
    """Put runs into the trash."""
    Runner(RunStore(args.runs)).trash(args.run)
    say(args.json, {"trashed": args.run}, [f"In the trash: {', '.join(args.run)}"])


def restore(args: argparse.Namespace) -> None:
    """Take runs out of the trash."""
    Runner(RunStore(args.runs)).restore(args.run)
    say(args.json, {"restored": args.run}, [f"Restored: {', '.join(args.run)}"])


def delete(args: argparse.Namespace) -> None:
    """Delete runs that are in the trash for good."""
    runner = Runner(RunStore(args.runs))
    for run in args.run:
        runner.delete(run)
    say(args.json, {"deleted": args.run}, [f"Deleted for good: {', '.join(args.run)}"])


ACTIONS: dict[str, Action] = {
    "rename": rename,
    "note": note,
    "tag": tag,
    "star": star,
    "trash": trash,
    "restore": restore,
    "delete": delete,
}
