"""Files that are there whole or not at all, and files whose lock says that somebody is at work."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

from .errors import RunError


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


def is_held(path: Path) -> bool:
    """Whether a process holds the lock of a file; a killed one does not. Where that cannot be told, it is taken to."""
    if not path.exists():
        return False
    try:
        with FileLock(path, timeout=0):
            return False
    except (Timeout, OSError):
        return True
