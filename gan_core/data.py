"""DATASETS: name -> one tensor in memory, with labels and mode centres where they are known.

Points are (N, 2) in the coordinates of their paper; images (N, C, H, W) in [-1, 1]. A data set is the same for every
run and seed: runs draw from it with their own generators.
"""

from __future__ import annotations

import difflib
import threading
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from . import album, images, points
from .errors import DataError
from .source import Data, Dataset, Progress, Source, data_folder, filled_in, made_to_measure

__all__ = ["DATASETS", "Data", "Progress", "Source", "data_folder", "is_here", "load"]

_locks: dict[tuple[Source, Path], threading.Lock] = {}


def _lock_of(wanted: tuple[Source, Path]) -> threading.Lock:
    return _locks.setdefault(wanted, threading.Lock())


def load(source: Source | str, folder: Path | None = None, progress: Progress = lambda text, share: None) -> Data:
    """The data of a source (a name is Source(name)), kept in memory after the first time.

    Args:
        folder: where downloaded files lie; `data_folder()` if None.

    Raises:
        DataError: the source makes no sense, or files are missing and cannot be downloaded, damaged or too large.
    """
    source = key_of(source)
    folder = Path(folder) if folder is not None else data_folder()
    if DATASETS[source.name].kind == "points":
        return _cached_points(source)
    with _lock_of((source, folder)):  # two who want the same wait for one
        return _cached_images(source, folder, _changed(source.path), _Quiet(progress))


def is_here(source: Source | str, folder: Path | None = None) -> bool:
    """Whether the data can be loaded without a download."""
    folder = Path(folder) if folder is not None else data_folder()
    return DATASETS[key_of(source).name].here(folder)


def key_of(source: Source | str) -> Source:
    """The source with the data set's own values for zeros, and without what means nothing for it: a key of the cache."""
    source = Source(source) if isinstance(source, str) else source
    entry = DATASETS.get(source.name)
    if entry is None:
        near = difflib.get_close_matches(source.name, DATASETS, 1)
        hint = f"Did you mean {near[0]}? " if near else ""
        raise DataError(f"There is no data set {source.name}. {hint}Choose one of: {', '.join(DATASETS)}.")
    if entry.kind == "points":
        return Source(source.name, points=source.points if source.name == "drawn" else "")
    wanted = filled_in(source, entry.size, entry.channels)
    return replace(wanted, path=source.path if source.name == "folder" else "", points="")


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
    return made_to_measure(DATASETS[source.name].load(source, folder, progress.call), source, progress.call)


DATASETS: dict[str, Dataset] = {
    "ring8": Dataset(
        points.ring8,
        "Ring of 8 Gaussians",
        "Eight small Gaussians on a circle of radius 2, sigma 0.1.",
        "the usual toy for mode collapse, as in Metz et al. 2017",
        "For first runs and for mode collapse: a missing mode is seen at a glance.",
        "No download; a run takes seconds to minutes on a CPU.",
        classes=8,
    ),
    "grid25": Dataset(
        points.grid25,
        "Grid of 25 Gaussians",
        "Twenty-five Gaussians on {-4, -2, 0, 2, 4}², sigma 0.05.",
        "Lin et al. 2018 (PacGAN), section 4.1",
        "To count modes: with 25 small ones, differences between remedies show.",
        "No download; needs more steps than the ring.",
        classes=25,
    ),
    "two_gaussians": Dataset(
        points.two_gaussians,
        "Two Gaussians",
        "A round and a tall Gaussian side by side in the unit square.",
        "GAN Lab, data set “gaussians”",
        "To watch the generator split its mass between two modes of different shape.",
        "No download; a run takes seconds to minutes on a CPU.",
        classes=2,
    ),
    "disjoint3": Dataset(
        points.disjoint3,
        "Three separate Gaussians",
        "Three tight Gaussians, sigma 0.025, in the unit square.",
        "GAN Lab, data set “disjoint”",
        "To see gradients vanish: at first, real and generated samples hardly overlap.",
        "No download; a run takes seconds to minutes on a CPU.",
        classes=3,
    ),
    "swiss_roll": Dataset(
        points.swiss_roll,
        "Swiss roll",
        "One curved band: no separate modes, but thin.",
        "Gulrajani et al. 2017, figure 1",
        "To see how sharply a model follows a curve that has no modes to count.",
        "No download; the windings need more steps than a few blobs.",
    ),
    "two_moons": Dataset(
        points.two_moons,
        "Two moons",
        "Two interleaved half circles of radius 1 with noise of sigma 0.1.",
        "scikit-learn's make_moons; noise as in Grathwohl et al. 2019 (FFJORD)",
        "For conditions on two classes, and for samples that wrongly bridge the gap.",
        "No download; a run takes seconds to minutes on a CPU.",
        classes=2,
    ),
    "line": Dataset(
        points.line,
        "Line",
        "A straight line from (0.8, 0.6) to (0.05, 0.9) with noise of sigma 0.01.",
        "GAN Lab, data set “line”",
        "For the very first run: the simplest target there is.",
        "No download; the cheapest data set of all.",
    ),
    "checkerboard": Dataset(
        points.checkerboard,
        "Checkerboard",
        "Eight of 4 × 4 squares of side 2 on [-4, 4]², evenly filled.",
        "Grathwohl et al. 2019 (FFJORD)",
        "To test sharp edges and empty holes, which smooth generators blur.",
        "No download; the edges need a wide network and many steps.",
    ),
    "pinwheel": Dataset(
        points.pinwheel,
        "Pinwheel",
        "Five bent arms around the origin, radial deviation 0.6, tangential 0.2.",
        "Johnson et al. 2016; scale as in Grathwohl et al. 2019 (FFJORD)",
        "For conditions on classes that are curved, and modes that touch in the middle.",
        "No download; a run takes seconds to minutes on a CPU.",
        classes=5,
    ),
    "drawn": Dataset(
        points.drawn,
        "Your own points",
        "Points that you paint or upload, in the square [-1, 1]², scattered with sigma 0.02.",
        "GAN Lab, data set “drawing”",
        "To try any shape that you can think of.",
        "No download; fine detail needs many steps.",
    ),
    "digits": Dataset(
        images.digits,
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
        images.mnist_like("mnist"),
        "MNIST",
        "60,000 handwritten digits, 28 × 28.",
        "LeCun et al. 1998",
        "For comparison with papers: many show their GAN on it first.",
        "Downloads 10 MB once; takes 190 MB of memory.",
        "images",
        28,
        1,
        classes=10,
        here=images.idx_here("mnist"),
    ),
    "fashion_mnist": Dataset(
        images.mnist_like("fashion_mnist"),
        "Fashion-MNIST",
        "60,000 pictures of clothes, 28 × 28.",
        "Xiao et al. 2017",
        "When MNIST is too easy: the same format with more texture.",
        "Downloads 26 MB once; takes 190 MB of memory.",
        "images",
        28,
        1,
        classes=10,
        here=images.idx_here("fashion_mnist"),
    ),
    "kmnist": Dataset(
        images.mnist_like("kmnist"),
        "Kuzushiji-MNIST",
        "60,000 handwritten Japanese characters of 10 kinds, 28 × 28.",
        "Clanuwat et al. 2018",
        "When MNIST is too easy: characters of a class may look quite different.",
        "Downloads 18 MB once; takes 190 MB of memory.",
        "images",
        28,
        1,
        classes=10,
        here=images.idx_here("kmnist"),
    ),
    "stacked_mnist": Dataset(
        images.stacked_mnist,
        "Stacked MNIST",
        "50,000 triples of MNIST's digits as red, green and blue: 1,000 modes, one for each number of three digits.",
        "Metz et al. 2017; Lin et al. 2018 (PacGAN)",
        "To measure mode collapse on images: a classifier of digits can count the modes.",
        "Downloads MNIST (10 MB) once; takes 470 MB of memory.",
        "images",
        28,
        3,
        here=images.idx_here("mnist"),
    ),
    "cifar10": Dataset(
        images.cifar10,
        "CIFAR-10",
        "50,000 colour photographs of 10 kinds of animals and vehicles, 32 × 32.",
        "Krizhevsky 2009",
        "For natural images and comparison with papers, on a GPU.",
        "Downloads 170 MB once; takes 610 MB of memory and hours on a CPU.",
        "images",
        32,
        3,
        classes=10,
        here=images.cifar_here,
    ),
    "folder": Dataset(
        album.load_album,
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
