"""How a run goes on: the pace of its steps, and until when.

A pace is a number of steps a second, 0 for as fast as it goes. What a run is to pause at is a dict with one key: {"step": N},
{"modes": K} or {"seconds": T}; {} for nothing. Both are kept with the run, so that every process sees them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .config import GANConfig
from .data import DATASETS, is_here, load
from .errors import ConfigError
from .metrics import chosen, shares

SLOWEST, FASTEST = 0.2, 1000.0  # steps a second
LAG = 0.1  # seconds that a run may be behind its pace and catch up
LONGEST = 10_000_000  # seconds until a pause
CONDITIONS = ("step", "modes", "seconds")
MET = "Paused: "  # how the message of a run begins that has paused by itself


class Pace:
    """Tells when the next step is due. Times are seconds of any one clock.

    Args:
        rate: steps a second; 0 for as fast as it goes.
    """

    def __init__(self, rate: float = 0.0):
        self.rate = rate
        self._next = -math.inf

    def wait(self, now: float) -> float:
        """Seconds until the next step is due; 0 if it is."""
        return max(0.0, self._next - now) if self.rate else 0.0

    def took(self, now: float) -> None:
        """Note that a step is taken. What is late by more than LAG is not caught up with."""
        if self.rate:
            self._next = max(self._next, now - LAG) + 1 / self.rate


def check_pace(value: Any) -> float:
    """A pace as a number.

    Raises:
        ConfigError: it is none, or out of range.
    """
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or (value != 0 and not SLOWEST <= value <= FASTEST):
        raise ConfigError(
            f"pace = {value} is not usable: expected {SLOWEST:g} to {FASTEST:g} steps a second, or 0 for as fast as it goes."
        )
    return float(value)


def check_until(value: Any, config: GANConfig, step: int, steps: int, folder: Path | None = None) -> dict[str, Any]:
    """What a run is to pause at, as a dict.

    Args:
        step, steps: where the run is, and how long it is.
        folder: where image data lie; None for GAN_PLAYGROUND_DATA or `data/`.

    Raises:
        ConfigError: it makes no sense, or the run can never meet it.
    """
    if value is None or value == {}:
        return {}
    if not isinstance(value, Mapping) or len(value) != 1 or not set(value) <= set(CONDITIONS):
        raise ConfigError(f"until = {value} is not usable: expected one of {', '.join(CONDITIONS)} with a number, or nothing.")
    ((kind, goal),) = value.items()
    whole = isinstance(goal, int) and not isinstance(goal, bool)
    if kind == "seconds":
        if not (whole or isinstance(goal, float)) or not 0 < goal <= LONGEST:
            raise ConfigError(f"Pausing after {goal} seconds is not possible: expected a number above 0, up to {LONGEST:,}.")
    elif not whole:
        raise ConfigError(f"until {kind} = {goal} is not usable: expected a whole number.")
    elif kind == "step":
        if goal > steps:
            raise ConfigError(f"Step {goal:,} is beyond the run's {steps:,} steps. Choose an earlier one.")
        if goal <= step:
            raise ConfigError(f"Step {goal:,} is behind: the run is at step {step:,}. Choose a later one.")
    else:
        most = countable(config, folder)
        if not most:
            raise ConfigError(f"{DATASETS[config.dataset].title} has no modes that are counted. Pause at a step instead.")
        if not 1 <= goal <= most:
            raise ConfigError(f"{goal:,} of {noun(config, most)} cannot be: expected 1 to {most}.")
    return {kind: goal}


def countable(config: GANConfig, folder: Path | None = None) -> int:
    """How many modes or classes are counted while a run trains; 0 where none are, or where the data have to be fetched first."""
    entry = DATASETS[config.dataset]
    if entry.kind == "images" and entry.classes:
        return entry.classes
    if not is_here(config.source, folder):
        return 0
    data = load(config.source, folder)
    return len(shares(data)) if "held" in chosen(data) else 0


def noun(config: GANConfig, count: int) -> str:
    """ "8 modes", "1 class"."""
    one, many = ("class", "classes") if DATASETS[config.dataset].kind == "images" else ("mode", "modes")
    return f"{count:,} {one if count == 1 else many}"


def in_words(until: Mapping[str, Any], config: GANConfig) -> str:
    """When a run pauses, as the end of a sentence: "when 8 modes are covered"; "" where it does not."""
    if "step" in until:
        return f"at step {until['step']:,}"
    if "modes" in until:
        return f"when {covered(config, until['modes'])}"
    return f"after {span(until['seconds'])} of training" if "seconds" in until else ""


def covered(config: GANConfig, count: int) -> str:
    """ "8 modes are covered", "1 class is held"."""
    how = "held" if DATASETS[config.dataset].kind == "images" else "covered"
    return f"{noun(config, count)} {'is' if count == 1 else 'are'} {how}"


def span(seconds: float) -> str:
    """ "30 seconds", "1 second"."""
    return f"{seconds:,g} second{'' if seconds == 1 else 's'}"
