"""Whatever comes from elsewhere, a config, a link, a table of points, a zip of images: it is taken, or refused with a sentence.

Bundles have tests of their own in test_bundle.
"""

import io
import json
import stat
import struct
import tempfile
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from gan_core import ConfigError, DataError, GANConfig
from gan_core.album import load_album
from gan_core.config import METAS
from gan_core.link import SENTENCES, from_query
from gan_core.presets import read_config
from gan_core.source import Source
from gan_core.uploads import keep_images, read_table

pytestmark = pytest.mark.filterwarnings("ignore:Duplicate name", "ignore::PIL.Image.DecompressionBombWarning")
QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]
ODD = ["", "\0", "\x1b[2J", "\u202e", "\ud800", "💥", "NaN", "inf", "-inf", "1e999", "9" * 400, "0x10", "١٢", "1_000", "=1+1",
       "../../x",        "/etc/passwd", "<script>", "[x](javascript:1)", "a" * 5000]  # fmt: skip
NUMBERS = st.integers() | st.floats() | st.sampled_from([10**9, 2**63, -(10**400), 10**400, 1e308, 5e-324])
TEXTS = st.text(max_size=12) | st.sampled_from(ODD) | NUMBERS.map(lambda n: str(n) if abs(n) < 1e300 else "1e400")
LEAVES = st.none() | st.booleans() | NUMBERS | TEXTS
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=5)
CHOICES = [choice for meta in METAS.values() if meta.choices for choice in meta.choices]
NAMES = st.sampled_from([*METAS, *METAS, *METAS, "nonsense", "__class__", "model_config"]) | TEXTS
CONFIGS = st.dictionaries(NAMES, st.sampled_from(CHOICES) | VALUES, max_size=8)


def few_and_many(few, *given_):
    """Two tests of one function: `few` examples, always the same, and with -m long 10,000 that are new each time."""

    def wrap(check):
        options = {"deadline": None, "database": None, "suppress_health_check": QUIET}
        short = settings(max_examples=few, derandomize=True, **options)(given(*given_)(check))
        many = settings(max_examples=10_000, **options)(given(*given_)(check))
        return short, pytest.mark.long(pytest.mark.timeout(3600)(many))

    return wrap


def _is_a_sentence(error):
    text = str(error)
    assert text and "Traceback" not in text
    text.encode()  # half of a pair of surrogates could not be printed
    assert len(text) < 20_000


# Configs


def _config(values):
    try:
        config = GANConfig.parse(values)
    except ConfigError as error:
        _is_a_sentence(error)
    else:
        assert GANConfig.parse(json.loads(json.dumps(config.model_dump()))) == config


test_a_config_is_taken_or_refused, test_ten_thousand_configs_are_taken_or_refused = few_and_many(200, CONFIGS | VALUES)(_config)


def _file(content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "config.json")
        path.write_bytes(content)
        try:
            read_config(str(path))
        except ConfigError as error:
            _is_a_sentence(error)
        assert [each.name for each in Path(folder).iterdir()] == ["config.json"]


FILES = CONFIGS.map(lambda c: json.dumps(c).encode()) | st.binary(max_size=40) | TEXTS.map(lambda t: t.encode(errors="replace"))
test_a_file_is_taken_or_refused, test_ten_thousand_files_are_taken_or_refused = few_and_many(50, FILES)(_file)


@pytest.mark.parametrize(
    "content",
    [b"[" * 100_000, b'{"a":' * 50_000, b"9" * 5000, b'{"width": 1e999}', b'{"lr_g": NaN}', b"\xff\xfe",
     b'{"dataset": "\\ud800"}',
     b'{"dataset": "' + b"a" * 900_000 + b'"}', b'{"' + b"a" * 900_000 + b'": 1}', b" " * 30_000_000],
    ids=["deep", "deeper", "long number", "infinite", "no number", "no text", "half a pair", "long value", "long name", "large"],
)  # fmt: skip
def test_odd_files_are_refused(tmp_path, content):
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as error:
        read_config(str(path))
    _is_a_sentence(error.value)
    assert len(str(error.value)) < 5000


# Links


def _link(query):
    config, ignored = from_query(query)
    assert isinstance(config, GANConfig)
    assert config.path == ""
    assert len(ignored) <= SENTENCES + 1
    for sentence in ignored:
        _is_a_sentence(sentence)


LINKS = st.dictionaries(NAMES, st.sampled_from(CHOICES) | TEXTS | st.lists(TEXTS, max_size=3) | VALUES, max_size=10)
test_a_link_gives_a_config, test_ten_thousand_links_give_configs = few_and_many(120, LINKS)(_link)


# Tables of points

CELLS = st.floats(width=32).map(repr) | st.integers(-9, 9).map(str) | TEXTS
FAR = st.floats(-1e300, 1e300)
LINES = st.lists(CELLS, max_size=4).flatmap(lambda cells: st.sampled_from(";\t, ").map(lambda d: d.join(cells)))
TABLES = (
    st.lists(LINES, max_size=6).flatmap(lambda lines: st.sampled_from(["\n", "\r\n", "\r"]).map(lambda end: end.join(lines)))
    | st.lists(st.tuples(FAR, FAR).map("{0[0]},{0[1]}".format), max_size=5).map("\n".join)
)  # fmt: skip
BYTES = TABLES.map(lambda text: text.encode(errors="surrogatepass")) | TABLES.map(lambda t: t.encode("utf-16", "replace"))


def _table(content):
    try:
        table = read_table(content)
    except DataError as error:
        _is_a_sentence(error)
    else:
        assert table.points.isfinite().all()
        assert table.points.abs().max() == 1
        assert 2 <= len(table.points) <= 4096


test_a_table_is_read_or_refused, test_ten_thousand_tables_are_read_or_refused = few_and_many(
    150, BYTES | TABLES | st.binary(max_size=60)
)(_table)


# Images


def _png(width, height, real=True):
    out = io.BytesIO()
    Image.new("L", (width, height) if real else (1, 1), 99).save(out, "PNG")
    content = out.getvalue()
    if real:
        return content
    head = b"IHDR" + struct.pack(">II", width, height) + content[24:29]  # a bomb: it only says that it is large
    return content[:12] + head + struct.pack(">I", zlib.crc32(head)) + content[33:]


PICTURES = [_png(8, 8), _png(9, 30), _png(60_000, 60_000, False), _png(2**31 - 1, 2**31 - 1, False), b"GIF89a", b"", bytes(5000)]
INSIDE = st.sampled_from(["a.png", "b.PNG", "x/y.png", "../../out.png", "/tmp/out.png", "C:\\out.png", "..\\out.png",
                          ".hidden.png",
                          "con.png", "a\0.png", "\x1b.png", "x/", "a.txt", "in.zip", "é" * 200 + ".png"])  # fmt: skip
MEMBERS = st.lists(
    st.tuples(INSIDE | st.text(min_size=1, max_size=8).map(lambda t: t + ".png"), st.sampled_from(PICTURES), st.booleans()),
    max_size=5,
)


@st.composite
def zips(draw):
    """A zip of images, or one to which something has been done."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))) as archive:
        for name, content, linked in draw(MEMBERS):
            info = zipfile.ZipInfo(name.encode(errors="replace").decode())
            if linked:
                info.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, b"/etc/passwd" if linked else content)
    content = bytearray(out.getvalue())
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(content) - 1))
        if draw(st.booleans()):
            content[place] ^= draw(st.integers(1, 255))
        else:
            content[place : place + 4] = draw(st.sampled_from([bytes(4), b"\xff" * 4, b"\0\0\0\x7f"]))
    return bytes(content[: draw(st.sampled_from([None, None, len(content) // 2]))])


def _images(name, content):
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "data")
        try:
            kept = keep_images([(name, content)], data)
        except DataError as error:
            _is_a_sentence(error)
            assert list(data.rglob("*.*")) == []
        else:
            assert [path for path in data.rglob("*") if path.is_file()] == [kept.path]
            assert kept.path.parent == data / "uploads"
            loaded = load_album(Source("folder", 8, 1, 0, str(kept.path)), data, lambda text, share: None)
            assert loaded.x.shape[1:] == (1, 8, 8)
            assert loaded.x.isfinite().all()
        assert {path.name for path in Path(folder).iterdir()} <= {"data"}


NAMED = st.sampled_from(["x.zip", "../x.zip", "/x.ZIP", "a\0.zip", ".zip", "x.png", "é.zip"])
test_a_zip_of_images_is_kept_or_refused, test_ten_thousand_zips_are_kept_or_refused = few_and_many(
    60, NAMED, zips() | st.binary(max_size=80)
)(_images)


@pytest.mark.parametrize("size", [2**28 + 2, 2**35 + 1], ids=["one member", "all together"])
def test_a_zip_bomb_is_refused(tmp_path, size):
    """A list of members that says that they are as large."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("bomb.png", "w", force_zip64=True) as member:
            member.write(_png(8, 8))
        for info in archive.infolist():
            info.file_size = size
    with pytest.raises(DataError):
        keep_images([("x.zip", out.getvalue())], tmp_path)
    assert list(tmp_path.rglob("*.*")) == []
