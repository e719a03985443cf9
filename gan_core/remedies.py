"""Remedies against collapse and unrest: what happens to samples, losses and weights on the way.

Each is a function or a small object that keeps what it must remember; the training step in `members` puts them in their
places. The config's fields describe them, and `catalogue` collects those descriptions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.linalg import vector_norm
from torch.nn.functional import pad

from .draws import Draws
from .layers import flat_gradient, parameter_views
from .optim import OPTIMIZERS, Stepper

SEEKING_EPS = 1e-5  # Mao et al. 2019, in the authors' code
POOL_BATCHES = 8  # generated batches that the replay pool holds
ADA_EVERY = 4  # discriminator steps between two adjustments: Karras et al. 2020, appendix
SHIFT, CUT = 0.125, 0.5  # of an image's size: Zhao et al. 2020, appendix


def pack(x: Tensor, m: int) -> Tensor:
    """Join m neighbours along channels or features: (E, B, C, ...) -> (E, B / m, m * C, ...). Lin et al. 2018, section 2."""
    if m == 1:
        return x
    members, batch, channels, *rest = x.shape
    return x.reshape(members, batch // m, m * channels, *rest)


def mode_seeking(x1: Tensor, x2: Tensor, z1: Tensor, z2: Tensor) -> Tensor:
    """1 / (mean|x1 - x2| / mean|z1 - z2| + eps) for samples of the same classes (Mao et al. 2019, equation 3): -> (E,)."""
    apart, drawn = (x1 - x2).abs().flatten(1).mean(1), (z1 - z2).abs().flatten(1).mean(1)
    return 1 / (apart / drawn + SEEKING_EPS)


def clip_gradient(gradient: Tensor, most: Tensor) -> Tensor:
    """Scale each member's gradient (E, P) to a norm of at most (E, 1), where that is above 0. Pascanu et al. 2013."""
    norm = vector_norm(gradient, dim=1, keepdim=True)
    long = (most > 0) & (norm > most)
    return gradient * torch.where(long, most / torch.where(long, norm, 1), 1)  # nothing is divided by 0, nor its derivative


def falling(start: Tensor, step: int, until: int) -> Tensor:
    """A value that falls linearly from `start` to 0 at step `until`; 0 keeps it. Sønderby et al. 2017, section 3.2."""
    return start * max(0.0, 1 - step / until) if until else start


@dataclass(frozen=True)
class Schedule:
    """How a learning rate goes on: `factor(share of the run that is done, factor at its end)`."""

    factor: Callable[[float, float], float]
    title: str
    text: str
    formula: str
    source: str
    use: str
    cost: str


SCHEDULES: dict[str, Schedule] = {
    "constant": Schedule(
        lambda t, end: 1.0, "Constant", "It stays as it is.", "lr", "", "While you look for a setting that works.", "Nothing."
    ),
    "linear": Schedule(
        lambda t, end: 1 + (end - 1) * min(1.0, t),
        "Linear",
        "It falls evenly to a share of itself at the last step.",
        "lr · (1 + (end - 1) t)",
        "Miyato et al. 2018, section 4.1",
        "So that the game comes to rest: samples get sharp.",
        "Nothing; the length of the run must be chosen beforehand.",
    ),
    "exponential": Schedule(
        lambda t, end: end ** min(1.0, t),
        "Exponential",
        "It falls by the same ratio at every step, to a share of itself at the last.",
        "lr · end^t",
        "Senior et al. 2013, section 2",
        "Where linear stays high too long: most of the run is fine work.",
        "Nothing; the length of the run must be chosen beforehand, and the share at the end must be above 0.",
    ),
    "cosine": Schedule(
        lambda t, end: end + (1 - end) * (1 + math.cos(math.pi * min(1.0, t))) / 2,
        "Cosine",
        "It falls along half a cosine: slowly, then fast, then slowly.",
        "lr · (end + (1 - end)(1 + cos πt) / 2)",
        "Loshchilov and Hutter 2017, equation 5; Huang et al. 2024",
        "As linear, with more time at both ends.",
        "Nothing; the length of the run must be chosen beforehand.",
    ),
}


def unroll(
    discriminator: nn.Module,
    stepper: Stepper,
    parameters: list[nn.Parameter],
    objective: Callable[[Callable], Tensor],
    steps: int,
    lr: Tensor,
    beta1: float,
    beta2: float,
    clip: Callable[[Tensor], Tensor] = lambda gradient: gradient,
    project: Callable[[Tensor], Tensor] = lambda flat: flat,
) -> Callable:
    """The discriminator as it would be after `steps` more updates, with derivatives through them (Metz et al. 2017).

    Args:
        objective: what the discriminator minimises, (E,), given a discriminator.
        clip, project: what happens to the gradient before, and to the weights after each update, as in a real one.

    Returns:
        A function with the discriminator's arguments. The discriminator itself is left as it is; so are the singular
        vectors of spectral normalisation, which a real update would move a little.
    """
    names = [name for name, _ in discriminator.named_parameters()]
    flat, slots = stepper.flat.detach().clone().requires_grad_(), list(stepper.slots)
    buffers = {name: value.clone() for name, value in discriminator.named_buffers()}  # batches seen ahead leave no trace

    def with_weights(flat: Tensor) -> Callable:
        weights = dict(zip(names, parameter_views(flat, parameters), strict=True))
        return lambda *args: functional_call(discriminator, weights | buffers, args)

    for k in range(steps):
        gradient = flat_gradient(objective(with_weights(flat)).sum(), [flat], len(flat), again=True)
        flat, slots = OPTIMIZERS[stepper.kind].ahead(flat, clip(gradient), slots, stepper.at(k + 1), lr, beta1, beta2)
        flat = project(flat)
    return with_weights(flat)


class Replay:
    """A pool of earlier samples, some of which come back (Shrivastava et al. 2017, section 2.3; Zhu et al. 2017)."""

    def __init__(self):
        self.pool: Tensor | None = None  # (E, S, ...)

    def mix(self, fake: Tensor, share: Tensor, draws: Draws) -> Tensor:
        """Samples (E, B, ...) of which about a share (E, 1) are swapped for ones from the pool, which keeps those instead."""
        members, batch = fake.shape[:2]
        if self.pool is None or self.pool.shape[1] != POOL_BATCHES * batch:
            self.pool = fake.repeat(1, POOL_BATCHES, *[1] * (fake.dim() - 2))
        numbers = draws.uniform(2, POOL_BATCHES * batch)  # which slots, and who is swapped
        slots = numbers[:, 0].argsort(1)[:, :batch]  # B different slots of the pool for each member
        swapped = (numbers[:, 1, :batch] < share).reshape(members, batch, *[1] * (fake.dim() - 2))
        row = torch.arange(members, device=fake.device)[:, None]
        old = self.pool[row, slots]
        self.pool[row, slots] = torch.where(swapped, fake, old)
        return torch.where(swapped, old, fake)


# Augmentation of what the discriminator sees: differentiable, and the same for real and generated samples


def _brightness(x: Tensor, u: Tensor) -> Tensor:
    return x + u[:, 0, None, None, None] - 0.5


def _saturation(x: Tensor, u: Tensor) -> Tensor:
    mean = x.mean(1, keepdim=True)
    return (x - mean) * (2 * u[:, 0, None, None, None]) + mean


def _contrast(x: Tensor, u: Tensor) -> Tensor:
    mean = x.mean((1, 2, 3), keepdim=True)
    return (x - mean) * (u[:, 0, None, None, None] + 0.5) + mean


def _shift(x: Tensor, u: Tensor) -> Tensor:
    """Up to an eighth of the size in each direction; black comes in from outside, where the authors' code brings in grey."""
    size = x.shape[-1]
    most = int(size * SHIFT + 0.5)
    by = (u[:, :2] * (2 * most + 1)).long().clamp(max=2 * most)  # (N, 2), from 0 to 2 * most
    wide = pad(x + 1, (most, most, most, most)) - 1  # zeros around x + 1 are black
    along = torch.arange(size, device=x.device)
    rows, columns = by[:, :1] + along, by[:, 1:] + along  # (N, size)
    n = torch.arange(len(x), device=x.device)
    return wide[n[:, None, None], :, rows[:, :, None], columns[:, None]].permute(0, 3, 1, 2)


def _cutout(x: Tensor, u: Tensor) -> Tensor:
    """A square of half the size becomes grey; its centre may lie on either edge."""
    size = x.shape[-1]
    half = int(size * CUT + 0.5) // 2
    centre = (u[:, :2] * (size + 1)).long().clamp(max=size)
    along = torch.arange(size, device=x.device)
    rows = (along - centre[:, :1] >= -half) & (along - centre[:, :1] < half)
    columns = (along - centre[:, 1:] >= -half) & (along - centre[:, 1:] < half)
    return x * ~(rows[:, None, :, None] & columns[:, None, None, :])


AUGMENTATIONS = (_brightness, _saturation, _contrast, _shift, _cutout)


def augment(x: Tensor, draws: Draws, p: Tensor | None = None) -> Tensor:
    """Images (E, B, C, H, W) after colour, shift and cutout (Zhao et al. 2020, section 4), each with probability p (E,).

    Every operation is differentiable, so that the generator learns through it. None for p does all of them.
    """
    numbers, images = draws.uniform(x.shape[1], 3 * len(AUGMENTATIONS)).flatten(0, 1), x.flatten(0, 1)
    chance = None if p is None else p.repeat_interleave(x.shape[1])
    for k, operation in enumerate(AUGMENTATIONS):
        u = numbers[:, 3 * k : 3 * k + 3]
        changed = operation(images, u)
        images = changed if p is None else torch.where((u[:, 2] < chance)[:, None, None, None], changed, images)
    return images.reshape(x.shape)


class Controller:
    """ADA's strength: rises while the discriminator is too sure of real samples (Karras et al. 2020, section 3.2).

    The sign of the logits on real samples, averaged over a few steps, is compared with a target; p moves by as much as
    takes it from 0 to 1 in `images` samples.
    """

    def __init__(self, members: int, device: torch.device):
        self.p = torch.zeros(members, device=device)
        self.signs = torch.zeros(members, device=device)
        self.count = 0

    def see(self, real_logits: Tensor, target: float, images: int, batch: int) -> None:
        self.signs += real_logits.detach().sign().mean(1)
        self.count += 1
        if self.count == ADA_EVERY:
            step = (self.signs / ADA_EVERY - target).sign() * (ADA_EVERY * batch / images)
            self.p = (self.p + step).clamp(0, 1)
            self.signs, self.count = torch.zeros_like(self.signs), 0


@torch.no_grad()
def reset(flat: Tensor, fresh: Tensor, stepper: Stepper, share: Tensor, draws: Draws) -> None:
    """Give a random share (E, 1) of the weights (E, P) the values of a fresh start, and let the optimiser forget them."""
    where = draws.uniform(flat.shape[1]) < share
    flat.copy_(torch.where(where, fresh, flat))
    stepper.forget(where)
