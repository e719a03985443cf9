"""CURES: what can be changed about a run that fails. Each is a change of a config, small enough to be tried alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .config import METAS, GANConfig
from .data import DATASETS
from .errors import ConfigError
from .losses import LOSSES
from .networks import NETWORKS
from .penalties import PENALTIES


@dataclass(frozen=True)
class Cure:
    """A change. `changes(config)` gives the settings to change, or None where it is there already or means nothing.

    Attributes:
        text: what it does about the failure, in a sentence.
    """

    changes: Callable[[GANConfig], dict[str, Any] | None]
    title: str
    text: str
    source: str

    def apply(self, config: GANConfig) -> GANConfig | None:
        """The config with the change; None where there is nothing to change, or the rest of the config forbids it."""
        changes = self.changes(config)
        if not changes or not NETWORKS[config.network].adversarial:
            return None
        try:
            changed = config.but(**changes)
        except ConfigError:
            return None
        return changed if changed != config else None


def is_live(before: GANConfig, after: GANConfig) -> bool:
    """Whether a run can be changed from one to the other while it trains."""
    return all(meta.live or getattr(before, name) == getattr(after, name) for name, meta in METAS.items())


def _points(c: GANConfig) -> bool:
    return DATASETS[c.dataset].kind == "points"


def _weight(c: GANConfig, penalty: str) -> float:
    return PENALTIES[penalty].weight_points if _points(c) else PENALTIES[penalty].weight


def _penalty(name: str) -> Callable[[GANConfig], dict[str, Any] | None]:
    return lambda c: None if c.penalty == name else {"penalty": name, "penalty_weight": _weight(c, name)}


def _wgan_gp(c: GANConfig) -> dict[str, Any] | None:
    if c.loss == "wasserstein" and c.penalty == "wgan_gp":
        return None
    return {
        "loss": "wasserstein",
        "penalty": "wgan_gp",
        "penalty_weight": _weight(c, "wgan_gp"),
        "d_steps": max(3, c.d_steps),
        "label_smoothing": 0.0,  # the loss has no labels
    }


def _ttur(c: GANConfig) -> dict[str, Any] | None:
    if c.lr_d < 2 * c.lr_g:
        return {"lr_d": 2 * c.lr_g}
    return {"lr_g": c.lr_d / 8} if c.lr_d < 8 * c.lr_g else None


def _group(c: GANConfig) -> dict[str, Any] | None:
    packs = c.batch_size // c.pack
    return None if c.minibatch_std else {"minibatch_std": next((k for k in (4, 5, 6, 3, 2) if packs % k == 0), 4)}


def _coins(c: GANConfig) -> dict[str, Any] | None:
    return None if c.latent == "coins" else {"latent": "coins", "latent_modes": 8, "latent_dim": max(10, c.latent_dim)}


CURES: dict[str, Cure] = {
    "ttur": Cure(
        _ttur,
        "A faster discriminator (TTUR)",
        "The discriminator learns faster than the generator, so that it notices a heap before the generator can move it.",
        "Heusel et al. 2017, section 2",
    ),
    "r1_r2": Cure(
        _penalty("r1_r2"),
        "R1 + R2 penalty",
        "Flattens the discriminator around real and generated samples, so that the game comes to rest instead of circling.",
        "Mescheder et al. 2018; Huang et al. 2024 (R3GAN)",
    ),
    "wgan_gp": Cure(
        _wgan_gp,
        "WGAN-GP",
        "Measures a distance instead of a probability, which has a slope everywhere, also towards lost modes.",
        "Gulrajani et al. 2017",
    ),
    "pacgan": Cure(
        lambda c: None if c.pack > 1 else {"pack": 2},
        "PacGAN, packs of two",
        "The discriminator sees two samples at once, so that samples which are all alike give the generator away.",
        "Lin et al. 2018",
    ),
    "unrolled": Cure(
        lambda c: None if c.unroll_steps else {"unroll_steps": 5},
        "Unrolled, five steps",
        "The generator learns against the discriminator as it will be five updates later, where heaping up no longer pays.",
        "Metz et al. 2017",
    ),
    "minibatch_std": Cure(
        _group,
        "Minibatch deviation",
        "Tells the discriminator how much the samples of a group differ.",
        "Karras et al. 2018, section 3",
    ),
    "coins": Cure(
        _coins,
        "Noise in islands",
        "Some of the noise's numbers become coin tosses: a noise of one piece makes samples of one piece, with bridges.",
        "after Gurumurthy et al. 2017 (DeLiGAN)",
    ),
    "larger_noise": Cure(
        lambda c: None if c.latent_dim >= 128 else {"latent_dim": min(128, 4 * c.latent_dim)},
        "Four times as much noise",
        "More random numbers for each sample. No cure by itself: a connected noise has a connected image.",
        "often advised; compare Khayatkhoei et al. 2018",
    ),
    "partial_reset": Cure(
        lambda c: None if c.reset_every else {"reset_every": 250, "reset_fraction": 0.1, "reset_network": "discriminator"},
        "Periodic partial reset",
        "A tenth of the discriminator's weights starts afresh every 250 steps. No study shows that this cures collapse.",
        "compare Zhou et al. 2022 (Fortuitous Forgetting)",
    ),
    "instance_noise": Cure(
        lambda c: None if c.instance_noise else {"instance_noise": 0.2 if _points(c) else 0.1},
        "Instance noise",
        "Blurs what the discriminator sees, so that it cannot be sure and its slope stays useful.",
        "Sønderby et al. 2017",
    ),
    "smoothing": Cure(
        lambda c: {"label_smoothing": 0.1} if LOSSES[c.loss].binary and not c.label_smoothing else None,
        "Label smoothing",
        "Keeps the discriminator from being certain.",
        "Salimans et al. 2016, section 3.4",
    ),
    "slower_discriminator": Cure(
        lambda c: {"lr_d": min(c.lr_d / 4, c.lr_g)} if c.lr_d > c.lr_g else {"lr_d": c.lr_d / 4},
        "A slower discriminator",
        "Gives the generator time to catch up.",
        "Heusel et al. 2017, section 2",
    ),
    "faster_generator": Cure(
        lambda c: {"lr_g": c.lr_d} if c.lr_g < c.lr_d / 4 else None,
        "A faster generator",
        "Lets the generator learn as fast as the discriminator.",
        "Heusel et al. 2017, section 2",
    ),
    "one_step": Cure(
        lambda c: {"d_steps": 1} if c.d_steps > 1 and c.penalty == "none" else None,
        "One discriminator step",
        "Gives the generator as many steps as the discriminator.",
        "Goodfellow et al. 2014, algorithm 1",
    ),
    "nonsaturating": Cure(
        lambda c: {"loss": "nonsaturating"} if c.loss == "minimax" else None,
        "The non-saturating loss",
        "The generator's loss is steep where its samples are found out, instead of flat.",
        "Goodfellow et al. 2014, section 3",
    ),
    "lower_rates": Cure(
        lambda c: {"lr_g": c.lr_g / 5, "lr_d": c.lr_d / 5},
        "Lower learning rates",
        "Smaller steps of both networks.",
        "the usual first try",
    ),
    "no_clipping": Cure(
        lambda c: (
            {"penalty": "wgan_gp", "penalty_weight": _weight(c, "wgan_gp"), "optimizer": "adam", "lr_g": 1e-3, "lr_d": 1e-3}
            if c.penalty == "clip"
            else None
        ),
        "A gradient penalty instead of clipping",
        "Weights in a small box make the slopes tiny; a penalty on the slope itself does not.",
        "Gulrajani et al. 2017, section 3",
    ),
    "falling_rates": Cure(
        lambda c: {"lr_schedule": "linear", "lr_end": 0.02} if c.lr_schedule == "constant" else None,
        "Falling learning rates",
        "Lets the game settle towards the end.",
        "usual in Goodfellow et al. 2014 and since",
    ),
    "momentum": Cure(
        lambda c: {"beta1": 0.5} if c.optimizer == "adam" and c.beta1 > 0.6 else None,
        "Less momentum",
        "Momentum carries both networks past the point where the game would rest.",
        "Radford et al. 2016, section 3; Gidel et al. 2019",
    ),
    "smaller_generator": Cure(
        lambda c: {"width": max(8, c.width // 2)} if c.width > 8 else None,
        "Smaller networks",
        "Less room to learn the training images by heart; more data would be better.",
        "compare Arora et al. 2018",
    ),
    "augment": Cure(
        lambda c: {"augment": "ada"} if not _points(c) and c.augment == "none" else None,
        "Augmentation as needed (ADA)",
        "The discriminator sees changed images, so that it cannot learn the few there are by heart.",
        "Karras et al. 2020",
    ),
}
