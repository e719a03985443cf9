"""LATENTS: what the generator's noise is drawn from.

`draw(source, n, dim, islands)` gives latents (E, n, dim), or (n, dim) from a source without members. `islands` is the config's
`latent_modes`: how many islands a mixture has, or how many numbers are coin tosses.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .draws import Draws, Once

MIXTURE_RADIUS = 3.0  # of the circle on which the components of a mixture stand
MIXTURE_SIGMA = 0.3  # of each of them, in the plane of that circle; less where neighbours stand close
APART = 7  # standard deviations between neighbours, at least, so that the components are islands


@dataclass(frozen=True)
class Latent:
    """A distribution.

    Attributes:
        islands: whether it reads `latent_modes`.
        round: whether all directions are alike: along each, noise varies like one of its numbers.
        quantile: the number below which a share of the noise's numbers lie, for shares in (0, 1); None where it has islands.
        project: `project(z, islands)` moves latents to the nearest that can be drawn; None where all can.
        lengths: `lengths(dim)`, between which 98 % of the noise vectors' lengths lie; None where that tells less than `project`.
    """

    draw: Callable[[Draws | Once, int, int, int], Tensor]
    title: str
    text: str
    formula: str
    source: str
    use: str
    cost: str
    islands: bool = False
    round: bool = False
    quantile: Callable[[Tensor], Tensor] | None = None
    project: Callable[[Tensor, int], Tensor] | None = None
    lengths: Callable[[int], tuple[float, float]] | None = None


def _normal(source: Draws | Once, n: int, dim: int, modes: int) -> Tensor:
    return source.normal(n, dim)


def _normal_lengths(dim: int) -> tuple[float, float]:
    """The squared length of N(0, I) is chi-squared, whose quantiles are those of a gamma distribution."""
    from scipy.special import gammaincinv

    low, high = (math.sqrt(2 * gammaincinv(dim / 2, share)) for share in (0.01, 0.99))
    return low, high


def _uniform(source: Draws | Once, n: int, dim: int, modes: int) -> Tensor:
    return 2 * source.uniform(n, dim) - 1


def mixture_centres(dim: int, modes: int) -> Tensor:
    """Centres (modes, dim): evenly on a circle in the first two dimensions, or on a line if there is only one."""
    centres = torch.zeros(modes, dim)
    if dim == 1:
        centres[:, 0] = torch.linspace(-MIXTURE_RADIUS, MIXTURE_RADIUS, modes)
    else:
        angle = torch.arange(modes) * (2 * math.pi / modes)
        centres[:, 0], centres[:, 1] = MIXTURE_RADIUS * angle.cos(), MIXTURE_RADIUS * angle.sin()
    return centres


def mixture_sigma(dim: int, modes: int) -> float:
    """Standard deviation of each component in the plane, or on the line, of the centres."""
    gap = 2 * MIXTURE_RADIUS / (modes - 1) if dim == 1 else 2 * MIXTURE_RADIUS * math.sin(math.pi / modes)
    return min(MIXTURE_SIGMA, gap / APART)


def _mixture(source: Draws | Once, n: int, dim: int, modes: int) -> Tensor:
    # component and place within it come from one call, because a stream draws one shape at a time
    numbers = source.normal(n, dim + 1)
    share = 0.5 * torch.special.erfc(-numbers[..., -1] / math.sqrt(2))  # uniform on [0, 1]
    component = (share * modes).long().clamp(max=modes - 1)
    spread = torch.ones(dim, device=numbers.device)
    spread[:2] = mixture_sigma(dim, modes)
    return mixture_centres(dim, modes).to(numbers.device)[component] + spread * numbers[..., :-1]


def _coins(source: Draws | Once, n: int, dim: int, coins: int) -> Tensor:
    z = source.normal(n, dim)
    return torch.cat([z[..., :coins].sign(), z[..., coins:]], -1)


def _toss(z: Tensor, coins: int) -> Tensor:
    """The first numbers as coins, 1 or -1."""
    return torch.cat([torch.where(z[..., :coins] < 0, -1.0, 1.0), z[..., coins:]], -1)


LATENTS: dict[str, Latent] = {
    "normal": Latent(
        _normal,
        "Normal N(0, 1)",
        "Every number from a normal distribution.",
        "z ~ N(0, I)",
        "Karras et al. 2018",
        "The usual choice.",
        "Nothing.",
        round=True,
        quantile=torch.special.ndtri,
        lengths=_normal_lengths,
    ),
    "uniform": Latent(
        _uniform,
        "Uniform on [-1, 1]",
        "Every number evenly from -1 to 1.",
        "z ~ U[-1, 1]",
        "Goodfellow et al. 2014; Radford et al. 2016",
        "To repeat early papers, and GAN Lab.",
        "Nothing.",
        quantile=lambda share: 2 * share - 1,
        project=lambda z, modes: z.clamp(-1, 1),
    ),
    "mixture": Latent(
        _mixture,
        "Mixture of islands",
        "Separate islands of noise, one for each mode that the data may have, so that none need be bridged.",
        "z = centre of a random island + noise",
        "the idea of Gurumurthy et al. 2017 (DeLiGAN) with fixed islands; Xiao et al. 2018 (BourGAN)",
        "Data of separate modes: a connected noise has a connected image, with bridges between the modes.",
        "Nothing; how many islands must be guessed.",
        islands=True,
    ),
    "coins": Latent(
        _coins,
        "Normal and coin tosses",
        "The first numbers are 1 or -1, the others normal: b coins make 2^b separate islands.",
        "z = (±1, …, ±1, N(0, 1), …)",
        "the idea of Gurumurthy et al. 2017 (DeLiGAN) with binary codes, as in Chen et al. 2016 (InfoGAN)",
        "Many separate modes: more coins than log2 of the modes leave the generator free to share islands among them.",
        "Nothing.",
        islands=True,
        project=_toss,
    ),
}
