"""A generator for images with few values a pixel, trained through the Gumbel-softmax.

Jang et al. 2017, "Categorical reparameterization with Gumbel-softmax", section 2; Maddison et al. 2017, "The concrete
distribution".
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.special import ndtr

from .dcgan import DCGAN, upsampling
from .layers import Spec


def gumbel_softmax(logits: Tensor, noise: Tensor | None, tau: float, dim: int) -> Tensor:
    """One-hot samples of softmax(logits) along `dim`, with the gradient of softmax((logits + g) / tau).

    The straight-through estimator of Jang et al. 2017, section 2.2: values are exactly 0 and 1 and do not depend on tau.

    Args:
        noise: standard normal, in the logits' shape; g = -log(-log(Phi(noise))) is Gumbel. None: the likeliest category.
    """
    if noise is not None:
        eps = torch.finfo(noise.dtype).eps  # Phi rounds to 1 from 5.4 on
        logits = logits - (-ndtr(noise).clamp(eps, 1 - eps).log()).log()
    soft = (logits / tau).softmax(dim)
    likeliest = logits.max(dim, keepdim=True).indices  # argmax takes eight times as long on a CPU
    hard = torch.zeros_like(soft).scatter_(dim, likeliest, 1)
    return hard + (soft - soft.detach())  # the bracket is exactly 0


class GumbelGenerator(DCGAN):
    """A DCGAN generator whose outputs are the logits of each pixel's values, which lie evenly spaced in [-1, 1].

    Attributes:
        temperature: tau, to be set before each step; only gradients depend on it.
        noise_numbers: one for each value of each pixel.
    """

    def __init__(self, spec: Spec):
        super().__init__()
        channels, height, width = spec.shape
        self.levels, self.temperature = spec.levels, 1.0
        self.noise_numbers = spec.levels * channels * height * width
        self.stack = upsampling(spec, spec.levels * channels)
        self.register_buffer("values", torch.linspace(-1, 1, spec.levels), persistent=False)

    def logits(self, z: Tensor) -> Tensor:
        """Latents (B, Z) -> logits (B, levels, C, H, W)."""
        return self.stack(z).unflatten(1, (self.levels, -1))

    def forward(self, z: Tensor, noise: Tensor | None = None) -> Tensor:
        """Without noise every pixel takes its likeliest value."""
        logits = self.logits(z[0])
        noise = None if noise is None else noise.reshape(logits.shape)
        sample = gumbel_softmax(logits, noise, self.temperature, 1)
        return torch.einsum("blchw,l->bchw", sample, self.values)[None]
