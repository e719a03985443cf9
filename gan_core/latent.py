"""Ways, planes and directions through latent space. Pure functions on latents (..., Z), which may be z or w."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

COLLINEAR = 1e-4  # sine of the angle below which a great circle is not defined by its two points
DEPENDENT = 1e-6  # share of a vector's length below which what it adds to others is rounding

# Ways


def lerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Straight line. Its middle is shorter than its ends.

    Args:
        a, b: (..., Z). t: (...) in [0, 1]; all are broadcast, so that one pair (Z,) with t (T,) gives (T, Z).
    """
    t = t[..., None]
    return (1 - t) * a + t * b


def slerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Along the great circle between two directions, the length going evenly from one to the other (Shoemake 1985).

    Where the ends have the same norm, so has every point between them. Ends that are parallel, opposite or zero have no
    great circle of their own; they are joined by `lerp`.

    Args:
        a, b: (..., Z). t: (...) in [0, 1]; all are broadcast, so that one pair (Z,) with t (T,) gives (T, Z).
    """
    norm_a, norm_b = a.norm(dim=-1, keepdim=True), b.norm(dim=-1, keepdim=True)
    zero = (norm_a == 0) | (norm_b == 0)
    one, two = a / norm_a.where(~zero, 1), b / norm_b.where(~zero, 1)
    # exact where acos is not, near 0 and pi
    angle = 2 * torch.atan2((one - two).norm(dim=-1, keepdim=True), (one + two).norm(dim=-1, keepdim=True))
    sine = torch.sin(angle)
    collinear = zero | (sine < COLLINEAR)
    s = t[..., None]
    direction = (torch.sin((1 - s) * angle) * one + torch.sin(s * angle) * two) / sine.where(~collinear, 1)
    return torch.where(collinear, lerp(a, b, t), direction * ((1 - s) * norm_a + s * norm_b))


PATHS = {"slerp": slerp, "lerp": lerp}


def path(anchors: Tensor, frames: int, kind: str = "slerp") -> Tensor:
    """Through all anchors in turn; with more than two, back to the first.

    Args:
        anchors: (K, Z), K at least 2.
        frames: points of each leg; its last point is the first of the next leg.
        kind: "slerp" or "lerp".

    Returns:
        (legs * frames, Z), and the last anchor once more where the path is open.
    """
    ends = list(range(1, len(anchors))) + ([0] if len(anchors) > 2 else [])
    t = torch.arange(frames) / frames
    legs = [PATHS[kind](anchors[k], anchors[end], t) for k, end in enumerate(ends)]
    if len(anchors) == 2:
        legs.append(anchors[1:2])
    return torch.cat(legs)


def step_lengths(samples: Tensor) -> Tensor:
    """How far each sample (N, ...) lies from the one before, (N - 1,): Euclidean, in data units or in pixels' values."""
    return (samples[1:] - samples[:-1]).flatten(1).norm(dim=1)


def path_length(
    generate: Callable[[Tensor], Tensor], a: Tensor, b: Tensor, t: Tensor, kind: str = "slerp", eps: float = 1e-4
) -> Tensor:
    """Squared speed of the samples on the ways from a to b, ||G(c(t + eps)) - G(c(t))||² / eps², with c the way.

    Its mean over pairs and t is the perceptual path length (Karras et al. 2019, section 4.1) with the squared Euclidean
    distance of pixels in place of VGG's features. For a linear G(z) = Az + b and pairs of N(0, I) it is

        lerp:  2 ||A||_F², at every t, because c' = z2 - z1 has the covariance 2 I;
        slerp: ||A||_F² (2 (Z - m²) + E[r²] E[angle²]) / Z, because c' = r' u + r angle n with n at right angles to u, and all
               its directions are alike. There m = E||z||, r = (1 - t) ||z1|| + t ||z2||, E[r²] = (2 Z + m²) / 3 for even t, and
               E[angle²] is pi²/3 for Z = 2, (pi² - 4) / 2 for Z = 3, and tends to pi²/4, as the whole does times ||A||_F².

    Args:
        generate: latents (N, Z) -> samples (N, ...).
        a, b: (N, Z). t: (N,) in [0, 1].
        kind: "slerp" for z, "lerp" for w, as the paper.

    Returns:
        (N,) in squared data units, or squared pixels' values.
    """
    way = PATHS[kind]
    return (generate(way(a, b, t + eps)) - generate(way(a, b, t))).flatten(1).square().sum(1) / eps**2


# Planes


def plane(corners: Tensor, cells: int, kind: str = "slerp") -> Tensor:
    """A lattice (cells, cells, Z) between corners: columns go from the first to the second, rows from the first to the third.

    Args:
        corners: (4, Z), or (3, Z): the fourth is then second + third - first, for slerp with the mean of their lengths. With
            "lerp" and three it is the plane through them; with "slerp" every row and column is an arc (White 2016, "Sampling
            Generative Networks").
        cells: points along each side, at least 2.
        kind: "slerp" or "lerp".
    """
    a, b, c = corners[:3]
    d = corners[3] if len(corners) == 4 else b + c - a
    if len(corners) == 3 and kind == "slerp" and d.norm() > 0:
        d = d * ((b.norm() + c.norm()) / 2 / d.norm())
    t, way = torch.linspace(0, 1, cells, dtype=corners.dtype), PATHS[kind]
    return way(way(a, c, t)[:, None], way(b, d, t)[:, None], t[None])


def slice_along(centre: Tensor, directions: Tensor, reach: Tensor, cells: int) -> Tensor:
    """A lattice (cells, cells, Z) around a centre: columns go along the first direction, rows along the second.

    Args:
        centre: (Z,). directions: (2, Z).
        reach: (2,), how far it goes to either side, in lengths of each direction.
        cells: points along each side.
    """
    t = torch.linspace(-1, 1, cells, dtype=centre.dtype)
    along = t[:, None] * reach[0] * directions[0]  # (cells, Z)
    down = t[:, None] * reach[1] * directions[1]
    return centre + along[None] + down[:, None]


def jacobian(generate: Callable[[Tensor], Tensor], latents: Tensor, directions: Tensor) -> Tensor:
    """Derivatives of samples along directions of the latents, (N, D, K), by reverse-mode differentiation.

    Args:
        generate: latents (N, Z) -> samples (N, D), each of its own latents alone.
        latents: (N, Z). directions: (K, Z).
    """
    z = latents.detach().requires_grad_()
    with torch.enable_grad():
        samples = generate(z)
        rows = [torch.autograd.grad(x.sum(), z, retain_graph=True)[0] for x in samples.unbind(1)]
    return torch.stack(rows, 1) @ directions.mT


def determinant(jacobian: Tensor) -> Tensor:
    """Of Jacobians (N, 2, 2), (N,): how much an area grows; negative where it is turned over. The map folds where it is 0."""
    return jacobian[:, 0, 0] * jacobian[:, 1, 1] - jacobian[:, 0, 1] * jacobian[:, 1, 0]


# Arithmetic


def arithmetic(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """mean(a) - mean(b) + mean(c) of sets of latents (N, Z), each of its own size: (Z,). Radford et al. 2016, section 6.3.2,
    take three each, because single latents were unstable."""
    return a.mean(0) - b.mean(0) + c.mean(0)


# Directions


def upright(vectors: Tensor) -> Tensor:
    """Vectors (K, Z), each turned so that its largest number is positive: a direction has no sign of its own."""
    largest = vectors.gather(1, vectors.abs().argmax(1, keepdim=True))
    return vectors * torch.where(largest < 0, -1, 1)


def orthonormal(vectors: Tensor) -> Tensor:
    """Orthonormal vectors (R, Z) that span the same as (K, Z), by Gram and Schmidt in their order. What depends on those before
    is left out, so R may be less than K."""
    kept: list[Tensor] = []
    for vector in vectors.double():
        rest = vector
        for _ in range(2):  # once more, because the first pass leaves its rounding
            for other in kept:
                rest = rest - (rest @ other) * other
        if rest.norm() > DEPENDENT * vector.norm():
            kept.append(rest / rest.norm())
    return torch.stack(kept).to(vectors) if kept else vectors[:0]


def pca(x: Tensor, k: int) -> tuple[Tensor, Tensor, Tensor]:
    """Principal components, the largest first (Pearson 1901), from the smaller of the two Gram matrices, in double precision.

    Args:
        x: (N, D), N at least 2.
        k: how many, at most min(N - 1, D) of which are found.

    Returns:
        vectors (K, D), orthonormal and upright; deviations (K,) of x along them, with N - 1; their shares (K,) of all
        variance. Where nothing varies the shares are 0.
    """
    n, d = x.shape
    k = min(k, n - 1, d)
    centred = (x - x.mean(0)).double()
    if d <= n:
        values, vectors = torch.linalg.eigh(centred.mT @ centred)
        vectors = vectors.mT.flip(0)[:k]
    else:
        values, mixed = torch.linalg.eigh(centred @ centred.mT)
        # the mixtures of rows are orthogonal already, but for those without variance, for which any others will do
        vectors = torch.linalg.qr(centred.mT @ mixed.flip(1)[:, :k])[0].mT
    values = values.flip(0).clamp(min=0)
    total = values.sum()
    shares = values[:k] / total.where(total > 0, 1)
    return upright(vectors).to(x), (values[:k] / (n - 1)).sqrt().to(x), shares.to(x)


def regressed(coordinates: Tensor, latents: Tensor) -> Tensor:
    """The latents' changes (K, Z) that go with one unit of each of the coordinates (N, K): least squares of the latents (N, Z)
    on them (Härkönen et al. 2020, "GANSpace", section 2). A coordinate that does not vary gets zeros."""
    x, z = (coordinates - coordinates.mean(0)).double(), (latents - latents.mean(0)).double()
    return (torch.linalg.pinv(x) @ z).to(latents)


def sefa(weight: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """What changes the output of a layer most: eigenvectors of AᵀA with the largest eigenvalues (Shen and Zhou 2021, "SeFa").

    Args:
        weight: A, (outputs, Z), of the first layer that sees the latent.

    Returns:
        vectors (K, Z), orthonormal and upright; shares (K,) of A's squared Frobenius norm.
    """
    matrix = weight.double()
    values, vectors = torch.linalg.eigh(matrix.mT @ matrix)
    values, k = values.flip(0).clamp(min=0), min(k, weight.shape[1])
    total = values.sum()
    return upright(vectors.mT.flip(0)[:k]).to(weight), (values[:k] / total.where(total > 0, 1)).to(weight)


def class_means(x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """From the mean of all other classes' latents to the mean of a class's own, in the classes' order: how long one is says
    more about how few samples it stands on than about the class.

    Args:
        x: (N, Z). labels: (N,).

    Returns:
        differences (K, Z), neither of length 1 nor at right angles; their classes (K,). None where there is one class only.
    """
    found = labels.unique()
    if len(found) < 2:
        return x[:0], found[:0]
    return torch.stack([x[labels == c].mean(0) - x[labels != c].mean(0) for c in found]), found


def along(x: Tensor, vectors: Tensor) -> tuple[Tensor, Tensor]:
    """Standard deviation of latents (N, Z) along unit vectors (K, Z), and the share of all their variance that lies there: (K,)
    each."""
    variance = (x @ vectors.mT).var(0)
    total = x.var(0).sum()
    return variance.sqrt(), variance / total.where(total > 0, 1)
