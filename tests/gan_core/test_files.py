import os
import sys

import pytest

from gan_core import RunError
from gan_core.files import whole


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
