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
GAP = 8  # between two pictures
FRAME_MS, LAST_MS = 60, 1500
SAMPLED = 32  # frames that a GIF's colours are taken from
STRIP = 10  # pictures of a filmstrip
_COLOURS = {name: ImageColor.getrgb(colour) for name, colour in PALETTE["light"].items()}


def draw(picture: bytes, real: np.ndarray | None = None) -> Image.Image:
    """A frame of a film as an image of 360 x 384 pixels, with its step below. `real`: (N, 2) points of the data."""
    header, arrays = unpack(picture)
    if header["kind"] == "images":
        grid = Image.open(io.BytesIO(arrays["png"].tobytes())).convert("RGB")
        scale = SIDE / max(grid.size)
        size = [max(1, round(edge * scale)) for edge in grid.size]
        body = grid.resize(size, Image.Resampling.NEAREST if scale >= 1 else Image.Resampling.BOX)
    else:
        body = points(header["extent"], arrays, real)
    sheet = Image.new("RGB", (SIDE, SIDE + LINE), "white")
    sheet.paste(body, ((SIDE - body.width) // 2, (SIDE - body.height) // 2))
    words = f"Step {header['step']:,}".replace(",", " ")  # the font has no thin space
    _write(sheet, (SIDE / 2, SIDE + LINE / 2), words, "mm")
    return sheet


def _write(sheet: Image.Image, place: tuple[float, float], words: str, anchor: str) -> None:
    ImageDraw.Draw(sheet).text(place, words, "#1c2030", ImageFont.load_default(14), anchor)


def enlarged(image: np.ndarray) -> Image.Image:
    """An image (C, H, W) in [-1, 1], as many whole times as large as fits into 360 pixels; a larger one as it is."""
    pixels = ((image + 1) * 127.5).round().clip(0, 255).astype(np.uint8).transpose(1, 2, 0)  # (H, W, C)
    image = Image.fromarray(pixels if len(image) == 3 else pixels[..., 0]).convert("RGB")
    times = max(1, SIDE // max(image.size))
    return image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST)


def beside(pictures: Sequence[Image.Image], names: Sequence[str], words: str, below: bool = False) -> Image.Image:
    """Pictures of one size side by side, or one below the other, each with its name under it; the last line ends with `words`."""
    width, height = pictures[0].size
    step = (0, height + LINE) if below else (width + GAP, 0)
    last = len(pictures) - 1
    sheet = Image.new("RGB", (width + last * step[0], height + LINE + last * step[1]), "white")
    for k, (picture, name) in enumerate(zip(pictures, names, strict=True)):
        x, y = k * step[0], k * step[1]
        sheet.paste(picture, (x, y))
        _write(sheet, (x + 4, y + height + LINE / 2), name, "lm")
    _write(sheet, (sheet.width - 4, sheet.height - LINE / 2), words, "rm")
    return sheet


def points(extent: Sequence[float], arrays: dict[str, np.ndarray], real: np.ndarray | None) -> Image.Image:
    """As static/stage.js draws them, 360 x 360: the discriminator's map `heat`, dots for real points, crosses for generated ones
    (`fake`), and the way (N, 2) of one sample (`path`) with a disc where it has arrived."""
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

    def placed(found: np.ndarray) -> np.ndarray:
        place = (np.asarray(found) - (x - half, y - half)) / (2 * half) * SIDE * fine
        place[:, 1] = SIDE * fine - place[:, 1]
        return place[np.isfinite(place).all(1)]

    for name, found in (("real", real), ("fake", arrays.get("fake"))):
        if found is None:
            continue
        for px, py in placed(found):
            if not (0 <= px < SIDE * fine and 0 <= py < SIDE * fine):
                continue
            if name == "real":
                pen.ellipse((px - 3, py - 3, px + 3, py + 3), fill=_COLOURS["real"])
            else:
                pen.line((px - 3, py - 3, px + 3, py + 3), fill=_COLOURS["fake"], width=2)
                pen.line((px - 3, py + 3, px + 3, py - 3), fill=_COLOURS["fake"], width=2)
    if "path" in arrays:
        way = [tuple(place) for place in placed(arrays["path"])]
        pen.line(way, fill=_COLOURS["accent"], width=4)
        for px, py in way[-1:]:
            pen.ellipse((px - 12, py - 12, px + 12, py + 12), fill=_COLOURS["accent"], outline="white", width=3)
        pen.rectangle((0, 0, SIDE * fine - 1, SIDE * fine - 1), outline="#dcdfe8", width=fine)
    return sheet.resize((SIDE, SIDE), Image.Resampling.BOX)


def _animation(frames: Sequence[Image.Image], kind: str, ms: int = FRAME_MS, last_ms: int = LAST_MS) -> bytes:
    out = io.BytesIO()
    times = [ms] * (len(frames) - 1) + [last_ms]
    if kind == "GIF":  # one table of colours for all, or the background would flicker
        some = _spread(frames, SAMPLED)
        table = Image.fromarray(np.concatenate([np.asarray(frame)[::2, ::2] for frame in some])).quantize(255)
        frames = [frame.quantize(palette=table, dither=Image.Dither.NONE) for frame in frames]
    frames[0].save(out, kind, save_all=True, append_images=frames[1:], duration=times, loop=0)
    return out.getvalue()


def _spread(frames: Sequence[Image.Image], most: int) -> list[Image.Image]:
    """At most so many of the frames, the first and the last among them."""
    rows = np.linspace(0, len(frames) - 1, min(most, len(frames))).round().astype(int)
    return [frames[row] for row in rows]


def _strip(frames: Sequence[Image.Image]) -> bytes:
    some = _spread(frames, STRIP)
    width, height = some[0].size
    sheet = Image.new("RGB", (len(some) * (width + GAP) - GAP, height), "white")
    for k, frame in enumerate(some):
        sheet.paste(frame, (k * (width + GAP), 0))
    out = io.BytesIO()
    sheet.save(out, "PNG")
    return out.getvalue()


@dataclass(frozen=True)
class Kind:
    """A kind of file. `make(frames)` gives its bytes; milliseconds may follow: of each frame, and of the last one."""

    make: Callable[..., bytes]
    media: str
    ending: str


KINDS = {
    "gif": Kind(lambda frames, *ms: _animation(frames, "GIF", *ms), "image/gif", "gif"),
    "webp": Kind(lambda frames, *ms: _animation(frames, "WEBP", *ms), "image/webp", "webp"),
    "png": Kind(lambda frames, *ms: _strip(frames), "image/png", "png"),
}
