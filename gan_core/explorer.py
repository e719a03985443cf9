"""Explorer: what one member's generator makes of its latents, and what its discriminator and the classifier think of it.

    explorer = Explorer(trainer)
    z = explorer.draw([0, 1])                                   # (2, Z)
    frames = explorer.images(path(z, 24), labels=torch.zeros(25, dtype=torch.int64))

It looks at copies of the networks that stay in evaluation mode, and draws from seeded generators of its own. So the trainer is
never changed, the same question always gets the same answer, and several threads may ask one Explorer at once.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .draws import seeded
from .errors import RunError
from .inversion import descend
from .latent import determinant, jacobian, lerp, orthonormal, path_length
from .latents import LATENTS
from .layers import Normed
from .members import Members, sample_latents
from .metrics import placed
from .networks import NETWORKS
from .style import StyleGenerator
from .trainer import Trainer, computing_with

AT_ONCE = 128  # samples; more at a time leave a core's cache
LATTICE = 64  # points along the longest side of a plane
PLANE_NUMBERS = 2**24  # of all samples of a plane together: 64 MiB
STARTS = 64  # of an inversion, at most
LAYER_NUMBERS = 2**24  # of activations that are looked at together


@dataclass(frozen=True)
class Plane:
    """A lattice of latents, and what becomes of it. R rows, C columns.

    Attributes:
        samples: (R, C, ...).
        scores: (R, C), the discriminator's logits.
        classes, confidence: (R, C), see `Explorer.classify`; None where nothing tells classes apart.
    """

    samples: Tensor
    scores: Tensor
    classes: Tensor | None
    confidence: Tensor | None


@dataclass(frozen=True)
class NoisePlane:
    """A slice through the noise of a generator of points, and its image. R rows, C columns; every cell is equally likely.

    Attributes:
        latents: (R, C, Z). noise: (R, C, 2), the two numbers that vary, or coordinates along the two directions.
        points: (R, C, 2), where it lands.
        determinant: (R, C), of the derivative of points by the two numbers: how much an area grows, negative where it is
            turned over. Where neighbours differ in sign the plane is folded.
        density: (R, C), of the pushed-forward slice at the points, per squared data unit: density of the noise /
            |determinant|. Where several sheets of a folded plane lie over each other, theirs add up.
    """

    latents: Tensor
    noise: Tensor
    points: Tensor
    determinant: Tensor
    density: Tensor

    @property
    def turned(self) -> float:
        """Share of the noise whose image is turned over against that of the larger part, 0 to 0.5; 0 where nothing folds."""
        share = float((self.determinant < 0).float().mean())
        return min(share, 1 - share)


@dataclass(frozen=True)
class Inversion:
    """Latents found for a target. S starts.

    Attributes:
        latent: (Z,), of the best start. reconstruction: what it makes, in the shape of the target.
        label: the class it was made with; None where the generator knows of none.
        error: mean squared difference to the target, of pixels in [-1, 1] or of coordinates in data units.
        latents: (S, Z), errors: (S,), of all starts.
        steps: taken; fewer than asked for where it was stopped.
    """

    latent: Tensor
    reconstruction: Tensor
    label: int | None
    error: float
    latents: Tensor
    errors: Tensor
    steps: int


def _one_thread() -> AbstractContextManager[None]:
    """Looking takes one thread of torch: with two, which wait for each other after every operation, 256 images of 28 x 28 took
    200 ms beside one busy program, where one thread took 30 and two alone 10."""
    return computing_with(1)


def _copied(module: nn.Module, place: int, members: int) -> nn.Module:
    """One member's network, in evaluation mode; no training moves it."""
    network = copy.deepcopy(module).eval().requires_grad_(False)
    if members > 1:  # then all that a network holds has the member axis first
        for tensor in [*network.parameters(), *network.buffers()]:
            tensor.data = tensor.data[place : place + 1].clone()
    return network


class Explorer:
    """Looks at one member of a trainer as it stands now.

    Args:
        trainer: opened from a checkpoint, or between two of its steps.
        member: which.
        ema: the averaged generator, where there is one; False for the raw one.

    Attributes:
        config: of the member. classes: that samples can be asked for; 0 where the generator knows of none.
        has_ema: whether there is an average to choose.
        spaces: ("z",), or ("z", "w") with a style network. layers: styles that an image is made from; 0 without.
        judge: the classifier of the data set, which may still have to learn (`judge.ready`, `judge.learn(progress)`); None
            where there is none.

    Raises:
        RunError: there is no such member, its network has no latent space, or its weights are no numbers any more.
    """

    def __init__(self, trainer: Trainer, member: int = 0, ema: bool = True):
        block, place = trainer.member(member)
        self.config = trainer.configs[member]
        if not isinstance(block, Members):
            raise RunError(
                f"network = {self.config.network} draws an image value by value and has no latent space to walk in. "
                f"Choose a run of a GAN."
            )
        self.has_ema = block.average is not None
        self._generator = _copied(block.average if ema and self.has_ema else block.generator, place, len(block))
        self._discriminator = _copied(block.discriminator, place, len(block))
        if not all(torch.isfinite(p).all() for p in self._generator.parameters()):
            which = f"Member {member}" if len(trainer.configs) > 1 else "This run"
            raise RunError(
                f"{which} had diverged at step {trainer.step_count:,}: its weights are no numbers any more. Choose "
                f"an earlier step."
            )
        self._block = block
        self.data, self.judge = trainer.data, trainer.judge
        self.classes = self._generator.classes
        self._style = self._generator.body if isinstance(self._generator.body, StyleGenerator) else None
        self.spaces = ("z",) if self._style is None else ("z", "w")
        self.layers = 0 if self._style is None else self._style.layers
        numbers = self._generator.noise_numbers
        # one row for all samples, so that what moves on the screen is what the latents move
        self._noise = torch.randn((1, 1, numbers), generator=seeded(0, "noise")).to(block.device) if numbers else None

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a sample: (2,) or (C, H, W)."""
        return self.data.shape

    @property
    def _device(self) -> torch.device:
        return self._block.device

    # Latents

    def dim(self, space: str = "z") -> int:
        """Numbers of a latent of a space.

        Raises:
            RunError: the network has no such space.
        """
        if space not in self.spaces:
            raise RunError(
                f"network = {self.config.network} has no latent space {space}. It has: {', '.join(self.spaces)}"
                + (". Only network = style also has w." if space == "w" else ".")
            )
        return self.config.latent_dim if space == "z" else len(self._style.w_mean)

    def draw(self, seeds: list[int] | range) -> Tensor:
        """Latents z (N, Z), one for each seed; the same seed always gives the same."""
        return torch.cat([sample_latents(self.config, 1, seeded(seed, "sample")) for seed in seeds])

    def sample(self, n: int, space: str = "z", labels: Tensor | None = None, seed: int = 0) -> Tensor:
        """n latents of a space at once, (N, Z) or (N, W).

        Args:
            labels: as in `images`; only w depends on them.
        """
        self.dim(space)
        z = sample_latents(self.config, n, seeded(seed, "explore"))
        return z if space == "z" else self.to_w(z, labels)

    @torch.no_grad()
    def to_w(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Styles w (N, W) of latents z (N, Z), by the mapping network.

        Args:
            labels: as in `images`; with a condition, w holds the class too.

        Raises:
            RunError: the network has no w, or no such class.
        """
        self.dim("w")
        with _one_thread():
            return self._map(z.to(self._device), self._told(labels, len(z))).cpu()

    def _map(self, z: Tensor, told: Tensor | None) -> Tensor:
        return self._style.map(self._generator.told(z[None], told)[0])

    def blend(self, first: int, last: int, frames: int) -> Tensor:
        """Weights of the classes (frames, K) on the straight way from one class to another, for `images`: zeros and a one, or
        learned vectors, are mixed before they reach the network.

        Raises:
            RunError: the generator knows no classes, or not these.
        """
        ends = self._told(torch.tensor([first, last]), 2)
        if ends is None:
            raise RunError("This generator was trained without classes, so there are none to walk between.")
        one, two = torch.eye(self.classes)[ends[0].cpu()]
        return lerp(one, two, torch.linspace(0, 1, frames))

    def _told(self, labels: Tensor | None, n: int) -> Tensor | None:
        """Labels (1, N) or weights (1, N, K) for the generator; None where it knows of no classes.

        Raises:
            RunError: they do not fit.
        """
        if labels is None:
            return (torch.arange(n) % self.classes)[None].to(self._device) if self.classes else None
        if not self.classes:
            raise RunError("This generator was trained without classes, so it cannot be asked for one.")
        mixed = labels.is_floating_point()
        if labels.shape != ((n, self.classes) if mixed else (n,)):
            raise RunError(
                f"labels of shape {tuple(labels.shape)} do not fit {n} latents: expected {n} classes, or weights "
                f"({n}, {self.classes})."
            )
        if not mixed and not bool(((labels >= 0) & (labels < self.classes)).all()):
            raise RunError(f"This generator knows the classes 0 to {self.classes - 1} only.")
        return labels[None].to(self._device)

    # Samples

    @torch.no_grad()
    def images(
        self,
        latents: Tensor,
        space: str = "z",
        labels: Tensor | None = None,
        truncation: float = 1.0,
        mix: tuple[Tensor, int] | None = None,
    ) -> Tensor:
        """Samples (N, ...) on the CPU, points too, made a part at a time.

        Args:
            latents: (N, Z); of the space w also (N, layers, W), a style for each layer.
            labels: (N,) classes, or (N, K) weights of a mixture; None goes through all classes in turn. Styles hold their
                class already, so with the space w they are not read.
            truncation: psi. With a style network w is drawn towards its mean (Karras et al. 2019, appendix B); else z towards
                0, which unlike the resampling of Brock et al. 2019, section 3.1, is a continuous way.
            mix: (others, crossover): styles of `latents` in the layers before the crossover, of the others (N, Z) from there
                on (Karras et al. 2019, section 3.1). Style networks only.

        Raises:
            RunError: the network has no such space, no styles to mix, or no such class.
        """
        self.dim(space)
        if mix is not None and self._style is None:
            raise RunError(f"network = {self.config.network} has no styles to mix. Only network = style has.")
        told = self._told(labels, len(latents)) if space == "z" else None
        parts = []
        with _one_thread():
            for start in range(0, len(latents), AT_ONCE):
                part = slice(start, start + AT_ONCE)
                y = None if told is None else told[:, part]
                if self._style is None:
                    parts.append(self._made(truncation * latents[part].to(self._device), y).cpu())
                    continue
                w = self._styles(latents[part], space, y, truncation)
                if mix is not None:
                    w = self._style.mix(w, self._styles(mix[0][part], space, y, truncation), mix[1])
                parts.append(self._made(w, None, "w").cpu())
        return torch.cat(parts) if parts else torch.zeros(0, *self.shape)

    def _styles(self, latents: Tensor, space: str, told: Tensor | None, truncation: float) -> Tensor:
        latents = latents.to(self._device)
        w = latents if space == "w" else self._map(latents, told)
        return self._style.truncate(w, truncation) if truncation != 1 else w

    def _made(self, latents: Tensor, told: Tensor | None, space: str = "z", network: nn.Module | None = None) -> Tensor:
        """Samples of latents (N, Z), by the generator or a copy of it; differentiable."""
        network = network or self._generator
        noise = None if self._noise is None else self._noise.expand(-1, len(latents), -1)
        if space == "w":
            return network.body.synthesise(latents, None if noise is None else noise[0])
        return network(latents[None], told, noise)[0]

    @torch.no_grad()
    def score(self, samples: Tensor, labels: Tensor | None = None) -> Tensor:
        """The discriminator's logits (N,) for samples (N, ...), each judged by itself, as in `Members.judge`.

        Args:
            labels: as in `images`; logits of mixtures are mixed with the same weights. None is the mean over classes.
        """
        n, parts = len(samples), []
        if labels is None and self.classes:
            labels = torch.full((n, self.classes), 1 / self.classes)
        told = self._told(labels, n)
        with _one_thread():
            for start in range(0, n, AT_ONCE):
                x = samples[start : start + AT_ONCE].to(self._device)[None]
                y = None if told is None else told[:, start : start + AT_ONCE]
                if y is None or not y.is_floating_point():
                    parts.append(self._block.judge_alone(self._discriminator, x, y)[0].cpu())
                    continue
                logits = torch.zeros(x.shape[1], device=self._device)
                for k in y[0].any(0).nonzero()[:, 0].tolist():
                    each = torch.full(x.shape[:2], k, device=self._device)
                    logits += y[0, :, k] * self._block.judge_alone(self._discriminator, x, each)[0]
                parts.append(logits.cpu())
        return torch.cat(parts) if parts else torch.zeros(0)

    def classify(self, samples: Tensor) -> tuple[Tensor, Tensor] | None:
        """Classes (N,) of samples (N, ...), and confidence (N,) in [0, 1].

        Images: the data set's classifier and its probability. Points: the nearest mode, and 1 where the sample is of high
        quality, else 0. None where nothing tells classes apart, or the classifier is not ready: it is never taught here.
        """
        if self.data.centres is not None:
            found, good = placed(samples[None].cpu(), self.data)
            return found[0], good[0].float()
        if self.judge is None or not self.judge.ready:
            return None
        with _one_thread():
            confidence, found = self.judge.look(samples)[1].softmax(1).max(1)
        return found, confidence

    @property
    def most_cells(self) -> int:
        """Points along a side of the largest plane that may be asked for."""
        return min(LATTICE, math.isqrt(PLANE_NUMBERS // math.prod(self.shape)))

    def plane(self, latents: Tensor, space: str = "z", labels: Tensor | None = None, truncation: float = 1.0) -> Plane:
        """What becomes of a lattice of latents (R, C, Z), as `latent.plane` and `latent.slice_along` make them.

        Args:
            labels: of all R * C points, row by row, as in `images`.

        Raises:
            RunError: see `images`, or the lattice has more than `most_cells` points along a side.
        """
        rows, columns = latents.shape[:2]
        if max(rows, columns) > self.most_cells:
            raise RunError(
                f"A plane of {rows} x {columns} is too large: expected at most {self.most_cells} points along each side, for "
                f"samples of this size."
            )
        samples = self.images(latents.flatten(0, 1), space, labels, truncation)
        found = self.classify(samples)
        classes, confidence = (None, None) if found is None else [x.unflatten(0, (rows, columns)) for x in found]
        scores = self.score(samples, labels)
        return Plane(samples.unflatten(0, (rows, columns)), scores.unflatten(0, (rows, columns)), classes, confidence)

    def path_length(self, space: str = "z", pairs: int = 256, seed: int = 0) -> tuple[float, float]:
        """Mean of `latent.path_length` over pairs of samples and places between them, and its standard error: slerp in z, lerp
        in w; in squared data units, or squared pixels' values. Both ends have the same class.

        Raises:
            RunError: the network has no such space, or its samples jump from value to value.
        """
        if NETWORKS[self.config.network].discrete:
            raise RunError(f"network = {self.config.network} makes values that jump, so a path through them has no length.")
        a, b = (self.sample(pairs, space, seed=seeds) for seeds in (2 * seed, 2 * seed + 1))
        t = torch.rand(pairs, generator=seeded(seed, "path_length"))
        kind = "slerp" if space == "z" else "lerp"
        lengths = path_length(lambda latents: self.images(latents, space), a, b, t, kind)
        return float(lengths.mean()), float(lengths.std() / math.sqrt(pairs))

    # Inside

    def weight(self, space: str = "z") -> Tensor:
        """What a latent meets first, (outputs, Z): the first layer's weight, without what reads a class; in w the weights of
        all convolutions' styles."""
        dim = self.dim(space)
        if space == "w":
            return self._style.style_weight.cpu()
        first = next(layer for layer in self._generator.body.modules() if isinstance(layer, Normed))
        return first.matrix()[0, :, :dim].cpu()

    def activated(self, space: str = "z") -> list[str]:
        """Names of the layers whose `activations` can be asked for, from the latent to the sample."""
        self.dim(space)
        if self._style is not None:
            return ["w"] + [f"convolution {k + 1}" for k in range(len(self._style.convs))]
        return [f"layer {k + 1}" for k in range(len(_layers(self._generator.body)))]

    @torch.no_grad()
    def activations(self, latents: Tensor, space: str = "z", layer: int = 0, labels: Tensor | None = None) -> Tensor:
        """Outputs (M, F) of a layer of `activated`, before its nonlinearity, for the first M of the latents (N, Z): fewer where
        the layer is so large that all would take more than 64 MiB.

        Raises:
            RunError: there is no such space, layer or class.
        """
        names = self.activated(space)
        if not 0 <= layer < len(names):
            raise RunError(f"There is no layer {layer}: expected 0 to {len(names) - 1}.")
        told = self._told(labels, len(latents)) if space == "z" else None
        if self._style is not None and layer == 0:
            return latents if space == "w" else self.to_w(latents, labels)
        network = copy.deepcopy(self._generator)  # a hook on the shared one would also tell of other threads' samples
        target = _layers(network.body)[layer - (self._style is not None)]
        parts: list[Tensor] = []
        target.register_forward_hook(lambda module, inputs, output: parts.append(output))
        kept: list[Tensor] = []
        most = len(latents)
        with _one_thread():
            for start in range(0, len(latents), AT_ONCE):
                if start >= most:
                    break
                y = None if told is None else told[:, start : start + AT_ONCE]
                self._made(latents[start : start + AT_ONCE].to(self._device), y, space, network)
                output = parts.pop()
                output = (output[0] if output.dim() == 3 else output).flatten(1).cpu()  # layers of members have their axis
                kept.append(output)
                most = LAYER_NUMBERS // output.shape[1]
        return torch.cat(kept)[: max(most, 2)]

    # Points

    def jacobian(self, latents: Tensor, directions: Tensor, labels: Tensor | None = None) -> Tensor:
        """Derivatives (N, 2, K) of points by movements of the latents z (N, Z) along directions (K, Z), in data units.

        Raises:
            RunError: the samples are images.
        """
        if len(self.shape) != 1:
            raise RunError("A Jacobian is shown for points, of which it is 2 x 2. This run makes images.")
        told = self._told(labels, len(latents))
        with _one_thread():
            derivative = jacobian(lambda z: self._made(z, told), latents.to(self._device), directions.to(self._device))
        return derivative.cpu()

    def noise_plane(
        self, cells: int = 32, axes: tuple[int, int] | Tensor = (0, 1), label: int | None = None, seed: int = 0
    ) -> NoisePlane:
        """A slice through the noise in which two of its numbers vary, or its coordinates along two directions, and its image. All
        else is as in one sample.

        Args:
            cells: along each side, each as likely as any other.
            axes: which two numbers; or directions (2, Z), of which the second counts for what it adds to the first.
            seed: of the sample that holds the rest.

        Raises:
            RunError: the samples are images, the noise has no such plane, or it has islands, which no one slice shows.
        """
        entry, dim = LATENTS[self.config.latent], self.config.latent_dim
        if entry.quantile is None:
            raise RunError(f"latent = {self.config.latent} is noise in islands, which no one slice shows.")
        if isinstance(axes, Tensor):
            if not entry.round:
                raise RunError(f"latent = {self.config.latent} varies evenly along its own numbers only: choose two of them.")
            frame = orthonormal(axes)
            if len(frame) != 2:
                raise RunError("Directions that are multiples of each other are no plane. Choose two that differ.")
        else:
            if dim < 2 or not all(0 <= axis < dim for axis in axes) or axes[0] == axes[1]:
                raise RunError(f"axes = {axes} is no plane of the noise: expected two different ones of its {dim} numbers.")
            frame = torch.eye(dim)[list(axes)]
        share = ((torch.arange(cells, dtype=torch.float64) + 0.5) / cells).requires_grad_()
        with torch.enable_grad():
            place = entry.quantile(share)
            (stretch,) = torch.autograd.grad(place.sum(), share)  # 1 / density of one number
        place, density = place.detach().float(), 1 / stretch.float()
        noise = torch.stack([place.repeat(cells), place.repeat_interleave(cells)], 1)  # (R * C, 2)
        rest = self.draw([seed])
        rest = rest - (rest @ frame.mT) @ frame
        z = rest + noise @ frame
        labels = None if label is None else torch.full((len(z),), label)
        areas = determinant(self.jacobian(z, frame, labels))
        lattice = (cells, cells)
        pushed = (density[:, None] * density[None]).flatten() / areas.abs()
        return NoisePlane(
            z.unflatten(0, lattice),
            noise.unflatten(0, lattice),
            self.images(z, labels=labels).unflatten(0, lattice),
            areas.unflatten(0, lattice),
            pushed.unflatten(0, lattice),
        )

    # Inversion

    def invert(
        self,
        target: Tensor,
        space: str = "z",
        *,
        starts: int = 8,
        steps: int = 300,
        rate: float = 0.2,
        label: int | None = None,
        stay: bool = False,
        seed: int = 0,
        progress: Callable[[float, float], None] = lambda share, best: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> Inversion:
        """The latent of which the generator makes a given sample, as nearly as it can, by Adam from several starts at once.

        Args:
            target: in the shape of a sample, images in [-1, 1].
            starts: 1 to 64. rate: Adam's first; it falls to 0.
            label: the class; None spreads the starts over all classes.
            stay: keep normal noise within its usual lengths. Without, a search for what the generator cannot make ends several
                times further out than anything that it was trained on.
            progress: called after each step with the share done and the least loss so far.
            stop: asked before each step; True ends it with what there is.

        Raises:
            RunError: the target does not fit, or there is no such space or class.
        """
        self.dim(space)
        if tuple(target.shape) != self.shape:
            shape, wanted = (" x ".join(map(str, s)) for s in (target.shape, self.shape))
            raise RunError(f"A target of {shape} does not fit: this generator makes {wanted}.")
        if not 1 <= starts <= STARTS:
            raise RunError(f"starts = {starts} is out of range: expected 1 to {STARTS}.")
        labels = None if label is None else torch.full((starts,), label)
        told, first = self._told(labels, starts), self.sample(starts, space, labels, seed)
        target, entry = target.to(self._device), LATENTS[self.config.latent]

        def error(made: Tensor) -> Tensor:
            return (made - target).square().flatten(1).mean(1)

        def loss(latents: Tensor) -> Tensor:
            return error(self._made(latents, told, space))

        lengths = entry.lengths(self.config.latent_dim) if stay and entry.lengths is not None else None

        def project(latents: Tensor) -> Tensor:
            if space == "w":
                return latents
            if lengths is not None:
                length = latents.norm(dim=1, keepdim=True).clamp(min=1e-12)
                return latents * (length.clamp(*lengths) / length)
            return latents if entry.project is None else entry.project(latents, self.config.latent_modes)

        with _one_thread(), torch.no_grad():
            latents, least, taken = descend(loss, project(first.to(self._device)), steps, rate, project, progress, stop)
            made = self._made(latents, told, space)
            errors = error(made).cpu()
        best = int(least.argmin())
        return Inversion(
            latents[best].cpu(),
            made[best].cpu(),
            None if told is None else int(told[0, best]),
            float(errors[best]),
            latents.cpu(),
            errors,
            taken,
        )


def _layers(body: nn.Module) -> list[nn.Module]:
    """Layers whose outputs can be looked at, in order."""
    if isinstance(body, StyleGenerator):
        return list(body.convs)
    return [layer for layer in body.modules() if isinstance(layer, Normed)]
