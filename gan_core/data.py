"""DATASETS: name -> one tensor in memory, with labels and mode centres where they are known.

Points are (N, 2) in the coordinates of their paper; images (N, C, H, W) in [-1, 1]. A data set is the same for every
run and seed: runs draw from it with their own generators.
"""

from __future__ import annotations

import base64
import difflib
import gzip
import hashlib
import http.client
import io
import math
import os
import pickle
import tarfile
import tempfile
import threading
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path, PurePosixPath
from typing import IO

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.nn.functional import interpolate

from .draws import seeded
from .errors import DataError

MEMORY_LIMIT = 2 * 2**30  # bytes that a data set made to measure may take
PIXEL_LIMIT = 50_000_000  # of one image file; a file of a few kB may claim to hold gigabytes
FILE_LIMIT = 2**28  # bytes of one image file, unpacked: 50 megapixels without compression
BATCH_LIMIT = 2**26  # bytes of one of CIFAR-10's batches; the real ones have 31 MB
POINTS = 50_000  # how many points a 2-D data set holds
DRAWN_LIMIT = 4096  # points that a drawing may have
DRAWN_SIGMA = 0.02  # as GAN Lab scatters a drawing
ENDINGS = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp"}
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")  # what Pillow may take a file for, whatever its name says
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
CIFAR_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
CIFAR_MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
Progress = Callable[[str, float], None]  # (what is being done, share done from 0 to 1)


@dataclass(frozen=True)
class Source:
    """What of a config defines the data. What means nothing for the data set `name` is ignored.

    Attributes:
        name: key of DATASETS.
        image_size: height and width in pixels; 0 is the data set's own.
        channels: 1 is grey (ITU-R 601 luma), 3 is colour (grey is repeated), 0 is the data set's own.
        levels: K >= 2 rounds image values to K evenly spaced ones in [-1, 1]; 0 leaves them as they are.
        path: of the data set folder: a folder or a zip file of images.
        points: of the data set drawn: what `encode_points` made.
    """

    name: str
    image_size: int = 0
    channels: int = 0
    levels: int = 0
    path: str = ""
    points: str = ""


@dataclass(frozen=True)
class Data:
    """What a run trains on.

    Attributes:
        x: (N, 2) points or (N, C, H, W) images in [-1, 1], float32.
        labels: (N,) int64 class or mode of each sample, or None.
        centres: (K, 2) mode centres, or None where there are no separate modes.
        sigmas: (K, 2) standard deviation of each mode along each axis, or None.
        skipped: names of the files that could not be used.
    """

    x: Tensor
    labels: Tensor | None = None
    centres: Tensor | None = None
    sigmas: Tensor | None = None
    skipped: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample: (2,) or (C, H, W)."""
        return tuple(self.x.shape[1:])


@dataclass(frozen=True)
class Dataset:
    """An entry of the registry. `load(source, folder, progress)` gets a Source whose zeros are filled in.

    Attributes:
        load: returns the data at their native size; only what has none makes them to the source's measure itself.
        use: when to use it.
        cost: what it costs.
        kind: "points" or "images".
        size: native height and width of images; 0 for points.
        channels: of images; 0 for points.
        classes: how many labels there are for conditions, 0 to classes - 1; 0 where there are none to use.
        here: whether the files that it would otherwise download are in a folder.
    """

    load: Callable[[Source, Path, Progress], Data]
    title: str
    text: str
    source: str
    use: str
    cost: str
    kind: str = "points"
    size: int = 0
    channels: int = 0
    classes: int = 0
    here: Callable[[Path], bool] = lambda folder: True


_locks: dict[tuple[Source, Path], threading.Lock] = {}


def _lock_of(wanted: tuple[Source, Path]) -> threading.Lock:
    return _locks.setdefault(wanted, threading.Lock())


def data_folder() -> Path:
    """Where downloaded data lie: GAN_PLAYGROUND_DATA, else `data/` in the project."""
    return Path(os.environ.get("GAN_PLAYGROUND_DATA") or Path(__file__).resolve().parent.parent / "data").expanduser()


def load(source: Source | str, folder: Path | None = None, progress: Progress = lambda text, share: None) -> Data:
    """The data of a source (a name is Source(name)), kept in memory after the first time.

    Args:
        folder: where downloaded files lie; `data_folder()` if None.

    Raises:
        DataError: the source makes no sense, or files are missing and cannot be downloaded, damaged or too large.
    """
    source = _filled_in(source)
    folder = Path(folder) if folder is not None else data_folder()
    if DATASETS[source.name].kind == "points":
        return _cached_points(source)
    with _lock_of((source, folder)):  # two who want the same wait for one
        return _cached_images(source, folder, _changed(source.path), _Quiet(progress))


def is_here(source: Source | str, folder: Path | None = None) -> bool:
    """Whether the data can be loaded without a download."""
    folder = Path(folder) if folder is not None else data_folder()
    return DATASETS[_filled_in(source).name].here(folder)


def _filled_in(source: Source | str) -> Source:
    """The source with the data set's own values for zeros, and without what means nothing for it: a key of the cache."""
    source = Source(source) if isinstance(source, str) else source
    entry = DATASETS.get(source.name)
    if entry is None:
        near = difflib.get_close_matches(source.name, DATASETS, 1)
        hint = f"Did you mean {near[0]}? " if near else ""
        raise DataError(f"There is no data set {source.name}. {hint}Choose one of: {', '.join(DATASETS)}.")
    if entry.kind == "points":
        return Source(source.name, points=source.points if source.name == "drawn" else "")
    if source.image_size < 0:
        raise DataError(f"image_size = {source.image_size} is not usable: expected 0 or a number of pixels.")
    if source.channels not in (0, 1, 3):
        raise DataError(f"channels = {source.channels} is not usable: expected 1 (grey), 3 (colour) or 0 (as they are).")
    if source.levels < 0 or source.levels == 1:
        raise DataError(f"levels = {source.levels} is not usable: expected 2 or more values, or 0 for images as they are.")
    return Source(
        source.name,
        source.image_size or entry.size,
        source.channels or entry.channels,
        source.levels,
        source.path if source.name == "folder" else "",
    )


def _changed(path: str) -> int:
    """When a folder or zip file last changed, in ns, so that it is read again then; 0 if it cannot be told."""
    try:
        return Path(path).expanduser().stat().st_mtime_ns if path else 0
    except (OSError, ValueError, RuntimeError):
        return 0


class _Quiet:
    """A progress callback that the cache does not tell apart from another one."""

    def __init__(self, call: Progress):
        self.call = call

    def __hash__(self) -> int:
        return 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Quiet)


@lru_cache(maxsize=32)
def _cached_points(source: Source) -> Data:
    return DATASETS[source.name].load(source, Path(), lambda text, share: None)


@lru_cache(maxsize=2)
def _cached_images(source: Source, folder: Path, changed: int, progress: _Quiet) -> Data:
    return _made_to_measure(DATASETS[source.name].load(source, folder, progress.call), source, progress.call)


def _made_to_measure(data: Data, source: Source, progress: Progress) -> Data:
    """Images at the source's size, channels and levels."""
    n, channels, size, _ = data.x.shape
    if (size, channels, 0) == (source.image_size, source.channels, source.levels):
        return data
    _check_memory(n, source.channels, source.image_size)
    x = torch.empty((n, source.channels, source.image_size, source.image_size))
    for start in range(0, n, 1024):
        progress("Resizing images", start / n)
        part = data.x[start : start + 1024]
        if channels > source.channels:
            part = (part * torch.tensor(LUMA)[:, None, None]).sum(1, keepdim=True)
        if size != source.image_size:
            part = interpolate(part, (source.image_size, source.image_size), mode="bilinear", antialias=True)
        part = part.clamp(-1, 1)  # against rounding
        if source.levels:
            part = quantised(part, source.levels)
        x[start : start + 1024] = part  # one channel is repeated for three
    return replace(data, x=x)


def quantised(x: Tensor, levels: int) -> Tensor:
    """Values in [-1, 1] rounded to the nearest of `levels` evenly spaced ones, ends included; 2 cut at 0."""
    steps = levels - 1
    return ((x + 1) / 2 * steps + 0.5).floor().clamp(max=steps) / steps * 2 - 1  # round() would send 0.5 to the even one


def _check_memory(n: int, channels: int, size: int) -> None:
    needed = 4 * n * channels * size * size
    if needed > MEMORY_LIMIT:
        largest = math.isqrt(MEMORY_LIMIT // (4 * n * channels)) // 4 * 4
        remedy = f"Set image_size to {largest} or less." if largest >= 8 else "Use fewer images."
        raise DataError(
            f"{n:,} images of {size} x {size} with {channels} channel{'s' * (channels > 1)} would take {needed / 1e9:.1f} GB "
            f"of memory, more than the {MEMORY_LIMIT / 1e9:.1f} GB that are allowed. {remedy}"
        )


# Points


def _mixture(name: str, centres: Tensor, sigmas: Tensor, n: int = POINTS) -> Data:
    """An even mixture of Gaussians with diagonal covariance: centres (K, 2), sigmas (K, 2)."""
    generator = seeded(0, f"data:{name}")
    labels = torch.randint(len(centres), (n,), generator=generator)
    x = centres[labels] + sigmas[labels] * torch.randn((n, 2), generator=generator)
    return Data(x, labels, centres, sigmas)


def _isotropic(centres: Tensor, sigma: float) -> Tensor:
    return torch.full_like(centres, sigma)


def _ring8(source: Source, folder: Path, progress: Progress) -> Data:
    angles = torch.arange(8) * (2 * math.pi / 8)  # not linspace(0, 2 pi, 8), whose ends fall together
    centres = 2 * torch.stack([angles.cos(), angles.sin()], 1)
    return _mixture("ring8", centres, _isotropic(centres, 0.1))


def _grid25(source: Source, folder: Path, progress: Progress) -> Data:
    axis = torch.arange(-4.0, 5.0, 2.0)
    centres = torch.cartesian_prod(axis, axis)
    return _mixture("grid25", centres, _isotropic(centres, 0.05))


def _two_gaussians(source: Source, folder: Path, progress: Progress) -> Data:
    return _mixture("two_gaussians", torch.tensor([[0.3, 0.7], [0.7, 0.4]]), torch.tensor([[0.1, 0.1], [0.05, 0.2]]))


def _disjoint3(source: Source, folder: Path, progress: Progress) -> Data:
    centres = torch.tensor([[0.35, 0.75], [0.75, 0.6], [0.45, 0.35]])
    return _mixture("disjoint3", centres, _isotropic(centres, 0.025))


def _swiss_roll(source: Source, folder: Path, progress: Progress) -> Data:
    """Angle t = 1.5 pi (1 + 2u), point (t cos t, t sin t) with noise 0.25, divided by 7.5: as the WGAN-GP toy."""
    generator = seeded(0, "data:swiss_roll")
    t = 1.5 * math.pi * (1 + 2 * torch.rand(POINTS, generator=generator))
    x = torch.stack([t * t.cos(), t * t.sin()], 1) + 0.25 * torch.randn((POINTS, 2), generator=generator)
    return Data(x / 7.5)


def _two_moons(source: Source, folder: Path, progress: Progress) -> Data:
    """Two half circles as scikit-learn's make_moons, noise 0.1; the label is the moon."""
    generator = seeded(0, "data:two_moons")
    labels = torch.randint(2, (POINTS,), generator=generator)
    t = math.pi * torch.rand(POINTS, generator=generator)
    outer, inner = torch.stack([t.cos(), t.sin()], 1), torch.stack([1 - t.cos(), 0.5 - t.sin()], 1)
    return Data(torch.where(labels[:, None] == 0, outer, inner) + 0.1 * torch.randn((POINTS, 2), generator=generator), labels)


def _line(source: Source, folder: Path, progress: Progress) -> Data:
    generator = seeded(0, "data:line")
    start, end = torch.tensor([0.8, 0.6]), torch.tensor([0.05, 0.9])
    x = start + torch.rand((POINTS, 1), generator=generator) * (end - start)
    return Data(x + 0.01 * torch.randn((POINTS, 2), generator=generator))


def _checkerboard(source: Source, folder: Path, progress: Progress) -> Data:
    """Column i of 4 and every other row of 4, those with i + j even; cells have side 2."""
    generator = seeded(0, "data:checkerboard")
    column = torch.randint(4, (POINTS,), generator=generator)
    row = 2 * torch.randint(2, (POINTS,), generator=generator) + column % 2
    return Data(2 * (torch.stack([column, row], 1) + torch.rand((POINTS, 2), generator=generator)) - 4)


def _pinwheel(source: Source, folder: Path, progress: Progress) -> Data:
    """Gaussians around (1, 0), radial deviation 0.3, tangential 0.1, turned by 2 pi label / 5 + exp(radius) / 4, times 2."""
    generator = seeded(0, "data:pinwheel")
    labels = torch.randint(5, (POINTS,), generator=generator)
    along, across = (torch.randn((POINTS, 2), generator=generator) * torch.tensor([0.3, 0.1]) + torch.tensor([1.0, 0.0])).T
    angle = 2 * math.pi / 5 * labels + 0.25 * along.exp()
    cos, sin = angle.cos(), angle.sin()
    return Data(2 * torch.stack([along * cos + across * sin, across * cos - along * sin], 1), labels)


def encode_points(points: np.ndarray | Tensor) -> str:
    """Points (N, 2) in [-1, 1], at most 4096, as text: base64url of uint8 (x, y) pairs, where 0 is -1 and 255 is 1.

    Raises:
        DataError: another shape, none or too many, or outside of [-1, 1].
    """
    points = np.asarray(points, np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or not 1 <= len(points) <= DRAWN_LIMIT:
        raise DataError(f"A drawing has (N, 2) points with N from 1 to {DRAWN_LIMIT}, not {points.shape}. Draw it anew.")
    cells = np.rint((points + 1) * 127.5)
    if not ((cells >= 0) & (cells <= 255)).all():  # refuses what is not a number too
        raise DataError("A point of the drawing lies outside of the square from -1 to 1. Draw it anew, inside the square.")
    return base64.urlsafe_b64encode(cells.astype(np.uint8).tobytes()).decode().rstrip("=")


def decode_points(text: str) -> Tensor:
    """The points that `encode_points` was given, (N, 2) float32, to within 1/255.

    Raises:
        DataError: the text is empty, too long or damaged.
    """
    if not text:
        raise DataError("Nothing has been drawn yet. Draw some points, or choose another data set.")
    try:
        cells = base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), altchars=b"-_", validate=True)
    except ValueError as error:
        raise DataError(f"The drawing's text is damaged ({error}). Copy it once more, or draw anew.") from error
    if len(cells) % 2 or not 2 <= len(cells) <= 2 * DRAWN_LIMIT:
        raise DataError(
            f"The drawing's text is damaged: {len(cells):,} bytes, expected two for each of 1 to {DRAWN_LIMIT:,} points. "
            f"Copy it once more, or draw anew."
        )
    return torch.from_numpy(np.frombuffer(cells, np.uint8).astype(np.float32)).reshape(-1, 2) / 127.5 - 1


def _drawn(source: Source, folder: Path, progress: Progress) -> Data:
    points, generator = decode_points(source.points), seeded(0, "data:drawn")
    rows = torch.randint(len(points), (POINTS,), generator=generator)
    return Data(points[rows] + DRAWN_SIGMA * torch.randn((POINTS, 2), generator=generator))


# Images


def _from_bytes(images: np.ndarray) -> Tensor:
    """uint8 -> float32 in [-1, 1]."""
    return torch.from_numpy(images.astype(np.float32)).div_(127.5).sub_(1)


def _digits(source: Source, folder: Path, progress: Progress) -> Data:
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


@contextmanager
def _whole_file(target: Path) -> Iterator[IO[bytes]]:
    """A file to write that gets its name only once it is whole."""
    with tempfile.NamedTemporaryFile(dir=target.parent, suffix=".part", delete=False) as part:
        try:
            yield part
            part.close()
            Path(part.name).replace(target)
        finally:
            part.close()
            Path(part.name).unlink(missing_ok=True)


def _download(name: str, target: Path, urls: list[str], md5: str, progress: Progress) -> None:
    """Fetch a file from the first mirror that has it, check it, and only then give it its name."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            f"{name} cannot be kept in {target.parent} ({error}). Set GAN_PLAYGROUND_DATA to a folder that can be "
            f"written, or choose the data set digits, which needs no download."
        ) from error
    problem = "no address is known for it"
    for url in urls:
        try:
            with urllib.request.urlopen(url, timeout=20) as answer, _whole_file(target) as part:
                total, done, digest = int(answer.headers.get("Content-Length") or 0), 0, hashlib.md5()
                while block := answer.read(1 << 16):
                    part.write(block)
                    digest.update(block)
                    done += len(block)
                    progress(f"Downloading {name}: {target.name}", done / total if total else 0.0)
                if digest.hexdigest() != md5:
                    raise OSError("the download was damaged")
            return
        except (OSError, http.client.HTTPException) as error:
            problem = str(getattr(error, "reason", error))
    raise DataError(
        f"{name} is not in {target.parent} and could not be downloaded ({problem}). Put {target.name} there, or set "
        f"GAN_PLAYGROUND_DATA to a folder that has it, or choose the data set digits, which needs no download."
    )


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(
        f"{path} is damaged or cannot be read ({error}). Delete it and start again to download it anew, or "
        f"choose the data set digits, which needs no download."
    )


def _mnist_like(name: str, subfolder: str) -> Callable[[Source, Path, Progress], Data]:
    def load_files(source: Source, folder: Path, progress: Progress) -> Data:
        arrays = []
        for part in ("images-idx3", "labels-idx1"):
            path = _find_idx(name, subfolder, f"train-{part}-ubyte", folder, progress)
            progress(f"Reading {name}", 0.5 * len(arrays))
            try:
                arrays.append(_read_idx(path))
            except (OSError, EOFError, ValueError, zlib.error) as error:
                raise _damaged(path, error) from error
        images, labels = arrays
        if images.ndim != 3 or images.shape[1:] != (28, 28) or labels.shape != images.shape[:1] or not len(images):
            raise DataError(
                f"{folder / subfolder} holds {images.shape} images and {labels.shape} labels, "
                f"expected (N, 28, 28) and (N,). Delete that folder and start again."
            )
        if labels.max() > 9:
            raise DataError(
                f"{folder / subfolder} holds the label {labels.max()}, expected 0 to 9. Delete that folder and start again."
            )
        return Data(_from_bytes(images[:, None]), torch.from_numpy(labels.astype(np.int64)))

    return load_files


def _find_idx(name: str, subfolder: str, stem: str, folder: Path, progress: Progress) -> Path:
    raw = folder / subfolder / "raw"
    for path in (raw / stem, raw / f"{stem}.gz"):
        if path.is_file():
            return path
    from . import vision  # slow to import, and only its table of addresses and checksums is wanted

    table = getattr(vision, subfolder)
    target = raw / f"{stem}.gz"
    md5 = dict(table.resources)[target.name]
    _download(name, target, [mirror + target.name for mirror in table.mirrors], md5, progress)
    return target


def _idx_here(subfolder: str) -> Callable[[Path], bool]:
    stems = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")
    return lambda folder: all(
        any((folder / subfolder / "raw" / f"{stem}{end}").is_file() for end in ("", ".gz")) for stem in stems
    )


def _stacked_mnist(source: Source, folder: Path, progress: Progress) -> Data:
    """50,000 random triples of MNIST's digits a, b, c as red, green and blue; the label is 100 a + 10 b + c."""
    digits = _mnist_like("mnist", "MNIST")(source, folder, progress)
    rows = torch.randint(len(digits.x), (50_000, 3), generator=seeded(0, "data:stacked_mnist"))
    return Data(digits.x[rows, 0], digits.labels[rows] @ torch.tensor([100, 10, 1]))


# CIFAR-10


def _binary_batch(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Labels (N,) and images (N, 3, 32, 32) of the binary version: a label's byte and 3072 of pixels, again and again."""
    if not content or len(content) % 3073:
        raise ValueError(f"{len(content):,} bytes, expected a multiple of 3073")
    rows = np.frombuffer(content, np.uint8).reshape(-1, 3073)
    return rows[:, 0], rows[:, 1:].reshape(-1, 3, 32, 32)


class _Pickled:
    """Stands for numpy's array, type and maker of arrays in a pickle: keeps what it is given and does nothing."""

    def __init__(self, *args: object):
        self.args = args

    def __setstate__(self, state: object) -> None:
        self.state = state


class _Unpickler(pickle.Unpickler):
    """Reads numbers, words, lists and numpy's arrays, and calls nothing: a pickle from elsewhere could call anything."""

    def find_class(self, module: str, name: str) -> type:
        if f"{module}.{name}" in (
            "numpy.core.multiarray._reconstruct",
            "numpy._core.multiarray._reconstruct",  # since numpy 2
            "numpy.ndarray",
            "numpy.dtype",
        ):
            return _Pickled
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which a data set does not need")


def _pickled_batch(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Labels (N,) and images (N, 3, 32, 32) of the Python version, a pickled dict from Python 2."""
    words = _Unpickler(io.BytesIO(content), encoding="bytes").load()
    entry = {key.decode() if isinstance(key, bytes) else key: value for key, value in words.items()}
    _, shape, dtype, fortran, pixels = entry["data"].state
    if dtype.args[0] not in ("u1", b"u1") or shape != (len(entry["labels"]), 3072):
        raise ValueError("it does not hold a row of 3072 bytes for each label")
    images = np.frombuffer(pixels, np.uint8).reshape(shape, order="F" if fortran else "C")
    return np.array(entry["labels"], np.uint8), images.reshape(-1, 3, 32, 32)


@dataclass(frozen=True)
class _Cifar:
    """A version in which CIFAR-10 is given away: its folder, file ending, archive and reader of a file's content."""

    subfolder: str
    ending: str
    archive: str
    read: Callable[[bytes], tuple[np.ndarray, np.ndarray]]

    def files(self, folder: Path) -> list[Path]:
        return [folder / self.subfolder / f"data_batch_{k}{self.ending}" for k in range(1, 6)]

    def is_in(self, folder: Path) -> bool:
        return all(path.is_file() for path in self.files(folder))


CIFAR = (
    _Cifar("cifar-10-batches-bin", ".bin", "cifar-10-binary.tar.gz", _binary_batch),
    _Cifar("cifar-10-batches-py", "", "cifar-10-python.tar.gz", _pickled_batch),
)


def _cifar_here(folder: Path) -> bool:
    return any(version.is_in(folder) or (folder / version.archive).is_file() for version in CIFAR)


def _unpack(version: _Cifar, folder: Path, progress: Progress) -> None:
    """Write the archive's five batches, and nothing else that it may hold, to where they belong."""
    wanted = {f"{version.subfolder}/{path.name}": path for path in version.files(folder)}
    archive = folder / version.archive
    try:
        with gzip.open(archive) as content:
            while content.read(1 << 20):  # to the checksum at the end, which tarfile would not reach, before a file is written
                pass
        (folder / version.subfolder).mkdir(exist_ok=True)
        with tarfile.open(archive) as tar:
            for member in tar:
                if (target := wanted.get(member.name)) is None:
                    continue
                if not member.isreg() or member.size > BATCH_LIMIT:
                    raise ValueError(f"{member.name} is not a file of the size of CIFAR-10's")
                progress("Unpacking cifar10", 1 - len(wanted) / 5)
                with _whole_file(target) as file:
                    file.write(tar.extractfile(member).read())
                del wanted[member.name]
        if wanted:
            raise ValueError(f"it does not hold {', '.join(wanted)}")
    except (OSError, EOFError, ValueError, zlib.error, tarfile.TarError) as error:
        raise _damaged(archive, error) from error


def _cifar10(source: Source, folder: Path, progress: Progress) -> Data:
    version = next((v for v in CIFAR if v.is_in(folder)), None)
    if version is None:
        version = next((v for v in CIFAR if (folder / v.archive).is_file()), None)
        fetched = version is None
        if fetched:
            version = CIFAR[0]
            _download("cifar10", folder / version.archive, [CIFAR_URL], CIFAR_MD5, progress)
        _unpack(version, folder, progress)
        if fetched:
            (folder / version.archive).unlink(missing_ok=True)
    labels, images = [], []
    for k, path in enumerate(version.files(folder)):
        progress("Reading cifar10", k / 5)
        try:
            if path.stat().st_size > BATCH_LIMIT:
                raise ValueError("it is larger than any file of CIFAR-10")
            some, pixels = version.read(path.read_bytes())
            if some.max() > 9:
                raise ValueError(f"it holds the label {some.max()}, expected 0 to 9")
        except Exception as error:  # a damaged pickle can raise anything
            raise _damaged(path, error) from error
        labels.append(some)
        images.append(pixels)
    return Data(_from_bytes(np.concatenate(images)), torch.from_numpy(np.concatenate(labels).astype(np.int64)))


# A folder or zip file of images


def _limited(file: IO[bytes]) -> bytes:
    content = file.read(FILE_LIMIT + 1)  # whatever size a zip file promises
    if len(content) > FILE_LIMIT:
        raise ValueError("the file is too large")
    return content


def _read_path(path: Path) -> bytes:
    if not path.is_file():
        raise ValueError("not a file")  # a pipe would be waited for
    with path.open("rb") as file:
        return _limited(file)


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    with archive.open(member) as file:
        return _limited(file)


def _image_files(path: Path, stack: ExitStack) -> dict[str, Callable[[], bytes]]:
    """Name within the folder or zip file -> what reads it. Nothing is unpacked to disk, so a name can do no harm."""
    if path.is_dir():
        found = [Path(root) / name for root, _, names in os.walk(path) for name in names]  # no links to folders: no circles
        files = {file.relative_to(path).as_posix(): partial(_read_path, file) for file in found}
    elif path.is_file():
        archive = stack.enter_context(zipfile.ZipFile(path))
        files = {member.filename: partial(_read_member, archive, member) for member in archive.infolist()}
    else:
        raise FileNotFoundError("there is no such folder or file")
    named = {name: PurePosixPath(name) for name in sorted(files)}
    return {name: files[name] for name, p in named.items() if p.suffix.lower() in ENDINGS and not p.name.startswith(".")}


def _image(content: bytes, size: int, channels: int) -> Tensor:
    """An image file's centre square, (channels, size, size) in [-1, 1]. Transparent parts are white."""
    with Image.open(io.BytesIO(content), formats=FORMATS) as image:
        if image.width * image.height > PIXEL_LIMIT:
            raise ValueError(f"{image.width} x {image.height} pixels")
        image.draft(None, (4 * size, 4 * size))  # JPEG can leave out detail while it is decoded, which is faster
        image.load()
        image = ImageOps.exif_transpose(image)
        side = min(image.size)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        image = image.crop((left, top, left + side, top + side))
        if image.has_transparency_data:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        if image.mode.startswith("I"):  # 16 bits, which Pillow would clip to 8
            image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
        image = image.convert("L" if channels == 1 else "RGB")
        pixels = np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))
    return _from_bytes(pixels.reshape(size, size, channels).transpose(2, 0, 1))


def _folder(source: Source, folder: Path, progress: Progress) -> Data:
    """The images under `source.path` in the order of their names, at the source's size and channels."""
    if not source.path:
        raise DataError("No folder has been chosen yet. Set path to a folder or a zip file of images.")
    n, size, channels, skipped = 0, source.image_size, source.channels, []
    with ExitStack() as stack:
        try:
            files = _image_files(Path(source.path).expanduser(), stack)
        except (OSError, ValueError, RuntimeError, NotImplementedError, zipfile.BadZipFile) as error:
            raise DataError(f"{source.path} cannot be read ({error}). Set path to a folder or a zip file of images.") from error
        _check_memory(len(files), channels, size)
        x = torch.empty((len(files), channels, size, size))
        for k, (name, read) in enumerate(files.items()):
            progress("Reading images", k / len(files))
            try:
                x[n] = _image(read(), size, channels)
                n += 1
            except Exception:  # decoders raise anything when a file is damaged; the others are still good
                skipped.append(name.encode(errors="replace").decode())  # so that any name can be shown
    if n < 2:
        broken = f", and {len(skipped)} that cannot be used: {', '.join(skipped[:3])}" if skipped else ""
        raise DataError(
            f"{source.path} holds {n} usable image{'s' * (n != 1)}{broken}. At least 2 are needed; "
            f"the names may end in {', '.join(sorted(ENDINGS))}."
        )
    return Data(x[:n], skipped=tuple(skipped))


DATASETS: dict[str, Dataset] = {
    "ring8": Dataset(
        _ring8,
        "Ring of 8 Gaussians",
        "Eight small Gaussians on a circle of radius 2, sigma 0.1.",
        "the usual toy for mode collapse, as in Metz et al. 2017",
        "For first runs and for mode collapse: a missing mode is seen at a glance.",
        "No download; a run takes seconds to minutes on a CPU.",
        classes=8,
    ),
    "grid25": Dataset(
        _grid25,
        "Grid of 25 Gaussians",
        "Twenty-five Gaussians on {-4, -2, 0, 2, 4}², sigma 0.05.",
        "Lin et al. 2018 (PacGAN), section 4.1",
        "To count modes: with 25 small ones, differences between remedies show.",
        "No download; needs more steps than the ring.",
        classes=25,
    ),
    "two_gaussians": Dataset(
        _two_gaussians,
        "Two Gaussians",
        "A round and a tall Gaussian side by side in the unit square.",
        "GAN Lab, data set “gaussians”",
        "To watch the generator split its mass between two modes of different shape.",
        "No download; a run takes seconds to minutes on a CPU.",
        classes=2,
    ),
    "disjoint3": Dataset(
        _disjoint3,
        "Three separate Gaussians",
        "Three tight Gaussians, sigma 0.025, in the unit square.",
        "GAN Lab, data set “disjoint”",
        "To see gradients vanish: at first, real and generated samples hardly overlap.",
        "No download; a run takes seconds to minutes on a CPU.",
        classes=3,
    ),
    "swiss_roll": Dataset(
        _swiss_roll,
        "Swiss roll",
        "One curved band: no separate modes, but thin.",
        "Gulrajani et al. 2017, figure 1",
        "To see how sharply a model follows a curve that has no modes to count.",
        "No download; the windings need more steps than a few blobs.",
    ),
    "two_moons": Dataset(
        _two_moons,
        "Two moons",
        "Two interleaved half circles of radius 1 with noise of sigma 0.1.",
        "scikit-learn's make_moons; noise as in Grathwohl et al. 2019 (FFJORD)",
        "For conditions on two classes, and for samples that wrongly bridge the gap.",
        "No download; a run takes seconds to minutes on a CPU.",
        classes=2,
    ),
    "line": Dataset(
        _line,
        "Line",
        "A straight line from (0.8, 0.6) to (0.05, 0.9) with noise of sigma 0.01.",
        "GAN Lab, data set “line”",
        "For the very first run: the simplest target there is.",
        "No download; the cheapest data set of all.",
    ),
    "checkerboard": Dataset(
        _checkerboard,
        "Checkerboard",
        "Eight of 4 × 4 squares of side 2 on [-4, 4]², evenly filled.",
        "Grathwohl et al. 2019 (FFJORD)",
        "To test sharp edges and empty holes, which smooth generators blur.",
        "No download; the edges need a wide network and many steps.",
    ),
    "pinwheel": Dataset(
        _pinwheel,
        "Pinwheel",
        "Five bent arms around the origin, radial deviation 0.6, tangential 0.2.",
        "Johnson et al. 2016; scale as in Grathwohl et al. 2019 (FFJORD)",
        "For conditions on classes that are curved, and modes that touch in the middle.",
        "No download; a run takes seconds to minutes on a CPU.",
        classes=5,
    ),
    "drawn": Dataset(
        _drawn,
        "Your own points",
        "Points that you give, in the square [-1, 1]², scattered with sigma 0.02.",
        "GAN Lab, data set “drawing”",
        "To try any shape that you can think of.",
        "No download; fine detail needs many steps.",
    ),
    "digits": Dataset(
        _digits,
        "Digits 8 × 8",
        "1,797 small handwritten digits that ship with scikit-learn: no download.",
        "Alpaydin and Kaynak 1998, UCI",
        "For first images: small enough for a CPU.",
        "No download; a run takes minutes on a CPU.",
        "images",
        8,
        1,
        classes=10,
    ),
    "mnist": Dataset(
        _mnist_like("mnist", "MNIST"),
        "MNIST",
        "60,000 handwritten digits, 28 × 28.",
        "LeCun et al. 1998",
        "For comparison with papers: many show their GAN on it first.",
        "Downloads 10 MB once; takes 190 MB of memory.",
        "images",
        28,
        1,
        classes=10,
        here=_idx_here("MNIST"),
    ),
    "fashion_mnist": Dataset(
        _mnist_like("fashion_mnist", "FashionMNIST"),
        "Fashion-MNIST",
        "60,000 pictures of clothes, 28 × 28.",
        "Xiao et al. 2017",
        "When MNIST is too easy: the same format with more texture.",
        "Downloads 26 MB once; takes 190 MB of memory.",
        "images",
        28,
        1,
        classes=10,
        here=_idx_here("FashionMNIST"),
    ),
    "kmnist": Dataset(
        _mnist_like("kmnist", "KMNIST"),
        "Kuzushiji-MNIST",
        "60,000 handwritten Japanese characters of 10 kinds, 28 × 28.",
        "Clanuwat et al. 2018",
        "When MNIST is too easy: characters of a class may look quite different.",
        "Downloads 18 MB once; takes 190 MB of memory.",
        "images",
        28,
        1,
        classes=10,
        here=_idx_here("KMNIST"),
    ),
    "stacked_mnist": Dataset(
        _stacked_mnist,
        "Stacked MNIST",
        "50,000 triples of MNIST's digits as red, green and blue: 1,000 modes, one for each number of three digits.",
        "Metz et al. 2017; Lin et al. 2018 (PacGAN)",
        "To measure mode collapse on images: a classifier of digits can count the modes.",
        "Downloads MNIST (10 MB) once; takes 470 MB of memory.",
        "images",
        28,
        3,
        here=_idx_here("MNIST"),
    ),
    "cifar10": Dataset(
        _cifar10,
        "CIFAR-10",
        "50,000 colour photographs of 10 kinds of animals and vehicles, 32 × 32.",
        "Krizhevsky 2009",
        "For natural images and comparison with papers, on a GPU.",
        "Downloads 170 MB once; takes 610 MB of memory and hours on a CPU.",
        "images",
        32,
        3,
        classes=10,
        here=_cifar_here,
    ),
    "folder": Dataset(
        _folder,
        "Your own images",
        "The images in a folder or zip file, their centre squares made equally large.",
        "files of your own",
        "To train on what interests you; images that resemble each other are learnt best.",
        "No download; memory grows with number and size of the images.",
        "images",
        32,
        3,
    ),
}
