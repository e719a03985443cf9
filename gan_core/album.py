"""The user's own images: those in a folder or zip file, whose names, sizes and formats are not believed."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import IO

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from .errors import DataError
from .files import lists_more
from .source import Data, Progress, Source, check_memory, from_bytes

PIXEL_LIMIT = 50_000_000  # of one image file; a file of a few kB may claim to hold gigabytes
FILE_LIMIT = 2**28  # bytes of one image file, unpacked: 50 megapixels without compression
UPLOAD_LIMIT = 20 * 2**20  # bytes of one image that is handed in to be looked for
COUNT_LIMIT = 250_000  # files in a folder or zip file; CelebA has 202,599
UNPACKED_LIMIT = 2**35  # bytes of all files in a zip file, unpacked
NEEDED = 2  # images: with fewer there is nothing to learn
ENDINGS = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp"}
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")  # what Pillow may take a file for, whatever its name says


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


def _too_many(name: str) -> DataError:
    return DataError(f"{name} holds more than {COUNT_LIMIT:,} files. Use a folder or a zip file with fewer.")


def _image_files(path: Path | str, name: str, stack: ExitStack) -> dict[str, Callable[[], bytes]]:
    """Name within the folder or zip file -> what reads it. Nothing is unpacked to disk, so a name can do no harm.

    Args:
        name: what the path is called in front of the user.

    Raises:
        DataError: it cannot be read, or holds too much.
    """
    try:
        path = Path(path).expanduser()
        if path.is_dir():
            walk = (Path(root) / file for root, _, names in os.walk(path) for file in names)  # no links to folders: no circles
            files = {file.relative_to(path).as_posix(): partial(_read_path, file) for file in islice(walk, COUNT_LIMIT + 1)}
        elif path.is_file():
            file = stack.enter_context(path.open("rb"))
            if lists_more(file, COUNT_LIMIT):
                raise _too_many(name)
            archive = stack.enter_context(zipfile.ZipFile(file))
            members = archive.infolist()
            if sum(member.file_size for member in members) > UNPACKED_LIMIT:  # no more than it promises is ever unpacked
                raise DataError(
                    f"{name} would have more than {UNPACKED_LIMIT / 1e9:.0f} GB when unpacked. Use smaller images, or fewer."
                )
            files = {member.filename: partial(_read_member, archive, member) for member in members}
        else:
            raise FileNotFoundError("there is no such folder or file")
    except (OSError, ValueError, RuntimeError, NotImplementedError, zipfile.BadZipFile) as error:
        raise DataError(f"{name} cannot be read ({error}). Set path to a folder or a zip file of images.") from error
    if len(files) > COUNT_LIMIT:
        raise _too_many(name)
    named = {inner: PurePosixPath(inner) for inner in sorted(files)}
    return {inner: files[inner] for inner, p in named.items() if p.suffix.lower() in ENDINGS and not p.name.startswith(".")}


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
    return from_bytes(pixels.reshape(size, size, channels).transpose(2, 0, 1))


@dataclass(frozen=True)
class Fitted:
    """An image made to measure.

    Attributes:
        pixels: (C, S, S) in [-1, 1].
        notes: what was done to it, in sentences.
    """

    pixels: Tensor
    notes: tuple[str, ...]


def fit_image(content: bytes, size: int, channels: int) -> Fitted:
    """An image file's centre square, made to a generator's measure as the data set `folder` makes its images.

    Raises:
        DataError: it is too large, or cannot be read as an image.
    """
    if len(content) > UPLOAD_LIMIT:
        raise DataError(
            f"The file has {len(content) / 2**20:.0f} MB, and at most {UPLOAD_LIMIT // 2**20} MB are read. Make it smaller."
        )
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            width, height = image.size
            notes = _told_of(image, size, channels)
    except Image.DecompressionBombError:
        width = height = PIXEL_LIMIT
    except Exception as error:  # decoders raise anything when a file is damaged
        raise DataError(f"The file cannot be read as an image. {_EXPECTED}") from error
    if width * height > PIXEL_LIMIT:
        raise DataError(f"The image has more than {PIXEL_LIMIT // 10**6} million pixels. Make it smaller and try again.")
    try:
        return Fitted(_image(content, size, channels), notes)
    except Exception as error:
        raise DataError(f"The image is damaged or cut short. {_EXPECTED}") from error


_EXPECTED = "Expected a PNG, JPEG, BMP, GIF or WebP file: open it elsewhere and save it anew."


def _told_of(image: Image.Image, size: int, channels: int) -> tuple[str, ...]:
    """What `_image` will do to it."""
    notes = []
    if getattr(image, "is_animated", False):
        notes.append("The first picture of the animation was taken.")
    if image.width != image.height:
        notes.append("Its middle square was taken.")
    if min(image.size) != size:
        notes.append(f"It was scaled from {min(image.size):,} to {size} pixels along a side.")
    if image.has_transparency_data:
        notes.append("Transparent parts became white.")
    if channels == 1 and not image.mode.startswith(("1", "L", "I")):
        notes.append("Colours became grey.")
    if channels == 3 and image.mode == "CMYK":
        notes.append("Printing colours became those of a screen.")
    if image.mode.startswith("I"):
        notes.append("Its 16 bits became 8.")
    return tuple(notes)


def load_album(source: Source, folder: Path, progress: Progress) -> Data:
    """The images under `source.path` in the order of their names, at the source's size and channels."""
    if not source.path:
        raise DataError("No folder has been chosen yet. Set path to a folder or a zip file of images.")
    n, size, channels, skipped = 0, source.image_size, source.channels, []
    with ExitStack() as stack:
        files = _image_files(source.path, source.path, stack)
        check_memory(len(files), channels, size)
        x = torch.empty((len(files), channels, size, size))
        for k, (name, read) in enumerate(files.items()):
            progress("Reading images", k / len(files))
            try:
                x[n] = _image(read(), size, channels)
                n += 1
            except Exception:  # decoders raise anything when a file is damaged; the others are still good
                skipped.append(name.encode(errors="replace").decode())  # so that any name can be shown
    if n < NEEDED:
        raise _too_few(source.path, n, skipped)
    return Data(x[:n], skipped=tuple(skipped))


def look_into(path: Path, name: str) -> int:
    """How many files of a folder or zip file are images by their names, when at least two can be used; `name` is for messages.

    Raises:
        DataError: it cannot be read, holds too much, or fewer than two images that can be used.
    """
    good, skipped = 0, []
    with ExitStack() as stack:
        files = _image_files(path, name, stack)
        for inner, read in files.items():
            try:
                _image(read(), 8, 3)
                good += 1
            except Exception:  # as in load_album
                skipped.append(inner.encode(errors="replace").decode())
            if good == NEEDED:
                return len(files)
    raise _too_few(name, good, skipped)


def _too_few(name: str, n: int, skipped: list[str]) -> DataError:
    broken = f", and {len(skipped)} that cannot be used: {', '.join(skipped[:3])}" if skipped else ""
    return DataError(
        f"{name} holds {n} usable image{'s' * (n != 1)}{broken}. At least {NEEDED} are needed; "
        f"the names may end in {', '.join(sorted(ENDINGS))}."
    )
