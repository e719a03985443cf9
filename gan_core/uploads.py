"""What the user hands in: a table of points becomes a drawing, images become a zip file beside the data.

Nothing that a file says is believed. What cannot be used is refused with a sentence, and leaves nothing behind.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
import os
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from torch import Tensor

from . import settings
from .album import ENDINGS, look_into
from .draws import seeded
from .errors import DataError, quotable
from .points import DRAWN_LIMIT
from .source import data_folder

TABLE_LIMIT = 20 * 2**20  # bytes of a table of points
LINE_LIMIT = 10_000  # characters of one of its lines
IMAGES_LIMIT = 200 * 2**20  # bytes of images handed in at once
UPLOADS = ("GAN_PLAYGROUND_UPLOADS_GB", 5.0, "gigabytes that images which are handed in may take")
LEAST = 2  # points: fewer have no extent
MARKS = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8-sig"))  # Excel writes them
BINARY = ((b"PK\x03\x04", "a zip or Excel file"), (b"\x89PNG", "an image"), (b"\xff\xd8\xff", "an image"), (b"%PDF", "a PDF"))
EPOCH = (1980, 1, 1, 0, 0, 0)  # the date of every file in a zip, so that the same images make the same zip


@dataclass(frozen=True)
class Table:
    """Points that were read from a table.

    Attributes:
        points: (N, 2) float32 in [-1, 1], N from 2 to 4096.
        notes: what was done to them, in sentences.
    """

    points: Tensor
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Kept:
    """Images that were kept: the zip file, and how many files in it are named as images."""

    path: Path
    images: int


def read_table(content: bytes | str) -> Table:
    """The points of a CSV file or the like, made to fit the square from -1 to 1.

    A line is a point. Its values are separated by semicolons, tabs, commas or spaces, whichever the first line has, in this
    order; where commas separate nothing, they are decimal. The first line may name the columns: those named x and y are
    taken, else the first two. Empty lines and those that begin with # are passed over. Both axes are scaled alike. Of more
    than 4096 points as many are kept, drawn with a seeded generator.

    Args:
        content: the file, at most 20 MB: UTF-16 where its mark says so, UTF-8, else Latin-1.

    Raises:
        DataError: a line has no two finite numbers (it is named), or the file is too large, no text, or has no two points
            in different places.
    """
    lines = _lines(_text(content))
    number, first = next(lines, (0, ""))
    if not first:
        raise DataError("The file is empty. Expected a line with two numbers, x and y, for each point.")
    delimiter = next((d for d in ";\t," if d in first), " ")
    head = _cells(number, first, delimiter)
    if len(head) < 2:
        raise DataError(
            f"Line {number:,} has one value, {_quoted(head[0])}. Expected two numbers, x and y, separated by a comma, a "
            f"semicolon, a tab or spaces."
        )
    named = not any(_is_number(cell, delimiter) for cell in head)
    columns = _columns(head) if named else (0, 1)
    points = [] if named else [_point(number, head, columns, delimiter)]
    points.extend(_point(number, _cells(number, line, delimiter), columns, delimiter) for number, line in lines)
    if len(points) < LEAST:
        raise DataError(
            f"The file has {len(points)} point{'s' * (len(points) != 1)}, and at least {LEAST} are needed. Put each on a line of "
            f"its own, as x, y."
        )
    notes = [f"{len(points):,} points read."]
    if len(head) > 2:
        one, two = (_quoted(head[k]) if named else f"{k + 1}" for k in columns)
        notes.append(f"Of {len(head)} columns, {one} and {two} were used.")
    x = _fitted(np.array(points, np.float64))
    if len(x) > DRAWN_LIMIT:
        chosen = torch.randperm(len(x), generator=seeded(0, "thin:points"))[:DRAWN_LIMIT].sort().values
        x = x[chosen.numpy()]
        notes.append(f"{DRAWN_LIMIT:,} of them, drawn evenly, were kept.")
    return Table(torch.from_numpy(x.astype(np.float32)), tuple(notes))


def _text(content: bytes | str) -> str:
    if len(content) > TABLE_LIMIT:
        raise DataError(
            f"The file has {len(content) / 2**20:.0f} MB, and at most {TABLE_LIMIT // 2**20} MB are read. Keep every tenth line "
            f"or so: a drawing has {DRAWN_LIMIT:,} points at most."
        )
    if isinstance(content, str):
        return content.removeprefix("\ufeff")
    kind = next((kind for start, kind in BINARY if content.startswith(start)), "")
    if kind:
        raise DataError(f"The file is {kind}, not a table. Save the points as CSV: a line with x, y for each.")
    encoding = next((name for mark, name in MARKS if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    if "\0" in text:
        raise DataError("The file is no text. Save the points as CSV: a line with x, y for each.")
    return text


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """(number, line) of those that say something."""
    for number, line in enumerate(io.StringIO(text, newline=None), 1):  # whatever ends a line
        if len(line) > LINE_LIMIT:
            raise DataError(
                f"Line {number:,} has more than {LINE_LIMIT:,} characters. Expected two numbers, x and y, on each line: does "
                f"each point have a line of its own?"
            )
        line = line.strip(" \r\n")
        if line.strip() and not line.startswith("#"):
            yield number, line


def _cells(number: int, line: str, delimiter: str) -> list[str]:
    if delimiter == " ":
        return line.split()
    if '"' not in line:  # faster
        return [cell.strip() for cell in line.split(delimiter)]
    try:
        (row,) = csv.reader([line], delimiter=delimiter, strict=True)
    except (csv.Error, ValueError) as error:
        raise DataError(f"Line {number:,} cannot be read ({error}). Expected two numbers, x and y: mend or remove it.") from error
    return [cell.strip() for cell in row]


def _float(cell: str, delimiter: str) -> float:
    return float(cell if delimiter == "," else cell.replace(",", "."))


def _is_number(cell: str, delimiter: str) -> bool:
    try:
        _float(cell, delimiter)
    except ValueError:
        return False
    return True


def _columns(names: list[str]) -> tuple[int, int]:
    """Which columns to take, by the names in the first line: x and y, else the first two."""
    lower = [name.lower() for name in names]
    return (lower.index("x"), lower.index("y")) if {"x", "y"} <= set(lower) else (0, 1)


def _point(number: int, cells: list[str], columns: tuple[int, int], delimiter: str) -> tuple[float, float]:
    if len(cells) <= max(columns):
        needed = "two numbers, x and y" if max(columns) == 1 else f"at least {max(columns) + 1} values"
        raise DataError(
            f"Line {number:,} has {len(cells)} value{'s' * (len(cells) != 1)}. Expected {needed}: complete it or remove it."
        )
    found = []
    for axis, column in zip("xy", columns, strict=True):
        cell = cells[column]
        if not cell or not _is_number(cell, delimiter):
            said = f"{_quoted(cell)} is no number" if cell else "is missing"
            raise DataError(f"Line {number:,}: {axis} {said}. Expected two numbers, x and y: mend the line or remove it.")
        value = _float(cell, delimiter)
        if not math.isfinite(value):
            raise DataError(f"Line {number:,}: {axis} is {_quoted(cell)}, which is no place. Remove the line.")
        found.append(value)
    return found[0], found[1]


def _quoted(text: str) -> str:
    return f"“{quotable(text[:20])}{'…' if len(text) > 20 else ''}”"


def _fitted(points: np.ndarray) -> np.ndarray:
    """Points (N, 2) moved and scaled, both axes alike, so that the longer side reaches from -1 to 1."""
    largest = np.abs(points).max()
    if largest:
        points = points / largest  # differences of numbers near the largest one would be infinite
    low, high = points.min(0), points.max(0)
    half = (high - low).max() / 2
    if not half:
        raise DataError("All points lie in one place. Expected at least two places, so that there is something to learn.")
    return np.clip((points - (low + high) / 2) / half, -1, 1)  # against rounding


def keep_images(files: Sequence[tuple[str, bytes]], folder: Path | None = None) -> Kept:
    """Put images into the folder `uploads` of the data folder: the path of a zip file for the data set `folder`.

    The file's name holds a digest of what is in it, so that the same images are kept once.

    Args:
        files: (name, content) of one zip file, or of any number of image files, 200 MB at most.
        folder: the data folder; `data_folder()` if None.

    Raises:
        DataError: there are no images in it that can be used, or it is too large, or there is no room, or it cannot be written.
            Nothing is kept then.
        RunError: GAN_PLAYGROUND_UPLOADS_GB is no number.
    """
    size = sum(len(content) for _, content in files)
    if size > IMAGES_LIMIT:
        raise DataError(
            f"These are {size / 2**20:,.0f} MB, and at most {IMAGES_LIMIT // 2**20} MB are taken. Make the images smaller, or "
            f"set path to where they lie on this machine: then they are read there."
        )
    zips = [name for name, _ in files if name.lower().endswith(".zip")]
    if not files or zips and len(files) > 1:
        raise DataError(f"{len(files)} files, {len(zips)} of them zip files. Expected one zip file, or only image files.")
    name, content = files[0] if zips else (files[0][0], _packed(files))
    digest = hashlib.blake2b(content, digest_size=8).hexdigest()
    uploads = (Path(folder) if folder is not None else data_folder()) / "uploads"
    try:
        uploads.mkdir(parents=True, exist_ok=True)
        known = sorted(uploads.glob(f"*-{digest}.zip"))
        if not known:
            _check_room(uploads, len(content))
        target = known[0] if known else uploads / f"{_safe(name)}-{digest}.zip"
        return Kept(target, _accepted(content, target, name))
    except OSError as error:
        raise DataError(f"{uploads} cannot be used ({error}). Free some space there, or set GAN_PLAYGROUND_DATA.") from error


def _check_room(uploads: Path, size: int) -> None:
    """Refuse so many bytes where all that was handed in would take more than it may, or the volume is nearly full."""
    cap = settings.number(*UPLOADS) * settings.GB
    used = sum(path.stat().st_size for path in uploads.iterdir() if path.is_file())
    if used + size > cap:
        raise DataError(
            f"With these, the images that were handed in would take {(used + size) / settings.GB:.1f} GB, and at most "
            f"{cap / settings.GB:g} GB are kept. Delete some in {uploads}, or set {UPLOADS[0]} to more gigabytes."
        )
    free = shutil.disk_usage(uploads).free
    if free - size < settings.LEAST_FREE:
        raise DataError(f"The disk has {free / settings.GB:.1f} GB left, too little for these images. Free some space on it.")


def _accepted(content: bytes, target: Path, name: str) -> int:
    """Write a zip file, once it has proved to hold images; how many."""
    handle, draft = tempfile.mkstemp(suffix=".part", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        count = look_into(Path(draft), name)
        Path(draft).replace(target)
    finally:
        Path(draft).unlink(missing_ok=True)
    return count


def _safe(name: str) -> str:
    """What of a file's name can be a name anywhere."""
    stem = PurePosixPath(name.replace("\\", "/")).stem
    return re.sub(r"[^A-Za-z0-9]+", "-", stem).strip("-")[:40] or "images"


def _packed(files: Sequence[tuple[str, bytes]]) -> bytes:
    """Image files as a zip, the same for the same files."""
    out, taken = io.BytesIO(), set()
    with zipfile.ZipFile(out, "w") as archive:  # images are compressed already
        for name, content in sorted(files):
            path = PurePosixPath(name.replace("\\", "/"))
            if path.suffix.lower() not in ENDINGS:
                raise DataError(
                    f"{path.name} is no image by its name, which may end in {', '.join(sorted(ENDINGS))}. Leave it out."
                )
            inner = path.name if path.name not in taken else f"{len(taken)}/{path.name}"
            taken.add(inner)
            archive.writestr(zipfile.ZipInfo(inner, EPOCH), content)
    return out.getvalue()
