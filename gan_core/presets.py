"""PRESETS: recipes that work, and pairs of one that fails and one that holds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from .config import GANConfig
from .errors import ConfigError


@dataclass(frozen=True)
class Preset:
    """A named recipe: what a person will see, and its config.

    Attributes:
        seeds: over how many seeds `benchmarks.catalogue` shows how it does, or 0 where modes cannot be counted.
        fails: it is there to be seen failing.
    """

    title: str
    text: str
    config: GANConfig
    seeds: int = 0
    fails: bool = False


@dataclass(frozen=True)
class Pair:
    """Two recipes with one seed, the first of which fails where the second holds."""

    title: str
    text: str
    fails: GANConfig
    holds: GANConfig

    def difference(self) -> dict[str, tuple]:
        """Fields in which the two differ: name -> (value that fails, value that holds)."""
        a, b = self.fails.model_dump(), self.holds.model_dump()
        return {name: (a[name], b[name]) for name in a if a[name] != b[name]}


_CONV = {"network": "dcgan", "latent_dim": 64, "batch_size": 64, "lr_g": 2e-4, "lr_d": 2e-4, "ema_decay": 0.99}

# noise in more islands than the data have modes, and first weights that keep the size of activations
_ISLANDS = {"latent": "coins", "latent_modes": 6, "init": "he"}

PRESETS: dict[str, Preset] = {
    "ring": Preset(
        "Ring of eight",
        "Eight islands on a circle. Watch the orange points find all eight within seconds.",
        GANConfig(dataset="ring8", steps=5000),
    ),
    "sharp_ring": Preset(
        "Ring of eight, sharp",
        "Coin tosses in the noise give each island its own piece of it; learning rates fall to 2 %. All eight on every seed.",
        GANConfig(
            dataset="ring8",
            steps=1000,
            width=64,
            depth=3,
            latent_dim=8,
            lr_g=2e-3,
            lr_d=2e-3,
            ema_decay=0.98,
            lr_schedule="linear",
            **_ISLANDS,
        ),
        seeds=10,
    ),
    "grid": Preset(
        "Grid of 25",
        "Twenty-five tiny islands, the hard test of the PacGAN paper. All found within seconds; to stay on them takes longer.",
        GANConfig(
            dataset="grid25",
            steps=6000,
            width=128,
            depth=3,
            depth_d=4,
            latent_dim=10,
            lr_g=1e-3,
            lr_d=2e-3,
            ema_decay=0.99,
            lr_schedule="exponential",
            **{**_ISLANDS, "latent_modes": 8},
        ),
        seeds=10,
    ),
    "swiss_roll": Preset(
        "Swiss roll",
        "One thin spiral: no modes to lose, but a hard shape. A relativistic loss with R1 and R2.",
        GANConfig(dataset="swiss_roll", steps=5000, loss="relativistic", penalty="r1_r2", penalty_weight=0.05, ema_decay=0.99),
    ),
    "digits": Preset(
        "Digits",
        "Small handwritten digits, 8 × 8. The first are readable after some 500 steps.",
        GANConfig(dataset="digits", width=32, steps=3000, **_CONV),
    ),
    "conditional_digits": Preset(
        "Digits by class",
        "Both networks know the class: ask for a 3 and get a 3. Each column is a class, each row one noise vector.",
        GANConfig(dataset="digits", width=16, steps=3000, conditional="projection", penalty="r1", penalty_weight=0.1, **_CONV),
    ),
    "binary_digits": Preset(
        "Black and white digits",
        "Discrete data: the generator draws each pixel black or white, and learns through the draw (Gumbel-softmax).",
        GANConfig(
            dataset="digits",
            levels=2,
            width=32,
            steps=3000,
            conditional="concat",
            penalty="r1",
            penalty_weight=0.3,
            **{**_CONV, "network": "gumbel"},
        ),
    ),
    "pixelcnn": Preset(
        "PixelCNN, no GAN",
        "The same black and white digits learnt pixel by pixel, by likelihood: a baseline that cannot collapse.",
        GANConfig(
            dataset="digits",
            levels=2,
            network="pixelcnn",
            conditional="embedding",
            width=16,
            depth=5,
            batch_size=64,
            steps=1000,
            beta1=0.9,
            ema_decay=0.99,
        ),
    ),
    "mnist": Preset(
        "MNIST",
        "The classic, 28 × 28. Strokes after 100 steps, digits after 1,000.",
        GANConfig(dataset="mnist", width=32, steps=5000, **_CONV),
    ),
    "slow_discriminator": Preset(
        "Total collapse",
        "The discriminator learns ten times slower than the generator, which heaps all samples on one spot and jumps on.",
        GANConfig(dataset="ring8", steps=3000, lr_d=1e-4),
        seeds=10,
        fails=True,
    ),
    "bare_critic": Preset(
        "A critic without bounds",
        "The Wasserstein loss with nothing that keeps the critic smooth: its slopes throw the samples about.",
        GANConfig(dataset="ring8", steps=3000, loss="wasserstein"),
        seeds=10,
        fails=True,
    ),
    "clipped_critic": Preset(
        "A clipped critic",
        "WGAN as first published, weights kept in a box of 0.01: it does not fall apart, but learns hardly anything.",
        GANConfig(
            dataset="ring8",
            steps=3000,
            loss="wasserstein",
            penalty="clip",
            penalty_weight=0.01,
            optimizer="rmsprop",
            beta2=0.99,
            lr_g=5e-5,
            lr_d=5e-5,
            d_steps=5,
        ),
        seeds=10,
        fails=True,
    ),
    "gan_lab_islands": Preset(
        "GAN Lab's three islands",
        "What GAN Lab calls disjoint, with nearly its own settings and plain descent: on most seeds an island is missed.",
        GANConfig(
            dataset="disjoint3",
            steps=3000,
            optimizer="sgd",
            beta1=0,
            lr_d=0.1,
            lr_g=0.03,
            batch_size=150,
            latent_dim=2,
            width=10,
            depth=4,
            label_smoothing=0.05,
        ),
        seeds=10,
        fails=True,
    ),
}

PAIRS: dict[str, Pair] = {
    "slow_discriminator": Pair(
        "A discriminator that learns too slowly",
        "Left, the discriminator learns ten times slower than the generator, which heaps all its samples wherever it is "
        "praised and jumps on when the praise moves. Right, both learn equally fast.",
        GANConfig(dataset="ring8", steps=3000, lr_d=1e-4),
        GANConfig(dataset="ring8", steps=3000, lr_d=1e-3),
    ),
    "unrolled": Pair(
        "The same, unrolled",
        "The discriminator is as slow on both sides. Right, the generator learns against the discriminator as it would be five "
        "updates later, and spreads out.",
        GANConfig(dataset="ring8", width=64, steps=1500, lr_d=1e-4),
        GANConfig(dataset="ring8", width=64, steps=1500, lr_d=1e-4, unroll_steps=5),
    ),
    "connected_noise": Pair(
        "Noise in one piece, noise in islands",
        "All else is equal. Left, the noise is one cloud, and what a network makes of it is one piece too: bridges between "
        "islands, and islands left out. Right, its first eight numbers are coin tosses.",
        PRESETS["grid"].config.but(latent="normal"),
        PRESETS["grid"].config,
    ),
    "bare_critic": Pair(
        "A Wasserstein critic without its penalty",
        "A Wasserstein critic must be smooth. Left, nothing keeps it so and its slopes throw the samples about. Right, the "
        "gradient penalty of WGAN-GP holds it.",
        GANConfig(dataset="ring8", steps=3000, loss="wasserstein", penalty_weight=0.1),
        GANConfig(dataset="ring8", steps=3000, loss="wasserstein", penalty="wgan_gp", penalty_weight=0.1),
    ),
}


def read_config(name_or_path: str) -> GANConfig:
    """The preset of this name, or the config in this JSON file.

    Raises:
        ConfigError: neither exists, or the file holds no valid config.
    """
    if name_or_path in PRESETS:
        return PRESETS[name_or_path].config
    path = Path(name_or_path)
    if not path.is_file():
        raise ConfigError(f"There is no preset and no file {name_or_path}. The presets are: {', '.join(PRESETS)}.")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f'{path} cannot be read as JSON ({error}). A config looks like {{"dataset": "ring8", "steps": 2000}}.'
        ) from error
    return GANConfig.parse(values)
