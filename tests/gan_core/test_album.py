import io
import os
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from painting import flat, save
from PIL import Image

from gan_core import DataError
from gan_core.data import Source, load


def _png_claiming(width, height):
    """A PNG whose header promises a size, with hardly any data behind it."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def _tiff():
    file = io.BytesIO()
    Image.fromarray(flat(9)).save(file, "TIFF")
    return file.getvalue()


@pytest.fixture
def album(tmp_path):
    """Two good images in a folder, one of them deeper."""
    folder = tmp_path / "album"
    save(folder / "b.png", flat(200))
    save(folder / "a" / "c.PNG", flat(50))
    return folder


def _zip(folder, target):
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in folder.rglob("*"):
            archive.write(path, path.relative_to(folder))
    return target


def _of(path, size=0, channels=0):
    return load(Source("folder", size, channels, path=str(path)))


def _grey(x):
    return ((x.mean((1, 2, 3)) + 1) * 127.5).round().int().tolist()


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_images_come_in_the_order_of_their_names(album, tmp_path, packed):
    assert _grey(_of(_zip(album, tmp_path / "album.zip") if packed else album).x) == [50, 200]


@pytest.mark.parametrize("ending", ["png", "jpg", "jpeg", "bmp", "gif", "webp"])
def test_each_kind_of_file_is_read(album, ending):
    Image.fromarray(flat(120)).save(album / f"c.{ending}", **({"lossless": True} if ending == "webp" else {}))
    assert _grey(_of(album).x) == [50, 200, 120]


@pytest.mark.parametrize(("size", "channels"), [(8, 1), (16, 3), (64, 3)])
def test_images_get_the_size_and_channels_that_were_asked_for(album, size, channels):
    assert _of(album, size, channels).x.shape == (2, channels, size, size)


def test_only_the_centre_square_is_kept(album):
    picture = flat(0, 40, 100)
    picture[:, 30:70] = 255
    save(album / "wide.png", picture)
    assert _of(album).x[2].min() == 1


def test_a_smaller_image_is_pillows_bilinear_with_antialiasing(album):
    picture = np.random.default_rng(0).integers(0, 256, (60, 60, 3), np.uint8)
    save(album / "z.png", picture)
    expected = np.asarray(Image.fromarray(picture).resize((16, 16), Image.Resampling.BILINEAR))
    np.testing.assert_allclose((_of(album, 16).x[2].permute(1, 2, 0) + 1) * 127.5, expected, atol=1e-4)


def test_a_large_jpeg_is_the_same_as_without_the_shortcut(album):
    y, x = np.mgrid[:800, :800]
    picture = np.stack([128 + 100 * np.sin(x / 90), 128 + 100 * np.cos(y / 70), (x + y) / 8], 2).astype(np.uint8)
    Image.fromarray(picture).save(album / "z.jpg", quality=95)
    expected = np.asarray(Image.open(album / "z.jpg").resize((16, 16), Image.Resampling.BILINEAR))
    np.testing.assert_allclose((_of(album, 16).x[2].permute(1, 2, 0) + 1) * 127.5, expected, atol=3)


def test_a_photograph_is_turned_upright(album):
    picture = flat(0)
    picture[:16] = 255
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    Image.fromarray(picture).save(album / "z.png", exif=exif)
    assert _of(album).x[2, 0, :, 0].tolist() == [-1] * 16 + [1] * 16


def test_transparent_is_white(album):
    Image.fromarray(np.zeros((32, 32, 4), np.uint8)).save(album / "z.png")
    assert _of(album).x[2].min() == 1


def test_16_bits_keep_their_greys(album):
    Image.fromarray(np.full((32, 32), 100 * 256, np.uint16)).save(album / "z.png")
    assert _grey(_of(album).x) == [50, 200, 100]


BROKEN = {
    "cut": lambda album: (album / "b.png").read_bytes()[:60],
    "text": lambda album: b"not an image",
    "empty": lambda album: b"",
    "bomb": lambda album: _png_claiming(7072, 7072),
    "huge bomb": lambda album: _png_claiming(100_000, 100_000),
    "another format": lambda album: _tiff(),  # Pillow has decoders that run other programs
}


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
@pytest.mark.parametrize("kind", BROKEN)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_broken_file_is_named_and_passed_over(album, tmp_path, kind, packed):
    (album / "a" / "d.png").write_bytes(BROKEN[kind](album))
    found = _of(_zip(album, tmp_path / "album.zip") if packed else album)
    assert (found.skipped, _grey(found.x)) == (("a/d.png",), [50, 200])


def test_a_bomb_is_refused_before_it_is_decoded(album, monkeypatch):
    (album / "d.png").write_bytes(_png_claiming(7072, 7072))
    decoded = []
    load_image = Image.Image.load
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", lambda self: decoded.append(self.size) or load_image(self))
    with pytest.raises(DataError):
        _of(album)  # nothing at all is decoded here
    assert set(decoded) == {(32, 32)}


def test_what_is_larger_unpacked_than_an_image_can_be_is_passed_over(album, tmp_path, monkeypatch):
    monkeypatch.setattr("gan_core.album.FILE_LIMIT", 10_000)
    (album / "d.bmp").write_bytes(b"BM" + bytes(1_000_000))
    assert _of(_zip(album, tmp_path / "album.zip")).skipped == ("d.bmp",)


def test_other_files_and_hidden_ones_are_not_mentioned(album):
    (album / "notes.txt").write_text("x")
    (album / "._b.png").write_text("what macOS leaves in zip files")
    assert _of(album).skipped == ()


def test_names_in_a_zip_that_lead_out_of_it_write_nothing(album, tmp_path):
    target = tmp_path / "zips" / "album.zip"
    target.parent.mkdir()
    with zipfile.ZipFile(target, "w") as archive:
        for name in ("../../out.png", "/tmp/out-of-the-zip.png"):
            archive.write(album / "b.png", name)
    before = set(tmp_path.rglob("*"))
    assert _grey(_of(target).x) == [200, 200]
    assert set(tmp_path.rglob("*")) == before
    assert not Path("/tmp/out-of-the-zip.png").exists()


def test_a_link_in_a_zip_is_not_followed(album, tmp_path):
    target = _zip(album, tmp_path / "album.zip")
    link = zipfile.ZipInfo("link.png")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(target, "a") as archive:
        archive.writestr(link, str(album / "b.png"))
    assert _of(target).skipped == ("link.png",)


def test_links_that_go_in_circles_end(album):
    (album / "a" / "round").symlink_to(album)
    assert len(_of(album).x) == 2


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_is_not_waited_for(album):
    os.mkfifo(album / "d.png")
    assert _of(album).skipped == ("d.png",)


def test_fewer_than_two_images_are_refused(album):
    (album / "b.png").write_bytes(b"broken")
    with pytest.raises(DataError, match=r"holds 1 usable image, and 1 that cannot be used: b.png"):
        _of(album)


def test_a_folder_without_images_is_refused(tmp_path):
    with pytest.raises(DataError, match="holds 0 usable images. At least 2"):
        _of(tmp_path)


def test_no_path_is_refused():
    with pytest.raises(DataError, match="No folder has been chosen"):
        load("folder")


@pytest.mark.parametrize("path", ["/nowhere/at/all", "a\0b", "~nobody-of-this-name/x"])
def test_a_path_that_leads_nowhere_is_refused(path):
    with pytest.raises(DataError, match="cannot be read"):
        _of(path)


def test_a_file_that_is_no_zip_is_refused(tmp_path):
    (tmp_path / "album.zip").write_bytes(b"not a zip")
    with pytest.raises(DataError, match="cannot be read"):
        _of(tmp_path / "album.zip")


def test_too_many_images_are_refused_before_any_is_read(album, monkeypatch):
    monkeypatch.setattr("gan_core.source.MEMORY_LIMIT", 2 * 3 * 64 * 64 * 4 - 1)
    told = []
    with pytest.raises(DataError, match=r"2 images of 64 x 64 with 3 channels would take 0.0 GB.*image_size to 60 or less"):
        load(Source("folder", 64, path=str(album)), progress=lambda text, share: told.append(share))
    assert told == []


def test_reading_a_folder_tells_its_progress(album):
    told = []
    load(Source("folder", path=str(album)), progress=lambda text, share: told.append((text, share)))
    assert told == [("Reading images", 0), ("Reading images", 0.5)]


def test_reading_a_folder_can_be_stopped(album):
    def stop(text, share):
        raise KeyError("stop")

    with pytest.raises(KeyError):
        load(Source("folder", path=str(album)), progress=stop)


def test_a_folder_that_changed_is_read_again(album):
    _of(album)
    save(album / "d.png", flat(0))
    os.utime(album, ns=(1, 1))  # the clock of a file system may stand still for some ms
    assert len(_of(album).x) == 3
