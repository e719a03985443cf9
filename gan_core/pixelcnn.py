"""PixelCNN: the likelihood model beside the GANs. It says how probable an image is, which no GAN can.

An image's probability is the product over its pixels, row by row, of each pixel's given those before it (van den Oord
et al. 2016a, "Pixel Recurrent Neural Networks", equation 1). Training needs one pass for all pixels, sampling one pass
a pixel.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from math import log

import torch
from torch import Tensor, nn
from torch.linalg import vector_norm
from torch.nn.functional import cross_entropy, pad

from .config import GANConfig
from .draws import Draws, seeded
from .layers import flat_gradient, flatten_parameters
from .optim import Stepper
from .remedies import SCHEDULES, clip_gradient
from .source import Data

HELD_OUT = 0.1  # share of the data that is never trained on
SCORED = 512  # held-out images that `scores` measures, at most
SCORE_BATCH = 128


def level_of(x: Tensor, levels: int) -> Tensor:
    """The nearest of `levels` evenly spaced values in [-1, 1], counted from 0, int64; between two, the higher."""
    return ((x + 1) / 2 * (levels - 1) + 0.5).floor().long()


def value_of(level: Tensor, levels: int) -> Tensor:
    """The value in [-1, 1] of a level, float32."""
    return 2 * level / (levels - 1) - 1


def _gate(x: Tensor) -> Tensor:
    """tanh * sigmoid of the halves of the channels: 2016b, equation 2."""
    signal, gate = x.chunk(2, 1)
    return signal.tanh() * gate.sigmoid()


class GatedLayer(nn.Module):
    """A layer of the vertical and the horizontal stack: van den Oord et al. 2016b, figure 2.

    The vertical stack sees `reach` rows above and its own, the horizontal one `reach` pixels to the left and its own.

    Args:
        classes: with more than 0, each has a bias of its own, as in 2016b, equation 4; it reaches the horizontal stack
            through the link.
    """

    def __init__(self, inputs: int, width: int, reach: int, classes: int):
        super().__init__()
        self.inputs, self.reach = inputs, reach
        self.down = nn.Conv2d(inputs, 2 * width, (reach + 1, 2 * reach + 1), padding=(0, reach))
        self.right = nn.Conv2d(inputs, 2 * width, (1, reach + 1))
        self.link = nn.Conv2d(2 * width, 2 * width, 1)
        self.out = nn.Conv2d(width, width, 1)
        self.residual = inputs == width
        self.label = nn.Embedding(classes, 2 * width) if classes else None

    def vertical(self, v: Tensor, labels: Tensor | None) -> Tensor:
        """Input (B, inputs, reach + H, W) -> what the gate and the link take, (B, 2 width, H, W)."""
        v = self.down(v)
        return v if self.label is None else v + self.label(labels)[:, :, None, None]

    def horizontal(self, h: Tensor, link: Tensor) -> Tensor:
        """Input (B, inputs, H, reach + W) and the link (B, 2 width, H, W) -> (B, width, H, W)."""
        new = self.out(_gate(self.right(h) + link))
        return h[..., self.reach :] + new if self.residual else new

    def forward(self, v: Tensor, h: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        v = self.vertical(pad(v, (0, 0, self.reach, 0)), labels)
        return _gate(v), self.horizontal(pad(h, (self.reach, 0)), self.link(v))


class PixelCNN(nn.Module):
    """A gated PixelCNN without a blind spot, for images (B, 1, H, W) of evenly spaced values in [-1, 1].

    Mask A is a shift of the image by one row for the vertical stack and by one pixel for the horizontal one. Behind it
    all that a layer holds at a pixel comes from earlier pixels, so mask B may see it, and no weight needs a mask.

    Args:
        size: height and width, H and W.
        levels: how many values a pixel may have, at least 2.
        width: channels of each stack.
        depth: gated layers. The first reaches 3 pixels and the others 1, as the 7 x 7 and 3 x 3 masks of 2016a, table 1;
            together they see 3 + depth rows above a pixel, 2 + depth columns to either side.
        classes: number of labels, or 0.
    """

    def __init__(self, size: int, levels: int, width: int, depth: int, classes: int = 0):
        super().__init__()
        self.size, self.levels = size, levels
        first = GatedLayer(1, width, 3, classes)
        self.layers = nn.ModuleList([first, *(GatedLayer(width, width, 1, classes) for _ in range(depth - 1))])
        self.head = nn.Sequential(nn.ReLU(), nn.Conv2d(width, width, 1), nn.ReLU(), nn.Conv2d(width, levels, 1))

    @torch.no_grad()
    def initialise(self, generators: list[torch.Generator]) -> None:
        """Uniform with variance 1/in (LeCun et al. 1998, section 4.6): with torch's third of that, the gates, which only
        ever shrink, let little of the vertical stack through at first."""
        (generator,) = generators
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Embedding)):
                bound = (3 / module.weight[0].numel()) ** 0.5
                module.weight.uniform_(-bound, bound, generator=generator)
            if isinstance(module, nn.Conv2d):
                module.bias.zero_()

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Logits (B, levels, H, W) of each pixel given those before it, from images and labels (B,) int64."""
        v, h = pad(x, (0, 0, 1, -1)), pad(x, (1, -1))
        for layer in self.layers:
            v, h = layer(v, h, labels)
        return self.head(h)

    def bits_per_dim(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Negative log2-likelihood of images divided by the number of pixels, (B,)."""
        nats = cross_entropy(self(x, labels), level_of(x[:, 0], self.levels), reduction="none")
        return nats.mean((1, 2)) / log(2)

    @torch.no_grad()
    def sample(self, noise: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images (B, 1, H, W) from standard normal noise (B, H * W), pixel by pixel.

        Pixel k takes the level at which its cumulated probability passes Phi(noise[:, k]): more noise, a brighter pixel.
        What a layer has computed of earlier pixels is kept (as Ramachandran et al. 2017, "Fast Generation for
        Convolutional Autoregressive Models"), so that a pixel costs what it costs in `forward`.
        """
        batch, size = len(noise), self.size
        uniform = torch.special.ndtr(noise).view(batch, size, size)
        # The inputs of the layers, with the border; the first one's are the image, later by a row or a pixel.
        above = [noise.new_zeros(batch, layer.inputs, layer.reach + size + 1, size) for layer in self.layers]
        left = [noise.new_zeros(batch, layer.inputs, 1, layer.reach + size + 1) for layer in self.layers]
        image = above[0][:, :, self.layers[0].reach + 1 :]
        for i in range(size):
            links = []
            for k, layer in enumerate(self.layers):
                v = layer.vertical(above[k][:, :, i : i + layer.reach + 1], labels)
                links.append(layer.link(v))
                if k + 1 < len(self.layers):
                    above[k + 1][:, :, self.layers[k + 1].reach + i] = _gate(v)[:, :, 0]
            for j in range(size):
                for k, layer in enumerate(self.layers):
                    h = layer.horizontal(left[k][..., j : j + layer.reach + 1], links[k][..., j : j + 1])
                    if k + 1 < len(self.layers):
                        left[k + 1][..., self.layers[k + 1].reach + j] = h[..., 0]
                below = self.head(h)[:, :, 0, 0].softmax(1).cumsum(1)[:, :-1]
                pixel = value_of((below < uniform[:, i, j, None]).sum(1), self.levels)
                image[:, 0, i, j] = left[0][:, 0, 0, self.layers[0].reach + 1 + j] = pixel
        return image


class Likelihood:
    """One PixelCNN in training: the trainer's counterpart to `members.Members`, with the same interface.

    Of the data, whose values are rounded to `levels` (2 makes black and white), a tenth is held out: never trained on,
    and the same for every seed, so that runs compare.

    Args:
        configs: one config. Read: levels, width, depth, conditional, batch_size, optimizer, lr_g, beta1, beta2,
            ema_decay and seed.
        data: images (N, 1, H, W) on `device`, N at least 2; with labels where `conditional` is not "none".
        device: where to compute.

    Raises:
        ValueError: more than one config.
    """

    STATS = ("bits", "grad")
    noise_numbers = 0  # its latents are all its randomness

    def __init__(self, configs: Sequence[GANConfig], data: Data, device: torch.device):
        (config,) = configs
        self.data, self.device = Data(value_of(level_of(data.x, config.levels), config.levels), data.labels), device
        self.labels = data.labels.to(device) if config.classes else None
        self.model = PixelCNN(data.shape[-1], config.levels, config.width, config.depth, config.classes)
        self.model.initialise([seeded(config.seed, "init_g")])
        self.model.to(device)
        self.average = self.average_flat = None
        self.opt = Stepper(config.optimizer, flatten_parameters(self.model, 1))
        self._parameters = list(self.model.parameters())
        self.streams = {"data": Draws([config.seed], "data", device)}
        order = torch.randperm(len(data.x), generator=seeded(0, "held_out")).to(device)
        held = max(1, int(HELD_OUT * len(order)))
        self.train_rows, self.held_rows = order[:-held], order[-held:]
        self.set_configs(configs)

    def __len__(self) -> int:
        return 1

    def set_configs(self, configs: Sequence[GANConfig]) -> None:
        """Take over values that were changed while training."""
        self.configs = list(configs)
        self._lr = torch.tensor([[float(configs[0].lr_g)]], device=self.device)
        if not configs[0].ema_decay:
            self.average = self.average_flat = None
        elif self.average is None:
            self._make_average()

    def _make_average(self) -> None:
        self.average = copy.deepcopy(self.model)
        self.average_flat = flatten_parameters(self.average, 1)

    def steppers(self) -> list[tuple[Stepper, str]]:
        """Each optimiser, and the statistic that tells of its gradient."""
        return [(self.opt, "grad")]

    def _bits(self, model: PixelCNN, rows: Tensor) -> Tensor:
        """Bits per dimension (B,) of rows of the data."""
        return model.bits_per_dim(self.data.x[rows], None if self.labels is None else self.labels[rows])

    def step(self) -> Tensor:
        """One step of maximum likelihood. Returns the batch's bits per dimension and the gradient's norm, (2, 1)."""
        config = self.configs[0]
        drawn = self.streams["data"].integers(len(self.train_rows), config.batch_size)[0]
        bits = self._bits(self.model, self.train_rows[drawn]).mean()
        grad = flat_gradient(bits, self._parameters, 1)
        share = SCHEDULES[config.lr_schedule].factor(self.opt.count / max(1, config.steps - 1), config.lr_end)
        norm = vector_norm(grad, dim=1)
        if config.grad_clip:
            grad = clip_gradient(grad, torch.full((1, 1), config.grad_clip, device=self.device))
        self.opt.step(grad, self._lr * share, config.beta1, config.beta2)
        if self.average is not None:
            # young averages forget faster, so that the first random weights do not count for long
            self.average_flat.lerp_(self.opt.flat, max(1 - config.ema_decay, 9 / (self.opt.count + 9)))
        return torch.stack([bits.detach().view(1), norm])

    @torch.no_grad()
    def scores(self) -> dict[str, Tensor]:
        """Bits per dimension of held-out images, (1,), under the averaged weights where there are any."""
        model = self.model if self.average is None else self.average
        bits = [self._bits(model, rows) for rows in self.held_rows[:SCORED].split(SCORE_BATCH)]
        return {"bits_per_dim": torch.cat(bits).mean()[None]}

    def generate(
        self, latents: Tensor, average: bool = True, labels: Tensor | None = None, noise: Tensor | None = None
    ) -> Tensor:
        """Images (1, N, 1, H, W) from standard normal latents (1, N, H * W) and labels (1, N), as `Members.generate`."""
        model = self.average if average and self.average is not None else self.model
        return model.sample(latents[0].to(self.device), None if labels is None else labels[0].to(self.device))[None]

    def state(self) -> tuple[dict[str, Tensor], dict]:
        """Tensors, and the cursors of the optimiser and the random stream."""
        tensors: dict[str, Tensor] = {}
        for part in ("model", "average"):
            module = getattr(self, part)
            if module is not None:
                tensors |= {f"{part}.{name}": value.detach() for name, value in module.state_dict().items()}
        tensors |= {f"opt.{k}": slot for k, slot in enumerate(self.opt.slots)}
        tensors["stream.data"], cursor = self.streams["data"].state()
        return tensors, {"count": self.opt.count, "data": cursor}

    def load(self, tensors: dict[str, Tensor], cursors: dict) -> None:
        """Take over what `state` returned. Parameters keep their place in the flat storage."""
        if not any(name.startswith("average.") for name in tensors):
            self.average = None  # it was not wanted yet; `set_configs` makes one if it is now
        elif self.average is None:
            self._make_average()
        for part in ("model", "average"):
            module = getattr(self, part)
            if module is not None:
                start = len(part) + 1
                module.load_state_dict({k[start:]: v for k, v in tensors.items() if k.startswith(f"{part}.")})
        for k, slot in enumerate(self.opt.slots):
            slot.copy_(tensors[f"opt.{k}"])
        self.opt.count = cursors["count"]
        self.streams["data"].load(tensors["stream.data"].cpu(), cursors["data"])
