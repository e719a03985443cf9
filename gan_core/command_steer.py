"""Commands for a run that is there, also where another process trains it: pause | stop | step | set | pace | until | fork."""

from __future__ import annotations

import argparse
import shlex
import time
from collections.abc import Callable
from typing import Any

from .command_line import Action, Command, follow, name_of, say, say_finished, summary, typed
from .errors import ConfigError, RunError
from .members import PLAYERS
from .pace import CONDITIONS
from .runner import Runner
from .store import LIVE, Run, RunStore

OBEYED_SECONDS = 60.0  # how long a command may take to be obeyed: a step of a large network is long
LOOK_SECONDS = 0.05


def add(command: Command) -> None:
    """Add the commands' parsers."""
    pause = command("pause", "Pause a run that trains here or in another program; go on with: resume.")
    stop = command("stop", "End a run before its length; its last step is kept, and resume goes on from there.")
    step = command("step", "Take one step of a paused run.")
    step.add_argument("--part", choices=PLAYERS, help="one update of this network alone (default: a full step)")
    change = command("set", "Change settings of a run while it trains, between two steps.")
    pace = command("pace", "Hold a run to so many steps a second.")
    until = command("until", "Have a run pause by itself.")
    fork = command("fork", "Make a new run that goes on from a kept step of another one.")
    for sub in (pause, stop, step, change, pace, until, fork):
        sub.add_argument("run", metavar="RUN")
    change.add_argument("settings", nargs="+", metavar="name=value", help="for example lr_g=0.0002; taken over together")
    pace.add_argument("rate", type=float, metavar="RATE", help="steps a second, 0.2 to 1000; 0 for as fast as it goes")
    until.add_argument(
        "goal", metavar="GOAL", help="step=N, modes=K covered, seconds=T of training from now, or never to take it back"
    )
    fork.add_argument("--step", type=int, metavar="N", help="a kept step (default: the latest)")
    fork.add_argument("--set", action="append", default=[], metavar="name=value", help="change a setting; may be repeated")
    fork.add_argument("--steps", type=int, metavar="N", help="generator steps in all (default: the run's, or as many again)")
    fork.add_argument("--name", default="", help="what to call the new run")
    fork.add_argument("--train", action="store_true", help="train it to its end now")


def pause(args: argparse.Namespace) -> None:
    """Pause a live run."""
    _order(args, "pause", None, lambda before, row, news: row.status == "paused")


def stop(args: argparse.Namespace) -> None:
    """Stop a live run."""
    _order(args, "stop", None, lambda before, row, news: row.status == "stopped")


def step(args: argparse.Namespace) -> None:
    """One step, or one update of a network, in a pause."""
    row = RunStore(args.runs).get(args.run)
    if row.status in ("queued", "running"):
        raise RunError(f"Run {row.id} is {row.status}, and single steps are taken in a pause. Pause it first.")
    _order(args, "step", args.part, lambda before, row, news: row.step > before.step or "extra" in news)


def change(args: argparse.Namespace) -> None:
    """Change settings."""
    config = RunStore(args.runs).get(args.run).config
    _order(args, "set", typed(config, args.settings), lambda before, row, news: "set" in news)


def pace(args: argparse.Namespace) -> None:
    """Hold to a rate."""
    _order(args, "pace", args.rate, lambda before, row, news: row.pace == args.rate)


def until(args: argparse.Namespace) -> None:
    """Pause by itself."""
    goal = _goal(args.goal)
    _order(args, "until", goal, lambda before, row, news: goal.items() <= row.until.items() and bool(goal) == bool(row.until))


def _goal(text: str) -> dict[str, float]:
    """What to pause at, from text."""
    if text == "never":
        return {}
    kind, _, value = text.partition("=")
    try:
        if kind not in CONDITIONS:
            raise ValueError
        return {kind: float(value) if kind == "seconds" else int(value)}
    except ValueError:
        raise ConfigError(f"{text} is not understood: expected step=N, modes=K, seconds=T or never.") from None


def _order(args: argparse.Namespace, kind: str, value: Any, obeyed: Callable[[Run, Run, set[str]], bool]) -> None:
    """Give a command to a run, wait until it is obeyed, and say how the run stands.

    Args:
        obeyed: of the run before, the run now, and the kinds of events since; True ends the waiting.

    Raises:
        RunError: the run takes no such command, or refuses it, or does not obey.
        ConfigError: the value is out of range.
    """
    store = RunStore(args.runs)
    runner = Runner(store)
    try:
        before, known = store.get(args.run), len(store.events(args.run))
        runner.send(args.run, kind, value)
        row = _awaited(store, before, known, kind, obeyed)
    finally:
        runner.shutdown()
    say(args.json, summary(row), [f"{row.name}: {row.status}, {row.step:,} of {row.steps:,} steps. Run {row.id}"])


def _awaited(store: RunStore, before: Run, known: int, kind: str, obeyed: Callable[[Run, Run, set[str]], bool]) -> Run:
    end = time.monotonic() + OBEYED_SECONDS
    while True:
        news, row = store.events(before.id)[known:], store.get(before.id)
        if obeyed(before, row, {event["kind"] for event in news}):
            return row
        if refused := next((event["message"] for event in news if event["kind"] == "refused"), None):
            raise RunError(refused)
        if before.is_live and row.status not in LIVE:
            raise RunError(f"Run {row.id} was {row.status} at step {row.step:,}, before it could obey. {row.message}".strip())
        if time.monotonic() > end:
            raise RunError(
                f"Run {row.id} has not obeyed within {OBEYED_SECONDS:.0f} seconds. It will when its step is over: look with runs."
            )
        time.sleep(LOOK_SECONDS)


def fork(args: argparse.Namespace) -> None:
    """Fork a run."""
    store = RunStore(args.runs)
    runner = Runner(store)
    changes = typed(store.get(args.run).config, args.set)
    if args.steps is not None:
        changes["steps"] = args.steps
    made = runner.fork(args.run, args.step, changes, name_of(args))
    if args.train:
        runner.resume(made)
        say_finished(args, follow(args, runner, made))
        return
    row = store.get(made)
    runner.shutdown()
    again = f"python -m gan_core resume {made}" + (f" --runs {shlex.quote(args.runs)}" if args.runs else "")
    say(args.json, summary(row), [f"{row.name}. Run {made}, from step {row.step:,} of {args.run}. Train it with: {again}"])


ACTIONS: dict[str, Action] = {
    "pause": pause,
    "stop": stop,
    "step": step,
    "set": change,
    "pace": pace,
    "until": until,
    "fork": fork,
}
