"""Building blocks with a member axis, and the flat storage that the optimisers and averages work on."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, normalize, one_hot

FIRST_ITERATIONS = 30  # of the power method on fresh weights; one for each update of the weights after that
STD_EPS = 1e-8  # under the root of the minibatch deviation, as Karras et al. 2018
SLOPE = 0.2  # of LeakyReLU, as in DCGAN
KERNEL_SIZE = 8  # numbers in which minibatch discrimination compares two samples, for each kernel


@dataclass(frozen=True)
class Spec:
    """What a network is built from.

    Attributes:
        members: E; convolutional networks hold one.
        inputs: numbers the generator turns into one sample: the latents, and what a condition adds.
        shape: of a sample, (2,) or (C, H, W).
        seen: shape of what the discriminator looks at: packed samples, with the planes of a label if there is one.
        width, depth, depth_d, init: as in GANConfig.
        batch_norm: "none", "generator" or "both".
        levels: values that a pixel of discrete data may have, or 0.
    """

    members: int
    inputs: int
    shape: tuple[int, ...]
    seen: tuple[int, ...]
    width: int
    depth: int
    batch_norm: str = "generator"
    levels: int = 0
    depth_d: int = 0
    init: str = "torch"


class SpectralNorm(nn.Module):
    """Largest singular values of E matrices (E, out, in) by the power method (Miyato et al. 2018, algorithm 1).

    `refresh` moves the singular vectors, and nothing else does, so that looking at a network never changes it.
    """

    def __init__(self, members: int, outputs: int, inputs: int):
        super().__init__()
        self.register_buffer("u", torch.zeros(members, outputs))
        self.register_buffer("v", torch.zeros(members, inputs))

    @torch.no_grad()
    def start(self, matrix: Tensor, generators: list[torch.Generator]) -> None:
        for row, generator in zip(self.u, generators, strict=True):
            row.normal_(generator=generator)
        for _ in range(FIRST_ITERATIONS):
            self.refresh(matrix)

    @torch.no_grad()
    def refresh(self, matrix: Tensor) -> None:
        self.v.copy_(normalize(torch.einsum("eo,eoi->ei", self.u, matrix), dim=1))
        self.u.copy_(normalize(torch.einsum("eoi,ei->eo", matrix, self.v), dim=1))

    def forward(self, matrix: Tensor) -> Tensor:
        """(E, out, in) -> (E,); the singular vectors count as constants in the derivative."""
        return torch.einsum("eo,eoi,ei->e", self.u, matrix, self.v)


class Normed:
    """A layer whose weight can be divided by its largest singular value."""

    norm: SpectralNorm | None

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.norm = None  # not on the class, where it would hide the submodule of that name

    def matrix(self) -> Tensor:
        """The weight as matrices (E, out, in)."""
        raise NotImplementedError

    def constrain(self, generators: list[torch.Generator]) -> None:
        matrix = self.matrix().detach()
        self.norm = SpectralNorm(*matrix.shape)
        self.norm.start(matrix, generators)

    def used_weight(self) -> Tensor:
        """The weight as the layer applies it."""
        if self.norm is None:
            return self.weight
        sigma = self.norm(self.matrix())  # (E,)
        return self.weight / (sigma[:, None, None] if self.weight.dim() == 3 else sigma)


class MemberLinear(Normed, nn.Module):
    """E linear layers at once: (E, B, in) -> (E, B, out), weights (E, in, out)."""

    def __init__(self, members: int, inputs: int, outputs: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(members, inputs, outputs))
        self.bias = nn.Parameter(torch.empty(members, 1, outputs))

    def matrix(self) -> Tensor:
        return self.weight.mT

    def forward(self, x: Tensor) -> Tensor:
        return torch.baddbmm(self.bias, x, self.used_weight())

    @torch.no_grad()
    def initialise(self, generators: list[torch.Generator], gain: float = 1.0) -> None:
        """Uniform in ±1/sqrt(in), as torch.nn.Linear, weights times `gain`; one generator a member, as in single runs."""
        bound = self.weight.shape[1] ** -0.5
        for member, generator in enumerate(generators):
            self.weight[member].uniform_(-gain * bound, gain * bound, generator=generator)
            self.bias[member].uniform_(-bound, bound, generator=generator)


class MemberEmbedding(nn.Module):
    """E tables of vectors for labels: (E, B) -> (E, B, size), weights (E, classes, size), drawn from N(0, scale²)."""

    def __init__(self, members: int, classes: int, size: int, scale: float = 1.0):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(members, classes, size))
        self.scale = scale

    def forward(self, labels: Tensor) -> Tensor:
        return self.mixed(one_hot(labels, self.weight.shape[1]))

    def mixed(self, weights: Tensor) -> Tensor:
        """Mixtures of the vectors: weights (E, B, classes) -> (E, B, size)."""
        return torch.bmm(weights.to(self.weight), self.weight)

    @torch.no_grad()
    def initialise(self, generators: list[torch.Generator]) -> None:
        for member, generator in enumerate(generators):
            self.weight[member].normal_(0, self.scale, generator=generator)


class Linear(Normed, nn.Linear):
    """A linear layer of a network with one member, (B, in) -> (B, out)."""

    def matrix(self) -> Tensor:
        return self.weight[None]

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.used_weight(), self.bias)


class Conv2d(Normed, nn.Conv2d):
    """A convolution whose weight counts as a matrix (out, in * kh * kw), as Miyato et al. 2018, section 3.1."""

    def matrix(self) -> Tensor:
        return self.weight.flatten(1)[None]

    def forward(self, x: Tensor) -> Tensor:
        return conv2d(x, self.used_weight(), self.bias, self.stride, self.padding)


class ConvTranspose2d(Normed, nn.ConvTranspose2d):
    """A transposed convolution; its weight is stored (in, out, kh, kw) and counts as a matrix (out, in * kh * kw)."""

    def matrix(self) -> Tensor:
        return self.weight.transpose(0, 1).flatten(1)[None]

    def forward(self, x: Tensor) -> Tensor:
        return conv_transpose2d(x, self.used_weight(), self.bias, self.stride, self.padding)


class ChannelsLast(nn.Module):
    """Convolutions run about a fifth faster on a CPU with the channels innermost."""

    def forward(self, x: Tensor) -> Tensor:
        return x.contiguous(memory_format=torch.channels_last)


def conv_blocks(size: int) -> tuple[int, int]:
    """(start, blocks) with start * 2**blocks == size: halve while even and above 4. 28 -> (7, 2), 32 -> (4, 3)."""
    blocks = 0
    while size > 4 and size % 2 == 0:
        size, blocks = size // 2, blocks + 1
    return size, blocks


def constrain(module: nn.Module, generators: list[torch.Generator]) -> None:
    """Put spectral normalisation on every linear and convolutional layer."""
    for layer in list(module.modules()):
        if isinstance(layer, Normed):
            layer.constrain(generators)


def constrained(module: nn.Module) -> list[Normed]:
    """The layers that carry spectral normalisation."""
    return [layer for layer in module.modules() if isinstance(layer, Normed) and layer.norm is not None]


def minibatch_deviation(h: Tensor, group: int, context: Tensor | None = None) -> Tensor:
    """Standard deviation over a group of samples, averaged over features: (E, B, F) -> (E, B, 1).

    Groups are `group` samples in a row; with a context (E, C, F) each sample forms a group with the first group - 1 of it.
    """
    members, batch, size = h.shape
    if context is None:
        groups = h.reshape(members, batch // group, group, size)
    else:
        others = context[:, None, : group - 1].expand(members, batch, group - 1, size)
        groups = torch.cat([h[:, :, None], others], 2)
    deviation = (groups.var(2, correction=0) + STD_EPS).sqrt().mean(-1)  # (E, groups)
    return deviation.repeat_interleave(batch // deviation.shape[1], 1)[..., None]


class MinibatchDiscrimination(nn.Module):
    """How close each sample lies to the others, for each of K learned kernels: (E, B, F) -> (E, B, K).

    o(x_i)_k = sum over j of exp(-|M_ik - M_jk|_1) with M = h T (Salimans et al. 2016, section 3.2).
    """

    def __init__(self, members: int, features: int, kernels: int):
        super().__init__()
        self.kernels = kernels
        self.tensor = MemberLinear(members, features, kernels * KERNEL_SIZE)

    def forward(self, h: Tensor, context: Tensor | None = None) -> Tensor:
        def project(x: Tensor) -> Tensor:
            return self.tensor(x).reshape(*x.shape[:2], self.kernels, KERNEL_SIZE)

        mine = project(h)
        others = mine if context is None else project(context)
        distance = (mine[:, :, None] - others[:, None]).abs().sum(-1)  # (E, B, C, K)
        return torch.exp(-distance).sum(2) + (0 if context is None else 1)  # a sample is always close to itself


class Head(nn.Module):
    """From a discriminator's features (E, B, F) to logits (E, B), with what looks at labels and at the batch.

    Args:
        projection: add the product of the features with a learned vector of the label (Miyato and Koyama 2018, equation 3).
        auxiliary: also tell the class (Odena et al. 2017, section 3).
        group: samples in a group of the minibatch deviation, 0 for none.
        kernels: of minibatch discrimination, 0 for none.
    """

    def __init__(
        self,
        members: int,
        features: int,
        classes: int = 0,
        projection: bool = False,
        auxiliary: bool = False,
        group: int = 0,
        kernels: int = 0,
    ):
        super().__init__()
        self.group = group
        self.logit = MemberLinear(members, features + kernels + (1 if group else 0), 1)
        self.projection = MemberEmbedding(members, classes, features, features**-0.5) if projection else None
        self.classifier = MemberLinear(members, features, classes) if auxiliary else None
        self.similarity = MinibatchDiscrimination(members, features, kernels) if kernels else None

    def forward(self, h: Tensor, labels: Tensor | None = None, context: Tensor | None = None) -> Tensor:
        """Logits (E, B). `context` (E, C, F): features of other samples to compare with, instead of the batch's own."""
        parts = [h]
        if self.group:
            parts.append(minibatch_deviation(h, self.group, context))
        if self.similarity is not None:
            parts.append(self.similarity(h, context))
        logits = self.logit(torch.cat(parts, 2) if len(parts) > 1 else h).squeeze(-1)
        return logits if self.projection is None else logits + (self.projection(labels) * h).sum(-1)

    def classify(self, h: Tensor) -> Tensor:
        """Logits (E, B, classes) of the auxiliary classifier."""
        return self.classifier(h)

    def initialise(self, generators: list[torch.Generator]) -> None:
        for part in (self.logit, self.projection, self.classifier, self.similarity and self.similarity.tensor):
            if part is not None:
                part.initialise(generators)


def flatten_parameters(module: nn.Module, members: int) -> Tensor:
    """Move all parameters of `module` into one tensor (E, P) and make them views of it.

    Whoever writes to the returned tensor changes the network. With one member, parameters need no member axis.

    Returns:
        The shared storage, (E, P); row e holds member e.
    """
    parameters = list(module.parameters())
    flat = torch.cat([p.detach().reshape(members, -1) for p in parameters], 1)
    for p, view in zip(parameters, parameter_views(flat, parameters), strict=True):
        p.data = view
    return flat


def parameter_views(flat: Tensor, parameters: list[nn.Parameter]) -> list[Tensor]:
    """The flat storage (E, P) cut into tensors of the parameters' shapes."""
    views, start = [], 0
    for p in parameters:
        end = start + p.numel() // len(flat)
        views.append(flat[:, start:end].view(p.shape))
        start = end
    return views


def flat_gradient(loss: Tensor, parameters: list[nn.Parameter] | list[Tensor], members: int, again: bool = False) -> Tensor:
    """Gradient of a scalar with respect to these parameters only, (E, P), in the order of the flat storage.

    `again`: the gradient will itself be differentiated.
    """
    gradients = torch.autograd.grad(loss, parameters, create_graph=again)
    return torch.cat([g.reshape(members, -1) for g in gradients], 1)
