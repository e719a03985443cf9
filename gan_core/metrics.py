"""METRICS: how good the samples are, for all members at once. Samples (E, N, ...) -> one number a member, (E,).

Every metric states what a perfect generator would score on the same number of samples (`floor`), because for several
of them that is neither 0 nor 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from .data import Data
from .draws import seeded

POINT_SAMPLES = 2500  # as PacGAN, section 4.1
IMAGE_SAMPLES = 1000
DIRECTIONS = 64
HIGH_QUALITY_SIGMAS = 3.0


@dataclass(frozen=True)
class Metric:
    """A metric. `measure(samples, data)` maps (E, N, ...) to (E,); `floor(data, n)` is a perfect generator's score."""

    measure: Callable[[Tensor, Data], Tensor]
    floor: Callable[[Data, int], float]
    applies: Callable[[Data], bool]
    title: str
    text: str
    source: str


def mode_counts(samples: Tensor, data: Data) -> Tensor:
    """High-quality samples of each mode: (E, N, 2) -> int64 (E, K).

    A sample belongs to the nearest centre and is of high quality within 3 sigma of it; distances are measured in
    that mode's standard deviations, which for round modes is PacGAN's Euclidean rule.
    """
    centres, sigmas = data.centres.to(samples), data.sigmas.to(samples)
    distance = ((samples[:, :, None] - centres) / sigmas).square().sum(-1).sqrt()  # (E, N, K)
    nearest, mode = distance.min(-1)  # (E, N)
    good = nearest < HIGH_QUALITY_SIGMAS
    one_hot = torch.nn.functional.one_hot(mode, len(centres)) * good[..., None]
    return one_hot.sum(1)


def _modes(samples: Tensor, data: Data) -> Tensor:
    return (mode_counts(samples, data) > 0).sum(1).float()


def _high_quality(samples: Tensor, data: Data) -> Tensor:
    return mode_counts(samples, data).sum(1).float() / samples.shape[1]


def _reverse_kl(samples: Tensor, data: Data) -> Tensor:
    counts = mode_counts(samples, data).float()
    p = counts / counts.sum(1, keepdim=True).clamp(min=1)
    entropy = -torch.xlogy(p, p).sum(1)
    covered = counts.sum(1) > 0
    return torch.where(covered, math.log(counts.shape[1]) - entropy, torch.nan)


def sliced_wasserstein(a: Tensor, b: Tensor) -> Tensor:
    """Mean Wasserstein-1 distance over 64 fixed random directions, (E, N, D) and (N, D) -> (E,)."""
    return _sliced_from(a, _sorted_projections(b))


def _sorted_projections(x: Tensor) -> Tensor:
    """Projections on fixed random unit vectors, sorted: (..., N, D) -> (..., 64, N)."""
    directions = torch.randn((DIRECTIONS, x.shape[-1]), generator=seeded(0, "directions")).to(x)
    directions = directions / directions.norm(dim=1, keepdim=True)
    return (directions @ x.mT).sort(-1).values


def _sliced_from(a: Tensor, sorted_b: Tensor) -> Tensor:
    return (_sorted_projections(a) - sorted_b).abs().mean((1, 2))


@lru_cache(maxsize=4)
def real_sample(data: Data, n: int, seed: int) -> Tensor:
    """n rows of the data drawn without replacement (with, if there are fewer), flattened: (n, D)."""
    generator = seeded(seed, "real_sample")
    size = len(data.x)
    rows = torch.randperm(size, generator=generator)[:n] if n <= size else torch.randint(size, (n,), generator=generator)
    return data.x[rows.to(data.x.device)].flatten(1)


@lru_cache(maxsize=4)
def _real_projections(data: Data, n: int) -> Tensor:
    return _sorted_projections(real_sample(data, n, 0))


def _sliced(samples: Tensor, data: Data) -> Tensor:
    return _sliced_from(samples.flatten(2), _real_projections(data, samples.shape[1]).to(samples))


def _sliced_floor(data: Data, n: int) -> float:
    return float(sliced_wasserstein(real_sample(data, n, 1)[None], real_sample(data, n, 0))[0])


def _has_modes(data: Data) -> bool:
    return data.centres is not None


METRICS: dict[str, Metric] = {
    "modes": Metric(
        _modes,
        lambda data, n: float(len(data.centres)),
        _has_modes,
        "Modes covered",
        "Modes with at least one sample within 3 sigma of their centre.",
        "Lin et al. 2018 (PacGAN), section 4.1",
    ),
    "high_quality": Metric(
        _high_quality,
        lambda data, n: 1 - math.exp(-(HIGH_QUALITY_SIGMAS**2) / 2),
        _has_modes,
        "High quality",
        "Share of samples within 3 sigma of a mode. Perfect samples score 98.9 %, not 100 %.",
        "Lin et al. 2018 (PacGAN), section 4.1",
    ),
    "reverse_kl": Metric(
        _reverse_kl,
        lambda data, n: (len(data.centres) - 1) / (2 * n),
        _has_modes,
        "Reverse KL",
        "How unevenly the high-quality samples fall on the modes, in nats; ln K is one mode only.",
        "Lin et al. 2018 (PacGAN), section 4.1",
    ),
    "sliced_wasserstein": Metric(
        _sliced,
        _sliced_floor,
        lambda data: True,
        "Sliced Wasserstein",
        "Mean distance between sorted projections of generated and real samples; for images in pixel values.",
        "Rabin et al. 2012; Bonneel et al. 2015",
    ),
}


@dataclass(frozen=True)
class Score:
    """A measure of a model itself, which the model computes."""

    title: str
    text: str
    source: str


SCORES: dict[str, Score] = {
    "bits_per_dim": Score(
        "Bits per dimension",
        "Negative log-likelihood of held-out images, in bits for each pixel: less is better. Guessing takes log2 of the levels.",
        "van den Oord et al. 2016, section 5",
    ),
}


def samples_for(data: Data) -> int:
    """How many samples the metrics of a run are measured on."""
    return POINT_SAMPLES if data.x.dim() == 2 else IMAGE_SAMPLES


def measure(samples: Tensor, data: Data) -> dict[str, Tensor]:
    """Every metric that applies: name -> (E,)."""
    return {name: m.measure(samples, data) for name, m in METRICS.items() if m.applies(data)}


def floors(data: Data, n: int) -> dict[str, float]:
    """What a perfect generator scores on n samples, for every metric that applies."""
    return {name: m.floor(data, n) for name, m in METRICS.items() if m.applies(data)}
