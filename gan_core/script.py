"""A config as code: one short PyTorch script, or a notebook, that trains the same thing without this project.

The code holds only what the config needs. It is put together from the entries of `script_data`, `script_networks`,
`script_parts` and their like; here stand the constants and the imports, of which those are kept that the code uses.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from . import script_parts as parts
from . import script_pixelcnn as pixelcnn
from . import script_remedies as remedies
from . import script_training as training
from .config import GANConfig
from .data import DATASETS
from .errors import ConfigError
from .losses import LOSSES
from .networks import NETWORKS
from .penalties import PENALTIES
from .script_bodies import BODIES
from .script_data import DATA
from .script_networks import networks, tells
from .script_text import docstring, indented, joined, literal, uses
from .style import MAX_STYLE

POINTS, ROWS, COLUMNS = 2500, 8, 8  # samples of points; images in a grid, where classes have no columns of their own

# What a script may import, in the order in which it stands there: a name, and the line that brings it. Of a module in capitals,
# only those names are imported that the code uses.
IMPORTS = (
    ("argparse", "import argparse"),
    ("copy", "import copy"),
    ("math", "import math"),
    ("zipfile", "import zipfile"),
    ("partial", "from functools import partial"),
    ("Path", "from pathlib import Path"),
    ("", ""),
    ("plt", "import matplotlib.pyplot as plt"),
    ("np", "import numpy as np"),
    ("torch", "import torch"),
    ("ImageOps", "from PIL import Image, ImageOps"),
    ("Image", "from PIL import Image"),
    ("load_digits", "from sklearn.datasets import load_digits"),
    ("nn", "from torch import nn"),
    ("functional_call", "from torch.func import functional_call"),
    ("FUNCTIONS", ""),
    ("UTILS", ""),
    ("datasets", "from torchvision import datasets"),
)
WRITTEN = (*BODIES, "pixelcnn")  # networks that have code
FUNCTIONS = (
    "avg_pool2d",
    "conv2d",
    "cross_entropy",
    "interpolate",
    "leaky_relu",
    "normalize",
    "one_hot",
    "pad",
    "relu",
    "softplus",
)
UTILS = ("clip_grad_norm_", "parametrize")


@dataclass(frozen=True)
class Section:
    """One part of a script: a heading, and functions and classes in the order in which they use each other."""

    title: str
    code: list[str]

    def text(self) -> str:
        return "\n\n\n".join(self.code)


def script(config: GANConfig) -> str:
    """The config as one Python script, which trains what the config says and writes samples to a file.

    Raises:
        ConfigError: the config holds something that cannot be exported; it says what, and what would do.
        DataError: the text of drawn points is damaged.
    """
    _check(config)
    sections = [*_sections(config), Section("Run", [_main(config)])]
    body = "\n\n\n".join(f"# {section.title}\n\n\n{section.text()}" for section in sections)
    body += '\n\n\nif __name__ == "__main__":\n    main()\n'
    head = f'"""{_about(config)}\n\n    python this_file.py [--steps N]\n\n{_recipe(config)}\n"""'
    return "\n\n".join([head, _imports(body), f"{_constants(config, body)}\n\n\n{body}"])


def notebook(config: GANConfig) -> str:
    """The config as a Jupyter notebook, nbformat 4: the same code in cells, and a look at the samples.

    Raises:
        ConfigError, DataError: as `script`.
    """
    _check(config)
    sections = [*_sections(config), Section("Run", [_call(config, "STEPS")]), Section("Samples", [_look(config)])]
    everything = "\n\n".join(section.text() for section in sections)
    setup = f"{_imports(everything)}\n\n{_constants(config, everything)}"
    cells = [("markdown", f"# {_about(config)}\n\n{_recipe(config)}"), ("code", setup)]
    for section in sections:
        cells += [("markdown", f"## {section.title}"), ("code", section.text())]
    entries = [
        {"cell_type": kind, "id": f"cell-{k}", "metadata": {}, "source": text.splitlines(keepends=True)}
        | ({"execution_count": None, "outputs": []} if kind == "code" else {})
        for k, (kind, text) in enumerate(cells)
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return json.dumps({"cells": entries, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}, indent=1) + "\n"


def _check(c: GANConfig) -> None:
    """Refuse what has no code."""
    for field, registry in (
        ("network", WRITTEN),
        ("dataset", DATA),
        ("latent", parts.LATENTS),
        ("loss", parts.LOSSES),
        ("penalty", parts.PENALTIES),
        ("optimizer", parts.OPTIMIZERS),
        ("lr_schedule", parts.SCHEDULES),
    ):
        if getattr(c, field) not in registry:
            raise ConfigError(f"{field} = {getattr(c, field)} cannot be exported as code. Choose one of: {', '.join(registry)}.")


def _sections(c: GANConfig) -> list[Section]:
    data = Section("Data", [DATA[c.dataset](c)])
    if not NETWORKS[c.network].adversarial:
        functions = [parts.schedule(c), pixelcnn.train(c), pixelcnn.sample(c), _picture(c)]
        return [
            data,
            Section("Network", [pixelcnn.network(c)]),
            Section("Loss", [pixelcnn.likelihood(c)]),
            Section("Training", [code for code in functions if code]),
        ]
    told = ", labels" if c.classes else ""
    functions = [
        remedies.AGED_ADAM if parts.aged(c) else "",
        parts.schedule(c),
        remedies.augmentation(c),
        remedies.seen(c),
        remedies.replay(c),
        remedies.mode_seeking(c),
        remedies.look_ahead(c, told, training.counts(c)),
        remedies.resetting(c),
        training.train(c),
        _sample(c),
        _picture(c),
    ]
    return [
        data,
        Section("Networks", [parts.latents(c), *networks(c)]),
        Section("Losses", parts.losses(c, "labels" if tells(c) else "", training.counts(c))),
        Section("Training", [code for code in functions if code]),
    ]


# What comes after


def _sample(c: GANConfig) -> str:
    labels = ", torch.arange(n) % CLASSES" if c.classes else ""
    return joined(
        "@torch.no_grad()",
        "def sample(generator, n):",
        indented(
            joined(
                docstring(f"n samples, (n, {', '.join(map(str, c.shape))}){', of all classes in turn' if c.classes else ''}."),
                "generator.eval()",
                f"return generator(latents(n){labels}).cpu()",
            )
        ),
    )


def _device(c: GANConfig) -> str:
    """Where to compute, as code; "" for the CPU."""
    if c.device == "auto":
        return '"cuda" if torch.cuda.is_available() else "cpu"' if NETWORKS[c.network].images_only else ""
    return "" if c.device == "cpu" else f'"{c.device}"'


def _call(c: GANConfig, steps: str) -> str:
    """The lines that load the data and train."""
    names = "data, targets" if c.classes else "data"
    device = _device(c)
    moved = joined(
        "torch.set_default_device(DEVICE)",
        "data, targets = data.to(DEVICE), targets.to(DEVICE)" if c.classes else "data = data.to(DEVICE)",
    )
    return joined(
        "torch.manual_seed(SEED)",
        f"{names} = load_data()",
        device and moved,
        f"generator = train(Generator(), Discriminator(), {names}, {steps})"
        if NETWORKS[c.network].adversarial
        else pixelcnn.call(c, steps),
    )


def _picture(c: GANConfig) -> str:
    """`picture(images)`, or "" for points."""
    return (
        ""
        if len(c.shape) == 1
        else '''\
def picture(images, columns):
    """Images (N, C, H, W) in [-1, 1] beside and below each other: (rows * H, columns * W, C), uint8."""
    n, channels, height, width = images.shape
    rows = images.reshape(n // columns, columns, channels, height, width).permute(0, 3, 1, 4, 2)
    together = rows.reshape(n // columns * height, columns * width, channels)
    return (together * 127.5 + 128).clamp(0, 255).byte().numpy()'''
    )


def _made(c: GANConfig) -> str:
    """The name of what has been trained."""
    return "generator" if NETWORKS[c.network].adversarial else "model"


def _grid(c: GANConfig) -> tuple[int, int]:
    """Images to show, and in a row of them: a column for each class where there are some."""
    columns = c.classes or COLUMNS
    return ROWS * columns, columns


def _main(c: GANConfig) -> str:
    if len(c.shape) == 1:
        save = f'np.save("samples.npy", sample(generator, {POINTS}).numpy())\nprint("{POINTS} samples are in samples.npy")'
    else:
        n, columns = _grid(c)
        network = _made(c)
        squeezed = "[..., 0]" if c.shape[0] == 1 else ""
        save = (
            f'Image.fromarray(picture(sample({network}, {n}), {columns}){squeezed}).save("samples.png")\n'
            f'print("{n} samples are in samples.png")'
        )
    return joined(
        "def main():",
        indented(
            joined(
                "parser = argparse.ArgumentParser()",
                'parser.add_argument("--steps", type=int, default=STEPS, help="how many to train")',
                "steps = parser.parse_args().steps",
                _call(c, "steps"),
                save,
            )
        ),
    )


def _look(c: GANConfig) -> str:
    """A notebook's look at the samples."""
    if len(c.shape) == 1:
        return joined(
            f"samples, some = sample(generator, {POINTS}), data[:{POINTS}].cpu()",
            'plt.scatter(*some.T, s=2, label="real")',
            'plt.scatter(*samples.T, s=2, label="generated")',
            'plt.gca().set_aspect("equal")',
            "plt.legend()",
            "plt.show()",
        )
    n, columns = _grid(c)
    network = _made(c)
    return joined(
        f'plt.imshow(picture(sample({network}, {n}), {columns}), cmap="gray")',
        'plt.axis("off")',
        "plt.show()",
    )


# Head


def _about(c: GANConfig) -> str:
    if not NETWORKS[c.network].adversarial:
        return f"A {NETWORKS[c.network].title} on {DATASETS[c.dataset].title}."
    way = "" if PENALTIES[c.penalty].title == "None" else f", penalty {PENALTIES[c.penalty].title}"
    return f"A GAN on {DATASETS[c.dataset].title}: {NETWORKS[c.network].title}, loss {LOSSES[c.loss].title}{way}."


def _recipe(c: GANConfig) -> str:
    """Where the code comes from. What the user wrote (a path, points) may hold anything, so it is left out here."""
    settings = {name: value for name, value in c.changed().items() if name not in ("path", "points")}
    listed = "\n".join(f"    {name} = {value}" for name, value in settings.items()) or "    (the usual ones)"
    return f"Exported from GAN Playground, and needs nothing of it. The settings:\n\n{listed}"


def _imports(code: str) -> str:
    """The import lines of the names that the code uses."""
    groups = {
        "FUNCTIONS": ("torch.nn.functional", FUNCTIONS),
        "UTILS": ("torch.nn.utils", UTILS),
    }
    lines = []
    for name, line in IMPORTS:
        if name in groups:
            module, names = groups[name]
            used = [n for n in names if uses(code, n)]
            lines += [f"from {module} import {', '.join(used)}"] if used else []
        elif not name or uses(code, name) and not (lines and line in lines[-1]):  # a shorter line of the same
            lines.append(line)
    return "\n".join(lines).strip()


def _constants(c: GANConfig, code: str) -> str:
    """The settings that the code names."""
    table = {
        "SEED": (c.seed, ""),
        "STEPS": (c.steps, ""),
        "D_STEPS": (c.d_steps, "of the discriminator for each of the generator"),
        "BATCH_SIZE": (c.batch_size, ""),
        "PACK": (c.pack, "samples that are judged together (PacGAN)"),
        "CLASSES": (c.classes, ""),
        "LATENT_DIM": (c.latent_dim, "numbers of noise for a sample"),
        "ISLANDS": (c.latent_modes, "of noise"),
        "COINS": (c.latent_modes, "numbers of noise that are 1 or -1"),
        "LEVELS": (c.levels, "values that a pixel may have"),
        "TEMPERATURE": (c.temperature, "of the soft choice of a pixel's value"),
        "TEMPERATURE_END": (c.temperature_end, "at the last step"),
        "WIDTH": (c.width, "of hidden layers"),
        "STYLE": (min(MAX_STYLE, 4 * c.width), "numbers in a style"),
        "GROUP": (c.minibatch_std, "samples whose deviation the discriminator sees"),
        "DEPTH": (c.depth, "layers"),
        "SIZE": (c.size, "height and width in pixels"),
        "LR": (c.lr_g, "learning rate"),
        "LR_G": (c.lr_g, "learning rates"),
        "LR_D": (c.lr_d, ""),
        "LR_END": (c.lr_end, "share of them at the last step"),
        "BETA1": (c.beta1, ""),
        "BETA2": (c.beta2, ""),
        "GRAD_CLIP": (c.grad_clip, "longest gradient that is followed in full"),
        "PENALTY_WEIGHT": (c.penalty_weight, ""),
        "CLIP": (c.penalty_weight, "largest weight of the discriminator"),
        "LABEL_SMOOTHING": (c.label_smoothing, ""),
        "CLASS_WEIGHT": (c.class_weight, "of telling the class"),
        "UNROLL_STEPS": (c.unroll_steps, ""),
        "MODE_SEEKING": (c.mode_seeking, "weight"),
        "INSTANCE_NOISE": (c.instance_noise, "standard deviation"),
        "INSTANCE_NOISE_STEPS": (c.instance_noise_steps, "until it is gone"),
        "REPLAY": (c.replay, "share of generated samples that are earlier ones"),
        "ADA_TARGET": (c.ada_target, "mean sign of the logits on real images"),
        "ADA_IMAGES": (c.ada_images, "that it takes from never changed to always"),
        "RESET_EVERY": (c.reset_every, "steps"),
        "RESET_FRACTION": (c.reset_fraction, "of the weights"),
        "EMA_DECAY": (c.ema_decay, "of the averaged generator"),
        "PATH": (c.path, ""),
    }
    lines = [
        f"{name} = {literal(value)}" + (f"  # {comment}" if comment else "")
        for name, (value, comment) in table.items()
        if uses(code, name)
    ]
    if uses(code, "DEVICE"):
        lines.append(f"DEVICE = {_device(c)}")
    return "\n".join(lines)


FORMATS = {"script": script, "notebook": notebook}
