"""The code of the two networks of an exported script: what stands around the bodies of `script_bodies`.

What a condition, company or spectral normalisation adds is written here, as `conditions.Generator`,
`conditions.Discriminator` and `layers.Head` do it. Parameters stand in the order of the engine's.
"""

from __future__ import annotations

from math import prod

from .conditions import CONDITIONS, EMBEDDING, Discriminator, Generator
from .config import GANConfig
from .layers import FIRST_ITERATIONS, KERNEL_SIZE, STD_EPS
from .script_bodies import BODIES
from .script_text import docstring, indented, joined


def _spectral(c: GANConfig) -> str:
    if c.spectral_norm == "none":
        return ""
    transposed = c.spectral_norm == "both" and any("Transpose" in layer for layer in BODIES[c.network].generator(c, ""))
    argument, keep = (", transposed", "        self.transposed = transposed\n") if transposed else ("", "")
    matrix = "(weight.transpose(0, 1) if self.transposed else weight).flatten(1)" if transposed else "weight.flatten(1)"
    kinds = "nn.Linear, nn.Conv2d" if len(c.shape) == 3 and c.network != "mlp" else "nn.Linear"
    kinds = f"({kinds}, nn.ConvTranspose2d)" if transposed else f"({kinds})" if "," in kinds else kinds
    kind = ", isinstance(layer, nn.ConvTranspose2d)" if transposed else ""
    return f'''\
class SpectralNorm(nn.Module):
    """Divides a weight by its largest singular value, from the power method (Miyato et al. 2018, algorithm 1)."""

    def __init__(self, weight{argument}):
        super().__init__()
{keep}        rows, columns = self.matrix(weight).shape
        self.register_buffer("u", torch.randn(rows))
        self.register_buffer("v", torch.zeros(columns))
        for _ in range({FIRST_ITERATIONS}):
            self.refresh(weight)

    def matrix(self, weight):
        """(out, in), with all that one output reads in a row."""
        return {matrix}

    def forward(self, weight):
        return weight / (self.u @ self.matrix(weight) @ self.v)

    @torch.no_grad()
    def refresh(self, weight):
        """One step of the power method."""
        matrix = self.matrix(weight)
        self.v.copy_(normalize(self.u @ matrix, dim=0))
        self.u.copy_(normalize(matrix @ self.v, dim=0))


def constrain(network):
    """Puts spectral normalisation on every linear and convolutional layer."""
    for layer in list(network.modules()):
        if isinstance(layer, {kinds}):
            norm = SpectralNorm(layer.weight{kind})
            parametrize.register_parametrization(layer, "weight", norm)


def refresh(network):
    """The singular vectors follow the weights."""
    for layer in network.modules():
        if parametrize.is_parametrized(layer):
            layer.parametrizations.weight[0].refresh(layer.parametrizations.weight.original)'''


def _deviation(c: GANConfig) -> str:
    if not c.minibatch_std:
        return ""
    return f'''\
def minibatch_deviation(h):
    """How much a group of GROUP samples differs: (B, F) -> (B, 1). Karras et al. 2018, section 3."""
    groups = h.reshape(-1, GROUP, h.shape[1])
    deviation = (groups.var(1, correction=0) + {STD_EPS}).sqrt().mean(1)
    return deviation.repeat_interleave(GROUP)[:, None]'''


def _similarity(c: GANConfig) -> str:
    if not c.minibatch_discrimination:
        return ""
    return '''\
def closeness(m):
    """How close each sample is to the others in each of K kernels: (B, K, S) -> (B, K). Salimans et al. 2016, section 3.2."""
    distance = (m[:, None] - m[None]).abs().sum(-1)  # (B, B, K)
    return torch.exp(-distance).sum(1)'''


def _layers(layers: list[str]) -> str:
    if len(layers) == 1:
        return f"self.body = {layers[0]}"
    return joined("self.body = nn.Sequential(", indented(",\n".join(layers) + ","), ")")


def _module(name: str, text: str, init: str, arguments: str, forward: str) -> str:
    return joined(
        f"class {name}(nn.Module):",
        indented(docstring(text)) + "\n",
        indented("def __init__(self):"),
        indented(joined("super().__init__()", init), 2) + "\n",
        indented(f"def forward({arguments}):"),
        indented(forward, 2),
    )


def _generator(c: GANConfig) -> str:
    condition, bodies = CONDITIONS[c.conditional], BODIES[c.network]
    more = f" + {'CLASSES' if not condition.learned else Generator.extra(c.conditional, c.classes)}" if c.classes else ""
    init = joined(
        _layers(bodies.generator(c, f"LATENT_DIM{more}")),
        bodies.initialise(c) and "initialise(self.body)",
        condition.learned and f"self.embedding = nn.Embedding(CLASSES, {EMBEDDING})",
        bodies.state,
        c.spectral_norm == "both" and "constrain(self)",
    )
    told = "self.embedding(labels)" if condition.learned else "one_hot(labels, CLASSES)"
    forward = "return " + bodies.makes.format(f"torch.cat([z, {told}], 1)" if c.classes else "z")
    source = f" {condition.source}." if condition.source and c.classes else ""
    labels = " and labels (B,)" if c.classes else ""
    text = f"Latents (B, {c.latent_dim}){labels} -> samples (B, {', '.join(map(str, c.shape))}).{source}"
    return _module("Generator", text, init, "self, z, labels" if c.classes else "self, z", forward)


def _discriminator(c: GANConfig) -> str:
    condition, bodies, images = CONDITIONS[c.conditional], BODIES[c.network], len(c.shape) == 3
    seen = Discriminator.seen(c.shape, c.conditional, c.classes, c.pack)
    layers, features = bodies.discriminator(c, seen[0])
    kernels = c.minibatch_discrimination
    plane = prod(c.shape[1:]) if images else EMBEDDING
    init = joined(
        _layers(layers),
        bodies.initialise(c) and "initialise(self.body)",
        f"self.logit = nn.Linear({features}{f' + {kernels}' if kernels else ''}{' + 1' if c.minibatch_std else ''}, 1)",
        condition.projection and f"self.projection = nn.Embedding(CLASSES, {features})",
        condition.projection and f"nn.init.normal_(self.projection.weight, std=({features}) ** -0.5)",
        condition.auxiliary and f"self.classifier = nn.Linear({features}, CLASSES)",
        kernels and f"self.kernels = nn.Linear({features}, {kernels} * {KERNEL_SIZE})",
        condition.learned and f"self.embedding = nn.Embedding(CLASSES, {plane})",
        c.spectral_norm != "none" and "constrain(self)",
    )
    told = "self.embedding(labels)" if condition.learned else "one_hot(labels, CLASSES)"
    if images:
        many = f"{c.pack} * CLASSES" if c.pack > 1 else "CLASSES"
        several = "-1" if condition.learned else many
        told = (
            f"{told}.reshape(len(x), {several}, {c.size}, {c.size})"
            if condition.learned
            else f"{told}.reshape(len(x), {several}, 1, 1).expand(-1, -1, {c.size}, {c.size})"
        )
    elif c.pack > 1:
        told += ".flatten(1)"
    parts = ["h", *["minibatch_deviation(h)"] * bool(c.minibatch_std)]
    parts += [f"closeness(self.kernels(h).reshape(-1, {kernels}, {KERNEL_SIZE}))"] * bool(kernels)
    logits = f"self.logit({'torch.cat([' + ', '.join(parts) + '], 1)' if len(parts) > 1 else 'h'}).squeeze(1)"
    forward = joined(
        "h = " + bodies.reads.format(f"torch.cat([x, {told}], 1)" if condition.at_input else "x"),
        condition.auxiliary and "if classify:\n    return self.classifier(h)",
        f"return {logits}" + (" + (self.projection(labels) * h).sum(1)" if condition.projection else ""),
    )
    arguments = "self, x" + (", labels" if tells(c) else "") + (", classify=False" if condition.auxiliary else "")
    shape = ", ".join(map(str, (c.pack * c.shape[0], *c.shape[1:])))
    several = f", {c.pack} in a pack (Lin et al. 2018, section 2)," if c.pack > 1 else ""
    labels = f" and labels (B{f', {c.pack}' if c.pack > 1 else ','})" if tells(c) else ""
    classes = f", or logits of the classes (B, {c.classes})" if condition.auxiliary else ""
    text = f"Samples (B, {shape}){several}{labels} -> logits (B,){classes}."
    return _module("Discriminator", text, init, arguments, forward)


def tells(c: GANConfig) -> bool:
    """Whether the discriminator is told the class."""
    return CONDITIONS[c.conditional].at_input or CONDITIONS[c.conditional].projection


def networks(c: GANConfig) -> list[str]:
    """The functions and classes that make up both networks, in the order in which they use each other."""
    bodies = BODIES[c.network]
    parts = [
        *bodies.parts(c),
        bodies.initialise(c),
        _spectral(c),
        _deviation(c),
        _similarity(c),
        _generator(c),
        _discriminator(c),
    ]
    return [part for part in parts if part]
