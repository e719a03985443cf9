"""Trainer: one config, or a list of configs as members, trained step by step.

    trainer = Trainer(GANConfig(dataset="ring8", seed=0))
    trainer.train(steps=1000)
    trainer.sample(64)

Bit-exact: the same config gives the same weights on the same machine, and `state_dict` loaded into a new Trainer goes
on exactly as the unbroken run would.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from . import metrics
from .config import MAX_MEMBERS, METAS, GANConfig
from .data import load
from .draws import seeded
from .errors import ConfigError, DivergedError, RunError
from .features import judge_of
from .members import PLAYERS, Members, sample_latents
from .memory import check_fits
from .networks import NETWORKS
from .pixelcnn import Likelihood
from .source import Progress

HISTORY_POINTS = 2000  # points of each curve over the planned length of a run
FLUSH_STEPS = 64  # steps between two checks that all numbers are finite
LARGE_LAYER = 2**19  # numbers in a layer of the full size, from which on a second thread pays
GENERATED_AT_ONCE = 512  # samples
BLOCK_BYTES = 2**20  # activations of one layer that still fit a core's cache

_TERMS = {
    "real_logit": "the discriminator's logits on real samples",
    "fake_logit": "the discriminator's logits on generated samples",
    "loss_d": "the discriminator's loss",
    "penalty": "the gradient penalty",
    "grad_d": "the discriminator's gradient",
    "loss_g": "the generator's loss",
    "grad_g": "the generator's gradient",
    "bits": "the likelihood of the images",
    "grad": "the network's gradient",
}


def pick_device(config: GANConfig) -> torch.device:
    """The device a config asks for.

    Raises:
        ConfigError: it is not there.
    """
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if config.device == "auto":
        heavy = NETWORKS[config.network].images_only  # small networks are faster on the CPU
        return torch.device(next((d for d in ("cuda", "mps") if heavy and there[d]), "cpu"))
    if not there[config.device]:
        have = ", ".join(["auto", *(d for d, ok in there.items() if ok)])
        raise ConfigError(f"device = {config.device} is not available on this machine. Choose one of: {have}.")
    return torch.device(config.device)


def cores() -> int:
    """Processors that this process may use, which in a container are fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    """Threads that train blocks of members side by side, one core each."""
    return ThreadPoolExecutor(cores(), "members", initializer=torch.set_num_threads, initargs=(1,))


def _submit(do: Callable[[Any], Any], block: Any) -> Future:
    """`do(block)` in the pool; in this thread where the program is about to end, when pools take nothing any more."""
    try:
        return _pool().submit(do, block)
    except RuntimeError:
        done: Future = Future()
        done.set_result(do(block))
        return done


@contextmanager
def computing_with(threads: int) -> Iterator[None]:
    """For as long as it lasts, torch computes in this thread with so many threads of its own."""
    before = torch.get_num_threads()
    if before == threads:
        yield
        return
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def check_members(configs: Sequence[GANConfig]) -> None:
    """Raise ConfigError unless the configs can be members of one trainer."""
    if not 1 <= len(configs) <= MAX_MEMBERS:
        raise ConfigError(f"A trainer takes 1 to {MAX_MEMBERS} configs, not {len(configs)}.")
    first = configs[0]
    if len(configs) > 1 and not NETWORKS[first.network].has_members:
        raise ConfigError(f"network = {first.network} holds one member at a time. Give one config, or choose mlp.")
    for name, meta in METAS.items():
        values = {getattr(c, name) for c in configs}
        if len(values) > 1 and not meta.member:
            free = ", ".join(n for n, m in METAS.items() if m.member)
            raise ConfigError(
                f"{name} differs between members ({', '.join(map(str, sorted(values)))}). Members of one "
                f"trainer may differ in: {free}. Train the others as runs of their own."
            )


def check_trainable(configs: Sequence[GANConfig]) -> torch.device:
    """Where the configs would be trained together.

    Raises:
        ConfigError: they cannot be members of one trainer, their device is not there, or they would take too much memory.
    """
    check_members(configs)
    device = pick_device(configs[0])
    check_fits(configs, device)
    return device


def check_part(part: str, config: GANConfig) -> None:
    """Raise ConfigError where there is no such part to step alone, RunError where the network is no game of two."""
    if part not in PLAYERS:
        raise ConfigError(f"There is no part {part} to step alone. Choose one of: {', '.join(PLAYERS)}.")
    if not NETWORKS[config.network].adversarial:
        raise RunError(f"network = {config.network} is one network and no game of two, so it only takes full steps.")


class Trainer:
    """Trains one GAN, or several side by side.

    Args:
        config: one config, or a list of configs that differ only in fields marked `member` (seed, learning rates…).
        data_folder: where image data lie; None for GAN_PLAYGROUND_DATA or `data/`.
        progress: called with (text, share done) while data are fetched.
        tolerant: a member whose numbers are not finite any more is left behind instead of ending the training of all.

    Attributes:
        configs: the configs, with what was changed since.
        step_count: generator steps taken.
        judge: what tells the classes of generated images apart; None where there are none. It may still have to learn.
        stats: names of what each step reports.
        history: rows (step, array (S, E) of means since the row before), S as in `stats`.
        diverged: member -> step, of those that a tolerant trainer has left behind.

    Raises:
        ConfigError, DataError.
    """

    def __init__(
        self,
        config: GANConfig | Sequence[GANConfig],
        *,
        data_folder: Path | str | None = None,
        progress: Progress = lambda text, share: None,
        tolerant: bool = False,
    ):
        self.configs = [config] if isinstance(config, GANConfig) else list(config)
        self.device = check_trainable(self.configs)
        first = self.configs[0]
        folder = None if data_folder is None else Path(data_folder)
        data = load(first.source, folder, progress)
        labels = None if data.labels is None else data.labels.to(self.device)
        self.data = replace(data, x=data.x.to(self.device), labels=labels)
        self.judge = judge_of(first.source, folder)
        size = self._block_size()
        kind = Members if NETWORKS[first.network].adversarial else Likelihood
        self._blocks = [kind(self.configs[k : k + size], self.data, self.device) for k in range(0, len(self.configs), size)]
        self.stats = self._blocks[0].STATS
        self.step_count = 0
        self.history: list[tuple[int, np.ndarray]] = []
        self.tolerant = tolerant
        self.diverged: dict[int, int] = {}
        self._every = math.ceil(first.steps / HISTORY_POINTS)
        self._pending: list[Tensor] = []  # (S, E) of the steps that are not yet in the history
        self._checked = 0  # how many of them are known to be finite

    def _block_size(self) -> int:
        """How many members share a pass: as many as about keep a layer's activations in the cache, in equal blocks for all
        cores."""
        first, count = self.configs[0], len(self.configs)
        blocks = round(count * 4 * first.batch_size * max(first.width, math.prod(first.shape)) / BLOCK_BYTES)
        if self.device.type == "cpu" and count > 1:
            blocks = cores() * math.ceil(max(1, blocks) / cores())
        return math.ceil(count / min(max(1, blocks), count))

    @property
    def threads(self) -> int:
        """Threads of torch that train this fastest: all cores for large convolutions, else one.

        Two threads wait for each other after every operation. Where operations are short and something else wants a core, as a
        browser does, most of the time goes into that: 8 x 8 images fell from 200 to 10 steps a second beside one busy program.
        Members use several cores in another way: each thread takes blocks of its own, and they meet once a step.
        """
        first = self.configs[0]
        large = first.batch_size * math.prod(first.shape[1:]) * first.width >= LARGE_LAYER
        return cores() if large and NETWORKS[first.network].images_only else 1

    def _each(self, do: Callable[[Members | Likelihood], Any]) -> list[Any]:
        """What `do` gives for each block, several blocks at a time."""
        if len(self._blocks) == 1:
            return [do(self._blocks[0])]
        return [future.result() for future in [_submit(do, block) for block in self._blocks]]

    def own_threads(self) -> AbstractContextManager[None]:
        """For as long as it lasts, torch computes in this thread with `threads`."""
        return computing_with(self.threads)

    def step(self) -> None:
        """One generator step of every member, with the discriminator steps that belong to it.

        Raises:
            DivergedError: a number is not finite; found at most 64 steps after it happened, with the right step.
        """
        with self.own_threads():
            stats = self._each(lambda block: block.step())
        self._pending.append(stats[0] if len(stats) == 1 else torch.cat(stats, 1))
        self.step_count += 1
        if len(self._pending) - self._checked >= FLUSH_STEPS:
            self.flush()

    def extra(self, part: str) -> None:
        """One update of every member's "discriminator" or "generator" alone, beside the schedule: `step_count` stays, and the
        history tells nothing of it.

        Raises:
            ConfigError: there is no such part.
            RunError: the network is no game of two.
            DivergedError: a number is not finite.
        """
        check_part(part, self.configs[0])
        self.flush()
        with self.own_threads():
            found = self._each(lambda block: block.extra(part))
        names, stats = found[0][0], torch.cat([stats for _, stats in found], 1).cpu()
        for term, member in (~torch.isfinite(stats)).nonzero().tolist():
            if self.tolerant:
                self.diverged.setdefault(member, self.step_count)
            if not self.tolerant or len(self.diverged) == len(self.configs):
                raise self._diverged(self.step_count, names[term], member)

    def train(self, steps: int | None = None, on_step: Callable[[Trainer], None] | None = None) -> Trainer:
        """Train for `steps` more steps; None trains to the config's own length. `on_step` is called after each."""
        if steps is None:
            steps = max(0, self.configs[0].steps - self.step_count)
        with self.own_threads():
            for _ in range(steps):
                self.step()
                if on_step is not None:
                    on_step(self)
        self.flush()
        return self

    def flush(self) -> None:
        """Check what the last steps reported, and move whole windows of it to the history.

        Raises:
            DivergedError: a number is not finite; for a tolerant trainer, none of any member is.
        """
        if not self._pending:
            return
        stats = torch.stack(self._pending).cpu()  # (T, S, E)
        first = self.step_count - len(stats) + 1
        bad = (~torch.isfinite(stats)).nonzero()
        if self.tolerant:
            for step, _, member in bad.tolist():
                self.diverged.setdefault(member, first + step)
            bad = bad[:1] if len(self.diverged) == len(self.configs) else bad[:0]
        good = int(bad[0, 0]) if len(bad) else len(stats)
        done = 0
        for k in range(good):
            if (first + k) % self._every == 0:
                self.history.append((first + k, stats[done : k + 1].mean(0).numpy()))
                done = k + 1
        self._pending = self._pending[done:]
        self._checked = good - done
        if len(bad):
            step, term, member = bad[0].tolist()
            raise self._diverged(first + step, self.stats[term], member)

    def check_weights(self) -> None:
        """Raise DivergedError where a weight is not finite, as it may be before the next step reports it."""
        for k, block in enumerate(self._blocks):
            for stepper, term in block.steppers():
                bad = (~torch.isfinite(stepper.flat)).any(1).nonzero()[:, 0] + k * len(self._blocks[0])
                if self.tolerant:
                    for member in bad.tolist():
                        self.diverged.setdefault(member, self.step_count)
                if len(bad) and (not self.tolerant or len(self.diverged) == len(self.configs)):
                    raise self._diverged(self.step_count, term, int(bad[0]))

    def _diverged(self, step: int, term: str, member: int) -> DivergedError:
        config = self.configs[member]
        advice = f"Try learning rates of {config.lr_g / 10:g} and {config.lr_d / 10:g}"
        if term in ("bits", "grad"):
            advice = f"Try a learning rate of {config.lr_g / 10:g}"
        elif config.penalty == "none":
            advice += ", or penalty = r1"
        elif config.penalty_weight > 1:
            advice += f", or penalty_weight = {config.penalty_weight / 10:g}"
        which = f" of member {member}" if len(self.configs) > 1 else ""
        return DivergedError(
            f"Stopped at step {step:,}: {_TERMS[term]}{which} is not a finite number any more. {advice}.",
            step=step,
            term=term,
            member=member,
        )

    def set_value(self, name: str, value: float | str) -> None:
        """Change one setting: see `set_values`."""
        self.set_values({name: value})

    def set_values(self, changes: Mapping[str, float | str]) -> None:
        """Change settings between two steps, for all members, all of them or none.

        Raises:
            ConfigError: a setting is unknown, cannot change while training, or they do not fit together.
        """
        for name in changes:
            if name not in METAS or not METAS[name].live:
                live = ", ".join(n for n, m in METAS.items() if m.live)
                raise ConfigError(f"{name} cannot be changed while a run trains. These can: {live}.")
        self.configs = [c.but(**changes) for c in self.configs]
        start = 0
        for block in self._blocks:
            block.set_configs(self.configs[start : start + len(block)])
            start += len(block)

    def member(self, index: int) -> tuple[Members, int]:
        """The block that holds a member, and its place there."""
        if not 0 <= index < len(self.configs):
            raise RunError(f"There is no member {index}; this run has members 0 to {len(self.configs) - 1}.")
        size = len(self._blocks[0])
        return self._blocks[index // size], index % size

    @property
    def classes(self) -> int:
        """Classes that samples can be asked for; 0 where the generator knows of none."""
        return self.configs[0].classes

    @property
    def noise_numbers(self) -> int:
        """Numbers of its own randomness that the generator takes for each sample beside the latents."""
        return self._blocks[0].noise_numbers

    def generate(
        self,
        latents: Tensor,
        member: int = 0,
        average: bool = True,
        labels: Tensor | None = None,
        noise: Tensor | None = None,
    ) -> Tensor:
        """Samples (N, ...) of one member from latents (N, Z), on the CPU.

        Args:
            labels: (N,) classes for a conditional generator; None goes through all classes in turn.
            noise: (N, n) standard normal numbers, for a generator with randomness of its own; None always draws the same.
        """
        block, place = self.member(member)
        return self._of_block(block, latents, labels, noise, average)[place].cpu()

    def generate_all(self, latents: Tensor) -> Tensor:
        """Samples (E, N, ...) of all members from the same latents (N, Z), on the CPU."""
        with self.own_threads():
            return torch.cat(self._each(lambda block: self._of_block(block, latents))).cpu()

    def _of_block(
        self,
        block: Members | Likelihood,
        latents: Tensor,
        labels: Tensor | None = None,
        noise: Tensor | None = None,
        average: bool = True,
    ) -> Tensor:
        """Samples (E, N, ...) of all members of a block from the same latents (N, Z)."""
        n = len(latents)
        if self.classes and labels is None:
            labels = torch.arange(n) % self.classes
        if noise is None and block.noise_numbers:
            noise = torch.randn((n, block.noise_numbers), generator=seeded(0, "noise"))
        parts = []
        with self.own_threads():
            for start in range(0, n, GENERATED_AT_ONCE):
                these = [None if x is None else x[start : start + GENERATED_AT_ONCE] for x in (latents, labels, noise)]
                z, y, u = [None if x is None else x.expand(len(block), *x.shape) for x in these]
                parts.append(block.generate(z, average, y, u))
        return torch.cat(parts, 1)

    def sample(self, n: int, member: int = 0, seed: int = 0, average: bool = True, label: int | None = None) -> Tensor:
        """n samples of one member, (n, 2) or (n, C, H, W) in [-1, 1], from the latents that `seed` gives.

        A conditional generator goes through all classes in turn, or makes those of `label`. The training streams are not
        touched: looking changes nothing.

        Raises:
            RunError: there is no such member or class.
        """
        self.member(member)  # refuses an index that is out of range
        if label is not None and not 0 <= label < self.classes:
            has = f"it has classes 0 to {self.classes - 1}" if self.classes else "it was trained without classes"
            raise RunError(f"This generator cannot make class {label}: {has}.")
        latents = sample_latents(self.configs[member], n, seeded(seed, "sample"))
        return self.generate(latents, member, average, None if label is None else torch.full((n,), label))

    def measure(self, n: int | None = None, full: bool = False, names: Sequence[str] | None = None) -> dict[str, Tensor]:
        """`metrics.measure` for all members: name -> (E,), TALLIES (E, K). What needs a judge is NaN until it is ready."""
        n = n or metrics.samples_for(self.data, full)
        latents = sample_latents(self.configs[0], n, seeded(1, "evaluate"))
        labels = None
        if self.classes:  # as often as in the data
            labels = self.data.labels[torch.randint(len(self.data.x), (n,), generator=seeded(1, "evaluate:labels"))]

        def look(block: Members | Likelihood) -> dict[str, Tensor]:
            samples = self._of_block(block, latents, labels)
            return block.scores() | metrics.measure(samples, self.data, self.judge, full, names)

        with self.own_threads():
            found = self._each(look)
        return {name: torch.cat([part[name].cpu() for part in found]) for name in found[0]}

    def teach(self, seconds: float) -> float:
        """Let the judge of the data learn for about so many seconds; returns the share done, 1 where nothing is to learn."""
        if self.judge is None or self.judge.ready:
            return 1.0
        with self.own_threads():
            return self.judge.advance(seconds)

    def evaluate(self, n: int | None = None, full: bool = False) -> dict[str, float | list[float]]:
        """Metrics on n samples: a number each, or a list with several members.

        Args:
            n: how many; by default 2,500 points or 1,000 images, in full 10,000, and never more than half of the data.
            full: every metric instead of those that are measured while a run trains.
        """
        if self.judge is not None:
            with self.own_threads():
                self.judge.learn()
        rows = {name: values.tolist() for name, values in self.measure(n, full).items() if name not in metrics.TALLIES}
        return rows if len(self.configs) > 1 else {name: values[0] for name, values in rows.items()}

    def state_dict(self) -> dict:
        """Everything that the future of this run depends on.

        Returns:
            {"step", "configs", "cursors", "diverged", "tensors"}: all but the last, names -> tensors, fit in JSON.
        """
        self.flush()
        states = [block.state() for block in self._blocks]
        names = states[0][0]
        tensors = {name: states[0][0][name] if len(states) == 1 else torch.cat([s[0][name] for s in states]) for name in names}
        if self._pending:
            tensors["pending"] = torch.stack(self._pending)
        return {
            "step": self.step_count,
            "configs": [c.model_dump() for c in self.configs],
            "cursors": states[0][1],
            "diverged": [[member, step] for member, step in self.diverged.items()],
            "tensors": {name: value.detach().cpu().clone() for name, value in tensors.items()},
        }

    def _check_same(self, configs: list[GANConfig]) -> None:
        """Raise ValueError unless the configs are this trainer's, but for what may have changed while training."""
        if len(configs) != len(self.configs):
            raise ValueError(f"it has {len(configs)} members, this trainer {len(self.configs)}")
        for mine, other in zip(self.configs, configs, strict=True):
            for name, meta in METAS.items():
                if not meta.live and name not in ("steps", "device") and getattr(mine, name) != getattr(other, name):
                    raise ValueError(f"its {name} is {getattr(other, name)}, here it is {getattr(mine, name)}")

    def load_state_dict(self, state: dict) -> None:
        """Go on from a `state_dict` of the same configs.

        Raises:
            RunError: it belongs to other networks.
        """
        tensors = dict(state["tensors"])
        pending = tensors.pop("pending", None)
        try:
            configs = [GANConfig.parse(c) for c in state["configs"]]
            self._check_same(configs)
            start = 0
            for block in self._blocks:
                end = start + len(block)
                part = tensors if len(self._blocks) == 1 else {name: t[start:end] for name, t in tensors.items()}
                block.load(part, state["cursors"])
                block.set_configs(configs[start:end])
                start = end
        except (KeyError, RuntimeError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise RunError(
                f"This checkpoint does not fit the config it was opened with ({reason}). Open it with the "
                f"config of the run that wrote it."
            ) from error
        self.configs = configs
        self.step_count = state["step"]
        self.diverged = dict(state.get("diverged", []))
        self.history = []
        self._pending = [] if pending is None else list(pending.to(self.device))
        self._checked = len(self._pending)
