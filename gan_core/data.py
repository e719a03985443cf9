"""DATASETS: name -> one tensor in memory, with labels and mode centres where they are known.

Points are (N, 2) in the coordinates of their paper; images (N, C, H, W) in [-1, 1]. A data set is the same for every
run and seed: runs draw from it with their own generators.
"""

from __future__ import annotations

import gzip
import hashlib
import http.client
import math
import os
import tempfile
import urllib.request
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from .draws import seeded
from .errors import DataError

MEMORY_LIMIT = 2 * 2**30  # bytes that a resized data set may take
POINTS = 50_000  # how many points a 2-D data set holds
Progress = Callable[[str, float], None]  # (what is being done, share done from 0 to 1)


@dataclass(frozen=True)
class Data:
    """What a run trains on.

    Attributes:
        x: (N, 2) points or (N, C, H, W) images in [-1, 1], float32.
        labels: (N,) int64 class or mode of each sample, or None.
        centres: (K, 2) mode centres, or None where there are no separate modes.
        sigmas: (K, 2) standard deviation of each mode along each axis, or None.
    """

    x: Tensor
    labels: Tensor | None = None
    centres: Tensor | None = None
    sigmas: Tensor | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample: (2,) or (C, H, W)."""
        return tuple(self.x.shape[1:])


@dataclass(frozen=True)
class Dataset:
    """An entry of the registry. `load(folder, progress)` returns the data at its native size.

    Attributes:
        kind: "points" or "images".
        size: native height and width of images; 0 for points.
        channels: of images; 0 for points.
    """

    load: Callable[[Path, Progress], Data]
    title: str
    text: str
    source: str
    kind: str = "points"
    size: int = 0
    channels: int = 0


def data_folder() -> Path:
    """Where downloaded data lie: GAN_PLAYGROUND_DATA, else `data/` in the project."""
    return Path(os.environ.get("GAN_PLAYGROUND_DATA") or Path(__file__).resolve().parent.parent / "data").expanduser()


def load(name: str, image_size: int = 0, folder: Path | None = None, progress: Progress = lambda text, share: None) -> Data:
    """The data set `name`; images are resized to `image_size` (0: their own size). Kept in memory after the first time.

    Raises:
        DataError: files are missing and cannot be downloaded, or are damaged.
    """
    folder = Path(folder) if folder is not None else data_folder()
    entry = DATASETS[name]
    if entry.kind == "points":
        return _cached_points(name)
    return _cached_images(name, image_size or entry.size, folder, _Quiet(progress))


class _Quiet:
    """A progress callback that the cache does not tell apart from another one."""

    def __init__(self, call: Progress):
        self.call = call

    def __hash__(self) -> int:
        return 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Quiet)


@cache
def _cached_points(name: str) -> Data:
    return DATASETS[name].load(Path(), lambda text, share: None)


@lru_cache(maxsize=2)
def _cached_images(name: str, size: int, folder: Path, progress: _Quiet) -> Data:
    data = DATASETS[name].load(folder, progress.call)
    if size == data.shape[1]:
        return data
    needed = 4 * len(data.x) * data.shape[0] * size * size
    if needed > MEMORY_LIMIT:
        largest = math.isqrt(MEMORY_LIMIT // (4 * len(data.x) * data.shape[0])) // 4 * 4
        raise DataError(
            f"{len(data.x):,} images of {size} x {size} would take {needed / 1e9:.1f} GB of memory. Set image_size to "
            f"{largest} or less."
        )
    resized = torch.empty((len(data.x), data.shape[0], size, size))
    for start in range(0, len(data.x), 4096):
        part = interpolate(data.x[start : start + 4096], (size, size), mode="bilinear", antialias=True)
        resized[start : start + 4096] = part.clamp_(-1, 1)
        progress.call("Resizing images", start / len(data.x))
    return Data(resized, data.labels)


# Points


def _mixture(name: str, centres: Tensor, sigmas: Tensor, n: int = POINTS) -> Data:
    """An even mixture of Gaussians with diagonal covariance: centres (K, 2), sigmas (K, 2)."""
    generator = seeded(0, f"data:{name}")
    labels = torch.randint(len(centres), (n,), generator=generator)
    x = centres[labels] + sigmas[labels] * torch.randn((n, 2), generator=generator)
    return Data(x, labels, centres, sigmas)


def _isotropic(centres: Tensor, sigma: float) -> Tensor:
    return torch.full_like(centres, sigma)


def _ring8(folder: Path, progress: Progress) -> Data:
    angles = torch.arange(8) * (2 * math.pi / 8)  # not linspace(0, 2 pi, 8), whose ends fall together
    centres = 2 * torch.stack([angles.cos(), angles.sin()], 1)
    return _mixture("ring8", centres, _isotropic(centres, 0.1))


def _grid25(folder: Path, progress: Progress) -> Data:
    axis = torch.arange(-4.0, 5.0, 2.0)
    centres = torch.cartesian_prod(axis, axis)
    return _mixture("grid25", centres, _isotropic(centres, 0.05))


def _two_gaussians(folder: Path, progress: Progress) -> Data:
    return _mixture("two_gaussians", torch.tensor([[0.3, 0.7], [0.7, 0.4]]), torch.tensor([[0.1, 0.1], [0.05, 0.2]]))


def _disjoint3(folder: Path, progress: Progress) -> Data:
    centres = torch.tensor([[0.35, 0.75], [0.75, 0.6], [0.45, 0.35]])
    return _mixture("disjoint3", centres, _isotropic(centres, 0.025))


def _swiss_roll(folder: Path, progress: Progress) -> Data:
    """Angle t = 1.5 pi (1 + 2u), point (t cos t, t sin t) with noise 0.25, divided by 7.5: as the WGAN-GP toy."""
    generator = seeded(0, "data:swiss_roll")
    t = 1.5 * math.pi * (1 + 2 * torch.rand(POINTS, generator=generator))
    x = torch.stack([t * t.cos(), t * t.sin()], 1) + 0.25 * torch.randn((POINTS, 2), generator=generator)
    return Data(x / 7.5)


# Images


def _digits(folder: Path, progress: Progress) -> Data:
    from sklearn.datasets import load_digits  # slow to import, and only this needs it

    digits = load_digits()
    x = torch.from_numpy(digits.images).float()[:, None] / 8 - 1  # 0..16 -> [-1, 1]
    return Data(x, torch.from_numpy(digits.target).long())


def _read_idx(path: Path) -> np.ndarray:
    """An array in the idx format of MNIST's home page, plain or gzipped."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rb") as file:
        start = file.read(4)  # two zeros, the type (8: bytes), the number of dimensions
        if len(start) < 4 or start[:3] != b"\0\0\x08":
            raise ValueError("not an idx file of bytes")
        shape = [int.from_bytes(file.read(4), "big") for _ in range(start[3])]
        return np.frombuffer(file.read(), np.uint8).reshape(shape)


def _download(name: str, target: Path, urls: list[str], md5: str, progress: Progress) -> None:
    """Fetch a file from the first mirror that has it, check it, and only then give it its name."""
    target.parent.mkdir(parents=True, exist_ok=True)
    problem = "no address is known for it"
    for url in urls:
        try:
            with (
                urllib.request.urlopen(url, timeout=20) as answer,
                tempfile.NamedTemporaryFile(dir=target.parent, suffix=".part", delete=False) as part,
            ):
                try:
                    total, done, digest = int(answer.headers.get("Content-Length") or 0), 0, hashlib.md5()
                    while block := answer.read(1 << 16):
                        part.write(block)
                        digest.update(block)
                        done += len(block)
                        progress(f"Downloading {name}: {target.name}", done / total if total else 0.0)
                    part.close()
                    if digest.hexdigest() == md5:
                        Path(part.name).replace(target)
                        return
                    problem = "the download was damaged"
                finally:
                    Path(part.name).unlink(missing_ok=True)
        except (OSError, http.client.HTTPException) as error:
            problem = str(getattr(error, "reason", error))
    raise DataError(
        f"{name} is not in {target.parent} and could not be downloaded ({problem}). Put {target.name} there, or set "
        f"GAN_PLAYGROUND_DATA to a folder that has it, or choose the data set digits, which needs no download."
    )


def _mnist_like(name: str, subfolder: str) -> Callable[[Path, Progress], Data]:
    def load_files(folder: Path, progress: Progress) -> Data:
        arrays = []
        for part in ("images-idx3", "labels-idx1"):
            path = _find_idx(name, subfolder, f"train-{part}-ubyte", folder, progress)
            progress(f"Reading {name}", 0.5 * len(arrays))
            try:
                arrays.append(_read_idx(path))
            except (OSError, EOFError, ValueError, zlib.error) as error:
                raise DataError(
                    f"{path} is damaged or cannot be read ({error}). Delete it and start again to download it anew, or "
                    f"choose the data set digits, which needs no download."
                ) from error
        images, labels = arrays
        if images.ndim != 3 or images.shape[1:] != (28, 28) or len(images) != len(labels):
            raise DataError(
                f"{folder / subfolder} holds {images.shape} images and {labels.shape} labels, "
                f"expected (N, 28, 28) and (N,). Delete that folder and start again."
            )
        x = torch.from_numpy(images.astype(np.float32))[:, None].div_(127.5).sub_(1)
        return Data(x, torch.from_numpy(labels.astype(np.int64)))

    return load_files


def _find_idx(name: str, subfolder: str, stem: str, folder: Path, progress: Progress) -> Path:
    raw = folder / subfolder / "raw"
    for path in (raw / stem, raw / f"{stem}.gz"):
        if path.is_file():
            return path
    from . import vision  # slow to import, and only its table of addresses and checksums is wanted

    source = {"MNIST": vision.MNIST, "FashionMNIST": vision.FashionMNIST}[subfolder]
    target = raw / f"{stem}.gz"
    md5 = dict(source.resources)[target.name]
    try:
        _download(name, target, [mirror + target.name for mirror in source.mirrors], md5, progress)
    except OSError as error:
        raise DataError(
            f"{name} cannot be kept in {raw} ({error}). Set GAN_PLAYGROUND_DATA to a folder that can be "
            f"written, or choose the data set digits, which needs no download."
        ) from error
    return target


def is_here(name: str, folder: Path | None = None) -> bool:
    """Whether the data set can be loaded without a download."""
    subfolder = {"mnist": "MNIST", "fashion_mnist": "FashionMNIST"}.get(name)
    if subfolder is None:
        return True
    raw = (Path(folder) if folder is not None else data_folder()) / subfolder / "raw"
    return all(
        any((raw / f"train-{part}-ubyte{end}").is_file() for end in ("", ".gz")) for part in ("images-idx3", "labels-idx1")
    )


DATASETS: dict[str, Dataset] = {
    "ring8": Dataset(
        _ring8,
        "Ring of 8 Gaussians",
        "Eight small Gaussians on a circle of radius 2, sigma 0.1.",
        "the usual toy for mode collapse, as in Metz et al. 2017",
    ),
    "grid25": Dataset(
        _grid25,
        "Grid of 25 Gaussians",
        "Twenty-five Gaussians on {-4, -2, 0, 2, 4}², sigma 0.05.",
        "Lin et al. 2018 (PacGAN), section 4.1",
    ),
    "two_gaussians": Dataset(
        _two_gaussians,
        "Two Gaussians",
        "A round and a tall Gaussian side by side in the unit square.",
        "GAN Lab, data set “gaussians”",
    ),
    "disjoint3": Dataset(
        _disjoint3,
        "Three separate Gaussians",
        "Three tight Gaussians, sigma 0.025, in the unit square.",
        "GAN Lab, data set “disjoint”",
    ),
    "swiss_roll": Dataset(
        _swiss_roll, "Swiss roll", "One curved band: no separate modes, but thin.", "Gulrajani et al. 2017, figure 1"
    ),
    "digits": Dataset(
        _digits,
        "Digits 8 × 8",
        "1,797 small handwritten digits that ship with scikit-learn: no download.",
        "Alpaydin and Kaynak 1998, UCI",
        "images",
        8,
        1,
    ),
    "mnist": Dataset(
        _mnist_like("mnist", "MNIST"),
        "MNIST",
        "60,000 handwritten digits, 28 × 28.",
        "LeCun et al. 1998",
        "images",
        28,
        1,
    ),
    "fashion_mnist": Dataset(
        _mnist_like("fashion_mnist", "FashionMNIST"),
        "Fashion-MNIST",
        "60,000 pictures of clothes, 28 × 28.",
        "Xiao et al. 2017",
        "images",
        28,
        1,
    ),
}
