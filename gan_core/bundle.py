"""A bundle: one run as one file to give away. A zip with a manifest, and what the store keeps of the run.

    manifest.json                   format, versions, and the SHA-256 of every other member
    run.json, events.json           name, configs, status; what happened and when
    series.safetensors              KIND.steps int64 (T,) and KIND.values float32 (T, N) of each curve and metric
    frame/STEP.frame                the latest picture, as `frames.pack` makes it; film/STEP.frame the ones of the replay
    checkpoints/STEP.safetensors    a kept state's tensors; checkpoints/STEP.json the rest of it

A run that is imported goes on from its last checkpoint to the same bits as the one it was made of. Whoever made a bundle is not
believed: see `bundle_parts`. No path travels, so a run on images of one's own has to be given them again.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import sqlite3
import stat
import struct
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, BinaryIO, TypeVar

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors.torch import save as save_tensors

from .bundle_parts import (
    NAME_LIMIT,
    RunPart,
    check_picture,
    plain,
    portable,
    read_events,
    read_json,
    read_run,
    read_series,
    read_state,
    told,
)
from .config import GANConfig
from .disk import check_room
from .errors import RunError
from .files import whole
from .film import BYTES, FRAMES
from .frames import TRACE, pack, unpack
from .shelf import RUN_NAME
from .store import KEPT_CHECKPOINTS, Run, RunStore

FORMAT = 1
PROJECT = "0.1.0"
MANIFEST = "manifest.json"
UNPACKED_LIMIT = 2**31  # bytes of all members; also of the file itself
DIRECTORY_LIMIT = 2**20  # bytes of the zip's list of members
_STEP = "([0-9]{9})"
_LIMITS = {  # name of a member -> (how many, bytes of each)
    re.escape(MANIFEST): (1, 2**20),
    "run\\.json": (1, 2**23),
    "events\\.json": (1, 2**23),
    "series\\.safetensors": (1, 2**28),
    f"frame/{_STEP}\\.frame": (1, 2**25),
    f"film/{_STEP}\\.frame": (FRAMES, BYTES),
    f"checkpoints/{_STEP}\\.safetensors": (KEPT_CHECKPOINTS, 2**30),
    f"checkpoints/{_STEP}\\.json": (KEPT_CHECKPOINTS, 2**23),
}
_NEEDED = {MANIFEST, "run.json", "events.json", "series.safetensors"}
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same run makes the same file
_END = 22  # bytes of a zip's last record, which has no comment here
_UNREADABLE = (zipfile.BadZipFile, OSError, ValueError, RuntimeError, EOFError, OverflowError, struct.error, zlib.error)
_SMALLER = "Only runs of smaller networks can be shared."
_T = TypeVar("_T")


class _Manifest(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    format: int
    project: Annotated[str, Field(max_length=100)]
    torch: Annotated[str, Field(max_length=100)]
    python: Annotated[str, Field(max_length=100)]
    members: dict[str, Annotated[str, Field(pattern="^[0-9a-f]{64}$")]]


# Giving away


def export(store: RunStore, run: str, path: Path | str) -> Path:
    """Write a run as a bundle, whole or not at all. A live run is taken as it stands, stopped at its last checkpoint. Checkpoints
    that are damaged are left out.

    Returns:
        Where it has been written.

    Raises:
        RunError: there is no such run, it is a map, none of its checkpoints is whole, it is too large, or the file cannot be
            written.
    """
    path = Path(path)
    with whole(path) as file:
        write(store, run, file)
    return path


def write(store: RunStore, run: str, file: BinaryIO) -> None:
    """Write a run as a bundle into a binary file; errors as in `export`."""
    digests: dict[str, str] = {}
    total = 0
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in _members(store, run):
            digests[name] = hashlib.sha256(content).hexdigest()
            total += len(content)
            _check_size(name, len(content))
            _check_total(total)
            archive.writestr(_info(name), content)
        manifest = {
            "format": FORMAT,
            "project": PROJECT,
            "torch": torch.__version__,
            "python": platform.python_version(),
            "members": digests,
        }
        archive.writestr(_info(MANIFEST), _json(manifest))


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def _json(value: Any) -> bytes:
    return json.dumps(value, allow_nan=False).encode()


def _members(store: RunStore, run: str) -> Iterator[tuple[str, bytes]]:
    """Name and content of every member but the manifest. The row is read last: while the run goes on, it is ahead of the rest."""
    if store.get(run).kind != "run":
        raise RunError(f"{run} is a map, which has no bundle. Open one of its cells as a run and bundle that.")
    found = False
    for step in store.checkpoint_steps(run):
        try:
            state = store.load_checkpoint(run, step)
        except RunError:
            continue  # damaged, or made room for a later one meanwhile
        found = True
        rest = {key: value for key, value in state.items() if key != "tensors"}
        rest["configs"] = [portable(values) for values in rest["configs"]]
        tensors = {name: tensor.contiguous() for name, tensor in state["tensors"].items()}
        yield f"checkpoints/{step:09d}.safetensors", save_tensors(tensors)
        yield f"checkpoints/{step:09d}.json", _json(rest)
    if not found and store.checkpoint_steps(run):
        store.load_checkpoint(run)  # says what is wrong with all of them
    yield "series.safetensors", _series(store, run)
    for step, picture in store.film(run):
        yield f"film/{step:09d}.frame", picture
    if frame := store.frame(run):
        header, arrays = unpack(frame)
        header.pop("trace", None)  # of a step in slow motion, which is over
        kept = {name: array for name, array in arrays.items() if not name.startswith(TRACE)}
        yield f"frame/{header['step']:09d}.frame", pack(header, kept)
    row = store.get(run)
    yield "events.json", _json([_told(event, row, store) for event in store.events(run)])
    yield "run.json", _json(_row(row, store))


def _told(event: dict, row: Run, store: RunStore) -> dict:
    return event | ({"message": told(event["message"], store.folder, row.config)} if "message" in event else {})


def _row(row: Run, store: RunStore) -> dict[str, Any]:
    return RunPart(
        id=row.id,
        name=plain(row.name, NAME_LIMIT),
        configs=[portable(config.model_dump()) for config in row.configs],
        status="stopped" if row.is_live else row.status,
        created=row.created,
        step=row.step,
        seconds=row.seconds,
        rate=row.rate,
        message="" if row.is_live else told(row.message, store.folder, row.config),
        parent=row.parent,
        parent_step=row.parent_step,
        note=row.note,
        tags=list(row.tags),
    ).model_dump(exclude_defaults=True)  # versions that knew of no notes read a run without


def _series(store: RunStore, run: str) -> bytes:
    tensors = {}
    for kind in store.series_kinds(run):
        steps, values = store.series(run, kind)
        tensors[f"{kind}.steps"] = torch.from_numpy(steps)
        tensors[f"{kind}.values"] = torch.from_numpy(values[:, :, 0].copy())  # as read, they cannot be written to
    return save_tensors(tensors)


# Taking in


def import_(store: RunStore, source: Path | str | BinaryIO) -> str:
    """Take in a bundle, whole or not at all; returns the run's id, a new one if there is a run of that name already.

    The run comes without owner, pair, pace or wish to pause; that it was imported, from which id and whether it was a fork, is an
    event of it. A run on images of one's own says when it is resumed that they are missing.

    Args:
        source: a file's path, or a binary file that can seek.

    Raises:
        RunError: it is no bundle, damaged, too large or of a newer version, holds what no run has, or cannot be kept.
    """
    called = Path(source).name if isinstance(source, str | Path) else "The file"
    try:
        with ExitStack() as stack:
            file = stack.enter_context(_file(source)) if isinstance(source, str | Path) else source
            return _adopted(store, _Bundle(stack.enter_context(_archive(file))))
    except _Refusal as error:
        raise RunError(f"{plain(called, 80)} cannot be imported: {error}") from error
    except (OSError, sqlite3.Error) as error:
        raise RunError(f"The run cannot be kept in {store.folder} ({error}). Free some space there and try again.") from error


class _Refusal(RunError):
    """Why a bundle is not taken in."""


def _damaged(reason: str) -> _Refusal:
    return _Refusal(f"{reason}. Ask for the file once more.")


def _check_size(name: str, size: int) -> None:
    """Raise _Refusal where a member is none that a bundle has, or larger than it may be."""
    limit = next((limit for pattern, (_, limit) in _LIMITS.items() if re.fullmatch(pattern, name)), None)
    if limit is None:
        raise _damaged(f"it holds {plain(name, 60)!r}, which no bundle has")
    if size > limit:
        raise _Refusal(f"{name} has {size:,} bytes, and at most {limit:,} are allowed. {_SMALLER}")


def _check_total(size: int) -> None:
    if size > UNPACKED_LIMIT:
        raise _Refusal(f"its parts have {size:,} bytes together, and at most {UNPACKED_LIMIT:,} are allowed. {_SMALLER}")


def _file(path: Path | str) -> BinaryIO:
    try:
        return Path(path).open("rb")
    except OSError as error:
        raise _Refusal(f"it cannot be opened ({error.strerror}). Give the path of a bundle.") from error


def _archive(file: BinaryIO) -> zipfile.ZipFile:
    """A zip file whose list of members is known to be short before it is read.

    The last 22 bytes give its length (APPNOTE.TXT 4.3.16); what could overrule them is refused: a comment behind, or the locator
    of a zip64 record before (4.3.15).
    """
    try:
        size = file.seek(0, os.SEEK_END)
        _check_total(size)
        file.seek(max(0, size - _END - 20))
        tail = file.read(_END + 20)
        locator, end = tail[:-_END], tail[-_END:]
        if len(end) < _END or not end.startswith(b"PK\x05\x06") or end[-2:] != b"\0\0":
            raise _damaged("it is no bundle, or it is cut short")
        count, length = struct.unpack_from("<HI", end, 10)
        if locator.startswith(b"PK\x06\x07") or length > DIRECTORY_LIMIT or count > sum(most for most, _ in _LIMITS.values()):
            raise _damaged("it lists more members than a bundle has")
        return zipfile.ZipFile(file)
    except _UNREADABLE as error:
        raise _damaged("it is damaged") from error


class _Bundle:
    """The members of a bundle: all sizes, names and the manifest are checked at once, contents as they are read."""

    def __init__(self, archive: zipfile.ZipFile):
        self.archive = archive
        infos = archive.infolist()
        self.infos = {info.filename: info for info in infos}
        if len(self.infos) != len(infos):
            raise _damaged("it holds two members of one name")
        _check_total(sum(info.file_size for info in infos))
        if MANIFEST not in self.infos:
            raise _damaged(f"it has no {MANIFEST}")
        self.digests = self._manifest()
        for info in infos:
            _check_size(info.filename, info.file_size)
            kind = stat.S_IFMT(info.external_attr >> 16)
            if info.is_dir() or kind not in (0, stat.S_IFREG):
                raise _damaged(f"{info.filename} is no plain file")
        for pattern, (most, _) in _LIMITS.items():
            if len(self.steps(pattern)) > most:
                raise _damaged(f"it has more than {most} members like {pattern}")
        if not self.infos.keys() >= _NEEDED or self.infos.keys() != {*self.digests, MANIFEST}:
            raise _damaged(f"its members are not those that {MANIFEST} names")
        film = [info.file_size for name, info in self.infos.items() if name.startswith("film/")]
        if sum(film) > BYTES and len(film) > 2:
            raise _Refusal(f"its film has more than the {BYTES:,} bytes that are allowed.")
        if self.steps(f"checkpoints/{_STEP}\\.safetensors") != self.steps(f"checkpoints/{_STEP}\\.json"):
            raise _damaged("a checkpoint is not complete")

    def _manifest(self) -> dict[str, str]:
        _check_size(MANIFEST, self.infos[MANIFEST].file_size)
        values = _of(MANIFEST, read_json, self._content(MANIFEST))
        theirs = values.get("format") if isinstance(values, dict) else None
        if type(theirs) is int and theirs > FORMAT:
            formats = f"format {min(theirs, 999_999)}, this one knows {FORMAT}"
            raise _Refusal(f"it was written by a newer version of GAN Playground ({formats}). Update.")
        try:
            return _Manifest.model_validate(values).members
        except ValidationError as error:
            raise _damaged(f"{MANIFEST} is none of a bundle") from error

    def _content(self, name: str) -> bytes:
        info = self.infos[name]
        try:
            with self.archive.open(info) as file:
                content = file.read(info.file_size + 1)  # never more than the size that was checked
        except _UNREADABLE as error:
            raise _damaged(f"{name} is damaged") from error
        if len(content) != info.file_size:
            raise _damaged(f"{name} is damaged")
        return content

    def read(self, name: str) -> bytes:
        """A member's content, whose checksum is that of the manifest."""
        content = self._content(name)
        if hashlib.sha256(content).hexdigest() != self.digests[name]:
            raise _damaged(f"{name} is damaged: its checksum is not that of the manifest")
        return content

    def steps(self, pattern: str) -> list[int]:
        """The steps in the names of members like a pattern, ascending; -1 for names without a step."""
        found = [match for name in self.infos if (match := re.fullmatch(pattern, name))]
        return sorted(int(match[1]) if match.re.groups else -1 for match in found)


def _of(name: str, read: Callable[..., _T], *args: Any) -> _T:
    """What `read` makes of a member; where it refuses, the member's name goes before the reason."""
    try:
        return read(*args)
    except _Refusal:
        raise
    except RunError as error:
        raise _damaged(f"{name}: {str(error).rstrip('.')}") from error


def _adopted(store: RunStore, bundle: _Bundle) -> str:
    check_room(store)
    row, configs = _of("run.json", read_run, bundle.read("run.json"))
    events = _of("events.json", read_events, bundle.read("events.json"))
    series = _of("series.safetensors", read_series, bundle.read("series.safetensors"), configs)
    film = _pictures(bundle, "film", configs[0])
    frames = _pictures(bundle, "frame", configs[0])
    origin = {"run": row.id, **({"parent": row.parent} if row.parent else {})}
    events.append({"step": row.step, "time": time.time(), "kind": "imported", **origin})
    return store.adopt(
        row.id,
        configs,
        plain(row.name, RUN_NAME),
        series=series,
        events=events,
        film=film,
        frame=frames[-1] if frames else None,
        checkpoints=_states(bundle, configs),
        status=row.status,
        step=row.step,
        seconds=row.seconds,
        rate=row.rate,
        message=plain(row.message),
        parent_step=row.parent_step,
        note=row.note,
        tags=json.dumps(row.tags),
    )


def _pictures(bundle: _Bundle, folder: str, config: GANConfig) -> list[tuple[int, bytes]]:
    found = []
    for step in bundle.steps(f"{folder}/{_STEP}\\.frame"):
        name = f"{folder}/{step:09d}.frame"
        picture = bundle.read(name)
        _of(name, check_picture, picture, step, config)
        found.append((step, picture))
    return found


def _states(bundle: _Bundle, configs: list[GANConfig]) -> Iterator[dict]:
    """The states of a trainer, one at a time, because all together may be large."""
    for step in bundle.steps(f"checkpoints/{_STEP}\\.safetensors"):
        name = f"checkpoints/{step:09d}"
        parts = bundle.read(f"{name}.safetensors"), bundle.read(f"{name}.json")
        yield _of(name, read_state, *parts, step, configs)
