"""Inside views: what a trainer's networks do with samples and noise, and how their layers stand. Looking changes nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from .config import GANConfig
from .draws import seeded
from .latents import LATENTS
from .layers import Normed, parameter_views
from .members import Members, sample_latents
from .networks import NETWORKS
from .trainer import Trainer

CELLS = 20  # of the slice through the noise, along each side
NETS = {"generator": "g", "discriminator": "d"}


@dataclass(frozen=True)
class Layer:
    """One layer of a network.

    Attributes:
        sigma: the largest singular value of its weight as it is applied: how much it can stretch its input.
        gradient: norm of the last step's gradient of its weight; NaN before the first step.
    """

    network: str
    name: str
    sigma: float
    gradient: float


def plane(config: GANConfig) -> Tensor | None:
    """A slice through the noise, ((CELLS + 1)², latent_dim) row by row: the first two numbers vary so that each cell is as
    likely as any other, the others stay what one sample happens to have. With one number it is a line of CELLS + 1.

    None where the noise has islands, which no one slice shows.
    """
    entry = LATENTS[config.latent]
    if entry.quantile is None or not NETWORKS[config.network].adversarial:
        return None
    share = (torch.arange(CELLS + 1) + 0.5) / (CELLS + 1)
    place = entry.quantile(share)
    if config.latent_dim == 1:
        return place[:, None]
    z = sample_latents(config, 1, seeded(config.seed, "view")).repeat((CELLS + 1) ** 2, 1)
    z[:, 0], z[:, 1] = place.repeat(CELLS + 1), place.repeat_interleave(CELLS + 1)
    return z


def pull(trainer: Trainer, samples: Tensor, member: int = 0) -> Tensor | None:
    """Where the generator's loss wants generated samples (N, ...) to go, (N, ...): see `Members.pull`. None where no
    discriminator judges."""
    block, place = trainer.member(member)
    if not isinstance(block, Members):
        return None
    return block.pull(samples.expand(len(block), *samples.shape))[place].cpu()


@torch.no_grad()
def layers(trainer: Trainer, member: int = 0) -> list[Layer]:
    """All layers with weights, from the generator's first to the discriminator's last; none where there are no two networks."""
    block, place = trainer.member(member)
    if not isinstance(block, Members):
        return []
    found = []
    for network, letter in NETS.items():
        module = getattr(block, network)
        parameters, gradient = list(module.parameters()), block.gradients.get(letter)
        views = [None] * len(parameters) if gradient is None else parameter_views(gradient, parameters)
        slope = {id(p): view for p, view in zip(parameters, views, strict=True)}
        weighted = [layer for layer in module.modules() if isinstance(layer, Normed)]
        for k, layer in enumerate(weighted):
            matrix = layer.matrix()
            view = slope[id(layer.weight)]
            norm = math.nan if view is None else float((view[place] if len(block) > 1 else view).norm())
            scale = 1.0 if layer.norm is None else float(layer.norm(matrix).reshape(-1)[place])
            name = f"{k + 1} of {len(weighted)}, {' × '.join(map(str, matrix.shape[-2:]))}"
            found.append(Layer(network, name, _largest(matrix[place if len(matrix) > 1 else 0]) / scale, norm))
    return found


def _largest(matrix: Tensor) -> float:
    """The largest singular value of a matrix, through the smaller of its two Gram matrices; NaN where a weight is no number."""
    if not torch.isfinite(matrix).all():
        return math.nan
    gram = matrix @ matrix.mT if matrix.shape[0] <= matrix.shape[1] else matrix.mT @ matrix
    return float(torch.linalg.eigvalsh(gram.double())[-1].clamp(min=0).sqrt())
