"""Films as files: frames drawn with Pillow, and put together as GIF, WebP or one long picture."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageColor, ImageDraw, ImageFont

from gan_core.frames import unpack
from ui.palette import PALETTE

SIDE = 360  # pixels of a picture
LINE = 24  # pixels for the words below it
FRAME_MS, LAST_MS = 60, 1500
STRIP = 10  # pictures of a filmstrip
_COLOURS = {name: ImageColor.getrgb(colour) for name, colour in PALETTE["light"].items()}


def draw(picture: bytes, real: np.ndarray | None = None, word: str = "Step") -> Image.Image:
    """A frame of a film as an image of 360 x 384 pixels, with its step below, counted in a `word`. `real`: (N, 2) points of the
    data."""
    header, arrays = unpack(picture)
    if header["kind"] == "images":
        grid = Image.open(io.BytesIO(arrays["png"].tobytes())).convert("RGB")
        scale = SIDE / max(grid.size)
        size = [max(1, round(edge * scale)) for edge in grid.size]
        body = grid.resize(size, Image.Resampling.NEAREST if scale >= 1 else Image.Resampling.BOX)
    else:
        body = _points(header["extent"], arrays, real)
    sheet = Image.new("RGB", (SIDE, SIDE + LINE), "white")
    sheet.paste(body, ((SIDE - body.width) // 2, (SIDE - body.height) // 2))
    font = ImageFont.load_default(14)
    words = f"{word} {header['step']:,}".replace(",", " ")  # the font has no thin space
    ImageDraw.Draw(sheet).text((SIDE / 2, SIDE + LINE / 2), words, "#1c2030", font, "mm")
    return sheet


def _points(extent: Sequence[float], arrays: dict[str, np.ndarray], real: np.ndarray | None) -> Image.Image:
    """As static/stage.js draws them: the discriminator's map, dots for real points and crosses for generated ones."""
    x, y, half = extent
    fine = 2  # drawn twice as large, for smooth edges
    sheet = Image.new("RGB", (SIDE * fine, SIDE * fine), "white")
    if "heat" in arrays:
        value = arrays["heat"][::-1].astype(np.float32) / 127.5 - 1  # -1 fake, 1 real; row 0 is at the bottom
        strength = np.abs(value)[..., None] * 80 / 255
        colour = np.where(value[..., None] > 0, _COLOURS["real"], _COLOURS["fake"])
        pixels = (255 * (1 - strength) + colour * strength).round().astype(np.uint8)
        sheet.paste(Image.fromarray(pixels).resize(sheet.size, Image.Resampling.BILINEAR))
    pen = ImageDraw.Draw(sheet)
    for name, points in (("real", real), ("fake", arrays.get("fake"))):
        if points is None:
            continue
        place = (np.asarray(points) - (x - half, y - half)) / (2 * half) * SIDE * fine
        for px, py in place[np.isfinite(place).all(1)]:
            py = SIDE * fine - py
            if not (0 <= px < SIDE * fine and 0 <= py < SIDE * fine):
                continue
            if name == "real":
                pen.ellipse((px - 3, py - 3, px + 3, py + 3), fill=_COLOURS["real"])
            else:
                pen.line((px - 3, py - 3, px + 3, py + 3), fill=_COLOURS["fake"], width=2)
                pen.line((px - 3, py + 3, px + 3, py - 3), fill=_COLOURS["fake"], width=2)
    return sheet.resize((SIDE, SIDE), Image.Resampling.BOX)


def _animation(frames: Sequence[Image.Image], kind: str) -> bytes:
    out = io.BytesIO()
    times = [FRAME_MS] * (len(frames) - 1) + [LAST_MS]
    if kind == "GIF":  # one table of colours for all, or the background would flicker
        table = frames[-1].quantize(255)
        frames = [frame.quantize(palette=table, dither=Image.Dither.NONE) for frame in frames]
    frames[0].save(out, kind, save_all=True, append_images=frames[1:], duration=times, loop=0)
    return out.getvalue()


def _strip(frames: Sequence[Image.Image]) -> bytes:
    rows = np.unique(np.linspace(0, len(frames) - 1, min(STRIP, len(frames))).round().astype(int))
    sheet = Image.new("RGB", (len(rows) * (SIDE + 8) - 8, SIDE + LINE), "white")
    for k, row in enumerate(rows):
        sheet.paste(frames[row], (k * (SIDE + 8), 0))
    out = io.BytesIO()
    sheet.save(out, "PNG")
    return out.getvalue()


@dataclass(frozen=True)
class Kind:
    """A kind of file. `make(frames)` gives its bytes."""

    make: Callable[[Sequence[Image.Image]], bytes]
    media: str
    ending: str


KINDS = {
    "gif": Kind(lambda frames: _animation(frames, "GIF"), "image/gif", "gif"),
    "webp": Kind(lambda frames: _animation(frames, "WEBP"), "image/webp", "webp"),
    "png": Kind(_strip, "image/png", "png"),
}
