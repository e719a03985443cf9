"""NETWORKS: generator and discriminator pairs.

A generator maps latents (E, B, Z) to samples (E, B, *shape); a discriminator maps samples to logits (E, B). `shape` is
(2,) for points and (C, H, W) for images in [-1, 1]. Convolutional networks hold one member, E = 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from .layers import MemberLinear

SLOPE = 0.2  # of LeakyReLU, as in DCGAN


@dataclass(frozen=True)
class Network:
    """A pair of networks.

    Attributes:
        generator: (members, latent_dim, shape, width, depth) -> module.
        discriminator: (members, shape, width, depth) -> module.
        images_only: cannot work on points.
        has_members: can hold more than one member.
        uses_depth: reads `depth`.
    """

    generator: Callable[..., nn.Module]
    discriminator: Callable[..., nn.Module]
    title: str
    text: str
    source: str
    images_only: bool = False
    has_members: bool = True
    uses_depth: bool = True


class MLP(nn.Module):
    """`depth` hidden layers of `width` with LeakyReLU; the last layer linear, or tanh where images are made."""

    def __init__(self, members: int, inputs: int, outputs: tuple[int, ...], width: int, depth: int, tanh: bool):
        super().__init__()
        self.outputs, self.tanh = outputs, tanh
        sizes = [inputs] + [width] * depth + [prod(outputs)]
        layers = [MemberLinear(members, a, b) for a, b in zip(sizes, sizes[1:], strict=False)]
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() > 3:
            x = x.flatten(2)  # (E, B, C, H, W) -> (E, B, C*H*W)
        for layer in self.layers[:-1]:
            x = leaky_relu(layer(x), SLOPE)
        x = self.layers[-1](x)
        if self.tanh:
            x = x.tanh()
        return x.reshape(*x.shape[:2], *self.outputs)

    def initialise(self, generators: list[torch.Generator]) -> None:
        for layer in self.layers:
            layer.initialise(generators)


def _mlp_generator(members: int, latent_dim: int, shape: tuple[int, ...], width: int, depth: int) -> nn.Module:
    return MLP(members, latent_dim, shape, width, depth, tanh=len(shape) == 3)


def _mlp_discriminator(members: int, shape: tuple[int, ...], width: int, depth: int) -> nn.Module:
    return MLP(members, prod(shape), (), width, depth, tanh=False)


def conv_blocks(size: int) -> tuple[int, int]:
    """(start, blocks) with start * 2**blocks == size: halve while even and above 4. 28 -> (7, 2), 32 -> (4, 3)."""
    blocks = 0
    while size > 4 and size % 2 == 0:
        size, blocks = size // 2, blocks + 1
    return size, blocks


class ConvNet(nn.Module):
    """A stack for (B, C, H, W) behind the member axis of one: (1, B, ...) -> (1, B, ...)."""

    def __init__(self, stack: nn.Sequential, outputs: tuple[int, ...]):
        super().__init__()
        self.stack, self.outputs = stack, outputs

    def forward(self, x: Tensor) -> Tensor:
        return self.stack(x[0]).reshape(1, x.shape[1], *self.outputs)

    @torch.no_grad()
    def initialise(self, generators: list[torch.Generator]) -> None:
        """Weights N(0, 0.02), gains N(1, 0.02), biases 0: Radford et al. 2016, section 4."""
        (generator,) = generators
        for module in self.stack.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
                module.weight.normal_(0, 0.02, generator=generator)
            elif isinstance(module, nn.BatchNorm2d):
                module.weight.normal_(1, 0.02, generator=generator)
            if getattr(module, "bias", None) is not None:
                module.bias.zero_()


class _ChannelsLast(nn.Module):
    """Convolutions run about a fifth faster on a CPU with the channels innermost."""

    def forward(self, x: Tensor) -> Tensor:
        return x.contiguous(memory_format=torch.channels_last)


def _dcgan_generator(members: int, latent_dim: int, shape: tuple[int, ...], width: int, depth: int) -> nn.Module:
    channels, size, _ = shape
    start, blocks = conv_blocks(size)
    c = width * 2 ** max(0, blocks - 1)
    layers = [
        nn.Linear(latent_dim, c * start * start, bias=False),
        nn.Unflatten(1, (c, start, start)),
        _ChannelsLast(),
        nn.BatchNorm2d(c),
        nn.ReLU(),
    ]
    for _ in range(blocks - 1):
        layers += [nn.ConvTranspose2d(c, c // 2, 4, 2, 1, bias=False), nn.BatchNorm2d(c // 2), nn.ReLU()]
        c //= 2
    layers += [nn.ConvTranspose2d(c, channels, 4, 2, 1), nn.Tanh()]
    return ConvNet(nn.Sequential(*layers), shape)


def _dcgan_discriminator(members: int, shape: tuple[int, ...], width: int, depth: int) -> nn.Module:
    channels, size, _ = shape
    start, blocks = conv_blocks(size)
    layers: list[nn.Module] = [_ChannelsLast()]
    c = channels
    for block in range(blocks):
        layers += [nn.Conv2d(c, width * 2**block, 4, 2, 1), nn.LeakyReLU(SLOPE)]
        c = width * 2**block
    layers += [nn.Flatten(), nn.Linear(c * start * start, 1)]
    return ConvNet(nn.Sequential(*layers), ())


NETWORKS: dict[str, Network] = {
    "mlp": Network(
        _mlp_generator,
        _mlp_discriminator,
        "MLP",
        "Fully connected layers with LeakyReLU. For points, and for small images.",
        "Goodfellow et al. 2014, section 5",
    ),
    "dcgan": Network(
        _dcgan_generator,
        _dcgan_discriminator,
        "DCGAN",
        "Strided convolutions, one block for each halving of the image. Batch normalisation in the generator only, so "
        "that every per-sample penalty is valid on the discriminator.",
        "Radford et al. 2016, section 3",
        images_only=True,
        has_members=False,
        uses_depth=False,
    ),
}
