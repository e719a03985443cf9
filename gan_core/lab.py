"""The lab: set-ups that fail, pairs of one with the same and a cure, and what many seeds say about them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from .config import GANConfig
from .cures import CURES
from .maps import Axis, MapSpec, spread
from .presets import PRESETS

MEASURED = Path(__file__).resolve().parent / "measured.json"  # written by benchmarks.collapse
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Problem:
    """A set-up that fails on most seeds."""

    title: str
    text: str
    config: GANConfig


_CALM = {"init": "he", "lr_schedule": "exponential"}

PROBLEMS: dict[str, Problem] = {
    "ring": Problem(
        "Ring of eight, slow discriminator",
        "The discriminator learns ten times slower than the generator, which heaps all samples on one island and jumps on.",
        GANConfig(dataset="ring8", width=64, batch_size=128, steps=2500, lr_d=1e-4),
    ),
    "grid": Problem(
        "Grid of 25, noise in one piece",
        "Twenty-five tiny islands, and a noise that is one cloud: bridges between islands, and islands left out.",
        GANConfig(
            dataset="grid25",
            width=96,
            depth=3,
            depth_d=4,
            batch_size=64,
            latent_dim=10,
            steps=2500,
            lr_g=1e-3,
            lr_d=2e-3,
            **_CALM,
        ),
    ),
    "islands": Problem(
        "GAN Lab's three islands",
        "What GAN Lab calls disjoint, in nearly its own settings: tiny networks and plain descent.",
        PRESETS["gan_lab_islands"].config,
    ),
    "digits": Problem(
        "Digits, slow discriminator",
        "Handwritten digits, whose ten classes are the modes, with a discriminator that learns much slower than the generator.",
        GANConfig(dataset="digits", width=64, latent_dim=16, batch_size=64, steps=2500, lr_g=1e-3, lr_d=1e-4),
    ),
}
LAB_CURES = (
    "pacgan",
    "wgan_gp",
    "r1_r2",
    "unrolled",
    "minibatch_std",
    "larger_noise",
    "partial_reset",
    "ttur",
    "coins",
)

MAPS: dict[str, tuple[str, MapSpec]] = {
    "rates": (
        "The two learning rates",
        MapSpec(
            GANConfig(dataset="ring8", width=32, batch_size=64, steps=2000, latent_dim=8),
            Axis("lr_g", spread("lr_g", 1e-4, 1e-2, 12)),
            Axis("lr_d", spread("lr_d", 1e-4, 1e-2, 12)),
            4,
        ),
    ),
    "penalty": (
        "R1's weight against the discriminator's rate",
        MapSpec(
            GANConfig(dataset="ring8", width=32, batch_size=64, steps=2000, latent_dim=8, penalty="r1", penalty_weight=0.1),
            Axis("penalty_weight", spread("penalty_weight", 0.001, 10, 9)),
            Axis("lr_d", spread("lr_d", 1e-4, 1e-2, 9)),
            4,
        ),
    ),
    "losses": (
        "Loss and penalty",
        MapSpec(
            GANConfig(dataset="ring8", width=32, batch_size=64, steps=2000, latent_dim=8, penalty="r1", penalty_weight=0.1),
            Axis("loss", ("nonsaturating", "least_squares", "hinge", "wasserstein", "relativistic")),
            Axis("penalty", ("none", "wgan_gp", "dragan", "r1", "r1_r2")),
            4,
        ),
    ),
}


def arms(problem: str, cure: str) -> tuple[GANConfig, GANConfig] | None:
    """(what fails, the same with a cure); None where the cure cannot be applied to the problem."""
    config = PROBLEMS[problem].config
    after = CURES[cure].apply(config)
    return None if after is None else (config, after)


def difference(one: GANConfig, two: GANConfig) -> dict[str, tuple[Any, Any]]:
    """Settings in which two configs differ, the seed left out: name -> (value of the first, of the second)."""
    a, b = one.model_dump(), two.model_dump()
    return {name: (a[name], b[name]) for name in a if a[name] != b[name] and name != "seed"}


@dataclass(frozen=True)
class Rate:
    """How often something succeeded, with the interval that holds the true rate in 95 of 100 cases (Wilson 1927)."""

    successes: int
    n: int
    low: float
    high: float

    @property
    def share(self) -> float:
        return self.successes / self.n if self.n else 0.0


def rate(successes: Sequence[bool]) -> Rate:
    """The success rate of some trials with its confidence interval."""
    from scipy.stats import binomtest  # slow to import

    n, k = len(successes), sum(map(bool, successes))
    if not n:
        return Rate(0, 0, 0.0, 1.0)
    interval = binomtest(k, n).proportion_ci(CONFIDENCE, method="wilson")
    return Rate(k, n, float(interval.low), float(interval.high))


def chance(one: Rate, two: Rate) -> float:
    """How likely so large a difference of two rates is by chance alone: Fisher's exact test, two-sided."""
    from scipy.stats import fisher_exact

    return float(fisher_exact([[one.successes, one.n - one.successes], [two.successes, two.n - two.successes]]).pvalue)


def chance_of_shift(one: Sequence[float], two: Sequence[float]) -> float:
    """How likely it is by chance alone that one group of numbers lies so much above the other: Mann and Whitney 1947."""
    from scipy.stats import mannwhitneyu

    return 1.0 if set(one) == set(two) and len(set(one)) == 1 else float(mannwhitneyu(one, two).pvalue)


def in_words(p: float) -> str:
    """A probability as one writes it: p < 0.001, p = 0.03."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def rank_share(one: Sequence[float], two: Sequence[float]) -> float:
    """How often a number of the second group lies above one of the first, ties as half: 0 to 1, 0.5 is no difference."""
    pairs = [(b > a) + 0.5 * (b == a) for a in one for b in two]
    return sum(pairs) / len(pairs) if pairs else 0.5


def effect(before: Rate, after: Rate, held_before: Sequence[float], held_after: Sequence[float], ended: bool = True) -> str:
    """What the seeds of two arms say, in words. The number of modes held tells more than how many hold all.

    Nothing is concluded before both have `ended`, because who looks often enough sees any difference once.
    """
    p, shift = chance(before, after), chance_of_shift(held_before, held_after)
    means = [sum(held) / max(1, len(held)) for held in (held_before, held_after)]
    words = (
        f"All modes are held by {before.successes} of {before.n} seeds without it and by {after.successes} of {after.n} with it "
        f"({in_words(p)}); on average {means[0]:.1f} and {means[1]:.1f} modes ({in_words(shift)})."
    )
    if not ended:
        return f"So far: {words}"
    if min(p, shift) >= 0.05:
        return f"{words} No difference that chance would not explain."
    signs = {difference > 0 for difference in (rank_share(held_before, held_after) - 0.5, means[1] - means[0]) if difference}
    if p < 0.05:
        signs.add(after.share > before.share)
    if len(signs) != 1:
        return f"{words} Some seeds do better with it and some worse."
    return f"{words} {'It helps.' if signs.pop() else 'It makes things worse.'}"


@lru_cache(maxsize=1)
def measured() -> dict[str, Any]:
    """What `benchmarks.collapse` measured: {"seeds", "command", "pairs": {"problem/cure": {...}}}; {} where it never ran."""
    try:
        return json.loads(MEASURED.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
