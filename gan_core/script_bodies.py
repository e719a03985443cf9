"""The bodies of an exported script's two networks, as lists of layers, with the parts that they need.

A body is written as the engine's (`networks`, `dcgan`, `discrete`, `resnet`, `style`) without the member axis; parameters stand
in the same order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .config import GANConfig
from .layers import SLOPE, conv_blocks
from .resnet import MAX_GROWTH
from .script_text import indented, joined
from .style import EPS as STYLE_EPS
from .style import MAPPING_LAYERS
from .style import MAX_GROWTH as MAX_STYLE_GROWTH


@dataclass(frozen=True)
class Bodies:
    """How a kind of network is written.

    Attributes:
        generator, discriminator: (config, size of the input) -> the layers, a line of code each; the discriminator's
            with the number of features, as code. The input is a number of latents, or the channels of what is seen.
        initialise: the code of a function `initialise(body)`, or "" where the layers' own first weights are the right ones.
        parts: code that the layers need, given the config.
        makes, reads: what becomes of the generator's input, and of what the discriminator sees, in place of {}.
        state: lines of the generator's __init__ beside its layers.
    """

    generator: Callable[[GANConfig, str], list[str]]
    discriminator: Callable[[GANConfig, int], tuple[list[str], str]]
    initialise: Callable[[GANConfig], str]
    parts: Callable[[GANConfig], list[str]] = lambda c: []
    makes: str = "self.body({})"
    reads: str = "self.body({})"
    state: str = ""


LEAKY = f"nn.LeakyReLU({SLOPE})"


# Fully connected layers


def _hidden(first: str, depth: int) -> list[str]:
    """`depth` linear layers of WIDTH with LeakyReLU behind each."""
    return [layer for k in range(depth) for layer in (f"nn.Linear({'WIDTH' if k else first}, WIDTH)", LEAKY)]


def _mlp_generator(c: GANConfig, inputs: str) -> list[str]:
    layers = [*_hidden(inputs, c.depth), f"nn.Linear(WIDTH, {' * '.join(map(str, c.shape))})"]
    return [*layers, "nn.Tanh()", f"nn.Unflatten(1, {c.shape})"] if len(c.shape) == 3 else layers


def _mlp_discriminator(c: GANConfig, channels: int) -> tuple[list[str], str]:
    first = " * ".join(map(str, (channels, *c.shape[1:])))
    return ["nn.Flatten()"] * (len(c.shape) == 3) + _hidden(first, c.depth_d or c.depth), "WIDTH"


def _he(c: GANConfig) -> str:
    if c.init == "torch":
        return ""
    return f'''\
def initialise(body):
    """Uniform weights that keep the size of activations (He et al. 2015, equation 15) before each LeakyReLU."""
    for layer, follower in zip(body, body[1:]):
        if isinstance(layer, nn.Linear) and isinstance(follower, nn.LeakyReLU):
            nn.init.kaiming_uniform_(layer.weight, a={SLOPE})'''


# Strided convolutions


def _upsampling(c: GANConfig, inputs: str, outputs: int) -> list[str]:
    start, blocks = conv_blocks(c.size)
    channels, plain = c.width * 2 ** max(0, blocks - 1), c.batch_norm == "none"
    bias = "" if plain else ", bias=False"

    def activated(channels: int) -> list[str]:
        return ["nn.ReLU()"] if plain else [f"nn.BatchNorm2d({channels})", "nn.ReLU()"]

    layers = [f"nn.Linear({inputs}, {channels} * {start} * {start}{bias})", f"nn.Unflatten(1, ({channels}, {start}, {start}))"]
    layers += activated(channels)
    for _ in range(blocks - 1):
        layers += [f"nn.ConvTranspose2d({channels}, {channels // 2}, 4, 2, 1{bias})", *activated(channels // 2)]
        channels //= 2
    return [*layers, f"nn.ConvTranspose2d({channels}, {outputs}, 4, 2, 1)"]


def _dcgan_generator(c: GANConfig, inputs: str) -> list[str]:
    return [*_upsampling(c, inputs, c.shape[0]), "nn.Tanh()"]


def _dcgan_discriminator(c: GANConfig, channels: int) -> tuple[list[str], str]:
    (start, blocks), layers = conv_blocks(c.size), []
    for block in range(blocks):
        out, normed = c.width * 2**block, c.batch_norm == "both" and block > 0
        layers.append(f"nn.Conv2d({channels}, {out}, 4, 2, 1{', bias=False' if normed else ''})")
        layers += [f"nn.BatchNorm2d({out})", LEAKY] if normed else [LEAKY]
        channels = out
    return [*layers, "nn.Flatten()"], f"{channels} * {start} * {start}"


def _normal_002(c: GANConfig) -> str:
    return '''\
def initialise(body):
    """Weights N(0, 0.02), gains of batch normalisation N(1, 0.02), biases 0 (Radford et al. 2016, section 4)."""
    for layer in body:
        if isinstance(layer, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(layer.weight, 0, 0.02)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1, 0.02)
        if getattr(layer, "bias", None) is not None:
            nn.init.zeros_(layer.bias)'''


# Discrete pixels


def _gumbel_generator(c: GANConfig, inputs: str) -> list[str]:
    return _upsampling(c, inputs, c.levels * c.shape[0])


def _gumbel_parts(c: GANConfig) -> list[str]:
    noise = '''\
def gumbel(shape):
    """Gumbel noise: with it, the largest of logits is a draw from their softmax."""
    return -torch.empty(shape).exponential_().log()'''
    draw = '''\
def discrete(logits, temperature):
    """One of LEVELS values for each pixel, with the gradient of a soft choice (Jang et al. 2017, section 2.2)."""
    logits = logits.unflatten(1, (LEVELS, -1))  # (B, LEVELS, C, H, W)
    soft = ((logits + gumbel(logits.shape)) / temperature).softmax(1)
    hard = torch.zeros_like(soft).scatter_(1, soft.argmax(1, keepdim=True), 1)
    choice = hard + (soft - soft.detach())
    return torch.einsum("blchw,l->bchw", choice, torch.linspace(-1, 1, LEVELS))'''
    return [noise, draw]


# Residual blocks


def _resnet_sizes(c: GANConfig) -> list[int]:
    """Channels at the full size of the image, at half of it, and so on."""
    return [c.width * min(2**k, MAX_GROWTH) for k in range(conv_blocks(c.size)[1] + 1)]


def _resnet_generator(c: GANConfig, inputs: str) -> list[str]:
    start, sizes = conv_blocks(c.size)[0], _resnet_sizes(c)[::-1]
    return [
        f"nn.Linear({inputs}, {sizes[0]} * {start} * {start})",
        f"nn.Unflatten(1, ({sizes[0]}, {start}, {start}))",
        *[f"UpBlock({a}, {b})" for a, b in zip(sizes, sizes[1:], strict=False)],
        *([] if c.batch_norm == "none" else [f"nn.BatchNorm2d({sizes[-1]})"]),
        "nn.ReLU()",
        f"nn.Conv2d({sizes[-1]}, {c.shape[0]}, 3, padding=1)",
        "nn.Tanh()",
    ]


def _resnet_discriminator(c: GANConfig, channels: int) -> tuple[list[str], str]:
    sizes = _resnet_sizes(c)[:-1]
    blocks = [f"DownBlock({a}, {b})" for a, b in zip(sizes, sizes[1:], strict=False)]
    first, last = f"DownBlock({channels}, {sizes[0]}, first=True)", f"DownBlock({sizes[-1]}, {sizes[-1]}, pooled=False)"
    return [first, *blocks, last, "nn.ReLU()"], str(sizes[-1])


def _resnet_parts(c: GANConfig) -> list[str]:
    up, down = c.batch_norm != "none", c.batch_norm == "both"
    bias = ", bias=False" if up else ""
    up_block = joined(
        "class UpBlock(nn.Module):",
        '    """(B, inputs, H, W) -> (B, outputs, 2H, 2W): two convolutions and a shortcut past them."""\n',
        "    def __init__(self, inputs, outputs):",
        "        super().__init__()",
        up and "        self.norms = nn.ModuleList([nn.BatchNorm2d(inputs), nn.BatchNorm2d(outputs)])",
        f"        self.first = nn.Conv2d(inputs, outputs, 3, padding=1{bias})",
        f"        self.second = nn.Conv2d(outputs, outputs, 3, padding=1{bias})",
        "        self.shortcut = nn.Conv2d(inputs, outputs, 1, bias=False)\n",
        "    def forward(self, x):",
        f"        h = interpolate(relu({'self.norms[0](x)' if up else 'x'}), scale_factor=2)",
        f"        h = self.second(relu({'self.norms[1](self.first(h))' if up else 'self.first(h)'}))",
        "        return h + interpolate(self.shortcut(x), scale_factor=2)",
    )
    norms = """\
        kind = nn.Identity if first else nn.BatchNorm2d
        self.norms = nn.ModuleList([kind(inputs), kind(outputs)])"""
    down_block = joined(
        "class DownBlock(nn.Module):",
        '    """(B, inputs, H, W) -> (B, outputs, H / 2, W / 2), or of the same size: two convolutions and a shortcut."""\n',
        "    def __init__(self, inputs, outputs, first=False, pooled=True):",
        "        super().__init__()",
        "        self.sees_image, self.pooled = first, pooled",
        down and norms,
        f"        self.first = nn.Conv2d(inputs, outputs, 3, padding=1{', bias=first' if down else ''})",
        "        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)",
        "        self.shortcut = nn.Conv2d(inputs, outputs, 1, bias=False) if pooled else nn.Identity()\n",
        "    def forward(self, x):",
        f"        h = x if self.sees_image else relu({'self.norms[0](x)' if down else 'x'})",
        f"        h = self.second(relu({'self.norms[1](self.first(h))' if down else 'self.first(h)'}))",
        "        return avg_pool2d(h, 2) + self.shortcut(avg_pool2d(x, 2)) if self.pooled else h + x",
    )
    return [up_block, down_block]


def _glorot(c: GANConfig) -> str:
    return '''\
def initialise(body):
    """Glorot uniform weights, with gain sqrt(2) on the branch of a block, as the code of Miyato et al. 2018; biases 0."""
    for layer in body.modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    for block in body:
        if isinstance(block, (UpBlock, DownBlock)):
            nn.init.xavier_uniform_(block.first.weight, gain=2**0.5)
            nn.init.xavier_uniform_(block.second.weight, gain=2**0.5)'''


# StyleGAN2, small


def _style_sizes(c: GANConfig) -> list[int]:
    """Channels at the full size of the image, at half of it, and so on."""
    return [c.width * min(2**k, MAX_STYLE_GROWTH) for k in range(conv_blocks(c.size)[1] + 1)]


def _style_generator(c: GANConfig, inputs: str) -> list[str]:
    return [f"Synthesis({inputs})"]


def _style_discriminator(c: GANConfig, channels: int) -> tuple[list[str], str]:
    start, sizes = conv_blocks(c.size)[0], _style_sizes(c)
    last = sizes[-1]
    layers = [
        f"nn.Conv2d({channels}, {sizes[0]}, 1)",
        LEAKY,
        *[f"StyleBlock({a}, {b})" for a, b in zip(sizes, sizes[1:], strict=False)],
        f"nn.Conv2d({last}, {last}, 3, padding=1)",
        LEAKY,
        "nn.Flatten()",
        f"nn.Linear({last} * {start} * {start}, {last})",
        LEAKY,
    ]
    return layers, str(last)


_STYLE_LAYERS = f'''\
def noise(x):
    """One image of noise for each sample, as large as x: (B, 1, H, W)."""
    return torch.randn(len(x), 1, *x.shape[2:])


class StyledConv(nn.Module):
    """A convolution whose inputs are scaled by the style and whose outputs are scaled back; then noise, bias, LeakyReLU.

    Karras et al. 2020 (StyleGAN2), equations 1 and 3: inputs of unit variance give outputs of unit variance.
    """

    def __init__(self, inputs, outputs, up=False):
        super().__init__()
        self.up = up
        self.style = nn.Linear(STYLE, inputs)
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.bias = nn.Parameter(torch.zeros(outputs, 1, 1))
        self.strength = nn.Parameter(torch.zeros(1))

    def forward(self, x, w):
        scale, weight = self.style(w), self.conv.weight
        variance = scale.square() @ weight.square().sum((2, 3)).T  # (B, outputs)
        x = conv2d(x * scale[:, :, None, None], weight, padding=1)
        x = x * (2**0.5 * (variance + {STYLE_EPS}).rsqrt())[:, :, None, None]  # LeakyReLU leaves about the half of 2
        if self.up:
            x = interpolate(x, scale_factor=2, mode="bilinear")
        return leaky_relu(x + self.strength * noise(x) + self.bias, {SLOPE})


class ToImage(nn.Module):
    """A 1 x 1 convolution whose inputs are scaled by the style: (B, inputs, H, W) -> (B, channels, H, W)."""

    def __init__(self, inputs, channels):
        super().__init__()
        self.style = nn.Linear(STYLE, inputs)
        self.conv = nn.Conv2d(inputs, channels, 1, bias=False)

    def forward(self, x, w):
        return self.conv(x * self.style(w)[:, :, None, None])'''

_STYLE_BLOCK = f'''\
class StyleBlock(nn.Module):
    """(B, inputs, H, W) -> (B, outputs, H / 2, W / 2): two convolutions with LeakyReLU, and a shortcut past them."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.first = nn.Conv2d(inputs, inputs, 3, padding=1)
        self.second = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, x):
        h = avg_pool2d(leaky_relu(self.first(x), {SLOPE}), 2)
        return leaky_relu(self.second(h), {SLOPE}) + self.shortcut(avg_pool2d(x, 2))'''


def _style_parts(c: GANConfig) -> list[str]:
    start, sizes = conv_blocks(c.size)[0], _style_sizes(c)[::-1]
    mapping = [f"nn.Linear({'STYLE' if k else 'inputs'}, STYLE),\n{LEAKY}," for k in range(MAPPING_LAYERS)]
    convs = [f"StyledConv({sizes[0]}, {sizes[0]}),"]
    convs += [f"StyledConv({a}, {b}, up=True),\nStyledConv({b}, {b})," for a, b in zip(sizes, sizes[1:], strict=False)]
    synthesis = joined(
        "class Synthesis(nn.Module):",
        indented(
            joined(
                '"""Latents become a style w, which scales the channels of each convolution; images of all sizes are summed.',
                "\nKarras et al. 2020 (StyleGAN2), figure 7, without its blurs and equalised learning rates.",
                '"""\n',
                "def __init__(self, inputs):",
                indented(
                    joined(
                        "super().__init__()",
                        "self.mapping = nn.Sequential(",
                        indented(joined(*mapping)),
                        ")",
                        f"self.constant = nn.Parameter(torch.randn(1, {sizes[0]}, {start}, {start}))",
                        "self.convs = nn.ModuleList(\n    [",
                        indented(joined(*convs), 2),
                        "    ]\n)",
                        f"self.images = nn.ModuleList(ToImage(c, {c.shape[0]}) for c in {tuple(sizes)})",
                        f"self.bias = nn.Parameter(torch.zeros({c.shape[0]}, 1, 1))",
                    )
                ),
                "\ndef forward(self, z):",
                indented(
                    joined(
                        f"w = self.mapping(z * (z.square().mean(1, keepdim=True) + {STYLE_EPS}).rsqrt())",
                        "x = self.convs[0](self.constant.expand(len(w), -1, -1, -1), w)",
                        "image = self.images[0](x, w)",
                        "for k in range(1, len(self.images)):",
                        "    x = self.convs[2 * k](self.convs[2 * k - 1](x, w), w)",
                        '    image = interpolate(image, scale_factor=2, mode="bilinear") + self.images[k](x, w)',
                        "return (image + self.bias).tanh()",
                    )
                ),
            )
        ),
    )
    return [_STYLE_LAYERS, synthesis, _STYLE_BLOCK]


def _he_normal(c: GANConfig) -> str:
    return f'''\
def initialise(body):
    """He normal weights and biases 0, but styles that begin around 1 (He et al. 2015)."""
    for layer in body.modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            nn.init.kaiming_normal_(layer.weight, a={SLOPE})
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    for part in body.modules():
        if isinstance(part, (StyledConv, ToImage)):
            nn.init.normal_(part.style.weight, 0, part.style.in_features**-0.5)
            nn.init.ones_(part.style.bias)
        elif isinstance(part, StyleBlock):  # the two ways through a block begin with half the variance each
            with torch.no_grad():
                part.second.weight.mul_(0.5**0.5)
                part.shortcut.weight.mul_((0.5 * (1 + {SLOPE}**2) / 2) ** 0.5)'''


BODIES: dict[str, Bodies] = {
    "mlp": Bodies(_mlp_generator, _mlp_discriminator, _he),
    "dcgan": Bodies(_dcgan_generator, _dcgan_discriminator, _normal_002),
    "resnet": Bodies(_resnet_generator, _resnet_discriminator, _glorot, _resnet_parts, reads="self.body({}).sum((2, 3))"),
    "style": Bodies(_style_generator, _style_discriminator, _he_normal, _style_parts),
    "gumbel": Bodies(
        _gumbel_generator,
        _dcgan_discriminator,
        _normal_002,
        _gumbel_parts,
        makes="discrete(self.body({}), self.temperature)",
        state="self.temperature = TEMPERATURE",
    ),
}
