"""Films as files: their colours, their times, and what stands on them."""

import io

import numpy as np
import pytest
from PIL import Image, ImageColor, ImageSequence

from gan_core import GANConfig, RunStore, Trainer
from ui import movie
from ui.latent.tools import asked
from ui.latent.walk import exported
from ui.palette import PALETTE

SMALL = {"width": 4, "latent_dim": 4, "batch_size": 8}


def fade(n: int = 24) -> list[Image.Image]:
    """From red to blue."""
    colours = [(round(255 * (1 - k / (n - 1))), 0, round(255 * k / (n - 1))) for k in range(n)]
    return [Image.new("RGB", (32, 32), colour) for colour in colours]


def times_of(film: bytes) -> list[int]:
    """Milliseconds of each frame."""
    with Image.open(io.BytesIO(film)) as image:
        times = []
        for frame in ImageSequence.Iterator(image):
            frame.load()  # a WebP tells the time of a frame that is decoded
            times.append(frame.info["duration"])
        return times


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    """Makes a file of a walk on an untrained run."""
    store = RunStore(tmp_path_factory.mktemp("runs"))
    runs = {}
    for config in (GANConfig(dataset="digits", network="mlp", **SMALL), GANConfig(**SMALL)):
        run = store.create([config])
        store.save_checkpoint(run, Trainer(config).state_dict())
        runs[config.dataset] = store.get(run)

    def make(dataset: str = "digits", kind: str = "gif", **query: str) -> bytes:
        return exported(asked(store, runs[dataset], {"frames": "4", **query}), kind)

    return make


@pytest.mark.parametrize("k", [0, 8, 16, 23])
def test_a_gif_keeps_the_colours_of_a_fade(k):
    frames = fade()
    with Image.open(io.BytesIO(movie.KINDS["gif"].make(frames))) as film:
        film.seek(k)
        shown = np.array(film.convert("RGB").getpixel((16, 16)))
    assert np.abs(shown - frames[k].getpixel((16, 16))).max() <= 6


def test_a_gif_of_grey_frames_is_grey():
    frames = [Image.new("RGB", (16, 16), (9 * k,) * 3) for k in range(24)]
    with Image.open(io.BytesIO(movie.KINDS["gif"].make(frames))) as film:
        for frame in ImageSequence.Iterator(film):
            r, g, b = frame.convert("RGB").getpixel((8, 8))
            assert r == g == b


@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_frames_last_as_long_as_they_are_told(kind):
    assert times_of(movie.KINDS[kind].make(fade(4), 120, 800)) == [120, 120, 120, 800]


@pytest.mark.parametrize(("speed", "ms"), [("8", 125), ("16", 62), ("30", 33)])
def test_a_walk_is_saved_at_the_speed_that_was_chosen(walk, speed, ms):
    assert times_of(walk(kind="webp", speed=speed))[:-1] == [ms] * 4


def test_the_last_frame_is_held_only_where_a_way_ends(walk):
    assert times_of(walk(kind="webp", ends="2"))[-1] == movie.LAST_MS
    assert len(set(times_of(walk(kind="webp", ends="3")))) == 1


@pytest.mark.parametrize(("dataset", "side"), [("digits", 360), ("ring8", 360)])  # 8 x 8 pixels, 45 times as large
def test_two_ways_stand_side_by_side_and_in_a_strip_one_below_the_other(walk, dataset, side):
    film, strip = (Image.open(io.BytesIO(walk(dataset, kind, way="both"))) for kind in ("gif", "png"))
    line = movie.LINE  # and frames: four, and the end
    assert (film.n_frames, film.size) == (5, (2 * side + movie.GAP, side + line))
    assert strip.size == (5 * (side + movie.GAP) - movie.GAP, 2 * (side + line))


def test_an_enlarged_image_has_no_rim():
    image = np.full((1, 28, 28), -1, np.float32)
    large = movie.enlarged(image)
    assert large.size == (336, 336)  # twelve times
    assert large.getcolors() == [(336 * 336, (0, 0, 0))]


def test_a_way_of_points_ends_where_the_sample_has_arrived():
    picture = movie.points([0, 0, 2], {"path": np.array([[-1, -1], [1, 1]], np.float32)}, None)
    accent = ImageColor.getrgb(PALETTE["light"]["accent"])
    assert picture.getpixel((270, 90)) == picture.getpixel((272, 93)) == accent  # a disc
    assert picture.getpixel((180, 180)) == pytest.approx(accent, abs=60)  # a thin line, smoothed
    assert picture.getpixel((90, 264)) == (255, 255, 255)
