"""A training step in slow motion: what goes through the two networks at each stage of one iteration, as it really was."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from .config import GANConfig
from .errors import RunError
from .frames import TRACE, live_parts, png_grid
from .inside import pull
from .losses import LOSSES
from .networks import NETWORKS
from .trainer import Trainer

TOLD = "told"  # the step command's value for a step in slow motion
SHOWN = 48  # samples of a batch that are shown
GRID = 16  # of them as images


class _Watch:
    """Notes what the members tell of their step. Of several discriminator steps the last one counts."""

    def __init__(self, trainer: Trainer):
        self.trainer = trainer
        self.seen: dict[str, Tensor] = {}
        self.heat: np.ndarray | None = None  # the discriminator's map between both updates

    def __call__(self, stage: str, **tensors: Tensor) -> None:
        told = {name: value.detach()[0].cpu() for name, value in tensors.items()}
        if stage in ("judging", "discriminator"):  # before and after the update, in the same way
            told |= {f"{name}_judged": self._judged(told[name]) for name in ("real", "fake")}
            self.heat = live_parts(self.trainer)[1].get("heat") if stage == "discriminator" else None
        else:
            told |= {"fake": self.made(told), "pull": pull(self.trainer, self.made(told))}
        self.seen |= {f"{stage}_{name}": value for name, value in told.items()}

    def made(self, told: dict[str, Tensor]) -> Tensor:
        """What the generator makes of the shown latents as it is now."""
        labels = told["labels"][:SHOWN] if "labels" in told else None
        return self.trainer.generate(told["z"][:SHOWN], average=False, labels=labels)

    def _judged(self, samples: Tensor) -> Tensor:
        """Opinions of the shown samples: probabilities where the loss has such, else logits."""
        block, _ = self.trainer.member(0)
        logits = block.judge(samples[None, :SHOWN])[0].cpu()
        return torch.sigmoid(logits) if LOSSES[self.trainer.configs[0].loss].binary else logits


def check_told(configs: Sequence[GANConfig]) -> None:
    """Raise RunError where a step cannot be told."""
    if len(configs) > 1 or not NETWORKS[configs[0].network].adversarial:
        raise RunError("Slow motion shows one GAN at a time, with two networks. Step this run instead.")


def traced_step(trainer: Trainer) -> tuple[dict, dict[str, np.ndarray | bytes]]:
    """Take one step of a single GAN and tell it stage by stage. The step is the same as any other, to the last bit.

    Returns:
        Header and arrays of a frame as `live_parts` makes it after the step; beside them in the header "trace", with the losses
        and the mean opinions of the shown samples before (p) and after (q) the discriminator's update, probabilities where the
        loss is `binary` and else logits, and arrays whose names begin with "trace_".

    Raises:
        RunError: there are several members, or no discriminator.
    """
    check_told(trainer.configs)
    block, _ = trainer.member(0)
    before, points = live_parts(trainer)[1].get("heat"), trainer.data.x.dim() == 2
    watch = _Watch(trainer)
    block.watch = watch
    try:
        trainer.step()
    finally:
        block.watch = None
    header, arrays = live_parts(trainer)
    seen = watch.seen
    told = {name: seen[f"generator_{name}"] for name in ("z", "labels") if f"generator_{name}" in seen}
    groups = {
        "real": seen["discriminator_real"],
        "fake": seen["discriminator_fake"],
        "made": seen["generator_fake"],
        "remade": watch.made(told),
    }
    parts: dict[str, np.ndarray | bytes] = {}
    for name, samples in groups.items():
        parts[name] = samples[:SHOWN].numpy() if points else png_grid(samples[:GRID].clamp(-1, 1), 4)
    parts |= {"z_d": seen["discriminator_z"][:SHOWN, :2].numpy(), "z_g": seen["generator_z"][:SHOWN, :2].numpy()}
    if points:
        parts |= {"heat": before, "heat_later": watch.heat, "pull": seen["generator_pull"].numpy()}
    header["trace"] = {
        "step": trainer.step_count,
        "batch": trainer.configs[0].batch_size,
        "d_steps": trainer.configs[0].d_steps,
        "loss_d": float(seen["discriminator_loss"]),
        "loss_g": float(seen["generator_loss"]),
        "binary": LOSSES[trainer.configs[0].loss].binary,
        **{f"p_{name}": float(seen[f"judging_{name}_judged"].mean()) for name in ("real", "fake")},
        **{f"q_{name}": float(seen[f"discriminator_{name}_judged"].mean()) for name in ("real", "fake")},
    }
    return header, arrays | {f"{TRACE}{name}": value for name, value in parts.items()}
