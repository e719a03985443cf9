"""Residual networks as in SNGAN (Miyato et al. 2018, appendix B.4, table 4; Gulrajani et al. 2017, appendix F).

Channels double with every halving of the image, from `width` up to MAX_GROWTH times that. Two things are cheaper than in the
papers' code and equal in value: a shortcut convolves the smaller image (a 1 x 1 convolution commutes with nearest
upsampling and with average pooling), and it has no bias, which would only add to that of its branch.
"""

from __future__ import annotations

from math import sqrt

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, relu
from torch.nn.init import xavier_uniform_

from .layers import ChannelsLast, Conv2d, Linear, Spec, conv_blocks

MAX_GROWTH = 8


def channels_at(spec: Spec, halvings: int) -> int:
    """Channels at 1 / 2**halvings of the image's size."""
    return spec.width * min(2**halvings, MAX_GROWTH)


def _batch_norm(normed: bool, channels: int) -> nn.Module:
    return nn.BatchNorm2d(channels) if normed else nn.Identity()


@torch.no_grad()
def _initialise(module: nn.Module, generator: torch.Generator) -> None:
    """Glorot uniform, with gain sqrt(2) where the branch of a block convolves, as the code of Miyato et al.; biases 0."""
    for layer in module.modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            xavier_uniform_(layer.weight, generator=generator)
            if layer.bias is not None:
                layer.bias.zero_()
        elif isinstance(layer, nn.BatchNorm2d):
            layer.reset_parameters()
    for block in module.modules():
        if isinstance(block, (UpBlock, DownBlock)):
            block.first.weight.mul_(sqrt(2))
            block.second.weight.mul_(sqrt(2))


class UpBlock(nn.Module):
    """(B, inputs, H, W) -> (B, outputs, 2H, 2W): BN, ReLU, nearest upsampling, convolution, BN, ReLU, convolution.

    With batch normalisation no layer here has a bias: the normalisations that follow would remove every one.
    """

    def __init__(self, inputs: int, outputs: int, normed: bool):
        super().__init__()
        self.norms = nn.ModuleList([_batch_norm(normed, inputs), _batch_norm(normed, outputs)])
        self.first = Conv2d(inputs, outputs, 3, padding=1, bias=not normed)
        self.second = Conv2d(outputs, outputs, 3, padding=1, bias=not normed)
        self.shortcut = Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        h = interpolate(relu(self.norms[0](x)), scale_factor=2)
        h = self.second(relu(self.norms[1](self.first(h))))
        return h + interpolate(self.shortcut(x), scale_factor=2)


class DownBlock(nn.Module):
    """(B, inputs, H, W) -> (B, outputs, H / 2, W / 2): ReLU, convolution, ReLU, convolution, average pooling.

    Args:
        normed: batch normalisation before each ReLU.
        first: the block sees the image, so that no ReLU comes before its first convolution.
        pooled: False: keep the size, with the identity as shortcut.
    """

    def __init__(self, inputs: int, outputs: int, normed: bool = False, first: bool = False, pooled: bool = True):
        super().__init__()
        self.activated, self.pooled = not first, pooled
        self.norms = nn.ModuleList([_batch_norm(normed, inputs), _batch_norm(normed, outputs)])
        self.first = Conv2d(inputs, outputs, 3, padding=1, bias=not normed)
        self.second = Conv2d(outputs, outputs, 3, padding=1)
        self.shortcut = Conv2d(inputs, outputs, 1, bias=False) if pooled else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        h = relu(self.norms[0](x)) if self.activated else x
        h = self.second(relu(self.norms[1](self.first(h))))
        return avg_pool2d(h, 2) + self.shortcut(avg_pool2d(x, 2)) if self.pooled else h + self.shortcut(x)


class ResNetGenerator(nn.Module):
    """A linear layer, a residual block for each doubling of the image, then BN, ReLU, convolution, tanh."""

    noise_numbers = 0

    def __init__(self, spec: Spec):
        super().__init__()
        start, blocks = conv_blocks(spec.shape[1])
        normed = spec.batch_norm != "none"
        sizes = [channels_at(spec, k) for k in range(blocks, -1, -1)]
        self.stack = nn.Sequential(
            Linear(spec.inputs, sizes[0] * start * start),
            nn.Unflatten(1, (sizes[0], start, start)),
            ChannelsLast(),
            *[UpBlock(a, b, normed) for a, b in zip(sizes, sizes[1:], strict=False)],
            _batch_norm(normed, sizes[-1]),
            nn.ReLU(),
            Conv2d(sizes[-1], spec.shape[0], 3, padding=1),
            nn.Tanh(),
        )

    def forward(self, z: Tensor, noise: Tensor | None = None) -> Tensor:
        return self.stack(z[0])[None]

    def initialise(self, generators: list[torch.Generator]) -> None:
        _initialise(self, generators[0])


class ResNetDiscriminator(nn.Module):
    """A residual block for each halving of the image, one more without pooling, ReLU; the sums over pixels are the features."""

    def __init__(self, spec: Spec):
        super().__init__()
        _, blocks = conv_blocks(spec.seen[1])
        normed = spec.batch_norm == "both"
        sizes = [channels_at(spec, k) for k in range(blocks)]
        self.features = sizes[-1]
        self.stack = nn.Sequential(
            ChannelsLast(),
            DownBlock(spec.seen[0], sizes[0], first=True),
            *[DownBlock(a, b, normed) for a, b in zip(sizes, sizes[1:], strict=False)],
            DownBlock(sizes[-1], sizes[-1], normed, pooled=False),
            nn.ReLU(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.stack(x[0]).sum((2, 3))[None]

    def initialise(self, generators: list[torch.Generator]) -> None:
        _initialise(self, generators[0])
