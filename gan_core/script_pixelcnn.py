"""The code of an exported PixelCNN, which is no game: one network, trained by likelihood (see `pixelcnn`)."""

from __future__ import annotations

from . import script_parts as parts
from .config import GANConfig
from .pixelcnn import HELD_OUT, SCORED
from .script_text import docstring, indented, joined

_GATED = '''\
def gate(x):
    """tanh * sigmoid of the halves of the channels: van den Oord et al. 2016b, equation 2."""
    signal, gate = x.chunk(2, 1)
    return signal.tanh() * gate.sigmoid()


class GatedLayer(nn.Module):
    """The vertical stack sees `reach` rows above and its own, the horizontal one `reach` pixels to the left and its own.

    van den Oord et al. 2016b (Conditional Image Generation with PixelCNN Decoders), figure 2.
    """

    def __init__(self, inputs, reach):
        super().__init__()
        self.reach, self.residual = reach, inputs == WIDTH
        self.down = nn.Conv2d(inputs, 2 * WIDTH, (reach + 1, 2 * reach + 1), padding=(0, reach))
        self.right = nn.Conv2d(inputs, 2 * WIDTH, (1, reach + 1))
        self.link = nn.Conv2d(2 * WIDTH, 2 * WIDTH, 1)
        self.out = nn.Conv2d(WIDTH, WIDTH, 1)
LABEL
    def forward(self, v, h TOLD):
        v = self.down(pad(v, (0, 0, self.reach, 0)))BIAS
        new = self.out(gate(self.right(pad(h, (self.reach, 0))) + self.link(v)))
        return gate(v), h + new if self.residual else new


class PixelCNN(nn.Module):
    """Images (B, 1, H, W) -> logits of each pixel's levels given the pixels before it, (B, LEVELS, H, W).

    A shift of the image by one row, and by one pixel, takes the place of mask A; no weight needs a mask.
    """

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([GatedLayer(1, 3), *(GatedLayer(WIDTH, 1) for _ in range(DEPTH - 1))])
        self.head = nn.Sequential(nn.ReLU(), nn.Conv2d(WIDTH, WIDTH, 1), nn.ReLU(), nn.Conv2d(WIDTH, LEVELS, 1))
        for layer in self.modules():  # uniform with variance 1 / inputs (LeCun et al. 1998, section 4.6)
            if isinstance(layer, KINDS):
                bound = (3 / layer.weight[0].numel()) ** 0.5
                nn.init.uniform_(layer.weight, -bound, bound)
            if isinstance(layer, nn.Conv2d):
                nn.init.zeros_(layer.bias)

    def forward(self, x TOLD):
        v, h = pad(x, (0, 0, 1, -1)), pad(x, (1, -1))
        for layer in self.layers:
            v, h = layer(v, h TOLD)
        return self.head(h)'''

_LIKELIHOOD = '''\
def bits(model, x TOLD):
    """Negative log2-likelihood of images for each pixel, their mean."""
    levels = ((x[:, 0] + 1) / 2 * (LEVELS - 1) + 0.5).floor().long()
    return cross_entropy(model(x TOLD), levels) / math.log(2)'''

_SAMPLE = '''\
@torch.no_grad()
def sample(model, n):
    """n samples, (n, 1, SIZE, SIZE), pixel by pixel."""
    images = torch.zeros(n, 1, SIZE, SIZE)
GIVEN
    for i in range(SIZE):
        for j in range(SIZE):
            level = torch.multinomial(model(images TOLD)[:, :, i, j].softmax(1), 1)[:, 0]
            images[:, 0, i, j] = 2 * level / (LEVELS - 1) - 1
    return images.cpu()'''


def network(c: GANConfig) -> str:
    """The class `PixelCNN` and what it is made of."""
    label = "        self.label = nn.Embedding(CLASSES, 2 * WIDTH)\n" if c.classes else ""
    kinds = "(nn.Conv2d, nn.Embedding)" if c.classes else "nn.Conv2d"
    bias = " + self.label(labels)[:, :, None, None]" if c.classes else ""
    return _told(_GATED.replace("LABEL\n", label + "\n").replace("KINDS", kinds).replace("BIAS", bias), c)


def likelihood(c: GANConfig) -> str:
    """What is minimised."""
    return _told(_LIKELIHOOD, c)


def _told(code: str, c: GANConfig) -> str:
    return code.replace(" TOLD", ", labels" if c.classes else "")


def train(c: GANConfig) -> str:
    """The training loop, which also says how well images are predicted that were never trained on."""
    labels = "targets, " if c.classes else ""
    told = ", targets[rows]" if c.classes else ""
    averaged = c.ema_decay > 0
    loop = joined(
        c.lr_schedule != "constant" and 'opt.param_groups[0]["lr"] = LR * decayed(step / max(1, steps - 1))',
        "rows = torch.randint(len(data), (BATCH_SIZE,))",
        f"loss = bits(model, data[rows]{told})",
        "opt.zero_grad()",
        "loss.backward()",
        c.grad_clip > 0 and "clip_grad_norm_(model.parameters(), GRAD_CLIP)",
        "opt.step()",
        averaged
        and "\nnew = max(1 - EMA_DECAY, 9 / (step + 10))  # young averages forget faster\n"
        "with torch.no_grad():\n"
        "    for mean, now in zip(average.parameters(), model.parameters()):\n"
        "        mean.lerp_(now, new)",
        '\nif (step + 1) % max(1, steps // 10) == 0:\n    print(f"step {step + 1:6}  {loss.item():.4f} bits for each pixel")',
    )
    return joined(
        f"def train(model, data, {labels}steps):",
        indented(
            joined(
                docstring("Trains by maximum likelihood and returns the model" + (", averaged." if averaged else ".")),
                f"opt = {parts.optimizer(c, 'model', 'LR')}",
                averaged and "average = copy.deepcopy(model)",
                "for step in range(steps):",
                indented(loop),
                "return average" if averaged else "return model",
            )
        ),
    )


def sample(c: GANConfig) -> str:
    """`sample(model, n)`."""
    given = "    labels = torch.arange(n) % CLASSES\n" if c.classes else ""
    return _told(_SAMPLE.replace("GIVEN\n", given), c)


def call(c: GANConfig, steps: str) -> str:
    """The lines that hold a part of the data out, train, and say how well that part is predicted."""
    names = ("data", "targets") if c.classes else ("data",)
    held, rest = (", ".join(f"{name}[{part}]" for name in names) for part in ("held", "rest"))
    return joined(
        f"order = torch.randperm(len(data))  # {HELD_OUT:.0%} are never trained on",
        f"count = max(1, int({HELD_OUT} * len(order)))",
        f"held, rest = order[:count][:{SCORED}], order[count:]",
        f"model = train(PixelCNN(), {rest}, {steps})",
        "with torch.no_grad():",
        f'    print(f"{{bits(model, {held}).item():.4f}} bits for each pixel of images that are new to it")',
    )
