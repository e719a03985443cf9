"""Tables of points and images that the user hands in. Expected points are worked out by hand."""

import io
import zipfile
from itertools import product

import numpy as np
import pytest
import torch
from painting import flat
from PIL import Image

from gan_core import DataError
from gan_core.data import Source, load
from gan_core.points import decode_points, encode_points
from gan_core.uploads import keep_images, read_table

# x from 0 to 4 and y from 1 to 3: the middle is (2, 2), half of the longer side 2
POINTS = [[-1, -0.5], [0, 0.5], [1, 0]]


def parse_points(content):
    return read_table(content).points


def same(found, expected):
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float32), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    "content",
    [
        "0,1\n2,3\n4,2",
        "0, 1\n2, 3\n4, 2\n",
        "0;1\n2;3\n4;2\n",
        "0\t1\n2\t3\n4\t2\n",
        "0 1\n2   3\n  4 2  \n",
        "x,y\n0,1\n2,3\n4,2\n",
        "length width\n0 1\n2 3\n4 2\n",
        "# made by hand\n\n0,1\n\n# the middle\n2,3\n   \n4,2\n",
        "0,1\r\n2,3\r\n4,2\r\n",
        "0,1\r2,3\r4,2\r",
        "\ufeff0,1\n2,3\n4,2",
        '"x","y"\n"0","1"\n"2","3"\n"4","2"\n',
        '"x, in mm",y\n0,1\n2,3\n4,2\n',
        "0,1e0\n2.0,+3\n4.,2\n",
        "0;1,0\n2,0;3\n4;2\n",
        "x;y\n0,0;1\n2;3\n4;2",
        "id,y,x\na,1,0\nb,3,2\nc,2,4\n",
        "X,weight,Y\n0,7,1\n2,nan,3\n4,,2\n",
        "0,1,9\n2,3\n4,2,8,7\n",
    ],
)
def test_a_table_is_read_however_it_is_written(content):
    same(parse_points(content), POINTS)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_a_table_is_read_in_any_usual_encoding(encoding):
    same(parse_points("größe;höhe\n0;1\n2;3\n4;2\n".encode(encoding)), POINTS)


def test_points_before_scaling_do_not_matter_but_for_their_shape():
    moved = [(3e6 + 5 * x, -7e6 + 5 * y) for x, y in POINTS]
    same(parse_points("\n".join(f"{x},{y}" for x, y in moved)), POINTS)


@pytest.mark.parametrize(("content", "expected"), [("0,0\n0,8", [[0, -1], [0, 1]]), ("5,1\n3,1", [[1, 0], [-1, 0]])])
def test_points_on_a_line_stay_on_it(content, expected):
    same(parse_points(content), expected)


def test_numbers_as_large_as_there_are_do_not_become_infinite():
    same(parse_points("-1.7e308,0\n1.7e308,0"), [[-1, 0], [1, 0]])


def test_4096_points_are_all_kept():
    lines = [f"{i},{j}" for i, j in product(range(64), range(64))]
    points = parse_points("\n".join(lines))
    assert points.shape == (4096, 2)
    assert len(points.unique(dim=0)) == 4096


def test_more_points_are_thinned_evenly_and_always_alike():
    """Of 40,960 points in a square of 10 by 10 cells each cell keeps a tenth, 41 give or take."""
    places = np.random.default_rng(0).uniform(0, 1, (40_960, 2))
    content = "0,0\n1,1\n" + "\n".join(f"{x:.5f},{y:.5f}" for x, y in places)
    points = parse_points(content)
    assert torch.equal(points, parse_points(content))
    assert points.shape == (4096, 2)
    cells = ((points + 1) / 2 * 10).long().clamp(max=9)
    counts = (cells[:, 0] * 10 + cells[:, 1]).bincount(minlength=100)
    assert (counts - 41).abs().max() < 5 * 41**0.5


def test_what_was_read_is_told():
    content = "id,x,y\n" + "\n".join(f"{k},{k % 71},{k // 71}" for k in range(5000))
    assert read_table(content).notes == (
        "5,000 points read.",
        "Of 3 columns, “x” and “y” were used.",
        "4,096 of them, drawn evenly, were kept.",
    )


def test_points_of_a_table_are_a_drawing():
    assert (decode_points(encode_points(parse_points("0,1\n2,3\n4,2"))) - torch.tensor(POINTS)).abs().max() < 1.01 / 255


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "is empty. Expected a line"),
        ("\n\n# nothing\n", "is empty. Expected a line"),
        ("1,2", "has 1 point, and at least 2"),
        ("x,y\n", "has 0 points, and at least 2"),
        ("7\n8", "Line 1 has one value, “7”. Expected two numbers"),
        ("\nname\n8", "Line 2 has one value, “name”. Expected two numbers"),
        ("1,2\n3", "Line 2 has 1 value. Expected two numbers"),
        ("a,x,y\n1,2,3\n1,2", "Line 3 has 2 values. Expected at least 3"),
        ("1,2\n\n3,x", "Line 3: y “x” is no number.* mend the line"),
        ("x,y\n1,2\n,4", "Line 3: x is missing"),
        ("x,y\n1,2\nx,y", "Line 3: x “x” is no number"),
        ("1,2\nnan,4", "Line 2: x is “nan”, which is no place. Remove the line"),
        ("1,2\n3,-inf", "Line 2: y is “-inf”, which is no place. Remove the line"),
        ("1,2\n3,1e999", "Line 2: y is “1e999”, which is no place"),
        ("1,2\n3," + "4" * 10_000, "Line 2 has more than 10,000 characters"),
        ("0;\ud800", r"Line 1: y “\?” is no number"),  # half of a pair of surrogates cannot be printed
        ("1,2\n3,\x1b[2J", r"Line 2: y “\?\[2J” is no number"),
        ("1,2\n3," + "z" * 100, r"Line 2: y “z{20}…” is no number"),
        ('1,2\n"3,4', "Line 2 cannot be read"),
        ("1,2\n1,2\n1.0,2.0", "All points lie in one place"),
        (b"PK\x03\x04\0\0", "is a zip or Excel file, not a table. Save the points as CSV"),
        (b"\x89PNG\r\n\x1a\n", "is an image, not a table"),
        (b"1,2\n3,\0", "is no text. Save the points as CSV"),
        (b"\xff\xfe1", "is no text|Expected"),
        ("1,2\n" * (6 * 2**20), "has 24 MB, and at most 20 MB are read"),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_what_is_no_table_of_points_is_refused_and_says_where_and_how_to_mend_it(content, sentence):
    with pytest.raises(DataError, match=sentence):
        parse_points(content)


# Images


def png(value: int, size: int = 16) -> bytes:
    file = io.BytesIO()
    Image.fromarray(flat(value, size, size)).save(file, "PNG")
    return file.getvalue()


def zipped(files: dict[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", how) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


GOOD = {"a.png": png(10), "b/c.png": png(200)}


def greys(path) -> list[int]:
    x = load(Source("folder", path=str(path))).x
    return ((x.mean((1, 2, 3)) + 1) * 127.5).round().int().tolist()


def files_under(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_zip_of_images_is_kept_and_can_be_trained_on(tmp_path):
    kept = keep_images([("faces.zip", zipped(GOOD))], tmp_path)
    assert kept.images == 2
    assert kept.path.parent == tmp_path / "uploads"
    assert greys(kept.path) == [10, 200]


def test_image_files_are_kept_as_one_zip_in_the_order_of_their_names(tmp_path):
    kept = keep_images([("b.png", png(200)), ("a.png", png(10)), ("c.PNG", png(90))], tmp_path)
    assert kept.images == 3
    assert greys(kept.path) == [10, 200, 90]


def test_image_files_of_one_name_are_all_kept(tmp_path):
    assert sorted(greys(keep_images([("a.png", png(10)), ("a.png", png(20)), ("a.png", png(30))], tmp_path).path)) == [10, 20, 30]


def test_the_same_images_are_kept_once_whatever_their_file_is_called(tmp_path):
    one, two = (keep_images([(name, zipped(GOOD))], tmp_path) for name in ("one.zip", "two.zip"))
    assert one == two
    assert len(files_under(tmp_path)) == 1


def test_the_same_image_files_in_another_order_are_kept_once(tmp_path):
    files = [("a.png", png(10)), ("b.png", png(20))]
    keep_images(files, tmp_path)
    keep_images(files[::-1], tmp_path)
    assert len(files_under(tmp_path)) == 1


def test_other_images_under_the_same_name_are_another_file(tmp_path):
    keep_images([("a.zip", zipped(GOOD))], tmp_path)
    keep_images([("a.zip", zipped({**GOOD, "d.png": png(30)}))], tmp_path)
    assert len(files_under(tmp_path)) == 2


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/out.zip", "out"),
        ("/tmp/out.zip", "out"),
        ("C:\\photos\\My cats (1).zip", "My-cats-1"),
        ("ä\0ö\n.zip", "images"),
        ("....zip", "images"),
        (".zip", "zip"),
        ("x" * 300 + ".zip", "x" * 40),
    ],
)
def test_a_files_name_can_lead_nowhere_else(tmp_path, name, safe):
    folder = tmp_path / "in" / "data"
    kept = keep_images([(name, zipped(GOOD))], folder)
    assert kept.path.parent == folder / "uploads"
    assert kept.path.name.rpartition("-")[0] == safe
    assert len(files_under(tmp_path)) == 1


def test_names_within_a_zip_write_nothing_anywhere(tmp_path):
    folder = tmp_path / "in" / "data"
    kept = keep_images([("a.zip", zipped({"../../../out.png": png(1), "/out.png": png(2)}))], folder)
    assert greys(kept.path) == [1, 2]
    assert files_under(tmp_path) == [kept.path.relative_to(tmp_path).as_posix()]


def link(target: str) -> bytes:
    file = io.BytesIO()
    info = zipfile.ZipInfo("link.png")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(info, target)
        archive.writestr("a.png", png(1))
    return file.getvalue()


REFUSED = {
    "no zip": ([("a.zip", b"not a zip")], "a.zip cannot be read"),
    "cut": ([("a.zip", zipped(GOOD)[:-30])], "a.zip cannot be read"),
    "empty": ([("a.zip", zipped({}))], "holds 0 usable images. At least 2"),
    "one image": ([("a.zip", zipped({"a.png": png(1)}))], "holds 1 usable image. At least 2"),
    "no images": ([("a.zip", zipped({"a.txt": b"x", "b.csv": b"1,2"}))], "holds 0 usable images"),
    "broken images": ([("a.zip", zipped({"a.png": b"x", "b.png": b"y"}))], "and 2 that cannot be used: a.png, b.png"),
    "a link": ([("a.zip", link("/etc/passwd"))], "holds 1 usable image, and 1 that cannot be used: link.png"),
    "one file": ([("a.png", png(1))], "holds 1 usable image"),
    "broken files": ([("a.png", b"x"), ("b.png", b"y")], "holds 0 usable images, and 2"),
    "no image's name": ([("a.png", png(1)), ("b.exe", png(2))], "b.exe is no image by its name"),
    "two zips": ([("a.zip", zipped(GOOD)), ("b.zip", zipped(GOOD))], "2 files, 2 of them zip files. Expected one"),
    "a zip and an image": ([("a.zip", zipped(GOOD)), ("b.png", png(1))], "2 files, 1 of them zip files. Expected one"),
    "nothing": ([], "0 files.* Expected one zip file"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_refused_leaves_no_file(tmp_path, kind):
    files, sentence = REFUSED[kind]
    with pytest.raises(DataError, match=sentence):
        keep_images(files, tmp_path)
    assert files_under(tmp_path) == []


@pytest.mark.parametrize(
    ("limit", "value", "sentence"),
    [
        ("uploads.IMAGES_LIMIT", 100, "and at most 0 MB are taken"),
        ("album.COUNT_LIMIT", 1, "a.zip holds more than 1 files. Use a folder or a zip file with fewer"),
        ("album.UNPACKED_LIMIT", 100, "a.zip would have more than 0 GB when unpacked"),
        ("album.FILE_LIMIT", 10, "holds 0 usable images, and 2 that cannot be used"),
        ("album.PIXEL_LIMIT", 255, "holds 0 usable images, and 2 that cannot be used"),
    ],
)
def test_what_is_too_much_is_refused_and_leaves_no_file(tmp_path, monkeypatch, limit, value, sentence):
    monkeypatch.setattr(f"gan_core.{limit}", value)
    with pytest.raises(DataError, match=sentence):
        keep_images([("a.zip", zipped(GOOD))], tmp_path)
    assert files_under(tmp_path) == []


def test_all_that_is_handed_in_may_take_only_so_much(tmp_path, monkeypatch):
    first = keep_images([("a.zip", zipped(GOOD))], tmp_path)
    monkeypatch.setenv("GAN_PLAYGROUND_UPLOADS_GB", f"{1.5 * first.path.stat().st_size / 1e9:.12f}")
    with pytest.raises(DataError, match="set GAN_PLAYGROUND_UPLOADS_GB to more"):
        keep_images([("b.zip", zipped({**GOOD, "c.png": png(3)}))], tmp_path)
    assert keep_images([("again.zip", zipped(GOOD))], tmp_path) == first  # it is there already
    assert files_under(tmp_path) == [first.path.relative_to(tmp_path).as_posix()]


def test_nothing_is_taken_in_where_the_disk_is_nearly_full(tmp_path, monkeypatch):
    monkeypatch.setattr("gan_core.settings.LEAST_FREE", 1e18)
    with pytest.raises(DataError, match="Free some space"):
        keep_images([("a.zip", zipped(GOOD))], tmp_path)
    assert files_under(tmp_path) == []


def test_a_zip_bomb_is_refused_by_what_it_promises(tmp_path):
    """A thousand times a file of 64 MB that packs into 64 kB, without one of them being unpacked."""
    bomb = zipfile.ZipInfo("bomb.png")
    bomb.compress_type = zipfile.ZIP_DEFLATED
    content = bytes(2**26)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(bomb, content)
        for k in range(1, 1000):  # all of them are the first one's bytes
            again = zipfile.ZipInfo(f"{k}.png")
            for slot in ("compress_type", "CRC", "compress_size", "file_size", "header_offset", "flag_bits", "external_attr"):
                setattr(again, slot, getattr(bomb, slot))
            archive.filelist.append(again)
    assert len(file.getvalue()) < 2**20
    with pytest.raises(DataError, match="would have more than 34 GB when unpacked"):
        keep_images([("a.zip", file.getvalue())], tmp_path)
    assert files_under(tmp_path) == []


def test_a_file_that_is_larger_than_it_promises_is_not_unpacked_further(tmp_path):
    content = bytearray(zipped({"a.png": png(1), "b.png": png(2), "c.bmp": bytes(10**6)}))
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = content.rfind(signature) + offset  # the last file's size, unpacked
        content[at : at + 4] = (10).to_bytes(4, "little")
    kept = keep_images([("a.zip", bytes(content))], tmp_path)
    assert load(Source("folder", path=str(kept.path))).skipped == ("c.bmp",)


def test_images_that_would_not_fit_into_memory_are_refused_when_they_are_read(tmp_path, monkeypatch):
    kept = keep_images([("a.zip", zipped(GOOD))], tmp_path)
    monkeypatch.setattr("gan_core.source.MEMORY_LIMIT", 2 * 3 * 64 * 64 * 4 - 1)
    with pytest.raises(DataError, match="more than the .* Set image_size to 60 or less"):
        load(Source("folder", 64, path=str(kept.path)))


def test_a_refused_file_does_not_harm_what_was_kept_before(tmp_path):
    keep_images([("a.zip", zipped(GOOD))], tmp_path)
    before = files_under(tmp_path)
    with pytest.raises(DataError):
        keep_images([("a.zip", b"not a zip")], tmp_path)
    assert files_under(tmp_path) == before


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path):
    (tmp_path / "data").write_text("a file")
    with pytest.raises(DataError, match="cannot be used .* set GAN_PLAYGROUND_DATA"):
        keep_images([("a.zip", zipped(GOOD))], tmp_path / "data")


def test_too_many_files_in_a_folder_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("gan_core.album.COUNT_LIMIT", 2)
    for name in ("a.png", "b.png", "c.txt"):
        (tmp_path / name).write_bytes(png(1))
    with pytest.raises(DataError, match="holds more than 2 files"):
        load(Source("folder", path=str(tmp_path)))
