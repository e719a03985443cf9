"""The parts of a bundle, read as if its author meant harm: each becomes what the store keeps, or a sentence.

Nothing is unpickled or run, names become no paths, numbers stand in their range, and sizes are known before there is memory
for them.
"""

from __future__ import annotations

import io
import json
import math
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from torch import Tensor

from .config import GANConfig, refusal
from .data import DATASETS, load
from .errors import ConfigError, DataError, RunError
from .frames import BINS, HEAT, IMAGES, TILE_IMAGES, TILE_POINTS, unpack
from .link import PRIVATE
from .members import PLAYERS, STATS
from .metrics import COUNTED_MODES, METRICS, SCORES, TALLIES, shares
from .networks import NETWORKS
from .outline import check_rest, check_streams, check_tensors, outline, states_configs
from .pixelcnn import Likelihood
from .schema import METRIC
from .shelf import NOTE, TAG, TAGS, check_note, check_tags, printable
from .store import ENDED, SECONDS

DEPTH = 12  # of lists and objects within each other; the deepest of a bundle's has 5
HEADER_LIMIT = 2**20  # bytes of JSON before the tensors or arrays of a file
NAME_LIMIT, TEXT_LIMIT = 200, 4000  # characters of a run's name, and of a message
PIXEL_LIMIT = 2**22  # of a grid of images; the largest that is made has 2.1 million
ELSEWHERE = "the folder with the images, which are not in a bundle"  # instead of a path
STEPS = 10_000_000  # of the longest run


# Text


def plain(text: str, limit: int = TEXT_LIMIT) -> str:
    """Text that is only text: what cannot be printed becomes a space, and what is too long is cut."""
    return printable(text[:limit])


def told(text: str, folder: Path, config: GANConfig) -> str:
    """A message of a run without the names of the folders of runs and of the user's images, which are nobody else's business."""
    for name, instead in ((folder.resolve(), "runs"), (folder, "runs"), (config.path, "the images")):
        text = text.replace(str(name), instead) if str(name) else text
    return plain(text)


def read_json(content: bytes) -> Any:
    """What a JSON text says.

    Raises:
        RunError: it is none, holds a number that is not finite, or is nested too deeply.
    """
    try:
        value = json.loads(content.decode("utf-8"), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise RunError("it is no JSON that can be read") from error
    level = [value]
    for _ in range(DEPTH):
        if any(isinstance(v, float) and not math.isfinite(v) for v in level):  # 1e999
            raise RunError("it holds a number that is not finite")
        level = [inner for v in level if isinstance(v, list | dict) for inner in (v.values() if isinstance(v, dict) else v)]
        if not level:
            return value
    raise RunError(f"it is nested more than {DEPTH} levels deep")


def _refuse(name: str) -> Any:
    raise ValueError(name)


# The run and its events


class RunPart(BaseModel):
    """run.json: a row of the list of runs, as far as it means something elsewhere."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    id: Annotated[str, Field(pattern=r"^[0-9]{8}-[0-9]{6}-[0-9a-f]{6}$")]  # becomes a folder's name
    name: Annotated[str, Field(max_length=NAME_LIMIT)]
    configs: Annotated[list[dict[str, Any]], Field(min_length=1)]
    status: Literal[ENDED]
    created: Annotated[float, Field(ge=0, le=1e11)]
    step: Annotated[int, Field(ge=0, le=STEPS)]
    seconds: Annotated[float, Field(ge=0, le=1e11)]
    rate: Annotated[float, Field(ge=0, le=1e9)]
    message: Annotated[str, Field(max_length=TEXT_LIMIT)]
    parent: Annotated[str, Field(max_length=NAME_LIMIT)] | None
    parent_step: Annotated[int, Field(ge=0, le=STEPS)] | None
    note: Annotated[str, Field(max_length=NOTE)] = ""
    tags: Annotated[list[Annotated[str, Field(max_length=TAG)]], Field(max_length=TAGS)] = []


class _Event(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    step: Annotated[int, Field(ge=0, le=STEPS)]
    time: Annotated[float, Field(ge=0, le=1e11)]


_Message = Annotated[str, Field(max_length=TEXT_LIMIT)]
_Value = str | int | float


class _Set(_Event):
    kind: Literal["set"]
    name: str
    before: _Value
    value: _Value


class _Extra(_Event):
    kind: Literal["extra"]
    part: Literal[PLAYERS]


class _Refused(_Event):
    kind: Literal["refused"]
    message: _Message
    changes: dict[str, _Value] | None = None


class _Failed(_Event):
    kind: Literal["failed"]
    message: _Message
    term: Literal[(*STATS, *Likelihood.STATS)] | None = None


class _Imported(_Event):
    kind: Literal["imported"]
    run: Annotated[str, Field(max_length=NAME_LIMIT)]
    parent: Annotated[str, Field(max_length=NAME_LIMIT)] | None = None


class _Events(BaseModel):
    events: Annotated[
        list[Annotated[_Set | _Extra | _Refused | _Failed | _Imported, Field(discriminator="kind")]], Field(max_length=100_000)
    ]


def portable(values: dict[str, Any]) -> dict[str, Any]:
    """A config's values without the path of any machine, in whose place stands that it is missing."""
    return {**values, "path": ELSEWHERE if values.get("dataset") == "folder" else ""}


def read_run(content: bytes) -> tuple[RunPart, list[GANConfig]]:
    """run.json -> the run and its configs, which name no path of any machine.

    Raises:
        RunError: something in it is missing, unknown or out of range.
    """
    run = _checked(RunPart, read_json(content))
    try:
        configs = [GANConfig.parse(portable(values)) for values in run.configs]
        outline(configs)
    except ConfigError as error:
        raise RunError(str(error)) from error
    run = run.model_copy(update={"note": check_note(run.note), "tags": check_tags(run.tags)})
    if run.step > configs[0].steps:
        raise RunError(f"step {run.step:,} is after the last one, {configs[0].steps:,}")
    return run, configs


def read_events(content: bytes) -> list[dict]:
    """events.json -> as `RunStore.events` returns them.

    Raises:
        RunError: an event is unknown, or something of it is out of range.
    """
    found = []
    for event in _checked(_Events, {"events": read_json(content)}).events:
        values = event.model_dump(exclude_none=True)
        if isinstance(event, _Set):
            for value in (event.before, event.value):
                if event.name in PRIVATE or event.name not in GANConfig.model_fields or refusal(event.name, value):
                    raise RunError("an event changes a setting that does not exist or has no such value")
        found.append({key: plain(value) if key == "message" else value for key, value in values.items()})
    return found


def _checked(model: type[BaseModel], value: Any) -> Any:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise RunError(plain(f"{where}: {first['msg']}", 200)) from error


# Tensors


def tensors_header(content: bytes) -> dict[str, tuple[str, list[int]]]:
    """What a safetensors file says of its tensors: name -> (dtype, shape). Its format: 8 bytes with the length of a JSON text,
    that text, and the numbers (github.com/huggingface/safetensors).

    Raises:
        RunError: it is no such file.
    """
    if len(content) < 8 or (length := struct.unpack_from("<Q", content)[0]) > min(HEADER_LIMIT, len(content) - 8):
        raise RunError("it is no safetensors file")
    header = read_json(content[8 : 8 + length])
    found = {}
    for name, entry in header.items() if isinstance(header, dict) else ():
        dtype, shape = (entry.get("dtype"), entry.get("shape")) if isinstance(entry, dict) else (None, None)
        if not isinstance(dtype, str) or not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape):
            raise RunError("it is no safetensors file")
        found[name] = dtype, shape
    return found


def _load(content: bytes) -> dict[str, Tensor]:
    try:
        return load_tensors(content)
    except (SafetensorError, ValueError, TypeError, RuntimeError, KeyError) as error:
        raise RunError("it is no safetensors file") from error


def read_state(tensors: bytes, rest: bytes, step: int, run: Sequence[GANConfig]) -> dict:
    """A checkpoint's two files -> the state of a trainer.

    Raises:
        RunError: it is not one of this run's networks.
    """
    values = read_json(rest)
    if isinstance(values, dict) and isinstance(values.get("configs"), list):
        values["configs"] = [portable(c) if isinstance(c, dict) else c for c in values["configs"]]
    configs = states_configs(values, run)
    known = outline(configs)
    check_rest(values, step, known)
    check_tensors(tensors_header(tensors), known)
    found = _load(tensors)
    check_streams(found, known)
    return {**values, "configs": [c.model_dump() for c in configs], "tensors": found}


def read_series(content: bytes, configs: Sequence[GANConfig]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """series.safetensors -> kind -> steps int64 (T,), values float32 (T, N).

    Raises:
        RunError: a series is unknown, or has another width than its kind.
    """
    header = tensors_header(content)
    kinds = {name.removesuffix(".steps") for name in header if name.endswith(".steps")}
    if header.keys() != {f"{kind}{end}" for kind in kinds for end in (".steps", ".values")}:
        raise RunError("each series has steps and values, and nothing else is in it")
    modes = _modes(configs[0]) if kinds & {*TALLIES} else 0
    for kind in kinds:
        (dtype, shape), (dtype_v, shape_v) = header[f"{kind}.steps"], header[f"{kind}.values"]
        width = _width(kind, configs, modes)
        if (dtype, dtype_v, len(shape)) != ("I64", "F32", 1) or shape_v != [*shape, width] or not shape[0]:
            raise RunError("a series has another type or width than its kind")
    tensors = _load(content)
    found = {}
    for kind in sorted(kinds):
        steps = tensors[f"{kind}.steps"].numpy()
        if steps[0] < 0 or steps[-1] > STEPS or (np.diff(steps) <= 0).any():
            raise RunError("the steps of a series do not ascend")
        found[kind] = steps, tensors[f"{kind}.values"].numpy()
    return found


def _width(kind: str, configs: Sequence[GANConfig], modes: int) -> int:
    """Numbers in a row of a series."""
    if kind == "train":
        rows = len(STATS if NETWORKS[configs[0].network].adversarial else Likelihood.STATS)
    elif kind in TALLIES and 1 <= modes <= COUNTED_MODES:
        rows = modes
    elif kind == SECONDS or (kind.startswith(METRIC) and kind.removeprefix(METRIC) in {*METRICS, *SCORES}):
        rows = 1
    else:
        raise RunError("it holds a series that is unknown here")
    return rows * len(configs)


def _modes(config: GANConfig) -> int:
    """Modes or classes of a data set, whose images need not be here; 0 where there are none."""
    entry = DATASETS[config.dataset]
    if entry.kind == "images":
        return entry.classes
    try:
        data = load(config.source)
    except DataError as error:
        raise RunError(str(error)) from error
    return len(shares(data)) if METRICS["held"].applies(data) else 0


# Pictures

_POINTS = ("float32", (-1, 2))
_COUNTS = ("float32", (BINS,))
_BYTES = ("uint8", (-1,))
_GAME = {"logits_real": _COUNTS, "logits_fake": _COUNTS}  # beside the discriminator
_ARRAYS = {  # kind of picture -> array -> (dtype, shape), -1 for any length
    "points": _GAME
    | {"real": _POINTS, "fake": _POINTS, "arrows": _POINTS, "grid": _POINTS, "heat": ("uint8", (HEAT, HEAT))}
    | {"members": ("uint8", (-1, TILE_POINTS, 2))},
    "images": _GAME
    | {"png": _BYTES, "real_png": _BYTES, "scores": _BYTES, "real_scores": _BYTES}
    | {"member_images": ("uint8", (-1, TILE_IMAGES, -1, -1, -1))},
}
_NEEDED = {"points": ("fake", "heat"), "images": ("png",)}
_Number = Annotated[float, Field(ge=-1e9, le=1e9)]


class _Array(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    name: str
    dtype: Literal["uint8", "float32"]
    shape: list[Annotated[int, Field(ge=0, le=2**28)]]
    offset: Annotated[int, Field(ge=0, multiple_of=4)]


class _Picture(BaseModel):
    """The header of a frame, see `frames.live_parts`."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    step: Annotated[int, Field(ge=0, le=STEPS)]
    arrays: list[_Array]
    logits: tuple[float, float] | None = None
    layers: list[tuple[Literal[PLAYERS], Annotated[str, Field(max_length=100)], float | None, float | None]] | None = None


class _Points(_Picture):
    kind: Literal["points"]
    extent: tuple[_Number, _Number, Annotated[float, Field(gt=0, le=1e9)]]


class _Images(_Picture):
    kind: Literal["images"]
    size: Annotated[int, Field(ge=1, le=128)]
    shown: Literal["fake"]
    columns: Annotated[int, Field(ge=1, le=16)]


def check_picture(block: bytes, step: int, config: GANConfig) -> None:
    """Hold a frame against what `frames` makes of such a run at a step.

    Raises:
        RunError: it holds something else, or an image that cannot be shown.
    """
    length = struct.unpack_from("<I", block)[0] if len(block) >= 4 else HEADER_LIMIT
    if length > min(HEADER_LIMIT, len(block) - 4) or length % 4:
        raise RunError("it is no picture")
    kind = DATASETS[config.dataset].kind
    header = read_json(block[4 : 4 + length])
    # JSON has lists for tuples, which pydantic takes in its own JSON mode only
    try:
        found = (_Points if kind == "points" else _Images).model_validate_json(json.dumps(header))
    except ValidationError as error:
        raise RunError(plain(error.errors(include_url=False, include_input=False)[0]["msg"], 200)) from error
    if found.step != step:
        raise RunError("it is the picture of another step than its name says")
    names = [array.name for array in found.arrays]
    if len(set(names)) != len(names) or not {*_NEEDED[kind]} <= {*names}:
        raise RunError("an array is missing or there twice")
    for array in found.arrays:
        dtype, shape = _ARRAYS[kind].get(array.name, ("", ()))
        same = len(shape) == len(array.shape) and all(b in (-1, a) for a, b in zip(array.shape, shape, strict=True))
        size = math.prod(array.shape) * (4 if dtype == "float32" else 1)
        if array.dtype != dtype or not same or array.offset + size > len(block) - 4 - length:
            raise RunError("an array has another shape than such a picture has")
    if isinstance(found, _Images):
        _check_images(found, unpack(block)[1], config)


def _check_images(header: _Images, arrays: dict[str, np.ndarray], config: GANConfig) -> None:
    """Raise RunError unless all images of a picture can be decoded and are as large as they should be."""
    if header.size != config.shape[-1]:
        raise RunError("its images have another size than the run's")
    edge = header.size + 1
    for name in ("png", "real_png"):
        if name in arrays:
            columns, tiles = _decoded(arrays[name].tobytes(), edge)
            if tiles < min(IMAGES, 9) or (name == "png" and columns != header.columns):
                raise RunError("it holds another number of images than its header says")
    if "member_images" in arrays and arrays["member_images"].shape[2:] != config.shape:
        raise RunError("its images have another size than the run's")


def _decoded(content: bytes, edge: int) -> tuple[int, int]:
    """(images in a row, images) of a grid that can be decoded, each `edge` pixels from the next."""
    try:
        with Image.open(io.BytesIO(content), formats=("PNG",)) as image:
            width, height = image.size
            if width * height > PIXEL_LIMIT:
                raise RunError(f"an image has {width:,} x {height:,} pixels")
            image.load()
    except RunError:
        raise
    except Exception as error:  # decoders raise anything when a file is damaged
        raise RunError("an image cannot be decoded") from error
    return (width - 1) // edge, (width - 1) // edge * ((height - 1) // edge)
