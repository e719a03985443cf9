"""METRICS: how good the samples are, for all members at once. Samples (E, N, ...) -> one number a member, (E,).

Every metric states what it looks at, on how many samples, and its floor: what as many real samples score that the reference
does not hold. For several metrics a perfect generator scores neither 0 nor 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch
from torch import Tensor
from torch.nn.functional import pad

from .draws import seeded
from .features import CONFIDENT, Judge
from .source import Data

POINT_SAMPLES = 2500  # as PacGAN, section 4.1
IMAGE_SAMPLES = 1000
FULL_SAMPLES = 10_000
LEAST_SAMPLES = 64
DIRECTIONS = 64
HIGH_QUALITY_SIGMAS = 3.0
COUNTED_MODES = 100  # of more, a sample holds too few each
HELD = 0.2  # share of its fair share from which on a mode counts as held
TALLIES = ("counts", "nearest")
CELLS = 20  # along each side of the grid of the Jensen-Shannon divergence
NEIGHBOUR = 5  # whose distance is a ball's radius: Naeem et al. 2020
SUBSETS, SUBSET = 100, 1000  # of the kernel distance: Bińkowski et al. 2018
COPIES = 128  # samples that are compared with every training image
ALIKE = 0.5  # share of the usual distance between neighbours, below which two images count as the same
FEW = 8  # dimensions in which distances are made of differences
SHIFTS = 4  # pairs of each sample whose distance is the diversity


class Seen:
    """Samples in the forms in which metrics look at them, each made once.

    Args:
        samples: (E, N, ...).
        data: what they should resemble.
        judge: of that data set, ready; None where there is none, or none yet.
    """

    def __init__(self, samples: Tensor, data: Data, judge: Judge | None = None):
        self.samples, self.data, self.judge = samples, data, judge
        self.tables: list[dict[str, float]] = []  # what `neighbourhoods` found, which is four metrics

    @property
    def n(self) -> int:
        return self.samples.shape[1]

    @cached_property
    def flat(self) -> Tensor:
        """Coordinates, or pixels in [-1, 1]: (E, N, D)."""
        return self.samples.flatten(2)

    @cached_property
    def _looked(self) -> tuple[Tensor, Tensor]:
        features, logits = self.judge.look(self.samples.flatten(0, 1))
        return features.unflatten(0, self.samples.shape[:2]), logits.unflatten(0, self.samples.shape[:2])

    @property
    def features(self) -> Tensor:
        """The judge's features (E, N, F); where there is no judge, `flat`."""
        return self._looked[0] if self.judge else self.flat

    @property
    def logits(self) -> Tensor:
        """The judge's logits (E, N, K)."""
        return self._looked[1]

    @cached_property
    def _placed(self) -> tuple[Tensor, Tensor]:
        """Nearest mode or likeliest class of each sample, and whether it is of high quality: (E, N) both."""
        if self.data.centres is not None:
            return placed(self.samples, self.data)
        probability, label = self.logits.softmax(-1).max(-1)
        return label, probability >= CONFIDENT

    @property
    def modes(self) -> int:
        """How many modes or classes there are."""
        return len(self.data.centres) if self.data.centres is not None else self.judge.classes

    @cached_property
    def counts(self) -> Tensor:
        """High-quality samples of each mode or class, int64 (E, K)."""
        label, good = self._placed
        return _tally(label, good, self.modes)

    @cached_property
    def nearest(self) -> Tensor:
        """Samples that are nearer to each mode, or likelier of each class, than to any other, good or not: int64 (E, K)."""
        label, _ = self._placed
        return _tally(label, self.flat.isfinite().all(-1), self.modes)

    @property
    def pixels(self) -> Tensor:
        """Pixels in [0, 1]: (E, N, D)."""
        return (self.flat + 1) / 2


@dataclass(frozen=True)
class Metric:
    """A metric. `measure(seen, real)` maps samples of E members to (E,), beside as many real samples (of one member).

    Attributes:
        floor: a perfect generator's score where a formula gives it, of (data, n); None where a second real sample is measured.
        applies: whether it means something for the data.
        looks: at "modes", "features" (the judge's; coordinates or pixels where there is none), "pixels" or "samples".
        live: "points", "judged" (images whose classes a judge can tell), "images": where it is cheap enough to be measured while
            a run trains.
        at_most: samples that it looks at.
        better: "more", "less", or "" where neither is.
        written: how its values are: "whole" numbers, "percent" or "number".
    """

    measure: Callable[[Seen, Seen], Tensor]
    title: str
    text: str
    source: str
    applies: Callable[[Data], bool]
    looks: str
    better: str
    live: tuple[str, ...] = ()
    floor: Callable[[Data, int], float] | None = None
    at_most: int = 26_000
    written: str = "number"


def written(name: str) -> str:
    """How the values of a metric or a score are written: "whole", "percent" or "number"."""
    return METRICS[name].written if name in METRICS else "number"


# Modes


def _tally(label: Tensor, good: Tensor, classes: int) -> Tensor:
    """How often each label is given to a good one: (E, N) -> int64 (E, K)."""
    counts = torch.zeros((len(label), classes), dtype=torch.int64, device=label.device)
    return counts.scatter_add_(1, label, good.long())


def placed(samples: Tensor, data: Data) -> tuple[Tensor, Tensor]:
    """Mode of each sample and whether it is of high quality: (E, N, 2) -> (E, N) both.

    A sample belongs to the nearest centre and is of high quality within 3 sigma of it; distances are measured in
    that mode's standard deviations, which for round modes is PacGAN's Euclidean rule.
    """
    centres, sigmas = data.centres.to(samples), data.sigmas.to(samples)
    distance = ((samples[:, :, None] - centres) / sigmas).square().sum(-1).sqrt()  # (E, N, K)
    nearest, mode = distance.min(-1)  # (E, N)
    return mode, nearest < HIGH_QUALITY_SIGMAS


@lru_cache(maxsize=8)
def shares(data: Data) -> Tensor:
    """Share of the data that each mode or class has, (K,)."""
    if data.labels is None:
        return torch.full((len(data.centres),), 1 / len(data.centres))
    modes = len(data.centres) if data.centres is not None else int(data.labels.max()) + 1
    return torch.bincount(data.labels.cpu(), minlength=modes) / len(data.labels)


def _shares(seen: Seen) -> Tensor:
    """`shares`, and 0 for classes that the judge knows and the data lack, (K,)."""
    share = shares(seen.data)
    return pad(share, (0, seen.modes - len(share)))


def _modes(seen: Seen, real: Seen) -> Tensor:
    return (seen.counts > 0).sum(1).float()


def _held(seen: Seen, real: Seen) -> Tensor:
    return held(seen.counts, seen.n, _shares(seen)).sum(1).float()


def held(counts: Tensor, n: int, share: Tensor) -> Tensor:
    """Which modes are held: bool (..., K) from the high-quality samples of each (..., K) among n, and their share (K,)."""
    return (counts >= HELD * n * share.to(counts.device)) & (counts > 0)


def _high_quality(seen: Seen, real: Seen) -> Tensor:
    return seen.counts.sum(1).float() / seen.n


def _reverse_kl(seen: Seen, real: Seen) -> Tensor:
    counts = seen.counts.float()
    p = counts / counts.sum(1, keepdim=True).clamp(min=1)
    even = seen.data.centres is not None  # PacGAN's; classes are as frequent as in the data
    q = torch.full((counts.shape[1],), 1 / counts.shape[1]) if even else _shares(seen)
    divergence = (torch.xlogy(p, p) - torch.xlogy(p, q.to(p.device))).sum(1)
    return torch.where(counts.sum(1) > 0, divergence, torch.nan)


def _class_score(seen: Seen, real: Seen) -> Tensor:
    logs = seen.logits.log_softmax(-1)  # (E, N, K)
    p = logs.exp()
    mean = p.mean(1)
    return (torch.xlogy(p, p).sum(-1).mean(1) - torch.xlogy(mean, mean).sum(-1)).exp()


# Distances between distributions


def gaussian(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (D,) and unbiased covariance (D, D) of rows (N, D), in float64."""
    x = x.double()
    mean = x.mean(0)
    centred = x - mean
    return mean, centred.T @ centred / max(1, len(x) - 1)


def frechet_distance(a: tuple[Tensor, Tensor], b: tuple[Tensor, Tensor]) -> float:
    """Squared Fréchet distance of two Gaussians: |m1 - m2|² + tr(S1 + S2 - 2 (S1 S2)^½). Dowson and Landau 1982.

    Args:
        a, b: mean (D,) and covariance (D, D), float64.
    """
    values, vectors = torch.linalg.eigh(a[1])
    root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T  # S1^½; S1^½ S2 S1^½ has the eigenvalues of S1 S2
    shared = torch.linalg.eigvalsh(root @ b[1] @ root).clamp(min=0).sqrt().sum()
    return float((a[0] - b[0]).square().sum() + a[1].trace() + b[1].trace() - 2 * shared)


def frechet_of(a: Tensor, b: Tensor) -> float:
    """The same of the Gaussians fitted to rows (N, D) and (M, D).

    With fewer rows than dimensions the covariances are never made: with centred rows A and B, tr (S1 S2)^½ is the sum of the
    singular values of A Bᵀ over ((N - 1) (M - 1))^½.
    """
    if not a.isfinite().all():
        return math.nan  # the samples of a member that has diverged
    if a.shape[1] <= min(len(a), len(b)):
        return frechet_distance(gaussian(a), gaussian(b))
    a, b = a.double(), b.double()
    mean_a, mean_b, n, m = a.mean(0), b.mean(0), max(1, len(a) - 1), max(1, len(b) - 1)
    a, b = a - mean_a, b - mean_b
    shared = torch.linalg.svdvals(a @ b.T).sum() / (n * m) ** 0.5
    return float((mean_a - mean_b).square().sum() + a.square().sum() / n + b.square().sum() / m - 2 * shared)


def _frechet(seen: Seen, real: Seen) -> Tensor:
    return torch.tensor([frechet_of(x, real.features[0]) for x in seen.features])


def _frechet_pixels(seen: Seen, real: Seen) -> Tensor:
    return torch.tensor([frechet_of(x, real.pixels[0]) for x in seen.pixels])


def kernel_distance(a: Tensor, b: Tensor) -> float:
    """Unbiased squared maximum mean discrepancy of rows (N, D) with the kernel (x·y / D + 1)³; may be negative.

    The mean over 100 subsets of 1,000 where there are more rows: Bińkowski et al. 2018, section 4.
    """
    n = min(len(a), len(b))
    if n <= SUBSET:
        return _discrepancy(a[:n].double(), b[:n].double())
    generator = seeded(0, "kernel_distance")
    parts = [[torch.randperm(len(x), generator=generator)[:SUBSET] for x in (a, b)] for _ in range(SUBSETS)]
    return sum(_discrepancy(a[i].double(), b[j].double()) for i, j in parts) / SUBSETS


def _discrepancy(a: Tensor, b: Tensor) -> float:
    n, dim = a.shape

    def kernel(x: Tensor, y: Tensor) -> Tensor:
        return (x @ y.T / dim + 1) ** 3

    within = sum((k.sum() - k.trace()) / max(1, n * (n - 1)) for k in (kernel(a, a), kernel(b, b)))
    return float(within - 2 * kernel(a, b).mean())


def _kid(seen: Seen, real: Seen) -> Tensor:
    return torch.tensor([kernel_distance(x, real.features[0]) for x in seen.features])


def _kid_pixels(seen: Seen, real: Seen) -> Tensor:
    return torch.tensor([kernel_distance(x, real.pixels[0]) for x in seen.pixels])


def sliced_wasserstein(a: Tensor, b: Tensor) -> Tensor:
    """Mean Wasserstein-1 distance over 64 fixed random directions, (E, N, D) and (N, D) -> (E,)."""
    return (_sorted_projections(a) - _sorted_projections(b)).abs().mean((1, 2))


def _sorted_projections(x: Tensor) -> Tensor:
    """Projections on fixed random unit vectors, sorted: (..., N, D) -> (..., 64, N)."""
    directions = torch.randn((DIRECTIONS, x.shape[-1]), generator=seeded(0, "directions")).to(x)
    directions = directions / directions.norm(dim=1, keepdim=True)
    return (directions @ x.mT).sort(-1).values


def _sliced(seen: Seen, real: Seen) -> Tensor:
    return sliced_wasserstein(seen.flat, real.flat[0].to(seen.flat))


def binned(points: Tensor, low: Tensor, side: float) -> Tensor:
    """Shares of points (E, N, 2) in the 20 x 20 cells of a square from its corner `low`, and outside: (E, 401)."""
    cell = ((points - low.to(points)) / side * CELLS).floor()
    inside = ((cell >= 0) & (cell < CELLS)).all(-1)
    cell = torch.where(inside[..., None], cell, 0).long()
    index = torch.where(inside, cell[..., 1] * CELLS + cell[..., 0], CELLS * CELLS)
    counts = torch.zeros((len(points), CELLS * CELLS + 1), device=points.device)
    return counts.scatter_add_(1, index, torch.ones_like(index, dtype=counts.dtype)) / points.shape[1]


@lru_cache(maxsize=8)
def _binned_data(data: Data) -> tuple[Tensor, Tensor, float]:
    low, high = data.x.min(0).values, data.x.max(0).values
    side = float((high - low).max()) * 1.0001 or 1.0  # the outermost point lies inside
    return binned(data.x[None], low, side)[0], low, side


def _js(seen: Seen, real: Seen) -> Tensor:
    p, low, side = _binned_data(seen.data)
    p, q = p.to(seen.samples), binned(seen.samples, low, side)
    middle = (p + q) / 2
    return 0.5 * (torch.xlogy(p, p / middle) + torch.xlogy(q, q / middle)).nan_to_num(0).sum(1)


# Neighbours


def distances(a: Tensor, b: Tensor) -> Tensor:
    """Euclidean distances of rows (N, D) and (M, D): (N, M).

    Of points from their differences: by a matrix product, as is faster for images, small distances far from the origin are
    lost to rounding, and the modes of a grid are that small.
    """
    mode = "donot_use_mm_for_euclid_dist" if a.shape[1] <= FEW else "use_mm_for_euclid_dist_if_necessary"
    return torch.cdist(a, b, compute_mode=mode)


def _radii(x: Tensor) -> Tensor:
    """Distance of each row (N, D) to its 5th nearest neighbour, itself left out: (N,)."""
    distance = distances(x, x)
    return distance.kthvalue(min(NEIGHBOUR + 1, len(x)), dim=1).values


def neighbourhoods(real: Tensor, fake: Tensor) -> dict[str, float]:
    """Precision, recall (Kynkäänniemi et al. 2019), density and coverage (Naeem et al. 2020) of rows (N, D), k = 5."""
    radii_real, radii_fake = _radii(real), _radii(fake)
    distance = distances(real, fake)  # (real, fake)
    in_real = distance < radii_real[:, None]
    return {
        "precision": float(in_real.any(0).float().mean()),
        "recall": float((distance < radii_fake).any(1).float().mean()),
        "density": float(in_real.float().sum(0).mean() / NEIGHBOUR),
        "coverage": float((distance.min(1).values < radii_real).float().mean()),
    }


def _of_neighbourhoods(name: str) -> Callable[[Seen, Seen], Tensor]:
    def measure(seen: Seen, real: Seen) -> Tensor:
        seen.tables = seen.tables or [neighbourhoods(real.features[0], x) for x in seen.features]
        return torch.tensor([found[name] for found in seen.tables])

    return measure


def _two_sample(seen: Seen, real: Seen) -> Tensor:
    return torch.tensor([two_sample_accuracy(real.features[0], x) for x in seen.features])


def two_sample_accuracy(a: Tensor, b: Tensor) -> float:
    """How often the nearest other row of a and b (N, D) together comes from the same of them: Lopez-Paz and Oquab 2017."""
    if not b.isfinite().all():
        return math.nan
    both = torch.cat([a, b])
    distance = distances(both, both).fill_diagonal_(math.inf)
    own = torch.arange(len(both)) >= len(a)
    return float((own[distance.argmin(1).cpu()] == own).float().mean())


def _diversity(seen: Seen, real: Seen) -> Tensor:
    return _spread(seen.flat) / _spread(real.flat)


def _spread(x: Tensor) -> Tensor:
    """Mean distance between samples (E, N, D), over a few pairs of each: (E,)."""
    pairs = [(x - x.roll(k + 1, 1)).norm(dim=-1).mean(1) for k in range(min(SHIFTS, max(1, x.shape[1] - 1)))]
    return torch.stack(pairs).mean(0)


def nearest(samples: Tensor, data: Data, k: int = 1, leave_out: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The k nearest training samples: (N, ...) -> distances (N, k), ascending, and their rows (N, k).

    Args:
        leave_out: (N,) a row of the data for each sample that does not count: the sample itself, if it is real.
    """
    x, all_of_them = samples.flatten(1), data.x.flatten(1)
    distance = distances(x, all_of_them.to(x))
    if leave_out is not None:
        distance[torch.arange(len(x)), leave_out] = math.inf
    found = distance.topk(min(k, distance.shape[1]), largest=False)
    return found.values, found.indices


@lru_cache(maxsize=4)
def usual_distance(data: Data, part: int) -> float:
    """Median distance of real samples to the nearest other one of the data."""
    rows = real_rows(data, min(COPIES, max(1, len(data.x) // 2)), part)
    return float(nearest(data.x[rows], data, leave_out=rows)[0].median())


def _copies(seen: Seen, real: Seen) -> Tensor:
    usual = usual_distance(seen.data, 0) + 1e-12
    return torch.tensor([float(nearest(x, seen.data)[0].median()) / usual for x in seen.samples[:, :COPIES]])


def _support(seen: Seen, real: Seen) -> Tensor:
    alike = ALIKE * float(distances(real.flat[0], real.flat[0]).fill_diagonal_(math.inf).min(1).values.median())
    found = []
    for x in seen.flat:
        same = int((torch.pdist(x) <= alike).sum())
        pairs = len(x) * (len(x) - 1) / 2
        found.append(pairs / max(1, same) if x.isfinite().all() else math.nan)
    return torch.tensor(found)


# Real samples


def real_rows(data: Data, n: int, part: int) -> Tensor:
    """Rows of n real samples: part 0 is the reference, part 1 shares none with it where the data have 2 n."""
    order = torch.randperm(len(data.x), generator=seeded(0, "real_sample"))
    return order[torch.arange(part * n, (part + 1) * n) % len(order)]


@lru_cache(maxsize=8)
def real_seen(data: Data, n: int, part: int, judge: Judge | None) -> Seen:
    """n real samples as metrics see them."""
    return Seen(data.x[real_rows(data, n, part).to(data.x.device)][None].cpu(), data, judge)


def _has_modes(data: Data) -> bool:
    return data.centres is not None


def _is_images(data: Data) -> bool:
    return data.x.dim() == 4


def is_judged(data: Data) -> bool:
    """Whether a judge can tell classes in the data."""
    return _is_images(data) and data.labels is not None


def _is_tallied(data: Data) -> bool:
    return _has_modes(data) or is_judged(data)


def _can_be_held(data: Data) -> bool:
    return _is_tallied(data) and len(shares(data)) <= COUNTED_MODES


def _any(data: Data) -> bool:
    return True


# for what a metric is live: points, images with a judge, images without
_POINTS, _JUDGED, _IMAGES, _ALWAYS, _TALLIED = (
    ("points",),
    ("judged",),
    ("judged", "images"),
    ("points", "judged", "images"),
    ("points", "judged"),
)
_PRDC = "Naeem et al. 2020, section 3"

METRICS: dict[str, Metric] = {
    "modes": Metric(
        _modes,
        "Modes covered",
        "Modes with at least one sample within 3 sigma of their centre; for images, classes with at least one sure image.",
        "Lin et al. 2018 (PacGAN), section 4.1",
        _is_tallied,
        "modes",
        "more",
        _TALLIED,
        written="whole",
    ),
    "held": Metric(
        _held,
        "Modes held",
        "Modes that get at least a fifth of their fair share of all samples, as high-quality ones. A blur over everything "
        "covers modes but holds none.",
        "stricter than PacGAN's count; Srivastava et al. 2017 (VEEGAN) also ask for a share",
        _can_be_held,
        "modes",
        "more",
        _TALLIED,
        written="whole",
    ),
    "high_quality": Metric(
        _high_quality,
        "High quality",
        "Share of samples within 3 sigma of a mode, where perfect samples score 98.9 %; for images, of those whose class the "
        "judge is at least 90 % sure of.",
        "Lin et al. 2018 (PacGAN), section 4.1",
        _is_tallied,
        "modes",
        "more",
        _TALLIED,
        floor=lambda data, n: 1 - math.exp(-(HIGH_QUALITY_SIGMAS**2) / 2) if _has_modes(data) else math.nan,
        written="percent",
    ),
    "reverse_kl": Metric(
        _reverse_kl,
        "Reverse KL",
        "How unevenly the high-quality samples fall on the modes, in nats; ln K is one mode only.",
        "Lin et al. 2018 (PacGAN), section 4.1",
        _is_tallied,
        "modes",
        "less",
        _TALLIED,
        floor=lambda data, n: (len(data.centres) - 1) / (2 * n) if _has_modes(data) else math.nan,
    ),
    "js": Metric(
        _js,
        "Jensen-Shannon",
        "Divergence of the samples from the data on a grid of 20 × 20 cells and one for all that lies outside, in nats: 0 is "
        "equal, 0.693 is nothing in common.",
        "Lin 1991; a grid as in GAN Lab, normalised",
        lambda data: data.x.dim() == 2,
        "samples",
        "less",
        _POINTS,
    ),
    "frechet": Metric(
        _frechet,
        "Fréchet distance",
        "Distance of two Gaussians that have the mean and covariance of generated and of real features. With other "
        "features than Inception's it is no FID and does not compare with one.",
        "Heusel et al. 2017; Dowson and Landau 1982",
        _any,
        "features",
        "less",
        _JUDGED,
    ),
    "sliced_wasserstein": Metric(
        _sliced,
        "Sliced Wasserstein",
        "Mean distance between sorted projections of generated and real samples; for images in pixel values.",
        "Rabin et al. 2012; Bonneel et al. 2015",
        _any,
        "samples",
        "less",
        _ALWAYS,
    ),
    "diversity": Metric(
        _diversity,
        "Diversity",
        "Mean distance between generated samples, as a share of that between real ones: 0 is one sample over and over.",
        "mean pairwise distance; for images in pixels",
        _any,
        "samples",
        "",
        _ALWAYS,
    ),
    "class_score": Metric(
        _class_score,
        "Class score",
        "exp E KL(p(y|x) ‖ p(y)) of the judge, from 1 to the number of classes: sure about each image, all classes alike. "
        "On MNIST this is the MNIST score.",
        "Salimans et al. 2016, section 4, with a judge of its own",
        is_judged,
        "features",
        "more",
        _JUDGED,
    ),
    "precision": Metric(
        _of_neighbourhoods("precision"),
        "Precision",
        "Share of generated samples that lie within the neighbourhood of a real one: quality.",
        "Kynkäänniemi et al. 2019, section 2",
        _any,
        "features",
        "more",
        _IMAGES,
        at_most=5000,
        written="percent",
    ),
    "recall": Metric(
        _of_neighbourhoods("recall"),
        "Recall",
        "Share of real samples that lie within the neighbourhood of a generated one: variety.",
        "Kynkäänniemi et al. 2019, section 2",
        _any,
        "features",
        "more",
        _IMAGES,
        at_most=5000,
        written="percent",
    ),
    "density": Metric(
        _of_neighbourhoods("density"),
        "Density",
        "In how many neighbourhoods of real samples a generated one lies, over k; about 1 for equal distributions.",
        _PRDC,
        _any,
        "features",
        "",
        at_most=5000,
    ),
    "coverage": Metric(
        _of_neighbourhoods("coverage"),
        "Coverage",
        "Share of real samples with a generated one in their neighbourhood: variety, hard to fool by outliers.",
        _PRDC,
        _any,
        "features",
        "more",
        at_most=5000,
        written="percent",
    ),
    "kid": Metric(
        _kid,
        "Kernel distance",
        "Unbiased squared maximum mean discrepancy with a cubic kernel: 0 on average for equal distributions, and at times "
        "negative. With other features than Inception's it is no KID.",
        "Bińkowski et al. 2018, section 4",
        _any,
        "features",
        "less",
    ),
    "frechet_pixels": Metric(
        _frechet_pixels,
        "Fréchet distance on pixels",
        "The same on pixels between 0 and 1: blind for shapes, but the same on every machine.",
        "Heusel et al. 2017; Dowson and Landau 1982",
        is_judged,
        "pixels",
        "less",
    ),
    "kid_pixels": Metric(
        _kid_pixels,
        "Kernel distance on pixels",
        "The same on pixels between 0 and 1.",
        "Bińkowski et al. 2018, section 4",
        is_judged,
        "pixels",
        "less",
    ),
    "copies": Metric(
        _copies,
        "Distance to training images",
        "Median distance of a generated image to the nearest training image, as a share of that of a real image to the nearest "
        "other one: near 0 it copies.",
        "nearest neighbours as in Brock et al. 2019, appendix E",
        _is_images,
        "pixels",
        "",
        _IMAGES,
        at_most=COPIES,
    ),
    "support": Metric(
        _support,
        "Different images",
        "How many images the generator seems to know, from how many pairs of samples look alike (the birthday paradox): at "
        "most n (n - 1) / 2 can be told.",
        "Arora et al. 2018, section 3",
        _is_images,
        "pixels",
        "more",
        at_most=2000,
    ),
    "two_sample": Metric(
        _two_sample,
        "1-NN two-sample accuracy",
        "How often the nearest neighbour tells generated from real: 50 % is ideal, 100 % is easy, below 50 % suggests copying.",
        "Lopez-Paz and Oquab 2017; Xu et al. 2018",
        _any,
        "features",
        "",
        at_most=2000,
        written="percent",
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


def samples_for(data: Data, full: bool = False) -> int:
    """How many samples are measured: at most half of the data, so that a second real sample can be told from the first, but
    always 64, however few images there are."""
    wanted = FULL_SAMPLES if full else POINT_SAMPLES if data.x.dim() == 2 else IMAGE_SAMPLES
    return max(LEAST_SAMPLES, min(wanted, len(data.x) // 2))


def chosen(data: Data, full: bool = False) -> list[str]:
    """Names of the metrics that mean something for the data: all, or those that are cheap enough for a run."""
    kind = "points" if data.x.dim() == 2 else "judged" if is_judged(data) else "images"
    return [name for name, m in METRICS.items() if m.applies(data) and (full or kind in m.live)]


def measure(
    samples: Tensor, data: Data, judge: Judge | None = None, full: bool = False, names: Sequence[str] | None = None
) -> dict[str, Tensor]:
    """Name -> (E,) of every metric that applies, or of those that are live, or of some.

    NaN where the judge is not ready yet, and where there is no number, as of a member that has diverged; none is infinite.

    Also TALLIES, (E, K) each, where there are modes or classes: high-quality samples of each, and all that are nearest to it.
    """
    samples = samples.cpu()  # where judges are, and float64 is everywhere
    found: dict[str, Tensor] = {}
    waits = is_judged(data) and (judge is None or not judge.ready)
    judge = None if waits else judge
    views: dict[int, Seen] = {}
    for name in chosen(data, full):
        if names is not None and name not in names:
            continue
        metric = METRICS[name]
        if waits and metric.looks in ("modes", "features"):
            found[name] = torch.full((len(samples),), torch.nan)
            continue
        n = min(samples.shape[1], metric.at_most)
        seen = views.setdefault(n, Seen(samples[:, :n], data, judge))
        value = metric.measure(seen, real_seen(data, n, 0, judge))
        found[name] = value.where(value.isfinite(), torch.nan)
    if _is_tallied(data) and not waits and views:
        seen = views[max(views)]
        found |= {"counts": seen.counts, "nearest": seen.nearest}
    return found


def floors(data: Data, n: int, judge: Judge | None = None, full: bool = False) -> dict[str, float]:
    """What n real samples score that the reference does not hold, for every metric of `measure` that can be measured yet."""
    return _floors(data, n, judge if judge is not None and judge.ready else None, full)


@lru_cache(maxsize=8)
def _floors(data: Data, n: int, judge: Judge | None, full: bool) -> dict[str, float]:
    real = real_seen(data, n, 1, judge).samples
    found = {name: float(value[0]) for name, value in measure(real, data, judge, full).items() if name not in TALLIES}
    for name in found:
        if name == "high_quality" and judge is not None and not judge.stacked:
            found[name] = judge.sure  # the judge knows the training images too well
        formula = METRICS[name].floor
        if formula is not None and not math.isnan(value := formula(data, min(n, METRICS[name].at_most))):
            found[name] = value
    if "copies" in found:  # a real sample is in the data itself
        found["copies"] = usual_distance(data, 1) / (usual_distance(data, 0) + 1e-12)
    return {name: value for name, value in found.items() if not math.isnan(value)}


def features_of(name: str, data: Data, judge: Judge | None = None) -> str:
    """What a metric looks at, in words."""
    looks = METRICS[name].looks
    if looks in ("features", "modes") and judge is not None:
        return f"classifier of {judge.source.name}, {judge.accuracy:.1%} right on {judge.tested:,} images"
    if looks == "modes":
        return "centres of the modes"
    return "coordinates" if data.x.dim() == 2 else "pixels"
