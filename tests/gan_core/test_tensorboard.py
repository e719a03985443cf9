import io
import re
import struct

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event

from gan_core import RunError, Runner, RunStore
from gan_core.colours import COLOURS
from gan_core.members import STATS
from gan_core.schema import metric_series
from gan_core.tensorboard import EventFiles, crc32c, image_event, masked, picture, record, scalars_event
from ui.palette import PALETTE


@pytest.fixture(scope="module")
def trained(tmp_path_factory, tiny):
    """A store with a finished run of points, one of images and one of two members: (store, ids)."""
    store = RunStore(tmp_path_factory.mktemp("tensorboard") / "runs")
    runner = Runner(store)
    digits = tiny(dataset="digits", network="dcgan", width=4, steps=3)
    runs = [runner.start(config) for config in (tiny(), digits, [tiny(seed=3), tiny(seed=5)])]
    assert all(runner.wait(run, 60) for run in runs)
    runner.shutdown()
    return store, dict(zip(("points", "images", "members"), runs, strict=True))


def _written(store, run, folder):
    with EventFiles(store, run, folder) as files:
        files.finish()
    return {path.name: _read(path) for path in folder.iterdir()}


def _read(path):
    reader = EventAccumulator(str(path), size_guidance={"scalars": 0, "images": 0})
    reader.Reload()
    return reader


@pytest.fixture
def read(trained, tmp_path):
    """What TensorBoard reads of a run: (the run's id, reader of its only folder)."""

    def make(which):
        run = trained[1][which]
        return run, _written(trained[0], run, tmp_path / "logs")[run]

    return make


@pytest.mark.parametrize(
    ("data", "crc"),
    [  # RFC 3720, appendix B.4; the last is the usual check value of this CRC
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
        (b"123456789", 0xE3069283),
        (b"", 0),
    ],
)
def test_crc_is_that_of_the_standard(data, crc):
    assert crc32c(data) == crc


def test_mask_is_that_of_the_format():
    """tensorflow/core/lib/hash/crc32c.h: ((crc >> 15) | (crc << 17)) + 0xa282ead8, in 32 bits."""
    assert masked(1) == (1 << 17) + 0xA282EAD8
    assert masked(0x8000) == 1 + 0xA282EAD8
    assert masked(0xFFFFFFFF) == 0xA282EAD7


def test_a_record_is_length_checksum_bytes_checksum():
    assert struct.unpack("<QI3sI", record(b"abc"))[::2] == (3, b"abc")


@pytest.mark.parametrize("step", [0, 1, 127, 128, 10_000_000])
def test_scalars_are_an_event(step):
    event = Event.FromString(scalars_event(1.5, step, {"a/b": 0.25, "é": float("inf")})[12:-4])
    assert (event.wall_time, event.step) == (1.5, step)
    assert [(v.tag, v.simple_value) for v in event.summary.value] == [("a/b", 0.25), ("é", float("inf"))]


@pytest.mark.parametrize(("mode", "bands"), [("L", 1), ("RGB", 3)])
def test_an_image_is_an_event(mode, bands):
    out = io.BytesIO()
    Image.new(mode, (5, 3)).save(out, "PNG")
    found = Event.FromString(image_event(1.0, 7, "samples", out.getvalue())[12:-4]).summary.value[0].image
    assert (found.height, found.width, found.colorspace, found.encoded_image_string) == (3, 5, bands, out.getvalue())


@pytest.mark.parametrize("stat", STATS)
def test_tensorboard_reads_every_statistic(trained, read, stat):
    run, reader = read("points")
    steps, values = trained[0].series(run, "train")
    found = reader.Scalars(f"train/{stat}")
    assert [event.step for event in found] == steps.tolist()
    np.testing.assert_array_equal(np.float32([event.value for event in found]), values[:, STATS.index(stat), 0])


def test_tensorboard_reads_every_metric(trained, read):
    run, reader = read("points")
    for name in trained[0].get(run).metrics:
        steps, values = trained[0].series(run, metric_series(name))
        found = reader.Scalars(f"metrics/{name}")
        assert [event.step for event in found] == steps.tolist()
        np.testing.assert_array_equal(np.float32([event.value for event in found]), values[:, 0, 0])


def test_tensorboard_reads_the_picture(read):
    _, reader = read("images")
    (found,) = reader.Images("samples")
    with Image.open(io.BytesIO(found.encoded_image_string)) as image:
        assert (found.step, found.width, found.height) == (3, *image.size)


def test_a_step_in_the_middle_was_taken_in_the_middle_of_the_time(trained, read):
    run, reader = read("points")
    row = trained[0].get(run)
    found = {event.step: event.wall_time for event in reader.Scalars("train/loss_d")}
    assert found[10] == pytest.approx(row.created + row.seconds / 2)


def test_each_member_has_a_folder_of_its_own(trained, tmp_path):
    store, runs = trained
    found = _written(store, runs["members"], tmp_path / "logs")
    _, values = store.series(runs["members"], "train", members=2)
    assert {name[-6:] for name in found} == {"seed-3", "seed-5"}
    for name, reader in found.items():
        last = reader.Scalars("train/loss_g")[-1].value
        assert np.float32(last) == values[-1, STATS.index("loss_g"), 0 if name.endswith("3") else 1]


def test_what_is_written_bit_by_bit_has_each_step_once(store, runner, tmp_path, endless, wait_until, status):
    run = runner.start(endless.but(steps=100_000))  # the curves have a point every 50 steps

    def points():
        return len(store.series(run, "train")[0])

    wait_until(points)
    with EventFiles(store, run, tmp_path / "logs") as files:
        files.update()
        first = points()
        wait_until(lambda: points() > first)
        runner.send(run, "stop")
        status(run, "stopped")
        files.finish()
    found = [event.step for event in _read(tmp_path / "logs" / run).Scalars("train/loss_d")]
    assert found == store.series(run, "train")[0].tolist()


def test_points_are_drawn_in_their_colours(trained):
    with Image.open(io.BytesIO(picture(trained[0].frame(trained[1]["points"])))) as image:
        found = {f"#{r:02X}{g:02X}{b:02X}" for _, (r, g, b) in image.getcolors()}
    assert found == {"#FFFFFF", COLOURS["light"]["real"], COLOURS["light"]["fake"]}


def test_the_colours_are_those_of_the_pages():
    assert COLOURS == PALETTE


def test_a_folder_that_cannot_be_made_is_refused(trained, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=re.escape(f"{tmp_path / 'file' / trained[1]['points']} cannot be written")):
        EventFiles(trained[0], trained[1]["points"], tmp_path / "file")
