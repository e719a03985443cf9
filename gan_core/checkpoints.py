"""Checkpoints: a trainer's whole state as one safetensors file. Opening somebody else's runs no code."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from .errors import RunError


def digest(path: Path) -> str:
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def draft(path: Path, state: dict) -> Iterator[Path]:
    """A `Trainer.state_dict` as one whole safetensors file beside `path`, to be given that name; else it is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rest = {key: value for key, value in state.items() if key != "tensors"}
    part = path.with_suffix(f".{uuid.uuid4().hex[:6]}.part")
    try:
        save_file(
            {name: tensor.contiguous() for name, tensor in state["tensors"].items()},
            part,
            metadata={"gan_playground": json.dumps(rest)},
        )
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        yield part
    except SafetensorError as error:  # safetensors reports a full disk as its own error
        raise OSError(errno.ENOSPC, str(error)) from error
    finally:
        part.unlink(missing_ok=True)


def write_checkpoint(path: Path, state: dict) -> None:
    """A `Trainer.state_dict` as one safetensors file, whole or not at all."""
    with draft(path, state) as part:
        part.replace(path)


def read_checkpoint(path: Path) -> dict:
    """What `write_checkpoint` was given.

    Raises:
        RunError: the file is missing, cut short or not a checkpoint.
    """
    if not path.is_file():
        raise RunError(f"The checkpoint {path} does not exist. Choose another step or run.")
    try:
        with safe_open(path, "pt") as file:
            rest = json.loads(file.metadata()["gan_playground"])
            return {**rest, "tensors": {name: file.get_tensor(name) for name in file.keys()}}  # noqa: SIM118
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise RunError(f"The checkpoint {path} is damaged or cut short ({error}). Choose another step.") from error
