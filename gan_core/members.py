"""Members: E GANs of one shape that train side by side, and the training step as the papers write it.

Every tensor carries the member axis first. Losses keep it and their sum over members is what is differentiated, so no
member's gradient ever meets another's: training 32 members equals training 32 GANs, in one pass over the machine.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.linalg import vector_norm

from .config import METAS, GANConfig
from .data import Data
from .draws import Draws, seeded
from .layers import flat_gradient, flatten_parameters
from .losses import LOSSES
from .networks import NETWORKS
from .optim import Stepper
from .penalties import PENALTIES

# What each step reports, in the order in which one number causes the next.
STATS = ("real_logit", "fake_logit", "loss_d", "penalty", "grad_d", "loss_g", "grad_g")
STREAMS = ("data", "latent_d", "latent_g", "penalty")


def draw_latents(kind: str, draws: Draws, batch: int, latent_dim: int) -> Tensor:
    """Latents (E, B, Z) of the given kind, "normal" or "uniform" on [-1, 1]."""
    if kind == "uniform":
        return 2 * draws.uniform(batch, latent_dim) - 1
    return draws.normal(batch, latent_dim)


def sample_latents(config: GANConfig, n: int, generator: torch.Generator) -> Tensor:
    """Latents (N, Z) for looking at a generator, apart from the training streams."""
    if config.latent == "uniform":
        return 2 * torch.rand((n, config.latent_dim), generator=generator) - 1
    return torch.randn((n, config.latent_dim), generator=generator)


class Members:
    """The networks, optimisers, averages and random streams of E members.

    Args:
        configs: one config a member, equal but for fields marked `member`.
        data: what to learn, on `device`.
        device: where to compute.
    """

    def __init__(self, configs: Sequence[GANConfig], data: Data, device: torch.device):
        self.configs = list(configs)
        self.data, self.device = data, device
        config, count = configs[0], len(configs)
        entry = NETWORKS[config.network]
        self.generator = entry.generator(count, config.latent_dim, data.shape, config.width, config.depth)
        self.discriminator = entry.discriminator(count, data.shape, config.width, config.depth)
        self.generator.initialise([seeded(c.seed, "init_g") for c in configs])
        self.discriminator.initialise([seeded(c.seed, "init_d") for c in configs])
        self.generator.to(device)
        self.discriminator.to(device)
        self.average = copy.deepcopy(self.generator).eval() if config.ema_decay else None
        self.opt_g = Stepper(config.optimizer, flatten_parameters(self.generator, count))
        self.opt_d = Stepper(config.optimizer, flatten_parameters(self.discriminator, count))
        self.average_flat = flatten_parameters(self.average, count) if self.average is not None else None
        self._parameters_g = list(self.generator.parameters())
        self._parameters_d = list(self.discriminator.parameters())
        self.streams = {name: Draws([c.seed for c in configs], name, device) for name in STREAMS}
        self._no_penalty = torch.zeros(count, device=device)
        self._read_scalars()

    def __len__(self) -> int:
        return len(self.configs)

    def set_configs(self, configs: Sequence[GANConfig]) -> None:
        """Take over values that were changed while training."""
        self.configs = list(configs)
        self._read_scalars()

    def _read_scalars(self) -> None:
        self._scalars = {
            name: torch.tensor([float(getattr(c, name)) for c in self.configs], device=self.device)[:, None]
            for name, meta in METAS.items()
            if meta.member and name != "seed"
        }
        self._smooth = bool((self._scalars["label_smoothing"] > 0).any())

    def step(self) -> Tensor:
        """One generator step, after `d_steps` discriminator steps. Returns the STATS of each member, (S, E)."""
        config, scalar, size = self.configs[0], self._scalars, len(self)
        loss, penalty, batch = LOSSES[config.loss], PENALTIES[config.penalty], config.batch_size

        for _ in range(config.d_steps):
            real = self.data.x[self.streams["data"].integers(len(self.data.x), batch)]  # (E, B, ...)
            with torch.no_grad():
                fake = self.generator(draw_latents(config.latent, self.streams["latent_d"], batch, config.latent_dim))
            logits = self.discriminator(torch.cat([real, fake], 1))  # (E, 2B), one pass for both halves
            real_logits, fake_logits = logits[:, :batch], logits[:, batch:]
            d_each = loss.d(real_logits, fake_logits)  # (E, B)
            if self._smooth:  # cross-entropy with label 1 - s: (1 - s) softplus(-r) + s softplus(r) = softplus(-r) + s r
                d_each = d_each + scalar["label_smoothing"] * real_logits
            loss_d = d_each.mean(1)  # (E,)
            objective, term = loss_d, self._no_penalty
            if config.penalty != "none":
                each = penalty(self.discriminator, real, fake, self.streams["penalty"])  # (E, B)
                term = scalar["penalty_weight"][:, 0] * each.mean(1)
                objective = loss_d + term
            grad_d = flat_gradient(objective.sum(), self._parameters_d, size)  # (E, P)
            self.opt_d.step(grad_d, scalar["lr_d"], config.beta1, config.beta2)

        fake = self.generator(draw_latents(config.latent, self.streams["latent_g"], batch, config.latent_dim))
        if loss.paired:
            both = self.discriminator(torch.cat([real, fake], 1))
            g_each = loss.g(both[:, batch:], both[:, :batch])
        else:
            g_each = loss.g(self.discriminator(fake), None)
        loss_g = g_each.mean(1)
        grad_g = flat_gradient(loss_g.sum(), self._parameters_g, size)
        self.opt_g.step(grad_g, scalar["lr_g"], config.beta1, config.beta2)
        self._update_average(config.ema_decay)

        with torch.no_grad():
            return torch.stack(
                [
                    real_logits.mean(1),
                    fake_logits.mean(1),
                    loss_d,
                    term,
                    vector_norm(grad_d, dim=1),
                    loss_g,
                    vector_norm(grad_g, dim=1),
                ]
            )

    @torch.no_grad()
    def _update_average(self, decay: float) -> None:
        if self.average is None:
            return
        self.average_flat.lerp_(self.opt_g.flat, 1 - decay)
        for mean, now in zip(self.average.buffers(), self.generator.buffers(), strict=True):
            if mean.is_floating_point():  # the running statistics of batch normalisation
                mean.lerp_(now, 1 - decay)

    @torch.no_grad()
    def generate(self, latents: Tensor, average: bool = True) -> Tensor:
        """Samples (E, N, ...) from latents (E, N, Z), by the averaged generator where there is one and it is wanted."""
        if average and self.average is not None:
            return self.average(latents.to(self.device))
        self.generator.eval()
        try:
            return self.generator(latents.to(self.device))
        finally:
            self.generator.train()

    @torch.no_grad()
    def judge(self, samples: Tensor) -> Tensor:
        """The discriminator's logits (E, N) for samples (E, N, ...)."""
        return self.discriminator(samples.to(self.device))

    def state(self) -> tuple[dict[str, Tensor], dict]:
        """Tensors with the member axis first, and the cursors of the random streams."""
        tensors: dict[str, Tensor] = {}
        for part in ("generator", "discriminator", "average"):
            module = getattr(self, part)
            if module is not None:
                tensors |= {f"{part}.{name}": value.detach() for name, value in module.state_dict().items()}
        for part, stepper in (("opt_g", self.opt_g), ("opt_d", self.opt_d)):
            tensors |= {f"{part}.{k}": slot for k, slot in enumerate(stepper.slots)}
        cursors = {"count_g": self.opt_g.count, "count_d": self.opt_d.count}
        for name, stream in self.streams.items():
            tensors[f"stream.{name}"], cursors[name] = stream.state()
        return tensors, cursors

    def load(self, tensors: dict[str, Tensor], cursors: dict) -> None:
        """Take over what `state` returned. Parameters keep their place in the flat storage."""
        for part in ("generator", "discriminator", "average"):
            module = getattr(self, part)
            if module is not None:
                start = len(part) + 1
                module.load_state_dict({k[start:]: v for k, v in tensors.items() if k.startswith(f"{part}.")})
        for part, stepper in (("opt_g", self.opt_g), ("opt_d", self.opt_d)):
            for k, slot in enumerate(stepper.slots):
                slot.copy_(tensors[f"{part}.{k}"])
        self.opt_g.count, self.opt_d.count = cursors["count_g"], cursors["count_d"]
        for name, stream in self.streams.items():
            stream.load(tensors[f"stream.{name}"].cpu(), cursors[name])
