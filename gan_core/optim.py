"""OPTIMIZERS: update rules on flat parameters, one learning rate a member.

torch.optim takes one learning rate for a whole tensor; here a row of the tensor is a member, and members may differ in
theirs. All the parameters of a network lie in one tensor (E, P) (see `layers.flatten_parameters`), so a step is a
handful of operations however many layers there are.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

EPS = 1e-8


@dataclass(frozen=True)
class Optimizer:
    """An update rule: `update(flat, grad, slots, step, lr, beta1, beta2)` changes flat (E, P) and slots in place.

    Attributes:
        slots: how many tensors like flat it remembers.
        lr: in `update`, a tensor (E, 1); step counts from 1.
    """

    update: Callable[..., None]
    slots: int
    title: str
    source: str


def _adam(flat: Tensor, grad: Tensor, slots: list[Tensor], step: int, lr: Tensor, beta1: float, beta2: float) -> None:
    mean, square = slots
    mean.lerp_(grad, 1 - beta1)
    square.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
    scale = square.sqrt().div_((1 - beta2**step) ** 0.5).add_(EPS)
    flat.addcdiv_(mean * (lr / (beta1**step - 1)), scale)


def _sgd(flat: Tensor, grad: Tensor, slots: list[Tensor], step: int, lr: Tensor, beta1: float, beta2: float) -> None:
    (velocity,) = slots
    velocity.mul_(beta1).add_(grad)
    flat.addcmul_(velocity, -lr)


def _rmsprop(flat: Tensor, grad: Tensor, slots: list[Tensor], step: int, lr: Tensor, beta1: float, beta2: float) -> None:
    (square,) = slots
    square.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
    flat.addcdiv_(grad * -lr, square.sqrt().add_(EPS))


OPTIMIZERS: dict[str, Optimizer] = {
    "adam": Optimizer(_adam, 2, "Adam", "Kingma and Ba 2015, algorithm 1"),
    "sgd": Optimizer(_sgd, 1, "SGD (momentum β1)", "Polyak 1964; β1 = 0 is plain gradient descent"),
    "rmsprop": Optimizer(_rmsprop, 1, "RMSprop (decay β2)", "Tieleman and Hinton 2012"),
}


class Stepper:
    """An optimiser for one network of E members: its flat parameters, its slots and its step count."""

    def __init__(self, kind: str, flat: Tensor):
        self.kind = kind
        self.flat = flat
        self.slots = [torch.zeros_like(flat) for _ in range(OPTIMIZERS[kind].slots)]
        self.count = 0

    @torch.no_grad()
    def step(self, grad: Tensor, lr: Tensor, beta1: float, beta2: float) -> None:
        """One update with gradients (E, P) and learning rates (E, 1)."""
        self.count += 1
        OPTIMIZERS[self.kind].update(self.flat, grad, self.slots, self.count, lr, beta1, beta2)
