"""An image that is handed in, made to a generator's measure. Expected values are worked out by hand."""

import io
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from gan_core import DataError
from gan_core.album import PIXEL_LIMIT, UPLOAD_LIMIT, fit_image


def saved(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def grey(value: float) -> torch.Tensor:
    return torch.tensor(value / 127.5 - 1)


def test_an_image_that_fits_is_taken_as_it_is():
    values = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4
    found = fit_image(saved(Image.fromarray(values)), 8, 1)
    assert found.notes == ()
    assert torch.equal(found.pixels, torch.from_numpy(values.astype(np.float32) / 127.5 - 1)[None])


def test_the_middle_square_of_a_wide_image_is_taken():
    values = np.zeros((8, 24), np.uint8)
    values[:, 8:16] = 255
    found = fit_image(saved(Image.fromarray(values)), 8, 1)
    assert torch.equal(found.pixels, torch.ones(1, 8, 8))
    assert found.notes == ("Its middle square was taken.",)


@pytest.mark.parametrize("side", [1, 3, 1000])
def test_any_size_is_scaled(side):
    found = fit_image(saved(Image.new("L", (side, side), 51)), 8, 1)
    torch.testing.assert_close(found.pixels, grey(51).expand(1, 8, 8))
    assert "scaled" in found.notes[0]


@pytest.mark.parametrize(
    ("image", "channels", "expected", "note"),
    [
        (Image.new("RGBA", (8, 8), (0, 0, 0, 0)), 1, 255, "Transparent"),
        (Image.new("RGBA", (8, 8), (0, 0, 0, 0)), 3, 255, "Transparent"),
        (Image.new("LA", (8, 8), (9, 255)), 1, 9, "Transparent"),
        (Image.new("RGB", (8, 8), (60, 60, 60)), 1, 60, "grey"),
        (Image.new("P", (8, 8), 0), 3, 0, ""),
        (Image.new("1", (8, 8), 1), 3, 255, ""),
        (Image.fromarray(np.full((8, 8), 257 * 100, np.uint16)), 1, 100, "16 bits"),
    ],
)
def test_any_mode_becomes_the_generators_channels(image, channels, expected, note):
    found = fit_image(saved(image), 8, channels)
    torch.testing.assert_close(found.pixels, grey(expected).expand(channels, 8, 8))
    assert note in " ".join(found.notes)


@pytest.mark.parametrize("channels", [1, 3])
def test_printing_colours_are_read(channels):
    found = fit_image(saved(Image.new("CMYK", (8, 8), (0, 0, 0, 255)), "JPEG"), 8, channels)
    assert float(found.pixels.max()) < -0.9
    assert found.notes


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_an_animation_gives_its_first_picture(kind):
    frames = [Image.new("L", (8, 8), value) for value in (0, 255)]
    found = fit_image(saved(frames[0], kind, save_all=True, append_images=frames[1:]), 8, 1)
    assert float(found.pixels.max()) < -0.9
    assert "first picture" in found.notes[0]


@pytest.mark.parametrize(
    "content",
    [b"", b"no image", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\xff\xd8\xff\xe0" + bytes(50), saved(Image.new("L", (9, 9)), "TIFF")],
)
def test_what_is_no_image_is_a_sentence(content):
    with pytest.raises(DataError, match="cannot be read as an image"):
        fit_image(content, 8, 1)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP"])
def test_a_file_that_is_cut_short_is_a_sentence(kind):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    content = saved(Image.fromarray(noise), kind)
    with pytest.raises(DataError, match=r"save it anew\.$"):
        fit_image(content[: len(content) // 2], 8, 3)


def claiming(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims a size."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [int(PIXEL_LIMIT**0.5) + 1, 100_000])
def test_an_image_that_claims_to_be_huge_is_not_decoded(side):
    with pytest.raises(DataError, match="million pixels"):
        fit_image(claiming(side, side), 8, 1)


def test_a_file_that_is_too_large_is_not_opened():
    with pytest.raises(DataError, match="at most 20 MB"):
        fit_image(bytes(UPLOAD_LIMIT + 1), 8, 1)
