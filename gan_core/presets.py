"""PRESETS: recipes that work, and some that are there to be seen failing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .config import GANConfig
from .errors import ConfigError
from .points import encode_points

FILE_LIMIT = 2**20  # bytes of a config


@dataclass(frozen=True)
class Preset:
    """A named recipe: what a person will see, and its config.

    Attributes:
        seeds: over how many seeds `benchmarks.catalogue` shows how it does, or 0 where modes cannot be counted.
        fails: it is there to be seen failing.
        story: two or three sentences for who watches it: where to look, and when. `benchmarks.stories` holds them to what
            happens on five seeds.
    """

    title: str
    text: str
    config: GANConfig
    seeds: int = 0
    fails: bool = False
    story: str = ""


_CONV = {"network": "dcgan", "latent_dim": 64, "batch_size": 64, "lr_g": 2e-4, "lr_d": 2e-4, "ema_decay": 0.99}

# plain descent as GAN Lab has it: Kahng et al. 2019, and the defaults in its code
_LAB = {
    "steps": 3000,
    "optimizer": "sgd",
    "beta1": 0,
    "batch_size": 150,
    "latent_dim": 2,
    "label_smoothing": 0.05,
}
_LAB_RATES = {"lr_d": 0.1, "lr_g": 0.03}


def _ellipse() -> str:
    """GAN Lab's ring as a drawing: around (0.5, 0.45), radii 0.3 and 0.25."""
    turn = np.linspace(0, 2 * np.pi, 128, endpoint=False)
    return encode_points(np.stack([0.5 + 0.3 * np.cos(turn), 0.45 + 0.25 * np.sin(turn)], 1))


# a discriminator that wins at once: what its loss then leaves for the generator
_OUTRUN = {
    "dataset": "ring8",
    "width": 64,
    "batch_size": 128,
    "steps": 1500,
    "optimizer": "sgd",
    "beta1": 0,
    "lr_g": 0.01,
    "lr_d": 0.5,
}

# noise in more islands than the data have modes, and first weights that keep the size of activations
_ISLANDS = {"latent": "coins", "latent_modes": 6, "init": "he"}

PRESETS: dict[str, Preset] = {
    "ring": Preset(
        "Ring of eight",
        "Eight islands on a circle. Watch the orange points find all of them within seconds.",
        GANConfig(dataset="ring8", steps=5000, penalty="r1", penalty_weight=0.1),
        story=(
            "By step 200 the orange points are one cloud over the whole ring, and about one sample in ten is good. Watch the "
            "bars: by step 1,000 all eight are solid, and stay so. At the end more than four of five samples are good, "
            "the others lie on bridges between islands; set the penalty to None and start again, to see what it is for."
        ),
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
        story=(
            "Up to step 300 there is little but blurred strokes, and the number of classes stays at four or fewer. By step 500 "
            "all ten digits have turned up: look for them in the grid, where each place keeps its noise and changes its mind. "
            "Watch the share of good samples go on rising, to more than four in ten by step 700."
        ),
    ),
    "conditional_digits": Preset(
        "Digits by class",
        "Both networks know the class: ask for a 3 and get a 3. Each column is a class, each row one noise vector.",
        GANConfig(dataset="digits", width=16, steps=3000, conditional="projection", penalty="r1", penalty_weight=0.1, **_CONV),
        story=(
            "A column for each digit, a row for each noise vector. At step 300 the columns still look alike. By step 500 "
            "all ten digits are there, each in its own column, and by step 700 nearly every sample is good: from "
            "then on compare the rows, which are handwritings."
        ),
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
        "Mode collapse",
        "The discriminator learns ten times slower than the generator, which heaps all samples on one spot and jumps on.",
        GANConfig(dataset="ring8", steps=3000, lr_d=1e-4),
        seeds=10,
        fails=True,
        story=(
            "Collapse in 20 seconds: by step 300 all orange points are heaped together, and hardly ever is more than one island "
            "of eight covered. Keep your eye on the heap, which does not stay: when the slow discriminator has found it, it "
            "jumps on. The story of the next card is the cure."
        ),
    ),
    "collapse_cured": Preset(
        "Mode collapse, cured",
        "The same slow discriminator, in a smaller network, against a generator that looks five of its updates ahead.",
        GANConfig(dataset="ring8", width=64, batch_size=128, steps=2500, lr_d=1e-4, unroll_steps=5),
        story=(
            "Each step takes several times as long, because the generator looks ahead to where the discriminator will be "
            "(unrolling). The heap spreads instead of jumping: by step 1,000 one cloud covers all eight islands. From then "
            "on watch the bars turn solid, until all eight are held at the end."
        ),
    ),
    "bare_critic": Preset(
        "A critic without bounds",
        "The Wasserstein loss with nothing that keeps the critic smooth: its slopes throw the samples about.",
        GANConfig(dataset="ring8", steps=3000, loss="wasserstein"),
        seeds=10,
        fails=True,
        story=(
            "The Wasserstein loss asks for a critic that is nowhere steep, and here nothing sees to that. Watch the samples: its "
            "slopes throw them as a heap from place to place, and fewer than three in ten are ever good. At the end no "
            "more than two islands of eight are covered."
        ),
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
        story=(
            "Clipping keeps the critic from being steep, and leaves it too simple: look at its curve of logits, which stays "
            "all but flat. At the end all eight islands count as covered, but look at the picture: it is "
            "one cloud over everything, and about one sample in twelve is good."
        ),
    ),
    "saturating": Preset(
        "A loss that saturates",
        "The loss of the first formula, log(1 - D), against a discriminator that wins at once: it falls silent.",
        GANConfig(loss="minimax", **_OUTRUN),
        fails=True,
        story=(
            "Nothing moves, and that is the story: the heap in the middle still stands there at the last step, with no "
            "island covered. The discriminator is sure of every sample within the first 100 steps, and where it is "
            "sure, log(1 - D) is flat. The next card changes the loss alone."
        ),
    ),
    "nonsaturating": Preset(
        "The same, not saturating",
        "Only the loss is another: -log D is steep just where the discriminator is sure.",
        GANConfig(**_OUTRUN),
        fails=True,
        story=(
            "The same networks, rates and seed as before, but the heap leaves the middle at once: within 100 steps it lies "
            "on an island. Look at the number to see what the loss does not mend: at the end four islands or fewer are "
            "held, for the discriminator is still too fast."
        ),
    ),
    "strong_discriminator": Preset(
        "A discriminator that is too strong",
        "It learns a thousand times faster than the generator, and tells every sample.",
        GANConfig(dataset="ring8", width=64, batch_size=128, steps=1500, lr_d=1e-2, lr_g=1e-5),
        fails=True,
        story=(
            "Look at the loss of the discriminator: it is near nothing within 100 steps, because it tells every "
            "sample. The generator hears where to go and cannot keep up: at step 500 not one sample is good, and at the end "
            "hardly any. While it trains, the verdict names what is the matter, and what to change."
        ),
    ),
    "gan_lab_gaussians": Preset(
        "GAN Lab's two clouds",
        "What GAN Lab calls gaussians, with nearly its own settings: two networks of some hundred weights.",
        GANConfig(dataset="two_gaussians", width=8, depth=3, d_steps=2, **_LAB_RATES, **_LAB),
        story=(
            "Plain descent begins slowly: around step 500 the clouds are often unequal, and the samples lean to one of "
            "them. By step 1,500 both are held and nine of ten samples are good, on every seed that was tried."
        ),
    ),
    "gan_lab_islands": Preset(
        "GAN Lab's three islands",
        "What GAN Lab calls disjoint, with nearly its own settings and plain descent: on most seeds an island is missed.",
        GANConfig(dataset="disjoint3", width=10, depth=4, **_LAB_RATES, **_LAB),
        seeds=10,
        fails=True,
        story=(
            "Three small islands, and samples that jump between them as one heap. Look at the number: on nine of "
            "ten seeds at least one island is still missed at the end. Try another seed, or the Mode collapse page, "
            "which tries many."
        ),
    ),
    "gan_lab_ring": Preset(
        "GAN Lab's ring",
        "What GAN Lab calls ring, drawn as points, with nearly its own settings: an ellipse, and noise from a square.",
        GANConfig(
            dataset="drawn",
            points=_ellipse(),
            width=10,
            depth=3,
            depth_d=4,
            latent="uniform",
            d_steps=3,
            **_LAB_RATES,
            **_LAB,
        ),
        story=(
            "A ring has no islands to count, so watch its shape: a heap or an arc chases the ellipse. On most seeds it "
            "lies nearly all around it at some moment between step 500 and 3,000, and seldom stays so: drag the slider back "
            "to find that moment."
        ),
    ),
    "gan_lab_line": Preset(
        "GAN Lab's line",
        "What GAN Lab calls line, with nearly its own settings: a thin line, and networks of five neurons a layer.",
        GANConfig(dataset="line", width=5, depth=3, latent="uniform", d_steps=2, lr_d=0.03, lr_g=0.01, **_LAB),
        story=(
            "For the first 500 steps the samples are a small heap that looks for the line. Then watch whether the heap opens: "
            "on some seeds it has spread along the line by step 3,000, on others it is a spot to the end. Change the seed to "
            "see both."
        ),
    ),
}


def preset_of(config: GANConfig) -> Preset | None:
    """The preset whose recipe a config is, whatever its seed, length and device."""
    free = ("seed", "steps", "device")

    def recipe(c: GANConfig) -> dict[str, Any]:
        return c.model_dump(exclude=set(free))

    return next((preset for preset in PRESETS.values() if recipe(preset.config) == recipe(config)), None)


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
    if (size := path.stat().st_size) > FILE_LIMIT:
        raise ConfigError(f"{path} has {size:,} bytes, and a config at most {FILE_LIMIT:,}. Give another file.")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(
            f'{path} cannot be read as JSON ({error}). A config looks like {{"dataset": "ring8", "steps": 2000}}.'
        ) from error
    return GANConfig.parse(values)
