"""What the commands of the command line share: what they print, how a config is named, and following a run to its end."""

from __future__ import annotations

import argparse
import json
import math
import shlex
import sys
from collections.abc import Callable, Sequence
from typing import Any

from tqdm import tqdm

from .config import GANConfig
from .errors import ConfigError, RunError
from .presets import read_config
from .runner import Runner
from .shelf import check_name
from .store import Run

INTERRUPTED = 130  # exit code after Ctrl-C

Command = Callable[[str, str], argparse.ArgumentParser]  # name, help -> its parser
Action = Callable[[argparse.Namespace], None]


def say(as_json: bool, values: dict, lines: list[str]) -> None:
    """Print an object as JSON, or lines of text."""
    print(json.dumps(values) if as_json else "\n".join(lines))


def config_of(args: argparse.Namespace) -> GANConfig:
    """The config that a command names, with the changes that it asks for."""
    changes = assignments(args.set)
    if args.steps is not None:
        changes["steps"] = args.steps
    return read_config(args.config).but(**changes)


def name_of(args: argparse.Namespace) -> str:
    """What a new run shall be called; "" where that is left open.

    Raises:
        RunError: it is no name (see `check_name`).
    """
    return check_name(args.name) if args.name.strip() else ""


def assignments(texts: Sequence[str]) -> dict[str, str]:
    """What `name=value` says, several times.

    Raises:
        ConfigError: a text says something else.
    """
    changes = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(f"{text} is not understood: expected name=value, for example lr_g=0.0002.")
        changes[name.strip()] = value.strip()
    return changes


def typed(config: GANConfig, texts: Sequence[str]) -> dict[str, Any]:
    """Settings as the numbers that `name=value` means for a config.

    Raises:
        ConfigError: a text says something else, or a setting is unknown or out of range.
    """
    changes = assignments(texts)
    after = config.but(**changes)
    return {name: getattr(after, name) for name in changes}


def follow(args: argparse.Namespace, runner: Runner, run: str, on_progress: Callable[[], None] = lambda: None) -> Run:
    """Show progress until the run ends; returns it if it is finished.

    Raises:
        RunError: it ended otherwise, or cannot be written down.
    """
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
        return row
    how = row.status if row.status == "failed" else f"was {row.status}"
    raise RunError(f"Run {run} {how} at step {row.step:,}. {row.message}")


def say_finished(args: argparse.Namespace, row: Run) -> None:
    """What a run came to, with the first member's metrics."""
    say(
        args.json,
        summary(row),
        [
            f"{row.name}: finished, {row.step:,} steps in {row.seconds:.1f} s. Run {row.id}",
            *(f"  {name}: {value[0]:.4g}" for name, value in row.metrics.items()),
        ],
    )


def summary(row: Run) -> dict:
    """A run as it is printed with --json."""
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
