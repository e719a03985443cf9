"""OPTIMIZERS: update rules on flat parameters, one learning rate a member.

torch.optim takes one learning rate for a whole tensor; here a row of the tensor is a member, and members may differ in
theirs. All the parameters of a network lie in one tensor (E, P) (see `layers.flatten_parameters`), so a step is a
handful of operations however many layers there are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

EPS = 1e-8
TINY = 1e-36  # under a root that is differentiated, because at zero its derivative is infinite; far below EPS squared


@dataclass(frozen=True)
class Optimizer:
    """An update rule on flat (E, P), with lr (E, 1) and step counted from 1: a number, or (E, P) where weights differ in theirs.

    Attributes:
        update: `update(flat, grad, slots, step, lr, beta1, beta2)` changes flat and slots in place.
        ahead: takes the same and returns new (flat, slots), through which derivatives flow.
        slots: how many tensors like flat it remembers.
    """

    update: Callable[..., None]
    ahead: Callable[..., tuple[Tensor, list[Tensor]]]
    slots: int
    title: str
    text: str
    formula: str
    source: str
    use: str
    cost: str


def _adam(flat: Tensor, grad: Tensor, slots: list[Tensor], step: int, lr: Tensor, beta1: float, beta2: float) -> None:
    mean, square = slots
    mean.lerp_(grad, 1 - beta1)
    square.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
    scale = square.sqrt().div_((1 - beta2**step) ** 0.5).add_(EPS)
    flat.addcdiv_(mean * (lr / (beta1**step - 1)), scale)


def _adam_ahead(flat: Tensor, grad: Tensor, slots: list[Tensor], step: int, lr: Tensor, beta1: float, beta2: float):
    mean = slots[0].lerp(grad, 1 - beta1)
    square = slots[1] * beta2 + (1 - beta2) * grad * grad
    scale = (square + TINY).sqrt() / (1 - beta2**step) ** 0.5 + EPS
    return flat - lr / (1 - beta1**step) * mean / scale, [mean, square]


def _sgd(flat: Tensor, grad: Tensor, slots: list[Tensor], step: int, lr: Tensor, beta1: float, beta2: float) -> None:
    (velocity,) = slots
    velocity.mul_(beta1).add_(grad)
    flat.addcmul_(velocity, -lr)


def _sgd_ahead(flat: Tensor, grad: Tensor, slots: list[Tensor], step: int, lr: Tensor, beta1: float, beta2: float):
    velocity = slots[0] * beta1 + grad
    return flat - lr * velocity, [velocity]


def _rmsprop(flat: Tensor, grad: Tensor, slots: list[Tensor], step: int, lr: Tensor, beta1: float, beta2: float) -> None:
    (square,) = slots
    square.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
    flat.addcdiv_(grad * -lr, square.sqrt().add_(EPS))


def _rmsprop_ahead(flat: Tensor, grad: Tensor, slots: list[Tensor], step: int, lr: Tensor, beta1: float, beta2: float):
    square = slots[0] * beta2 + (1 - beta2) * grad * grad
    return flat - lr * grad / ((square + TINY).sqrt() + EPS), [square]


OPTIMIZERS: dict[str, Optimizer] = {
    "adam": Optimizer(
        _adam,
        _adam_ahead,
        2,
        "Adam",
        "Each weight moves by its mean gradient over the root of its mean squared gradient.",
        "w ← w - lr · m̂ / (√v̂ + ε)",
        "Kingma and Ba 2015, algorithm 1",
        "The usual choice; with a low β1, 0 to 0.5.",
        "Two numbers kept for each weight.",
    ),
    "sgd": Optimizer(
        _sgd,
        _sgd_ahead,
        1,
        "SGD (momentum β1)",
        "Plain gradient descent, with memory of the last direction.",
        "v ← β1 v + g,  w ← w - lr · v",
        "Polyak 1964; β1 = 0 is plain gradient descent",
        "To compare with theory and with GAN Lab.",
        "One number kept for each weight.",
    ),
    "rmsprop": Optimizer(
        _rmsprop,
        _rmsprop_ahead,
        1,
        "RMSprop (decay β2)",
        "Each weight moves by its gradient over the root of its mean squared gradient.",
        "w ← w - lr · g / (√v + ε)",
        "Tieleman and Hinton 2012",
        "With weight clipping, as in the WGAN paper.",
        "One number kept for each weight.",
    ),
}


class Stepper:
    """An optimiser for one network of E members: its flat parameters, its slots and its step count."""

    def __init__(self, kind: str, flat: Tensor):
        self.kind = kind
        self.flat = flat
        self.slots = [torch.zeros_like(flat) for _ in range(OPTIMIZERS[kind].slots)]
        self.count = 0
        self.ages: Tensor | None = None  # (E, P) updates of each weight, once some have been forgotten

    @torch.no_grad()
    def step(self, grad: Tensor, lr: Tensor, beta1: float, beta2: float) -> None:
        """One update with gradients (E, P) and learning rates (E, 1)."""
        self.count += 1
        if self.ages is not None:
            self.ages += 1
        OPTIMIZERS[self.kind].update(self.flat, grad, self.slots, self.at(0), lr, beta1, beta2)

    def at(self, later: int) -> int | Tensor:
        """The step count, so many updates from now, as the update rules want it."""
        return (self.count if self.ages is None else self.ages) + later

    @torch.no_grad()
    def forget(self, where: Tensor) -> None:
        """Let some weights, where (E, P) is true, begin anew: what is remembered of them goes, and how old they are."""
        if self.ages is None:
            self.ages = torch.full_like(self.flat, self.count)
        self.ages.masked_fill_(where, 0)
        for slot in self.slots:
            slot.masked_fill_(where, 0)
