import base64
import gzip
import hashlib
import io
import math
import os
import pickle
import re
import socket
import struct
import tarfile
import threading
import zipfile
import zlib
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits, make_moons

from gan_core import DATASETS, DataError, GANConfig, data, vision
from gan_core.data import Source, data_folder, decode_points, encode_points, is_here, load, quantised

REAL_DATA = Path(os.environ.get("GAN_PLAYGROUND_DATA", "/nowhere"))
MIXTURES = ["ring8", "grid25", "two_gaussians", "disjoint3"]
IMAGES, LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"


POINTS = [name for name, entry in DATASETS.items() if entry.kind == "points"]
IMAGE_SETS = [name for name, entry in DATASETS.items() if entry.kind == "images"]
LABELLED = [name for name, entry in DATASETS.items() if entry.classes]


def _save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)
    return path


def _flat(value, height=32, width=32):
    return np.full((height, width, 3), value, np.uint8)


@pytest.fixture(scope="session")
def have(tmp_path_factory):
    """name -> a Source that can be loaded here and now, or the test is skipped."""
    folder = tmp_path_factory.mktemp("images")
    for value in (0, 100, 255):
        _save(folder / f"{value}.png", _flat(value))
    more = {
        "folder": Source("folder", path=str(folder)),
        "drawn": Source("drawn", points=encode_points(np.array([[-0.5, 0], [0.5, 0.5]]))),
    }

    def source(name):
        if not is_here(name):
            pytest.skip(f"{name} is not in {data_folder()}")
        return more.get(name, Source(name))

    return source


# Contract


@pytest.mark.parametrize("part", ["title", "text", "source", "use", "cost"])
@pytest.mark.parametrize("name", DATASETS)
def test_entry_describes_itself(name, part):
    assert getattr(DATASETS[name], part)


@pytest.mark.parametrize("name", DATASETS)
def test_samples_have_the_shape_that_the_entry_announces(have, name):
    entry = DATASETS[name]
    expected = (entry.channels, entry.size, entry.size) if entry.kind == "images" else (2,)
    assert load(have(name)).shape == expected


@pytest.mark.parametrize("name", DATASETS)
def test_samples_are_finite_float32(have, name):
    x = load(have(name)).x
    assert x.dtype == torch.float32
    assert x.isfinite().all()


@pytest.mark.parametrize("name", IMAGE_SETS)
def test_images_fill_minus_one_to_one(have, name):
    x = load(have(name)).x
    assert (x.min().item(), x.max().item()) == (-1, 1)


@pytest.mark.parametrize("name", POINTS)
def test_there_are_50_000_points(have, name):
    assert len(load(have(name)).x) == 50_000


@pytest.mark.parametrize("name", DATASETS)
def test_there_is_one_label_a_sample(have, name):
    found = load(have(name))
    assert found.labels is None or (found.labels.shape == (len(found.x),) and found.labels.dtype == torch.int64)


@pytest.mark.parametrize("name", LABELLED)
def test_labels_are_those_that_the_entry_announces(have, name):
    assert load(have(name)).labels.unique().tolist() == list(range(DATASETS[name].classes))


@pytest.mark.parametrize("name", DATASETS)
def test_modes_are_as_many_as_classes(have, name):
    centres = load(have(name)).centres
    assert centres is None or len(centres) == DATASETS[name].classes


@pytest.mark.parametrize("name", DATASETS)
def test_data_are_the_same_every_time(have, name):
    source, entry = have(name), DATASETS[name]
    full = Source(name, entry.size, entry.channels, 0, source.path, source.points)
    one, two = (entry.load(full, data_folder(), lambda text, share: None).x for _ in range(2))
    assert torch.equal(one, two)


@pytest.mark.parametrize("name", DATASETS)
def test_a_second_load_takes_no_second_copy(have, name):
    assert load(have(name)).x.data_ptr() == load(have(name)).x.data_ptr()


def test_the_data_sets_own_values_take_no_second_copy():
    assert load("digits").x.data_ptr() == load(Source("digits", 8, 1)).x.data_ptr()


def test_a_config_has_its_source():
    assert GANConfig(dataset="digits", image_size=12).source == Source("digits", 12)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (Source("ring9"), "no data set ring9. Did you mean ring8"),
        (Source("digits", channels=2), "channels = 2"),
        (Source("digits", levels=1), "levels = 1"),
        (Source("digits", levels=-2), "levels = -2"),
        (Source("digits", image_size=-8), "image_size = -8"),
    ],
)
def test_a_source_that_makes_no_sense_is_refused(source, message):
    with pytest.raises(DataError, match=message):
        load(source)


# Points


def test_ring8_has_eight_distinct_centres():
    """A ring made with linspace(0, 2 pi, 8) has seven."""
    centres = load("ring8").centres
    assert torch.pdist(centres).min().item() == pytest.approx(2 * 2 * math.sin(math.pi / 8), abs=1e-5)


def test_ring8_lies_on_a_circle_of_radius_2():
    torch.testing.assert_close(load("ring8").centres.norm(dim=1), torch.full((8,), 2.0))


def test_grid25_has_the_centres_of_pacgan():
    axis = (-4, -2, 0, 2, 4)
    assert {tuple(c) for c in load("grid25").centres.tolist()} == {(x, y) for x in axis for y in axis}


@pytest.mark.parametrize(
    ("name", "sigmas"),
    [
        ("ring8", [[0.1, 0.1]] * 8),
        ("grid25", [[0.05, 0.05]] * 25),
        ("two_gaussians", [[0.1, 0.1], [0.05, 0.2]]),
        ("disjoint3", [[0.025, 0.025]] * 3),
    ],
)
def test_sigmas_are_the_published_ones(name, sigmas):
    torch.testing.assert_close(load(name).sigmas, torch.tensor(sigmas))


def test_two_gaussians_has_gan_labs_centres():
    torch.testing.assert_close(load("two_gaussians").centres, torch.tensor([[0.3, 0.7], [0.7, 0.4]]))


def test_disjoint3_has_gan_labs_centres():
    expected = torch.tensor([[0.35, 0.75], [0.75, 0.6], [0.45, 0.35]])
    torch.testing.assert_close(load("disjoint3").centres, expected)


@pytest.mark.parametrize("name", MIXTURES)
def test_each_modes_mean_is_its_centre(name):
    data = load(name)
    for mode, (centre, sigma) in enumerate(zip(data.centres, data.sigmas, strict=True)):
        x = data.x[data.labels == mode]
        assert ((x.mean(0) - centre).abs() < 5 * sigma / len(x) ** 0.5).all(), mode


@pytest.mark.parametrize("name", MIXTURES)
def test_each_modes_deviation_is_its_sigma(name):
    data = load(name)
    for mode, sigma in enumerate(data.sigmas):
        x = data.x[data.labels == mode]
        assert ((x.std(0) - sigma).abs() < 5 * sigma / (2 * len(x)) ** 0.5).all(), mode


@pytest.mark.parametrize("name", MIXTURES)
def test_modes_are_equally_frequent(name):
    data = load(name)
    n, share = len(data.x), 1 / len(data.centres)
    error = 5 * (n * share * (1 - share)) ** 0.5
    assert data.labels.bincount(minlength=len(data.centres)).sub(n * share).abs().max() < error


def test_swiss_roll_lies_on_its_curve():
    t = torch.linspace(1.5 * math.pi, 4.5 * math.pi, 4000)
    curve = torch.stack([t * t.cos(), t * t.sin()], 1) / 7.5
    distance = torch.cdist(load("swiss_roll").x[:5000], curve).min(1).values
    assert distance.max() < 5 * 0.25 / 7.5


def test_swiss_rolls_radius_has_the_mean_of_its_angle():
    """E t = 3 pi for t uniform on 1.5 pi to 4.5 pi; the noise adds its variance over 2 t to the radius."""
    radius = load("swiss_roll").x.norm(dim=1) * 7.5
    expected = 3 * math.pi + 0.25**2 / 2 * math.log(3) / (3 * math.pi)
    assert radius.mean().item() == pytest.approx(expected, abs=5 * 2.75 / 50_000**0.5)


def test_moons_lie_on_scikit_learns_half_circles():
    """No point is further from its half circle than 5 sigma of the noise."""
    curve, moon = make_moons(2000, noise=None, shuffle=False)
    found = load("two_moons")
    for label in (0, 1):
        x = found.x[found.labels == label][:4000]
        assert torch.cdist(x, torch.from_numpy(curve[moon == label]).float()).min(1).values.max() < 5 * 0.1


@pytest.mark.parametrize("label", [0, 1])
def test_moons_have_the_moments_of_scikit_learns(label):
    x, y = make_moons(200_000, noise=0.1, random_state=0)
    expected, found = x[y == label], load("two_moons")
    some = found.x[found.labels == label].double().numpy()
    np.testing.assert_allclose(some.mean(0), expected.mean(0), atol=5 * 0.72 * (1 / 25_000 + 1 / 100_000) ** 0.5)
    np.testing.assert_allclose(np.cov(some.T), np.cov(expected.T), atol=0.02)


def test_line_goes_from_one_end_to_the_other():
    """A uniform place on the line has the mean of the ends and a variance of a twelfth of their distance squared."""
    x = load("line").x.double()
    start, end = torch.tensor([[0.8, 0.6], [0.05, 0.9]]).double()
    along = (x - start) @ (end - start) / (end - start).square().sum()
    assert along.mean().item() == pytest.approx(0.5, abs=5 * 12**-0.5 / 50_000**0.5)
    assert along.var().item() == pytest.approx(1 / 12 + 0.01**2 / (0.75**2 + 0.3**2), rel=0.02)


def test_lines_noise_across_is_0_01():
    x = load("line").x.double() - torch.tensor([0.8, 0.6]).double()
    across = x @ torch.tensor([0.3, 0.75]).double() / (0.3**2 + 0.75**2) ** 0.5
    assert across.mean().item() == pytest.approx(0, abs=5 * 0.01 / 50_000**0.5)
    assert across.std().item() == pytest.approx(0.01, rel=5 / (2 * 50_000) ** 0.5)


def _cells():
    return (load("checkerboard").x / 2 + 2).floor().long()


def test_checkerboard_fills_every_other_cell():
    """FFJORD's: columns floor(x1) of [-2, 2), rows shifted by one in odd columns, all times 2."""
    assert {tuple(c) for c in _cells().unique(dim=0).tolist()} == {(i, j) for i in range(4) for j in range(4) if (i + j) % 2 == 0}


def test_checkerboards_cells_are_equally_frequent():
    counts = _cells().unique(dim=0, return_counts=True)[1]
    assert (counts - 6250).abs().max() < 5 * (50_000 * 7 / 64) ** 0.5


def test_checkerboards_cells_are_filled_evenly():
    place = load("checkerboard").x / 2 % 1
    assert (place.mean(0) - 0.5).abs().max() < 5 * 12**-0.5 / 50_000**0.5
    assert place.var(0).sub(1 / 12).abs().max() < 0.002


def test_pinwheel_turned_back_is_a_gaussian_around_1_0():
    """The turn keeps the radius, but its angle depends on the coordinate along the arm, found here by bisection."""
    found = load("pinwheel")
    x, label = found.x[:5000].double().numpy() / 2, found.labels[:5000].numpy()
    radius, angle = np.hypot(*x.T), np.arctan2(x[:, 1], x[:, 0])
    # before the turn by -(2 pi label / 5 + exp(a) / 4) the point was (a, b): a = radius cos(angle + turn(a)); |b| is small,
    # so that fixed-point steps from a = radius lead to it
    a = radius.copy()
    for _ in range(200):
        a = 0.5 * a + 0.5 * radius * np.cos(angle + 2 * np.pi * label / 5 + 0.25 * np.exp(a))
    b = radius * np.sin(angle + 2 * np.pi * label / 5 + 0.25 * np.exp(a))
    good = radius > 0.4  # near the origin there may be several solutions
    np.testing.assert_allclose([b[good].mean(), b[good].std()], [0, 0.1], atol=0.006)
    np.testing.assert_allclose([a.mean(), a.std()], [1, 0.3], atol=0.02)


def test_pinwheels_arms_are_one_arm_turned():
    """Five arms, each turned by 72 degrees: turned back, their means agree."""
    found = load("pinwheel")
    z = torch.complex(found.x[:, 0], found.x[:, 1])
    means = torch.stack([(z[found.labels == k] * np.exp(2j * np.pi * k / 5)).mean() for k in range(5)])
    assert (means - means.mean()).abs().max() < 5 * 0.65 / 10_000**0.5


# A drawing


def test_a_drawing_comes_back_to_within_half_a_cell():
    points = np.random.default_rng(0).uniform(-1, 1, (4096, 2))
    assert np.abs(decode_points(encode_points(points)).numpy() - points).max() <= 1 / 255 + 1e-6


def test_corners_come_back_exactly():
    corners = torch.tensor([[-1.0, -1], [-1, 1], [1, -1], [1, 1]])
    assert torch.equal(decode_points(encode_points(corners)), corners)


def test_a_drawing_is_base64url_of_pairs_of_bytes():
    text = encode_points(np.array([[-1, 1], [1, 1], [1 / 255, -1 / 255]]))
    assert base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)) == bytes([0, 255, 255, 255, 128, 127])


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_drawings_text_can_stand_in_a_link(n):
    assert re.fullmatch(r"[A-Za-z0-9_-]+", encode_points(np.ones((n, 2))))


@pytest.mark.parametrize(
    "text",
    ["", "A", "AAA!", "AA", "AAAA", "A A=", "äöü", "A" * 20_000, "====", "AA/+"],
    ids=["empty", "one", "sign", "odd bytes", "three bytes", "space", "no ascii", "long", "padding only", "plain base64"],
)
def test_a_damaged_drawing_is_refused(text):
    with pytest.raises(DataError, match="draw|Draw"):
        decode_points(text)


@pytest.mark.parametrize(
    "points",
    [np.zeros((0, 2)), np.zeros((4097, 2)), np.zeros((3, 3)), np.zeros(2), np.full((1, 2), 1.1), np.full((1, 2), np.nan)],
    ids=["none", "too many", "3-D", "flat", "outside", "nan"],
)
def test_points_that_are_no_drawing_are_refused(points):
    with pytest.raises(DataError, match="Draw it anew"):
        encode_points(points)


def test_a_drawing_is_its_points_with_jitter_of_0_02():
    points = torch.tensor([[-1.0, -1], [1, 1], [1, -1]])
    x = load(Source("drawn", points=encode_points(points))).x
    offset = x - points[torch.cdist(x, points).argmin(1)]
    assert offset.std().item() == pytest.approx(0.02, rel=5 / (2 * 100_000) ** 0.5)


def test_a_drawings_points_are_equally_frequent():
    points = torch.tensor([[-1.0, -1], [1, 1], [1, -1], [-1, 1]])
    x = load(Source("drawn", points=encode_points(points))).x
    assert (torch.cdist(x, points).argmin(1).bincount() - 12_500).abs().max() < 5 * (50_000 * 3 / 16) ** 0.5


# Images


def test_digits_are_those_of_scikit_learn():
    torch.testing.assert_close((load("digits").x[:, 0] + 1) * 8, torch.from_numpy(load_digits().images).float())


def test_digits_labels_are_those_of_scikit_learn():
    assert load("digits").labels.tolist() == load_digits().target.tolist()


@pytest.mark.parametrize("size", [12, 28])
def test_resizing_agrees_with_pillow(size):
    native, resized = load("digits").x[:20, 0], load(Source("digits", size)).x[:20, 0]
    expected = [np.asarray(Image.fromarray(x.numpy()).resize((size, size), Image.Resampling.BILINEAR)) for x in native]
    np.testing.assert_allclose(resized.numpy(), np.stack(expected), atol=1e-4)


@pytest.mark.parametrize("size", [12, 20, 32])
def test_resized_images_stay_within_minus_one_and_one(size):
    x = load(Source("digits", size)).x
    assert x.shape == (1797, 1, size, size)
    assert x.min() >= -1
    assert x.max() <= 1


def test_resizing_keeps_the_labels():
    assert torch.equal(load(Source("digits", 12)).labels, load("digits").labels)


def test_resizing_leaves_the_native_images_alone():
    load(Source("digits", 12))
    assert load("digits").shape == (1, 8, 8)


def test_an_image_set_that_would_take_too_much_memory_is_refused():
    with pytest.raises(
        DataError, match=r"1,797 images of 1000 x 1000 with 1 channel would take 7.2 GB.*image_size to 544 or less"
    ):
        load(Source("digits", 1000))


def test_grey_in_colour_is_three_times_the_same():
    x = load(Source("digits", channels=3)).x
    assert torch.equal(x, load("digits").x.expand(-1, 3, -1, -1))


@pytest.mark.parametrize("levels", [2, 3, 5, 17, 256])
def test_quantised_values_are_the_nearest_of_evenly_spaced_ones(levels):
    x = torch.rand(1000, generator=torch.Generator().manual_seed(0)) * 2 - 1
    values = torch.linspace(-1, 1, levels)
    torch.testing.assert_close(quantised(x, levels), values[(x[:, None] - values).abs().argmin(1)])


def test_two_levels_cut_at_zero():
    assert quantised(torch.tensor([-1, -1e-3, 0, 1e-3, 1]), 2).tolist() == [-1, -1, 1, 1, 1]


def test_levels_of_a_source_quantise_its_images():
    assert load(Source("digits", levels=3)).x.unique().tolist() == [-1, 0, 1]


def test_images_are_resized_before_they_are_quantised():
    assert load(Source("digits", 12, levels=2)).x.unique().tolist() == [-1, 1]


def test_256_levels_leave_images_of_bytes_as_they_are():
    x = torch.arange(256) / 127.5 - 1
    torch.testing.assert_close(quantised(x, 256), x)


needs_mnist = pytest.mark.skipif(not (REAL_DATA / "MNIST" / "raw" / IMAGES).is_file(), reason="GAN_PLAYGROUND_DATA has no MNIST")
needs_fashion = pytest.mark.skipif(
    not (REAL_DATA / "FashionMNIST" / "raw" / IMAGES).is_file(), reason="GAN_PLAYGROUND_DATA has no Fashion-MNIST"
)


@pytest.mark.parametrize(
    ("name", "mean", "std"),
    [
        pytest.param("mnist", 0.130660, 0.308108, marks=needs_mnist),
        pytest.param("fashion_mnist", 0.286041, 0.353024, marks=needs_fashion),
    ],
)
def test_mean_and_deviation_of_the_real_training_set(name, mean, std):
    pixels = (load(name).x.double() + 1) / 2
    assert pixels.mean().item() == pytest.approx(mean, abs=1e-6)
    assert pixels.std().item() == pytest.approx(std, abs=1e-6)


@needs_mnist
def test_mnists_first_labels_are_the_known_ones():
    assert load("mnist").labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]


@needs_mnist
def test_stacked_mnists_labels_are_those_of_its_channels():
    """Each channel is an image of MNIST, whose label is a digit of the triple's."""
    digits, stacked = load("mnist"), load("stacked_mnist")
    labels = {image.numpy().tobytes(): label for image, label in zip(digits.x[:, 0], digits.labels.tolist(), strict=True)}
    found = [int("".join(str(labels[c.numpy().tobytes()]) for c in image)) for image in stacked.x[:500]]
    assert found == stacked.labels[:500].tolist()


@needs_mnist
def test_stacked_mnist_has_50_000_images_of_1_000_modes():
    labels = load("stacked_mnist").labels
    assert (len(labels), len(labels.unique())) == (50_000, 1000)


# Files that are missing or damaged


def _idx(array):
    return bytes([0, 0, 8, array.ndim]) + b"".join(int(n).to_bytes(4, "big") for n in array.shape) + array.tobytes()


@pytest.fixture(scope="module")
def small_set():
    """Twenty random images and labels as the two files of MNIST's home page."""
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (20, 28, 28), np.uint8), rng.integers(0, 10, 20, np.uint8)
    return images, labels, {IMAGES: gzip.compress(_idx(images)), LABELS: gzip.compress(_idx(labels))}


@pytest.fixture
def raw(tmp_path):
    folder = tmp_path / "data" / "MNIST" / "raw"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def offline(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(vision.MNIST, "mirrors", ["http://127.0.0.1:9/"])


@pytest.fixture
def mirror(tmp_path, monkeypatch, small_set):
    """A mirror on loopback that serves the small set, with its checksums in place of MNIST's. Yields its folder."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    for name, content in small_set[2].items():
        (folder / name).write_bytes(content)

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(vision.MNIST, "mirrors", [f"http://127.0.0.1:{server.server_port}/"])
    sums = [(name, hashlib.md5(content).hexdigest()) for name, content in small_set[2].items()]
    monkeypatch.setattr(vision.MNIST, "resources", sums)
    yield folder
    server.shutdown()
    server.server_close()
    thread.join()


def test_offline_the_error_names_the_folder_and_offers_digits(offline, tmp_path):
    with pytest.raises(DataError) as caught:
        load("mnist", folder=tmp_path)
    assert str(tmp_path / "MNIST" / "raw") in str(caught.value)
    assert "digits" in str(caught.value)


def test_offline_no_half_file_is_left(offline, tmp_path):
    with pytest.raises(DataError):
        load("mnist", folder=tmp_path)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_download_gives_the_images(mirror, tmp_path, small_set):
    x = load("mnist", folder=tmp_path / "data").x
    expected = torch.from_numpy(small_set[0].astype(np.float32)) / 127.5 - 1
    torch.testing.assert_close(x[:, 0], expected)


def test_download_gives_the_labels(mirror, tmp_path, small_set):
    assert load("mnist", folder=tmp_path / "data").labels.tolist() == small_set[1].tolist()


def test_download_tells_its_progress_up_to_the_whole(mirror, tmp_path):
    told = []
    load("mnist", folder=tmp_path / "data", progress=lambda text, share: told.append((text, share)))
    assert {f"Downloading mnist: {name}" for name, share in [(IMAGES, 1.0), (LABELS, 1.0)]} <= {t for t, s in told if s == 1.0}


def test_downloaded_files_are_used_without_the_mirror(mirror, tmp_path, small_set):
    load("mnist", folder=tmp_path / "data")
    for file in mirror.iterdir():
        file.unlink()
    copy = tmp_path / "copy"
    (tmp_path / "data").rename(copy)
    assert len(load("mnist", folder=copy).x) == 20


def test_a_second_mirror_is_tried(mirror, tmp_path, monkeypatch):
    monkeypatch.setattr(vision.MNIST, "mirrors", ["http://127.0.0.1:9/", *vision.MNIST.mirrors])
    assert len(load("mnist", folder=tmp_path / "data").x) == 20


def test_a_download_with_another_checksum_is_refused(mirror, tmp_path):
    (mirror / IMAGES).write_bytes(gzip.compress(b"something else"))
    with pytest.raises(DataError, match="the download was damaged"):
        load("mnist", folder=tmp_path / "data")


def test_of_a_download_with_another_checksum_no_file_is_left(mirror, tmp_path):
    (mirror / IMAGES).write_bytes(gzip.compress(b"something else"))
    with pytest.raises(DataError):
        load("mnist", folder=tmp_path / "data")
    assert [p for p in (tmp_path / "data").rglob("*") if p.is_file()] == []


def test_a_file_that_the_mirror_does_not_have_is_said_so(mirror, tmp_path):
    (mirror / LABELS).unlink()
    with pytest.raises(DataError, match=rf"could not be downloaded.*{LABELS}"):
        load("mnist", folder=tmp_path / "data")


def test_a_server_that_does_not_speak_http_gives_a_data_error(tmp_path, monkeypatch):
    """As a captive portal or a wrong proxy does."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            connection, _ = server.accept()
            connection.recv(1000)
            connection.sendall(b"garbage\r\n\r\n")
            connection.close()

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        monkeypatch.setenv("no_proxy", "*")
        monkeypatch.setattr(vision.MNIST, "mirrors", [f"http://127.0.0.1:{server.getsockname()[1]}/"])
        with pytest.raises(DataError, match="could not be downloaded"):
            load("mnist", folder=tmp_path)
        thread.join()


def test_a_data_folder_that_is_a_file_gives_a_data_error(mirror, tmp_path):
    (tmp_path / "data").write_text("")
    with pytest.raises(DataError, match="GAN_PLAYGROUND_DATA"):
        load("mnist", folder=tmp_path / "data")


def _flip_in_the_middle(content):
    middle = len(content) // 2
    return content[:middle] + bytes(b ^ 0xFF for b in content[middle : middle + 50]) + content[middle + 50 :]


DAMAGE = {
    "cut": lambda content: content[: len(content) // 2],
    "flipped": _flip_in_the_middle,
    "no deflate stream": lambda content: content[:10] + b"\xff" * 50 + content[60:],
    "empty": lambda content: b"",
    "no gzip": lambda content: b"<html>Not found</html>",
    "no idx": lambda content: gzip.compress(b"P5 28 28 255"),
    "header only": lambda content: gzip.compress(b"\0\0\x08"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_gz_gives_a_data_error_that_names_it(raw, small_set, damage):
    (raw / IMAGES).write_bytes(DAMAGE[damage](small_set[2][IMAGES]))
    (raw / LABELS).write_bytes(small_set[2][LABELS])
    with pytest.raises(DataError, match=rf"{IMAGES} is damaged.*digits"):
        load("mnist", folder=raw.parents[1])


def test_unpacked_files_are_read_too(raw, small_set):
    (raw / "train-images-idx3-ubyte").write_bytes(_idx(small_set[0]))
    (raw / "train-labels-idx1-ubyte").write_bytes(_idx(small_set[1]))
    assert len(load("mnist", folder=raw.parents[1]).x) == 20


def test_a_truncated_unpacked_file_gives_a_data_error(raw, small_set):
    (raw / "train-images-idx3-ubyte").write_bytes(_idx(small_set[0])[:-5])
    (raw / "train-labels-idx1-ubyte").write_bytes(_idx(small_set[1]))
    with pytest.raises(DataError, match="is damaged"):
        load("mnist", folder=raw.parents[1])


@pytest.mark.parametrize(
    "images",
    [np.zeros((20, 8, 8), np.uint8), np.zeros((19, 28, 28), np.uint8), np.zeros(20, np.uint8)],
    ids=["size", "count", "dims"],
)
def test_images_that_do_not_fit_are_refused(raw, small_set, images):
    (raw / IMAGES).write_bytes(gzip.compress(_idx(images)))
    (raw / LABELS).write_bytes(small_set[2][LABELS])
    with pytest.raises(DataError, match="expected"):
        load("mnist", folder=raw.parents[1])


def test_a_label_that_is_no_digit_is_refused(raw, small_set):
    (raw / IMAGES).write_bytes(small_set[2][IMAGES])
    (raw / LABELS).write_bytes(gzip.compress(_idx(np.full(20, 10, np.uint8))))
    with pytest.raises(DataError, match="label 10, expected 0 to 9"):
        load("mnist", folder=raw.parents[1])


def test_kmnists_files_are_read(tmp_path, small_set):
    folder = tmp_path / "KMNIST" / "raw"
    folder.mkdir(parents=True)
    for name, content in small_set[2].items():
        (folder / name).write_bytes(content)
    assert load("kmnist", folder=tmp_path).labels.tolist() == small_set[1].tolist()


def test_stacked_mnist_is_made_of_the_files_of_mnist(raw, small_set):
    for name, content in small_set[2].items():
        (raw / name).write_bytes(content)
    assert is_here("stacked_mnist", raw.parents[1])
    assert load("stacked_mnist", folder=raw.parents[1]).shape == (3, 28, 28)


def test_a_set_is_here_when_both_its_files_are(raw, small_set):
    assert not is_here("mnist", raw.parents[1])
    (raw / IMAGES).write_bytes(small_set[2][IMAGES])
    assert not is_here("mnist", raw.parents[1])
    (raw / LABELS).write_bytes(small_set[2][LABELS])
    assert is_here("mnist", raw.parents[1])


@pytest.mark.parametrize("name", [name for name in DATASETS if "mnist" not in name and name != "cifar10"])
def test_a_set_without_files_is_always_here(name, tmp_path):
    assert is_here(name, tmp_path)


def test_the_environment_names_the_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("GAN_PLAYGROUND_DATA", str(tmp_path))
    assert data_folder() == tmp_path


# CIFAR-10


BIN, PY = "cifar-10-batches-bin", "cifar-10-batches-py"


class _Python2Pickler(pickle._Pickler):
    """Writes as Python 2 did: words and bytes alike as byte strings."""

    dispatch = dict(pickle._Pickler.dispatch)

    def save_string(self, value):
        value = value.encode() if isinstance(value, str) else value
        self.write(pickle.BINSTRING + struct.pack("<i", len(value)) + value)
        self.memoize(object())

    dispatch[bytes] = dispatch[str] = save_string


def _python2(value):
    file = io.BytesIO()
    _Python2Pickler(file, 2).dump(value)
    return file.getvalue().replace(b"numpy._core", b"numpy.core")  # as numpy was called then


@pytest.fixture(scope="module")
def cifar():
    """Two random images in each of five batches: images, labels, and the files of both versions."""
    rng = np.random.default_rng(1)
    images, labels = rng.integers(0, 256, (10, 3, 32, 32), np.uint8), rng.permutation(10).astype(np.uint8)
    files = {}
    for k in range(5):
        rows, some = images[2 * k : 2 * k + 2].reshape(2, 3072), labels[2 * k : 2 * k + 2]
        files[f"{BIN}/data_batch_{k + 1}.bin"] = b"".join(bytes([y]) + x.tobytes() for x, y in zip(rows, some, strict=True))
        files[f"{PY}/data_batch_{k + 1}"] = _python2({"data": rows, "labels": some.tolist(), "batch_label": f"batch {k + 1}"})
    return images, labels, files


def _write(folder, files, start):
    for name, content in files.items():
        if name.startswith(start):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(content)


def _tar(files, start, more=()):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for member, content in [*more, *((tarfile.TarInfo(n), c) for n, c in files.items() if n.startswith(start))]:
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return file.getvalue()


@pytest.mark.parametrize("version", [BIN, PY])
def test_cifars_images_come_back(cifar, tmp_path, version):
    _write(tmp_path, cifar[2], version)
    torch.testing.assert_close(load("cifar10", tmp_path).x, torch.from_numpy(cifar[0].astype(np.float32)) / 127.5 - 1)


@pytest.mark.parametrize("version", [BIN, PY])
def test_cifars_labels_come_back(cifar, tmp_path, version):
    _write(tmp_path, cifar[2], version)
    assert load("cifar10", tmp_path).labels.tolist() == cifar[1].tolist()


@pytest.mark.parametrize(("version", "archive"), [(BIN, "cifar-10-binary.tar.gz"), (PY, "cifar-10-python.tar.gz")])
def test_an_archive_of_cifar_is_enough(cifar, tmp_path, version, archive):
    (tmp_path / archive).write_bytes(_tar(cifar[2], version))
    assert is_here("cifar10", tmp_path)
    assert load("cifar10", tmp_path).labels.tolist() == cifar[1].tolist()


def test_a_pickle_of_todays_numpy_is_read(cifar, tmp_path):
    _write(tmp_path, cifar[2], PY)
    rows = np.asfortranarray(cifar[0][:2].reshape(2, 3072))
    (tmp_path / PY / "data_batch_1").write_bytes(pickle.dumps({"data": rows, "labels": cifar[1][:2].tolist()}, 4))
    torch.testing.assert_close(load("cifar10", tmp_path).x[:2], torch.from_numpy(cifar[0][:2].astype(np.float32)) / 127.5 - 1)


class _Malice:
    def __init__(self, call, *args):
        self.how = call, args

    def __reduce__(self):
        return self.how


@pytest.mark.parametrize(
    ("call", "asked"),
    [(os.mkdir, f"{os.name}.mkdir"), (eval, "eval"), (np.save, "numpy.save"), (np.load, "numpy.load")],
    ids=["mkdir", "eval", "np.save", "np.load"],
)
def test_a_pickle_that_calls_anything_is_refused(cifar, tmp_path, call, asked):
    _write(tmp_path, cifar[2], PY)
    (tmp_path / PY / "data_batch_3").write_bytes(pickle.dumps(_Malice(call, str(tmp_path / "mark"))))
    with pytest.raises(DataError, match=rf"data_batch_3 is damaged.*it asks for .*{asked.split('.')[-1]}"):
        load("cifar10", tmp_path)


def test_a_pickle_that_calls_something_calls_nothing(cifar, tmp_path):
    _write(tmp_path, cifar[2], PY)
    (tmp_path / PY / "data_batch_3").write_bytes(pickle.dumps(_Malice(os.mkdir, str(tmp_path / "mark"))))
    with pytest.raises(DataError):
        load("cifar10", tmp_path)
    assert not (tmp_path / "mark").exists()


def test_a_pickles_array_is_not_made_at_the_size_that_it_claims(cifar, tmp_path):
    """numpy would take a terabyte for it, and the process would be killed."""
    _write(tmp_path, cifar[2], PY)
    (tmp_path / PY / "data_batch_1").write_bytes(pickle.dumps({"data": _Malice(np.ndarray, (10**12,)), "labels": [0]}))
    with pytest.raises(DataError, match="data_batch_1 is damaged"):
        load("cifar10", tmp_path)


CIFAR_DAMAGE = {
    "cut": (BIN, "data_batch_2.bin", lambda content: content[:-1]),
    "empty": (BIN, "data_batch_2.bin", lambda content: b""),
    "label": (BIN, "data_batch_2.bin", lambda content: b"\x0a" + content[1:]),
    "pickle cut": (PY, "data_batch_2", lambda content: content[: len(content) // 2]),
    "pickle empty": (PY, "data_batch_2", lambda content: b""),
    "pickle label": (PY, "data_batch_2", lambda content: _python2({"data": np.zeros((1, 3072), np.uint8), "labels": [10]})),
    "pickle rows": (PY, "data_batch_2", lambda content: _python2({"data": np.zeros((1, 3072), np.uint8), "labels": [1, 2]})),
    "pickle dtype": (PY, "data_batch_2", lambda content: _python2({"data": np.zeros((1, 3072), np.int8), "labels": [1]})),
    "pickle list": (PY, "data_batch_2", lambda content: _python2([1, 2])),
}


@pytest.mark.parametrize("damage", CIFAR_DAMAGE)
def test_a_damaged_batch_gives_a_data_error_that_names_it(cifar, tmp_path, damage):
    version, name, change = CIFAR_DAMAGE[damage]
    _write(tmp_path, cifar[2], version)
    path = tmp_path / version / name
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(DataError, match=rf"{name} is damaged"):
        load("cifar10", tmp_path)


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "no gzip"])
def test_a_damaged_archive_of_cifar_gives_a_data_error_that_names_it(cifar, tmp_path, damage):
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(DAMAGE[damage](_tar(cifar[2], BIN)))
    with pytest.raises(DataError, match=r"cifar-10-binary.tar.gz is damaged"):
        load("cifar10", tmp_path)


def test_an_archive_writes_nothing_but_the_five_batches(cifar, tmp_path):
    """Other names, ways out of the folder and links stay where they are."""
    link = tarfile.TarInfo(f"{BIN}/link")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    more = [(tarfile.TarInfo(n), b"x") for n in ("../out", "/tmp/out-of-the-archive", f"{BIN}/../../out")] + [(link, b"")]
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "cifar-10-binary.tar.gz").write_bytes(_tar(cifar[2], BIN, more))
    load("cifar10", folder)
    written = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if not p.is_dir()}
    assert written == {"data/cifar-10-binary.tar.gz", *(f"data/{n}" for n in cifar[2] if n.startswith(BIN))}


def test_a_link_in_the_place_of_a_batch_is_refused(cifar, tmp_path):
    link = tarfile.TarInfo(f"{BIN}/data_batch_1.bin")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(_tar(cifar[2], BIN, [(link, b"")]))
    with pytest.raises(DataError, match="is not a file of the size"):
        load("cifar10", tmp_path)


@pytest.fixture
def cifar_mirror(mirror, cifar, monkeypatch):
    content = _tar(cifar[2], BIN)
    (mirror / "cifar-10-binary.tar.gz").write_bytes(content)
    monkeypatch.setattr(data, "CIFAR_URL", vision.MNIST.mirrors[0] + "cifar-10-binary.tar.gz")
    monkeypatch.setattr(data, "CIFAR_MD5", hashlib.md5(content).hexdigest())


def test_cifar_is_downloaded(cifar_mirror, cifar, tmp_path):
    assert load("cifar10", tmp_path / "data").labels.tolist() == cifar[1].tolist()


def test_of_cifars_download_only_the_batches_are_kept(cifar_mirror, cifar, tmp_path):
    load("cifar10", tmp_path / "data")
    kept = {p.relative_to(tmp_path / "data").as_posix() for p in (tmp_path / "data").rglob("*") if p.is_file()}
    assert kept == {name for name in cifar[2] if name.startswith(BIN)}


def test_cifar_with_another_checksum_is_refused(cifar_mirror, tmp_path, monkeypatch):
    monkeypatch.setattr(data, "CIFAR_MD5", "0" * 32)
    with pytest.raises(DataError, match="the download was damaged"):
        load("cifar10", tmp_path / "data")


def test_cifar_is_not_here_with_four_batches(cifar, tmp_path):
    _write(tmp_path, cifar[2], BIN)
    (tmp_path / BIN / "data_batch_5.bin").unlink()
    assert not is_here("cifar10", tmp_path)


def test_colour_in_grey_is_pillows_luma(cifar, tmp_path):
    _write(tmp_path, cifar[2], BIN)
    x = load(Source("cifar10", channels=1), tmp_path).x
    expected = np.stack([np.asarray(Image.fromarray(i.transpose(1, 2, 0)).convert("L")) for i in cifar[0]])
    np.testing.assert_allclose((x[:, 0].numpy() + 1) * 127.5, expected, atol=0.51)  # Pillow rounds


# A folder or zip file of images


def _png_claiming(width, height):
    """A PNG whose header promises a size, with hardly any data behind it."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def _tiff():
    file = io.BytesIO()
    Image.fromarray(_flat(9)).save(file, "TIFF")
    return file.getvalue()


@pytest.fixture
def album(tmp_path):
    """Two good images in a folder, one of them deeper."""
    folder = tmp_path / "album"
    _save(folder / "b.png", _flat(200))
    _save(folder / "a" / "c.PNG", _flat(50))
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
    Image.fromarray(_flat(120)).save(album / f"c.{ending}", **({"lossless": True} if ending == "webp" else {}))
    assert _grey(_of(album).x) == [50, 200, 120]


@pytest.mark.parametrize(("size", "channels"), [(8, 1), (16, 3), (64, 3)])
def test_images_get_the_size_and_channels_that_were_asked_for(album, size, channels):
    assert _of(album, size, channels).x.shape == (2, channels, size, size)


def test_only_the_centre_square_is_kept(album):
    picture = _flat(0, 40, 100)
    picture[:, 30:70] = 255
    _save(album / "wide.png", picture)
    assert _of(album).x[2].min() == 1


def test_a_smaller_image_is_pillows_bilinear_with_antialiasing(album):
    picture = np.random.default_rng(0).integers(0, 256, (60, 60, 3), np.uint8)
    _save(album / "z.png", picture)
    expected = np.asarray(Image.fromarray(picture).resize((16, 16), Image.Resampling.BILINEAR))
    np.testing.assert_allclose((_of(album, 16).x[2].permute(1, 2, 0) + 1) * 127.5, expected, atol=1e-4)


def test_a_large_jpeg_is_the_same_as_without_the_shortcut(album):
    y, x = np.mgrid[:800, :800]
    picture = np.stack([128 + 100 * np.sin(x / 90), 128 + 100 * np.cos(y / 70), (x + y) / 8], 2).astype(np.uint8)
    Image.fromarray(picture).save(album / "z.jpg", quality=95)
    expected = np.asarray(Image.open(album / "z.jpg").resize((16, 16), Image.Resampling.BILINEAR))
    np.testing.assert_allclose((_of(album, 16).x[2].permute(1, 2, 0) + 1) * 127.5, expected, atol=3)


def test_a_photograph_is_turned_upright(album):
    picture = _flat(0)
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
    monkeypatch.setattr(data, "FILE_LIMIT", 10_000)
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
    monkeypatch.setattr(data, "MEMORY_LIMIT", 2 * 3 * 64 * 64 * 4 - 1)
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
    _save(album / "d.png", _flat(0))
    os.utime(album, ns=(1, 1))  # the clock of a file system may stand still for some ms
    assert len(_of(album).x) == 3
