"""Members: E GANs of one shape that train side by side, and the training step as the papers write it.

Every tensor carries the member axis first. Losses keep it and their sum over members is what is differentiated, so no
member's gradient ever meets another's: training 32 members equals training 32 GANs, in one pass over the machine.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from math import prod

import torch
from torch import Tensor
from torch.linalg import vector_norm
from torch.nn.functional import cross_entropy

from .conditions import CONDITIONS, Discriminator, Generator
from .config import METAS, GANConfig
from .draws import Draws, Once, seeded
from .latents import LATENTS
from .layers import FIRST_ITERATIONS, Normed, Spec, constrain, constrained, flat_gradient, flatten_parameters
from .losses import LOSSES
from .networks import NETWORKS
from .optim import Stepper
from .penalties import ANCHOR_DECAY, PENALTIES
from .remedies import (
    SCHEDULES,
    Controller,
    Replay,
    augment,
    clip_gradient,
    falling,
    mode_seeking,
    pack,
    reset,
    unroll,
)
from .source import Data

# What each step reports, in the order in which one number causes the next.
STATS = ("real_logit", "fake_logit", "loss_d", "penalty", "grad_d", "loss_g", "grad_g")
STREAMS = (
    "data",
    "latent_d",
    "latent_g",
    "latent_s",  # the second samples of mode seeking
    "noise_d",
    "noise_g",
    "noise_s",
    "penalty",
    "augment",
    "instance",
    "replay",
    "reset_d",
    "reset_g",
)
PARTS = ("generator", "discriminator", "average")
PLAYERS = ("discriminator", "generator")  # who can take a step of its own
_Labels = Tensor | None
_Pair = tuple[Tensor, Tensor]


def draw_latents(config: GANConfig, source: Draws | Once, n: int) -> Tensor:
    """Latents (E, n, Z), or (n, Z) from a source without members."""
    return LATENTS[config.latent].draw(source, n, config.latent_dim, config.latent_modes)


def sample_latents(config: GANConfig, n: int, generator: torch.Generator) -> Tensor:
    """Latents (n, Z) for looking at a generator, apart from the training streams. PixelCNN takes one for each pixel."""
    if not NETWORKS[config.network].adversarial:
        return torch.randn((n, prod(config.shape)), generator=generator)
    return draw_latents(config, Once(generator), n)


class Members:
    """The networks, optimisers, averages and random streams of E members.

    Args:
        configs: one config a member, equal but for fields marked `member`.
        data: what to learn, on `device`.
        device: where to compute.
    """

    STATS = STATS

    def __init__(self, configs: Sequence[GANConfig], data: Data, device: torch.device):
        self.configs = list(configs)
        self.data, self.device = data, device
        config, count = configs[0], len(configs)
        self.classes = config.classes
        self.generator = self._fresh_generator()
        self.discriminator = self._fresh_discriminator()
        self.average = None
        self.opt_g = Stepper(config.optimizer, flatten_parameters(self.generator, count))
        self.opt_d = Stepper(config.optimizer, flatten_parameters(self.discriminator, count))
        self._parameters_g = list(self.generator.parameters())
        self._parameters_d = list(self.discriminator.parameters())
        self._constrained_g, self._constrained_d = constrained(self.generator), constrained(self.discriminator)
        self.streams = {name: Draws([c.seed for c in configs], name, device) for name in STREAMS}
        self.replay, self.controller = Replay(), Controller(count, device)
        self.count = 0  # steps of the schedule; the optimisers count their own updates, of which there may be more
        self.anchors: Tensor | None = None  # (E, 2), running means of real and fake logits, once they are needed
        self.gradients: dict[str, Tensor] = {}  # of the last step, (E, P) for "d" and "g", to look at
        self.watch: Callable[..., None] | None = None  # is told (stage, tensors of this step) between the two updates
        self._no_penalty = torch.zeros(count, device=device)
        # samples that share a batch normalisation or are compared within the batch are judged apart, real from fake
        self._coupled = bool(config.minibatch_std or config.minibatch_discrimination) or (
            NETWORKS[config.network].uses_batch_norm and config.batch_norm == "both"
        )
        self._context = self._real_context() if config.pack > 1 or self._coupled else None
        self._read()

    def __len__(self) -> int:
        return len(self.configs)

    # Building

    def _spec(self) -> Spec:
        c, shape = self.configs[0], self.data.shape
        return Spec(
            members=len(self.configs),
            inputs=c.latent_dim + Generator.extra(c.conditional, self.classes),
            shape=shape,
            seen=Discriminator.seen(shape, c.conditional, self.classes, c.pack),
            width=c.width,
            depth=c.depth,
            batch_norm=c.batch_norm,
            levels=c.levels,
            depth_d=c.depth_d,
            init=c.init,
        )

    def _fresh_generator(self, purpose: str = "init_g") -> Generator:
        c = self.configs[0]
        network = Generator(NETWORKS[c.network].generator(self._spec()), len(self), c.conditional, self.classes)
        return self._started(network, purpose, c.spectral_norm == "both")

    def _fresh_discriminator(self, purpose: str = "init_d") -> Discriminator:
        c = self.configs[0]
        body = NETWORKS[c.network].discriminator(self._spec())
        kernels = c.minibatch_discrimination
        network = Discriminator(body, len(self), self.data.shape, c.conditional, self.classes, c.pack, c.minibatch_std, kernels)
        return self._started(network, purpose, c.spectral_norm != "none")

    def _started(self, network: Generator | Discriminator, purpose: str, normed: bool):
        network.initialise([seeded(c.seed, purpose) for c in self.configs])
        if normed:
            constrain(network, [seeded(c.seed, f"{purpose}:spectral") for c in self.configs])
        return network.to(self.device)

    def _real_context(self) -> tuple[Tensor, Tensor | None]:
        """Real samples to stand beside one that is judged alone, where judgements depend on company."""
        rows = Once(seeded(0, "context")).integers(len(self.data.x), self.configs[0].batch_size).to(self.device)
        return self.data.x[rows], None if not self.classes else self.data.labels[rows].to(self.device)

    def set_configs(self, configs: Sequence[GANConfig]) -> None:
        """Take over values that were changed while training."""
        self.configs = list(configs)
        self._read()

    def _read(self) -> None:
        """What follows from the configs."""
        self._scalars = {
            name: torch.tensor([float(getattr(c, name)) for c in self.configs], device=self.device)[:, None]
            for name, meta in METAS.items()
            if meta.member and name != "seed"
        }
        self._on = {name: bool((value > 0).any()) for name, value in self._scalars.items()}
        if not PENALTIES[self.configs[0].penalty].anchored:
            self.anchors = None  # what is old when it is wanted again would mislead
        if not self._on["replay"]:
            self.replay.pool = None
        if self.configs[0].augment != "ada":
            self.controller = Controller(len(self), self.device)
        if not self.configs[0].ema_decay:
            self.average = None
        elif self.average is None:
            self._make_average()

    def _make_average(self) -> None:
        self.average = copy.deepcopy(self.generator).eval()
        self.average_flat = flatten_parameters(self.average, len(self))

    # Training

    @property
    def noise_numbers(self) -> int:
        """Numbers of its own randomness that the generator takes for each sample."""
        return self.generator.noise_numbers

    def scores(self) -> dict[str, Tensor]:
        """What is measured on the model itself rather than on samples."""
        return {}

    def steppers(self) -> list[tuple[Stepper, str]]:
        """The optimisers, each with the name of the statistic that tells of its gradient."""
        return [(self.opt_d, "grad_d"), (self.opt_g, "grad_g")]

    def step(self) -> Tensor:
        """One generator step, after `d_steps` discriminator steps. Returns the STATS of each member, (S, E)."""
        self._warm()
        for _ in range(self.configs[0].d_steps):
            real, labels, stats_d = self._discriminator_step()
        stats_g = self._generator_step(real, labels)
        self.count += 1
        self._update_average()
        self._reset()
        return torch.stack([*stats_d, *stats_g])

    def extra(self, part: str) -> tuple[tuple[str, ...], Tensor]:
        """One update of one network alone, beside the schedule. Returns which STATS it reports, and those, (S, E).

        What goes by the step (learning rates, temperature, instance noise, resets) stays where it is; the optimiser's own
        count goes on, because its means take in one gradient more.

        Args:
            part: one of PLAYERS. The generator's stands beside real samples of its own.
        """
        self._warm()
        if part == "discriminator":
            _, _, stats = self._discriminator_step()
            return STATS[: len(stats)], torch.stack(stats)
        stats = self._generator_step(*self._draw_real())
        self._update_average()
        return STATS[-len(stats) :], torch.stack(stats)

    def _warm(self) -> None:
        """Set the temperature of a generator of discrete values."""
        if NETWORKS[self.configs[0].network].discrete:
            self.generator.body.temperature = self._temperature()

    def _done(self) -> float:
        """Share of the planned steps that is done: 0 in the first step, 1 in the last."""
        return self.count / max(1, self.configs[0].steps - 1)

    def _temperature(self) -> float:
        """Falls geometrically from one to the other over the run, as in Jang et al. 2017, section 3.1."""
        c = self.configs[0]
        return c.temperature * (c.temperature_end / c.temperature) ** min(1.0, self._done())

    def _rate(self, name: str) -> Tensor:
        """A learning rate (E, 1) at this step."""
        c = self.configs[0]
        return self._scalars[name] * SCHEDULES[c.lr_schedule].factor(self._done(), c.lr_end)

    def _clipped(self, gradient: Tensor) -> Tensor:
        return clip_gradient(gradient, self._scalars["grad_clip"]) if self._on["grad_clip"] else gradient

    def _projected(self, flat: Tensor) -> Tensor:
        """The discriminator's weights (E, P) as the penalty leaves them after an update."""
        project = PENALTIES[self.configs[0].penalty].project
        return flat if project is None else project(flat, self._scalars["penalty_weight"])

    def _update(self, stepper: Stepper, gradient: Tensor, rate: str) -> None:
        c = self.configs[0]
        lr = self._scalars[rate] if c.lr_schedule == "constant" else self._rate(rate)
        stepper.step(self._clipped(gradient), lr, c.beta1, c.beta2)

    def _draw_real(self) -> tuple[Tensor, Tensor | None]:
        rows = self.streams["data"].integers(len(self.data.x), self.configs[0].batch_size)
        return self.data.x[rows], self.data.labels[rows] if self.classes else None

    def _draw_fake(self, who: str, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        """(samples, latents), drawn for the discriminator's ("d") or the generator's ("g") step, or mode seeking ("s")."""
        c = self.configs[0]
        z = draw_latents(c, self.streams[f"latent_{who}"], c.batch_size)
        numbers = self.generator.noise_numbers
        noise = self.streams[f"noise_{who}"].normal(c.batch_size, numbers) if numbers else None
        return self.generator(z, labels, noise), z

    def _seen(self, x: Tensor) -> Tensor:
        """Samples as the discriminator sees them: augmented, with instance noise, in packs."""
        c = self.configs[0]
        if c.augment != "none":
            x = augment(x, self.streams["augment"], self.controller.p if c.augment == "ada" else None)
        if self._on["instance_noise"]:
            sigma = falling(self._scalars["instance_noise"], self.count, c.instance_noise_steps)
            x = x + sigma.reshape(-1, *[1] * (x.dim() - 1)) * self.streams["instance"].normal(*x.shape[1:])
        return pack(x, c.pack)

    def _packed(self, labels: Tensor | None) -> Tensor | None:
        m = self.configs[0].pack
        return labels if labels is None or m == 1 else labels.reshape(len(labels), -1, m)

    def _judge_both(self, judge: Callable, real: Tensor, fake: Tensor, labels: _Labels) -> _Pair:
        """Logits (E, B / m) of real and of fake; in one pass where no sample's judgement depends on its company."""
        if self._coupled:
            return judge(real, labels), judge(fake, labels)
        each = None if labels is None else torch.cat([labels, labels], 1)
        logits, batch = judge(torch.cat([real, fake], 1), each), real.shape[1]
        return logits[:, :batch], logits[:, batch:]

    def _d_objective(self, judge: Callable, real: Tensor, fake: Tensor, labels: _Labels) -> tuple[Tensor, Tensor, Tensor, _Pair]:
        """What the discriminator minimises, its loss and its penalty, (E,) each; and the logits on real and fake."""
        c, scalar = self.configs[0], self._scalars
        real_logits, fake_logits = self._judge_both(judge, real, fake, labels)
        each = LOSSES[c.loss].d(real_logits, fake_logits)  # (E, B)
        if self._on["label_smoothing"] and LOSSES[c.loss].binary:
            # cross-entropy with label 1 - s: (1 - s) softplus(-r) + s softplus(r) = softplus(-r) + s r
            each = each + scalar["label_smoothing"] * real_logits
        objective = loss = each.mean(1)
        term, penalty = self._no_penalty, PENALTIES[c.penalty]
        if c.penalty != "none" and penalty.project is None:
            anchors = self._anchored(real_logits, fake_logits) if penalty.anchored else None
            alone = _with_labels(judge, labels, real.shape[1], self._coupled)
            terms = penalty(alone, real, fake, self.streams["penalty"], anchors)  # (E, B)
            term = scalar["penalty_weight"][:, 0] * terms.mean(1)
            objective = loss + term
        if CONDITIONS[c.conditional].auxiliary:
            wrong = _class_error(judge, real, labels) + _class_error(judge, fake, labels)
            objective = objective + scalar["class_weight"][:, 0] * wrong
        return objective, loss, term, (real_logits, fake_logits)

    def _anchored(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """LeCam's running means (E, 2), which begin with the first batch's."""
        if self.anchors is not None:
            return self.anchors
        return torch.stack([real_logits.detach().mean(1), fake_logits.detach().mean(1)], 1)

    def _discriminator_step(self) -> tuple[Tensor, _Labels, list[Tensor]]:
        """One update; returns the real batch, its labels, and the discriminator's STATS."""
        c, scalar = self.configs[0], self._scalars
        penalty = PENALTIES[c.penalty]
        real, labels = self._draw_real()
        with torch.no_grad():
            fake, z = self._draw_fake("d", labels)
            if self._on["replay"]:
                fake = self.replay.mix(fake, scalar["replay"], self.streams["replay"])
        _refresh(self._constrained_d)
        seen, seen_fake, told = self._seen(real), self._seen(fake), self._packed(labels)
        objective, loss, term, (real_logits, fake_logits) = self._d_objective(self.discriminator, seen, seen_fake, told)
        if self.watch is not None:
            self.watch("judging", real=real, fake=fake)
        gradient = self.gradients["d"] = flat_gradient(objective.sum(), self._parameters_d, len(self))  # (E, P)
        self._update(self.opt_d, gradient, "lr_d")
        with torch.no_grad():
            real_logits, fake_logits = real_logits.detach(), fake_logits.detach()
            if penalty.project is not None:
                self.opt_d.flat.copy_(self._projected(self.opt_d.flat))
            means = [real_logits.mean(1), fake_logits.mean(1)]
            if penalty.anchored:
                self.anchors = self._anchored(real_logits, fake_logits).lerp(torch.stack(means, 1), 1 - ANCHOR_DECAY)
            if c.augment == "ada":
                self.controller.see(real_logits, c.ada_target, c.ada_images, c.batch_size)
            if self.watch is not None:
                self.watch("discriminator", real=real, fake=fake, z=z, loss=loss)
            return real, labels, [*means, loss.detach(), term.detach(), vector_norm(gradient, dim=1)]

    def _generator_step(self, real: Tensor, labels: _Labels) -> list[Tensor]:
        """One update, beside the discriminator's last real batch; returns the generator's STATS."""
        c, scalar, loss, judge = self.configs[0], self._scalars, LOSSES[self.configs[0].loss], self.discriminator
        _refresh(self._constrained_g)
        fake, z = self._draw_fake("g", labels)
        seen, told = self._seen(fake), self._packed(labels)
        seen_real = self._seen(real) if loss.paired or c.unroll_steps else None
        if c.unroll_steps:
            judge = unroll(
                self.discriminator,
                self.opt_d,
                self._parameters_d,
                lambda judge: self._d_objective(judge, seen_real, seen, told)[0],
                c.unroll_steps,
                self._rate("lr_d"),
                c.beta1,
                c.beta2,
                self._clipped,
                self._projected,
            )
        if loss.paired:
            real_logits, fake_logits = self._judge_both(judge, seen_real, seen, told)
            each = loss.g(fake_logits, real_logits)
        else:
            each = loss.g(judge(seen, told), None)
        objective = loss_g = each.mean(1)
        if self._on["mode_seeking"]:
            other, z_other = self._draw_fake("s", labels)
            objective = objective + scalar["mode_seeking"][:, 0] * mode_seeking(fake, other, z, z_other)
        if CONDITIONS[c.conditional].auxiliary:
            objective = objective + scalar["class_weight"][:, 0] * _class_error(judge, seen, labels)
        if self.watch is not None:
            told = {} if labels is None else {"labels": labels}
            self.watch("generator", z=z, loss=loss_g, **told)
        gradient = self.gradients["g"] = flat_gradient(objective.sum(), self._parameters_g, len(self))
        self._update(self.opt_g, gradient, "lr_g")
        return [loss_g.detach(), vector_norm(gradient, dim=1)]

    @torch.no_grad()
    def _update_average(self) -> None:
        if self.average is None:
            return
        decay = self.configs[0].ema_decay
        self.average_flat.lerp_(self.opt_g.flat, 1 - decay)
        for (name, mean), now in zip(self.average.named_buffers(), self.generator.buffers(), strict=True):
            if mean.is_floating_point() and ".norm." not in name:  # the running statistics of batch normalisation
                mean.lerp_(now, 1 - decay)
        _refresh(constrained(self.average) if self._constrained_g else [])

    def _reset(self) -> None:
        """The periodic partial reset: a share of the weights starts afresh, and the optimiser forgets them."""
        c = self.configs[0]
        if not c.reset_every or self.count % c.reset_every:
            return
        for part, stepper, letter, build, layers in (
            ("discriminator", self.opt_d, "d", self._fresh_discriminator, self._constrained_d),
            ("generator", self.opt_g, "g", self._fresh_generator, self._constrained_g),
        ):
            if c.reset_network in (part, "both"):
                fresh = flatten_parameters(build(f"reset_{letter}:{self.count}"), len(self))
                reset(stepper.flat, fresh, stepper, self._scalars["reset_fraction"], self.streams[f"reset_{letter}"])
                for _ in range(FIRST_ITERATIONS):  # other weights have other singular vectors
                    _refresh(layers)

    # Looking

    @torch.no_grad()
    def generate(
        self, latents: Tensor, average: bool = True, labels: Tensor | None = None, noise: Tensor | None = None
    ) -> Tensor:
        """Samples (E, N, ...) from latents (E, N, Z), by the averaged generator where there is one and it is wanted.

        Args:
            labels: (E, N) classes for a conditional generator.
            noise: (E, N, n) standard normal numbers, for a generator with randomness of its own.
        """
        network = self.average if average and self.average is not None else self.generator
        inputs = [None if x is None else x.to(self.device) for x in (latents, labels, noise)]
        network.eval()
        try:
            return network(*inputs)
        finally:
            network.train(network is self.generator)

    def pull(self, samples: Tensor) -> Tensor:
        """Where the generator's loss wants generated samples (E, N, ...) to go: minus its gradient at each of them.

        Through the discriminator as it is, each sample judged as in `judge`; a loss that pairs takes real samples of the data.
        """
        loss, x = LOSSES[self.configs[0].loss], samples.to(self.device).detach().requires_grad_()
        rows = self.data.x[torch.arange(x.shape[1]) % len(self.data.x)]
        real = self.judge(rows.expand(len(self), *rows.shape)) if loss.paired else None
        self.discriminator.eval()
        try:
            with torch.enable_grad():
                logits = torch.stack([self._judge_alone(x, k) for k in range(max(1, self.classes))]).mean(0)
                (gradient,) = torch.autograd.grad(loss.g(logits, real).sum(), x)
        finally:
            self.discriminator.train()
        return -gradient

    @torch.no_grad()
    def judge(self, samples: Tensor) -> Tensor:
        """The discriminator's logits (E, N) for samples (E, N, ...), each judged by itself.

        Where a judgement depends on company, the company is real samples; with a condition, it is the mean over classes.
        """
        self.discriminator.eval()
        try:
            every = range(max(1, self.classes))
            return torch.stack([self._judge_alone(samples.to(self.device), k) for k in every]).mean(0)
        finally:
            self.discriminator.train()

    def _judge_alone(self, x: Tensor, label: int) -> Tensor:
        labels = torch.full(x.shape[:2], label, device=self.device) if self.classes else None
        return self.judge_alone(self.discriminator, x, labels)

    def judge_alone(self, discriminator: Discriminator, x: Tensor, labels: Tensor | None) -> Tensor:
        """Logits (E, N) for samples (E, N, ...) of these classes (E, N), each judged by itself, as `judge` says.

        Args:
            discriminator: these members', or a copy of some of them, in evaluation mode.
        """
        c, (members, n) = self.configs[0], x.shape[:2]
        features = None
        if self._context is not None:
            real, real_labels = self._context
            if c.minibatch_std or c.minibatch_discrimination:
                every = pack(real.expand(members, *real.shape), c.pack)
                told = None if real_labels is None else self._packed(real_labels.expand(members, -1).contiguous())
                features = discriminator.features(every, told)
            if c.pack > 1:
                others = real[: c.pack - 1].flatten(0, 1)
                x = torch.cat([x, others.expand(members, n, *others.shape)], 2)
                if labels is not None:
                    labels = torch.cat([labels[..., None], real_labels[: c.pack - 1].expand(members, n, -1)], 2)
        return discriminator(x, labels, features)

    # Keeping

    def state(self) -> tuple[dict[str, Tensor], dict]:
        """Tensors with the member axis first, and the cursors of the random streams."""
        tensors: dict[str, Tensor] = {"ada.p": self.controller.p, "ada.signs": self.controller.signs}
        for part in PARTS:
            module = getattr(self, part)
            if module is not None:
                tensors |= {f"{part}.{name}": value.detach() for name, value in module.state_dict().items()}
        for part, stepper in (("opt_g", self.opt_g), ("opt_d", self.opt_d)):
            tensors |= {f"{part}.{k}": slot for k, slot in enumerate(stepper.slots)}
            if stepper.ages is not None:
                tensors[f"{part}.ages"] = stepper.ages
        if self.replay.pool is not None:
            tensors["replay"] = self.replay.pool
        if self.anchors is not None:
            tensors["anchors"] = self.anchors
        counts = {"count_g": self.opt_g.count, "count_d": self.opt_d.count, "ada": self.controller.count}
        cursors: dict = {"count": self.count, **counts}
        for name, stream in self.streams.items():
            tensors[f"stream.{name}"], cursors[name] = stream.state()
        return tensors, cursors

    def load(self, tensors: dict[str, Tensor], cursors: dict) -> None:
        """Take over what `state` returned. Parameters keep their place in the flat storage."""
        if not any(name.startswith("average.") for name in tensors):
            self.average = None  # it was not wanted yet; `set_configs` makes one if it is now
        elif self.average is None:
            self._make_average()
        for part in PARTS:
            module = getattr(self, part)
            if module is not None:
                start = len(part) + 1
                module.load_state_dict({k[start:]: v for k, v in tensors.items() if k.startswith(f"{part}.")})
        for part, stepper in (("opt_g", self.opt_g), ("opt_d", self.opt_d)):
            for k, slot in enumerate(stepper.slots):
                slot.copy_(tensors[f"{part}.{k}"])
            ages = tensors.get(f"{part}.ages")
            stepper.ages = None if ages is None else ages.to(self.device, copy=True)
        self.opt_g.count, self.opt_d.count = cursors["count_g"], cursors["count_d"]
        self.count = cursors.get("count", self.opt_g.count)  # older checkpoints know of no extra steps
        # copies: what is changed in place must not be the caller's
        names = ("anchors", "replay", "ada.p", "ada.signs")
        own = {name: tensors[name].to(self.device, copy=True) for name in names if name in tensors}
        self.anchors, self.replay.pool = own.get("anchors"), own.get("replay")
        self.controller.p, self.controller.signs, self.controller.count = own["ada.p"], own["ada.signs"], cursors["ada"]
        for name, stream in self.streams.items():
            stream.load(tensors[f"stream.{name}"].cpu(), cursors[name])


def _class_error(judge: Callable, x: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy (E,) of the auxiliary classifier on samples (E, B, ...)."""
    logits = judge(x, None, None, True)  # (E, B, K)
    return cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none").reshape(labels.shape).mean(1)


def _with_labels(judge: Callable, labels: _Labels, batch: int, coupled: bool) -> Callable[[Tensor], Tensor]:
    """A discriminator of samples alone; twice as many samples as `batch` are two batches of the same classes.

    Args:
        coupled: a judgement depends on the batch, so that two batches are judged apart.
    """

    def judged(x: Tensor) -> Tensor:
        if x.shape[1] == batch:
            return judge(x, labels)
        if coupled:
            return torch.cat([judge(half, labels) for half in x.split(batch, 1)], 1)
        return judge(x, None if labels is None else torch.cat([labels, labels], 1))

    return judged


def _refresh(layers: list[Normed]) -> None:
    """Move the singular vectors after the weights."""
    for layer in layers:
        layer.norm.refresh(layer.matrix())
