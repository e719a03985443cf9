"""DATA: how an exported script gets its data, one entry a data set.

Each entry is `write(config)`: the code of a function `load_data()` that returns what `load` in `data` returns: points
(N, 2) or images (N, C, H, W) in [-1, 1], with the labels behind them where the networks are told of classes.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import fill

from .config import GANConfig
from .data import DATASETS
from .points import DRAWN_SIGMA, decode_points
from .points import POINTS as ALL_POINTS
from .script_text import docstring, indented, joined
from .source import LUMA

POINTS = f"{ALL_POINTS:_}"


def _function(c: GANConfig, body: str, x: str, labels: str) -> str:
    """`load_data()` with this body, which returns the expression x, and labels where they are wanted."""
    shape = ", ".join(["N", *map(str, c.shape)])
    span = " in [-1, 1]" if len(c.shape) == 3 else ""
    text = f"{DATASETS[c.dataset].text} A tensor ({shape}){span}{', and labels (N,)' if c.classes else ''}."
    back = f"return {x}, {labels}" if c.classes else f"return {x}"
    return joined("def load_data():", indented(joined(docstring(text), body, back)))


def _points(body: str, x: str) -> Callable[[GANConfig], str]:
    return lambda c: _function(c, body, x, "labels")


def _mixture(centres: str, count: int, sigma: str) -> Callable[[GANConfig], str]:
    body = f"{centres}\nlabels = torch.randint({count}, ({POINTS},))"
    return _points(body, f"centres[labels] + {sigma} * torch.randn({POINTS}, 2)")


def _drawn(c: GANConfig) -> str:
    cells = ((decode_points(c.points) + 1) * 127.5).round().int().tolist()
    numbers = fill(", ".join(f"({x}, {y})" for x, y in cells), 110, break_on_hyphens=False)
    body = f"points = torch.tensor(DRAWING) / 127.5 - 1\nrows = torch.randint(len(points), ({POINTS},))"
    table = f"# fmt: off\nDRAWING = [  # (x, y), 0 is -1 and 255 is 1\n{indented(numbers)},\n]\n# fmt: on\n\n\n"
    return table + _function(c, body, f"points[rows] + {DRAWN_SIGMA} * torch.randn({POINTS}, 2)", "")


def _images(read: str, size: int, channels: int, labels: str = "") -> Callable[[GANConfig], str]:
    """Images that `read` leaves in x, made to the config's measure in the order of `source.made_to_measure`."""

    def write(c: GANConfig) -> str:
        wanted, grey = c.shape[0], c.shape[0] < channels
        k = c.levels - 1
        body = joined(
            read,
            grey and f"x = (x * torch.tensor({list(LUMA)})[:, None, None]).sum(1, keepdim=True)  # ITU-R BT.601",
            c.size != size and f'x = interpolate(x, ({c.size}, {c.size}), mode="bilinear", antialias=True)',
            (grey or c.size != size) and "x = x.clamp(-1, 1)  # against rounding",
            c.levels and f"x = ((x + 1) / 2 * {k} + 0.5).floor().clamp(max={k}) / {k} * 2 - 1  # {c.levels} values",
            wanted > channels and f"x = x.repeat(1, {wanted}, 1, 1)",
        )
        return _function(c, body, "x", labels)

    return write


def _torchvision(name: str) -> Callable[[GANConfig], str]:
    read = f'found = datasets.{name}("data", download=True)\nx = found.data[:, None] / 127.5 - 1'
    return _images(read, 28, 1, "found.targets")


_STACKED = """\
digits = datasets.MNIST("data", download=True).data / 127.5 - 1
x = digits[torch.randint(len(digits), (50_000, 3))]  # three digits as red, green and blue"""

_CIFAR = """\
found = datasets.CIFAR10("data", download=True)
x = torch.from_numpy(found.data).permute(0, 3, 1, 2) / 127.5 - 1"""

_OPEN = {
    True: """\
archive = zipfile.ZipFile(Path(PATH).expanduser())
files = {name: partial(archive.open, name) for name in archive.namelist()}""",
    False: """\
folder = Path(PATH).expanduser()
files = {p.relative_to(folder).as_posix(): partial(p.open, "rb") for p in folder.rglob("*") if p.is_file()}""",
}

_ALBUM = """\
x = []
for name in sorted(files):
    if Path(name).suffix.lower() not in ENDINGS or Path(name).name.startswith("."):
        continue
    try:
        with files[name]() as file, Image.open(file) as image:
            x.append(centre_square(image))
    except (OSError, ValueError) as error:
        print(f"{name} is left out: {error}")
x = torch.from_numpy(np.stack(x)).float().permute(0, 3, 1, 2) / 127.5 - 1"""

_SQUARE = '''\
ENDINGS = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp"}


def centre_square(image):
    """The middle of an image, (SIZE, SIZE, CHANNELS) uint8. Transparent parts are white."""
    image = ImageOps.exif_transpose(image)
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    image = image.crop((left, top, left + side, top + side))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    if image.mode.startswith("I"):  # 16 bits
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    image = image.convert("MODE").resize((SIZE, SIZE), Image.Resampling.BILINEAR)
    return np.asarray(image).reshape(SIZE, SIZE, CHANNELS)


'''


def _is_packed(path: str) -> bool:
    """Whether a path means a zip file, by its name or because a file is there."""
    try:
        return path.lower().endswith(".zip") or Path(path).expanduser().is_file()
    except (OSError, ValueError, RuntimeError):  # "~" of somebody who is not known, for one
        return False


def _folder(c: GANConfig) -> str:
    square = _SQUARE.replace("SIZE", str(c.size)).replace("CHANNELS", str(c.shape[0]))
    square = square.replace("MODE", "L" if c.shape[0] == 1 else "RGB")
    read = joined(_OPEN[_is_packed(c.path)], _ALBUM)
    return square + _images(read, c.size, c.shape[0])(c)


DATA: dict[str, Callable[[GANConfig], str]] = {
    "ring8": _mixture(
        "angles = torch.arange(8) * (2 * math.pi / 8)\ncentres = 2 * torch.stack([angles.cos(), angles.sin()], 1)", 8, "0.1"
    ),
    "grid25": _mixture(
        "axis = torch.tensor([-4.0, -2.0, 0.0, 2.0, 4.0])\ncentres = torch.cartesian_prod(axis, axis)", 25, "0.05"
    ),
    "two_gaussians": _mixture(
        "centres, sigmas = torch.tensor([[0.3, 0.7], [0.7, 0.4]]), torch.tensor([[0.1, 0.1], [0.05, 0.2]])",
        2,
        "sigmas[labels]",
    ),
    "disjoint3": _mixture("centres = torch.tensor([[0.35, 0.75], [0.75, 0.6], [0.45, 0.35]])", 3, "0.025"),
    "swiss_roll": _points(
        f"t = 1.5 * math.pi * (1 + 2 * torch.rand({POINTS}))\n"
        f"x = torch.stack([t * t.cos(), t * t.sin()], 1) + 0.25 * torch.randn({POINTS}, 2)",
        "x / 7.5",
    ),
    "two_moons": _points(
        f"labels = torch.randint(2, ({POINTS},))\n"
        f"t = math.pi * torch.rand({POINTS})\n"
        "outer, inner = torch.stack([t.cos(), t.sin()], 1), torch.stack([1 - t.cos(), 0.5 - t.sin()], 1)\n"
        "x = torch.where(labels[:, None] == 0, outer, inner)",
        f"x + 0.1 * torch.randn({POINTS}, 2)",
    ),
    "line": _points(
        f"start, end = torch.tensor([0.8, 0.6]), torch.tensor([0.05, 0.9])\nx = start + torch.rand({POINTS}, 1) * (end - start)",
        f"x + 0.01 * torch.randn({POINTS}, 2)",
    ),
    "checkerboard": _points(
        f"column = torch.randint(4, ({POINTS},))\n"
        f"row = 2 * torch.randint(2, ({POINTS},)) + column % 2\n"
        "cell = torch.stack([column, row], 1)",
        f"2 * (cell + torch.rand({POINTS}, 2)) - 4",
    ),
    "pinwheel": _points(
        f"labels = torch.randint(5, ({POINTS},))\n"
        f"along, across = (torch.randn({POINTS}, 2) * torch.tensor([0.3, 0.1]) + torch.tensor([1.0, 0.0])).T\n"
        "angle = 2 * math.pi / 5 * labels + 0.25 * along.exp()\n"
        "cos, sin = angle.cos(), angle.sin()",
        "2 * torch.stack([along * cos + across * sin, across * cos - along * sin], 1)",
    ),
    "drawn": _drawn,
    "digits": _images(
        "found = load_digits()\nx = torch.from_numpy(found.images).float()[:, None] / 8 - 1  # 0..16 -> [-1, 1]",
        8,
        1,
        "torch.from_numpy(found.target)",
    ),
    "mnist": _torchvision("MNIST"),
    "fashion_mnist": _torchvision("FashionMNIST"),
    "kmnist": _torchvision("KMNIST"),
    "stacked_mnist": _images(_STACKED, 28, 3),
    "cifar10": _images(_CIFAR, 32, 3, "torch.tensor(found.targets)"),
    "folder": _folder,
}
