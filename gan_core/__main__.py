"""The command line: python -m gan_core COMMAND.

COMMAND is presets | catalogue | train | export | resume | runs | evaluate | sample | bundle | import | report | tensorboard, or
one of `command_steer` (pause, stop, step, set, …), `command_shelf` (rename, tag, trash, …), `command_compare`, `command_lab`
(verdict, lab, map) and `command_latent` (walk, …).

With --json a command prints exactly one JSON object on standard output. The exit code is 0 only when the command did
what it was asked; otherwise a one-line reason stands on standard error.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sqlite3
import sys
from collections import Counter
from pathlib import Path

from . import command_compare, command_lab, command_latent, command_shelf, command_steer
from .bundle import export as export_bundle
from .bundle import import_ as import_bundle
from .catalogue import catalogue
from .command_line import INTERRUPTED, config_of, follow, name_of, say, say_finished, summary, typed
from .config import GANConfig
from .errors import PlaygroundError, RunError
from .evaluation import evaluate
from .frames import png_grid
from .presets import PRESETS
from .report import export as export_report
from .runner import Runner
from .script import FORMATS
from .store import RunStore
from .tensorboard import EventFiles, make_folder
from .trainer import Trainer

FAILED = 1  # exit code
PARTS = (command_steer, command_shelf, command_compare, command_lab, command_latent)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m gan_core", description="Train and look at GANs without a screen.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, help: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=help, description=help)
        sub.add_argument("--json", action="store_true", help="print one JSON object")
        if name not in ("presets", "catalogue", "export"):
            sub.add_argument("--runs", metavar="DIR", help="folder of runs (default: GAN_PLAYGROUND_RUNS or runs/)")
        return sub

    command("presets", "List the ready recipes.")
    command("catalogue", "Describe every data set, network, loss, penalty and remedy.")
    train = command("train", "Train a preset or a config from a JSON file.")
    export = command("export", "Write a preset or a config as a PyTorch script or a notebook that needs nothing of this project.")
    for sub in (train, export):
        sub.add_argument("config", metavar="PRESET_OR_CONFIG.json")
        sub.add_argument("--set", action="append", default=[], metavar="name=value", help="change a setting; may be repeated")
        sub.add_argument("--steps", type=int, metavar="N", help="generator steps, instead of the config's")
    export.add_argument("--format", choices=FORMATS, default="script", help="what to write (default: script)")
    export.add_argument("-o", "--out", type=Path, metavar="FILE", help="file to write (default: standard output)")
    train.add_argument("--name", default="", help="what to call the run")
    train.add_argument(
        "--tensorboard", metavar="DIR", type=Path, help="also write what is measured as TensorBoard's event files there"
    )
    resume = command("resume", "Go on with a run that was stopped, interrupted or failed.")
    resume.add_argument("run", metavar="RUN")
    resume.add_argument(
        "--set", action="append", default=[], metavar="name=value", help="change a setting before; may be repeated"
    )
    listing = command("runs", "List the runs, newest first.")
    listing.add_argument("--search", default="", metavar="WORDS", help="those in whose name, note, tags or recipe they occur")
    listing.add_argument("--tag", default="", help="only those with this tag")
    listing.add_argument("--starred", action="store_true", help="only those with a star")
    listing.add_argument("--trash", action="store_true", help="those in the trash instead")
    measure = command("evaluate", "Measure a run in full, beside what real data score.")
    measure.add_argument("run", metavar="RUN")
    measure.add_argument("--step", type=int, help="a kept step (default: the latest)")
    measure.add_argument("-n", "--samples", type=int, help="how many (default: 10,000, or half of the data)")
    sample = command("sample", "Write samples of a run: PNG for images, CSV for points.")
    sample.add_argument("run", metavar="RUN")
    sample.add_argument("--step", type=int, help="a kept step (default: the latest)")
    sample.add_argument("-n", type=int, default=64, help="how many (default: 64)")
    sample.add_argument("--seed", type=int, default=0, help="seed of the noise (default: 0)")
    sample.add_argument("--label", type=int, help="class, for a conditional generator (default: all in turn)")
    sample.add_argument("--member", type=int, default=0, help="which member of the run (default: 0)")
    sample.add_argument("-o", "--out", type=Path, help="file to write (default: RUN-STEP.png or .csv here)")
    bundle = command("bundle", "Write a run as one file to be imported elsewhere; checkpoints that are damaged are left out.")
    bundle.add_argument("run", metavar="RUN")
    bundle.add_argument("file", metavar="FILE", type=Path)
    taken = command("import", "Take in a run from a bundle.")
    taken.add_argument("file", metavar="FILE", type=Path)
    report = command("report", "Write a report of one or several runs as one HTML file that opens offline.")
    report.add_argument("run", metavar="RUN", nargs="+")
    report.add_argument("file", metavar="FILE", type=Path)
    board = command("tensorboard", "Write a run's curves and last samples as TensorBoard's event files.")
    board.add_argument("run", metavar="RUN")
    board.add_argument("folder", metavar="DIR", type=Path)
    for part in PARTS:
        part.add(command)
    return parser


def presets(args: argparse.Namespace) -> None:
    """List the presets."""
    say(
        args.json,
        {"presets": {name: {"title": p.title, "text": p.text, "config": p.config.changed()} for name, p in PRESETS.items()}},
        [f"{name:20} {p.text}" for name, p in PRESETS.items()],
    )


def list_catalogue(args: argparse.Namespace) -> None:
    """Describe everything that can be switched on."""
    sections, lines = catalogue(), []
    for section, entries in sections.items():
        lines += [f"{section.upper()}", ""]
        for e in entries:
            lines.append(
                f"  {e['title']}  ({e['field']}={e['name']})" if e["field"] != e["name"] else f"  {e['title']}  ({e['name']})"
            )
            told = (("", e["text"]), ("", e["formula"]), ("when: ", e["use"]), ("cost: ", e["cost"]), ("from: ", e["source"]))
            lines += [f"    {label}{text}" for label, text in told if text]
        lines.append("")
    say(args.json, sections, lines[:-1])


def train(args: argparse.Namespace) -> None:
    """Train a new run to its end."""
    config = config_of(args)
    name = name_of(args)
    if args.tensorboard is not None:
        make_folder(args.tensorboard)  # a folder that cannot be used shows before the training begins
    runner = Runner(RunStore(args.runs))
    run = runner.start(config, name)
    if args.tensorboard is None:
        say_finished(args, follow(args, runner, run))
        return
    with EventFiles(runner.store, run, args.tensorboard) as files:
        try:
            say_finished(args, follow(args, runner, run, files.update))
        finally:
            files.finish()


def export(args: argparse.Namespace) -> None:
    """Write a config as code."""
    code = FORMATS[args.format](config_of(args))
    if args.out is None:
        say(args.json, {"format": args.format, "code": code}, [code.removesuffix("\n")])
        return
    try:
        args.out.write_text(code, encoding="utf-8")
    except OSError as error:
        raise RunError(f"{args.out} cannot be written ({error.strerror}). Choose another file with --out.") from error
    say(args.json, {"format": args.format, "file": str(args.out)}, [f"A {args.format} in {args.out}"])


def resume(args: argparse.Namespace) -> None:
    """Take up a run from its last checkpoint."""
    runner = Runner(RunStore(args.runs))
    runner.resume(args.run, typed(runner.store.get(args.run).config, args.set))
    row = runner.store.get(args.run)
    if row.is_live and row.owner != runner.owner:
        say(args.json, summary(row), [f"Run {row.id} is held by another program, which goes on with it."])
        return
    say_finished(args, follow(args, runner, args.run))


def runs(args: argparse.Namespace) -> None:
    """List the runs of a store."""
    rows, empty = command_shelf.listed(RunStore(args.runs), args)
    lines = [
        f"{r.id}  {r.status:11} {r.step:>9,}/{r.steps:<9,}  {'* ' if r.starred else ''}{command_shelf.printed(r)}" for r in rows
    ]
    say(args.json, {"runs": [summary(r) for r in rows]}, lines or [empty])


def _said(verdict: dict | list[dict]) -> str:
    """A verdict in words; of many, how often each is given."""
    if isinstance(verdict, dict):
        return f"{verdict['title']}: {verdict['sentence']}"
    counts = Counter(each["title"] for each in verdict)
    return ", ".join(f"{title}: {count} of {len(verdict)}" for title, count in counts.most_common())


def evaluate_run(args: argparse.Namespace) -> None:
    """Measure a run in full."""
    found = evaluate(RunStore(args.runs), args.run, args.step, args.samples)
    lines = [f"Run {found['run']}, step {found['step']:,}", f"{'':28} {'value':>12} {'perfect':>12} {'samples':>8}  looks at"]
    for entry in found["metrics"].values():
        values = entry["value"] if isinstance(entry["value"], list) else [entry["value"]]
        known = [v for v in values if v is not None]
        value = f"{sum(known) / len(known):.4g}" if known else "-"
        floor = "-" if entry["floor"] is None else f"{entry['floor']:.4g}"
        lines.append(f"{entry['title']:28} {value:>12} {floor:>12} {entry['n'] or '-':>8}  {entry['looks_at']}")
    if verdict := found["verdict"]:
        lines.insert(1, _said(verdict))
    if found["members"] > 1:
        lines.append(f"Means over {found['members']} members; --json gives each.")
    say(args.json, found, lines)


def sample(args: argparse.Namespace) -> None:
    """Write samples to a file."""
    if not 1 <= args.n <= 100_000:
        raise RunError(f"-n {args.n} is out of range: expected 1 to 100,000 samples.")
    store = RunStore(args.runs)
    row = store.get(args.run)
    state = store.load_checkpoint(args.run, args.step)
    trainer = Trainer([GANConfig.parse(c) for c in state["configs"]])
    trainer.load_state_dict(state)
    images = trainer.sample(args.n, member=args.member, seed=args.seed, label=args.label)
    points = images.dim() == 2
    kind = "csv" if points else "png"
    out = args.out or Path(f"{row.id}-{state['step']}.{kind}")
    if out.suffix.lower() != f".{kind}":
        raise RunError(f"Run {row.id} makes {'points' if points else 'images'}, which --out writes as .{kind}, not {out.name}.")
    try:
        if points:
            out.write_text("x,y\n" + "".join(f"{x:.6g},{y:.6g}\n" for x, y in images.tolist()))
        else:
            out.write_bytes(png_grid(images, max(1, round(args.n**0.5))))
    except OSError as error:
        raise RunError(f"{out} cannot be written ({error.strerror}). Choose another file with --out.") from error
    say(args.json, {"run": row.id, "step": state["step"], "n": args.n, "file": str(out)}, [f"{args.n} samples in {out}"])


def bundle(args: argparse.Namespace) -> None:
    """Write a run as a bundle."""
    path = export_bundle(RunStore(args.runs), args.run, args.file)
    size = path.stat().st_size
    say(args.json, {"run": args.run, "file": str(path), "bytes": size}, [f"Run {args.run} in {path}, {size / 1e6:,.1f} MB"])


def import_run(args: argparse.Namespace) -> None:
    """Take in a bundle."""
    store = RunStore(args.runs)
    row = store.get(import_bundle(store, args.file))
    say(args.json, summary(row), [f"{row.name}: {row.status}, {row.step:,} of {row.steps:,} steps. Run {row.id}"])


def report(args: argparse.Namespace) -> None:
    """Write a report of runs."""
    path = export_report(RunStore(args.runs), args.run, args.file)
    say(args.json, {"runs": args.run, "file": str(path)}, [f"A report in {path}"])


def tensorboard(args: argparse.Namespace) -> None:
    """Write a run's event files."""
    with EventFiles(RunStore(args.runs), args.run, args.folder) as files:
        files.finish()
    say(
        args.json,
        {"run": args.run, "folder": str(args.folder)},
        [f"Run {args.run} in {args.folder}. Look at it with: tensorboard --logdir {shlex.quote(str(args.folder))}"],
    )


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    args = _parser().parse_args(argv)
    try:
        {
            "presets": presets,
            "catalogue": list_catalogue,
            "train": train,
            "export": export,
            "resume": resume,
            "runs": runs,
            "evaluate": evaluate_run,
            "sample": sample,
            "bundle": bundle,
            "import": import_run,
            "report": report,
            "tensorboard": tensorboard,
            **{name: action for part in PARTS for name, action in part.ACTIONS.items()},
        }[args.command](args)
    except PlaygroundError as error:
        print(f"{args.command}: {error}", file=sys.stderr)
        return FAILED
    except BrokenPipeError:  # whoever read this has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (sqlite3.Error, OSError) as error:
        print(
            f"{args.command}: the folder of runs cannot be used ({error}). Free some space there, or name another with --runs.",
            file=sys.stderr,
        )
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
