"""DIRECTIONS: ways to find directions of a latent space along which samples change in a way of their own.

`find(explorer, kind)` gives unit vectors. How far to go along one is told by the standard deviation of latents along it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .draws import seeded
from .errors import ConfigError, RunError
from .explorer import Explorer
from .latent import along, class_means, orthonormal, pca, regressed, sefa, upright
from .trainer import computing_with

SAMPLES = 1000  # latents that are looked at: a standard deviation is within some 2 %, which is 1 / sqrt(2 n)
MANY = 8000  # where more is needed: with 1,000, means of rare classes and the fifth component are mostly noise
SMALL = 1024  # numbers of a sample, and of what is looked at, up to which so many are taken
LEAST_LENGTH = 1e-6  # of a change of latents, below which nothing goes with it


@dataclass(frozen=True)
class Directions:
    """Directions of a space, the most telling first. K of them.

    Attributes:
        kind, space: what found them, and where.
        vectors: (K, Z), of length 1.
        deviations: (K,), standard deviation of latents along each.
        shares: (K,), of the variance of what was looked at; NaN where that tells nothing.
        names: a short name each.
        looks_at: what that was.
    """

    kind: str
    space: str
    vectors: Tensor
    deviations: Tensor
    shares: Tensor
    names: tuple[str, ...]
    looks_at: str


_Found = tuple[Tensor, Tensor | None, tuple[str, ...], str]  # vectors, shares (None: of the latents), names, looks_at


@dataclass(frozen=True)
class Direction:
    """A way to find directions. `find(explorer, space, latents, count, seed, layer)` gives vectors of any length.

    Attributes:
        lacks: `lacks(explorer, space)` says in a sentence what it needs and does not find; "" where it can be used.
        orthonormal: its vectors stand at right angles to each other.
        layered: it reads `layer`.
        many: it needs many samples.
    """

    find: Callable[[Explorer, str, Tensor, int, int, int], _Found]
    title: str
    text: str
    formula: str
    source: str
    use: str
    cost: str
    lacks: Callable[[Explorer, str], str] = lambda explorer, space: ""
    orthonormal: bool = False
    layered: bool = False
    many: bool = False


def find(explorer: Explorer, kind: str, space: str = "z", count: int = 8, seed: int = 0, layer: int = 0) -> Directions:
    """Directions of one kind, at most `count`; fewer where there are no more.

    Args:
        kind: a key of DIRECTIONS. space: one of `explorer.spaces`.
        seed: of the latents that are looked at, and of random directions.
        layer: of `explorer.activated`, for kinds that look at a layer.

    Raises:
        ConfigError: there is no such kind.
        RunError: the network has no such space or layer, the kind lacks what it needs, or nothing varies.
    """
    if kind not in DIRECTIONS:
        raise ConfigError(f"There are no directions {kind}. Choose one of: {', '.join(DIRECTIONS)}.")
    entry = DIRECTIONS[kind]
    explorer.dim(space)
    if lacks := entry.lacks(explorer, space):
        raise RunError(lacks)
    with computing_with(1):  # two threads wait for each other in an eigenproblem: beside a busy program it took 60 times as long
        n = MANY if entry.many and math.prod(explorer.shape) <= SMALL else SAMPLES
        latents = explorer.sample(n, space, seed=seed)
        vectors, shares, names, looks_at = entry.find(explorer, space, latents, count, seed, layer)
    lengths = vectors.norm(dim=1)
    there = (lengths > LEAST_LENGTH).nonzero()[:count, 0]
    if not len(there):
        raise RunError("All samples are the same, so there is no direction in which they differ. Choose another step or kind.")
    vectors = vectors[there] / lengths[there, None]
    deviations, own = along(latents, vectors)
    return Directions(
        kind, space, vectors, deviations, own if shares is None else shares[there], tuple(names[k] for k in there), looks_at
    )


def _numbered(word: str, k: int) -> tuple[str, ...]:
    return tuple(f"{word} {i + 1}" for i in range(k))


def _principal(explorer: Explorer, space: str, x: Tensor, latents: Tensor, count: int, looks_at: str) -> _Found:
    """The latents' changes that go with the principal components of something (N, D) that they make.

    Of a generator that is told the class, what differs between classes is taken out: z has no part in it.
    """
    if explorer.classes and space == "z":
        x = x.clone()
        for k in range(explorer.classes):  # `images` and `activations` went through them in turn
            x[k :: explorer.classes] -= x[k :: explorer.classes].mean(0)
    vectors, _, shares = pca(x, count)
    changes = regressed((x - x.mean(0)) @ vectors.mT, latents[: len(x)])
    return upright(changes), shares, _numbered("component", len(vectors)), looks_at


def _of_activations(explorer: Explorer, space: str, latents: Tensor, count: int, seed: int, layer: int) -> _Found:
    if explorer.activations(latents[:2], space, layer).shape[1] > SMALL:
        latents = latents[:SAMPLES]
    x, name = explorer.activations(latents, space, layer), explorer.activated(space)[layer]
    if x is latents:  # components of the space itself
        vectors, _, shares = pca(x, count)
        return vectors, shares, _numbered("component", len(vectors)), name
    return _principal(explorer, space, x, latents, count, name)


def _of_features(explorer: Explorer, space: str, latents: Tensor, count: int, seed: int, layer: int) -> _Found:
    samples = explorer.images(latents, space)
    if explorer.judge is not None and explorer.judge.ready:
        return _principal(explorer, space, explorer.judge.look(samples)[0], latents, count, "the classifier's features")
    return _principal(explorer, space, samples.flatten(1), latents, count, "pixels" if samples.dim() == 4 else "coordinates")


def _of_weight(explorer: Explorer, space: str, latents: Tensor, count: int, seed: int, layer: int) -> _Found:
    vectors, shares = sefa(explorer.weight(space), count)
    return vectors, shares, _numbered("direction", len(vectors)), "the first weights"


def _of_classes(explorer: Explorer, space: str, latents: Tensor, count: int, seed: int, layer: int) -> _Found:
    if explorer.classes:
        found, looks_at = torch.arange(len(latents)) % explorer.classes, "the classes asked for"
    else:
        (found, _), points = explorer.classify(explorer.images(latents, space)), len(explorer.shape) == 1
        looks_at = "the nearest modes" if points else "the classifier's classes"
    vectors, classes = class_means(latents, found)
    word = "mode" if len(explorer.shape) == 1 and not explorer.classes else "class"
    # all directions of z have the same share of it
    shares = torch.full((len(vectors),), torch.nan) if space == "z" else None
    return vectors, shares, tuple(f"{word} {c}" for c in classes.tolist()), looks_at


def _unclassed(explorer: Explorer, space: str) -> str:
    if explorer.classes and space == "z":
        return "This generator is told the class beside z, so z holds none. Interpolate between classes instead."
    if explorer.classes:
        return ""
    if explorer.data.centres is None and explorer.judge is None:
        return "These data have no classes whose means could differ."
    if explorer.data.centres is None and not explorer.judge.ready:
        return "The classifier of these data has not been taught yet."
    return ""


def _random(explorer: Explorer, space: str, latents: Tensor, count: int, seed: int, layer: int) -> _Found:
    dim = explorer.dim(space)
    drawn = torch.randn((min(count, dim), dim), generator=seeded(seed, "directions"))
    vectors = orthonormal(drawn)
    # all directions of z have the same share of it
    shares = torch.full((len(vectors),), torch.nan) if space == "z" else None
    return vectors, shares, _numbered("random", len(vectors)), "nothing"


DIRECTIONS: dict[str, Direction] = {
    "activations": Direction(
        _of_activations,
        "Components of a layer (GANSpace)",
        "The directions in which a layer's activations vary most, carried back to the latent.",
        "u = argmin Σ ‖u x_j − z_j‖², with x_j the components of the activations; in w the components of w itself",
        "Härkönen et al. 2020, section 2",
        "The first look at an unknown generator.",
        "One pass of 8,000 latents, of 1,000 for a wide layer or large images, and an eigenproblem of the layer's size.",
        layered=True,
        many=True,
    ),
    "features": Direction(
        _of_features,
        "Components of samples (PCA)",
        "The directions in which the samples themselves vary most: in the classifier's features, else in pixels or coordinates.",
        "u = argmin Σ ‖u x_j − z_j‖², with x_j the components of the samples",
        "after Härkönen et al. 2020, section 2",
        "To see what a sample can change into, however deep in the network that is made.",
        "8,000 samples, and the classifier's look at them; 1,000 of large images.",
        many=True,
    ),
    "sefa": Direction(
        _of_weight,
        "First layer's weights (SeFa)",
        "The directions that change the output of the first weights most; no sample is needed.",
        "eigenvectors of AᵀA",
        "Shen and Zhou 2021 (Closed-Form Factorization of Latent Semantics in GANs)",
        "Quick and exact; the same for every seed.",
        "An eigenproblem of the latent's size.",
        orthonormal=True,
    ),
    "classes": Direction(
        _of_classes,
        "Between class means",
        "From the mean latent of all other classes to the mean of one.",
        "mean(z | class) − mean(z | not class)",
        "after Radford et al. 2016, section 6.3.2, and Larsen et al. 2016",
        "To turn a sample into one of a class that the generator was never told of.",
        "8,000 samples, and the classifier's look at them; 1,000 of large images.",
        lacks=_unclassed,
        many=True,
    ),
    "random": Direction(
        _random,
        "Random",
        "At right angles to each other, and otherwise by chance: what the others have to beat.",
        "Gram and Schmidt of N(0, I)",
        "the baseline of Härkönen et al. 2020",
        "To compare with.",
        "Nothing.",
        orthonormal=True,
    ),
}
