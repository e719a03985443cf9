"""Whether the presets' stories are true, over seeds: python -m benchmarks.stories [preset …] [--seeds 5] [--json]

Each claim of a story is a condition on what one seed shows at some steps. A story stands when each of its claims holds on four of
five seeds. Modes and quality are measured as on the page, the logits and losses are means of the steps just before.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch

from gan_core import NETWORKS, PRESETS, GANConfig, Trainer

LEAST = 0.8  # of the seeds
Seen = dict[int, dict[str, float]]  # of one seed: step -> what was measured there


@dataclass(frozen=True)
class Claim:
    """What a story says in words, the steps at which one has to look, and when it is so."""

    text: str
    steps: tuple[int, ...]
    holds: Callable[[Seen], bool]


def _moved(seen: Seen, one: int, two: int) -> float:
    return math.dist((seen[one]["x"], seen[one]["y"]), (seen[two]["x"], seen[two]["y"]))


SOLID = (1000, 2000, 3000, 4000, 5000)
LATE = tuple(range(500, 3001, 250))
THROWN = (500, 1000, 1500, 2000, 3000)

CLAIMS: dict[str, tuple[Claim, ...]] = {
    "ring": (
        Claim(
            "at 200 all covered, about one in ten good",
            (200,),
            lambda s: s[200]["modes"] == 8 and 0.05 < s[200]["high_quality"] < 0.15,
        ),
        Claim("at 1,000 and later all eight held", SOLID, lambda s: all(s[k]["held"] == 8 for k in SOLID)),
        Claim("at the end more than four of five are good", (5000,), lambda s: s[5000]["high_quality"] > 0.8),
    ),
    "digits": (
        Claim("up to 300 four classes or fewer", (100, 200, 300), lambda s: max(s[k]["modes"] for k in (100, 200, 300)) <= 4),
        Claim("by 500 all ten", (500,), lambda s: s[500]["modes"] == 10),
        Claim("by 700 more than four in ten are good", (700,), lambda s: s[700]["high_quality"] > 0.4),
    ),
    "conditional_digits": (
        Claim("at 300 at most one class is made", (300,), lambda s: s[300]["modes"] <= 1),
        Claim("by 500 all ten", (500,), lambda s: s[500]["modes"] == 10),
        Claim("by 700 nearly all are good", (700,), lambda s: s[700]["high_quality"] > 0.95),
        Claim("and of the class that was asked for", (700,), lambda s: s[700]["as_asked"] > 0.95),
    ),
    "slow_discriminator": (
        Claim(
            "from 300 on at most one covered",
            (300, 1000, 2000, 3000),
            lambda s: max(s[k]["modes"] for k in (300, 1000, 2000, 3000)) <= 1,
        ),
        Claim("heaped together at 300", (300,), lambda s: s[300]["spread"] < 0.6),
        Claim("the heap moves", (300, 600, 900), lambda s: min(_moved(s, 300, 600), _moved(s, 600, 900)) > 1),
    ),
    "collapse_cured": (
        Claim("at 1,000 one cloud over all eight", (1000,), lambda s: s[1000]["modes"] == 8 and s[1000]["high_quality"] < 0.2),
        Claim("all eight held at the end", (2500,), lambda s: s[2500]["held"] == 8),
    ),
    "bare_critic": (
        Claim("at most two covered at the end", (3000,), lambda s: s[3000]["modes"] <= 2),
        Claim(
            "fewer than three in ten good, whenever one looks", THROWN, lambda s: max(s[k]["high_quality"] for k in THROWN) < 0.3
        ),
        Claim("the heap is thrown about", THROWN, lambda s: max(_moved(s, a, b) for a, b in pairwise(THROWN)) > 1),
    ),
    "clipped_critic": (
        Claim("all eight covered at the end", (3000,), lambda s: s[3000]["modes"] == 8),
        Claim("about one in twelve good", (3000,), lambda s: 0.05 < s[3000]["high_quality"] < 0.12),
        Claim("the logits stay flat", (500, 3000), lambda s: max(s[500]["logit_gap"], s[3000]["logit_gap"]) < 0.05),
    ),
    "saturating": (
        Claim(
            "nothing covered, nothing moves",
            (100, 500, 1500),
            lambda s: max(s[k]["modes"] for k in (100, 500, 1500)) == 0 and _moved(s, 100, 1500) < 0.1,
        ),
        Claim("the discriminator is sure within 100 steps", (100,), lambda s: s[100]["loss_d"] < 0.05),
    ),
    "nonsaturating": (
        Claim("on an island within 100 steps", (100,), lambda s: s[100]["modes"] >= 1 and s[100]["held"] >= 1),
        Claim("four or fewer held at the end", (1500,), lambda s: s[1500]["held"] <= 4),
    ),
    "strong_discriminator": (
        Claim("its loss is near nothing within 100 steps", (100,), lambda s: s[100]["loss_d"] < 0.05),
        Claim("no good sample at 500", (500,), lambda s: s[500]["high_quality"] == 0),
        Claim("hardly any at the end", (1500,), lambda s: s[1500]["high_quality"] < 0.05),
    ),
    "gan_lab_gaussians": (
        Claim(
            "both held from 1,500 on, nine of ten good",
            (1500, 3000),
            lambda s: min(s[k]["held"] for k in (1500, 3000)) == 2 and min(s[k]["high_quality"] for k in (1500, 3000)) >= 0.895,
        ),
    ),
    "gan_lab_islands": (Claim("an island missed at the end", (3000,), lambda s: s[3000]["modes"] < 3),),
    "gan_lab_ring": (
        Claim(
            "nearly all around at some moment between 500 and 3,000",
            LATE,
            lambda s: min(s[k]["sliced_wasserstein"] for k in LATE) < 0.05,
        ),
        Claim("not all the time", LATE, lambda s: max(s[k]["sliced_wasserstein"] for k in LATE) > 0.06),
    ),
    "gan_lab_line": (Claim("a small heap at 500", (500,), lambda s: s[500]["spread"] < 0.08),),
}


def _look(trainer: Trainer, found: dict, member: int) -> dict[str, float]:
    """What one seed shows now."""
    seen = {name: float(v[member] if isinstance(v, list) else v) for name, v in found.items()}
    x = trainer.sample(1000, member=member)
    if x.dim() == 2:
        seen |= {"x": float(x[:, 0].mean()), "y": float(x[:, 1].mean()), "spread": float(x.std(0).mean())}
    if trainer.classes:
        hits = [_nearest(trainer, trainer.sample(50, member=member, label=k)) == k for k in range(trainer.classes)]
        seen["as_asked"] = float(torch.cat(hits).double().mean())
    if trainer.history and NETWORKS[trainer.configs[0].network].adversarial:
        stats = dict(zip(trainer.stats, trainer.history[-1][1][:, member], strict=True))
        seen |= {"loss_d": float(stats["loss_d"]), "logit_gap": float(stats["real_logit"] - stats["fake_logit"])}
    return seen


def _nearest(trainer: Trainer, x: torch.Tensor) -> torch.Tensor:
    """The class of the training image that lies closest to each sample."""
    return trainer.data.labels[torch.cdist(x.flatten(1), trainer.data.x.flatten(1)).argmin(1)]


def watch(config: GANConfig, seeds: int, steps: list[int]) -> list[Seen]:
    """What each seed shows at some steps. Networks that can be members of one trainer train together."""
    together = NETWORKS[config.network].has_members
    groups = [range(seeds)] if together else [[seed] for seed in range(seeds)]
    seen = []
    for group in groups:
        trainer = Trainer([config.but(seed=seed) for seed in group], tolerant=True)
        looks: list[Seen] = [{} for _ in group]
        for step in steps:
            trainer.train(step - trainer.step_count)
            found = trainer.evaluate()
            for member, look in enumerate(looks):
                look[step] = _look(trainer, found, member)
        seen += looks
    return seen


def check(name: str, seeds: int) -> dict[str, int]:
    """Claim -> on how many seeds it holds."""
    claims = CLAIMS[name]
    steps = sorted({step for claim in claims for step in claim.steps})
    seen = watch(PRESETS[name].config, seeds, steps)
    return {claim.text: sum(bool(claim.holds(one)) for one in seen) for claim in claims}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("presets", nargs="*", metavar="preset", help="default: all that have a story")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results, stand = {}, True
    for name in options.presets or CLAIMS:
        begun = time.perf_counter()
        results[name] = check(name, options.seeds)
        stand &= min(results[name].values()) >= LEAST * options.seeds
        if not options.json:
            print(f"{name} ({time.perf_counter() - begun:.0f} s)")
            for text, held in results[name].items():
                print(f"  {held} of {options.seeds}: {text}", flush=True)
    if options.json:
        print(json.dumps({"seeds": options.seeds, "stories": results}))
    return 0 if stand else 1


if __name__ == "__main__":
    sys.exit(main())
