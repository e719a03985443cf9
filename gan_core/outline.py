"""What a state of a trainer has to look like for its configs: the outline that a stranger's checkpoint is held against.

The networks are built on torch's device "meta", whose tensors have a shape and no numbers, so that this costs no memory however
large they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor

from .config import METAS, GANConfig
from .errors import ConfigError, RunError
from .members import STATS
from .memory import META, ROWS, Shapes
from .networks import NETWORKS
from .pixelcnn import Likelihood
from .remedies import POOL_BATCHES
from .source import Data
from .trainer import HISTORY_POINTS, check_members

DTYPES = {"F32": torch.float32, "I64": torch.int64, "U8": torch.uint8}  # as safetensors calls them
MOST_COUNTS = 10**12  # updates, steps
MOST_DRAWN = 2**26  # numbers that a stream may draw at once, unless the networks have more
DRAWN_AXES = 6
MOST_PENDING = 10_000_000 // HISTORY_POINTS  # rows of statistics that wait for their mean, of the longest run
DRAWS = ("normal", "uniform", "integers")


@dataclass(frozen=True)
class Outline:
    """Of the state of so many `members`.

    Attributes:
        needed: name -> (dtype, shape) of the tensors that are always there.
        optional: the same of those that may be missing; -1 stands for any length up to that of `longest`.
        longest: name -> the largest first or second axis that is written as -1.
        streams: names of the random streams.
        counts: names of the counters.
        weights: numbers in the larger network, of all members.
    """

    members: int
    needed: Mapping[str, tuple[torch.dtype, tuple[int, ...]]]
    optional: Mapping[str, tuple[torch.dtype, tuple[int, ...]]]
    longest: Mapping[str, int]
    streams: tuple[str, ...]
    counts: tuple[str, ...]
    weights: int


def outline(configs: Sequence[GANConfig]) -> Outline:
    """The outline of a trainer's state.

    Raises:
        ConfigError: the configs cannot be members of one trainer.
    """
    check_members(configs)
    first, members = configs[0], len(configs)
    game = NETWORKS[first.network].adversarial
    with META:
        labels = torch.zeros(ROWS, dtype=torch.int64) if first.classes else None
        block = (Shapes if game else Likelihood)(configs, Data(torch.empty(ROWS, *first.shape), labels), META)
        tensors, cursors = block.state()
    needed = {name: (t.dtype, tuple(t.shape)) for name, t in tensors.items()}
    weights = {name: shape for name, (_, shape) in needed.items() if name in ("opt.0", "opt_g.0", "opt_d.0")}
    stats = len(STATS if game else Likelihood.STATS)
    optional = {"pending": (torch.float32, (-1, stats, members))}
    if game:
        optional |= {f"{name[:5]}.ages": (torch.float32, shape) for name, shape in weights.items()}
        optional |= {"anchors": (torch.float32, (members, 2)), "replay": (torch.float32, (members, -1, *first.shape))}
    return Outline(
        members,
        needed,
        optional,
        {"pending": MOST_PENDING, "replay": POOL_BATCHES * _most("batch_size")},
        tuple(name for name, value in cursors.items() if isinstance(value, dict)),
        tuple(name for name, value in cursors.items() if not isinstance(value, dict)),
        max(prod(shape) for shape in weights.values()),
    )


def _most(name: str) -> int:
    """The largest value that a setting may have."""
    return next(rule.le for rule in GANConfig.model_fields[name].metadata if hasattr(rule, "le"))


def check_tensors(found: Mapping[str, tuple[str, Sequence[int]]], known: Outline) -> None:
    """Hold tensors, name -> (dtype as safetensors calls it, shape), against an outline.

    Raises:
        RunError: one is missing, unknown, or of another type or shape.
    """
    for name in sorted(known.needed.keys() - found.keys()):
        raise RunError(f"the tensor {name} is missing")
    for name, (kind, shape) in found.items():
        expected = known.needed.get(name) or known.optional.get(name)
        if expected is None:
            raise RunError("it holds a tensor that these networks do not have")
        dtype, wanted = expected
        if DTYPES.get(kind) != dtype or len(shape) != len(wanted):
            raise RunError(f"the tensor {name} is of another kind")
        for size, most in zip(shape, wanted, strict=True):
            if size != most and not (most == -1 and 1 <= size <= known.longest[name]):
                raise RunError(f"the tensor {name} has the shape {tuple(shape)}, expected {wanted}")


def check_streams(tensors: Mapping[str, Tensor], known: Outline) -> None:
    """Raise RunError where the state of a random stream is none: torch looks whether its cursor lies within the state."""
    generator = torch.Generator()
    for name in known.streams:
        for row in tensors[f"stream.{name}"]:
            try:
                generator.set_state(row.clone())
            except RuntimeError as error:
                raise RunError(f"the state of the random stream {name} is damaged") from error


def check_rest(rest: Any, step: int, known: Outline) -> None:
    """Hold what of a state is no tensor against the step it is for and an outline.

    Raises:
        RunError: something is missing, unknown or out of range.
    """
    if not isinstance(rest, dict) or not {"step", "configs", "cursors"} <= rest.keys() <= {
        "step",
        "configs",
        "cursors",
        "diverged",
    }:
        raise RunError("expected step, configs, cursors and diverged")
    if not _is_count(rest["step"]) or rest["step"] != step:
        raise RunError("it is the state of another step than its name says")
    diverged = rest.get("diverged", [])
    if not isinstance(diverged, list) or not all(_is_diverged(entry, known.members) for entry in diverged):
        raise RunError("its list of members that diverged is damaged")
    cursors = rest["cursors"]
    # checkpoints of the first versions know of no extra steps, and so of no count of their own
    if not isinstance(cursors, dict) or not {*known.streams, *known.counts} - {"count"} <= cursors.keys():
        raise RunError("a cursor is missing")
    for name, value in cursors.items():
        right = _is_cursor(value, known) if name in known.streams else name in known.counts and _is_count(value)
        if not right:
            raise RunError("a cursor is out of range")


def states_configs(rest: Any, run: Sequence[GANConfig]) -> list[GANConfig]:
    """The configs of a state, which are its run's but for what may change while it trains.

    Raises:
        RunError: they are not.
    """
    values = rest.get("configs") if isinstance(rest, dict) else None
    if not isinstance(values, list) or len(values) != len(run):
        raise RunError(f"expected the configs of {len(run)} members")
    try:
        found = [GANConfig.parse(value) for value in values]
    except ConfigError as error:
        raise RunError(str(error)) from error
    for one, two in zip(found, run, strict=True):
        for name, meta in METAS.items():
            if not meta.live and name not in ("steps", "device") and getattr(one, name) != getattr(two, name):
                raise RunError(f"its {name} is not that of the run")
    return found


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MOST_COUNTS


def _is_diverged(entry: Any, members: int) -> bool:
    return isinstance(entry, list) and len(entry) == 2 and all(map(_is_count, entry)) and entry[0] < members


def _is_cursor(value: Any, known: Outline) -> bool:
    """Whether a stream that goes on from there draws no more than a run of these networks would."""
    if not isinstance(value, dict) or value.keys() != {"key", "next"} or not _is_count(value["next"]):
        return False
    if (key := value["key"]) is None:
        return True
    if not isinstance(key, list) or len(key) != 3 or key[0] not in DRAWS or not isinstance(key[1], list):
        return False
    kind, shape, high = key
    if len(shape) > DRAWN_AXES or not all(_is_count(size) and size for size in shape):
        return False
    drawn = prod(shape) * known.members
    return drawn <= max(MOST_DRAWN, known.weights) and _is_count(high) and (high > 0) == (kind == "integers")
