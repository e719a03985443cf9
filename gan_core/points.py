"""The 2-D data sets: points (N, 2) in the coordinates of their paper, and a drawing of points as text."""

from __future__ import annotations

import base64
import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .draws import seeded
from .errors import DataError
from .source import Data, Progress, Source

POINTS = 50_000  # how many points a 2-D data set holds
DRAWN_LIMIT = 4096  # points that a drawing may have
DRAWN_SIGMA = 0.02  # as GAN Lab scatters a drawing


def _mixture(name: str, centres: Tensor, sigmas: Tensor, n: int = POINTS) -> Data:
    """An even mixture of Gaussians with diagonal covariance: centres (K, 2), sigmas (K, 2)."""
    generator = seeded(0, f"data:{name}")
    labels = torch.randint(len(centres), (n,), generator=generator)
    x = centres[labels] + sigmas[labels] * torch.randn((n, 2), generator=generator)
    return Data(x, labels, centres, sigmas)


def _isotropic(centres: Tensor, sigma: float) -> Tensor:
    return torch.full_like(centres, sigma)


def ring8(source: Source, folder: Path, progress: Progress) -> Data:
    angles = torch.arange(8) * (2 * math.pi / 8)  # not linspace(0, 2 pi, 8), whose ends fall together
    centres = 2 * torch.stack([angles.cos(), angles.sin()], 1)
    return _mixture("ring8", centres, _isotropic(centres, 0.1))


def grid25(source: Source, folder: Path, progress: Progress) -> Data:
    axis = torch.arange(-4.0, 5.0, 2.0)
    centres = torch.cartesian_prod(axis, axis)
    return _mixture("grid25", centres, _isotropic(centres, 0.05))


def two_gaussians(source: Source, folder: Path, progress: Progress) -> Data:
    return _mixture("two_gaussians", torch.tensor([[0.3, 0.7], [0.7, 0.4]]), torch.tensor([[0.1, 0.1], [0.05, 0.2]]))


def disjoint3(source: Source, folder: Path, progress: Progress) -> Data:
    centres = torch.tensor([[0.35, 0.75], [0.75, 0.6], [0.45, 0.35]])
    return _mixture("disjoint3", centres, _isotropic(centres, 0.025))


def swiss_roll(source: Source, folder: Path, progress: Progress) -> Data:
    """Angle t = 1.5 pi (1 + 2u), point (t cos t, t sin t) with noise 0.25, divided by 7.5: as the WGAN-GP toy."""
    generator = seeded(0, "data:swiss_roll")
    t = 1.5 * math.pi * (1 + 2 * torch.rand(POINTS, generator=generator))
    x = torch.stack([t * t.cos(), t * t.sin()], 1) + 0.25 * torch.randn((POINTS, 2), generator=generator)
    return Data(x / 7.5)


def two_moons(source: Source, folder: Path, progress: Progress) -> Data:
    """Two half circles as scikit-learn's make_moons, noise 0.1; the label is the moon."""
    generator = seeded(0, "data:two_moons")
    labels = torch.randint(2, (POINTS,), generator=generator)
    t = math.pi * torch.rand(POINTS, generator=generator)
    outer, inner = torch.stack([t.cos(), t.sin()], 1), torch.stack([1 - t.cos(), 0.5 - t.sin()], 1)
    return Data(torch.where(labels[:, None] == 0, outer, inner) + 0.1 * torch.randn((POINTS, 2), generator=generator), labels)


def line(source: Source, folder: Path, progress: Progress) -> Data:
    generator = seeded(0, "data:line")
    start, end = torch.tensor([0.8, 0.6]), torch.tensor([0.05, 0.9])
    x = start + torch.rand((POINTS, 1), generator=generator) * (end - start)
    return Data(x + 0.01 * torch.randn((POINTS, 2), generator=generator))


def checkerboard(source: Source, folder: Path, progress: Progress) -> Data:
    """Column i of 4 and every other row of 4, those with i + j even; cells have side 2."""
    generator = seeded(0, "data:checkerboard")
    column = torch.randint(4, (POINTS,), generator=generator)
    row = 2 * torch.randint(2, (POINTS,), generator=generator) + column % 2
    return Data(2 * (torch.stack([column, row], 1) + torch.rand((POINTS, 2), generator=generator)) - 4)


def pinwheel(source: Source, folder: Path, progress: Progress) -> Data:
    """Gaussians around (1, 0), radial deviation 0.3, tangential 0.1, turned by 2 pi label / 5 + exp(radius) / 4, times 2."""
    generator = seeded(0, "data:pinwheel")
    labels = torch.randint(5, (POINTS,), generator=generator)
    along, across = (torch.randn((POINTS, 2), generator=generator) * torch.tensor([0.3, 0.1]) + torch.tensor([1.0, 0.0])).T
    angle = 2 * math.pi / 5 * labels + 0.25 * along.exp()
    cos, sin = angle.cos(), angle.sin()
    return Data(2 * torch.stack([along * cos + across * sin, across * cos - along * sin], 1), labels)


def encode_points(points: np.ndarray | Tensor) -> str:
    """Points (N, 2) in [-1, 1], at most 4096, as text: base64url of uint8 (x, y) pairs, where 0 is -1 and 255 is 1.

    Raises:
        DataError: another shape, none or too many, or outside of [-1, 1].
    """
    points = np.asarray(points, np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or not 1 <= len(points) <= DRAWN_LIMIT:
        raise DataError(f"A drawing has (N, 2) points with N from 1 to {DRAWN_LIMIT}, not {points.shape}. Draw it anew.")
    cells = np.rint((points + 1) * 127.5)
    if not ((cells >= 0) & (cells <= 255)).all():  # refuses what is not a number too
        raise DataError("A point of the drawing lies outside of the square from -1 to 1. Draw it anew, inside the square.")
    return base64.urlsafe_b64encode(cells.astype(np.uint8).tobytes()).decode().rstrip("=")


def decode_points(text: str) -> Tensor:
    """The points that `encode_points` was given, (N, 2) float32, to within 1/255.

    Raises:
        DataError: the text is empty, too long or damaged.
    """
    if not text:
        raise DataError("Nothing has been drawn yet. Draw some points, or choose another data set.")
    try:
        cells = base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), altchars=b"-_", validate=True)
    except ValueError as error:
        raise DataError(f"The drawing's text is damaged ({error}). Copy it once more, or draw anew.") from error
    if len(cells) % 2 or not 2 <= len(cells) <= 2 * DRAWN_LIMIT:
        raise DataError(
            f"The drawing's text is damaged: {len(cells):,} bytes, expected two for each of 1 to {DRAWN_LIMIT:,} points. "
            f"Copy it once more, or draw anew."
        )
    return torch.from_numpy(np.frombuffer(cells, np.uint8).astype(np.float32)).reshape(-1, 2) / 127.5 - 1


def drawn(source: Source, folder: Path, progress: Progress) -> Data:
    points, generator = decode_points(source.points), seeded(0, "data:drawn")
    rows = torch.randint(len(points), (POINTS,), generator=generator)
    return Data(points[rows] + DRAWN_SIGMA * torch.randn((POINTS, 2), generator=generator))
