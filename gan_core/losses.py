"""LOSSES: what the discriminator and the generator minimise, per sample, on logits.

`real` and `fake` are the discriminator's logits, (E, B): members, batch. Every loss returns (E, B) and mixes neither
members nor, except where it pairs real and fake of one index (RpGAN), samples. The trainer takes the mean over B.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import relu, softplus


@dataclass(frozen=True)
class Loss:
    """One objective. `d(real, fake)` and `g(fake, real)` map logits (E, B) to a loss for each sample, (E, B).

    Attributes:
        paired: the generator's loss reads the real logits too, so they must be computed in its step.
        binary: a cross-entropy on the label "real", to which one-sided label smoothing applies.
        undecided: the discriminator's loss where it cannot tell at all, which it falls below as it learns to; None where the
            loss has no such place.
    """

    d: Callable[[Tensor, Tensor], Tensor]
    g: Callable[[Tensor, Tensor], Tensor]
    title: str
    text: str
    formula: str
    source: str
    use: str
    cost: str
    paired: bool = False
    binary: bool = False
    undecided: float | None = None


def _d_cross_entropy(real: Tensor, fake: Tensor) -> Tensor:
    return softplus(-real) + softplus(fake)


def _g_minimax(fake: Tensor, real: Tensor) -> Tensor:
    return -softplus(fake)


def _g_nonsaturating(fake: Tensor, real: Tensor) -> Tensor:
    return softplus(-fake)


def _d_least_squares(real: Tensor, fake: Tensor) -> Tensor:
    return ((real - 1).square() + fake.square()) / 2


def _g_least_squares(fake: Tensor, real: Tensor) -> Tensor:
    return (fake - 1).square() / 2


def _d_hinge(real: Tensor, fake: Tensor) -> Tensor:
    return relu(1 - real) + relu(1 + fake)


def _d_wasserstein(real: Tensor, fake: Tensor) -> Tensor:
    return fake - real


def _g_linear(fake: Tensor, real: Tensor) -> Tensor:
    return -fake


def _d_relativistic(real: Tensor, fake: Tensor) -> Tensor:
    return softplus(fake - real)


def _g_relativistic(fake: Tensor, real: Tensor) -> Tensor:
    return softplus(real - fake)


LOSSES: dict[str, Loss] = {
    "nonsaturating": Loss(
        _d_cross_entropy,
        _g_nonsaturating,
        "Non-saturating",
        "The generator raises the probability that its samples are taken for real.",
        "D: softplus(-r) + softplus(f);  G: softplus(-f)",
        "Goodfellow et al. 2014, section 3",
        "The usual first choice: a strong gradient while the discriminator wins.",
        "Nothing beyond the two networks.",
        binary=True,
        undecided=2 * math.log(2),
    ),
    "wasserstein": Loss(
        _d_wasserstein,
        _g_linear,
        "Wasserstein",
        "A critic scores samples; the difference of the means estimates how far the two distributions are apart.",
        "D: f - r;  G: -f",
        "Arjovsky et al. 2017, algorithm 1",
        "Where a loss that falls with quality matters. Only with something that keeps the critic smooth: WGAN-GP, clipping.",
        "Usually 5 critic steps for each generator step.",
    ),
    "minimax": Loss(
        _d_cross_entropy,
        _g_minimax,
        "Minimax (saturating)",
        "The game as first written down: the generator lowers the probability that its samples are recognised.",
        "D: softplus(-r) + softplus(f);  G: -softplus(f)",
        "Goodfellow et al. 2014, equation 1",
        "To see the gradient vanish when the discriminator wins.",
        "Nothing beyond the two networks.",
        binary=True,
        undecided=2 * math.log(2),
    ),
    "least_squares": Loss(
        _d_least_squares,
        _g_least_squares,
        "Least squares",
        "Regression on the labels 1 and 0, so that samples far on the right side are pulled too.",
        "D: ((r - 1)² + f²) / 2;  G: (f - 1)² / 2",
        "Mao et al. 2017, equation 2, on logits",
        "Where cross-entropy saturates; common in image translation.",
        "Nothing beyond the two networks.",
        undecided=0.25,
    ),
    "hinge": Loss(
        _d_hinge,
        _g_linear,
        "Hinge",
        "The discriminator only works on samples within its margin; the generator follows the plain score.",
        "D: relu(1 - r) + relu(1 + f);  G: -f",
        "Lim and Ye 2017; Miyato et al. 2018, section 2",
        "With spectral normalisation, as in SNGAN and BigGAN.",
        "Nothing beyond the two networks.",
        undecided=2.0,
    ),
    "relativistic": Loss(
        _d_relativistic,
        _g_relativistic,
        "Relativistic, paired",
        "Each generated sample is judged against a real one, so that every real mode pulls.",
        "D: softplus(-(r - f));  G: softplus(-(f - r))",
        "Jolicoeur-Martineau 2018; Huang et al. 2024",
        "Against dropped modes, together with R1 + R2; without a penalty it helps no more than the plain loss.",
        "The discriminator also sees real samples in the generator's step.",
        paired=True,
        undecided=math.log(2),
    ),
}
