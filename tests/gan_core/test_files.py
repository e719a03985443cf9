import io
import os
import struct
import sys
import zipfile

import pytest

from gan_core import RunError
from gan_core.files import lists_more, whole


def test_a_file_gets_its_name_when_it_is_whole(tmp_path):
    path = tmp_path / "x"
    with whole(path) as file:
        file.write(b"new")
        assert not path.exists()
    assert (path.read_bytes(), list(tmp_path.iterdir())) == (b"new", [path])


def test_a_failure_keeps_the_file_that_was_there(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), whole(path) as file:
        file.write(b"new")
        raise ZeroDivisionError
    assert (path.read_bytes(), list(tmp_path.iterdir())) == (b"old", [path])


@pytest.mark.parametrize("name", ["nowhere/x", "folder"])
def test_what_cannot_be_written_is_refused(tmp_path, name):
    (tmp_path / "folder").mkdir()
    with pytest.raises(RunError, match="cannot be written"), whole(tmp_path / name) as file:
        file.write(b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


@pytest.mark.skipif(sys.platform == "win32", reason="rights of POSIX")
def test_others_may_read_what_is_written(tmp_path):
    before = os.umask(0o022)
    try:
        with whole(tmp_path / "x"):
            pass
    finally:
        os.umask(before)
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o644


# How many members a zip file has, before they are listed


def zipped(count, comment=b"", larger=False):
    """A zip file with so many empty members; `larger`, with the records of a file of more than 65,535 (APPNOTE.TXT 4.3.14)."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for k in range(count):
            archive.writestr(f"{k}.png", b"")
        archive.comment = comment
    content = file.getvalue()
    if larger:
        at = content.rfind(b"PK\5\6")
        length, begin = struct.unpack_from("<II", content, at + 12)
        record = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, count, count, length, begin)
        locator = struct.pack("<4sIQI", b"PK\6\7", 0, at, 1)
        last = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
        content = content[:at] + record + locator + last
    return io.BytesIO(content)


@pytest.mark.parametrize("kind", [{}, {"comment": b"a comment PK"}, {"larger": True}], ids=["plain", "commented", "larger"])
@pytest.mark.parametrize(("count", "most"), [(0, 1), (5, 5), (6, 5), (500, 499), (500, 500)])
def test_as_many_members_are_counted_as_zipfile_finds(count, most, kind):
    file = zipped(count, **kind)
    assert lists_more(file, most) == (len(zipfile.ZipFile(file).namelist()) > most)


def test_a_number_that_is_not_true_is_not_believed():
    content = bytearray(zipped(500).getvalue())
    struct.pack_into("<HH", content, len(content) - 14, 1, 1)  # the last record says that there is one
    assert len(zipfile.ZipFile(io.BytesIO(content)).namelist()) == 500  # which zipfile does not mind
    assert lists_more(io.BytesIO(content), 499)


def test_a_list_is_not_read_that_is_long_for_so_many():
    class Counting(io.BytesIO):
        most = 0

        def read(self, size=-1):
            content = super().read(size)
            self.most = max(self.most, len(content))
            return content

    names = io.BytesIO()
    with zipfile.ZipFile(names, "w") as archive:
        for k in range(40):
            archive.writestr(f"{k}" * 20_000, b"")
    file = Counting(names.getvalue())
    assert lists_more(file, 100)
    assert file.most < 2**17


@pytest.mark.parametrize("content", [b"", b"PK", b"no zip" * 100, b"PK\5\6" + bytes(10)])
def test_what_is_no_zip_has_no_members(content):
    assert not lists_more(io.BytesIO(content), 1)
