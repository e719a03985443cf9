"""Commands that find out why, and what helps: verdict | lab | map."""

from __future__ import annotations

import argparse
import math
import statistics
from typing import Any

from .command_line import Action, Command, assignments, config_of, follow, name_of, say
from .config import GANConfig
from .cures import CURES
from .errors import ConfigError
from .evaluation import verdict_of
from .lab import MAPS, PROBLEMS, Rate, chance, difference, effect, rate
from .maps import Axis, MapSpec, spread, success, values_of
from .pace import countable
from .runner import Runner
from .store import Run, RunStore

FIRST = "What fails: " + ", ".join(PROBLEMS) + ", a preset, or a config from a JSON file."


def add(command: Command) -> None:
    """Add the commands' parsers."""
    verdict = command("verdict", "Say what is the matter with a run, on which numbers that stands, and what to change.")
    verdict.add_argument("run", metavar="RUN")
    verdict.add_argument("--member", type=int, default=0, help="which member of the run (default: 0)")
    lab = command("lab", "Train what fails over many seeds, as it is and with a cure, and say whether that helps.")
    lab.add_argument("config", metavar="PROBLEM", help=FIRST)
    lab.add_argument("--cure", choices=list(CURES), metavar="CURE", help=f"what to change: {', '.join(CURES)}")
    lab.add_argument("--seeds", type=int, default=16, metavar="N", help="how many seeds of each (default: 16)")
    board = command("map", "Train GANs over two settings and say at which of them all modes are held.")
    board.add_argument(
        "config", metavar="MAP", help=f"A ready map: {', '.join(MAPS)}; or a preset or JSON file, with --x and --y."
    )
    for axis in "xy":
        board.add_argument(
            f"--{axis}",
            metavar="name=VALUES",
            help="values such as lr_g=0.0001,0.001, or low:high:count for evenly spread ones, by ratio where the setting is one",
        )
    board.add_argument("--seeds", type=int, metavar="N", help="how many seeds of each cell, 1 to 16 (default: 4)")
    board.add_argument("--name", default="", help="what to call the map")
    for sub in (lab, board):
        sub.add_argument("--set", action="append", default=[], metavar="name=value", help="change a setting; may be repeated")
        sub.add_argument("--steps", type=int, metavar="N", help="generator steps of each GAN, instead of the config's")


def verdict(args: argparse.Namespace) -> None:
    """The verdict on a run."""
    found = verdict_of(RunStore(args.runs), args.run, args.member)
    values = {
        "run": args.run,
        "verdict": found.name,
        "title": found.kind.title,
        "sentence": found.sentence,
        "since": found.since,
        "evidence": dict(found.evidence),
        "advice": [{"cure": a.cure, "changes": a.changes, "live": a.live} for a in found.advice],
    }
    lines = [f"{found.kind.title}: {found.sentence}", f"Since step {found.since:,}."]
    lines += [f"  {name}: {value}" for name, value in found.evidence]
    for a in found.advice:
        changes = " ".join(f"{name}={value}" for name, value in a.changes.items())
        lines.append(f"Try {changes} ({CURES[a.cure].title}{'' if a.live else ', in a new run'})")
    say(args.json, values, lines)


def _base(args: argparse.Namespace) -> GANConfig:
    """A problem of the lab, or what `train` would take."""
    if args.config not in PROBLEMS:
        return config_of(args)
    steps = {} if args.steps is None else {"steps": args.steps}
    return PROBLEMS[args.config].config.but(**assignments(args.set), **steps)


def lab(args: argparse.Namespace) -> None:
    """Both arms over seeds."""
    base = _base(args)
    arms = {"as it is": base}
    if args.cure is not None:
        after = CURES[args.cure].apply(base)
        if after is None:
            raise ConfigError(f"{CURES[args.cure].title} changes nothing here, or does not go with the other settings.")
        arms[CURES[args.cure].title] = after
    modes = countable(base)
    if not modes:
        raise ConfigError(f"The modes of {base.dataset} are not counted here, so there is no success. Choose another data set.")
    if args.seeds < 1:
        raise ConfigError(f"--seeds {args.seeds} is out of range: expected at least 1.")
    runner = Runner(RunStore(args.runs))
    names = list(arms)
    runs = [
        runner.start([config.but(seed=config.seed + k) for k in range(args.seeds)], f"{args.config}, {name}"[:80])
        for name, config in arms.items()
    ]
    found = [_arm(follow(args, runner, run), modes) for run in runs]
    rates = [rate([held >= modes for held in arm["held"]]) for arm in found]
    values: dict[str, Any] = {"modes": modes, "arms": []}
    lines = []
    for name, arm, counted in zip(names, found, rates, strict=True):
        values["arms"].append({"name": name, "successes": counted.successes, "n": counted.n} | _ends(counted) | arm)
        mean = statistics.mean(arm["held"])
        lines.append(
            f"{name}: all {modes} modes held by {counted.successes} of {counted.n} seeds, which is {counted.low:.0%} to "
            f"{counted.high:.0%} with 95 % confidence; {mean:.1f} on average. Run {arm['run']}"
        )
    if len(found) == 2:
        values["changes"] = {name: after for name, (_, after) in difference(*arms.values()).items()}
        values["p"] = chance(*rates)
        lines.append(effect(*rates, found[0]["held"], found[1]["held"]))
    say(args.json, values, lines)


def _ends(counted: Rate) -> dict[str, float]:
    return {"low": round(counted.low, 4), "high": round(counted.high, 4)}


def _arm(row: Run, modes: int) -> dict[str, Any]:
    """What a run of many seeds came to; one that has diverged holds nothing."""
    return {"run": row.id, "held": [0 if math.isnan(v) else int(v) for v in row.metrics.get("held", [0] * len(row.configs))]}


def board(args: argparse.Namespace) -> None:
    """A collapse map."""
    spec = _spec(args)
    modes = countable(spec.base)
    if not modes:
        raise ConfigError(f"The modes of {spec.base.dataset} are not counted here, so a map of it has no colour.")
    runner = Runner(RunStore(args.runs))
    row = follow(args, runner, runner.start_map(spec, name_of(args)))
    cells = runner.store.cells(row.id)
    good = success([cells[cell][1] for cell in range(len(spec))], modes)
    columns = len(spec.x.values)
    table = [
        [sum(good[(r * columns + c) * spec.seeds : (r * columns + c + 1) * spec.seeds]) for c in range(columns)]
        for r in range(len(spec.y.values))
    ]
    width = max(len(str(value)) for value in (*spec.x.values, spec.y.name, f"{spec.seeds}/{spec.seeds}")) + 2
    head = max(len(str(value)) for value in (*spec.y.values, spec.y.name))
    lines = [f"Seeds of {spec.seeds} that hold all {modes} modes. Across: {spec.x.name}, down: {spec.y.name}. Map {row.id}"]
    lines.append(" " * head + "".join(f"{value!s:>{width}}" for value in spec.x.values))
    lines += [
        f"{value!s:>{head}}" + "".join(f"{n:>{width}}" for n in line) for value, line in zip(spec.y.values, table, strict=True)
    ]
    values = {
        "run": row.id,
        "modes": modes,
        "seeds": spec.seeds,
        "x": {"name": spec.x.name, "values": list(spec.x.values)},
        "y": {"name": spec.y.name, "values": list(spec.y.values)},
        "successes": table,
    }
    say(args.json, values, lines)


def _spec(args: argparse.Namespace) -> MapSpec:
    """The map that is asked for: a ready one, or one of one's own."""
    if args.config in MAPS:
        ready = MAPS[args.config][1]
        steps = {} if args.steps is None else {"steps": args.steps}
        base = ready.base.but(**assignments(args.set), **steps)
        x, y, seeds = ready.x, ready.y, ready.seeds
    else:
        base, x, y, seeds = config_of(args), None, None, 4
    x, y = (_axis(text) if text else axis for text, axis in ((args.x, x), (args.y, y)))
    if x is None or y is None:
        raise ConfigError("A map needs two settings: expected --x name=values and --y name=values, as in --x lr_g=0.001,0.01.")
    return MapSpec(base, x, y, seeds if args.seeds is None else args.seeds)


def _axis(text: str) -> Axis:
    """A setting and its values, from text."""
    ((name, values),) = assignments([text]).items()
    if name not in GANConfig.model_fields:
        raise ConfigError(f"{name} is no setting. Choose one of: {', '.join(GANConfig.model_fields)}.")
    ends = values.split(":")
    if len(ends) == 1:
        return Axis(name, values_of(values, name))
    try:
        low, high, count = float(ends[0]), float(ends[1]), int(ends[2])
    except (ValueError, IndexError):
        raise ConfigError(f"{text} is not understood: expected name=low:high:count, for example lr_g=0.0001:0.01:5.") from None
    if GANConfig.model_fields[name].annotation not in (int, float):
        raise ConfigError(f"{name} is no number, so it has no low and high. Write its values, as in {name}=a,b.")
    return Axis(name, spread(name, low, high, count))


ACTIONS: dict[str, Action] = {"verdict": verdict, "lab": lab, "map": board}
