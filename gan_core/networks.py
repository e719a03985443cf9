"""NETWORKS: generator and discriminator pairs.

A generator's body maps latents (E, B, Z) to samples (E, B, *shape); a discriminator's body maps samples to features
(E, B, F), F being its attribute `features`, and `layers.Head` makes logits of them. `shape` is (2,) for points and
(C, H, W) for images in [-1, 1]. Convolutional networks hold one member, E = 1. What a condition adds comes in as more
latents and more channels (see `conditions`), so a body knows nothing of labels. A generator with an attribute
`noise_numbers` N > 0 also takes noise (E, B, N), standard normal, or None.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod, sqrt

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from .dcgan import DCGANDiscriminator, DCGANGenerator
from .discrete import GumbelGenerator
from .layers import SLOPE, MemberLinear, Spec
from .resnet import ResNetDiscriminator, ResNetGenerator
from .style import StyleDiscriminator, StyleGenerator


@dataclass(frozen=True)
class Network:
    """A pair of networks.

    Attributes:
        generator, discriminator: Spec -> module (the bodies); None where there is no game (see `pixelcnn`).
        images_only: cannot work on points.
        has_members: can hold more than one member.
        uses_depth: reads `depth`.
        uses_batch_norm: reads `batch_norm`.
        discrete: its samples have `levels` values a pixel, so it needs discrete data.
    """

    generator: Callable[[Spec], nn.Module] | None
    discriminator: Callable[[Spec], nn.Module] | None
    title: str
    text: str
    source: str
    use: str
    cost: str
    images_only: bool = False
    has_members: bool = True
    uses_depth: bool = True
    uses_batch_norm: bool = False
    discrete: bool = False

    @property
    def adversarial(self) -> bool:
        """Whether two networks play against each other."""
        return self.discriminator is not None


GAINS = {"torch": 1.0, "he": sqrt(6 / (1 + SLOPE**2))}  # times ±1/sqrt(in); He et al. 2015, equation 15, as a uniform law


class MLP(nn.Module):
    """Linear layers with LeakyReLU between them: (E, B, ...) -> (E, B, outputs).

    Args:
        sizes: numbers in and out of each layer.
        last: whether LeakyReLU follows the last layer too.
        gain: of the first weights of layers that LeakyReLU follows.
    """

    def __init__(self, members: int, sizes: list[int], last: bool, gain: float):
        super().__init__()
        self.layers = nn.ModuleList(MemberLinear(members, a, b) for a, b in zip(sizes, sizes[1:], strict=False))
        self.last, self.gain = last, gain

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            x = leaky_relu(layer(x), SLOPE)
        x = self.layers[-1](x)
        return leaky_relu(x, SLOPE) if self.last else x

    def initialise(self, generators: list[torch.Generator]) -> None:
        for layer in self.layers[:-1]:
            layer.initialise(generators, self.gain)
        self.layers[-1].initialise(generators, self.gain if self.last else 1.0)


class MLPGenerator(nn.Module):
    """`depth` hidden layers of `width`; the last layer linear for points, tanh for images."""

    def __init__(self, spec: Spec):
        super().__init__()
        self.shape = spec.shape
        sizes = [spec.inputs] + [spec.width] * spec.depth + [prod(spec.shape)]
        self.stack = MLP(spec.members, sizes, last=False, gain=GAINS[spec.init])

    def forward(self, z: Tensor, noise: Tensor | None = None) -> Tensor:
        x = self.stack(z)
        if len(self.shape) == 3:
            x = x.tanh()
        return x.reshape(*x.shape[:2], *self.shape)

    def initialise(self, generators: list[torch.Generator]) -> None:
        self.stack.initialise(generators)


class MLPDiscriminator(nn.Module):
    """`depth_d` or `depth` hidden layers of `width`, whose activations are the features."""

    def __init__(self, spec: Spec):
        super().__init__()
        self.features = spec.width
        sizes = [prod(spec.seen)] + [spec.width] * (spec.depth_d or spec.depth)
        self.stack = MLP(spec.members, sizes, last=True, gain=GAINS[spec.init])

    def forward(self, x: Tensor) -> Tensor:
        return self.stack(x.flatten(2))

    def initialise(self, generators: list[torch.Generator]) -> None:
        self.stack.initialise(generators)


USUAL_NETWORKS = ("mlp", "dcgan")  # of points and of images: where a run is told in few words, they go without saying

NETWORKS: dict[str, Network] = {
    "mlp": Network(
        MLPGenerator,
        MLPDiscriminator,
        "MLP",
        "Fully connected layers with LeakyReLU. For points, and for small images.",
        "Goodfellow et al. 2014, section 5",
        "Points always; images of 8 x 8 where speed matters more than sharpness.",
        "Cheap: a step of 2 x 128 takes about 2 ms. Holds many members at once.",
    ),
    "dcgan": Network(
        DCGANGenerator,
        DCGANDiscriminator,
        "DCGAN",
        "Strided convolutions, one block for each halving of the image. Batch normalisation in the generator only, unless "
        "you ask for more, so that every per-sample penalty is valid on the discriminator.",
        "Radford et al. 2016, section 3",
        "The first choice for images.",
        "Convolutions: some 20 steps/s at 32 x 32 with 32 channels on two cores.",
        images_only=True,
        has_members=False,
        uses_depth=False,
        uses_batch_norm=True,
    ),
    "resnet": Network(
        ResNetGenerator,
        ResNetDiscriminator,
        "ResNet",
        "Residual blocks of two convolutions with a shortcut past them, one for each halving of the image.",
        "Miyato et al. 2018, appendix B.4; Gulrajani et al. 2017, appendix F",
        "Where DCGAN is not sharp enough, and wherever the papers on spectral normalisation and projection are followed.",
        "Six to nine times a DCGAN of the same width: some 7 steps/s at 32 x 32 with 16 channels on one core.",
        images_only=True,
        has_members=False,
        uses_depth=False,
        uses_batch_norm=True,
    ),
    "style": Network(
        StyleGenerator,
        StyleDiscriminator,
        "StyleGAN2, small",
        "A mapping network turns latents into styles, which scale the channels of each convolution; noise adds fine detail.",
        "Karras et al. 2020, section 2 and figure 7",
        "To mix and truncate styles; the paper trains it with the R1 penalty.",
        "Six to nine times a DCGAN of the same width: some 6 steps/s at 32 x 32 with 16 channels on one core.",
        images_only=True,
        has_members=False,
        uses_depth=False,
    ),
    "gumbel": Network(
        GumbelGenerator,
        DCGANDiscriminator,
        "Gumbel-softmax DCGAN",
        "The generator draws each pixel from a softmax over the data's values; gradients pass through the draw as if it were "
        "soft.",
        "Jang et al. 2017, section 2; Maddison et al. 2017",
        "Images with a few values a pixel, such as black and white ones.",
        "Up to twice a DCGAN with 4 values a pixel; time and memory grow with their number.",
        images_only=True,
        has_members=False,
        uses_depth=False,
        uses_batch_norm=True,
        discrete=True,
    ),
    "pixelcnn": Network(
        None,
        None,
        "PixelCNN (no GAN)",
        "Predicts each pixel from those before it: a likelihood model to compare GANs with, on images of few grey levels.",
        "van den Oord et al. 2016 (Conditional Image Generation with PixelCNN Decoders), section 2",
        "Discrete data: it cannot collapse, and its score in bits for each pixel compares with other models.",
        "Samples are drawn pixel by pixel: 64 of 28 x 28 take one to two seconds.",
        images_only=True,
        has_members=False,
        discrete=True,
    ),
}
