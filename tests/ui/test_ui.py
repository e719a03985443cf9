import io

import numpy as np
import pytest
from PIL import Image, ImageColor

from gan_core import VERDICTS, GANConfig, RunError, Runner, RunStore
from gan_core.data import load
from gan_core.frames import pack, unpack
from gan_core.schema import metric_series
from ui import film, live, movie, readings
from ui.palette import PALETTE
from ui.pictures import thumbnail
from ui.series import SeriesCache, thin
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


def test_a_run_says_why_its_classes_are_not_counted_yet(tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_PLAYGROUND_DATA", str(tmp_path / "no judge yet"))
    store, config = RunStore(tmp_path / "runs"), GANConfig(dataset="digits", network="dcgan", width=4, batch_size=8)
    run = store.create([config])
    told = []
    for status in ("queued", "running", "finished"):
        store.update(run, status=status)
        told.append(readings.awaited(store.get(run), load(config.source)))
    assert told == ["", "Learning to tell the classes apart, 0%", ""]


def test_thin_keeps_the_mean_and_the_last_step():
    steps, values = thin(np.arange(1, 1001), np.arange(1000.0)[:, None], 100)
    assert len(steps) == 100
    assert steps[-1] == 1000
    assert values.mean() == pytest.approx(499.5)


def test_thin_leaves_few_points_alone():
    steps, values = thin(np.arange(5), np.ones((5, 2)), 100)
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
    header, arrays = unpack(live.run_message(runner, store.get(run)))
    assert header["step"] == header["steps"] == 50
    assert arrays["t"].tolist() == list(range(1, 51))
    assert len(arrays["d"]) == len(arrays["g"]) == 50
    assert unpack(arrays["frame"].tobytes())[0]["step"] == 50
    assert header["big"]["text"] == "of 8 modes held"
    runner.shutdown()


def _told(tmp_path, config: GANConfig, tallies: dict[str, np.ndarray]):
    """Header and arrays about a run whose good and nearest samples of each mode were counted once."""
    store = RunStore(tmp_path)
    runner = Runner(store)
    run = store.create([config])
    store.report(run, step=5, rate=1, seconds=1, series={kind: [(5, row[:, None])] for kind, row in tallies.items()})
    told = unpack(live.run_message(runner, store.get(run), "wide"))
    runner.shutdown()
    return told


def test_bars_are_multiples_of_each_modes_fair_share(tmp_path):
    good, near = np.array([0, 100, 300, 300, 300, 300, 300, 300]), np.array([0, 620, 310, 310, 310, 310, 310, 310])
    labels = load("ring8").labels.numpy()
    fair = [2500 * (labels == k).mean() for k in range(8)]
    header, arrays = _told(tmp_path, GANConfig(dataset="ring8"), {"counts": good, "nearest": near})
    assert arrays["good"] == pytest.approx(good / fair)
    assert arrays["near"] == pytest.approx(near / fair)
    assert header["bars"]["names"][0] == "Mode 1 at 2, 0"


def test_bars_wait_for_the_first_measurement(tmp_path):
    header, arrays = _told(tmp_path, GANConfig(dataset="ring8"), {})
    assert len(header["bars"]["names"]) == 8
    assert len(arrays["good"]) == len(arrays["near"]) == 0


def test_changes_are_marked_on_the_curves(tmp_path):
    store = RunStore(tmp_path)
    runner = Runner(store)
    run = store.create([GANConfig()])
    store.add_event(run, 30, "set", name="lr_g", before=0.001, value=0.01)
    store.add_event(run, 30, "set", name="penalty", before="none", value="r1")
    store.add_event(run, 40, "failed", message="no change")
    header, _ = unpack(live.run_message(runner, store.get(run)))
    words = "Generator's learning rate 0.001 → 0.01, Penalty None → R1"
    assert header["events"] == [{"step": 30, "text": words, "fork": False}]
    runner.shutdown()


def test_steps_of_one_network_are_marked_in_their_order(tmp_path):
    runner = Runner(RunStore(tmp_path))
    run = runner.store.create([GANConfig()])
    for step, part in ((4, "discriminator"), (4, "generator"), (4, "generator"), (6, "discriminator")):
        runner.store.add_event(run, step, "extra", part=part)
    header = unpack(live.run_message(runner, runner.store.get(run)))[0]
    assert [(event["step"], event["text"]) for event in header["events"]] == [
        (4, "one extra discriminator step, 2 extra generator steps"),
        (6, "one extra discriminator step"),
    ]
    runner.shutdown()


@pytest.mark.parametrize(
    ("status", "row", "shown"),
    [
        ("running", {}, ""),
        ("running", {"pace": 2.5}, "at most 2.5 steps/s"),
        ("paused", {"pace": 3.0, "until": {"modes": 8}}, "at most 3 steps/s, pauses when 8 modes are covered"),
        ("paused", {"pace": 3.0, "message": "Paused: step 12 is reached."}, "Paused: step 12 is reached."),
        ("stopped", {"pace": 3.0}, ""),
    ],
)
def test_what_was_asked_of_a_live_run_is_shown(tmp_path, status, row, shown):
    runner = Runner(RunStore(tmp_path))
    run = runner.store.create([GANConfig()], owner=runner.owner)
    runner.store.update(run, status=status, **row)
    assert unpack(live.run_message(runner, runner.store.get(run)))[0]["asked"] == shown
    runner.shutdown()


@pytest.fixture
def forked(tmp_path):
    """A runner, a finished run of 40 steps, and its fork at the end with other rates."""
    runner = Runner(RunStore(tmp_path))
    run = runner.start(GANConfig(width=8, batch_size=8, steps=40))
    runner.wait(run, 60)
    yield runner, run, runner.fork(run, 0, {"lr_d": 0.01})
    runner.shutdown()


def test_a_fork_shows_how_its_parent_went_on(forked):
    runner, _, fork = forked
    header, arrays = unpack(live.run_message(runner, runner.store.get(fork)))
    assert header["events"] == [{"step": 0, "text": "forked here", "fork": True}]
    assert arrays["branch_t"].tolist() == list(range(1, 41))
    assert len(arrays["branch_d"]) == 40
    assert len(arrays["t"]) == 0


def test_a_fork_without_its_parent_shows_itself(forked):
    runner, run, fork = forked
    runner.store.delete(run)
    assert "branch_t" not in unpack(live.run_message(runner, runner.store.get(fork)))[1]


def test_a_fork_begins_with_the_picture_of_its_step(forked):
    runner, _, fork = forked
    header, arrays = unpack(unpack(live.run_message(runner, runner.store.get(fork)))[1]["frame"].tobytes())
    assert header["step"] == 0
    assert {"real", "fake", "heat"} <= arrays.keys()


def test_the_film_has_pictures_and_measurements(forked):
    runner, run, _ = forked
    header, arrays = unpack(film.message(runner.store, runner.store.get(run), 8))
    assert header["steps"] == [s for s in runner.store.film_steps(run) if s > 8]
    assert header["kept"] == runner.store.checkpoint_steps(run)
    assert {0, 40} <= set(header["kept"])  # a slow machine keeps more
    for k, step in enumerate(header["steps"]):
        assert unpack(arrays[f"picture{k}"].tobytes())[0]["step"] == step
    assert (arrays["at"][0], arrays["at"][-1]) == (0, 40)
    for name in ("modes", "held", "high_quality"):
        assert arrays[name][-1] == pytest.approx(runner.store.get(run).metrics[name][0])
    assert arrays["good"].shape == arrays["near"].shape == (len(arrays["at"]), 8)


def test_the_film_knows_the_verdict_at_each_measurement(forked):
    runner, run, _ = forked
    row = runner.store.get(run)
    verdicts = unpack(film.message(runner.store, row, -1))[0]["verdicts"]
    steps, _ = runner.store.series(run, metric_series("held"))
    assert [v["step"] for v in verdicts] == steps.tolist()
    assert {v["title"] for v in verdicts} <= {kind.title for kind in VERDICTS.values()}


def test_before_its_fork_a_run_can_be_forked_from_its_parents_steps(forked):
    runner, run, _ = forked
    end = runner.fork(run, 40)
    parents = {step: run for step in runner.store.checkpoint_steps(run) if step < 40}
    assert 0 in parents
    assert film.kept_along(runner.store, runner.store.get(end)) == parents | {40: end}
    runner.store.delete(run)
    assert film.kept_along(runner.store, runner.store.get(end)) == {40: end}


@pytest.mark.parametrize("dataset", ["ring8", "digits"])
@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_a_film_is_saved_with_all_its_pictures(tmp_path, dataset, kind):
    runner = Runner(RunStore(tmp_path))
    run = runner.start(GANConfig(dataset=dataset, width=8, batch_size=8, steps=20))
    runner.wait(run, 60)
    movie = Image.open(io.BytesIO(film.exported(runner.store, runner.store.get(run), kind)))
    assert (movie.format, movie.size) == (kind.upper(), (360, 384))
    assert movie.n_frames == len(runner.store.film_steps(run))
    runner.shutdown()


def test_a_filmstrip_is_one_picture(forked):
    runner, run, _ = forked
    strip = Image.open(io.BytesIO(film.exported(runner.store, runner.store.get(run), "png")))
    count = min(10, len(runner.store.film_steps(run)))
    assert strip.size == (count * 368 - 8, 384)


def test_pictures_of_a_film_show_points_in_their_colours_and_places():
    real, fake = np.array([[1.0, 1.0]] * 3, np.float32), np.array([[-1.0, -1.0]] * 3, np.float32)
    picture = movie.draw(pack({"kind": "points", "extent": [0, 0, 2], "step": 7}, {"fake": fake}), real)
    assert picture.getpixel((270, 90)) == ImageColor.getrgb(PALETTE["light"]["real"])  # right and up
    assert picture.getpixel((90, 270)) == ImageColor.getrgb(PALETTE["light"]["fake"])  # left and down
    assert picture.getpixel((180, 180)) == (255, 255, 255)


@pytest.mark.parametrize(("kind", "words"), [("exe", "cannot be saved as exe"), ("gif", "has no film yet")])
def test_a_film_that_cannot_be_saved_is_a_sentence(tmp_path, kind, words):
    store = RunStore(tmp_path)
    with pytest.raises(RunError, match=words):
        film.exported(store, store.get(store.create([GANConfig()])), kind)


def test_there_are_no_bars_without_modes(tmp_path):
    assert _told(tmp_path, GANConfig(dataset="swiss_roll"), {})[0]["bars"] is None


def test_the_cache_forgets_what_a_resumed_run_makes_anew(tmp_path):
    store, cache = RunStore(tmp_path), SeriesCache()
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
