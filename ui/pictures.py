"""Small pictures of runs, for lists."""

import io

import numpy as np
from PIL import Image, ImageColor

from gan_core.frames import unpack
from ui.palette import PALETTE


def thumbnail(frame: bytes, side: int = 48) -> bytes:
    """A small PNG of a frame: a few images, or the points on white."""
    header, arrays = unpack(frame)
    if header["kind"] == "images":
        picture = Image.open(io.BytesIO(arrays["png"].tobytes())).convert("RGB")
        edge = 3 * (header["size"] + 1) + 1
        picture = picture.crop((0, 0, edge, edge)).resize((side, side), Image.Resampling.NEAREST)
    else:
        x, y, half = header["extent"]
        pixels = np.full((side, side, 3), 255, np.uint8)
        for name in ("real", "fake"):
            points = arrays.get(name, np.zeros((0, 2)))
            place = ((points - (x - half, y - half)) / (2 * half) * side).astype(int)
            place = place[((place >= 0) & (place < side)).all(1)]
            pixels[side - 1 - place[:, 1], place[:, 0]] = ImageColor.getrgb(PALETTE["light"][name])
        picture = Image.fromarray(pixels)
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def enlarged(png: bytes, width: int) -> bytes:
    """A PNG at least so many pixels wide, each of its pixels a square."""
    picture = Image.open(io.BytesIO(png))
    times = -(-width // picture.width)
    out = io.BytesIO()
    picture.resize((picture.width * times, picture.height * times), Image.Resampling.NEAREST).save(out, "PNG")
    return out.getvalue()
