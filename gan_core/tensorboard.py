"""A run as TensorBoard reads it: event files with its scalars and a picture of its last samples. Needs no TensorBoard.

An event file is a TFRecord file (tensorflow.org/tutorials/load_data/tfrecord): each record is its length, a checksum of that, the
bytes, a checksum of those. The bytes are an Event message (tensorflow/core/util/event.proto) in Protocol Buffers' wire format
(protobuf.dev/programming-guides/encoding), of which four kinds of fields are enough.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageColor

from .colours import COLOURS
from .errors import RunError
from .frames import unpack
from .members import STATS
from .networks import NETWORKS
from .pixelcnn import Likelihood
from .schema import METRIC
from .store import RunStore

POLYNOMIAL = 0x82F63B78  # Castagnoli's, bits reversed
MASK = 0xA282EAD8
VERSION = b"brain.Event:2"
SIDE = 256  # pixels of a picture of points


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (POLYNOMIAL if byte & 1 else 0)
        table.append(byte)
    return table


_TABLE = _crc_table()


def crc32c(data: bytes) -> int:
    """CRC-32C of some bytes (RFC 3720, appendix B.4)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def masked(crc: int) -> int:
    """A checksum as TFRecord keeps it: turned by 15 bits and moved, because a checksum of data with a checksum in it is weak."""
    return ((crc >> 15 | crc << 17) + MASK) & 0xFFFFFFFF


def record(data: bytes) -> bytes:
    """Bytes as one record of a TFRecord file."""
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked(crc32c(length))) + data + struct.pack("<I", masked(crc32c(data)))


# Messages: fields are numbered as in event.proto and summary.proto


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _whole(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _double(field: int, value: float) -> bytes:
    return _varint(field << 3 | 1) + struct.pack("<d", value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _float(field: int, value: float) -> bytes:
    return _varint(field << 3 | 5) + struct.pack("<f", value)


def _event(time: float, step: int, *values: bytes) -> bytes:
    """Event: wall_time 1, step 2, summary 5, whose values are 1."""
    return record(_double(1, time) + _whole(2, step) + _bytes(5, b"".join(_bytes(1, value) for value in values)))


def first_event(time: float) -> bytes:
    """What every event file begins with: file_version 3."""
    return record(_double(1, time) + _bytes(3, VERSION))


def scalars_event(time: float, step: int, values: dict[str, float]) -> bytes:
    """Values of one step: tag 1, simple_value 2.

    Args:
        time: seconds since 1970.
        values: tag -> number, which may be NaN.
    """
    return _event(time, step, *(_bytes(1, tag.encode()) + _float(2, value) for tag, value in values.items()))


def image_event(time: float, step: int, tag: str, png: bytes) -> bytes:
    """An image: tag 1, image 4 of height 1, width 2, colorspace 3 (1 grey, 3 RGB) and the encoded image 4."""
    with Image.open(io.BytesIO(png)) as image:
        sizes = _whole(1, image.height) + _whole(2, image.width) + _whole(3, len(image.getbands()))
    return _event(time, step, _bytes(1, tag.encode()) + _bytes(4, sizes + _bytes(4, png)))


# Runs


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, where they are missing; raises RunError where that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error


def _unwritable(folder: Path, error: OSError) -> RunError:
    return RunError(f"{folder} cannot be written ({error.strerror}). Choose another folder for TensorBoard.")


class EventFiles:
    """The event files of a run: a folder RUN, or one of RUN-seed-N for each of several members. Written as the run goes on; a
    second export replaces the first.

    Args:
        folder: what `tensorboard --logdir` is given.

    Raises:
        RunError: there is no such run, it is a map, or nothing can be written there.
    """

    def __init__(self, store: RunStore, run: str, folder: Path | str):
        self.store, self.run, self.folder = store, run, Path(folder)
        row = store.get(run)
        if row.kind != "run":
            raise RunError(f"{run} is a map, which has no curves. Open one of its cells as a run.")
        self._created = row.created
        self._members = len(row.configs)
        self._stats = STATS if NETWORKS[row.config.network].adversarial else Likelihood.STATS
        self._done: dict[str, int] = {}  # series -> the last step that is written
        self._files: list[BinaryIO] = []
        folders = [run] if self._members == 1 else [f"{run}-{k:03d}-seed-{c.seed}" for k, c in enumerate(row.configs)]
        for name in folders:
            make_folder(self.folder / name)
        try:
            for name in folders:
                path = self.folder / name / f"events.out.tfevents.{int(row.created)}.gan-playground"
                self._files.append(path.open("wb"))
                self._files[-1].write(first_event(row.created))
        except OSError as error:
            self.close()
            raise _unwritable(self.folder, error) from error

    def __enter__(self) -> EventFiles:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        for file in self._files:
            file.close()

    def _tags(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """The series that are scalars, and the tags of each of their rows."""
        for kind in self.store.series_kinds(self.run):
            if kind == "train":
                yield kind, tuple(f"train/{stat}" for stat in self._stats)
            elif kind.startswith(METRIC):
                yield kind, (f"metrics/{kind.removeprefix(METRIC)}",)

    def update(self) -> None:
        """Write what is new in the store.

        Raises:
            RunError: it cannot be written.
        """
        rows = []  # (step, tags, values (S, E))
        for kind, tags in self._tags():
            steps, values = self.store.series(self.run, kind, self._done.get(kind, -1), self._members)
            rows += [(int(step), tags, value) for step, value in zip(steps, values, strict=True)]
            if len(steps):
                self._done[kind] = int(steps[-1])
        row = self.store.get(self.run)
        try:
            for step, tags, values in sorted(rows, key=lambda each: each[0]):
                # when a step was taken is not kept: as if all had taken equally long
                time = self._created + row.seconds * step / max(1, row.step)
                for member, file in enumerate(self._files):
                    file.write(scalars_event(time, step, dict(zip(tags, values[:, member].tolist(), strict=True))))
            for file in self._files:
                file.flush()
        except OSError as error:
            raise _unwritable(self.folder, error) from error

    def finish(self) -> None:
        """`update`, and the picture of the last samples, which is the first member's.

        Raises:
            RunError: it cannot be written.
        """
        self.update()
        frame = self.store.frame(self.run)
        if frame is None:
            return
        header, row = unpack(frame)[0], self.store.get(self.run)
        try:
            self._files[0].write(image_event(self._created + row.seconds, header["step"], "samples", picture(frame)))
        except OSError as error:
            raise _unwritable(self.folder, error) from error


def picture(frame: bytes) -> bytes:
    """A frame's samples as a PNG: the grid of images, or real and generated points on white."""
    header, arrays = unpack(frame)
    if header["kind"] == "images":
        return arrays["png"].tobytes()
    x, y, half = header["extent"]
    pixels = np.full((SIDE, SIDE, 3), 255, np.uint8)
    for name in ("real", "fake"):
        place = (arrays.get(name, np.zeros((0, 2))) - (x - half, y - half)) / (2 * half) * SIDE
        place = place[((place >= 0) & (place < SIDE - 1)).all(1)].astype(int)  # those that are no numbers are out too
        for dx, dy in ((0, 0), (0, 1), (1, 0), (1, 1)):  # two pixels wide, to be seen
            pixels[SIDE - 1 - place[:, 1] - dy, place[:, 0] + dx] = ImageColor.getrgb(COLOURS["light"][name])
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()
