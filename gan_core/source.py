"""What defines a run's data and how they come: a Source goes in, Data come out, a Dataset is an entry of the registry.

Images are made to a source's measure (size, channels, levels) here, and what would not fit into memory is refused.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from .errors import DataError

MEMORY_LIMIT = 2 * 2**30  # bytes that a data set made to measure may take
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
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


def data_folder() -> Path:
    """Where downloaded data lie: GAN_PLAYGROUND_DATA, else `data/` in the project."""
    return Path(os.environ.get("GAN_PLAYGROUND_DATA") or Path(__file__).resolve().parent.parent / "data").expanduser()


def filled_in(source: Source, size: int, channels: int) -> Source:
    """A source of images with a data set's own size and channels for zeros.

    Raises:
        DataError: a value makes no sense.
    """
    if source.image_size < 0:
        raise DataError(f"image_size = {source.image_size} is not usable: expected 0 or a number of pixels.")
    if source.channels not in (0, 1, 3):
        raise DataError(f"channels = {source.channels} is not usable: expected 1 (grey), 3 (colour) or 0 (as they are).")
    if source.levels < 0 or source.levels == 1:
        raise DataError(f"levels = {source.levels} is not usable: expected 2 or more values, or 0 for images as they are.")
    return replace(source, image_size=source.image_size or size, channels=source.channels or channels)


def made_to_measure(data: Data, source: Source, progress: Progress) -> Data:
    """Images at the source's size, channels and levels."""
    n, channels, size, _ = data.x.shape
    if (size, channels, 0) == (source.image_size, source.channels, source.levels):
        return data
    check_memory(n, source.channels, source.image_size)
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


def from_bytes(images: np.ndarray) -> Tensor:
    """uint8 -> float32 in [-1, 1]."""
    return torch.from_numpy(images.astype(np.float32)).div_(127.5).sub_(1)


def quantised(x: Tensor, levels: int) -> Tensor:
    """Values in [-1, 1] rounded to the nearest of `levels` evenly spaced ones, ends included; 2 cut at 0."""
    steps = levels - 1
    return ((x + 1) / 2 * steps + 0.5).floor().clamp(max=steps) / steps * 2 - 1  # round() would send 0.5 to the even one


def check_memory(n: int, channels: int, size: int) -> None:
    """Refuse n images that would take more than MEMORY_LIMIT."""
    needed = 4 * n * channels * size * size
    if needed > MEMORY_LIMIT:
        largest = math.isqrt(MEMORY_LIMIT // (4 * n * channels)) // 4 * 4
        remedy = f"Set image_size to {largest} or less." if largest >= 8 else "Use fewer images."
        raise DataError(
            f"{n:,} images of {size} x {size} with {channels} channel{'s' * (channels > 1)} would take {needed / 1e9:.1f} GB "
            f"of memory, more than the {MEMORY_LIMIT / 1e9:.1f} GB that are allowed. {remedy}"
        )
