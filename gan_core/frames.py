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
from torch import Tensor, nn

from .draws import seeded
from .errors import RunError
from .inside import layers, plane, pull
from .losses import LOSSES
from .members import sample_latents
from .networks import NETWORKS
from .source import Data
from .trainer import Trainer

POINTS = 600  # of each kind in a 2-D frame
ARROWS = 150  # generated points whose pull is shown
BINS = 32  # of a histogram of logits
TRACE = "trace_"  # how the parts of a step told in slow motion begin
DATA = ("real", "real_png")  # parts of a frame that are the same at every step
HEAT = 48  # cells along each side of the discriminator's map
IMAGES, ROWS, COLUMNS = 64, 8, 16  # in a sample grid; a conditional one has a column for each class
TILE_POINTS, TILE_IMAGES = 160, 9  # of each member, where all are shown


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
    n, c, h, w = images.shape
    columns = min(columns, n)
    rows = -(-n // columns)
    # torchvision's make_grid places one image after the other: 30 times as long for the 256 of a plane
    tiles = torch.full((rows * columns, c, h + 1, w + 1), 128, dtype=torch.uint8)
    tiles[:n, :, 1:, 1:] = ((images + 1) * 127.5).round().clamp(0, 255).byte()
    sheet = tiles.unflatten(0, (rows, columns)).permute(2, 0, 3, 1, 4).reshape(c, rows * (h + 1), columns * (w + 1))
    array = nn.functional.pad(sheet, (0, 1, 0, 1), value=128).permute(1, 2, 0).numpy()  # (H, W, C)
    picture = Image.fromarray(array if c == 3 else array[..., 0])
    out = io.BytesIO()
    picture.save(out, "PNG", compress_level=1)
    return out.getvalue()


def _logits(trainer: Trainer, member: int, samples: Tensor) -> Tensor:
    """The discriminator's logits (N,) on samples (N, ...), on the CPU."""
    block, place = trainer.member(member)
    return block.judge(samples.expand(len(block), *samples.shape))[place].cpu()


def opinions(loss: str, *groups: Tensor) -> list[np.ndarray]:
    """A discriminator's opinion on groups of logits (N,), after it was trained with a loss: 0 fake to 255 real, 128 undecided.

    Cross-entropy logits have a probability. Other losses only rank samples, so their logits are centred at the median of the
    first group, and scaled by its spread.
    """
    if not LOSSES[loss].binary:
        centre, spread = groups[0].median(), groups[0].std(correction=0) + 1e-6
        groups = [(logits - centre) / spread * 2 for logits in groups]
    return [(torch.sigmoid(logits) * 255).round().byte().numpy() for logits in groups]


def _histograms(real: Tensor, fake: Tensor) -> tuple[list[float], dict[str, np.ndarray]]:
    """Ends of the axis, and how many logits of real and of generated samples lie in each of its bins."""
    both = torch.cat([real, fake])
    both = both[both.isfinite()]
    low, high = (float(both.min()), float(both.max())) if len(both) else (0.0, 1.0)
    if high - low < 1e-6:
        low, high = low - 0.5, high + 0.5
    counts = {name: np.histogram(x.numpy(), BINS, (low, high))[0] for name, x in (("real", real), ("fake", fake))}
    return [low, high], {f"logits_{name}": count.astype(np.float32) for name, count in counts.items()}


def _inside(trainer: Trainer, member: int, real: Tensor, fake: Tensor) -> tuple[dict, dict[str, np.ndarray]]:
    """What a frame says of the networks: their layers, and the logits of real and generated samples, (N,) each."""
    ends, counts = _histograms(real, fake)
    shown = [[layer.network, layer.name, layer.sigma, layer.gradient] for layer in layers(trainer, member)]
    return {"logits": ends, "layers": [[v if v == v else None for v in row] for row in shown]}, counts


def _view_rows(data: Data, n: int) -> Tensor:
    """The rows of the data that pictures show."""
    return torch.randint(len(data.x), (n,), generator=seeded(0, "view"))


@lru_cache(maxsize=4)
def _real_grid(data: Data) -> bytes:
    return png_grid(data.x[_view_rows(data, IMAGES)].cpu(), 8)


def real_frame(data: Data) -> bytes:
    """The data alone: what stands on the stage before a run starts."""
    if data.x.dim() == 2:
        rows = _view_rows(data, POINTS)
        return pack({"kind": "points", "extent": extent(data), "step": 0}, {"real": data.x[rows].cpu().numpy()})
    header = {"kind": "images", "step": 0, "size": data.shape[1], "shown": "real", "columns": 8}
    return pack(header, {"png": _real_grid(data)})


def live_frame(trainer: Trainer, member: int = 0) -> bytes:
    """`live_parts` as one block."""
    return pack(*live_parts(trainer, member))


def film_frame(header: dict, arrays: dict[str, np.ndarray | bytes]) -> bytes:
    """What a film keeps of a frame: all but the data, which are the same at every step, and what is told of a step."""
    kept = {name: value for name, value in arrays.items() if name not in DATA and not name.startswith(TRACE)}
    return pack({name: value for name, value in header.items() if name != "trace"}, kept)


def with_data(picture: bytes, data: Data) -> bytes:
    """A picture of a film as `live_frame` made it, with the data in it."""
    header, arrays = unpack(picture)
    known = unpack(real_frame(data))[1]
    return pack(header, arrays | ({"real": known["real"]} if header["kind"] == "points" else {"real_png": known["png"]}))


def live_parts(trainer: Trainer, member: int = 0) -> tuple[dict, dict[str, np.ndarray | bytes]]:
    """What one member looks like now, from noise that is fixed by its seed: header and arrays of a frame.

    Points: real and fake (N, 2), the discriminator's map (48, 48), row 0 at the bottom, where the generator's loss pulls some of
    the fake ones, and what becomes of a slice through the noise (row by row). Images: grids of generated and of real ones as
    PNG, with the discriminator's opinion of each; with up to 16 classes a column each, from the same latents. Both: histograms
    of logits, and in the header the networks' layers.
    """
    with trainer.own_threads():
        return _live_parts(trainer, member)


def _live_parts(trainer: Trainer, member: int) -> tuple[dict, dict[str, np.ndarray | bytes]]:
    trainer.member(member)  # refuses an index that is out of range
    config, data = trainer.configs[member], trainer.data
    alone = len(trainer.configs) == 1  # of several members, only what they make is shown
    generator = seeded(config.seed, "view")
    if data.x.dim() == 4:
        columns = trainer.classes if 1 < trainer.classes <= COLUMNS else 8
        latents = sample_latents(config, IMAGES, generator)
        if columns == trainer.classes:  # a column for each class, a row for each latent
            latents = latents[:ROWS].repeat_interleave(columns, 0)
        header = {"kind": "images", "step": trainer.step_count, "size": data.shape[1], "shown": "fake", "columns": columns}
        fake = trainer.generate(latents, member)
        arrays = {"png": png_grid(fake, columns), "real_png": _real_grid(data), **members_view(trainer)}
        if alone and NETWORKS[config.network].adversarial:
            real = data.x[_view_rows(data, IMAGES)].cpu()
            real_logits, fake_logits = _logits(trainer, member, torch.cat([real, fake])).split([len(real), len(fake)])
            told, counts = _inside(trainer, member, real_logits, fake_logits)
            both = torch.cat([real_logits, fake_logits])
            _, real_scores, scores = opinions(trainer.configs[member].loss, both, real_logits, fake_logits)
            header, arrays = header | told, arrays | counts | {"scores": scores, "real_scores": real_scores}
        return header, arrays
    fake = trainer.generate(sample_latents(config, POINTS, generator), member)
    x, y, half = extent(data)
    axis = (torch.arange(HEAT) + 0.5) / HEAT * 2 - 1
    grid = torch.stack([(x + half * axis).repeat(HEAT), (y + half * axis).repeat_interleave(HEAT)], 1)
    real = data.x[_view_rows(data, POINTS)].cpu()
    parts = [grid, real, fake] if alone else [grid]
    logits = _logits(trainer, member, torch.cat(parts)).split([len(part) for part in parts])
    header = {"kind": "points", "extent": (x, y, half), "step": trainer.step_count}
    arrays = {
        "real": real.numpy(),
        "fake": fake.numpy(),
        "heat": opinions(trainer.configs[member].loss, logits[0])[0].reshape(HEAT, HEAT),
    }
    if alone:
        told, counts = _inside(trainer, member, *logits[1:])
        noise = plane(config)
        slices = {} if noise is None else {"grid": trainer.generate(noise, member).numpy()}
        header, arrays = header | told, arrays | counts | slices | {"arrows": pull(trainer, fake[:ARROWS], member).numpy()}
    return header, arrays | members_view(trainer)


def members_view(trainer: Trainer, always: bool = False) -> dict[str, np.ndarray]:
    """What all members look like, small: {} where there is only one, unless it is wanted `always`.

    Points: "members" (E, 160, 2), uint8 within the extent, 255 outside of it. Images: "member_images" (E, 9, C, H, W), uint8.
    """
    if len(trainer.configs) == 1 and not always:
        return {}
    images = trainer.data.x.dim() == 4
    latents = sample_latents(trainer.configs[0], TILE_IMAGES if images else TILE_POINTS, seeded(0, "members"))
    samples = trainer.generate_all(latents)
    if images:
        return {"member_images": ((samples.nan_to_num(0) + 1) * 127.5).clamp(0, 255).round().byte().numpy()}
    return {"members": quantised_points(samples, extent(trainer.data))}


def quantised_points(points: Tensor, square: tuple[float, float, float]) -> np.ndarray:
    """Points (..., 2) as uint8 within a square (centre x, centre y, half its side): 0 to 254, and 255 for those outside."""
    x, y, half = square
    place = (points - torch.tensor([x - half, y - half])) / (2 * half) * 254
    inside = ((place >= 0) & (place <= 254)).all(-1, keepdim=True)  # not where they are no numbers
    return torch.where(inside, place, 255).round().byte().numpy()
