"""How much memory a training takes, told before any of it is allocated, and how much it may take.

A bound from a few formulas lets ordinary configs pass at once. What it does not let pass is looked at closely: the networks are
built on torch's device "meta", whose tensors have a shape and no numbers, and a batch goes through them there.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from .config import METAS, GANConfig
from .errors import ConfigError
from .members import STATS, Members
from .networks import NETWORKS
from .penalties import PENALTIES
from .pixelcnn import Likelihood
from .remedies import POOL_BATCHES, pack
from .source import Data

META = torch.device("meta")
ROWS = 4  # of data without numbers; a held-out tenth and a batch need some
SHARE = 0.8  # of the memory that is free, which may be used by default
FALLBACK = 4 * 2**30  # bytes, where the machine does not say how much is free
ROWS_OF = {"digits": 1797, "mnist": 60_000, "fashion_mnist": 60_000, "kmnist": 60_000, "stacked_mnist": 50_000, "cifar10": 50_000}
LOOKED_AT = 512  # samples that are generated at once to be measured
BACKWARD = 1.5  # what a backward pass needs, over the activations that are kept for it
TWICE = 3  # the same where a penalty's gradient is differentiated once more
_KEPT = {"dcgan": 6, "gumbel": 8, "resnet": 40, "style": 40, "pixelcnn": 30}  # layers as large as the first, at most
_LAYERS = 100  # numbers in all layers, in squares of the widest one's width, at most
HISTORY = 5000  # rows of statistics that wait for their mean, in the longest run


class Shapes(Members):
    """Members whose tensors have no numbers, so that nothing can be asked of their settings."""

    def _read(self) -> None:
        if self.configs[0].ema_decay:
            self._make_average()


@dataclass(frozen=True)
class Need:
    """Bytes of memory, by what they are for."""

    weights: int
    activations: int
    data: int

    @property
    def total(self) -> int:
        return self.weights + self.activations + self.data


def need(configs: Sequence[GANConfig]) -> Need:
    """What a trainer of these configs takes, to within a factor of two, for networks that are not tiny. Images of one's own are
    not counted: `source.check_memory` does, once it is known how many there are."""
    return _need(_largest(configs), len(configs))


def check_fits(configs: Sequence[GANConfig], device: torch.device) -> None:
    """Raise ConfigError, with the numbers, where a trainer of these configs would take more memory than it may."""
    most = allowed(device)
    config, members = _largest(configs), len(configs)
    if _at_most(config, members) <= most:
        return
    found = _need(config, members)
    if found.total > most:
        parts = (
            (found.weights, "the weights and their optimisers"),
            (found.activations, "the activations of a batch"),
            (found.data, "the data"),
        )
        told = ", ".join(f"{_gb(size)} for {what}" for size, what in parts if size > found.total / 50)
        smaller = "batch_size" if found.activations > found.weights else "width"
        fewer = f", {'image_size' if len(config.shape) == 3 else 'depth'}" + (" or the number of seeds" if members > 1 else "")
        raise ConfigError(
            f"This would take about {_gb(found.total)} of memory ({told}), and {_gb(most)} may be used. Make {smaller}{fewer} "
            f"smaller; GAN_PLAYGROUND_MEMORY sets how many GB may be used."
        )


def allowed(device: torch.device) -> int:
    """Bytes that a training may take: GAN_PLAYGROUND_MEMORY in GB, else four fifths of what is free on the device now.

    Raises:
        ConfigError: GAN_PLAYGROUND_MEMORY is no number of GB.
    """
    text = os.environ.get("GAN_PLAYGROUND_MEMORY", "")
    if not text:
        return int(SHARE * _free(device))
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= 1e6:
        raise ConfigError(f"GAN_PLAYGROUND_MEMORY = {text[:40]} is not usable: expected a number of GB, such as 4.")
    return int(value * 1e9)


def _gb(size: int) -> str:
    return f"{size / 1e9:,.1f} GB"


def _free(device: torch.device) -> int:
    """Bytes that are free on a device; a container's limit counts where there is one."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    found = [size for size in (_machine(), _container()) if size is not None]
    return min(found, default=FALLBACK)


def _machine() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, ValueError, StopIteration):
        return None


def _container() -> int | None:
    folder = Path("/sys/fs/cgroup")
    for most, used in (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes")):
        try:
            return int((folder / most).read_text()) - int((folder / used).read_text())
        except (OSError, ValueError):  # no such file, or "max"
            continue
    return None


def _largest(configs: Sequence[GANConfig]) -> GANConfig:
    """A config that needs as much as the one that needs most: they differ only in numbers, where more needs more."""
    first = configs[0]
    differ = [name for name, meta in METAS.items() if meta.member and name != "seed"]
    return first.model_copy(update={name: max(getattr(c, name) for c in configs) for name in differ})


def _at_most(c: GANConfig, members: int) -> int:
    """Bytes that are never exceeded, from formulas: all layers as wide as the widest, all activations as large as the largest."""
    inputs, outputs = c.latent_dim + 1024, math.prod(c.shape) * max(1, c.levels) * c.pack + 1024
    if c.network == "mlp":
        width, layers = c.width, max(c.depth, c.depth_d) + 2
        weights = layers * width * (width + 1) + width * (inputs + outputs)
        activations = 3 * layers * width + 3 * outputs
    else:
        width = c.width * max(2, c.size // 8)
        weights = _LAYERS * width**2 + 32 * width * (inputs + outputs)
        layers = c.depth + 1 if c.network == "pixelcnn" else 1
        activations = _KEPT[c.network] * layers * c.width * c.size**2 + 8 * outputs
    kept = max(6 * (1 + c.unroll_steps) * c.batch_size, LOOKED_AT) * activations
    pool = POOL_BATCHES * c.batch_size * math.prod(c.shape)
    return 4 * (members * ((12 + 2 * c.unroll_steps) * weights + kept + pool + HISTORY * len(STATS)) + _rows(c))


def _rows(c: GANConfig) -> int:
    """Numbers in the data set, and in the copy of it at its own size."""
    return 2 * ROWS_OF.get(c.dataset, 10_000) * math.prod(c.shape)


@lru_cache(maxsize=256)
def _need(c: GANConfig, members: int) -> Need:
    game = NETWORKS[c.network].adversarial
    with META:
        labels = torch.zeros(ROWS, dtype=torch.int64) if c.classes else None
        block = (Shapes if game else Likelihood)([c], Data(torch.empty(ROWS, *c.shape), labels), META)
        kept = sum(tensor.nbytes for tensor in block.state()[0].values())
        players = [block.generator, block.discriminator] if game else [block.model]
        gradients = sum(parameter.nbytes for player in players for parameter in player.parameters())
        activations, looked_at = _of_a_game(block, c, gradients) if game else _of_one(block, c)
    pool = 4 * POOL_BATCHES * c.batch_size * math.prod(c.shape) if c.replay else 0
    rows = 4 * min(HISTORY, math.ceil(c.steps / 2000)) * len(STATS)
    own = kept + gradients + pool + rows
    return Need(members * own, members * max(activations, looked_at), 4 * _rows(c) // (1 if _is_resized(c) else 2))


def _is_resized(c: GANConfig) -> bool:
    return bool(c.image_size or c.channels or c.levels)


def _of_a_game(block: Members, c: GANConfig, gradients: int) -> tuple[int, int]:
    """Bytes at the peak of a step, and while samples are measured."""
    labels = torch.zeros(1, c.batch_size, dtype=torch.int64) if c.classes else None
    noise = torch.empty(1, c.batch_size, block.noise_numbers) if block.noise_numbers else None
    fake, of_g = _kept_for(block.generator, torch.empty(1, c.batch_size, c.latent_dim), labels, noise)
    if labels is not None and c.pack > 1:
        labels = labels.reshape(1, -1, c.pack)
    _, of_d = _kept_for(block.discriminator, pack(fake.detach(), c.pack), labels)
    penalised = PENALTIES[c.penalty].each_sample
    in_d = of_d * (2 * BACKWARD + (TWICE if penalised else 0))
    in_g = BACKWARD * (of_d + of_g * (2 if c.mode_seeking else 1))
    unrolled = c.unroll_steps * (2 * TWICE * of_d + 2 * gradients)
    # without gradients two layers at a time are there, of some that a network has
    return int(max(in_d, in_g) + unrolled), int(LOOKED_AT / c.batch_size * of_g / 2)


def _of_one(block: Likelihood, c: GANConfig) -> tuple[int, int]:
    labels = torch.zeros(c.batch_size, dtype=torch.int64) if c.classes else None
    _, kept = _kept_for(block.model, torch.empty(c.batch_size, *c.shape), labels)
    return int(BACKWARD * kept), int(LOOKED_AT / c.batch_size * kept / 2)


def _kept_for(network: nn.Module, *inputs: Tensor | None) -> tuple[Tensor, int]:
    """A network's output, and bytes of what it keeps for its backward pass beside its own weights."""
    own = {parameter.untyped_storage()._cdata for parameter in network.parameters()}
    found: dict[int, int] = {}
    alive = []  # else a storage that is gone may give its number to another one

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            found[storage._cdata] = storage.nbytes()
            alive.append(tensor)
        return tensor

    with saved_tensors_hooks(note, lambda tensor: tensor):
        output = network(*inputs)
    return output, sum(found.values())
