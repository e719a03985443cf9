"""What each cure does about each set-up that fails, over seeds: python -m benchmarks.collapse [--json] [--write]

Every pair of the lab trains its two arms over `--seeds` seeds, as members of one trainer. A seed succeeds if it holds all
modes at the last step: each gets at least a fifth of its fair share of 2,500 samples, as good ones. --write keeps the result
for the lab's page in gan_core/measured.json, and as a table in docs/cures.md. --map times the collapse map of 12 x 12 cells.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from gan_core import GANConfig, Runner, RunStore, Trainer
from gan_core.cures import CURES
from gan_core.errors import DivergedError
from gan_core.lab import LAB_CURES, MAPS, MEASURED, PROBLEMS, Rate, arms, chance, chance_of_shift, in_words, measured, rate
from gan_core.maps import MapSpec
from gan_core.metrics import shares
from gan_core.trainer import cores

PAGE = Path(__file__).resolve().parent.parent / "docs" / "cures.md"


def arm(config: GANConfig, seeds: int) -> dict[str, Any]:
    """Train `seeds` members and say how they did."""
    trainer = Trainer([config.but(seed=seed) for seed in range(seeds)], tolerant=True)
    begun = time.perf_counter()
    modes = len(shares(trainer.data))
    try:
        trainer.train()
    except DivergedError:  # of all members
        nothing = {"held": [0] * seeds, "modes": [0] * seeds, "quality": [0.0] * seeds}
        return {**_counted(rate([False] * seeds)), **nothing, "of": modes, "seconds": round(time.perf_counter() - begun, 1)}
    seconds = time.perf_counter() - begun
    found = trainer.evaluate()
    good = [held >= modes and k not in trainer.diverged for k, held in enumerate(found["held"])]
    return {
        **_counted(rate(good)),
        "held": [int(v) for v in found["held"]],
        "modes": [int(v) for v in found["modes"]],
        "quality": [round(v, 4) for v in found["high_quality"]],
        "of": modes,
        "seconds": round(seconds, 1),
    }


def _counted(found: Rate) -> dict[str, Any]:
    return {"successes": found.successes, "n": found.n, "low": round(found.low, 4), "high": round(found.high, 4)}


def pairs(problems: list[str], cures: list[str], seeds: int, keep: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Key problem/cure -> both arms, and how likely their difference is by chance; `keep` gets all so far after each."""
    results = {}
    for problem in problems:
        before = arm(PROBLEMS[problem].config, seeds)
        print(f"{problem}: {_line(before)}", file=sys.stderr, flush=True)
        for cure in cures:
            both = arms(problem, cure)
            if both is None:
                continue
            after = arm(both[1], seeds)
            p = chance(*(Rate(a["successes"], a["n"], a["low"], a["high"]) for a in (before, after)))
            shift = chance_of_shift(before["held"], after["held"])
            results[f"{problem}/{cure}"] = {"before": before, "after": after, "p": p, "p_held": shift}
            print(f"  {cure}: {_line(after)}, {in_words(p)}, of held {in_words(shift)}", file=sys.stderr, flush=True)
            keep(results)
    return results


def _line(a: dict[str, Any]) -> str:
    return (
        f"{a['successes']} of {a['n']}, held {statistics.mean(a['held']):.1f}, covered {statistics.mean(a['modes']):.1f} of "
        f"{a['of']}, quality {statistics.mean(a['quality']):.0%}, {a['seconds']} s"
    )


def page(results: dict[str, Any]) -> str:
    """The results as Markdown."""
    lines = [
        "# What helps against mode collapse",
        "",
        f"Made by `{results['command']}`, {results['seeds']} seeds each, Python {results['python']}, torch {results['torch']}. A "
        "seed succeeds if it holds all modes at the last step: each gets at least a fifth of its fair share of 2,500 samples, as "
        "samples of high quality. *Covered* are modes with a single good sample, as PacGAN counts. Intervals are Wilson's. p is "
        "Fisher's exact test of the seeds that hold all, and Mann and Whitney's of the modes held, against the set-up as it is.",
    ]
    for problem in PROBLEMS:
        rows = {key.partition("/")[2]: r for key, r in results["pairs"].items() if key.startswith(f"{problem}/")}
        if not rows:
            continue
        before = next(iter(rows.values()))["before"]
        lines += ["", f"## {PROBLEMS[problem].title}", "", PROBLEMS[problem].text, ""]
        lines += ["| | hold all | 95 % interval | p | held | p | covered | quality |", "|---|---|---|---|---|---|---|---|"]
        lines.append(_row("as it is", before, "", ""))
        lines += [_row(CURES[cure].title, r["after"], f"{r['p']:.2g}", f"{r['p_held']:.2g}") for cure, r in rows.items()]
    return "\n".join([*lines, ""])


def _row(name: str, a: dict[str, Any], p: str, shift: str) -> str:
    held, covered, quality = (statistics.mean(a[part]) for part in ("held", "modes", "quality"))
    cells = [name, f"{a['successes']} of {a['n']}", f"{a['low']:.0%} to {a['high']:.0%}", p, f"{held:.1f} of {a['of']}", shift]
    return f"| {' | '.join([*cells, f'{covered:.1f}', f'{quality:.0%}'])} |"


def time_map() -> dict[str, Any]:
    """The lab's map of learning rates, trained by a runner as the page has it trained."""
    spec: MapSpec = MAPS["rates"][1]
    with tempfile.TemporaryDirectory() as folder:
        store = RunStore(folder)
        runner = Runner(store)
        begun = time.perf_counter()
        run = runner.start_map(spec)
        runner.wait(run)
        seconds = time.perf_counter() - begun
        row, cells = store.get(run), store.cells(run)
        runner.shutdown()
    finished = sum(step >= spec.base.steps for step, _ in cells.values())
    return {
        "gans": len(spec),
        "steps": spec.base.steps,
        "status": row.status,
        "finished_cells": finished,
        "seconds": round(seconds, 1),
        "gan_steps_per_second": round(len(spec) * spec.base.steps / seconds),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=16)
    parser.add_argument("--problems", nargs="*", default=list(PROBLEMS), choices=list(PROBLEMS), metavar="PROBLEM")
    parser.add_argument("--cures", nargs="*", default=list(LAB_CURES), choices=list(CURES), metavar="CURE")
    parser.add_argument("--map", action="store_true", help="time the collapse map instead")
    parser.add_argument("--write", action="store_true", help="keep the result for the page and the docs")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the tables")
    args = parser.parse_args()
    machine = {"cores": cores(), "python": platform.python_version(), "torch": torch.__version__}
    if args.map:
        result = {**machine, **time_map()}
        print(json.dumps(result) if args.json else "\n".join(f"{name}: {value}" for name, value in result.items()))
        return
    about = {"command": f"python -m benchmarks.collapse --seeds {args.seeds} --write", "seeds": args.seeds, **machine}
    before = measured().get("pairs", {}) if measured().get("seeds") == args.seeds else {}

    def keep(found: dict[str, Any]) -> None:
        """What was measured before stays, so that problems can be measured one after the other."""
        if args.write:
            results = {**about, "pairs": {**before, **found}}
            MEASURED.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
            PAGE.write_text(page(results), encoding="utf-8")

    results = {**about, "pairs": pairs(args.problems, args.cures, args.seeds, keep)}
    print(json.dumps(results) if args.json else page(results))


if __name__ == "__main__":
    main()
