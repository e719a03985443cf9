"""CONDITIONS: how generator and discriminator are told a sample's class, and the two networks that know it.

Labels are (E, B) int64. With several samples in a pack they are (E, B, m), one for each of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from .layers import Head, MemberEmbedding

EMBEDDING = 16  # numbers in which a learned vector tells the class


@dataclass(frozen=True)
class Condition:
    """A way to condition both networks on a label.

    Attributes:
        learned: the label goes in as a learned vector instead of as zeros and a one.
        at_input: the discriminator sees the label beside the sample.
        projection: the discriminator multiplies its features with a learned vector of the label.
        auxiliary: the discriminator also tells the class.
    """

    title: str
    text: str
    formula: str
    source: str
    use: str
    cost: str
    learned: bool = False
    at_input: bool = False
    projection: bool = False
    auxiliary: bool = False


CONDITIONS: dict[str, Condition] = {
    "none": Condition("None", "The networks do not know of classes.", "G(z), D(x)", "", "Where there are no labels.", "Nothing."),
    "concat": Condition(
        "Concatenation",
        "The label as zeros and a one, beside the noise and beside the sample.",
        "G([z, y]), D([x, y])",
        "Mirza and Osindero 2014, section 3.2",
        "The plain conditional GAN; few classes.",
        "One more channel for each class at the discriminator's input.",
        at_input=True,
    ),
    "embedding": Condition(
        "Embedding",
        "The label as a learned vector beside the noise, and as one learned channel beside the sample.",
        "G([z, e(y)]), D([x, e'(y)])",
        "Denton et al. 2015, section 2.2; Reed et al. 2016",
        "Many classes.",
        "One more channel at the discriminator's input.",
        learned=True,
        at_input=True,
    ),
    "projection": Condition(
        "Projection",
        "The discriminator adds the product of its features with a learned vector of the label.",
        "D(x, y) = w·φ(x) + v(y)·φ(x)",
        "Miyato and Koyama 2018, equation 3",
        "The usual choice for images of many classes.",
        "Hardly anything.",
        projection=True,
    ),
    "auxiliary": Condition(
        "Auxiliary classifier",
        "The discriminator also tells the class, and the generator is rewarded where it tells the right one.",
        "L + w · CE(class of x, y), for both networks",
        "Odena et al. 2017, section 3",
        "Where samples should be easy to classify; it may cost variety within a class.",
        "One more pass through the discriminator's layers for each batch.",
        auxiliary=True,
    ),
}


class Generator(nn.Module):
    """A body behind its condition: latents (E, B, Z) and labels (E, B) -> samples (E, B, ...).

    Labels may also be mixtures of the classes: weights (E, B, classes), floating point.
    """

    def __init__(self, body: nn.Module, members: int, condition: str, classes: int):
        super().__init__()
        self.body, self.classes = body, classes if condition != "none" else 0
        learned = CONDITIONS[condition].learned
        self.embedding = MemberEmbedding(members, classes, EMBEDDING) if learned else None

    @staticmethod
    def extra(condition: str, classes: int) -> int:
        """How many numbers a condition adds to the latents."""
        return 0 if condition == "none" else EMBEDDING if CONDITIONS[condition].learned else classes

    @property
    def noise_numbers(self) -> int:
        """Numbers of its own randomness that it takes for each sample beside the latents."""
        return getattr(self.body, "noise_numbers", 0)

    def forward(self, z: Tensor, labels: Tensor | None = None, noise: Tensor | None = None) -> Tensor:
        return self.body(self.told(z, labels), noise)

    def told(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """What the body gets: the latents, and behind them what tells the class."""
        if not self.classes:
            return z
        weights = labels if labels.is_floating_point() else one_hot(labels, self.classes)
        return torch.cat([z, weights.to(z) if self.embedding is None else self.embedding.mixed(weights)], 2)

    def initialise(self, generators: list[torch.Generator]) -> None:
        self.body.initialise(generators)
        if self.embedding is not None:
            self.embedding.initialise(generators)


class Discriminator(nn.Module):
    """A body between its condition and its head: samples (E, B, *shape) and labels (E, B) -> logits (E, B).

    Args:
        shape: of a sample before packing, (2,) or (C, H, W).
        pack: samples that are judged together, joined along channels or features.
        group, kernels: see `layers.Head`.
    """

    def __init__(
        self,
        body: nn.Module,
        members: int,
        shape: tuple[int, ...],
        condition: str,
        classes: int,
        pack: int = 1,
        group: int = 0,
        kernels: int = 0,
    ):
        super().__init__()
        entry = CONDITIONS[condition]
        self.body, self.shape, self.pack = body, shape, pack
        self.classes = classes if entry.at_input else 0
        self.head = Head(members, body.features, classes, entry.projection, entry.auxiliary, group, kernels)
        self.embedding = MemberEmbedding(members, classes, _told(shape)) if entry.learned else None

    @staticmethod
    def seen(shape: tuple[int, ...], condition: str, classes: int, pack: int) -> tuple[int, ...]:
        """Shape of what the body looks at."""
        entry = CONDITIONS[condition]
        each = 0 if not entry.at_input else classes if not entry.learned else 1 if len(shape) == 3 else EMBEDDING
        return (pack * (shape[0] + each), *shape[1:])

    def features(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Features (E, B, F) of packed samples (E, B, m * C, ...)."""
        if self.classes:
            x = torch.cat([x, self._planes(labels).to(x)], 2)
        return self.body(x)

    def _planes(self, labels: Tensor) -> Tensor:
        """Labels (E, B) or (E, B, m) as channels or features beside the sample."""
        members, batch = labels.shape[:2]
        if self.embedding is None:
            told = one_hot(labels, self.classes).reshape(members, batch, -1)
            return told if len(self.shape) == 1 else told[..., None, None].expand(-1, -1, -1, *self.shape[1:])
        told = self.embedding(labels.reshape(members, -1))
        return told.reshape(members, batch, -1, *self.shape[1:])

    def forward(self, x: Tensor, labels: Tensor | None = None, context: Tensor | None = None, classify: bool = False) -> Tensor:
        """Logits (E, B).

        Args:
            context: features of real samples to compare with where the head looks at the batch.
            classify: the auxiliary classifier's logits instead, (E, B, classes).
        """
        features = self.features(x, labels)
        return self.head.classify(features) if classify else self.head(features, labels, context)

    def initialise(self, generators: list[torch.Generator]) -> None:
        for part in (self.body, self.head, self.embedding):
            if part is not None:
                part.initialise(generators)


def _told(shape: tuple[int, ...]) -> int:
    """Numbers of the learned vector that the discriminator sees: a channel of an image, or features beside a point."""
    return prod(shape[1:]) if len(shape) == 3 else EMBEDDING
