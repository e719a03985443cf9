"""DCGAN: strided convolutions, one for each halving of the image (Radford et al. 2016, section 3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .layers import SLOPE, ChannelsLast, Conv2d, ConvTranspose2d, Linear, Spec, conv_blocks


class DCGAN(nn.Module):
    """A stack for (B, ...) behind the member axis of one."""

    stack: nn.Sequential

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


def upsampling(spec: Spec, outputs: int) -> nn.Sequential:
    """A linear layer, then transposed convolutions that double (B, inputs) to (B, outputs, H, W) of the image's size."""
    start, blocks = conv_blocks(spec.shape[1])
    c = spec.width * 2 ** max(0, blocks - 1)
    plain = spec.batch_norm == "none"  # without normalisation a layer needs its own bias

    def norm(c: int) -> list[nn.Module]:
        return [] if plain else [nn.BatchNorm2d(c)]

    layers = [Linear(spec.inputs, c * start * start, bias=plain), nn.Unflatten(1, (c, start, start))]
    layers += [ChannelsLast(), *norm(c), nn.ReLU()]
    for _ in range(blocks - 1):
        layers += [ConvTranspose2d(c, c // 2, 4, 2, 1, bias=plain), *norm(c // 2), nn.ReLU()]
        c //= 2
    return nn.Sequential(*layers, ConvTranspose2d(c, outputs, 4, 2, 1))


class DCGANGenerator(DCGAN):
    """Transposed convolutions, tanh at the end."""

    def __init__(self, spec: Spec):
        super().__init__()
        self.stack = upsampling(spec, spec.shape[0]).append(nn.Tanh())

    def forward(self, z: Tensor, noise: Tensor | None = None) -> Tensor:
        return self.stack(z[0])[None]


class DCGANDiscriminator(DCGAN):
    """Strided convolutions, one for each halving; no normalisation in the first, as Radford et al. 2016, section 3."""

    def __init__(self, spec: Spec):
        super().__init__()
        channels, size, _ = spec.seen
        start, blocks = conv_blocks(size)
        layers: list[nn.Module] = [ChannelsLast()]
        c = channels
        for block in range(blocks):
            out, normed = spec.width * 2**block, spec.batch_norm == "both" and block > 0
            layers.append(Conv2d(c, out, 4, 2, 1, bias=not normed))
            layers += [nn.BatchNorm2d(out), nn.LeakyReLU(SLOPE)] if normed else [nn.LeakyReLU(SLOPE)]
            c = out
        layers.append(nn.Flatten())
        self.stack = nn.Sequential(*layers)
        self.features = c * start * start

    def forward(self, x: Tensor) -> Tensor:
        return self.stack(x[0])[None]
