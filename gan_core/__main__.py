"""The command line: python -m gan_core COMMAND.

COMMAND is presets | catalogue | train | export | resume | runs | rename | note | tag | star | trash | restore | delete |
evaluate | sample | compare | bundle | import | report | tensorboard.

With --json a command prints exactly one JSON object on standard output. The exit code is 0 only when the command did
what it was asked; otherwise a one-line reason stands on standard error.
"""

from __future__ import annotations

import argparse
import math
import os
import shlex
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tqdm import tqdm

from .bundle import export as export_bundle
from .bundle import import_ as import_bundle
from .catalogue import catalogue
from .commands import COMMANDS, add_commands, listed, printed
from .commands import print_result as _print
from .config import GANConfig
from .errors import ConfigError, PlaygroundError, RunError
from .evaluation import evaluate
from .files import whole
from .frames import png_grid
from .presets import PRESETS, read_config
from .report import export as export_report
from .runner import Runner
from .script import FORMATS
from .standings import csv_of, measures, runs_of, settings
from .store import Run, RunStore
from .tensorboard import EventFiles, make_folder
from .trainer import Trainer

FAILED, INTERRUPTED = 1, 130
WIDE = 40  # characters of a setting that stands in a table


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
    listing = command("runs", "List the runs, newest first.")
    listing.add_argument("--search", default="", metavar="WORDS", help="those in whose name, note, tags or recipe they occur")
    listing.add_argument("--tag", default="", help="only those with this tag")
    listing.add_argument("--starred", action="store_true", help="only those with a star")
    listing.add_argument("--trash", action="store_true", help="those in the trash instead")
    add_commands(command)
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
    compare = command("compare", "Say in which settings runs differ, and what was measured of each last.")
    compare.add_argument("run", metavar="RUN", nargs="+")
    compare.add_argument("--csv", metavar="FILE", type=Path, help="also write one row a run to a CSV file")
    bundle = command("bundle", "Write a run as one file that can be given away and imported elsewhere.")
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
    return parser


def presets(args: argparse.Namespace) -> None:
    """List the presets."""
    _print(
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
    _print(args.json, sections, lines[:-1])


def train(args: argparse.Namespace) -> None:
    """Train a new run to its end."""
    config = _config(args)
    if args.tensorboard is not None:
        make_folder(args.tensorboard)  # a folder that cannot be used shows before the training begins
    runner = Runner(RunStore(args.runs))
    run = runner.start(config, args.name)
    if args.tensorboard is None:
        _follow(args, runner, run)
        return
    with EventFiles(runner.store, run, args.tensorboard) as files:
        try:
            _follow(args, runner, run, files.update)
        finally:
            files.finish()


def export(args: argparse.Namespace) -> None:
    """Write a config as code."""
    code = FORMATS[args.format](_config(args))
    if args.out is None:
        _print(args.json, {"format": args.format, "code": code}, [code.removesuffix("\n")])
        return
    try:
        args.out.write_text(code, encoding="utf-8")
    except OSError as error:
        raise RunError(f"{args.out} cannot be written ({error.strerror}). Choose another file with --out.") from error
    _print(args.json, {"format": args.format, "file": str(args.out)}, [f"A {args.format} in {args.out}"])


def _config(args: argparse.Namespace) -> GANConfig:
    """The config that a command names, with the changes that it asks for."""
    changes = dict(_assignment(text) for text in args.set)
    if args.steps is not None:
        changes["steps"] = args.steps
    return read_config(args.config).but(**changes)


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ConfigError(f"--set {text} is not understood: expected name=value, for example --set lr_g=0.0002.")
    return name.strip(), value.strip()


def resume(args: argparse.Namespace) -> None:
    """Take up a run from its last checkpoint."""
    runner = Runner(RunStore(args.runs))
    runner.resume(args.run)
    row = runner.store.get(args.run)
    if row.is_live and row.owner != runner.owner:
        _print(args.json, _summary(row), [f"Run {row.id} is held by another program, which goes on with it."])
        return
    _follow(args, runner, args.run)


def _follow(args: argparse.Namespace, runner: Runner, run: str, on_progress: Callable[[], None] = lambda: None) -> None:
    """Show progress until the run ends; succeed only if it is finished."""
    store = runner.store
    again = f"python -m gan_core resume {run}" + (f" --runs {shlex.quote(args.runs)}" if args.runs else "")
    quiet = args.json or not sys.stderr.isatty()
    with tqdm(total=store.get(run).steps, unit="step", disable=quiet, dynamic_ncols=True) as bar:
        try:
            while not runner.wait(run, 0.2):
                on_progress()
                row = store.get(run)
                bar.update(row.step - bar.n)
                bar.set_postfix_str(row.message or ", ".join(f"{k} {v[0]:.3g}" for k, v in row.metrics.items()))
                if problem := runner.problem(run):
                    told, _, _ = problem.partition(": it goes on by itself")
                    raise RunError(f"{told}, then go on from its last checkpoint: {again}")
        except KeyboardInterrupt:
            runner.shutdown()
            print(f"\nInterrupted at step {store.get(run).step:,}. Go on with: {again}", file=sys.stderr)
            sys.exit(INTERRUPTED)
        bar.update(store.get(run).step - bar.n)
    row = store.get(run)
    if row.status == "finished":
        _print(
            args.json,
            _summary(row),
            [
                f"{row.name}: finished, {row.step:,} steps in {row.seconds:.1f} s. Run {run}",
                *(f"  {name}: {value[0]:.4g}" for name, value in row.metrics.items()),
            ],
        )
        return
    how = row.status if row.status == "failed" else f"was {row.status}"
    raise RunError(f"Run {run} {how} at step {row.step:,}. {row.message}")


def _summary(row: Run) -> dict:
    several = len(row.configs) > 1
    # JSON has no NaN: what could not be measured is null
    metrics = {name: [None if math.isnan(v) else v for v in values] for name, values in row.metrics.items()}
    return {
        "run": row.id,
        "name": row.name,
        "status": row.status,
        "step": row.step,
        "steps": row.steps,
        "seconds": round(row.seconds, 3),
        "rate": round(row.step / row.seconds, 1) if row.seconds else 0.0,
        "message": row.message,
        "verdict": row.verdict or None,
        "note": row.note,
        "tags": list(row.tags),
        "starred": row.starred,
        "metrics": {name: values if several else values[0] for name, values in metrics.items()},
        "config": row.config.changed(),
    }


def runs(args: argparse.Namespace) -> None:
    """List the runs of a store."""
    rows, empty = listed(RunStore(args.runs), args)
    lines = [f"{r.id}  {r.status:11} {r.step:>9,}/{r.steps:<9,}  {'* ' if r.starred else ''}{printed(r)}" for r in rows]
    _print(args.json, {"runs": [_summary(r) for r in rows]}, lines or [empty])


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
    _print(args.json, found, lines)


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
    _print(args.json, {"run": row.id, "step": state["step"], "n": args.n, "file": str(out)}, [f"{args.n} samples in {out}"])


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
    _print(args.json, {"runs": [_summary(row) for row in rows], "differences": apart, "metrics": told, **file}, lines)


def _short(text: str) -> str:
    return text if len(text) <= WIDE else f"{text[: WIDE - 1]}…"


def _beside(value: float | None, perfect: float | None) -> str:
    """A measurement with what perfect samples score."""
    return ("-" if value is None else f"{value:.4g}") + ("" if perfect is None else f" (perfect {perfect:.4g})")


def bundle(args: argparse.Namespace) -> None:
    """Write a run as a bundle."""
    path = export_bundle(RunStore(args.runs), args.run, args.file)
    size = path.stat().st_size
    _print(args.json, {"run": args.run, "file": str(path), "bytes": size}, [f"Run {args.run} in {path}, {size / 1e6:,.1f} MB"])


def import_run(args: argparse.Namespace) -> None:
    """Take in a bundle."""
    store = RunStore(args.runs)
    row = store.get(import_bundle(store, args.file))
    _print(args.json, _summary(row), [f"{row.name}: {row.status}, {row.step:,} of {row.steps:,} steps. Run {row.id}"])


def report(args: argparse.Namespace) -> None:
    """Write a report of runs."""
    path = export_report(RunStore(args.runs), args.run, args.file)
    _print(args.json, {"runs": args.run, "file": str(path)}, [f"A report in {path}"])


def tensorboard(args: argparse.Namespace) -> None:
    """Write a run's event files."""
    with EventFiles(RunStore(args.runs), args.run, args.folder) as files:
        files.finish()
    _print(
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
            "compare": compare,
            "bundle": bundle,
            "import": import_run,
            "report": report,
            "tensorboard": tensorboard,
            **COMMANDS,
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
