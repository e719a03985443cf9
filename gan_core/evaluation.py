"""A run measured in full: every metric, on as many samples as it takes, beside what real data score."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from . import metrics
from .config import GANConfig
from .data import Data, load
from .errors import RunError
from .features import inception_of, judge_of
from .health import Verdict, diagnose
from .metrics import METRICS, SCORES, features_of, floors, frechet_of, kernel_distance, real_seen
from .reading import read_history
from .store import Run, RunStore
from .trainer import Trainer

MOST_SAMPLES = 100_000
COMPARED = 128  # samples whose nearest training images are looked for
INCEPTION_SAMPLES = 1000  # a tenth of a second each


def evaluate(store: RunStore, run: str, step: int | None = None, samples: int | None = None) -> dict[str, Any]:
    """All metrics of a kept step (default: the latest).

    Args:
        samples: how many; 10,000 by default, and never more than half of the data.

    Returns:
        {"run", "step", "members", "samples", "verdict", "judge", "metrics"}: the last maps names to {"title", "value", "floor",
        "n", "looks_at", "better"}. Where there are several members, values and verdicts are lists. None stands for what has no
        number.

    Raises:
        RunError: there is no such run or step, or `samples` is out of range.
        DataError: the run's data cannot be loaded.
    """
    if samples is not None and not 2 <= samples <= MOST_SAMPLES:
        raise RunError(f"samples = {samples} is out of range: expected 2 to {MOST_SAMPLES:,}.")
    row = store.get(run)
    if row.kind == "map":
        raise RunError(f"{run} is a map, whose GANs keep no checkpoints. Open one of its cells as a run and evaluate that.")
    state = store.load_checkpoint(run, step)
    trainer = Trainer([GANConfig.parse(c) for c in state["configs"]], tolerant=True)
    trainer.load_state_dict(state)
    most = max(metrics.LEAST_SAMPLES, len(trainer.data.x) // 2)
    if samples is not None and samples > most:
        raise RunError(
            f"samples = {samples} is more than half of the data, which a second real sample needs: expected at most {most:,}."
        )
    n = samples or metrics.samples_for(trainer.data, full=True)
    found = trainer.evaluate(n, full=True)
    perfect, judge = floors(trainer.data, n, trainer.judge, full=True), trainer.judge
    return {
        "run": row.id,
        "step": state["step"],
        "members": len(trainer.configs),
        "samples": n,
        "verdict": _verdicts(store, row, trainer) if step is None else None,
        "judge": None if judge is None else {"accuracy": judge.accuracy, "tested": judge.tested},
        "metrics": {name: _entry(name, value, perfect, n, trainer) for name, value in found.items()} | _on_inception(trainer, n),
    }


@dataclass(frozen=True)
class Neighbours:
    """Generated images beside the training images that are nearest to them.

    Attributes:
        samples: (N, C, H, W) in [-1, 1].
        nearest: (N, K, C, H, W), the nearest first.
        rows: (N, K), where those stand in the data.
        distance: (N, K), Euclidean in pixels, in multiples of the usual distance of a real image to its nearest other one.
        of: how many samples were compared.
    """

    samples: Tensor
    nearest: Tensor
    rows: Tensor
    distance: Tensor
    of: int


def neighbours_of(samples: Tensor, data: Data, k: int = 3) -> Neighbours:
    """Images (N, C, H, W) in [-1, 1], each with its k nearest training images; fewer where there are no more.

    Raises:
        RunError: the data are no images.
    """
    if data.x.dim() != 4:
        raise RunError("Nearest training images are shown for images. This run was trained on points.")
    distance, rows = metrics.nearest(samples.to(data.x), data, k)
    usual = metrics.usual_distance(data, 0) + 1e-12
    return Neighbours(samples, data.x[rows].cpu(), rows.cpu(), distance.cpu() / usual, len(samples))


def neighbours(trainer: Trainer, n: int = 8, k: int = 3, member: int = 0) -> Neighbours:
    """The n of 128 samples that lie closest to a training image, the closest first, each with its k nearest.

    Raises:
        RunError: the data are no images.
    """
    found = neighbours_of(trainer.sample(COMPARED, member, seed=1), trainer.data, k)
    order = found.distance[:, 0].argsort(stable=True)[:n]
    return Neighbours(found.samples[order], found.nearest[order], found.rows[order], found.distance[order], found.of)


def _verdicts(store: RunStore, row: Run, trainer: Trainer) -> dict[str, Any] | list[dict[str, Any]] | None:
    """What the history says, as it stands at its end: a list with several members."""
    found = [_verdict(store, row, trainer, member) for member in range(len(row.configs))]
    return found if len(found) > 1 else found[0]


def _verdict(store: RunStore, row: Run, trainer: Trainer, member: int) -> dict[str, Any] | None:
    history = read_history(store, row, load(row.config.source), trainer.judge, member)
    if history is None:
        return None
    found = diagnose(history)
    return {"name": found.name, "title": found.kind.title, "since": found.since, "sentence": found.sentence}


def verdict_of(store: RunStore, run: str, member: int = 0) -> Verdict:
    """What is the matter with a run, as its history stands now.

    Raises:
        RunError: there is no such run or member, or it is no game of two networks.
        DataError: the run's data cannot be loaded.
    """
    row = store.get(run)
    if row.kind != "run":
        raise RunError(f"{run} is a map, whose GANs are not judged one by one. Open one of its cells as a run.")
    if not 0 <= member < len(row.configs):
        raise RunError(f"There is no member {member}; this run has members 0 to {len(row.configs) - 1}.")
    found = read_history(store, row, load(row.config.source), judge_of(row.config.source), member)
    if found is None:
        raise RunError(f"network = {row.config.network} is no game of two networks, so there is nothing to be judged.")
    return diagnose(found)


def _on_inception(trainer: Trainer, n: int) -> dict[str, Any]:
    """The two distances on Inception's features of images, where its weights are in the data folder."""
    network = inception_of() if trainer.data.x.dim() == 4 else None
    if network is None:
        return {}
    n = min(n, INCEPTION_SAMPLES)
    real, second = (network.features(real_seen(trainer.data, n, part, None).samples[0]) for part in (0, 1))
    made = [network.features(trainer.sample(n, member, seed=1)) for member in range(len(trainer.configs))]
    about = {"n": n, "looks_at": "Inception v3, torchvision's weights", "better": "less"}
    entries = {}
    for name, distance in (("frechet", frechet_of), ("kid", kernel_distance)):
        values = [_number(distance(x, real)) for x in made]
        title = f"{METRICS[name].title} on Inception"
        value = values if len(values) > 1 else values[0]
        entries[f"{name}_inception"] = {"title": title, "value": value, "floor": _number(distance(second, real)), **about}
    return entries


def _entry(name: str, value: float | list[float], perfect: dict[str, float], n: int, trainer: Trainer) -> dict[str, Any]:
    if name in SCORES:
        return {"title": SCORES[name].title, "value": _number(value), "floor": None, "n": None, "looks_at": "held-out images"}
    metric = METRICS[name]
    return {
        "title": metric.title,
        "value": [_number(v) for v in value] if isinstance(value, list) else _number(value),
        "floor": _number(perfect.get(name, math.nan)),
        "n": min(n, metric.at_most),
        "looks_at": features_of(name, trainer.data, trainer.judge),
        "better": metric.better,
    }


def _number(value: float) -> float | None:
    """JSON knows no NaN."""
    return value if math.isfinite(value) else None
