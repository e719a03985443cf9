import numpy as np
import pytest

from gan_core import GANConfig, Runner, RunStore
from gan_core.data import load
from gan_core.frames import unpack
from ui import live
from ui.palette import PALETTE
from ui.pictures import thumbnail
from ui.text import duration, setting, significant, whole


@pytest.mark.parametrize(("seconds", "shown"), [(0.4, "0\u202fs"), (80, "1\u202fm 20\u202fs"), (3720, "1\u202fh 2\u202fm")])
def test_duration(seconds, shown):
    assert duration(seconds) == shown


@pytest.mark.parametrize(("value", "shown"), [(0, "0"), (999, "999"), (1234567, "1\u202f234\u202f567"), (-1234, "-1\u202f234")])
def test_whole(value, shown):
    assert whole(value) == shown


@pytest.mark.parametrize(("value", "shown"), [(float("nan"), "–"), (0.12345, "0.123"), (12.345, "12.3"), (0.00012, "1.2e-04")])
def test_significant(value, shown):
    assert significant(value) == shown


def test_setting_shows_floats_short():
    assert [setting(v) for v in (0.001, 16, "ring8")] == ["0.001", "16", "ring8"]


def test_thin_keeps_the_mean_and_the_last_step():
    steps, values = live.thin(np.arange(1, 1001), np.arange(1000.0)[:, None], 100)
    assert len(steps) == 100
    assert steps[-1] == 1000
    assert values.mean() == pytest.approx(499.5)


def test_thin_leaves_few_points_alone():
    steps, values = live.thin(np.arange(5), np.ones((5, 2)), 100)
    assert len(steps) == len(values) == 5


def _contrast(a: str, b: str) -> float:
    """Contrast ratio of WCAG 2.1, section 1.4.3."""

    def luminance(colour: str) -> float:
        parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(("theme", "background"), [("light", "#FFFFFF"), ("dark", "#14161D")])
def test_colours_stand_out_from_the_background(theme, background):
    for name, colour in PALETTE[theme].items():
        assert _contrast(colour, background) >= 3, name  # WCAG 1.4.11, graphics


def test_a_message_carries_curves_readings_and_picture(tmp_path):
    store = RunStore(tmp_path)
    runner = Runner(store)
    run = runner.start(GANConfig(width=8, batch_size=8, steps=50))
    runner.wait(run, 60)
    header, arrays = unpack(live.run_message(runner, store.get(run), live.SeriesCache()))
    assert header["step"] == header["steps"] == 50
    assert arrays["t"].tolist() == list(range(1, 51))
    assert len(arrays["d"]) == len(arrays["g"]) == 50
    assert unpack(arrays["frame"].tobytes())[0]["step"] == 50
    assert header["big"]["text"] == "of 8 modes covered"
    runner.shutdown()


def test_the_cache_forgets_what_a_resumed_run_makes_anew(tmp_path):
    store, cache = RunStore(tmp_path), live.SeriesCache()
    run = store.create([GANConfig()])
    rows = [(step, np.full((7, 1), step, np.float32)) for step in range(1, 11)]
    store.report(run, step=10, rate=1, seconds=1, series={"train": rows})
    assert cache.get(store, store.get(run), "train")[0].tolist() == list(range(1, 11))
    store.drop_series_after(run, 4)
    store.report(run, step=5, rate=1, seconds=1, series={"train": [(5, rows[4][1])]})
    assert cache.get(store, store.get(run), "train")[0].tolist() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("dataset", ["ring8", "digits"])
def test_a_thumbnail_is_a_small_picture(dataset):
    import io

    from PIL import Image

    from gan_core.frames import real_frame

    assert Image.open(io.BytesIO(thumbnail(real_frame(load(dataset))))).size == (48, 48)
