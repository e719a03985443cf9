"""A small StyleGAN2 (Karras et al. 2020, "Analyzing and improving the image quality of StyleGAN", section 2 and figure 7).

Latents become a style w; each convolution scales its input channels by w, then its outputs back to unit variance. Images of
all sizes are summed. Left out, to be cheap on a CPU: the blurs (bilinear upsampling and pooling by means stand in for
them) and the equalised learning rate with the mapping network's slower one; weights start as in He et al. 2015 instead.
"""

from __future__ import annotations

from math import sqrt

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, interpolate, leaky_relu
from torch.nn.init import kaiming_normal_

from .layers import SLOPE, ChannelsLast, Conv2d, Linear, Spec, conv_blocks

MAX_GROWTH = 4  # of the channels, from the full size to the smallest
MAX_STYLE = 128  # numbers in w; 4 * width where that is less
MAPPING_LAYERS = 4  # 8 in the paper; 2 in later work
MEAN_DECAY = 0.995  # of the running mean of w
EPS = 1e-8


def channels_at(spec: Spec, halvings: int) -> int:
    """Channels at 1 / 2**halvings of the image's size."""
    return spec.width * min(2**halvings, MAX_GROWTH)


def _double(x: Tensor) -> Tensor:
    return interpolate(x, scale_factor=2, mode="bilinear")


class ModulatedConv(nn.Module):
    """A 3 x 3 convolution whose weights depend on the style: (B, inputs, H, W), (B, W) -> (B, outputs, H, W).

    The weights of sample b are s_bi W_oik / sqrt(sum over i, k of (s_bi W_oik)²) (equations 1 and 3), with which inputs of
    unit variance give outputs of unit variance. They are never formed: the inputs are scaled by s and the outputs by the
    root, which is the same, and lets one convolution serve the whole batch.

    Args:
        gain: deviation of the outputs.
    """

    def __init__(self, inputs: int, outputs: int, style: int, gain: float = 1.0):
        super().__init__()
        self.gain = gain
        self.style = Linear(style, inputs)
        self.conv = Conv2d(inputs, outputs, 3, padding=1, bias=False)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        scale, weight = self.style(w), self.conv.used_weight()
        variance = scale.square() @ weight.square().sum((2, 3)).T  # (B, outputs)
        x = conv2d(x * scale[:, :, None, None], weight, padding=1)
        return x * (self.gain * (variance + EPS).rsqrt())[:, :, None, None]


class ToImage(nn.Module):
    """A modulated 1 x 1 convolution without demodulation: (B, inputs, H, W), (B, W) -> (B, channels, H, W)."""

    def __init__(self, inputs: int, channels: int, style: int):
        super().__init__()
        self.style = Linear(style, inputs)
        self.conv = Conv2d(inputs, channels, 1, bias=False)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        weight = self.style(w)[:, :, None] * self.conv.used_weight()[:, :, 0, 0].T  # (B, inputs, channels), small
        pixels = x.permute(0, 2, 3, 1)
        return (pixels.flatten(1, 2) @ weight).unflatten(1, pixels.shape[1:3]).permute(0, 3, 1, 2)


class StyledLayer(nn.Module):
    """Modulated convolution, upsampling if wanted, noise, bias, LeakyReLU.

    Upsampling follows the convolution, as the paper's transposed convolution is blurred after it; that costs a quarter.
    """

    def __init__(self, inputs: int, outputs: int, style: int, up: bool):
        super().__init__()
        self.up = up
        self.conv = ModulatedConv(inputs, outputs, style, gain=sqrt(2))  # of which LeakyReLU leaves about the half
        self.bias = nn.Parameter(torch.empty(outputs, 1, 1))
        self.strength = nn.Parameter(torch.empty(1))

    def forward(self, x: Tensor, w: Tensor, noise: Tensor | None) -> Tensor:
        x = self.conv(x, w)
        if self.up:
            x = _double(x)
        if noise is not None:
            x = x + self.strength * noise.reshape(-1, 1, *x.shape[2:])
        return leaky_relu(x + self.bias, SLOPE)


class StyleGenerator(nn.Module):
    """Mapping network and synthesis network.

    Latents are normalised to length sqrt(Z) before they are mapped, so only their direction counts. Tanh ends the network,
    where StyleGAN ends without bounds: a clamp would give no gradient to a pixel once it has left [-1, 1].

    Attributes:
        layers: styles that an image is made from, coarse to fine. Each doubling of the image has two convolutions; the
            image made after them takes the style of the convolution that follows, as in the paper's code.
        noise_numbers: one image of noise for each convolution.
        w_mean: (W,) running mean of w, moved by `forward` in train mode.
    """

    def __init__(self, spec: Spec):
        super().__init__()
        channels, (start, blocks) = spec.shape[0], conv_blocks(spec.shape[1])
        style = min(MAX_STYLE, 4 * spec.width)
        sizes = [channels_at(spec, k) for k in range(blocks, -1, -1)]
        self.layers = 2 * blocks + 2
        mapping = [
            layer for k in range(MAPPING_LAYERS) for layer in (Linear(style if k else spec.inputs, style), nn.LeakyReLU(SLOPE))
        ]
        self.mapping = nn.Sequential(*mapping)
        self.constant = nn.Parameter(torch.empty(1, sizes[0], start, start))
        self.convs = nn.ModuleList([StyledLayer(sizes[0], sizes[0], style, up=False)])
        for a, b in zip(sizes, sizes[1:], strict=False):
            self.convs.extend([StyledLayer(a, b, style, up=True), StyledLayer(b, b, style, up=False)])
        self.images = nn.ModuleList(ToImage(c, channels, style) for c in sizes)
        self.bias = nn.Parameter(torch.empty(channels, 1, 1))
        self._noise = [(start * 2 ** ((k + 1) // 2)) ** 2 for k in range(len(self.convs))]  # pixels of each
        self.noise_numbers = sum(self._noise)
        self.register_buffer("w_mean", torch.zeros(style))

    def forward(self, z: Tensor, noise: Tensor | None = None) -> Tensor:
        w = self.map(z[0])
        if self.training:
            with torch.no_grad():
                self.w_mean.lerp_(w.mean(0), 1 - MEAN_DECAY)
        return self.synthesise(w, None if noise is None else noise[0])[None]

    def map(self, z: Tensor) -> Tensor:
        """Latents (B, Z) -> styles (B, W)."""
        return self.mapping(z * (z.square().mean(1, keepdim=True) + EPS).rsqrt())

    def synthesise(self, w: Tensor, noise: Tensor | None = None) -> Tensor:
        """Images (B, C, H, W) from one style for all layers, (B, W), or one for each, (B, layers, W)."""
        styles = w.unbind(1) if w.dim() == 3 else [w] * self.layers
        noises = [None] * len(self.convs) if noise is None else noise.split(self._noise, 1)
        x = self.constant.expand(len(w), -1, -1, -1).contiguous(memory_format=torch.channels_last)
        x = self.convs[0](x, styles[0], noises[0])
        image = self.images[0](x, styles[1])
        for k in range(1, len(self.images)):
            x = self.convs[2 * k - 1](x, styles[2 * k - 1], noises[2 * k - 1])
            x = self.convs[2 * k](x, styles[2 * k], noises[2 * k])
            image = _double(image) + self.images[k](x, styles[2 * k + 1])
        return (image + self.bias).tanh()

    @property
    def style_weight(self) -> Tensor:
        """The weights of all convolutions' styles one below the other, (sum of inputs, W): what a change of w changes first."""
        return torch.cat([layer.conv.style.used_weight() for layer in self.convs])

    def truncate(self, w: Tensor, psi: float) -> Tensor:
        """Styles (..., W) drawn towards their mean (Karras et al. 2019, appendix B): psi = 1 leaves them, 0 is the mean."""
        return self.w_mean + psi * (w - self.w_mean)

    def mix(self, w_a: Tensor, w_b: Tensor, crossover: int) -> Tensor:
        """Styles (B, layers, W): of w_a (B, W) in the layers before `crossover`, of w_b from there (Karras et al. 2019, 3.1)."""
        first = torch.arange(self.layers, device=w_a.device)[:, None] < crossover
        return torch.where(first, w_a[:, None], w_b[:, None])

    @torch.no_grad()
    def initialise(self, generators: list[torch.Generator]) -> None:
        """He normal; scales start around 1, noise and biases at 0, the constant as N(0, 1)."""
        generator = generators[0]
        _he_normal(self, generator)
        self.constant.normal_(generator=generator)
        self.bias.zero_()
        self.w_mean.zero_()
        for module in self.modules():
            if isinstance(module, (ModulatedConv, ToImage)):
                module.style.weight.normal_(0, module.style.in_features**-0.5, generator=generator)
                module.style.bias.fill_(1)
            elif isinstance(module, StyledLayer):
                module.bias.zero_()
                module.strength.zero_()


class StyleBlock(nn.Module):
    """(B, inputs, H, W) -> (B, outputs, H / 2, W / 2): two convolutions with LeakyReLU, and a 1 x 1 shortcut."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.first = Conv2d(inputs, inputs, 3, padding=1)
        self.second = Conv2d(inputs, outputs, 3, padding=1)
        self.shortcut = Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        h = avg_pool2d(leaky_relu(self.first(x), SLOPE), 2)
        return leaky_relu(self.second(h), SLOPE) + self.shortcut(avg_pool2d(x, 2))


class StyleDiscriminator(nn.Module):
    """Residual blocks without normalisation, then a convolution and a linear layer whose activations are the features.

    The minibatch deviation that the paper puts before the last convolution is the head's (`layers.Head`).
    """

    def __init__(self, spec: Spec):
        super().__init__()
        start, blocks = conv_blocks(spec.seen[1])
        sizes = [channels_at(spec, k) for k in range(blocks + 1)]
        self.features = sizes[-1]
        self.stack = nn.Sequential(
            ChannelsLast(),
            Conv2d(spec.seen[0], sizes[0], 1),
            nn.LeakyReLU(SLOPE),
            *[StyleBlock(a, b) for a, b in zip(sizes, sizes[1:], strict=False)],
            Conv2d(sizes[-1], sizes[-1], 3, padding=1),
            nn.LeakyReLU(SLOPE),
            nn.Flatten(),
            Linear(sizes[-1] * start * start, sizes[-1]),
            nn.LeakyReLU(SLOPE),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.stack(x[0])[None]

    @torch.no_grad()
    def initialise(self, generators: list[torch.Generator]) -> None:
        """He normal; the two ways through a block start with half the variance each, where the paper divides their sum."""
        _he_normal(self, generators[0])
        for block in self.modules():
            if isinstance(block, StyleBlock):
                block.second.weight.mul_(sqrt(1 / 2))
                block.shortcut.weight.mul_(sqrt(1 / 2 * (1 + SLOPE**2) / 2))  # no LeakyReLU behind it halves the variance


def _he_normal(module: nn.Module, generator: torch.Generator) -> None:
    for layer in module.modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            kaiming_normal_(layer.weight, a=SLOPE, generator=generator)
            if layer.bias is not None:
                layer.bias.zero_()
