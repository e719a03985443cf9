"""Collapse maps: two settings on the axes, several seeds in each cell, all trained as members of few trainers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .config import MAX_MEMBERS, METAS, GANConfig, limits
from .errors import ConfigError
from .networks import NETWORKS

MAX_VALUES, MAX_SEEDS, MAX_CELLS = 24, 16, 4096
FEW = 32  # members, below which a trainer takes all seeds of its cells at once
FORBIDDEN = ("seed", "steps", "device", "dataset", "path", "points", "image_size", "channels", "levels", "conditional")

AXES = tuple(name for name in METAS if name not in FORBIDDEN)


@dataclass(frozen=True)
class Axis:
    """One setting and the values that it takes."""

    name: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class MapSpec:
    """What a map trains. A cell's number is ((row * columns) + column) * seeds + k; rows are values of y, columns of x.

    Raises:
        ConfigError: an axis is unknown or has no effect, values do not fit the other settings, or there are too many cells.
    """

    base: GANConfig
    x: Axis
    y: Axis
    seeds: int = 4

    def __post_init__(self):
        for axis in (self.x, self.y):
            if axis.name not in AXES:
                raise ConfigError(f"{axis.name} cannot be an axis of a map. These can: {', '.join(AXES)}.")
            if not 2 <= len(axis.values) <= MAX_VALUES or len(set(axis.values)) != len(axis.values):
                raise ConfigError(f"The axis {axis.name} needs 2 to {MAX_VALUES} different values, not {len(axis.values)}.")
        if self.x.name == self.y.name:
            raise ConfigError(f"Both axes are {self.x.name}. Choose another setting for one of them.")
        if not 1 <= self.seeds <= MAX_SEEDS:
            raise ConfigError(f"seeds = {self.seeds} is out of range: expected 1 to {MAX_SEEDS}.")
        if len(self) > MAX_CELLS:
            raise ConfigError(
                f"{len(self):,} GANs are too many for a map: expected at most {MAX_CELLS:,}. Take fewer values or seeds."
            )
        configs = [self.config(k * self.seeds) for k in range(len(self) // self.seeds)]  # refuses what does not fit together
        self.config(len(self) - 1)  # with the last seed
        for axis in (self.x, self.y):
            if not any(METAS[axis.name].applies(config) for config in configs):
                raise ConfigError(
                    f"{axis.name} has no effect with these settings. Choose another axis, or switch on what reads it."
                )

    def __len__(self) -> int:
        """How many GANs there are."""
        return len(self.x.values) * len(self.y.values) * self.seeds

    def place(self, cell: int) -> tuple[int, int, int]:
        """Row, column and seed of a cell."""
        rest, k = divmod(cell, self.seeds)
        row, column = divmod(rest, len(self.x.values))
        return row, column, k

    def config(self, cell: int) -> GANConfig:
        """What the GAN of a cell is."""
        row, column, k = self.place(cell)
        values = {self.x.name: self.x.values[column], self.y.name: self.y.values[row], "seed": self.base.seed + k}
        return self.base.but(**values)

    def chunks(self) -> list[tuple[int, ...]]:
        """Cells that one trainer takes at a time: they differ in member fields only. The first seed of all cells comes first,
        so that the whole map has colour early and becomes sharper."""
        apart = [axis for axis in (self.x, self.y) if not METAS[axis.name].member]
        groups: dict[tuple, list[int]] = {}
        for cell in range(len(self)):
            row, column, k = self.place(cell)
            values = tuple(column if axis is self.x else row for axis in apart)
            groups.setdefault(values, []).append(cell)
        size = len(self) // self.seeds // len(groups)  # cells of a group that have the same seed
        together = max(1, FEW // size)  # seeds that a trainer takes at once
        chunks = []
        for first in range(0, self.seeds, together):
            for cells in groups.values():
                at_most = MAX_MEMBERS if NETWORKS[self.config(cells[0]).network].has_members else 1
                wanted = [c for c in cells if first <= self.place(c)[2] < first + together]
                chunks += [tuple(wanted[k : k + at_most]) for k in range(0, len(wanted), at_most)]
        return chunks

    def largest(self) -> list[list[GANConfig]]:
        """What the largest of its trainers take: of a numeric axis the largest value, of others each, for as many members as go
        together."""
        axes = []
        for axis in (self.x, self.y):
            numeric = GANConfig.model_fields[axis.name].annotation is not str
            axes.append([max(axis.values)] if numeric else list(axis.values))
        members = max(len(chunk) for chunk in self.chunks())
        return [[self.base.model_copy(update={self.x.name: x, self.y.name: y})] * members for x in axes[0] for y in axes[1]]

    def dump(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "base": self.base.model_dump(),
            "x": {"name": self.x.name, "values": list(self.x.values)},
            "y": {"name": self.y.name, "values": list(self.y.values)},
            "seeds": self.seeds,
        }

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> MapSpec:
        """From what `dump` gave."""
        try:
            x, y = (Axis(str(values[axis]["name"]), tuple(values[axis]["values"])) for axis in ("x", "y"))
            return cls(GANConfig.parse(values["base"]), x, y, int(values["seeds"]))
        except ConfigError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"This is not a map: {error}.") from error


def spread(name: str, low: float, high: float, count: int) -> tuple[Any, ...]:
    """So many values of a numeric setting from low to high: by ratio for those that are shown as powers of ten, else evenly.

    Whole numbers are rounded, and then there may be fewer. Values have three digits, so that they can be read.
    """
    if not low < high or not 2 <= count <= MAX_VALUES:
        raise ConfigError(f"{name}: expected a first value below the last, and 2 to {MAX_VALUES} values.")
    by_ratio = METAS[name].scientific and low > 0
    shares = [k / (count - 1) for k in range(count)]
    values = [low * (high / low) ** s if by_ratio else low + (high - low) * s for s in shares]
    if GANConfig.model_fields[name].annotation is int:
        return tuple(dict.fromkeys(round(v) for v in values))
    return tuple(dict.fromkeys(float(f"{v:.3g}") for v in values))


def usual_range(name: str, base: GANConfig) -> tuple[float, float]:
    """A range of a numeric setting around its value that is worth a look."""
    low, high = limits(name)
    field, value = GANConfig.model_fields[name], getattr(base, name)
    if not any(hasattr(rule, "le") for rule in field.metadata):
        high *= 0.999  # which is not included
    if value <= 0:
        return low, min(high, 8 if field.annotation is int else 1.0)
    factor = 10 if METAS[name].scientific else 4
    return max(low, value / factor), min(high, value * factor)


def values_of(text: str, name: str) -> tuple[Any, ...]:
    """Values of a setting from text such as "0.001, 0.01"."""
    kind = GANConfig.model_fields[name].annotation
    try:
        return tuple(kind(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise ConfigError(f"{name}: {text!r} is not a list of values. Write for example 0.001, 0.01.") from error


def success(values: Sequence[Mapping[str, Any]], modes: int) -> list[bool]:
    """Which of some GANs hold all modes."""
    return [v.get("diverged") is None and v.get("held", 0) >= modes for v in values]
