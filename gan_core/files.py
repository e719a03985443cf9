"""Files that are there whole or not at all, and files whose lock says that somebody is at work."""

from __future__ import annotations

import os
import struct
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

from .errors import RunError

_TAIL = 22 + 0xFFFF + 20 + 56  # bytes of a zip file's end: its last record, with a comment, and what may stand before it
_ENTRY = 256  # bytes of an entry in a zip file's list, with its name


@contextmanager
def whole(path: Path) -> Iterator[BinaryIO]:
    """A binary file to write into, which gets the name `path` once all is written; one that has it already stays until then.

    Raises:
        RunError: it cannot be written.
    """
    part = path.with_name(f"{uuid.uuid4().hex[:8]}.part")
    try:
        with part.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise RunError(f"{path} cannot be written ({error.strerror}). Choose another file.") from error
    finally:
        part.unlink(missing_ok=True)


def lists_more(file: BinaryIO, most: int) -> bool:
    """Whether a zip file has more members than that. To be asked before their list is read, which takes memory and time for each.

    What the file's last records (APPNOTE.TXT 4.3.14 to 4.3.16) say of their number binds nobody who reads the list, so the
    signatures with which its entries begin (4.3.12) are counted: there are no more members than that. A list that would be long
    for so many members counts as one of more; a file that is no zip file has none.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _TAIL))
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < 22:
        return False
    end = size - len(tail) + at  # where the last record begins, before which the list stands
    begin = end - struct.unpack_from("<I", tail, at + 12)[0]
    if at >= 20 and tail.startswith(b"PK\x06\x07", at - 20):  # a larger record stands between, near the end or where this says
        begin = end
        for place in (end - 76, struct.unpack_from("<Q", tail, at - 12)[0]):
            if 0 <= place < size:
                file.seek(place)
                record = file.read(56)
                if record.startswith(b"PK\x06\x06") and len(record) == 56:
                    begin = min(begin, place - struct.unpack_from("<Q", record, 40)[0])
    begin = max(0, begin)
    if end - begin > max(2**16, most * _ENTRY):
        return True
    file.seek(begin)
    return file.read(end - begin).count(b"PK\x01\x02") > most


def is_held(path: Path) -> bool:
    """Whether a process holds the lock of a file; a killed one does not. Where that cannot be told, it is taken to."""
    if not path.exists():
        return False
    try:
        with FileLock(path, timeout=0):
            return False
    except (Timeout, OSError):
        return True
