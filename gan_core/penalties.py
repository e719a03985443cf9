"""PENALTIES: regularisers of the discriminator's gradient, per sample, weight not applied.

`PENALTIES[name](discriminator, real, fake, generator)` with real and fake (E, B, ...) returns (E, B). The norm is taken
over each sample alone, in float32, with a small number under the root so that a zero gradient has a finite derivative.
`generator` supplies the interpolation factors: a `torch.Generator`, or the trainer's `Draws`, one generator a member.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Discriminator = Callable[[Tensor], Tensor]
EPS = 1e-12


@dataclass(frozen=True)
class Penalty:
    """One regulariser; call it like a function."""

    apply: Callable[..., Tensor]
    title: str
    formula: str
    source: str

    def __call__(self, discriminator: Discriminator, real: Tensor, fake: Tensor, generator) -> Tensor:
        return self.apply(discriminator, real, fake, generator)


def squared_gradient(discriminator: Discriminator, x: Tensor) -> Tensor:
    """Squared Euclidean norm of the discriminator's gradient at each sample: (E, B, ...) -> (E, B)."""
    x = x.detach().float().requires_grad_()
    (gradient,) = torch.autograd.grad(discriminator(x).sum(), x, create_graph=True)
    return gradient.flatten(2).square().sum(-1)


def interpolate(real: Tensor, fake: Tensor, generator) -> Tensor:
    """a * real + (1 - a) * fake with one uniform a for each sample, (E, B, ...)."""
    members, batch = real.shape[:2]
    if isinstance(generator, torch.Generator):
        a = torch.rand((members, batch), generator=generator, device=generator.device).to(real.device)
    else:
        a = generator.uniform(batch)
    a = a.reshape(members, batch, *[1] * (real.dim() - 2))
    return a * real + (1 - a) * fake


def _none(discriminator, real, fake, generator) -> Tensor:
    return torch.zeros(real.shape[:2], device=real.device)


def _wgan_gp(discriminator, real, fake, generator) -> Tensor:
    norm = (squared_gradient(discriminator, interpolate(real, fake, generator)) + EPS).sqrt()
    return (norm - 1).square()


def _r1(discriminator, real, fake, generator) -> Tensor:
    return squared_gradient(discriminator, real) / 2


def _r2(discriminator, real, fake, generator) -> Tensor:
    return squared_gradient(discriminator, fake) / 2


def _r1_r2(discriminator, real, fake, generator) -> Tensor:
    both = squared_gradient(discriminator, torch.cat([real, fake], 1)) / 2  # (E, 2B)
    return both[:, : real.shape[1]] + both[:, real.shape[1] :]


PENALTIES: dict[str, Penalty] = {
    "none": Penalty(_none, "None", "0", ""),
    "wgan_gp": Penalty(_wgan_gp, "WGAN-GP", "λ (‖∇D(x̂)‖ - 1)²,  x̂ = a·real + (1 - a)·fake", "Gulrajani et al. 2017, algorithm 1"),
    "r1": Penalty(_r1, "R1", "γ/2 ‖∇D(real)‖²", "Mescheder et al. 2018, equation 9"),
    "r2": Penalty(_r2, "R2", "γ/2 ‖∇D(fake)‖²", "Mescheder et al. 2018, equation 10"),
    "r1_r2": Penalty(_r1_r2, "R1 + R2", "γ/2 (‖∇D(real)‖² + ‖∇D(fake)‖²)", "Huang et al. 2024 (R3GAN)"),
}
