"""PENALTIES: what keeps the discriminator smooth or calm, per sample, weight not applied.

`PENALTIES[name](discriminator, real, fake, generator)` with real and fake (E, B, ...) returns (E, B). Gradient norms are
taken over each sample alone, in float32, with a small number under the root so that a zero gradient has a finite
derivative. `generator` supplies random factors: a `torch.Generator`, or the trainer's `Draws`, one generator a member.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import relu

Discriminator = Callable[[Tensor], Tensor]
EPS = 1e-12
ANCHOR_DECAY = 0.99  # of LeCam's running means


@dataclass(frozen=True)
class Penalty:
    """One regulariser; call it like a function.

    Attributes:
        weight, weight_points: the usual weight for images, and for 2-D points, whose modes need slopes of several units.
        each_sample: takes the derivative at single samples, which has no meaning where they share a batch normalisation.
        anchored: reads running means of the logits: `anchors` (E, 2), of real and of fake.
        project: what happens to the weights (E, P) after each of the discriminator's updates, given the penalty's weight
            (E, 1); None for nothing.
    """

    apply: Callable[..., Tensor]
    title: str
    text: str
    formula: str
    source: str
    use: str
    cost: str
    weight: float = 1.0
    weight_points: float = 0.1
    each_sample: bool = False
    anchored: bool = False
    project: Callable[[Tensor, Tensor], Tensor] | None = None

    def __call__(self, discriminator: Discriminator, real: Tensor, fake: Tensor, generator, anchors=None) -> Tensor:
        if self.anchored:
            return self.apply(discriminator, real, fake, anchors)
        return self.apply(discriminator, real, fake, generator)


def squared_gradient(discriminator: Discriminator, x: Tensor) -> Tensor:
    """Squared Euclidean norm of the discriminator's gradient at each sample: (E, B, ...) -> (E, B)."""
    x = x.detach().float().requires_grad_()
    (gradient,) = torch.autograd.grad(discriminator(x).sum(), x, create_graph=True)
    return gradient.flatten(2).square().sum(-1)


def _uniform(real: Tensor, generator, *shape: int) -> Tensor:
    """Uniform numbers (E, B, *shape)."""
    if isinstance(generator, torch.Generator):
        return torch.rand((*real.shape[:2], *shape), generator=generator, device=generator.device).to(real.device)
    return generator.uniform(real.shape[1], *shape)


def interpolate(real: Tensor, fake: Tensor, generator) -> Tensor:
    """a * real + (1 - a) * fake with one uniform a for each sample, (E, B, ...)."""
    a = _uniform(real, generator).reshape(*real.shape[:2], *[1] * (real.dim() - 2))
    return a * real + (1 - a) * fake


def _none(discriminator, real, fake, generator) -> Tensor:
    return torch.zeros(real.shape[:2], device=real.device)


def _wgan_gp(discriminator, real, fake, generator) -> Tensor:
    norm = (squared_gradient(discriminator, interpolate(real, fake, generator)) + EPS).sqrt()
    return (norm - 1).square()


def _dragan(discriminator, real, fake, generator) -> Tensor:
    deviation = real.flatten(1).std(1, correction=0).reshape(-1, *[1] * (real.dim() - 1))  # of the member's batch
    near = real + 0.5 * deviation * _uniform(real, generator, *real.shape[2:])
    return ((squared_gradient(discriminator, near) + EPS).sqrt() - 1).square()


def _r1(discriminator, real, fake, generator) -> Tensor:
    return squared_gradient(discriminator, real) / 2


def _r2(discriminator, real, fake, generator) -> Tensor:
    return squared_gradient(discriminator, fake) / 2


def _r1_r2(discriminator, real, fake, generator) -> Tensor:
    both = squared_gradient(discriminator, torch.cat([real, fake], 1)) / 2  # (E, 2B)
    return both[:, : real.shape[1]] + both[:, real.shape[1] :]


def _lecam(discriminator, real, fake, anchors) -> Tensor:
    real_mean, fake_mean = anchors[:, :1], anchors[:, 1:]
    real_logits, fake_logits = discriminator(real.detach().float()), discriminator(fake.detach().float())
    return relu(real_logits - fake_mean).square() + relu(real_mean - fake_logits).square()


def _clip(flat: Tensor, bound: Tensor) -> Tensor:
    return torch.minimum(torch.maximum(flat, -bound), bound)


_TWICE = "A second pass through the discriminator and its derivative: about twice the time of its step."

PENALTIES: dict[str, Penalty] = {
    "none": Penalty(_none, "None", "Nothing holds the discriminator back.", "0", "", "For a plain GAN.", "Nothing."),
    "wgan_gp": Penalty(
        _wgan_gp,
        "WGAN-GP",
        "Between real and generated samples the critic shall be as steep as 1.",
        "λ (‖∇D(x̂)‖ - 1)²,  x̂ = a·real + (1 - a)·fake",
        "Gulrajani et al. 2017, algorithm 1",
        "With the Wasserstein loss: λ 10 for images, 0.1 for points.",
        _TWICE,
        weight=10.0,
        each_sample=True,
    ),
    "dragan": Penalty(
        _dragan,
        "DRAGAN",
        "Around real samples the discriminator shall be as steep as 1.",
        "λ (‖∇D(x̃)‖ - 1)²,  x̃ = real + ½ std U[0, 1)",
        "Kodali et al. 2017, section 3",
        "With a cross-entropy loss; local, so cheaper to satisfy than WGAN-GP.",
        _TWICE,
        weight=10.0,
        each_sample=True,
    ),
    "r1": Penalty(
        _r1,
        "R1",
        "At real samples the discriminator shall be flat, so that the game can come to rest there.",
        "γ/2 ‖∇D(real)‖²",
        "Mescheder et al. 2018, equation 9",
        "The usual stabiliser: γ about 0.1 for points, 0.1 to 10 for images; StyleGAN2-ADA begins with 0.0002 · size² / batch.",
        _TWICE,
        each_sample=True,
    ),
    "r2": Penalty(
        _r2,
        "R2",
        "At generated samples the discriminator shall be flat.",
        "γ/2 ‖∇D(fake)‖²",
        "Mescheder et al. 2018, equation 10",
        "Beside R1, against samples that run away.",
        _TWICE,
        each_sample=True,
    ),
    "r1_r2": Penalty(
        _r1_r2,
        "R1 + R2",
        "Flat at real and at generated samples.",
        "γ/2 (‖∇D(real)‖² + ‖∇D(fake)‖²)",
        "Huang et al. 2024 (R3GAN)",
        "With the relativistic loss: the pair that R3GAN's ablation finds to hold all modes.",
        "Derivatives at both halves of the batch: about three times the time of the discriminator's step.",
        weight_points=0.05,
        each_sample=True,
    ),
    "lecam": Penalty(
        _lecam,
        "LeCam",
        "Logits may not run away from the running mean of the other side.",
        "λ (relu(r - mean f)² + relu(mean r - f)²)",
        "Tseng et al. 2021",
        "With few data, beside augmentation. The smaller the data, the larger λ.",
        "One more pass through the discriminator.",
        weight=0.1,
        anchored=True,
    ),
    "clip": Penalty(
        _none,
        "Weight clipping",
        "Every weight of the critic is kept in a small box.",
        "w ← clamp(w, -c, c),  c = the weight",
        "Arjovsky et al. 2017, algorithm 1: c = 0.01",
        "To see why WGAN-GP was invented; with RMSprop and the Wasserstein loss.",
        "Almost nothing.",
        weight=0.01,
        weight_points=0.01,
        project=_clip,
    ),
}
