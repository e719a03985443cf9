"""What is the matter with a run? Its history in, a verdict out: in one sentence, with the numbers that say so, the step at
which it began, and what to change.

Pure: no files, no torch. A verdict stands on the last quarter of what has been measured, so that one bad moment is none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .config import GANConfig
from .cures import CURES, is_live
from .data import DATASETS
from .losses import LOSSES

LEAST = 4  # measurements, before which nothing is said
YOUNG = 300  # steps, before which a heap that wanders is a generator that has hardly begun
MOMENTS = 24  # at which the history is judged, to find out when it began
WINDOW = 0.25  # share of the measurements that a verdict stands on
PRESENT = 0.15  # share of its fair share from which on a mode is present; below a fifth, so that a small sample misleads less
POOR = 0.01  # of a perfect generator's share of good samples, below which it is too early to miss a mode
SELDOM = 0.2  # share of the moments, below which a mode counts as missing
GOOD = 0.3  # share of a perfect generator's quality from which on a mode that is there is really there
RUNAWAY = 1e3  # logits further apart than this
SURE = 0.25  # of the undecided discriminator's loss: below, it is right nearly always
FLAT, FALLEN = 1e-3, 1e-3  # norm of the generator's gradient, and its share of the largest it had
COPY = 0.5  # distance to training images, as a share of the usual one
ONE_HEAP = 0.25  # diversity, below which all samples are one heap
ALIKE = 0.55  # diversity of a data set without modes, below which much is missing
CHANGE = 0.25  # share of the present modes that is another at the next measurement


@dataclass(frozen=True)
class History:
    """What is known of one member of a run.

    Attributes:
        config: its settings.
        steps: (T,) and train: statistic -> (T,).
        at: (M,) the steps at which it was measured, and metrics: name -> (M,).
        counts, nearest: (M, K) high-quality samples of each mode, and all samples that are nearest to it; None where there are
            no modes or classes.
        share: (K,) of the data that each mode has.
        floors: what a perfect generator scores.
        broken: name of the statistic that was not finite, if the run ended so.
        changed: the step at which a setting was last changed, or the run was forked; what was measured up to there tells nothing
            of how it is now. -1 if it never was.
        ended: whether the run is over, so that what is known has to do.
    """

    config: GANConfig
    steps: np.ndarray
    train: Mapping[str, np.ndarray]
    at: np.ndarray
    metrics: Mapping[str, np.ndarray]
    counts: np.ndarray | None = None
    nearest: np.ndarray | None = None
    share: np.ndarray | None = None
    floors: Mapping[str, float] = field(default_factory=dict)
    broken: str = ""
    changed: int = -1
    ended: bool = False

    def until(self, moments: int) -> History:
        """What was known after so many measurements."""
        step = self.at[moments - 1] if moments else -1
        upto = int(np.searchsorted(self.steps, step, "right"))
        tallies = {
            name: None if rows is None else rows[:moments] for name, rows in (("counts", self.counts), ("nearest", self.nearest))
        }
        return replace(
            self,
            steps=self.steps[:upto],
            train={name: values[:upto] for name, values in self.train.items()},
            at=self.at[:moments],
            metrics={name: values[:moments] for name, values in self.metrics.items()},
            broken="",
            changed=self.changed if self.changed < step else -1,
            ended=False,
            **tallies,
        )


@dataclass(frozen=True)
class Kind:
    """A verdict that can be given. `tone` is "good", "warn", "bad" or "wait"; `cures` are keys of CURES, the best first."""

    title: str
    text: str
    tone: str
    cures: tuple[str, ...] = ()


VERDICTS: dict[str, Kind] = {
    "learning": Kind(
        "Still learning",
        "Too early to tell, or samples lie between the modes but on few of them yet.",
        "wait",
        ("falling_rates", "r1_r2", "coins"),
    ),
    "healthy": Kind("Healthy", "All modes get their share, and the samples are good.", "good"),
    "partial_collapse": Kind(
        "Partial collapse",
        "Some modes are left out, and stay left out.",
        "warn",
        ("r1_r2", "ttur", "coins", "wgan_gp", "pacgan", "falling_rates"),
    ),
    "total_collapse": Kind(
        "Total collapse",
        "All samples are heaped on one spot, and stay there.",
        "bad",
        ("r1_r2", "wgan_gp", "faster_generator", "slower_discriminator", "unrolled", "nonsaturating", "ttur"),
    ),
    "oscillating": Kind(
        "Oscillating between modes",
        "The samples are heaped on a few modes at a time and wander from one to the next.",
        "bad",
        ("ttur", "unrolled", "r1_r2", "wgan_gp", "momentum", "lower_rates"),
    ),
    "strong_discriminator": Kind(
        "Discriminator too strong",
        "It tells nearly every sample, and the generator does not catch up.",
        "bad",
        ("faster_generator", "slower_discriminator", "r1_r2", "instance_noise", "one_step", "smoothing", "augment"),
    ),
    "vanished_gradient": Kind(
        "Generator's gradient vanished",
        "The generator hears hardly anything from the discriminator any more.",
        "bad",
        ("nonsaturating", "no_clipping", "slower_discriminator", "r1_r2", "instance_noise"),
    ),
    "diverged": Kind("Diverged", "The numbers have run away.", "bad", ("lower_rates", "wgan_gp", "r1_r2", "momentum")),
    "copying": Kind(
        "Copying",
        "Samples are training images, nearly to the pixel.",
        "warn",
        ("augment", "smaller_generator"),
    ),
}


@dataclass(frozen=True)
class Advice:
    """A cure for this run: key of CURES, the settings that change, and whether they can change while it trains."""

    cure: str
    changes: dict[str, Any]
    live: bool


@dataclass(frozen=True)
class Verdict:
    """What is the matter.

    Attributes:
        name: key of VERDICTS.
        sentence: in words, with the most telling numbers.
        since: the step at which it began.
        evidence: (what, value) as text, the numbers it stands on.
        advice: the best first.
    """

    name: str
    sentence: str
    since: int
    evidence: tuple[tuple[str, str], ...]
    advice: tuple[Advice, ...]

    @property
    def kind(self) -> Kind:
        return VERDICTS[self.name]


def diagnose(history: History) -> Verdict:
    """The verdict on a history as it stands at its end."""
    moments = len(history.at)
    last = earliest = _Look(history, moments)
    name = last.judge()
    for end in sorted({round(k * moments / MOMENTS) for k in range(1, MOMENTS)} - {moments, 0}, reverse=True):
        look = _Look(history, end, broken=False)
        if look.judge() != name:
            break
        earliest = look
    since = earliest.onset(name)
    if name == "diverged" and len(history.steps) and history.broken:
        since = int(history.steps[-1])
    return Verdict(name, last.sentence(name), since, tuple(last.evidence(name)), tuple(_advise(name, history.config)))


def _advise(name: str, config: GANConfig) -> list[Advice]:
    found = []
    for key in VERDICTS[name].cures:
        after = CURES[key].apply(config)
        if after is None:
            continue
        old, new = config.model_dump(), after.model_dump()
        changes = {field: value for field, value in new.items() if value != old[field]}
        if all(changes != earlier.changes for earlier in found):
            found.append(Advice(key, changes, is_live(config, after)))
    return found


class _Look:
    """The last quarter of the first `end` measurements, or those from `begin` on, and what they show."""

    def __init__(self, history: History, end: int, broken: bool = True, begin: int | None = None):
        self.h, self.end = history, end
        self.broken = history.broken if broken else ""
        fresh = int(np.searchsorted(history.at[:end], history.changed, "right"))  # the first measurement after a change
        usual = max(0, min(end - LEAST, end - math.ceil((end - fresh) * WINDOW)))
        self.begin = min(max(fresh, usual), end) if begin is None else begin
        self.least = max(2, min(LEAST, end)) if history.ended and fresh == 0 else LEAST
        step = history.at[end - 1] if end else 0
        first = history.at[min(self.begin, end - 1)] if end else 0
        upto = int(np.searchsorted(history.steps, step, "right"))
        after = min(int(np.searchsorted(history.steps, first)), max(0, upto - 1))
        self.upto = upto
        self.train = {name: values[after:upto] for name, values in history.train.items()}

    def metric(self, name: str) -> float:
        """Mean of a metric; NaN where it was not measured."""
        values = self.h.metrics.get(name)
        values = values[self.begin : self.end] if values is not None else np.zeros(0)
        return float(np.nanmean(values)) if len(values) and not np.isnan(values).all() else math.nan

    def stat(self, name: str) -> float:
        values = self.train.get(name, np.zeros(0))
        return float(np.mean(values)) if len(values) else math.nan

    # What is there

    @property
    def has_modes(self) -> bool:
        return self.h.nearest is not None and self.end > self.begin

    def present(self) -> np.ndarray:
        """At each moment, which modes get at least 15 % of their share of the samples, good or not: bool (M, K)."""
        rows = self.h.nearest[self.begin : self.end]
        every = rows.sum(1, keepdims=True)
        return (rows >= PRESENT * every * self.h.share) & (every > 0)

    def held(self) -> np.ndarray:
        """The same of good samples."""
        every = self.h.nearest[self.begin : self.end].sum(1, keepdims=True)
        rows = self.h.counts[self.begin : self.end]
        return (rows >= PRESENT * every * self.h.share) & (rows > 0)

    def quality(self) -> float:
        """High-quality samples, as a share of what a perfect generator makes."""
        return self.metric("high_quality") / self.h.floors.get("high_quality", 1.0)

    def missing(self) -> np.ndarray:
        """Modes that are seldom present; with good quality, seldom held."""
        there = self.held() if self.quality() >= GOOD else self.present()
        return np.flatnonzero(there.mean(0) < SELDOM)

    def turnover(self) -> float:
        """Share of the present modes that is another at the next measurement: 0 to 1."""
        there = self.present()
        both = there[1:].sum(1) + there[:-1].sum(1)
        return float((there[1:] ^ there[:-1]).sum() / max(1, both.sum())) if len(there) > 1 else 0.0

    def at_once(self) -> float:
        """How many modes are present at a time."""
        return float(self.present().sum(1).mean())

    def visited(self) -> int:
        """How many modes are present at some time."""
        return int(self.present().any(0).sum())

    def wanders(self) -> bool:
        """Whether the samples are at a few modes at a time, and at others the next time."""
        once = self.at_once()
        return self.turnover() >= CHANGE and once <= 0.75 * self.h.nearest.shape[1] and self.visited() >= once + 1.5

    def sure(self) -> float:
        """The discriminator's loss as a share of the undecided one's; NaN where the loss has no such place."""
        undecided = LOSSES[self.h.config.loss].undecided
        return self.stat("loss_d") / undecided if undecided else math.nan

    def gradient(self) -> tuple[float, float]:
        """Norm of the generator's gradient: its median now, and the largest it had."""
        whole, now = self.h.train.get("grad_g", np.zeros(0))[: self.upto], self.train.get("grad_g", np.zeros(0))
        return (float(np.median(now)), float(np.max(whole))) if len(now) else (math.nan, math.nan)

    def gap(self) -> float:
        """How far the discriminator puts real samples above generated ones."""
        return self.stat("real_logit") - self.stat("fake_logit")

    def apart(self) -> float:
        """How far logits of real and generated samples are apart, on whichever side."""
        if "real_logit" not in self.train or not len(self.train["real_logit"]):
            return math.nan
        return float(np.mean(np.abs(self.train["real_logit"] - self.train["fake_logit"])))

    # What it means

    def is_good(self) -> bool:
        """Whether nothing is wrong with the samples."""
        if self.has_modes:
            return not len(self.missing()) and self.quality() >= GOOD and not self.wanders()
        spread, floor = self.metric("diversity"), self.h.floors.get("sliced_wasserstein", 0.0)
        near = self.metric("sliced_wasserstein") <= max(5 * floor, 0.25 * self._first("sliced_wasserstein"))
        return ALIKE <= spread <= 1.6 and near

    def _first(self, name: str) -> float:
        values = self.h.metrics.get(name, np.zeros(0))
        return float(values[0]) if len(values) else math.nan

    def judge(self) -> str:
        """Key of VERDICTS."""
        now, most = self.gradient()
        if self.broken or self.apart() > RUNAWAY or any(not np.isfinite(v).all() for v in self.train.values()):
            return "diverged"
        if self.end - self.begin < self.least or (
            self.has_modes and not (self.h.nearest[self.begin : self.end].sum(1) > 0).all()
        ):
            return "learning"
        copies = self.metric("copies") < COPY
        if self.is_good():
            return "copying" if copies else "healthy"
        poor = not self.has_modes or self.quality() < GOOD
        if now < FLAT or (poor and now < FALLEN * most):
            return "vanished_gradient"
        if self.sure() < SURE and poor:
            return "strong_discriminator"
        return self._collapse() or ("copying" if copies else "learning")

    def _collapse(self) -> str:
        """Which kind of collapse, or "". The run has to have gone some way by now."""
        if self.h.at[-1] < YOUNG:
            return ""
        spread = self.metric("diversity")
        if not self.has_modes:
            return "total_collapse" if spread < ONE_HEAP else "partial_collapse" if spread < ALIKE else ""
        if self.wanders():
            return "oscillating"
        modes, once = self.h.nearest.shape[1], self.at_once()
        if once <= max(1.5, 0.15 * modes) or (spread < ONE_HEAP and once <= max(2.0, 0.3 * modes)):
            return "total_collapse"
        return "partial_collapse" if len(self.missing()) and self.quality() >= POOR else ""

    def onset(self, name: str) -> int:
        """The step from which on this is to be seen: where the first few measurements that show it by themselves begin."""
        found = self.begin
        for begin in range(self.begin, self.end - LEAST, max(1, (self.end - self.begin) // MOMENTS)):
            if _Look(self.h, begin + LEAST, False, begin).judge() == name:
                found = begin
                break
        if name == "healthy":  # several measurements may be good on average of which the first is not
            while found < self.end - 1 and not _Look(self.h, found + 1, False, found).is_good():
                found += 1
        return self._trained_step(min(found, self.end - 1)) if self.end else 0

    def _trained_step(self, k: int) -> int:
        """The step of a measurement, or of the next one where that is of untrained networks, which show nothing."""
        return int(self.h.at[k + 1 if self.h.at[k] == 0 and k + 1 < self.end else k])

    # In words

    def sentence(self, name: str) -> str:
        if name == "learning" and self.end - self.begin < self.least:
            if not self.end or self.h.changed < 0:
                return "Nothing can be said yet."
            later = "too little was measured after that" if self.h.ended else "a few more measurements will tell"
            return f"Changed at step {self.h.changed:,}: {later}."
        if name == "learning" and not self.has_modes:
            return "Samples are neither as varied as the data nor near them yet."
        if name == "diverged" and self.broken:
            return "A number was not finite any more, so the run has ended."
        if name == "diverged" and not RUNAWAY < self.apart() < math.inf:
            return "A number is not finite any more."
        return {
            "learning": self._blur,
            "healthy": self._healthy,
            "partial_collapse": self._partial,
            "total_collapse": self._total,
            "oscillating": self._oscillating,
            "strong_discriminator": lambda: (
                f"The discriminator puts real samples {self.gap():.1f} above generated ones, and only "
                f"{self._quality_words()} good."
            ),
            "vanished_gradient": lambda: (
                f"The gradient that reaches the generator has a norm of {self.gradient()[0]:.1g}; it was up to "
                f"{self.gradient()[1]:.1g}."
            ),
            "diverged": lambda: f"The discriminator's logits are {self.apart():,.0f} apart and grow.",
            "copying": lambda: (
                f"Samples are {self.metric('copies'):.0%} as far from the nearest training image as real images are from each "
                f"other."
            ),
        }[name]()

    def _quality_words(self) -> str:
        value = self.metric("high_quality")
        return "few samples are" if math.isnan(value) else f"{value:.0%} of the samples are"

    def _modes(self) -> int:
        return self.h.nearest.shape[1]

    def _blur(self) -> str:
        return f"Samples are spread over {self.at_once():.0f} of {self._modes()} modes, but only {self._quality_words()} good."

    def _healthy(self) -> str:
        if not self.has_modes:
            return f"Samples are as varied as the data ({self.metric('diversity'):.0%}) and close to them."
        return f"All {self._modes()} modes get samples, and {self._quality_words()} good."

    def _partial(self) -> str:
        if not self.has_modes:
            return f"Samples are only {self.metric('diversity'):.0%} as varied as the data."
        missing = self.missing()
        good = " of good samples" if self.quality() >= GOOD else ""
        verb = (
            f"gets less than {PRESENT:.0%} of its share" if len(missing) == 1 else f"get less than {PRESENT:.0%} of their share"
        )
        return f"{len(missing)} of {self._modes()} modes {verb}{good}, always the same: {self._names(missing)}."

    def _names(self, modes: np.ndarray) -> str:
        """As the bars number them: classes from 0, modes from 1."""
        first = 0 if DATASETS[self.h.config.dataset].kind == "images" else 1
        shown = [str(k + first) for k in modes[:5].tolist()]
        return ", ".join(shown) + (" …" if len(modes) > 5 else "")

    def _total(self) -> str:
        if not self.has_modes:
            return f"Samples are only {self.metric('diversity'):.0%} as varied as the data: all are nearly the same."
        return (
            f"All samples lie at {_number(self.at_once())} of {self._modes()} modes, {self.metric('diversity'):.0%} as varied "
            f"as the data."
        )

    def _oscillating(self) -> str:
        return (
            f"Samples lie at {_number(self.at_once())} of {self._modes()} modes at a time, at {self.visited()} in turn: "
            f"{self.turnover():.0%} change from one measurement to the next."
        )

    def evidence(self, name: str) -> list[tuple[str, str]]:
        """The numbers, each with its name."""
        rows: list[tuple[str, str]] = []
        if self.has_modes:
            rows += [
                ("Modes with samples, at a time", f"{self.at_once():.1f} of {self._modes()}"),
                ("Modes with samples, one time or another", f"{self.visited()}"),
                ("Modes that are missing", f"{len(self.missing())}"),
                ("Change between measurements", f"{self.turnover():.0%}"),
                ("High quality, on average", f"{self.metric('high_quality'):.1%}"),
            ]
        rows += [
            ("Diversity, on average", f"{self.metric('diversity'):.0%}"),
            ("Distance to training images, on average", f"{self.metric('copies'):.2f}"),
            ("Discriminator's loss, where 1 is guessing", f"{self.sure():.2f}"),
            ("Real logits above generated ones by", f"{self.gap():.3g}"),
            ("Generator's gradient, now and at most", "{:.2g}, {:.2g}".format(*self.gradient())),
            ("Measurements it stands on", f"{self.end - self.begin}"),
        ]
        return [(what, value) for what, value in rows if "nan" not in value and "inf" not in value]


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value - round(value)) < 0.15 else f"{value:.1f}"
