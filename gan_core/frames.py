"""Frames: one picture of a run as bytes, made in the training thread, drawn in the browser.

A frame is packed as a 4-byte little-endian length, that many bytes of JSON, and arrays behind it, each starting at a
multiple of 4. The JSON's "arrays" lists name, dtype, shape and offset. `static/wire.js` reads the same layout.
"""

from __future__ import annotations

import io
import json
import math
import struct
from functools import lru_cache

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from .data import Data
from .draws import seeded
from .errors import RunError
from .losses import LOSSES
from .members import sample_latents
from .trainer import Trainer

POINTS = 600  # of each kind in a 2-D frame
HEAT = 48  # cells along each side of the discriminator's map
IMAGES, ROWS, COLUMNS = 64, 8, 16  # in a sample grid; a conditional one has a column for each class


def pack(header: dict, arrays: dict[str, np.ndarray | bytes]) -> bytes:
    """Header and arrays as one block of bytes."""
    entries, parts, offset = [], [], 0
    for name, value in arrays.items():
        array = np.frombuffer(value, np.uint8) if isinstance(value, bytes) else np.ascontiguousarray(value)
        data = array.tobytes()
        data += b"\0" * (-len(data) % 4)
        entries.append({"name": name, "dtype": str(array.dtype), "shape": list(array.shape), "offset": offset})
        parts.append(data)
        offset += len(data)
    text = json.dumps({**header, "arrays": entries}).encode()
    text += b" " * (-len(text) % 4)
    return b"".join([struct.pack("<I", len(text)), text, *parts])


def unpack(block: bytes) -> tuple[dict, dict[str, np.ndarray]]:
    """What `pack` was given; bytes come back as uint8 arrays.

    Raises:
        RunError: the block is cut short or is no frame.
    """
    try:
        (length,) = struct.unpack_from("<I", block)
        header = json.loads(block[4 : 4 + length])
        arrays = {}
        for entry in header.pop("arrays"):
            dtype, start = np.dtype(entry["dtype"]), 4 + length + entry["offset"]
            arrays[entry["name"]] = np.frombuffer(block, dtype, math.prod(entry["shape"]), start).reshape(entry["shape"])
    except (struct.error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(f"A stored picture is damaged ({error}). Step the run once to make a new one.") from error
    return header, arrays


@lru_cache(maxsize=4)
def extent(data: Data) -> tuple[float, float, float]:
    """The square that shows a 2-D data set with a margin: (centre x, centre y, half its side)."""
    low, high = data.x.min(0).values, data.x.max(0).values
    centre = (low + high) / 2
    return float(centre[0]), float(centre[1]), float((high - low).max() / 2 * 1.25)


def png_grid(images: Tensor, columns: int) -> bytes:
    """Images (N, C, H, W) in [-1, 1] as one PNG, `columns` in a row, one pixel apart."""
    from .vision import make_grid  # slow to import, and points need no grid

    grid = make_grid((images + 1) / 2, nrow=columns, padding=1, pad_value=0.5).clamp(0, 1)  # (3, H, W)
    array = (grid * 255).round().byte().permute(1, 2, 0).numpy()
    picture = Image.fromarray(array if images.shape[1] == 3 else array[..., 0])
    out = io.BytesIO()
    picture.save(out, "PNG", compress_level=1)
    return out.getvalue()


def _opinion(trainer: Trainer, member: int, points: Tensor) -> np.ndarray:
    """The discriminator's opinion on points (N, 2): 0 fake to 255 real, 128 undecided.

    Cross-entropy logits have a probability. Other losses only rank samples, so their logits are centred between the
    mean of real and of fake and scaled by their spread.
    """
    block, place = trainer.member(member)
    logits = block.judge(points.expand(len(block), *points.shape))[place].cpu()
    if not LOSSES[trainer.configs[member].loss].binary:
        logits = (logits - logits.median()) / (logits.std(correction=0) + 1e-6) * 2
    return (torch.sigmoid(logits) * 255).round().byte().numpy()


def real_frame(data: Data) -> bytes:
    """The data alone: what stands on the stage before a run starts."""
    generator = seeded(0, "view")
    if data.x.dim() == 2:
        rows = torch.randint(len(data.x), (POINTS,), generator=generator)
        return pack(
            {"kind": "points", "extent": extent(data), "step": 0},
            {"real": data.x[rows].numpy()},
        )
    rows = torch.randint(len(data.x), (IMAGES,), generator=generator)
    return pack(
        {"kind": "images", "step": 0, "size": data.shape[1], "shown": "real", "rows": 8},
        {"png": png_grid(data.x[rows], 8)},
    )


def live_frame(trainer: Trainer, member: int = 0) -> bytes:
    """What one member looks like now, from noise that is fixed by its seed.

    Points: real and fake (N, 2) and the discriminator's map (48, 48), row 0 at the bottom. Images: a grid as PNG; with up
    to 16 classes a column each, from the same latents.
    """
    trainer.member(member)  # refuses an index that is out of range
    config, data = trainer.configs[member], trainer.data
    generator = seeded(config.seed, "view")
    if data.x.dim() == 4:
        columns = trainer.classes if 1 < trainer.classes <= COLUMNS else 8
        latents = sample_latents(config, IMAGES, generator)
        if columns == trainer.classes:  # a column for each class, a row for each latent
            latents = latents[:ROWS].repeat_interleave(columns, 0)
        return pack(
            {
                "kind": "images",
                "step": trainer.step_count,
                "size": data.shape[1],
                "shown": "fake",
                "rows": columns,
                "classes": trainer.classes,
            },
            {"png": png_grid(trainer.generate(latents, member), columns)},
        )
    fake = trainer.generate(sample_latents(config, POINTS, generator), member)
    x, y, half = extent(data)
    axis = (torch.arange(HEAT) + 0.5) / HEAT * 2 - 1
    grid = torch.stack([(x + half * axis).repeat(HEAT), (y + half * axis).repeat_interleave(HEAT)], 1)
    rows = torch.randint(len(data.x), (POINTS,), generator=seeded(0, "view"))
    return pack(
        {"kind": "points", "extent": (x, y, half), "step": trainer.step_count},
        {
            "real": data.x[rows].cpu().numpy(),
            "fake": fake.numpy(),
            "heat": _opinion(trainer, member, grid).reshape(HEAT, HEAT),
        },
    )
